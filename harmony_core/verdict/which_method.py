"""Is Harmony the right tool for these data? Runs of several methods, compared by their verdicts.

There is no second judge: a run is as right as its verdict says, of equals the one that mixes more
is better, and what a state lost is the number that the verdict was made from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from harmony_core import thresholds
from harmony_core.detector.results import StateRow
from harmony_core.params import HarmonyParams
from harmony_core.verdict.evidence import SURE
from harmony_core.verdict.grid import Candidate, Loss, candidate_of, mixing_rank

if TYPE_CHECKING:
    from harmony_core.verdict.assessment import Assessment

HARMONY = "Harmony"
"""What the method is called that all others are compared with."""

Answer = Literal["alone", "nothing", "unjudged", "best", "same", "other", "traded"]
"""One method only; nothing to correct; no run can be judged; the first method does best; none of
them does better than another; another does better; one keeps what another loses."""

Basis = Literal["labels", "marker labels", "states"]
"""What the verdicts rest on: known labels, labels made from marker genes, or states alone."""

_Grade = Literal["right", "under", "costly", "unjudged"]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One run of one method.

    Attributes
    ----------
    name
        What the run is called; no two have the same name.
    method
        What corrected it.
    candidate
        What *Suggest* would know of it.
    states
        What became of each label or, without labels, of each state.
    finer
        What became of each state, where labels decide.
    errors
        Standard error of a label's loss, by its name.
    conflict
        Of the pre-cluster that is worst; ``None`` where it was not measured.
    basis
        What its verdict rests on.
    seconds, memory
        What the correction alone took, in seconds and bytes; ``None`` where it was not measured.
    mixes_by_construction
        Whether its method mixes batches whatever the data, so that its mixing is not compared.
    """

    name: str
    method: str
    candidate: Candidate
    states: tuple[StateRow, ...] = ()
    finer: tuple[StateRow, ...] = ()
    errors: Mapping[str, float] = field(default_factory=dict)
    conflict: float | None = None
    basis: Basis = "states"
    seconds: float | None = None
    memory: float | None = None
    mixes_by_construction: bool = False

    @property
    def grade(self) -> _Grade:
        """Whether its verdict is right and, if not, in which way it is wrong."""
        if self.candidate.is_right:
            return "right"
        if self.candidate.costs_a_state:
            return "costly"
        return "under" if self.candidate.kind == "under" else "unjudged"

    @property
    def worst_state(self) -> StateRow | None:
        """The label or state that lost most of its neighbours; None where none was measured."""
        measured = [row for row in self.states if row.amount is not None]
        return max(measured, key=lambda row: row.amount or 0.0, default=None)

    @cached_property
    def by_state(self) -> dict[str, StateRow]:
        """What became of each label and state, by its name."""
        return {row.name: row for row in (*self.finer, *self.states)}

    @property
    def merged(self) -> tuple[Loss, ...]:
        """What the verdict says was merged, the most first; nothing of a run that it clears.

        Where it is labels, what is finer than they are is not told besides.
        """
        losses = self.candidate.losses if self.candidate.costs_a_state else ()
        known = {row.name for row in self.states}
        return tuple(loss for loss in losses if loss.name in known) or losses


def contender_of(
    name: str,
    method: str,
    settings: HarmonyParams,
    assessment: Assessment,
    *,
    labels_decide: bool = True,
    **more: Any,
) -> Contender:
    """Return an assessed run as the comparison takes it.

    Parameters
    ----------
    labels_decide
        Whether labels are the data's own.
    more
        Of `Contender`, what the assessment does not tell.
    """
    labels = [row for row in assessment.states if row.kind == "label"]
    states = [row for row in assessment.states if row.kind == "state"]
    detections = assessment.detections.values()
    basis: Basis = "states" if not labels else "labels" if labels_decide else "marker labels"
    return Contender(
        name=name,
        method=method,
        candidate=candidate_of(settings, assessment),
        states=tuple(labels or states),
        finer=tuple(states) if labels else (),
        errors={row.name: row.error for row in assessment.labels},
        conflict=max((d.conflict for d in detections if d.conflict is not None), default=None),
        basis=basis,
        **more,
    )


_ORDER: tuple[_Grade, ...] = ("costly", "unjudged", "under", "right")


