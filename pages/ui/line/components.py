"""What of the line is on a page: the line itself, the ear in each part, and bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import streamlit as st

from harmony_core.jobs.work import Work
from pages.ui import services, state
from pages.ui.line.listeners import Listener, progress_shown
from pages.ui.line.route import address

ASSETS = Path(__file__).parent / "assets"
_LISTENER = "listener"


def _script(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


# A component's script is part of each of its messages. The line's own message never changes, so it
# is sent once; an ear's is sent with each drawing of its part, and therefore hands on to the line.
_line = st.components.v2.component(
    "harmony_line", js=_script("line.js"), css=_script("line.css"), isolate_styles=False
)
_ear = st.components.v2.component("harmony_ear", js=_script("ear.js"), isolate_styles=False)


def listener() -> Listener:
    """Return what is known of this session's line."""
    if _LISTENER not in st.session_state:
        st.session_state[_LISTENER] = Listener(services.runner().progress, state.viewer())
    found: Listener = st.session_state[_LISTENER]
    return found


def place() -> None:
    """Open this page's line; in each page run, before all parts."""
    listener().follow_nothing()
    _line(key="harmony-line", data={"address": address(listener().name)}, height="content")


def say(name: str) -> None:
    """Have all parts of this session drawn again that hear of what has this name.

    From a part or a callback, which otherwise could redraw nothing but its own part. What is said
    is a name, never a value: that belongs into the session's state, before this is called.
    """
    listener().say({"name": name})


def ear(
    part: str,
    *,
    works: Mapping[str, Iterable[str]],
    waits: bool,
    hears: Iterable[str],
    drawn: int,
    setting: str,
) -> None:
    """Place what hears for a part, inside its fragment.

    Parameters
    ----------
    works
        The stages that each work has not stored yet though the part shows them.
    waits
        Whether anything more is to come.
    hears
        Names that others may `say`.
    drawn
        Another number at each drawing, by which the page knows that it has arrived.
    setting
        Name of what is drawn, for tests and measurements.
    """
    data = {
        "key": part,
        "works": {name: list(missing) for name, missing in works.items()},
        "waits": waits,
        "hears": list(hears),
        "drawn": drawn,
        "setting": setting,
    }
    # Asked by a form: what else changes in the browser's same moment waits for one message, which
    # names a single fragment. A slider or a lasso there would be lost, and so would the question.
    with st.form(f"harmony-form-{part}", border=False):
        st.form_submit_button("Draw again", key=f"harmony-ask-{part}")
    _ear(key=f"harmony-ear-{part}", data=data)


def bar(
    *works: Work,
    key: str,
    label: str = "Waiting for the worker",
    ended: int = 0,
    what: str = "",
) -> None:
    """Draw how far some work is; the page moves the bar by itself and hides it when all is over.

    Parameters
    ----------
    works
        One, or several of a group, which then move the bar together.
    label
        What is said while no step is under way.
    ended
        How many works of the group are over already.
    what
        Plural of what each work of a group stands for.
    """
    here, progress = listener(), services.runner().progress
    here.follow(key, works)
    shown = {work.name: progress_shown(progress(work)) for work in works}
    data = {"key": key, "works": shown, "label": label, "ended": ended, "what": what}
    _ear(key=f"harmony-bar-{key}", data=data)
