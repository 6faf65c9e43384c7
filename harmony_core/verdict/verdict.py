"""Decides what a run's numbers mean; `wording` writes the sentences.

Names of batches, labels and genes are put into sentences raw; whoever draws them escapes. Nothing
heavy is imported: pages load stored verdicts with this module.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harmony_core import thresholds
from harmony_core.detector.results import Detection, LabelMixing, LabelRow
from harmony_core.thresholds import Severity
from harmony_core.verdict.advice import Advice, RunFacts
from harmony_core.verdict.evidence import (
    Evidence,
    cluster_evidence,
    is_large,
    is_merged,
    label_evidence,
    state_evidence,
)
from harmony_core.verdict.run_outcome import run_sentences
from harmony_core.verdict.what_to_try import advice_for, joined
from harmony_core.verdict.wording import (
    condition_sentence,
    fallen_sentences,
    good_sentence,
    label_sentences,
    least_mixed_sentences,
    lost_sentences,
    mixing_sentence,
    nothing_sentence,
    suspect_sentences,
    under_sentences,
    unjudged_sentence,
)

Kind = Literal["over", "suspect", "under", "unjudged", "null", "good"]


@dataclass(frozen=True)
class KindFacts:
    """What each verdict of a kind has in common: its heading and its colour."""

    heading: str
    severity: Severity


KINDS: Mapping[Kind, KindFacts] = {
    "over": KindFacts("Over-corrected", "red"),
    "suspect": KindFacts("Possibly over-corrected", "amber"),
    "under": KindFacts("Under-corrected", "amber"),
    "unjudged": KindFacts("Can't be judged", "amber"),
    "null": KindFacts("Nothing to correct", "green"),
    "good": KindFacts("Looks right", "green"),
}
"""Every kind of verdict, the worst first."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a run's numbers mean.

    Parameters
    ----------
    severity
        Colour: red only where known labels prove over-correction; never green where nothing is
        left of a batch or label. Outside it is called ``level``.
    kind
        ``over``-corrected, ``suspect`` of it, ``under``-corrected, ``unjudged``, ``null``
        (nothing to correct) or ``good``.
    sentences
        What to say, most important first.
    evidence
        Rows behind it, worst first.
    advice
        What to try, in the order measured to help.
    """

    severity: Severity
    kind: Kind
    sentences: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    advice: tuple[Advice, ...] = ()

    @property
    def level(self) -> Severity:
        """The severity, by its name in reports."""
        return self.severity

    def with_warnings(self, warnings: Sequence[str]) -> Verdict:
        """Return the verdict with warnings of what was not looked at, which is never green."""
        unsaid = tuple(text for text in warnings if text not in self.sentences)
        if not warnings:
            return self
        severity: Severity = "amber" if self.severity == "green" else self.severity
        return dataclasses.replace(self, severity=severity, sentences=(*self.sentences, *unsaid))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = dataclasses.asdict(self)
        return {"level": values.pop("severity"), **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Rebuild from the values of ``to_dict``, also after JSON turned tuples into lists."""
        return cls(
            severity=values["level"],
            kind=values["kind"],
            sentences=tuple(values["sentences"]),
            evidence=tuple(
                Evidence(**{**row, "genes": tuple(row["genes"])}) for row in values["evidence"]
            ),
            advice=tuple(Advice(**row) for row in values["advice"]),
        )


