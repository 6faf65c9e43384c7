"""A quick layout of a corrected embedding: some cells laid out, the others placed by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harmony_core.methods.neighbors import Neighbors, without_self
from harmony_core.methods.neighbors_kernel import search_by_lists
from harmony_core.methods.umap import (
    EPOCHS_FROM_LAYOUT,
    RATE_FROM_LAYOUT,
    fuzzy_graph,
    layout,
    oriented_like,
)
from harmony_core.params import GraphParams, LayoutParams

FEWEST, MOST = 5_000, 20_000
"""Landmarks; between the two, an eighth of the cells."""

_GUIDES = 5
_PROBES = 6
_BINS = 24
_LEAST_A_STRATUM = 3


def landmarks(
    start: npt.NDArray[np.floating], batch: npt.NDArray[np.integer], *, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Choose cells that stand for all: from every batch in every part of the starting layout.

    Parameters
    ----------
    start
        Layout of the uncorrected data (cells × 2).
    batch
        Batch code of each cell.

    Returns
    -------
    Sorted positions of the landmarks: all of them up to `FEWEST` cells. Of a batch's cells in a
    part of the layout at least three are there, so that small groups are not lost.
    """
    n = len(start)
    wanted = int(np.clip(n / 8, FEWEST, MOST))
    if n <= wanted:
        return np.arange(n)
    low, high = start.min(axis=0), start.max(axis=0)
    place = np.minimum((start - low) / np.maximum(high - low, 1e-12) * _BINS, _BINS - 1).astype(int)
    stratum = (np.asarray(batch) * _BINS + place[:, 0]) * _BINS + place[:, 1]
    _, stratum, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    quota = np.maximum(np.round(sizes * (wanted / n)), np.minimum(sizes, _LEAST_A_STRATUM))
    # Shuffle, then group by stratum: the first of each group are a random sample of it.
    shuffled = np.random.default_rng(seed).permutation(n)
    grouped = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    rank = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(np.sort(grouped[rank < quota[stratum[grouped]]]))


def preview(
    embedding: npt.NDArray[np.floating],
    start: npt.NDArray[np.floating],
    cells: npt.NDArray[np.integer],
    graph: GraphParams,
    params: LayoutParams,
) -> npt.NDArray[np.float32]:
    """Sketch the layout of an embedding.

    Parameters
    ----------
    embedding
        Corrected embedding (cells × dimensions).
    start
        Layout of the uncorrected data (cells × 2).
    cells
        Positions of the landmarks, from `landmarks`.

    Returns
    -------
    Positions (cells × 2), oriented like ``start``. How much of the full layout's neighbours they
    keep is measured in ``benchmarks/interactive.py``.
    """
    data = np.ascontiguousarray(embedding, dtype=np.float32)
    points, begin = data[cells], np.asarray(start)[cells]
    # One search serves both: a landmark's own neighbours among them, and every cell's guides.
    k = min(graph.n_neighbors, len(cells))
    indices, squared = search_by_lists(points, data, k, params.seed, _PROBES)
    near = Neighbors(*without_self(np.arange(len(cells)), indices[cells], squared[cells]))
    laid = layout(
        fuzzy_graph(near, graph), begin, params, epochs=EPOCHS_FROM_LAYOUT, rate=RATE_FROM_LAYOUT
    )
    laid = oriented_like(laid, begin)
    if len(cells) == len(data):
        return laid
    guides, distance = indices[:, :_GUIDES], np.sqrt(squared[:, :_GUIDES])
    # In many dimensions all guides are almost equally far: what tells them apart is by how much
    # they are farther than the nearest, as in UMAP's own weights.
    farther = distance - distance[:, :1]
    usual = np.mean(farther, axis=1, keepdims=True)
    weights = np.exp(-farther / np.maximum(usual, 1e-12))
    weights /= weights.sum(axis=1, keepdims=True)
    positions = np.einsum("ck,ckd->cd", weights, laid[guides])
    positions[cells] = laid
    return np.asarray(positions, dtype=np.float32)
