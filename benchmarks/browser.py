"""How long the linked view takes in a browser, beside two `st.plotly_chart` of the same cells.

Run ``python benchmarks/browser.py --cells 10000 50000 --json browser.json`` with Chromium
installed. Times are medians of a few repeats in headless Chromium with software rendering:

update
    from a key press on a slider to both pictures painted with the new positions; Streamlit's
    round trip and Python's packing are included.
lasso
    from letting go of a lasso in the left picture to the highlight painted in the right one.

The same file is the page that is measured: Streamlit runs it with `BENCHMARK_CELLS` set.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
TIMEOUT_MS = 180_000
LEVELS = 12
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# Runs in the page: gives the milliseconds from the next key press or mouse button release until
# the pictures show what `expected` says, plus one frame.
WATCH = {
    "ours": """([what, expected]) => new Promise((done) => {
      const figure = document.querySelector("figure[data-side=right]");
      const old = figure.dataset.painted;
      let start = 0;
      const begin = () => { start = performance.now(); };
      addEventListener(what === "update" ? "keydown" : "pointerup", begin, true);
      const observer = new MutationObserver(() => {
        const now = figure.dataset.painted;
        if (!start || !now || (what === "update" && now === old)) return;
        observer.disconnect();
        removeEventListener(what === "update" ? "keydown" : "pointerup", begin, true);
        done(performance.now() - start);
      });
      observer.observe(figure, { attributes: true, attributeFilter: ["data-painted"] });
    })""",
    "plotly": """([what, expected]) => new Promise((done) => {
      let start = 0;
      const event = what === "update" ? "keydown" : "mouseup";
      const begin = () => { start = performance.now(); };
      addEventListener(event, begin, true);
      const look = () => {
        const chart = document.querySelectorAll(".js-plotly-plot")[1];
        const meta = chart?.layout?.meta ?? {};
        const there = what === "update" ? meta.shift === expected : meta.selected > 0;
        // Plotting blocks the page, so the next frame comes when the points are painted.
        if (start && there && chart.querySelector("canvas")) {
          removeEventListener(event, begin, true);
          requestAnimationFrame(() => done(performance.now() - start));
        } else requestAnimationFrame(look);
      };
      look();
    })""",
}


def page() -> None:
    """Draw the page that is measured."""
    import plotly.graph_objects as go
    import streamlit as st

    from pages.ui.linked_view import Categories, Panel, linked_view

    st.set_page_config(layout="wide")
    n_cells = int(os.environ["BENCHMARK_CELLS"])
    level, before, push = _cells(n_cells)
    with st.sidebar:
        shift = st.slider("shift", 0, 50, 0)
    after = before - np.float32(0.02 * shift) * push
    names = tuple(f"type {i}" for i in range(LEVELS))
    colors = tuple(f"hsl({360 * i // LEVELS} 60% 50%)" for i in range(LEVELS))
    if st.query_params.get("view") == "ours":
        colour = Categories("type", level, names, colors)
        linked_view(Panel("Before", before), Panel("After", after), colour, key="linked-view")
        return

    def figure(points: np.ndarray, chosen: list[dict[str, int]] | None) -> go.Figure:
        traces = []
        for i in range(LEVELS):
            x, y = points[level == i].T
            mine = [p["point_index"] for p in chosen or [] if p["curve_number"] == i]
            traces.append(
                go.Scattergl(
                    x=x,
                    y=y,
                    mode="markers",
                    name=names[i],
                    marker={"size": 3, "color": colors[i]},
                    selectedpoints=mine if chosen else None,
                )
            )
        meta = {"shift": shift, "selected": len(chosen or [])}
        return go.Figure(traces, {"meta": meta, "dragmode": "lasso", "height": 520})

    left, right = st.columns(2)
    event = left.plotly_chart(
        figure(before, None), key="before", on_select="rerun", selection_mode="lasso"
    )
    right.plotly_chart(figure(after, event.selection.points), key="after")


def _cells(n_cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blobs like cell types, each split in two like batches; and what would unite the batches."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, LEVELS, n_cells)
    batch = rng.integers(0, 2, n_cells)
    centres = rng.normal(0, 6, (LEVELS, 2))
    push = batch[:, None] * np.array([2.0, 1.0])
    before = centres[level] + rng.normal(0, 1, (n_cells, 2)) + push
    return level, before.astype(np.float32), push.astype(np.float32)


def measure(n_cells: int) -> list[dict[str, object]]:
    """Time both views at one number of cells.

    Parameters
    ----------
    n_cells : int

    Returns
    -------
    list of dict
        One row per measured action with `cells`, `what`, `ours_s` and `plotly_chart_s` (seconds).
    """
    from playwright.sync_api import Page, sync_playwright

    def update(page: Page, view: str, repeat: int) -> float:
        page.get_by_role("slider").focus()
        page.evaluate(f"void (window.watching = ({WATCH[view]})(['update', {repeat + 1}]))")
        page.keyboard.press("ArrowRight")
        return float(page.evaluate("window.watching")) / 1000

    def lasso(page: Page, view: str, repeat: int) -> float:
        target = "figure[data-side=left] canvas" if view == "ours" else ".js-plotly-plot .nsewdrag"
        box = page.locator(target).first.bounding_box()
        assert box is not None
        corners = [(0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7), (0.3, 0.32)]
        places = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in corners]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=4)
        page.evaluate(f"void (window.watching = ({WATCH[view]})(['lasso', 0]))")
        page.mouse.up()
        return float(page.evaluate("window.watching")) / 1000

    seconds: dict[tuple[str, str], float] = {}
    with (
        server(Path(__file__), BENCHMARK_CELLS=str(n_cells)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_ARGS
        )
        for view, ready in [
            ("ours", "figure[data-side=right][data-painted]:not([data-painted=''])"),
            ("plotly", ".js-plotly-plot canvas >> nth=3"),
        ]:
            # Without motion: the view would otherwise take its time on purpose.
            page = browser.new_page(
                viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
            )
            page.set_default_timeout(TIMEOUT_MS)
            page.goto(f"{url}/?view={view}")
            page.wait_for_selector(ready, state="attached")
            updates = [update(page, view, repeat) for repeat in range(REPEATS)]
            seconds[view, "update"] = statistics.median(updates)
            # A linked highlight of two charts is there or not; it can be timed once a page.
            lassos = [
                lasso(page, view, repeat) for repeat in range(REPEATS if view == "ours" else 1)
            ]
            seconds[view, "lasso"] = statistics.median(lassos)
            page.close()
        browser.close()
    return [
        {
            "cells": n_cells,
            "what": what,
            "ours_s": round(seconds["ours", what], 3),
            "plotly_chart_s": round(seconds["plotly", what], 3),
        }
        for what in ("update", "lasso")
    ]


@contextmanager
def server(script: Path, **environment: str) -> Iterator[str]:
    """Run a Streamlit page and give its address once the server says that it is up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
    command += ["--server.address=127.0.0.1", "--server.headless=true"]
    process = subprocess.Popen(
        [*command, "--browser.gatherUsageStats=false", "--server.fileWatcherType=none"],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(3000):
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        break
            except OSError:
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(f"{'cells':>9}  {'what':<7} {'ours':>8} {'plotly_chart':>13} {'ratio':>7}")
    rows: list[dict[str, object]] = []
    for n_cells in options.cells:
        for row in measure(n_cells):
            rows.append(row)
            ours, theirs = float(str(row["ours_s"])), float(str(row["plotly_chart_s"]))
            print(
                f"{n_cells:>9,}  {row['what']:<7} {ours:>6.2f} s {theirs:>11.2f} s "
                f"{theirs / ours:>6.1f}x",
                flush=True,
            )
    if options.json:
        load = os.getloadavg()[0]
        options.json.write_text(
            json.dumps({"cpus": os.cpu_count(), "load": load, "rows": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    if "BENCHMARK_CELLS" in os.environ:
        page()
    else:
        main()
