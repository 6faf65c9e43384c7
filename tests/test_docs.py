"""README, CONTRIBUTING and the map: every file that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/trust.md")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_PATH = re.compile(
    r"(?<![\w/])((?:harmony_core|pages|tests|benchmarks|sample_data|docs)/[\w./-]*\w\.?\w*)"
)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    linked = [(ROOT / page).parent / name for name in _LINK.findall(text)]
    named = [ROOT / name for name in _PATH.findall(text)]
    missing = [str(path) for path in (*linked, *named) if not path.exists()]
    assert not missing
    assert named


def test_the_map_shows_every_room() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    rooms = [p.parent.name for p in (ROOT / "harmony_core").glob("*/__init__.py")]
    assert not [room for room in rooms if f"  {room}/" not in text]
    modules = [p.name for p in (ROOT / "harmony_core").glob("*.py") if p.stem != "__init__"]
    assert not [module for module in modules if module not in text]
