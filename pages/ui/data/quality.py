"""Quality control, seen while chosen: distributions per batch, thresholds, the cells kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from harmony_core.categories import Factor
from harmony_core.figures.screen.preparation_charts import batch_bars, quality_violins
from harmony_core.inspect.depth import Depth, suggested_thresholds
from harmony_core.inspect.left_out import Kept
from harmony_core.inspect.missing import CellTypes
from harmony_core.methods.qc import CellQuality, within_thresholds
from harmony_core.params import PrepareParams, RunParams
from harmony_core.store import Dataset
from pages.ui.charts import chart
from pages.ui.data import steps
from pages.ui.data.design_panel import factor
from pages.ui.data.numbers import number
from pages.ui.part import Part
from pages.ui.tables import decimals, table
from pages.ui.text import plain

_MOST_BATCHES = 30
_DOUBLET_SCORE = 0.25
_SCORING = "Scoring doublets batch by batch"


def choose(dataset: Dataset, params: RunParams) -> PrepareParams:
    """Draw thresholds with the cells they keep, and return them."""
    now = params.prepare
    if dataset.info.kind != "counts":
        st.caption(
            "The values are not counts, so cells are not filtered: their numbers of genes and "
            "counts say nothing any more."
        )
        return now
    columns = st.columns(4)
    for column, name in zip(
        columns, ("min_genes", "max_genes", "max_mito", "min_cells"), strict=True
    ):
        with column:
            now = replace(now, **{name: number(dataset, name, now)})
    for note in dataset.info.notes_on(now):
        st.caption(plain(note))
    now = replace(now, max_doublet=_max_doublet(dataset, now))
    CELLS.place([], dataset, replace(params, prepare=now))
    return now


def _cells(dataset: Dataset, params: RunParams) -> None:
    """Draw which cells are kept, once the worker has counted."""
    now = params.prepare
    found = steps.result(dataset, params, "quality", what="Counting genes and molecules")
    if found is None:
        return
    quality = CellQuality(**{name: np.asarray(array) for name, array in found.arrays.items()})
    keep = within_thresholds(quality, now)
    scores = None
    if now.max_doublet is not None:
        scored = steps.result(dataset, params, "doublets", what=_SCORING)
        if scored is not None:
            scores = np.asarray(scored.arrays["scores"])
            keep &= ~(scores > now.max_doublet)
    st.markdown(f"**{int(keep.sum()):,} of {dataset.n_cells:,} cells are kept.**")
    _offer_fitting(dataset, now, quality)
    _kept_of_each(_grouping(dataset, params), keep)
    _distributions(_drawn(factor(dataset, params.harmony.batch[0])), quality, scores, now)


def _offer_fitting(dataset: Dataset, now: PrepareParams, quality: CellQuality) -> None:
    """Offer the thresholds that fit the data, where others were chosen or an older version did."""
    depth = Depth(quality.n_genes, quality.mito)
    fitting = suggested_thresholds(depth, dataset.info.n_genes)
    if _thresholds(fitting) == _thresholds(now):
        return
    text, button = st.columns([4, 1.4], vertical_alignment="center")
    text.caption(
        f"Prepared with {_in_words(now)}. What fits these data by their own distribution: "
        f"{_in_words(fitting)}."
    )
    if button.button(
        "Take what fits",
        key="fitting-thresholds",
        on_click=_take,
        args=(dataset.fingerprint, _thresholds(fitting)),
        width="stretch",
    ):
        st.rerun(scope="app")  # the fields are outside of this part


def _thresholds(settings: PrepareParams) -> dict[str, float]:
    return {name: getattr(settings, name) for name in ("min_genes", "max_genes", "max_mito")}


def _in_words(settings: PrepareParams) -> str:
    return (
        f"{settings.min_genes:,} to {settings.max_genes:,} genes a cell and at most "
        f"{settings.max_mito:g} % mitochondrial counts"
    )


def _take(fingerprint: str, values: dict[str, float]) -> None:
    for name, value in values.items():
        st.session_state[f"{fingerprint}:{name}"] = value


CELLS = Part("cells", draw=_cells)


def _max_doublet(dataset: Dataset, now: PrepareParams) -> float | None:
    toggle, value = st.columns([2, 2], vertical_alignment="bottom")
    wanted = toggle.toggle(
        "Leave out likely doublets",
        now.max_doublet is not None,
        key=f"{dataset.fingerprint}:doublets",
        help="Scrublet scores each cell within its batch by comparing it with simulated doublets. "
        "It takes about half a minute for 10,000 cells.",
        persist_state="session",
    )
    if not wanted:
        return None
    with value:
        start = _DOUBLET_SCORE if now.max_doublet is None else now.max_doublet
        return float(number(dataset, "max_doublet", now, start))


def _drawn(batch: Factor) -> Factor:
    """Return the batches to draw; all cells as one where there are too many."""
    if len(batch.levels) <= _MOST_BATCHES:
        return batch
    return Factor(batch.name, np.zeros_like(batch.codes), ("all batches",))


def _grouping(dataset: Dataset, params: RunParams) -> list[Factor]:
    """Return the batch variables and the label, of which cell types count."""
    factors = [factor(dataset, name) for name in params.harmony.batch]
    if params.label is not None and params.label in dataset.obs:
        factors.append(CellTypes.of(factor(dataset, params.label)).factor)
    return factors


def _kept_of_each(factors: Sequence[Factor], keep: npt.NDArray[np.bool_]) -> None:
    """Draw what is kept of each batch and each label, and warn of those that lose too much."""
    kept = [Kept.of(of, keep) for of in factors]
    if keep.any():
        for sentence in (s for each in kept for s in (*each.gone, *each.low)):
            st.warning(plain(sentence, longest=1000))
    for place, each in zip(st.tabs([plain(k.name) for k in kept]), kept, strict=True):
        with place:
            if 0 < len(each.cells) <= _MOST_BATCHES:
                chart(
                    batch_bars(
                        {level: of for level, (_, of) in each.cells.items()},
                        kept={level: n for level, (n, _) in each.cells.items()},
                        title=f"Cells kept in each {each.name}",
                    ),
                    key=f"kept-{each.name}",
                )
            with st.expander("Cells kept, as a table", expanded=len(each.cells) > _MOST_BATCHES):
                rows = [(level, of, n, n / of) for level, (n, of) in each.cells.items()]
                table(
                    pd.DataFrame(rows, columns=["Level", "Cells", "Kept", "Part"]),
                    key=f"kept-table-{each.name}",
                    file="cells_kept",
                    columns={"Part": decimals(2)},
                )


def _distributions(
    batch: Factor,
    quality: CellQuality,
    scores: npt.NDArray[np.float32] | None,
    now: PrepareParams,
) -> None:
    drawn = [
        ("Genes a cell", quality.n_genes, (now.min_genes, now.max_genes)),
        ("Counts a cell", quality.counts, ()),
    ]
    if quality.mito.max(initial=0) > 0:
        drawn.append(("Mitochondrial counts, %", quality.mito, (now.max_mito,)))
    if scores is not None and now.max_doublet is not None:
        drawn.append(("Doublet score", scores, (now.max_doublet,)))
    for column, (title, values, limits) in zip(st.columns(len(drawn)), drawn, strict=True):
        known = np.isfinite(values)
        # A threshold far beyond all cells would press them into a corner of the picture.
        limits = tuple(x for x in limits if x <= 1.3 * values[known].max(initial=0))
        with column:
            chart(
                quality_violins(
                    values[known], batch.codes[known], batch.levels, title=title, limits=limits
                ),
                key=f"quality-{title}",
            )
    st.caption("Dashed: thresholds. One far beyond all cells is not drawn.")
    reasons = _by_batch(batch, quality, scores, now)
    with st.expander("Why cells are left out, by batch"):
        st.dataframe(reasons, hide_index=True, key="quality-table")


def _by_batch(
    batch: Factor,
    quality: CellQuality,
    scores: npt.NDArray[np.float32] | None,
    now: PrepareParams,
) -> pd.DataFrame:
    reasons = {
        "Cells": np.ones(len(batch.codes), dtype=bool),
        "Too few genes": quality.n_genes < now.min_genes,
        "Too many genes": quality.n_genes > now.max_genes,
        "Too much mitochondrial": quality.mito > now.max_mito,
    }
    if scores is not None and now.max_doublet is not None:
        reasons["Likely doublets"] = scores > now.max_doublet
    n = len(batch.levels)
    known = batch.codes >= 0
    counted = {
        title: np.bincount(batch.codes[known & of], minlength=n) for title, of in reasons.items()
    }
    return pd.DataFrame({"Batch": batch.levels, **counted})