def judge(
    detection: Detection,
    facts: RunFacts,
    *,
    batch_variable: str,
    labels: Sequence[LabelRow] = (),
    shared: LabelMixing | None = None,
    mixing_before: float | None = None,
    mcm_before: float | None = None,
    labels_decide: bool = True,
    shows_merging: bool = True,
) -> Verdict:
    """Judge one run for one batch variable.

    Parameters
    ----------
    detection
        The label-free numbers.
    facts
        What else is known of the run and its settings.
    batch_variable
        Name of the column.
    labels
        Known labels with their purity loss; empty without labels.
    shared
        Mixing of the labels that batches share; ``None`` without labels.
    mixing_before
        iLISI of the uncorrected data against its permuted expectation (0 to about 1); ``None``
        where it is not known.
    mcm_before
        Matched-cluster mixing of the uncorrected data; ``None`` likewise.
    labels_decide
        Whether the labels are the data's own. Labels made from marker genes say what they see
        beside the label-free numbers: they outvote none of those, and prove nothing.
    shows_merging
        Whether states that came together speak of over-correction. Of several batch variables they
        do only for the combination: within a batch of one variable, the batches of another make
        states of their own, which the correction is meant to bring together.

    Returns
    -------
    The verdict. It is red only if a label lost more purity than ``PURITY_LOSS_RED``. Where there
    are labels they decide; what is finer than they are changes the colour only if two measures
    find it.
    """
    shared = shared or LabelMixing()
    over = label_evidence(labels, batch_variable)
    suspects = [
        *state_evidence(detection, batch_variable),
        *cluster_evidence(detection, batch_variable),
    ]
    suspects = suspects if shows_merging else []
    nothing = nothing_to_correct(detection, shared, mixing_before, mcm_before)
    apart = apart_batches(detection, shared)
    under = not nothing and (bool(apart) or is_under(detection, shared))
    known = labels if labels_decide else ()
    kind = _kind(detection, known, over, suspects, nothing=nothing, under=under)

    sentences = label_sentences(labels, over, prove=labels_decide)
    sentences += suspect_sentences(suspects, known, over)
    sentences += lost_sentences(detection, suspects)
    if under:
        sentences += under_sentences(detection, labels, shared, apart, batch_variable)
    if kind == "unjudged":
        sentences.append(unjudged_sentence(detection, known, batch_variable))
    if nothing:
        sentences.append(nothing_sentence(batch_variable))
    sentences += fallen_sentences(detection, shared)
    if kind == "good":
        has_looked = known or shows_merging
        mixed = mixing_sentence(detection, shared)
        sentences.append(good_sentence(detection, known, shared) if has_looked else mixed)
    if not under and kind not in ("null", "unjudged"):
        sentences += least_mixed_sentences(detection, labels, shared)
    if detection.condition:
        sentences.append(condition_sentence(batch_variable, suspects))
    return Verdict(
        severity=KINDS[kind].severity,
        kind=kind,
        sentences=(*sentences, *run_sentences(facts, is_apart=kind == "under"), *detection.notes),
        evidence=(*over, *suspects),
        advice=advice_for(kind, facts, batch_variable, nothing_to_correct=nothing),
    )


def _kind(
    detection: Detection,
    labels: Sequence[LabelRow],
    over: Sequence[Evidence],
    suspects: Sequence[Evidence],
    *,
    nothing: bool,
    under: bool,
) -> Kind:
    if any(label.loss > thresholds.PURITY_LOSS_RED for label in labels if is_merged(label)):
        return "over"
    if over or (confirmed(suspects) if labels else suspects):
        return "suspect"
    if under:
        return "under"
    if nothing:
        return "null"
    if not (_has_enough_labels(labels) or _has_enough_states(detection)):
        return "unjudged"
    return "good"


def confirmed(suspects: Sequence[Evidence]) -> bool:
    """Whether a strong loss of a state and a conflict of pre-clusters confirm each other."""
    strong = thresholds.STRONG_LOSS / thresholds.STATE_LOSS
    return any(row.kind == "state" and row.score > strong for row in suspects) and any(
        row.kind == "pre-cluster" for row in suspects
    )


