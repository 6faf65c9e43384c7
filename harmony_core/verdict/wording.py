"""The sentences of a verdict.

Names of batches, labels and genes are put in raw; whoever draws the sentences escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmony_core import thresholds
from harmony_core.detector.results import Detection, LabelRow
from harmony_core.verdict.evidence import Evidence


def label_sentences(labels: Sequence[LabelRow], over: Sequence[Evidence]) -> list[str]:
    """Say what became of each label that lost purity."""
    loss = {label.name: label.loss for label in labels}
    sentences = []
    for row in over:
        sure = loss[row.name] > thresholds.PURITY_LOSS_RED
        partner = f" with “{row.merged_with}”" if row.merged_with else " with other labels"
        where = f" (most in batch “{row.batch}”)" if row.batch else ""
        sentences.append(
            f"Over-corrected: “{row.name}” was mixed{partner}{where}; "
            if sure
            else f"“{row.name}” may have been mixed{partner}{where}; "
        )
        sentences[-1] += (
            f"{_percent(loss[row.name])} of its nearest neighbours changed to another label."
        )
    return sentences


def cluster_sentences(
    suspects: Sequence[Evidence], labels: Sequence[LabelRow], over: Sequence[Evidence]
) -> list[str]:
    """Say what the label-free detector suspects, and what it can't tell apart."""
    if not suspects:
        return []
    worst = suspects[0]
    partner = f" among {worst.merged_with}" if worst.merged_with else " among other cells"
    genes = f": look at {', '.join(worst.genes)}" if worst.genes else ""
    sentences = [
        f"{worst.name} now lies{partner}, and the two still differ. Either two states were "
        f"merged, or the batch effect differs by cell type{genes}."
    ]
    if len(suspects) > 1:
        sentences.append(f"The same holds for {len(suspects) - 1} more, listed as evidence.")
    if labels and not over:
        sentences.append(
            "The labels given do not show it; they may be coarser than what was merged."
        )
    return sentences


def lost_sentences(detection: Detection, suspects: Sequence[Evidence]) -> list[str]:
    """Say which markers the new neighbours of the worst suspect lack, if they are many."""
    flagged = suspects[0].cluster if suspects else None
    for row in detection.clusters:
        lost = row.lost or 0.0
        if row.cluster == flagged and lost > thresholds.LOST_MARKERS and row.lost_genes:
            return [f"Its new neighbours lack markers of it: {', '.join(row.lost_genes)}."]
    return []


def under_sentence(detection: Detection, batch_variable: str) -> str:
    """Say how far matching clusters stayed apart, and name the farthest."""
    text = (
        f"Under-corrected: clusters that match between the batches of “{batch_variable}” reach "
        f"{_percent(detection.mcm or 0.0)} of the mixing that their sizes allow"
    )
    if detection.matched:
        worst = detection.matched[0]
        text += f"; furthest apart are {worst.name} and {worst.partner}"
    return text + "."


def unjudged_sentence(batch_variable: str) -> str:
    """Say that nothing can be said, and why."""
    return (
        f"Whether “{batch_variable}” was corrected too far or not far enough can't be judged: "
        "no cluster of one batch has a counterpart in another, and there are no labels."
    )


def nothing_sentence(batch_variable: str) -> str:
    """Say that the batches were mixed before any correction."""
    return (
        "There is nothing to correct: before any correction, the batches of "
        f"“{batch_variable}” are already mixed as if batch were drawn by lot. Use the "
        "uncorrected data."
    )


def good_sentence(detection: Detection, labels: Sequence[LabelRow]) -> str:
    """Say that nothing was found, and how much this check misses."""
    if detection.mcm is None:
        mixing = "How well matching clusters mixed can't be said: none match between batches."
    else:
        how = "well mixed" if detection.mcm >= thresholds.MCM_GOOD else "partly mixed"
        mixing = f"Matching clusters are {how} ({_percent(detection.mcm)})."
    if labels:
        return f"No label lost its neighbours to another, so nothing was over-corrected. {mixing}"
    return (
        f"No sign of over-correction found. {mixing} Without labels this check misses about "
        f"{_percent(thresholds.MISS_RATE_REAL)} of over-corrected runs on real cells."
    )


def condition_sentence(batch_variable: str, suspects: Sequence[Evidence]) -> str:
    """Say what aligning a condition costs."""
    text = (
        f"“{batch_variable}” is a condition, so aligning it is a choice: what its levels do to "
        "cells disappears from the corrected embedding. Compare them on the uncorrected expression"
    )
    genes = suspects[0].genes if suspects else ()
    return text + (f", for example {', '.join(genes[:3])}." if genes else ".")


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"
