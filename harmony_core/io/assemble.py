"""From files to one dataset: which reader each needs, and how their contents belong together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from harmony_core.errors import FileError, TooLarge
from harmony_core.inspect.columns import quoted
from harmony_core.io.cell_names import add_sample
from harmony_core.io.combine import Genes, combine
from harmony_core.io.h5ad import read_h5ad
from harmony_core.io.h5mu import is_h5mu, read_h5mu
from harmony_core.io.hdf5 import is_hdf5, open_checked
from harmony_core.io.loaded import Loaded
from harmony_core.io.loom import is_loom, read_loom
from harmony_core.io.matching import attach
from harmony_core.io.matrix_folder import find_matrix_files, read_matrix_files
from harmony_core.io.sources import Source, folder_label, without_endings
from harmony_core.io.subsample import Sample, offer_sample
from harmony_core.io.table_roles import (
    Side,
    from_embedding,
    from_expression,
    from_long,
    is_of_cells,
    role,
)
from harmony_core.io.tables import Table, read_table
from harmony_core.io.tenx import is_10x_h5, read_10x_h5
from harmony_core.io.zarr_folder import read_zarr

FORMATS = (
    "h5ad, 10x h5, 10x matrix folders (zip, tar.gz), AnnData zarr (folder, zip), loom, h5mu, and "
    "text tables (csv, tsv, txt, compressed or not)"
)


def read_all(
    sources: Sequence[Source],
    limit: float | None,
    modality: str | None,
    sample: Sample | None = None,
) -> tuple[list[tuple[str, Loaded]], list[Table]]:
    """Read every file by its format.

    Parameters
    ----------
    sources
        Files and zarr folders, unpacked.
    limit
        Bytes of memory that each may take; by default what is free.
    modality
        Which modality of an h5mu to take.
    sample
        Which cells to read where there is one file only; of several all are read.

    Returns
    -------
    Datasets with what to call their cells, and text tables, whose role depends on the others.
    """
    datasets: list[tuple[str, Loaded]] = []
    tables: list[Table] = []
    folders = find_matrix_files(sources)
    used = {s for files in folders for s in (files.matrix, files.barcodes, files.features)}
    rest = [source for source in sources if source not in used]
    _refuse_incomplete(rest)
    alone = len(folders) + len(rest) == 1
    for files in folders:
        label = folder_label(files.matrix.name, files.prefix)
        read = partial(read_matrix_files, files, quoted(label), limit=limit)
        datasets.append((label, _read(read, sample, alone=alone)))
    for source in rest:
        if source.path.is_dir():
            read = partial(read_zarr, source.path, source.quoted, limit=limit)
            datasets.append((source.label, _read(read, sample, alone=alone)))
        elif is_hdf5(source.path):
            read = partial(_read_hdf5, source, limit, modality)
            datasets.append((source.label, _read(read, sample, alone=alone)))
        else:
            tables.append(read_table(source.path, source.quoted, limit=limit))
    return datasets, tables


def _refuse_incomplete(sources: Sequence[Source]) -> None:
    for source in sources:
        if ".mtx" in source.base.casefold():
            raise FileError(
                f"{source.quoted} comes without its lists of cells and genes; give all three files "
                "(matrix, barcodes, features), best as one zip."
            )


def _read(read: Callable[..., Loaded], sample: Sample | None, *, alone: bool) -> Loaded:
    """Read a file, or a sample of it; one that is too large is told how a sample can be drawn."""
    try:
        return read(sample=sample if alone else None)
    except TooLarge as error:
        if alone and sample is None:
            offer_sample(error, lambda offer: read(sample=offer))
        raise


def _read_hdf5(
    source: Source, limit: float | None, modality: str | None, *, sample: Sample | None
) -> Loaded:
    path, name = source.path, source.quoted
    with open_checked(path, name, limit=math.inf) as file:
        is_seurat = "assays" in file and "cell.names" in file
        tenx, loom, h5mu = is_10x_h5(file), is_loom(file), is_h5mu(file)
    if is_seurat:
        raise FileError(
            f"{name} is an h5Seurat file, which cannot be read here; save it as h5ad, or export "
            "its embeddings and its meta.data as csv."
        )
    if h5mu:
        return read_h5mu(path, name, modality=modality, limit=limit, sample=sample)
    if loom:
        return read_loom(path, name, limit=limit, sample=sample)
    if tenx:
        return read_10x_h5(path, name, limit=limit, sample=sample)
    loaded = read_h5ad(path, name, limit=limit, sample=sample)
    # "h5ad" alone promises that the file itself is the dataset.
    return loaded if source.given or sample else dataclasses.replace(loaded, format="packed h5ad")


def is_h5ad(path: Path, name: str) -> bool:
    """Whether a file is an h5ad, not packed."""
    if not path.is_file() or not is_hdf5(path):
        return False
    with open_checked(path, name, limit=math.inf) as file:
        return "obs" in file and "var" in file and "mod" not in file


def put_together(
    datasets: list[tuple[str, Loaded]],
    tables: list[Table],
    name: str,
    genes: Genes,
    limit: float | None,
    cells_in: Side | None,
) -> Loaded:
    """Make one dataset: datasets below each other, tables matched to their cells.

    Parameters
    ----------
    datasets, tables
        What was read.
    name
        What to call all of it in messages.
    genes
        Which genes to keep of several datasets.
    limit
        Bytes of memory that the result may take; by default what is free.
    cells_in
        Whether rows or columns of tables are cells; by default as the names tell.
    """
    roles = {id(table): role(table) for table in tables}
    for table in tables:
        label = without_endings(table.name.strip("'"))
        if roles[id(table)] == "expression":
            datasets.append((label, from_expression(table, cells_in=cells_in)))
        elif roles[id(table)] == "long":
            datasets.append((label, from_long(table)))
    rest = [table for table in tables if roles[id(table)] in ("embedding", "metadata")]
    rest.sort(key=lambda table: roles[id(table)] != "embedding")
    if datasets:
        base = datasets[0][1] if len(datasets) == 1 else combine(datasets, genes=genes, limit=limit)
    elif not rest:
        raise FileError(f"{quoted(name)} holds no data in a known format; known: {FORMATS}.")
    elif roles[id(rest[0])] == "embedding":
        base, rest = from_embedding(rest[0]), rest[1:]
    elif len(rest) == 1 and len(rest[0].columns) >= 2 and not is_of_cells(rest[0]):
        base, rest = from_expression(rest[0], cells_in=cells_in), []
    else:
        raise FileError(
            f"{rest[0].name} has neither expression values nor an embedding; give a table with "
            "one of them as well."
        )
    adata, notes = base.adata, list(base.notes)
    for table in rest:
        adata, more = attach(adata, table)
        notes.extend(more)
    if base.format != "h5ad":  # a file that is its own dataset is left as it is
        notes.extend(add_sample(adata))
    kind = f"{base.format} with tables" if rest else base.format
    return dataclasses.replace(base, adata=adata, format=kind, notes=tuple(notes))
