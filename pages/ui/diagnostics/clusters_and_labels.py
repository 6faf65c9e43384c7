"""Every state, pre-cluster and label, as the run left it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from harmony_core.categories import Factor
from harmony_core.detector.results import Detection, StateRow
from harmony_core.runs.results import RunResults
from harmony_core.runs.risk import run_risks
from harmony_core.thresholds import (
    FALSE_DISCOVERIES,
    MCM_LOW,
    MIN_CELLS_PURITY,
    PURITY_LOSS_AMBER,
    PURITY_LOSS_RED,
    STATE_APART,
    STATE_LOSS,
)
from pages.ui.diagnostics import explanations, risk_section
from pages.ui.tables import decimals, table
from pages.ui.text import plain

_OUTCOMES = {
    "merged": "merged with another",
    "apart": "stays apart from its match",
    "partly": "mixes less than half with its match",
    "kept": "kept",
    "unjudged": "can't be judged",
}


def states(results: RunResults) -> None:
    """Draw what became of every label and every state."""
    assessment = results.assessment
    if assessment is None:
        return
    risks = run_risks(results)
    st.caption(
        "A row a label, where there are labels, and a state: a cluster within one batch of the "
        "uncorrected data, lent to the cells of the other batches. What a run harmed comes first."
    )
    table(
        pd.DataFrame(
            [
                {
                    "What": row.name,
                    "Batch": row.batch,
                    "Cells": row.cells,
                    "What happened": _OUTCOMES[row.outcome] + (f" ({row.why})" if row.why else ""),
                    "With, or from": row.other,
                    "Neighbours changed": _changed(row),
                    "Mixed between batches": row.mixing,
                    "False discovery rate": row.q,
                    "Genes that say so": ", ".join(row.genes),
                }
                | ({"Risk": risks[row].fraction if row in risks else None} if risks else {})
                for row in assessment.states
            ]
        ),
        key="states",
        file="states",
        columns={
            "What": st.column_config.TextColumn(width="medium"),
            "What happened": st.column_config.TextColumn(width="medium"),
            "Neighbours changed": decimals(
                2,
                "Part of its 30 nearest neighbours that changed to another label or state; above "
                f"{STATE_LOSS:g} of a state it was merged.",
            ),
            "Mixed between batches": decimals(
                2,
                "Of a label that batches share, and of a state that has a match in other batches: "
                "1 is as far as sizes allow. In the batch where it is mixed least, below "
                f"{MCM_LOW:g} it mixes less than half, below {STATE_APART:g} it stays apart.",
            ),
            "False discovery rate": decimals(
                3,
                "How many of the states called merged at this limit would be so by chance; above "
                f"{FALSE_DISCOVERIES:g} it is not called merged.",
            ),
            "Risk": decimals(
                2,
                "Part of its neighbours that would become other cells at this setting if the other "
                "batches lacked it.",
            ),
        },
    )
    risk_section.draw(results)


def _changed(row: StateRow) -> float | None:
    """Return the part of a row's neighbours that changed; a label that grew purer lost none."""
    return None if row.amount is None else max(row.amount, 0.0)


def clusters(results: RunResults) -> None:
    """Draw the pre-clusters of each batch, and the pairs behind matched-cluster mixing."""
    assessment = results.assessment
    if assessment is None:
        return
    detection = assessment.detections[_variable(list(assessment.detections))]
    st.caption(
        "Clusters found within each batch of the uncorrected data: what a correction should keep "
        "apart. No labels are used."
    )
    ordered = sorted(detection.clusters, key=lambda row: -row.score)
    table(
        pd.DataFrame(
            [
                {
                    "Pre-cluster": row.name,
                    "Batch": row.batch,
                    "Cells": row.cells,
                    "Mixed": row.share,
                    "Conflict": row.conflict if row.judged else None,
                    "Gap": row.gap if row.judged else None,
                    "Lost markers": row.lost,
                    "Against its limit": row.score if row.judged else None,
                    "Mostly among": row.merged_with,
                    "Part": row.merged_part,
                    "Genes that differ": ", ".join(row.genes),
                    "Markers lost": ", ".join(row.lost_genes),
                    "Judged": row.judged,
                }
                for row in ordered
            ]
        ),
        key="clusters",
        file="pre_clusters",
        columns={
            "Mixed": explanations.column("share"),
            "Conflict": explanations.column("conflict"),
            "Gap": explanations.column("gap"),
            "Lost markers": explanations.column("lost"),
            "Against its limit": decimals(2, "Above 1 it is flagged.", unit=" ×"),
            "Part": decimals(2, "Part of its cross-batch neighbours that are there."),
        },
    )
    for sentence in detection.notes:
        st.caption(plain(sentence, longest=500))
    _matched(detection)
    explanations.numbers("share", "conflict", "gap", "lost", "mcm")


