"""The linked view in Chromium, and the packing of what it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from pages.ui.linked_view.messages import (
    MISSING,
    Categories,
    Values,
    columns_message,
    layout_message,
)
from pages.ui.linked_view.selection_state import (
    SelectionState,
    next_selection,
    pack_bits,
    unpack_bits,
)

COLUMNS, ROWS = 50, 40
BATCH_COLORS = [(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73)]

Serve = Callable[..., str]


class View:
    """The view on a page, spoken to in cells instead of pixels."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".hx-linked-view")

    def figure(self, side: str) -> Locator:
        return self.root.locator(f"figure[data-side={side}]")

    def canvas(self, side: str) -> Locator:
        return self.figure(side).locator("canvas").first

    def settled(self) -> None:
        """Wait until both pictures are painted at rest."""
        for side in ("left", "right"):
            expect(self.figure(side)).to_have_attribute("data-painted", re.compile("."))

    def painted(self, side: str) -> str:
        return self.figure(side).get_attribute("data-painted") or ""

    def wait_for_change(self, side: str, before: str) -> None:
        expect(self.figure(side)).not_to_have_attribute("data-painted", before)
        self.settled()

    def place(self, side: str, column: float, row: float) -> tuple[float, float]:
        """Where a place of the grid lies within the panel when all cells are in view."""
        box = self.canvas(side).bounding_box()
        assert box is not None
        margin = 0.04 * (COLUMNS - 1)
        across = box["width"] / (COLUMNS - 1 + 2 * margin)
        down = box["height"] / (ROWS - 1 + 2 * margin)
        # The view stretches one axis by no more than 1.3.
        sx, sy = min(across, 1.3 * down), min(down, 1.3 * across)
        turn = 1 if side == "left" else -1
        x = box["width"] / 2 + turn * (column - (COLUMNS - 1) / 2) * sx
        y = box["height"] / 2 - turn * (row - (ROWS - 1) / 2) * sy
        return x, y

    def on_page(self, side: str, column: float, row: float) -> tuple[float, float]:
        box = self.canvas(side).bounding_box()
        assert box is not None
        x, y = self.place(side, column, row)
        return box["x"] + x, box["y"] + y

    def drag(self, side: str, corners: list[tuple[float, float]]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.on_page(side, *corners[0]))
        mouse.down()
        for corner in corners[1:]:
            mouse.move(*self.on_page(side, *corner), steps=5)
        mouse.up()

    def lasso(self, side: str, columns: range, rows: range) -> None:
        """Draw around a block of the grid."""
        left, right = columns[0] - 0.5, columns[-1] + 0.5
        low, high = rows[0] - 0.5, rows[-1] + 0.5
        self.drag(side, [(left, low), (right, low), (right, high), (left, high), (left, low)])

    def selected(self) -> int:
        return int(self.root.get_attribute("data-selected") or -1)

    def pixel(self, side: str, column: float, row: float) -> tuple[int, int, int]:
        x, y = self.place(side, column, row)
        values = self.canvas(side).evaluate(
            """(canvas, [x, y]) => [...canvas.getContext("2d").getImageData(
                 x * canvas.width / canvas.clientWidth,
                 y * canvas.height / canvas.clientHeight, 1, 1).data]""",
            [x, y],
        )
        return values[0], values[1], values[2]

    def hover(self, side: str, column: float, row: float) -> Locator:
        self.page.mouse.move(*self.on_page(side, column, row))
        return self.root.locator(".card")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def level(self, name: str) -> Locator:
        return self.root.locator(".level", has_text=name)

    def reported(self, text: str) -> None:
        """Wait for what Python says it has received."""
        expect(self.page.get_by_text("selected:")).to_have_text(f"selected: {text}")


def block(columns: range, rows: range) -> list[int]:
    return [row * COLUMNS + column for row in rows for column in columns]


def near(pixel: tuple[int, int, int], color: tuple[int, ...], within: int = 30) -> bool:
    return all(abs(a - b) <= within for a, b in zip(pixel, color, strict=True))


@pytest.fixture
def view(page: Page, serve: Serve) -> View:
    page.goto(serve("tests/browser/linked_view_app.py"))
    view = View(page)
    view.settled()
    return view


# What both sides agree on, without a browser.


@pytest.mark.parametrize("n_cells", [1, 7, 8, 9, 1000])
def test_selection_survives_packing(n_cells: int) -> None:
    mask = np.random.default_rng(n_cells).random(n_cells) < 0.4
    mask[0] = True
    np.testing.assert_array_equal(unpack_bits(pack_bits(mask), n_cells), mask)


