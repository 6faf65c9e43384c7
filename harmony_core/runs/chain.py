"""A chain of memoised stages over a dataset in the store, and what every stage can draw on.

Each stage is computed through the store, so that a question is computed once whoever asks, also
after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import threadpoolctl

from harmony_core.errors import DataError
from harmony_core.matrices.by_gene import ByGene
from harmony_core.methods.neighbors import Neighbors
from harmony_core.methods.umap import fuzzy_graph
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan, Side
from harmony_core.store import Arrays, Dataset, StageResult

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


class Chain:
    """One run's stages: a method ``_name`` computes the stage ``name`` of `harmony_core.runs.plan`.

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

    def run(self, *targets: str) -> None:
        """Compute what the store does not have yet: the whole run, or what some steps need.

        Parameters
        ----------
        targets
            Names of steps of `harmony_core.runs.plan.STEPS` or ``ON_DEMAND``; none for the
            whole run.
        """
        if self.plan.can_read(*targets):
            return
        self._check()
        for step in self.plan.steps_for(*targets):
            self._report(step.name, 0.0)
            self.stage(step.name)

    def stage(self, name: str) -> StageResult:
        """Return the result of a step of `harmony_core.runs.plan`, computing it if need be."""
        key = self.plan.keys[name]
        side = name.rpartition("_")[2]
        arguments = () if side not in ("before", "after") else (side,)

        def compute() -> Computed:
            # With more, the last digits of matrix products depend on how many there are.
            with threadpoolctl.threadpool_limits(1, "blas"):
                computed: Computed = getattr(self, f"_{key.stage}")(*arguments)
                return computed

        return self.dataset.computed(key, compute)

    def _check(self) -> None:
        """Refuse what Harmony would take without a word, before anything is computed."""
        p = self.params
        if (p.harmony.nclust or 0) > self.dataset.n_cells:
            raise DataError(
                f"nclust is {p.harmony.nclust}, but there are only {self.dataset.n_cells:,} cells; "
                "choose fewer soft clusters or leave it automatic."
            )
        # Data in the store never change: what passed once need not be read again at every move.
        asked = (str(self.dataset.folder), p.harmony.batch, p.label, p.prepare.basis, p.precomputed)
        _CHECKED.get(asked, self._check_data)

    def _check_data(self) -> None:
        from harmony_core.inspect.check import check_embedding, check_matrix
        from harmony_core.inspect.columns import batch_column

        p, obs = self.params, self.dataset.obs
        for name in p.harmony.batch:
            batch_column(obs, name)
            if p.prepare.basis is None and self.dataset.by_gene is not None:
                check_matrix(self.dataset.by_gene, obs, name)
        if p.label is not None and p.label not in obs:
            available = ", ".join(map(str, obs.columns))
            raise DataError(f"There is no column {p.label!r} for labels; available: {available}.")
        for embedding in (p.prepare.basis, p.precomputed):
            if embedding is not None:
                check_embedding(self.dataset.embedding(embedding), embedding)

    # Inputs

    @cached_property
    def cells(self) -> npt.NDArray[np.int32]:
        """Positions of the kept cells in the data as they came."""
        return np.asarray(self.stage("prepare").arrays["cells"])

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of obs for the kept cells."""
        key = (str(self.dataset.folder), self.plan.keys["prepare"], name)
        values: npt.NDArray[Any] = _COLUMNS.get(
            key, lambda: self.dataset.obs[name].to_numpy()[self.cells]
        )
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
        graph: sp.csr_matrix = _GRAPHS.get(
            key, lambda: fuzzy_graph(self.neighbors(side), self.params.graph)
        )
        return graph

    @property
    def expression(self) -> Expression | None:
        """Log-normalised expression, or None where the data have an embedding only."""
        key = (str(self.dataset.folder), self.plan.keys["prepare"])
        found: Expression | None = _EXPRESSIONS.get(key, self._load_expression)
        return found

    def _load_expression(self) -> Expression | None:
        from harmony_core.methods.prepare import log_normalised

        whole = self._matrix
        if whole is None or self.dataset.info.kind == "scaled":
            return None
        prepared = self.stage("prepare").arrays
        genes = np.asarray(prepared["genes"])
        kept = whole[:, genes][self.cells]
        values = log_normalised(kept, prepared["totals"], kind=self.dataset.info.kind)
        symbols = self._symbols[genes]
        return Expression(sp.csc_matrix(values), symbols, np.asarray(prepared["variable"]))

    @property
    def _matrix(self) -> sp.csc_matrix | None:
        stored = self.dataset.matrix
        if stored is None:
            return None
        shape = (self.dataset.n_cells, len(self.dataset.symbols))
        parts = (stored["data"], stored["indices"], stored["indptr"])
        return sp.csc_matrix(parts, shape=shape)

    @property
    def _by_gene(self) -> ByGene:
        """The stored expression, to be read some genes at a time."""
        matrix = self.dataset.by_gene
        if matrix is None:
            raise _nothing_to_prepare(self.dataset)
        return matrix

    @cached_property
    def _symbols(self) -> npt.NDArray[np.str_]:
        return self.dataset.symbols.to_numpy(dtype=str)


def _nothing_to_prepare(dataset: Dataset) -> DataError:
    available = ", ".join(dataset.info.embeddings)
    why = "These data have no expression values to prepare"
    return DataError(
        f"{why}; start from one of their embeddings instead ({available})."
        if available
        else f"{why}, and no embedding either; load counts, or add an embedding such as X_pca."
    )


class Kept:
    """The last few values by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Any, Any] = {}

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._values:
            while len(self._values) >= self._most:
                del self._values[next(iter(self._values))]
            self._values[key] = make()
        return self._values[key]

    def take(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return a value and keep it no longer."""
        found = self.get(key, make)
        del self._values[key]
        return found


_CHECKED = Kept(32)
_COLUMNS = Kept(8)
_GRAPHS = Kept(3)
_EXPRESSIONS = Kept(1)
