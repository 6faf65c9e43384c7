"""The label-free detector: states that were merged, and transfer conflict.

States: each batch lends its own states to all cells; a state whose neighbours changed to other
states was merged, and so were two types that replace each other in two batches (`state_rows`).

Conflict: the cross-batch neighbours of a pre-cluster that, by the genes that tell this batch's own
clusters apart and after removing the shift between the batches, resemble another cluster of the
batch; a fraction of all neighbours, minus the same in the uncorrected data. It sees close states
that no two distinct clusters hold.

The gap (how much cross-batch neighbours together still differ from the pre-cluster) names genes.
It measures how far a batch effect differs between cell types, so nothing is flagged by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harmony_core import thresholds
from harmony_core._typing import Ints
from harmony_core.detector.cluster_scores import (
    Contrast,
    Expression,
    lost_markers,
    score_partitions,
)
from harmony_core.detector.flagging import summarise
from harmony_core.detector.matched_mixing import matched_mixing
from harmony_core.detector.pooling import batch_mixing
from harmony_core.detector.reference import EVIDENCE, Reference
from harmony_core.detector.results import BatchMixing, Detection
from harmony_core.detector.state_rows import (
    mean_mixing,
    measure_states,
    name_states,
    state_rows,
)
from harmony_core.errors import DataError


def score(
    reference: Reference,
    indices_after: Ints,
    indices_before: Ints,
    *,
    expression: Expression | None,
    batch_names: Sequence[str],
    gene_names: Sequence[str] = (),
    condition: bool = False,
) -> Detection:
    """Assess a run without labels.

    Parameters
    ----------
    reference
        Of the uncorrected data, for this batch variable.
    indices_after
        Nearest neighbours in the corrected embedding, cells × 30 or more, nearest first, itself
        left out.
    indices_before
        The same in the uncorrected embedding.
    expression
        The matrix that the reference was built from; not looked at where it was built without.
        CSC is used as it is; CSR is converted each time.
    batch_names
        Level of each batch code.
    gene_names
        Name of each column of the expression.
    condition
        The batch variable is a treatment, a disease or another biological condition.

    Returns
    -------
    The numbers with their evidence.

    Raises
    ------
    DataError
        If the reference compares genes but no expression is given, or if cells differ.
    """
    _check(reference, indices_after, indices_before, expression)
    names = reference.group_names(batch_names)
    contrast = Contrast.of(reference, indices_after)
    scores = score_partitions(reference, indices_after, indices_before, contrast, expression)
    clusters = summarise(
        reference,
        scores,
        matched_mixing(reference, indices_after),
        lost=lost_markers(reference, scores[EVIDENCE], contrast, expression),
        batch_names=names,
        gene_names=gene_names,
        condition=condition,
    )
    if np.count_nonzero(np.bincount(reference.batch_codes)) < 2:
        return clusters
    return _with_states(clusters, reference, indices_after, indices_before, batch_names, gene_names)


def _with_states(
    found: Detection,
    reference: Reference,
    after: Ints,
    before: Ints,
    batch_names: Sequence[str],
    gene_names: Sequence[str],
) -> Detection:
    """Add what became of states and batches to what the pre-clusters show."""
    lent, codes = reference.lent, reference.batch_codes
    if found.condition:
        # Between conditions a type differs as two types do: every match is taken for one type.
        lent = replace(lent, replaced=np.zeros_like(lent.replaced))
    numbers = measure_states(lent, after, before)
    pools = reference.pool_names(batch_names)
    genes = [str(gene_names[i]) for i in reference.genes] if len(gene_names) else []
    names = name_states(lent, pools, genes)
    mixing = [batch_mixing(near[:, : thresholds.N_NEIGHBORS], codes) for near in (before, after)]
    sizes = np.bincount(codes, minlength=len(batch_names))
    score = max(found.score, numbers.score)
    assessed = lent.sizes[np.isfinite(numbers.loss)].sum() / max(len(codes), 1)
    return replace(
        found,
        score=score,
        flagged=score > 1.0,
        states=state_rows(lent, numbers, names, pools, genes),
        state_mixing=mean_mixing(lent, numbers),
        batches=tuple(
            BatchMixing(name=str(name), cells=int(n), before=float(b), after=float(a))
            for name, n, b, a in zip(batch_names, sizes, *mixing, strict=True)
            if n
        ),
        assessed_fraction=float(assessed),
    )


def _check(reference: Reference, after: Ints, before: Ints, expression: Expression | None) -> None:
    n = len(reference.codes)
    if len(after) != n or len(before) != n:
        raise DataError(
            f"The reference has {n} cells, the neighbours {len(after)} and {len(before)}; "
            "they must be the same cells."
        )
    if reference.has_genes and expression is None:
        raise DataError("Give the expression matrix that the reference was built from.")
