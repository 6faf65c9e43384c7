"""Embeddings of other tools get the numbers and the verdict that Harmony's own would."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core import cli
from harmony_core.errors import DataError
from harmony_core.runs.other_tools import assess_embedding
from harmony_core.runs.pipeline import Pipeline
from harmony_core.store import HOME_VARIABLE, Dataset
from tests.cli.test_correct import refused
from tests.conftest import SMALL


@pytest.fixture(autouse=True)
def _no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def pipeline(dataset: Dataset) -> Pipeline:
    found = Pipeline(dataset, SMALL)
    found.run()
    return found


def test_harmonys_own_embedding_is_judged_alike(pipeline: Pipeline) -> None:
    own = pipeline.stage("assess")
    found = assess_embedding(pipeline, pipeline.context.embedding("after"))
    assert found.after == own.info["metrics"]["after"]
    assert found.before == own.info["metrics"]["before"]
    assert found.verdict.level == own.info["verdict"]["level"]
    assert found.verdict.to_dict()["evidence"] == tuple(
        {**row, "genes": tuple(row["genes"])} for row in own.info["verdict"]["evidence"]
    )
    np.testing.assert_array_equal(found.per_cell["mixing"], own.arrays["mixing"])
    assert found.verdict.advice == ()


def test_an_embedding_that_merges_everything_is_red(pipeline: Pipeline) -> None:
    noise = np.random.default_rng(0).normal(size=(len(pipeline.cells), 5)).astype(np.float32)
    found = assess_embedding(pipeline, noise)
    assert found.verdict.level == "red"  # the labels tell
    assert found.after["batch"]["worst_label_purity_loss"] > 0.3
    # Of another space, so nothing is said about distances that cells moved.
    assert "displacement" not in found.per_cell


def test_other_cells_are_refused(pipeline: Pipeline) -> None:
    with pytest.raises(DataError, match="has 3 cells"):
        assess_embedding(pipeline, np.zeros((3, 5), dtype=np.float32))


@pytest.fixture(scope="module")
def integrated(
    simulated: ad.AnnData, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A file with an uncorrected and another tool's embedding."""
    adata = simulated[pipeline.cells].copy()
    adata.obsm["X_pca"] = np.array(pipeline.context.embedding("before"))
    adata.obsm["X_tool"] = np.array(pipeline.context.embedding("after"))[:, :8]
    adata.obsm["X_bad"] = np.full((adata.n_obs, 3), np.nan)
    path = tmp_path_factory.mktemp("integrated") / "integrated.h5ad"
    adata.write_h5ad(path)
    return path


def test_the_command(integrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["diagnose", str(integrated), "--batch", "batch", "--label", "true_type"]
    command += ["--basis-after", "X_tool", "--home", str(tmp_path / "home")]
    pca = ["--basis-before", "X_pca"]
    report = tmp_path / "report.json"
    assert cli.main([*command, *pca, "--json", "--report", str(report)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(report.read_text("utf-8"))
    assert told["embeddings"] == {"before": "X_pca", "after": "X_tool"}
    before, after = (told["metrics"][side]["batch"] for side in ("before", "after"))
    assert 1 <= before["ilisi"] < after["ilisi"] <= 2
    assert {"mcm", "clisi", "worst_label_purity_loss"} <= set(after)
    assert told["verdict"]["sentences"]
    assert cli.main([*command, *pca]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{told['verdict']['level']}: ")
    assert any(line.startswith("batch ilisi: ") and " -> " in line for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--basis-after", "X_nope"], "'X_nope'"),
        (["--basis-after", "X_bad"], "missing or infinite"),
        (["--basis-after", "X_pca"], "are both 'X_pca'"),
        (["--basis-after", "X_tool", "--label", "nope"], "'nope'"),
        (["--basis-after", "X_tool", "--report", "r.txt"], "must end in .json"),
        ([], "--basis-after"),
    ],
)
def test_the_command_refuses(
    integrated: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    command = ["diagnose", str(integrated), "--batch", "batch", "--basis-before", "X_pca"]
    refused([*command, *options], capsys, message)
