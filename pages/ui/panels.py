"""Panels that several pages share: verdict, headline numbers, how Harmony ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harmony_core.design.confounding import Finding
from harmony_core.jobs.work import Work
from harmony_core.metric_catalog import HEADLINE, METRICS
from harmony_core.params import RunParams
from harmony_core.runs.notes import notes_on_run
from harmony_core.runs.results import RunResults
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.run_outcome import ending_sentence
from harmony_core.verdict.verdict import KINDS, Verdict
from pages.ui.line import components as line
from pages.ui.text import number, plain

_MARKS = {"green": ("green", "✓"), "amber": ("orange", "!"), "red": ("red", "✕")}

NOTES = "To know about these data and this run"

_MAIN = ("mcm", "ilisi_vs_null", "worst_label_purity_loss")
"""What is shown even where there is room for few numbers."""


def go_to_tune(reason: str) -> None:
    """Say why a page has nothing to show, with the way to where that changes."""
    st.info(reason)
    st.page_link("pages/tune.py", label="Go to Tune")


def progress(works: Sequence[Work]) -> None:
    """Draw how far works are that another page has asked for, where this one waits for them."""
    for i, work in enumerate(works):
        line.bar(work, key=f"asked-{i}")


def place(name: str, *, old: bool) -> DeltaGenerator:
    """Return a place for results, dimmed while they are the previous settings' (`old`)."""
    return st.container(key=f"{'old' if old else 'new'}-{name}")


def heading(verdict: Verdict, *, old: bool = False) -> None:
    """Draw the verdict in two words.

    Parameters
    ----------
    old
        Whether it is the previous settings' verdict, shown until the new one is there.
    """
    st.caption("Verdict" + (" on the previous settings" if old else ""))
    st.markdown(f"#### {mark(verdict.severity, KINDS[verdict.kind].heading)}")


def mark(severity: str, text: str = "") -> str:
    """Return a severity's symbol, and a text, in its colour, as Markdown."""
    colour, symbol = _MARKS[severity]
    return f":{colour}[{f'{symbol} {text}'.strip()}]"


def finding(found: Finding) -> None:
    """Draw what the design of the data says, with its severity."""
    st.markdown(f"{mark(found.severity)} {plain(found.sentence, longest=900)}")


def explanation(verdict: Verdict, *, condition: str | None = None) -> None:
    """Draw the verdict's sentences.

    Parameters
    ----------
    condition
        Name of the batch variable if it is a condition; what aligning it means is then said.
    """
    st.subheader(f"Why: {KINDS[verdict.kind].heading.lower()}")
    for sentence in verdict.sentences[:1]:
        st.markdown(plain(sentence, longest=2000))
    more = [plain(sentence, longest=2000) for sentence in verdict.sentences[1:]]
    if more:
        st.caption("\n\n".join(more))
    if condition is not None:
        with st.expander(f"“{plain(condition)}” is a condition: what aligning it means"):
            st.caption(_CONDITION)


def notes(results: RunResults) -> None:
    """Draw what is to be known of a run beside its verdict, every word of it."""
    found = notes_on_run(results)
    if found:
        with st.expander(f"{NOTES} ({len(found)})", expanded=True):
            for note in found:
                st.caption(plain(note, longest=2000))


_CONDITION = (
    "Harmony lines up the same cell types of all conditions, so that they can be compared type by "
    "type. What the condition does to the cells, such as the interferon response of the Kang "
    "sample, is then **hidden in the corrected embedding** and in clusters made from it. "
    "**Expression is never changed**: test for differences between conditions on the expression, "
    "within each type."
)


def headline(found: Assessment, variable: str, *, main_only: bool = False) -> None:
    """Draw the headline numbers of one batch variable, each before → after.

    Parameters
    ----------
    main_only
        Whether to leave out those that only say the same in another way.
    """
    before, after = found.before[variable], found.after[variable]
    names = [n for n in (_MAIN if main_only else HEADLINE) if n in after]
    for column, name in zip(st.columns(len(names), gap="small"), names, strict=True):
        metric, old, new = METRICS[name], before.get(name), after[name]
        change = None if old is None or new is None else new - old
        column.metric(
            metric.title,
            number(new) if old is None else f"{number(old)} → {number(new)}",
            None if change is None or abs(change) < 0.005 else f"{change:+.2f}",
            delta_color={"more": "normal", "less": "inverse", None: "off"}[metric.better],
            help=metric.brief,
        )


def convergence_sentence(harmony: Mapping[str, Any], params: RunParams) -> str:
    """Return in plain words how Harmony ended."""
    settings = params.harmony
    return ending_sentence(
        harmony["objective"],
        harmony["stop_reason"],
        max_iter=settings.max_iter,
        epsilon=settings.epsilon_harmony,
    )
