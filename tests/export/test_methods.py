"""The paragraph of methods says what was done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core.export.methods import _correction, _preparation, design_sentence
from harmony_core.export.record import prepared_facts, versions
from harmony_core.params import HarmonyParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Store
from harmony_core.store.ingest import ingest
from tests.conftest import SMALL


@pytest.mark.parametrize(
    ("solo", "n_top_genes", "chosen", "said"),
    [
        (0, 150, None, "150 variable genes were chosen within each batch"),
        (
            *(3, 150, "within larger batches"),
            "150 variable genes were chosen within the larger batches only, as “solo” had fewer "
            "than 50 cells",
        ),
        (None, 150, "over all cells", "over all cells together, as most cells were in batches of"),
        (0, 5000, "all", "genes were taken as variable"),
    ],
)
def test_how_genes_were_chosen(
    tmp_path: Path,
    simulated: ad.AnnData,
    solo: int | None,
    n_top_genes: int,
    chosen: str | None,
    said: str,
) -> None:
    cells = simulated.copy()
    number = np.arange(cells.n_obs)
    names = cells.obs["batch"].astype(str) if solo is not None else number // 19
    cells.obs["batch"] = np.where(number < (solo or 0), "solo", names.astype(str))
    params = replace(SMALL, prepare=replace(SMALL.prepare, n_top_genes=n_top_genes))
    dataset = ingest(Store(tmp_path), cells, name="cells")
    Pipeline(dataset, params).run("prepare")
    facts = prepared_facts(RunResults(dataset, params))
    assert facts.get("genes_chosen") == chosen
    noted = any("Variable genes were chosen" in note for note in facts["notes"])
    assert noted == (solo != 0)
    assert facts.get("small_batches") == (["solo"] if solo == 3 else None) or solo is None
    assert said in " ".join(_preparation(params.prepare, facts, "[1]", versions()))


def test_values_of_single_batches_are_said(finished: RunResults) -> None:
    harmony = replace(
        SMALL.harmony,
        theta_of=(("batch", "B", 1),),
        lamb=1.0,
        lamb_of=(("batch", "A", 3),),
        nclust=2,
        sigma_of=(0.1, 0.2),
        batch_prop_cutoff=0.01,
    )
    sentence = _correction(with_harmony(finished, harmony), "[2]", versions())
    assert "theta 2 for batch (1 for B of batch)" in sentence
    assert "a sigma for each soft cluster (0.1 to 0.2)" in sentence
    assert "lambda 1 (3 for A of batch); batch_prop_cutoff 0.01)" in sentence
    assert "cutoff" not in _correction(finished, "[2]", versions())


def with_harmony(results: RunResults, harmony: HarmonyParams) -> RunResults:
    """A run of other settings of Harmony, that only was corrected."""
    params = replace(results.params, harmony=harmony)
    Pipeline(results.dataset, params).run("correct")
    return RunResults(results.dataset, params)


def test_a_record_from_before_says_of_genes_what_it_knows() -> None:
    older = {"genes_chosen": "over all cells", "variable_genes": 150}
    facts = {"cells": 9, "cells_kept": 9, "genes_kept": 9, "dimensions": 5, **older}
    text = " ".join(
        _preparation(SMALL.prepare, {**facts, "expression_kind": "log"}, "", versions())
    )
    assert "over all cells together, as a batch had fewer than 20 cells" in text


@pytest.mark.parametrize(
    ("batch", "condition", "formula"),
    [
        (("batch",), False, "~ batch + condition, where condition stands for"),
        (("donor", "10x run"), False, "~ donor + `10x run` + condition, where"),
        (("stim",), True, "~ stim, from which"),
        (("condition",), False, "~ condition + compared_condition, where compared_condition"),
        (
            ("TRUE", ".2x", "a`b\\c\nd", "_x"),
            True,
            "~ `TRUE` + `.2x` + `a\\`b\\\\c d` + `_x`, from",
        ),
    ],
)
def test_the_design_of_what_comes_after_quotes_columns_as_r_does(
    batch: tuple[str, ...], condition: bool, formula: str
) -> None:
    sentence = design_sentence(batch, condition=condition)
    assert formula in sentence
    assert "uncorrected counts" in sentence
