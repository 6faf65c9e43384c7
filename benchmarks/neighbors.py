"""Seconds of searches for neighbours, each as soon as it finds as many of them.

    python benchmarks/neighbors.py --cells 100000 1000000 --json neighbors.json

Every search finds 90 neighbours of every cell, on all cores, its index included. Each takes the
least effort (lists probed, candidates kept) with which it finds 99.9 % of the true 15 nearest and,
a peer, of the true 90 as many as our lists do; where no effort is enough, its last one is shown.
Where a run of so many cells uses faiss's inverted file, it is measured as the run uses it, too.
hnswlib and usearch take part where they are installed (`pip install hnswlib usearch`). Only our
lists and what a run uses give the same on any number of cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from generated import cells, machine

from harmony_core.methods.neighbors import (
    LISTS_UP_TO,
    PROBES,
    PROBES_OF_FILE,
    nearest_neighbors,
    search_for,
    without_self,
)
from harmony_core.methods.neighbors_kernel import search_by_lists
from harmony_core.metrics.movement import is_shared

Points = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer[Any]]
Search = Callable[[Points, int], Ids]
"""Finds the `K` + 1 nearest of some points, each itself included, with some effort."""

Recalls = Callable[[Ids], tuple[float, float]]

SIZES = (100_000, 1_000_000)
K, NEAREST = 90, 15
ENOUGH = 0.999
"""Fraction found of the true neighbours."""

FASTER = 1.3
"""How many times faster our lists must be than their fastest peer to be used."""

SAMPLE = 2_000
"""Cells whose true neighbours are looked up."""

OUR_PROBES = (PROBES, 16, 20, 24, 32)
PROBED = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
CANDIDATES = (100, 150, 200, 300, 400, 600, 800, 1_200, 1_600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many counts")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(machine())
    nearest_neighbors(cells(5_000)[0], K, search="lists")  # compiles
    rows = [row for n in options.cells for row in measure(n, options.repeats)]
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


def measure(n_cells: int, repeats: int) -> list[dict[str, Any]]:
    """Print and return one row a search."""
    X = cells(n_cells)[0]
    sample = np.sort(np.random.default_rng(1).choice(n_cells, min(SAMPLE, n_cells), replace=False))
    flat = faiss.IndexFlatL2(X.shape[1])
    flat.add(X)
    truth = _others(sample, flat.search(X[sample], K + 1)[1])

    def recalls(found: Ids) -> tuple[float, float]:
        """Fractions found of the true 15 and of the true 90 neighbours (sample × k)."""
        return tuple(float(is_shared(truth[:, :k], found[:, :k]).mean()) for k in (NEAREST, K))

    lists = _our_lists(X, sample, recalls, repeats)
    rows = [lists, *_peers(X, sample, recalls, repeats, lists)]
    if search_for(n_cells) == "inverted file":
        seconds, near = _fastest(repeats, lambda: nearest_neighbors(X, K).indices)
        found = recalls(near[sample])
        rows.append(_row(n_cells, "the product's", PROBES_OF_FILE, seconds, found, lists))
    _say_which_is_used(rows)
    return rows


def _our_lists(X: Points, sample: Ids, recalls: Recalls, repeats: int) -> dict[str, Any]:
    for effort in OUR_PROBES:
        seconds, near = _fastest(
            repeats, lambda effort=effort: search_by_lists(X, None, K, 0, effort)[0]
        )
        found = recalls(near[sample])
        if found[0] >= ENOUGH:
            break
    return _row(len(X), "ours, by lists", effort, seconds, found, None)


def _peers(
    X: Points, sample: Ids, recalls: Recalls, repeats: int, lists: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = []
    for name, (package, build, efforts) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{len(X):>9,}  {name}: not installed")
            continue
        search = build(X)
        for effort in efforts:
            found = recalls(_others(sample, search(X[sample], effort)))
            if found[0] >= ENOUGH and found[1] >= min(lists["recall_90"], ENOUGH):
                break
        # The index is built again each time, as it belongs to the search.
        seconds, _ = _fastest(repeats, lambda build=build, effort=effort: build(X)(X, effort))
        rows.append(_row(len(X), name, effort, seconds, found, lists))
    return rows


def _say_which_is_used(rows: Sequence[dict[str, Any]]) -> None:
    """Print what the fastest peer with enough recall means, and what the product does."""
    n_cells, peers = rows[0]["cells"], [row for row in rows if row["search"] in PEERS]
    enough = [row["times_lists"] for row in peers if row["recall_15"] >= ENOUGH]
    if not enough:
        return
    used = "are used" if search_for(n_cells) == "lists" else "are not used"
    print(
        f"{n_cells:>9,}  the fastest peer takes {min(enough):.2f} times as long as our lists "
        f"(limit {FASTER}), which {used} for so many cells (up to {LISTS_UP_TO:,})"
    )


def _others(sample: Ids, found: Ids) -> Ids:
    """Leave each cell out of its own row."""
    return without_self(sample, found, np.zeros(found.shape, np.float32))[0]


def _fastest(repeats: int, run: Callable[[], Ids]) -> tuple[float, Ids]:
    least = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        found = run()
        least = min(least, time.perf_counter() - start)
    return least, found


def _row(
    n_cells: int,
    name: str,
    effort: int,
    seconds: float,
    recalls: Sequence[float],
    lists: dict[str, Any] | None,
) -> dict[str, Any]:
    times = 1.0 if lists is None else seconds / lists["seconds"]
    row = {
        "cells": n_cells,
        "search": name,
        "effort": effort,
        "seconds": round(seconds, 3),
        "recall_15": round(recalls[0], 5),
        "recall_90": round(recalls[1], 5),
        "times_lists": round(times, 3),
    }
    print(
        f"{n_cells:>9,}  {name:<22} effort {effort:>5}  {seconds:8.2f} s  "
        f"recall of 15 {recalls[0]:.4f}, of 90 {recalls[1]:.4f}  {times:6.2f} × our lists",
        flush=True,
    )
    return row


def _ivf(lists_per_root: int) -> Callable[[Points], Search]:
    """Return what builds an inverted file of so many times √n lists."""

    def build(X: Points) -> Search:
        n, dims = X.shape
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dims), dims, lists_per_root * int(np.sqrt(n)))
        index.cp.seed = 1
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, 64
        index.train(X)
        index.add(X)

        def search(queries: Points, effort: int) -> Ids:
            index.nprobe = effort
            found = np.empty((len(queries), K + 1), np.int64)
            # By list, so that one query after the other probes the same ones; in parts, which
            # spares memory.
            order = np.argsort(index.quantizer.search(queries, 1)[1][:, 0], kind="stable")
            for start in range(0, len(order), 20_000):
                some = order[start : start + 20_000]
                found[some] = index.search(queries[some], K + 1)[1]
            return found

        return search

    return build


def _hnswlib(X: Points) -> Search:
    import hnswlib

    index = hnswlib.Index(space="l2", dim=X.shape[1])
    index.init_index(max_elements=len(X), ef_construction=200, M=24, random_seed=0)
    index.add_items(X)

    def search(queries: Points, effort: int) -> Ids:
        index.set_ef(effort)
        return np.asarray(index.knn_query(queries, K + 1)[0], dtype=np.int64)

    return search


def _usearch(X: Points) -> Search:
    from usearch.index import Index

    index = Index(ndim=X.shape[1], metric="l2sq", dtype="f32", connectivity=24, expansion_add=200)
    index.add(np.arange(len(X)), X)

    def search(queries: Points, effort: int) -> Ids:
        index.expansion_search = effort
        return np.asarray(index.search(queries, K + 1).keys, dtype=np.int64)

    return search


PEERS: dict[str, tuple[str, Callable[[Points], Search], Sequence[int]]] = {
    "faiss IVF, √n lists": ("faiss", _ivf(1), PROBED),
    "faiss IVF, 4√n lists": ("faiss", _ivf(4), PROBED),
    "hnswlib": ("hnswlib", _hnswlib, CANDIDATES),
    "usearch": ("usearch", _usearch, CANDIDATES),
}
"""Package, what builds an index of it, and efforts from the least on."""


if __name__ == "__main__":
    main()
