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
from harmony_core.io.r_objects import READ_IN_R, how_to_write_in_r, kind_of_r_object
from harmony_core.io.writing import is_zarr

_MAX_NESTED = 3
_DATA_ENDINGS = (
    *(".h5ad", ".h5", ".hdf5", ".h5mu", ".loom", ".mtx", ".csv", ".tsv", ".txt", ".tab"),
    *(".zip", ".tar", ".tgz"),
)
_TEXT_ENDINGS = (".txt", ".csv", ".tsv", ".tab")
_HDF5_ENDINGS = (".h5ad", ".h5", ".hdf5", ".h5mu", ".loom")
_READS = "these are reads; count them first, for example with CellRanger, and give its matrix"
_ADVICE = {
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
    r"(read[ _-]?me|licen[cs]e|changelog|manifest|(md5|sha\d+)(sums?)?|checksums?|filelist|"
    r"metrics_summary|summary\.csv|umipercellsorted|transcripts|10x\w*whitelist|"
    r"filter_barcodes|\w*_ana_summary|sample_all_stats)\b.*",
    re.IGNORECASE,
)
"""Texts that come along in archives and in folders of other tools."""
_PACKED_ENDINGS = (".gz", ".bz2", ".xz")
_ENDINGS = re.compile(
    r"\.(gz|bz2|xz|zip|tar|tgz|h5ad|h5|hdf5|h5mu|loom|mtx|csv|tsv|txt|tab|zarr)$", re.IGNORECASE
)
# Folders and files that CellRanger and other tools name alike for every sample.
_GENERIC = re.compile(
    r"(outs|count|(sample_)?(raw|filtered)_(feature|gene|peak)_bc_matri(x|ces)(_h5)?|"
    r"GRCh3[78].*|hg19|hg38|mm10|GRCm3[89].*|matrix|data|"
    r"raw|filtered|Gene(Full.*)?|Velocyto|Solo\.out|counts_(un)?filtered(_modified)?|cellranger|"
    r"adata|alevin|af_quant|quants?|DGE(_(un)?filtered)?|all-sample|)",
    re.IGNORECASE,
)


# As CellRanger and STARsolo, kb-python, alevin-fry and Parse name them, with a prefix before.
_CELL_LISTS = r"(cells_x_genes\.)?barcodes?|cells?|quants_mat_rows|cell_metadata"
_GENE_LISTS = r"(cells_x_genes\.|all_)?(features?|genes?)|quants_mat_cols"
_SYMBOLS_OF_ALL = re.compile(r"gene_id_to_name\.tsv(\.gz)?", re.IGNORECASE)
"""Ids and symbols, as alevin-fry has them for all genes of a reference."""
_SYMBOL_LISTS = r"cells_x_genes\.genes\.names"
_MTX = re.compile(r"\.mtx(\.gz)?$", re.IGNORECASE)
_CELL_TABLE = re.compile(r"cell_metadata\.csv(\.gz)?$", re.IGNORECASE)
_FURTHER = (
    *(r"cells_x_genes\.total$", r"cells_x_genes\.cell$", r"cells_x_genes\.nucleus$"),
    *(r"cells_x_genes\.mature$", r"(^|[ _.-])spliced$", r"cells_x_genes\.nascent$"),
    *(r"(^|[ _.-])unspliced$", r"(^|[ _.-])ambiguous$", r"UniqueAndMult-[a-z]+$"),
)
"""Matrices that lie beside the usual one, or in its place, those for whole cells first."""
_MATRICES = (
    r"(count_)?matrix|counts?|DGE|quants_mat|cells_x_genes(\.[a-z]+)?|(un)?spliced|ambiguous|"
    r"UniqueAndMult-[a-z]+"
)
_TOOLS = {
    "kb-python": re.compile(r"cells_x_(genes|features)\b", re.IGNORECASE),
    "alevin-fry": re.compile(r"quants_mat\b", re.IGNORECASE),
    "Parse": re.compile(r"(DGE|count_matrix)\.mtx", re.IGNORECASE),
    "spliced": re.compile(r"(^|[ _.-])spliced\.mtx", re.IGNORECASE),
}
_SEPARATORS = " _.-"


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
        own = without_endings(self.base)
        if self.is_nested and _GENERIC.fullmatch(own):
            own = _telling_folder(self) or own
        return own or self.base


def without_endings(name: str) -> str:
    """Drop the endings that name formats."""
    shorter = _ENDINGS.sub("", name)
    return name if shorter == name else without_endings(shorter)


def _telling_folder(source: Source) -> str:
    """Return the nearest folder on the way to a file that no tool names so for every sample."""
    for part in reversed(PurePosixPath(source.name).parts[:-1]):
        name = without_endings(part)
        if not _GENERIC.fullmatch(name):
            return re.sub(r"(?<=.)[ _.-]?Solo\.out$", "", name)
    return ""


