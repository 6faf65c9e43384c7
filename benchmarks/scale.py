"""Seconds and peak memory of every stage from 10,000 cells to a million, without a browser.

    python benchmarks/scale.py --cells 10000 30000 100000 300000 1000000 --json scale.json

Each size runs in a process of its own, on one generated embedding of 50 dimensions: first the
default settings, which also compute the side before correction, then a move to theta 4, whose
stages are what a viewer waits for. The peer, harmonypy and scanpy as in interactive.py, runs
where it is expected to finish within ten minutes. The exponent is fitted to seconds against
cells over the sizes measured: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generated import cells, machine, peak_gb
from interactive import DEFAULT, ONCE, WARM_CELLS, ingest_cells, recipe

from harmony_core.params import ClusterParams, PrepareParams, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import STAGES
from harmony_core.runs.results import RunResults
from harmony_core.store import Store

Row = dict[str, Any]

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
PEER_UP_TO = 300_000
SHOWN_BY = ("correct", "preview_after", "neighbors_after", "lisi_after", "assess")
"""Stages up to picture and verdict, in order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--no-peer", action="store_true", help="leave scanpy out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(machine())
    rows = []
    for n_cells in options.cells:
        rows.append(_alone(measure, n_cells))
        if n_cells <= PEER_UP_TO and not options.no_peer:
            rows[-1] |= _alone(measure_peer, n_cells)
        print(_summary(rows[-1]), flush=True)
    stages = pd.DataFrame({row["cells"]: row["seconds"] for row in rows}).T
    print("\nSeconds a stage\n" + stages.round(2).T.to_string())
    exponents = {}
    if len(rows) > 1:
        found = stages.assign(move=[row["move_s"] for row in rows])
        exponents = {name: _exponent(found[name]) for name in found}
        print("\nExponent of seconds against cells")
        for name, value in sorted(exponents.items(), key=lambda item: -item[1]):
            print(f"  {name:18} {value:.2f}")
    if options.json:
        found_all = {"machine": machine(), "rows": rows, "exponents": exponents}
        options.json.write_text(json.dumps(found_all, indent=1) + "\n")


def measure(n_cells: int) -> Row:
    """Run the default settings and a move at one size; seconds a stage, and memory."""
    embedding, batch, types = cells(n_cells)
    params = RunParams(
        harmony=DEFAULT,
        prepare=PrepareParams(basis="X_pca"),
        clusters=ClusterParams(resolutions=(0.5,)),  # as the peer
        label="label",
    )
    moved = replace(params, harmony=replace(DEFAULT, theta=(4.0,)))
    with tempfile.TemporaryDirectory() as home:
        _warm_up(Store(Path(home) / "warm"), params)
        dataset = ingest_cells(Store(Path(home)), embedding, batch.astype(str), types.astype(str))
        del embedding
        Pipeline(dataset, params).run()
        start = time.perf_counter()
        Pipeline(dataset, moved).run()
        move = time.perf_counter() - start
        seconds = {
            stage.name: RunResults(dataset, moved).seconds[stage.name]
            for stage in STAGES
            if not stage.name.startswith(("markers", "other_clusters"))
        }
    return {
        "cells": n_cells,
        "seconds": seconds,
        "move_s": move,
        "shown_s": sum(seconds[name] for name in SHOWN_BY),
        "once_s": sum(seconds.get(name, 0.0) for name in ONCE),
        "peak_gb": peak_gb(),
    }


def measure_peer(n_cells: int) -> Row:
    """Run the textbook recipe at one size."""
    embedding, batch, _ = cells(n_cells)
    small, few, _ = cells(WARM_CELLS)
    recipe(small, few.astype(str), DEFAULT)
    found = recipe(embedding, batch.astype(str), replace(DEFAULT, theta=(4.0,)))
    return {
        "peer_picture_s": found["picture"],
        "peer_everything_s": found["everything"],
        "peer_peak_gb": peak_gb(),
    }


def _warm_up(store: Store, params: RunParams) -> None:
    embedding, batch, types = cells(WARM_CELLS)
    dataset = ingest_cells(store, embedding, batch.astype(str), types.astype(str))
    Pipeline(dataset, params).run()


def _alone(function: Any, n_cells: int) -> Row:
    """Call in a process of its own, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found: Row = pool.submit(function, n_cells).result()
        return found


def _exponent(seconds: pd.Series) -> float:
    slope, _ = np.polyfit(np.log(seconds.index.to_numpy(float)), np.log(seconds), 1)
    return round(float(slope), 3)


def _summary(row: Row) -> str:
    text = (
        f"{row['cells']:>9,} cells: picture and verdict {row['shown_s']:.1f} s after the move, "
        f"everything {row['move_s']:.1f} s; once a dataset {row['once_s']:.1f} s; "
        f"peak {row['peak_gb']:.1f} GB"
    )
    if "peer_picture_s" in row:
        text += (
            f"; peer {row['peer_picture_s']:.1f} s to a picture "
            f"({row['peer_picture_s'] / row['shown_s']:.1f}x), {row['peer_everything_s']:.1f} s to "
            f"everything ({row['peer_everything_s'] / row['move_s']:.1f}x), "
            f"peak {row['peer_peak_gb']:.1f} GB"
        )
    return text


if __name__ == "__main__":
    main()
