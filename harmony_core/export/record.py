"""The record of a run that travels inside its files: settings, versions, where the data were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from harmony_core.errors import UnfinishedRun
from harmony_core.export.digest import content_digest
from harmony_core.export.source import opened_source
from harmony_core.inspect.check import expression
from harmony_core.inspect.genes import symbol_column
from harmony_core.inspect.own_results import read_record
from harmony_core.params import RunParams
from harmony_core.runs.notes import gene_choice, notes_on_run
from harmony_core.runs.plan import library_versions
from harmony_core.runs.results import RunResults
from harmony_core.store.info import Reading
from harmony_core.version import PROGRAM, VERSION

if TYPE_CHECKING:
    from anndata import AnnData

_OF_THE_FILE = ("basis", "given", "written")
"""What a record says of the very file that it is in."""

_MORE = (
    *("anndata", "h5py", "numba", "numpy", "pandas", "pynndescent", "scikit-learn", "scipy"),
    "threadpoolctl",
)


def versions() -> dict[str, str]:
    """Return the versions of ours and of every library that shapes the results."""
    return (
        {PROGRAM: VERSION} | library_versions() | {name: metadata.version(name) for name in _MORE}
    )


def run_record(
    results: RunResults, source: AnnData | None = None, *, input_path: str = ""
) -> dict[str, Any]:
    """Return what decides a run, as plain JSON values: enough to write it down as a script.

    Parameters
    ----------
    results
        A run that was corrected.
    source
        The data that the run was made from; by default read from the store.
    input_path
        Where they came from, if that is known.

    Returns
    -------
    ``params``, ``versions``, ``name``, ``fingerprint``, ``input``, ``digest`` (of the data that
    the run depends on), ``where`` and ``kind`` of the expression, ``prepared``, ``symbol_column``
    and ``harmony``: how it went, or None where Harmony was not run. Where another method was,
    ``method``: the versions of its libraries, and the levels of the batch.

    Raises
    ------
    ExportError
        If the run was not corrected yet.
    """
    if results.stage("correct") is None:
        raise UnfinishedRun("write")
    if source is None:
        with opened_source(results) as source:
            return run_record(results, source, input_path=input_path)
    earlier = original_record(results, source)
    return _new(results, source, input_path) if earlier is None else _resumed(results, earlier)


def _new(results: RunResults, adata: AnnData, input_path: str) -> dict[str, Any]:
    dataset, params = results.dataset, results.params
    where = dataset.info.where
    label = params.label if params.panel is None else None  # else it is none of the file's columns
    columns = [*params.harmony.batch, *([label] if label else [])]
    embeddings = [name for name in (params.prepare.basis, params.precomputed) if name is not None]
    var = expression(adata, where)[1] if where else adata.var
    return {
        "params": params.to_dict(),
        "versions": versions(),
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "input": input_path or _only_input(dataset.info.reading),
        "digest": content_digest(adata, where, columns, embeddings),
        "where": where,
        "kind": dataset.info.kind,
        "prepared": prepared_facts(results),
        "symbol_column": symbol_column(var) if where else None,
        "harmony": harmony_facts(results),
        **method_facts(results),
    }


def method_facts(results: RunResults) -> dict[str, Any]:
    """Return under ``method`` how another method went, as plain JSON values; else nothing."""
    stage = results.stage("correct")
    if results.params.method is None or stage is None:
        return {}
    return {"method": {k: v for k, v in stage.info.items() if k != "seconds"}}


def harmony_facts(results: RunResults) -> dict[str, Any] | None:
    """Return how Harmony went, as plain JSON values; None where it was not run."""
    harmony = results.harmony
    return None if harmony is None else {k: v for k, v in harmony.items() if k != "seconds"}


def _resumed(results: RunResults, earlier: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run in a file of ours, with what was changed since.

    It still starts from the data that the file was made from.
    """
    original = {k: v for k, v in earlier.items() if k not in _OF_THE_FILE}
    now, then = results.params, RunParams.from_dict(earlier["params"])
    # Where the file at hand has the embeddings.
    place = {"basis": now.prepare.basis, "given": now.precomputed}
    same = replace(now, prepare=then.prepare, precomputed=then.precomputed)
    if same == then:
        return original | place
    changed = {"versions": versions(), "harmony": harmony_facts(results)}
    changed |= method_facts(results)
    return original | place | changed | {"params": same.to_dict()}


def original_params(results: RunResults) -> RunParams:
    """Return a run's settings; of a run that goes on from a file of ours, from its first data."""
    with opened_source(results) as source:
        earlier = original_record(results, source)
    return (
        results.params
        if earlier is None
        else RunParams.from_dict(_resumed(results, earlier)["params"])
    )


def original_record(results: RunResults, source: AnnData) -> dict[str, Any] | None:
    """Return the record in a run's data, if the run goes on from the one that wrote them.

    It does where it starts from the embedding that was written, for the same variables; Harmony's
    settings may have changed.
    """
    resumed, earlier = results.dataset.info.run, earlier_record(source.uns)
    if resumed is None or earlier is None:
        return None
    now = results.params
    same = (now.prepare, now.harmony.batch, now.label, now.panel, now.precomputed) == (
        *(resumed.prepare, resumed.harmony.batch, resumed.label),
        *(resumed.panel, resumed.precomputed),
    ) and (now.method is None) == (resumed.method is None)
    return earlier if same else None


def _only_input(reading: Reading) -> str:
    """Return where the data came from, if that is one h5ad, which a script can read."""
    return reading.inputs[0] if reading.format == "h5ad" and len(reading.inputs) == 1 else ""


def prepared_facts(results: RunResults) -> dict[str, Any]:
    """Return what preparation kept, as plain JSON values.

    ``genes_chosen`` and ``small_batches`` are there only where genes were not chosen within every
    batch (see `gene_choice`); ``kept``, cells kept and all cells of each batch and label, only
    where cells were left out.

    Raises
    ------
    ExportError
        If the run was not prepared yet.
    """
    prepared, dataset = results.stage("prepare"), results.dataset
    if prepared is None:
        raise UnfinishedRun("write")
    return {
        "cells": dataset.n_cells,
        "cells_kept": len(prepared.arrays["cells"]),
        "genes": len(dataset.symbols),
        "genes_kept": len(prepared.arrays["genes"]),
        "variable_genes": int(prepared.arrays["variable"].sum()),
        "dimensions": int(prepared.arrays["embedding"].shape[1]),
        "expression": dataset.info.where,
        "expression_kind": dataset.info.kind,
        **gene_choice(results),
        **_kept(results),
        "notes": list(notes_on_run(results)),
    }


def _kept(results: RunResults) -> dict[str, Any]:
    """Return the cells kept of each batch and label, and of how many, where any were left out."""
    kept = {each.name: {k: list(n) for k, n in each.cells.items()} for each in results.kept}
    return {"kept": kept} if kept else {}


def earlier_record(uns: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record in a file's uns, or None if it tells of no run of ours."""
    record = read_record(uns)
    return record if record is not None and "params" in record else None
