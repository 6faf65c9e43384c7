"""Computes the runs of several methods on the same cells; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harmony_core.errors import Cancelled, HarmonyExplorerError, ParameterError
from harmony_core.method_catalog import METHODS
from harmony_core.methods.integration.environment import installed
from harmony_core.params import MethodParams, RunParams
from harmony_core.runs.history import save_settings
from harmony_core.runs.method_comparison import MethodComparison, compare_runs
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset

OURS = "harmony"
"""Harmony among the names of methods."""

Settings = Mapping[str, Mapping[str, float]]
"""Of methods, by their names."""


def available() -> list[str]:
    """Return the methods that can run here, Harmony first."""
    return [OURS, *(name for name, method in METHODS.items() if installed(method) is not None)]


def method_runs(
    base: RunParams,
    methods: Sequence[str] | None = None,
    *,
    thetas: Sequence[float] = (),
    embeddings: Sequence[str] = (),
    settings: Settings | None = None,
) -> tuple[RunParams, ...]:
    """Return the runs that a comparison asks for.

    Parameters
    ----------
    base
        What all have in common, and Harmony's settings.
    methods
        Names of `METHODS`, and ``harmony``; by default those that can run here.
    thetas
        Harmony runs at each of them; by default at that of ``base``.
    embeddings
        Of the data, which other tools corrected.
    settings
        Of the methods; what is left out takes its default.

    Raises
    ------
    ParameterError
        If there is no such method, or no such setting of it.
    """
    names = available() if methods is None else list(dict.fromkeys(methods))
    settings = settings or {}
    for name in (*names, *settings):
        if name not in METHODS and name != OURS:
            raise ParameterError(
                f"There is no method {name!r} here; there are {', '.join([OURS, *METHODS])}."
            )
    for name in settings:
        if name not in names:
            raise ParameterError(f"There are settings of {name}, which is not among the methods.")
    runs: list[RunParams] = []
    for name in names:
        if name == OURS:
            runs += _ours(base, thetas, settings.get(OURS, {}))
        else:
            method = MethodParams(name=name, settings=tuple(settings.get(name, {}).items()))
            runs.append(replace(base, method=method))
    runs += [replace(base, precomputed=name) for name in embeddings]
    return tuple(dict.fromkeys(runs))


def _ours(
    base: RunParams, thetas: Sequence[float], changes: Mapping[str, float]
) -> list[RunParams]:
    values = {**base.harmony.to_dict(), **changes}
    kind = type(base.harmony)
    several = len(base.harmony.batch)
    tried = [{**values, "theta": [theta] * several} for theta in thetas] or [values]
    return [replace(base, harmony=kind.from_dict(each)) for each in tried]


def computed_comparison(
    dataset: Dataset,
    runs: Sequence[RunParams],
    before_each: Callable[[RunParams], Callable[[str, float], None]] | None = None,
    *,
    targets: Sequence[str] = ("assess",),
) -> MethodComparison:
    """Compute what the store lacks of some runs, and compare them.

    Parameters
    ----------
    runs
        With the same preparation, batch variables and labels.
    before_each
        Called with each run before it begins; what it returns hears of its progress.
    targets
        Stages to compute of each run; scIB scores an embedding, so graphs go without.

    Raises
    ------
    HarmonyExplorerError
        If the data can't be prepared or judged at all. A method that fails has a row that says why.
    """
    problems: dict[RunParams, str] = {}
    listen = before_each or (lambda params: lambda stage, fraction: None)
    for params in runs[:1]:
        shared = Pipeline(dataset, replace(params, method=None, precomputed=None), listen(params))
        shared.compute("prepare")
        shared.compute("reference")
    for params in runs:
        save_settings(dataset, params)  # so that a dashboard on the same store shows it
        pipeline = Pipeline(dataset, params, listen(params))
        try:
            pipeline.run(*_possible(params, targets))
        except Cancelled:
            raise
        except HarmonyExplorerError as error:
            problems[params] = str(error)
        except MemoryError:
            problems[params] = "There was not enough memory; use fewer cells or a larger machine."
    return compare_runs([RunResults(dataset, params) for params in runs], problems)


def _possible(params: RunParams, targets: Sequence[str]) -> list[str]:
    return [name for name in targets if not (params.gives_graph and name == "scib_after")]
