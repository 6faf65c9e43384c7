"""AnnData in HDF5 (.h5ad)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harmony_core.errors import FileError
from harmony_core.io.file_data import FileData
from harmony_core.io.open_file import OpenFile
from harmony_core.io.plain import read_element
from harmony_core.io.stored_cells import read_cells

if TYPE_CHECKING:
    import anndata as ad
    import h5py

_NOTHING: Mapping[str, Any] = {}
_OPTIONAL = ("uns", "obsm", "varm", "obsp", "varp", "layers")


def read_h5ad(file: OpenFile) -> FileData:
    """Read an h5ad file, or the cells of it that are asked for.

    Raises
    ------
    FileError
        Not an h5ad, damaged, or too large.

    Notes
    -----
    anndata gives up on a whole file for a single part it doesn't know (often in ``uns``, from
    another version). Such parts are then left out one by one, and named in the notes.
    """
    import anndata

    file.check_whole_fits(file.n_bytes)
    name, subsample = file.name, file.options.subsample
    missing = [part for part in ("obs", "var") if part not in file.content]
    if missing:
        raise FileError(
            f"{name} is an HDF5 file but not an h5ad: it has no {' and no '.join(missing)}. Of "
            "CellRanger's files, give filtered_feature_bc_matrix.h5."
        )
    if subsample is not None:
        adata, note = read_cells(file, file.content, subsample)
        return FileData(adata, "sample of an h5ad", (note,))
    notes: list[str] = []
    try:
        adata = anndata.read_h5ad(file.path)
    except MemoryError as error:
        raise FileError(f"{name} does not fit into memory.") from error
    except Exception:
        adata = read_in_parts(file.content, name, notes)
    check_consistent(adata, name)
    # "h5ad" alone promises that the file itself is the dataset.
    return FileData(adata, "packed h5ad" if file.source.is_nested else "h5ad", tuple(notes))


def check_consistent(adata: ad.AnnData, name: str) -> None:
    """Raise FileError if a sparse matrix points outside its own shape.

    Compiled code trusts these numbers: a damaged one reads foreign memory.
    """
    matrices: list[Any] = [adata.X, *adata.layers.values(), *adata.obsm.values()]
    matrices += list(adata.obsp.values())
    if adata.raw is not None:
        matrices.append(adata.raw.X)
    for matrix in matrices:
        if hasattr(matrix, "indptr"):
            if not _points_inside(matrix):
                raise FileError(f"{name} is damaged: a sparse matrix contradicts itself.")
            # Wide pointers beside narrow indices: scipy would widen all of these in every copy.
            if len(matrix.indices) < np.iinfo(np.int32).max and matrix.indices.dtype == np.int32:
                matrix.indptr = matrix.indptr.astype(np.int32)


def _points_inside(matrix: Any) -> bool:
    """Return what scipy's `check_format` checks, which copies the indices of large matrices."""
    n_rows, n_columns = matrix.shape
    n_major, n_minor = (n_rows, n_columns) if matrix.format == "csr" else (n_columns, n_rows)
    data, indices, indptr = matrix.data, matrix.indices, matrix.indptr
    if indices.dtype.kind not in "iu" or indptr.dtype.kind not in "iu":
        return False
    if indices.ndim != 1 or data.ndim != 1 or indptr.shape != (n_major + 1,):
        return False
    if indptr[0] != 0 or len(indices) != len(data) or indptr[-1] > len(data):
        return False
    ascends = bool((indptr[1:] >= indptr[:-1]).all())
    return ascends and (len(indices) == 0 or (indices.min() >= 0 and indices.max() < n_minor))


def read_in_parts(
    file: h5py.Group, name: str, notes: list[str], *, backed: Mapping[str, Any] = _NOTHING
) -> ad.AnnData:
    """Read AnnData part by part, leaving out (and noting) optional ones that can't be read.

    Parameters
    ----------
    file
        The open file.
    name
        Its name, for messages.
    notes
        What was left out is added here.
    backed
        Matrices that are not read, by where they are (``X``, ``layers/<name>``, ``raw/X``), and
        what to take for them.

    Raises
    ------
    FileError
        obs, var or X cannot be read, or the parts don't fit together.
    """
    import anndata

    parts: dict[str, Any] = {}
    for part in ("obs", "var", "X"):
        if part in backed:
            parts[part] = backed[part]
        elif part in file:
            damaged = f"{name} cannot be read: its {part} is damaged"
            is_table = part != "X" and hasattr(file[part], "keys")
            parts[part] = (
                _table(file[part], part, damaged, notes)
                if is_table
                else _element(file[part], damaged)
            )
    for part in _OPTIONAL:
        if part in file:
            parts[part] = _members(file[part], part, notes, backed)
    if "raw/X" in backed:
        var = _element(file["raw/var"], f"{name} cannot be read: its raw/var is damaged")
        parts["raw"] = {"X": backed["raw/X"], "var": var}
    elif hasattr(file.get("raw"), "keys"):
        notes.append("raw was left out: it could not be read.")
    try:
        return anndata.AnnData(**parts)
    except Exception as error:
        raise FileError(f"{name} is damaged: its parts do not fit together.") from error


def _members(
    group: Any, part: str, notes: list[str], backed: Mapping[str, Any]
) -> Mapping[str, Any]:
    if not hasattr(group, "keys"):
        notes.append(f"{part} was left out: it could not be read.")
        return {}
    members = {}
    for key in group:
        if f"{part}/{key}" in backed:
            members[key] = backed[f"{part}/{key}"]
            continue
        try:
            members[key] = _element(group[key], "")
        except (FileError, KeyError):  # a link may lead nowhere
            notes.append(f"{part}/{key} was left out: it could not be read.")
    return members


def _table(group: Any, part: str, damaged: str, notes: list[str]) -> Any:
    """Read a table whole, or without those of its columns that can't be read."""
    try:
        return _element(group, damaged)
    except FileError:
        if group.attrs.get("encoding-type") != "dataframe":
            raise
    table = pd.DataFrame(index=pd.Index(_element(group[group.attrs["_index"]], damaged)))
    for column in map(str, group.attrs["column-order"]):
        try:
            table[column] = _element(group[column], "")
        except (FileError, KeyError, ValueError):  # missing, or of another length
            notes.append(f"{part}/{column} was left out: it could not be read.")
    return table


def _element(item: Any, sentence: str) -> Any:
    try:
        return read_element(item)
    except Exception as error:
        raise FileError(f"{sentence}; download or copy the file again.") from error
