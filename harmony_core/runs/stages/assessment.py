"""From neighbours to a verdict: references of the batches, mixing, the assessment."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harmony_core.inspect.left_out import kept_of_each
from harmony_core.metrics.movement import distance_moved, neighbors_replaced
from harmony_core.params import RANGES
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import SETTINGS, Side, both_sides, stage
from harmony_core.verdict.advice import RunFacts

if TYPE_CHECKING:
    from harmony_core.detector.reference import Reference
    from harmony_core.methods.neighbors import Neighbors
    from harmony_core.verdict.assess import LisiNumbers
    from harmony_core.verdict.assessment import Assessment


@stage(
    "reference",
    "Describing each batch on its own",
    version=8,
    needs=("prepare",),
    settings=lambda p, data: (p.harmony.batch,),
    is_result=False,
)
def reference(context: Context) -> Computed:
    """Describe each batch on its own, once for every batch variable."""
    from harmony_core.detector.reference import build_reference

    genes, _ = context.variable_genes
    embedding, seed = context.embedding("before"), context.params.prepare.seed
    near = context.neighbors("before").indices
    arrays: dict[str, npt.NDArray[Any]] = {}
    for i, variable in enumerate(context.variables):
        built = build_reference(embedding, variable.codes, genes, near, seed=seed)
        arrays |= {f"{i}_{name}": array for name, array in built.to_arrays().items()}
    return arrays, {}


def read_references(context: Context) -> list[Reference]:
    """Return the references that corrections are assessed against, one a batch variable."""
    from harmony_core.detector.reference import Reference

    arrays = context.stage("reference").arrays
    starts = [f"{i}_" for i in range(len(context.variables))]
    return [
        Reference.from_arrays(
            {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
        )
        for start in starts
    ]


@both_sides(
    "lisi",
    "Measuring mixing {side} correction",
    version=2,
    needs=("neighbors_{side}",),
    settings=lambda p, data: ((p.harmony.batch, p.label),),
    is_result=False,
)
def lisi(context: Context, side: Side) -> Computed:
    """Compute LISI of batch variables and label in every cell."""
    from harmony_core.verdict.assess import lisi_numbers

    near = context.neighbors(side)
    numbers = lisi_numbers(near.indices, near.distances, context.variables, context.label)
    arrays = {"per_cell": numbers.per_cell}
    if numbers.label is not None:
        arrays["label"] = numbers.label
    return arrays, {"mixing": {k: asdict(v) for k, v in numbers.mixing.items()}}


def _lisi_numbers(context: Context, side: Side) -> LisiNumbers:
    from harmony_core.metrics.mixing import NullMixing
    from harmony_core.verdict.assess import LisiNumbers

    stage = context.stage(f"lisi_{side}")
    mixing = {k: NullMixing(**v) for k, v in stage.info["mixing"].items()}
    return LisiNumbers(mixing, stage.arrays["per_cell"], stage.arrays.get("label"))


@stage(
    "assess",
    "Judging the correction",
    version=17,
    needs=("reference", "lisi_before", "lisi_after"),
    settings=lambda p, data: ((p.harmony.batch, p.label), p.condition),
    keyed_by=("reference", SETTINGS, "correct", "neighbors_before"),
)
def assess(context: Context) -> Computed:
    """Assess the run's correction."""
    near, mixing = context.neighbors("after"), _lisi_numbers(context, "after")
    if context.params.by_harmony:
        after, facts = context.embedding("after"), _facts_of_harmony(context)
        assessment = _with_label_notes(context, _assess(context, after, near, mixing, facts))
    else:
        assessment = assess_other_tool(context, near, mixing)
    # In the assessment too, so that evidence can be marked where the reference is gone.
    references = read_references(context)
    preclusters = np.stack([reference.evidence.pre for reference in references])
    states = np.stack([reference.lent.state for reference in references])
    arrays = {**assessment.per_cell, "preclusters": preclusters, "states": states}
    return arrays, assessment.to_dict()


def _with_label_notes(context: Context, assessment: Assessment) -> Assessment:
    """Return an assessment that says first what has to be known of its labels."""
    method = context.params.method
    if method is not None:
        assessment = replace(assessment, notes=(*method.method.notes, *assessment.notes))
    if context.cell_types is None:
        return assessment
    notes = (*_marker_notes(context), *context.cell_types.notes, *assessment.notes)
    return replace(assessment, notes=notes)


