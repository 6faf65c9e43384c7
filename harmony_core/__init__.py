"""Harmony batch correction with judgement, usable without any page.

`Study` reads, prepares, corrects, diagnoses; its `Run` is judged and exports:

>>> from harmony_core import Study
>>> from harmony_core.simulate.cells import Scenario, simulate, to_anndata
>>> cells = to_anndata(simulate(Scenario(name="demo", n_cells=400, n_genes=300), seed=1))
>>> study = Study.read(cells, batch="batch", label="true_type")
>>> run = study.prepare(min_genes=5, n_top_genes=150, n_pcs=10).correct(theta=2)
>>> run.verdict.kind
'good'

The names below are imported when they are first used, so that a page can use the light ones
without loading scanpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmony_core.finished_run import Run
    from harmony_core.io.read import read
    from harmony_core.params import HarmonyParams, PrepareParams, RunParams
    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.runs.results import RunResults
    from harmony_core.store import Store
    from harmony_core.store.ingest import ingest, ingest_file
    from harmony_core.study import Study

_HOMES = {
    "Run": "finished_run",
    "Study": "study",
    "ingest": "store.ingest",
    "ingest_file": "store.ingest",
    "read": "io.read",
    "Store": "store",
    "HarmonyParams": "params",
    "PrepareParams": "params",
    "RunParams": "params",
    "Pipeline": "runs.pipeline",
    "RunResults": "runs.results",
}

__all__ = [
    "HarmonyParams",
    "Pipeline",
    "PrepareParams",
    "Run",
    "RunParams",
    "RunResults",
    "Store",
    "Study",
    "ingest",
    "ingest_file",
    "read",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
