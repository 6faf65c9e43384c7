"""kBET: a chi-squared test of each neighbourhood for the sizes of the batches.

Conventions as in `mixing`. Büttner et al. 2019, 10.1038/s41592-018-0254-1
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from harmony_core.metrics.mixing import LabelMixing, judged_labels
from harmony_core.thresholds import (
    MIN_BATCHES_CILISI,
    MIN_CELLS_CILISI,
    N_NEIGHBORS,
)

Ints = NDArray[np.integer[Any]]


def kbet(
    indices: Ints,
    codes: Ints,
    *,
    n_neighbors: int = N_NEIGHBORS,
    alpha: float = 0.05,
) -> float:
    """Part of the cells whose neighbourhood passes a chi-squared test for the batch sizes.

    1 is mixed as by chance (1 - alpha is then expected), 0 is not mixed; NaN with a single batch.

    Notes
    -----
    The test counts the ``n_neighbors`` nearest neighbours without the cell itself.
    """
    near, known = indices[:, :n_neighbors], codes >= 0
    accepted = _chi2_p(near, codes, known, known[near]) >= alpha
    usable = known & (len(np.unique(codes[known])) > 1)
    return float(accepted[usable].mean()) if usable.any() else float("nan")


def kbet_per_label(
    indices: Ints,
    codes: Ints,
    labels: Ints,
    *,
    alpha: float = 0.05,
    min_cells: int = MIN_CELLS_CILISI,
) -> list[LabelMixing]:
    """`kbet` inside each label: only neighbours of the cell's label, and its own batch sizes.

    Labels are judged as in `cilisi`. As in scIB, a quarter of the label's mean batch size of
    neighbours is tested, at least 10 and at most 70. A cell counts as rejected if none of its
    neighbours carries its label.

    Notes
    -----
    scIB reaches that number by a diffusion on each label's graph; here the neighbours with the
    label that the graph holds are taken, which are fewer where a label is impure. Over ten
    simulated corrections the mean over labels went with that of scib-metrics 0.5.10 at r = 0.97,
    and was higher by 0.10 on average, mostly where batches were hardly mixed.
    """
    judged, counted = judged_labels(codes, labels, min_cells, MIN_BATCHES_CILISI)
    result = []
    for label, batches in judged:
        cells = counted & (labels == label)
        wanted = int(np.clip(cells.sum() / batches // 4, 10, 70))
        near = indices[cells]
        own = cells[near]
        tested = own & (np.cumsum(own, axis=1) <= wanted)
        accepted = _chi2_p(near, codes, cells, tested) >= alpha
        result.append(
            LabelMixing(
                label=label,
                cells=int(cells.sum()),
                batches=batches,
                value=float(accepted.mean()),
            )
        )
    return result


def _chi2_p(
    near: Ints, codes: Ints, counted: NDArray[np.bool_], tested: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """P value of the batch counts among each row's tested neighbours; 0 where there are none."""
    part = np.bincount(codes[counted], minlength=1) / max(counted.sum(), 1)
    levels = np.flatnonzero(part)
    if len(levels) < 2:
        return np.ones(len(near))
    seen = np.where(tested, codes[near], -1)
    total = (seen >= 0).sum(axis=1)
    statistic = np.zeros(len(near))
    for level in levels:
        expected = part[level] * total
        observed = (seen == level).sum(axis=1)
        statistic += (observed - expected) ** 2 / np.maximum(expected, 1e-12)
    p = scipy.stats.chi2.sf(statistic, df=len(levels) - 1)
    return np.asarray(np.where(total > 0, p, 0.0), dtype=np.float64)