@pytest.mark.parametrize("bits", ["", "%%", "AAA=", "AAAA", pack_bits(np.ones(999, bool))])
def test_bits_that_are_no_selection_are_none(bits: str) -> None:
    assert unpack_bits(bits, 8) is None


def open_message(message: bytes) -> tuple[dict[str, object], list[np.ndarray]]:
    length = int.from_bytes(message[16:20], "little")
    header = json.loads(message[20 : 20 + length])
    offset, arrays = 20 + length + -(20 + length) % 4, []
    for entry in header["arrays"]:
        dtype = {1: np.uint8, 2: np.dtype("<u2")}[entry["width"]]
        arrays.append(np.frombuffer(message, dtype, entry["bytes"] // entry["width"], offset))
        offset += entry["bytes"] + -entry["bytes"] % 4
    return header, arrays


def test_positions_keep_their_place_to_a_65534th() -> None:
    points = np.random.default_rng(0).normal(size=(101, 2)).astype(np.float32) * [1, 1000]
    points[5, 1] = np.nan
    header, [steps] = open_message(layout_message(points).data)
    x0, x1, y0, y1 = header["bounds"]
    x, y = steps.reshape(2, -1).astype(float)
    assert x[5] == y[5] == MISSING
    rest = np.arange(101) != 5
    restored = np.column_stack([x0 + x / 65534 * (x1 - x0), y0 + y / 65534 * (y1 - y0)])[rest]
    np.testing.assert_allclose(restored[:, 0], points[rest, 0], atol=(x1 - x0) / 65534)
    np.testing.assert_allclose(restored[:, 1], points[rest, 1], atol=(y1 - y0) / 65534)


def test_a_picture_without_any_position_has_no_bounds() -> None:
    header, [steps] = open_message(layout_message(np.full((3, 2), np.nan)).data)
    assert header["bounds"] is None
    assert (steps == MISSING).all()


def test_columns_keep_missing_values_and_odd_names() -> None:
    columns = {
        "colour": Categories("b", np.array([0, -1, 1]), ("<b>", "x\0y"), ("red", "blue")),
        "gene": Values("g", np.array([np.nan, 1.0, 3.0]), 0, 2),
        "flat": Values("f", np.full(3, 7.0), 0, 2),
        "cell": ["a\0b", "\u00e9", "c"],
    }
    header, arrays = open_message(columns_message(columns).data)
    described = header["columns"]
    assert [column["role"] for column in described] == list(columns)
    assert described[0]["levels"] == ["<b>", "x\0y"]
    assert arrays[0].tolist() == [0, MISSING, 1]
    assert arrays[1].tolist() == [MISSING, 0, MISSING - 1]
    assert described[2]["range"] == [7.0, 7.0]
    assert arrays[2].tolist() == [0, 0, 0]
    assert arrays[3].tobytes().decode().split("\0") == ["a b", "\u00e9", "c"]


def test_the_digest_follows_the_content() -> None:
    points = np.arange(8.0).reshape(4, 2)
    assert layout_message(points) == layout_message(points.copy())
    assert layout_message(points).address != layout_message(points[::-1]).address


def test_a_code_without_level_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond its 1 levels"):
        columns_message({"colour": Categories("b", np.array([0, 1]), ("x",))})


def test_python_and_the_user_take_turns_in_selecting() -> None:
    def ask(*cells: int) -> np.ndarray:
        return np.isin(np.arange(10), cells)

    state = next_selection(None, None, None, 10)
    assert state.bits == ""
    state = next_selection(state, {"token": 0, "bits": pack_bits(ask(1))}, None, 10)
    assert state.bits == pack_bits(ask(1))
    # Python asks; the browser has not seen it yet and still reports the old lasso.
    state = next_selection(state, {"token": 0, "bits": pack_bits(ask(1))}, ask(2, 3), 10)
    assert state.bits == pack_bits(ask(2, 3))
    state = next_selection(state, {"token": 0, "bits": pack_bits(ask(1))}, ask(2, 3), 10)
    assert state.bits == pack_bits(ask(2, 3))
    # The user's next lasso holds against the same request of Python's.
    state = next_selection(state, {"token": 1, "bits": pack_bits(ask(4))}, ask(2, 3), 10)
    assert state.bits == pack_bits(ask(4))
    state = next_selection(state, {"token": 1, "bits": pack_bits(ask(4))}, None, 10)
    assert state.bits == pack_bits(ask(4))
    # Asking anew after a pause counts as a new request; an empty mask clears.
    state = next_selection(state, {"token": 1, "bits": pack_bits(ask(4))}, ask(2, 3), 10)
    assert state.bits == pack_bits(ask(2, 3))
    assert next_selection(state, None, ask(), 10).bits == ""
    # Another number of cells is another data set.
    assert next_selection(
        state, {"token": 2, "bits": pack_bits(ask(4))}, None, 11
    ) == SelectionState(11, token=3)


@pytest.mark.parametrize("reported", [None, "x", {"token": 0}, {"token": 0, "bits": "!"}])
def test_a_report_that_makes_no_sense_changes_nothing(reported: object) -> None:
    state = SelectionState(10, bits=pack_bits(np.ones(10, bool)))
    assert next_selection(state, reported, None, 10) == state


# In the browser.


def test_each_cell_lies_where_it_should_in_its_batch_color(view: View) -> None:
    for column, row in [(0, 0), (49, 39), (17, 23), (18, 23)]:
        color = BATCH_COLORS[(row * COLUMNS + column) % 3]
        assert near(view.pixel("left", column, row), color)
        assert near(view.pixel("right", column, row), color)


def test_hover_names_the_cell_and_rings_it_in_both(view: View) -> None:
    card = view.hover("right", 7, 3)
    expect(card).to_contain_text("cell 157 ")
    expect(card).to_contain_text("0.7")
    for side in ("left", "right"):
        x, y = view.place(side, 7, 3)
        ink = (
            view.figure(side)
            .locator("canvas")
            .nth(1)
            .evaluate(
                """(canvas, [x, y]) => canvas.getContext("2d").getImageData(
                 (x + 7) * canvas.width / canvas.clientWidth,
                 y * canvas.height / canvas.clientHeight, 1, 1).data[3]""",
                [x, y],
            )
        )
        assert ink > 100
    view.page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def test_lasso_highlights_the_same_cells_in_both_and_reaches_python(view: View) -> None:
    columns, rows = range(10, 20), range(5, 12)
    full = view.pixel("right", 12, 7)
    view.lasso("left", columns, rows)
    assert view.selected() == 70  # before Python has answered
    view.settled()
    cells = block(columns, rows)
    view.reported(f"70 sum {sum(cells)}")
    assert near(view.pixel("right", 12, 7), full)
    white = (255, 255, 255)
    assert near(view.pixel("right", 30, 7), white, within=60)
    assert not near(full, white, within=60)
    expect(view.level("ctrl")).to_contain_text(" of 667")

    # From the other picture, adding with Shift, removing with Alt.
    view.page.keyboard.down("Shift")
    view.lasso("right", range(30, 32), range(2))
    view.page.keyboard.up("Shift")
    view.reported(f"74 sum {sum(cells) + sum(block(range(30, 32), range(2)))}")
    view.button("Box").click()
    view.page.keyboard.down("Alt")
    view.drag("left", [(9.5, 4.5), (19.5, 10.5)])
    view.page.keyboard.up("Alt")
    view.reported(f"14 sum {sum(block(columns, range(11, 12))) + 30 + 31 + 80 + 81}")
    view.button("Clear").click()
    view.reported("none")


def test_zoom_legend_and_selection_survive_a_slider_move(view: View) -> None:
    view.lasso("left", range(5), range(5))
    view.reported(f"25 sum {sum(block(range(5), range(5)))}")
    view.level("stim").click()
    expect(view.level("stim")).to_have_attribute("aria-pressed", "false")
    view.button("Zoom in").click()
    view.settled()
    corner = view.hover("left", 24.5 + 5 / 1.5, 19.5 + 5 / 1.5)
    name = corner.inner_text()
    view.settled()
    before = {side: view.painted(side) for side in ("left", "right")}

    view.page.get_by_role("slider").focus()
    view.page.keyboard.press("ArrowRight")
    view.wait_for_change("right", before["right"])
    assert view.painted("left") == before["left"]
    expect(view.figure("right")).to_contain_text("preview")
    expect(view.level("stim")).to_have_attribute("aria-pressed", "false")
    assert view.selected() == 25
    assert view.hover("left", 24.5 + 5 / 1.5, 19.5 + 5 / 1.5).inner_text() == name

    # Another colouring has its own legend, and the first one comes back as it was.
    view.page.get_by_text("cluster", exact=True).click()
    expect(view.level("C19")).to_be_visible()
    view.page.get_by_text("batch", exact=True).first.click()
    expect(view.level("stim")).to_have_attribute("aria-pressed", "false")


def test_state_survives_when_the_view_is_taken_away_and_comes_back(view: View) -> None:
    view.lasso("left", range(5), range(5))
    view.reported(f"25 sum {sum(block(range(5), range(5)))}")
    view.level("stim").click()
    view.page.get_by_text("view", exact=True).click()
    expect(view.root).to_have_count(0)
    view.page.get_by_text("view", exact=True).click()
    view.settled()
    assert view.selected() == 25
    expect(view.level("stim")).to_have_attribute("aria-pressed", "false")
    view.reported(f"25 sum {sum(block(range(5), range(5)))}")


def test_only_what_changed_is_sent(page: Page, serve: Serve) -> None:
    received: list[int] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))),
    )
    page.goto(serve("tests/browser/linked_view_app.py", LINKED_VIEW_CELLS="20000"))
    view = View(page)
    view.settled()
    expect(page.get_by_text("selected: none")).to_be_visible()
    first = sum(received)
    received.clear()
    before = view.painted("right")
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    view.wait_for_change("right", before)
    # Four bytes a cell for the new positions; neither the rest nor the view's own script.
    assert 80_000 < sum(received) < 80_000 + 20_000
    assert first > 2_000_000


