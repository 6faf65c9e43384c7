"""The record of a run that travels inside its files: settings, versions, fingerprint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from harmony_core.plan import library_versions
from harmony_core.results import RunResults

RECORD_KEY = "harmony_explorer"
"""Entry of uns in a file that we wrote."""


def versions() -> dict[str, str]:
    """Return the versions of ours and of every library that shapes the results."""
    ours = {"harmony-explorer": metadata.version("harmony-explorer")}
    more = ("anndata", "numpy", "scipy", "scikit-learn", "numba", "pynndescent")
    return ours | library_versions() | {name: metadata.version(name) for name in more}


def record(results: RunResults, *, input_path: str = "") -> dict[str, Any]:
    """Return what a file says about the run that it holds, as plain JSON values.

    Parameters
    ----------
    input_path
        Where the data came from, if that is known.
    """
    dataset = results.dataset
    return {
        "params": results.params.to_dict(),
        "versions": versions(),
        "fingerprint": dataset.fingerprint,
        "name": dataset.name,
        "input": input_path,
        "where": dataset.meta["where"],
        "kind": dataset.meta["kind"],
        "harmony": dict(results.harmony or {}),
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
