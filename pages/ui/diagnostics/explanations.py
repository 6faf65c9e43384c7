"""What a number is, which way is good, how sure it is, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import streamlit as st

from harmony_core.metric_catalog import METRICS
from harmony_core.thresholds import TABLE


def numbers(*names: str) -> None:
    """Offer the explanation of some numbers."""
    with st.expander("What these numbers are, which way is good, how sure"):
        st.table(_entries(names).set_index("Number"))


def everything() -> None:
    """Draw the whole glossary and every threshold with its source."""
    st.subheader("Every number")
    st.table(_entries(METRICS).set_index("Number"))
    st.subheader("Every limit")
    st.caption("All of them in one place; nothing on these pages compares with any other number.")
    st.table(
        pd.DataFrame(
            [
                {"Limit": t.name, "Value": f"{t.value:g}", "Meaning": t.meaning, "Source": t.source}
                for t in TABLE.values()
            ]
        ).set_index("Limit")
    )


def column(name: str) -> Any:
    """Return how a table shows a number, with its explanation as a tooltip."""
    return st.column_config.NumberColumn(format=METRICS[name].format, help=METRICS[name].text)


def _entries(names: Iterable[str]) -> pd.DataFrame:
    entries = [METRICS[name] for name in names]
    return pd.DataFrame(
        [
            {
                "Number": e.title,
                "What is this": e.what,
                "Which way is good": e.good,
                "How sure": e.sure,
                "Source": e.source,
            }
            for e in entries
        ]
    )
