"""A run as one plain Python file, or as a notebook, that needs nothing of ours.

The steps below are text on purpose: what is written is what a colleague reads. Settings and names
from the user's data enter as literals only. A test runs the result in a fresh process and compares
it with the run, so the text can't drift from the chain.
"""

from __future__ import annotations

import inspect
import json
import pprint
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmony_core.export.content import content_digest
from harmony_core.export.files import written_whole
from harmony_core.layout import EPOCHS_FROM_LAYOUT, EPOCHS_FROM_SCRATCH
from harmony_core.params import RunParams
from harmony_core.plan import WIDTH

SCRIPT_NAME = "harmony_rerun.py"
NOTEBOOK_NAME = "harmony_rerun.ipynb"


@dataclass(frozen=True)
class Step:
    """A piece of the script, and a cell of the notebook."""

    title: str
    code: str


def write_python_script(record: Mapping[str, Any], path: Path) -> None:
    """Write a run as a Python script.

    Parameters
    ----------
    record
        From `harmony_core.export.record.record`.
    path
        The file wanted.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    with written_whole(Path(path)) as temporary:
        temporary.write_text(python_script(record), "utf-8")


def python_script(record: Mapping[str, Any]) -> str:
    """Return a run as the text of a Python script."""
    parts = [_header(record)]
    for step in _steps(record, _ARGUMENTS):
        parts.append(f"# {step.title}\n\n{step.code}")
    return "\n\n".join(parts)


def write_notebook(record: Mapping[str, Any], path: Path) -> None:
    """Write a run as a Jupyter notebook; see `write_python_script`."""
    with written_whole(Path(path)) as temporary:
        temporary.write_text(json.dumps(notebook(record), indent=1) + "\n", "utf-8")


def notebook(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as the content of a Jupyter notebook (nbformat 4.5)."""
    cells = [_markdown("# One Harmony run\n\n" + _PURPOSE + "\n\n" + _install(record))]
    for step in _steps(record, _NO_ARGUMENTS):
        cells += [_markdown(f"## {step.title}"), _code(step.code)]
    cells += [_markdown("## Before and after"), _code(_PLOT)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": text.rstrip("\n"),
    }


def _steps(record: Mapping[str, Any], arguments: str) -> list[Step]:
    params = RunParams.from_dict(record["params"])
    where, kind = record["where"], record["kind"]
    digest = inspect.getsource(content_digest) + "\n\n"
    has_expression = bool(where) and kind != "scaled"
    steps = [
        Step("Libraries", _IMPORTS),
        Step("Settings of the run", _settings(record, params)),
        Step(
            "The data, checked to be the same",
            digest + arguments + _read(where),
        ),
    ]
    if params.prepare.basis is None:
        if kind == "counts":
            steps.append(Step("Quality control", _QUALITY))
        steps.append(Step("Normalisation", _normalisation(kind, filtered=True)))
        steps.append(Step("Variable genes and principal components", _PCA))
    else:
        steps.append(Step("The embedding to correct", _BASIS))
        if has_expression:
            steps.append(Step("Normalisation", _normalisation(kind, filtered=False)))
    steps.append(Step("Harmony", _HARMONY))
    steps.append(Step("Neighbours", _NEIGHBOURS))
    steps.append(Step("Clusters", _IGRAPH if params.clusters.flavor == "igraph" else _LEIDENALG))
    steps.append(Step("Pictures", _LAYOUT))
    if has_expression:
        steps.append(Step("Marker genes of the clusters", _MARKERS))
    steps.append(Step("The result", _WRITE))
    return steps


_PURPOSE = (
    "It repeats one run of Harmony Explorer from the user's own file with public libraries only. "
    "With the versions below, the corrected embedding is the same to the last bit, and so are the "
    "clusters."
)


def _header(record: Mapping[str, Any]) -> str:
    pins = ",\n".join(f'#   "{name}=={version}"' for name, version in _pinned(record).items())
    return f'''# /// script
# requires-python = ">=3.11"
# dependencies = [
{pins},
# ]
# ///
"""One Harmony run.

{textwrap.fill(_PURPOSE, 96)}

    python {SCRIPT_NAME} [INPUT.h5ad] [--any-data]

It writes rerun.h5ad where it is run. Data that differ from those of the run are refused, unless
--any-data is given.
"""'''


def _install(record: Mapping[str, Any]) -> str:
    pins = " ".join(f"{name}=={version}" for name, version in _pinned(record).items())
    return f"```\npip install {pins}\n```"


def _pinned(record: Mapping[str, Any]) -> dict[str, str]:
    return {k: v for k, v in sorted(record["versions"].items()) if k != "harmony-explorer"}


