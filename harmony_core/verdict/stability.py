"""Does a verdict hold? The same settings with other seeds, compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harmony_core import thresholds
from harmony_core.params import RunParams
from harmony_core.verdict.evidence import Evidence
from harmony_core.verdict.verdict import Kind, Verdict


@dataclass(frozen=True, kw_only=True)
class StableRow:
    """One pre-cluster or label that some seed's verdict lists.

    Attributes
    ----------
    name, batch
        Of the pre-cluster or label; the batch in which it is worst, at the first seed listing it.
    seeds
        How many seeds list it.
    lowest, highest
        Its score over its limit among those seeds.
    """

    name: str
    batch: str
    seeds: int
    lowest: float
    highest: float


@dataclass(frozen=True, kw_only=True)
class Stability:
    """What several seeds agree on.

    Attributes
    ----------
    seeds
        How many runs were compared.
    kinds
        How many have each kind of verdict, the most frequent first.
    rows
        Everything listed as evidence, what most seeds list first.
    metrics
        Lowest and highest value of each number, by batch variable.
    """

    seeds: int
    kinds: tuple[tuple[Kind, int], ...]
    rows: tuple[StableRow, ...]
    metrics: Mapping[str, Mapping[str, tuple[float, float]]]


def with_seeds(params: RunParams) -> tuple[RunParams, ...]:
    """Return a run and the same run with the following seeds, `STABILITY_SEEDS` in all."""
    first = params.harmony.seed
    return tuple(
        replace(params, harmony=replace(params.harmony, seed=first + i))
        for i in range(thresholds.STABILITY_SEEDS)
    )


def compare(
    verdicts: Sequence[Verdict], metrics: Sequence[Mapping[str, Mapping[str, float | None]]]
) -> Stability:
    """Compare the verdicts and numbers of runs that differ in their seed only.

    Parameters
    ----------
    verdicts
        One a run.
    metrics
        One a run: batch variable → number → value.
    """
    scores: dict[tuple[object, ...], list[Evidence]] = {}
    for verdict in verdicts:
        for row in verdict.evidence:
            key = (row.kind, row.name, row.batch_variable, row.cluster)
            scores.setdefault(key, []).append(row)
    rows = [
        StableRow(
            name=found[0].name,
            batch=found[0].batch,
            seeds=len(found),
            lowest=min(row.score for row in found),
            highest=max(row.score for row in found),
        )
        for found in scores.values()
    ]
    return Stability(
        seeds=len(verdicts),
        kinds=tuple(Counter(verdict.kind for verdict in verdicts).most_common()),
        rows=tuple(sorted(rows, key=lambda row: (-row.seeds, -row.highest))),
        metrics=_ranges(metrics),
    )


def _ranges(
    metrics: Sequence[Mapping[str, Mapping[str, float | None]]],
) -> dict[str, dict[str, tuple[float, float]]]:
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for variable, numbers in metrics[0].items() if metrics else ():
        found[variable] = {}
        for name in numbers:
            values = [v for one in metrics if (v := one[variable].get(name)) is not None]
            if values:
                found[variable][name] = (min(values), max(values))
    return found
