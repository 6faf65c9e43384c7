"""What a number is, which way is good, how sure it is, and who says so."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from harmony_core.thresholds import TABLE
from harmony_core.verdict.glossary import GLOSSARY


def numbers(*names: str) -> None:
    """Offer the explanation of some numbers."""
    with st.expander("What these numbers are, which way is good, how sure"):
        st.table(_entries(names).set_index("Number"))


def everything() -> None:
    """Draw the whole glossary and every threshold with its source."""
    st.subheader("Every number")
    st.table(_entries(GLOSSARY).set_index("Number"))
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


def tip(name: str) -> str:
    """Return the explanation of a number as a tooltip."""
    return GLOSSARY[name].text


def _entries(names: Iterable[str]) -> pd.DataFrame:
    entries = [GLOSSARY[name] for name in names]
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
