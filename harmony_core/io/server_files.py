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


def allowed_path(path: str | Path) -> Path:
    """Return a path with all links followed, if it lies within an allowed folder.

    Raises
    ------
    FileError
        No folder is allowed, the path is outside of those that are, or nothing is there.
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
    if not any(resolved.is_relative_to(folder) for folder in folders):
        raise FileError(
            f"{quoted(path)} is outside the folders that may be opened: "
            f"{listed([str(f) for f in folders])}."
        )
    if not resolved.exists():
        raise FileError(f"There is no file {quoted(path)}.")
    return resolved


def listed_files() -> tuple[Path, ...]:
    """List data files in the allowed folders, at most 1,000, at most four folders deep."""
    found: list[Path] = []
    for folder in allowed_folders():
        for path in _walk(folder, _DEPTH):
            found.append(path)
            if len(found) >= _MOST_LISTED:
                return tuple(found)
    return tuple(found)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
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
            yield from _walk(entry, depth - 1)
