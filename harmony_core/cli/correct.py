"""``harmony-explorer correct``: one run from file to file."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import (
    TerminalProgress,
    add_data,
    add_home,
    came_from,
    check_output,
    compute_run,
    one_line,
    panel_of,
    request_of,
    terminal_progress,
    working_store,
    write_report,
)
from harmony_core.errors import ParameterError
from harmony_core.method_catalog import METHODS
from harmony_core.methods.harmony_releases import RELEASES, of_release
from harmony_core.methods.integration.environment import VARIABLE as METHODS_VARIABLE
from harmony_core.params import GROUPS, ClusterParams, MethodParams, RunParams
from harmony_core.verdict.risk import Risk, risk_sentence, worst_risk

if TYPE_CHECKING:
    from harmony_core.io.request import LoadRequest
    from harmony_core.runs.concordance import Concordance
    from harmony_core.runs.results import RunResults
    from harmony_core.runs.tried_advice import AdviceOutcome
    from harmony_core.store import DatasetInfo

EXAMPLES = """\
examples:
  harmony-explorer correct pbmc.h5ad --batch donor --out corrected.h5ad
  harmony-explorer correct lane1.h5 lane2.h5 --batch file --out corrected.h5ad
  harmony-explorer correct pbmc.h5ad --batch donor --batch chemistry --theta 2 1 \\
      --label cell_type --out corrected.h5ad --report report.json --figure evaluation.png
  harmony-explorer correct pbmc.h5ad --batch donor --method scanorama --method-setting knn=10 \\
      --out corrected.h5ad
  harmony-explorer correct pbmc.h5ad --config settings.toml --out corrected.h5ad
  harmony-explorer correct pcs.h5ad --batch stim --condition --basis X_pca --out corrected.h5ad

exit status:
  0  done
  1  it could not be finished (disk full, too little memory)
  2  the input or a setting cannot be used; one line on standard error says why

