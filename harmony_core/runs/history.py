"""The runs of a dataset that were computed: which there are, how they differ, how they did.

Light on purpose: it reads settings and judgements from the store, for pages, tables and exports.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harmony_core import of_batch
from harmony_core.errors import InputError
from harmony_core.params import RunParams
from harmony_core.runs.notes import notes_on_run
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, write_json
from harmony_core.verdict.grid import Candidate, candidate_of
from harmony_core.verdict.suggest import Suggestion, suggest

LONGEST_NAME = 60

MAIN_SETTINGS = ("harmony.theta", "harmony.sigma")
"""Settings that are written of a run even where all runs share them."""


def save_settings(dataset: Dataset, params: RunParams) -> None:
    """Save the settings of a run beside its progress, once; its place in the list is by time.

    On a full disk nothing is saved: the run itself then says so.
    """
    path = dataset.run_folder(Plan(dataset, params).run) / "params.json"
    if not path.is_file():
        with contextlib.suppress(OSError):
            write_json(path, params.to_dict())


def assessed_runs(dataset: Dataset) -> list[RunParams]:
    """Return the settings of every run whose verdict the store has, newest first.

    A run that *Suggest* computed has a verdict but no pictures yet; `RunResults.is_finished` tells.
    """
    saved = []
    for path in (dataset.folder / "runs").glob("*/params.json"):
        # What can't be read, or was written by another version, is no run of ours.
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, InputError):
            params = RunParams.from_dict(json.loads(path.read_text("utf-8")))
            plan = Plan(dataset, params)
            if plan.run == path.parent.name and plan.has("assess"):
                saved.append((path.stat().st_mtime_ns, params))
    return [params for _, params in sorted(saved, key=lambda run: -run[0])]


def comparable_runs(dataset: Dataset, params: RunParams) -> list[RunParams]:
    """Return assessed runs of the same preparation, batch variables and label, newest first."""
    return [
        run
        for run in assessed_runs(dataset)
        if run.prepare == params.prepare
        and run.harmony.batch == params.harmony.batch
        and (run.label, run.panel, run.condition) == (params.label, params.panel, params.condition)
    ]


@dataclass(frozen=True)
class RunTag:
    """What a user has written on a run."""

    name: str = ""
    pinned: bool = False


def tag_of(dataset: Dataset, params: RunParams) -> RunTag:
    """Return what is written on a run; an empty tag where nothing is."""
    try:
        values = json.loads(_tag_path(dataset, params).read_text("utf-8"))
        return RunTag(str(values["name"]), bool(values["pinned"]))
    except (OSError, ValueError, TypeError, KeyError):
        return RunTag()


def set_tag(dataset: Dataset, params: RunParams, tag: RunTag) -> None:
    """Write on a run; its name is put on one line and cut to `LONGEST_NAME`."""
    name = " ".join(tag.name.split())[:LONGEST_NAME]
    write_json(_tag_path(dataset, params), {"name": name, "pinned": tag.pinned})


def _tag_path(dataset: Dataset, params: RunParams) -> Path:
    return dataset.run_folder(Plan(dataset, params).run) / "label.json"


def differing(runs: Iterable[RunParams]) -> list[str]:
    """Return the settings, as ``group.name``, that are not the same in all of these runs."""
    first, *others = [flat(params) for params in runs] or [{}]
    return [name for name in first if any(other[name] != first[name] for other in others)]


def flat(params: RunParams) -> dict[str, Any]:
    """Return all settings of a run as plain values by ``group.name``."""
    plain: dict[str, Any] = {}
    for group, values in params.to_dict(whole=True).items():
        if group == "method" and params.method is not None:
            plain[group] = params.method.words
        elif isinstance(values, dict):
            plain |= {f"{group}.{name}": value for name, value in values.items()}
        else:
            plain[group] = values
    return plain


def settings(params: RunParams, names: Sequence[str]) -> dict[str, Any]:
    """Return some settings of a run by their names as `differing` gives them.

    Harmony's are None where something else made the correction.
    """
    every = flat(params)
    if not params.by_harmony:
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
    if params.by_harmony:
        return "Before Harmony", "After Harmony"
    if params.method is not None:
        return "Before correction", f"After {params.method.method.title}"
    return "Before correction", f"{params.precomputed}, by another tool"


def in_words(params: RunParams, names: Sequence[str] = ()) -> str:
    """Return a run's theta, sigma and some other settings as a person writes them.

    Of another method, or an embedding of another tool, its name takes the place of Harmony's
    settings.

    Parameters
    ----------
    names
        Settings to write beside theta and sigma, as `differing` gives them.

    Examples
    --------
    >>> from harmony_core.params import HarmonyParams
    >>> in_words(RunParams(harmony=HarmonyParams(batch=("donor",))), ["layout.spread"])
    'theta 2, sigma 0.1, spread 1'
    """
    values = settings(params, list(dict.fromkeys([*MAIN_SETTINGS, *names])))
    for name in ("given", "method"):
        values.pop(name, None)
    start = []
    if params.method is not None:
        method = params.method
        start = [" ".join([method.method.title, *(f"{k} {v:g}" for k, v in method.settings)])]
    elif params.precomputed is not None:
        start = [side_names(params)[1]]
    if not params.by_harmony:
        values = {k: v for k, v in values.items() if not k.startswith("harmony.")}
    words = (f"{name.rpartition('.')[2]} {_in_words(value)}" for name, value in values.items())
    return ", ".join([*start, *words])


def distinct_settings(params: RunParams, runs: Sequence[RunParams]) -> list[str]:
    """Return what tells a run from others of its method, a setting each.

    Of Harmony theta is told in any case.

    Parameters
    ----------
    runs
        Of the same method, the run itself among them.

    Examples
    --------
    >>> from harmony_core.params import HarmonyParams
    >>> runs = [RunParams(harmony=HarmonyParams(batch=("a",), sigma=s)) for s in (0.1, 0.2)]
    >>> distinct_settings(runs[1], runs)
    ['theta 2', 'sigma 0.2']
    """
    own = [MAIN_SETTINGS[0]] if params.by_harmony else []
    source = ("given", "method")
    names = [name for name in dict.fromkeys([*own, *differing(runs)]) if name not in source]
    values = settings(params, names)
    return [f"{name.rpartition('.')[2]} {_in_words(value)}" for name, value in values.items()]


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        if value and isinstance(value[0], list):
            return of_batch.in_words(value)
        return "/".join(map(_in_words, value)) or "none"
    if value is None:
        return "automatic"
    return f"{value:g}" if isinstance(value, float) else str(value)


def summary(results: RunResults, names: Sequence[str] = ()) -> dict[str, Any] | None:
    """Summarise an assessed run; None if it is not assessed.

    Parameters
    ----------
    results
        The run.
    names
        Settings to write, as `differing` gives them.

    Returns
    -------
    ``run`` (its name), ``settings``, ``metrics`` (after correction: batch variable → number →
    value), ``level`` and ``kind`` of the verdict, ``complete`` (whether pictures, clusters and
    markers are there as well).
    """
    assessment = results.assessment
    if assessment is None:
        return None
    return {
        "run": results.plan.run,
        "settings": settings(results.params, names),
        "metrics": assessment.after,
        "level": assessment.verdict.level,
        "kind": assessment.verdict.kind,
        "complete": results.is_finished,
    }


def candidate(results: RunResults) -> Candidate | None:
    """Return what *Suggest* needs to know of a run; None if it is not assessed."""
    assessment = results.assessment
    return None if assessment is None else candidate_of(results.params.harmony, assessment)


def suggestion_of(runs: Sequence[RunResults]) -> Suggestion:
    """Say which of some runs to use, and what is to be known of them.

    Parameters
    ----------
    runs
        Runs of the same data; those that are not assessed are passed over.
    """
    candidates = [found for run in runs if (found := candidate(run)) is not None]
    notes = dict.fromkeys(note for run in runs for note in notes_on_run(run))  # mostly the same
    return replace(suggest(candidates), notes=tuple(notes))
