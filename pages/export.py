"""Take away: the corrected data and the evaluation figure."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from harmony_core.data.store import Dataset
from harmony_core.params import RunParams
from harmony_core.results import RunResults
from pages.ui import jobs, state
from pages.ui.text import plain

_FIGURE = "harmony_batch_evaluation.png"


def main() -> None:
    st.title("Take away")
    dataset = state.dataset()
    params = state.shown(dataset)
    if params is None:
        st.info("There is no finished run of these data yet.")
        st.page_link("pages/tune.py", label="Go to Tune")
        return
    st.markdown(_in_words(dataset, params))
    if not RunResults(dataset, params).is_finished:
        st.warning("This run's results are no longer in the store; open Tune to compute them.")
        return
    folder = jobs.exported(dataset, params)
    if folder is None:
        return
    _downloads(folder, dataset)


def _in_words(dataset: Dataset, params: RunParams) -> str:
    harmony = params.harmony
    theta = ", ".join(
        f"theta {value:g} for {plain(name)}"
        for name, value in zip(harmony.batch, harmony.theta, strict=True)
    )
    return (
        f"The last finished run of **{plain(dataset.name)}**: {theta}, sigma {harmony.sigma:g}, "
        f"at most {harmony.max_iter} iterations."
    )


def _downloads(folder: Path, dataset: Dataset) -> None:
    data, figure = st.columns(2, border=True)
    with data:
        st.markdown("**Corrected data, h5ad**")
        st.caption(
            "Everything the file came with, and beside it the corrected embedding "
            "(`X_pca_harmony`), pictures before and after, clusters, neighbours and marker genes. "
            "Opens in scanpy; opening it here restores this run."
        )
        path = folder / "corrected.h5ad"
        stem = Path(dataset.name).stem.replace(" ", "_")
        st.download_button(
            f"Download h5ad ({path.stat().st_size / 1e6:.1f} MB)",
            data=path.read_bytes,
            file_name=f"{stem}_harmony.h5ad",
            mime="application/x-hdf5",
            on_click="ignore",
            type="primary",
        )
        for note in (folder / "notes.txt").read_text("utf-8").splitlines():
            st.caption(plain(note, longest=500))
    with figure:
        st.markdown("**Evaluation figure, PNG**")
        st.caption("Corrected by batch, corrected by cluster, uncorrected by batch; 150 dpi.")
        st.image(str(folder / _FIGURE))
        st.download_button(
            "Download PNG",
            data=(folder / _FIGURE).read_bytes,
            file_name=_FIGURE,
            mime="image/png",
            on_click="ignore",
        )


main()