Files named by --out, --report and --figure are replaced if they exist.
"""

_WHOLE = {
    "min_genes": "fewest genes of a cell (200, fewer where the data have few genes a cell)",
    "max_genes": "most genes of a cell (6000, more where the data have many genes a cell)",
    "min_cells": "fewest cells of a gene (3)",
    "n_top_genes": "variable genes (3000)",
    "n_pcs": "principal components (50); of --basis the first N (all)",
}
_HARMONY = {
    "tau": "protection of small batches (0, off)",
    "alpha": "ridge penalty as a share of expected cells (0.2)",
    "lamb": "fixed ridge penalty instead of alpha, above 0",
    "block_size": "share of cells updated together (0.05)",
    "epsilon_cluster": "change at which clustering stops, from its 5th round on (0.001)",
    "epsilon_harmony": "change at which Harmony stops (0.01)",
    "batch_prop_cutoff": "share of a batch's cells up to which a soft cluster is not corrected for "
    "the batch (1e-05)",
}
_OF_BATCHES = {
    "theta_of": "theta of a single batch; repeat it for several",
    "lamb_of": "with --lamb: fixed ridge penalty of a single batch; repeat it for several",
}


_Group = argparse._ArgumentGroup


class _OfBatch(argparse.Action):
    """Collects a batch variable, a batch and a number, each time that the option is given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        variable, batch, text = values
        try:
            row = (variable, batch, float(text))
        except ValueError:
            parser.error(f"argument {option_string}: {text!r} is not a number")
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or ()), row])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments; what is left out takes the defaults of `RunParams`."""
    _add_data(parser.add_argument_group("what to correct"))
    _add_harmony(parser.add_argument_group("Harmony"))
    _add_method(parser.add_argument_group("another method in Harmony's place"))
    _add_preparation(parser.add_argument_group("preparation"))
    _add_results(parser.add_argument_group("neighbours, pictures, clusters"))
    _add_output(parser.add_argument_group("output"))


def _add_data(main: _Group) -> None:
    add_data(main, needs_batch=False)
    main.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings of a run, .toml or .json; other arguments go before them",
    )
    main.add_argument(
        "--basis",
        metavar="NAME",
        help="correct this embedding, for example X_pca, instead of preparing the counts (the "
        "likeliest of a file without expression)",
    )


def _add_harmony(harmony: _Group) -> None:
    harmony.add_argument(
        "--theta",
        type=float,
        nargs="+",
        action="extend",
        metavar="T",
        help="diversity penalty, one for all batch variables or one for each (2); of several "
        "variables they are multiplied, where R adds them",
    )
    harmony.add_argument(
        "--penalties-as-r",
        action="store_const",
        const=True,
        help="with several batch variables: divide each theta by their number, which comes near to "
        "adding the penalties",
    )
    harmony.add_argument(
        "--as-harmony",
        choices=tuple(RELEASES),
        help="take the settings that come near to an earlier Harmony: 1 is 1.2 in R, 1.0 is 1.0 "
        "and 1.1, 0 the first release; other arguments go before them",
    )
    harmony.add_argument("--sigma", type=float, metavar="S", help="width of soft clusters (0.1)")
    harmony.add_argument("--nclust", type=int, metavar="K", help="soft clusters (automatic)")
    harmony.add_argument("--max-iter", type=int, metavar="N", help="most iterations (10)")
    harmony.add_argument("--max-iter-kmeans", type=int, metavar="N", help="clustering rounds (4)")
    for name, text in _HARMONY.items():
        harmony.add_argument(_option(name), type=float, metavar="X", help=text)
    for name, text in _OF_BATCHES.items():
        harmony.add_argument(
            _option(name), nargs=3, action=_OfBatch, metavar=("KEY", "BATCH", "X"), help=text
        )
    harmony.add_argument(
        "--sigma-of",
        type=float,
        nargs="+",
        metavar="S",
        help="with --nclust: a sigma for each soft cluster, in place of --sigma",
    )
    harmony.add_argument("--seed", type=int, metavar="N", help="seed of everything random (0)")


def _add_method(method: _Group) -> None:
    method.add_argument(
        "--method",
        choices=tuple(METHODS),
        help="correct by this one; its library is looked for in the environment that "
        f"{METHODS_VARIABLE} names, by default this one",
    )
    method.add_argument(
        "--method-setting",
        action="append",
        metavar="NAME=VALUE",
        help="a setting of that method, as knn=10; repeat it for several",
    )


def _add_preparation(prepare: _Group) -> None:
    for name, text in _WHOLE.items():
        prepare.add_argument(_option(name), type=int, metavar="N", help=text)
    prepare.add_argument(
        "--max-mito",
        type=float,
        metavar="PERCENT",
        help="most mitochondrial counts (20, more where most cells have many)",
    )
    prepare.add_argument(
        "--max-doublet",
        type=float,
        metavar="SCORE",
        help="largest doublet score, 0 to 1 (none is computed)",
    )
    prepare.add_argument(
        "--scale",
        action="store_const",
        const=True,
        help="bring variable genes to unit variance before the components",
    )
    prepare.add_argument(
        "--skip-dims", type=int, metavar="N", help="leading dimensions of --basis to leave out (0)"
    )


def _add_results(view: _Group) -> None:
    view.add_argument("--n-neighbors", type=int, metavar="N", help="neighbours of a cell (15)")
    view.add_argument("--min-dist", type=float, metavar="X", help="UMAP's least distance (0.3)")
    view.add_argument("--spread", type=float, metavar="X", help="UMAP's scale (1)")
    view.add_argument(
        "--resolution",
        type=float,
        metavar="X",
        help="Leiden resolution of the column leiden (0.5)",
    )


def _add_output(output: _Group) -> None:
    output.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the corrected data, .h5ad or .zarr"
    )
    output.add_argument(
        "--compression",
        choices=("gzip", "lzf"),
        default="gzip",
        help="of an h5ad: gzip is smaller, lzf faster (gzip)",
    )
    output.add_argument("--report", type=Path, metavar="FILE", help="numbers and verdict, .json")
    output.add_argument(
        "--figure", type=Path, metavar="FILE", help="evaluation figure, .png, .svg or .pdf"
    )
    output.add_argument(
        "--risk",
        action="store_true",
        help="also estimate what each label or state would lose if other batches lacked it",
    )
    output.add_argument(
        "--try-advice",
        action="store_true",
        help="also run each piece of advice on these data and say what it did; a run each",
    )
    output.add_argument(
        "--concordance",
        action="store_true",
        help="also say how much of the difference to other releases of Harmony is more than that "
        "between five seeds; a run each",
    )
    output.add_argument(
        "--releases",
        action="store_true",
        help="also run these settings as Harmony 1 and as Harmony 2, and say what changed",
    )
    add_home(output, "keep results here, so that no stage is computed twice")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    from harmony_core.runs.design import design_of_run
    from harmony_core.runs.notes import notes_on_run

    params = params_of(args)  # complains before anything is read
    _refuse_harmony_only(args, params)
    request = request_of(args)
    check_output(args.out, "--out", *args.input, endings=(".h5ad", ".zarr"))
    check_output(args.report, "--report", *args.input, endings=(".json",))
    check_output(args.figure, "--figure", *args.input, endings=(".png", ".svg", ".pdf"))

    with terminal_progress() as progress, working_store(args.home) as store:
        results, seconds = _compute(store, request, args, progress)
        risks = _risks(results, progress) if args.risk else None
        advice = _tried_advice(results, progress) if args.try_advice else None
        seeds = _concordance(results, progress) if args.concordance else None
        pair = _releases(results, progress) if args.releases else None
        progress.say("Writing")
        notes = _write(args, results, seconds, _asked_for(risks, advice, seeds, pair))
    if progress.is_visible and (assessment := results.assessment) is not None:
        print(one_line(f"{assessment.verdict.level}: {' '.join(assessment.verdict.sentences)}"))
        for note in (*notes_on_run(results), *notes):
            print(one_line(f"note: {note}"))
        for found in design_of_run(results).warnings:
            print(one_line(f"{found.severity}: {found.sentence}"))
        print(one_line(f"Written to {args.out}."))
        if risks and (worst := worst_risk(risks)) is not None:
            print(one_line(risk_sentence(worst)))
        for one in advice or ():
            print(one_line(f"What to try: {one.advice.sentence} {one.sentence}"))
        for sentence in seeds.sentences if seeds is not None else ():
            print(one_line(sentence))
        if pair is not None:
            print(one_line(pair))


def _refuse_harmony_only(args: argparse.Namespace, params: RunParams) -> None:
    """Raise where something of Harmony's is asked for beside another method."""
    if params.by_harmony:
        return
    for name in ("as_harmony", "concordance", "releases"):
        if getattr(args, name):
            raise ParameterError(
                f"{_option(name)} is for Harmony, and these settings correct by another method; "
                "leave one of them out."
            )


