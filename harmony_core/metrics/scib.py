"""The scIB set: ten scores from 0 to 1, higher is better, and their weighted total.

For comparison with papers; no verdict rests on it. Names and scaling follow scib-metrics 0.5, so
that numbers can be set beside published ones; where something differs it says so.

References
----------
Luecken et al. 2022, 10.1038/s41592-021-01336-8
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances_chunked,
    silhouette_samples,
)

from harmony_core._typing import Floats, Ints
from harmony_core.errors import DataError
from harmony_core.metric_catalog import SCIB_CONSERVATION, SCIB_MIXING
from harmony_core.metrics.kbet import kbet_per_label
from harmony_core.metrics.mixing import lisi_many
from harmony_core.thresholds import (
    SCIB_WEIGHT_BATCH,
    SCIB_WEIGHT_BIO,
    SILHOUETTE_SAMPLE,
)

Progress = Callable[[float, str], None]

BATCH_SCORES, BIO_SCORES = tuple(SCIB_MIXING), tuple(SCIB_CONSERVATION)
CONNECTIVITY_NEIGHBORS = 15
"""Neighbours of the graph whose connectivity is scored, as scib-metrics takes."""


@dataclass(frozen=True, kw_only=True)
class ScibScores:
    """The set for one embedding.

    Attributes
    ----------
    scores
        By the names in `BATCH_SCORES` and `BIO_SCORES`; ``None`` where a score does not exist,
        for example with a single label.
    batch, bio
        Means of the scores of each half that exist.
    total
        0.4 × batch + 0.6 × bio.
    cells
        Cells with batch and label; the others were left out.
    silhouette_cells
        Cells that the three silhouettes were computed on.
    """

    scores: Mapping[str, float | None]
    batch: float | None
    bio: float | None
    total: float | None
    cells: int
    silhouette_cells: int


def scib_scores(
    embedding: Floats,
    uncorrected: Floats,
    neighbors: tuple[Ints, Floats],
    batch: Ints,
    labels: Ints,
    clusterings: Sequence[Ints],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> ScibScores:
    """Compute the set.

    Parameters
    ----------
    embedding, uncorrected
        The embedding to score and the one before correction, cells × dimensions. Give the same
        twice to score the uncorrected data.
    neighbors
        Indices and distances of the neighbours in ``embedding`` (cells × 90), the cell left out.
    batch, labels
        Level of each cell, -1 where missing. Cells without either are left out, also as
        neighbours.
    clusterings
        Clusters of the embedding at one or more resolutions; the one with the best NMI counts, as
        in scIB.
    seed
        Of the sample for the silhouettes.
    progress
        Called with the fraction done (0 to 1) and what comes next, in words; may raise to stop.

    Returns
    -------
    Ten scores, their means and their total.

    Raises
    ------
    DataError
        If no cell has both a batch and a label.
    """
    known = (batch >= 0) & (labels >= 0)
    if not known.any():
        raise DataError("No cell has both a batch and a label, so the scIB set cannot be computed.")
    indices, distances = neighbors
    batch_known, labels_known = np.where(known, batch, -1), np.where(known, labels, -1)
    cells = np.flatnonzero(known)
    strata = labels[cells] * (int(batch.max()) + 1) + batch[cells]
    some = cells[stratified_sample(strata, SILHOUETTE_SAMPLE, seed=seed)]

    def next_is(step: int, name: str) -> None:
        if progress is not None:
            progress(step / 7, name)

    scores: dict[str, float | None] = {}
    next_is(0, "LISI")
    lisi = lisi_many(indices, distances, [batch_known, labels_known])
    scores["ilisi"] = scaled_ilisi(lisi[0], batch[cells])
    scores["clisi"] = scaled_clisi(lisi[1], labels[cells])
    next_is(1, "kBET")
    scores["kbet"] = _mean_kbet(indices, batch_known, labels_known)
    next_is(2, "graph connectivity")
    scores["graph_connectivity"] = graph_connectivity(indices, labels_known)
    next_is(3, "principal component regression")
    scores["pcr_comparison"] = pcr_comparison(uncorrected[cells], embedding[cells], batch[cells])
    next_is(4, "silhouettes of the labels")
    silhouettes = label_silhouettes(embedding[some], labels[some])
    scores["label_asw"] = label_asw(silhouettes)
    scores["isolated_label"] = isolated_label(silhouettes, labels[some], batch[some])
    next_is(5, "silhouettes of the batches")
    scores["bras"] = bras(embedding[some], labels[some], batch[some])
    next_is(6, "agreement of clusters and labels")
    scores["nmi"], scores["ari"] = best_nmi_ari(labels[cells], [c[cells] for c in clusterings])
    next_is(7, "done")
    halves = [_mean_of(scores, names) for names in (BATCH_SCORES, BIO_SCORES)]
    return ScibScores(
        scores=scores,
        batch=halves[0],
        bio=halves[1],
        total=total_score(*halves),
        cells=len(cells),
        silhouette_cells=len(some),
    )


def total_score(batch: float | None, bio: float | None) -> float | None:
    """0.4 × mean of the batch scores + 0.6 × mean of the conservation scores (Luecken et al.)."""
    if batch is None or bio is None:
        return None
    return SCIB_WEIGHT_BATCH * batch + SCIB_WEIGHT_BIO * bio


def scaled_ilisi(lisi: Floats, batch: Ints) -> float | None:
    """Median iLISI, scaled. Korsunsky et al. 2019.

    Parameters
    ----------
    lisi, batch
        LISI of the batches, and batch, of each cell.

    Returns
    -------
    (x - 1) / (batches - 1): 1 is mixed; None with a single batch.
    """
    n = len(np.unique(batch))
    return None if n < 2 else float((np.nanmedian(lisi) - 1) / (n - 1))


def scaled_clisi(lisi: Floats, labels: Ints) -> float | None:
    """Median cLISI, scaled. Korsunsky et al. 2019.

    Parameters
    ----------
    lisi, labels
        LISI of the labels, and label, of each cell.

    Returns
    -------
    (labels - x) / (labels - 1): 1 is pure; None with a single label.
    """
    n = len(np.unique(labels))
    return None if n < 2 else float((n - np.nanmedian(lisi)) / (n - 1))


def graph_connectivity(
    indices: Ints, labels: Ints, *, n_neighbors: int = CONNECTIVITY_NEIGHBORS
) -> float | None:
    """Mean over labels of the largest connected component of the label's own graph.

    Components are strongly connected in the directed neighbour graph, as in scib-metrics. Luecken
    et al. 2022.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k).
    labels
        Label of each cell, -1 where missing.
    n_neighbors
        Nearest neighbours that the graph holds.

    Returns
    -------
    Fraction of the label's cells, 0 to 1; None without labels.
    """
    near = indices[:, :n_neighbors]
    found = []
    for label in np.unique(labels[labels >= 0]):
        cells = np.flatnonzero(labels == label)
        place = np.full(len(labels), -1)
        place[cells] = np.arange(len(cells))
        rows, columns = np.repeat(np.arange(len(cells)), near.shape[1]), place[near[cells]].ravel()
        inside = columns >= 0
        graph = sp.csr_matrix(
            (np.ones(int(inside.sum()), dtype=np.int8), (rows[inside], columns[inside])),
            shape=(len(cells), len(cells)),
        )
        component = connected_components(graph, connection="strong")[1]
        found.append(np.bincount(component).max() / len(cells))
    return float(np.mean(found)) if found else None


def batch_variance(embedding: Floats, batch: Ints) -> float:
    """Fraction of the embedding's variance that lies between batches.

    Equal to the principal component regression of the batch with all components: the variance
    between group means does not depend on the axes. Büttner et al. 2019, 10.1038/s41592-018-0254-1

    Parameters
    ----------
    embedding
        Cells × dimensions.
    batch
        Batch of each cell.

    Returns
    -------
    0 to 1.
    """
    X = np.asarray(embedding, dtype=np.float64)
    centred = X - X.mean(axis=0)
    total = float((centred**2).sum())
    levels, codes = np.unique(batch, return_inverse=True)
    sizes = np.bincount(codes)
    between = 0.0
    for dim in range(X.shape[1]):
        sums = np.bincount(codes, weights=centred[:, dim], minlength=len(levels))
        between += float((sums**2 / sizes).sum())
    return between / total if total > 0 else 0.0


def pcr_comparison(uncorrected: Floats, corrected: Floats, batch: Ints) -> float | None:
    """Fraction of the between-batch variance that the correction removed. Luecken et al. 2022.

    Parameters
    ----------
    uncorrected, corrected
        Embeddings, cells × dimensions.
    batch
        Batch of each cell.

    Returns
    -------
    0 to 1; None with a single batch, and where there was no such variance before.
    """
    before = batch_variance(uncorrected, batch) if len(np.unique(batch)) > 1 else 0.0
    if before <= 0:
        return None
    return max(0.0, (before - batch_variance(corrected, batch)) / before)


def stratified_sample(strata: Ints, size: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Draw cells so that each stratum keeps its fraction, and at least two cells if it has them.

    Parameters
    ----------
    strata
        Stratum of each cell.
    size
        Cells wanted.
    seed
        The same seed draws the same cells.

    Returns
    -------
    Sorted positions; all of them where there are no more than ``size``. As small strata are kept,
    slightly more than ``size`` can be drawn.
    """
    n = len(strata)
    if n <= size:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    drawn = []
    for stratum in np.unique(strata):
        cells = np.flatnonzero(strata == stratum)
        wanted = min(len(cells), max(2, round(len(cells) * size / n)))
        drawn.append(rng.choice(cells, wanted, replace=False))
    return np.sort(np.concatenate(drawn))


