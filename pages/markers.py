"""Marker genes: does each cluster still know what it is, before and after correction?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from harmony_core.categories import Factor
from harmony_core.detector.results import ClusterRow
from harmony_core.figures.screen.genes import gene_dots, gene_grid, violins_by_batch
from harmony_core.inspect.gene_sets import Found
from harmony_core.runs.plan import Side
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import address, evidence_table, panels, presentation, state
from pages.ui.charts import chart
from pages.ui.current_run import recent_run
from pages.ui.markers import gene_choice, gene_groups
from pages.ui.part import Part
from pages.ui.tables import decimals, table
from pages.ui.text import plain
from pages.ui.tune import run
from pages.ui.tune.run_comparison import settings_in_words

_LAYOUTS = ("layout_before", "layout_after")
_MOST_IN_GRID = 24
_TOP = 10
_SIDE_WORDS = {"After correction": "after", "Before correction": "before"}


def main() -> None:
    st.title("Marker genes")
    dataset = state.dataset()
    RUN.place(run.asked(dataset), dataset)


def _run(dataset: Dataset) -> str:
    """Draw the views of a run, once its layouts are there."""
    under_way = run.asked(dataset)
    results = recent_run(dataset, *_LAYOUTS)
    if results is None or results.obs is None:
        panels.go_to_tune("There is no finished run of these data yet.")
        panels.progress(under_way)
        return ""
    st.caption(
        f"{plain(dataset.name)}: {plain(settings_in_words(results.params))}. Values are always the "
        "**uncorrected** expression: Harmony moves cells in the embedding and never changes a gene."
    )
    if not len(dataset.symbols):
        st.info("These data have an embedding but no expression, so there are no genes to show.")
        return results.plan.run
    picked = st.segmented_control(
        "View",
        list(_VIEWS),
        default=next(iter(_VIEWS)),
        key="marker-view",
        label_visibility="collapsed",
        persist_state="session",
        required=True,
    )
    draw, shows = _VIEWS[picked]
    Part("marker-genes", draw, shows).place(under_way, results)
    return results.plan.run


def _layouts(results: RunResults) -> None:
    found = gene_choice.choose(results)
    before, after = results.layout("before"), results.layout("after")
    if not found.positions or before is None or after is None:
        return
    expression = _expression(results, found)
    if len(expression) > _MOST_IN_GRID:
        st.caption(f"The first {_MOST_IN_GRID} of {len(expression)} genes are drawn.")
        expression = dict(list(expression.items())[:_MOST_IN_GRID])
    chart(
        gene_grid(expression, before, after, dark=presentation.is_dark()),
        key="marker-grid",
    )


def _dots(results: RunResults) -> None:
    found = gene_choice.choose(results)
    if not found.positions:
        return
    groupings = gene_groups.choose(results)
    expression = _expression(results, found)
    for i, (column, grouping) in enumerate(zip(st.columns(len(groupings)), groupings, strict=True)):
        column.plotly_chart(
            gene_dots(
                expression,
                grouping.codes,
                grouping.levels,
                sections=found.sets,
                group_title=grouping.name,
                dark=presentation.is_dark(),
            ),
            key=f"marker-dots-{i}",
        )


def _violins(results: RunResults) -> None:
    found = gene_choice.choose(results)
    if not found.positions or results.obs is None:
        return
    left, right = st.columns(2)
    gene = left.selectbox("Gene", list(found.positions), key="marker-gene")
    with right:
        groupings = gene_groups.choose(results, with_batch=False)
    values = results.gene(found.positions[gene])
    if values is None:
        return
    batch = results.params.harmony.batch[0]
    batches = Factor.of(batch, results.obs[batch])
    for i, grouping in enumerate(groupings):
        chart(
            violins_by_batch(
                values,
                grouping.codes,
                grouping.levels,
                batches.codes,
                batches.levels,
                title=f"{gene} by {grouping.name}",
            ),
            key=f"marker-violins-{i}",
        )


def _top(results: RunResults) -> None:
    picked = st.segmented_control(
        "Clusters",
        list(_SIDE_WORDS),
        default="After correction",
        key="marker-side",
        label_visibility="collapsed",
        required=True,
    )
    side: Side = "before" if picked == "Before correction" else "after"
    rows = _marker_rows(results, side)
    if not rows:
        st.info("The marker genes of these clusters are not computed yet.")
        panels.progress(run.asked(results.dataset))
        return
    st.caption(
        "Each Leiden cluster against all other cells, Wilcoxon rank-sum test. The clusters were "
        "made from the same cells, so p values are far too small: use the order."
    )
    shown = pd.DataFrame(rows)
    clusters = sorted(shown["Cluster"].unique().tolist())
    only = st.selectbox(
        "Cluster",
        [None, *clusters],
        key=f"marker-cluster-{side}",
        format_func=lambda c: "All clusters" if c is None else f"Cluster {c}",
    )
    if only is not None:
        shown = shown[shown["Cluster"] == only]
        genes = shown["Gene"].head(6).tolist()
        st.button(
            "Show its first six in the other views",
            key="marker-propose",
            on_click=gene_choice.propose,
            args=(genes, f"Cluster {only}"),
        )
    table(
        shown,
        key="top-markers",
        file=f"markers_{side}",
        columns={
            "Score": decimals(1, "Wilcoxon z score."),
            "log2 fold change": decimals(2),
            "Adjusted p": st.column_config.NumberColumn(
                format="%.1e", help="Benjamini-Hochberg; far too small, use the order."
            ),
        },
    )


def _marker_rows(results: RunResults, side: Side) -> list[dict[str, object]]:
    codes = results.clusters(side)
    sizes = np.bincount(codes) if codes is not None else np.zeros(0, int)
    return [
        {
            "Cluster": cluster,
            "Cells": int(sizes[cluster]),
            "Rank": rank + 1,
            "Gene": symbol,
            "Score": float(found.scores[rank]),
            "log2 fold change": float(found.log2_fold_change[rank]),
            "Adjusted p": float(found.p_adjusted[rank]),
        }
        for cluster, found in enumerate(results.markers(side) or ())
        if cluster < len(sizes)
        for rank, symbol in enumerate(found.symbols[:_TOP])
    ]


def _lost(results: RunResults) -> None:
    assessment = results.assessment
    if assessment is None:
        st.info("The verdict on this run is not there yet.")
        panels.progress(run.asked(results.dataset))
        return
    st.caption(
        "For every pre-cluster (a cluster within one batch of the uncorrected data): which of its "
        "markers do the cells lack that correction made its neighbours? Many lost markers in a "
        "well-mixed cluster are a sign of over-correction."
    )
    lossy = [
        (variable, row)
        for variable, detection in assessment.detections.items()
        for row in detection.clusters
        if row.lost_genes
    ]
    if not lossy:
        st.success("No pre-cluster lost markers to its new neighbours.")
        return
    selected = gene_groups.only(results)
    if selected is not None:
        lossy = [(v, row) for v, row in lossy if _holds(results, v, row, selected)]
        if not lossy:
            st.info("None of the selected cells is in a pre-cluster that lost markers.")
            return
    lossy.sort(key=lambda one: -(one[1].lost or 0.0))
    _table_of_lost([row for _, row in lossy])
    _use_lost(results, lossy)


def _table_of_lost(rows: Sequence[ClusterRow]) -> None:
    """Draw which markers the pre-clusters lost, those that lost most first."""
    table(
        pd.DataFrame(
            [
                {
                    "Pre-cluster": row.name,
                    "Batch": row.batch,
                    "Cells": row.cells,
                    "Mixed": row.share,
                    "Markers lost": row.lost,
                    "Which": ", ".join(row.lost_genes),
                    "Now among": row.merged_with,
                    "Flagged": row.flagged,
                }
                for row in rows
            ]
        ),
        key="lost-markers",
        file="lost_markers",
        columns={
            "Mixed": decimals(2),
            "Markers lost": decimals(
                2, "Part of its markers that its new neighbours lack, times how far it mixed."
            ),
            "Flagged": st.column_config.CheckboxColumn(help="Counts against the run."),
        },
    )


def _use_lost(results: RunResults, lossy: Sequence[tuple[str, ClusterRow]]) -> None:
    """Offer one pre-cluster's lost markers to the other views, and its cells to Tune."""
    choice, genes, cells = st.columns([4, 2, 2], vertical_alignment="bottom")
    picked = choice.selectbox(
        "Pre-cluster", range(len(lossy)), format_func=lambda i: lossy[i][1].name, key="lost-cluster"
    )
    variable, row = lossy[picked]
    genes.button(
        "Genes in the other views",
        key="lost-propose",
        help="Puts its lost markers into pictures, dot plot and violins.",
        width="stretch",
        on_click=gene_choice.propose,
        args=(list(row.lost_genes), "Lost markers"),
    )
    if cells.button(
        "Cells on Tune",
        key="lost-mark",
        help="Marks its cells in both pictures on Tune.",
        width="stretch",
    ):
        evidence_table.mark_cluster(results, variable, row.cluster, row.name)
        st.switch_page("pages/tune.py")


def _holds(
    results: RunResults, variable: str, row: ClusterRow, chosen: npt.NDArray[np.bool_]
) -> bool:
    mine = evidence_table.precluster_cells(results, variable, row.cluster)
    return mine is not None and bool((mine & chosen).any())


_CLUSTERS = ("clusters_before", "clusters_after")
# What draws each view, and the stages that it shows beside the layouts.
_VIEWS: dict[str, tuple[Callable[[RunResults], None], tuple[str, ...]]] = {
    "Pictures": (_layouts, ("markers_after",)),
    "Dot plot": (_dots, (*_CLUSTERS, "markers_after")),
    "Violins": (_violins, (*_CLUSTERS, "markers_after")),
    "Top markers": (_top, (*_CLUSTERS, "markers_before", "markers_after")),
    "Lost markers": (_lost, ("assess",)),
}


def _expression(results: RunResults, found: Found) -> dict[str, npt.NDArray[np.float32]]:
    values = {symbol: results.gene(position) for symbol, position in found.positions.items()}
    return {symbol: v for symbol, v in values.items() if v is not None}


RUN = Part("markers", draw=_run, shows=_LAYOUTS)

address.run("markers", main)
