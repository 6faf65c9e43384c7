"""How long after a slider move each result is there, beside the textbook recipe.

    python benchmarks/interactive.py --cells 10000 50000 100000 --json interactive.json

The peer is what a scanpy user would write: harmonypy, ``sc.pp.neighbors``, ``sc.tl.umap`` and
Leiden at 0.5 with igraph, in a process of its own. Ours is measured as a viewer meets it: a move
is submitted to the runner, its spawned worker computes, and a result counts when the store has
it. Compiled code is warm on both sides; every figure is the median of the same moves of theta,
sigma and nclust. ``harmony_overhead`` compares our correction with harmonypy called bare in the
same process right after. harmonypy's LISI is timed apart and in no ratio.

corrected
    the corrected embedding, beside the peer's Harmony
preview, verdict, full
    the quick picture; quick picture and verdict; the full picture: beside the peer's picture
everything
    clusters at 0.5 as well, beside the peer's picture and Leiden at 0.5
finished
    clusters at the two other resolutions as well, which the peer does not do
revisit
    a setting seen before, beside nothing: the peer computes it again
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generated import cells, machine, peak_gb

from harmony_core.jobs.executors import spawned_worker
from harmony_core.jobs.places import Place
from harmony_core.jobs.runner import Runner
from harmony_core.jobs.work import run_work
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.plan import SIDES, STAGES
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.examples import EXAMPLES

Row = dict[str, Any]

DEFAULT = HarmonyParams(batch=("batch",))
MOVES = (
    replace(DEFAULT, theta=(1.0,)),
    replace(DEFAULT, sigma=0.2),
    replace(DEFAULT, nclust=50),
    replace(DEFAULT, theta=(4.0,)),
    replace(DEFAULT, sigma=0.05),
)
WAITED_FOR = {
    "corrected": ("correct",),
    "preview": ("preview_after",),
    "verdict": ("preview_after", "assess"),
    "full": ("layout_after",),
    "everything": ("layout_after", "assess", "clusters_after"),
    "finished": tuple(stage.name for stage in STAGES),
}
ONCE = (
    "prepare",
    "neighbors_before",
    "layout_before",
    "reference",
    "lisi_before",
    "clusters_before",
    "other_clusters_before",
)
"""Stages that a dataset needs once, whatever is moved."""

WARM_CELLS = 9_000
"""Above 8,192 cells scanpy's neighbours take the compiled path that larger data take."""
LISI_UP_TO = 20_000
LOOK_EVERY = 0.02
"""Seconds: looking more often takes a noticeable part of two cores from the worker."""