def standing(one: Contender) -> tuple[int, float, tuple[int, int], tuple[float, float]]:
    """Return what is larger for a better run, by the rule that *Suggest* goes by.

    A right verdict goes before one that leaves batches apart, and this before one at which a state
    pays. Of right ones the better mixed is better, of costly ones that at which least is lost, and
    of equals the gentler. Mixing by construction counts as none.
    """
    cost = sum(loss.amount or 0.0 for loss in one.merged)
    candidate = one.candidate
    rank = (0, 0) if one.mixes_by_construction else mixing_rank(candidate.mixing)
    return _ORDER.index(one.grade), -cost, rank, candidate.gentleness


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How one run does beside another.

    Attributes
    ----------
    outcome
        Whether it is ``better`` or ``worse``, they do the ``same``, one keeps what the other loses
        (``traded``), or one can't be judged (``unknown``).
    keeps, loses
        States that it keeps and the other merged, and the other way round, by more than noise.
    mixing
        By how much it mixes more (or less, below 0) where that is more than noise, else 0.
    is_close
        Whether their verdicts differ though no number does by more than noise.
    """

    outcome: Literal["better", "worse", "same", "traded", "unknown"]
    keeps: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    mixing: float = 0.0
    is_close: bool = False


def difference(one: Contender, other: Contender) -> Difference:
    """Compare two runs of the same cells, with what is within noise taken for the same.

    Parameters
    ----------
    one, other
        Runs with the same preparation, batch variables and labels.
    """
    if "unjudged" in (one.grade, other.grade):
        return Difference(outcome="unknown")
    keeps, loses = advantages(one, other), advantages(other, one)
    mixing = mixing_difference(one, other)
    if keeps and loses:
        return Difference(outcome="traded", keeps=keeps, loses=loses, mixing=mixing)
    grades = _ORDER.index(one.grade) - _ORDER.index(other.grade)
    sign: float
    if keeps or loses:
        sign = 1 if keeps else -1
    elif _is_mixing_unknown(one, other) and "under" in (one.grade, other.grade):
        return Difference(outcome="unknown")
    elif "costly" in (one.grade, other.grade):
        # A limit lies between them, and no number does by more than noise but perhaps mixing.
        sign = grades if grades * mixing > 0 else 0
    else:
        sign = mixing
    outcome: Literal["better", "worse", "same"]
    outcome = "better" if sign > 0 else "worse" if sign < 0 else "same"
    return Difference(
        outcome=outcome,
        keeps=keeps,
        loses=loses,
        mixing=mixing,
        is_close=outcome == "same" and grades != 0,
    )


def advantages(one: Contender, other: Contender) -> tuple[str, ...]:
    """Return the states of which one run keeps more than the other, which merged them, worst first.

    Parameters
    ----------
    one, other
        The run that keeps them and the run whose verdict says that they were merged.

    Returns
    -------
    Names, of the states whose difference is more than noise.
    """
    return tuple(loss.name for loss in other.merged if _keeps(one, other, loss))


def _keeps(one: Contender, other: Contender, loss: Loss) -> bool:
    mine, theirs = one.by_state.get(loss.name), other.by_state.get(loss.name)
    if loss.amount is None or mine is None or theirs is None:
        # A pre-cluster in conflict: the number is that of the worst.
        return (other.conflict or 0.0) - (one.conflict or 0.0) > thresholds.METHODS_LOSS
    if mine.amount is None or theirs.amount is None:
        return False
    error = math.hypot(one.errors.get(loss.name, 0.0), other.errors.get(loss.name, 0.0))
    return theirs.amount - mine.amount > max(thresholds.METHODS_LOSS, SURE * error)


def mixing_difference(one: Contender, other: Contender) -> float:
    """Return by how much a run mixes more, of what is mixed least or else on average; 0 in noise.

    Returns
    -------
    -1 to 1; 0 where one of them mixes by construction.
    """
    if _is_mixing_unknown(one, other):
        return 0.0
    ranks = [mixing_rank(each.candidate.mixing) for each in (one, other)]
    differences = [mine - theirs for mine, theirs in zip(*ranks, strict=True)]
    return next((d / 100 for d in differences if abs(d) > 100 * thresholds.METHODS_MIXING), 0.0)


def _is_mixing_unknown(one: Contender, other: Contender) -> bool:
    return one.mixes_by_construction or other.mixes_by_construction


@dataclass(frozen=True, kw_only=True)
class MethodAnswer:
    """What the runs of several methods say.

    Attributes
    ----------
    answer
        What kind of answer it is.
    first
        The best run of Harmony or, without one, of the method that does best; ``None`` without
        runs.
    others
        The best run of each other method, each with how it does beside ``first``, the best first.
    tried
        How many runs of the first's method there are.
    """

    answer: Answer
    first: Contender | None = None
    others: tuple[tuple[Contender, Difference], ...] = ()
    tried: int = 1

    @property
    def best(self) -> Contender | None:
        """The run to use: of the best method, or the first where none is better."""
        better = [one for one, found in self.others if found.outcome == "better"]
        return better[0] if better else self.first

    @property
    def shown(self) -> tuple[Contender, ...]:
        """The best run of each method, ``first`` first."""
        return () if self.first is None else (self.first, *(one for one, _ in self.others))


def which_method(contenders: Sequence[Contender]) -> MethodAnswer:
    """Say which method suits the data, each at the best of its runs.

    Parameters
    ----------
    contenders
        Runs of the same cells, with the same preparation, batch variables and labels.
    """
    best: dict[str, Contender] = {}
    for one in sorted(contenders, key=standing):
        best[one.method] = one
    if not best:
        return MethodAnswer(answer="unjudged")
    ranked = sorted(best.values(), key=standing, reverse=True)
    first = best.get(HARMONY, ranked[0])
    others = [one for one in ranked if one is not first]
    pairs = tuple((one, difference(one, first)) for one in others)
    tried = sum(one.method == first.method for one in contenders)
    return MethodAnswer(answer=_answer(first, pairs), first=first, others=pairs, tried=tried)


def _answer(first: Contender, others: Sequence[tuple[Contender, Difference]]) -> Answer:
    if any(one.candidate.nothing_to_correct for one in (first, *(one for one, _ in others))):
        return "nothing"
    if not others:
        return "alone"
    outcomes = {found.outcome for _, found in others}
    for outcome, answer in _ANSWERS:
        if outcome in outcomes:
            return answer
    return "unjudged"


_ANSWERS: tuple[tuple[str, Answer], ...] = (
    ("better", "other"),
    ("traded", "traded"),
    ("worse", "best"),
    ("same", "same"),
)
"""What decides the answer, the strongest first."""