def params_of(args: argparse.Namespace, info: DatasetInfo | None = None) -> RunParams:
    """Return the settings that the arguments ask for, on top of those of ``--config``.

    Parameters
    ----------
    args
        Of the command.
    info
        Of the data once they are read: what is not asked for then takes what suits them.

    Raises
    ------
    FileError
        If the settings file can't be read.
    ParameterError
        If a setting is unknown or out of its range.
    """
    from harmony_core.export.settings import read_settings

    values: dict[str, Any] = {} if args.config is None else read_settings(args.config)
    if args.as_harmony is not None:
        values["harmony"] = {**values.get("harmony", {}), **of_release(args.as_harmony)}
        values["harmony"].pop("lamb_of", None)
    for group, kind in GROUPS.items():
        values.setdefault(group, {})
        for field in dataclasses.fields(kind):
            if getattr(args, field.name, None) is not None:
                values[group][field.name] = getattr(args, field.name)
    if info is not None:
        basis = info.start_basis(values["prepare"], other_than=values.get("given"))
        values["prepare"]["basis"] = basis
    if args.n_pcs is not None and values["prepare"].get("basis"):
        values["prepare"]["use_dims"] = args.n_pcs
    if args.resolution is not None:
        clusters = values["clusters"]
        computed = clusters.get("resolutions", list(ClusterParams().resolutions))
        clusters["resolutions"] = sorted({*computed, args.resolution})
        clusters["shown"] = args.resolution
    if args.label is not None:
        values["label"] = args.label
        values.pop("panel", None)
    if args.marker_labels is not None:
        values["label"], values["panel"] = args.label, panel_of(args.marker_labels)
    if args.condition is not None:
        values["condition"] = args.condition
    if args.method is not None:
        method = MethodParams.from_words([args.method, *(args.method_setting or ())])
        seed = {"seed": args.seed} if args.seed is not None and "seed" in method.values else {}
        values["method"] = {**seed, **method.to_dict()}
    elif args.method_setting:
        raise ParameterError("--method-setting is of a method; say with --method of which one.")
    if "batch" not in values["harmony"]:
        raise ParameterError("Say which column of obs holds the batches: --batch KEY.")
    if info is not None:
        values["condition"] = info.is_condition(values["harmony"]["batch"], values.get("condition"))
        values["prepare"] = info.start_of_preparation(values["prepare"]).to_dict()
    return RunParams.from_dict(values)


