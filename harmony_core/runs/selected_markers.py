"""Marker genes of cells that somebody selected by hand, against all others.

Light to import: a page looks here whether the store has them. Only `rank` is for the worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError
from harmony_core.methods.markers import cluster_markers
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan, library_versions
from harmony_core.store import Dataset, StageKey, digest

if TYPE_CHECKING:
    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.runs.stages.context import Expression

N_GENES = 20
FEWEST_CELLS = 3
"""On either side: of fewer cells no test can tell anything."""

_RECIPE = 1
_GENES_AT_A_TIME = 1000
"""Between these the progress is reported and a cancel is seen."""

Report = Callable[[float], None]
"""Called with the fraction done; may raise Cancelled."""


@dataclass(frozen=True)
class SelectedMarkers:
    """Genes that are higher in the selected cells than in all others, best first.

    Attributes
    ----------
    symbols
        Gene symbols, at most `N_GENES`.
    scores
        Wilcoxon z scores, all positive (genes).
    log2_fold_change
        Of mean expression against all other cells (genes).
    inside, outside
        Fraction of the selected cells, and of all others, that express the gene, 0 to 1 (genes).
    p_adjusted
        Two-sided p values, adjusted over all genes by Benjamini and Hochberg (genes). The cells
        were chosen by looking at the same data, so they are too small; use the order.
    """

    symbols: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    log2_fold_change: npt.NDArray[np.float32]
    inside: npt.NDArray[np.float32]
    outside: npt.NDArray[np.float32]
    p_adjusted: npt.NDArray[np.float64]


_NUMBERS = tuple(f.name for f in fields(SelectedMarkers) if f.name != "symbols")


def why_not(dataset: Dataset, selected: npt.NDArray[np.bool_]) -> str:
    """Return why selected cells can have no marker genes.

    Parameters
    ----------
    selected
        Which of the prepared cells are selected (cells).

    Returns
    -------
    A sentence; empty if they can.
    """
    if not len(dataset.symbols) or dataset.matrix is None:
        return "These data have an embedding but no expression, so there are no marker genes."
    if dataset.info.kind == "scaled":
        return (
            "Expression in this file is scaled, so that no gene is at zero; marker genes need "
            "counts or log-normalised values. Load a file that holds them."
        )
    n_selected, n_others = int(selected.sum()), int((~selected).sum())
    if n_selected < FEWEST_CELLS:
        return f"Select at least {FEWEST_CELLS} cells to find their marker genes."
    if n_others < FEWEST_CELLS:
        return (
            "Marker genes set the selected cells apart from the others: leave at least "
            f"{FEWEST_CELLS} cells out."
        )
    return ""


def key(dataset: Dataset, params: RunParams, selected: npt.NDArray[np.bool_]) -> StageKey:
    """Return the name of a selection's markers: it depends on the cells, not on the correction.

    Like a run's name it is of one dataset only, because jobs of all datasets share one queue.

    Parameters
    ----------
    selected
        Which of the prepared cells are selected (cells).
    """
    cells = hashlib.blake2b(np.packbits(selected).tobytes(), digest_size=16).hexdigest()
    prepared = Plan(dataset, params).keys["prepare"].digest
    of = (dataset.fingerprint, prepared, cells)
    return StageKey("selected", digest(_RECIPE, library_versions(), *of))


def stored(dataset: Dataset, name: StageKey) -> SelectedMarkers | None:
    """Return a selection's markers if the store has them."""
    stage = dataset.finished(name)
    if stage is None:
        return None
    return SelectedMarkers(
        symbols=tuple(stage.info["symbols"]), **{name: stage.arrays[name] for name in _NUMBERS}
    )


def rank(pipeline: Pipeline, selected: npt.NDArray[np.bool_], report: Report) -> None:
    """Put a selection's marker genes into the store.

    Parameters
    ----------
    selected
        Which of the prepared cells are selected (cells).

    Raises
    ------
    DataError
        Where selected cells can have none.
    """
    refused = why_not(pipeline.dataset, selected)
    if refused:
        raise DataError(refused)

    def compute() -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, list[str]]]:
        expression = pipeline.context.expression
        if expression is None:
            raise DataError("These data have no expression values to rank genes by.")
        markers = selected_markers(expression, selected, report)
        return {n: getattr(markers, n) for n in _NUMBERS}, {"symbols": list(markers.symbols)}

    pipeline.dataset.computed(key(pipeline.dataset, pipeline.params, selected), compute)


def selected_markers(
    expression: Expression, selected: npt.NDArray[np.bool_], report: Report = lambda fraction: None
) -> SelectedMarkers:
    """Rank genes of selected cells against all others by the Wilcoxon rank-sum test.

    Parameters
    ----------
    expression
        Log-normalised, uncorrected.
    selected
        Which cells are selected, at least two and all but two at most (cells).
    """
    from scipy.stats import false_discovery_control

    n_genes = expression.by_gene.shape[1]
    scores, change = np.zeros((2, n_genes), dtype=np.float32)
    p_values = np.ones(n_genes)
    groups = selected.astype(np.int32)
    for start in range(0, n_genes, _GENES_AT_A_TIME):
        report(start / n_genes)
        part = expression.by_gene[:, start : start + _GENES_AT_A_TIME].tocsr()
        ranked = cluster_markers(part, groups, n_genes=_GENES_AT_A_TIME)
        here = start + ranked.genes[1]
        scores[here] = ranked.scores[1]
        change[here] = ranked.log2_fold_change[1]
        p_values[here] = ranked.p_values[1]
    adjusted = false_discovery_control(p_values)
    best = np.argsort(-scores, kind="stable")[:N_GENES]
    best = best[scores[best] > 0]
    expressed = np.asarray((expression.by_gene[:, best] > 0).todense())
    return SelectedMarkers(
        symbols=tuple(expression.symbols[best].tolist()),
        scores=scores[best],
        log2_fold_change=change[best],
        inside=expressed[selected].mean(axis=0, dtype=np.float32),
        outside=expressed[~selected].mean(axis=0, dtype=np.float32),
        p_adjusted=adjusted[best],
    )
