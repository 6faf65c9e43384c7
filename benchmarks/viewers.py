"""Viewers of the Tune page: they move its sliders and note when they see what.

All that is read from the page by its name stands in `NAMES`. What counts as seen:

preview, picture
    The right picture names the theta and sigma asked for and is not dimmed; for *picture* it is no
    preview any more.
verdict
    The part with the verdict names the setting asked for.
everything
    All of `PARTS` name it, and none of them waits for more.
rest
    All that is there, and for `REST` seconds nothing was under way; the time is that of the last
    run's end.

A page without parts that name their setting is known too: there the verdict is one of the settings
asked for, from the run that brought the picture or a later one, and everything is there at rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from line import Bar, Ear, Line, Where
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.WidgetStates_pb2 import WidgetState
from tab import HOST, Run, Tab

NAMES = {
    "picture": r"harmony_linked_view_message$",  # name of the component with its messages
    "picture state": r":state$",  # end of the id of the message that says what is drawn
    "preview": r" · preview.*$",  # what the note beside a picture adds
    "new verdict": r"new-headline$",  # end of the id of the block with the verdict asked for
    "old verdict": r"old-headline$",  # and of that on the settings before
    "verdict": r"^#### :",  # how its text begins
    "line": r"harmony_line$",  # names of components
    "ear": r"harmony_ear$",
    "asker": r"harmony-ask-",
    "upload": r"-upload-\d+$",  # end of the id of the widget that takes data
    "theta": r"^theta",  # labels of widgets
    "sigma": r"^sigma$",
    "nclust": r"^nclust$",
    "automatic": r"^Number of soft clusters: automatic$",
    "data page": r"^choose-data$",  # addresses of pages
    "tune page": r"^tuning$",
}
"""What is read from the page, as regular expressions."""

ASKED_FOR = "status"
"""The part that names the setting asked for before anything of it is there."""

VERDICT = "headline"

PARTS = ("pictures", VERDICT, "explanation", "genes", "convergence")
"""Names of the parts of which everything consists."""

KINDS = ("page run", "preview", "verdict", "picture", "everything")
"""What is seen of a move, in the order in which it usually is."""

REST = 0.3
"""Seconds without a run, a timer or a progress bar after which nothing more is expected."""

PATIENCE = 120.0
"""Seconds after which nobody waits for a verdict any more."""


def is_named(name: str, text: str) -> bool:
    """Return whether a text is what `NAMES` says of a name."""
    return re.search(NAMES[name], text) is not None


def is_picture(component: str, id: str) -> bool:
    """Return whether a component says what the pictures are."""
    return is_named("picture", component) and is_named("picture state", id)


@dataclass(frozen=True)
class Setting:
    """Where the sliders stand; `nclust` None is automatic."""

    theta: float
    sigma: float = 0.1
    nclust: int | None = None

    @property
    def note(self) -> str:
        """What is written beside the picture of these settings."""
        return f"theta {self.theta:g} · sigma {self.sigma:g}"


@dataclass
class Move:
    """A move of sliders, and what was seen of it in seconds since.

    Attributes
    ----------
    sent, wall
        `time.monotonic` and `time.time` when the browser sent it.
    asked_before
        Whether somebody had asked for this setting, so that results may exist.
    patient
        Whether the viewer waits for the verdict before moving again.
    runs
        Runs of the page and of fragments until the next move.
    name
        What the page calls this setting; empty until it has said so.
    line_bytes
        What the line said until the next move.
    """

    setting: Setting
    asked_before: bool = False
    patient: bool = True
    sent: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)
    seen: dict[str, float] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    name: str = ""
    line_bytes: int = 0

    def see(self, what: str, at: float) -> None:
        self.seen.setdefault(what, max(0.0, at - self.sent))

    @property
    def bytes(self) -> int:
        """What was sent for it: Tune has nothing that a browser fetches by HTTP after opening."""
        return sum(run.bytes for run in self.runs) + self.line_bytes


@dataclass
class Screen:
    """What is on the page now, and the number of the run that brought it."""

    note: str = ""
    is_preview: bool = False
    dimmed: bool = True
    pictured_at: float = 0.0
    pictured_by: int = 0
    has_new_verdict: bool = False
    judged_at: float = 0.0
    judged_by: int = 0

    def draw_picture(self, note: str, *, dimmed: bool, run: Run, at: float) -> None:
        """Note a picture; a full one in place of its preview does not make its verdict old."""
        setting = re.sub(NAMES["preview"], "", note)
        if (setting, dimmed) != (self.note, self.dimmed):
            self.pictured_by = run.number
        if (setting, dimmed, setting != note) != (self.note, self.dimmed, self.is_preview):
            self.pictured_at = at
        self.note, self.dimmed, self.is_preview = setting, dimmed, setting != note


class Settings:
    """Settings for any number of viewers, who ask for what nobody has asked for, or for the same.

    Parameters
    ----------
    seed
        The same seed gives the same moves.
    common
        Whether viewers move theta alone, in the steps of its slider, as a class does.
    """

    THETAS = tuple(step / 4 for step in range(33))

    def __init__(self, seed: int = 0, *, common: bool = False) -> None:
        self._random = random.Random(seed)
        self.common = common
        self._asked: set[Setting] = set()

    def next(self, now: Setting) -> tuple[Setting, bool]:
        """Return another setting, and whether somebody had asked for it."""
        draw = self._random
        theta = draw.choice([theta for theta in self.THETAS if theta != now.theta])
        if self.common:
            setting = Setting(theta)
        else:
            sigma = draw.randint(5, 30) / 100 if draw.random() < 0.3 else now.sigma
            nclust = draw.randint(20, 100) if draw.random() < 0.15 else now.nclust
            setting = Setting(theta, sigma, nclust)
            while setting in self._asked:
                theta, sigma = draw.choice(self.THETAS), draw.randint(5, 30) / 100
                setting = Setting(theta, sigma, nclust)
        before = setting in self._asked
        self._asked.add(setting)
        return setting, before

    def one_of(self, settings: Sequence[Setting]) -> Setting:
        """Return one of some settings."""
        return self._random.choice(settings)

    def think(self, low: float, high: float) -> float:
        """Return seconds of thinking."""
        return self._random.uniform(low, high)

    def is_rare(self, share: float) -> bool:
        """Return True in a share of calls."""
        return self._random.random() < share


class Viewer(Tab):
    """One tab with the Tune page, and somebody who moves its sliders.

    Attributes
    ----------
    move
        The last one.
    moves
        All of them.
    opened
        Seconds from opening the tab to a page with its first verdict, at rest.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.screen = Screen()
        self.move: Move | None = None
        self.moves: list[Move] = []
        self.setting = Setting(2.0)
        self.opened = float("nan")
        self.parts: dict[str, str] = {}
        self.line: Line | None = None
        self._sliders: dict[str, str] = {}
        self._homes: dict[str, str] = {}
        self._switches: dict[str, str] = {}
        self._askers: dict[str, str] = {}
        self._bars: dict[tuple[int, ...], int] = {}
        self._ending: list[asyncio.Task[None]] = []
        self._uploader = self._headline = self._text = ""

    # What is seen

    def on_run(self, run: Run) -> None:
        if self.move is not None:
            self.move.runs.append(run)
            if run.is_page:
                self.move.see("page run", run.began)

    def on_block(self, place: tuple[int, ...], delta: Delta, run: Run) -> None:
        self._name_part(delta, delta.add_block.id)
        for which in ("new verdict", "old verdict"):
            if is_named(which, delta.add_block.id):
                self._headline = which

    def on_element(self, place: tuple[int, ...], delta: Delta, run: Run) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        drawn = getattr(element, kind or "empty")
        self._name_part(delta, getattr(drawn, "id", ""))
        if kind == "progress":
            self._bars[place] = run.number
        else:
            self._bars.pop(place, None)
        if kind in ("slider", "checkbox"):
            widgets = self._sliders if kind == "slider" else self._switches
            widgets[drawn.label] = drawn.id
            self._homes[drawn.id] = delta.fragment_id
        elif kind == "button" and is_named("asker", drawn.id):
            self._askers[delta.fragment_id] = drawn.id
        elif kind == "file_uploader" and is_named("upload", drawn.id):
            self._uploader = drawn.id
        elif kind == "imgs":
            self.faults.add("benchmark", "an image, whose bytes by HTTP are not counted")
        elif kind == "exception":
            self.faults.add("exception", drawn.message)
        elif kind == "alert" and drawn.format == type(drawn).ERROR:
            self.faults.add("error on the page", drawn.body)
        elif kind == "heading":
            self._text += drawn.body
        elif kind == "markdown" and self._headline and is_named("verdict", drawn.body):
            self._draw_verdict(run)
        elif kind == "bidi_component":
            self._draw_component(drawn, delta.fragment_id, run)

    def _draw_component(self, component: BidiComponent, fragment: str, run: Run) -> None:
        name = component.component_name
        if is_picture(name, component.id):
            self._draw_picture(component.bytes, run)
        elif is_named("line", name):
            self._open_line(json.loads(component.json)["address"])
        elif is_named("ear", name) and self.line is not None:
            data = json.loads(component.json)
            where = Where(component.id, fragment, run.number)
            if "drawn" not in data:
                work, progress = next(iter(data["works"].items()))  # of groups, the first
                self.line.draw_bar(Bar(work, progress["state"], where))
                return
            said = {name: data[name] for name in ("works", "waits", "hears", "drawn", "setting")}
            self._hear_part(Ear(data["key"], where, **said))

    def _open_line(self, address: str) -> None:
        url = f"ws://{HOST}:{self.port}/{address.lstrip('/')}"
        if self.line is not None and self.line.url == url:
            return
        old, origin = self.line, f"http://{HOST}:{self.port}"
        self.line = Line(url, origin, self._ask_part, self._heard)
        if old is not None:  # of a session that has ended
            self._ending.append(asyncio.create_task(old.close()))

    def _heard(self, n_bytes: int) -> None:
        if self.move is not None:
            self.move.line_bytes += n_bytes
        self.look_again()

    async def _ask_part(self, ear: Ear) -> None:
        fragment = ear.where.fragment
        await self.rerun(fragment, asked=WidgetState(id=self._askers[fragment], trigger_value=True))

    def _hear_part(self, ear: Ear) -> None:
        assert self.line is not None
        self.line.draw(ear)
        self.parts[ear.where.fragment] = ear.part
        # A page run that another run overtook may leave it to this part's own run to say the name.
        if self.move is not None and "page run" in self.move.seen and ear.part == ASKED_FOR:
            self.move.name = ear.setting
        self._look()

    def _name_part(self, delta: Delta, widget: str) -> None:
        """Call a fragment by the first key that somebody gave within it."""
        key = re.sub(r"^\$\$ID-[0-9a-f]*-|None$", "", widget)
        if delta.fragment_id and key:
            self.parts.setdefault(delta.fragment_id, re.sub("[0-9a-f]{16,}:?", "", key))

    def part(self, run: Run) -> str:
        """Return what a run drew: the page, or a part by its name."""
        return "page" if run.is_page else self.parts.get(run.fragments[0], "unnamed")

    def _draw_verdict(self, run: Run) -> None:
        screen = self.screen
        screen.has_new_verdict = self._headline == "new verdict"
        screen.judged_at, screen.judged_by, self._headline = time.monotonic(), run.number, ""
        self._look()

    def _draw_picture(self, message: bytes, run: Run) -> None:
        end = 20 + int.from_bytes(message[16:20], "little")  # as pages.ui.linked_view.messages
        right = json.loads(message[20:end]).get("right")
        if right is None:  # of genes
            return
        self.screen.draw_picture(
            right["note"], dimmed=right["dimmed"], run=run, at=time.monotonic()
        )
        self._look()

    def _look(self) -> None:
        move, screen = self.move, self.screen
        if move is None or screen.dimmed or screen.note != move.setting.note:
            return
        move.see("preview", screen.pictured_at)
        if not screen.is_preview:
            move.see("picture", screen.pictured_at)
        ears = {} if self.line is None else self.line.ears
        if ASKED_FOR in ears:
            self._look_at_parts(move, ears)
        elif screen.has_new_verdict and screen.judged_by >= screen.pictured_by:
            move.see("verdict", max(screen.judged_at, screen.pictured_at))
        self.look_again()

    def _look_at_parts(self, move: Move, ears: Mapping[str, Ear]) -> None:
        now = time.monotonic()
        named = {part for part, ear in ears.items() if move.name and ear.setting == move.name}
        if VERDICT in named:
            move.see("verdict", now)
        if named.issuperset(PARTS) and not any(ears[part].waits for part in PARTS):
            move.see("everything", now)

    def on_end(self, run: Run) -> None:
        fragments = run.fragments
        if not run.superseded:  # bars that this run has not drawn again are gone
            self._bars = {
                place: number
                for place, number in self._bars.items()
                if number == run.number or fragments
            }
            if self.line is not None:
                self.line.forget(run.number, fragments)
        asyncio.get_running_loop().call_later(REST, self._rest, run)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way, as far as the page tells."""
        is_running = self.run is None or not self.run.ended
        is_awaited = self.line is not None and self.line.is_awaited
        return not (is_running or is_awaited or self.timers or self._bars)

    def _rest(self, last: Run) -> None:
        if self.run is not last or not self.is_at_rest:
            return
        move = self.move
        if move is not None and {"picture", "verdict"} <= move.seen.keys():
            for what in ("everything", "rest"):
                move.see(what, max(last.ended, self.screen.pictured_at))
        self.look_again()

    @property
    def has_result(self) -> bool:
        """Whether the page is at rest with a picture and its verdict."""
        screen = self.screen
        return self.is_at_rest and screen.has_new_verdict and not screen.dimmed

    # What the viewer does

    async def close(self) -> None:
        await super().close()
        lines = [] if self.line is None else [self.line.close()]
        await asyncio.gather(*lines, *self._ending)

    async def arrive(self) -> None:
        """Open the page and wait for its first result."""
        began = time.monotonic()
        await self.open()
        await self.until(lambda: self.has_result, PATIENCE)
        self.opened = time.monotonic() - began

    async def go(self, setting: Setting, *, asked_before: bool = False) -> Move:
        """Move the sliders."""
        self.move = Move(setting, asked_before)
        self.moves.append(self.move)
        self.setting = setting
        theta = self._widget(self._sliders, "theta")
        self.set_number(theta, setting.theta)
        self.set_number(self._widget(self._sliders, "sigma"), setting.sigma)
        if automatic := self._widget(self._switches, "automatic"):
            self.set_switch(automatic, setting.nclust is None)
        if nclust := self._widget(self._sliders, "nclust"):
            self.widgets.pop(nclust, None)  # hidden while it is automatic, and then not sent
            if setting.nclust is not None:
                self.set_number(nclust, setting.nclust)
        await self.rerun(self._homes.get(theta, ""))
        return self.move

    async def see(self, what: str, move: Move, seconds: float = PATIENCE) -> bool:
        """Wait until something of a move is seen; return whether it was."""
        with contextlib.suppress(TimeoutError):
            await self.until(lambda: what in move.seen, seconds)
        return what in move.seen

    def _widget(self, widgets: dict[str, str], name: str) -> str:
        return next((id for label, id in widgets.items() if is_named(name, label)), "")

    async def bring(self, name: str, content: bytes) -> None:
        """Upload a file on the Data page, wait until it is read, and come back to its result."""
        await self._turn_to("data page")
        await self.until(lambda: bool(self._uploader), PATIENCE)
        self._text = ""
        await self.upload(self._uploader, f"{name}.h5ad", content)
        await self.until(lambda: name in self._text and self.is_at_rest, 5 * PATIENCE)
        self._sliders.clear()
        self.screen = Screen()
        await self._turn_to("tune page")
        await self.until(lambda: self.has_result, 10 * PATIENCE)

    async def _turn_to(self, name: str) -> None:
        # The page that opens first has no address.
        named = [page for page in self.pages if is_named(name, page)]
        await self.rerun(page=self.pages[named[0] if named else ""])
