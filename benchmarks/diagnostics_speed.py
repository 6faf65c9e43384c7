"""Seconds and peak memory of every diagnostic number, beside libraries that compute the same.

    python benchmarks/diagnostics_speed.py --cells 10000 100000 --json speed.json --check
    python benchmarks/diagnostics_speed.py --cells 25000 50000 100000 --only once --check

Data are simulated; making them, correcting them and searching their neighbours is not timed. Each
number is computed once to compile and warm up, then timed; the best of three counts. Other
libraries (scikit-learn, harmonypy, and scib-metrics where it is installed) get the same arrays, and
only as many cells as they can take in reasonable time. Memory is what a call adds at its peak to
what the process holds. What is computed once a dataset is the states and what cells borrow of them,
with the search within batches that they need, but without the pre-clusters of the reference.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import time
import warnings
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import silhouette_score
from whole_kbet import kbet

from harmony_core import thresholds
from harmony_core.categories import Factor
from harmony_core.detector.lending import LentStates, lend_states
from harmony_core.detector.matched_mixing import matched_mixing
from harmony_core.detector.pooling import pool_batches
from harmony_core.detector.reference import Reference, build_reference
from harmony_core.detector.scores import score
from harmony_core.methods.harmony import correct
from harmony_core.methods.neighbors import Neighbors, nearest_neighbors
from harmony_core.metrics import conservation, mixing, movement, scib
from harmony_core.metrics.kbet import kbet_per_label
from harmony_core.params import HarmonyParams
from harmony_core.simulate import Scenario, simulate
from harmony_core.verdict.assess import lisi_numbers

GENES, COMPONENTS = 2000, 50
LIMITS = {"interactive": 1.0, "lisi": 1.0, "once": 10.0}
"""Seconds of a group in all."""
LIMIT_CELLS = 100_000
LINEAR_SLACK = 1.5
"""Time and memory per cell may grow by this factor from the smallest size that counts on."""
LEAST_SECONDS, LEAST_MB = 0.02, 20.0
"""From which on a measure is no mere noise."""
PEER_NEIGHBORS = 15
QUADRATIC_UP_TO = 10_000


@dataclass(frozen=True)
class Material:
    """What the numbers are computed from."""

    batch: Factor
    label: Factor
    before: np.ndarray
    after: np.ndarray
    near_before: Neighbors
    near_after: Neighbors
    expression: sp.csc_matrix
    genes: list[str]
    reference: Reference
    seconds: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One number at one size. ``group`` is one of `GROUPS`."""

    cells: int
    group: str
    name: str
    seconds: float
    peak_mb: float | None
    beside: str = ""
    beside_seconds: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.beside_seconds is None else self.beside_seconds / self.seconds


def make(n_cells: int) -> Material:
    """Simulate, normalise, reduce, correct, search neighbours, and build the reference."""
    seconds: dict[str, float] = {}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        value = function()
        seconds[name] = time.perf_counter() - start
        return value

    scenario = Scenario(
        name="speed",
        n_cells=n_cells,
        n_genes=GENES,
        n_types=12,
        n_sibling_pairs=2,
        presence="exclusive_sibling",
    )
    drawn = timed("simulate", lambda: simulate(scenario, seed=0))
    total = np.asarray(drawn.counts.sum(axis=1)).ravel()
    logs = sp.csr_matrix(sp.diags_array(np.float32(1e4) / total) @ drawn.counts).astype(np.float32)
    logs.data = np.log1p(logs.data)
    before = timed(
        "pca", lambda: PCA(COMPONENTS, svd_solver="arpack", random_state=0).fit_transform(logs)
    ).astype(np.float32)
    params = HarmonyParams(batch=("batch",))
    after = timed("harmony", lambda: correct(before, [drawn.batch], params))
    near = [
        timed(name, lambda X=X: nearest_neighbors(X))
        for name, X in (
            ("neighbours before", before),
            ("neighbours after", after.embedding),
        )
    ]
    expression = logs.tocsc()
    batch, label = Factor.of("batch", drawn.batch), Factor.of("true_type", drawn.cell_type)
    return Material(
        batch,
        label,
        before,
        after.embedding,
        *near,
        expression,
        drawn.genes.tolist(),
        timed(
            "reference",
            lambda: build_reference(before, batch.codes, expression, near[0].indices, seed=0),
        ),
        seconds,
    )


