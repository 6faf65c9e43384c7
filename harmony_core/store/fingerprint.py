"""The name of data in the store: a digest of all that a run or an export takes from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.inspect.embeddings import is_of_features

if TYPE_CHECKING:
    from anndata import AnnData

_ENTRIES_PER_BLOCK = 5_000_000
_BLOCKS_READ = 8


def fingerprint(adata: AnnData) -> str:
    """Return a digest of data as they came.

    Nothing is left out, although a run needs one matrix only: an export starts from the file, so
    two files that differ in a layer are two datasets. How a matrix is stored (dense, by cell, by
    gene) makes no difference, unless it decides whether an entry of obsm is an embedding.
    """
    digest = hashlib.blake2b(digest_size=12)
    parts = [adata.X, adata.obs, adata.var, adata.layers, adata.obsm, adata.varm, adata.obsp]
    parts += [adata.varp, adata.uns]
    parts += [] if adata.raw is None else [adata.raw.X, adata.raw.var]
    for part in parts:
        _add(digest, part)
    # What is taken for features when sparse is an embedding when dense.
    for name in sorted(adata.obsm):
        if is_of_features(adata.obsm[name]):
            _add_text(digest, ["features", name])
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    """Add a value of any kind that an AnnData may hold."""
    if isinstance(value, Mapping):
        for name in sorted(value, key=str):
            _add(digest, str(name))
            _add(digest, value[name])
    elif isinstance(value, pd.DataFrame):
        _add_text(digest, [*value.columns, *value.index])
        for position in range(value.shape[1]):
            _add_column(digest, value.iloc[:, position])
    elif _is_sparse(value) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"):
        _add_numbers(digest, value)
    elif isinstance(value, np.ndarray):
        _add_text(digest, value.ravel().tolist())
    elif isinstance(value, list | tuple):
        for part in value:
            _add(digest, part)
    else:
        _add_text(digest, [value])


def _add_numbers(digest: Any, values: Any) -> None:
    _add_text(digest, values.shape)
    if len(values.shape) != 2:
        digest.update(np.ascontiguousarray(values).data)
        return
    # By cell, whatever the file's order: taking cells from a matrix by gene reads all of it.
    by_cell = values.tocsr() if hasattr(values, "tocsr") else values
    step = max(1, _ENTRIES_PER_BLOCK // max(1, values.shape[1]))
    # Read more at once than is digested at once: each reading of a file takes its time.
    for first in range(0, values.shape[0], _BLOCKS_READ * step):
        read = by_cell[first : first + _BLOCKS_READ * step]
        for start in range(0, read.shape[0], step):
            block = sp.csr_matrix(read[start : start + step], dtype=np.float64)
            block.sum_duplicates()
            block.eliminate_zeros()
            for part in (block.indptr.astype(np.int64), block.indices.astype(np.int64), block.data):
                digest.update(np.ascontiguousarray(part).data)


def _is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix, in memory or backed by its file."""
    return getattr(value, "format", None) in ("csr", "csc")


def _add_column(digest: Any, values: pd.Series[Any]) -> None:
    if not pd.api.types.is_numeric_dtype(values):
        values = values.astype(object).map(str)
    hashed = pd.util.hash_pandas_object(values, index=False)
    digest.update(np.ascontiguousarray(hashed.to_numpy()).data)


def _add_text(digest: Any, values: Iterable[Any]) -> None:
    digest.update(json.dumps([str(value) for value in values]).encode())
