"""A run in numbers, as plain JSON values: what the command line reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harmony_core.errors import ExportError
from harmony_core.export.record import versions
from harmony_core.results import RunResults


def run_report(
    results: RunResults, *, seconds: Mapping[str, float] | None = None, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return versions, data, settings in effect, how Harmony went, metrics, verdict and times.

    Parameters
    ----------
    results
        A finished run.
    seconds
        Time per stage; by default as the store remembers it.
    notes
        Anything else to say about the data.

    Raises
    ------
    ExportError
        If the run is not finished.
    """
    harmony, found, prepared = results.harmony, results.assessment, results.stage("prepare")
    if harmony is None or found is None or prepared is None or results.obs is None:
        raise ExportError("This run is not finished, so there is nothing complete to report yet.")
    dataset, params = results.dataset, results.params.to_dict()
    params["harmony"]["nclust"] = harmony["nclust"]
    params["prepare"]["n_pcs"] = int(prepared.arrays["embedding"].shape[1])
    return {
        "versions": versions(),
        "data": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "cells": dataset.n_cells,
            "cells_kept": len(results.obs),
            "genes": len(dataset.symbols),
            "genes_kept": len(prepared.arrays["genes"]),
            "variable_genes": int(prepared.arrays["variable"].sum()),
            "expression": dataset.meta["where"],
            "expression_kind": dataset.meta["kind"],
            "batches": {name: _sizes(results, name) for name in results.params.harmony.batch},
            "notes": [*dataset.meta["warnings"], *results.notes, *found["notes"], *notes],
        },
        "params": params,
        "harmony": {k: v for k, v in harmony.items() if k != "seconds"},
        "metrics": found["metrics"],
        "verdict": found["verdict"],
        "seconds": dict(seconds if seconds is not None else results.seconds),
    }


def _sizes(results: RunResults, name: str) -> dict[str, int]:
    assert results.obs is not None
    sizes = results.obs[name].astype("string").value_counts().sort_index()
    return {str(level): int(n) for level, n in sizes.items()}