def test_legend_hides_isolates_and_selects(view: View) -> None:
    view.level("ctrl").click()
    white = (255, 255, 255)
    view.settled()
    assert near(view.pixel("left", 0, 0), white)
    assert near(view.pixel("right", 1, 0), BATCH_COLORS[1])
    # What is hidden can't be selected.
    view.lasso("left", range(3), range(1))
    assert view.selected() == 2
    view.level("stim").dblclick()
    for name, shown in [("ctrl", "false"), ("stim", "true"), ("img", "false")]:
        expect(view.level(name)).to_have_attribute("aria-pressed", shown)
    view.level("stim").dblclick()
    expect(view.level("ctrl")).to_have_attribute("aria-pressed", "true")
    expect(view.button("Show all levels")).to_be_hidden()
    view.level("ctrl").hover()
    view.button("Select the cells of ctrl").click()
    view.reported(f"667 sum {sum(range(0, 2000, 3))}")


def test_many_levels_can_be_searched_and_counted_by_batch(view: View) -> None:
    view.page.get_by_text("cluster", exact=True).click()
    expect(view.level("C19")).to_contain_text("100")
    view.root.get_by_role("searchbox").fill("c1")
    expect(view.root.locator(".row:visible")).to_have_count(11)
    # A rerun leaves the search alone.
    view.page.get_by_role("slider").focus()
    before = view.painted("right")
    view.page.keyboard.press("ArrowRight")
    view.wait_for_change("right", before)
    expect(view.root.locator(".row:visible")).to_have_count(11)
    view.root.get_by_text("Counts by batch").click()
    row = view.root.locator("tr", has_text="C0")
    expect(row.locator("td")).to_have_text(["34", "33", "33"])


