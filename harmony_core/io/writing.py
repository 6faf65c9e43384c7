"""Writing a file whole or not at all, and saying what was missing."""

from __future__ import annotations

import contextlib
import errno
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harmony_core.errors import NO_ROOM, Cancelled, ExportError


@contextlib.contextmanager
def written_whole(
    path: Path, *, needs: int | None = None, as_folder: bool = False
) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block succeeds.

    Whatever happens in the block, nothing half-written is left, and a file that was there before
    stays until the new one is complete.

    Parameters
    ----------
    path
        The file wanted; a file of that name is replaced.
    needs
        Most bytes that it may take, for the message about a full disk.
    as_folder
        What is written is a folder; one of that name is replaced if it holds zarr data.

    Raises
    ------
    ExportError
        If the folder is missing or can't be written, or the disk is full.
    """
    path = Path(path)
    if path.is_dir() and not (as_folder and is_zarr(path)):
        raise ExportError(f"{path.name!r} is a folder; give another name.")
    try:
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    except OSError as error:
        raise ExportError(_sentence(path, error, needs)) from error
    try:
        temporary = folder / path.name
        yield temporary
        if path.is_dir():
            path.rename(folder / "replaced")
        temporary.replace(path)
    except OSError as error:
        raise ExportError(_sentence(path, error, needs)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text_whole(path: Path, text: str) -> None:
    """Write a text file as `written_whole` does.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    content = text.encode("utf-8")
    with written_whole(path, needs=len(content)) as temporary:
        temporary.write_bytes(content)


def made_folder(path: Path) -> Path:
    """Return a folder to write into, which is made if need be.

    Raises
    ------
    ExportError
        If it can't be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "there is no room left" if error.errno in NO_ROOM else error.strerror or "disk error"
        raise ExportError(
            f"The folder {str(path)!r} could not be made ({why}); choose another place."
        ) from error
    return path


def is_zarr(path: Path) -> bool:
    """Return whether a folder holds zarr data, of either format."""
    return any((path / name).is_file() for name in (".zgroup", ".zmetadata", "zarr.json"))


class ErrorDeferringFile(io.RawIOBase):
    """A file for h5py that remembers its first disk error instead of raising it.

    HDF5 does not survive a full disk: after a failed write it fails again on everything that it
    still holds, prints about it, and may end the process. So after the first error this file takes
    everything and stores nothing; whoever wrote reads `failed` once HDF5 has closed.

    Parameters
    ----------
    path
        The file.
    on_progress
        Called with the bytes written so far; stops the writing in the same way by raising
        Cancelled.
    """

    def __init__(self, path: Path, on_progress: Callable[[int], None] | None = None) -> None:
        self._file = path.open("w+b", buffering=0)
        self.failed: OSError | Cancelled | None = None
        self._on_progress = on_progress or (lambda n_bytes: None)
        self._place = 0
        self._written = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self.failed is None:
            try:
                self._file.seek(self._place)
                done = 0
                while done < size:
                    done += self._file.write(memoryview(data).cast("B")[done:]) or 0
                self._written += size
                self._on_progress(self._written)
            except (OSError, Cancelled) as error:
                self.failed = error
        self._place += size
        return size

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._place)
        count = self._file.readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        view[count:] = bytes(len(view) - count)
        self._place += len(view)
        return len(view)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place}.get(whence)
        self._place = place + (self._file.seek(0, io.SEEK_END) if start is None else start)
        return self._place

    def tell(self) -> int:
        return self._place

    def truncate(self, size: int | None = None) -> int:
        wanted = self._place if size is None else size
        if self.failed is None:
            try:
                self._file.truncate(wanted)
            except OSError as error:
                self.failed = error
        return wanted

    def flush(self) -> None:
        pass  # nothing is held back

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _sentence(path: Path, error: OSError, needs: int | None) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not path.parent.is_dir():
        return f"There is no folder {str(path.parent)!r} to write {path.name!r} into."
    if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{path.name!r} could not be written because the folder {str(path.parent)!r} is "
            "protected; choose another."
        )
    why = "there is no room left" if error.errno in NO_ROOM else error.strerror or "disk error"
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