def label_silhouettes(embedding: Floats, labels: Ints) -> NDArray[np.float64]:
    """Silhouette width of each cell for its label. Rousseeuw 1987, 10.1016/0377-0427(87)90125-7.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    labels
        Label of each cell.

    Returns
    -------
    -1 to 1 for each cell; empty with fewer than two labels.
    """
    n_labels = len(np.unique(labels))
    if not 2 <= n_labels < len(labels):
        return np.empty(0)
    return np.asarray(silhouette_samples(embedding, labels), dtype=np.float64)


def label_asw(silhouettes: Floats) -> float | None:
    """Mean label silhouette, scaled. Luecken et al. 2022.

    Parameters
    ----------
    silhouettes
        From `label_silhouettes`.

    Returns
    -------
    0 to 1: 1 is compact and apart; None without silhouettes.
    """
    return float((silhouettes.mean() + 1) / 2) if len(silhouettes) else None


def isolated_label(silhouettes: Floats, labels: Ints, batch: Ints) -> float | None:
    """Mean scaled silhouette of the labels that the fewest batches hold. Luecken et al. 2022.

    Parameters
    ----------
    silhouettes
        From `label_silhouettes`.
    labels, batch
        Label and batch of the same cells.

    Returns
    -------
    0 to 1; None without silhouettes.
    """
    if not len(silhouettes):
        return None
    names = np.unique(labels)
    held_by = np.array([len(np.unique(batch[labels == name])) for name in names])
    isolated = names[held_by == held_by.min()]
    return float(np.mean([(silhouettes[labels == name].mean() + 1) / 2 for name in isolated]))


