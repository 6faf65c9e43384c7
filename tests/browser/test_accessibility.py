"""Every page as axe-core judges it for people who see or move differently."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Serve
from tests.browser.test_app import WORK, open_tune, settle

SOON = 30_000
"""Milliseconds for a page on a machine that has other work."""

END_TRANSITIONS = """() => document.getAnimations()
  .filter((animation) => animation instanceof CSSTransition)
  .forEach((transition) => transition.finish())"""
"""Chromium without a screen may leave one under way for as long as nothing else moves."""

EVERYTHING: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
CONTRAST = {**EVERYTHING, "runOnly": ["color-contrast"]}


def test_axe_finds_nothing_serious_on_any_page(page: Page, serve: Serve) -> None:
    open_tune(page, serve("app.py"))
    found = _serious(page, "Tune", EVERYTHING)
    for title in ("Lessons", "Marker genes", "Diagnostics", "Export", "Data"):
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible(timeout=SOON)
        found += _serious(page, title, EVERYTHING)
    # Only colours differ in the dark, and these two have those of every kind.
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = ("background-color", "rgb(18, 25, 27)")
    expect(page.get_by_test_id("stApp")).to_have_css(*dark, timeout=SOON)
    found += _serious(page, "Data, dark", CONTRAST)
    page.get_by_role("link", name="Tune", exact=True).click()
    expect(page.locator("figure[data-painted]")).to_have_count(2, timeout=SOON)
    found += _serious(page, "Tune, dark", CONTRAST)
    assert not found, "\n".join(found)


def _serious(page: Page, where: str, options: dict[str, object]) -> list[str]:
    """Return what axe-core calls serious or critical, with the first element of each."""
    settle(page)
    rest = ("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stApp")).to_have_attribute(*rest, timeout=WORK)
    # Nothing is dimmed because it is being drawn again.
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=WORK)
    page.evaluate(END_TRANSITIONS)
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{where}: {each['help']}: {each['nodes'][0]['html'][:200]} "
        f"({each['nodes'][0]['failureSummary']})"
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]
