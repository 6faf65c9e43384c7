"""Parts of a page: each is drawn again by itself when what it shows has changed.

    VERDICT = Part("verdict", draw=_verdict, shows=("assess",))
    ...
    VERDICT.place([task.work], current)

A page is a list of parts, declared once at the top of its file, with what draws each. The page's
own run places them, which happens once a move; what arrives later redraws parts and nothing else:
a stage of `shows` that is stored, the end of a work under way, or what another part has said.

How far the work is needs no part run either: `pages.ui.line.components.bar`, inside a part that
shows no stages and so is drawn again when all is over, moves by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import streamlit as st

from harmony_core.jobs.work import Work
from pages.ui import garbage, services
from pages.ui.line import components as line

_drawings = itertools.count(1)
_PAGE_WANTED = "page-run-wanted"
_followed: ContextVar[list[Work] | None] = ContextVar("followed", default=None)
"""Works that the part which is being drawn follows besides those it was placed with."""


@dataclass(frozen=True)
class Part:
    """A part of a page.

    Attributes
    ----------
    key
        Its name, once a page; its container has the class ``st-key-part-{key}``.
    draw
        Draws it from the store and the session's state, with the arguments of `place`. They stay
        those of the last page run, so an argument must not remember that something was missing.
        It may return the name of the setting that it has drawn, which the page then carries as
        ``data-setting`` beside ``data-part``.
    shows
        Names of the stages (`harmony_core.runs.plan`) that it shows. It waits while one of them is
        missing and its work is under way; without any, until the work is over.
    hears
        What others may `say` that changes it, such as a selection.
    """

    key: str
    draw: Callable[..., str | None]
    shows: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()

    def place(self, works: Sequence[Work], *arguments: object) -> None:
        """Draw it here, in a fragment that runs by itself from now on.

        Parameters
        ----------
        works
            What its stages are computed by; none where it shows no work.
        arguments
            For `draw`.
        """
        with st.container(key=f"part-{self.key}"):
            st.fragment(self._draw)(tuple(works), *arguments)

    def _draw(self, works: Sequence[Work], *arguments: object) -> None:
        if st.session_state.pop(_PAGE_WANTED, False):
            st.rerun(scope="app")
        garbage.collect_soon()
        line.listener().follow(self.key, works)
        # Before it is drawn: what is stored meanwhile is then drawn twice rather than never.
        missing = {work.name: self._missing(work) for work in works if _is_under_way(work)}
        waits = any(stages or not self.shows for stages in missing.values())
        followed: list[Work] = []
        token = _followed.set(followed)
        try:
            setting = self.draw(*arguments)
        finally:
            _followed.reset(token)
        if followed:
            line.listener().follow(self.key, (*works, *followed))
        line.ear(
            self.key,
            works={work.name: [] for work in followed} | missing,
            waits=waits or bool(followed),
            hears=self.hears,
            drawn=next(_drawings),
            setting=setting or "",
        )

    def _missing(self, work: Work) -> list[str]:
        lacking = set(work.stages).difference(work.stored)
        return [stage for stage in self.shows if stage in lacking]


def is_being_drawn() -> bool:
    """Return whether a part is being drawn, rather than the page around the parts."""
    return _followed.get() is not None


def follow(works: Sequence[Work]) -> None:
    """Have the part that is being drawn drawn again at the end of each of these works.

    For what a part offers by a button. A work that is over already ends nothing more.
    """
    followed = _followed.get()
    if followed is None:
        raise RuntimeError("only a part that is being drawn can follow works")
    followed += [work for work in works if _is_under_way(work)]


def say(name: str) -> None:
    """Have all parts of this session drawn again whose `hears` have this name.

    For parts and callbacks, which can redraw only their own part. What has changed belongs into
    the session's state first: what is said is a name, never a value.
    """
    line.say(name)


def run_page() -> None:
    """Have the page run, not a part alone; for callbacks in parts that change its settings."""
    st.session_state[_PAGE_WANTED] = True


def _is_under_way(work: Work) -> bool:
    return not services.runner().progress(work).is_over
