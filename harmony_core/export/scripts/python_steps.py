"""The pieces of a rerun script, as text: what is written is what a colleague reads.

They rely on the settings that `harmony_core.export.scripts.python` puts before them, in capitals,
and on each other in the order in which that module joins them.
"""

from __future__ import annotations

from harmony_core.export.scripts.untyped import untyped_source

IMPORTS = """\
import argparse
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import anndata as ad
import faiss
import harmonypy
import numba
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
import threadpoolctl
from umap.umap_ import find_ab_params, fuzzy_simplicial_set
"""

ARGUMENTS = """\
parser = argparse.ArgumentParser(description="Repeat one run; writes rerun.h5ad.")
parser.add_argument("input", nargs="?", default=INPUT or None, help="the data, an h5ad file")
parser.add_argument("--any-data", action="store_true", help="accept data that differ")
arguments = parser.parse_args()
if arguments.input is None:
    parser.error("give the h5ad file of the run; where it was is not recorded")
path, any_data = Path(arguments.input), arguments.any_data
"""

NO_ARGUMENTS = """\
path, any_data = Path(INPUT), False  # the data; whether to accept data that differ
"""


CHECK = """
for library, version in VERSIONS.items():
    if metadata.version(library) != version:
        print(f"{library}: {version} in the run, {metadata.version(library)} here", file=sys.stderr)
if not path.is_file():
    sys.exit(f"There is no file {str(path)!r}; give the h5ad file of the run.")
adata = ad.read_h5ad(path)
missing = [name for name in COLUMNS if name not in adata.obs]
if missing:
    sys.exit(f"{str(path)!r} has no column {missing[0]!r}.")
for name in EMBEDDINGS:
    if name not in adata.obsm:
        sys.exit(f"{str(path)!r} has no embedding {name!r}.")
if content_digest(adata, EXPRESSION, COLUMNS, EMBEDDINGS) != DIGEST and not any_data:
    sys.exit(f"{str(path)!r} differs from the data of the run; --any-data takes it all the same.")
"""


def read(where: str) -> str:
    """Return the step that reads the data, checks them and takes the expression matrix."""
    if not where:
        return CHECK
    if where == "raw":
        return CHECK + "matrix, genes = adata.raw.X, adata.raw.var\n"
    layer = "adata.X" if where == "X" else 'adata.layers[EXPRESSION.removeprefix("layers/")]'
    return CHECK + f"matrix, genes = {layer}, adata.var\n"


QUALITY = """\
X = sp.csr_matrix(matrix, dtype=np.float32)
X.sort_indices()
symbols = genes.index if SYMBOLS is None else genes[SYMBOLS]
is_mito = pd.Series(symbols.astype(str)).str.startswith(("MT-", "mt-", "Mt-")).to_numpy()
total = np.asarray(X.sum(axis=1), dtype=np.float32).ravel()
mito = np.asarray(X[:, is_mito].sum(axis=1), dtype=np.float32).ravel()
mito = np.divide(100 * mito, total, out=np.zeros_like(total), where=total > 0)
n_genes = X.getnnz(axis=1)
cells = np.flatnonzero((n_genes >= MIN_GENES) & (n_genes <= MAX_GENES) & (mito <= MAX_MITO))
"""

DOUBLETS = """\
batch = adata.obs[BATCH].astype(str).to_numpy()[cells]
scores = np.zeros(len(cells), dtype=np.float32)
for level in np.unique(batch):
    members = np.flatnonzero(batch == level)
    if len(members) < 100:  # too few to tell
        continue
    part = ad.AnnData(X[cells[members]])
    with threadpoolctl.threadpool_limits(1):
        sc.pp.scrublet(part, threshold=0.25, random_state=PREPARE_SEED, verbose=False)
    scores[members] = part.obs["doublet_score"].to_numpy()
cells = cells[~(scores > MAX_DOUBLET)]
"""

KEPT_GENES = """\
kept_genes = np.flatnonzero(X[cells].getnnz(axis=0) >= MIN_CELLS)
X = X[cells][:, kept_genes]
"""

ALL_KEPT = """\
X = sp.csr_matrix(matrix, dtype=np.float32)
X.sort_indices()
cells, kept_genes = np.arange(adata.n_obs), np.arange(X.shape[1])
"""


