"""Correction by a method of others: what it is given, and what is refused of what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.errors import DataError
from harmony_core.method_catalog import Method
from harmony_core.methods.integration import process
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.method_needs import check_needs


def corrected(context: Context) -> Computed:
    """Run the method that a run's settings name.

    Returns
    -------
    ``embedding`` (prepared cells × dimensions, float32); of a method that gives a graph instead
    its ``indices`` and ``distances``, the neighbours of each cell (prepared cells × k), and
    ``graph_data``, ``graph_indices``, ``graph_indptr``, weights between cells (CSR). And
    ``versions`` of what ran, the ``levels`` of the batch in the order in which they were given,
    the ``memory`` (bytes) that its process held at most, and which ``method`` corrected how many
    ``cells``.

    Raises
    ------
    DataError, MethodFailed
        If the data lack what it needs, it fails, or gives what is no correction of these cells.
    """
    params = context.params.method
    assert params is not None  # else `correct` is another stage
    method, values = params.method, params.values
    batch = context.variables[-1]
    check_needs(params, context.dataset.info, batch.name, batch.sizes)
    result = process.run(
        method,
        values,
        _inputs(context, method),
        context.dataset.folder / "stages",
        lambda fraction: context.report("correct", fraction),
    )
    check = checked_graph if method.gives == "graph" else checked_embedding
    facts = {
        "versions": dict(result.versions),
        "levels": list(batch.levels),
        "memory": result.memory,
        "method": params.to_dict(),
        "cells": len(context.cells),
        **result.facts,
    }
    return check(method, result.arrays, len(context.cells)), facts


def _inputs(context: Context, method: Method) -> dict[str, process.Value]:
    batch = context.variables[-1]
    inputs: dict[str, process.Value] = {
        "batch": batch.codes.astype(np.int32),
        "levels": list(batch.levels),
    }
    if method.needs == "embedding":
        return inputs | {"embedding": context.embedding("before")}
    expression, symbols = context.variable_genes
    if method.needs == "counts":
        return inputs | {"counts": _counts(context), "genes": symbols}
    assert expression is not None  # else `check_needs` refused
    return inputs | {"expression": sp.csr_matrix(expression), "genes": symbols}


def _counts(context: Context) -> sp.csr_matrix:
    """Return the counts of the variable genes (prepared cells × genes, CSR)."""
    stored = context.dataset.matrix
    assert stored is not None  # else `check_needs` refused
    shape = context.dataset.n_cells, len(context.dataset.symbols)
    whole = sp.csc_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=shape)
    prepared = context.stage("prepare").arrays
    genes = np.asarray(prepared["genes"])[np.asarray(prepared["variable"])]
    return sp.csr_matrix(whole[:, genes][context.cells])


def checked_embedding(
    method: Method, arrays: Mapping[str, npt.NDArray[Any]], n_cells: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the embedding that a method gave, if it is one of these cells.

    Raises
    ------
    DataError
        If it is not.
    """
    embedding = arrays.get("embedding")
    if embedding is None or embedding.ndim != 2 or embedding.dtype.kind not in "fiu":
        raise DataError(f"{method.title} gave no embedding, so there is nothing to judge.")
    if len(embedding) != n_cells or embedding.shape[1] < 2:
        raise DataError(
            f"{method.title} gave an embedding of {len(embedding):,} cells and "
            f"{embedding.shape[1]} dimensions, where {n_cells:,} cells were given."
        )
    embedding = embedding.astype(np.float32)
    if not np.isfinite(embedding).all():
        cells = int((~np.isfinite(embedding)).any(axis=1).sum())
        raise DataError(
            f"{method.title} gave values that are no numbers in {cells:,} cells, so its result is "
            "not used; other settings may give numbers."
        )
    return {"embedding": np.ascontiguousarray(embedding)}


def checked_graph(
    method: Method, arrays: Mapping[str, npt.NDArray[Any]], n_cells: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the neighbours and the graph that a method gave, if they are of these cells.

    Raises
    ------
    DataError
        If they are not.
    """
    graph, distances = (_matrix(method, arrays, name, n_cells) for name in ("graph", "distances"))
    if graph.nnz == 0 or graph.data.min() < 0 or np.diff(distances.indptr).min() < 1:
        raise DataError(f"{method.title} gave cells without neighbours, so it can't be judged.")
    indices, near = _nearest(distances)
    return {
        "indices": indices,
        "distances": near,
        "graph_data": graph.data,
        "graph_indices": graph.indices,
        "graph_indptr": graph.indptr,
    }


def _matrix(
    method: Method, arrays: Mapping[str, npt.NDArray[Any]], name: str, n_cells: int
) -> sp.csr_matrix:
    try:
        data, indices, indptr = (arrays[f"{name}_{of}"] for of in ("data", "indices", "indptr"))
        matrix = sp.csr_matrix(
            (data.astype(np.float32), indices.astype(np.int32), indptr.astype(np.int32)),
            shape=(n_cells, n_cells),
        )
        matrix.check_format()
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{method.title} gave no neighbour graph of {n_cells:,} cells, so there is nothing to "
            "judge."
        ) from error
    if not np.isfinite(matrix.data).all():
        raise DataError(f"{method.title} gave values that are no numbers; its result is not used.")
    matrix.sort_indices()
    return matrix


def _nearest(
    distances: sp.csr_matrix,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return each cell's neighbours, nearest first (cells × k each).

    A cell with fewer than most, as it lies exactly on others whose distance of 0 a sparse matrix
    does not keep, has its last one repeated.
    """
    n = distances.shape[0]
    sizes = np.diff(distances.indptr)
    rows = np.repeat(np.arange(n), sizes)
    order = np.lexsort((distances.data, rows))
    k = int(np.median(sizes))
    place = np.minimum(np.arange(k)[None, :], sizes[:, None] - 1) + distances.indptr[:-1, None]
    taken = order[place]
    return distances.indices[taken].astype(np.int32), distances.data[taken].astype(np.float32)
