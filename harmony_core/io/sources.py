"""What an upload consists of: its files, after unpacking, and what to call them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.archives import Budget, is_archive, unpack
from harmony_core.io.hdf5 import is_hdf5
from harmony_core.io.zarr_folder import is_zarr

_MAX_NESTED = 3
_DATA_ENDINGS = (
    *(".h5ad", ".h5", ".hdf5", ".h5mu", ".loom", ".mtx", ".csv", ".tsv", ".txt", ".tab"),
    *(".zip", ".tar", ".tgz"),
)
_TEXT_ENDINGS = (".txt", ".csv", ".tsv", ".tab")
_HDF5_ENDINGS = (".h5ad", ".h5", ".hdf5", ".h5mu", ".loom")
_R = (
    "in R, export the embedding with write.csv(Embeddings(object)) and the columns with "
    "write.csv(object@meta.data), and give both files"
)
_READS = "these are reads; count them first, for example with CellRanger, and give its matrix"
_ADVICE = {
    ".rds": _R,
    ".rdata": _R,
    ".rda": _R,
    ".qs": _R,
    ".h5seurat": _R,
    ".fcs": "export the events as csv, one line a cell, from the cytometry software",
    ".cloupe": "give CellRanger's filtered_feature_bc_matrix.h5, which lies beside it",
    ".bam": _READS,
    ".fastq": _READS,
    ".fq": _READS,
    ".sra": _READS,
    ".rar": "unpack it, and give the files or a zip of them",
    ".7z": "unpack it, and give the files or a zip of them",
    ".xlsx": "save the sheet as csv",
    ".xls": "save the sheet as csv",
    ".pkl": "pickled objects can run code, so save the data as h5ad",
    ".pickle": "pickled objects can run code, so save the data as h5ad",
}
_ABOUT_DATA = re.compile(
    r"(read[ _-]?me|licen[cs]e|changelog|manifest|(md5|sha\d+)(sums?)?|checksums?|filelist)\b.*",
    re.IGNORECASE,
)
"""Texts that come along in archives."""
_PACKED_ENDINGS = (".gz", ".bz2", ".xz")
_ENDINGS = re.compile(
    r"\.(gz|bz2|xz|zip|tar|tgz|h5ad|h5|hdf5|h5mu|loom|mtx|csv|tsv|txt|tab|zarr)$", re.IGNORECASE
)
# Folders that CellRanger names alike for every sample.
_GENERIC = re.compile(
    r"(outs|(raw|filtered)_(feature|gene)_bc_matri(x|ces)(_h5)?|sample_.*_bc_matrix|"
    r"GRCh3[78].*|hg19|hg38|mm10|GRCm3[89].*|matrix|data|)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """A file (or a zarr folder) and its name, which may differ from its path's.

    Attributes
    ----------
    name
        As the user knows it; within an archive, with the folders on the way to it.
    given
        Whether the user named this very file, rather than something that contains it.
    """

    path: Path
    name: str
    given: bool = True

    @property
    def base(self) -> str:
        """Name without the folders on the way."""
        return self.name if self.given else PurePosixPath(self.name).name

    @property
    def folder(self) -> str:
        """Folders on the way to it."""
        return "" if self.given else str(PurePosixPath(self.name).parent)

    @property
    def quoted(self) -> str:
        """Name for messages."""
        return quoted(self.base)

    @property
    def label(self) -> str:
        """What to call the cells of this file."""
        return without_endings(self.base) or self.base


def without_endings(name: str) -> str:
    """Drop the endings that name formats."""
    shorter = _ENDINGS.sub("", name)
    return name if shorter == name else without_endings(shorter)


def folder_label(name: str, prefix: str) -> str:
    """What to call the cells of a matrix folder: its prefix, else the first telling folder."""
    if prefix.strip(" _.-"):
        return prefix.strip(" _.-")
    for part in reversed(PurePosixPath(name).parts[:-1]):
        if not _GENERIC.fullmatch(without_endings(part)):
            return without_endings(part)
    return "sample"


def gather(
    given: Source, workspace: Path, *, depth: int = 0, budget: Budget | None = None
) -> Iterator[Source]:
    """List the data files of what the user gave, unpacking what is packed.

    Parameters
    ----------
    given
        A file or a folder.
    workspace
        Empty folder to unpack into.

    Raises
    ------
    FileError
        Missing, empty, damaged, or packed in a way that is refused.
    """
    path = given.path
    if not path.exists():
        raise FileError(f"There is no file {given.quoted}.")
    if path.is_dir():
        yield from _in_folder(given, workspace, depth, budget)
        return
    if path.stat().st_size == 0:
        raise FileError(f"{given.quoted} is empty.")
    _check_ending(given)
    if is_hdf5(path) or not is_archive(path):
        yield given
        return
    if depth >= _MAX_NESTED:
        raise FileError(f"{given.quoted} is refused: it is packed more than {_MAX_NESTED} times.")
    budget = budget or Budget.for_file(path, workspace)
    folder = workspace / f"unpacked{depth}-{len(list(workspace.iterdir()))}"
    folder.mkdir()
    unpack(path, folder, given.quoted, budget)
    inside = Source(folder, given.name, given=False)
    yield from _in_folder(inside, workspace, depth + 1, budget)


def _check_ending(source: Source) -> None:
    """Refuse known formats that can't be read, and contents that belie the name."""
    name = source.base.casefold()
    for packed in _PACKED_ENDINGS:
        name = name.removesuffix(packed)
    ending = PurePosixPath(name).suffix
    if ending in _ADVICE:
        raise FileError(f"{source.quoted} cannot be read here: {_ADVICE[ending]}.")
    if source.base.casefold().endswith(_HDF5_ENDINGS) and not is_hdf5(source.path):
        raise FileError(
            f"{source.quoted} is not an HDF5 file, whatever its name says; download or copy it "
            "again."
        )


def _in_folder(
    folder: Source, workspace: Path, depth: int, budget: Budget | None
) -> Iterator[Source]:
    if is_zarr(folder.path):
        yield Source(folder.path, folder.name, folder.given)
        return
    for path in sorted(folder.path.iterdir()):
        source = Source(path, f"{folder.name}/{path.name}", given=False)
        if path.is_symlink():
            raise FileError(f"{folder.quoted} is refused: it contains a link.")
        if path.is_dir():
            yield from _in_folder(source, workspace, depth, budget)
        elif _may_hold_data(path):
            yield from gather(source, workspace, depth=depth, budget=budget)


def _may_hold_data(path: Path) -> bool:
    name = path.name.casefold()
    for packed in _PACKED_ENDINGS:
        name = name.removesuffix(packed)
    if name.endswith(_TEXT_ENDINGS) and _ABOUT_DATA.fullmatch(name):
        return False
    return name.endswith(_DATA_ENDINGS) and path.stat().st_size > 0
