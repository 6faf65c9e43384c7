"""Unpacking zip, tar and compressed files that can't be trusted.

Nothing trusts a header: bytes are counted as they come out, against limits that all members (and
archives within the archive) share.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from harmony_core.errors import FileError
from harmony_core.io.text import MAX_RATIO, RATIO_FROM, decompressor

MAX_MEMBERS = 100_000
_SHARE_OF_DISK = 0.8
_BLOCK = 1 << 20
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, OverflowError),
)

_SUFFIXES = (".gz", ".bz2", ".xz")


@dataclass
class Budget:
    """What one upload may still unpack.

    Attributes
    ----------
    n_bytes
        Bytes that may still be written.
    n_members
        Files that may still be written.
    packed
        Size of the upload, against which the ratio is judged.
    """

    n_bytes: float
    n_members: int
    packed: float
    written: float = 0.0

    @classmethod
    def for_file(cls, path: Path, folder: Path) -> Budget:
        """Return the budget of an upload that is unpacked into a folder."""
        free = shutil.disk_usage(folder).free * _SHARE_OF_DISK
        return cls(n_bytes=free, n_members=MAX_MEMBERS, packed=float(path.stat().st_size))

    def take(self, n_bytes: int, name: str) -> None:
        """Count bytes that came out, and raise FileError where a limit is passed."""
        self.written += n_bytes
        if self.written > self.n_bytes:
            raise FileError(
                f"{name} unpacks to more than {self.n_bytes / 1e9:,.1f} GB, which the disk cannot "
                "take; free some space."
            )
        if self.written > RATIO_FROM and self.written > MAX_RATIO * self.packed:
            raise FileError(
                f"{name} is refused: it unpacks to more than {MAX_RATIO} times its size, which "
                "data do not."
            )

    def take_member(self, name: str) -> None:
        """Count a file, and raise FileError beyond the limit."""
        self.n_members -= 1
        if self.n_members < 0:
            raise FileError(f"{name} is refused: it holds more than {MAX_MEMBERS:,} files.")


_ZIP = b"PK\x03\x04"


def is_archive(path: Path) -> bool:
    """Whether a file has to be unpacked: a zip, a tar, or a compressed file that is not text."""
    opener = decompressor(path)
    if opener is None:
        return _is_zip(path) or _is_tar(path)
    if _is_tar(path):
        return True
    try:
        with opener(path) as file:
            head = file.read(8)
    except (*_DAMAGED, OSError):
        return True
    return head.startswith((b"\x89HDF", _ZIP))


def _is_zip(path: Path) -> bool:
    """Whether a file is a zip, also one that is cut short and so has lost its table."""
    with path.open("rb") as file:
        starts_so = file.read(4) == _ZIP
    return starts_so or zipfile.is_zipfile(path)


def unpack(path: Path, folder: Path, name: str, budget: Budget) -> None:
    """Unpack a zip, tar or compressed file into an empty folder.

    Parameters
    ----------
    path
        The file.
    folder
        Where to.
    name
        Name of the file as messages quote it; a single compressed file keeps it but for the
        ending.
    budget
        What may still be unpacked; counted down.

    Raises
    ------
    FileError
        Damaged, encrypted, a member that is a link or leaves the folder, or beyond the budget.
    """
    try:
        opener = decompressor(path)
        if opener is None and _is_zip(path):
            _unpack_zip(path, folder, name, budget)
        elif _is_tar(path):
            _unpack_tar(path, folder, name, budget)
        elif opener is not None:
            with opener(path) as source:
                _write(source, folder / _inner_name(path.name), name, budget)
    except _DAMAGED as error:
        raise FileError(
            f"{name} is damaged and cannot be unpacked; download or copy it again."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise FileError(
            f"{name} is encrypted, or packed in a way that is not known; pack it as zip or tar.gz."
        ) from error
    except OSError as error:
        if error.errno is None or isinstance(error, gzip.BadGzipFile):
            raise FileError(
                f"{name} is damaged and cannot be unpacked; download or copy it again."
            ) from error
        raise FileError(f"{name} cannot be unpacked: {error.strerror}.") from error


def _is_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:*") as archive:
            return archive.next() is not None
    except (*_DAMAGED, OSError, ValueError):
        return False


def _inner_name(name: str) -> str:
    """Drop the ending that says how the file is compressed."""
    for suffix in _SUFFIXES:
        if name.casefold().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def _unpack_zip(path: Path, folder: Path, name: str, budget: Budget) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or _is_clutter(member.filename):
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                raise FileError(f"{name} is refused: it contains a link.")
            with archive.open(member) as source:
                _write(source, _target(member.filename, folder, name), name, budget)


def _unpack_tar(path: Path, folder: Path, name: str, budget: Budget) -> None:
    # Read as a stream: members come out once, in order, and no header can point backwards.
    with tarfile.open(path, "r|*") as archive:
        for member in _members(archive):
            if member.isdir() or _is_clutter(member.name):
                continue
            if not member.isreg():
                raise FileError(f"{name} is refused: it contains a link or a device.")
            source = archive.extractfile(member)
            if source is not None:
                _write(source, _target(member.name, folder, name), name, budget)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        yield member


def _is_clutter(member: str) -> bool:
    path = PurePosixPath(member)
    return "__MACOSX" in path.parts or path.name.startswith("._") or path.name == ".DS_Store"


def _target(member: str, folder: Path, name: str) -> Path:
    parts = PurePosixPath(member.replace("\\", "/")).parts
    unsafe = any(part in ("..", "/") or ":" in part or "\x00" in part for part in parts)
    if unsafe or not parts:
        raise FileError(f"{name} is refused: a file in it would be written outside its folder.")
    return folder.joinpath(*parts)


def _write(source: IO[bytes], target: Path, name: str, budget: Budget) -> None:
    budget.take_member(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise FileError(f"{name} is refused: it contains a file twice.")
    with target.open("xb") as file:
        while block := source.read(_BLOCK):
            budget.take(len(block), name)
            file.write(block)
