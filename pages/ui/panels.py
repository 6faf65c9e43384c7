"""Panels that several pages share: verdict, headline numbers, how Harmony ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harmony_core import thresholds
from harmony_core.params import RunParams
from harmony_core.verdict.verdict import Verdict
from pages.ui.text import number, plain

_COLOURS = {"green": "green", "amber": "orange", "red": "red"}
HEADINGS = {
    "over": "Over-corrected",
    "suspect": "Possibly over-corrected",
    "under": "Under-corrected",
    "unjudged": "Can't be judged",
    "null": "Nothing to correct",
    "good": "Looks right",
}
"""Each kind of verdict in two words."""
_SYMBOLS = {"green": "✓", "amber": "!", "red": "✕"}


@dataclass(frozen=True)
class _Metric:
    name: str
    title: str
    help: str
    more_is_better: bool | None
    is_main: bool
    """Whether it is shown even where there is room for few."""


_METRICS = (
    _Metric(
        "mcm",
        "Matched-cluster mixing",
        "How far clusters that correspond between batches came together: 0 apart, 1 fully mixed. "
        "Below 0.5 is under-corrected, above 0.8 good. Blind to what should not mix.",
        True,
        True,
    ),
    _Metric(
        "ilisi_vs_null",
        "iLISI against chance",
        "Mixing of batches around each cell, 0 none, 1 as if batch were dealt at random. Cell "
        "types that only one batch has should not reach 1; mixing alone rewards over-correction.",
        None,
        True,
    ),
    _Metric(
        "ilisi",
        "iLISI",
        "Effective number of batches around a cell, from 1 to the number of batches "
        "(Korsunsky et al. 2019).",
        None,
        False,
    ),
    _Metric(
        "worst_label_purity_loss",
        "Worst purity loss",
        "The label that lost most: share of its neighbours that changed to another label. "
        f"Above {thresholds.PURITY_LOSS_AMBER:g} suspicious, above {thresholds.PURITY_LOSS_RED:g} "
        "over-corrected.",
        False,
        True,
    ),
    _Metric(
        "clisi",
        "cLISI",
        "Effective number of labels around a cell: 1 is pure. A rise means labels were mixed.",
        False,
        False,
    ),
)


def place(name: str, *, old: bool) -> DeltaGenerator:
    """Return a place for results, dimmed while they are the previous settings' (`old`)."""
    return st.container(key=f"{'old' if old else 'new'}-{name}")


def heading(found: Verdict, *, old: bool = False) -> None:
    """Draw the verdict in two words.

    Parameters
    ----------
    old
        Whether it is the previous settings' verdict, shown until the new one is there.
    """
    colour = _COLOURS[found.level]
    st.caption("Verdict" + (" on the previous settings" if old else ""))
    st.markdown(f"#### :{colour}[{_SYMBOLS[found.level]} {HEADINGS[found.kind]}]")


def explanation(found: Verdict, *, condition: str | None = None) -> None:
    """Draw the verdict's sentences.

    Parameters
    ----------
    condition
        Name of the batch variable if it is a condition; what aligning it means is then said.
    """
    st.subheader(f"Why: {HEADINGS[found.kind].lower()}")
    for sentence in found.sentences[:1]:
        st.markdown(plain(sentence, longest=2000))
    for sentence in found.sentences[1:]:
        st.caption(plain(sentence, longest=2000))
    if condition is not None:
        with st.expander(f"“{plain(condition)}” is a condition: what aligning it means"):
            st.caption(_CONDITION)


_CONDITION = (
    "Harmony lines up the same cell types of all conditions, so that they can be compared type by "
    "type. What the condition does to the cells, such as the interferon response of the Kang "
    "sample, is then **hidden in the corrected embedding** and in clusters made from it. "
    "**Expression is never changed**: test for differences between conditions on the expression, "
    "within each type."
)


def headline(metrics: Mapping[str, Any], variable: str, *, main_only: bool = False) -> None:
    """Draw the headline numbers of one batch variable, each before → after.

    Parameters
    ----------
    main_only
        Whether to leave out those that only say the same in another way.
    """
    before, after = metrics["before"][variable], metrics["after"][variable]
    shown = [m for m in _METRICS if m.name in after and (m.is_main or not main_only)]
    for column, metric in zip(st.columns(len(shown), gap="small"), shown, strict=True):
        old, new = before.get(metric.name), after[metric.name]
        change = None if old is None or new is None else new - old
        column.metric(
            metric.title,
            number(new) if old is None else f"{number(old)} → {number(new)}",
            None if change is None or abs(change) < 0.005 else f"{change:+.2f}",
            delta_color={True: "normal", False: "inverse", None: "off"}[metric.more_is_better],
            help=metric.help,
        )


def convergence_sentence(harmony: Mapping[str, Any], params: RunParams) -> str:
    """Return in plain words how Harmony ended."""
    n, reason = harmony["iterations"], harmony["stop_reason"]
    rounds = "iteration" if n == 1 else "iterations"
    if reason == "converged":
        return f"Converged after {n} {rounds}, with {harmony['nclust']} soft clusters."
    if reason == "rose":
        return f"Stopped after {n} {rounds} because the objective rose instead of falling."
    return (
        f"Stopped at the limit of {params.harmony.max_iter} {rounds} before it had converged; "
        "allow more iterations to see whether anything still changes."
    )
