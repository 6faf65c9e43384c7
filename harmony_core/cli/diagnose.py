"""``harmony-explorer diagnose``: judge an embedding that any tool corrected."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import (
    add_data,
    add_home,
    came_from,
    check_output,
    compute_run,
    json_text,
    one_line,
    params_of_data,
    request_of,
    terminal_progress,
    working_store,
    write_report,
)
from harmony_core.errors import ParameterError

if TYPE_CHECKING:
    from harmony_core.runs.results import RunResults

EXAMPLES = """\
examples:
  harmony-explorer diagnose integrated.h5ad --batch donor --basis-before X_pca --basis-after X_scVI
  harmony-explorer diagnose run.h5ad run_cca.csv --batch donor --label cell_type \\
      --basis-before X_pca --basis-after X_integrated.cca --json
  harmony-explorer diagnose integrated.h5ad --batch donor --basis-before X_pca \\
      --basis-after X_scVI --out judged.h5ad

Works on embeddings of scVI, Seurat, Scanorama, Harmony and others, in the file or in a table beside
it: a line for each cell, its name first, then columns such as cca_1, cca_2. What BBKNN corrects is
a graph; give the layout or diffusion map that was made from it. The dashboard opens the file of
--out with both pictures and the verdict; `export` and `report` take it too.

exit status:
  0  judged, whatever the verdict
  1  it could not be finished
  2  the input or an argument cannot be used; one line on standard error says why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_data(parser)
    parser.add_argument(
        "--basis-before",
        metavar="NAME",
        help="uncorrected embedding; without it the counts are prepared",
    )
    parser.add_argument(
        "--basis-after", required=True, metavar="NAME", help="corrected embedding, from obsm"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the data with pictures, clusters, markers and measures added, .h5ad",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="numbers and verdict, .json")
    parser.add_argument("--json", action="store_true", help="print the same")
    add_home(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_output(args.out, "--out", *args.input, endings=(".h5ad",))
    check_output(args.report, "--report", *args.input, endings=(".json",))
    if args.basis_before == args.basis_after:
        raise ParameterError(
            f"--basis-before and --basis-after are both {args.basis_after!r}; "
            "name an uncorrected and a corrected embedding."
        )
    report = _assess(args)
    if args.report is not None:
        write_report(args.report, report)
    if args.json:
        print(json_text(report))
    else:
        print("\n".join(one_line(line) for line in _lines(report)))


def _assess(args: argparse.Namespace) -> dict[str, Any]:
    from harmony_core.export import write_h5ad
    from harmony_core.store.ingest import ingest_request

    params, request = params_of_data(args, basis=args.basis_before), request_of(args)
    stages = () if args.out is not None else ("assess",)
    with terminal_progress() as progress, working_store(args.home) as store:
        progress.say("Reading and checking the file")
        dataset = ingest_request(store, request)
        named = {"basis": args.basis_before} if args.basis_before else {}
        before = dataset.info.start_basis(named, other_than=args.basis_after)
        prepare = dataset.info.start_of_preparation({"basis": before})
        is_condition = dataset.info.is_condition(params.harmony.batch, args.condition)
        params = replace(
            params, prepare=prepare, condition=is_condition, precomputed=args.basis_after
        )
        results = compute_run(dataset, params, progress, *stages)
        if args.out is not None:
            progress.say("Writing")
            write_h5ad(results, args.out, input_path=came_from(args))
        return _report(results)


def _report(results: RunResults) -> dict[str, Any]:
    from harmony_core.categories import Factor
    from harmony_core.export.record import versions
    from harmony_core.runs.notes import notes_on_run

    dataset, params = results.dataset, results.params
    assessment, obs = results.assessment, results.obs
    assert assessment is not None  # just computed
    assert obs is not None
    return {
        "versions": versions(),
        "data": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "cells": dataset.n_cells,
            "cells_kept": len(obs),
            "batches": {name: Factor.of(name, obs[name]).sizes for name in params.harmony.batch},
            "notes": list(notes_on_run(results)),
        },
        "embeddings": {
            "before": params.prepare.basis or "principal components of the counts",
            "after": params.precomputed,
        },
        "metrics": assessment.metrics,
        "verdict": assessment.verdict.to_dict(),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    verdict = report["verdict"]
    lines = [f"{verdict['level']}: {' '.join(verdict['sentences'])}"]
    for variable, after in report["metrics"]["after"].items():
        before = report["metrics"]["before"].get(variable, {})
        for name, value in after.items():
            old = f"{_number(before[name])} -> " if name in before else ""
            lines.append(f"{variable} {name}: {old}{_number(value)}")
    for row in verdict["evidence"]:
        genes = f" ({', '.join(row['genes'])})" if row["genes"] else ""
        lines.append(f"evidence: {row['name']} now lies among {row['merged_with']}{genes}")
    return [*lines, *(f"note: {note}" for note in report["data"]["notes"])]


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"
