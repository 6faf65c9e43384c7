"""Seconds and peak memory of reading and preparing a large file, beside plain scanpy.

    python benchmarks/prepare.py --cells 200000 --genes 20000 --per-cell 1500 --json prepare.json

The file is generated block by block: counts of a few cell types in several batches, sparse, stored
by cell as CellRanger's and scanpy's files are. Each side then does the same in a fresh process:
read, quality control, normalisation, log, variable genes within each batch, 50 components. Ours
also checks the file and keeps it in the store, which is told apart. The components of both are
compared, so that nobody is fast by doing something else. Peak memory is what the system says of
the process, its libraries included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from harmony_core.params import HarmonyParams, PrepareParams, RunParams

PARAMS = RunParams(
    harmony=HarmonyParams(batch=("batch",)),
    prepare=PrepareParams(min_genes=100, max_genes=20_000, n_top_genes=2000),
)
MEMORY_LIMIT_GB = 8.0
TYPES, BATCHES = 8, 4
_CELLS_PER_BLOCK = 5_000


def generate(path: Path, *, cells: int, genes: int, per_cell: int, seed: int = 0) -> int:
    """Write an h5ad of sparse counts without ever holding it, and return its number of values.

    Parameters
    ----------
    per_cell
        Genes seen in a cell, about.
    """
    rng = np.random.default_rng(seed)
    types, batches = rng.integers(0, TYPES, cells), rng.integers(0, BATCHES, cells)
    popularity = rng.gamma(0.3, 1.0, genes) + 0.05
    profile = popularity * rng.lognormal(0, 0.5, (TYPES, 1, genes))
    profile = profile * rng.lognormal(0, 0.2, (1, BATCHES, genes))
    cumulative = np.cumsum(profile / profile.sum(axis=2, keepdims=True), axis=2)
    indptr = np.zeros(cells + 1, dtype=np.int64)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        X = file.create_group("X")
        X.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        X.attrs["shape"] = np.array([cells, genes])
        options: dict[str, Any] = {"shape": (0,), "maxshape": (None,), "chunks": (1 << 20,)}
        data = X.create_dataset("data", dtype=np.float32, compression="lzf", **options)
        indices = X.create_dataset("indices", dtype=np.int32, compression="lzf", **options)
        for start in range(0, cells, _CELLS_PER_BLOCK):
            rows = range(start, min(start + _CELLS_PER_BLOCK, cells))
            seen: list[np.ndarray] = []
            counted: list[np.ndarray] = []
            for row in rows:
                # Molecules drawn one by one; several of a gene become its count.
                drawn = rng.random(int(per_cell * rng.lognormal(0.17, 0.3)))
                found = np.searchsorted(cumulative[types[row], batches[row]], drawn)
                gene, n = np.unique(np.minimum(found, genes - 1), return_counts=True)
                seen.append(gene.astype(np.int32))
                counted.append(n.astype(np.float32))
                indptr[row + 1] = indptr[row] + len(gene)
            for stored, parts in ((data, counted), (indices, seen)):
                stored.resize((int(indptr[rows[-1] + 1]),))
                stored[int(indptr[start]) :] = np.concatenate(parts)
        X["indptr"] = indptr
        import anndata as ad
        import pandas as pd

        names = pd.Index([f"cell{i}" for i in range(cells)])
        obs = pd.DataFrame({"batch": pd.Categorical([f"b{b}" for b in batches])}, index=names)
        ad.io.write_elem(file, "obs", obs)
        var = pd.DataFrame(index=pd.Index([f"GENE{i}" for i in range(genes)]))
        ad.io.write_elem(file, "var", var)
    return int(indptr[-1])


def ours(path: Path, out: Path) -> dict[str, float]:
    """Read a file into a store and prepare it."""
    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.store import Store
    from harmony_core.store.ingest import ingest_file

    with tempfile.TemporaryDirectory(dir=out.parent) as home:
        start = time.perf_counter()
        dataset = ingest_file(Store(home), path, name=path.name)
        read = time.perf_counter()
        embedding = Pipeline(dataset, PARAMS).stage("prepare").arrays["embedding"]
        done = time.perf_counter()
        np.save(out, np.asarray(embedding))
    return {"read": read - start, "prepare": done - read}


def scanpys(path: Path, out: Path) -> dict[str, float]:
    """Do the same as a scanpy tutorial does."""
    import anndata as ad
    import scanpy as sc

    p = PARAMS.prepare
    start = time.perf_counter()
    adata = ad.read_h5ad(path)
    read = time.perf_counter()
    sc.pp.filter_cells(adata, min_genes=p.min_genes)
    sc.pp.filter_cells(adata, max_genes=p.max_genes)
    sc.pp.filter_genes(adata, min_cells=p.min_cells)
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=p.n_top_genes, batch_key="batch")
    sc.pp.pca(adata, n_comps=p.n_pcs, mask_var="highly_variable", random_state=p.seed)
    done = time.perf_counter()
    np.save(out, adata.obsm["X_pca"].astype(np.float32))
    return {"read": read - start, "prepare": done - read}


SIDES = {"Harmony Explorer": ours, "scanpy": scanpys}


def measured(side: str, path: Path, out: Path) -> dict[str, float]:
    """Run one side in a process of its own; return seconds, and gigabytes at the peak."""
    command = [sys.executable, __file__, "--side", side, "--file", str(path), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _one_side(side: str, path: Path, out: Path) -> None:
    seconds = SIDES[side](path, out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({**seconds, "peak_gb": peak}))


def _difference(first: Path, second: Path) -> float:
    """Largest difference of the components, whose signs are free, as a share of their size."""
    a, b = np.load(first), np.load(second)
    signs = np.sign((a * b).sum(axis=0))
    return float(np.abs(a - b * signs).max() / np.abs(a).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--per-cell", type=int, default=1_500, help="genes seen in a cell, about")
    parser.add_argument("--file", type=Path, help="an h5ad with a column batch, instead")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary one")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--check", action="store_true", help=f"fail above {MEMORY_LIMIT_GB:g} GB")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side is not None:
        _one_side(args.side, args.file, args.out)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as work:
        path = args.file
        if path is None:
            path = Path(work) / "generated.h5ad"
            n = generate(path, cells=args.cells, genes=args.genes, per_cell=args.per_cell)
            print(f"{args.cells:,} cells × {args.genes:,} genes, {n:,} values other than zero")
        outs = {side: Path(work) / f"{i}.npy" for i, side in enumerate(SIDES)}
        found = {side: measured(side, path, outs[side]) for side in SIDES}
        difference = _difference(*outs.values())
    print(f"{'':18}{'read, s':>10}{'prepare, s':>12}{'peak, GB':>10}")
    for side, numbers in found.items():
        read, prepare, peak = (numbers[k] for k in ("read", "prepare", "peak_gb"))
        print(f"{side:18}{read:10.1f}{prepare:12.1f}{peak:10.2f}")
    mine, theirs = found.values()
    ratio = {k: mine[k] / theirs[k] for k in mine}
    print(f"{'ratio':18}{ratio['read']:10.2f}{ratio['prepare']:12.2f}{ratio['peak_gb']:10.2f}")
    print(f"largest difference of the components: {difference:.1e} of their size")
    if args.json is not None:
        args.json.write_text(json.dumps({**found, "ratio": ratio, "difference": difference}))
    if args.check and mine["peak_gb"] > MEMORY_LIMIT_GB:
        raise SystemExit(f"The peak is above {MEMORY_LIMIT_GB:g} GB.")


if __name__ == "__main__":
    main()
