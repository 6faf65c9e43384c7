"""Harmony batch correction with judgement, usable without any page.

>>> from harmony_core import HarmonyParams, Pipeline, RunParams, RunResults, Store, ingest_file

The names below are imported when they are first used, so that a page can use the light ones
without loading scanpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmony_core.data.ingest import ingest, ingest_file
    from harmony_core.data.read import read
    from harmony_core.data.store import Store
    from harmony_core.params import HarmonyParams, PrepareParams, RunParams
    from harmony_core.pipeline import Pipeline
    from harmony_core.results import RunResults

_HOMES = {
    "ingest": "data.ingest",
    "ingest_file": "data.ingest",
    "read": "data.read",
    "Store": "data.store",
    "HarmonyParams": "params",
    "PrepareParams": "params",
    "RunParams": "params",
    "Pipeline": "pipeline",
    "RunResults": "results",
}

__all__ = [
    "HarmonyParams",
    "Pipeline",
    "PrepareParams",
    "RunParams",
    "RunResults",
    "Store",
    "ingest",
    "ingest_file",
    "read",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
