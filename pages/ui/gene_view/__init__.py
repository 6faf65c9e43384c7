"""Genes on the layouts before and after correction, painted in the browser from arrays it keeps.

A gene's expression is never corrected, so its values are sent once and stay while settings change;
a new setting sends new positions, unless the linked view beside has sent the same. As JSON of a
figure, twelve genes on 4,000 cells took 300 kB for every setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from harmony_core.figures.screen.layouts import MOST_POINTS
from harmony_core.figures.summary import clip_limit
from pages.ui import linked_view
from pages.ui.joined import joined_modules
from pages.ui.linked_view.messages import (
    Message,
    Values,
    columns_message,
    layout_message,
    state_message,
)
from pages.ui.linked_view.selection_state import pack_bits

_ASSETS = Path(__file__).parent / "assets"
_SHARED = ("theme", "messages", "selection", "camera", "coloring", "painter")

_view = st.components.v2.component(
    "harmony_gene_view",
    css=(_ASSETS / "style.css").read_text(encoding="utf-8"),
    js=joined_modules(
        [*(linked_view.ASSETS / f"{name}.js" for name in _SHARED), _ASSETS / "gene_view.js"]
    ),
    isolate_styles=False,
)


def gene_view(
    expression: Mapping[str, npt.NDArray[np.floating]],
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
    expression
        Log-normalised values over the cells, by gene symbol. Colours end at the gene's 99th
        percentile.
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
    messages: dict[str, Message] = {
        "before": layout_message(before),
        "after": layout_message(after),
    }
    genes = []
    for i, (symbol, values) in enumerate(expression.items()):
        column = Values(symbol, values, 0.0, clip_limit(values))
        messages[f"gene {i}"] = columns_message({"gene": column})
        genes.append({"title": symbol, "part": f"gene {i}"})
    bits = "" if cells is None else pack_bits(cells)
    state = {
        "cells": len(before),
        "messages": {part: address for part, (address, _) in messages.items()},
        "genes": genes,
        "columns": max(1, min(genes_per_row, len(genes))),
        "most": MOST_POINTS,
        "bits": bits,
        "notes": _notes(len(before), cells if bits else None),
        "setting": setting,
    }
    held = linked_view.addresses_on_screen()
    sent = {part: data for part, (address, data) in messages.items() if address not in held}
    state_address, sent["state"] = state_message(key, state)
    with st.container(gap=None, key=key):
        for part, data in sent.items():
            linked_view.send(f"{key}:{part}", data)
        _view(key=f"{key}:view", data={"state": state_address})


def _notes(n_cells: int, cells: npt.NDArray[np.bool_] | None) -> list[str]:
    notes = ["Log-normalised expression, not corrected; colours end at the 99th percentile."]
    wanted = n_cells if cells is None else int(cells.sum())
    if cells is not None:
        notes.append(f"Only the {wanted:,} selected of {n_cells:,} cells.")
    if wanted > MOST_POINTS:
        notes.append(f"A random {MOST_POINTS:,} of {wanted:,} cells are drawn.")
    return notes
