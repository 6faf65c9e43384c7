"""Large h5ad files: everything but the matrices is read; these are unpacked on disk and stay there.

Several steps look at all of a matrix: checks, the fingerprint, the store's copy by gene. From a
compressed file each would unpack it again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from harmony_core.errors import FileError
from harmony_core.io.file_data import FileData
from harmony_core.io.h5ad import read_in_parts
from harmony_core.io.open_file import OpenFile
from harmony_core.io.plain import plain_dtype
from harmony_core.matrices.blocks import stretches

LARGE = 1e9
"""Bytes of matrices from which on they are not read into memory."""


def is_large_h5ad(file: OpenFile) -> bool:
    """Whether a file is an h5ad of large matrices, all sparse and by cell, that may stay on disk.

    Others are read into memory: taking some cells of a matrix by gene reads all of it.
    """
    content, options = file.hdf5, file.options
    if content is None or options.scratch is None or options.subsample is not None:
        return False
    if file.source.is_nested or "obs" not in content or "var" not in content:
        return False
    matrices = dict(_matrices(content))
    by_cell = all(_encoding(group) == "csr_matrix" for group in matrices.values())
    modern = all(_encoding(content[part]) == "dataframe" for part in ("obs", "var"))
    return bool(matrices) and by_cell and modern and sum(map(_size, matrices.values())) > LARGE


def read_large_h5ad(file: OpenFile) -> FileData:
    """Read an h5ad whose matrices stay on disk, in a file that whoever asked for it closes.

    Raises
    ------
    FileError
        Damaged, or no room to unpack it.
    """
    from anndata.io import sparse_dataset

    name, folder = file.name, file.options.scratch
    assert folder is not None
    file.check_fits(file.n_bytes)
    matrices = dict(_matrices(file.content))
    needed = sum(_size(group) for group in matrices.values())
    if needed > shutil.disk_usage(folder).free:
        raise FileError(
            f"{name} needs {needed / 1e9:,.1f} GB on the disk of {str(folder.parent)!r} to be "
            "unpacked; make room there and try again."
        )
    notes: list[str] = []
    unpacked = h5py.File(folder / "matrices.h5", "w")
    try:
        for where, group in matrices.items():
            _unpack(group, unpacked.create_group(where), name)
        backed = {where: sparse_dataset(unpacked[where]) for where in matrices}
        adata = read_in_parts(file.content, name, notes, backed=backed)
    except BaseException:
        unpacked.close()
        raise
    return FileData(adata, "h5ad", tuple(notes), matrices=unpacked)


def _matrices(file: h5py.File) -> Iterator[tuple[str, Any]]:
    for where in ("X", *(f"layers/{key}" for key in file.get("layers", ())), "raw/X"):
        if where in file:
            yield where, file[where]


def _encoding(item: Any) -> str:
    return str(item.attrs.get("encoding-type", ""))


def _size(group: h5py.Group) -> float:
    return float(sum(group[part].size * group[part].dtype.itemsize for part in ("data", "indices")))


def _unpack(group: h5py.Group, target: h5py.Group, name: str) -> None:
    """Copy a sparse matrix without compression, looking at every number that code will trust."""
    n_cells, n_genes = (int(n) for n in group.attrs["shape"])
    indptr = group["indptr"][()].astype(np.int64)
    n_values = len(group["indices"])
    if (
        indptr.shape != (n_cells + 1,)
        or indptr[0] != 0
        or indptr[-1] != n_values
        or len(group["data"]) != n_values
        or (indptr[1:] < indptr[:-1]).any()
    ):
        raise _contradiction(name)
    narrow = np.int32 if n_values <= np.iinfo(np.int32).max else np.int64
    target.attrs.update(dict(group.attrs))
    target["indptr"] = indptr.astype(narrow)
    data = target.create_dataset("data", (n_values,), plain_dtype(group["data"].dtype))
    indices = target.create_dataset("indices", (n_values,), narrow)
    for start, end in stretches(indptr):
        part = slice(int(indptr[start]), int(indptr[end]))
        columns = group["indices"][part]
        if len(columns) and (columns.min() < 0 or columns.max() >= n_genes):
            raise _contradiction(name)
        indices[part], data[part] = columns, group["data"][part]


def _contradiction(name: str) -> FileError:
    return FileError(f"{name} is damaged: a sparse matrix contradicts itself.")
