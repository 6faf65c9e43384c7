"""The runs of a dataset that were computed: which there are, how they differ, how they did.

Light on purpose: it reads settings and judgements from the store, for pages, tables and exports.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmony_core.errors import InputError
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, write_json
from harmony_core.verdict.suggest import Candidate

LONGEST_LABEL = 60

ALWAYS = ("harmony.theta", "harmony.sigma")
"""Settings that are told of a run even where all runs share them."""


def note(dataset: Dataset, params: RunParams) -> None:
    """Keep the settings of a run beside its progress, once; its place in the list is by time.

    On a full disk nothing is kept: the run itself then says so.
    """
    path = dataset.run_folder(Plan(dataset, params).run) / "params.json"
    if not path.is_file():
        with contextlib.suppress(OSError):
            write_json(path, params.to_dict())


def kept_runs(dataset: Dataset) -> list[RunParams]:
    """Return the settings of every run whose verdict the store has, newest first.

    A run that *Suggest* computed has a verdict but no pictures yet; `RunResults.is_finished` tells.
    """
    noted = []
    for path in (dataset.folder / "runs").glob("*/params.json"):
        # What can't be read, or was written by another version, is no run of ours.
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, InputError):
            params = RunParams.from_dict(json.loads(path.read_text("utf-8")))
            plan = Plan(dataset, params)
            if plan.run == path.parent.name and plan.has("assess"):
                noted.append((path.stat().st_mtime_ns, params))
    return [params for _, params in sorted(noted, key=lambda found: -found[0])]


def comparable(dataset: Dataset, params: RunParams) -> list[RunParams]:
    """Return the kept runs with the same preparation, batch variables and label, newest first."""
    return [
        run
        for run in kept_runs(dataset)
        if run.prepare == params.prepare
        and run.harmony.batch == params.harmony.batch
        and (run.label, run.condition) == (params.label, params.condition)
    ]


@dataclass(frozen=True)
class Label:
    """What a user has written on a run."""

    name: str = ""
    pinned: bool = False


def label_of(dataset: Dataset, params: RunParams) -> Label:
    """Return what is written on a run; an empty label where nothing is."""
    try:
        values = json.loads(_label_path(dataset, params).read_text("utf-8"))
        return Label(str(values["name"]), bool(values["pinned"]))
    except (OSError, ValueError, TypeError, KeyError):
        return Label()


def set_label(dataset: Dataset, params: RunParams, label: Label) -> None:
    """Write on a run; its name is put on one line and cut to `LONGEST_LABEL`."""
    name = " ".join(label.name.split())[:LONGEST_LABEL]
    write_json(_label_path(dataset, params), {"name": name, "pinned": label.pinned})


def _label_path(dataset: Dataset, params: RunParams) -> Path:
    return dataset.run_folder(Plan(dataset, params).run) / "label.json"


def differing(runs: Iterable[RunParams]) -> list[str]:
    """Return the settings, as ``group.name``, that are not the same in all of these runs."""
    found = [flat(params) for params in runs]
    names = list(found[0]) if found else []
    return [name for name in names if any(one[name] != found[0][name] for one in found)]


def flat(params: RunParams) -> dict[str, Any]:
    """Return all settings of a run as plain values by ``group.name``."""
    found: dict[str, Any] = {}
    for group, values in params.to_dict().items():
        if isinstance(values, dict):
            found |= {f"{group}.{name}": value for name, value in values.items()}
        else:
            found[group] = values
    return found


def settings(params: RunParams, names: Sequence[str]) -> dict[str, Any]:
    """Return some settings of a run by their names as `differing` gives them.

    Harmony's are None where another tool made the correction.
    """
    every = flat(params)
    if params.precomputed is not None:
        every |= {name: None for name in every if name.startswith("harmony.")}
    return {name: every[name] for name in names}


def side_names(params: RunParams) -> tuple[str, str]:
    """Return what the pictures before and after a run's correction are called.

    Examples
    --------
    >>> from harmony_core.params import HarmonyParams
    >>> side_names(RunParams(harmony=HarmonyParams(batch=("donor",))))
    ('Before Harmony', 'After Harmony')
    >>> side_names(RunParams(harmony=HarmonyParams(batch=("donor",)), precomputed="X_scVI"))
    ('Before correction', 'X_scVI, by another tool')
    """
    if params.precomputed is None:
        return "Before Harmony", "After Harmony"
    return "Before correction", f"{params.precomputed}, by another tool"


def in_words(params: RunParams, names: Sequence[str] = ()) -> str:
    """Return a run's theta, sigma and some other settings as a person writes them.

    Of an embedding that was given, its name takes the place of Harmony's settings.

    Parameters
    ----------
    names
        Settings to tell beside theta and sigma, as `differing` gives them.

    Examples
    --------
    >>> from harmony_core.params import HarmonyParams
    >>> in_words(RunParams(harmony=HarmonyParams(batch=("donor",))), ["layout.spread"])
    'theta 2, sigma 0.1, spread 1'
    """
    chosen = dict.fromkeys([*ALWAYS, *names])
    told = {k: v for k, v in settings(params, list(chosen)).items() if k != "given"}
    start = []
    if params.precomputed is not None:
        start = [side_names(params)[1]]
        told = {k: v for k, v in told.items() if not k.startswith("harmony.")}
    words = (f"{name.rpartition('.')[2]} {_in_words(value)}" for name, value in told.items())
    return ", ".join([*start, *words])


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return "/".join(map(_in_words, value))
    if value is None:
        return "automatic"
    return f"{value:g}" if isinstance(value, float) else str(value)


def summary(results: RunResults, names: Sequence[str] = ()) -> dict[str, Any] | None:
    """Summarise a judged run; None if it is not judged.

    Parameters
    ----------
    results
        The run.
    names
        Settings to tell, as `differing` gives them.

    Returns
    -------
    ``run`` (its name), ``settings``, ``metrics`` (after correction: batch variable → number →
    value), ``level`` and ``kind`` of the verdict, ``complete`` (whether pictures, clusters and
    markers are there as well).
    """
    found = results.assessment
    if found is None:
        return None
    return {
        "run": results.plan.run,
        "settings": settings(results.params, names),
        "metrics": found["metrics"]["after"],
        "level": found["verdict"]["level"],
        "kind": found["verdict"]["kind"],
        "complete": results.is_finished,
    }


def candidate(results: RunResults) -> Candidate | None:
    """Return what *Suggest* needs to know of a run; None if it is not judged.

    With several batch variables each number is that of the variable (or of their combination)
    that speaks most against the run.
    """
    found = results.assessment
    if found is None:
        return None
    after = found["metrics"]["after"].values()
    judged = [d for d in found["detections"].values() if d["conflict"] is not None]
    return Candidate(
        settings=results.params.harmony,
        mcm=min(_known(after, "mcm"), default=None),
        score=max((d["score"] for d in judged), default=None),
        purity_loss=max(_known(after, "worst_label_purity_loss"), default=None),
    )


def _known(metrics: Iterable[Mapping[str, float | None]], name: str) -> list[float]:
    values = [of_variable.get(name) for of_variable in metrics]
    return [value for value in values if value is not None]
