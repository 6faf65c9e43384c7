"""What a move costs on screen, beside what the worker alone takes for it.

    python benchmarks/page.py --json page.json
    python benchmarks/page.py --cells 100000 --moves 5
    python benchmarks/page.py --browser
    python benchmarks/page.py --worker ../before      the worker's own seconds of another checkout

The Kang sample, or `--cells` generated cells with counts, on a real server with a fresh store. One
viewer who speaks Streamlit's protocol (`viewers.py`) moves theta and waits for everything; then
goes back to settings seen before. Each figure stands beside its aim, and those in seconds beside
the peer too: *the worker's own*, the sum of its stages' seconds for the same moves through `Runner`
with no page.

on screen
    seconds from the move to preview, verdict and everything, as a browser gets them
stored to on screen
    from the moment when the store has the last stage that something shows
page CPU, bytes, runs
    of the page process, a move: in all, by part, of the page and of parts that drew something
page run
    from its first to its last message, with few and with many kept runs
finds nothing new
    CPU seconds of running a part again although nothing has changed
at rest, waiting
    cores that `--viewers` pages use while nothing happens, and while all wait for a worker that is
    held
in the browser
    with `--browser`, from the key press to pixels in Chromium
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from generated import counts_file, machine
from interactive import ONCE
from served import ROOT, Meter, Server, served
from tab import Faults
from viewers import PARTS, Move, Setting, Viewer

from harmony_core.jobs.runner import Runner
from harmony_core.jobs.work import run_work
from harmony_core.params import RunParams
from harmony_core.runs.history import save_settings
from harmony_core.runs.plan import STAGES, Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store, examples

SHOWN_BY: Mapping[str, tuple[str, ...]] = {
    "preview": ("preview_after",),
    "verdict": ("preview_after", "assess"),
    "everything": tuple(stage.name for stage in STAGES),
}
"""The stages whose results something shows, besides those that a dataset needs once."""

ALWAYS = {*ONCE, "markers_before"}
WARM_UP = (Setting(1.0), Setting(2.5, 0.2), Setting(4.0), Setting(3.0))
LARGE = 50_000
"""Cells from which the aims for 100,000 cells hold."""

FEW, MANY = 5, 200
REPEATS = 5
REST_SECONDS = 10.0
SETTLE_SECONDS = 1.0
"""After everything is there; what the page process still does then belongs to the move."""

LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Row:
    """A figure beside its aim and, where it has one, the worker's own seconds."""

    what: str
    value: float
    unit: str = "s"
    aim: float | None = None
    own: float | None = None

    def __str__(self) -> str:
        text = f"{self.what:<46} {self.value:>9.3f} {self.unit:<5}"
        if self.aim is not None:
            text += f"  aim {self.aim:>8.3f} ({self.value / self.aim:.1f}x)"
        if self.own is not None:
            text += f"  worker's own {self.own:.2f} s ({self.value / self.own:.1f}x)"
        return text


@dataclass(frozen=True)
class Aims:
    """What is aimed at, for small or for large data."""

    stored: tuple[float, float]
    cpu: float
    cpu_again: float
    kilobytes: float
    page_run: float

    @staticmethod
    def on_screen(own: Mapping[str, float], n_cells: int) -> dict[str, float]:
        """Return the seconds to aim at, from the worker's own."""
        if n_cells >= LARGE:
            return {what: 1.3 * seconds for what, seconds in own.items()}
        more = {"preview": 0.2, "verdict": 0.2, "everything": 0.3}
        return {what: own[what] + more[what] for what in own}


SMALL_AIMS = Aims((0.15, 0.3), 0.25, 0.08, 400, 0.15)
LARGE_AIMS = Aims((0.3, 0.6), 0.6, 0.15, 2000, 0.2)
KILOBYTES_AGAIN = 50
PART_RUNS = 9
NOTHING_NEW_SECONDS = 0.005
WAITING_CORES = 0.25
IN_BROWSER_MORE = 0.3


# The worker alone


def settings_of(base: RunParams, setting: Setting) -> RunParams:
    """Return all settings of a run whose sliders stand somewhere."""
    harmony = replace(
        base.harmony, theta=(setting.theta,), sigma=setting.sigma, nclust=setting.nclust
    )
    return replace(base, harmony=harmony)


def stages_to(plan: Plan, what: str) -> list[str]:
    """Return the stages of a move that something waits for."""
    return [s.name for s in plan.stages_for(*SHOWN_BY[what]) if s.name not in ALWAYS]


