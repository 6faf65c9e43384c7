"""Genes on the layouts before and after correction, painted in the browser from arrays it keeps.

A gene's expression is never corrected, so its values are sent once and stay while settings change;
a new setting sends new positions of the cells that are drawn. As JSON of a figure, twelve genes on
4,000 cells took 300 kB for every setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from harmony_core.figures.screen.layouts import MOST_POINTS
from harmony_core.figures.summary import clip_limit, sampled_cells
from pages.ui import linked_view
from pages.ui.joined import joined_modules
from pages.ui.linked_view.messages import (
    Message,
    Values,
    columns_message,
    layout_message,
    state_message,
)

_ASSETS = Path(__file__).parent / "assets"
_SHARED = ("theme", "messages", "inbox", "camera", "coloring", "painter")

_view = st.components.v2.component(
    "harmony_gene_view",
    css=(_ASSETS / "style.css").read_text(encoding="utf-8"),
    js=joined_modules(
        [*(linked_view.ASSETS / f"{name}.js" for name in _SHARED), _ASSETS / "gene_view.js"]
    ),
    isolate_styles=False,
)


def drawn_cells(n_cells: int, only: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
    """Return which cells are drawn: all, or those of `only`, of very many a random part."""
    wanted = np.arange(n_cells) if only is None else np.flatnonzero(only)
    return np.asarray(wanted[sampled_cells(len(wanted), MOST_POINTS)])


def genes_message(
    expression: Mapping[str, npt.NDArray[np.floating]], drawn: npt.NDArray[np.int64]
) -> Message:
    """Pack genes of the cells that are drawn.

    Parameters
    ----------
    expression
        Log-normalised values over all cells, by gene symbol. Colours end at the gene's 99th
        percentile.
    drawn
        As `drawn_cells` gives them.
    """
    return columns_message(
        {
            f"gene {i}": Values(symbol, values[drawn], 0.0, clip_limit(values))
            for i, (symbol, values) in enumerate(expression.items())
        }
    )


def gene_view(
    genes: Message,
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    *,
    key: str,
    setting: str,
    cells: npt.NDArray[np.bool_] | None = None,
    genes_per_row: int = 2,
) -> None:
    """Draw each gene on the layout before and, beside it, after correction.

    Parameters
    ----------
    genes
        What `genes_message` makes of them.
    before, after
        Positions (cells × 2).
    key
        Identity of the view on its page.
    setting
        Name of the run whose layouts these are; the view carries it once it is painted.
    cells
        Which cells are drawn, where all of them would be; not given, all.
    genes_per_row
        Genes side by side, two layouts each.
    """
    drawn = drawn_cells(len(before), cells)
    messages = {
        "genes": genes,
        "before": layout_message(before[drawn]),
        "after": layout_message(after[drawn]),
    }
    state = {
        "cells": len(drawn),
        "messages": {part: message.address for part, message in messages.items()},
        "columns": genes_per_row,
        # Some cells stay where they lie among all.
        "bounds": {"before": _bounds(before), "after": _bounds(after)},
        "notes": _notes(len(before), len(before) if cells is None else int(cells.sum())),
        "setting": setting,
    }
    messages["state"] = state_message(key, state)
    with st.container(gap=None, key=key):
        for part, message in messages.items():
            linked_view.send(f"{key}:{part}", message)
        _view(key=f"{key}:view", data={"state": messages["state"].address})


def _bounds(positions: npt.NDArray[np.floating]) -> list[float]:
    """Return the least and the largest x, then those of y; of no cells, a unit square."""
    known = positions[np.isfinite(positions).all(axis=1)]
    if not len(known):
        return [0.0, 1.0, 0.0, 1.0]
    ends = np.stack([known.min(axis=0), known.max(axis=0)], axis=1)
    return [float(end) for end in ends.ravel()]


def _notes(n_cells: int, n_wanted: int) -> list[str]:
    notes = ["Log-normalised expression, not corrected; colours end at the 99th percentile."]
    if n_wanted < n_cells:
        notes.append(f"Only the {n_wanted:,} selected of {n_cells:,} cells.")
    if n_wanted > MOST_POINTS:
        notes.append(f"A random {MOST_POINTS:,} of {n_wanted:,} cells are drawn.")
    return notes
