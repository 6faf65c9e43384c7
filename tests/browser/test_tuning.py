"""Tune in a real browser: a link, the film, two runs compared, the keyboard, two people at once."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import anndata as ad
import numpy as np
from playwright.sync_api import Browser, Page, TimeoutError, expect

from tests.browser.conftest import Serve
from tests.browser.test_app import WORK, open_tune, settle, shoot, upload

SOON = 30_000
"""Milliseconds for a page on a machine that has other work."""

HOSTILE = (
    '<img src=x onerror="window.pwned=1"> www.a.org a@a.org http://a.org '
    "![a](http://example.org/a.png) [b](javascript:c)"
)


def pick(page: Page, label: str, option: str) -> None:
    """Choose from a list; one that is open closes when the page draws itself anew."""
    wanted = page.get_by_role("option", name=option).first
    for _ in range(6):
        page.get_by_role("combobox", name=label, exact=True).click()
        with contextlib.suppress(TimeoutError):
            wanted.click(timeout=SOON // 6)
            return
    raise AssertionError(f"There is no {option!r} among {label!r}.")


def test_a_link_opens_a_run_that_plays_as_film_and_is_compared(page: Page, serve: Serve) -> None:
    page.goto(f"{serve('app.py')}/?sample=sibling&max_iter=3&colour=true_type&theta=none")
    expect(page.get_by_text("theta must be a number").first).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("2,400 cells").first).to_be_visible()
    expect(page.get_by_text("Verdict", exact=True)).to_be_visible(timeout=WORK)
    expect(page.get_by_role("slider", name="iterations")).to_have_value("3")
    expect(page.get_by_role("combobox", name="Colour by")).to_have_value("true_type")
    settle(page)
    assert "max_iter=3" in page.url
    assert "theta" not in page.url

    page.get_by_text("Iterations as film").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=WORK)
    expect(page.get_by_role("button", name="Play")).to_be_enabled()
    page.get_by_role("button", name="Back", exact=True).click()
    right = page.locator("figure[data-side=right] .title")
    expect(right).to_have_text("After iteration 2", timeout=SOON)
    expect(page.get_by_text("3. Correction in each cluster.")).to_be_visible()
    shoot(page, "film")
    page.get_by_role("button", name="Back", exact=True).click()
    expect(right).to_have_text("After iteration 1", timeout=SOON)
    shoot(page, "film-first")
    for iteration in (2, 3):
        page.get_by_role("button", name="Step", exact=True).click()
        expect(right).to_have_text(f"After iteration {iteration}", timeout=SOON)
    page.get_by_role("button", name="Play").click()
    expect(right).to_have_text("After iteration 1", timeout=SOON)
    expect(right).to_have_text("After iteration 3", timeout=SOON)
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=SOON)
    page.get_by_text("Iterations as film").click()
    expect(right).to_have_text("After Harmony", timeout=SOON)

    page.get_by_role("button", name="Gentle").click()
    note = page.locator("figure[data-side=right] .note")
    expect(note).to_have_text("theta 1 · sigma 0.05", timeout=WORK)
    settle(page)
    assert {"theta=1.0", "sigma=0.05", "max_iter=3"} <= set(re.split("[?&]", page.url))
    page.go_back()
    expect(note).to_have_text("theta 2 · sigma 0.1", timeout=SOON)
    page.go_forward()
    expect(note).to_have_text("theta 1 · sigma 0.05", timeout=SOON)
    page.get_by_text("Runs: compare, name, pin").click()
    pick(page, "Left picture", "theta 2")
    expect(page.get_by_text("Neighbours replaced", exact=True)).to_be_visible(timeout=WORK)
    expect(page.locator("figure[data-side=left] .note")).to_have_text("theta 2 · sigma 0.1")
    page.get_by_role("button", name="Mark the 48 cells").click()
    expect(page.locator(".hx-linked-view")).to_contain_text(
        "48 of 2,400 cells selected", timeout=SOON
    )
    shoot(page, "compare")
    page.get_by_role("button", name="Back to before and after").click()
    expect(page.locator("figure[data-side=left] .title")).to_have_text(
        "Before Harmony", timeout=SOON
    )


def test_the_keyboard_reaches_everything_in_order(page: Page, serve: Serve) -> None:
    open_tune(page, serve("app.py"))
    settle(page)
    wanted = [
        *("Tune", "Gentle", "theta", "sigma", "iterations", "Colour by", "Lasso", "Select view"),
        *("Before Harmony", "After Harmony", "Iterations as film"),
    ]
    reached: list[str] = []
    for _ in range(120):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "() => { const e = document.activeElement;"
            " const label = e.getAttribute('aria-label') || (e.labels?.[0]?.innerText)"
            " || e.innerText || ''; return label.trim(); }"
        )
        if len(reached) < len(wanted) and name.startswith(wanted[len(reached)]):
            reached.append(name)
        if len(reached) == len(wanted):
            break
    assert len(reached) == len(wanted), reached
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name=re.compile("Play|Prepare|Cancel")).first).to_be_visible(
        timeout=SOON
    )
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play")).to_have_count(0, timeout=SOON)


def test_two_sessions_leave_each_other_alone(page: Page, browser: Browser, serve: Serve) -> None:
    url = serve("app.py")
    open_tune(page, url)
    elsewhere = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        other = elsewhere.new_page()
        open_tune(other, f"{url}/?sample=sibling")
        page.get_by_role("button", name="Gentle").click()
        other.get_by_role("button", name="Strong").click()
        notes = {page: "theta 1 · sigma 0.05", other: "theta 4 · sigma 0.1"}
        for one, note in notes.items():
            expect(one.locator("figure[data-side=right] .note")).to_have_text(note, timeout=WORK)
            settle(one)
        assert "sample=kang" in page.url
        assert "sample=sibling" in other.url
        expect(page.locator(".hx-linked-view")).to_contain_text("4,000 cells")
        expect(other.locator(".hx-linked-view")).to_contain_text("2,400 cells")
    finally:
        elsewhere.close()


def test_names_that_are_markup_stay_text(page: Page, serve: Serve, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    types = np.arange(300) % 3
    counts = rng.poisson(rng.gamma(0.6, 4.0, size=(3, 400))[types]).astype(np.float32)
    odd = ad.AnnData(counts)
    column = f"batch {HOSTILE}".replace("/", "")  # which h5ad refuses in a column's name
    odd.obs[column] = np.repeat([f"1 {HOSTILE}", f"2 {HOSTILE}"], 150)
    odd.var_names = [f"{HOSTILE}{i}" for i in range(400)]
    odd.write_h5ad(tmp_path / "odd.h5ad")
    open_tune(page, serve("app.py"))
    page.get_by_role("link", name="Data", exact=True).click()
    upload(page, tmp_path / "odd.h5ad")
    expect(page.get_by_role("heading", name="odd.h5ad")).to_be_visible(timeout=WORK)
    page.get_by_role("link", name="Tune", exact=True).click()
    settle(page)
    expect(page.locator(".hx-linked-view .level").first).to_contain_text("<img src=x", timeout=WORK)
    settle(page)
    page.get_by_role("button", name="Select the cells of 1 <img").press("Enter")
    told = page.get_by_test_id("stMain")
    expect(told).to_contain_text(
        re.compile("150 cells selected · batch <img src=x.*: 1 <img src=x"), timeout=SOON
    )
    expect(told).to_contain_text("were neighbours before, too")
    page.get_by_role("button", name="Marker genes of these cells").click()
    expect(told).to_contain_text("Marker genes of these 150 cells", timeout=WORK)
    pick(page, "Colour by", "A gene")
    pick(page, "Gene", "<img src=x")
    expect(page.locator(".hx-linked-view .legend h4")).to_contain_text("<img src=x", timeout=SOON)
    assert_names_are_text(page)
    page.get_by_role("link", name="Marker genes").click()
    for view in ("Dot plot", "Violins", "Top markers", "Lost markers"):
        page.get_by_role("radio", name=view).click()
        expect(page.get_by_role("radio", name=view)).to_be_checked(timeout=SOON)
        assert_names_are_text(page)


def assert_names_are_text(page: Page) -> None:
    assert page.evaluate("window.pwned") is None
    made = "img[src='x'], img[src*='.org'], a[href*='.org'], a[href^='javascript']"
    assert [found.get_attribute("href") for found in page.locator(made).all()] == []


def test_methods_and_releases_are_asked_for_and_withdrawn(page: Page, serve: Serve) -> None:
    open_tune(page, serve("app.py"))
    settle(page)
    page.get_by_text("Other methods: is Harmony the right tool here?").click()
    expect(page.get_by_text("What was lost", exact=True)).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Harmony", exact=True).first).to_be_visible()
    missing = page.get_by_role("button", name="Methods that are not installed")
    if missing.count():
        missing.click()
        expect(page.get_by_text("-m pip install").first).to_be_visible(timeout=SOON)
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Run both").click()
    page.get_by_role("button", name="Cancel").click(timeout=SOON)
    expect(page.get_by_role("button", name="Run both")).to_be_visible(timeout=SOON)
