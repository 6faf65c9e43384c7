"""A run's results added to the data that it was made from.

Entries of the data stay as they are, for the cells that passed quality control; the run's entries
are added to them. A column of obs keeps its name and the run's takes another. Variable genes, an
embedding, graph or ranking under a name that scanpy's tools look for are renamed, and the run's
take that name.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from harmony_core.categories import Factor
from harmony_core.errors import ExportError, UnfinishedRun
from harmony_core.export.entries import DOUBLET_SCORE, Entries, Part
from harmony_core.export.record import run_record
from harmony_core.figures.summary import cluster_names
from harmony_core.inspect.own_results import RECORD_KEY
from harmony_core.palette import colors_for
from harmony_core.params import MARKER_LABEL, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import Side
from harmony_core.runs.results import RunResults
from harmony_core.runs.stages.context import marker_label_column
from harmony_core.store import Arrays

if TYPE_CHECKING:
    from anndata import AnnData

_SUFFIX: Mapping[Side, str] = {"after": "", "before": "_uncorrected"}


VARIABLE_GENES = "highly_variable"
"""Column of the table of genes that marks those behind the principal components, as in scanpy."""


@dataclass(frozen=True)
class Corrected:
    """Data with a run's results.

    Attributes
    ----------
    adata
        All but the matrices.
    raw_var
        The table of genes of ``raw``, if the data have one.
    notes
        Sentences about anything that was renamed.
    """

    adata: AnnData
    raw_var: pd.DataFrame | None
    notes: tuple[str, ...]


def corrected(results: RunResults, source: AnnData, *, input_path: str = "") -> Corrected:
    """Return the data without matrices, for the prepared cells, with the run's results added.

    ``obsm``: ``X_pca`` (unless another embedding was corrected), ``X_pca_harmony`` (of another
    method ``X_`` and its name; nothing if it is precomputed), ``X_umap`` and
    ``X_umap_uncorrected``. ``obs``: ``leiden`` at the resolution shown, ``leiden_<resolution>`` at
    the others, and the same from uncorrected data as ``leiden_uncorrected``; what was measured of
    each cell; ``doublet_score``, if cells were scored (those above the threshold are not in the
    file). ``var``, or ``raw.var`` where the expression is in ``raw``: ``highly_variable``. ``uns``:
    ``neighbors`` and ``neighbors_uncorrected``, ``rank_genes_groups`` and
    ``rank_genes_groups_uncorrected``, and the record of the run.

    Parameters
    ----------
    results
        A finished run.
    source
        The data that the run was made from.
    input_path
        Where they came from, if that is known.

    Raises
    ------
    ExportError
        If the run is not finished.
    """
    if not results.is_finished or results.cells is None:
        raise UnfinishedRun("write")
    record = run_record(results, source, input_path=input_path)
    adata = _without_matrices(source, results.cells)
    basis = results.params.prepare.basis
    precomputed = results.params.precomputed
    raw_var = None if source.raw is None else source.raw.var.copy()
    entries = Entries(adata, raw_var, keep=(basis, precomputed))
    if basis is None:
        _add_doublet_scores(entries, results)
        _add_variable_genes(entries, results)
        entries.add("obsm", "X_pca", np.array(results.embedding("before")))
    if precomputed is None and not results.params.gives_graph:
        corrected = np.array(results.embedding("after"))
        entries.add("obsm", results.params.corrected_name, corrected)
    for side in _SUFFIX:
        entries.add("obsm", f"X_umap{_SUFFIX[side]}", np.array(results.layout(side)))
        _add_clusters(entries, results, side)
        _add_graph(entries, results, side)
        _add_markers(entries, source, results, side)
    _add_measures(entries, results)
    _add_marker_labels(entries, results)
    _add_colors(entries, results)
    record |= {
        # Where this very file has the embedding to start from when it is opened again.
        "basis": entries.embedding(basis) if basis else "X_pca",
        "given": entries.embedding(precomputed) if precomputed else None,
        "written": entries.written,
    }
    adata.uns[RECORD_KEY] = json.dumps(record)
    return Corrected(adata, raw_var, tuple(entries.notes))


def _without_matrices(source: AnnData, cells: npt.NDArray[np.int32]) -> AnnData:
    """Return the prepared cells of everything but the matrices."""
    import anndata

    names = ("obs", "var", "uns", "obsm", "varm", "obsp", "varp")
    with warnings.catch_warnings(), anndata.settings.override(remove_unused_categories=False):
        warnings.simplefilter("ignore")  # about names that were not unique in the file
        adata = anndata.AnnData(**{name: getattr(source, name).copy() for name in names})
        return adata if len(cells) == adata.n_obs else adata[cells].copy()


def _stage(results: RunResults, name: str) -> Arrays:
    stage = results.stage(name)
    if stage is None:
        raise ExportError("This run's results are no longer in the store; compute it again.")
    return stage.arrays


def _add_doublet_scores(entries: Entries, results: RunResults) -> None:
    p = results.params
    if p.prepare.max_doublet is not None and results.dataset.info.kind == "counts":
        # Scores only serve preparation, so a finished run may have to compute them again.
        scored = Pipeline(results.dataset, p).context.stage("doublets").arrays["scores"]
        entries.add("obs", DOUBLET_SCORE, np.asarray(scored)[results.cells])


def _add_variable_genes(entries: Entries, results: RunResults) -> None:
    part: Part = "raw.var" if results.dataset.info.where == "raw" else "var"
    prepared = _stage(results, "prepare")
    is_variable = np.zeros(len(results.dataset.symbols), dtype=bool)
    is_variable[prepared["genes"][prepared["variable"]]] = True
    entries.add(part, VARIABLE_GENES, is_variable)


def _add_clusters(entries: Entries, results: RunResults, side: Side) -> None:
    p = results.params.clusters
    main, others = (_stage(results, f"{of}clusters_{side}") for of in ("", "other_"))
    arrays = {**main, **others}
    stem = f"leiden{_SUFFIX[side]}"
    for resolution in p.resolutions:
        name = stem if resolution == p.shown else f"{stem}_{resolution:g}"
        codes = np.asarray(arrays[f"leiden_{resolution:g}"])
        levels = pd.Index(cluster_names(codes))
        entries.add("obs", name, pd.Categorical.from_codes(codes, categories=levels))
    settings = {
        "resolution": p.shown,
        "random_state": p.seed,
        "n_iterations": 2 if p.flavor == "igraph" else -1,
        "flavor": p.flavor,
    }
    # As scanpy does, under the name of the column: one in the data keeps its entry.
    entries.add("uns", entries.name("obs", stem), {"params": settings})


def _add_graph(entries: Entries, results: RunResults, side: Side) -> None:
    p = results.params
    context = Pipeline(results.dataset, p).context
    # Neighbours only serve other stages, so a finished run may have to compute them again.
    near = context.neighbors(side)
    # scanpy counts the cell itself among its neighbours, but stores only the others.
    k = near.k if _is_methods_graph(p, side) else min(p.graph.n_neighbors, near.k + 1) - 1
    n = len(near.indices)
    distances = sp.csr_matrix(
        (near.distances[:, :k].ravel(), near.indices[:, :k].ravel(), np.arange(n + 1) * k),
        shape=(n, n),
        copy=True,  # what the store has can't be sorted
    )
    distances.sort_indices()
    graph = context.graph(side).copy()
    graph.sort_indices()
    # The names that scanpy gives with key_added, so that its tools find them by neighbors_key.
    name = f"neighbors{_SUFFIX[side]}"
    prefix = "" if side == "after" else f"{name}_"
    source = p.prepare.basis or "X_pca" if side == "before" or p.gives_graph else p.corrected_name
    neighbors = {
        "connectivities_key": entries.add("obsp", f"{prefix}connectivities", graph),
        "distances_key": entries.add("obsp", f"{prefix}distances", distances),
        "params": {
            "n_neighbors": k + 1 if _is_methods_graph(p, side) else p.graph.n_neighbors,
            "method": "umap",
            "metric": "euclidean",
            "random_state": p.harmony.seed,
            "use_rep": entries.embedding(source),
        },
    }
    entries.add("uns", name, neighbors)


def _is_methods_graph(params: RunParams, side: Side) -> bool:
    """Return whether a side's graph came from a method, as it is."""
    return side == "after" and params.gives_graph


