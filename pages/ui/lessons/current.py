"""The lesson in hand of this session: which step, what it puts on screen, which steps are done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from harmony_core.errors import InputError
from harmony_core.io.server_files import allowed_path
from harmony_core.runs import link
from harmony_core.store import Dataset, examples
from pages.ui import colouring, evidence_table, linked_view, part, services, state
from pages.ui.lessons.checks import missing_in_data, solution_of
from pages.ui.lessons.lesson_file import (
    LARGEST_FILE,
    Lesson,
    Step,
    link_texts,
    read_lesson,
    shipped,
)
from pages.ui.tune import controls, replay, run_comparison

LOOKED = "lesson-looked"
"""What is said to the lesson's part when something else is on screen or selected."""

_IN_HAND, _OWN, _DONE = "lesson-in-hand", "own-lessons", "lesson-steps-done"
_SEEN, _BEGUN = "lesson-seen", "lesson-begun"


@dataclass(frozen=True)
class InHand:
    """A lesson, by its name in a link, and a step of it from 0."""

    key: str
    place: int

    @property
    def lesson(self) -> Lesson:
        return lessons()[self.key]

    @property
    def step(self) -> Step:
        return self.lesson.steps[self.place]


def lessons() -> dict[str, Lesson]:
    """Return the lessons that this session can open: ours, then its own."""
    return {**shipped(), **st.session_state.get(_OWN, {})}


def shipped_keys() -> frozenset[str]:
    """Return the names of the lessons that come with the program."""
    return frozenset(shipped())


def in_hand() -> InHand | None:
    """Return the step in hand, if a lesson is."""
    key, place = st.session_state.get(_IN_HAND, ("", 0))
    found = lessons().get(key)
    return None if found is None else InHand(key, min(place, len(found.steps) - 1))


def add(content: bytes, name: str) -> str:
    """Take a lesson of one's own, once it and its data fit; return what it is called here.

    Raises
    ------
    InputError
        If the file is no lesson, or names what its data do not have.
    """
    lesson = read_lesson(content, name)
    problems = [sentence for step in lesson.steps for sentence in _missing(lesson, step)]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{name!r} does not fit its data{more}. {problems[0]}")
    key = f"{Path(name).stem[:40]}.toml"
    own = st.session_state.setdefault(_OWN, {})
    if own.get(key) != lesson:  # what was done in the file before says nothing of this one
        done = st.session_state.get(_DONE, set())
        st.session_state[_DONE] = {one for one in done if one[0] != key}
        for answer in [k for k in st.session_state if str(k).startswith(answer_key(key, ""))]:
            del st.session_state[answer]
    own[key] = lesson
    return key


def answer_key(key: str, place: int | str) -> str:
    """Return where the session keeps the answer to a step's question."""
    return f"lesson-answer:{key}:{place}"


def add_from_server(path: str) -> str:
    """Take a lesson that lies in the folders which the administrator allows; see `add`."""
    found = allowed_path(path, besides=services.store().home)
    try:
        with found.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = error.strerror or "the disk gave an error"
        raise InputError(f"{found.name!r} could not be read: {reason}.") from error
    return add(content, found.name)


def _missing(lesson: Lesson, step: Step) -> list[str]:
    dataset = _data(step)
    start = state.suggested(dataset.info)
    assert start is not None  # each sample suggests some
    return missing_in_data(lesson, step, dataset, start)


def _data(step: Step) -> Dataset:
    return services.dataset(examples.fingerprint(services.store(), step.data))


def fingerprint_of(step: Step) -> str:
    """Return which data a step is about."""
    return examples.shipped_fingerprint(step.data)


def open_step(key: str, place: int, *, solved: bool = False) -> None:
    """Begin a step: its data, settings, colours, marks and film; for callbacks, and for links.

    Parameters
    ----------
    solved
        Whether the settings are those at which the step is done.
    """
    lesson = lessons()[key]
    place = min(max(place, 0), len(lesson.steps) - 1)
    st.session_state[_IN_HAND] = (key, place)
    step = lesson.steps[place]
    dataset = _data(step)
    state.choose_dataset(dataset.fingerprint)
    start = state.suggested(dataset.info)
    assert start is not None  # each sample suggests some
    wanted = solution_of(step) if solved else step.view.settings
    params, _ = link.from_parameters(link_texts(wanted), dataset, start)
    state.start_from(dataset, params)
    controls.set_sliders(dataset, params)
    run_comparison.end(dataset)
    linked_view.begin_anew(linked_view.key_of(dataset.fingerprint))
    colour = step.view.colour or params.harmony.batch[0]
    colouring.request(dataset, colour, step.view.gene)
    evidence_table.clear(dataset)
    if step.view.mark is not None and params.label is not None:
        evidence_table.mark_label(dataset, params.label, step.view.mark)
    replay.switch(dataset, params, on=step.view.film)


def begin(key: str, place: int, solved: bool = False) -> None:
    """Begin a step from another page, which then goes to Tune: see `was_begun`."""
    open_step(key, place, solved=solved)
    st.session_state[_BEGUN] = True


def was_begun() -> bool:
    """Return whether a step was just begun on this page; once."""
    return bool(st.session_state.pop(_BEGUN, False))


def go(key: str, place: int) -> None:
    """Begin a step from a callback in a part: the page then runs with it."""
    open_step(key, place)
    part.run_page()


def close() -> None:
    """Put the lesson away; what is on screen stays."""
    st.session_state.pop(_IN_HAND, None)
    part.run_page()


def open_link(key: str, step: str) -> list[str]:
    """Begin the step that a link names; return sentences on what there is none of."""
    if key not in lessons() and key.endswith(".toml"):
        try:
            key = add_from_server(key)
        except InputError as error:
            return [str(error)]
    if key not in lessons():
        return [f"There is no lesson {key!r}; there are {', '.join(lessons())}."]
    steps = len(lessons()[key].steps)
    if not step.isascii() or not step.isdigit() or not 1 <= len(step) <= 3:
        return [f"There is no step {step[:40]!r}; the lesson has {steps}."]
    open_step(key, int(step) - 1)
    return []


def return_to(key: str, step: str) -> None:
    """Begin the step that the browser went back or forward to, if it is another one."""
    if query_parameters() not in ({}, {"lesson": [key], "step": [step]}):
        open_link(key, step)


def query_parameters() -> dict[str, list[str]]:
    """Return the lesson and step as a link has them; nothing while none is in hand."""
    found = in_hand()
    return {} if found is None else {"lesson": [found.key], "step": [str(found.place + 1)]}


def set_done(found: InHand) -> None:
    """Remember that a step was done once."""
    st.session_state.setdefault(_DONE, set()).add((found.key, found.place))


def steps_done(key: str) -> set[int]:
    """Return which steps of a lesson were done, from 0."""
    return {place for name, place in st.session_state.get(_DONE, set()) if name == key}


def tell(*seen: object) -> None:
    """Have the lesson look again, if one is in hand, where something else is on screen."""
    if in_hand() is not None and st.session_state.get(_SEEN) != seen:
        st.session_state[_SEEN] = seen
        part.say(LOOKED)
