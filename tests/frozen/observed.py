"""What the frozen tests look at: files on disk and numbers, described so that they compare.

Nothing here imports harmony_core.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import llvmlite.binding
import numpy as np
import numpy.typing as npt
import pandas as pd
import threadpoolctl

HERE = Path(__file__).resolve().parent
INPUT = HERE / "cells.h5ad"
STORE = HERE / "store.zip"
RESULTS = HERE / "results.json"
FILES = HERE / "files.json"
FIRST_PATH = "/data/cells.h5ad"
"""Where the frozen files say that the data came from."""

KINDS = ("counts", "basis", "given", "two")
ON_DEMAND = ("quality", "doublets", "scib_before", "scib_after")

KEYED_BY = ("harmonypy", "scanpy", "umap-learn", "igraph", "leidenalg", "faiss-cpu")
"""Libraries whose versions are part of every stage's key."""

_SHAPING = (
    *("anndata", "h5py", "matplotlib", "numba", "numpy", "pandas", "pynndescent"),
    *("scikit-learn", "scipy", "threadpoolctl"),
)

RECORD = "uns/harmony_explorer"


def surroundings() -> dict[str, str]:
    """Return processor and libraries: where these are the same, results are to the last bit."""
    pools = threadpoolctl.threadpool_info()  # other libraries' too, if they are loaded by now
    blas = {str(p.get("architecture")) for p in pools if "numpy" in Path(p["filepath"]).parent.name}
    return {
        "processor": _processor(),
        "core": llvmlite.binding.get_host_cpu_name(),
        "blas": ", ".join(sorted(blas)),
        "system": f"{platform.system()} {platform.machine()}",
    } | {name: metadata.version(name) for name in (*KEYED_BY, *_SHAPING)}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


# Digests


def digest(array: npt.ArrayLike) -> str:
    """Return a digest of an array's kind, shape and bytes."""
    values = np.ascontiguousarray(array)
    if values.dtype.names:  # a table, field by field: some may hold text
        fields = [f"{name} {digest(values[name])}" for name in values.dtype.names]
        content, kind = json.dumps(fields).encode(), "table"
    elif values.dtype.kind in "OUS":  # text, whatever its width
        content, kind = json.dumps(_texts(values)).encode(), "text"
    else:
        content, kind = values.tobytes(), values.dtype.str
    found = hashlib.blake2b(f"{kind} {values.shape} ".encode(), digest_size=16)
    found.update(content)
    return found.hexdigest()


def _texts(values: npt.NDArray[Any]) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values.ravel().tolist()]


