"""The figures of real_cells.py from its judged runs, with intervals over data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = dict[str, Any]
Figures = dict[str, Any]

DRAWS = 1000
INTERVAL = (2.5, 97.5)
LOSS, LOSS_GREY = 0.10, 0.05
"""True loss of a state: harmed above the first, unclear above the second."""
UNDER_BOTH = 0.5
"""Mixing below which an over-corrected run is under-corrected as well."""

SAYS_OVER = ("over", "suspect")

LABELLINGS: Mapping[str, str] = {
    "without": "Without labels",
    "noisy": "With labels, 5 % of them exchanged and 30 % missing",
    "coarse": "With labels merged into half as many types",
    "markers": "With labels from marker genes",
    "same": "With the labels that the truth is measured by (a check only)",
}

QUESTIONS: Mapping[str, str] = {
    "right": "right about the run",
    "over_found": "over-corrected runs that it finds",
    "over_false": "false alarms of over-correction, of other runs",
    "under_found": "under-corrected runs that it finds",
    "under_false": "false alarms of under-correction, of other runs",
    "abstained": "says that it can't judge",
    "apart_said": "runs with a batch wholly apart: called under-corrected",
    "apart_named": "batches wholly apart: named in its sentences",
    "states_found": "states truly harmed that it marks as merged",
    "states_false": "states not harmed that it marks as merged",
    "states_unjudged": "states that it can't judge",
}
"""What is counted, as the table says it."""


def summarise(designs: Sequence[Row], judges: Mapping[str, Any]) -> Figures:
    """Compute the figures of the report.

    Parameters
    ----------
    designs
        From `real_runs.judged_design`.
    judges
        `other_judges.JUDGES`.
    """
    runs = [
        {"set": design["set"], "design": design["design"]} | run
        for design in designs
        for run in design["runs"]
    ]
    clear = [run for run in runs if run["truth"] is not None and not run["grey"]]
    ways = [name for name in LABELLINGS if any(name in run["verdicts"] for run in runs)]
    return {
        "sets": len({d["set"] for d in designs}),
        "designs": len(designs),
        "errors": {d["design"]: d["error"] for d in designs if "error" in d},
        "runs": len(runs),
        "clear": {kind: sum(run["truth"] == kind for run in clear) for kind in _kinds(clear)},
        "grey": sum(run["truth"] is not None and run["grey"] for run in runs),
        "no_truth": sum(run["truth"] is None for run in runs),
        "verdict": {way: verdict_figures(runs, clear, way) for way in ways},
        "auc": {name: alarm_figures(clear, name, judges[name].alarm) for name in judges}
        | {f"verdict_{way}": verdict_alarm(clear, way) for way in ways},
        "settings": setting_figures(designs, judges, ways),
    }


def _kinds(runs: Iterable[Row]) -> list[str]:
    return sorted({run["truth"] for run in runs})


def verdict_figures(runs: Sequence[Row], clear: Sequence[Row], way: str) -> Figures:
    """Count how often the verdict is right, with one way of labelling.

    Parameters
    ----------
    runs, clear
        All runs, and those whose truth is clear.
    way
        One of `LABELLINGS`.
    """
    clear = [run for run in clear if way in run["verdicts"]]
    over = [run for run in clear if run["truth"] == "over"]
    under = [run for run in clear if run["truth"] == "under"]
    both = [run for run in over if (run["mixing_after"] or 0.0) < UNDER_BOTH]
    apart = [run for run in runs if run["apart"] and way in run["verdicts"]]
    says = _says(way)
    return {
        "right": rate(clear, lambda run: is_right(run["truth"], run["verdicts"][way]["kind"])),
        "over_found": rate(over, says(*SAYS_OVER)),
        "over_false": rate([r for r in clear if r["truth"] != "over"], says(*SAYS_OVER)),
        "under_found": rate(under, says("under")),
        "under_false": rate([r for r in clear if r not in under and r not in both], says("under")),
        "abstained": rate(clear, says("unjudged")),
        "apart_said": rate(apart, says("under")),
        "apart_named": rate(_apart_batches(apart, way), lambda batch: batch["is_named"]),
        **state_figures(runs, way),
    }


def _says(way: str) -> Callable[..., Callable[[Row], bool]]:
    return lambda *kinds: lambda run: run["verdicts"][way]["kind"] in kinds


def is_right(truth: str, kind: str) -> bool:
    """Return whether a kind of verdict is the right answer; a suspicion counts as its alarm."""
    if truth == "over":
        return kind in SAYS_OVER
    return kind == truth or (truth == "null" and kind == "good")


def _apart_batches(runs: Sequence[Row], way: str) -> list[Row]:
    """Return a row a batch that is wholly apart; of two such batches, one name says both."""
    rows = []
    for run in runs:
        named = run["verdicts"][way]["named"]
        says_both = run["batches"] == 2 and bool(named)
        rows += [{"set": run["set"], "is_named": says_both or b in named} for b in run["apart"]]
    return rows


def state_figures(runs: Sequence[Row], way: str) -> Figures:
    """Count how often rows of the table of states are right."""
    states = [
        state | {"set": run["set"]}
        for run in runs
        if way in run["verdicts"]
        for state in run["verdicts"][way]["states"]
        if not LOSS_GREY < state["loss"] <= LOSS
    ]
    harmed = [state for state in states if state["loss"] > LOSS]
    unharmed = [state for state in states if state["loss"] <= LOSS_GREY]

    def is_marked(state: Row) -> bool:
        return state["outcome"] == "merged"

    return {
        "states_found": rate(harmed, is_marked),
        "states_false": rate(unharmed, is_marked),
        "states_unjudged": rate(states, lambda state: state["outcome"] == "unjudged"),
    }


def rate(rows: Sequence[Row], is_hit: Callable[[Row], bool]) -> Figures:
    """Return how many rows are hits, with an interval.

    Runs of one data set resemble each other, so whole data sets are drawn, with all their rows.

    Returns
    -------
    ``hits``, ``of``, ``fraction`` and the 95 % interval ``low`` to ``high``; the last two None
    with fewer than two data sets, the last three without rows.
    """
    names = sorted({row["set"] for row in rows})
    hits, sizes = np.zeros(len(names)), np.zeros(len(names))
    for row in rows:
        place = names.index(row["set"])
        sizes[place] += 1
        hits[place] += bool(is_hit(row))
    drawn = _draws(len(names))
    with np.errstate(invalid="ignore"):
        low, high = _interval(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), len(names))
    total = int(sizes.sum())
    return {
        "hits": int(hits.sum()),
        "of": total,
        "fraction": hits.sum() / total if total else None,
        "low": low,
        "high": high,
    }


def _draws(n_sets: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    return rng.integers(0, max(n_sets, 1), (DRAWS, n_sets))


def _interval(values: NDArray[np.float64], n_sets: int) -> tuple[float | None, float | None]:
    values = values[np.isfinite(values)]
    if n_sets < 2 or not len(values):
        return None, None
    low, high = np.percentile(values, INTERVAL)
    return float(low), float(high)


def alarm_figures(runs: Sequence[Row], name: str, sign: int) -> Figures:
    """Return how well another judge's score tells over-corrected runs from others.

    Returns
    -------
    The area under the ROC curve (`auc`) of the score after correction, ``height``, and of its
    change by correction, ``change``.
    """
    known = [run for run in runs if run["judges"]["after"][name] is not None]
    after = [sign * run["judges"]["after"][name] for run in known]
    before = [sign * (run["judges"]["before"][name] or 0.0) for run in known]
    return {
        "height": auc(known, after),
        "change": auc(known, np.subtract(after, before).tolist()),
    }


def verdict_alarm(runs: Sequence[Row], way: str) -> Figures:
    """Return the same of the verdict: certain, suspected, anything else."""
    known = [run for run in runs if way in run["verdicts"]]
    level = {"over": 2.0, "suspect": 1.0}
    return {"height": auc(known, [level.get(r["verdicts"][way]["kind"], 0.0) for r in known])}


def auc(runs: Sequence[Row], scores: Sequence[float]) -> Figures:
    """Return the fraction of pairs of an over-corrected and another run in the right order.

    Returns
    -------
    ``value`` with its interval ``low`` to ``high`` over data sets.
    """
    over = np.array([run["truth"] == "over" for run in runs], dtype=bool)
    value = _area(over, np.asarray(scores, dtype=float))
    names = sorted({run["set"] for run in runs})
    members = [np.flatnonzero([run["set"] == name for run in runs]) for name in names]
    values = []
    for drawn in _draws(len(names)) if len(names) > 1 else ():
        cells = np.concatenate([members[i] for i in drawn])
        values.append(_area(over[cells], np.asarray(scores)[cells]))
    low, high = _interval(np.array(values, dtype=float), len(names))
    return {"value": None if np.isnan(value) else value, "low": low, "high": high}


def _area(over: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    positives, negatives = over.sum(), (~over).sum()
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)[over].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def setting_figures(
    designs: Sequence[Row], judges: Mapping[str, Any], ways: Sequence[str]
) -> Figures:
    """Compare the settings that each judge would choose of a design's grid.

    Returns
    -------
    By judge: ``over`` (how many of its choices over-correct), ``mixing`` (mean true mixing of
    its choices) and ``none`` (designs for which it chooses nothing).
    """
    choices: dict[str, list[tuple[Row, Row | None]]] = {name: [] for name in judges}
    choices |= {f"suggest_{way}": [] for way in ways}
    for design in designs:
        grid = [run for run in design["runs"] if run["truth"] is not None]
        if not grid:
            continue
        for name, judge in judges.items():
            known = [run for run in grid if run["judges"]["after"][name] is not None]
            best = max(known, key=lambda r: judge.best * r["judges"]["after"][name], default=None)
            choices[name].append((design, best))
        for way in ways:
            wanted = design["suggested"].get(way)
            of_grid = (run for run in grid if [run["theta"], run["sigma"]] == wanted)
            choices[f"suggest_{way}"].append((design, next(of_grid, None)))
    return {name: _quality(picked) for name, picked in choices.items()}


def _quality(picked: Sequence[tuple[Row, Row | None]]) -> Figures:
    chosen = [run | {"set": design["set"]} for design, run in picked if run is not None]
    mixing = [run["mixing_after"] for run in chosen if run["mixing_after"] is not None]
    return {
        "over": rate(chosen, lambda run: run["truth"] == "over"),
        "mixing": float(np.mean(mixing)) if mixing else None,
        "none": len(picked) - len(chosen),
    }


def report_text(figures: Figures, judges: Mapping[str, Any]) -> str:
    """Write the figures as tables."""
    clear = ", ".join(f"{n} {TRUTH_WORDS[kind]}" for kind, n in figures["clear"].items())
    lines = [
        f"{figures['sets']} data sets, {figures['designs']} designs, {figures['runs']} runs. "
        f"What truly happened is clear in {sum(figures['clear'].values())} ({clear or 'none'}), "
        f"too close to call in {figures['grey']} and unknown in {figures['no_truth']}.",
        "Counts are followed by the fraction and its 95 % interval over data sets.",
    ]
    lines += [f"Could not be run: {name} ({why})" for name, why in figures["errors"].items()]
    for way, found in figures["verdict"].items():
        lines += ["", LABELLINGS[way]]
        lines += [f"  {text:58}{rate_text(found[name])}" for name, text in QUESTIONS.items()]
    lines += [
        "",
        "Telling over-corrected runs from others (area under ROC curve, .5 is chance)",
    ]
    lines.append(f"  {'':46}{'score':22}{'change by correction'}")
    for name, found in figures["auc"].items():
        both = (_value_text(found.get(key)) for key in ("height", "change"))
        lines.append(f"  {_title(name, judges):46}{next(both):22}{next(both)}")
    lines += ["", "Choosing a setting of the grid"]
    lines.append(f"  {'':46}{'over-corrected':36}{'true mixing':14}chooses none")
    for name, found in figures["settings"].items():
        mixing = "–" if found["mixing"] is None else f"{found['mixing']:.2f}"
        lines.append(
            f"  {_title(name, judges):46}{rate_text(found['over']):36}{mixing:14}{found['none']}"
        )
    return "\n".join(lines)


TRUTH_WORDS = {
    "over": "over-corrected",
    "under": "under-corrected",
    "null": "with nothing to correct",
    "good": "good",
}


def _title(name: str, judges: Mapping[str, Any]) -> str:
    if name in judges:
        return str(judges[name].title)
    who, way = name.split("_", 1)
    short = {"same": "same labels", "without": "no labels"}.get(way, f"{way} labels")
    return f"{'Our verdict' if who == 'verdict' else 'Our suggestion'}, {short}"


def rate_text(found: Figures) -> str:
    """Write what `rate` returns."""
    if not found["of"]:
        return "none to count"
    return (
        f"{found['hits']} of {found['of']:<6} {_value_text(found | {'value': found['fraction']})}"
    )


def _value_text(found: Figures | None) -> str:
    if found is None or found["value"] is None:
        return "–"
    span = "" if found["low"] is None else f" ({found['low']:.2f} to {found['high']:.2f})"
    return f"{found['value']:.2f}{span}"
