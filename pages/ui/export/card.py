"""One form in which a run is taken away: choose, have it made, follow, download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from harmony_core.export.formats import Offer
from harmony_core.export.job import CHOICES
from harmony_core.io.writing import in_words
from harmony_core.jobs.runner import Progress
from harmony_core.params import RunParams
from harmony_core.runs.history import differing
from harmony_core.runs.history import in_words as run_in_words
from harmony_core.store import Dataset
from pages.ui import services, state
from pages.ui.jobs import POLL_SECONDS
from pages.ui.text import plain

LARGEST_DOWNLOAD = 1_000_000_000
"""Bytes beyond which a file is not sent: Streamlit holds a whole download in memory."""

_HELD = 50_000_000
"""Bytes up to which a file is held ready. A larger one is read when its button is pressed, and
Streamlit forgets it with the next run of any script, so that a second press may be needed."""

_ASKED = "asked_exports"


class Wish:
    """One form of one run, and where it is made.

    Parameters
    ----------
    how
        Choices, second run and runs to compare with; see `harmony_core.jobs.worker.export_run`.
    """

    def __init__(
        self, offer: Offer, dataset: Dataset, params: RunParams, how: Mapping[str, Any]
    ) -> None:
        self.offer, self.dataset, self.params, self.how = offer, dataset, params, how
        # Held here because a callback that reads the session's state may be broken off there, by
        # the next rerun, and the click would be lost.
        self._runner = services.runner()
        self._asked: set[str] = st.session_state.setdefault(_ASKED, set())
        self.folder = self._runner.export_folder(dataset, params, offer.name, **how)
        self._viewer = f"{state.viewer()}:{self.folder.name}"

    @property
    def progress(self) -> Progress | None:
        """Where it stands; None if nobody here asked for it and it was not made before."""
        found = self._runner.follow(f"export-{self.folder.name}", self.folder)
        if found.state == "finished":
            return found if self.file(found).is_file() else None
        asked = self.folder.name in self._asked
        return found if asked and found.state != "cancelled" else None

    def file(self, progress: Progress) -> Path:
        return self.folder / Path(progress.result).name

    def ask(self) -> None:
        """Have it made."""
        self._asked.add(self.folder.name)
        (self.folder / "progress.json").unlink(missing_ok=True)  # of a failure, or a lost file
        self._runner.submit_export(
            self._viewer, self.dataset, self.params, self.offer.name, **self.how
        )

    def cancel(self) -> None:
        self._asked.discard(self.folder.name)
        self._runner.drop(self._viewer)


@st.fragment
def card(offer: Offer, dataset: Dataset, params: RunParams, kept: Sequence[RunParams]) -> None:
    """Draw one form with its choices, and the button of the moment.

    Parameters
    ----------
    params
        The run.
    kept
        Every finished run of the dataset.
    """
    with st.container(border=True, key=f"offer-{offer.name}"):
        st.markdown(f"**{offer.title}**")
        st.caption(offer.about)
        how: dict[str, Any] = {"chosen": _choices(offer)}
        if offer.compares:
            how["runs"] = [run.to_dict() for run in kept if run != params]
        if offer.needs_other:
            if len(kept) < 2:
                st.caption("This needs a second run; move a slider on Tune.")
                return
            params, how["other"] = _two(kept, params)
        _button(Wish(offer, dataset, params, how))


def _choices(offer: Offer) -> dict[str, Any]:
    if not offer.choices:
        return {}
    chosen = {}
    columns = st.columns(len(offer.choices))
    for name, column in zip(offer.choices, columns, strict=True):
        choice = CHOICES[name]
        chosen[name] = column.selectbox(
            choice.title, choice.values, key=f"{offer.name}:{name}", persist_state="session"
        )
    return chosen


def _two(kept: Sequence[RunParams], shown: RunParams) -> tuple[RunParams, dict[str, Any]]:
    names = differing(kept)
    first = kept.index(shown)
    picked = [
        st.selectbox(
            title,
            range(len(kept)),
            start,
            format_func=lambda i: run_in_words(kept[i], names),
            key=f"two_runs:{title}",
        )
        for title, start in (("First run", first), ("Second run", 1 if first == 0 else 0))
    ]
    return kept[picked[0]], kept[picked[1]].to_dict()


def _button(wish: Wish) -> None:
    progress, key = wish.progress, wish.offer.name
    if progress is None:
        st.button(f"Make {wish.offer.what}", key=f"make-{key}", on_click=wish.ask)
    elif progress.state == "failed":
        st.error(plain(progress.message, longest=500))
        st.button("Try again", key=f"again-{key}", on_click=wish.ask)
    elif progress.state == "finished":
        _download(wish, wish.file(progress))
    else:
        _follow(wish)


@st.fragment(run_every=POLL_SECONDS)
def _follow(wish: Wish) -> None:
    progress = wish.progress
    if progress is None or progress.is_over:
        st.rerun(scope="app")
    st.caption(f"{plain(progress.step or 'Waiting for the worker')} …")
    st.button("Cancel", key=f"cancel-{wish.offer.name}", on_click=wish.cancel)


def _download(wish: Wish, path: Path) -> None:
    size = path.stat().st_size
    if path.suffix == ".png":
        st.image(str(path))
    if size > LARGEST_DOWNLOAD:
        st.caption(f"It has {in_words(size)}, too much for a browser. Copy it from this machine:")
        st.code(str(path), language=None, wrap_lines=True)
    else:
        st.download_button(
            f"Download {wish.offer.what} ({in_words(size)})",
            data=path.read_bytes() if size <= _HELD else path.read_bytes,
            file_name=path.name,
            mime="application/octet-stream",
            on_click="ignore",
            type="primary",
            key=f"download-{wish.offer.name}",
        )
    for note in (wish.folder / "notes.txt").read_text("utf-8").splitlines():
        st.caption(plain(note, longest=500))
