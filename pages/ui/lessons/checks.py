"""Whether a step is done, and what was found: from settings, verdict and what is on screen.

Plain functions of a `Sight`, which the page fills from the session and tests from stored results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.metric_catalog import METRICS
from harmony_core.params import RunParams
from harmony_core.runs import link
from harmony_core.runs.history import flat
from harmony_core.store import Dataset
from harmony_core.thresholds import PURITY_LOSS_AMBER
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.verdict import KINDS
from pages.ui import colouring
from pages.ui.lessons.lesson_file import Check, Lesson, Step, link_texts


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a learner has on screen, and has done.

    Attributes
    ----------
    assessment
        Of the settings on screen; None until they are judged.
    obs
        The cells on screen; None until they are known.
    colour, gene
        What colours them.
    selected
        Which are selected; None where none are.
    film
        The iteration on screen; None while the film is off.
    answer
        To the step's question.
    """

    params: RunParams
    assessment: Assessment | None = None
    obs: pd.DataFrame | None = None
    colour: str | None = None
    gene: str | None = None
    selected: npt.NDArray[np.bool_] | None = None
    film: int | None = None
    answer: str | None = None


@dataclass(frozen=True)
class Finding:
    """What one condition of a check found, as a sentence of raw text."""

    is_met: bool
    sentence: str


def findings(check: Check, sight: Sight) -> list[Finding]:
    """Return what became of each condition; the step is done where all are met."""
    found = [*_of_settings(check, sight)]
    if sight.assessment is not None:
        found += _of_verdict(check, sight.assessment, sight.params.harmony.batch[0])
    elif check.needs_verdict:
        found.append(Finding(False, "The verdict on these settings is on its way."))
    found += _of_screen(check, sight)
    if check.question is not None and sight.answer is not None:
        right = sight.answer == check.answer
        found.append(Finding(right, "That is right." if right else "Not so; look once more."))
    elif check.question is not None:
        found.append(Finding(False, "The question is not answered yet."))
    return found


def _of_settings(check: Check, sight: Sight) -> Iterator[Finding]:
    values = flat(sight.params)
    for name, (low, high) in check.settings.items():
        value = values.get(f"harmony.{name}", values.get(name))
        value = value[0] if isinstance(value, list | tuple) and value else value
        if not isinstance(value, int | float):
            yield Finding(False, f"{name} is automatic.")
        else:
            met = low <= value <= high
            yield Finding(met, f"{name} is {value:g}{'' if met else _asked(low, high)}.")


def _of_verdict(check: Check, found: Assessment, variable: str) -> Iterator[Finding]:
    if check.verdict:
        verdict = found.verdict
        yield Finding(
            verdict.kind in check.verdict, f"The verdict is “{KINDS[verdict.kind].heading}”."
        )
    for name, (low, high) in check.numbers.items():
        value = found.after[variable].get(name)
        if value is None:
            yield Finding(False, f"{METRICS[name].title} can't be computed here.")
        else:
            met = low <= value <= high
            asked = "" if met else _asked(low, high)
            yield Finding(met, f"{METRICS[name].title} is {value:.2f}{asked}.")
    rows = {row.name: row for row in found.labels}
    if check.merged:
        name, other = check.merged
        if (row := rows.get(name)) is None:
            yield _not_judged(name)
        else:
            met = row.loss > PURITY_LOSS_AMBER and row.merged_with == other
            with_whom = f", most of them to {other}" if met else ""
            yield Finding(
                met, f"{_percent(row.loss)} of the neighbours of {name} changed label{with_whom}."
            )
    if check.apart is not None:
        if (row := rows.get(check.apart)) is None:
            yield _not_judged(check.apart)
        else:
            yield Finding(
                row.loss <= PURITY_LOSS_AMBER,
                f"{_percent(row.loss)} of the neighbours of {check.apart} changed label.",
            )


def _not_judged(label: str) -> Finding:
    return Finding(False, f"{label} is not judged with these settings.")


def _of_screen(check: Check, sight: Sight) -> Iterator[Finding]:
    if check.colour:
        shown = sight.colour or sight.params.harmony.batch[0]
        yield Finding(
            sight.gene is None and shown in check.colour,
            f"The cells are coloured by {sight.gene or shown}.",
        )
    if check.genes:
        met = sight.gene in check.genes
        told = f"{sight.gene} is on screen." if sight.gene else "No gene colours the cells yet."
        yield Finding(met, told)
    if check.selected is not None:
        level, wanted = check.selected
        found = _selected_of(level, sight)
        yield Finding(
            found >= wanted,
            f"{found:,} selected cells are {level}"
            f"{'' if found >= wanted else f' (at least {wanted:,} are asked for)'}.",
        )
    if check.film is not None:
        low, high = check.film
        if sight.film is None:
            yield Finding(False, "The film is off, or not prepared yet.")
        else:
            met = low <= sight.film <= high
            asked = "" if met else _asked(low, high)
            yield Finding(met, f"The film stands after iteration {sight.film}{asked}.")


def _is_text(value: object) -> bool:
    return any(
        isinstance(one, str) for one in (value if isinstance(value, list | tuple) else [value])
    )


def _selected_of(level: str, sight: Sight) -> int:
    label, obs = sight.params.label, sight.obs
    if sight.selected is None or obs is None or label not in obs:
        return 0
    if len(sight.selected) != len(obs):
        return 0
    return int((np.asarray(obs[label].astype("string") == level) & sight.selected).sum())


def _percent(fraction: float) -> str:
    return f"{100 * max(0.0, fraction):.0f} %"


def _asked(low: float, high: float) -> str:
    if low == high:
        return f" (asked for: {low:g})"
    if high == float("inf"):
        return f" (asked for: at least {low:g})"
    if low == float("-inf"):
        return f" (asked for: at most {high:g})"
    return f" (asked for: {low:g} to {high:g})"


def solution_of(step: Step) -> dict[str, object]:
    """Return the settings at which a step's check is fulfilled."""
    return {**step.view.settings, **(step.solution or {})}


def missing_in_data(lesson: Lesson, step: Step, dataset: Dataset, start: RunParams) -> list[str]:
    """Return a sentence for each thing that a step names and its data do not have.

    Parameters
    ----------
    start
        What the data start with.
    """
    where = f"Step {lesson.steps.index(step) + 1}"
    texts = link_texts(solution_of(step))
    params, problems = link.from_parameters(texts, dataset, start)
    check, view = step.check, step.view
    levels = set() if params.label is None else set(dataset.obs[params.label].astype("string"))
    labels = [*check.merged, check.apart, view.mark, check.selected and check.selected[0]]
    problems = [
        *problems,
        *(f"There is no cell type {n!r}." for n in labels if n and n not in levels),
    ]
    genes = [n for n in (view.gene, *check.genes) if n and n not in dataset.symbols]
    problems += [f"There is no gene {name!r} in these data." for name in genes]
    known = flat(params)
    colours = [name for name in (view.colour, *check.colour) if name is not None]
    columns = {*dataset.obs.columns, *colouring.NOT_OF_OBS}
    problems += [f"There is no colouring {name!r}." for name in colours if name not in columns]
    values = {name: known.get(f"harmony.{name}", known.get(name, "")) for name in check.settings}
    wrong = [name for name, value in values.items() if _is_text(value)]
    problems += [f"There is no setting {name!r} that is a number." for name in wrong]
    return [f"{where}: {sentence}" for sentence in problems]
