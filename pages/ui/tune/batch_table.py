"""Theta and lambda of single batches: a table of the batches, in a panel that is closed at first.

The table's rows are kept in the session beside it, under the names of the settings, so that they
hold while the panel is closed, when nothing of it is drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from harmony_core.inspect.columns import batch_column
from harmony_core.of_batch import OfBatch, in_words
from harmony_core.params import RANGES, HarmonyParams
from harmony_core.store import Dataset
from pages.ui.text import plain
from pages.ui.tune import help_texts

COLUMNS: Mapping[str, str] = {"theta_of": "theta", "lamb_of": "lambda"}
"""The settings, and the column of the table that has each."""


def draw(dataset: Dataset, now: HarmonyParams) -> HarmonyParams:
    """Draw the panel and return the settings with what its table says."""
    key = f"{dataset.fingerprint}:"
    now = replace(now, **{name: _rows(key, name, now) for name in COLUMNS})
    for name, column in COLUMNS.items():
        if rows := getattr(now, name):
            st.caption(f"Own {column}: {plain(in_words(rows), longest=300)}.")
    panel = st.expander("Theta and lambda of single batches", key=_OPEN, on_change="rerun")
    if panel.open:
        with panel:
            _table(dataset, now)
    return now


def _rows(key: str, name: str, now: HarmonyParams) -> OfBatch:
    rows: OfBatch = st.session_state.get(key + name, getattr(now, name))
    if name == "lamb_of" and now.lamb is None:
        return ()
    return tuple(row for row in rows if row[0] in now.batch)


def _table(dataset: Dataset, now: HarmonyParams) -> None:
    st.caption(help_texts.OF_BATCHES)
    key, columns = f"{dataset.fingerprint}:", dict(COLUMNS)
    if now.lamb is None:
        del columns["lamb_of"]
        st.caption("A lambda of single batches needs a fixed ridge penalty, which is switched off.")
    named = {
        name: {(variable, batch): value for variable, batch, value in getattr(now, name)}
        for name in columns
    }
    batches = [
        (variable, str(batch))
        for variable in now.batch
        for batch in batch_column(dataset.obs, variable).cat.categories
    ]
    table = pd.DataFrame({"Batch": [batch for _, batch in batches]})
    for name, column in columns.items():
        table[column] = pd.array([named[name].get(batch) for batch in batches], dtype="Float64")
    if len(now.batch) > 1:
        table["Of"] = [variable for variable, _ in batches]
    # Another table under each content: what was typed would else be put over what it became.
    editor = f"{key}batches:{zlib.crc32(repr(named).encode())}"
    st.data_editor(
        table,
        hide_index=True,
        disabled=["Batch", "Of"],
        column_config={"Batch": st.column_config.TextColumn(width=80)}
        | {
            column: st.column_config.NumberColumn(
                min_value=RANGES[name.removesuffix("_of")].low,
                max_value=RANGES[name.removesuffix("_of")].high,
                width=65,
                help=f"Empty: the {column} of the slider.",
            )
            for name, column in columns.items()
        },
        key=editor,
        on_change=_take,
        args=(key, editor, batches, now),
    )


def _take(key: str, editor: str, batches: Sequence[tuple[str, str]], now: HarmonyParams) -> None:
    """Keep what was typed into the table."""
    edited = st.session_state[editor]["edited_rows"]
    for name, column in COLUMNS.items():
        st.session_state[key + name] = with_edits(getattr(now, name), edited, column, batches)


def with_edits(
    rows: OfBatch,
    edited: Mapping[int, Mapping[str, Any]],
    column: str,
    batches: Sequence[tuple[str, str]],
) -> OfBatch:
    """Return rows with what a column of the table was changed to; empty cells take a row away.

    Parameters
    ----------
    edited
        Of the table, as Streamlit tells it: number of the row → column → value.
    batches
        Batch variable and batch of each row of the table.
    """
    values = {(variable, batch): value for variable, batch, value in rows}
    for number, cells in edited.items():
        if column in cells:
            values[batches[int(number)]] = cells[column]
    return tuple((*batch, float(value)) for batch, value in values.items() if value is not None)


_OPEN = "single-batches"
