"""What an upload consists of: its files, after unpacking, and what to call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.archives import Budget, is_archive, unpack
from harmony_core.io.hdf5 import is_hdf5
from harmony_core.io.writing import is_zarr

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
    is_nested
        Whether the user named something that contains this file, rather than the file itself.
    """

    path: Path
    name: str
    is_nested: bool = False

    @property
    def base(self) -> str:
        """Name without the folders on the way."""
        return PurePosixPath(self.name).name if self.is_nested else self.name

    @property
    def folder(self) -> str:
        """Folders on the way to it."""
        return str(PurePosixPath(self.name).parent) if self.is_nested else ""

    @cached_property
    def is_hdf5(self) -> bool:
        """Whether it is an HDF5 file."""
        return self.path.is_file() and is_hdf5(self.path)

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


@dataclass(frozen=True)
class MatrixFiles:
    """The three files of one matrix folder, which are read as one."""

    matrix: Source
    barcodes: Source
    features: Source
    is_hdf5 = False
    is_nested = True

    @property
    def sources(self) -> tuple[Source, ...]:
        """The three files."""
        return (self.matrix, self.barcodes, self.features)

    @property
    def path(self) -> Path:
        """Where the matrix is."""
        return self.matrix.path

    @property
    def label(self) -> str:
        """What to call its cells: the prefix of its files' names, else the first telling folder."""
        prefix = _prefix(self.matrix).strip(" _.-")
        if prefix:
            return prefix
        for part in reversed(PurePosixPath(self.matrix.name).parts[:-1]):
            if not _GENERIC.fullmatch(without_endings(part)):
                return without_endings(part)
        return "sample"

    @property
    def quoted(self) -> str:
        """Name for messages."""
        return quoted(self.label)


def find_matrix_files(files: Iterable[Source]) -> list[MatrixFiles]:
    """Find matrix folders, also several in one folder under prefixed names as in GEO."""
    by_folder: dict[str, list[Source]] = {}
    for source in files:
        by_folder.setdefault(source.folder, []).append(source)
    folders = []
    for folder_files in by_folder.values():
        matrices = [p for p in folder_files if re.search(r"\.mtx(\.gz)?$", p.name, re.I)]
        for matrix in sorted(matrices, key=lambda source: source.name):
            barcodes = _companion(matrix, folder_files, r"barcodes?|cells?", len(matrices) == 1)
            features = _companion(matrix, folder_files, r"features?|genes?", len(matrices) == 1)
            if barcodes is not None and features is not None:
                folders.append(MatrixFiles(matrix, barcodes, features))
    return folders


def _prefix(matrix: Source) -> str:
    return re.sub(r"(matrix|counts?)?\.mtx(\.gz)?$", "", matrix.base, flags=re.I)


def _companion(matrix: Source, files: Sequence[Source], words: str, alone: bool) -> Source | None:
    ending = re.compile(rf"({words})\.(tsv|txt|csv)(\.gz)?$", re.I)
    candidates = [p for p in files if ending.search(p.base)]
    same_prefix = [p for p in candidates if ending.sub("", p.base) == _prefix(matrix)]
    if len(same_prefix) == 1:
        return same_prefix[0]
    return candidates[0] if alone and len(candidates) == 1 else None


def gather(
    source: Source, workspace: Path, *, depth: int = 0, budget: Budget | None = None
) -> Iterator[Source]:
    """List the data files of what the user named, unpacking what is packed.

    Parameters
    ----------
    source
        A file or a folder.
    workspace
        Empty folder to unpack into.

    Raises
    ------
    FileError
        Missing, empty, damaged, or packed in a way that is refused.
    """
    path = source.path
    if not path.exists():
        raise FileError(f"There is no file {source.quoted}.")
    if path.is_dir():
        yield from _in_folder(source, workspace, depth, budget)
        return
    if path.stat().st_size == 0:
        raise FileError(f"{source.quoted} is empty.")
    _check_ending(source)
    if source.is_hdf5 or not is_archive(path):
        yield source
        return
    if depth >= _MAX_NESTED:
        raise FileError(f"{source.quoted} is refused: it is packed more than {_MAX_NESTED} times.")
    budget = budget or Budget.for_file(path, workspace)
    folder = workspace / f"unpacked{depth}-{len(list(workspace.iterdir()))}"
    folder.mkdir()
    unpack(path, folder, source.quoted, budget)
    inside = Source(folder, source.name, is_nested=True)
    yield from _in_folder(inside, workspace, depth + 1, budget)


def _check_ending(source: Source) -> None:
    """Refuse known formats that can't be read, and contents that belie the name."""
    name = source.base.casefold()
    for packed in _PACKED_ENDINGS:
        name = name.removesuffix(packed)
    ending = PurePosixPath(name).suffix
    if ending in _ADVICE:
        raise FileError(f"{source.quoted} cannot be read here: {_ADVICE[ending]}.")
    if source.base.casefold().endswith(_HDF5_ENDINGS) and not source.is_hdf5:
        raise FileError(
            f"{source.quoted} is not an HDF5 file, whatever its name says; download or copy it "
            "again."
        )


def _in_folder(
    folder: Source, workspace: Path, depth: int, budget: Budget | None
) -> Iterator[Source]:
    if is_zarr(folder.path):
        yield folder
        return
    for path in sorted(folder.path.iterdir()):
        source = Source(path, f"{folder.name}/{path.name}", is_nested=True)
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
