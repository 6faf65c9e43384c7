"""Opening HDF5 files that can't be trusted.

An HDF5 file can point to other files (external links, external storage, virtual datasets), declare
arrays that fill the memory from a few stored bytes, and contain itself. All of it is looked for
before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from harmony_core.errors import FileError, HarmonyExplorerError
from harmony_core.io.hdf5_sizes import check_texts, size_once_read

_MAX_OBJECTS = 100_000
_MAX_DEPTH = 32
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: Path) -> bool:
    """Whether the file begins as an HDF5 file does, be it complete or not."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE or bool(h5py.is_hdf5(path))


@contextmanager
def open_hdf5(path: Path, name: str) -> Iterator[tuple[h5py.File, float]]:
    """Open an HDF5 file for reading after looking through all of it.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.

    Yields
    ------
    The open file, and the bytes that its arrays take once read.

    Raises
    ------
    FileError
        Damaged or cut short, points outside itself, or contains itself. Also where anything in the
        block fails.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FileError(_why_not_opened(error, name)) from error
    with file:
        try:
            n_bytes = _look_through(file, path, name)
        except HarmonyExplorerError:
            raise
        except Exception as error:  # h5py raises many kinds on a damaged file
            raise FileError(f"{name} is damaged: its contents cannot be listed.") from error
        try:
            yield file, n_bytes
        except HarmonyExplorerError:
            raise
        except Exception as error:
            # On damaged files h5py and numpy raise nearly anything, anywhere.
            raise FileError(
                f"{name} is damaged: part of it cannot be read; download or copy it again."
            ) from error


def _why_not_opened(error: OSError, name: str) -> str:
    if "truncated file" in str(error):
        return f"{name} is cut short; download or copy it again."
    if "unable to lock file" in str(error):
        return f"{name} is being written by another program; wait until it is complete."
    return f"{name} is damaged and cannot be opened; download or copy it again."


def _look_through(file: h5py.File, path: Path, name: str) -> float:
    """Return the bytes that all arrays take once read."""
    n_bytes, n_objects = 0.0, 0
    texts: list[h5py.Dataset] = []
    waiting: list[tuple[h5py.Group, tuple[int, ...]]] = [(file["/"], ())]
    seen: set[int] = set()
    while waiting:
        group, ancestors = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in ancestors or len(ancestors) > _MAX_DEPTH:
            raise FileError(f"{name} is refused: a folder inside it contains itself.")
        if address in seen:
            continue
        seen.add(address)
        for key in group:
            n_objects += 1
            if n_objects > _MAX_OBJECTS:
                raise FileError(f"{name} is refused: it has more than {_MAX_OBJECTS:,} parts.")
            if isinstance(group.get(key, getlink=True), h5py.ExternalLink):
                raise FileError(f"{name} is refused: it has a link to another file.")
            item = group.get(key)
            if isinstance(item, h5py.Group):
                waiting.append((item, (*ancestors, address)))
            elif isinstance(item, h5py.Dataset):
                _refuse_outside(item, name)
                n_bytes += size_once_read(item, name)
                if item.dtype.hasobject:
                    texts.append(item)
    check_texts(texts, path, name)
    return n_bytes


def _refuse_outside(dataset: h5py.Dataset, name: str) -> None:
    """Refuse values in other files, or that are a view of others, perhaps of themselves.

    HDF5 follows a view that shows itself until its process dies.
    """
    if dataset.external or dataset.is_virtual:
        raise FileError(
            f"{name} is refused: part of its values is stored in another file, or is a view of "
            "other values; write it again with everything in it."
        )
