"""Plotly figures on a page."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st


def chart(figure: go.Figure, key: str) -> None:
    """Draw a figure without plotly's own buttons."""
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})
