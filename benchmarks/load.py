"""Many viewers of one server: how long each waits, beside a lone viewer of the same server.

    python benchmarks/load.py --profile tuning --json load.json
    python benchmarks/load.py --profile classroom
    python benchmarks/load.py --profile tuning --viewers 10 --think 20 20

A real server on a fresh store; viewers speak Streamlit's protocol (`viewers.py`), so that no
browser takes part in the load. A viewer thinks, moves theta (sigma and nclust less often) and waits
for the verdict, again and again. The profiles, whose options can be changed one by one:

tuning
    30 viewers with settings that nobody has asked for; a fifth of moves is not waited for, a tenth
    goes back to a setting of one's own
classroom
    30 viewers who move theta alone in the slider's steps, so that many ask for the same
unison
    30 viewers who put theta to the same value in the same moment, five times
hasty
    30 viewers who never wait for a verdict before they move again
opening
    30 viewers who open the page within ten seconds, and leave
ten, calm
    10 viewers who tune; of the calm ones everybody thinks for 20 s
uploads
    10 viewers, five of whom first bring a file of their own, beside ten before them who bring none
crowds
    three crowds one after another, with memory read after each has left for three minutes

What is printed: seconds from a move to its preview and verdict (median, 95 %), each also as a ratio
to the lone viewer's median; verdicts a second; the longest wait of each kind, where moving again
does not end a wait; memory that processes alone hold; everything that went wrong; and what the
profile aims at beside what was reached.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from generated import counts_file, machine
from served import ROOT, Meter, Server, memory, served
from tab import Faults
from viewers import KINDS, PATIENCE, Move, Settings, Viewer

PROFILES: dict[str, dict[str, Any]] = {
    "tuning": {},
    "classroom": {"settings": "common", "revisit": 0.0},
    "unison": {"settings": "common", "burst": 5},
    "hasty": {"impatient": 1.0, "seconds": 120.0},
    "opening": {"seconds": 0.0},
    "ten": {"viewers": 10},
    "calm": {"viewers": 10, "think": (20.0, 20.0)},
    "uploads": {"viewers": 10, "uploads": 5},
    "crowds": {"crowds": 3, "linger": 180.0, "seconds": 120.0},
}
AIMS: dict[str, dict[str, float]] = {
    "tuning": {"verdicts a second": 1.1, "verdict p95": 25.0},
    "classroom": {"preview p95": 3.0, "asked before: preview p95": 1.0},
    "unison": {"last verdict": 5.0},
    "opening": {"opened p95": 8.0},
    "hasty": {"last move's preview": 20.0, "longest without a verdict": 60.0},
    "ten": {"preview p95 in lone medians": 3.0, "verdict p95 in lone medians": 6.0},
    "calm": {"full picture seen": 0.95, "everything seen": 0.8},
    "uploads": {
        "preview p95 in those without files": 1.3,
        "verdict p95 in those without files": 1.3,
    },
    "crowds": {},
}
"""Seconds on two cores, on Kang, at .45 s of the worker to a verdict; shares, and ratios."""
AIMS_OF_ALL = {
    "last moves unanswered": 0.0,
    "faults": 0.0,
    "dropped sockets": 0.0,
    "page MB a viewer": 4.0,
    "page's memory once all have left, in that before": 1.1,
}
AT_LEAST = ("verdicts a second", "full picture seen", "everything seen")
"""What should be more, not less."""

WARM_UP_MOVES = 3
EXPIRY = 120.0
"""Seconds for which Streamlit keeps sessions that were cut off; later ones then free them."""
COLLECTED = 12.0
"""Seconds from a run until the server has collected what was freed (`pages/ui/garbage.py`)."""
AT_THE_END = 90.0
"""Seconds for which the last moves are waited for."""


@dataclass
class Crowd:
    """What one crowd met with.

    Attributes
    ----------
    seconds
        From the moment when all were there until the last one stopped moving.
    meter
        Cores in use and resident memory meanwhile.
    rounds
        Of moves in unison: seconds until the last viewer saw what.
    """

    viewers: list[Viewer]
    seconds: float = float("nan")
    ended: float = float("nan")
    meter: dict[str, float] = field(default_factory=dict)
    rounds: list[dict[str, float]] = field(default_factory=list)

    @property
    def moves(self) -> list[Move]:
        return [move for viewer in self.viewers for move in viewer.moves]


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Return number, median, 95 % quantile and maximum; nothing of nothing."""
    found = np.asarray(list(values), dtype=float)
    if not found.size:
        return {}
    p50, p95 = np.percentile(found, [50, 95])
    return {"n": found.size, "p50": float(p50), "p95": float(p95), "max": float(found.max())}