def worker_alone(
    file: str, base: Mapping[str, Any], settings: Sequence[Setting]
) -> dict[str, float]:
    """Compute moves through a runner, with no page; return the median sums of their stages.

    Parameters
    ----------
    file
        An h5ad, or the name of a sample.
    base
        Settings of a run, as JSON.
    settings
        The first ones warm the worker up, as many as `WARM_UP` has.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        store = Store(Path(home))
        dataset = _open(store, file)
        runner = Runner(store)
        runner.start()
        found: dict[str, list[float]] = defaultdict(list)
        try:
            for i, setting in enumerate(settings):
                params = settings_of(RunParams.from_dict(base), setting)
                _compute(runner, dataset, params)
                seconds = RunResults(dataset, params).seconds
                for what in SHOWN_BY if i >= len(WARM_UP) else ():
                    names = stages_to(Plan(dataset, params), what)
                    found[what].append(sum(seconds.get(name, 0.0) for name in names))
        finally:
            runner.close()
    return {what: statistics.median(sums) for what, sums in found.items()}


def _open(store: Store, file: str) -> Dataset:
    if file in examples.EXAMPLES:
        return store.dataset(examples.fingerprint(store, file))
    import anndata

    from harmony_core.store.ingest import ingest

    return ingest(store, anndata.read_h5ad(file), name="generated")


def _compute(runner: Runner, dataset: Dataset, params: RunParams) -> None:
    work = run_work(dataset, params)
    runner.submit("viewer", work)
    while not (progress := runner.progress(work)).is_over:
        time.sleep(LOOK_EVERY)
    if progress.state != "finished":
        raise SystemExit(f"The worker's run ended as {progress.state}: {progress.message}")


def own_seconds(
    checkout: Path, file: str, base: RunParams, settings: Sequence[Setting]
) -> dict[str, float]:
    """Return the worker's own seconds, computed by the code of a checkout in a process apart."""
    asked = {"file": file, "base": base.to_dict(), "settings": [asdict(s) for s in settings]}
    done = subprocess.run(
        [sys.executable, __file__, "--worker-alone", json.dumps(asked)],
        env=os.environ | {"PYTHONPATH": str(checkout.resolve())},
        cwd=checkout,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# The page


class Kept:
    """The dataset that a server has in hand, as its store tells.

    Parameters
    ----------
    home
        The server's store, in which a page has begun a run.
    n_cells
        Of the dataset, as the store may have the sample too.
    """

    def __init__(self, home: Path) -> None:
        saved = max(home.glob("datasets/*/runs/*/params.json"), key=lambda p: p.stat().st_mtime)
        self.dataset = Store(home).dataset(saved.parents[2].name)
        self.base = RunParams.from_dict(json.loads(saved.read_text("utf-8")))

    def plan(self, setting: Setting) -> Plan:
        return Plan(self.dataset, settings_of(self.base, setting))

    def stored_at(self, setting: Setting, what: str) -> float:
        """Return the `time.time` at which the store had what something shows."""
        plan = self.plan(setting)
        names = [name for name in SHOWN_BY[what] if name not in ALWAYS]
        folders = (self.dataset.folder / "stages" / plan.keys[name].folder for name in names)
        return max(folder.stat().st_mtime for folder in folders)

    @property
    def n_runs(self) -> int:
        return len(list((self.dataset.folder / "runs").glob("*/params.json")))

    def fill(self, setting: Setting, n_runs: int) -> None:
        """Copy a run's results under other settings, until the dataset has so many runs."""
        source = self.plan(setting)
        for number in range(n_runs - self.n_runs):
            plan = self.plan(Setting(5.0 + number / 100))
            for stage in STAGES:
                old, new = (
                    self.dataset.folder / "stages" / p.keys[stage.name].folder
                    for p in (source, plan)
                )
                if old.exists() and not new.exists():
                    shutil.copytree(old, new, copy_function=os.link)
            save_settings(self.dataset, plan.params)


@dataclass(frozen=True)
class Cost:
    """A move, with the CPU seconds that the page process spent on it."""

    move: Move
    cpu: float


async def make(viewer: Viewer, setting: Setting, *, again: bool = False) -> Cost:
    """Move, wait for everything, and see what the page process spent."""
    assert viewer.clock is not None
    before = viewer.clock()
    move = await viewer.go(setting, asked_before=again)
    if not await viewer.see("rest", move, 600):
        raise SystemExit(f"Nothing more was seen of {setting} than {list(move.seen)}.")
    await asyncio.sleep(SETTLE_SECONDS)
    return Cost(move, viewer.clock() - before)


def new_settings(n: int) -> list[Setting]:
    """Return settings that differ from those of the warm-up."""
    return [Setting(0.5 + 0.25 * i, 0.1 + 0.01 * (1 + i % 9)) for i in range(n)]


async def page_run(viewer: Viewer, settings: Sequence[Setting]) -> float:
    """Go to and fro between settings seen before; return the median seconds of a page run."""
    seconds = []
    for i in range(REPEATS):
        cost = await make(viewer, settings[i % len(settings)], again=True)
        seconds += [r.ended - r.began for r in cost.move.runs[:1] if r.is_page]
    return statistics.median(seconds) if seconds else float("nan")


async def nothing_new(viewer: Viewer) -> dict[str, float]:
    """Run each part again; return the CPU seconds of one run, by part."""
    assert viewer.clock is not None
    found = {}
    for fragment, name in list(viewer.parts.items()):
        before, n_runs = viewer.clock(), len(viewer.runs)
        for i in range(REPEATS):
            await viewer.rerun(fragment)
            if not await _ran(viewer, n_runs + i + 1):
                break  # it belongs to a page that was left
        else:
            await asyncio.sleep(SETTLE_SECONDS)
            found[name] = (viewer.clock() - before) / REPEATS
    return found


async def _ran(viewer: Viewer, n_runs: int) -> bool:
    """Wait until so many runs are over; return whether they are."""
    try:
        await viewer.until(lambda: len(viewer.runs) >= n_runs, 5.0)
    except TimeoutError:
        return False
    return True


async def crowd_cores(server: Server, faults: Faults, n: int) -> dict[str, float]:
    """Return the page process's cores with `n` pages at rest, and with all of them waiting."""
    viewers = [Viewer(server.port, faults) for _ in range(n)]
    held: list[psutil.Process] = []
    try:
        for viewer in viewers:
            await viewer.arrive()
        await asyncio.sleep(SETTLE_SECONDS)
        found = {"at rest": await _cores(server)}
        held = server.workers
        for worker in held:
            worker.suspend()
        for i, viewer in enumerate(viewers):
            await viewer.go(Setting(1.0 + 0.25 * (i % 30), 0.31 + i // 30 / 100))
        for viewer in viewers:
            await viewer.until(lambda v=viewer: any(r.ended for r in v.move.runs), 120)
        await asyncio.sleep(SETTLE_SECONDS)
        return found | {"waiting": await _cores(server)}
    finally:
        for worker in held:
            with contextlib.suppress(psutil.Error):
                worker.resume()
        await asyncio.gather(*(viewer.close() for viewer in viewers))


async def _cores(server: Server) -> float:
    with Meter(server) as meter:
        await asyncio.sleep(REST_SECONDS)
    return meter.page_cores


@dataclass
class Found:
    """All that a lone viewer met with."""

    new: list[Cost]
    again: list[Cost]
    parts: dict[str, list[float]]
    stored: dict[str, list[float]]
    page_runs: dict[int, float]
    nothing_new: dict[str, float]
    crowd: dict[str, float]
    base: RunParams
    n_cells: int


async def look(
    server: Server, faults: Faults, options: argparse.Namespace, file: Path | None
) -> Found:
    """Open the page, bring the file if there is one, and measure everything but the worker."""
    viewer = Viewer(server.port, faults, cookie=server.cookie(), clock=server.page_cpu)
    try:
        await viewer.arrive()
        if file is not None:
            await viewer.bring(file.stem, await asyncio.to_thread(file.read_bytes))
        await make(viewer, WARM_UP[0])
        kept = Kept(server.home)
        for setting in WARM_UP[1:]:
            await make(viewer, setting)
        page_runs = {kept.n_runs: await page_run(viewer, WARM_UP)}
        settings = new_settings(options.moves)
        new = [await make(viewer, setting) for setting in settings]
        before = [*settings[:-1], WARM_UP[0]]
        again = [await make(viewer, setting, again=True) for setting in before]
        stored = stored_to_screen(kept, new)
        quiet = await nothing_new(viewer)
        await asyncio.to_thread(kept.fill, settings[0], MANY)
        page_runs[kept.n_runs] = await page_run(viewer, WARM_UP)
    finally:
        await viewer.close()
    crowd = await crowd_cores(server, faults, options.viewers) if options.viewers else {}
    parts = cpu_by_part(viewer, new)
    n_cells = kept.dataset.n_cells
    return Found(new, again, parts, stored, page_runs, quiet, crowd, kept.base, n_cells)


def stored_to_screen(kept: Kept, costs: Iterable[Cost]) -> dict[str, list[float]]:
    """Return, for what is seen of moves, the seconds since the store had it."""
    found: dict[str, list[float]] = defaultdict(list)
    for cost in costs:
        for what in ("preview", "verdict"):
            stored = kept.stored_at(cost.move.setting, what)
            found[what].append(cost.move.wall + cost.move.seen[what] - stored)
    return found


def cpu_by_part(viewer: Viewer, costs: Iterable[Cost]) -> dict[str, list[float]]:
    """Return the CPU seconds of each run of the moves, by what it drew."""
    found: dict[str, list[float]] = defaultdict(list)
    for cost in costs:
        for run in cost.move.runs:
            found[viewer.part(run)].append(run.cpu)
    return found


# In a browser

WATCH = """([note, parts]) => {
  const part = (name) => document.querySelector(`[data-part=${name}]`)?.dataset;
  const right = () => document.querySelector("figure[data-side=right]");
  const seen = {}, painted = right().dataset.painted, before = part("status")?.setting;
  let start = 0, quiet = 0;
  addEventListener("keydown", () => { start = performance.now(); }, { capture: true, once: true });
  // A part is not on the page for a moment while another drawing of it takes its place.
  const names = (name) => part(name)?.setting === part("status")?.setting;
  const areThere = () => parts.every((name) => names(name) && part(name)?.waits === "false")
    && document.querySelector(".hx-gene-view")?.dataset.setting === part("status")?.setting;
  const isAtRest = () => !document.querySelector("[data-testid=stProgress]")
    && document.querySelector("[data-test-script-state=notRunning]");
  const look = () => {
    const now = performance.now(), text = right()?.querySelector(".note").textContent ?? "";
    const see = (what, at = now) => { seen[what] ??= (at - start) / 1000; };
    const there = start && text.startsWith(note) && !right().classList.contains("dimmed")
      && right().dataset.painted && right().dataset.painted !== painted;
    if (there) see("preview");
    if (there && part("status")) {
      const isNew = part("status").setting !== before;
      if (isNew && names("headline")) see("verdict");
      if (isNew && text === note && areThere()) see("everything");
    } else if (there) {
      if (document.querySelector("[class*=st-key-new-headline]")) see("verdict");
      quiet = text === note && seen.verdict && isAtRest() ? quiet || now : 0;
      if (quiet && now - quiet > 300) see("everything", quiet);
    }
    if (seen.everything) requestAnimationFrame(() => { window.seen = seen; });
    else requestAnimationFrame(look);
  };
  look();
}"""


def in_browser(server: Server, moves: int, file: Path | None) -> list[dict[str, float]]:
    """Press a key on theta's slider in Chromium; return what was seen after how many seconds."""
    from browser import CHROMIUM_ARGS, TIMEOUT_MS
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_ARGS
        )
        # Without motion: the view would otherwise take its time on purpose.
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(server.url if file is None else f"{server.url}/choose-data")
        if file is not None:
            page.locator('[class*="st-key-upload-"] input[type="file"]').set_input_files(file)
            page.get_by_role("heading", name=file.stem).wait_for()
            page.get_by_role("link", name="Go to Tune").click()
        page.locator(".st-key-new-headline").wait_for()
        page.wait_for_selector("figure[data-side=right][data-painted]:not([data-painted=''])")
        found = []
        for number in range(len(WARM_UP) + moves):
            note = f"theta {2.25 + 0.25 * number:g} · sigma 0.1"
            page.get_by_role("slider", name="theta").focus()
            page.evaluate(f"void ({WATCH})({json.dumps([note, PARTS])})")
            page.keyboard.press("ArrowRight")
            found.append(page.wait_for_function("window.seen").json_value())
            page.evaluate("window.seen = null")
            page.wait_for_function("!document.querySelector('[data-waits=true]')")
        browser.close()
    return found[len(WARM_UP) :]


# What is printed


def rows(found: Found, own: Mapping[str, float]) -> list[Row]:
    """Return every figure beside its aim."""
    aims = LARGE_AIMS if found.n_cells >= LARGE else SMALL_AIMS
    wanted = Aims.on_screen(own, found.n_cells)
    table = []
    for what, aim in wanted.items():
        seconds = [cost.move.seen[what] for cost in found.new]
        middle, late = np.percentile(seconds, [50, 95])
        table.append(Row(f"on screen: {what}, median", middle, aim=aim, own=own[what]))
        table.append(Row(f"on screen: {what}, 95 %", late, own=own[what]))
    for what, seconds in found.stored.items():
        for name, share, aim in zip(("median", "95 %"), (50, 95), aims.stored, strict=True):
            late = float(np.percentile(seconds, share))
            table.append(Row(f"stored to on screen: {what}, {name}", late, aim=aim))
    table += _costs(found, aims)
    table += [
        Row(f"page run with {n} kept runs", seconds, aim=aims.page_run)
        for n, seconds in found.page_runs.items()
    ]
    table += [
        Row(f"finds nothing new: {name}", seconds, "CPU s", NOTHING_NEW_SECONDS)
        for name, seconds in found.nothing_new.items()
    ]
    limits = {"at rest": None, "waiting": WAITING_CORES}
    return table + [
        Row(f"all viewers {state}", cores, "cores", limits[state])
        for state, cores in found.crowd.items()
    ]


def _costs(found: Found, aims: Aims) -> list[Row]:
    def middle(values: Iterable[float]) -> float:
        return statistics.median(values)

    new, again = found.new, found.again
    table = [
        Row("page CPU, a move", middle(c.cpu for c in new), "CPU s", aims.cpu),
        Row("page CPU, seen before", middle(c.cpu for c in again), "CPU s", aims.cpu_again),
        Row("bytes, a move", middle(c.move.bytes / 1e3 for c in new), "kB", aims.kilobytes),
        Row("bytes, seen before", middle(c.move.bytes / 1e3 for c in again), "kB", KILOBYTES_AGAIN),
        Row("page runs, a move", middle(sum(r.is_page for r in c.move.runs) for c in new), "", 1),
        Row("part runs that drew something, a move", middle(map(_n_drew, new)), "", PART_RUNS),
        Row("part runs, a move", middle(sum(not r.is_page for r in c.move.runs) for c in new), ""),
    ]
    for name, seconds in sorted(found.parts.items(), key=lambda item: -sum(item[1])):
        table.append(Row(f"  page CPU of {name}, a move", sum(seconds) / len(new), "CPU s"))
    return table


def _n_drew(cost: Cost) -> int:
    return sum(run.changed > 0 and not run.is_page for run in cost.move.runs)


def rows_of_browser(
    found: Sequence[Mapping[str, float]], own: Mapping[str, float], n_cells: int
) -> list[Row]:
    """Return what was seen in a browser beside its aims."""
    aims = Aims.on_screen(own, n_cells)
    return [
        Row(
            f"in the browser: {what}, median",
            statistics.median(seen[what] for seen in found),
            aim=aims[what] + IN_BROWSER_MORE,
            own=own[what],
        )
        for what in SHOWN_BY
    ]


def measure(options: argparse.Namespace, n_cells: int | None) -> list[Row]:
    """Measure one dataset, the sample or so many generated cells; print each figure."""
    with tempfile.TemporaryDirectory() as folder:
        file = None
        if n_cells is not None:
            file = Path(folder, f"cells{n_cells}.h5ad")
            counts_file(file, n_cells)
        faults = Faults()
        with served(options.project) as server:
            found = asyncio.run(look(server, faults, options, file))
            complaints = server.complaints()
        settings = [*WARM_UP, *new_settings(options.moves)]
        name = examples.FIRST if file is None else str(file)
        own = own_seconds(options.worker, name, found.base, settings)
        table = rows(found, own)
        print("\n".join(map(str, table)), flush=True)
        if options.browser:
            with served(options.project) as server:
                seen = in_browser(server, options.moves, file)
            table += rows_of_browser(seen, own, found.n_cells)
            print("\n".join(map(str, table[-len(SHOWN_BY) :])), flush=True)
    for text in [*faults.counts, *complaints]:
        print(f"went wrong: {text}")
    return table


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--cells", type=int, nargs="*", default=[], help="generated cells instead of the sample")
    add("--moves", type=int, default=10, help="how many moves the medians are of")
    add("--viewers", type=int, default=30, help="how many rest and wait; 0 leaves that out")
    add("--browser", action="store_true", help="also from key press to pixels in Chromium")
    add("--worker", type=Path, default=ROOT, help="checkout that the worker's own is of")
    add("--project", type=Path, default=ROOT, help="another checkout whose page is measured")
    add("--json", type=Path, metavar="FILE")
    add("--worker-alone", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    options = parse()
    if options.worker_alone:
        asked = json.loads(options.worker_alone)
        settings = [Setting(**setting) for setting in asked["settings"]]
        print(json.dumps(worker_alone(asked["file"], asked["base"], settings)))
        return
    load = os.getloadavg()[0]
    print(f"{machine()}; load before {load:.1f}", flush=True)
    tables = {}
    for n_cells in options.cells or [None]:
        name = "Kang" if n_cells is None else f"{n_cells:,} cells"
        print(f"\n{name}", flush=True)
        tables[name] = measure(options, n_cells)
    if options.json:
        listed = {name: [asdict(row) for row in table] for name, table in tables.items()}
        said = {"machine": machine(), "load": load, "rows": listed}
        options.json.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
