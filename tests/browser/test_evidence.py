"""Evidence marks cells, the search for settings starts and stops, the page opens by its address."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Serve
from tests.browser.test_app import WORK, open_tune, shoot

SOON = 30_000
"""Milliseconds for a page on a machine that has other work."""

WITHIN_A_RUN = """(runs) => [...document.querySelectorAll(".harmony-bar")].some((bar) => {
  const ended = runs * parseFloat(bar.lastChild.firstChild.style.width) / 100;
  return bar.textContent.includes(`of ${runs}`) && Math.abs(ended - Math.round(ended)) > 0.02;
})"""
"""Whether the bar of a group stands at none of the ends of its runs."""

ROW_HEIGHT = 35
"""Of Streamlit's table, whose cells are painted, so that none can be asked for by name."""


def test_a_click_on_evidence_marks_its_cells_and_opens_its_genes(page: Page, serve: Serve) -> None:
    url = serve("app.py")
    open_tune(page, url)
    page.get_by_role("link", name="Data", exact=True).click()
    page.locator(".st-key-open-sibling button").click()
    expect(page.get_by_text("2,400 cells").first).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="Tune", exact=True).click()
    expect(page.locator("figure[data-painted]")).to_have_count(2, timeout=SOON)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON)
    table = page.get_by_test_id("stDataFrame").first.locator(".dvn-scroller")
    table.click(position={"x": 16, "y": 1.5 * ROW_HEIGHT})
    # Streamlit's own download of a table would write names as they come, formulas too.
    download = page.locator("button[aria-label^='Download as CSV']")
    expect(download.first).to_be_attached()
    assert not any(button.is_visible() for button in download.all())
    expect(page.get_by_text("Marked:")).to_be_visible(timeout=SOON)
    expect(page.locator(".hx-linked-view")).to_contain_text("of 2,400 cells selected", timeout=SOON)
    genes = page.get_by_role("textbox", name="Genes, separated by commas or spaces")
    expect(genes).not_to_have_value("")
    shoot(page, "evidence-marked")
    page.get_by_role("button", name="Unmark").click()
    expect(page.get_by_text("Marked:")).to_have_count(0, timeout=SOON)
    expect(page.locator(".hx-linked-view")).not_to_contain_text("cells selected", timeout=SOON)


def test_the_search_for_settings_starts_and_can_be_cancelled(page: Page, serve: Serve) -> None:
    open_tune(page, serve("app.py"))
    page.get_by_role("button", name="Suggest settings").click()
    expect(page.get_by_text("of 12 settings").first).to_be_visible(timeout=SOON)
    page.wait_for_function(WITHIN_A_RUN, arg=12, timeout=WORK)
    page.get_by_role("button", name="Cancel").click()  # at once: all twelve take a few seconds
    expect(page.get_by_text("of 12 settings")).to_have_count(0, timeout=SOON)
    again = page.get_by_role("button", name=re.compile("^(Go on|Suggest settings)$"))
    expect(again).to_be_visible(timeout=SOON)


def test_the_diagnostics_page_opens_by_its_address(page: Page, serve: Serve) -> None:
    url = serve("app.py")
    page.goto(f"{url}/run-diagnostics")
    expect(page.get_by_role("heading", name="Diagnostics")).to_be_visible(timeout=SOON)
    page.get_by_role("radio", name="Neighbours").click()
    find = page.get_by_role("button", name="Find neighbours")
    shown = page.get_by_text("Of the 30 nearest neighbours")
    expect(find.or_(shown)).to_be_visible(timeout=SOON)
    if find.is_visible():  # unless the search for settings has left them in the store
        find.click()
    expect(shown).to_be_visible(timeout=WORK)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=SOON)


def test_selected_cells_are_told_of_and_their_marker_genes_colour_the_pictures(
    page: Page, serve: Serve
) -> None:
    open_tune(page, f"{serve('app.py')}/?colour=marker_based_type")
    select = page.get_by_role("button", name="Select the cells of NK")  # seen under the pointer
    select.focus()
    select.press("Enter")
    told = page.get_by_test_id("stMain")
    expect(told).to_contain_text(re.compile(r"201 cells selected · condition: "), timeout=SOON)
    page.get_by_text("Keep genes and evidence below to these cells").click()
    grid = page.locator(".hx-gene-view")
    expect(grid).to_contain_text("Only the 201 selected of 4,000 cells.", timeout=SOON)
    other = page.get_by_role("button", name="Select the cells of B", exact=True)
    other.focus()
    other.press("Enter")  # one selection for all views
    expect(grid).not_to_contain_text("Only the 201 selected", timeout=SOON)
    expect(grid).to_contain_text("selected of 4,000 cells.")
    select.focus()
    select.press("Enter")
    expect(grid).to_contain_text("Only the 201 selected of 4,000 cells.", timeout=SOON)
    # The sample comes without neighbours: they are found now.
    expect(told).to_contain_text("Of their 30 nearest neighbours after Harmony", timeout=WORK)
    expect(told).to_contain_text(re.compile(r"control \(\d+ cells\): \d+% kept; the new ones are"))
    page.get_by_role("button", name="Marker genes of these cells").click()
    expect(told).to_contain_text("Marker genes of these 201 cells", timeout=WORK)
    table = page.get_by_test_id("stDataFrame").first.locator(".dvn-scroller")
    table.click(position={"x": 16, "y": 1.5 * ROW_HEIGHT})
    legend = page.locator(".hx-linked-view .legend h4")
    expect(legend).to_have_text(re.compile("^(GNLY|NKG7|GZMB|PRF1|CTSW|GZMA)"), timeout=SOON)
    expect(page.locator(".hx-linked-view")).to_contain_text("201 of 4,000 cells selected")
    page.get_by_role("link", name="Marker genes", exact=True).click()
    page.get_by_role("radio", name="Dot plot").click()
    page.get_by_text("Only the 201 cells selected on Tune").click()
    expect(page.get_by_role("switch", name="Only the 201 cells")).to_be_checked(timeout=SOON)
    page.get_by_role("link", name="Tune", exact=True).click()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(told).not_to_contain_text("cells selected", timeout=SOON)


def test_a_lesson_sees_what_was_done_and_goes_on(page: Page, serve: Serve) -> None:
    page.goto(f"{serve('app.py')}/?lesson=over_correction&step=4")
    expect(page.get_by_text("step 4 of 6")).to_be_visible(timeout=SOON)
    lesson = page.locator(".st-key-lesson")
    expect(lesson).to_contain_text("31 % of the neighbours of T1 changed label", timeout=WORK)
    expect(lesson).not_to_contain_text("Done.")
    page.get_by_role("button", name="Gentle").click()
    expect(lesson).to_contain_text("theta is 1 (asked for: 2)", timeout=WORK)
    theta = page.get_by_role("slider", name="theta").first
    theta.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(lesson).to_contain_text("Done. In these data a narrower sigma does both", timeout=WORK)
    lesson.get_by_role("button", name="Next step").click()
    expect(lesson).to_contain_text("step 5 of 6: The same in real cells", timeout=SOON)
    expect(lesson).to_contain_text("of the neighbours of NK changed label", timeout=WORK)
    expect(page.locator(".hx-linked-view")).to_contain_text("80 of 3,000 cells", timeout=SOON)
