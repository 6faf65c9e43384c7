"""The formats that are read: how each is told, and what reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from harmony_core.errors import FileError, TooLarge
from harmony_core.io.file_data import FileData
from harmony_core.io.h5ad import read_h5ad
from harmony_core.io.h5mu import is_h5mu, read_h5mu
from harmony_core.io.large_h5ad import is_large_h5ad, read_large_h5ad
from harmony_core.io.loom import is_loom, read_loom
from harmony_core.io.matrix_folder import is_matrix_folder, read_matrix_folder
from harmony_core.io.open_file import OpenFile, ReadOptions, open_file
from harmony_core.io.plain import make_plain
from harmony_core.io.r_objects import how_to_write_in_r
from harmony_core.io.request import FOLDERS_OF
from harmony_core.io.sources import MatrixFiles, Source
from harmony_core.io.subsample import Subsample, describe_subsample
from harmony_core.io.tables import Table, read_table
from harmony_core.io.tenx import is_10x_h5, read_10x_h5
from harmony_core.io.zarr_folder import read_zarr


@dataclass(frozen=True)
class Format:
    """A format of data.

    Attributes
    ----------
    name
        What it is called.
    sniff
        Whether an open file is of this format; formats before it were asked already.
    read
        Reads the data, or a text table, of which the other files decide what it is.
    by_block
        Whether some cells can be read without the others.
    """

    name: str
    sniff: Callable[[OpenFile], bool]
    read: Callable[[OpenFile], FileData | Table]
    by_block: bool = True


def _is_h5seurat(file: OpenFile) -> bool:
    return file.hdf5 is not None and "assays" in file.hdf5 and "cell.names" in file.hdf5


def _refuse_h5seurat(file: OpenFile) -> NoReturn:
    assert isinstance(file.source, Source)
    how = how_to_write_in_r(file.source.base, ".h5seurat")
    raise FileError(f"{file.name} is an h5Seurat file, which cannot be read here: {how}.")


FORMATS = (
    Format("10x matrix folder", is_matrix_folder, read_matrix_folder),
    Format("AnnData zarr", lambda file: file.path.is_dir(), read_zarr),
    Format("h5Seurat", _is_h5seurat, _refuse_h5seurat),
    Format("h5mu", is_h5mu, read_h5mu),
    Format("loom", is_loom, read_loom),
    Format("10x h5", is_10x_h5, read_10x_h5),
    Format("large h5ad", is_large_h5ad, read_large_h5ad),
    Format("h5ad", lambda file: file.hdf5 is not None, read_h5ad),
    Format("text table", lambda file: True, read_table, by_block=False),
)
"""In the order in which they are asked: the first that a file looks like reads it."""

IN_WORDS = (
    f"h5ad, 10x h5, matrix folders of {FOLDERS_OF} (zip, tar.gz), AnnData zarr (folder, zip), "
    "loom, h5mu, and text tables (csv, tsv, txt, compressed or not)"
)


def read_file(
    source: Source | MatrixFiles, options: ReadOptions, *, alone: bool
) -> FileData | Table:
    """Read a file, a zarr folder or the files of a matrix folder by its format.

    Parameters
    ----------
    source
        The file.
    options
        How to read it.
    alone
        Whether there is no other file: only then is an error of a file that is too large told how
        some of its cells could be drawn.

    Raises
    ------
    FileError
        Damaged, refused, of no format that is known, or too large.
    """
    with open_file(source, options) as file:
        format = _format_of(file)
        try:
            content = format.read(file)
        except TooLarge as error:
            if alone and options.subsample is None and format.by_block:
                describe_subsample(error, lambda subsample: _read_some(file, subsample))
            raise
    if isinstance(content, FileData):
        notes = (*content.notes, *make_plain(content.adata))
        content = dataclasses.replace(content, notes=notes)
    return content


def _format_of(file: OpenFile) -> Format:
    return next(format for format in FORMATS if format.sniff(file))


def _read_some(file: OpenFile, subsample: Subsample) -> None:
    options = dataclasses.replace(file.options, subsample=subsample)
    some = dataclasses.replace(file, options=options)
    _format_of(some).read(some)
