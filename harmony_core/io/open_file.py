"""A file that is opened once: formats are told by what is open, and read from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.errors import FileError
from harmony_core.io.hdf5 import open_hdf5
from harmony_core.io.hdf5_sizes import check_expansion
from harmony_core.io.memory import check_fits
from harmony_core.io.sources import MatrixFiles, Source
from harmony_core.io.subsample import Subsample

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a file is read.

    Attributes
    ----------
    limit
        Bytes of memory that its data may take; by default what is free.
    modality
        Which modality of an h5mu; by default gene expression, else the first.
    subsample
        Which cells to read; by default all.
    scratch
        Folder where large matrices may be unpacked, to stay on disk; without one all are read.
    """

    limit: float | None = None
    modality: str | None = None
    subsample: Subsample | None = None
    scratch: Path | None = None


@dataclass(frozen=True)
class OpenFile:
    """An open file, or a folder, and how it is to be read.

    Attributes
    ----------
    source
        Where it is, and its name.
    options
        How it is to be read.
    hdf5
        The open HDF5 file, all of it looked through; None for anything else.
    n_bytes
        Bytes that all arrays of an HDF5 file take once read.
    """

    source: Source | MatrixFiles
    options: ReadOptions
    hdf5: h5py.File | None = None
    n_bytes: float = 0.0

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.source.path

    @property
    def name(self) -> str:
        """Its name, for messages."""
        return self.source.quoted

    @property
    def content(self) -> h5py.File:
        """The open HDF5 file."""
        assert self.hdf5 is not None
        return self.hdf5

    def check_fits(self, n_bytes: float) -> None:
        """Raise TooLarge if arrays of this size would not fit into memory.

        An HDF5 file that is far smaller than its arrays was made to fill the memory: FileError.
        """
        check_fits(n_bytes, self.name, limit=self.options.limit)
        if self.hdf5 is not None:
            check_expansion(n_bytes, self.path, self.name)

    def check_whole_fits(self, n_bytes: float) -> None:
        """Raise TooLarge if all arrays, of this size, are to be read and would not fit."""
        if self.options.subsample is None:
            self.check_fits(n_bytes)


@contextmanager
def open_file(source: Source | MatrixFiles, options: ReadOptions) -> Iterator[OpenFile]:
    """Open a file or a folder for reading.

    Raises
    ------
    FileError
        An HDF5 file that is damaged or refused (see `harmony_core.io.hdf5.open_hdf5`), or any file
        that changes within the block.
    """
    before = _state(source.path)
    if source.is_hdf5:
        with open_hdf5(source.path, source.quoted) as (file, n_bytes):
            yield OpenFile(source, options, file, n_bytes)
    else:
        yield OpenFile(source, options)
    if _state(source.path) != before:
        raise FileError(f"{source.quoted} changed while it was read; wait until it is complete.")


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)
