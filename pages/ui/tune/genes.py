"""Marker genes on Tune: a panel of genes on the layouts before and after correction."""

from __future__ import annotations

import streamlit as st

from harmony_core.inspect.gene_sets import PANEL, find_genes, find_sets
from harmony_core.jobs.work import run_work
from harmony_core.params import RunParams
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import evidence_table, made
from pages.ui.current_run import CurrentRun
from pages.ui.gene_view import drawn_cells, gene_view, genes_message
from pages.ui.linked_view import Message
from pages.ui.part import Part
from pages.ui.text import plain
from pages.ui.tune import before_after

_CLUSTERS = "Clusters"  # of the panels, the one made of these data's own clusters
_MOST_GENES = 12
_GENES_PER_ROW = 2


def draw(dataset: Dataset, params: RunParams) -> str:
    """Draw the choice of a panel and its genes; return the run whose layouts they lie on."""
    st.subheader(
        "Marker genes", help="Always the uncorrected expression: Harmony never changes it."
    )
    current = CurrentRun(dataset, params)
    results, _ = current.newest_drawable()
    if results is None:
        return ""
    if not len(dataset.symbols):
        st.caption("These data have an embedding but no expression, so there are no genes to show.")
        return results.plan.run
    known = made.once(
        ("gene panels", dataset.folder),
        lambda: tuple(find_sets(PANEL, list(dataset.symbols)).sets),
    )
    gene_panels = [*known, _CLUSTERS, evidence_table.OWN_PANEL]
    # Evidence opens its genes by setting this, so the widget has no default of its own.
    evidence_table.open_genes()
    if st.session_state.get(evidence_table.PANEL_KEY) not in gene_panels:
        st.session_state[evidence_table.PANEL_KEY] = gene_panels[0]
    pick = st.segmented_control(
        "Panel",
        gene_panels,
        # Short enough for all to be seen beside the convergence curve.
        format_func=lambda name: name.removesuffix(" cells").removesuffix(" genes"),
        key=evidence_table.PANEL_KEY,
        label_visibility="collapsed",
        required=True,
        persist_state="session",
    )
    if pick == evidence_table.OWN_PANEL:
        typed = st.text_input("Genes, separated by commas or spaces", key=evidence_table.GENES_KEY)
        _pictures(current, results, typed.replace(",", " ").split()[:_MOST_GENES])
    elif pick == _CLUSTERS:
        _OF_CLUSTERS.place([run_work(dataset, params)], dataset, params)
    else:
        _pictures(current, results, list(PANEL[pick]))
    st.page_link("pages/markers.py", label="Dot plot, violins and tables")
    return results.plan.run


def _of_clusters(dataset: Dataset, params: RunParams) -> str:
    """Draw the best marker gene of each cluster after correction, and say what they are."""
    current = CurrentRun(dataset, params)
    ranked, _ = current.newest_with("markers_after")
    results, _ = current.newest_drawable()
    markers = None if ranked is None else ranked.markers("after")
    if markers is None or results is None:
        st.caption("The marker genes of the clusters are on their way.")
        return ""
    best = [cluster.symbols[0] for cluster in markers if cluster.symbols][:_MOST_GENES]
    st.caption("The best marker gene of each cluster after Harmony.")
    _pictures(current, results, list(dict.fromkeys(best)))
    return results.plan.run


_OF_CLUSTERS = Part("genes-of-clusters", draw=_of_clusters, shows=("markers_after",))


def _pictures(current: CurrentRun, results: RunResults, wanted: list[str]) -> None:
    dataset = current.dataset
    found, missing = made.once(
        ("genes", dataset.folder, *wanted), lambda: find_genes(wanted, list(dataset.symbols))
    )
    if missing:
        st.caption(f"Not in these data: {', '.join(plain(m) for m in missing)}.")
    before, after = (results.layout_or_preview(side) for side in SIDES)
    if not found or before is None or after is None:
        return
    only = before_after.narrowed_to(current.results)
    if only is not None and results.obs is not None and len(only) != len(results.obs):
        only = None  # the picture is still that of other cells

    def packed() -> Message:
        values = {symbol: results.gene(position) for symbol, position in found.items()}
        known = {symbol: of for symbol, of in values.items() if of is not None}
        return genes_message(known, drawn_cells(len(before), only))

    of_all = ("genes message", dataset.folder, results.plan.keys["prepare"], *found)
    gene_view(
        made.once(of_all, packed) if only is None else packed(),
        before,
        after,
        key="gene-grid",
        setting=results.plan.run,
        cells=only,
        genes_per_row=min(_GENES_PER_ROW, len(found)),
    )
