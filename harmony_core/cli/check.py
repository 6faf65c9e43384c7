"""``harmony-explorer check``: what is recognised in a file, before anything runs."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import add_inputs, json_text, one_line, request_of

if TYPE_CHECKING:
    from harmony_core.inspect.candidates import BatchCandidate
    from harmony_core.inspect.contents import DataSummary
    from harmony_core.io.file_data import FileData

EXAMPLES = """\
examples:
  harmony-explorer check pbmc.h5ad
  harmony-explorer check lane1.zip lane2.zip --batch file
  harmony-explorer check embeddings.csv metadata.csv
  harmony-explorer check pbmc.h5ad --batch donor --label cell_type --json

exit status:
  0  the file can be used, and so can the columns that were named
  2  it can't; one line on standard error says why
"""

_SHOWN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_inputs(parser, "the data; several files become one dataset")
    parser.add_argument(
        "--batch", action="append", default=[], metavar="KEY", help="check this batch variable"
    )
    parser.add_argument("--label", metavar="KEY", help="column of known cell types")
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    from harmony_core.io.read import open_dataset

    with open_dataset(request_of(args), scratch=Path(tempfile.gettempdir())) as data:
        _print_summary(data, args)


def _print_summary(data: FileData, args: argparse.Namespace) -> None:
    from harmony_core.inspect.check import check
    from harmony_core.inspect.columns import batch_column, check_label

    obs = data.adata.obs
    if args.label is not None:
        check_label(obs, args.label)
    for name in args.batch:
        batch_column(obs, name)
    recognised = check(data.adata)
    likeliest = [c.name for c in recognised.batch_candidates[:1] if not c.is_label]
    _refuse_unusable(data.adata, recognised, args.batch or likeliest)
    found = recognised.to_dict()
    found["warnings"] = [*data.notes, *found["warnings"]]
    found["format"] = data.format
    _add_design(found, obs, recognised.batch_candidates, args.batch, args.label)
    if args.json:
        print(json_text(found))
    else:
        print("\n".join(one_line(line) for line in _lines(found, args.batch)))


def _refuse_unusable(adata: Any, recognised: DataSummary, batch: list[str]) -> None:
    """Raise where a run would be refused: there is no embedding, and the matrix is unsuitable."""
    from harmony_core.inspect.check import check_matrix, expression

    if recognised.expression is None or any(e.n_bad == 0 for e in recognised.embeddings):
        return
    matrix, _ = expression(adata, recognised.expression.where)
    for name in batch:
        check_matrix(matrix, adata.obs, name)


def _add_design(
    found: dict[str, Any],
    obs: Any,
    candidates: Sequence[BatchCandidate],
    named: list[str],
    label: str | None,
) -> None:
    """Add what the design says of the batch variables named, else of the likeliest."""
    from harmony_core.categories import Factor, categorical_columns
    from harmony_core.design.choice import design_of
    from harmony_core.inspect.candidates import all_conditions

    batch = named or [c.name for c in candidates[:1] if not c.is_label]
    # As a page does where nothing is chosen.
    label = label or next((c for c in found["label_candidates"] if c not in batch), None)
    found["batch"], found["advice"], found["design"] = batch, [], {}
    if not batch:
        return
    design = design_of(
        [Factor.of(name, obs[name]) for name in batch],
        categorical_columns(obs, without=found["own_columns"]),
        candidates,
        label=None if label is None else Factor.of(label, obs[label]),
        condition=all_conditions(batch, candidates),
        explained={c.name: c.explained for c in candidates if c.explained is not None},
    )
    found["advice"] = [finding.to_dict() for finding in design.advice]
    found["design"] = {
        name: [finding.to_dict() for finding in tied] for name, tied in design.tied.items()
    }


def _lines(found: dict[str, Any], named: list[str]) -> list[str]:
    matrices = ", ".join(f"{where} ({kind})" for where, kind in found["matrices"].items())
    embeddings = ", ".join(f"{e['name']} ({e['n_dims']})" for e in found["embeddings"])
    lines = [
        f"{found['format']}: {found['n_cells']:,} cells, {found['n_genes']:,} genes",
        f"expression: {matrices or 'none'}; used: {found['expression'] or 'none'}",
        f"embeddings: {embeddings or 'none'}",
        f"organism: {found['organism'] or 'not recognised'}; mitochondrial genes: "
        f"{found['n_mito']:,}; symbols from: {found['symbol_column'] or 'the names of the genes'}",
    ]
    for candidate in found["batch_candidates"][:_SHOWN]:
        sizes = ", ".join(f"{k} {v:,}" for k, v in list(candidate["sizes"].items())[:_SHOWN])
        more = f" and {n} more" if (n := len(candidate["sizes"]) - _SHOWN) > 0 else ""
        lines.append(f"batch variable? {candidate['name']}: {sizes}{more}")
        lines.append(f"  because {'; '.join(candidate['reasons'])}")
    lines.append(f"labels? {', '.join(found['label_candidates'][:_SHOWN]) or 'none'}")
    lines += [f"note: {warning}" for warning in found["warnings"]]
    for name, findings in found["design"].items():
        chosen = "can be the batch variable" if named else "is the likeliest batch variable"
        lines.append(f"{name} {chosen}")
        lines += [f"{finding['level']}: {finding['sentence']}" for finding in findings]
    lines += [f"{finding['level']}: {finding['sentence']}" for finding in found["advice"]]
    return lines
