"""Files on the server that may be opened by their path.

An upload of gigabytes is held in memory twice; a path is not. Which folders may be opened is the
administrator's to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harmony_core.errors import FileError
from harmony_core.inspect.columns import listed, quoted

FOLDERS_VARIABLE = "HARMONY_EXPLORER_DATA"
_ENDINGS = (
    *(".h5ad", ".h5", ".h5mu", ".loom", ".zip", ".tar", ".tgz", ".tar.gz", ".csv", ".tsv"),
    *(".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".zarr"),
)
_MOST_LISTED = 1_000
_DEPTH = 4


def allowed_folders() -> tuple[Path, ...]:
    """Return the folders that ``HARMONY_EXPLORER_DATA`` names, parted as in PATH."""
    named = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return tuple(Path(n).expanduser().resolve() for n in named if n.strip())


def allowed_path(path: str | Path, *, besides: Path) -> Path:
    """Return a path with all links followed, if it lies within an allowed folder.

    Parameters
    ----------
    path
        As it was typed or chosen.
    besides
        Folder of the store, which holds the data of everybody and may lie within an allowed one.

    Raises
    ------
    FileError
        No folder is allowed, the path is outside of those that are, hidden or in the store, or
        nothing is there.
    """
    folders = allowed_folders()
    if not folders:
        raise FileError(
            f"No folder of this server may be opened; its administrator can allow some by setting "
            f"{FOLDERS_VARIABLE}."
        )
    try:
        # Against the first folder, so that a name alone is enough there.
        resolved = (folders[0] / Path(path).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise FileError(f"{quoted(path)} is not a path.") from error
    # Before anything says whether it exists, so that nothing outside can be probed.
    within = [folder for folder in folders if resolved.is_relative_to(folder)]
    if not within:
        raise FileError(
            f"{quoted(path)} is outside the folders that may be opened: "
            f"{listed([str(f) for f in folders])}."
        )
    if all(_is_hidden(resolved.relative_to(folder)) for folder in within):
        raise FileError(
            f"{quoted(path)} is hidden (its name, or a folder's, begins with a point), and what is "
            "hidden is not opened here; move or copy it to a folder that is not."
        )
    if resolved.is_relative_to(besides) or besides.is_relative_to(resolved):
        raise FileError(
            f"{quoted(path)} is a folder of this program, or holds one, and is not opened as data."
        )
    if not resolved.exists():
        raise FileError(f"There is no file {quoted(path)}.")
    return resolved


def listed_files(*, besides: Path) -> tuple[Path, ...]:
    """List data files in the allowed folders, at most 1,000, at most four folders deep.

    Parameters
    ----------
    besides
        As of `allowed_path`.
    """
    found: list[Path] = []
    for folder in allowed_folders():
        for path in _walk(folder, _DEPTH, besides):
            found.append(path)
            if len(found) >= _MOST_LISTED:
                return tuple(found)
    return tuple(found)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _walk(folder: Path, depth: int, besides: Path) -> Iterator[Path]:
    if folder.is_relative_to(besides):
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.name.casefold().endswith(_ENDINGS):
            yield entry
        elif entry.is_dir() and depth > 1:
            yield from _walk(entry, depth - 1, besides)
