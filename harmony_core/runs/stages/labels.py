"""Labels from marker genes, for runs whose data have no label column."""

from __future__ import annotations

from harmony_core.errors import DataError
from harmony_core.inspect.gene_sets import panel_sets
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import stage


@stage(
    "marker_labels",
    "Making labels from marker genes",
    version=1,
    needs=("prepare",),
    settings=lambda p, data: (p.harmony.batch, p.panel),
)
def marker_labels(context: Context) -> Computed:
    """Label cells by marker genes within their batches, before any correction."""
    from harmony_core.detector.states import neighbors_within_batches
    from harmony_core.methods.marker_labels import marker_labels as label

    assert context.params.panel is not None  # else the run has no such stage
    expression = context.expression
    if expression is None:
        raise DataError(
            "Labels from marker genes need counts or log-normalised values, and these data have "
            "none; choose a label column or none."
        )
    codes, seed = context.variables[-1].codes, context.params.prepare.seed
    within = neighbors_within_batches(context.embedding("before"), codes, seed=seed)
    made = label(
        expression.by_gene, expression.symbols.tolist(), within, panel_sets(context.params.panel)
    )
    arrays = {"codes": made.codes, "confidence": made.confidence}
    genes = {name: list(of_type) for name, of_type in made.genes.items()}
    return arrays, {"types": list(made.types), "genes": genes, "left_out": list(made.left_out)}
