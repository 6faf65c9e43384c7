"""What is written about the project: what it names is there, commands agree, the site is whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = ("README.md", "CONTRIBUTING.md", *(str(page.relative_to(ROOT)) for page in DOCS))
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


def test_one_version_is_said_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_screenshots_are_taken_by_a_browser_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests/browser").glob("*.py"))
    shown = [
        name for page in DOCS for name in re.findall(r"\{screenshot\} (\S+)", page.read_text())
    ]
    assert shown
    assert not [name for name in shown if f'shoot(page, "{name}")' not in tests]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 160


class _Page(HTMLParser):
    """What a page of the site has: places that can be linked to, links, and files that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a":
            self.links += [found["href"]] if "href" in found else []
        else:
            self.loaded += [found[name] for name in ("href", "src") if name in found]


def test_the_site_is_built_without_warnings_and_all_its_links_lead_somewhere(
    tmp_path: Path,
) -> None:
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    built = subprocess.run(
        [*sphinx, ROOT / "docs", tmp_path], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    pages = {path: _Page(path.read_text("utf-8")) for path in tmp_path.rglob("*.html")}
    assert len(pages) > len(DOCS)
    broken = [
        f"{path.relative_to(tmp_path)}: {link}"
        for path, page in pages.items()
        for link in (*page.links, *page.loaded)
        if not _leads_somewhere(path, link, pages)
    ]
    assert not broken
    abroad = [url for page in pages.values() for url in page.loaded if urlsplit(url).netloc]
    assert not abroad, "a page would load this from another host"


def _leads_somewhere(page: Path, link: str, pages: dict[Path, _Page]) -> bool:
    """Return whether a file, and the place in it, is there; other hosts are not asked."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not parts.fragment or target not in pages:
        return target.is_file()
    return unquote(parts.fragment) in pages[target].places
