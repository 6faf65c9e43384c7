"""A lesson as a file: TOML, checked entry by entry, each fault a sentence that says where it is.

``lessons/own_lesson.toml`` is an example that explains every entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harmony_core.errors import FileError
from harmony_core.export.settings import parse_toml
from harmony_core.metric_catalog import HEADLINE
from harmony_core.store.examples import EXAMPLES
from harmony_core.verdict.verdict import KINDS
from pages.ui.lessons.entries import Entries

FOLDER = Path(__file__).resolve().parents[3] / "lessons"
LARGEST_FILE = 256_000
"""Bytes beyond which a file can't be a lesson."""
MOST_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class View:
    """What a step puts on screen when it begins.

    Attributes
    ----------
    settings
        By the names of a link, which differ from those that the data start with.
    colour, gene
        What colours the cells; a gene goes first, and without either it is the batch variable.
    mark
        A level of the label whose cells are selected.
    film
        Whether the film of the iterations is on.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    colour: str | None = None
    gene: str | None = None
    mark: str | None = None
    film: bool = False


@dataclass(frozen=True, kw_only=True)
class Check:
    """What has to be so for a step to be done; all that is named.

    Attributes
    ----------
    settings, numbers
        Ranges (lowest, highest) by the name of a setting in a link, or of a headline metric.
    verdict
        Kinds of verdict, one of which it has to be.
    merged
        A label and the one that it was mixed with.
    apart
        A label that kept its neighbours.
    colour, genes
        Colourings or genes, one of which is on screen.
    selected
        Label level, least number of its cells that are selected.
    film
        Iterations (first, last), one of which is on screen.
    question, choices, answer
        What is asked, what can be answered, and which of that is right.
    """

    settings: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    numbers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    verdict: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    apart: str | None = None
    colour: tuple[str, ...] = ()
    genes: tuple[str, ...] = ()
    selected: tuple[str, int] | None = None
    film: tuple[float, float] | None = None
    question: str | None = None
    choices: tuple[str, ...] = ()
    answer: str | None = None

    @property
    def needs_verdict(self) -> bool:
        return bool(self.numbers or self.verdict or self.merged or self.apart)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what is said, shown, asked for and looked at.

    Attributes
    ----------
    data
        Key of the sample.
    learned
        What is said once it is done.
    notes
        For the instructor.
    solution
        Settings, as in `View`, at which the check is fulfilled; without any, those of the view.
    """

    title: str
    text: str
    action: str
    data: str
    view: View
    check: Check
    learned: str = ""
    notes: str = ""
    solution: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson.

    Attributes
    ----------
    minutes
        That it takes.
    goes_wrong
        For the instructor: what usually does.
    """

    title: str
    about: str
    minutes: int
    steps: tuple[Step, ...]
    notes: str = ""
    goes_wrong: tuple[str, ...] = ()


@cache
def shipped() -> Mapping[str, Lesson]:
    """Return the lessons that come with the program, by their file's name, in order."""
    paths = sorted(FOLDER.glob("[0-9]*.toml"))
    return {p.stem.split("_", 1)[1]: read_lesson(p.read_bytes(), p.name) for p in paths}


def read_lesson(content: bytes, name: str) -> Lesson:
    """Return the lesson that a file holds.

    Parameters
    ----------
    content
        Of the file.
    name
        Of the file, for messages.

    Raises
    ------
    FileError
        If it is too large, no text, no TOML, or nested deeper than a lesson is.
    ParameterError
        If an entry is unknown, missing, or of the wrong kind; the sentence says which, and where.
    """
    if len(content) > LARGEST_FILE:
        raise FileError(f"{name!r} is too large for a lesson, which may have 256 kB.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{name!r} is not a text file.") from error
    top = Entries(parse_toml(text, name=name), f"In {name!r}")
    data = top.text("data", one_of=EXAMPLES)
    tables = top.tables("steps", most=MOST_STEPS)
    lesson = Lesson(
        title=top.text("title", longest=100),
        about=top.text("about", longest=400),
        minutes=top.whole("minutes", 1, 600),
        steps=tuple(_step(entries, data) for entries in tables),
        notes=top.text("notes", ""),
        goes_wrong=top.texts("goes_wrong"),
    )
    top.end()
    return lesson


def _step(entries: Entries, data: str) -> Step:
    view, check = entries.table("view"), entries.table("check")
    found = Step(
        title=entries.text("title", longest=100),
        text=entries.text("text"),
        action=entries.text("action"),
        data=entries.text("data", data, one_of=EXAMPLES),
        view=_view(view),
        check=_check(check),
        learned=entries.text("learned", ""),
        notes=entries.text("notes", ""),
        solution=entries.settings("solution") if entries.has("solution") else None,
    )
    entries.end()
    return found


def _view(entries: Entries) -> View:
    found = View(
        settings=entries.settings("settings"),
        colour=entries.text("colour", None),
        gene=entries.text("gene", None),
        mark=entries.text("mark", None),
        film=entries.switch("film"),
    )
    entries.end()
    return found


def _check(entries: Entries) -> Check:
    if not entries.values:
        raise entries.fault("needs at least one entry that says when the step is done")
    found = Check(
        settings=entries.ranges("settings"),
        numbers=entries.ranges("numbers", one_of=HEADLINE),
        verdict=entries.texts("verdict", one_of=KINDS),
        merged=entries.texts("merged"),
        apart=entries.text("apart", None),
        colour=entries.texts("colour"),
        genes=entries.texts("genes"),
        selected=_selected(entries),
        film=entries.range("film") if entries.has("film") else None,
        question=entries.text("question", None),
        choices=entries.texts("choices"),
        answer=entries.text("answer", None),
    )
    entries.end()
    if found.merged and len(found.merged) != 2:
        raise entries.fault("merged must name two labels: which, and with which other")
    if found.question is not None and found.answer not in found.choices:
        raise entries.fault("a question needs choices, and as answer one of them")
    if found.question is None and (found.choices or found.answer):
        raise entries.fault("choices and answer need a question")
    return found


def _selected(entries: Entries) -> tuple[str, int] | None:
    if not entries.has("selected"):
        return None
    table = entries.table("selected")
    found = table.text("level"), table.whole("cells", 1, 1_000_000)
    table.end()
    return found


def link_texts(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return settings of a lesson as the parameters of a link."""
    return {
        name: [
            v if isinstance(v, str) else json.dumps(v)
            for v in (value if isinstance(value, list) else [value])
        ]
        for name, value in settings.items()
    }