def _add_markers(entries: Entries, source: AnnData, results: RunResults, side: Side) -> None:
    arrays = _stage(results, f"markers_{side}")
    if "genes" not in arrays:
        return
    is_raw = results.dataset.info.where == "raw"
    table = source.raw if is_raw else source
    genes = np.asarray(_stage(results, "prepare")["genes"])
    ranked = _ranked(arrays, np.asarray(table.var_names, dtype=object)[genes])
    if ranked is None:
        return
    ranked["params"] = {
        "groupby": entries.name("obs", f"leiden{_SUFFIX[side]}"),
        "reference": "rest",
        "method": "wilcoxon",
        "use_raw": is_raw,
        "layer": None,
        "corr_method": "benjamini-hochberg",
    }
    entries.add("uns", f"rank_genes_groups{_SUFFIX[side]}", ranked)


def _ranked(arrays: Any, gene_names: npt.NDArray[Any]) -> dict[str, Any] | None:
    """Return marker genes as scanpy writes them: one record array a quantity, one field a group."""
    genes = np.asarray(arrays["genes"])
    tested = np.flatnonzero((genes >= 0).all(axis=1))
    if len(tested) == 0:
        return None
    columns = {
        "names": (gene_names[genes], "O"),
        "scores": (np.asarray(arrays["scores"]), "float32"),
        "pvals": (np.asarray(arrays["p_values"]), "float64"),
        "pvals_adj": (np.asarray(arrays["p_adjusted"]), "float64"),
        "logfoldchanges": (np.asarray(arrays["log2_fold_change"]), "float32"),
    }
    return {
        quantity: np.rec.fromarrays(
            [values[g] for g in tested], dtype=[(str(g), kind) for g in tested]
        )
        for quantity, (values, kind) in columns.items()
    }


