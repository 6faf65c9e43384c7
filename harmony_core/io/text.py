"""Opening text files of any encoding and line end."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from harmony_core.errors import FileError

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_COMPRESSED: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_SAMPLE = 1 << 20
_BLOCK = 1 << 20
MAX_RATIO = 200
RATIO_FROM = 50 << 20
"""A file that unpacks to more than 50 MB may not exceed 200 times its packed size: sparse counts as
text shrink to about a thirtieth."""
LONGEST_LINE = 64 << 20


def lines_of(file: IO[str], name: str) -> Iterator[str]:
    """Yield lines without their ends; raise FileError for one above 64 million characters."""
    while line := file.readline(LONGEST_LINE):
        if len(line) >= LONGEST_LINE:
            raise FileError(f"{name} is no table: a line is longer than 64 million characters.")
        yield line.rstrip("\n")


@contextmanager
def open_text(path: Path, name: str) -> Iterator[IO[str]]:
    r"""Open a text file, compressed or not; every line end comes out as ``\n``.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.

    Raises
    ------
    FileError
        Not text, or damaged; also while the file is read within the block.
    """
    encoding = _encoding(path, name)
    try:
        # latin-1 never fails, so a stray byte late in a file costs an accent, not the file.
        errors = "replace" if encoding.startswith("utf") else "strict"
        with io.TextIOWrapper(
            open_binary(path), encoding=encoding, errors=errors, newline=None
        ) as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, UnicodeError) as error:
        raise FileError(
            f"{name} is damaged and cannot be read; download or copy it again."
        ) from error


def decompressor(path: Path) -> Callable[[Path], IO[bytes]] | None:
    """Return what opens a compressed file, or None for any other."""
    with path.open("rb") as file:
        head = file.read(6)
    return next((f for signature, f in _COMPRESSED.items() if head.startswith(signature)), None)


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for its bytes, decompressed up to a limit."""
    opener = decompressor(path)
    if opener is None:
        return path.open("rb")
    most = max(RATIO_FROM, MAX_RATIO * path.stat().st_size)
    return io.BufferedReader(_Limited(opener(path), most), _BLOCK)


class _Limited(io.RawIOBase):
    """Stops a compressed file that expands without end."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source, self._left = source, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise FileError(
                f"The file is refused: it unpacks to more than {MAX_RATIO} times its size, which "
                "data do not."
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._source.close()
        super().close()


def _encoding(path: Path, name: str) -> str:
    try:
        with open_binary(path) as file:
            sample = file.read(_SAMPLE)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise FileError(
            f"{name} is damaged and cannot be read; download or copy it again."
        ) from error
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return encoding
    if any(sample.startswith(signature) for signature in _COMPRESSED):
        raise FileError(f"{name} is packed twice; unpack it once, and give what comes out.")
    if sample[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise FileError(
            f"{name} is a web page, not data: the download went wrong; download it again."
        )
    if b"\x00" in sample:
        raise FileError(f"{name} is not text, and no other format that is known.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