def waits(moves: Iterable[Move], what: str) -> list[float]:
    """Return the seconds after which something was seen, of the moves of which it was."""
    return [move.seen[what] for move in moves if what in move.seen]


def longest_wait(moves: Sequence[Move], what: str, ended: float) -> float:
    """Return for how long a viewer was without something at most, moving again meanwhile or not.

    Parameters
    ----------
    moves
        Of one viewer, in order.
    ended
        `time.monotonic` at the end, until which what never came is counted.
    """
    longest, since = 0.0, None
    for move in moves:
        since = move.sent if since is None else since
        if what in move.seen:
            longest, since = max(longest, move.sent + move.seen[what] - since), None
    return longest if since is None else max(longest, ended - since)


def fairness(crowd: Crowd) -> float:
    """Return the largest mean wait for a verdict of any viewer, in means of all."""
    means = [np.mean(found) for v in crowd.viewers if (found := waits(v.moves, "verdict"))]
    every = waits(crowd.moves, "verdict")
    return float(max(means) / np.mean(every)) if every else float("nan")


# The viewers


async def move_on(viewer: Viewer, settings: Settings, options: argparse.Namespace) -> Move:
    """Move to the next setting, or go back to an earlier one of one's own."""
    earlier = [m.setting for m in viewer.moves if m.setting != viewer.setting]
    if earlier and settings.is_rare(options.revisit):
        return await viewer.go(settings.one_of(earlier), asked_before=True)
    setting, before = settings.next(viewer.setting)
    return await viewer.go(setting, asked_before=before)


async def tune(
    viewer: Viewer, settings: Settings, options: argparse.Namespace, until: float
) -> None:
    """Think, move, and wait for the verdict or not, again and again."""
    while True:
        await asyncio.sleep(settings.think(*options.think))
        if time.monotonic() >= until or len(viewer.moves) >= options.moves:
            return
        move = await move_on(viewer, settings, options)
        move.patient = not settings.is_rare(options.impatient)
        if move.patient:
            await viewer.see("verdict", move)


async def in_unison(
    viewers: Sequence[Viewer], settings: Settings, options: argparse.Namespace
) -> list[dict[str, float]]:
    """Have all move in the same moment, again and again; return what the last one waited."""
    rounds = []
    for _ in range(options.burst):
        setting, _ = settings.next(viewers[0].setting)
        moves = [await v.go(setting) for v in viewers]
        await asyncio.gather(*(v.see("everything", m) for v, m in zip(viewers, moves, strict=True)))
        rounds.append({what: max(waits(moves, what), default=PATIENCE) for what in KINDS})
        await asyncio.sleep(max(options.think))
    return rounds


async def alone(viewer: Viewer, settings: Settings, options: argparse.Namespace) -> list[Move]:
    """Move, wait for everything, and again; return these moves."""
    moves = []
    for _ in range(options.lone_moves):
        await asyncio.sleep(settings.think(*options.lone_think))
        moves.append(await viewer.go(settings.next(viewer.setting)[0]))
        await viewer.see("rest", moves[-1])
    return moves


async def come(viewer: Viewer, delay: float, file: Path | None) -> None:
    """Open the page after a while, and bring a file if there is one."""
    await asyncio.sleep(delay)
    try:
        await viewer.arrive()
        if file is not None:
            await viewer.bring(file.stem, await asyncio.to_thread(file.read_bytes))
    except Exception as error:  # the others go on
        viewer.faults.add("coming", repr(error))


async def gather(
    server: Server,
    faults: Faults,
    settings: Settings,
    options: argparse.Namespace,
    files: Sequence[Path] = (),
) -> Crowd:
    """Let a crowd come, tune, and leave."""
    viewers = [Viewer(server.port, faults, cookie=server.cookie()) for _ in range(options.viewers)]
    crowd = Crowd(viewers)
    with Meter(server) as meter:
        began = time.monotonic()
        brought = [*files, *[None] * (len(viewers) - len(files))]
        step = options.ramp / max(1, len(viewers))
        coming = [
            asyncio.create_task(_stay(viewer, i * step, file, settings, options))
            for i, (viewer, file) in enumerate(zip(viewers, brought, strict=True))
        ]
        await asyncio.gather(*coming)
        there = [viewer for viewer in viewers if viewer.opened == viewer.opened]
        if options.burst and there:
            crowd.rounds = await in_unison(there, settings, options)
        crowd.seconds = time.monotonic() - began
        await asyncio.gather(*(v.see("verdict", v.move, AT_THE_END) for v in there if v.move))
        crowd.ended = time.monotonic()
    crowd.meter = {k: v for k, v in vars(meter).items() if not k.startswith("_")}
    return crowd


