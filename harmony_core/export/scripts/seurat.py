"""A run as an R script (templates/seurat.R.j2): Seurat with RunHarmony on the corrected h5ad.

R can't repeat a run to the bit (its k-means starts from its own random numbers), so the script says
where it differs, and can also take our embeddings as they are. What it checks first is
templates/seurat_checks.R.j2, what it reads templates/seurat_reading.R.j2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harmony_core.errors import ExportError
from harmony_core.export.rendering import render
from harmony_core.inspect.gene_sets import panel_sets
from harmony_core.io.writing import write_text_whole
from harmony_core.params import MARKER_LABEL, HarmonyParams, RunParams

_SMALLEST_LAMBDA = 1e-6
_NOTES = {
    "h5ad": "the corrected data, with the counts of the kept cells",
    "starts": "from the counts, from our uncorrected embedding, or with our corrected one as it is",
    "theta": "of the run",
    "lambda": "NULL: estimated from alpha",
}
_NOTES_PRECOMPUTED = {
    "starts": "Harmony is not run; the embedding below is taken as corrected",
}
"""What stands beside settings in the script."""


def write_r_script(record: Mapping[str, Any], path: Path, *, h5ad: str = "corrected.h5ad") -> None:
    """Write a run as an R script; see `r_script`.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    write_text_whole(Path(path), r_script(record, h5ad=h5ad))


def r_script(record: Mapping[str, Any], *, h5ad: str = "corrected.h5ad") -> str:
    """Return a run as the text of an R script.

    Parameters
    ----------
    record
        From `harmony_core.export.record.run_record`.
    h5ad
        Where the corrected data are, as `write_h5ad` wrote them.
    """
    params = RunParams.from_dict(record["params"])
    if params.method is not None and params.gives_graph:
        raise ExportError(
            f"{params.method.method.title} gives a neighbour graph and no embedding, which the R "
            "script would start from; take the Python script, or the h5ad with the graph."
        )
    precomputed, harmony, where = not params.by_harmony, params.harmony, record["where"]
    has_counts = record["kind"] == "counts" and params.prepare.basis is None and not precomputed
    starts = ["corrected"] if precomputed else ["pca", "corrected"]
    if has_counts:
        starts.insert(0, "counts")
    how = record["harmony"] or {"levels": [], "theta_b": []}
    effective = [
        (list(levels), [round(t, 4) for t in theta])
        for levels, theta in zip(how["levels"], how["theta_b"], strict=True)
    ]
    return render(
        "seurat.R",
        precomputed=precomputed,
        settings=settings_of_run(record, params, h5ad, starts=starts),
        notes=_NOTES | (_NOTES_PRECOMPUTED if precomputed else {}),
        where=where,
        kind=record["kind"],
        has_counts=has_counts,
        reads_genes=has_counts,
        genes_chosen=record.get("prepared", {}).get("genes_chosen"),
        harmony=harmony,
        theta_in_r=len(harmony.batch) > 1 and not harmony.penalties_as_r,
        theta_of=[list(row) for row in harmony.theta_of],
        lamb_of=[list(row) for row in harmony.lamb_of],
        harmonypy=record["versions"].get("harmonypy"),
        effective_theta=effective,
        panel={} if params.panel is None else panel_sets(params.panel),
        marker_label=MARKER_LABEL,
        smallest_lambda=f"{_SMALLEST_LAMBDA:g}",
    )


def settings_of_run(
    record: Mapping[str, Any], params: RunParams, h5ad: str, *, starts: list[str]
) -> dict[str, Any]:
    """Return what R scripts assign at their beginning, by name, in that order."""
    harmony, prepare = params.harmony, params.prepare
    where = record["where"]
    values = {
        "h5ad": h5ad,
        "starts": starts,
        "start": starts[0],
        "matrix": {"raw": "raw/X", "": None}.get(where, where),
        "genes": "raw/var" if where == "raw" else "var",
        "basis": record.get("basis") or prepare.basis or "X_pca",
        "corrected": record.get("given") or params.corrected_name,
        "batch": list(harmony.batch),
        "symbol_column": record.get("symbol_column"),
        "n_top_genes": prepare.n_top_genes,
        "n_variable": record.get("prepared", {}).get("variable_genes", 0),
        "scale_genes": prepare.scale,
        "n_pcs": prepare.n_pcs,
        "skip_dims": prepare.skip_dims if prepare.basis else 0,
    }
    if prepare.basis and prepare.use_dims is not None:
        values["use_dims"] = prepare.use_dims
    if params.by_harmony:
        values |= _harmony_settings(record, harmony)
    values |= {
        "n_neighbors": params.graph.n_neighbors,
        "min_dist": params.layout.min_dist,
        "spread": params.layout.spread,
        "resolution": params.clusters.shown,
        "seed": harmony.seed,
    }
    return values


def _harmony_settings(record: Mapping[str, Any], harmony: HarmonyParams) -> dict[str, Any]:
    pruning = {"batch_prop_cutoff": harmony.batch_prop_cutoff}
    return {
        "theta": list(harmony.theta),
        "sigma": list(harmony.sigma_of) or harmony.sigma,
        "nclust": record["harmony"]["nclust"],
        "lambda": None if harmony.lamb is None else max(harmony.lamb, _SMALLEST_LAMBDA),
        "max_iter": harmony.max_iter,
        "alpha": harmony.alpha,
        "tau": harmony.tau,
        "block_size": harmony.block_size,
        "max_iter_cluster": harmony.max_iter_kmeans,
        "epsilon_cluster": harmony.epsilon_cluster,
        "epsilon_harmony": harmony.epsilon_harmony,
        **(pruning if "batch_prop_cutoff" in harmony.to_dict() else {}),
    }
