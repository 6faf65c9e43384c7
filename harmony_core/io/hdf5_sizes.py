"""What an HDF5 file takes in memory once read, which a few stored bytes may declare to be anything.

Three things are larger than an array's shape says: a chunk, which is unpacked whole; a file whose
packed bytes expand beyond what data do; and entries of variable length, any number of which may
point to the same long one.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from harmony_core.errors import FileError
from harmony_core.io.text import RATIO_FROM

LARGEST_CHUNK = 256 << 20
"""Bytes up to which a chunk may be larger than the array that it belongs to."""
_MOST_EXPANSION = 1_100
"""Times; what deflate can reach is 1,032, and matrices that are nearly empty come close to it."""
_BYTES_OF_TEXT = 64
_AT_ONCE = 64 << 20
_MOST_READS = 20_000
_HEAP, _HEAP_HEAD = b"GCOL\x01\x00\x00\x00", 16
_LARGEST_SEARCHED = 1 << 30


def size_once_read(dataset: h5py.Dataset, name: str) -> float:
    """Return the bytes that an array takes once read, or one of its chunks where that is more.

    Raises
    ------
    FileError
        If a chunk is far larger than the array.
    """
    if dataset.shape is None:
        return 0.0
    # An entry of variable length is stored as a pointer; its text comes on top.
    width = float(dataset.dtype.itemsize + (_BYTES_OF_TEXT if dataset.dtype.hasobject else 0))
    whole = float(dataset.size) * width
    chunk = 0.0 if dataset.chunks is None else math.prod(map(float, dataset.chunks)) * width
    check_chunk(chunk, whole, name)
    return max(whole, chunk)


def check_chunk(chunk: float, whole: float, name: str) -> None:
    """Raise FileError if a chunk is far larger than its array: all of it is unpacked at once."""
    if chunk > max(LARGEST_CHUNK, 2 * whole):
        raise FileError(
            f"{name} is refused: a part of it is stored in pieces of {chunk / 1e9:,.1f} GB, far "
            "larger than the part; write the file again."
        )


def check_expansion(n_bytes: float, path: Path, name: str) -> None:
    """Raise FileError if a file declares far more bytes than data of its size have."""
    if n_bytes > RATIO_FROM and n_bytes > _MOST_EXPANSION * path.stat().st_size:
        raise FileError(
            f"{name} is refused: it unpacks to more than {_MOST_EXPANSION:,} times its size, which "
            "data do not; write it again without compression."
        )


def check_texts(datasets: Iterable[h5py.Dataset], path: Path, name: str) -> None:
    """Raise FileError if entries of variable length hold more bytes than the whole file.

    Each has its bytes to itself in any file that was not made to harm. They are read a few at a
    time, by the longest that there can be.
    """
    size = path.stat().st_size
    waiting = [d for d in datasets if d.ndim == 1 and d.size > 1]
    if not waiting or size > _LARGEST_SEARCHED:
        return
    longest = _largest_heap(path)
    for dataset in waiting:
        n = int(dataset.size)
        if n * longest <= _AT_ONCE:
            continue
        step = max(1, _AT_ONCE // longest, n // _MOST_READS)
        total = 0
        for start in range(0, n, step):
            total += _length(dataset[start : start + step])
            if total > size:
                raise FileError(
                    f"{name} is refused: its texts take more room than the file; write it again."
                )


def _length(values: np.ndarray) -> int:
    if values.dtype.names is None:
        return sum(map(len, values))
    columns = [values[c] for c in values.dtype.names if values.dtype[c].hasobject]
    return sum(len(value) for column in columns for value in column)


def _largest_heap(path: Path) -> int:
    """Return the bytes of the largest collection of entries of variable length in a file."""
    largest, at = 1, -1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        while (at := content.find(_HEAP, at + 1)) >= 0:
            if len(size := content[at + 8 : at + _HEAP_HEAD]) == 8:
                largest = max(largest, min(struct.unpack("<Q", size)[0], len(content)))
    return largest
