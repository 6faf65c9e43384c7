"""What colours the cells of the linked view, and what is said of the one under the pointer."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from harmony_core.categories import Factor
from harmony_core.figures.summary import clip_limit, cluster_names, largest_levels
from harmony_core.metric_catalog import METRICS, PER_CELL
from harmony_core.palette import colors_for
from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import made, state
from pages.ui.linked_view import Categories, Column, Message, Values, facts_message

_COLOUR_KEY, _GENE_KEY, _REQUEST_KEY = "colour", "gene", "requested-colour"
_GENE = "A gene …"
_AFTER = "Cluster after Harmony"
_BEFORE = "Cluster before Harmony"
REPLACED, OTHER_LABEL = METRICS["neighbors_replaced"].title, METRICS["wrong_label"].title
_OF_ANOTHER_TOOL = {_AFTER: "Cluster after correction", _BEFORE: "Cluster before correction"}
"""How they are called where Harmony was not run."""
_PER_CELL = {METRICS[name].title: name for name in PER_CELL}
"""Diagnostics per cell by the name on screen."""

NOT_OF_OBS = (_AFTER, _BEFORE, *_PER_CELL)
"""What can be coloured by besides columns of obs and genes."""

_MOST_LEVELS = 500
"""Of more levels, such as clonotypes, the largest have a colour each and the others share one."""


def choose(
    results: RunResults, clustered: RunResults | None, assessed: RunResults | None
) -> Categories | Values:
    """Draw the choice of colouring and return it for the run's cells.

    Parameters
    ----------
    results
        The run on screen.
    clustered
        A run whose clusters are known, if there is one; cluster colours need it.
    assessed
        A run whose verdict is known, if there is one; the diagnostics per cell come from it.
    """
    obs = _obs(results)
    params = results.params
    first = [*params.harmony.batch, *([params.label] if params.label else [])]
    others = [c for c in obs.columns if c not in first]
    clusters = [_AFTER, _BEFORE] if clustered is not None else []
    genes = [_GENE] if len(results.dataset.symbols) else []
    measured = per_cell(assessed)
    options = [*first, *clusters, *genes, *measured, *others]
    key = state.key(_COLOUR_KEY, results.dataset)
    if st.session_state.get(state.key(_REQUEST_KEY, results.dataset)) in options:
        st.session_state[key] = st.session_state.pop(state.key(_REQUEST_KEY, results.dataset))
    left, right = st.columns([1, 1], vertical_alignment="bottom")
    pick = left.selectbox(
        "Colour by",
        options,
        format_func=lambda name: name if params.by_harmony else _OF_ANOTHER_TOOL.get(name, name),
        key=key,
        on_change=lambda: st.session_state.pop(state.key(_REQUEST_KEY, results.dataset), None),
        persist_state="session",
    )
    if pick == _GENE:
        symbols = results.dataset.symbols
        gene = right.selectbox(
            "Gene",
            symbols,
            index=None,
            placeholder="Type a gene name",
            key=state.key(_GENE_KEY, results.dataset),
            persist_state="session",
        )
        if gene is not None:
            return gene_values(results, gene, int(np.argmax(symbols == gene)))
        pick = first[0]
    if pick in (_AFTER, _BEFORE) and clustered is not None:
        codes = clustered.clusters("after" if pick == _AFTER else "before")
        if codes is not None:
            return clusters_column(pick, codes)
    if pick in measured:
        entry = METRICS[_PER_CELL[pick]]
        right.caption(f"{entry.what} {entry.good}")
        return measured_values(pick, measured[pick])
    if pick not in obs or pick in first:
        return levels_of(results, pick if pick in obs else first[0])
    return column_of(results, pick)


def request(dataset: Dataset, colour: str | None, gene: str | None) -> list[str]:
    """Colour by something as soon as it is known; return sentences on what there is none of."""
    if gene is not None:
        if gene not in dataset.symbols:
            return [f"There is no gene {gene!r} in these data."]
        st.session_state[state.key(_GENE_KEY, dataset)] = gene
        colour = _GENE
    if colour is None:
        return []
    if colour not in (_GENE, *NOT_OF_OBS, *dataset.obs.columns):
        return [f"There is no colouring {colour!r} of these data."]
    st.session_state[state.key(_REQUEST_KEY, dataset)] = colour
    return []


def query_parameters(dataset: Dataset, params: RunParams) -> dict[str, str]:
    """Return the colouring as `request` takes it; nothing for the one to start with."""
    pick = st.session_state.get(state.key(_REQUEST_KEY, dataset)) or st.session_state.get(
        state.key(_COLOUR_KEY, dataset)
    )
    gene = st.session_state.get(state.key(_GENE_KEY, dataset))
    if pick == _GENE:
        return {} if gene is None else {"gene": str(gene)}
    return {} if pick in (None, params.harmony.batch[0]) else {"colour": str(pick)}


def per_cell(assessed: RunResults | None) -> dict[str, npt.NDArray[np.float32]]:
    """Return the diagnostics that a run has per cell, by their names on screen."""
    stage = None if assessed is None else assessed.stage("assess")
    if stage is None:
        return {}
    return {title: stage.arrays[n] for title, n in _PER_CELL.items() if n in stage.arrays}


def measured_values(name: str, values: npt.NDArray[np.float32]) -> Values:
    """Return a diagnostic per cell as colours from 0 to 1, or further where it goes beyond."""
    numbers = np.asarray(values)
    known = numbers[np.isfinite(numbers)]
    top = float(np.percentile(known, 99)) if len(known) else 1.0
    return Values(name, numbers, 0.0, max(1.0, top))


def column(obs: pd.DataFrame, name: str) -> Categories | Values:
    """Return a column of obs as colours: a scale for measurements, a palette for the rest."""
    values = obs[name]
    if pd.api.types.is_float_dtype(values) or (
        pd.api.types.is_numeric_dtype(values) and values.nunique() > _MOST_LEVELS
    ):
        numbers = values.to_numpy(dtype=np.float32, na_value=np.nan)
        known = numbers[np.isfinite(numbers)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        return Values(name, numbers, low, max(high, low + 1e-9))
    return levels(obs, name)


def column_of(results: RunResults, name: str) -> Categories | Values:
    """Return a column of a run's cells as colours."""
    return made.once(("column", *_cells(results), name), lambda: column(_obs(results), name))