def test_numbers_have_a_scale_with_its_ends(view: View) -> None:
    view.page.get_by_text("gene", exact=True).first.click()
    expect(view.root.locator(".ends span")).to_have_text(["0", "≥ 4"])
    expect(view.root.locator(".missing")).to_have_text("286 cells without a value")
    view.settled()
    low, high = view.pixel("left", 1, 0), view.pixel("left", 48, 0)
    assert sum(low) - sum(high) > 150
    # Beyond the end of the scale the colour stays what it is at the end.
    assert near(view.pixel("left", 41, 0), high, within=3)


def test_python_can_impose_a_selection_and_the_user_can_replace_it(view: View) -> None:
    view.page.get_by_text("evidence", exact=True).click()
    expect(view.root).to_have_attribute("data-selected", "100")
    view.reported(f"100 sum {sum(range(100))}")
    view.lasso("right", range(4), range(10, 12))
    view.reported(f"8 sum {sum(block(range(4), range(10, 12)))}")
    assert view.selected() == 8
    view.page.get_by_text("evidence", exact=True).click()
    view.page.get_by_text("evidence", exact=True).click()
    expect(view.root).to_have_attribute("data-selected", "100")
    view.reported(f"100 sum {sum(range(100))}")


def test_names_from_a_file_stay_text(view: View) -> None:
    card = view.hover("left", 2, 0)
    expect(card).to_contain_text("<script>window.evil=1</script> **b** [l](http://e.vil)")
    expect(view.level("<img src=x onerror")).to_have_count(1)
    assert view.root.locator("img, script, a").count() == 0
    assert view.page.evaluate("window.evil") is None


