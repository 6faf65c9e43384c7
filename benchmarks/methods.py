"""Which method does the verdict choose, and which does scIB? On real cells, with truth by labels.

    python benchmarks/methods.py FOLDER                      every set that is not held out
    python benchmarks/methods.py FOLDER --methods harmony mnn --only pbmc_1k_v2_v3
    python benchmarks/methods.py FOLDER --theta 1 2 4        Harmony at each

FOLDER is read as real_cells.py reads it. Methods other than Harmony are those installed in the
environment that ``HARMONY_EXPLORER_METHODS_PYTHON`` names. Each set is corrected by each method at
its defaults; the verdict and scIB see the same labels, and each chooses a run. What the run truly
did is measured by real_truth.py, which is neither.

Seconds are those of the correction, of other methods with the start of their process. Memory is
the most that a process of its own held, with its libraries.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from generated import peak_gb
from real_cells import column_of_set
from real_designs import RealSet, is_type, real_sets, words
from real_truth import LabelledCells

from harmony_core import Study
from harmony_core.io.writing import write_text_whole
from harmony_core.methods import harmony
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.comparing import computed_comparison, method_runs
from harmony_core.runs.method_comparison import MethodComparison
from harmony_core.runs.results import RunResults

TARGETS = ("assess", "scib_before", "scib_after")


def main() -> None:
    options = _options()
    sets = real_sets(
        options.folder,
        side=options.sets,
        only=options.only,
        batch_columns=dict(options.batch),
        label_columns=dict(options.label),
    )
    rows = _rows_before(options.json)
    done = {row["set"] for row in rows}
    for one in sets:
        if one.name in done:
            continue
        started = time.time()
        try:
            rows += compared(one, options.methods, options.theta)
        except Exception as error:  # one set must not take the others' figures with it
            print(f"{one.name}: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"{time.time() - started:5.0f} s  {one.name}", file=sys.stderr)
        if options.json:
            _write(options.json, rows)
    print(report_text(rows, summarise(rows)))


def _rows_before(path: Path | None) -> list[dict[str, Any]]:
    """Return the runs that a file of figures holds, of a benchmark that was interrupted."""
    if path is None or not path.is_file():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["runs"]
    return rows


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write all figures so far, whole or not at all."""
    text = json.dumps({"figures": summarise(rows), "runs": rows}, indent=1) + "\n"
    write_text_whole(path, text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labelled h5ad files")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="by default those installed")
    parser.add_argument("--theta", nargs="+", type=float, default=[], help="of Harmony, a run each")
    parser.add_argument(
        "--sets",
        choices=("choosing", "held_out"),
        help="one side of real_cells.toml only; by default all sets but the held-out ones",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these sets only")
    for option in ("--batch", "--label"):
        parser.add_argument(
            option, action="append", default=[], type=column_of_set, metavar="NAME=COLUMN"
        )
    parser.add_argument(
        "--json",
        type=Path,
        help="write figures and runs to this file after each set; sets that it has are not run",
    )
    return parser.parse_args()


def compared(
    one: RealSet, methods: Sequence[str] | None, thetas: Sequence[float]
) -> list[dict[str, Any]]:
    """Correct a set by every method, and judge each run.

    Returns
    -------
    One row a run: the comparison's own numbers, ``truth`` (see `RunTruth`), ``loss`` (the worst
    label's, truly), ``peak_mb``, and which run the verdict and scIB choose.
    """
    with tempfile.TemporaryDirectory() as home:
        study = Study.read(one.read(), batch=one.batch, label=one.label, home=home)
        base = study._params(HarmonyParams(batch=study.batch))
        runs = method_runs(base, methods, thetas=thetas)
        found = computed_comparison(study.dataset, runs, targets=TARGETS)
        chosen = {"verdict": _best(found), "scib": _most(found)}
        rows = []
        for values, row in zip(found.table.to_dict("records"), found.rows, strict=True):
            results = RunResults(study.dataset, row.params)
            plain = {k: None if v != v else v for k, v in values.items()}
            rows.append(
                {"set": one.name, "cells": study.dataset.n_cells}
                | plain
                | _truth(results, one)
                | {"peak_mb": _peak_mb(results), "sentence": found.sentence}
                | {f"chosen_by_{judge}": values["run"] == name for judge, name in chosen.items()}
            )
        return rows


def _best(found: MethodComparison) -> str:
    return "" if found.answer.best is None else found.answer.best.name


def _most(found: MethodComparison) -> str:
    scored = found.table.dropna(subset=["scib_total"])
    return "" if scored.empty else str(scored.run[scored.scib_total.idxmax()])


def _truth(results: RunResults, one: RealSet) -> dict[str, Any]:
    obs, embedding = results.obs, results.embedding("after")
    if obs is None or embedding is None or results.assessment is None:
        return {"truth": None, "loss": None}
    labels, batches = words(obs[one.label]), words(obs[one.batch])
    known = is_type(labels) & is_type(batches)
    before = np.asarray(results.embedding("before"))[known]
    measured = LabelledCells.of(labels[known], batches[known], before, np.asarray(embedding)[known])
    truth = measured.truth()
    return {"truth": truth.kind, "loss": truth.worst}


def _peak_mb(results: RunResults) -> float | None:
    """Return the most memory that a process which only corrects held; None where unknown."""
    stage = results.stage("correct")
    if stage is None:
        return None
    if results.params.method is not None:
        memory = stage.info.get("memory")
        return None if memory is None else memory / 1e6
    obs, before = results.obs, results.embedding("before")
    assert obs is not None
    batches = [words(obs[name]) for name in results.params.harmony.batch]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_harmonys_peak, (np.array(before), batches, results.params))


def _harmonys_peak(embedding: Any, batches: list[Any], params: RunParams) -> float:
    harmony.correct(embedding, batches, dataclasses.replace(params.harmony))
    return 1000 * peak_gb()


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how often each judge's choice was truly right, and each method beside Harmony.

    Returns
    -------
    ``judges``: by judge how many of its choices were truly ``right``, ``over`` and ``under``, and
    the ``mean_loss`` of the worst label. ``agree``: sets in which both choose one run. ``methods``:
    by method its ``runs``, ``failed``, verdicts, mean scIB total, and the median ratios of its
    seconds and memory to Harmony's.
    """
    judges: dict[str, Any] = {}
    for judge in ("verdict", "scib"):
        chosen = [row for row in rows if row[f"chosen_by_{judge}"] and row["truth"] is not None]
        kinds = Counter(row["truth"] for row in chosen)
        judges[judge] = {
            "of": len(chosen),
            "right": kinds["good"] + kinds["null"],
            "over": kinds["over"],
            "under": kinds["under"],
            "mean_loss": float(np.mean([row["loss"] for row in chosen])) if chosen else None,
        }
    both = [row for row in rows if row["chosen_by_verdict"] and row["chosen_by_scib"]]
    names = dict.fromkeys(row["method"] for row in rows)
    return {
        "sets": len({row["set"] for row in rows}),
        "judges": judges,
        "agree": len(both),
        "methods": {name: _of_method(name, rows) for name in names},
    }


def _of_method(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mine = [row for row in rows if row["method"] == name]
    ran = [row for row in mine if not row["problem"]]
    harmonys = {row["set"]: row for row in rows if row["method"] == "Harmony"}
    return {
        "runs": len(mine),
        "failed": len(mine) - len(ran),
        "verdicts": dict(Counter(row["verdict"] for row in ran)),
        "truths": dict(Counter(str(row["truth"]) for row in ran)),
        "scib_total": _mean([row["scib_total"] for row in ran]),
        "seconds": _median([row["seconds"] for row in ran]),
        "times_harmonys_seconds": _ratio("seconds", ran, harmonys),
        "peak_mb": _median([row["peak_mb"] for row in ran]),
        "times_harmonys_memory": _ratio("peak_mb", ran, harmonys),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _ratio(
    what: str, ran: Sequence[Mapping[str, Any]], harmonys: Mapping[str, Mapping[str, Any]]
) -> float | None:
    ratios = [
        row[what] / harmonys[row["set"]][what]
        for row in ran
        if row[what] and harmonys.get(row["set"], {}).get(what)
    ]
    return _median(ratios)


def report_text(rows: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> str:
    """Return the runs and the figures as a reader takes them."""
    lines = [f"{figures['sets']} data sets, {len(rows)} runs"]
    for row in rows:
        said = row["problem"] or (
            f"{row['verdict']}, truly {row['truth']} (worst loss {_text(row['loss'])}), scIB "
            f"{_text(row['scib_total'])}, {_text(row['seconds'])} s, {_text(row['peak_mb'])} MB"
        )
        marks = "".join(
            f"  <- {judge}" for judge in ("verdict", "scib") if row[f"chosen_by_{judge}"]
        )
        lines.append(f"  {row['set']}  {row['run']}: {said}{marks}")
    for judge, found in figures["judges"].items():
        lines.append(
            f"chosen by {judge}: {found['right']} of {found['of']} truly right, {found['over']} "
            f"over-corrected, {found['under']} under-corrected; worst label lost "
            f"{_text(found['mean_loss'])} on average"
        )
    lines.append(f"both choose the same run in {figures['agree']} of {figures['sets']} sets")
    for name, found in figures["methods"].items():
        lines.append(
            f"{name}: {found['failed']} of {found['runs']} failed; "
            f"{_text(found['times_harmonys_seconds'])} x Harmony's seconds, "
            f"{_text(found['times_harmonys_memory'])} x its memory; verdicts {found['verdicts']}"
        )
    return "\n".join(lines)


def _text(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main()