def _variable(variables: Sequence[str]) -> str:
    """Return the batch variable whose pre-clusters are drawn; a choice where there are several."""
    if len(variables) == 1:
        return variables[0]
    picked = st.segmented_control(
        "Batch variable",
        variables,
        default=variables[0],
        format_func=plain,
        key="deep-variable",
    )
    return picked or variables[0]


def _matched(detection: Detection) -> None:
    """Draw the pairs of pre-clusters that correspond between batches."""
    if not detection.matched:
        return
    st.markdown("**Pairs that correspond between batches, worst mixed first**")
    table(
        pd.DataFrame(
            [
                {"One": r.name, "Other": r.partner, "Cells": r.cells, "Mixing": r.mixing}
                for r in detection.matched
            ]
        ),
        key="matched",
        file="matched_clusters",
        columns={"Mixing": explanations.column("mcm")},
    )


def labels(results: RunResults) -> None:
    """Draw what became of each known label."""
    assessment, label = results.assessment, results.params.label
    if assessment is None:
        return
    if label is None:
        st.info("No label column is chosen, so no label can be followed.")
        st.page_link("pages/data.py", label="Choose one on Data")
        return
    clisi = _clisi(results, label)
    stage = results.stage("scib_after")
    cilisi = {} if stage is None else stage.info["cilisi"]
    rows = []
    for row in assessment.labels:
        fields = {
            "Label": row.name,
            "Cells": row.cells,
            "Purity loss": row.loss,
            "Reading": _reading(row.loss),
            "Mixed with": row.merged_with,
            "Most in batch": row.batch,
            "Genes that tell them apart": ", ".join(row.genes),
        }
        if row.name in clisi:
            fields["cLISI before"], fields["cLISI after"] = clisi[row.name]
        if cilisi:
            fields["CiLISI"] = cilisi.get(row.name)
        rows.append(fields)
    table(
        pd.DataFrame(rows),
        key="labels",
        file="labels",
        columns={
            "Purity loss": explanations.column("purity_loss"),
            "cLISI before": explanations.column("clisi"),
            "cLISI after": explanations.column("clisi"),
            "CiLISI": explanations.column("cilisi"),
        },
    )
    for sentence in assessment.notes:
        st.caption(plain(sentence, longest=500))
    if not cilisi:
        st.caption("Mixing inside each label (CiLISI) is added once the scIB scores are computed.")
    explanations.numbers("purity_loss", "clisi", "cilisi")


def _reading(loss: float) -> str:
    if loss > PURITY_LOSS_RED:
        return "over-corrected"
    return "suspicious" if loss > PURITY_LOSS_AMBER else "kept"


def _clisi(results: RunResults, label: str) -> dict[str, tuple[float, float]]:
    """Return each label's mean cLISI before and after, where the store has them."""
    stages = [results.stage(f"lisi_{side}") for side in ("before", "after")]
    if results.obs is None or any(s is None or "label" not in s.arrays for s in stages):
        return {}
    column = Factor.of(label, results.obs[label])
    values = [np.asarray(s.arrays["label"]) for s in stages if s is not None]
    means = {}
    for code, name in enumerate(column.levels):
        cells = column.codes == code
        if cells.sum() >= MIN_CELLS_PURITY:
            before, after = (float(np.nanmean(v[cells])) for v in values)
            means[name] = (before, after)
    return means
