"""Seurat's CCA and RPCA of a run's cells, as an R script (templates/seurat_integration.R.j2).

It corrects the run's own uncorrected embedding, with the run's genes, and writes tables of cells ×
dimensions. Opened with the h5ad they are embeddings that another tool corrected.

Facts about Seurat that the script rests on are those of its source, version 5.5 (R/integration.R,
R/integration5.R): each batch needs more cells than there are dimensions and than the 30 neighbours
by which anchors are scored; ``k.weight`` may be no larger than the smallest batch; the embedding to
correct must come with loadings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harmony_core.errors import ExportError
from harmony_core.export.rendering import render
from harmony_core.export.scripts.seurat import settings_of_run
from harmony_core.io.writing import write_text_whole
from harmony_core.params import RunParams

_SETTINGS = (
    *("h5ad", "matrix", "genes", "basis", "batch", "symbol_column", "n_top_genes", "n_variable"),
    *("skip_dims", "use_dims"),
)
_K_WEIGHT = 100
"""Seurat's own default."""
_NOTES = {
    "h5ad": "the corrected data, as exported together with this script",
    "basis": "the uncorrected embedding",
    "k_weight": "anchors that shift each cell, Seurat's default; at most the smallest batch",
}
"""What stands beside settings in the script."""


def write_integration_script(
    record: Mapping[str, Any], path: Path, *, h5ad: str = "corrected.h5ad"
) -> None:
    """Write the script; see `integration_script`.

    Raises
    ------
    ExportError
        If the data have no expression, or the file can't be written.
    """
    write_text_whole(Path(path), integration_script(record, h5ad=h5ad))


def integration_script(record: Mapping[str, Any], *, h5ad: str = "corrected.h5ad") -> str:
    """Return the text of an R script that integrates a run's cells with Seurat's CCA and RPCA.

    Parameters
    ----------
    record
        From `harmony_core.export.record.run_record`.
    h5ad
        Where the corrected data are, as `write_h5ad` wrote them.

    Raises
    ------
    ExportError
        If the data have no expression.
    """
    if not record["where"]:
        raise ExportError(
            "Seurat's CCA and RPCA find cells that correspond by their genes, and these data have "
            "an embedding only. Open the data with their counts."
        )
    params = RunParams.from_dict(record["params"])
    of_run = settings_of_run(record, params, h5ad, starts=["pca"])
    kept = {name: of_run[name] for name in _SETTINGS if name in of_run}
    return render(
        "seurat_integration.R",
        settings=kept | {"k_weight": _K_WEIGHT},
        notes=_NOTES,
        where=record["where"],
        kind=record["kind"],
        reads_genes=params.prepare.basis is None,
    )
