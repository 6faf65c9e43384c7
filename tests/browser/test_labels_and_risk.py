"""Labels from marker genes, blood's and one's own, and the risk: asked for and drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from playwright.sync_api import Page, expect

from tests.browser.conftest import Serve
from tests.browser.test_app import WORK, open_tune, settle
from tests.browser.test_tuning import pick

SOON = 30_000
"""Milliseconds for a page on a machine that has other work."""

OURS = "marker genes (Harmony Explorer)"
OWN = "gene,cell type\nCD3D,Mine T\nCD3E,Mine T\nMS4A1,Mine B\nCD79A,Mine B\n"


def give_table(page: Page, path: Path) -> None:
    """Upload a marker table when the page has come to rest."""
    rest = ("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stApp")).to_have_attribute(*rest, timeout=WORK)
    page.locator('[class*="panel-file"] input[type="file"]').set_input_files(path)


def test_labels_are_made_from_blood_and_from_a_table_of_one_s_own(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "own.csv").write_text(OWN)
    open_tune(page, serve("app.py"))
    page.get_by_role("link", name="Data", exact=True).click()
    pick(page, "Label column", "Make labels from marker genes")
    says = page.get_by_text("These labels are made by Harmony Explorer from marker genes")
    expect(says).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="Go to Tune").click()
    expect(page.get_by_text("Verdict", exact=True)).to_be_visible(timeout=WORK)
    settle(page)
    pick(page, "Colour by", OURS)
    expect(page.locator(".hx-linked-view .legend")).to_contain_text("NK cells", timeout=SOON)
    page.get_by_role("link", name="Data", exact=True).click()
    made = page.get_by_text("of the cells are unsure.")
    expect(made).to_be_visible(timeout=SOON)

    page.get_by_role("radio", name="Table of my own (CSV)").click()
    in_use = page.get_by_text("The marker genes in use stay in use until there are others.")
    expect(in_use).to_be_visible(timeout=SOON)
    give_table(page, tmp_path / "bad.csv")
    refused = page.get_by_role("alert").get_by_text("This is not a text file")
    expect(refused).to_be_visible(timeout=SOON)
    expect(in_use).to_be_visible()
    expect(made).to_be_visible()
    give_table(page, tmp_path / "own.csv")
    expect(refused).to_have_count(0, timeout=SOON)
    expect(in_use).to_have_count(0, timeout=SOON)
    expect(page.get_by_text("The labels are made with the first run on Tune")).to_be_visible(
        timeout=SOON
    )


def test_the_risk_is_estimated_with_progress_and_drawn_while_it_goes_on(
    page: Page, serve: Serve
) -> None:
    page.set_viewport_size({"width": 1920, "height": 1000})
    page.goto(f"{serve('app.py')}/run-diagnostics")
    page.get_by_role("radio", name="States", exact=True).click()
    page.get_by_role("button", name="How far could I go?").click()
    expect(page.get_by_text(re.compile(r"State \d of 7 at theta"))).to_be_visible(timeout=WORK)
    expect(page.locator(".js-plotly-plot")).to_have_count(1, timeout=WORK)
    expect(page.get_by_text("of its neighbours would become other cells").first).to_be_visible()
    page.get_by_role("button", name="Cancel").click()  # the settings that follow take longer
    expect(page.get_by_role("button", name="How far could I go?")).to_be_visible(timeout=SOON)
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    # Streamlit paints a table's cells; the file has what they say.
    with page.expect_download() as table:
        page.get_by_role("button", name="Download table (CSV)").click()
    risks = pd.read_csv(table.value.path())["Risk"].dropna()
    assert len(risks) == 6  # seven types, of which one is too few cells
    assert risks.between(0, 1).all()
