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
from streamlit.errors import FragmentHandledException

from harmony_core.jobs.work import Work
from pages.ui import faults, garbage, services
from pages.ui.line import components as line

_Followed = tuple[Work, list[str]]
"""Some work, and which of its results were not stored yet when the part looked."""

_drawings = itertools.count(1)
_PAGE_WANTED = "page-run-wanted"
_followed: ContextVar[list[_Followed] | None] = ContextVar("followed", default=None)
"""What the part which is being drawn follows besides the works that it was placed with."""


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
        missing = {work.name: self._missing(work) for work in works if is_under_way(work)}
        waits = any(stages or not self.shows for stages in missing.values())
        followed: list[_Followed] = []
        token = _followed.set(followed)
        try:
            setting = self.draw(*arguments)
        except FragmentHandledException:
            raise  # a part within this one has said it
        except Exception as error:
            faults.stop(error)
        finally:
            _followed.reset(token)
        if followed:
            line.listener().follow(self.key, (*works, *(work for work, _ in followed)))
        line.ear(
            self.key,
            works={work.name: lacking for work, lacking in followed} | missing,
            waits=waits or bool(followed),
            hears=self.hears,
            drawn=next(_drawings),
            setting=setting or "",
        )

    def _missing(self, work: Work) -> list[str]:
        computed = (stage for stage in self.shows if stage in work.stages)
        return [stage for stage in computed if not work.has(stage)]


def follow(works: Sequence[Work]) -> None:
    """Have the part that is being drawn drawn again at each result and the end of these works.

    For what a part offers by a button.

    Parameters
    ----------
    works
        Those that were under way when this part looked. One that has ended since is followed too,
        or its end would never be drawn.
    """
    followed = _followed.get()
    if followed is None:
        raise RuntimeError("only a part that is being drawn can follow works")
    for work in works:
        stored = work.stored_results()
        followed.append((work, [result for result in work.results if result not in stored]))


def say(name: str) -> None:
    """Have all parts of this session drawn again whose `hears` have this name.

    For parts and callbacks, which can redraw only their own part. What has changed belongs into
    the session's state first: what is said is a name, never a value.
    """
    line.say(name)


def run_page() -> None:
    """Have the page run, not a part alone; for callbacks in parts that change its settings."""
    st.session_state[_PAGE_WANTED] = True


def is_under_way(work: Work) -> bool:
    """Return whether some work is not over; it may not have begun."""
    return not services.runner().progress(work).is_over
