"""Adding an embedding that another tool made to the data in hand, as a table of its cells."""

from __future__ import annotations

import streamlit as st

from harmony_core.store import Dataset
from pages.ui.data import choose, loading

_TAKEN = "embeddings-taken"


def offer(dataset: Dataset) -> None:
    """Draw where a table is given; what is read becomes the dataset in hand."""
    with st.expander("Add an embedding that another tool made"):
        st.caption(
            "A text table with a line for each cell: its name as in these data, then a column for "
            "each dimension, numbered as in cca_1, cca_2. Export writes an R script that makes "
            "such tables with Seurat's CCA and RPCA. Cells that a table does not name are left out."
        )
        taken = st.session_state.setdefault(_TAKEN, 0)
        uploads = st.file_uploader(
            "Tables of embeddings (csv, tsv, txt, also gzipped)",
            accept_multiple_files=True,
            key=f"add-embedding-{taken}",
        )
    if uploads:
        st.session_state[_TAKEN] = taken + 1
        loading.receive(uploads, onto=dataset)
        choose.forget(uploads)
        st.rerun()
