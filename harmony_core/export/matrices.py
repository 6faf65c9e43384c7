"""Some rows of a matrix into HDF5 or zarr, block by block, so that its size doesn't matter.

What is written is what was stored: values and types of the rows that are kept, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_VALUES_PER_BLOCK = 2_000_000
_VALUES_PER_CHUNK = 65_536

Keep = npt.NDArray[np.bool_]


def write_rows(
    group: Any, name: str, matrix: Any, keep: Keep, options: Mapping[str, Any] | None = None
) -> None:
    """Write the rows of a matrix that are kept.

    Parameters
    ----------
    group
        Where to: a group of h5py or zarr.
    name
        What the matrix is called there.
    matrix
        In memory or, as anndata and h5py open it, on disk.
    keep
        Whether each row is kept.
    options
        How arrays are compressed, as h5py takes it.
    """
    options = dict(options or {})
    if hasattr(matrix, "group"):
        _write_sparse(group.create_group(name), matrix.group, matrix.format, keep, options)
    elif hasattr(matrix, "chunks"):
        _write_dense(group, name, matrix, keep, options)
    else:
        from anndata.io import write_elem

        write_elem(group, name, matrix if keep.all() else matrix[keep], dataset_kwargs=options)


def stored_bytes(matrix: Any) -> int:
    """Return the bytes that a matrix takes uncompressed, in memory or on disk."""
    held = getattr(matrix, "group", None)
    if held is not None:
        arrays = [held[name] for name in ("data", "indices", "indptr")]
    elif hasattr(matrix, "indptr"):
        arrays = [matrix.data, matrix.indices, matrix.indptr]
    else:
        arrays = [matrix]
    return sum(int(getattr(array, "nbytes", 0)) for array in arrays)


def _write_dense(group: Any, name: str, matrix: Any, keep: Keep, options: dict[str, Any]) -> None:
    n_columns = matrix.shape[1]
    target = _Growing(group, name, matrix.dtype, (n_columns,), options)
    step = max(1, _VALUES_PER_BLOCK // max(1, n_columns))
    for start in range(0, len(keep), step):
        target.append(matrix[start : start + step][keep[start : start + step]])
    target.array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def _write_sparse(
    target: Any, source: Any, format: str, keep: Keep, options: dict[str, Any]
) -> None:
    data = _Growing(target, "data", source["data"].dtype, (), options)
    indices = _Growing(target, "indices", source["indices"].dtype, (), options)
    indptr = source["indptr"][()]
    pointers = indptr.astype(np.int64)
    by_row = format == "csr"
    sizes = np.zeros(len(pointers) - 1, dtype=np.int64)
    position = np.cumsum(keep) - 1  # of each kept row among the kept ones
    for start in range(0, len(source["data"]), _VALUES_PER_BLOCK):
        end = min(start + _VALUES_PER_BLOCK, len(source["data"]))
        first, last = np.searchsorted(pointers, [start, end - 1], side="right") - 1
        in_block = np.diff(np.clip(pointers[first : last + 2], start, end))
        major = np.repeat(np.arange(first, last + 1), in_block)
        values, minor = source["data"][start:end], source["indices"][start:end]
        stays = keep[major] if by_row else keep[minor]
        if not stays.all():
            values, minor, major = values[stays], minor[stays], major[stays]
        data.append(values)
        indices.append(minor if by_row else position[minor].astype(minor.dtype))
        sizes[first : last + 1] += np.bincount(major - first, minlength=last + 1 - first)
    ends = np.cumsum(sizes[keep] if by_row else sizes)
    _Growing(target, "indptr", indptr.dtype, (), options).append(
        np.concatenate([[0], ends]).astype(indptr.dtype)
    )
    target.attrs.update(
        {
            "encoding-type": f"{format}_matrix",
            "encoding-version": "0.1.0",
            "shape": [int(keep.sum()), int(source.attrs["shape"][1])],
        }
    )


class _Growing:
    """An array in HDF5 or zarr to which blocks are appended."""

    def __init__(
        self, group: Any, name: str, dtype: Any, rest: tuple[int, ...], options: dict[str, Any]
    ) -> None:
        import h5py

        self._is_hdf5 = isinstance(group, h5py.Group)
        rows = max(1, _VALUES_PER_CHUNK // max(1, math.prod(rest)))
        how = {"shape": (0, *rest), "dtype": dtype, "chunks": (rows, *(max(1, n) for n in rest))}
        if self._is_hdf5:
            self.array = group.create_dataset(name, maxshape=(None, *rest), **how, **options)
        else:
            self.array = group.create_array(name, **how)

    def append(self, values: npt.NDArray[Any]) -> None:
        if not self._is_hdf5:
            self.array.append(values)
            return
        n = len(self.array)
        self.array.resize(n + len(values), axis=0)
        self.array[n:] = values
