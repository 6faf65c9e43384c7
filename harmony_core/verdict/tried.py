"""What became of a run when a piece of advice was tried on the same data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harmony_core.params import RunParams
from harmony_core.verdict.advice import Advice
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.verdict import KINDS, Mixing, Verdict
from harmony_core.verdict.wording import percent


def with_changes(params: RunParams, advice: Advice) -> RunParams:
    """Return a run's settings with those of a piece of advice in their place."""
    changes = {k: tuple(v) if isinstance(v, list) else v for k, v in advice.changes.items()}
    group: Any = getattr(params, advice.group)
    groups: dict[str, Any] = {advice.group: replace(group, **changes)}
    return replace(params, **groups)


def is_worse(now: Verdict, tried: Verdict) -> bool:
    """Whether advice led to a verdict worse than that of the run that it is about."""
    ranks = list(KINDS)
    return KINDS[tried.kind].severity != "green" and ranks.index(tried.kind) < ranks.index(now.kind)


def outcome(now: Assessment, tried: Assessment | None) -> str:
    """Say what a piece of advice did to these data.

    Parameters
    ----------
    now
        Of the run that the advice is about.
    tried
        Of the run with its changes; ``None`` where it was not tried.

    Returns
    -------
    A sentence with names of the data in it, raw.
    """
    if tried is None:
        return "Not tried on your data yet."
    parts = [f"Tried on your data: {KINDS[tried.verdict.kind].heading.lower()}"]
    for variable, mixing in tried.mixing.items():
        of = f" of {variable}" if len(tried.mixing) > 1 else ""
        parts += _change(f"mixing{of}", now.mixing.get(variable, Mixing()), mixing)
    if tried.verdict.kind in ("over", "suspect") and tried.verdict.evidence:
        parts.append(f"worst: {tried.verdict.evidence[0].name}")
    if is_worse(now.verdict, tried.verdict):
        parts.append("worse than now, so better not")
    return ", ".join(parts) + "."


def _change(what: str, now: Mixing, tried: Mixing) -> list[str]:
    """Say how far batches were mixed and are; nothing where there is nothing to compare."""
    pairs = {what: (now.mean, tried.mean), "least mixed": (now.worst, tried.worst)}
    return [
        f"{name} {percent(before)} → {percent(after)}"
        for name, (before, after) in pairs.items()
        if before is not None and after is not None
    ]
