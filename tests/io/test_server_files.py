"""Only what the administrator allows can be opened by its path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harmony_core.errors import FileError
from harmony_core.io import server_files
from harmony_core.io.sources import Source, gather

STORE = Path("/nowhere/store")


def allowed_path(path: str | Path, besides: Path = STORE) -> Path:
    return server_files.allowed_path(path, besides=besides)


def listed_files(besides: Path = STORE) -> tuple[Path, ...]:
    return server_files.listed_files(besides=besides)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (first, second):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "x.h5ad").touch()
        (folder / "notes.pdf").touch()
    monkeypatch.setenv("HARMONY_EXPLORER_DATA", f"{first}{os.pathsep}{second}")
    return first, second


def test_paths_within(folders: tuple[Path, Path]) -> None:
    first, second = folders
    assert allowed_path(first / "deep" / "x.h5ad") == first / "deep" / "x.h5ad"
    assert allowed_path("deep/x.h5ad") == first / "deep" / "x.h5ad"
    assert allowed_path(str(second / "deep" / ".." / "deep" / "x.h5ad")).is_relative_to(second)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.h5ad", "/nowhere/at all", "deep/../../s"]
)
def test_paths_outside(folders: tuple[Path, Path], path: str) -> None:
    with pytest.raises(FileError, match="is outside the folders that may be opened"):
        allowed_path(path)


def test_link_to_the_outside(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "secret.h5ad").touch()
    (folders[0] / "link.h5ad").symlink_to(tmp_path / "secret.h5ad")
    with pytest.raises(FileError, match="is outside the folders that may be opened"):
        allowed_path("link.h5ad")
    assert folders[0] / "link.h5ad" not in listed_files()


def test_folder_whose_name_begins_alike(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "one-more").mkdir()
    with pytest.raises(FileError, match="is outside the folders that may be opened"):
        allowed_path(tmp_path / "one-more")


def test_missing_and_impossible(folders: tuple[Path, Path]) -> None:
    with pytest.raises(FileError, match=r"There is no file 'none\.h5ad'"):
        allowed_path("none.h5ad")
    with pytest.raises(FileError, match="is not a path"):
        allowed_path("a\x00b")


def test_nothing_is_allowed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARMONY_EXPLORER_DATA", raising=False)
    with pytest.raises(FileError, match="administrator can allow some by setting HARMONY_EXPLORER"):
        allowed_path("x.h5ad")
    assert listed_files() == ()


def test_listing(folders: tuple[Path, Path]) -> None:
    assert listed_files() == tuple(folder / "deep" / "x.h5ad" for folder in folders)


def test_store_and_hidden_folders_are_not_opened(folders: tuple[Path, Path]) -> None:
    store, hidden = folders[0] / "store", folders[0] / ".config"
    for folder in (store / "datasets", hidden):
        folder.mkdir(parents=True)
        (folder / "source.h5ad").touch()
    for inside in ("store/datasets/source.h5ad", "store/datasets", "store", "."):
        with pytest.raises(FileError, match="folder of this program"):
            allowed_path(inside, besides=store)
    for path in (".config/source.h5ad", ".config", ".none"):
        with pytest.raises(FileError, match="is hidden"):
            allowed_path(path)
    assert store / "datasets" / "source.h5ad" not in listed_files(besides=store)


def test_what_is_hidden_in_a_folder_is_not_read_with_it(tmp_path: Path) -> None:
    (tmp_path / "lab" / ".private").mkdir(parents=True)
    for folder in ("lab", "lab/.private"):
        (tmp_path / folder / "x.csv").write_text("a")
    found = list(gather(Source(tmp_path / "lab", "lab"), tmp_path))
    assert [source.path.parent.name for source in found] == ["lab"]


def test_folder_that_was_allowed_by_name_may_lie_in_a_hidden_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mnt").mkdir()
    (tmp_path / ".mnt" / "x.h5ad").touch()
    monkeypatch.setenv("HARMONY_EXPLORER_DATA", str(tmp_path / ".mnt"))
    assert allowed_path("x.h5ad").name == "x.h5ad"