def _add_measures(entries: Entries, results: RunResults) -> None:
    """Add what was measured of each cell."""
    n_cells = entries.adata.n_obs
    for name, values in _stage(results, "assess").items():
        if values.shape == (n_cells,):
            entries.add("obs", f"harmony_{name}", np.array(values))
    if results.params.by_harmony:
        soft = np.asarray(_stage(results, "soft_clusters")["soft_cluster"])
        entries.add("obs", "harmony_soft_cluster", soft)


def _add_marker_labels(entries: Entries, results: RunResults) -> None:
    if results.params.panel is None:
        return
    labels = results.stage("marker_labels")
    if labels is None:
        raise ExportError("This run's results are no longer in the store; compute it again.")
    entries.add("obs", MARKER_LABEL, marker_label_column(labels).array)
    entries.add("obs", "harmony_marker_confidence", np.array(labels.arrays["confidence"]))


def _add_colors(entries: Entries, results: RunResults) -> None:
    """Give scanpy the colours of the screen, for columns that came without any."""
    adata, p, cells = entries.adata, results.params, results.obs
    assert cells is not None  # a finished run has cells
    ours = [entries.name("obs", f"leiden{suffix}") for suffix in _SUFFIX.values()]
    for name in [*ours, *p.harmony.batch, *([p.label] if p.label else [])]:
        key = f"{name}_colors"
        # HDF5 takes a slash for a folder.
        if key in adata.uns or "/" in key:
            continue
        values = adata.obs[entries.name("obs", name) if p.panel and name == p.label else name]
        if not isinstance(values.dtype, pd.CategoricalDtype):
            continue
        categories = [str(c) for c in values.cat.categories]
        ordered = categories if name in ours else Factor.of(name, cells[name]).levels
        colors = colors_for(ordered)
        if set(categories) <= set(colors):
            entries.add("uns", key, np.array([colors[c] for c in categories], dtype=object))