async def _stay(
    viewer: Viewer,
    delay: float,
    file: Path | None,
    settings: Settings,
    options: argparse.Namespace,
) -> None:
    until = time.monotonic() + options.ramp + options.seconds
    await come(viewer, delay, file)
    if not options.burst and viewer.opened == viewer.opened:
        await tune(viewer, settings, options, until)


async def leave(viewers: Iterable[Viewer]) -> None:
    """Close the tabs."""
    await asyncio.gather(*(viewer.close() for viewer in viewers))


async def passer_by(server: Server, faults: Faults) -> None:
    """Open the page and leave: with it, Streamlit frees sessions that have expired."""
    viewer = Viewer(server.port, faults, cookie=server.cookie())
    await come(viewer, 0.0, None)
    await viewer.close()
    await asyncio.sleep(COLLECTED)


# The test


async def run(
    server: Server, options: argparse.Namespace, files: Sequence[Path] = ()
) -> dict[str, Any]:
    """Warm the server up, measure the lone viewer, then the crowds; return the report."""
    faults, settings = Faults(), Settings(options.seed, common=options.settings == "common")
    own = Settings(options.seed + 1)  # the lone viewer asks for what nobody has asked for
    readings = {}
    first = Viewer(server.port, faults, cookie=server.cookie())
    await first.arrive()
    for _ in range(options.warm_up):
        await first.see("rest", await first.go(own.next(first.setting)[0]))
    readings["warm"] = memory(server)
    say(f"warm after {len(first.moves)} moves")
    lone = await alone(first, own, options)
    await leave([first])
    readings["before"] = memory(server)
    say(f"the lone viewer is gone after {len(lone)} moves")
    before = None
    if files:
        before = await gather(server, faults, settings, options)
        say(f"those without files made {len(before.moves)} moves")
        await leave(before.viewers)
    crowds = []
    for number in range(1, options.crowds + 1):
        crowds.append(await gather(server, faults, settings, options, files))
        say(f"crowd {number} made {len(crowds[-1].moves)} moves")
        readings[f"crowd {number}, at its end"] = memory(server)
        await leave(crowds[-1].viewers)
        await asyncio.sleep(options.linger)
        if options.linger > EXPIRY:
            await passer_by(server, faults)
        readings[f"crowd {number}, {options.linger:g} s after it left"] = memory(server)
    report = summarise(crowds[0], lone, n_files=len(files))
    if before is not None:
        report["without files"] = of_kind(before.moves, lambda _: True)
    report["memory_mb"] = {when: asdict(found) for when, found in readings.items()}
    at_end = readings["crowd 1, at its end"].page - readings["before"].page
    report["memory_mb"]["page a viewer"] = at_end / options.viewers
    report["faults"] = dict(faults.counts.most_common())
    report["log"] = server.complaints()[:20]
    return report


def summarise(crowd: Crowd, lone: list[Move], n_files: int = 0) -> dict[str, Any]:
    """Return what a crowd waited, beside a lone viewer."""
    moves = crowd.moves
    verdicts = waits(moves, "verdict")
    last = [viewer.moves[-1] for viewer in crowd.viewers if viewer.moves]
    found: dict[str, Any] = {
        "viewers": len(crowd.viewers),
        "moves": len(moves),
        "opened": quantiles(v.opened for v in crowd.viewers if v.opened == v.opened),
        "lone": {what: quantiles(waits(lone, what)) for what in KINDS},
        "crowd": {what: quantiles(waits(moves, what)) for what in KINDS},
        "asked before": of_kind(moves, lambda move: move.asked_before),
        "never asked before": of_kind(moves, lambda move: not move.asked_before),
        "verdicts_a_second": len(verdicts) / crowd.seconds,
        "share_seen": share_seen(moves),
        "longest_wait": {
            what: max((longest_wait(v.moves, what, crowd.ended) for v in crowd.viewers), default=0)
            for what in KINDS[1:]
        },
        "last_moves_unanswered": sum("verdict" not in move.seen for move in last),
        "last_preview": max((move.seen.get("preview", PATIENCE) for move in last), default=0.0),
        "fairness": fairness(crowd),
        "page_run": quantiles(
            r.ended - r.began
            for v in crowd.viewers
            for r in v.runs
            if r.is_page and not r.superseded
        ),
        "kilobytes_a_move": quantiles(
            move.bytes / 1e3 for move in moves if "everything" in move.seen
        ),
        "unison": crowd.rounds,
        "processes": crowd.meter,
        "dropped_sockets": sum(viewer.n_dropped for viewer in crowd.viewers),
        "lost_lines": sum(v.line.n_lost for v in crowd.viewers if v.line is not None),
    }
    if n_files:
        for name, some in (
            ("uploaders", crowd.viewers[:n_files]),
            ("others", crowd.viewers[n_files:]),
        ):
            found[name] = of_kind([move for v in some for move in v.moves], lambda _: True)
    return found


