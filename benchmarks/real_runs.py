"""One design of real cells, corrected over a grid and judged: by the product, truth and others."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from other_judges import graph_consensus, ldf_differences, scgraph
from real_designs import (
    RealDesign,
    coarse_labels,
    components,
    is_blood,
    is_type,
    log_expression,
    noisy_labels,
    rng_of,
    words,
)
from real_truth import LabelledCells, Nearest
from real_verdicts import is_named, states

from harmony_core import Run, Study
from harmony_core.detector.states import leiden_within_batches
from harmony_core.inspect.gene_sets import BLOOD_PANEL
from harmony_core.metrics.mixing import lisi
from harmony_core.metrics.scib import scib_scores
from harmony_core.params import MARKER_LABEL
from harmony_core.runs.history import candidate
from harmony_core.verdict.suggest import suggest

if TYPE_CHECKING:
    import anndata as ad

Labels = NDArray[np.str_]
Scores = dict[str, float | None]

NO_LABELS, MARKERS = "without", "markers"
COLUMN = "label_of_benchmark_"
"""Start of the names of columns with labels that the verdict sees."""
RESOLUTIONS = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Grid:
    """Settings that each design is corrected at.

    Attributes
    ----------
    thetas, sigmas
        Each theta with each sigma.
    """

    thetas: tuple[float, ...]
    sigmas: tuple[float, ...]

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return itertools.product(self.thetas, self.sigmas)


def judged_design(design: RealDesign, grid: Grid) -> dict[str, Any]:
    """Correct a design at every setting and judge each run.

    Returns
    -------
    ``set``, ``design``, ``seconds`` and ``runs``, one a setting; ``suggested``, the setting that
    *Suggest* chooses, by way of labelling; or ``error``, why the design could not be run.
    """
    started = time.time()
    result: dict[str, Any] = {"set": design.source.name, "design": design.name}
    try:
        with tempfile.TemporaryDirectory() as home:
            result |= _judged(design, grid, home)
    except Exception as error:  # one data set must not take the others' figures with it
        result |= {"error": f"{type(error).__name__}: {error}", "runs": [], "suggested": {}}
    return result | {"seconds": round(time.time() - started, 1)}


def _judged(design: RealDesign, grid: Grid, home: str) -> dict[str, Any]:
    data = design.read()
    cells = DesignCells.of(design, data)
    for name, labels in cells.labellings.items():
        data.obs[COLUMN + name] = labels
    unlabelled = Study.read(data, batch=design.source.batch, home=home)
    studies = {
        NO_LABELS: unlabelled,
        **{n: dataclasses.replace(unlabelled, label=COLUMN + n) for n in cells.labellings},
    }
    if is_blood(design.source.name):
        studies[MARKERS] = dataclasses.replace(unlabelled, panel=BLOOD_PANEL)
    rows, candidates = [], {name: [] for name in studies}
    for theta, sigma in grid:
        runs = {n: study.correct(theta=theta, sigma=sigma) for n, study in studies.items()}
        for name, run in runs.items():
            candidates[name].append(candidate(run.results))
        rows.append({"theta": theta, "sigma": sigma, **cells.judged(runs)})
    settings = list(grid)
    suggested = {}
    for name, tried in candidates.items():
        best = suggest(tried).best
        suggested[name] = None if best is None else list(settings[tried.index(best)])
    return {"runs": rows, "suggested": suggested}


@dataclass
class DesignCells:
    """The cells of a design with all that is known of them beside the product.

    Attributes
    ----------
    labels, batches
        Of each cell, as the data have them.
    labellings
        Labels that the verdict sees, by way of labelling.
    expression
        Log-normalised.
    """

    labels: Labels
    batches: Labels
    labellings: dict[str, Labels]
    expression: Any
    _unchanging: tuple[Scores, pd.DataFrame | None] | None = None

    @classmethod
    def of(cls, design: RealDesign, data: ad.AnnData) -> DesignCells:
        """Take the labels of a design, and make those that the verdict sees."""
        labels = words(data.obs[design.source.label])
        expression = log_expression(data)
        labellings = {
            "same": labels,
            "noisy": noisy_labels(labels, rng_of(design.name)),
            "coarse": coarse_labels(labels, components(expression)),
        }
        return cls(labels, words(data.obs[design.source.batch]), labellings, expression)

    def judged(self, runs: Mapping[str, Run]) -> dict[str, Any]:
        """Judge the runs of one setting, which differ by the labels of the verdict alone.

        Returns
        -------
        The truth, the other judges' scores before and after, and the verdicts by labelling.
        """
        results = runs[NO_LABELS].results
        prepared = np.asarray(results.cells)
        known = (is_type(self.labels) & is_type(self.batches))[prepared]
        cells = prepared[known]
        before, after = (np.asarray(results.embedding(side))[known] for side in ("before", "after"))
        measured = LabelledCells.of(self.labels[cells], self.batches[cells], before, after)
        truth = measured.truth()
        return {
            "cells": len(self.labels),
            "prepared_cells": len(prepared),
            "known_cells": len(cells),
            "batches": len(np.unique(measured.batches)),
            **truth.to_dict(),
            "judges": self._other_judges(measured, cells, before, after),
            "verdicts": {
                name: {
                    "kind": run.verdict.kind,
                    "says": run.verdict.sentences[0],
                    "named": [b for b in truth.apart if is_named(b, run.verdict.sentences)],
                    "states": states(
                        run.results.assessment,
                        measured,
                        known,
                        self._seen(name, run)[known],
                    ),
                }
                for name, run in runs.items()
            },
        }

    def _seen(self, name: str, run: Run) -> Labels:
        """Return the labels that the verdict saw of each prepared cell; empty words without."""
        if name == MARKERS:
            return words(run.results.obs[MARKER_LABEL])
        prepared = np.asarray(run.results.cells)
        return self.labellings.get(name, np.full(len(self.labels), ""))[prepared]

    def _other_judges(
        self,
        measured: LabelledCells,
        cells: NDArray[np.integer[Any]],
        before: NDArray[np.floating[Any]],
        after: NDArray[np.floating[Any]],
    ) -> dict[str, dict[str, float | None]]:
        labels, batches = measured.labels, measured.batches
        if self._unchanging is None:
            consensus = graph_consensus(self.expression[cells], batches, labels)
            uncorrected = embedding_scores(before, before, measured.before, labels, batches)
            self._unchanging = (
                uncorrected | {"ldf_diff": 0.0, "scgraph": _scgraph(before, labels, consensus)},
                consensus,
            )
        scores_before, consensus = self._unchanging
        change = ldf_differences(before, after, batches)
        scores_after = embedding_scores(before, after, measured.after, labels, batches) | {
            "ldf_diff": float(np.nanmean(np.abs(change))),
            "scgraph": _scgraph(after, labels, consensus),
        }
        return {"before": scores_before, "after": scores_after}


def embedding_scores(
    uncorrected: NDArray[np.floating[Any]],
    embedding: NDArray[np.floating[Any]],
    near: Nearest,
    labels: Labels,
    batches: Labels,
) -> Scores:
    """Return mean iLISI and the scIB total of an embedding.

    Parameters
    ----------
    uncorrected, embedding
        Cells × dimensions; twice the same for the uncorrected data.
    near
        Neighbours in ``embedding``.
    labels, batches
        Of each cell.
    """
    label_codes, batch_codes = (
        np.unique(names, return_inverse=True)[1].astype(np.int32) for names in (labels, batches)
    )
    indices, distances = near.indices.astype(np.int32), near.distances.astype(np.float32)
    everything = np.arange(len(labels), dtype=np.int32)
    clusters = leiden_within_batches([(everything, indices[:, :15])], RESOLUTIONS, seed=0)
    scores = scib_scores(
        embedding, uncorrected, (indices, distances), batch_codes, label_codes, clusters
    )
    return {
        "ilisi": float(np.nanmean(lisi(indices, distances, batch_codes))),
        "scib_total": scores.total,
    }


def _scgraph(
    embedding: NDArray[np.floating[Any]], labels: Labels, consensus: pd.DataFrame | None
) -> float | None:
    return None if consensus is None else scgraph(embedding, labels, consensus)
