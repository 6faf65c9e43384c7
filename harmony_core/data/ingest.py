"""Take data into the store: check them, choose the matrix, write what pages and stages read."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from harmony_core.data.check import Report, ValueKind, check, check_batch, expression
from harmony_core.data.store import Dataset, Store
from harmony_core.errors import BatchError, HarmonyExplorerError

if TYPE_CHECKING:
    from anndata import AnnData

RESULT_KEY = "harmony_explorer"
"""Entry of uns by which we know a file that we wrote."""

_KINDS = {
    ValueKind.COUNTS: "counts",
    ValueKind.FRACTIONAL_COUNTS: "counts",
    ValueKind.NORMALISED: "normalised",
    ValueKind.LOG: "log",
    ValueKind.SCALED: "scaled",
    ValueKind.MIXED: "mixed",
}


def ingest_file(store: Store, path: Path, *, name: str) -> Dataset:
    """Read a file into the store; a file read before is not read again.

    Raises
    ------
    FileError, DataError
        If it cannot be read or used; nothing is left in the store then.
    """
    from harmony_core.data.read import load

    loaded = load(path, name=name)
    source = path if loaded.format == "h5ad" else None
    return ingest(store, loaded.adata, name=name, source=source, notes=loaded.notes)


def ingest(
    store: Store,
    adata: AnnData,
    *,
    name: str,
    source: Path | None = None,
    suggested: dict[str, Any] | None = None,
    notes: Iterable[str] = (),
) -> Dataset:
    """Take data into the store.

    Parameters
    ----------
    adata
        The data.
    name
        What pages call them.
    source
        The h5ad they were read from, which is kept as it is; without one the data are written.
    suggested
        Batch variables, label and whether the variable is a condition, where they are known;
        otherwise the likeliest are taken.
    notes
        What was noticed while reading.

    Raises
    ------
    DataError
        If the data can't be used.
    """
    if source is None:
        adata = _writable(adata)
    report = check(adata)
    matrix, symbols, gene_ids = _matrix(adata, report)
    obs = _readable(adata.obs)
    obs.index = pd.Index(_unique(adata.obs_names))
    embeddings = {
        e.name: np.asarray(
            adata.obsm[e.name].toarray() if sp.issparse(adata.obsm[e.name]) else adata.obsm[e.name],
            dtype=np.float32,
        )
        for e in report.embeddings
        if not e.is_layout
    }
    fingerprint = _fingerprint(matrix, obs, embeddings, symbols)
    with store.new_dataset(fingerprint) as folder:
        if folder is not None:
            if source is None:
                adata.write_h5ad(folder / "source.h5ad", compression="gzip")
            else:
                shutil.copyfile(source, folder / "source.h5ad")
            obs.to_parquet(folder / "obs.parquet")
            if matrix is not None:
                var = pd.DataFrame({"symbol": symbols}, index=pd.Index(gene_ids, dtype=str))
                var.to_parquet(folder / "var.parquet")
                _save(folder / "matrix", data=matrix.data, indices=matrix.indices,
                      indptr=matrix.indptr)  # fmt: skip
            _save(folder / "embeddings", **{str(i): e for i, e in enumerate(embeddings.values())})
            run = _run_inside(adata)
            meta = {
                "name": name,
                "n_cells": adata.n_obs,
                "n_genes": report.n_genes,
                "kind": "none" if report.expression is None else _KINDS[report.expression.kind],
                "where": "" if report.expression is None else report.expression.where,
                "embeddings": list(embeddings),
                "warnings": [*notes, *report.warnings],
                "suggested": suggested or _suggested(report),
                "candidates": [
                    {"name": c.name, "reasons": list(c.reasons), "is_condition": c.is_condition}
                    for c in report.batch_candidates
                ],
                "labels": list(report.label_candidates),
                "organism": report.organism,
                "run": run,
            }
            # Written last: a folder without it is not a dataset.
            (folder / "dataset.json").write_text(json.dumps(meta), "utf-8")
    return store.dataset(fingerprint)


def _matrix(adata: AnnData, report: Report) -> tuple[sp.csc_matrix | None, list[str], list[str]]:
    if report.expression is None:
        return None, [], []
    values, var = expression(adata, report.expression.where)
    if hasattr(values, "to_memory"):
        values = values.to_memory()
    matrix = sp.csc_matrix(values, dtype=np.float32)
    matrix.sort_indices()
    named = var[report.symbol_column] if report.symbol_column else var.index
    ids = [str(i) for i in var.index]
    symbols = [str(s) if pd.notna(s) and str(s) else i for s, i in zip(named, ids, strict=True)]
    return matrix, _unique(symbols), ids


def _writable(adata: AnnData) -> AnnData:
    """Return the data with tables that an h5ad can hold: one kind of value a column, no slashes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")  # `check` says so
        found = adata.copy()
    for table in ("obs", "var"):
        frame = getattr(adata, table)
        clean = _readable(frame)
        clean.columns = pd.Index(_unique(str(c).replace("/", "|") for c in clean.columns))
        clean.index = pd.Index(frame.index.astype(str))
        setattr(found, table, clean)
    return found


