"""Tables that can be sorted on screen and downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pandas as pd
import streamlit as st

EMPTY = "–"
"""In a cell for which there is no value."""

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def table(
    rows: pd.DataFrame,
    *,
    key: str,
    file: str,
    columns: Mapping[str, Any] | None = None,
    on_choose: Callable[[int], object] | None = None,
    height: int | Literal["auto"] = "auto",
) -> None:
    """Draw a table with a button to download it.

    Parameters
    ----------
    key
        Of the widgets.
    file
        Name of the file, without ending.
    columns
        Column configuration, as ``st.dataframe`` takes it.
    on_choose
        Called with the position of a row that is clicked; without it none can be.
    height
        In pixels; by default of ten rows.
    """

    def choose() -> None:
        chosen = st.session_state[f"{key}-table"]["selection"]["rows"]
        if on_choose is not None and chosen:
            on_choose(chosen[0])

    st.dataframe(
        rows,
        hide_index=True,
        column_config=dict(columns or {}),
        key=f"{key}-table",
        height=height,
        on_select="ignore" if on_choose is None else choose,
        selection_mode="single-row",
        placeholder=EMPTY,
    )
    download(rows, key=key, file=file)


def download(
    rows: pd.DataFrame, *, key: str, file: str, label: str = "Download table (CSV)"
) -> None:
    """Draw a button that downloads a table: Streamlit's own writes formulas as they are."""
    st.download_button(
        label,
        data=lambda: csv(rows),
        file_name=f"{file}.csv",
        mime="text/csv",
        key=f"{key}-csv",
        on_click="ignore",
    )


def decimals(
    digits: int, help_text: str | None = None, *, unit: str = "", width: int | None = None
) -> Any:
    """Return the configuration of a column of numbers with so many digits after the point."""
    return st.column_config.NumberColumn(format=f"%.{digits}f{unit}", help=help_text, width=width)


def csv(rows: pd.DataFrame) -> bytes:
    """Return a table as CSV in which no cell or heading is read as a formula by a spreadsheet."""
    safe = rows.rename(columns=_literal)
    for name, values in safe.items():
        if not pd.api.types.is_numeric_dtype(values):
            safe[name] = values.map(_literal)
    return safe.to_csv(index=False).encode("utf-8")


def _literal(value: Any) -> Any:
    text = isinstance(value, str) and value.lstrip(" ").startswith(_STARTS_A_FORMULA)
    return f"'{value}" if text else value
