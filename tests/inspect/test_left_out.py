"""What quality control leaves of each batch and each label is said by name."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from harmony_core import Study
from harmony_core.errors import BatchError
from harmony_core.inspect.left_out import gone

OBS = pd.DataFrame({"lane": ["1"] * 10 + ["2"] * 5 + ["3"] * 3, "type": ["T", "B", "T"] * 6})


def test_levels_that_disappear_are_named() -> None:
    cells = np.array([0, 2, 3, 5, 6, 8, 9, 11, 12, 14])
    assert list(gone(OBS, cells, ["lane", "type", "nothing"])) == [
        "Quality control left out every cell of “3” in “lane” (3 cells), so nothing here speaks of "
        "these; look whether they are of low quality or only of lower depth, and change the "
        "thresholds if so.",
        "Quality control left out every cell of “B” in “type” (6 cells), so nothing here speaks of "
        "these; look whether they are of low quality or only of lower depth, and change the "
        "thresholds if so.",
    ]


def test_nothing_is_said_where_nothing_is_left_out() -> None:
    every = np.arange(len(OBS))
    assert list(gone(OBS, every, ["lane"])) == []
    assert list(gone(OBS, every[:-1], ["lane"])) == []


def test_a_batch_that_disappears_is_a_warning_in_the_verdict(
    simulated: ad.AnnData, tmp_path: Path
) -> None:
    thin = simulated.copy()
    batch = np.array(["B", "A", "C"])[np.arange(thin.n_obs) % 3]
    X = thin.X.toarray()
    X[batch == "C", 20:] = 0
    thin.X, thin.obs["batch"] = X, pd.Categorical(batch)
    study = Study.read(thin, batch="batch", label="true_type", home=tmp_path)
    run = study.prepare(min_genes=30).correct(max_iter=1)
    assert any("every cell of “C” in “batch”" in line for line in run.verdict.sentences)
    two = Study.read(thin[batch != "B"].copy(), batch="batch", home=tmp_path).prepare(min_genes=30)
    with pytest.raises(BatchError, match=r"between in 'batch'. Quality control left out .* of “C”"):
        two.correct(max_iter=1)
