"""The label-free detector: transfer conflict or cross-batch gap.

Conflict: the cross-batch neighbours of a pre-cluster that, by the genes that tell this batch's own
clusters apart and after removing the shift between the batches, resemble another cluster of the
batch. Gap: how much its cross-batch neighbours together still differ from the pre-cluster, more
than those of the batch's other pre-clusters do.

Both were re-chosen on the choosing designs of benchmarks/diagnostics.py. Conflict is a fraction of
all neighbours and is compared with the uncorrected data, so no run at theta 0 is needed; gap is the
size of the differences rather than the number of genes, and the batch's median is taken off,
which is what a batch effect that differs between cell types leaves everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmony_core._typing import Ints
from harmony_core.detector.cluster_scores import (
    Contrast,
    Expression,
    lost_markers,
    score_partitions,
)
from harmony_core.detector.flagging import summarise
from harmony_core.detector.matched_mixing import matched_mixing
from harmony_core.detector.reference import EVIDENCE, Reference
from harmony_core.detector.results import Detection
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
    contrast = Contrast.of(reference, indices_after)
    scores = score_partitions(reference, indices_after, indices_before, contrast, expression)
    return summarise(
        reference,
        scores,
        matched_mixing(reference, indices_after),
        lost=lost_markers(reference, scores[EVIDENCE], contrast, expression),
        batch_names=batch_names,
        gene_names=gene_names,
        condition=condition,
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
