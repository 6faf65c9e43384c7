"""The chain of memoised stages, from a dataset in the store to pictures and a verdict.

It runs in a worker, or in the process of whoever works headless. Each method computes one stage
through the store, so that a question is computed once whoever asks, also after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.data.store import Arrays, Dataset, StageResult
from harmony_core.errors import DataError
from harmony_core.layout import (
    EPOCHS_FROM_LAYOUT,
    EPOCHS_FROM_SCRATCH,
    fuzzy_graph,
    layout,
    oriented_like,
    start_from_embedding,
)
from harmony_core.neighbors import Neighbors, nearest_neighbors
from harmony_core.params import RunParams
from harmony_core.plan import STEPS, WIDTH, Plan, Side

Report = Callable[[str, float], None]
"""Called with the name of the step under way and its share done; may raise Cancelled."""

Computed = tuple[Arrays, Mapping[str, Any]]


@dataclass(frozen=True)
class Expression:
    """Log-normalised expression of the cells and genes that were kept.

    Attributes
    ----------
    by_gene
        CSC, cells × genes, float32.
    symbols
        Gene symbols in that order.
    variable
        Which genes are variable.
    """

    by_gene: sp.csc_matrix
    symbols: npt.NDArray[np.str_]
    variable: npt.NDArray[np.bool_]

    @cached_property
    def by_cell(self) -> sp.csr_matrix:
        return self.by_gene.tocsr()


class Pipeline:
    """One run's stages.

    Parameters
    ----------
    dataset
        The dataset in the store.
    params
        Settings of the run.
    report
        Hears of progress between and within stages; cancels by raising.
    """

    def __init__(self, dataset: Dataset, params: RunParams, report: Report | None = None) -> None:
        self.plan = Plan(dataset, params)
        self.dataset = dataset
        self.params = params
        self._report = report or (lambda step, share: None)

    def run(self) -> None:
        """Compute every stage that the store does not have yet."""
        for step in STEPS:
            self._report(step.name, 0.0)
            self.stage(step.name)

    def stage(self, name: str) -> StageResult:
        """Return the result of a step of `harmony_core.plan.STEPS`, computing it if need be."""
        key = self.plan.keys[name]
        compute = getattr(self, f"_{key.stage}")
        side = name.rpartition("_")[2]
        arguments = () if side not in ("before", "after", "floor") else (side,)
        return self.dataset.computed(key, lambda: compute(*arguments))

    # Inputs

    @cached_property
    def cells(self) -> npt.NDArray[np.int32]:
        """Positions of the kept cells in the data as they came."""
        return np.asarray(self.stage("prepare").arrays["cells"])

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of obs for the kept cells."""
        values: npt.NDArray[Any] = self.dataset.obs[name].to_numpy()[self.cells]
        return values

    def embedding(self, side: Side) -> npt.NDArray[np.float32]:
        """Return the embedding before or after correction (kept cells × dimensions)."""
        step = "prepare" if side == "before" else "correct"
        return np.asarray(self.stage(step).arrays["embedding"])

    def neighbors(self, side: str) -> Neighbors:
        arrays = self.stage(f"neighbors_{side}").arrays
        return Neighbors(np.asarray(arrays["indices"]), np.asarray(arrays["distances"]))

    def graph(self, side: str) -> sp.csr_matrix:
        """Return the weighted neighbour graph under layout and clusters."""
        key = (str(self.dataset.folder), self.plan.keys[f"neighbors_{side}"], self.params.graph)
        return _graphs(key, lambda: fuzzy_graph(self.neighbors(side), self.params.graph))

    @property
    def expression(self) -> Expression | None:
        """Log-normalised expression, or None where the data have an embedding only."""
        key = (str(self.dataset.folder), self.plan.keys["prepare"])
        return _expressions(key, self._load_expression)

    def _load_expression(self) -> Expression | None:
        from harmony_core.prepare import log_normalised

        whole = self._matrix
        if whole is None or self.dataset.meta["kind"] == "scaled":
            return None
        prepared = self.stage("prepare").arrays
        genes = np.asarray(prepared["genes"])
        kept = whole[:, genes][self.cells]
        values = log_normalised(kept, prepared["totals"], kind=self.dataset.meta["kind"])
        symbols = self.dataset.symbols.to_numpy(dtype=str)[genes]
        return Expression(sp.csc_matrix(values), symbols, np.asarray(prepared["variable"]))

    @property
    def _matrix(self) -> sp.csc_matrix | None:
        stored = self.dataset.matrix
        if stored is None:
            return None
        shape = (self.dataset.n_cells, len(self.dataset.symbols))
        parts = (stored["data"], stored["indices"], stored["indptr"])
        return sp.csc_matrix(parts, shape=shape)

    # Stages

    def _prepare(self) -> Computed:
        from harmony_core.prepare import from_basis, prepare

        p, kind, matrix = self.params.prepare, self.dataset.meta["kind"], self._matrix
        if p.basis is not None:
            result = from_basis(self.dataset.embedding(p.basis), matrix, kind=kind)
        elif matrix is None or kind == "scaled":
            raise _nothing_to_prepare(self.dataset)
        else:
            result = prepare(
                matrix.tocsr(),
                self.dataset.symbols.to_numpy(dtype=str),
                self.dataset.obs[self.params.harmony.batch[0]].to_numpy(),
                p,
                kind=kind,
            )
        names = ("cells", "genes", "variable", "totals", "embedding", "variance_ratio")
        return {name: getattr(result, name) for name in names}, {"notes": list(result.notes)}

    def _correct(self, side: str = "after") -> Computed:
        from harmony_core.correct import correct

        params = self.plan.floor_params if side == "floor" else self.params
        batches = [self.column(name) for name in params.harmony.batch]
        result = correct(self.embedding("before"), batches, params.harmony)
        R = result.soft_clusters
        arrays = {"embedding": result.embedding, "soft_cluster": R.argmax(axis=1).astype(np.int16)}
        for i, (column, levels) in enumerate(zip(batches, result.levels, strict=True)):
            one_hot = (np.asarray(column).astype(str)[:, None] == np.array(levels)).astype(
                np.float32
            )
            arrays[f"observed_{i}"] = R.T @ one_hot
            arrays[f"expected_{i}"] = np.outer(R.sum(axis=0), one_hot.mean(axis=0))
        return arrays, {
            "objective": list(result.objective),
            "iterations": result.iterations,
            "stop_reason": result.stop_reason,
            "nclust": result.nclust,
            "theta_b": [list(t) for t in result.theta_b],
            "levels": [list(names) for names in result.levels],
        }

    def _neighbors(self, side: str) -> Computed:
        source = "floor" if side == "floor" else {"before": "prepare", "after": "correct"}[side]
        embedding = self.stage(source).arrays["embedding"]
        found = nearest_neighbors(embedding, WIDTH, seed=self.params.harmony.seed)
        return {"indices": found.indices, "distances": found.distances}, {}

    def _layout(self, side: str) -> Computed:
        if side == "before":
            start, epochs = start_from_embedding(self.embedding("before")), EPOCHS_FROM_SCRATCH
        else:
            start = np.asarray(self.stage("layout_before").arrays["positions"])
            epochs = EPOCHS_FROM_LAYOUT
        positions = layout(
            self.graph(side),
            start,
            self.params.layout,
            epochs=epochs,
            progress=lambda share: self._report(f"layout_{side}", share),
        )
        if side == "after":
            positions = oriented_like(positions, start)
        return {"positions": positions}, {}

    def _clusters(self, side: str) -> Computed:
        from harmony_core.clusters import leiden

        graph, params = self.graph(side), self.params.clusters
        found = {f"{r:g}": leiden(graph, r, params) for r in params.resolutions}
        return {f"leiden_{name}": codes for name, codes in found.items()}, {}

    def _markers(self, side: str) -> Computed:
        from harmony_core.markers import cluster_markers

        expression = self.expression
        if expression is None:
            return {}, {"symbols": [], "why_empty": "These data have no expression values."}
        shown = self.stage(f"clusters_{side}").arrays[f"leiden_{self.params.clusters.shown:g}"]
        ranked = cluster_markers(expression.by_cell, np.asarray(shown))
        names = ("genes", "scores", "log2_fold_change", "p_adjusted")
        arrays = {name: getattr(ranked, name) for name in names}
        used, inverse = np.unique(ranked.genes, return_inverse=True)
        arrays["symbol"] = inverse.reshape(ranked.genes.shape).astype(np.int32)
        symbols = ["" if g < 0 else str(expression.symbols[g]) for g in used]
        return arrays, {"symbols": symbols}

    def _reference(self) -> Computed:
        from harmony_core.diagnostics.reference import build_reference

        expression = self.expression
        genes = None if expression is None else expression.by_gene[:, expression.variable]
        arrays: dict[str, npt.NDArray[Any]] = {}
        for i, variable in enumerate(self.params.harmony.batch):
            codes = np.unique(self.column(variable).astype(str), return_inverse=True)[1]
            built = build_reference(
                self.embedding("before"), codes, genes, seed=self.params.prepare.seed
            )
            arrays |= {f"{i}_{name}": a for name, a in built.to_arrays().items()}
        return arrays, {}

    def _lisi(self, side: Side) -> Computed:
        from harmony_core.diagnostics.assess import lisi_numbers

        variables = {name: self.column(name) for name in self.params.harmony.batch}
        label = None if self.params.label is None else self.column(self.params.label)
        return lisi_numbers(self.neighbors(side), variables, label)

    def _assess(self) -> Computed:
        from harmony_core.diagnostics.assess import assess

        return assess(self)


def _nothing_to_prepare(dataset: Dataset) -> DataError:
    available = ", ".join(dataset.meta["embeddings"])
    why = (
        "The expression values are scaled, so they can't be prepared again"
        if dataset.meta["kind"] == "scaled"
        else "These data have no expression values to prepare"
    )
    return DataError(
        f"{why}; start from one of their embeddings instead ({available})."
        if available
        else f"{why}, and no embedding either; load counts, or add an embedding such as X_pca."
    )


# A worker keeps the few large things that several stages of a run share.


@lru_cache(maxsize=3)
def _graphs_cached(key: Any) -> list[Any]:
    return []


def _graphs(key: Any, make: Callable[[], sp.csr_matrix]) -> sp.csr_matrix:
    held = _graphs_cached(key)
    if not held:
        held.append(make())
    return held[0]


@lru_cache(maxsize=1)
def _expressions_cached(key: Any) -> list[Any]:
    return []


def _expressions(key: Any, make: Callable[[], Expression | None]) -> Expression | None:
    held = _expressions_cached(key)
    if not held:
        held.append(make())
    return held[0]  # type: ignore[no-any-return]
