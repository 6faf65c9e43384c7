"""The main job in a real browser: see, move theta, watch everything change, export it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from playwright.sync_api import Page, expect

from tests.browser.conftest import Serve
from tests.io.formats import matrix_folder, zipped
from tests.server import wait_until

SCREENSHOTS = Path(__file__).parent / "screenshots"

HOLDABLE = {"THIS_SERVER": "holdable"}
"""Environment of the server whose workers a test may hold, which would keep others waiting."""

WORK = 240_000
"""Milliseconds for a run on a cold worker, which compiles first."""


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page, which the documentation shows."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def open_tune(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_text("Verdict", exact=True)).to_be_visible(timeout=30_000)
    expect(page.locator("figure[data-painted]")).to_have_count(2, timeout=30_000)


def settle(page: Page) -> None:
    """Wait until the run under way is over and its result drawn."""
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=WORK)


def upload(page: Page, *files: Path) -> None:
    """Give files to the page as a person would: when it has come to rest."""
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible(timeout=WORK)
    settle(page)
    rest = ("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stApp")).to_have_attribute(*rest, timeout=WORK)
    chooser = page.locator('[class*="st-key-upload-"] input[type="file"]')
    # After an upload a new one takes the place of the old.
    expect(chooser).to_have_count(1, timeout=WORK)
    chooser.set_input_files(files)


def download(page: Page, what: str, folder: Path) -> Path:
    """Wait until a file is made and save it."""
    button = page.get_by_role("button", name=f"Download {what}")
    expect(button).to_be_visible(timeout=WORK)
    with page.expect_download() as found:
        button.click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def test_theta_moves_picture_and_verdict_and_the_h5ad_comes_home(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    open_tune(page, serve("app.py"))
    expect(page.get_by_text("Looks right").first).to_be_visible()
    shoot(page, "tune-at-first-sight")
    mixing = page.get_by_test_id("stMetricValue").first
    before = mixing.inner_text()

    theta = page.get_by_role("slider", name="theta").first
    theta.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("theta 0 · sigma 0.1").first).to_be_visible(timeout=WORK)
    settle(page)
    expect(page.get_by_text("Under-corrected", exact=False).first).to_be_visible()
    assert mixing.inner_text() != before
    shoot(page, "tune-theta-0")

    page.get_by_role("link", name="Export").click()
    for what in ("h5ad", "Python script", "report"):
        page.get_by_role("button", name=f"Make {what}").click()
    adata = ad.read_h5ad(download(page, "h5ad", tmp_path))
    assert {"X_pca", "X_pca_harmony", "X_umap", "X_umap_uncorrected"} <= set(adata.obsm)
    assert {"condition", "marker_based_type", "leiden"} <= set(adata.obs)
    assert {"neighbors", "rank_genes_groups"} <= set(adata.uns)
    assert (adata.X.data == np.round(adata.X.data)).all()
    script = download(page, "Python script", tmp_path).read_text("utf-8")
    assert "harmonypy.run_harmony(" in script
    compile(script, "script", "exec")
    report = download(page, "report", tmp_path)
    shoot(page, "export")
    # From a file, as a colleague opens it; the page fixture sees to it that nothing is loaded.
    page.goto(report.as_uri())
    expect(page.get_by_role("heading", name="Runs compared")).to_be_visible()
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_cancel_keeps_the_old_result(page: Page, serve: Serve) -> None:
    open_tune(page, serve("app.py", **HOLDABLE))
    with held_workers():  # or the run would be over before it can be cancelled
        sigma = page.get_by_role("slider", name="sigma").first
        sigma.focus()
        page.keyboard.press("ArrowRight")
        page.get_by_role("button", name="Cancel").click(timeout=30_000)
        expect(page.get_by_text("Cancelled.")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("theta 2 · sigma 0.1").first).to_be_visible()
        expect(page.get_by_test_id("stMetricValue").first).to_be_visible()


@contextlib.contextmanager
def held_workers() -> Iterator[None]:
    """Have the workers of the server that was started with `HOLDABLE` do nothing meanwhile."""
    mark = "=".join(*HOLDABLE.items()).encode()
    wait_until(lambda: bool(_workers(mark)), "the server started no worker")
    workers = _workers(mark)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)


def _workers(mark: bytes) -> list[int]:
    """Return the workers whose environment has a mark."""
    workers = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            called = (folder / "cmdline").read_bytes()
            if b"spawn_main" in called and mark in (folder / "environ").read_bytes():
                workers.append(int(folder.name))
    return workers


def test_own_h5ad_and_what_is_not_one(page: Page, serve: Serve, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    types = np.arange(300) % 3
    counts = rng.poisson(rng.gamma(0.6, 4.0, size=(3, 400))[types]).astype(np.float32)
    own = ad.AnnData(counts)
    own.obs["donor"] = np.repeat(["d1", "d2"], 150)
    own.write_h5ad(tmp_path / "own.h5ad")
    (tmp_path / "broken.h5ad").write_bytes((tmp_path / "own.h5ad").read_bytes()[:5000])
    (tmp_path / "text.h5ad").write_text("not an h5ad at all")

    open_tune(page, serve("app.py"))
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_role("heading", name="Kang PBMC")).to_be_visible()
    refused = {"text.h5ad": "is not an HDF5 file", "broken.h5ad": "is cut short"}
    for name, sentence in refused.items():
        upload(page, tmp_path / name)
        expect(page.get_by_role("alert").get_by_text(sentence)).to_be_visible(timeout=WORK)
        expect(page.get_by_text("The dataset you had before is still in hand.")).to_be_visible()
        expect(page.get_by_role("heading", name="Kang PBMC")).to_be_visible()
    upload(page, tmp_path / "own.h5ad")
    expect(page.get_by_role("heading", name="own.h5ad")).to_be_visible(timeout=WORK)
    expect(page.get_by_text("300 cells, 400 genes")).to_be_visible()
    shoot(page, "data-own")
    page.get_by_role("link", name="Go to Tune").click()
    expect(page.locator("figure[data-painted]")).to_have_count(2, timeout=WORK)
    settle(page)


def test_two_tables_and_a_10x_folder_become_one_run(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    genes = [*("ACTB", "GAPDH", "MALAT1", "MT-CO1"), *(f"RPL{i}" for i in range(396))]
    for number, shift in enumerate((1.0, 1.4)):
        types = np.arange(200) % 3
        means = np.random.default_rng(0).gamma(0.6, 4.0, size=(3, 400))[types] * shift
        counts = rng.poisson(means)
        if number == 0:
            table = pd.DataFrame(counts, [f"a{i}" for i in range(200)], genes)
            table.to_csv(tmp_path / "first lane.csv")
            continue
        second = ad.AnnData(
            sp.csr_matrix(counts.astype(np.float32)),
            obs=pd.DataFrame(index=[f"b{i}" for i in range(200)]),
            var=pd.DataFrame({"gene_ids": [f"ENSG{i:011d}" for i in range(400)]}, index=genes),
        )
        files = matrix_folder(second[:, :390].copy(), prefix="second_")
        zipped(files, tmp_path / "second lane.zip")
    open_tune(page, serve("app.py"))
    page.get_by_role("link", name="Data", exact=True).click()
    both = [tmp_path / "first lane.csv", tmp_path / "second lane.zip"]
    upload(page, *both)
    expect(page.get_by_text("400 cells, 390 genes")).to_be_visible(timeout=WORK)
    expect(page.get_by_text("10 of 400 in 'first lane'")).to_be_visible(timeout=WORK)
    expect(page.get_by_text("400 of 400 cells are kept.")).to_be_visible(timeout=WORK)
    expect(page.get_by_text("Preparing cells and genes")).to_have_count(0, timeout=WORK)
    fewest = page.get_by_role("spinbutton", name="Fewest genes a cell")
    fewest.fill("5000")
    fewest.press("Enter")
    expect(page.get_by_text("0 of 400 cells are kept.", exact=True)).to_be_visible(timeout=WORK)
    fewest.fill("0")
    fewest.press("Enter")
    expect(page.get_by_text("400 of 400 cells are kept.")).to_be_visible(timeout=WORK)
    page.get_by_role("link", name="Go to Tune").click()
    expect(page.locator("figure[data-painted]")).to_have_count(2, timeout=WORK)
    settle(page)
    expect(page.get_by_text("corrected for file")).to_be_visible(timeout=WORK)


def test_addresses_never_bypass_the_entry(page: Page, serve: Serve) -> None:
    url = serve("app.py")
    for address in ("tuning", "choose-data", "run-diagnostics", "run-export"):
        page.goto(f"{url}/{address}")
        expect(page.get_by_role("link", name="Export")).to_be_visible(timeout=30_000)
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_old_addresses_lead_to_their_pages_also_first_on_a_new_server(
    page: Page, new_server: str
) -> None:
    for old, new, title in [
        ("take-away", "run-export", "Export"),  # the first that the server is asked for
        ("evidence", "run-diagnostics", "Diagnostics"),
    ]:
        query = "?sample=sibling&theta=4"
        page.goto(f"{new_server}/{old}{query}")
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible(timeout=30_000)
        expect(page).to_have_url(f"{new_server}/{new}{query}")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_role("link", name=title, exact=True)).to_have_count(1)
        page.get_by_role("link", name="Tune", exact=True).click()
        expect(page.get_by_text("theta 4").first).to_be_visible(timeout=WORK)


def test_dark_and_wide(page: Page, serve: Serve) -> None:
    page.emulate_media(color_scheme="dark")
    open_tune(page, serve("app.py"))
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        expect(page.locator("figure[data-painted]")).to_have_count(2, timeout=30_000)


def test_a_page_asked_for_by_its_files_name_opens_also_first_of_all(
    page: Page, new_server: str
) -> None:
    """Streamlit would run that file alone at the first request to a new server."""
    page.goto(f"{new_server}/markers")
    expect(page.get_by_role("heading", name="Marker genes")).to_be_visible(timeout=30_000)
    assert page.url.split("?")[0] == f"{new_server}/marker-genes"
