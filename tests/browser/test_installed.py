"""The dashboard of an installation, opened with a file, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import anndata as ad
from playwright.sync_api import Page, expect

from tests.browser.test_app import WORK
from tests.server import free_port


def test_one_command_opens_a_file_on_screen(
    page: Page, commands: Path, simulated: ad.AnnData, tmp_path: Path
) -> None:
    simulated.write_h5ad(tmp_path / "my cells.h5ad")
    for name in ("app.py", "pages.py"):  # the user's own files of these names don't matter
        (tmp_path / name).write_text("raise SystemExit('not the dashboard')")
    options = ["--batch", "batch", "--label", "true_type", "--no-browser"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        opened = subprocess.Popen(
            [commands / "harmony-explorer", "open", "my cells.h5ad", *options, f"--port={port}"],
            cwd=tmp_path,
            env=environment | {"HARMONY_EXPLORER_HOME": str(tmp_path / "home")},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert opened.stdout is not None
        assert f"http://127.0.0.1:{port}" in opened.stdout.readline()
        page.goto(f"http://127.0.0.1:{port}")
        expect(page.get_by_text("my cells.h5ad").first).to_be_visible(timeout=WORK)
        expect(page.get_by_text("400 cells, corrected for batch")).to_be_visible()
        # A worker has begun; what it compiles here first of all takes it a minute.
        under_way = page.get_by_text(re.compile("^(Preparing cells and genes|Running Harmony)"))
        expect(under_way.or_(page.get_by_text("Verdict", exact=True)).first).to_be_visible(
            timeout=WORK
        )
        page.get_by_role("link", name="Data", exact=True).click()
        expect(page.get_by_role("combobox", name="Label column")).to_have_value("true_type")
        # Another session begins with the same data and settings.
        page.reload()
        expect(page.get_by_text("my cells.h5ad").first).to_be_visible(timeout=WORK)
    finally:
        opened.send_signal(signal.SIGTERM)
        with opened:  # closes what it wrote into, once it has ended
            assert opened.wait(30) in (0, 128 + signal.SIGTERM)
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")