def interactive(m: Material) -> dict[str, Callable[[], Any]]:
    """The numbers that every run waits for."""
    before, after = m.near_before.indices, m.near_after.indices
    clusters = m.reference.evidence.pre
    return {
        "detector: conflict, gap, lost markers, matched mixing": lambda: score(
            m.reference,
            after,
            before,
            expression=m.expression,
            batch_names=m.batch.levels,
            gene_names=m.genes,
        ),
        "matched mixing before": lambda: matched_mixing(m.reference, before),
        "purity loss": lambda: conservation.purity_loss(
            before, after, m.label.codes, m.batch.codes
        ),
        "mixing per cell": lambda: mixing.local_mixing(after, m.batch.codes),
        "wrong-label neighbours per cell": lambda: conservation.wrong_label_fraction(
            after, m.label.codes
        ),
        "neighbours replaced per cell": lambda: movement.neighbors_replaced(before, after),
        "displacement per cell": lambda: movement.displacement(m.before, m.after, clusters),
    }


def lisi_set(m: Material) -> dict[str, Callable[[], Any]]:
    """LISI of batch, permuted batch and label, of one embedding."""
    near = m.near_after
    return {
        "LISI of batch, its null, and label": lambda: lisi_numbers(
            near.indices, near.distances, [m.batch], m.label
        )
    }


def on_demand(m: Material) -> dict[str, Callable[[], Any]]:
    """The scIB set, piece by piece, and the numbers inside labels."""
    near, batch, label = m.near_after, m.batch.codes, m.label.codes
    strata = label * len(m.batch.levels) + batch
    some = scib.stratified_sample(strata, 5000)
    return {
        "CiLISI": lambda: mixing.cilisi(near.indices, near.distances, batch, label),
        "kBET": lambda: kbet(near.indices, batch),
        "kBET per label": lambda: kbet_per_label(near.indices, batch, label),
        "graph connectivity": lambda: scib.graph_connectivity(near.indices, label),
        "PCR comparison": lambda: scib.pcr_comparison(m.before, m.after, batch),
        "label silhouettes (sample)": lambda: scib.label_silhouettes(m.after[some], label[some]),
        "BRAS (sample)": lambda: scib.bras(m.after[some], label[some], batch[some]),
    }


def once(m: Material) -> dict[str, Callable[[], Any]]:
    """What every run of a dataset is judged against."""
    codes, near = np.ascontiguousarray(m.batch.codes, dtype=np.int32), m.near_before.indices

    def states() -> LentStates:
        pool_of = pool_batches(near, codes)
        return lend_states(
            *(m.before, codes, pool_of, m.expression, m.reference.genes, near),
            are_genes=m.reference.has_genes,
            seed=0,
        )

    return {STATES: states}


STATES = "states, and what cells borrow of them"
GROUPS = {"interactive": interactive, "lisi": lisi_set, "on_demand": on_demand, "once": once}


def others(m: Material) -> dict[str, tuple[str, Callable[[], Any]]]:
    """By our name of a number: another library, and the same number by it."""
    import harmonypy
    import pandas as pd

    n, batch, label = len(m.after), m.batch.codes, m.label.codes

    def pcr() -> None:
        for X in (m.before, m.after):
            parts = PCA(svd_solver="full").fit_transform(X)
            onehot = np.eye(len(m.batch.levels))[batch]
            LinearRegression().fit(onehot, parts).predict(onehot)

    found: dict[str, tuple[str, Callable[[], Any]]] = {
        "PCR comparison": ("scikit-learn", pcr),
        STATES: ("scanpy's Leiden alone, neighbours at hand", _leiden(m)),
    }
    if n <= QUADRATIC_UP_TO:
        found["label silhouettes (sample)"] = (
            "scikit-learn, all cells",
            lambda: silhouette_score(m.after, label),
        )
        table = pd.DataFrame({"batch": batch, "label": label})
        found["LISI of batch, its null, and label"] = (
            "harmonypy, with its own neighbours, two columns",
            lambda: harmonypy.compute_lisi(m.after, table, ["batch", "label"], 30),
        )
    return found | _scib_metrics(m)


def _leiden(m: Material) -> Callable[[], Any]:
    """Return a clustering of all cells by scanpy, of a graph that is made already."""
    import anndata as ad
    import scanpy as sc

    near = m.near_before.indices[:, :PEER_NEIGHBORS]
    rows = np.repeat(np.arange(len(near)), near.shape[1])
    edges = np.ones(near.size, dtype=np.float32)
    graph = sp.csr_matrix((edges, (rows, near.ravel())), shape=(len(near), len(near)))
    cells = ad.AnnData(sp.csr_matrix((len(near), 1), dtype=np.float32))
    return lambda: sc.tl.leiden(
        cells,
        adjacency=graph.maximum(graph.T),
        resolution=thresholds.RESOLUTION_FINE,
        flavor="igraph",
        n_iterations=2,
        directed=False,
        random_state=0,
    )


