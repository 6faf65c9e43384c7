"""The grid of settings that *Suggest* tries, and what decides about each run of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harmony_core.detector.results import LabelMixing
from harmony_core.params import HarmonyParams
from harmony_core.verdict.verdict import Kind, Mixing, nothing_to_correct

if TYPE_CHECKING:
    from harmony_core.verdict.assessment import Assessment

THETAS = (1.0, 2.0, 4.0, 8.0)
SIGMAS = (0.05, 0.1, 0.2)


def grid(settings: HarmonyParams) -> tuple[HarmonyParams, ...]:
    """Return the settings to try: every theta with every sigma, the rest unchanged.

    Every batch variable gets the same theta.
    """
    n = len(settings.batch)
    return tuple(
        replace(settings, theta=(theta,) * n, sigma=sigma, sigma_of=())
        for theta in THETAS
        for sigma in SIGMAS
    )


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A label or state that a run merged with another.

    Parameters
    ----------
    name, other
        What was merged, and with what; ``other`` is empty where unknown.
    amount
        Fraction of its neighbours that changed; ``None`` where only a conflict was seen.
    """

    name: str
    other: str = ""
    amount: float | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What decides whether a finished run may be suggested.

    Parameters
    ----------
    settings
        Of the run.
    kind
        Of its verdict.
    mixing
        Of the batch variable (or of their combination) that is mixed least.
    losses
        What it merged, the most first. Of a run that is not over-corrected they are finer than
        the labels, which decide.
    nothing_to_correct
        Whether the uncorrected data are mixed already, for every batch variable.
    """

    settings: HarmonyParams
    kind: Kind
    mixing: Mixing
    losses: tuple[Loss, ...] = ()
    nothing_to_correct: bool = False

    @property
    def costs_a_state(self) -> bool:
        return self.kind in ("over", "suspect")

    @property
    def is_right(self) -> bool:
        return self.kind in ("good", "null")

    @property
    def least_mixing(self) -> float:
        """Mixing of what is mixed least, to the percent that is written; 0 where unknown."""
        return mixing_rank(self.mixing)[0] / 100

    @property
    def gentleness(self) -> tuple[float, float]:
        """What is larger for a gentler run: less theta, then less sigma."""
        return -max(self.settings.theta), -self.settings.sigma


def mixing_rank(mixing: Mixing) -> tuple[int, int]:
    """Return mixing in percent, of what is mixed least and on average; 0 where unknown."""
    mean = mixing.mean if mixing.mean is not None else mixing.worst or 0.0
    worst = mixing.worst if mixing.worst is not None else mean
    return round(100 * worst), round(100 * mean)


def candidate_of(settings: HarmonyParams, assessment: Assessment) -> Candidate:
    """Return what *Suggest* needs to know of an assessed run."""
    names = list(assessment.detections)
    known = [mixing for mixing in assessment.mixing.values() if mixing != Mixing()]
    return Candidate(
        settings=settings,
        kind=assessment.verdict.kind,
        mixing=min(known, key=mixing_rank, default=Mixing()),
        losses=_losses(assessment),
        nothing_to_correct=all(_nothing_to_correct(assessment, n) for n in names),
    )


def _nothing_to_correct(assessment: Assessment, name: str) -> bool:
    before = assessment.before[name]
    return nothing_to_correct(
        assessment.detections[name],
        assessment.shared.get(name, LabelMixing()),
        before["ilisi_vs_null"],
        before["mcm"],
    )


def _losses(assessment: Assessment) -> tuple[Loss, ...]:
    """Return what the verdict's evidence says was merged, one row each, the most first."""
    states = [row for d in assessment.detections.values() for row in d.states]
    amounts = {("state", row.name): row.amount for row in states if row.outcome == "merged"}
    amounts |= {("label", row.name): row.loss for row in assessment.labels}
    losses = {
        (row.kind, row.name): Loss(
            name=row.name, other=row.merged_with, amount=amounts.get((row.kind, row.name))
        )
        for row in assessment.verdict.evidence
    }
    return tuple(sorted(losses.values(), key=lambda loss: -(loss.amount or 0.0)))
