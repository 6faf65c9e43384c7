"""Correction by a method of others: what it is given, and what is refused of what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.errors import BatchError, DataError
from harmony_core.io.memory import free_memory
from harmony_core.method_catalog import Method
from harmony_core.methods.integration import process
from harmony_core.runs.stages.context import Computed, Context


def corrected(context: Context) -> Computed:
    """Run the method that a run's settings name.

    Returns
    -------
    ``embedding`` (prepared cells × dimensions, float32). And ``versions`` of what ran, and the
    ``levels`` of the batch in the order in which they were given, and the ``memory`` (bytes) that
    its process held at most.

    Raises
    ------
    DataError, MethodFailed
        If the data lack what it needs, it fails, or gives what is no correction of these cells.
    """
    params = context.params.method
    assert params is not None  # else `correct` is another stage
    method, values = params.method, params.values
    _check_batches(context, method, values)
    _check_memory(method, len(context.cells))
    result = process.run(
        method,
        values,
        _inputs(context, method),
        context.dataset.folder / "stages",
        lambda fraction: context.report("correct", fraction),
    )
    embedding = _checked(method, result.arrays, len(context.cells))
    levels = list(context.variables[-1].levels)
    said = {"versions": dict(result.versions), "levels": levels, "memory": result.memory}
    return {"embedding": embedding}, said


def _check_batches(context: Context, method: Method, values: Mapping[str, float]) -> None:
    """Raise where a batch has too few cells for the method."""
    batch = context.variables[-1]
    least = max(method.least_cells, int(values.get(method.neighbors, 0)))
    small = min(batch.sizes, key=lambda level: batch.sizes[level])
    if batch.sizes[small] >= least:
        return
    lower = f"lower {method.neighbors} or " if method.neighbors in values else ""
    raise BatchError(
        f"{method.title} needs {least} cells of each batch, and “{small}” in “{batch.name}” has "
        f"{batch.sizes[small]}; {lower}leave that batch out."
    )


def _check_memory(method: Method, n_cells: int) -> None:
    """Raise before memory is spent that is not there."""
    needed, free = method.bytes_per_cell * n_cells, free_memory()
    if needed > free:
        raise DataError(
            f"{method.title} needs about {needed / 1e9:,.1f} GB of memory for {n_cells:,} cells, "
            f"and {free / 1e9:,.1f} GB are free; take a sample of the cells, or a machine with "
            "more memory."
        )


def _inputs(context: Context, method: Method) -> dict[str, process.Value]:
    batch = context.variables[-1]
    inputs: dict[str, process.Value] = {
        "batch": batch.codes.astype(np.int32),
        "levels": list(batch.levels),
    }
    if method.needs == "embedding":
        return inputs | {"embedding": context.embedding("before")}
    expression, symbols = context.variable_genes
    if expression is None:
        raise DataError(
            f"{method.title} needs expression values, and these data have none that were not "
            "scaled; choose a method that takes an embedding, or load the counts."
        )
    return inputs | {"expression": sp.csr_matrix(expression), "genes": symbols}


def _checked(
    method: Method, arrays: Mapping[str, npt.NDArray[Any]], n_cells: int
) -> npt.NDArray[np.float32]:
    """Return the embedding that a method gave, if it is one of these cells."""
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
    return np.ascontiguousarray(embedding)
