"""What the stages of one run draw on: the dataset, the settings, results of other stages.

Large inputs that several runs share stay in memory from one run to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from cachetools import LRUCache

from harmony_core.categories import Factor
from harmony_core.errors import DataError
from harmony_core.inspect.missing import CellTypes
from harmony_core.matrices.by_gene import ByGene
from harmony_core.methods.prepare import log_normalised
from harmony_core.params import MARKER_LABEL, RunParams
from harmony_core.store import Arrays, Dataset, StageKey, StageResult

if TYPE_CHECKING:
    from harmony_core.methods.neighbors import Neighbors

T = TypeVar("T")

UNSURE = "unsure"
"""Level of cells whose marker genes tell no type; a word for none in `inspect.missing`."""

Report = Callable[[str, float], None]
"""Called with the name of the stage under way and its fraction done; may raise Cancelled."""

Computed = tuple[Arrays, Mapping[str, Any]]


@dataclass(frozen=True)
class Expression:
    """Log-normalised expression of the cells and genes that preparation selected.

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


class Context:
    """What the stages of one run draw on.

    Parameters
    ----------
    dataset
        The dataset in the store.
    params
        Settings of the run.
    keys
        Keys of the run's stages, by name.
    computed
        Returns the result of a stage by its name, computing it from this context if need be. It
        must not hold the context, or both would stay in memory until garbage is collected.
    report
        Told of progress within a stage; cancels by raising.
    """

    def __init__(
        self,
        dataset: Dataset,
        params: RunParams,
        keys: Mapping[str, StageKey],
        computed: Callable[[Context, str], StageResult],
        report: Report,
    ) -> None:
        self.dataset = dataset
        self.params = params
        self.report = report
        self._computed = computed
        self._keys = keys

    def stage(self, name: str) -> StageResult:
        """Return the result of a stage, computing it if need be."""
        return self._computed(self, name)

    def identity(self, stage: str) -> tuple[str, StageKey]:
        """Return what tells a stage's result from all others, of any dataset."""
        return str(self.dataset.folder), self._keys[stage]

    @cached_property
    def cells(self) -> npt.NDArray[np.int32]:
        """Positions of the prepared cells in the data as they came."""
        return np.asarray(self.stage("prepare").arrays["cells"])

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of the table of cells.

        Returns
        -------
        Its value in each prepared cell.
        """
        if self.params.panel is not None and name == MARKER_LABEL:
            return marker_label_column(self.stage("marker_labels")).to_numpy()
        return memoised(
            _COLUMNS,
            (self.identity("prepare"), name),
            lambda: self.dataset.obs[name].to_numpy()[self.cells],
        )

    @cached_property
    def variables(self) -> list[Factor]:
        """The batch variables and, where there are several, their combination."""
        from harmony_core.verdict.assess import with_joint

        names = self.params.harmony.batch
        return with_joint([self._factor(name) for name in names])

    @cached_property
    def cell_types(self) -> CellTypes | None:
        """The label column, and which of its levels are no type."""
        name = self.params.label
        return None if name is None else CellTypes.of(self._factor(name))

    @property
    def label(self) -> Factor | None:
        """The type of each cell; None without a label column, or if no cell has a type in it."""
        types = self.cell_types
        return None if types is None or not types.factor.levels else types.factor

    def _factor(self, name: str) -> Factor:
        # Stored results number pre-clusters, and settle ties, by this order: it stays.
        return Factor.of(name, self.column(name), order="alphabetical")

    def embedding(self, side: str) -> npt.NDArray[np.float32]:
        """Return the embedding before or after correction.

        Returns
        -------
        Prepared cells × dimensions.
        """
        stage = "prepare" if side == "before" else "correct"
        return np.asarray(self.stage(stage).arrays["embedding"])

    def neighbors(self, side: str) -> Neighbors:
        """Return the nearest neighbours in the embedding before or after correction."""
        from harmony_core.methods.neighbors import Neighbors

        arrays = self.stage(f"neighbors_{side}").arrays
        return Neighbors(np.asarray(arrays["indices"]), np.asarray(arrays["distances"]))

    def graph(self, side: str) -> sp.csr_matrix:
        """Return the weighted neighbour graph under layout and clusters.

        Returns
        -------
        Prepared cells × prepared cells, weights 0 to 1.
        """
        return memoised(
            _GRAPHS,
            (self.identity(f"neighbors_{side}"), self.params.graph),
            lambda: self._make_graph(side),
        )

    def _make_graph(self, side: str) -> sp.csr_matrix:
        from harmony_core.methods.umap import fuzzy_graph

        if side == "before" or not self.params.gives_graph:
            return fuzzy_graph(self.neighbors(side), self.params.graph)
        arrays, n = self.stage("correct").arrays, len(self.cells)
        of = (np.array(arrays[f"graph_{name}"]) for name in ("data", "indices", "indptr"))
        return sp.csr_matrix(tuple(of), shape=(n, n))

    @property
    def expression(self) -> Expression | None:
        """Log-normalised expression, or None where the data have an embedding only."""
        return memoised(_EXPRESSIONS, self.identity("prepare"), self._load_expression)

    def _load_expression(self) -> Expression | None:
        stored, kind = self.dataset.matrix, self.dataset.info.kind
        if stored is None or kind == "scaled":
            return None
        whole = sp.csc_matrix(
            (stored["data"], stored["indices"], stored["indptr"]),
            shape=(self.dataset.n_cells, len(self.dataset.symbols)),
        )
        prepared = self.stage("prepare").arrays
        genes = np.asarray(prepared["genes"])
        values = log_normalised(whole[:, genes][self.cells], prepared["totals"], kind=kind)
        symbols = self.symbols[genes]
        return Expression(sp.csc_matrix(values), symbols, np.asarray(prepared["variable"]))

    @cached_property
    def variable_genes(self) -> tuple[sp.csc_matrix | None, list[str]]:
        """Log-normalised variable genes.

        Returns
        -------
        Expression (cells × variable genes, CSC) and symbols; None and no symbols where the data
        have no expression.
        """
        expression = self.expression
        if expression is None:
            return None, []
        is_variable = expression.variable
        return expression.by_gene[:, is_variable], expression.symbols[is_variable].tolist()

    @property
    def by_gene(self) -> ByGene:
        """The stored expression, to be read some genes at a time.

        Raises
        ------
        DataError
            If the data have none.
        """
        matrix = self.dataset.by_gene
        if matrix is not None:
            return matrix
        available = ", ".join(self.dataset.info.embeddings)
        why = "These data have no expression values to prepare"
        raise DataError(
            f"{why}; start from one of their embeddings instead ({available})."
            if available
            else f"{why}, and no embedding either; load counts, or add an embedding such as X_pca."
        )

    @cached_property
    def symbols(self) -> npt.NDArray[np.str_]:
        """Gene symbols of the data as they came."""
        return self.dataset.symbols.to_numpy(dtype=str)


def marker_label_column(stage: StageResult) -> pd.Series[Any]:
    """Return labels that were made from marker genes as a column, unsure cells as such.

    Parameters
    ----------
    stage
        Result of the stage that made them.
    """
    levels = [*stage.info["types"], UNSURE]  # the code -1 is the last of them
    names = np.array(levels, dtype=object)[np.asarray(stage.arrays["codes"])]
    return pd.Series(pd.Categorical(names, categories=list(dict.fromkeys(levels))))


def memoised(cache: LRUCache[Any, T], key: object, make: Callable[[], T]) -> T:
    """Return a value from a cache, made if it is not there.

    What has to go for it goes first, so that the two never need memory at once.
    """
    if key in cache:
        return cache[key]
    while len(cache) >= cache.maxsize:
        cache.popitem()
    value = cache[key] = make()
    return value


_COLUMNS: LRUCache[Any, npt.NDArray[Any]] = LRUCache(8)
_GRAPHS: LRUCache[Any, sp.csr_matrix] = LRUCache(3)
_EXPRESSIONS: LRUCache[Any, Expression | None] = LRUCache(1)