JUDGED = 20_000
"""Cells whose neighbours are looked up for the shares: with 3,000 those are off by 3 in 100."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 50_000, 100_000])
    parser.add_argument("--moves", type=int, default=3, help="how many moves the medians are of")
    parser.add_argument("--no-kang", action="store_true", help="leave the shipped sample out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(machine())
    print(f"{'data':<10} {'cells':>8}  {'what':<11} {'ours':>8} {'peer':>9} {'ratio':>7}")
    rows: list[Row] = []
    quality: list[Row] = []
    memory: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        material = [] if options.no_kang else [_kang(Path(folder))]
        material += [_generated(Path(folder), n) for n in options.cells]
        for name, file in material:
            found = measure(name, file, MOVES[: options.moves])
            for row in found["rows"]:
                print(_line(row), flush=True)
            profile = ", ".join(f"{k} {v:.2f}" for k, v in found["profile"].items())
            print(f"  seconds a stage: {profile}", flush=True)
            rows += found["rows"]
            quality.append(found["quality"])
            memory.append(found["memory"])
    for title, table in (("Quality", quality), ("Peak memory in GB", memory)):
        print(f"\n{title}\n{pd.DataFrame(table).to_string(index=False)}")
    if options.json:
        found = {"machine": machine(), "rows": rows, "quality": quality, "memory": memory}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def _generated(folder: Path, n_cells: int) -> tuple[str, Path]:
    embedding, batch, types = cells(n_cells)
    file = folder / f"{n_cells}.npz"
    np.savez(file, embedding=embedding, batch=batch.astype(str), label=types.astype(str))
    return "generated", file


def _kang(folder: Path) -> tuple[str, Path]:
    """The shipped sample, from the embedding that our preparation gives it."""
    from harmony_core.runs.plan import Plan
    from harmony_core.store import examples

    store, sample = Store(folder / "kang"), EXAMPLES["kang"]
    dataset = store.dataset(examples.fingerprint(store, "kang"))
    params = RunParams(
        harmony=HarmonyParams(batch=(sample.batch,)), label=sample.label, condition=True
    )
    prepared = dataset.finished(Plan(dataset, params).keys["prepare"])
    if prepared is None:
        raise SystemExit("The shipped results are out of date: run sample_data/make_store.py.")
    obs = dataset.obs.iloc[np.asarray(prepared.arrays["cells"])]
    file = folder / "kang.npz"
    np.savez(
        file,
        embedding=prepared.arrays["embedding"],
        batch=obs[sample.batch].to_numpy(dtype=str),
        label=obs[sample.label].to_numpy(dtype=str),
    )
    return "kang", file


def measure(name: str, file: Path, moves: tuple[HarmonyParams, ...]) -> dict[str, Any]:
    """Time ours, then the peer, on the same data and moves; then compare what they found."""
    n_cells = len(np.load(file)["embedding"])
    with tempfile.TemporaryDirectory() as home:
        ours = _ours(Store(Path(home)), file, moves)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            theirs = pool.submit(_peer, str(file), moves).result()
        beside = {
            "corrected": theirs["harmony"],
            "preview": theirs["picture"],
            "verdict": theirs["picture"],
            "full": theirs["picture"],
            "everything": theirs["everything"],
            "finished": None,
            "revisit": None,
        }
        rows = []
        for what, peer in beside.items():
            seconds = ours["seconds"][what]
            rows.append(
                {
                    "data": name,
                    "cells": n_cells,
                    "what": what,
                    "ours_s": round(seconds, 3),
                    "peer_s": None if peer is None else round(peer, 3),
                    "ratio": None if peer is None else round(peer / seconds, 2),
                }
            )
        quality = _quality(name, ours["results"], theirs)
        quality["harmony_overhead"] = round(ours["overhead"], 3)
        quality["verdict_with_preview_stands"] = ours["same_verdict"]
        quality["lisi_peer_s"] = theirs["lisi"]
        memory = {
            "data": name,
            "cells": n_cells,
            "ours": round(ours["peak"], 2),
            "peer": round(theirs["peak"], 2),
            "page": round(_page_peak(ours["results"]), 2),
        }
        moved = [stage.name for stage in STAGES if stage.name not in ONCE]
        profile = {k: v for k, v in ours["results"].seconds.items() if k in moved and v >= 0.005}
    return {"rows": rows, "quality": quality, "memory": memory, "profile": profile}


def _ours(store: Store, file: Path, moves: tuple[HarmonyParams, ...]) -> dict[str, Any]:
    data = np.load(file)
    dataset = ingest_cells(store, data["embedding"], data["batch"], data["label"])
    executor = spawned_worker(store)
    runner = Runner(store, [Place(lambda: executor)])
    runner.start()
    base = RunParams(harmony=DEFAULT, prepare=PrepareParams(basis="X_pca"), label="label")
    try:
        _move(runner, dataset, base)  # compiles, and computes the side before
        timed, same, over = [], [], []
        for move in moves:
            params = replace(base, harmony=move)
            seconds, stands = _move(runner, dataset, params)
            timed.append(seconds)
            same.append(stands)
            # In the same process and at the same moment: machines are not the same for minutes.
            bare = executor.submit(_bare, str(file), move).result()
            over.append(RunResults(dataset, params).seconds["correct"] / bare - 1)
        last = replace(base, harmony=moves[-1])
        start = time.perf_counter()
        runner.submit("viewer", run_work(dataset, last))
        seen = RunResults(dataset, last)
        for side in SIDES:
            np.asarray(seen.layout_or_preview(side))
        assert seen.assessment is not None
        revisit = time.perf_counter() - start
        (worker,) = executor._processes  # type: ignore[attr-defined]
        peak = peak_gb(worker)
    finally:
        runner.close()
    seconds = {what: statistics.median(t[what] for t in timed) for what in WAITED_FOR}
    return {
        "seconds": {**seconds, "revisit": revisit},
        "results": seen,
        "peak": peak,
        "overhead": statistics.median(over),
        "same_verdict": all(same),
    }


def _bare(file: str, p: HarmonyParams) -> float:
    """Time harmonypy alone, to the corrected cells; the better of two, as caches are cold."""
    data = np.load(file)
    embedding, batch = data["embedding"].astype(np.float32), data["batch"]
    return min(_harmony(embedding, batch, p)[1] for _ in range(2))


def _harmony(embedding: np.ndarray, batch: np.ndarray, p: HarmonyParams) -> tuple[Any, float]:
    import harmonypy

    start = time.perf_counter()
    harmony = harmonypy.run_harmony(
        *(embedding, pd.DataFrame({"batch": batch}), ["batch"]),
        theta=p.theta[0],
        sigma=p.sigma,
        nclust=p.nclust,
        random_state=0,
        verbose=False,
    )
    corrected = np.asarray(harmony.Z_corr)
    return corrected, time.perf_counter() - start


def ingest_cells(
    store: Store, embedding: np.ndarray, batch: np.ndarray, label: np.ndarray
) -> Dataset:
    """Put cells with an embedding and no expression into a store."""
    import anndata as ad

    from harmony_core.store.ingest import ingest

    names = [f"cell {i}" for i in range(len(batch))]
    obs = pd.DataFrame({"batch": batch, "label": label}, index=names)
    return ingest(store, ad.AnnData(obs=obs, obsm={"X_pca": embedding}), name="generated")


def _move(runner: Runner, dataset: Dataset, params: RunParams) -> tuple[dict[str, float], bool]:
    """Submit a run; return when each result is there, and whether the first verdict stood."""
    results = RunResults(dataset, params)
    start = time.perf_counter()
    run = run_work(dataset, params)
    runner.submit("viewer", run)
    seconds: dict[str, float] = {}
    while len(seconds) < len(WAITED_FOR):
        for what, steps in WAITED_FOR.items():
            if what not in seconds and results.plan.has(*steps):
                seconds[what] = time.perf_counter() - start
                if what == "verdict":
                    first = results.assessment
        progress = runner.progress(run)
        if progress.state == "failed":
            raise SystemExit(progress.message)
        time.sleep(LOOK_EVERY)
    while not runner.progress(run).is_over:
        time.sleep(LOOK_EVERY)
    return seconds, results.assessment == first


def _peer(file: str, moves: tuple[HarmonyParams, ...]) -> dict[str, Any]:
    """The textbook recipe, in a process of its own."""
    import warnings

    import harmonypy

    warnings.simplefilter("ignore")
    data = np.load(file)
    embedding, batch = data["embedding"], data["batch"]
    recipe(
        *(
            np.tile(a, (1 + WARM_CELLS // len(a),) + (1,) * (a.ndim - 1))[:WARM_CELLS]
            for a in (embedding, batch)
        ),
        DEFAULT,
    )
    found = [recipe(embedding, batch, move) for move in moves]
    answer = {
        name: statistics.median(f[name] for f in found)
        for name in ("harmony", "picture", "everything")
    }
    answer |= {name: found[-1][name] for name in ("corrected", "layout", "clusters")}
    answer["lisi"] = None
    answer["peak"] = peak_gb()
    if len(batch) <= LISI_UP_TO:
        start = time.perf_counter()
        harmonypy.compute_lisi(embedding, pd.DataFrame({"batch": batch}), ["batch"])
        answer["lisi"] = round(time.perf_counter() - start, 2)
    return answer


def recipe(embedding: np.ndarray, batch: np.ndarray, p: HarmonyParams) -> dict[str, Any]:
    import anndata as ad
    import scanpy as sc

    start = time.perf_counter()
    corrected, harmony_s = _harmony(embedding, batch, p)
    meta = pd.DataFrame({"batch": batch})
    adata = ad.AnnData(obs=meta.set_axis([str(i) for i in meta.index]))
    adata.obsm["X_pca_harmony"] = np.ascontiguousarray(corrected)
    sc.pp.neighbors(adata, use_rep="X_pca_harmony")
    sc.tl.umap(adata, min_dist=0.3)
    after_picture = time.perf_counter()
    sc.tl.leiden(adata, resolution=0.5, flavor="igraph", n_iterations=2, directed=False)
    end = time.perf_counter()
    return {
        "harmony": harmony_s,
        "picture": after_picture - start,
        "everything": end - start,
        "corrected": np.asarray(adata.obsm["X_pca_harmony"]),
        "layout": np.asarray(adata.obsm["X_umap"]),
        "clusters": adata.obs["leiden"].to_numpy(dtype=int),
    }


def _quality(name: str, ours: RunResults, theirs: dict[str, Any]) -> Row:
    """Compare what the last move gave: neighbours kept, found, and clusters."""
    import faiss
    from sklearn.metrics import adjusted_rand_score

    embedding = np.ascontiguousarray(ours.embedding("after"), dtype=np.float32)
    pick = np.random.default_rng(0).choice(len(embedding), min(len(embedding), JUDGED), False)

    def nearest(X: np.ndarray, k: int) -> np.ndarray:
        index = faiss.IndexFlatL2(X.shape[1])
        data = np.ascontiguousarray(X, dtype=np.float32)
        index.add(data)
        found = index.search(data[pick], k + 1)[1]
        return np.array([row[row != cell][:k] for row, cell in zip(found, pick, strict=True)])

    def share(found: np.ndarray, truth: np.ndarray) -> float:
        return float(np.mean([np.isin(t, f).mean() for f, t in zip(found, truth, strict=True)]))

    stage = ours.stage("neighbors_after")
    preview = ours.stage("preview_after")
    clusters = ours.clusters("after", 0.5)
    assert stage is not None
    assert preview is not None
    assert clusters is not None
    truth = nearest(embedding, 15)
    peer = share(nearest(theirs["layout"], 15), nearest(theirs["corrected"], 15))
    kept = {
        "full": share(nearest(np.asarray(ours.layout("after")), 15), truth),
        "preview": share(nearest(preview.arrays["positions"], 15), truth),
    }
    wide = np.asarray(stage.arrays["indices"])
    return {
        "data": name,
        "cells": len(embedding),
        "kept_peer": round(peer, 4),
        "kept_full": round(kept["full"], 4),
        "kept_preview": round(kept["preview"], 4),
        "full_of_peer": round(kept["full"] / peer, 3),
        "preview_of_peer": round(kept["preview"] / peer, 3),
        "recall_15": round(share(wide[pick][:, :15], truth), 4),
        "recall_90": round(share(wide[pick], nearest(embedding, wide.shape[1])), 4),
        "leiden_ari": round(float(adjusted_rand_score(theirs["clusters"], clusters)), 3),
        "landmarks": preview.info["landmarks"],
    }


_PAGE = """
import sys
sys.path.insert(0, {folder!r})
from generated import peak_gb
from streamlit.testing.v1 import AppTest
from harmony_core.jobs.places import Place
from harmony_core.jobs.runner import Runner
Runner.start = lambda self, delay: None
app = AppTest.from_file({app!r}, default_timeout=300)
app.session_state["dataset"] = {fingerprint!r}
app.session_state["settings"] = {{ {fingerprint!r}: {params!r} }}
app.run()
assert not app.exception and not app.error, (app.exception, app.error)
print(peak_gb())
"""


def _page_peak(results: RunResults) -> float:
    """Return the peak memory of a fresh process that draws the Tune page."""
    root = Path(__file__).resolve().parents[1]
    code = _PAGE.format(
        folder=str(root / "benchmarks"),
        app=str(root / "app.py"),
        fingerprint=results.dataset.fingerprint,
        params=results.params.to_dict(),
    )
    home = results.dataset.folder.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "HARMONY_EXPLORER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1])


def _line(row: Row) -> str:
    peer = "" if row["peer_s"] is None else f"{row['peer_s']:.2f} s"
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.1f}x"
    return (
        f"{row['data']:<10} {row['cells']:>8,}  {row['what']:<11} {row['ours_s']:>6.2f} s "
        f"{peer:>9} {ratio:>7}"
    )


if __name__ == "__main__":
    main()