def file_digests(home: Path) -> dict[str, str]:
    """Return a digest of every file below a folder."""
    return {
        str(path.relative_to(home)): hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


# A store


def stage_folders(home: Path, fingerprint: str) -> list[str]:
    """Return the names of a dataset's finished stages, which are the stages with their keys."""
    stages = home / "datasets" / fingerprint / "stages"
    return sorted(mark.parent.name for mark in stages.glob("*/info.json"))


def stage(home: Path, fingerprint: str, folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a finished stage's arrays, and its values without what computing them took."""
    where = home / "datasets" / fingerprint / "stages" / folder
    info = json.loads((where / "info.json").read_text("utf-8"))
    arrays = {path.stem: np.load(path, allow_pickle=False) for path in where.glob("*.npy")}
    assert sorted(arrays) == info["arrays"]
    assert set(info) - {"memory", "sums"} == {"arrays", "values"}
    return arrays, {k: v for k, v in info["values"].items() if k != "seconds"}


def stage_facts(home: Path, fingerprint: str, folder: str) -> dict[str, Any]:
    """Return a finished stage in short."""
    arrays, values = stage(home, fingerprint, folder)
    return {"arrays": {k: digest(a) for k, a in sorted(arrays.items())}, "values": values}


def dataset_facts(home: Path, fingerprint: str) -> dict[str, Any]:
    """Return what a store keeps of a dataset beside its stages and runs."""
    folder = home / "datasets" / fingerprint
    meta = json.loads((folder / "dataset.json").read_text("utf-8"))
    meta["reading"] = {k: v for k, v in meta["reading"].items() if k != "inputs"}
    return {
        "meta": meta,
        "arrays": {
            str(path.relative_to(folder)): digest(np.load(path, allow_pickle=False))
            for name in ("matrix", "embeddings")
            for path in sorted((folder / name).glob("*.npy"))
        },
        "tables": {
            name: table_facts(pd.read_parquet(folder / name))
            for name in ("obs.parquet", "var.parquet")
        },
    }


def table_facts(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table's columns in order, each with a digest of its values, and of its index."""
    columns = {str(name): digest(table[name].to_numpy()) for name in table.columns}
    kinds = [str(kind) for kind in table.dtypes]
    return {
        "columns": columns,
        "kinds": kinds,
        "rows": len(table),
        "index": digest(np.asarray(table.index)),
    }


# An exported file


def h5ad_facts(path: Path) -> dict[str, Any]:
    """Return every entry of an h5ad with its attributes and a digest, and the record of its run."""
    entries: dict[str, Any] = {}

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        told: dict[str, Any] = {"attributes": {k: _plain(v) for k, v in sorted(item.attrs.items())}}
        if isinstance(item, h5py.Dataset) and name != RECORD:
            told["kind"] = str(item.dtype)
            if item.shape is not None:  # else it says None
                told |= {"shape": list(item.shape), "digest": digest(np.atleast_1d(item[()]))}
        entries[name] = told

    with h5py.File(path, "r") as file:
        file.visititems(add)
        record = json.loads(file[RECORD].asstr()[()])
    return {"entries": entries, "record": without(record, "versions", "input")}


def _plain(value: Any) -> Any:
    if isinstance(value, h5py.Reference):
        return "reference"
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def array_in(path: Path, name: str) -> npt.NDArray[Any]:
    """Return one entry of an h5ad."""
    with h5py.File(path, "r") as file:
        return np.asarray(file[name][()])


# Comparing


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a dict without some of its keys."""
    return {k: v for k, v in values.items() if k not in names}


def plain(values: Any) -> Any:
    """Return values as they come back from JSON."""
    return json.loads(json.dumps(values))


def differences(now: Any, then: Any, *, tolerance: float = 0.0, at: str = "") -> list[str]:
    """Return where two JSON values differ.

    Parameters
    ----------
    tolerance
        How far two numbers may be apart, as a part of the larger one or, below 1, absolutely.
        With one, texts that hold numbers need only be texts.
    at
        Where the values stand, for the messages.
    """
    if isinstance(now, dict) and isinstance(then, dict):
        if set(now) != set(then):
            return [f"{at}: names differ by {sorted(set(now) ^ set(then))}"]
        pairs = [(f"{at}/{name}", now[name], then[name]) for name in then]
    elif isinstance(now, list) and isinstance(then, list):
        if len(now) != len(then):
            return [f"{at}: {len(now)} entries instead of {len(then)}"]
        pairs = [(f"{at}/{i}", a, b) for i, (a, b) in enumerate(zip(now, then, strict=True))]
    else:
        return [] if _alike(now, then, tolerance) else [f"{at}: {now!r} instead of {then!r}"]
    return [
        line for name, a, b in pairs for line in differences(a, b, tolerance=tolerance, at=name)
    ]


def _alike(now: Any, then: Any, tolerance: float) -> bool:
    if type(now) is not type(then):
        return False
    if isinstance(now, float):
        if now == then or (math.isnan(now) and math.isnan(then)):
            return True
        return abs(now - then) <= tolerance * max(1.0, abs(then))
    if tolerance and isinstance(now, str) and any(c.isdigit() for c in then):
        return True
    return bool(now == then)
