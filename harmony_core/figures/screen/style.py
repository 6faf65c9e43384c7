"""What all plotly figures have in common: margins, grid, and names that stay text.

Names of genes, batches and clusters come from the user's file; plotly reads some of HTML in any
text, so they pass through `label_text` first.
"""

from __future__ import annotations

import html
import itertools
from collections import Counter
from collections.abc import Sequence

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


def label_texts(names: Sequence[str]) -> list[str]:
    """Return names as plotly should draw them along an axis, where equal texts would be one place.

    Long names that begin alike are cut in their middle; what is equal even so is numbered.
    """
    texts = [label_text(name) for name in names]
    times, used = Counter(texts), set[str]()
    for i, name in enumerate(map(str, names)):
        if times[texts[i]] > 1 and len(name) > LONGEST_NAME:
            half = LONGEST_NAME // 2
            texts[i] = html.escape(f"{name[: half - 1]}…{name[-half:]}", quote=False)
        numbered = (f"{texts[i]} ({n})" for n in itertools.count(2))
        texts[i] = next(text for text in itertools.chain([texts[i]], numbered) if text not in used)
        used.add(texts[i])
    return texts


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