def test_everything_can_be_reached_by_keyboard(view: View) -> None:
    keyboard = view.page.keyboard
    view.root.get_by_role("button", name="Lasso").focus()
    seen = []
    for _ in range(20):
        keyboard.press("Tab")
        seen.append(
            view.page.evaluate(
                "[document.activeElement.tagName, document.activeElement.textContent].join(' ')"
            )
        )
    for wanted in ["BUTTON Box", "BUTTON Move", "BUTTON Fit", "INPUT ", "CANVAS "]:
        assert wanted in seen
    assert "BUTTON only" in seen
    assert "BUTTON select" in seen

    view.canvas("left").focus()
    keyboard.press("+")
    # The cell under the crosshair is named without a mouse.
    card = view.root.locator(".card")
    expect(card).to_be_visible()
    first = card.inner_text()
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    expect(card).not_to_have_text(first)
    view.button("Select view").focus()
    keyboard.press("Enter")
    view.settled()
    assert 0 < view.selected() < 2000
    view.canvas("left").focus()
    keyboard.press("Escape")
    view.reported("none")


def test_the_pictures_have_a_text_alternative(view: View) -> None:
    label = view.canvas("right").get_attribute("aria-label") or ""
    assert label.startswith("After: 2,000 cells coloured by batch. ctrl 667, stim 667, <img")
    assert label.endswith("Mixing 1.5.")
    view.lasso("left", range(5), range(5))
    expect(view.canvas("left")).to_have_attribute("aria-label", re.compile("25 cells selected"))


def test_a_switch_unties_the_cameras(view: View) -> None:
    view.root.get_by_role("checkbox", name="Move both").uncheck()
    view.canvas("left").focus()
    view.page.keyboard.press("+")
    expect(view.hover("right", 3, 4)).to_contain_text("cell 203 ")
    expect(view.hover("left", 24.5 + 5.5 * 1.25, 19.5 + 4.5 * 1.25)).to_contain_text("cell 1230 ")
    view.root.get_by_role("checkbox", name="Move both").check()
    view.settled()
    expect(view.hover("right", 24.5 + 5.5 * 1.25, 19.5 + 4.5 * 1.25)).to_contain_text("cell 1230 ")


def test_wheel_zooms_only_a_picture_that_was_clicked(view: View) -> None:
    view.hover("left", 30, 24)
    view.page.mouse.wheel(0, -200)
    expect(view.figure("left").locator("[data-hint]")).to_be_visible()
    expect(view.hover("left", 30.6, 24)).to_contain_text("cell 1231 ")
    view.canvas("left").focus()
    view.hover("left", 30, 24)
    view.page.mouse.wheel(0, -200)
    view.settled()
    # The cell under the pointer stays there, and its neighbours move away.
    expect(view.hover("left", 30, 24)).to_contain_text("cell 1230 ")
    expect(view.hover("left", 30.6, 24)).to_contain_text("cell 1230 ")
    view.page.mouse.dblclick(*view.on_page("left", 30, 24))
    view.settled()
    expect(view.hover("left", 30.6, 24)).to_contain_text("cell 1231 ")


RECORD = """() => {
  const figure = document.querySelector("figure[data-side=right]");
  window.states = [];
  new MutationObserver(() => window.states.push(figure.dataset.painted))
    .observe(figure, { attributes: true, attributeFilter: ["data-painted"] });
}"""


def change_positions(view: View) -> list[str]:
    """Move the slider; say which states the right picture went through, empty while gliding."""
    view.page.evaluate(RECORD)
    before = view.painted("right")
    view.page.get_by_role("slider").focus()
    view.page.keyboard.press("ArrowRight")
    expect(view.figure("right")).to_have_attribute(
        "data-painted", re.compile(f"^(?!{before}).+"), timeout=10_000
    )
    return list(view.page.evaluate("window.states"))


def test_cells_glide_to_new_positions(view: View) -> None:
    view.page.emulate_media(reduced_motion="no-preference")
    states = change_positions(view)
    assert states.count("") > 1
    assert states[-1] != ""


def test_reduced_motion_jumps(view: View) -> None:
    assert "" not in change_positions(view)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_dark_where_the_page_is(page: Page, serve: Serve, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(serve("tests/browser/linked_view_app.py"))
    view = View(page)
    view.settled()
    assert (sum(view.pixel("left", -1, -1)) < 384) == (scheme == "dark")
