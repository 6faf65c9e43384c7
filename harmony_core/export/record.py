"""The record of a run that travels inside its files: settings, versions, where the data were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from harmony_core.errors import ExportError
from harmony_core.export.content import content_digest
from harmony_core.plan import library_versions
from harmony_core.results import RunResults

if TYPE_CHECKING:
    from anndata import AnnData

RECORD_KEY = "harmony_explorer"
"""Entry of uns in a file that we wrote."""

_MORE = (
    *("anndata", "h5py", "numba", "numpy", "pandas", "pynndescent", "scikit-learn", "scipy"),
    "threadpoolctl",
)


def versions() -> dict[str, str]:
    """Return the versions of ours and of every library that shapes the results."""
    ours = {"harmony-explorer": metadata.version("harmony-explorer")}
    return ours | library_versions() | {name: metadata.version(name) for name in _MORE}


def source_of(results: RunResults) -> AnnData:
    """Read the data of a run as they came."""
    from harmony_core.data.read import read

    return read(results.dataset.source, name=results.dataset.name)


def record(
    results: RunResults, *, source: AnnData | None = None, input_path: str = ""
) -> dict[str, Any]:
    """Return what decides a run, as plain JSON values: enough to write it down as a script.

    Parameters
    ----------
    results
        A run that was corrected.
    source
        The data as they came; read from the store if not given.
    input_path
        Where they came from, if that is known.

    Returns
    -------
    ``params``, ``versions``, ``name``, ``fingerprint``, ``input``, ``digest`` (of the data that
    the run depends on), ``where`` and ``kind`` of the expression, ``prepared``, ``symbol_column``
    and ``harmony``: how it went, or None where the corrected embedding was given.

    Raises
    ------
    ExportError
        If the run was not corrected yet.
    """
    from harmony_core.data.check import expression
    from harmony_core.data.genes import symbol_column

    if results.stage("correct") is None:
        raise ExportError("This run is not finished, so there is nothing complete to write yet.")
    adata = source_of(results) if source is None else source
    dataset, params = results.dataset, results.params
    where = dataset.meta["where"]
    columns = [*params.harmony.batch, *([params.label] if params.label else [])]
    embeddings = [name for name in (params.prepare.basis, params.given) if name is not None]
    var = expression(adata, where)[1] if where else adata.var
    return {
        "params": params.to_dict(),
        "versions": versions(),
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "input": input_path or _only_input(dataset.meta),
        "digest": content_digest(adata, where, columns, embeddings),
        "where": where,
        "kind": dataset.meta["kind"],
        "prepared": prepared_facts(results),
        "symbol_column": symbol_column(var) if where else None,
        "harmony": results.harmony and {k: v for k, v in results.harmony.items() if k != "seconds"},
    }


def _only_input(meta: Mapping[str, Any]) -> str:
    """Return where the data came from, if that is one h5ad, which a script can read."""
    reading = meta.get("reading", {})
    paths = reading.get("inputs", []) if reading.get("format") == "h5ad" else []
    return str(paths[0]) if len(paths) == 1 else ""


def prepared_facts(results: RunResults) -> dict[str, Any]:
    """Return what preparation kept, as plain JSON values.

    Raises
    ------
    ExportError
        If the run was not prepared yet.
    """
    prepared, dataset = results.stage("prepare"), results.dataset
    if prepared is None:
        raise ExportError("This run is not finished, so there is nothing complete to write yet.")
    return {
        "cells": dataset.n_cells,
        "cells_kept": len(prepared.arrays["cells"]),
        "genes": len(dataset.symbols),
        "genes_kept": len(prepared.arrays["genes"]),
        "variable_genes": int(prepared.arrays["variable"].sum()),
        "dimensions": int(prepared.arrays["embedding"].shape[1]),
        "expression": dataset.meta["where"],
        "expression_kind": dataset.meta["kind"],
        "notes": [*dataset.meta["warnings"], *results.notes],
    }


def read_record(uns: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record in a file's uns, or None if it is not one of ours."""
    written = uns.get(RECORD_KEY)
    if not isinstance(written, str):
        return None
    try:
        found = json.loads(written)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "params" in found else None
