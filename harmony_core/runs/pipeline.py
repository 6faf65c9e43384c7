"""A run from a dataset in the store to pictures, clusters, marker genes and a verdict.

It runs in a worker, or in the process of whoever works headless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError
from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.methods.umap import (
    EPOCHS_FROM_LAYOUT,
    EPOCHS_FROM_SCRATCH,
    RATE_FROM_LAYOUT,
    RATE_FROM_SCRATCH,
    layout,
    oriented_like,
    start_from_embedding,
)
from harmony_core.runs.chain import Computed, Kept, Report
from harmony_core.runs.judging import Judging
from harmony_core.runs.plan import WIDTH, Side
from harmony_core.store import StageKey

if TYPE_CHECKING:
    from harmony_core.methods.harmony import Correction

__all__ = ["Pipeline", "Report"]

_CORRECTIONS = Kept(1)
"""What `_correct` leaves to `_soft_clusters`, which follows after the verdict."""


class Pipeline(Judging):
    """Every stage of a run; see `harmony_core.runs.chain.Chain` for its parameters."""

    def _quality(self) -> Computed:
        from harmony_core.methods.qc import cell_quality

        return asdict(cell_quality(self._by_gene, self._symbols)), {}

    def _doublets(self) -> Computed:
        from harmony_core.methods.qc import CellQuality, doublet_scores, within_thresholds

        if self.dataset.info.kind != "counts":
            raise DataError("Doublets are scored from counts, and these data have none.")
        quality = CellQuality(**{k: np.asarray(a) for k, a in self.stage("quality").arrays.items()})
        p = self.params
        batch = self.dataset.obs[p.harmony.batch[0]].to_numpy()
        kept = within_thresholds(quality, p.prepare)
        return {"scores": doublet_scores(self._by_gene, batch, kept=kept, seed=p.prepare.seed)}, {}

    def _prepare(self) -> Computed:
        from harmony_core.methods.prepare import from_basis, prepare

        p, kind = self.params.prepare, self.dataset.info.kind
        if p.basis is not None:
            embedding = self.dataset.embedding(p.basis)
            result = from_basis(embedding, self.dataset.by_gene, kind=kind, skip_dims=p.skip_dims)
        else:
            result = prepare(
                self._by_gene,
                self._symbols,
                self.dataset.obs[self.params.harmony.batch[0]].to_numpy(),
                p,
                kind=kind,
                doublets=self._doublet_scores(),
            )
        names = (
            *("cells", "genes", "variable", "variable_in", "totals", "embedding"),
            "variance_ratio",
        )
        return {name: getattr(result, name) for name in names}, {"notes": list(result.notes)}

    def _doublet_scores(self) -> npt.NDArray[np.float32] | None:
        wanted = self.params.prepare.max_doublet is not None
        if not wanted or self.dataset.info.kind != "counts":
            return None
        return np.asarray(self.stage("doublets").arrays["scores"])

    def _correct(self) -> Computed:
        # What a superseded run left goes first, so that two never need memory at once.
        result = _CORRECTIONS.get(self._correction_key, self._correction)
        return {"embedding": result.embedding}, {
            "objective": list(result.objective),
            "iterations": result.iterations,
            "stop_reason": result.stop_reason,
            "nclust": result.nclust,
            "theta_b": [list(t) for t in result.theta_b],
            "levels": [list(names) for names in result.levels],
        }

    def _correction(self) -> Correction:
        from harmony_core.methods.harmony import correct

        batches = [self.column(name) for name in self.params.harmony.batch]
        return correct(self.embedding("before"), batches, self.params.harmony)

    @property
    def _correction_key(self) -> tuple[str, StageKey]:
        return str(self.dataset.folder), self.plan.keys["correct"]

    def _soft_clusters(self) -> Computed:
        """Say what Harmony's soft clusters hold; neither picture nor verdict waits for it."""
        if self.params.precomputed is not None:
            return {}, {}
        result = _CORRECTIONS.take(self._correction_key, self._correction)
        R = result.soft_clusters
        arrays = {"soft_cluster": R.argmax(axis=1).astype(np.int16)}
        for i, (codes, levels) in enumerate(zip(result.codes, result.levels, strict=True)):
            one_hot = np.eye(len(levels), dtype=np.float32)[codes]
            arrays[f"observed_{i}"] = R.T @ one_hot
            arrays[f"expected_{i}"] = np.outer(R.sum(axis=0), one_hot.mean(axis=0))
        return arrays, {}

    def _given(self) -> Computed:
        """Take what another tool corrected, in the place of Harmony's embedding."""
        assert self.params.precomputed is not None  # else the plan has the stage `correct`
        return {"embedding": self.dataset.embedding(self.params.precomputed)[self.cells]}, {}

    def _neighbors(self, side: str) -> Computed:
        source = "prepare" if side == "before" else "correct"
        embedding = self.stage(source).arrays["embedding"]
        found = nearest_neighbors(
            embedding,
            WIDTH,
            seed=self.params.prepare.seed,
            progress=lambda share: self._report(f"neighbors_{side}", share),
        )
        return {"indices": found.indices, "distances": found.distances}, {}

    def _layout(self, side: str) -> Computed:
        if side == "before":
            start = start_from_embedding(self.embedding("before"))
            epochs, rate = EPOCHS_FROM_SCRATCH, RATE_FROM_SCRATCH
        else:
            start = np.asarray(self.stage("layout_before").arrays["positions"])
            epochs, rate = EPOCHS_FROM_LAYOUT, RATE_FROM_LAYOUT
        positions = layout(
            self.graph(side),
            start,
            self.params.layout,
            epochs=epochs,
            rate=rate,
            progress=lambda share: self._report(f"layout_{side}", share),
        )
        if side == "after":
            positions = oriented_like(positions, start)
        return {"positions": positions}, {}

    def _preview(self, side: Side) -> Computed:
        from harmony_core.methods.preview import landmarks, preview

        start = np.asarray(self.stage("layout_before").arrays["positions"])
        chosen = landmarks(start, self.variables[-1].codes, seed=self.params.layout.seed)
        positions = preview(
            self.embedding(side), start, chosen, self.params.graph, self.params.layout
        )
        return {"positions": positions}, {"landmarks": len(chosen)}

    def _clusters(self, side: str) -> Computed:
        return self._leiden(side, [self.params.clusters.shown])

    def _other_clusters(self, side: str) -> Computed:
        return self._leiden(side, self.params.clusters.others)

    def _leiden(self, side: str, resolutions: Sequence[float]) -> Computed:
        from harmony_core.methods.leiden import leiden

        if not resolutions:
            return {}, {}
        found = leiden(self.graph(side), resolutions, self.params.clusters)
        return {f"leiden_{r:g}": codes for r, codes in zip(resolutions, found, strict=True)}, {}

    def _markers(self, side: str) -> Computed:
        from harmony_core.methods.markers import cluster_markers

        expression = self.expression
        if expression is None:
            return {}, {"symbols": [], "why_empty": "These data have no expression values."}
        shown = self.stage(f"clusters_{side}").arrays[f"leiden_{self.params.clusters.shown:g}"]
        ranked = cluster_markers(expression.by_cell, np.asarray(shown))
        names = ("genes", "scores", "log2_fold_change", "p_values", "p_adjusted")
        arrays = {name: getattr(ranked, name) for name in names}
        used, inverse = np.unique(ranked.genes, return_inverse=True)
        arrays["symbol"] = inverse.reshape(ranked.genes.shape).astype(np.int32)
        symbols = ["" if g < 0 else str(expression.symbols[g]) for g in used]
        return arrays, {"symbols": symbols}
