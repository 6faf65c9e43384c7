"""The stages that judge a correction: references, mixing, the assessment, the scIB set."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.errors import DataError
from harmony_core.methods.neighbors import Neighbors
from harmony_core.runs.chain import Chain, Computed
from harmony_core.runs.plan import Side

if TYPE_CHECKING:
    from harmony_core.categories import Coded
    from harmony_core.detector.reference import Reference
    from harmony_core.verdict.advice import RunFacts
    from harmony_core.verdict.assess import Assessment, LisiNumbers


class Judging(Chain):
    """The stages from neighbours to a verdict."""

    @cached_property
    def variables(self) -> list[Coded]:
        """The batch variables and, where there are several, their combination."""
        from harmony_core.categories import Coded
        from harmony_core.verdict.assess import with_joint

        names = self.params.harmony.batch
        return with_joint([Coded.of(name, self.column(name)) for name in names])

    @cached_property
    def label(self) -> Coded | None:
        from harmony_core.categories import Coded

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
        from harmony_core.detector.reference import build_reference

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
        from harmony_core.detector.reference import Reference

        arrays = self.stage("reference").arrays
        found = []
        for i in range(len(self.variables)):
            start = f"{i}_"
            mine = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            found.append(Reference.from_arrays(mine))
        return found

    def _lisi(self, side: str) -> Computed:
        from harmony_core.verdict.assess import lisi_numbers

        near = self.neighbors(side)
        found = lisi_numbers(near.indices, near.distances, self.variables, self.label)
        arrays = {"per_cell": found.per_cell}
        if found.label is not None:
            arrays["label"] = found.label
        return arrays, {"mixing": {k: asdict(v) for k, v in found.mixing.items()}}

    def lisi(self, side: Side) -> LisiNumbers:
        from harmony_core.metrics.mixing import NullMixing
        from harmony_core.verdict.assess import LisiNumbers

        stage = self.stage(f"lisi_{side}")
        values = {k: NullMixing(**v) for k, v in stage.info["mixing"].items()}
        return LisiNumbers(values, stage.arrays["per_cell"], stage.arrays.get("label"))

    def judged(
        self, after: npt.NDArray[np.floating], near: Neighbors, lisi: LisiNumbers, facts: RunFacts
    ) -> Assessment:
        """Return the assessment of a corrected embedding with its neighbours and LISI."""
        from harmony_core.verdict.assess import Inputs, assess

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
        if self.params.precomputed is None:
            found = self.judged(self.embedding("after"), near, lisi, self._facts())
        else:
            from harmony_core.runs.external import judge

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
        from harmony_core.metrics.mixing import cilisi
        from harmony_core.metrics.scib import scib_scores

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
        from harmony_core.metrics.movement import distance_moved, neighbors_replaced
        from harmony_core.verdict.advice import RunFacts

        before, after = self.embedding("before"), self.embedding("after")
        moved = distance_moved(before, after).max()
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
