"""The sentences of a verdict.

Names of batches, labels and genes are put in raw; whoever draws the sentences escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmony_core import thresholds
from harmony_core.counting import counted
from harmony_core.detector.results import Detection, LabelMixing, LabelRow
from harmony_core.verdict.evidence import Evidence

_NAMED = 3
"""Batches or labels that a sentence names."""


def label_sentences(
    labels: Sequence[LabelRow], over: Sequence[Evidence], *, prove: bool
) -> list[str]:
    """Say what became of each label that lost purity, and whether that proves it."""
    loss = {label.name: label.loss for label in labels}
    sentences = []
    for row in over:
        sure = prove and loss[row.name] > thresholds.PURITY_LOSS_RED
        partner = f" with “{row.merged_with}”" if row.merged_with else " with other labels"
        where = f" (most in batch “{row.batch}”)" if row.batch else ""
        sentences.append(
            f"Over-corrected: “{row.name}” was mixed{partner}{where}; "
            if sure
            else f"“{row.name}” may have been mixed{partner}{where}; "
        )
        sentences[-1] += (
            f"{percent(loss[row.name])} of its nearest neighbours changed to another label."
        )
    return sentences


def suspect_sentences(
    suspects: Sequence[Evidence], labels: Sequence[LabelRow], over: Sequence[Evidence]
) -> list[str]:
    """Say what is suspected without labels, and what that can't tell apart."""
    if not suspects:
        return []
    worst = suspects[0]
    partner = f" among {worst.merged_with}" if worst.merged_with else " among other cells"
    if worst.kind == "state" and worst.merged_with:
        partner = f" among cells that resemble {worst.merged_with}"
    genes = f": look at {', '.join(worst.genes)}" if worst.genes else ""
    sentences = [
        f"{worst.name} now lies{partner}, and the two still differ. Either two states were "
        f"merged, or the batch effect differs by cell type{genes}."
    ]
    if len(suspects) > 1:
        sentences.append(f"The same holds for {len(suspects) - 1} more, listed as evidence.")
    if labels and not over:
        sentences.append(
            "This is finer than your labels, which do not show it; look at the genes before you "
            "decide."
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


def under_sentences(
    detection: Detection,
    labels: Sequence[LabelRow],
    shared: LabelMixing,
    apart: Sequence[str],
    batch_variable: str,
) -> list[str]:
    """Say what stayed apart: batches, labels or states, and how far."""
    found = []
    if apart:
        found.append(_apart_sentence(apart, batch_variable))
    if shared.after is not None:
        found.append(
            f"{_start(found)}cells of the labels that batches share reach "
            f"{percent(shared.after)} of the mixing that their sizes allow; least mixed is "
            f"“{shared.worst_batch}” ({percent(shared.worst_after or 0.0)})."
        )
        found += least_mixed_sentences(detection, labels, shared)
    elif detection.mcm is not None:
        text = (
            f"{_start(found)}clusters that match between the batches of “{batch_variable}” reach "
            f"{percent(detection.mcm)} of the mixing that their sizes allow"
        )
        if detection.matched:
            worst = detection.matched[0]
            text += f"; furthest apart are {worst.name} and {worst.partner}"
        found.append(text + ".")
    elif detection.state_mixing is not None:
        found.append(
            f"{_start(found)}states that match between the batches of “{batch_variable}” reach "
            f"{percent(detection.state_mixing)} of the mixing that their sizes allow."
        )
    return found


def least_mixed_sentences(
    detection: Detection, labels: Sequence[LabelRow], shared: LabelMixing
) -> list[str]:
    """Name the types that stay apart or mix less than half, though all in all batches may mix.

    Labels that batches share are asked where there are any; states that match otherwise.
    """
    if shared.after is not None:
        known = [(row.least_mixing, row) for row in labels if row.least_mixing is not None]
        low = sorted((x for x in known if x[0] < thresholds.MCM_LOW), key=lambda x: x[0])
        return [
            f"“{row.name}” {_how_apart(mixing)} in “{row.least_mixed}” ({percent(mixing)} mixed)."
            for mixing, row in low[:_NAMED]
        ]
    states = [row for row in detection.states if row.outcome in ("apart", "partly") and row.other]
    return [
        f"{row.name} {_how_apart(row.mixing or 0.0)} ({percent(row.mixing or 0.0)} mixed with its "
        f"match, {row.other})."
        for row in states[:1]
    ]


def _how_apart(mixing: float) -> str:
    return "stays apart" if mixing < thresholds.STATE_APART else "mixes less than half"


def _apart_sentence(apart: Sequence[str], batch_variable: str) -> str:
    """Name the batches that no other batch mixes with."""
    names = ", ".join(f"“{name}”" for name in apart[:_NAMED])
    if len(apart) == 1:
        return (
            f"Under-corrected: {names} of “{batch_variable}” lies apart from all other batches. "
            "Either it shares no cell type with them, or the correction did not reach it."
        )
    more = f" and {len(apart) - _NAMED} more" if len(apart) > _NAMED else ""
    return (
        f"Under-corrected: {names}{more} of “{batch_variable}” each lie apart from all other "
        "batches. Either they share no cell type with others, or the correction did not reach them."
    )


def _start(found: Sequence[str]) -> str:
    return "All in all, " if found else "Under-corrected: "


def unjudged_sentence(detection: Detection, labels: Sequence[LabelRow], batch_variable: str) -> str:
    """Say that nothing can be said, and why."""
    lacking = (
        f"too few labels have {thresholds.N_NEIGHBORS} cells" if labels else "there are no labels"
    )
    text = f"Whether “{batch_variable}” was corrected too far or not far enough can't be judged: "
    if detection.mcm is None and detection.state_mixing is None:
        return text + f"{_unmatched(detection)}, and {lacking}."
    return text + (
        f"only {percent(detection.assessed_fraction)} of the cells are in states large enough to "
        f"look at, and {lacking}."
    )


def _unmatched(detection: Detection) -> str:
    """Say that no clusters match, and whether the batches are mixed all the same."""
    text = "no cluster of one batch could be matched with one of another"
    if not detection.batches:
        return text
    least = min(detection.batches, key=lambda batch: batch.after)
    if least.after < thresholds.MCM_LOW:
        return text
    smallest = min(detection.batches, key=lambda batch: batch.cells)
    return (
        f"{text}, though the batches lie among each other (the smallest, “{smallest.name}”, has "
        f"{counted(smallest.cells, 'cell')})"
    )


def fallen_sentences(detection: Detection, shared: LabelMixing) -> list[str]:
    """Say which batches a correction moved apart."""
    if shared.before is not None and shared.after is not None:
        if shared.before - shared.after <= thresholds.MIXING_FALLEN:
            return []
        return [
            f"Mixing of shared labels fell from {percent(shared.before)} to "
            f"{percent(shared.after)}: this correction moved batches apart."
        ]
    fallen = [b for b in detection.batches if b.before - b.after > thresholds.MIXING_FALLEN]
    return [
        f"Mixing of “{b.name}” fell from {percent(b.before)} to {percent(b.after)}: this "
        "correction moved it away from the others."
        for b in fallen[:1]
    ]


def nothing_sentence(batch_variable: str) -> str:
    """Say that the batches were mixed before any correction."""
    return (
        "There is nothing to correct: before any correction, the batches of "
        f"“{batch_variable}” are already mixed as if batch were drawn by lot. Use the "
        "uncorrected data."
    )


def good_sentence(detection: Detection, labels: Sequence[LabelRow], shared: LabelMixing) -> str:
    """Say that nothing was found, and how much this check misses."""
    mixing = mixing_sentence(detection, shared)
    if labels:
        return f"No label lost its neighbours to another, so nothing was over-corrected. {mixing}"
    return (
        f"No sign of over-correction found. {mixing} This rests on "
        f"{percent(detection.assessed_fraction)} of the cells. Without labels this check misses "
        f"about {percent(thresholds.MISS_RATE_REAL)} of over-corrected runs on real cells."
    )


def mixing_sentence(detection: Detection, shared: LabelMixing) -> str:
    """Say how far batches mixed where they should."""
    reached = shared.after if shared.after is not None else detection.mcm
    what = "Shared labels" if shared.after is not None else "Matching clusters"
    if reached is None:
        return "How well matching clusters mixed can't be said: none match between batches."
    how = "well mixed" if reached >= thresholds.MCM_GOOD else "partly mixed"
    return f"{what} are {how} ({percent(reached)})."


def condition_sentence(batch_variable: str, suspects: Sequence[Evidence]) -> str:
    """Say what aligning a condition costs."""
    text = (
        f"“{batch_variable}” is a condition, so aligning it is a choice: what its levels do to "
        "cells disappears from the corrected embedding. Compare them on the uncorrected expression"
    )
    genes = suspects[0].genes if suspects else ()
    return text + (f", for example {', '.join(genes[:3])}." if genes else ".")


def percent(fraction: float) -> str:
    """Return a fraction in whole percent, as every sentence about a run writes it."""
    return f"{100 * fraction:.0f} %"
