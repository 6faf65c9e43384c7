"""README, CONTRIBUTING and the map: every file that they name is there, and commands agree."""

from __future__ import annotations

import json
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


def test_a_container_is_made_as_the_readme_installs() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    container = (ROOT / "Dockerfile").read_text("utf-8")
    installed = re.findall(r"^\.venv/bin/pip install (.*)$", readme, re.MULTILINE)[:2]
    assert len(installed) == 2
    for what in installed:
        assert f"pip install --no-cache-dir {what}" in container
    (started,) = re.findall(r"^\.venv/bin/(streamlit .*)$", readme, re.MULTILINE)
    assert json.loads(re.findall(r"^CMD (.*)$", container, re.MULTILINE)[0]) == started.split()


def test_a_container_publishes_and_keeps_what_the_readme_says() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    compose = (ROOT / "compose.yaml").read_text("utf-8")
    (run,) = re.findall(r"^docker run (.*)$", readme, re.MULTILINE)
    port, volume, image = re.fullmatch(r"--rm -p (\S+) -v [\w-]+:(\S+) (\S+)", run).groups()
    assert f'ports: ["{port}"]' in compose
    assert f"store:{volume}\n" in compose
    assert f"image: {image}\n" in compose
    container = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"HARMONY_EXPLORER_HOME={volume}" in container
    assert f"EXPOSE {port.rpartition(':')[2]}" in container


def test_a_container_is_sent_what_it_copies_and_no_more() -> None:
    container = (ROOT / "Dockerfile").read_text("utf-8")
    copied = {
        name
        for line in re.findall(r"^COPY (.*)$", container, re.MULTILINE)
        for name in line.split()[:-1]
    }
    sent = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert copied == set(sent)
    assert all((ROOT / name).exists() for name in copied)