def _marker_notes(context: Context) -> list[str]:
    """Return what has to be known of labels that were made here from marker genes."""
    if context.params.panel is None:
        return []
    labels = context.stage("marker_labels")
    unsure = float((np.asarray(labels.arrays["codes"]) < 0).mean())
    notes = [
        "The labels were made by Harmony Explorer from marker genes within each batch, before "
        f"correction; they are not the data's own. {unsure:.0%} of the cells are unsure and have "
        "none."
    ]
    if labels.info["left_out"]:
        names = ", ".join(labels.info["left_out"])
        notes.append(f"Without labels, as the data lack their marker genes: {names}.")
    return notes


def assess_other_tool(context: Context, near: Neighbors, mixing: LisiNumbers) -> Assessment:
    """Assess an embedding that another tool corrected, by its neighbours and their LISI.

    Returns
    -------
    The assessment, without advice (the settings to change are another tool's) and without
    distances moved (the tool's space may be another).
    """
    before = context.embedding("before")
    judged = _assess(context, before, near, mixing, _facts_of_other_tool(context))
    assessment = _with_label_notes(context, judged)
    per_cell = {k: v for k, v in assessment.per_cell.items() if k != "displacement"}
    verdict = replace(assessment.verdict, advice=())
    return replace(assessment, verdict=verdict, per_cell=per_cell)


def _assess(
    context: Context,
    after: npt.NDArray[np.floating],
    near: Neighbors,
    mixing: LisiNumbers,
    facts: RunFacts,
) -> Assessment:
    from harmony_core.verdict.assess import RunData, assess, with_left_out

    genes, symbols = context.variable_genes
    assessment = assess(
        RunData(
            before=context.embedding("before"),
            after=after,
            near_before=context.neighbors("before").indices,
            near_after=near.indices,
            lisi_before=_lisi_numbers(context, "before"),
            lisi_after=mixing,
            variables=context.variables,
            references=read_references(context),
            label=context.label,
            expression=genes,
            symbols=symbols,
            condition=context.params.condition,
            facts=facts,
            labels_decide=context.params.panel is None,
        )
    )
    p = context.params
    obs, before = context.dataset.obs, context.dataset.info.left_out
    kept = kept_of_each(obs, context.cells, p.harmony.batch, p.label, before=before)
    return with_left_out(assessment, kept)


def _facts_of_other_tool(context: Context) -> RunFacts:
    """Return facts from which nothing is said about how Harmony went, as it was not run."""
    n_cells, n_pcs = context.embedding("before").shape
    return RunFacts(
        settings=context.params.harmony,
        n_cells=n_cells,
        n_pcs=n_pcs,
        batch_sizes={v.name: v.sizes for v in context.variables},
        stop_reason="converged",
        iterations=1,
        objective=(1.0, 1.0),
        moved=1.0,
    )


def _facts_of_harmony(context: Context) -> RunFacts:
    before, after = context.embedding("before"), context.embedding("after")
    farthest = distance_moved(before, after).max()
    radius = np.sqrt(((before - before.mean(axis=0)) ** 2).sum(axis=1).mean())
    replaced = neighbors_replaced(
        context.neighbors("before").indices, context.neighbors("after").indices
    )
    harmony = context.stage("correct").info
    return replace(
        _facts_of_other_tool(context),
        stop_reason="limit" if harmony["stop_reason"] == "none" else harmony["stop_reason"],
        iterations=harmony["iterations"],
        objective=tuple(harmony["objective"]),
        moved=float(farthest / max(radius, 1e-12)),
        neighbors_kept=float(1 - replaced.mean()),
        genes_per_batch=_chose_genes_per_batch(context),
        most_pcs=_most_pcs(context),
    )


def _chose_genes_per_batch(context: Context) -> bool | None:
    """Return whether genes were chosen within each batch; None where the data brought components.

    Where all were taken there was no choice that could favour a batch.
    """
    if context.params.prepare.basis is not None:
        return None
    return bool(context.stage("prepare").info["genes_chosen"] != "over all cells")


def _most_pcs(context: Context) -> int:
    """Return how many components preparation could give; all of an embedding are taken."""
    n_cells, n_pcs = map(int, context.embedding("before").shape)
    if context.params.prepare.basis is not None:
        return n_pcs
    n_variable = int(np.asarray(context.stage("prepare").arrays["variable"]).sum())
    return int(min(n_variable - 1, n_cells - 1, RANGES["n_pcs"].high))
