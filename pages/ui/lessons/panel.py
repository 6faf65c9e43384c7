"""The lesson over the Tune page: what a step says and asks for, and whether it is done."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.work import Work
from harmony_core.params import RunParams
from harmony_core.store import Dataset
from pages.ui import colouring, panels
from pages.ui.current_run import results_of
from pages.ui.lessons import current
from pages.ui.lessons.checks import Finding, Sight, findings
from pages.ui.lessons.current import LOOKED, InHand
from pages.ui.lessons.entries import LONGEST_TEXT
from pages.ui.lessons.lesson_file import Check
from pages.ui.part import Part
from pages.ui.text import plain
from pages.ui.tune import before_after, replay


def place(works: list[Work], dataset: Dataset, params: RunParams) -> None:
    """Place the lesson in hand, if there is one."""
    if current.in_hand() is not None:
        LESSON.place(works, dataset, params)


def _draw(dataset: Dataset, params: RunParams) -> str:
    found = current.in_hand()
    if found is None:
        return ""
    results = results_of(dataset, params)
    with st.container(key="lesson", border=True, gap="small"):
        _head(found)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            st.markdown(_paragraphs(found.step.text))
            st.markdown(f"**Do:** {plain(found.step.action, longest=LONGEST_TEXT)}")
        with right:
            _outcome(found, dataset, params)
    return results.plan.run


def _head(found: InHand) -> None:
    lesson, last = found.lesson, len(found.lesson.steps) - 1
    where = f"step {found.place + 1} of {last + 1}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        title, heading = plain(lesson.title, longest=100), plain(found.step.title, longest=100)
        st.markdown(f"**{title}** · {where}: {heading}", width="stretch")
        buttons = st.container(horizontal=True, gap="small", width="content")
    with buttons:  # which stay together where they don't fit beside the title
        for label, to in (("Previous step", -1), ("Next step", 1)):
            st.button(
                label,
                key=f"lesson-step:{to}",
                type="primary" if to == 1 else "secondary",
                disabled=not 0 <= found.place + to <= last,
                on_click=current.go,
                args=(found.key, found.place + to),
            )
        st.button(
            "Set again",
            key="lesson-again",
            help="Puts on screen what this step begins with.",
            on_click=current.go,
            args=(found.key, found.place),
        )
        st.button("Close", key="lesson-close", on_click=current.close)


def _outcome(found: InHand, dataset: Dataset, params: RunParams) -> None:
    """Draw the question, what was found so far, and what a step that is done teaches."""
    step = found.step
    if dataset.fingerprint != current.fingerprint_of(step):
        st.warning("Other data are on screen than this step is about. *Set again* brings them.")
        return
    answer = _answer(found, step.check)
    told = findings(step.check, _sight(dataset, params, answer))
    st.markdown("  \n".join(map(_sentence, told)))
    if all(finding.is_met for finding in told):
        current.set_done(found)
        learned = f" {plain(step.learned, longest=LONGEST_TEXT)}" if step.learned else ""
        st.success(f"Done.{learned}")


def _answer(found: InHand, check: Check) -> str | None:
    if check.question is None:
        return None
    return st.radio(
        plain(check.question, longest=LONGEST_TEXT),
        check.choices,
        index=None,
        format_func=lambda choice: plain(choice, longest=300),
        key=current.answer_key(found.key, found.place),
        persist_state="session",
    )


def _sight(dataset: Dataset, params: RunParams, answer: str | None) -> Sight:
    results = results_of(dataset, params)
    colours = colouring.query_parameters(dataset, params)
    return Sight(
        params=params,
        assessment=results.assessment,
        obs=results.obs,
        colour=colours.get("colour"),
        gene=colours.get("gene"),
        selected=before_after.selected_cells(results),
        film=replay.frame_on_screen(results),
        answer=answer,
    )


def _sentence(finding: Finding) -> str:
    text = plain(finding.sentence, longest=500)
    return panels.mark("green", text) if finding.is_met else f"○ {text}"


def _paragraphs(text: str) -> str:
    return "\n\n".join(plain(part, longest=LONGEST_TEXT) for part in text.split("\n\n"))


LESSON = Part("lesson", draw=_draw, shows=("assess",), hears=(LOOKED,))
