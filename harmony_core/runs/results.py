"""A run's results as they stand in the store: what pages, figures and exports read.

Light on purpose: everything here is small, a memory map, or JSON, and what is not computed yet is
None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.inspect.left_out import Kept, kept_of_each
from harmony_core.methods.prepare import log_normalised_gene
from harmony_core.params import MARKER_LABEL, RunParams
from harmony_core.runs.plan import STAGES, Plan, Side
from harmony_core.runs.stages.context import marker_label_column
from harmony_core.store import Arrays, Dataset, StageKey, StageResult
from harmony_core.verdict.assessment import Assessment


@dataclass(frozen=True)
class MarkerTable:
    """Marker genes of one cluster, best first."""

    symbols: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    log2_fold_change: npt.NDArray[np.float32]
    p_values: npt.NDArray[np.float64]
    p_adjusted: npt.NDArray[np.float64]


class RunResults:
    """What the store has of one run.

    Parameters
    ----------
    dataset
        The dataset in the store.
    params
        Settings of the run.
    finished
        Where finished stages come from, if not from the store each time.
    """

    def __init__(
        self,
        dataset: Dataset,
        params: RunParams,
        finished: Callable[[StageKey], StageResult | None] | None = None,
    ) -> None:
        self.dataset = dataset
        self._finished = finished or dataset.finished
        self.params = params
        self.plan = Plan(dataset, params)
        self._stages: dict[str, StageResult] = {}  # what is there stays; what is not, may come
        self._assessment: Assessment | None = None
        self._obs: pd.DataFrame | None = None

    def stage(self, name: str) -> StageResult | None:
        """Return a finished stage of `harmony_core.runs.plan.Plan`, or None."""
        if name not in self._stages:
            found = self._finished(self.plan.keys[name])
            if found is None:
                return None
            self._stages[name] = found
        return self._stages[name]

    def _arrays(self, name: str) -> Arrays | None:
        stage = self.stage(name)
        return None if stage is None else stage.arrays

    @property
    def is_finished(self) -> bool:
        return self.plan.is_finished

    @property
    def cells(self) -> npt.NDArray[np.int32] | None:
        """Positions of the prepared cells in the data as they came."""
        arrays = self._arrays("prepare")
        return None if arrays is None else np.asarray(arrays["cells"])

    @property
    def has_obs(self) -> bool:
        """Whether all of `obs` is there, without making it."""
        wanted = ("prepare",) if self.params.panel is None else ("prepare", "marker_labels")
        return all(self.stage(name) is not None for name in wanted)

    @property
    def obs(self) -> pd.DataFrame | None:
        """Metadata of the prepared cells, with labels from marker genes where they are asked for.

        None until all of it is there.
        """
        if self._obs is None and self.cells is not None and self.has_obs:
            obs = self.dataset.obs.iloc[self.cells]
            labels = None if self.params.panel is None else self.stage("marker_labels")
            if labels is not None:
                obs = obs.assign(**{MARKER_LABEL: marker_label_column(labels).array})
            self._obs = obs
        return self._obs

    def embedding(self, side: Side) -> npt.NDArray[np.float32] | None:
        """Return the embedding before or after correction.

        Returns
        -------
        Prepared cells × dimensions; None until it is computed, and after correction by a method
        that gives a graph only.
        """
        arrays = self._arrays("prepare" if side == "before" else "correct")
        return None if arrays is None else arrays.get("embedding")

    def layout(self, side: Side) -> npt.NDArray[np.float32] | None:
        """Return the layout before or after correction.

        Returns
        -------
        Prepared cells × 2; None until it, and the labels of its cells, are computed.
        """
        arrays = self._arrays(f"layout_{side}") if self.has_obs else None
        return None if arrays is None else arrays["positions"]

    def layout_or_preview(self, side: Side) -> npt.NDArray[np.float32] | None:
        """Return the layout or, until it is there, its preview (after correction only).

        Returns
        -------
        Prepared cells × 2; None until either is computed.
        """
        full = self.layout(side)
        if full is not None or side == "before" or not self.has_obs:
            return full
        arrays = self._arrays("preview_after")
        return None if arrays is None else arrays["positions"]

    @property
    def is_preview(self) -> bool:
        """Whether the layout after correction is only a preview so far."""
        return self.layout("after") is None and self.layout_or_preview("after") is not None

    def clusters(self, side: Side, resolution: float | None = None) -> npt.NDArray[np.int32] | None:
        """Return Leiden clusters, by default at the resolution that pages draw.

        Returns
        -------
        Cluster of each prepared cell, from 0; None until it is computed.
        """
        resolution = resolution or self.params.clusters.shown
        is_shown = resolution == self.params.clusters.shown
        arrays = self._arrays(f"clusters_{side}" if is_shown else f"other_clusters_{side}")
        return None if arrays is None else arrays[f"leiden_{resolution:g}"]

    def markers(self, side: Side) -> tuple[MarkerTable, ...] | None:
        """Return the marker genes of each cluster shown; empty tuple without expression."""
        stage = self.stage(f"markers_{side}")
        if stage is None:
            return None
        if not stage.info["symbols"]:
            return ()
        a, symbols = stage.arrays, np.asarray(stage.info["symbols"], dtype=str)
        return tuple(
            MarkerTable(
                symbols=tuple(s for s in symbols[a["symbol"][g]].tolist() if s),
                scores=a["scores"][g],
                log2_fold_change=a["log2_fold_change"][g],
                p_values=a["p_values"][g],
                p_adjusted=a["p_adjusted"][g],
            )
            for g in range(len(a["genes"]))
        )

    def gene(self, position: int) -> npt.NDArray[np.float32] | None:
        """Return a gene's log-normalised, uncorrected expression in the prepared cells.

        Parameters
        ----------
        position
            Position of the gene in ``dataset.symbols``.

        Returns
        -------
        One value for each prepared cell; None before preparation.
        """
        prepared = self._arrays("prepare")
        if prepared is None:
            return None
        values = self.dataset.gene(position)[np.asarray(prepared["cells"])]
        kind = self.dataset.info.kind
        return log_normalised_gene(values, np.asarray(prepared["totals"]), kind=kind)

    @property
    def harmony(self) -> Mapping[str, Any] | None:
        """How Harmony went: objective, iterations, stop_reason, nclust, theta_b, levels.

        None before it ran, and always where another method made the correction.
        """
        stage = self.stage("correct") if self.params.by_harmony else None
        return None if stage is None else stage.info

    @property
    def assessment(self) -> Assessment | None:
        """Metrics before and after, the verdict, and the evidence behind it."""
        if self._assessment is None and (stage := self.stage("assess")) is not None:
            self._assessment = Assessment.from_dict(stage.info, stage.arrays)
        return self._assessment

    @property
    def notes(self) -> tuple[str, ...]:
        """What preparation has to say."""
        stage = self.stage("prepare")
        return () if stage is None else tuple(stage.info["notes"])

    @property
    def kept(self) -> list[Kept]:
        """What quality control kept of each batch and each label; empty where it kept all.

        It walks through all cells: for files and tables, not for pages.
        """
        if self.cells is None:
            return []
        p = self.params
        obs, before = self.dataset.obs, self.dataset.info.left_out
        return kept_of_each(obs, self.cells, p.harmony.batch, p.label, before=before)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds that each finished stage took when it was computed."""
        stages = {stage.name: self.stage(stage.name) for stage in STAGES}
        return {name: s.info["seconds"] for name, s in stages.items() if s is not None}
