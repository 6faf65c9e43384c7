"""What all plotly figures have in common: margins, grid, and names that stay text.

Names of genes, batches and clusters come from the user's file; plotly reads some of HTML in any
text, so they pass through `label_text` first.
"""

from __future__ import annotations

import html

import plotly.graph_objects as go

LONGEST_NAME = 40
_INVISIBLE = "rgba(0,0,0,0)"
FAINT = "rgba(128,128,128,0.25)"


def label_text(name: str) -> str:
    """Return a name from a file as plotly should draw it: literally, and not endless."""
    text = str(name)
    if len(text) > LONGEST_NAME:
        text = text[: LONGEST_NAME - 1] + "…"
    return html.escape(text, quote=False)


def styled(figure: go.Figure, *, height: int, margin_bottom: int = 10) -> go.Figure:
    """Give a figure the margins, grid and clear background that all of ours have."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": margin_bottom},
        paper_bgcolor=_INVISIBLE,
        plot_bgcolor=_INVISIBLE,
        title_font_size=14,
    )
    figure.update_xaxes(gridcolor=FAINT, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=FAINT, zeroline=False, automargin=True)
    return figure