def normalisation(kind: str, *, filtered: bool) -> str:
    """Return the step that normalises values of a kind, as ``dataset.json`` names it."""
    code = "" if filtered and kind == "counts" else ALL_KEPT
    code += "expression = ad.AnnData(X.copy(), var=pd.DataFrame(index=genes.index[kept_genes]))\n"
    if kind == "counts":
        code += "sc.pp.normalize_total(expression, target_sum=1e4)\n"
    if kind in ("counts", "normalised"):
        code += "sc.pp.log1p(expression)\n"
    else:
        code += 'expression.uns["log1p"] = {"base": None}  # the values came as logarithms\n'
    return code


PCA = """\
expression.obs["batch"] = pd.Categorical(adata.obs[BATCH].astype(str).to_numpy()[cells])
expression.var["variable"] = True
if expression.n_vars > N_TOP_GENES:
    by_batch = expression.obs["batch"].value_counts().min() >= 20
    sc.pp.highly_variable_genes(
        expression,
        n_top_genes=N_TOP_GENES,
        batch_key="batch" if by_batch else None,
        flavor="seurat",
    )
    expression.var["variable"] = expression.var["highly_variable"]
variable = expression[:, expression.var["variable"]].copy()
n_pcs = min(N_PCS, variable.n_vars - 1, variable.n_obs - 1)
with threadpoolctl.threadpool_limits(1):  # the last digits depend on the number of threads
    if SCALE:
        variable.X = variable.X.toarray()
        sc.pp.scale(variable, max_value=10)
    sc.pp.pca(variable, n_comps=n_pcs, random_state=PREPARE_SEED)
before = np.ascontiguousarray(variable.obsm["X_pca"], dtype=np.float32)
"""

BASIS = """\
cells = np.arange(adata.n_obs)
before = np.array(adata.obsm[BASIS][:, SKIP_DIMS:], dtype=np.float32)
"""

HARMONY = """\
batches = pd.DataFrame(
    {
        str(i): pd.Index(levels).get_indexer(adata.obs[name].astype(str).to_numpy()[cells])
        for i, (name, levels) in enumerate(BATCHES.items())
    }
)
harmony = harmonypy.run_harmony(before, batches, list(batches), verbose=False, **HARMONY)
after = np.asarray(harmony.Z_corr, dtype=np.float32)  # cells × components
print(f"Harmony did {len(harmony.objective_harmony) - 1} iterations.")
"""

GIVEN = """\
after = np.array(adata.obsm[CORRECTED][cells], dtype=np.float32)
"""

EXHAUSTIVE = '''\
{functions}


def neighbours(embedding):
    """Nearest cells with their distances, each cell itself first."""
    data = np.ascontiguousarray(embedding, dtype=np.float32)
    n = len(data)
    index = faiss.IndexFlatL2(data.shape[1])
    index.add(data)
    with threadpoolctl.threadpool_limits(1, "blas"):
        found, squared = search_in_parts(index, data, min(WIDTH, n - 1) + 1)
    # Among identical cells the cell itself may stand anywhere, or nowhere.
    own = found == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    found = found[~own].reshape(n, -1)
    return with_itself(found, np.sqrt(np.maximum(squared[~own].reshape(n, -1), 0)))
'''

BY_LISTS = '''\
{functions}


def neighbours(embedding):
    """Nearest cells with their distances, each cell itself first."""
    data = np.ascontiguousarray(embedding, dtype=np.float32)
    k = min(WIDTH, len(data) - 1)
    found, squared = search_by_lists(data, None, k, NEIGHBORS_SEED, PROBES)
    return with_itself(found, np.sqrt(squared))
'''

GRAPH = '''\
def with_itself(found, distances):
    n = len(found)
    k = min(N_NEIGHBORS - 1, found.shape[1])
    itself, nothing = np.arange(n)[:, None], np.zeros((n, 1))
    return (
        np.hstack([itself, found[:, :k]]).astype(np.int32),
        np.hstack([nothing, distances[:, :k]]).astype(np.float32),
    )


def neighbour_graph(embedding):
    """UMAP's weighted graph, which is scanpy's connectivities."""
    found, distances = neighbours(embedding)
    graph = fuzzy_simplicial_set(
        sp.coo_matrix((len(found), 1)),
        found.shape[1],
        None,
        None,
        knn_indices=found,
        knn_dists=distances,
        set_op_mix_ratio=1.0,
        local_connectivity=1.0,
    )[0]
    return sp.csr_matrix(graph)


graphs = {"": neighbour_graph(after), "_uncorrected": neighbour_graph(before)}
'''