def _settings(record: Mapping[str, Any], params: RunParams) -> str:
    harmony, prepare = params.harmony, params.prepare
    levels = dict(zip(harmony.batch, record["harmony"]["levels"], strict=True))
    columns = [*harmony.batch, *([params.label] if params.label else [])]
    values: dict[str, Any] = {
        "INPUT": record["input"],
        "NAME": record["name"],
        "DIGEST": record["digest"],
        "VERSIONS": _pinned(record),
        "EXPRESSION": record["where"],
        "COLUMNS": columns,
        "BATCHES": levels,
        "BASIS": prepare.basis,
    }
    if prepare.basis is None:
        values["SYMBOLS"] = record["symbol_column"]
        names = ("min_genes", "max_genes", "max_mito", "min_cells", "n_top_genes", "n_pcs")
        values |= {name.upper(): getattr(prepare, name) for name in names}
        values["PREPARE_SEED"] = prepare.seed
    values["HARMONY"] = {
        "theta": list(harmony.theta),
        "sigma": harmony.sigma,
        "nclust": record["harmony"]["nclust"],
        "max_iter_harmony": harmony.max_iter,
        "tau": harmony.tau,
        "alpha": harmony.alpha,
        "lamb": harmony.lamb,
        "block_size": harmony.block_size,
        "max_iter_kmeans": harmony.max_iter_kmeans,
        "epsilon_cluster": harmony.epsilon_cluster,
        "epsilon_harmony": harmony.epsilon_harmony,
        "random_state": harmony.seed,
    }
    values |= {
        "N_NEIGHBORS": params.graph.n_neighbors,
        "WIDTH": WIDTH,
        "MIN_DIST": params.layout.min_dist,
        "SPREAD": params.layout.spread,
        "EPOCHS_FROM_SCRATCH": EPOCHS_FROM_SCRATCH,
        "EPOCHS_FROM_LAYOUT": EPOCHS_FROM_LAYOUT,
        "LAYOUT_SEED": params.layout.seed,
        "RESOLUTIONS": list(params.clusters.resolutions),
        "SHOWN": params.clusters.shown,
        "LEIDEN_SEED": params.clusters.seed,
    }
    return "".join(f"{k} = {_literal(v)}\n" for k, v in values.items())


def _literal(value: Any) -> str:
    """Return a value as Python source; whatever a name holds, it stays a literal."""
    return pprint.pformat(value, width=96, sort_dicts=False, compact=True)


_IMPORTS = """\
import argparse
import hashlib
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import anndata as ad
import faiss
import harmonypy
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
import threadpoolctl
from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding
"""

_ARGUMENTS = """\
parser = argparse.ArgumentParser(description="Repeat one Harmony run; writes rerun.h5ad.")
parser.add_argument("input", nargs="?", default=INPUT or None, help="the data, an h5ad file")
parser.add_argument("--any-data", action="store_true", help="accept data that differ")
arguments = parser.parse_args()
if arguments.input is None:
    parser.error("give the h5ad file of the run; where it was is not recorded")
path, any_data = Path(arguments.input), arguments.any_data
"""

_NO_ARGUMENTS = """\
path, any_data = Path(INPUT), False  # the data; whether to accept data that differ
"""


_CHECK = """
for library, version in VERSIONS.items():
    if metadata.version(library) != version:
        print(f"{library}: {version} in the run, {metadata.version(library)} here", file=sys.stderr)
if not path.is_file():
    sys.exit(f"There is no file {str(path)!r}; give the h5ad file of the run.")
adata = ad.read_h5ad(path)
missing = [name for name in COLUMNS if name not in adata.obs]
if missing:
    sys.exit(f"{str(path)!r} has no column {missing[0]!r}.")
if content_digest(adata, EXPRESSION, COLUMNS, BASIS) != DIGEST and not any_data:
    sys.exit(f"{str(path)!r} differs from the data of the run; --any-data takes it all the same.")
"""


def _read(where: str) -> str:
    if not where:
        return _CHECK
    if where == "raw":
        return _CHECK + "matrix, genes = adata.raw.X, adata.raw.var\n"
    layer = "adata.X" if where == "X" else 'adata.layers[EXPRESSION.removeprefix("layers/")]'
    return _CHECK + f"matrix, genes = {layer}, adata.var\n"


_QUALITY = """\
X = sp.csr_matrix(matrix, dtype=np.float32)
X.sort_indices()
symbols = genes.index if SYMBOLS is None else genes[SYMBOLS]
is_mito = pd.Series(symbols.astype(str)).str.startswith(("MT-", "mt-", "Mt-")).to_numpy()
total = np.asarray(X.sum(axis=1), dtype=np.float32).ravel()
mito = np.asarray(X[:, is_mito].sum(axis=1), dtype=np.float32).ravel()
mito = np.divide(100 * mito, total, out=np.zeros_like(total), where=total > 0)
n_genes = X.getnnz(axis=1)
cells = np.flatnonzero((n_genes >= MIN_GENES) & (n_genes <= MAX_GENES) & (mito <= MAX_MITO))
kept_genes = np.flatnonzero(X[cells].getnnz(axis=0) >= MIN_CELLS)
X = X[cells][:, kept_genes]
"""