def _unique(names: Iterable[Any]) -> list[str]:
    """Return names as text, repeated ones with a number added."""
    from anndata.utils import make_index_unique

    index = pd.Index([str(n) for n in names], dtype=object)
    return [str(n) for n in (index if index.is_unique else make_index_unique(index))]


def _readable(obs: pd.DataFrame) -> pd.DataFrame:
    """Return obs with every column in a form that parquet keeps."""
    columns: dict[str, Any] = {}
    for position, name in enumerate(obs.columns):
        values = obs.iloc[:, position]
        if isinstance(values.dtype, pd.CategoricalDtype):
            codes = values.cat.codes.to_numpy()
            levels = _unique(values.cat.categories)
            columns[str(name)] = pd.Categorical.from_codes(codes, categories=pd.Index(levels))
        elif pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            columns[str(name)] = values.to_numpy()
        else:
            columns[str(name)] = values.astype("string").astype("category").array
    return pd.DataFrame(columns, index=range(len(obs)))


def _fingerprint(
    matrix: sp.csc_matrix | None,
    obs: pd.DataFrame,
    embeddings: dict[str, npt.NDArray[np.float32]],
    symbols: list[str],
) -> str:
    """Return a digest of the content that matters: matrix, genes, embeddings, obs."""
    found = hashlib.blake2b(digest_size=12)
    if matrix is not None:
        for part in (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data):
            found.update(np.ascontiguousarray(part).data)
        found.update(json.dumps(symbols).encode())
    for name, values in embeddings.items():
        found.update(json.dumps([name, values.shape]).encode())
        found.update(np.ascontiguousarray(values).data)
    found.update(json.dumps([*obs.columns, *obs.index]).encode())
    for name in obs.columns:
        hashed = pd.util.hash_pandas_object(obs[name], index=False)
        found.update(np.ascontiguousarray(hashed.to_numpy()).data)
    return found.hexdigest()


def _suggested(report: Report) -> dict[str, Any]:
    first = report.batch_candidates[0] if report.batch_candidates else None
    labels = [c for c in report.label_candidates if first is None or c != first.name]
    return {
        "batch": [] if first is None else [first.name],
        "label": labels[0] if labels else None,
        "condition": first is not None and first.is_condition,
    }


def _run_inside(adata: AnnData) -> dict[str, Any] | None:
    """Return the settings of the run in a file that we wrote, to be taken up from its PCA."""
    from harmony_core.params import RunParams

    written = adata.uns.get(RESULT_KEY)
    if not isinstance(written, str) or "X_pca" not in adata.obsm:
        return None
    try:
        params = RunParams.from_dict(json.loads(written)["params"])
        for name in params.harmony.batch:
            check_batch(adata.obs[name], name, adata.n_obs)
    except (ValueError, KeyError, TypeError, HarmonyExplorerError, BatchError):
        return None
    run = params.to_dict()
    run["prepare"]["basis"] = run["prepare"]["basis"] or "X_pca"
    return run


def _save(folder: Path, **arrays: npt.NDArray[Any]) -> None:
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
