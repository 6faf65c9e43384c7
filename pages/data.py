"""Data: choose a sample or a file, and say which column to correct for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from harmony_core import figures
from harmony_core.data.columns import batch_column
from harmony_core.data.samples import SAMPLES, fingerprint
from harmony_core.data.store import Dataset
from harmony_core.errors import InputError
from harmony_core.params import RANGES, HarmonyParams, PrepareParams, RunParams
from pages.ui import jobs, services, state
from pages.ui.text import plain

_NO_LABEL = "(none)"
_FROM_COUNTS = "the expression matrix"


def main() -> None:
    st.title("Data")
    _choose()
    dataset = state.dataset()
    st.divider()
    _overview(dataset)
    batch, label, condition = _columns(dataset)
    if not batch:
        st.info("Choose at least one batch variable to go on.")
        return
    if (problem := _unsuitable(dataset, batch)) is not None:
        st.error(problem)
        return
    _sizes(dataset, batch)
    try:
        params = _settings(dataset, batch, label, condition)
    except InputError as error:
        st.error(str(error))
        return
    state.choose_settings(dataset, params)
    st.page_link("pages/tune.py", label="**Go to Tune**")


def _choose() -> None:
    columns = st.columns(len(SAMPLES) + 1, border=True)
    for column, (key, sample) in zip(columns, SAMPLES.items(), strict=False):
        with column:
            st.markdown(f"**{sample.name}**")
            st.caption(sample.about)
            found = fingerprint(services.store(), key)
            in_hand = state.dataset().fingerprint == found
            if st.button("On screen" if in_hand else "Open", key=f"open-{key}", disabled=in_hand):
                state.choose_dataset(found)
                st.rerun()
    with columns[-1]:
        st.markdown("**Your own data**")
        uploaded = st.file_uploader(
            "An h5ad file",
            type=["h5ad"],
            key="upload",
            help="AnnData as scanpy writes it: counts in X, layers or raw, or an embedding such as "
            "X_pca in obsm. The file stays on this machine.",
        )
        if uploaded is not None and st.session_state.get("uploaded") != uploaded.file_id:
            st.session_state["uploaded"] = uploaded.file_id
            folder = Path(tempfile.mkdtemp(dir=services.store().uploads_folder))
            path = folder / "upload.h5ad"
            with path.open("wb") as out:
                shutil.copyfileobj(uploaded, out)
            jobs.load(path, uploaded.name)
        jobs.loading()


def _overview(dataset: Dataset) -> None:
    meta = dataset.meta
    st.subheader(plain(dataset.name))
    genes = f"{meta['n_genes']:,} genes" if meta["n_genes"] else "no genes"
    st.markdown(f"{dataset.n_cells:,} cells, {genes}. {_kind_in_words(dataset)}")
    for warning in meta["warnings"]:
        st.caption(f"ℹ️ {plain(warning, longest=500)}")
    if meta["run"]:
        st.success("This file was written by Harmony Explorer; its run's settings are restored.")


def _kind_in_words(dataset: Dataset) -> str:
    kind, where = dataset.meta["kind"], plain(dataset.meta["where"])
    return (
        {
            "counts": f"Counts were found in {where}; they will be normalised and log-transformed.",
            "normalised": f"The values in {where} are normalised, but not log-transformed.",
            "log": f"The values in {where} are log-normalised already; that is not done again.",
            "scaled": f"The values in {where} are scaled; they are used as they are.",
            "mixed": f"The values in {where} are of different kinds in different cells.",
            "none": "There is no expression, only an embedding.",
        }[str(dataset.meta["kind"])]
        if kind
        else ""
    )


def _columns(dataset: Dataset) -> tuple[list[str], str | None, bool]:
    """Draw the choice of batch variables, label, and whether the variable is a condition."""
    obs = dataset.obs
    current = state.settings(dataset)
    key = f"{dataset.fingerprint}:"
    reasons = {c["name"]: c["reasons"] for c in dataset.meta["candidates"]}
    ranked = [*reasons, *(c for c in obs.columns if c not in reasons)]
    left, middle, right = st.columns([2, 2, 1.4])
    with left:
        batch = st.multiselect(
            "Batch variable(s)",
            ranked,
            default=list(current.harmony.batch) if current else [],
            key=f"{key}batch",
            help="The column (or columns) whose differences Harmony removes: donor, library, "
            "technology, study. Each gets a theta of its own.",
            persist_state="session",
        )
        for name in batch:
            if reasons.get(name):
                st.caption(f"{plain(name)}: {plain('; '.join(reasons[name]), longest=300)}")
    with middle:
        suggested = dataset.meta["labels"]
        usable = [c for c in obs.columns if c not in batch and obs[c].nunique() <= 1000]
        labels = [_NO_LABEL, *sorted(usable, key=lambda c: c not in suggested)]
        now = current.label if current and current.label in labels else _NO_LABEL
        label = st.selectbox(
            "Label column",
            labels,
            labels.index(now),
            key=f"{key}label",
            help="Known cell types, if there are any. They are never given to Harmony; they only "
            "judge what it did.",
            persist_state="session",
        )
    with right:
        condition = st.toggle(
            "The batch variable is a condition",
            current.condition if current else False,
            key=f"{key}condition",
            help="A treatment, a disease, a time point: something you may want to compare. "
            "Aligning it is a choice, and the verdict then says what is lost.",
            persist_state="session",
        )
    return list(batch), None if label == _NO_LABEL else label, bool(condition)


def _unsuitable(dataset: Dataset, batch: Sequence[str]) -> str | None:
    for name in batch:
        try:
            batch_column(dataset.obs, name)
        except InputError as error:
            return str(error)
    return None


def _sizes(dataset: Dataset, batch: Sequence[str]) -> None:
    for name in batch:
        counts = batch_column(dataset.obs, name).value_counts()
        st.plotly_chart(
            figures.batch_bars(
                {str(level): int(n) for level, n in counts.items()},
                title=f"Cells in each batch of {figures.shown_name(name)}",
            ),
            key=f"sizes-{name}",
            config={"displayModeBar": False},
        )


def _settings(
    dataset: Dataset, batch: Sequence[str], label: str | None, condition: bool
) -> RunParams:
    current = state.settings(dataset)
    if current is None:
        harmony, base = HarmonyParams(batch=tuple(batch)), None
    else:
        theta = dict(zip(current.harmony.batch, current.harmony.theta, strict=True))
        harmony = replace(
            current.harmony, batch=tuple(batch), theta=tuple(theta.get(b, 2.0) for b in batch)
        )
        base = current
    prepare = _preparation(dataset, base.prepare if base else PrepareParams())
    if base is None:
        return RunParams(harmony=harmony, prepare=prepare, label=label, condition=condition)
    return replace(base, harmony=harmony, prepare=prepare, label=label, condition=condition)


def _preparation(dataset: Dataset, now: PrepareParams) -> PrepareParams:
    meta, key = dataset.meta, f"{dataset.fingerprint}:"
    with st.expander("Preparation: quality control, variable genes, components"):
        starts = [*([_FROM_COUNTS] if meta["kind"] != "none" else []), *meta["embeddings"]]
        picked = st.selectbox(
            "Start from",
            starts,
            starts.index(now.basis) if now.basis in starts else 0,
            key=f"{key}basis",
            help="An embedding that the file brings along is corrected as it is; otherwise "
            "principal components are computed from the expression matrix.",
            persist_state="session",
        )
        if picked != _FROM_COUNTS:
            st.caption("Preparation is skipped: that embedding is corrected, with all its cells.")
            return replace(now, basis=picked)
        numbers = {
            name: _number(name, title, getattr(now, name), help_text, key)
            for name, title, help_text in _PREPARATION
        }
        return replace(now, basis=None, **numbers)


_PREPARATION = (
    ("min_genes", "Fewest genes a cell", "Cells with fewer genes are mostly empty droplets."),
    ("max_genes", "Most genes a cell", "Cells with more genes are often two in one droplet."),
    ("max_mito", "Mitochondrial ceiling, %", "Dying cells have many mitochondrial counts."),
    ("min_cells", "Fewest cells a gene", "Genes seen in fewer cells are left out."),
    ("n_top_genes", "Variable genes", "Chosen within each batch, so that batch effects don't."),
    ("n_pcs", "Principal components", "More keep finer differences, and more noise."),
)


def _number(name: str, title: str, value: float, help_text: str, key: str) -> float:
    allowed, kind = RANGES[name], type(value)
    chosen: float = st.number_input(
        title,
        kind(allowed.low),
        kind(allowed.high),
        value,
        kind(allowed.step),
        help=help_text,
        key=f"{key}{name}",
        persist_state="session",
    )
    return chosen


main()
