"""From a server that is up to the sample on screen, beside a page with nothing but two charts.

    python benchmarks/cold_start.py --json cold_start.json

Every repeat starts a new server on an empty store. The clock starts when the server answers its
health check, when a browser is sent to it, and stops when the page shows what it promises:

pictures
    both pictures painted
verdict
    and the verdict in words
everything
    and the charts below: marker genes, convergence

The peer is Streamlit with two ``st.plotly_chart`` of as many cells: what any page of this kind
costs. The worker starts to warm up meanwhile, as it does for a user.

first worker, next worker
    a worker from its start until everything is imported and compiled, on an empty store and on
    one that keeps what the first compiled; beside a script with scanpy's own neighbours, UMAP,
    Leiden and marker genes of 120 cells, with the same folder for what numba keeps
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from browser import CHROMIUM_ARGS, ROOT, TIMEOUT_MS, server
from generated import machine

REPEATS = 5
CELLS = 4000

PAINTED = """() => {
  const figures = [...document.querySelectorAll("figure[data-side]")];
  return figures.length === 2 && figures.every((figure) => figure.dataset.painted);
}"""
CHARTS = """(n) => document.querySelectorAll(".js-plotly-plot .plot-container").length >= n"""
SCANPY = """
import warnings; warnings.simplefilter("ignore")
import anndata as ad, numpy as np, scanpy as sc
cells = ad.AnnData(np.random.default_rng(0).poisson(2.0, (120, 60)).astype(np.float32))
sc.pp.log1p(cells)
sc.pp.pca(cells, n_comps=10)
sc.pp.neighbors(cells)
sc.tl.umap(cells)
sc.tl.leiden(cells, flavor="igraph", n_iterations=2, directed=False)
sc.tl.rank_genes_groups(cells, "leiden", method="wilcoxon")
"""
PEER = """() => document.querySelectorAll(".js-plotly-plot canvas").length >= 6"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(machine())
    ours = [_ours() for _ in range(options.repeats)]
    theirs = statistics.median(_peer() for _ in range(options.repeats))
    rows: list[dict[str, Any]] = []
    for what in ("pictures", "verdict", "everything"):
        seconds = sorted(found[what] for found in ours)
        middle = statistics.median(seconds)
        rows.append(
            {
                "what": what,
                "ours_s": round(middle, 2),
                "slowest_s": round(seconds[-1], 2),
                "plotly_chart_s": round(theirs, 2),
                "ratio": round(theirs / middle, 2),
            }
        )
        print(
            f"{what:<11} {middle:5.2f} s, slowest {seconds[-1]:5.2f} s; "
            f"two charts alone {theirs:5.2f} s ({theirs / middle:.2f}x)"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for what in ("first worker", "next worker"):
            own, scanpy = _worker(Path(folder, "ours")), _scanpy(Path(folder, "scanpy"))
            ratio = round(scanpy / own, 2)
            rows.append({"what": what, "ours_s": own, "scanpy_s": scanpy, "ratio": ratio})
            print(f"{what:<12} {own:5.2f} s; scanpy {scanpy:5.2f} s ({ratio:.2f}x)")
    if options.json:
        found = {"machine": machine(), "load": os.getloadavg()[0], "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def _ours() -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_ARGS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        seconds = {}
        with server(ROOT / "app.py", HARMONY_EXPLORER_HOME=home) as url:
            start = time.perf_counter()
            page.goto(url)
            page.wait_for_function(PAINTED)
            seconds["pictures"] = time.perf_counter() - start
            page.get_by_text("Looks right").first.wait_for()
            seconds["verdict"] = time.perf_counter() - start
            page.wait_for_function(CHARTS, arg=2)
            seconds["everything"] = time.perf_counter() - start
        browser.close()
    return seconds


def _worker(home: Path) -> float:
    from harmony_core.jobs import executors
    from harmony_core.jobs.warmup import warm_up
    from harmony_core.store import Store

    os.environ["NUMBA_CACHE_DIR"] = str(home / "numba")
    start = time.perf_counter()
    executor = executors.spawned_worker(Store(home))
    executor.submit(warm_up).result()
    seconds = time.perf_counter() - start
    executors.close(executor)
    return round(seconds, 2)


def _scanpy(folder: Path) -> float:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", SCANPY], env=environment, check=True)
    return round(time.perf_counter() - start, 2)


def _peer() -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_ARGS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        script = ROOT / "benchmarks" / "browser.py"
        with server(script, BENCHMARK_CELLS=str(CELLS)) as url:
            start = time.perf_counter()
            page.goto(f"{url}/?view=plotly")
            page.wait_for_function(PEER)
            seconds = time.perf_counter() - start
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
