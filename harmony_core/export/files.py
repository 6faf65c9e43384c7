"""Writing a file whole or not at all, and saying what was missing."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harmony_core.errors import ExportError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TOLD = (*_NO_ROOM, errno.EACCES, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def written_whole(path: Path, *, needs: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block succeeds.

    Whatever happens in the block, nothing half-written is left, and a file that was there before
    stays until the new one is complete.

    Parameters
    ----------
    path
        The file wanted; a file of that name is replaced.
    needs
        Most bytes that it may take, for the message about a full disk.

    Raises
    ------
    ExportError
        If the folder is missing or can't be written, or the disk is full.
    """
    path = Path(path)
    if path.is_dir():
        raise ExportError(f"{path.name!r} is a folder; give the name of a file.")
    try:
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    except OSError as error:
        raise ExportError(_sentence(path, error, needs)) from error
    try:
        temporary = folder / path.name
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ExportError(_sentence(path, error, needs)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def disk_error(error: BaseException) -> OSError | None:
    """Return the disk's error behind another one, or None; HDF5 hides it in causes and in text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            return seen
        for number in _TOLD:
            if f"errno = {number}," in str(seen):
                return OSError(number, os.strerror(number))
        seen = seen.__cause__ or seen.__context__
    return error if isinstance(error, OSError) else None


def _sentence(path: Path, error: OSError, needs: int | None) -> str:
    found = disk_error(error) or error
    if found.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"There is no folder {str(path.parent)!r} to write {path.name!r} into."
    if found.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{path.name!r} could not be written because the folder {str(path.parent)!r} is "
            "protected; choose another."
        )
    why = "there is no room left" if found.errno in _NO_ROOM else found.strerror or "disk error"
    room = []
    if needs is not None:
        room.append(f"it may take up to {in_words(needs)}")
    with contextlib.suppress(OSError):
        room.append(f"{in_words(shutil.disk_usage(path.parent).free)} are free on that disk")
    return f"{path.name!r} could not be written: {why} ({', '.join(room)})."


def in_words(n_bytes: float) -> str:
    """Return a size as a person writes it.

    Examples
    --------
    >>> in_words(1_500_000)
    '1.5 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
