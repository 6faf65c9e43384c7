"""Matrix folders: matrix.mtx with its barcodes and genes, as CellRanger and GEO name them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import FileError
from harmony_core.io.loaded import Loaded, check_fits
from harmony_core.io.sources import Source
from harmony_core.io.subsample import Sample, drawn_note
from harmony_core.io.tenx import GENES, make_dataset
from harmony_core.io.text import lines_of, open_binary, open_text

_LINES_PER_BLOCK = 500_000


@dataclass(frozen=True)
class MatrixFiles:
    """The three files of one matrix folder, and what its files' names begin with."""

    matrix: Source
    barcodes: Source
    features: Source
    prefix: str


def find_matrix_files(files: Iterable[Source]) -> list[MatrixFiles]:
    """Find matrix folders, also several in one folder under prefixed names as in GEO."""
    by_folder: dict[str, list[Source]] = {}
    for source in files:
        by_folder.setdefault(source.folder, []).append(source)
    found = []
    for folder_files in by_folder.values():
        matrices = [p for p in folder_files if re.search(r"\.mtx(\.gz)?$", p.name, re.I)]
        for matrix in sorted(matrices, key=lambda source: source.name):
            barcodes = _companion(matrix, folder_files, r"barcodes?|cells?", len(matrices) == 1)
            features = _companion(matrix, folder_files, r"features?|genes?", len(matrices) == 1)
            if barcodes is not None and features is not None:
                found.append(MatrixFiles(matrix, barcodes, features, _prefix(matrix)))
    return found


def _prefix(matrix: Source) -> str:
    return re.sub(r"(matrix|counts?)?\.mtx(\.gz)?$", "", matrix.base, flags=re.I)


def _companion(matrix: Source, files: Sequence[Source], words: str, alone: bool) -> Source | None:
    ending = re.compile(rf"({words})\.(tsv|txt|csv)(\.gz)?$", re.I)
    candidates = [p for p in files if ending.search(p.base)]
    same_prefix = [p for p in candidates if ending.sub("", p.base) == _prefix(matrix)]
    if len(same_prefix) == 1:
        return same_prefix[0]
    return candidates[0] if alone and len(candidates) == 1 else None


def read_matrix_files(
    files: MatrixFiles, name: str, *, limit: float | None = None, sample: Sample | None = None
) -> Loaded:
    """Read the three files of a matrix folder.

    Parameters
    ----------
    files
        The files.
    name, limit, sample
        As in `harmony_core.io.h5ad.read_h5ad`.

    Raises
    ------
    FileError
        Damaged, too large, or files that do not belong together.
    """
    barcodes = pd.Index([line[0] for line in _lines(files.barcodes, name)])
    var = _features(_lines(files.features, name))
    if len(barcodes) and len(var) and barcodes[0].casefold() in ("x", "barcode", "barcodes"):
        barcodes = barcodes[1:]
    n_rows, n_columns = _declared(files.matrix, name, math.inf if sample else limit)
    if (n_rows, n_columns) == (len(var) + 1, len(barcodes)):
        raise FileError(f"{name} is damaged: its list of genes misses a line.")
    as_10x, turned = (len(var), len(barcodes)), (len(barcodes), len(var))
    if (n_rows, n_columns) not in (as_10x, turned):
        raise FileError(
            f"{name} does not fit together: the matrix has {n_rows:,} × {n_columns:,} entries for "
            f"{len(var):,} genes and {len(barcodes):,} cells."
        )
    is_10x = (n_rows, n_columns) == as_10x
    if sample is not None:
        rows = sample.rows(pd.DataFrame(index=barcodes), name)
        by_cell = _read_cells(files.matrix, rows, as_10x, is_10x, name, limit)
        kind = "sample of 10x matrix folder"
        found = make_dataset(by_cell, barcodes[rows], var, name, kind)
        note = drawn_note(len(rows), len(barcodes), name)
        return dataclasses.replace(found, notes=(note, *found.notes))
    matrix = _read_mtx(files.matrix, name)
    by_cell = sp.csr_matrix(matrix.T if is_10x else matrix)
    return make_dataset(by_cell, barcodes, var, name, "10x matrix folder")


