"""How much of what differs between two settings is more than what differs between two seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.errors import HarmonyExplorerError, ParameterError
from harmony_core.method_catalog import METHODS
from harmony_core.methods.harmony_releases import as_release, release_of
from harmony_core.methods.integration.environment import installed
from harmony_core.metrics.movement import neighbors_replaced
from harmony_core.params import MethodParams, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.thresholds import N_NEIGHBORS
from harmony_core.verdict.stability import with_seeds
from harmony_core.verdict.verdict import KINDS
from harmony_core.verdict.wording import percent

_BRISC = METHODS["brisc"]

STAGES = ("neighbors_after", "assess")
"""What every run needs."""

BETWEEN_SEEDS = "Two seeds of these settings"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far one run lies from those of some settings with several seeds, or these among them.

    Attributes
    ----------
    name
        Of the run.
    replaced
        Fraction of a cell's nearest neighbours that are others, mean over the cells: the least, the
        mean and the most over the seeds.
    correlation
        Of each component, between the corrected embeddings, the least over components; its mean
        over the seeds. NaN where the two have no components in common.
    verdicts
        Headings of the verdicts, each once.
    """

    name: str
    replaced: tuple[float, float, float]
    correlation: float
    verdicts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Concordance:
    """Some settings with several seeds, and other runs beside them.

    Attributes
    ----------
    seeds
        How many.
    chance
        What differs between two of the seeds.
    others
        What differs between each other run and the seeds.
    """

    seeds: int
    chance: Difference
    others: tuple[Difference, ...]

    def beyond_chance(self, other: Difference) -> float:
        """Return the fraction of a run's mean difference that two seeds don't make, 0 to 1."""
        mean = other.replaced[1]
        return max(0.0, (mean - self.chance.replaced[1]) / mean) if mean > 0 else 0.0

    def is_beyond_chance(self, other: Difference) -> bool:
        """Return whether a run differs by more than any two of the seeds do."""
        return other.replaced[1] > self.chance.replaced[2]

    @property
    def table(self) -> pd.DataFrame:
        """What differs, as a table.

        Returns
        -------
        A row for the seeds among each other and each other run: ``what``, ``replaced``,
        ``least`` and ``most`` (fractions of neighbours), ``beyond_chance`` (fraction of
        ``replaced``), ``correlation`` and ``verdicts``.
        """
        return pd.DataFrame(
            {
                "what": one.name,
                "replaced": one.replaced[1],
                "least": one.replaced[0],
                "most": one.replaced[2],
                "beyond_chance": self.beyond_chance(one),
                "correlation": one.correlation,
                "verdicts": " or ".join(one.verdicts),
            }
            for one in (self.chance, *self.others)
        )

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What chance makes, and how much more each other run differs."""
        least, mean, most = map(percent, self.chance.replaced)
        start = (
            f"Between two of {self.seeds} seeds {mean} of each cell's {N_NEIGHBORS} nearest "
            f"neighbours are others ({least} to {most}): so much is chance."
        )
        return (start, *map(self._sentence, self.others))

    def _sentence(self, other: Difference) -> str:
        mean = percent(other.replaced[1])
        verdict = _verdict_in_words(self.chance, other)
        if not self.is_beyond_chance(other):
            return f"{other.name}: {mean}, no more than two seeds may differ by. {verdict}"
        more = percent(self.beyond_chance(other))
        return f"{other.name}: {mean}, of which {more} is more than two seeds make. {verdict}"


def seeds_and_releases(params: RunParams) -> tuple[tuple[RunParams, ...], dict[str, RunParams]]:
    """Return a run with several seeds, and the same settings as other releases of Harmony.

    Parameters
    ----------
    params
        Of a run by Harmony.

    Returns
    -------
    seeds, others
        The others by their name.
    """
    own = release_of(params.harmony)
    others = {
        f"As Harmony {name}": replace(params, harmony=as_release(params.harmony, name))
        for name in ("1", "2")
        if name != own
    }
    if installed(_BRISC) is not None and (run := by_brisc(params)) is not None:
        others[_BRISC.title] = run
    return with_seeds(params), others


def by_brisc(params: RunParams) -> RunParams | None:
    """Return a run of Harmony with the same settings by brisc; None where it does not take them.

    It has one theta, and a ridge penalty from ``alpha`` only.
    """
    h = params.harmony
    if len(h.batch) > 1 or h.lamb is not None or h.theta_of or h.lamb_of or h.sigma_of:
        return None
    settings = {"theta": h.theta[0], "sigma": h.sigma, "alpha": h.alpha, "tau": h.tau}
    settings |= {"max_iterations": h.max_iter, "seed": h.seed}
    try:
        method = MethodParams(name=_BRISC.name, settings=tuple(settings.items()))
    except ParameterError:
        return None
    return replace(params, method=method)


def concordance(seeds: Sequence[RunResults], others: Mapping[str, RunResults]) -> Concordance:
    """Compare finished runs.

    Parameters
    ----------
    seeds
        The same settings with different seeds, at least two, with `STAGES`.
    others
        Runs of the same cells, by their names, with `STAGES`.
    """
    pairs = [_distance(*pair) for pair in combinations(seeds, 2)]
    return Concordance(
        seeds=len(seeds),
        chance=_difference(BETWEEN_SEEDS, pairs, seeds),
        others=tuple(
            _difference(name, [_distance(seed, run) for seed in seeds], [run])
            for name, run in others.items()
        ),
    )


def computed_concordance(
    dataset: Dataset,
    params: RunParams,
    others: Mapping[str, RunParams] | None = None,
    before_each: Callable[[RunParams], Callable[[str, float], None]] | None = None,
) -> Concordance:
    """Compute what the store lacks of the runs, and compare them.

    Parameters
    ----------
    params
        Of a run by Harmony.
    others
        Runs of the same cells beside the releases, by their names.
    before_each
        Called with each run before it begins; what it returns hears of its progress.

    Raises
    ------
    ParameterError
        If the run is not by Harmony, which alone has seeds and releases.
    HarmonyExplorerError
        If the data can't be corrected so.
    """
    if not params.by_harmony:
        raise ParameterError("Seeds and releases are compared of a run by Harmony only.")
    seeds, beside = seeds_and_releases(params)
    wanted = {**beside, **(others or {})}
    listen = before_each or (lambda run: lambda stage, fraction: None)
    for run in (*seeds, *wanted.values()):
        try:
            Pipeline(dataset, run, listen(run)).run(*STAGES)
        except HarmonyExplorerError:
            if run.method is None:
                raise
            # Another program that does not run is left out; it is no part of what was asked.
            wanted = {name: each for name, each in wanted.items() if each != run}
    results = [RunResults(dataset, run) for run in seeds]
    return concordance(results, {n: RunResults(dataset, each) for n, each in wanted.items()})


def _difference(
    name: str, distances: Sequence[tuple[float, float]], runs: Sequence[RunResults]
) -> Difference:
    replaced, correlations = np.array(distances).T
    assessments = [run.assessment for run in runs]
    headings = [KINDS[one.verdict.kind].heading for one in assessments if one is not None]
    return Difference(
        name=name,
        replaced=(float(replaced.min()), float(replaced.mean()), float(replaced.max())),
        correlation=float(correlations.mean()),
        verdicts=tuple(dict.fromkeys(headings)),
    )


def _distance(one: RunResults, other: RunResults) -> tuple[float, float]:
    """Return the mean fraction of neighbours replaced, and the lowest correlation."""
    near = [run.stage("neighbors_after") for run in (one, other)]
    assert near[0] is not None
    assert near[1] is not None
    replaced = neighbors_replaced(near[0].arrays["indices"], near[1].arrays["indices"])
    return float(np.mean(replaced)), _lowest_correlation(
        one.embedding("after"), other.embedding("after")
    )


def _lowest_correlation(
    one: npt.NDArray[np.floating] | None, other: npt.NDArray[np.floating] | None
) -> float:
    if one is None or other is None or one.shape != other.shape:
        return float("nan")
    centred = [e - np.mean(e, axis=0, dtype=np.float64) for e in (one, other)]
    norms = np.prod([np.linalg.norm(e, axis=0) for e in centred], axis=0)
    products = (centred[0] * centred[1]).sum(axis=0)
    return float(np.min(products[norms > 0] / norms[norms > 0], initial=1.0))


def _verdict_in_words(chance: Difference, other: Difference) -> str:
    theirs = _listed(other.verdicts)
    if set(other.verdicts) <= set(chance.verdicts):
        return f"Its verdict is the same as with a seed: {theirs}."
    return f"Its verdict is another: {theirs}, with the seeds {_listed(chance.verdicts)}."


def _listed(headings: Sequence[str]) -> str:
    return " or ".join(f"“{heading.lower()}”" for heading in headings)
