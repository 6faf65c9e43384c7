"""A move of a slider in Chromium: one page run, one redraw a part, nothing of what is closed."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocket, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.conftest import Serve
from tests.browser.test_app import WORK, open_tune
from tests.browser.test_tuning import pick

PARTS = ("status", "headline", "pictures", "explanation", "genes", "convergence")
SOON = 30_000

SETTINGS = """(parts) => Object.fromEntries(parts.map((name) => {
    const ear = document.querySelector(`[data-part="${name}"]`);
    return [name, ear && ear.dataset.waits === "false" ? ear.dataset.setting : ""];
}))"""


class Runs:
    """Runs of the page and of its parts since the last look, as the browser is told of them."""

    def __init__(self, page: Page) -> None:
        self.of_page = self.of_parts = 0
        page.on("websocket", self._attach)

    def _attach(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._received)

    def _received(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            return  # the page's own line
        message = ForwardMsg.FromString(frame)
        if message.WhichOneof("type") == "new_session":
            if message.metadata.run.fragment_ids:
                self.of_parts += 1
            else:
                self.of_page += 1

    def begin(self) -> None:
        self.of_page = self.of_parts = 0


def settled(page: Page, other_than: str = "") -> str:
    """Wait until all parts show one setting, another than before, and return it."""
    page.wait_for_function(
        f"""([parts, old]) => {{
            const found = Object.values(({SETTINGS})(parts));
            return found[0] && found[0] !== old && found.every((one) => one === found[0]);
        }}""",
        arg=[list(PARTS), other_than],
        timeout=WORK,
    )
    return str(page.evaluate(SETTINGS, list(PARTS))["status"])


def test_a_move_runs_the_page_once_and_what_is_closed_costs_nothing(
    page: Page, serve: Serve
) -> None:
    runs = Runs(page)
    open_tune(page, serve("app.py"))
    first = settled(page)
    slider = page.get_by_test_id("stSlider").get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")  # a first one, so that everything is compiled
    second = settled(page, first)
    runs.begin()
    slider.press("ArrowRight")
    third = settled(page, second)
    assert runs.of_page == 1
    assert runs.of_parts <= 9
    genes = page.locator(".hx-gene-view")
    expect(genes).to_have_attribute("data-setting", third, timeout=SOON)

    runs.begin()
    panel = page.get_by_text("Runs: compare, name, pin")
    expect(page.locator(".st-key-small-multiples")).to_have_count(0)
    panel.click()
    expect(page.locator(".st-key-small-multiples")).to_be_visible(timeout=SOON)
    page.get_by_text("Iterations as film").click()
    expect(page.get_by_text("Preparing").or_(page.get_by_text("Step"))).to_be_visible(timeout=SOON)
    assert runs.of_page == 0

    slider.focus()
    slider.press("ArrowLeft")  # seen before: all of it is in the store
    assert settled(page, third) == second
    assert runs.of_page == 1

    runs.begin()
    # From within a part, which moves the sliders: the page runs once for it.
    pick(page, "Run", "theta 2 · sigma 0.1")
    page.get_by_role("button", name="Show this run").click()
    assert settled(page, second) == first
    expect(slider).to_have_value("2")
    assert runs.of_page == 1