def of_kind(moves: Iterable[Move], is_kind: Callable[[Move], bool]) -> dict[str, dict[str, float]]:
    """Return what was waited for previews and verdicts of some moves."""
    some = [move for move in moves if is_kind(move)]
    return {what: quantiles(waits(some, what)) for what in ("preview", "verdict")}


def share_seen(moves: Iterable[Move]) -> dict[str, float]:
    """Return in which share of the moves that were waited for each thing was seen."""
    patient = [move for move in moves if move.patient]
    return {what: sum(what in m.seen for m in patient) / max(1, len(patient)) for what in KINDS[1:]}


# What is printed


def say(text: str) -> None:
    """Say how far the test is, apart from what it prints."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def lines(report: dict[str, Any]) -> list[str]:
    """Return the report in lines of text."""
    found = [f"{'seconds to':<12} {'lone p50':>9} {'p50':>8} {'p95':>8} {'max':>8} {'p95/lone':>9}"]
    for what in KINDS:
        lone, crowd = report["lone"][what], report["crowd"][what]
        middle = lone.get("p50", float("nan"))
        numbers = [crowd.get(name, float("nan")) for name in ("p50", "p95", "max")]
        text = " ".join(f"{number:>8.2f}" for number in numbers)
        found.append(f"{what:<12} {middle:>9.2f} {text} {numbers[1] / middle:>9.1f}")
    for name in ("asked before", "never asked before", "without files", "uploaders", "others"):
        for what, numbers in report.get(name, {}).items():
            if numbers:
                found.append(
                    f"{name}: {what} p50 {numbers['p50']:.2f} s, p95 {numbers['p95']:.2f} s"
                )
    for i, seconds in enumerate(report["unison"], start=1):
        text = ", ".join(f"{what} {value:.1f} s" for what, value in seconds.items())
        found.append(f"unison {i}, the last viewer: {text}")
    longest = ", ".join(f"{k} {v:.1f} s" for k, v in report["longest_wait"].items())
    shares = ", ".join(f"{k} {v:.0%}" for k, v in report["share_seen"].items())
    use = report["processes"]
    found += [
        f"{report['verdicts_a_second']:.2f} verdicts a second of {report['moves']} moves",
        f"longest wait of any viewer: {longest}",
        f"seen before the next move, of moves waited for: {shares}",
        f"last moves without a verdict: {report['last_moves_unanswered']}; largest mean wait of a "
        f"viewer {report['fairness']:.2f} times the mean of all",
        f"dropped sockets {report['dropped_sockets']}, lost lines {report['lost_lines']}",
        "kB a move, of page and line: "
        + ", ".join(f"{k} {v:.0f}" for k, v in report["kilobytes_a_move"].items()),
        f"cores in use: page {use['page_cores']:.2f}, workers {use['worker_cores']:.2f}",
    ]
    if report["opened"]:
        found.append("page opened: p50 {p50:.2f} s, p95 {p95:.2f} s".format(**report["opened"]))
    for when, value in report["memory_mb"].items():
        text = f"{value:.1f}" if isinstance(value, float) else f"{value['page']:.0f}"
        workers = "" if isinstance(value, float) else f", workers {value['workers']:.0f}"
        found.append(f"private memory in MB, {when}: page {text}{workers}")
    wrong = [f"{text} ({n} times)" for text, n in report["faults"].items()] + report["log"]
    return [*found, *(f"went wrong: {text}" for text in wrong or ["nothing"])]


def against_aims(profile: str, report: dict[str, Any]) -> list[str]:
    """Return each aim of a profile, and of all, beside what was reached."""
    found = reached(report)
    lines = []
    for what, aim in (AIMS[profile] | AIMS_OF_ALL).items():
        value = found[what]
        is_met = value >= aim if what in AT_LEAST else value <= aim
        text = f"aim: {what} {aim:g}, reached {value:.2f}"
        lines.append(text if is_met else f"{text} (missed)")
    return lines


def reached(report: dict[str, Any]) -> dict[str, float]:
    """Return what was reached of everything that is aimed at; nan of what was not measured."""
    nothing = float("nan")

    def p95(of: str, what: str) -> float:
        return float(report.get(of, {}).get(what, {}).get("p95", nothing))

    found = {
        "verdicts a second": report["verdicts_a_second"],
        "asked before: preview p95": p95("asked before", "preview"),
        "opened p95": report["opened"].get("p95", nothing),
        "last verdict": max((r["verdict"] for r in report["unison"]), default=nothing),
        "last move's preview": report["last_preview"],
        "longest without a verdict": report["longest_wait"]["verdict"],
        "full picture seen": report["share_seen"]["picture"],
        "everything seen": report["share_seen"]["everything"],
        "last moves unanswered": report["last_moves_unanswered"],
        "faults": sum(report["faults"].values()) + len(report["log"]),
        "dropped sockets": report["dropped_sockets"],
    }
    for what in ("preview", "verdict"):
        lone = report["lone"][what].get("p50", nothing)
        found[f"{what} p95"] = p95("crowd", what)
        found[f"{what} p95 in lone medians"] = p95("crowd", what) / lone
        ratio = p95("others", what) / p95("without files", what)
        found[f"{what} p95 in those without files"] = ratio
    memory = report["memory_mb"]
    left = [found["page"] for when, found in memory.items() if when.endswith("after it left")]
    found["page MB a viewer"] = memory["page a viewer"]
    found["page's memory once all have left, in that before"] = max(left) / memory["before"]["page"]
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the options: a profile's, and what is said in addition."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--profile", choices=PROFILES, default="tuning")
    add("--project", type=Path, default=ROOT, help="another checkout whose server is measured")
    add("--viewers", type=int, default=30)
    add("--seconds", type=float, default=300.0, help="for how long they tune")
    add("--ramp", type=float, default=10.0, help="seconds within which they come")
    add("--think", type=float, nargs=2, default=(5.0, 15.0), metavar=("LOW", "HIGH"))
    add("--impatient", type=float, default=0.2, help="share of moves that are not waited for")
    add("--revisit", type=float, default=0.1, help="share of moves back to a setting of one's own")
    add("--settings", choices=("own", "common"), default="own")
    add("--burst", type=int, default=0, help="instead of tuning, so many moves of all at once")
    add("--uploads", type=int, default=0, help="so many bring a file of their own first")
    add("--upload-cells", type=int, default=10_000)
    add("--crowds", type=int, default=1)
    add("--linger", type=float, default=30.0, help="seconds until memory is read after each crowd")
    add("--moves", type=int, default=200, help="the most moves of a viewer")
    add("--warm-up", type=int, default=WARM_UP_MOVES, help="moves before anything is measured")
    add("--lone-moves", type=int, default=10)
    add("--lone-think", type=float, nargs=2, default=(2.0, 4.0), metavar=("LOW", "HIGH"))
    add("--seed", type=int, default=1)
    add("--json", type=Path, metavar="FILE")
    profile = parser.parse_known_args(arguments)[0].profile
    parser.set_defaults(**PROFILES[profile])
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the test on a server of its own."""
    with tempfile.TemporaryDirectory() as folder, served(options.project) as server:
        files = [Path(folder, f"own{i}") for i in range(options.uploads)]
        for i, file in enumerate(files):
            counts_file(file, options.upload_cells, seed=options.seed * 100 + i)
        return asyncio.run(run(server, options, files))


def main() -> None:
    options = parse()
    load = os.getloadavg()[0]
    print(f"{machine()}; load before {load:.1f}; profile {options.profile}", flush=True)
    report = measure(options)
    print("\n".join([*lines(report), *against_aims(options.profile, report)]))
    if options.json:
        said = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
        found = {"machine": machine(), "load": load, "options": said, **report}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
