"""The chain of memoised stages, from a dataset in the store to pictures and a verdict.

It runs in a worker, or in the process of whoever works headless. Each method computes one stage
through the store, so that a question is computed once whoever asks, also after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.data.by_gene import ByGene
from harmony_core.data.store import Arrays, Dataset, StageResult
from harmony_core.errors import DataError
from harmony_core.layout import (
    EPOCHS_FROM_LAYOUT,
    EPOCHS_FROM_SCRATCH,
    RATE_FROM_LAYOUT,
    RATE_FROM_SCRATCH,
    fuzzy_graph,
    layout,
    oriented_like,
    start_from_embedding,
)
from harmony_core.neighbors import Neighbors, nearest_neighbors
from harmony_core.params import RunParams
from harmony_core.plan import WIDTH, Plan, Side

if TYPE_CHECKING:
    from harmony_core.diagnostics.advice import RunFacts
    from harmony_core.diagnostics.assess import Assessment, LisiNumbers
    from harmony_core.diagnostics.coded import Coded
    from harmony_core.diagnostics.reference import Reference

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

    def run(self, *targets: str) -> None:
        """Compute what the store does not have yet: the whole run, or what some steps need.

        Parameters
        ----------
        targets
            Names of steps of `harmony_core.plan.STEPS` or ``ON_DEMAND``; none for the whole run.
        """
        if self.plan.has(*targets) if targets else self.plan.is_finished:
            return
        self._check()
        for step in self.plan.steps_for(*targets):
            self._report(step.name, 0.0)
            self.stage(step.name)

    def stage(self, name: str) -> StageResult:
        """Return the result of a step of `harmony_core.plan`, computing it if need be."""
        key = self.plan.keys[name]
        compute = getattr(self, f"_{key.stage}")
        side = name.rpartition("_")[2]
        arguments = () if side not in ("before", "after") else (side,)
        return self.dataset.computed(key, lambda: compute(*arguments))

    def _check(self) -> None:
        """Refuse what Harmony would take without a word, before anything is computed."""
        p = self.params
        if (p.harmony.nclust or 0) > self.dataset.n_cells:
            raise DataError(
                f"nclust is {p.harmony.nclust}, but there are only {self.dataset.n_cells:,} cells; "
                "choose fewer soft clusters or leave it automatic."
            )
        # Data in the store never change: what passed once need not be read again at every move.
        asked = (str(self.dataset.folder), p.harmony.batch, p.label, p.prepare.basis, p.given)
        _CHECKED.get(asked, self._check_data)

    def _check_data(self) -> None:
        from harmony_core.data.check import check_embedding, check_matrix
        from harmony_core.data.columns import batch_column

        p, obs = self.params, self.dataset.obs
        for name in p.harmony.batch:
            values = batch_column(obs, name)
            if p.prepare.basis is None and self.dataset.by_gene is not None:
                check_matrix(self.dataset.by_gene, values, name)
        if p.label is not None and p.label not in obs:
            available = ", ".join(map(str, obs.columns))
            raise DataError(f"There is no column {p.label!r} for labels; available: {available}.")
        for embedding in (p.prepare.basis, p.given):
            if embedding is not None:
                check_embedding(self.dataset.embedding(embedding), embedding)

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
        from harmony_core.prepare import log_normalised

        whole = self._matrix
        if whole is None or self.dataset.meta["kind"] == "scaled":
            return None
        prepared = self.stage("prepare").arrays
        genes = np.asarray(prepared["genes"])
        kept = whole[:, genes][self.cells]
        values = log_normalised(kept, prepared["totals"], kind=self.dataset.meta["kind"])
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

    # Stages

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

    def _quality(self) -> Computed:
        from harmony_core.quality import cell_quality

        return asdict(cell_quality(self._by_gene, self._symbols)), {}

    def _doublets(self) -> Computed:
        from harmony_core.quality import CellQuality, doublet_scores, within_thresholds

        if self.dataset.meta["kind"] != "counts":
            raise DataError("Doublets are scored from counts, and these data have none.")
        quality = CellQuality(**{k: np.asarray(a) for k, a in self.stage("quality").arrays.items()})
        p = self.params
        batch = self.dataset.obs[p.harmony.batch[0]].to_numpy()
        kept = within_thresholds(quality, p.prepare)
        return {"scores": doublet_scores(self._by_gene, batch, kept=kept, seed=p.prepare.seed)}, {}

    def _prepare(self) -> Computed:
        from harmony_core.prepare import from_basis, prepare

        p, kind = self.params.prepare, self.dataset.meta["kind"]
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
        if not wanted or self.dataset.meta["kind"] != "counts":
            return None
        return np.asarray(self.stage("doublets").arrays["scores"])

    def _correct(self) -> Computed:
        from harmony_core.correct import correct

        batches = [self.column(name) for name in self.params.harmony.batch]
        result = correct(self.embedding("before"), batches, self.params.harmony)
        R = result.soft_clusters
        arrays = {"embedding": result.embedding, "soft_cluster": R.argmax(axis=1).astype(np.int16)}
        for i, (codes, levels) in enumerate(zip(result.codes, result.levels, strict=True)):
            one_hot = np.eye(len(levels), dtype=np.float32)[codes]
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

    def _given(self) -> Computed:
        """Take what another tool corrected, in the place of Harmony's embedding."""
        assert self.params.given is not None  # else the plan has the stage `correct`
        return {"embedding": self.dataset.embedding(self.params.given)[self.cells]}, {}

    def _neighbors(self, side: str) -> Computed:
        source = "prepare" if side == "before" else "correct"
        embedding = self.stage(source).arrays["embedding"]
        found = nearest_neighbors(embedding, WIDTH, seed=self.params.prepare.seed)
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
        from harmony_core.preview import landmarks, preview

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
        from harmony_core.clusters import leiden

        if not resolutions:
            return {}, {}
        found = leiden(self.graph(side), resolutions, self.params.clusters)
        return {f"leiden_{r:g}": codes for r, codes in zip(resolutions, found, strict=True)}, {}

    def _markers(self, side: str) -> Computed:
        from harmony_core.markers import cluster_markers

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

    @cached_property
    def variables(self) -> list[Coded]:
        """The batch variables and, where there are several, their combination."""
        from harmony_core.diagnostics.assess import with_joint
        from harmony_core.diagnostics.coded import Coded

        names = self.params.harmony.batch
        return with_joint([Coded.of(name, self.column(name)) for name in names])

    @cached_property
    def label(self) -> Coded | None:
        from harmony_core.diagnostics.coded import Coded

        name = self.params.label
        return None if name is None else Coded.of(name, self.column(name))

    @cached_property
    def _judged_genes(self) -> tuple[sp.csc_matrix | None, list[str]]:
        expression = self.expression
        if expression is None:
            return None, []
        return (
            expression.by_gene[:, expression.variable],
            expression.symbols[expression.variable].tolist(),
        )

    def _reference(self) -> Computed:
        from harmony_core.diagnostics.reference import build_reference

        genes, _ = self._judged_genes
        arrays: dict[str, npt.NDArray[Any]] = {}
        for i, variable in enumerate(self.variables):
            built = build_reference(
                self.embedding("before"), variable.codes, genes, seed=self.params.prepare.seed
            )
            arrays |= {f"{i}_{name}": array for name, array in built.to_arrays().items()}
        return arrays, {}

    def references(self) -> list[Reference]:
        """Return what runs are judged against, one reference a batch variable."""
        from harmony_core.diagnostics.reference import Reference

        arrays = self.stage("reference").arrays
        found = []
        for i in range(len(self.variables)):
            start = f"{i}_"
            mine = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            found.append(Reference.from_arrays(mine))
        return found

    def _lisi(self, side: str) -> Computed:
        from harmony_core.diagnostics.assess import lisi_numbers

        near = self.neighbors(side)
        found = lisi_numbers(near.indices, near.distances, self.variables, self.label)
        arrays = {"per_cell": found.per_cell}
        if found.label is not None:
            arrays["label"] = found.label
        return arrays, {"mixing": {k: asdict(v) for k, v in found.mixing.items()}}

    def lisi(self, side: Side) -> LisiNumbers:
        from harmony_core.diagnostics.assess import LisiNumbers
        from harmony_core.diagnostics.mixing import NullMixing

        stage = self.stage(f"lisi_{side}")
        values = {k: NullMixing(**v) for k, v in stage.info["mixing"].items()}
        return LisiNumbers(values, stage.arrays["per_cell"], stage.arrays.get("label"))

    def judged(
        self, after: npt.NDArray[np.floating], near: Neighbors, lisi: LisiNumbers, facts: RunFacts
    ) -> Assessment:
        """Return the assessment of a corrected embedding with its neighbours and LISI."""
        from harmony_core.diagnostics.assess import Inputs, assess

        genes, symbols = self._judged_genes
        return assess(
            Inputs(
                before=self.embedding("before"),
                after=after,
                near_before=self.neighbors("before").indices,
                near_after=near.indices,
                lisi_before=self.lisi("before"),
                lisi_after=lisi,
                variables=self.variables,
                references=self.references(),
                label=self.label,
                expression=genes,
                symbols=symbols,
                condition=self.params.condition,
                facts=facts,
            )
        )

    def _assess(self) -> Computed:
        near, lisi = self.neighbors("after"), self.lisi("after")
        if self.params.given is None:
            found = self.judged(self.embedding("after"), near, lisi, self._facts())
        else:
            from harmony_core.external import judge

            found = judge(self, near, lisi)
        # Kept here too, so that evidence can be marked where the reference was not kept.
        preclusters = np.stack([reference.evidence.pre for reference in self.references()])
        return {**found.per_cell, "preclusters": preclusters}, {
            "metrics": {"before": found.before, "after": found.after},
            "verdict": found.verdict.to_dict(),
            "detections": {name: d.to_dict() for name, d in found.detections.items()},
            "labels": [asdict(row) for row in found.labels],
            "notes": list(found.notes),
        }

    def _scib(self, side: Side) -> Computed:
        from harmony_core.diagnostics.mixing import cilisi
        from harmony_core.diagnostics.scib import scib_scores

        if self.label is None:
            raise DataError("The scIB set needs known cell types; choose a label column.")
        near = self.neighbors(side)
        batch = self.variables[-1]
        clusterings = {
            **self.stage(f"clusters_{side}").arrays,
            **self.stage(f"other_clusters_{side}").arrays,
        }
        found = scib_scores(
            self.embedding(side),
            self.embedding("before"),
            (near.indices, near.distances),
            batch.codes,
            self.label.codes,
            [np.asarray(codes) for codes in clusterings.values()],
            seed=self.params.prepare.seed,
            progress=lambda share, name: self._report(f"scib_{side}", share),
        )
        inside = cilisi(near.indices, near.distances, batch.codes, self.label.codes)
        return {}, {
            **asdict(found),
            "batch_variable": batch.name,
            "cilisi": {self.label.levels[row.label]: row.value for row in inside},
        }

    def _facts(self) -> RunFacts:
        from harmony_core.diagnostics.advice import RunFacts
        from harmony_core.diagnostics.conservation import neighbors_replaced

        before, after = self.embedding("before"), self.embedding("after")
        moved = np.sqrt(((after - before) ** 2).sum(axis=1)).max()
        radius = np.sqrt(((before - before.mean(axis=0)) ** 2).sum(axis=1).mean())
        replaced = neighbors_replaced(
            self.neighbors("before").indices, self.neighbors("after").indices
        )
        harmony = self.stage("correct").info
        return RunFacts(
            settings=self.params.harmony,
            n_cells=len(before),
            n_pcs=before.shape[1],
            batch_sizes={v.name: v.sizes for v in self.variables},
            stop_reason="limit" if harmony["stop_reason"] == "none" else harmony["stop_reason"],
            iterations=harmony["iterations"],
            objective=tuple(harmony["objective"]),
            moved=float(moved / max(radius, 1e-12)),
            neighbors_kept=float(1 - replaced.mean()),
            genes_per_batch=None if self.params.prepare.basis is not None else True,
        )


def _nothing_to_prepare(dataset: Dataset) -> DataError:
    available = ", ".join(dataset.meta["embeddings"])
    why = "These data have no expression values to prepare"
    return DataError(
        f"{why}; start from one of their embeddings instead ({available})."
        if available
        else f"{why}, and no embedding either; load counts, or add an embedding such as X_pca."
    )


class _Kept:
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


_CHECKED = _Kept(32)
_GRAPHS = _Kept(3)
_EXPRESSIONS = _Kept(1)