CLUSTERS = """\
result = adata[cells].copy()
for side, graph in graphs.items():
    ordered = graph.copy()
    ordered.sort_indices()
    result.obsp[f"connectivities{side}"] = ordered
    for resolution in RESOLUTIONS:
        sc.tl.leiden(
            result,
            resolution=resolution,
            adjacency=ordered,
            random_state=LEIDEN_SEED,
            %s,
            key_added="found",
        )
        found = result.obs.pop("found").astype(int).to_numpy()
        # Numbered by size, the largest first.
        rank = np.argsort(np.argsort(-np.bincount(found), kind="stable"), kind="stable")
        name = f"leiden{side}" if resolution == SHOWN else f"leiden{side}_{resolution:g}"
        numbers = [str(i) for i in range(len(rank))]
        result.obs[name] = pd.Categorical.from_codes(rank[found], categories=numbers)
"""
IGRAPH = CLUSTERS % 'flavor="igraph",\n            n_iterations=2,\n            directed=False'
LEIDENALG = CLUSTERS % 'flavor="leidenalg",\n            n_iterations=-1'

LAYOUT = """\
{functions}

a, b = find_ab_params(SPREAD, MIN_DIST)
leading = before[:, :2].astype(np.float64)
leading = leading - leading.mean(axis=0)
start = leading * (10.0 / np.maximum(np.abs(leading).max(), 1e-12))
start = start + np.random.RandomState(0).normal(scale=1e-4, size=start.shape)
picture_before = optimise(
    graphs["_uncorrected"], start, a, b, LAYOUT_SEED, EPOCHS_FROM_SCRATCH, RATE_FROM_SCRATCH
)
picture_after = optimise(
    graphs[""], picture_before, a, b, LAYOUT_SEED, EPOCHS_FROM_LAYOUT, RATE_FROM_LAYOUT
)
# Turned onto the one before, so that the two can be compared by eye.
ours = picture_after - picture_after.mean(axis=0)
theirs = picture_before - picture_before.mean(axis=0)
u, _, vt = np.linalg.svd(ours.astype(np.float64).T @ theirs.astype(np.float64))
picture_after = (ours @ (u @ vt) + picture_before.mean(axis=0)).astype(np.float32)
"""


def neighbours_step(n_cells: int) -> str:
    """Return the step that finds neighbours and makes graphs of them, for this many cells."""
    from harmony_core.methods import neighbors_kernel as ours
    from harmony_core.methods.index_search import CELLS_AT_ONCE, search_in_parts
    from harmony_core.methods.neighbors import EXACT_UP_TO

    in_parts = f"CELLS_AT_ONCE = {CELLS_AT_ONCE}\n\n\n{untyped_source(search_in_parts)}"
    if n_cells <= EXACT_UP_TO:
        return f"{EXHAUSTIVE.replace('{functions}', in_parts)}\n\n{GRAPH}"
    functions = (
        *(ours.apart, ours.collect, ours.split, ours.nearest, ours.around, ours.search_blocks),
        *(ours.sorted_by_list, ours.lists_to_look_at, ours.search_by_lists),
    )
    by_lists = f"{in_parts}\n\n\n{untyped_source(*functions)}"
    return f"{BY_LISTS.replace('{functions}', by_lists)}\n\n{GRAPH}"


def layout_step() -> str:
    """Return the step that draws the pictures."""
    from harmony_core.methods import umap_kernel as ours

    return LAYOUT.replace("{functions}", untyped_source(ours.one_epoch, ours.forces, ours.optimise))


MARKERS = """\
expression.obs["leiden"] = result.obs["leiden"].to_numpy()
sizes = expression.obs["leiden"].value_counts()
testable = [str(g) for g in sizes.index if 2 <= sizes[g] <= expression.n_obs - 2]
if len(sizes) > 1 and testable:
    expression.var_names_make_unique()
    n_genes = min(50, expression.n_vars)
    sc.tl.rank_genes_groups(
        expression, "leiden", groups=testable, method="wilcoxon", n_genes=n_genes
    )
    result.uns["rank_genes_groups"] = expression.uns["rank_genes_groups"]
"""

WRITE = """\
result.obsm["X_pca" if BASIS is None else BASIS] = before
result.obsm[CORRECTED] = after
result.obsm["X_umap"] = picture_after
result.obsm["X_umap_uncorrected"] = picture_before
result.write_h5ad("rerun.h5ad", compression="gzip")
print(f"Wrote rerun.h5ad: {result.n_obs:,} cells in {result.obs['leiden'].nunique()} clusters.")
"""

PLOT = """\
for basis in ("X_umap_uncorrected", "X_umap"):
    sc.pl.embedding(result, basis, color=[BATCH, "leiden"])
"""
