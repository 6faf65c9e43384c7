"""Embeddings that come with data: which can be corrected, and what to know before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.counting import counted
from harmony_core.errors import DataError
from harmony_core.inspect.columns import quoted

FOLLOWS_DEPTH = 0.9
LARGEST = 1e15
"""Distances between larger numbers do not fit into single precision."""
_MOST_DIMS = 1_000
_LAYOUTS = (
    *("umap", "tsne", "draw_graph", "spatial", "phate", "diffmap", "mde", "pacmap", "trimap"),
    *("coord", "centroid", "forceatlas"),
)
_CORRECTED = (
    *("harmony", "scvi", "scanvi", "totalvi", "mnn", "combat", "corrected", "integrated", "cca"),
    *("rpca", "scanorama", "liger", "inmf", "desc", "trvae", "scgen"),
)
_DEPTH_COLUMNS = (
    *("total_counts", "n_counts", "ncount_rna", "ncount_atac", "ncount_peaks", "n_fragments"),
    *("nfrags", "passed_filters", "total_fragments", "n_fragment", "ncount", "umis", "n_umi"),
)


@dataclass(frozen=True, kw_only=True)
class EmbeddingInfo:
    """One embedding of the data.

    Attributes
    ----------
    n_bad
        Cells with NaN or infinite values in it.
    is_layout
        A picture in two or three dimensions, which should not be corrected.
    is_corrected
        Its name says that it has been corrected already.
    depth_correlation
        Correlation of its first dimension with the logarithm of the counts per cell; None where
        these are not known. Beyond 0.9 that dimension measures depth rather than cells.
    """

    name: str
    n_dims: int = 0
    n_bad: int = 0
    is_layout: bool = False
    is_corrected: bool = False
    depth_correlation: float | None = None

    @property
    def follows_depth(self) -> bool:
        """Whether the first dimension should be dropped."""
        return self.depth_correlation is not None and abs(self.depth_correlation) > FOLLOWS_DEPTH

    @property
    def preference(self) -> tuple[bool, bool, bool]:
        """Sorts the one to start from first: uncorrected, principal components, not of depth."""
        return (self.is_corrected, self.name != "X_pca", self.follows_depth)


def find_embeddings(
    obsm: Any, obs: pd.DataFrame, depth: NDArray[Any] | None = None
) -> Iterator[EmbeddingInfo]:
    """Look at the embeddings of data.

    Parameters
    ----------
    obsm
        Arrays, sparse matrices or tables of cells × dims by name. Those of more than 1,000
        dimensions, or of something else than numbers, are no embeddings, nor are features.
    obs
        Columns that describe the cells; one may hold the counts per cell.
    depth
        Counts per cell, where they are known from the matrix.
    """
    depth = _depth_column(obs) if depth is None else depth
    for name in obsm:
        values = obsm[name]
        if getattr(values, "ndim", 0) != 2 or not 2 <= values.shape[1] <= _MOST_DIMS:
            continue
        if is_of_features(values):
            continue
        try:
            numbers = embedding_values(values)
        except (TypeError, ValueError):
            continue
        is_layout = numbers.shape[1] <= 3 and any(w in name.casefold() for w in _LAYOUTS)
        yield EmbeddingInfo(
            name=name,
            n_dims=numbers.shape[1],
            n_bad=int((~np.isfinite(numbers)).any(axis=1).sum()),
            is_layout=is_layout,
            is_corrected=any(w in name.casefold() for w in _CORRECTED),
            depth_correlation=None if depth is None else _correlation(numbers[:, 0], depth),
        )


def is_of_features(values: Any) -> bool:
    """Whether an entry of obsm holds features kept aside: sparse, mostly zeros or all counts."""
    if not (hasattr(values, "toarray") and hasattr(values, "nnz")):
        return False
    if values.nnz < values.shape[0] * values.shape[1] / 2:
        return True
    return bool(np.all(values.data == np.rint(values.data)))


def embedding_values(values: Any) -> NDArray[np.float64]:
    """Return an embedding as an array (cells × dimensions), however it is held.

    Parameters
    ----------
    values
        Array, sparse matrix or table of cells × dimensions.

    Raises
    ------
    TypeError, ValueError
        It holds something else than real numbers.
    """
    dense = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
    if dense.dtype.kind == "c":
        raise TypeError("complex numbers")
    return dense.astype(np.float64, copy=False)


def check_embedding(embedding: NDArray[Any], name: str) -> None:
    """Refuse an embedding (cells × dimensions) that nothing could be computed from.

    Raises
    ------
    DataError
        If it has a single dimension, or numbers that are missing, infinite or so large that their
        squares would be.
    """
    if embedding.ndim != 2 or embedding.shape[1] < 2:
        raise DataError(f"The embedding {quoted(name)} has one dimension; at least 2 are needed.")
    bad = ~np.isfinite(embedding)
    if n_empty := int(bad.all(axis=0).sum()):
        raise DataError(
            f"The embedding {quoted(name)} has missing or infinite values in every cell in "
            f"{n_empty:,} of {embedding.shape[1]:,} dimensions; remove these dimensions, or choose "
            "another embedding."
        )
    n_bad = int(bad.any(axis=1).sum())
    if n_bad:
        raise DataError(
            f"The embedding {quoted(name)} has missing or infinite values in {n_bad:,} of "
            f"{len(embedding):,} cells; remove these cells, or choose another embedding."
        )
    n_large = int((np.abs(embedding) > LARGEST).any(axis=1).sum())
    if n_large:
        raise DataError(
            f"The embedding {quoted(name)} has numbers beyond {LARGEST:g} in {n_large:,} of "
            f"{len(embedding):,} cells, most likely marks of missing values; remove these cells, "
            "or choose another embedding."
        )


def notes_on_embedding(embedding: EmbeddingInfo) -> Iterator[str]:
    """Say what should be known before an embedding is corrected, where it is one to be corrected.

    Of a layout that is only whether it can be.
    """
    name = quoted(embedding.name)
    if embedding.n_bad:
        yield (
            f"The embedding {name} has missing or infinite values in "
            f"{counted(embedding.n_bad, 'cell')} and cannot be corrected."
        )
    if embedding.is_layout:
        return
    if embedding.is_corrected:
        yield (
            f"The embedding {name} seems to be corrected already; correct an uncorrected one, "
            "such as X_pca, or have this one judged as it is."
        )
    if embedding.follows_depth:
        yield (
            f"The first dimension of {name} follows the counts per cell (correlation "
            f"{embedding.depth_correlation:.2f}); drop it, or cells will be grouped by depth."
        )


def _depth_column(obs: pd.DataFrame) -> NDArray[np.float64] | None:
    for column in obs.columns:
        if str(column).casefold() in _DEPTH_COLUMNS and pd.api.types.is_numeric_dtype(obs[column]):
            return obs[column].to_numpy(dtype=np.float64, na_value=np.nan)
    return None


def _correlation(first: NDArray[np.float64], depth: NDArray[Any]) -> float | None:
    usable = np.isfinite(first) & np.isfinite(depth) & (depth >= 0)
    x, y = first[usable], np.log1p(depth[usable])
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
