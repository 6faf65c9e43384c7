"""The paragraph of methods says what was done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core.export.methods import _preparation
from harmony_core.export.record import prepared_facts, versions
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Store
from harmony_core.store.ingest import ingest
from tests.conftest import SMALL


@pytest.mark.parametrize(
    ("solo", "n_top_genes", "chosen", "said"),
    [
        (0, 150, None, "150 variable genes were chosen within each batch"),
        (3, 150, "over all cells", "150 variable genes were chosen over all cells together"),
        (0, 5000, "all", "genes were taken as variable"),
    ],
)
def test_how_genes_were_chosen(
    tmp_path: Path,
    simulated: ad.AnnData,
    solo: int,
    n_top_genes: int,
    chosen: str | None,
    said: str,
) -> None:
    cells = simulated.copy()
    cells.obs["batch"] = np.where(
        np.arange(cells.n_obs) < solo, "solo", cells.obs["batch"].astype(str)
    )
    params = replace(SMALL, prepare=replace(SMALL.prepare, n_top_genes=n_top_genes))
    dataset = ingest(Store(tmp_path), cells, name="cells")
    Pipeline(dataset, params).run("prepare")
    facts = prepared_facts(RunResults(dataset, params))
    assert facts.get("genes_chosen") == chosen
    noted = any("not within each batch" in note for note in facts["notes"])
    assert noted == (chosen == "over all cells")
    assert said in " ".join(_preparation(params.prepare, facts, "[1]", versions()))