@dataclass(frozen=True)
class MatrixFiles:
    """The files of one matrix folder, which are read as one.

    Attributes
    ----------
    symbols
        List of the genes' symbols, or table of ids and symbols, where ``features`` has ids only.
    aside
        Further matrices of the same run, which are not read, and their lists.
    """

    matrix: Source
    barcodes: Source
    features: Source
    symbols: Source | None = None
    aside: tuple[Source, ...] = ()
    is_hdf5 = False
    is_nested = True

    @property
    def sources(self) -> tuple[Source, ...]:
        """All its files."""
        lists = (self.barcodes, self.features, self.symbols)
        return (self.matrix, *(source for source in lists if source is not None), *self.aside)

    @property
    def cell_table(self) -> Source | None:
        """The list of cells, where it is a table that also describes them."""
        return self.barcodes if _CELL_TABLE.search(self.barcodes.base) else None

    @property
    def tool(self) -> str:
        """Which tool names its files so; STARsolo and others do as 10x."""
        return next(
            (tool for tool, names in _TOOLS.items() if names.search(self.matrix.base)), "10x"
        )

    @property
    def cells_in_rows(self) -> bool:
        """Whether the tool writes cells × genes; 10x and STARsolo write genes × cells."""
        return self.tool != "10x" and ".tsv" not in self.features.base.casefold()

    @property
    def path(self) -> Path:
        """Where the matrix is."""
        return self.matrix.path

    @property
    def label(self) -> str:
        """What to call its cells: the prefix of its files' names, else the first telling folder."""
        prefix = _prefix(self.matrix)
        if prefix:
            return prefix
        return _telling_folder(self.matrix) or "sample"

    @property
    def quoted(self) -> str:
        """Name for messages."""
        return quoted(self.label)


def find_matrix_files(files: Iterable[Source]) -> list[MatrixFiles]:
    """Find matrix folders, also several in one folder under prefixed names as in GEO."""
    by_folder: dict[str, list[Source]] = {}
    symbols: Source | None = None
    for source in files:
        by_folder.setdefault(source.folder, []).append(source)
        if _SYMBOLS_OF_ALL.fullmatch(source.base):
            symbols = source
    folders = []
    for folder_files in by_folder.values():
        matrices = [source for source in folder_files if is_matrix(source)]
        alone = len(matrices) == 1
        by_prefix: dict[str, dict[Source, tuple[Source, Source]]] = {}
        for matrix in sorted(matrices, key=lambda source: source.name):
            barcodes = _companion(matrix, folder_files, _CELL_LISTS, alone)
            features = _companion(matrix, folder_files, _GENE_LISTS, alone)
            if barcodes is not None and features is not None:
                by_prefix.setdefault(_prefix(matrix), {})[matrix] = (barcodes, features)
        for same in by_prefix.values():
            usual = [matrix for matrix in same if _rank(matrix) == 0] or [min(same, key=_rank)]
            rest = [matrix for matrix in same if matrix not in usual]
            # Of older kb-python every matrix has lists of its own.
            aside = tuple(dict.fromkeys((*rest, *(s for matrix in rest for s in same[matrix]))))
            for matrix in usual:
                own = _companion(matrix, folder_files, _SYMBOL_LISTS, alone)
                folders.append(MatrixFiles(matrix, *same[matrix], own or symbols, aside))
    return folders


def is_matrix(source: Source) -> bool:
    """Whether a file is named as a matrix of a matrix folder."""
    return _MTX.search(source.base) is not None


def _rank(matrix: Source) -> int:
    """Say how far down the list of kinds a matrix is: those of whole cells come first."""
    name = _MTX.sub("", matrix.base)
    return next((i for i, kind in enumerate(_FURTHER, 1) if re.search(kind, name, re.I)), 0)


def _prefix(matrix: Source) -> str:
    name = re.sub(rf"({_MATRICES})?\.mtx(\.gz)?$", "", matrix.base, flags=re.I)
    return name.strip(_SEPARATORS)


def _companion(matrix: Source, files: Sequence[Source], words: str, alone: bool) -> Source | None:
    ending = re.compile(rf"({words})\.(tsv|txt|csv)(\.gz)?$", re.I)
    candidates = [p for p in files if ending.search(p.base)]
    stem = _MTX.sub("", matrix.base).casefold()
    if len(named := [p for p in candidates if p.base.casefold().startswith(f"{stem}.")]) == 1:
        return named[0]
    own = [p for p in candidates if ending.sub("", p.base).strip(_SEPARATORS) == _prefix(matrix)]
    if len(own) == 1:
        return own[0]
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
        yield from _all_in_folder(source, workspace, depth, budget)
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
    yield from _all_in_folder(inside, workspace, depth + 1, budget)


def _check_ending(source: Source) -> None:
    """Refuse known formats that can't be read, and contents that belie the name."""
    name = source.base.casefold()
    for packed in _PACKED_ENDINGS:
        name = name.removesuffix(packed)
    ending = PurePosixPath(name).suffix
    by_content = kind_of_r_object(source.path)
    if by_content is not None or ending in READ_IN_R:
        how = how_to_write_in_r(source.base, by_content or ending)
        raise FileError(f"{source.quoted} holds an R object, which cannot be read here: {how}.")
    if ending in _ADVICE:
        raise FileError(f"{source.quoted} cannot be read here: {_ADVICE[ending]}.")
    if source.base.casefold().endswith(_HDF5_ENDINGS) and not source.is_hdf5:
        raise FileError(
            f"{source.quoted} is not an HDF5 file, whatever its name says; download or copy it "
            "again."
        )


def _all_in_folder(
    folder: Source, workspace: Path, depth: int, budget: Budget | None
) -> Iterator[Source]:
    """List the data files of a folder; without any, say what to do with what else is there."""
    found = False
    for source in _in_folder(folder, workspace, depth, budget):
        found = True
        yield source
    for path in () if found else sorted(folder.path.rglob("*")):
        if path.is_file() and not path.is_symlink():
            _check_ending(Source(path, f"{folder.name}/{path.name}", is_nested=True))


def _in_folder(
    folder: Source, workspace: Path, depth: int, budget: Budget | None
) -> Iterator[Source]:
    if is_zarr(folder.path):
        yield folder
        return
    for path in sorted(folder.path.iterdir()):
        if path.name.startswith("."):
            continue  # hidden: not meant, and of a server's folders not to be seen
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
