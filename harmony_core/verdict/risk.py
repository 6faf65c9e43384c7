"""Risk: what a setting would do to a state that other batches lack, in numbers and in words.

Every state is taken out of the other batches in turn (`harmony_core.detector.absence`), so it tells
how far one may go before anything is merged. Light: pages read stored results with this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harmony_core import thresholds
from harmony_core.detector.results import StateRow
from harmony_core.params import RunParams
from harmony_core.verdict.wording import percent

THETAS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Of the map, beside the run's own."""

_ONE_PERCENT = 0.005
"""The least that is written as one percent: of nothing there is no most."""

_NAMED = 3
"""States that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class Risk:
    """What would become of one state or label at one setting if the other batches lacked it.

    Parameters
    ----------
    kind, name
        Of its row in the table of states.
    batch
        Batch, or pool of batches, whose cells were followed; of a label the one where it would
        fare worst.
    cells, absent
        Cells followed there, and cells taken out of the other batches.
    fraction
        Part of its nearest neighbours that would become other cells, 0 to 1; ``None`` where it
        can't be told.
    other
        What most of those would be.
    why
        Why it can't be told.
    """

    kind: Literal["label", "state"]
    name: str
    batch: str = ""
    cells: int = 0
    absent: int = 0
    fraction: float | None = None
    other: str = ""
    why: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Risk:
        """Rebuild from plain values; what else is stored beside them is left out."""
        return cls(**{k: v for k, v in values.items() if k in cls.__dataclass_fields__})


def rows_at_risk(states: Sequence[StateRow]) -> tuple[StateRow, ...]:
    """Return the rows of a state table whose risk is estimated: labels, where there are any.

    Parameters
    ----------
    states
        Of an `harmony_core.verdict.assessment.Assessment`.
    """
    labels = tuple(row for row in states if row.kind == "label")
    return labels or tuple(states)


def with_thetas(params: RunParams, thetas: Sequence[float] = THETAS) -> tuple[RunParams, ...]:
    """Return a run, and the same run at other values of theta, equal for all batch variables.

    Parameters
    ----------
    params
        The run, which comes first.
    thetas
        Others; the run's own is not repeated.
    """
    harmony = params.harmony
    others = (
        replace(params, harmony=replace(harmony, theta=(float(theta),) * len(harmony.batch)))
        for theta in thetas
    )
    return (params, *(run for run in others if run != params))


def theta_text(params: RunParams) -> str:
    """Return a run's theta: one number, or one for each batch variable where they differ."""
    theta = params.harmony.theta
    return ", ".join(f"{t:g}" for t in (theta if len(set(theta)) > 1 else theta[:1]))


def worst_risk(risks: Sequence[Risk]) -> Risk | None:
    """Return the largest risk; ``None`` where none could be estimated."""
    known = [risk for risk in risks if risk.fraction is not None]
    return max(known, key=lambda risk: risk.fraction or 0.0, default=None)


def risk_sentence(risk: Risk) -> str:
    """Say what a risk means.

    Parameters
    ----------
    risk
        One that could be estimated.
    """
    of_batch = f" of “{risk.batch}”" if risk.kind == "label" and risk.batch else ""
    any_lost = (risk.fraction or 0.0) >= _ONE_PERCENT
    others = f", most of them “{risk.other}”" if risk.other and any_lost else ""
    return (
        f"If “{risk.name}”{of_batch} were missing from the other batches, "
        f"{percent(risk.fraction or 0.0)} of its neighbours would become other cells at this "
        f"setting{others}."
    )


def reach_sentence(by_theta: Mapping[float, Sequence[Risk]]) -> str:
    """Say up to which theta no state would lose much.

    Parameters
    ----------
    by_theta
        Risks of all states at each theta that is complete.

    Returns
    -------
    A sentence; empty where nothing could be estimated.
    """
    worst = {t: risk for t in sorted(by_theta) if (risk := worst_risk(by_theta[t])) is not None}
    if not worst:
        return ""
    limit = f"{percent(thresholds.RISK_HIGH)} of its neighbours"
    too_far = [t for t, risk in worst.items() if (risk.fraction or 0.0) > thresholds.RISK_HIGH]
    if not too_far:
        return f"Up to theta {max(worst):g} no state would lose more than {limit} this way."
    first = worst[too_far[0]]
    lost = f"“{first.name}” would lose {percent(first.fraction or 0.0)}"
    below = [t for t in worst if t < too_far[0]]
    if not below:
        return f"Even at theta {too_far[0]:g}, the lowest tried, {lost} of its neighbours."
    return (
        f"Up to theta {below[-1]:g} no state would lose more than {limit} this way; at theta "
        f"{too_far[0]:g} {lost}."
    )


def missing_risk_sentence(risks: Sequence[Risk]) -> str:
    """Say which risks could not be estimated, and why; empty where all could."""
    missing: dict[str, list[str]] = {}
    for risk in risks:
        if risk.fraction is None:
            missing.setdefault(risk.why, []).append(f"“{risk.name}”")
    parts = [
        f"{', '.join(names[:_NAMED])}{_more(len(names) - _NAMED)} ({why})"
        for why, names in missing.items()
    ]
    return f"Their risk can't be told: {'; '.join(parts)}." if parts else ""


def sample_sentence(n_cells: int) -> str:
    """Say that the risk rests on a sample of the cells; empty where it rests on all."""
    if n_cells <= thresholds.RISK_CELLS:
        return ""
    return (
        f"Estimated on a random sample of {thresholds.RISK_CELLS:,} of the {n_cells:,} cells, "
        "drawn by the seed of the preparation."
    )


def _more(n: int) -> str:
    return f" and {n} more" if n > 0 else ""
