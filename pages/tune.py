"""Tune: move a slider; before, after, marker genes and verdict stay side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from harmony_core.errors import ParameterError
from harmony_core.figures.screen.convergence import convergence_curve
from harmony_core.inspect.gene_sets import PANEL, find_genes
from harmony_core.jobs.job_folder import Progress
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults
from pages.ui import address, advice_panel, evidence_table, panels, presentation, state
from pages.ui.charts import chart
from pages.ui.current_run import CurrentRun
from pages.ui.gene_view import gene_view
from pages.ui.text import plain
from pages.ui.tune import (
    before_after,
    controls,
    replay,
    run,
    run_comparison,
    run_table,
    seed_stability,
    settings_search,
    sketch,
)

_CLUSTERS = "Clusters"  # of the marker-gene panels, the one made of these data's own clusters
_MOST_GENES = 12


def main() -> None:
    dataset = state.dataset()
    settings = state.settings(dataset)
    if settings is None:
        st.info("Choose which column says from which batch each cell comes.")
        st.page_link("pages/data.py", label="Go to Data")
        return
    with st.sidebar:
        st.markdown(f"**{plain(dataset.name)}**")
        names = ", ".join(plain(b) for b in settings.harmony.batch)
        st.caption(f"{dataset.n_cells:,} cells, corrected for {names}")
        try:
            params = controls.run_controls(dataset, settings, more=not presentation.is_on())
        except ParameterError as error:
            st.error(plain(error, longest=500))
            return
        presentation.switch()
        sketch.commit(dataset, params)
    state.choose_settings(dataset, params)
    if sketch.undecided(dataset, params):
        return
    task = run.RunTask(dataset, params)
    progress = task.request()
    if progress.state == "finished":
        state.set_last_run(dataset, params)
    current = CurrentRun(dataset, params)
    _draw(current, task, progress)
    address.write(dataset, params)


def _draw(current: CurrentRun, task: run.RunTask, progress: Progress) -> None:
    params = current.results.params
    # Containers even when empty: what follows keeps its place, and with it zoom and open panels.
    with st.container():
        address.problems()
        run.ending(progress)
    task.status(progress)
    _headline(current)
    pace, only = replay.pace(current.dataset), before_after.narrowed_to(current.results)
    st.fragment(before_after.draw, run_every=pace)(current, pace, only)
    with st.container():
        evidence_table.note_on_marks(current.dataset)
    if presentation.is_on():
        run_comparison.way_back(current)
    else:
        run_table.draw(current)
    _explanation(current, only)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _genes(current, only)
    with right:
        if params.precomputed is None:
            _convergence(current)
    if not presentation.is_on():
        _search(current)
        _where_the_time_went(current.results)


def _search(current: CurrentRun) -> None:
    if current.results.params.precomputed is not None or not current.results.plan.has("assess"):
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        settings_search.draw(current.dataset, current.results.params)
    with right:
        seed_stability.draw(current.dataset, current.results.params)


def _headline(current: CurrentRun) -> None:
    results, old = current.newest_with("assess")
    if results is None or results.assessment is None:
        return
    few = presentation.is_on()
    with panels.place("headline", old=old):
        left, right = st.columns([1, 2 if few else 3], gap="small")
    with left:
        panels.heading(results.assessment.verdict, old=old)
    with right:
        for variable in results.params.harmony.batch:
            if len(results.params.harmony.batch) > 1:
                st.caption(plain(variable))
            panels.headline(results.assessment, variable, main_only=few)


def _explanation(current: CurrentRun, only: npt.NDArray[np.bool_] | None) -> None:
    results, old = current.newest_with("assess")
    if results is None or results.assessment is None:
        return
    verdict = results.assessment.verdict
    with panels.place("explanation", old=old):
        left, right = st.columns([3, 2], gap="medium")
    with left:
        condition = results.params.harmony.batch[0] if results.params.condition else None
        panels.explanation(verdict, condition=condition)
    with right:
        advice_panel.draw(results)
    if not presentation.is_on():
        evidence_table.table(verdict, results, only=only)


def _genes(current: CurrentRun, only: npt.NDArray[np.bool_] | None) -> None:
    st.subheader(
        "Marker genes", help="Always the uncorrected expression: Harmony never changes it."
    )
    results, _ = current.newest_drawable()
    if results is None:
        return
    if not len(current.dataset.symbols):
        st.caption("These data have an embedding but no expression, so there are no genes to show.")
        return
    symbols = list(current.dataset.symbols)
    known = [name for name, genes in PANEL.items() if find_genes(genes, symbols)[0]]
    gene_panels = [*known, _CLUSTERS, evidence_table.OWN_PANEL]
    # Evidence opens its genes by setting this, so the widget has no default of its own.
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
        wanted = typed.replace(",", " ").split()[:_MOST_GENES]
    elif pick == _CLUSTERS:
        wanted = _best_of_clusters(current)
    else:
        wanted = list(PANEL[pick])
    found, missing = find_genes(wanted, symbols)
    if missing:
        st.caption(f"Not in these data: {', '.join(plain(m) for m in missing)}.")
    if not found:
        return
    values = {symbol: results.gene(position) for symbol, position in found.items()}
    if only is not None and results.obs is not None and len(only) != len(results.obs):
        only = None  # the picture is still that of other cells
    before, after = (results.layout_or_preview(side) for side in SIDES)
    if before is not None and after is not None:
        gene_view(
            {symbol: v for symbol, v in values.items() if v is not None},
            before,
            after,
            key="gene-grid",
            setting=results.plan.run,
            cells=only,
        )
    st.page_link("pages/markers.py", label="Dot plot, violins and tables")


def _best_of_clusters(current: CurrentRun) -> list[str]:
    """Return the best marker gene of each cluster after correction, and say what they are."""
    results, _ = current.newest_with("markers_after")
    markers = None if results is None else results.markers("after")
    if markers is None:
        st.caption("The marker genes of the clusters are on their way.")
        return []
    best = [cluster.symbols[0] for cluster in markers if cluster.symbols][:_MOST_GENES]
    st.caption("The best marker gene of each cluster after Harmony.")
    return list(dict.fromkeys(best))


def _convergence(current: CurrentRun) -> None:
    st.subheader("Convergence", help="Harmony's objective; it should fall and level off.")
    results, _ = current.newest_with("correct")
    if results is None or results.harmony is None:
        return
    harmony = results.harmony
    chart(
        convergence_curve(harmony["objective"], harmony["stop_reason"]),
        key="convergence",
    )
    st.caption(panels.convergence_sentence(harmony, results.params))


def _where_the_time_went(results: RunResults) -> None:
    seconds = results.seconds
    if not seconds:
        return
    with st.expander("Where the time went"):
        for name, spent in seconds.items():
            st.caption(f"{results.plan.stages[name].title}: {spent:.2f} s")


main()