def bras(embedding: Floats, labels: Ints, batch: Ints) -> float | None:
    """Batch silhouette that two nested batches cannot fool: 1 is mixed.

    Within each label, 1 - |silhouette| of the batches with cosine distances, where "the others"
    are all cells of other batches instead of the nearest batch; mean over labels. Labels of a
    single batch do not count.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    labels, batch
        Label and batch of each cell.

    Returns
    -------
    0 to 1; None where no label counts.

    References
    ----------
    Rautenstrauch & Ohler 2025, 10.1038/s41587-025-02743-4
    """
    found = []
    for label in np.unique(labels):
        cells = labels == label
        levels, codes = np.unique(batch[cells], return_inverse=True)
        if 2 <= len(levels) < len(codes):
            found.append(float(np.mean(1 - np.abs(_batch_silhouettes(embedding[cells], codes)))))
    return float(np.mean(found)) if found else None


def _batch_silhouettes(X: Floats, codes: Ints) -> NDArray[np.float64]:
    """(b - a) / max(a, b), with b the mean distance to all cells of other groups."""
    sizes = np.bincount(codes)
    member = np.eye(len(sizes))[codes]
    per_group = np.vstack(
        list(
            pairwise_distances_chunked(
                X, reduce_func=lambda chunk, start: chunk @ member, metric="cosine"
            )
        )
    )
    own = per_group[np.arange(len(codes)), codes]
    own_size = sizes[codes]
    a = own / np.maximum(own_size - 1, 1)
    b = (per_group.sum(axis=1) - own) / (len(codes) - own_size)
    larger = np.maximum(a, b)
    # A cell alone in its group has no silhouette; 0 is the convention.
    usable = (larger > 0) & (own_size > 1)
    return np.asarray(np.where(usable, (b - a) / np.where(usable, larger, 1.0), 0.0))


def best_nmi_ari(labels: Ints, clusterings: Sequence[Ints]) -> tuple[float | None, float | None]:
    """NMI and ARI of the clustering that has the highest NMI with the labels.

    Luecken et al. 2022.

    Parameters
    ----------
    labels
        Label of each cell.
    clusterings
        Cluster of each cell, for each clustering.

    Returns
    -------
    NMI and ARI, 1 for identical groups; None without clusterings.
    """
    if not clusterings:
        return None, None
    nmi = [float(normalized_mutual_info_score(labels, c)) for c in clusterings]
    best = clusterings[int(np.argmax(nmi))]
    return max(nmi), float(adjusted_rand_score(labels, best))


def _mean_kbet(indices: Ints, batch: Ints, labels: Ints) -> float | None:
    rows = kbet_per_label(indices, batch, labels)
    return float(np.mean([row.value for row in rows])) if rows else None


def _mean_of(scores: Mapping[str, float | None], names: Sequence[str]) -> float | None:
    existing = [value for name in names if (value := scores[name]) is not None]
    return float(np.mean(existing)) if existing else None
