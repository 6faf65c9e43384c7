"""A page with nothing but the linked view and the controls that its tests need.

Before, cells sit on a grid of 50 columns, so a test knows who lies where. After, the grid is
turned by 180 degrees, and the slider pushes its rows apart.
"""

import os

import numpy as np
import streamlit as st

from pages.ui.gene_view import drawn_cells, gene_view, genes_message
from pages.ui.linked_view import Categories, Panel, Values, facts_message, linked_view

EVIL = '<img src=x onerror="window.evil=1"><script>window.evil=1</script> **b** [l](http://e.vil)'

st.set_page_config(layout="wide")
n_cells = int(os.environ.get("LINKED_VIEW_CELLS", "2000"))
index = np.arange(n_cells)
before = np.column_stack([index % 50, index // 50]).astype(np.float32)

with st.sidebar:
    shift = st.slider("shift", 0, 5, 0)
    colour_by = st.radio("colour", ["batch", "cluster", "gene"])
    evidence = st.checkbox("evidence")
    dimmed = st.checkbox("busy")
    shown = st.checkbox("view", value=True)
    genes = st.checkbox("genes")

after = -before
after[:, 0] += 0.2 * shift * (index // 50 % 2)
batch = Categories("batch", index % 3, ("ctrl", "stim", EVIL), ("#0072b2", "#e69f00", "#009e73"))
palette = tuple(f"hsl({hue} 60% 50%)" for hue in range(0, 360, 18))
cluster = Categories("cluster", index * 20 // n_cells, tuple(f"C{i}" for i in range(20)), palette)
gene = Values("CD3E", np.where(index % 7 == 0, np.nan, before[:, 0] / 10), 0.0, 4.0)
colour = {"batch": batch, "cluster": cluster, "gene": gene}[colour_by]

if shown:
    selected = linked_view(
        Panel("Before", before),
        Panel("After", after, note="preview" if shift else "", alt="Mixing 1.5.", dimmed=dimmed),
        colour,
        key="linked-view",
        facts=facts_message(
            {"cell": [f"cell {i} {EVIL}" for i in index], "batch": batch, "gene": gene}, batch
        ),
        selected=index < 100 if evidence else None,
        height=420,
    )
    if selected is None:
        st.write("selected: none")
    else:
        cells = np.flatnonzero(selected)
        st.write(f"selected: {len(cells)} sum {cells.sum()}")

if genes:
    # High in the first ten rows, none elsewhere.
    only = selected if shown else None
    values = np.where(index < 500, 3.0, 0.0).astype(np.float32)
    gene_view(
        genes_message({"HIGH": values, EVIL: values[::-1]}, drawn_cells(n_cells, only)),
        before,
        after,
        key="genes",
        setting=f"shift {shift}",
        cells=only,
    )