def levels_of(results: RunResults, name: str) -> Categories:
    """Return a column of a run's cells as levels."""
    return made.once(("levels", *_cells(results), name), lambda: levels(_obs(results), name))


def levels(obs: pd.DataFrame, name: str) -> Categories:
    """Return a column of obs as levels, also one of numbers, each with its colour."""
    column = Factor.of(name, obs[name])
    codes, names = column.codes, column.levels
    if len(names) > _MOST_LEVELS:
        sizes = np.bincount(codes[codes >= 0], minlength=len(names))
        largest = largest_levels(sizes, _MOST_LEVELS - 1)
        places = np.full(len(names) + 1, len(largest))
        places[largest] = np.arange(len(largest))
        places[-1] = -1  # which is the code of a cell without a level
        rest = f"{len(names) - len(largest):,} other levels"
        codes, names = places[codes], (*(names[i] for i in largest), rest)
    return Categories(name, codes, names, tuple(colors_for(names).values()))


def clusters_column(name: str, codes: npt.NDArray[np.int32]) -> Categories:
    """Return clusters as colours, by their numbers."""
    names = cluster_names(codes)
    return Categories(name, np.asarray(codes), names, tuple(colors_for(names).values()))


def gene_values(results: RunResults, symbol: str, position: int) -> Values:
    """Return a gene's uncorrected expression as colours."""
    values = results.gene(position)
    if values is None:
        values = np.zeros(len(_obs(results)), dtype=np.float32)
    return Values(symbol, values, 0.0, clip_limit(values))


def facts(results: RunResults) -> Message:
    """Return what is shown of the cell under the pointer, and the (first) batch variable.

    It is the same for all settings; what is not is in `more_facts`.
    """
    names = tuple(filter(None, [*results.params.harmony.batch, results.params.label]))
    return made.once(("facts", *_cells(results), names), lambda: _facts(results, names))


def more_facts(results: RunResults) -> Message | None:
    """Return what the run itself says of the cell under the pointer; None until it is known."""
    codes = results.clusters("after")
    return None if codes is None else facts_message({_AFTER: clusters_column(_AFTER, codes)})


def _facts(results: RunResults, names: tuple[str, ...]) -> Message:
    shown: dict[str, Column] = {"cell": _obs(results).index.astype(str).tolist()}
    shown |= {name: levels_of(results, name) for name in names}
    return facts_message(shown, levels_of(results, names[0]))


def _cells(results: RunResults) -> tuple[Hashable, ...]:
    """Return what decides the metadata of a run's cells."""
    return results.dataset.folder, results.plan.keys["prepare"], results.params.panel


def _obs(results: RunResults) -> pd.DataFrame:
    if results.obs is None:
        raise RuntimeError("colours were asked for before the cells were known")
    return results.obs
