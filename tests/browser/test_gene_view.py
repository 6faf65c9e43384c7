"""Genes on the layouts in Chromium: who is painted where, how dark, and what is sent."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

Serve = Callable[..., str]
SOON = 15_000

INK = """(canvas) => {
    const { width, height } = canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const dark = [0, 0], any = [0, 0];  // in the upper and the lower half
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
        const at = 4 * (y * width + x), half = y < height / 2 ? 0 : 1;
        const light = pixels[at] + pixels[at + 1] + pixels[at + 2];
        if (light < 380) dark[half]++;
        if (light < 740) any[half]++;
    }
    return { dark, any };
}"""
"""How many pixels of a picture are dark, as a high value is, or painted at all."""


def ink(figure: Locator, side: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = figure.locator("canvas").nth(side).evaluate(INK)
    return found


@pytest.fixture
def genes(page: Page, serve: Serve) -> Locator:
    page.goto(serve("tests/browser/linked_view_app.py"))
    page.get_by_text("genes", exact=True).click()
    view = page.locator(".hx-gene-view")
    expect(view).to_have_attribute("data-setting", "shift 0", timeout=SOON)
    return view


def test_high_values_are_dark_where_their_cells_are(genes: Locator) -> None:
    high, low = genes.locator("figure").first, genes.locator("figure").last
    before, after = ink(high, 0), ink(high, 1)
    # The gene is high in the first rows, which lie below before and above after: y is turned.
    assert before["dark"][1] > 20 * max(before["dark"][0], 1)
    assert after["dark"][0] > 20 * max(after["dark"][1], 1)
    assert min(*before["any"], *after["any"]) > 500  # cells without it are there, pale
    other = ink(low, 0)
    assert other["dark"][0] > 20 * max(other["dark"][1], 1)


def test_names_are_text_and_a_move_sends_positions_only(page: Page, genes: Locator) -> None:
    expect(genes.locator("figcaption").last).to_contain_text("<script>window.evil=1</script>")
    assert page.evaluate("window.evil") is None
    held = "() => [...document.querySelectorAll('[data-linked-view-message]')]"
    addresses = f"({held})().map((e) => e.dataset.linkedViewMessage)"
    first = page.evaluate(addresses)
    page.get_by_test_id("stSlider").get_by_role("slider").press("ArrowRight")
    expect(genes).to_have_attribute("data-setting", "shift 1", timeout=SOON)
    second = page.evaluate(addresses)
    assert len(set(first) - set(second)) == 1  # the positions after, which both views draw


def test_only_selected_cells_are_painted(page: Page, genes: Locator) -> None:
    whole = ink(genes.locator("figure").first, 0)
    page.get_by_text("evidence", exact=True).click()
    expect(genes).to_contain_text("Only the 100 selected of 2,000 cells.", timeout=SOON)
    expect(genes).to_have_attribute("data-setting", re.compile("shift"))
    part = ink(genes.locator("figure").first, 0)
    assert part["any"][0] == 0  # the first hundred cells lie in the lowest rows
    assert 0 < part["any"][1] < whole["any"][1]


def test_the_view_follows_the_theme(page: Page, genes: Locator) -> None:
    light = ink(genes.locator("figure").first, 0)["dark"]
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"(least) => ({INK})(document.querySelector('.hx-gene-view canvas')).dark[0] > least",
        arg=10 * sum(light),
        timeout=SOON,
    )