def nothing_to_correct(
    detection: Detection,
    shared: LabelMixing,
    mixing_before: float | None,
    mcm_before: float | None,
) -> bool:
    """Whether the batches are mixed before correction, as far as their composition allows.

    Never while a batch stands apart from the others, however few cells it has.
    """
    if any(batch.before < thresholds.NULL_WORST_BATCH for batch in detection.batches):
        return False
    if shared.before is not None and shared.worst_before is not None:
        mixed = shared.before >= thresholds.NULL_MCM
        return mixed and shared.worst_before >= thresholds.NULL_WORST_BATCH
    if mcm_before is not None:
        return mcm_before >= thresholds.NULL_MCM
    return mixing_before is not None and mixing_before >= thresholds.NULL_MIXING


def apart_batches(detection: Detection, shared: LabelMixing) -> tuple[str, ...]:
    """Return the batches that lie wholly apart from all others after correction."""
    apart = [b.name for b in detection.batches if b.after < thresholds.APART]
    worst = shared.worst_after
    if worst is not None and worst < thresholds.APART and shared.worst_batch not in apart:
        apart.append(shared.worst_batch)
    return tuple(apart)


def is_under(detection: Detection, shared: LabelMixing) -> bool:
    """Whether the cells that should have come together did not.

    Labels that batches share are asked where there are any; matching states and pre-clusters
    otherwise, from the worse side as well as on average.
    """
    mixing = mixing_of(detection, shared)
    low = mixing.mean is not None and mixing.mean < thresholds.MCM_LOW
    worse = mixing.worst is not None and mixing.worst < thresholds.STATE_APART
    return low or worse


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """How far a run mixed what should mix, 1 being as far as sizes allow.

    Parameters
    ----------
    worst, mean
        Of the least mixed batch (of matching states from the worse side, without labels), and on
        average; ``None`` where there is nothing to compare.
    batch
        The least mixed batch; empty without labels.
    """

    worst: float | None = None
    mean: float | None = None
    batch: str = ""


def mixing_of(detection: Detection, shared: LabelMixing) -> Mixing:
    """Return the mixing that under-correction is read from: of shared labels, or else of states."""
    if shared.after is not None:
        return Mixing(worst=shared.worst_after, mean=shared.after, batch=shared.worst_batch)
    return Mixing(worst=detection.state_mixing, mean=detection.mcm)


def _has_enough_labels(labels: Sequence[LabelRow]) -> bool:
    """Whether enough of the labelled cells have a label large enough for a verdict."""
    judged = sum(label.cells for label in labels if is_large(label))
    return judged > 0 and judged >= thresholds.LEAST_ASSESSED * sum(x.cells for x in labels)


def _has_enough_states(detection: Detection) -> bool:
    """Whether enough of the data could be looked at for a verdict without labels."""
    matched = detection.mcm is not None or detection.state_mixing is not None
    return matched and detection.assessed_fraction >= thresholds.LEAST_ASSESSED


def combine(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Join the verdicts of several batch variables (or of their combination) into one.

    Parameters
    ----------
    verdicts
        By name of the batch variable.

    Returns
    -------
    The worst severity and kind, all sentences (each with its variable, where there are several),
    all evidence, and advice that does not contradict itself; the worst variable comes first. There
    is nothing to correct only if this is so for all variables.
    """
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    worst_first = [*(kind for kind in KINDS if kind != "null"), "null"]
    ordered = sorted(verdicts.items(), key=lambda item: worst_first.index(item[1].kind))
    worst = ordered[0][1]
    # What is said of every variable alike is about the run, so no variable is named with it.
    of_run = [s for s in worst.sentences if all(s in v.sentences for v in verdicts.values())]
    sentences = [
        f"{name}: {sentence}"
        for name, verdict in ordered
        for sentence in verdict.sentences
        if sentence not in of_run
    ]
    return Verdict(
        severity=worst.severity,
        kind=worst.kind,
        sentences=(*sentences, *of_run),
        evidence=tuple(row for _, verdict in ordered for row in verdict.evidence),
        advice=joined([(verdict.kind, verdict.advice) for _, verdict in ordered]),
    )
