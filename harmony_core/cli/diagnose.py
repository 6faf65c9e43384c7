"""``harmony-explorer diagnose``: judge an embedding that any tool corrected."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import (
    TerminalProgress,
    check_input,
    check_output,
    one_line,
    plain_json,
    working_store,
    write_report,
)
from harmony_core.errors import ParameterError

if TYPE_CHECKING:
    from harmony_core.runs.results import RunResults

EXAMPLES = """\
examples:
  harmony-explorer diagnose integrated.h5ad --batch donor --basis-before X_pca --basis-after X_scVI
  harmony-explorer diagnose seurat.h5ad --batch donor --label cell_type \\
      --basis-before X_pca --basis-after X_integrated.cca --json
  harmony-explorer diagnose integrated.h5ad --batch donor --basis-before X_pca \\
      --basis-after X_scVI --out judged.h5ad

Works on embeddings of scVI, Seurat, Scanorama, Harmony and others. What BBKNN corrects is a graph;
give the layout or diffusion map that was made from it. The dashboard opens the file of --out with
both pictures and the verdict; `export` and `report` take it too.

exit status:
  0  judged, whatever the verdict
  1  it could not be finished
  2  the input or an argument cannot be used; one line on standard error says why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("input", type=Path, metavar="INPUT", help="the data in any known format")
    parser.add_argument(
        "--batch",
        action="append",
        required=True,
        metavar="KEY",
        help="batch variable, a column of obs; repeat it for several",
    )
    parser.add_argument("--label", metavar="KEY", help="column of known cell types, to judge with")
    parser.add_argument(
        "--condition",
        action="store_true",
        help="the batch variable is a treatment, a disease or the like",
    )
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
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="keep computed results here")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_input(args.input)
    check_output(args.out, "--out", source=args.input, endings=(".h5ad",))
    check_output(args.report, "--report", source=args.input, endings=(".json",))
    if args.basis_before == args.basis_after:
        raise ParameterError(
            f"--basis-before and --basis-after are both {args.basis_after!r}; "
            "name an uncorrected and a corrected embedding."
        )
    found = _assess(args)
    if args.report is not None:
        write_report(args.report, found)
    if args.json:
        print(json.dumps(plain_json(found), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(one_line(line) for line in _lines(found)))


def _assess(args: argparse.Namespace) -> dict[str, Any]:
    from harmony_core.export import write_h5ad
    from harmony_core.params import HarmonyParams, PrepareParams, RunParams
    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.runs.plan import Plan
    from harmony_core.runs.results import RunResults
    from harmony_core.store.ingest import ingest_file

    params = RunParams(
        harmony=HarmonyParams(batch=tuple(args.batch)),
        prepare=PrepareParams(basis=args.basis_before),
        label=args.label,
        condition=args.condition,
        precomputed=args.basis_after,
    )
    wanted = () if args.out is not None else ("assess",)
    progress = TerminalProgress()
    try:
        with working_store(args.home) as store:
            progress.say("Reading and checking the file")
            dataset = ingest_file(store, args.input, name=args.input.name)
            progress.expect(Plan(dataset, params).stages_for(*wanted))
            Pipeline(dataset, params, progress).run(*wanted)
            results = RunResults(dataset, params)
            if args.out is not None:
                progress.say("Writing")
                write_h5ad(results, args.out, input_path=str(args.input.resolve()))
            return _report(results)
    finally:
        progress.say("")


def _report(results: RunResults) -> dict[str, Any]:
    from harmony_core.export.record import versions
    from harmony_core.figures.summary import level_sizes

    dataset, params = results.dataset, results.params
    found, obs = results.assessment, results.obs
    assert found is not None  # just computed
    assert obs is not None
    return {
        "versions": versions(),
        "data": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "cells": dataset.n_cells,
            "cells_kept": len(obs),
            "batches": {name: level_sizes(obs[name]) for name in params.harmony.batch},
            "notes": [*dataset.info.warnings, *found["notes"]],
        },
        "embeddings": {
            "before": params.prepare.basis or "principal components of the counts",
            "after": params.precomputed,
        },
        "metrics": found["metrics"],
        "verdict": found["verdict"],
    }


def _lines(found: dict[str, Any]) -> list[str]:
    verdict = found["verdict"]
    lines = [f"{verdict['level']}: {' '.join(verdict['sentences'])}"]
    for variable, after in found["metrics"]["after"].items():
        before = found["metrics"]["before"].get(variable, {})
        for name, value in after.items():
            told = f"{_number(before[name])} -> " if name in before else ""
            lines.append(f"{variable} {name}: {told}{_number(value)}")
    for row in verdict["evidence"]:
        genes = f" ({', '.join(row['genes'])})" if row["genes"] else ""
        lines.append(f"evidence: {row['name']} now lies among {row['merged_with']}{genes}")
    return lines


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"
