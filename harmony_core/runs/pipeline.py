"""A run from a dataset in the store to pictures, clusters, marker genes and a verdict.

It runs in a worker, or in the process of whoever works headless. Each stage is computed through
the store, so that a question is computed once whoever asks, also after a restart.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import threadpoolctl
from cachetools import LRUCache

from harmony_core.errors import DataError
from harmony_core.inspect.check import check_embedding, check_matrix
from harmony_core.inspect.columns import batch_column, check_label
from harmony_core.inspect.gene_sets import panel_sets
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.runs.stages.context import Computed, Context, Report, memoised
from harmony_core.store import Dataset, StageResult

__all__ = ["Pipeline", "Report"]

_CHECKED: LRUCache[Any, None] = LRUCache(32)


class Pipeline:
    """Computes the stages of one run.

    Parameters
    ----------
    dataset
        The dataset in the store.
    params
        Settings of the run.
    report
        Hears of progress between and within stages; cancels by raising.

    Attributes
    ----------
    context
        What the stages draw on.
    """

    def __init__(self, dataset: Dataset, params: RunParams, report: Report | None = None) -> None:
        self.plan = Plan(dataset, params)
        self.dataset = dataset
        self.params = params
        self._report = report or (lambda stage, fraction: None)
        computed = partial(_computed, self.plan)
        self.context = Context(dataset, params, self.plan.keys, computed, self._report)

    @property
    def cells(self) -> npt.NDArray[np.int32]:
        """Positions of the prepared cells in the data as they came."""
        return self.context.cells

    def run(self, *targets: str) -> None:
        """Compute what the store does not have yet: the whole run, or what some stages need.

        Parameters
        ----------
        targets
            Names of stages of `harmony_core.runs.stages.registry`; none for the whole run.
        """
        if self.plan.can_read(*targets):
            return
        for stage in self.plan.stages_for(*targets):
            self.compute(stage.name)

    def compute(self, name: str) -> None:
        """Compute a stage, and say so before it begins."""
        self._check()
        self._report(name, 0.0)
        self.stage(name)

    def stage(self, name: str) -> StageResult:
        """Return the result of a stage, computing it if need be."""
        return self.context.stage(name)

    def _check(self) -> None:
        """Refuse what Harmony would take without a word, before anything is computed."""
        p = self.params
        if (p.harmony.nclust or 0) > self.dataset.n_cells:
            raise DataError(
                f"nclust is {p.harmony.nclust}, but there are only {self.dataset.n_cells:,} cells; "
                "choose fewer soft clusters or leave it automatic."
            )
        # Data in the store never change: what passed once need not be read again at every stage.
        columns = (p.harmony.batch, p.label, p.panel)
        asked = (str(self.dataset.folder), *columns, p.prepare.basis, p.precomputed)
        memoised(_CHECKED, asked, self._check_data)

    def _check_data(self) -> None:
        p, obs = self.params, self.dataset.obs
        for name in p.harmony.batch:
            batch_column(obs, name)
            if p.prepare.basis is None and self.dataset.by_gene is not None:
                check_matrix(self.dataset.by_gene, obs, name)
        if p.panel is not None:
            panel_sets(p.panel)
        elif p.label is not None:
            check_label(obs, p.label)
        for embedding in (p.prepare.basis, p.precomputed):
            if embedding is not None:
                check_embedding(self.dataset.embedding(embedding), embedding)


def _computed(plan: Plan, context: Context, name: str) -> StageResult:
    """Return the result of a stage, computed from a context if need be."""

    def compute() -> Computed:
        # With more, the last digits of matrix products depend on how many there are.
        with threadpoolctl.threadpool_limits(1, "blas"):
            return plan.stages[name].compute(context)

    return plan.dataset.computed(plan.keys[name], compute)