def _compute(
    store: Any, request: LoadRequest, args: argparse.Namespace, progress: TerminalProgress
) -> tuple[RunResults, dict[str, float]]:
    from harmony_core.store.ingest import ingest_request

    start = time.perf_counter()
    progress.say("Reading and checking the file")
    dataset = ingest_request(store, request)
    params = params_of(args, dataset.info)
    read = round(time.perf_counter() - start, 4)
    results = compute_run(dataset, params, progress)
    return results, {"read": read, **results.seconds}


def _risks(results: RunResults, progress: TerminalProgress) -> list[Risk]:
    """Estimate the risk of every label or state at the settings of a run."""
    from harmony_core.runs.risk import estimate, run_risks

    estimate(
        results.dataset, [results.params], lambda step, fraction: progress.say(f"Risk: {step}")
    )
    return list(run_risks(results).values())


def _tried_advice(results: RunResults, progress: TerminalProgress) -> tuple[AdviceOutcome, ...]:
    """Try every piece of advice on the data, a run each."""
    from harmony_core.runs.tried_advice import advice_outcomes, untried

    for params in untried(advice_outcomes(results)):
        compute_run(results.dataset, params, progress, "assess")
    return advice_outcomes(results)


def _concordance(results: RunResults, progress: TerminalProgress) -> Concordance:
    """Compare the run's settings with several seeds and other releases, a run each."""
    from harmony_core.runs.concordance import STAGES, computed_concordance

    listen = partial(_expect, results, progress, STAGES)
    return computed_concordance(results.dataset, results.params, before_each=listen)


def _releases(results: RunResults, progress: TerminalProgress) -> str:
    """Run the settings as Harmony 1 and as Harmony 2; return what changed."""
    from harmony_core.runs.release_pair import STAGES, computed_pair

    listen = partial(_expect, results, progress, STAGES)
    return computed_pair(results.dataset, results.params, listen).sentence


def _expect(
    results: RunResults, progress: TerminalProgress, targets: Sequence[str], run: RunParams
) -> TerminalProgress:
    from harmony_core.runs.plan import Plan

    progress.expect(Plan(results.dataset, run).stages_for(*targets))
    return progress


def _asked_for(
    risks: Sequence[Risk] | None,
    advice: Sequence[AdviceOutcome] | None,
    seeds: Concordance | None,
    pair: str | None,
) -> dict[str, Any]:
    """Return what a report holds only where it was asked for."""
    from harmony_core.export.tables import advice_table

    values: dict[str, Any] = {}
    if risks is not None:
        values["risk"] = list(map(dataclasses.asdict, risks))
    if advice is not None:
        values["advice"] = advice_table(advice).to_dict("records")
    if seeds is not None:
        runs = seeds.table.to_dict("records")
        values["concordance"] = {"sentences": list(seeds.sentences), "runs": runs}
    if pair is not None:
        values["releases"] = pair
    return values


def _write(
    args: argparse.Namespace,
    results: RunResults,
    seconds: dict[str, float],
    asked_for: Mapping[str, Any],
) -> tuple[str, ...]:
    from harmony_core.export import evaluation_figure, write_h5ad, write_zarr
    from harmony_core.export.json_report import report_values

    start = time.perf_counter()
    path = came_from(args)
    if args.out.suffix.lower() == ".zarr":
        notes = write_zarr(results, args.out, input_path=path)
    else:
        notes = write_h5ad(results, args.out, compression=args.compression, input_path=path)
    if args.figure is not None:
        evaluation_figure(results, args.figure)
    if args.report is not None:
        seconds = seconds | {"write": round(time.perf_counter() - start, 4)}
        report = report_values(results, seconds=seconds, notes=notes)
        write_report(args.report, {**report, **asked_for})
    return notes


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
