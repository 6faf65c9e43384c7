"""The runs of a dataset side by side, whichever method made them: a table, states, an answer.

It reads what the store has; what it means is decided in `harmony_core.verdict.which_method`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from harmony_core.method_catalog import METHODS
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.runs.notes import notes_on_run
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.verdict import KINDS
from harmony_core.verdict.which_method import (
    HARMONY,
    Contender,
    MethodAnswer,
    contender_of,
    which_method,
)
from harmony_core.verdict.which_method_wording import method_sentences

SCIB = {"scib_total": "total", "scib_mixing": "batch", "scib_conservation": "bio"}
"""Columns of the table with scIB's scores, by their names in the stage."""


def method_name(params: RunParams) -> str:
    """Return what corrected a run: Harmony, another method, or the embedding of another tool."""
    if params.method is not None:
        return params.method.method.title
    if params.precomputed is None:
        return HARMONY
    ours = {HARMONY, *(method.title for method in METHODS.values())}
    also = " (another tool)" if params.precomputed in ours else ""
    return f"{params.precomputed}{also}"


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """One run of the comparison.

    Attributes
    ----------
    name, method
        See `Contender`.
    params
        Its settings.
    contender
        What is compared; ``None`` where the method failed or is not done.
    ilisi
        Of the last batch variable, which is the combination of several.
    scib
        scIB's scores by their column of the table; empty where they were not computed.
    problem
        Why it has no results, a sentence.
    """

    name: str
    method: str
    params: RunParams
    contender: Contender | None = None
    ilisi: float | None = None
    scib: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class MethodComparison:
    """Runs of several methods on the same cells, and what they say of the methods.

    Attributes
    ----------
    rows
        One a run, in the order in which they were given.
    answer
        Which method suits the data.
    notes
        What is to be known of the data and of what was judged, a sentence each.
    """

    rows: tuple[MethodRow, ...]
    answer: MethodAnswer
    notes: tuple[str, ...] = ()

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The answer, how each method does beside the first, and how sure it is."""
        problems = (f"{row.name}: {row.problem}" for row in self.rows if row.problem)
        return (*method_sentences(self.answer), *problems)

    @property
    def sentence(self) -> str:
        """The answer in a sentence or two."""
        return self.sentences[0]

    @cached_property
    def table(self) -> pd.DataFrame:
        """The runs as a table.

        Returns
        -------
        A row a run: ``run``, ``method``, ``verdict``, ``least_mixing`` and ``mean_mixing`` (0 to
        1), ``least_mixed_batch``, ``ilisi``, ``worst_state`` and ``worst_loss`` (part of its
        neighbours that changed), ``merged`` (states that its verdict says were merged), ``seconds``
        and ``memory_mb`` of the correction, the scores of scIB where they were computed, and
        ``problem``, why a run has no results. What is not known is missing, as is the mixing of a
        method that mixes by construction.
        """
        table = pd.DataFrame([_table_row(row) for row in self.rows], columns=_COLUMNS)
        return table.astype(dict.fromkeys(_NUMBERS, "float64"))

    @cached_property
    def states(self) -> pd.DataFrame:
        """What became of each label or, without labels, of each state, in every run.

        Returns
        -------
        A row for each state and run: ``state``, ``kind``, ``cells``, ``run``, ``method``,
        ``outcome``, ``lost`` (part of its neighbours that changed), ``other`` (what it merged with
        or stayed apart from) and ``mixing``.
        """
        rows = [
            {
                **{"state": state.name, "kind": state.kind, "cells": state.cells},
                **{"run": row.name, "method": row.method, "outcome": state.outcome},
                **{"lost": state.amount, "other": state.other, "mixing": state.mixing},
            }
            for row in self.rows
            if row.contender is not None
            for state in row.contender.states
        ]
        table = pd.DataFrame(rows, columns=_STATE_COLUMNS)
        return table.astype({"lost": "float64", "mixing": "float64"})

    def __repr__(self) -> str:
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*self.sentences, *notes])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        return said + self.table.to_html(index=False, escape=True, na_rep="–")


_NUMBERS = (
    *("least_mixing", "mean_mixing", "ilisi", "worst_loss", "seconds", "memory_mb"),
    *SCIB,
)
_COLUMNS = [
    *("run", "method", "verdict", "least_mixing", "mean_mixing", "least_mixed_batch", "ilisi"),
    *("worst_state", "worst_loss", "merged", "seconds", "memory_mb", *SCIB, "problem"),
]
_STATE_COLUMNS = [
    *("state", "kind", "cells", "run", "method", "outcome", "lost", "other", "mixing"),
]


def compare_runs(
    runs: Sequence[RunResults], problems: Mapping[RunParams, str] | None = None
) -> MethodComparison:
    """Compare runs of the same cells, with the same batch variables and labels.

    Parameters
    ----------
    runs
        In the order of the table; those that are not judged have a row without numbers.
    problems
        Why runs failed, by their settings.
    """
    problems = problems or {}
    names = run_names(runs)
    rows = [
        _row(run, name, problems.get(run.params, "")) for run, name in zip(runs, names, strict=True)
    ]
    judged = [row for row in rows if row.contender is not None]
    asked = {row.params for row in judged}
    notes = dict.fromkeys(note for run in runs if run.params in asked for note in notes_on_run(run))
    answer = which_method([row.contender for row in judged if row.contender is not None])
    return MethodComparison(rows=tuple(rows), answer=answer, notes=tuple(notes))


def runs_to_compare(dataset: Dataset, params: RunParams) -> list[RunResults]:
    """Return the kept runs that judge the same cells as a run, newest first.

    Of runs that differ only in pictures or clusters the newest stands for all.
    """
    found: dict[str, RunResults] = {}
    for run in history.comparable_runs(dataset, params):
        results = RunResults(dataset, run)
        found.setdefault(results.plan.keys["assess"].digest, results)
    return list(found.values())


def run_names(runs: Sequence[RunResults]) -> list[str]:
    """Return what runs are called beside each other, all different.

    The name that a user gave, or else the method with what tells its runs apart.
    """
    of_method: dict[str, list[RunParams]] = {}
    for run in runs:
        of_method.setdefault(method_name(run.params), []).append(run.params)
    names: list[str] = []
    for run in runs:
        method = method_name(run.params)
        words = _distinct_settings(run.params, of_method[method])
        name = history.tag_of(run.dataset, run.params).name or ", ".join([method, *words])
        same = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return names


def _distinct_settings(params: RunParams, runs: Sequence[RunParams]) -> list[str]:
    """Return what tells a run from others of its method, as ``theta 2``."""
    own = []
    if params.method is not None:
        own = [f"{name} {value:g}" for name, value in params.method.settings]
    return [*own, *history.distinct_settings(params, runs)]


def _row(results: RunResults, name: str, problem: str) -> MethodRow:
    params, assessment = results.params, results.assessment
    row = MethodRow(name=name, method=method_name(params), params=params, problem=problem)
    if problem or assessment is None:
        return row
    scored = results.stage("scib_after") if params.label is not None else None
    return replace(
        row,
        contender=contender(results, name),
        ilisi=list(assessment.after.values())[-1].get("ilisi"),
        scib={} if scored is None else {n: scored.info[score] for n, score in SCIB.items()},
    )


def contender(results: RunResults, name: str) -> Contender | None:
    """Return an assessed run as it is compared; None if it is not assessed."""
    assessment, params = results.assessment, results.params
    if assessment is None:
        return None
    made_here = params.precomputed is None
    method = None if params.method is None else params.method.method
    correct = results.stage("correct") if made_here else None
    return contender_of(
        name,
        method_name(params),
        params.harmony,
        assessment,
        labels_decide=params.panel is None,
        seconds=None if correct is None else correct.info["seconds"],
        memory=None if correct is None else correct.info.get("memory", correct.memory),
        mixes_by_construction=method is not None and method.mixes_by_construction,
    )


def _table_row(row: MethodRow) -> dict[str, Any]:
    found: dict[str, Any] = {"run": row.name, "method": row.method, "problem": row.problem}
    if (one := row.contender) is None:
        return found
    mixing, worst = one.candidate.mixing, one.worst_state
    is_mixing_known = not one.mixes_by_construction
    return found | {
        "verdict": KINDS[one.candidate.kind].heading,
        "least_mixing": mixing.worst if is_mixing_known else None,
        "mean_mixing": mixing.mean if is_mixing_known else None,
        "least_mixed_batch": mixing.batch if is_mixing_known else "",
        "ilisi": row.ilisi if is_mixing_known else None,
        "worst_state": "" if worst is None else worst.name,
        "worst_loss": None if worst is None else worst.amount,
        "merged": ", ".join(loss.name for loss in one.merged),
        "seconds": one.seconds,
        "memory_mb": None if one.memory is None else one.memory / 1e6,
        **row.scib,
    }
