"""Any data in: recognise formats from the contents, and read them or say why not."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.data.columns import shown
from harmony_core.data.loaded import Loaded
from harmony_core.errors import FileError

if TYPE_CHECKING:
    import anndata as ad

    from harmony_core.data.combine import Genes
    from harmony_core.data.sources import Source
    from harmony_core.data.table_roles import Side
    from harmony_core.data.tables import Table

FORMATS = (
    "h5ad, 10x h5, 10x matrix folders (zip, tar.gz), AnnData zarr (folder, zip), loom, h5mu, and "
    "text tables (csv, tsv, txt, compressed or not)"
)


def read(path: str | Path, *, name: str | None = None) -> ad.AnnData:
    """Read a dataset from a file; `load` tells more.

    Parameters
    ----------
    path
        The file or folder.
    name
        Name that messages use, for example that of an upload; by default the file's own.

    Raises
    ------
    FileError
        Missing, empty, damaged, too large, or no format that is known.
    """
    return load(path, name=name).adata


def load(
    path: str | Path,
    *,
    name: str | None = None,
    limit: float | None = None,
    modality: str | None = None,
    cells_in: Side | None = None,
) -> Loaded:
    """Read a dataset from a file or folder, with what was noticed on the way.

    Parameters
    ----------
    path
        The file or folder.
    name
        Name that messages use; by default the file's own.
    limit
        Bytes of memory that the data may take; by default what is free.
    modality
        Which modality of an h5mu to take; by default gene expression, else the first.
    cells_in
        Whether rows or columns of a text table are cells; by default as the names tell.

    Raises
    ------
    FileError
        Missing, empty, damaged, too large, or no format that is known.
    """
    names = None if name is None else [name]
    return load_many([path], names=names, limit=limit, modality=modality, cells_in=cells_in)


def load_many(
    paths: Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    genes: Genes = "intersection",
    limit: float | None = None,
    modality: str | None = None,
    cells_in: Side | None = None,
) -> Loaded:
    """Read one dataset from several files.

    The three files of a 10x matrix belong together; tables of metadata and of embeddings are
    matched to the cells by name; what remains are datasets, which are put below each other with
    the file's name as a column.

    Parameters
    ----------
    paths
        Files or folders.
    names
        Name of each, for messages and labels; by default the files' own.
    genes
        Which genes to keep of several datasets: those of all, or every one.
    limit, modality, cells_in
        As in `load`.

    Raises
    ------
    FileError
        One of them is missing, empty, damaged, too large or unknown, or they don't belong together.
    """
    from harmony_core.data.sources import Source, gather

    own = [Path(p) for p in paths]
    called = [p.name for p in own] if names is None else list(names)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="harmony-explorer-") as workspace,
            warnings.catch_warnings(),
        ):
            # Libraries warn about old formats and repeated names; check.py says what matters.
            warnings.simplefilter("ignore")
            sources = [
                source
                for path, name in zip(own, called, strict=True)
                for source in gather(Source(path, name), Path(workspace))
            ]
            datasets, tables = _read_all(sources, limit, modality)
            return _put_together(datasets, tables, called, genes, limit, cells_in)
    except PermissionError as error:
        raise FileError(
            f"{shown(Path(error.filename or called[0]).name)} may not be read by this program; "
            "change its rights."
        ) from error
    except OSError as error:
        reason = error.strerror or "the disk gave an error"
        raise FileError(f"{shown(called[0])} could not be read: {reason}.") from error
    except (MemoryError, RecursionError) as error:
        raise FileError(f"{shown(called[0])} does not fit into memory.") from error


def _read_all(
    sources: Sequence[Source], limit: float | None, modality: str | None
) -> tuple[list[tuple[str, Loaded]], list[Table]]:
    from harmony_core.data.hdf5 import is_hdf5
    from harmony_core.data.matrix_folder import find_matrix_files, read_matrix_files
    from harmony_core.data.sources import folder_label
    from harmony_core.data.tables import read_table
    from harmony_core.data.zarr_folder import read_zarr

    datasets: list[tuple[str, Loaded]] = []
    tables: list[Table] = []
    folders = find_matrix_files(sources)
    for files in folders:
        label = folder_label(files.matrix.name, files.prefix)
        datasets.append((label, read_matrix_files(files, shown(label), limit=limit)))
    used = {s for files in folders for s in (files.matrix, files.barcodes, files.features)}
    for source in sources:
        if source in used:
            continue
        if source.path.is_dir():
            loaded = read_zarr(source.path, source.quoted, limit=limit)
            datasets.append((source.label, loaded))
        elif is_hdf5(source.path):
            loaded = _read_hdf5(source, limit, modality)
            datasets.append((source.label, loaded))
        elif ".mtx" in source.base.casefold():
            raise FileError(
                f"{source.quoted} comes without its lists of cells and genes; give all three files "
                "(matrix, barcodes, features), best as one zip."
            )
        else:
            tables.append(read_table(source.path, source.quoted, limit=limit))
    return datasets, tables


def _read_hdf5(source: Source, limit: float | None, modality: str | None) -> Loaded:
    from harmony_core.data.h5ad import read_h5ad
    from harmony_core.data.h5mu import is_h5mu, read_h5mu
    from harmony_core.data.hdf5 import open_checked
    from harmony_core.data.loom import is_loom, read_loom
    from harmony_core.data.tenx import is_10x_h5, read_10x_h5

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
        return read_h5mu(path, name, modality=modality, limit=limit)
    if loom:
        return read_loom(path, name, limit=limit)
    if tenx:
        return read_10x_h5(path, name, limit=limit)
    loaded = read_h5ad(path, name, limit=limit)
    # "h5ad" alone promises that the file itself is the dataset.
    return loaded if source.given else dataclasses.replace(loaded, format="packed h5ad")


def _put_together(
    datasets: list[tuple[str, Loaded]],
    tables: list[Table],
    called: Sequence[str],
    genes: Genes,
    limit: float | None,
    cells_in: Side | None,
) -> Loaded:
    from harmony_core.data.combine import combine
    from harmony_core.data.matching import attach
    from harmony_core.data.sources import without_endings
    from harmony_core.data.table_roles import from_embedding, from_expression, from_long, role

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
        raise FileError(f"{shown(called[0])} holds no data in a known format; known: {FORMATS}.")
    elif roles[id(rest[0])] == "embedding":
        base, rest = from_embedding(rest[0]), rest[1:]
    elif len(rest) == 1 and len(rest[0].columns) >= 2:
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
    kind = f"{base.format} with tables" if rest else base.format
    return Loaded(adata, kind, tuple(notes), base.modalities)
