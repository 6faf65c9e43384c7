"""Variable genes and components of the chosen preparation, once the worker has computed them."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harmony_core.figures.screen.preparation_charts import gene_overlap, scree
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, StageResult
from pages.ui.charts import chart
from pages.ui.data import steps
from pages.ui.part import Part
from pages.ui.text import plain

_LITTLE = 0.005


def draw(
    dataset: Dataset, params: RunParams, for_genes: DeltaGenerator, for_components: DeltaGenerator
) -> None:
    """Draw what preparation gives with these settings into two places of the page.

    Until it is known, how far it is; then the page runs once, for much of it tells more now.
    """
    prepared = dataset.finished(Plan(dataset, params).keys["prepare"])
    if prepared is None:
        for place in (for_genes, for_components):
            place.caption("Drawn when preparation is done.")
        PREPARATION.place([], dataset, params)
        return
    with for_genes:
        _genes(prepared)
    with for_components:
        _components(prepared)
    for note in prepared.info["notes"]:
        st.caption(f"ℹ️ {plain(note, longest=500)}")


def _preparation(dataset: Dataset, params: RunParams) -> None:
    if steps.result(dataset, params, "prepare", what="Preparing cells and genes") is not None:
        st.rerun(scope="app")


PREPARATION = Part("preparation", draw=_preparation)


def _genes(prepared: StageResult) -> None:
    variable = np.asarray(prepared.arrays["variable"])
    counted = np.bincount(np.asarray(prepared.arrays["variable_in"])[variable])
    n_genes = int(variable.sum())
    if n_genes == len(variable):
        st.markdown(f"**All {n_genes:,} genes** are used, as there are no more than asked for.")
        return
    if len(counted) < 2:  # the note below says so where it is for small batches
        st.markdown(
            f"**{n_genes:,} of {len(variable):,} genes** are used, chosen over all cells together."
        )
        return
    by_batches = counted[1:]
    n_batches = len(by_batches)
    st.markdown(
        f"**{n_genes:,} of {len(variable):,} genes** are used: {by_batches[-1]:,} are variable in "
        f"{n_batches} batches, {by_batches[0]:,} in one only. Genes that are variable in one batch "
        "only can carry what is special to it, be it cells or technique."
    )
    chart(gene_overlap(by_batches), key="overlap")


def _components(prepared: StageResult) -> None:
    ratio = np.asarray(prepared.arrays["variance_ratio"], dtype=np.float64)
    n_telling = int((ratio >= _LITTLE).sum())
    st.markdown(
        f"**{len(ratio)} components** explain {100 * ratio.sum():.0f} % of the variance of the "
        f"variable genes; the first {n_telling} explain at least {100 * _LITTLE:g} % each."
    )
    chart(scree(ratio), key="scree")