def _scib_metrics(m: Material) -> dict[str, tuple[str, Callable[[], Any]]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import scib_metrics
            from scib_metrics.nearest_neighbors import NeighborsResults
    except ImportError:
        return {}
    name, batch, label = "scib-metrics", m.batch.codes, m.label.codes
    near = NeighborsResults(*m.near_after.with_self(91))
    fifteen = NeighborsResults(*m.near_after.with_self(16))
    strata = label * len(m.batch.levels) + batch
    some = scib.stratified_sample(strata, 5000)
    return {
        "LISI of batch, its null, and label": (
            f"{name}, two columns",
            lambda: (scib_metrics.ilisi_knn(near, batch), scib_metrics.clisi_knn(near, label)),
        ),
        "kBET": (name, lambda: scib_metrics.kbet(near, batch)),
        "graph connectivity": (name, lambda: scib_metrics.graph_connectivity(fifteen, label)),
        "label silhouettes (sample)": (
            f"{name}, same sample",
            lambda: scib_metrics.silhouette_label(m.after[some], label[some]),
        ),
        "BRAS (sample)": (
            f"{name}, same sample",
            lambda: scib_metrics.bras(m.after[some], label[some], batch[some]),
        ),
    }


def best_of_three(function: Callable[[], Any]) -> tuple[float, float | None]:
    """Best time of three after one warm-up, and the largest extra memory of a call, in MB."""
    function()
    seconds, peaks = [], []
    for _ in range(3):
        gc.collect()
        before = _reset_peak()
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
        if before is not None:
            peaks.append((_memory_kb("VmHWM") - before) / 1024)
    return min(seconds), max(peaks) if peaks else None


def _reset_peak() -> int | None:
    """Forget the process's peak memory (Linux only); return the present memory in kB."""
    try:
        # Freed memory that the allocator keeps would hide what a call needs.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _memory_kb("VmRSS")


def _memory_kb(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise RuntimeError(f"{field} is not in /proc/self/status")


def measure(n_cells: int, groups: Collection[str] = GROUPS) -> list[Row]:
    """Time the numbers of some groups at one size."""
    material = make(n_cells)
    made = ", ".join(f"{name} {s:.1f} s" for name, s in material.seconds.items())
    print(f"\n{n_cells:,} cells (not counted: {made})", flush=True)
    beside = others(material)
    rows = []
    for group in groups:
        for name, function in GROUPS[group](material).items():
            seconds, peak = best_of_three(function)
            other, other_function = beside.get(name, ("", None))
            other_seconds = None if other_function is None else best_of_three(other_function)[0]
            row = Row(n_cells, group, name, seconds, peak, other, other_seconds)
            rows.append(row)
            memory = "" if peak is None else f"{peak:8.0f} MB"
            text = f"  {group:<12}{name:<55}{seconds:8.3f} s{memory}"
            if row.ratio is not None:
                text += f"   {other}: {other_seconds:.3f} s ({row.ratio:.1f} times ours)"
            print(text, flush=True)
    for group in [group for group in LIMITS if group in groups]:
        print(f"  {group} in all: {_sum(rows, n_cells, group):.3f} s", flush=True)
    return rows


def _sum(rows: list[Row], cells: int, group: str) -> float:
    return sum(r.seconds for r in rows if r.cells == cells and r.group == group)


def failures(rows: list[Row]) -> list[str]:
    """Say which aims were missed; the limits hold at 100,000 cells, linear growth for all sizes."""
    missed = []
    for group, limit in LIMITS.items():
        for cells in sorted({r.cells for r in rows}):
            if cells <= LIMIT_CELLS and _sum(rows, cells, group) > limit:
                missed.append(f"{group} takes {_sum(rows, cells, group):.2f} s at {cells:,} cells")
    for name in dict.fromkeys(r.name for r in rows if r.group in LIMITS):
        own = [r for r in rows if r.name == name]
        seconds = {r.cells: r.seconds for r in own if r.seconds >= LEAST_SECONDS}
        memory = {r.cells: r.peak_mb for r in own if (r.peak_mb or 0) >= LEAST_MB}
        missed += [
            f"{name}: {what} per cell {growth}"
            for what, by_size in (("time", seconds), ("memory", memory))
            if (growth := _growth(by_size))
        ]
    return missed


def _growth(by_size: dict[int, float]) -> str:
    """Say how a measure grows per cell, if that is more than linear growth allows."""
    if len(by_size) < 2:
        return ""
    least, most = min(by_size), max(by_size)
    growth = (by_size[most] / most) / (by_size[least] / least)
    if growth <= LINEAR_SLACK:
        return ""
    return f"grows {growth:.1f}-fold from {least:,} to {most:,} cells"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--json", type=Path, help="write all rows to this file")
    parser.add_argument("--check", action="store_true", help="fail if an aim is missed")
    asked = parser.parse_args()
    rows = [row for n in asked.cells for row in measure(n, asked.only)]
    if asked.json:
        asked.json.write_text(
            json.dumps({"rows": [asdict(r) | {"ratio": r.ratio} for r in rows]}, indent=1) + "\n"
        )
    missed = failures(rows) if asked.check else []
    for line in missed:
        print("missed:", line)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