_ALL_KEPT = """\
X = sp.csr_matrix(matrix, dtype=np.float32)
X.sort_indices()
cells, kept_genes = np.arange(adata.n_obs), np.arange(X.shape[1])
"""


def _normalisation(kind: str, *, filtered: bool) -> str:
    code = "" if filtered and kind == "counts" else _ALL_KEPT
    code += "expression = ad.AnnData(X.copy(), var=pd.DataFrame(index=genes.index[kept_genes]))\n"
    if kind == "counts":
        code += "sc.pp.normalize_total(expression, target_sum=1e4)\n"
    if kind in ("counts", "normalised"):
        code += "sc.pp.log1p(expression)\n"
    else:
        code += 'expression.uns["log1p"] = {"base": None}  # the values came as logarithms\n'
    return code


_PCA = """\
first = list(BATCHES)[0]
expression.obs["batch"] = pd.Categorical(adata.obs[first].astype(str).to_numpy()[cells])
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
    sc.pp.pca(variable, n_comps=n_pcs, random_state=PREPARE_SEED)
before = np.ascontiguousarray(variable.obsm["X_pca"], dtype=np.float32)
"""

_BASIS = """\
cells = np.arange(adata.n_obs)
before = np.array(adata.obsm[BASIS], dtype=np.float32)
"""

_HARMONY = """\
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

_NEIGHBOURS = '''\
def neighbours(embedding):
    """Nearest cells with their distances, each cell itself first; an index above 20,000 cells."""
    data = np.ascontiguousarray(embedding, dtype=np.float32)
    n, dimensions = data.shape
    index = faiss.IndexFlatL2(dimensions)
    if n > 20_000:
        index = faiss.IndexIVFFlat(index, dimensions, int(np.sqrt(n)))
        index.cp.seed, index.nprobe = HARMONY["random_state"] + 1, 12
        index.train(data)
    index.add(data)
    squared, found = index.search(data, min(WIDTH, n - 1) + 1)
    # Among identical cells the cell itself may stand anywhere, or nowhere.
    own = found == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    found = found[~own].reshape(n, -1)
    distances = np.sqrt(np.maximum(squared[~own].reshape(n, -1), 0))
    # A part of the index with too few cells answers -1; the last cell found takes its place.
    last = np.maximum((found >= 0).sum(axis=1) - 1, 0)
    rows = np.arange(n)
    distances = np.where(found < 0, distances[rows, last][:, None], distances)
    found = np.where(found < 0, found[rows, last][:, None], found)
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

_CLUSTERS = """\
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
_IGRAPH = _CLUSTERS % 'flavor="igraph",\n            n_iterations=2,\n            directed=False'
_LEIDENALG = _CLUSTERS % 'flavor="leidenalg",\n            n_iterations=-1'

_LAYOUT = '''\
def picture(graph, start, epochs):
    """UMAP from a starting picture, on one thread so that it can be repeated."""
    a, b = find_ab_params(SPREAD, MIN_DIST)
    return simplicial_set_embedding(
        None,
        graph.tocoo(),
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=epochs,
        init=np.ascontiguousarray(start, dtype=np.float32),
        random_state=np.random.RandomState(LAYOUT_SEED),
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,
    )[0].astype(np.float32)


leading = before[:, :2].astype(np.float64)
leading = leading - leading.mean(axis=0)
start = leading * (10.0 / np.maximum(np.abs(leading).max(), 1e-12))
start = start + np.random.RandomState(0).normal(scale=1e-4, size=start.shape)
picture_before = picture(graphs["_uncorrected"], start, EPOCHS_FROM_SCRATCH)
picture_after = picture(graphs[""], picture_before, EPOCHS_FROM_LAYOUT)
# Turned onto the one before, so that the two can be compared by eye.
ours = picture_after - picture_after.mean(axis=0)
theirs = picture_before - picture_before.mean(axis=0)
u, _, vt = np.linalg.svd(ours.astype(np.float64).T @ theirs.astype(np.float64))
picture_after = (ours @ (u @ vt) + picture_before.mean(axis=0)).astype(np.float32)
'''

_MARKERS = """\
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

_WRITE = """\
result.obsm["X_pca" if BASIS is None else BASIS] = before
result.obsm["X_pca_harmony"] = after
result.obsm["X_umap"] = picture_after
result.obsm["X_umap_uncorrected"] = picture_before
result.write_h5ad("rerun.h5ad", compression="gzip")
print(f"Wrote rerun.h5ad: {result.n_obs:,} cells in {result.obs['leiden'].nunique()} clusters.")
"""

_PLOT = """\
for basis in ("X_umap_uncorrected", "X_umap"):
    sc.pl.embedding(result, basis, color=[list(BATCHES)[0], "leiden"])
"""