def _lines(source: Source, name: str) -> list[list[str]]:
    delimiter = "," if ".csv" in source.base.casefold() else "\t"
    with open_text(source.path, name) as file:
        return [
            [field.strip().strip('"') for field in line.split(delimiter)]
            for line in lines_of(file, name)
            if line.strip()
        ]


def _features(lines: list[list[str]]) -> pd.DataFrame:
    column = [[line[i] if i < len(line) else "" for line in lines] for i in range(3)]
    names = [name or identifier for identifier, name in zip(column[0], column[1], strict=True)]
    types = [kind or GENES for kind in column[2]]
    return pd.DataFrame({"gene_ids": column[0], "name": names, "feature_types": types})


def _declared(source: Source, name: str, limit: float | None) -> tuple[int, int]:
    """Check what the header declares before any of it is believed."""
    with open_text(source.path, name) as file:
        lines = lines_of(file, name)
        if not next(lines, "").startswith("%%MatrixMarket matrix coordinate"):
            raise FileError(f"{name} is damaged: {source.quoted} is no sparse matrix.")
        line = next((line for line in lines if line.strip() and not line.startswith("%")), "")
    try:
        n_rows, n_columns, n_values = (int(part) for part in line.split())
    except ValueError as error:
        raise FileError(f"{name} is damaged: {source.quoted} has no sizes.") from error
    # The shortest entry is "1 1 1" with its line end, and text packs to a tenth at best of 20.
    if min(n_rows, n_columns, n_values) < 0 or n_values > source.path.stat().st_size * 20:
        raise FileError(f"{name} is damaged: {source.quoted} is shorter than it declares.")
    check_fits(16.0 * n_values + 8.0 * (n_rows + n_columns), name, limit=limit)
    return n_rows, n_columns


def _read_cells(
    source: Source,
    rows: NDArray[np.intp],
    shape: tuple[int, int],
    is_10x: bool,
    name: str,
    limit: float | None,
) -> sp.csr_matrix:
    """Read the entries of some cells, line by line; ``shape`` is genes × cells."""
    place = np.full(shape[1], -1)
    place[rows] = np.arange(len(rows))
    kept: list[NDArray[np.float64]] = []
    n_values = 0
    with open_text(source.path, name) as file:
        lines = lines_of(file, name)
        next(line for line in lines if line.strip() and not line.startswith("%"))
        while entries := list(itertools.islice(lines, _LINES_PER_BLOCK)):
            try:
                found = np.loadtxt(entries, ndmin=2)
                gene, cell = (found[:, :2] if is_10x else found[:, 1::-1]).T.astype(np.intp) - 1
                values = found[:, 2] if found.shape[1] > 2 else np.ones(len(found))
                if min(gene.min(), cell.min()) < 0 or gene.max() >= shape[0]:
                    raise ValueError("an entry outside the matrix")
                wanted = place[cell] >= 0
            except (ValueError, IndexError) as error:
                raise FileError(f"{name} is damaged: {source.quoted} cannot be read.") from error
            kept.append(np.array([values, place[cell], gene])[:, wanted])
            n_values += int(wanted.sum())
            check_fits(32.0 * n_values, name, limit=limit)
    data, cells, genes = np.concatenate(kept, axis=1) if kept else np.zeros((3, 0))
    parts = (data.astype(np.float32), (cells.astype(np.intp), genes.astype(np.intp)))
    return sp.csr_matrix(parts, shape=(len(rows), shape[0]))


def _read_mtx(source: Source, name: str) -> Any:
    from scipy.io import mmread

    try:
        with open_binary(source.path) as file:
            return mmread(file)
    except Exception as error:  # scipy raises many kinds on damaged text
        raise FileError(f"{name} is damaged: {source.quoted} cannot be read.") from error
