"""Pages beside Tune follow work by the line: what it brings is drawn without a page run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui import evidence_table
from tests.browser.conftest import Serve
from tests.browser.test_app import HOLDABLE, WORK, download, held_workers, open_tune, upload
from tests.browser.test_moves import Runs
from tests.browser.test_parts import LINE, STREAM, Wire

SOON = 30_000


def test_what_was_asked_for_comes_by_itself_on_every_page(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    runs = Runs(page)
    open_tune(page, serve("app.py", **HOLDABLE))
    with held_workers():  # so that the page is open before the run is over
        page.get_by_test_id("stSlider").get_by_role("slider").first.press("ArrowRight")
        expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=SOON)
        page.get_by_role("link", name="Marker genes").click()
        page.get_by_role("radio", name="Top markers").click()
        expect(page.get_by_text("theta 2 · sigma 0.1")).to_be_visible(timeout=SOON)
        expect(page.locator("[data-part=markers][data-waits=true]")).to_have_count(1, timeout=SOON)
        runs.begin()
    expect(page.get_by_text("theta 2.25 · sigma 0.1")).to_be_visible(timeout=WORK)
    expect(page.locator("[data-waits=true]")).to_have_count(0, timeout=WORK)
    expect(page.get_by_role("button", name="Download table (CSV)")).to_be_visible(timeout=SOON)
    assert runs.of_page == 0

    page.get_by_role("link", name="Diagnostics").click()
    page.get_by_role("radio", name="Labels").click()
    page.get_by_role("radio", name="scIB scores").click()
    score = page.get_by_role("button", name="Score this run")
    expect(score).to_be_visible(timeout=SOON)
    runs.begin()
    score.click()
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Cancel").click()
    score.click(timeout=SOON)
    expect(page.get_by_role("button", name="Download table (CSV)")).to_be_visible(timeout=WORK)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert runs.of_page == 0

    page.get_by_role("link", name="Export").click()
    make = page.get_by_role("button", name="Make tables")
    expect(make).to_be_visible(timeout=SOON)
    runs.begin()
    make.click()
    assert download(page, "tables", tmp_path).stat().st_size > 0
    assert runs.of_page == 0


def by_link(page: Page) -> None:
    page.get_by_role("link", name="Diagnostics").click()


def through_history(page: Page) -> None:
    # Tune has written its settings into the address, which is an entry of its own.
    page.evaluate("history.go(-2)")
    page.wait_for_url("**/run-diagnostics**", wait_until="commit")


@pytest.mark.parametrize("leave", [by_link, through_history])
def test_a_page_that_is_left_asks_for_nothing_more(
    page: Page, serve: Serve, leave: Callable[[Page], None]
) -> None:
    stream, line = Wire(page, STREAM), Wire(page, LINE)
    page.goto(f"{serve('app.py')}/run-diagnostics")
    expect(page.get_by_role("heading", name="Diagnostics")).to_be_visible(timeout=WORK)
    page.get_by_role("link", name="Tune").click()
    expect(page.locator("[data-part=pictures][data-setting]")).to_have_count(1, timeout=WORK)
    expect(page.locator("[data-waits=true]")).to_have_count(0, timeout=WORK)
    asked: list[str | bytes] = []
    stream.passes = lambda message: False  # the next page is on its way
    stream.asks = lambda message: not asked.append(message)
    leave(page)
    assert line.route is not None
    line.route.send(json.dumps([{"name": evidence_table.MARKS}]))
    page.wait_for_timeout(1500)
    assert len(asked) == 1, "for the next page alone"
    stream.release()
    expect(page.get_by_role("heading", name="Diagnostics")).to_be_visible(timeout=SOON)


def test_a_click_in_which_a_page_run_ends_is_not_lost(page: Page, serve: Serve) -> None:
    stream = Wire(page, STREAM)
    open_tune(page, serve("app.py"))
    expect(page.locator("[data-waits=true]")).to_have_count(0, timeout=WORK)
    stream.passes = lambda message: not (stream.held or is_end_of_page_run(message))
    page.get_by_role("link", name="Marker genes").click()
    view = page.get_by_role("radio", name="Dot plot")
    view.hover()
    page.mouse.down()
    for _ in range(SOON // 50):
        page.wait_for_timeout(50)  # playwright hands over messages only while it waits
        if stream.held:
            break
    stream.release()
    rest = ("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stApp")).to_have_attribute(*rest, timeout=WORK)
    page.mouse.up()
    expect(view).to_be_checked(timeout=SOON)


def is_end_of_page_run(message: str | bytes) -> bool:
    if isinstance(message, str):
        return False
    told = ForwardMsg.FromString(message)
    kind, ended = told.WhichOneof("type"), told.script_finished
    return kind == "script_finished" and ended == ForwardMsg.FINISHED_SUCCESSFULLY


def test_the_data_page_runs_once_when_cells_are_prepared(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.6, 4.0, size=(1, 400)), size=(300, 400)).astype(np.float32)
    own = ad.AnnData(counts)
    own.obs["donor"] = np.repeat(["d1", "d2"], 150)
    own.write_h5ad(tmp_path / "own.h5ad")
    runs = Runs(page)
    page.goto(f"{serve('app.py')}/choose-data")
    upload(page, tmp_path / "own.h5ad")
    expect(page.get_by_role("heading", name="own.h5ad")).to_be_visible(timeout=WORK)
    expect(page.get_by_text("of 300 cells are kept.")).to_be_visible(timeout=WORK)
    expect(page.get_by_text(re.compile(r"\d+ components explain"))).to_have_count(1, timeout=WORK)
    expect(page.locator("[data-waits=true]")).to_have_count(0, timeout=WORK)
    rest = ("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stApp")).to_have_attribute(*rest, timeout=WORK)
    runs.begin()
    page.get_by_text("Leave out likely doublets").click()
    expect(page.get_by_text("Doublet score", exact=True)).to_be_visible(timeout=WORK)
    expect(page.locator("[data-waits=true]")).to_have_count(0, timeout=WORK)
    # For the click and, as other cells may be prepared, for what is known of them then.
    assert runs.of_page == 2
