"""The command that compares methods: what it says is what Python says, and failures are rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core import Study, cli
from harmony_core.method_catalog import Method
from tests.methods.fake import fake_method as fake_method


@pytest.fixture(scope="module")
def path(simulated: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells with an uncorrected embedding and one in which nothing is left."""
    cells = ad.AnnData(obs=simulated.obs, obsm={"X_own": simulated.X[:, :20].toarray()})
    noise = np.random.default_rng(0).normal(size=(cells.n_obs, 5))
    cells.obsm["X_<b>noise"] = noise.astype("float32")
    written = tmp_path_factory.mktemp("compare") / "cells.h5ad"
    cells.write_h5ad(written)
    return written


def _command(path: Path, *more: str) -> list[str]:
    start = ["compare", str(path), "--batch", "batch", "--label", "true_type", "--basis", "X_own"]
    return [*start, "--home", str(path.parent / "home"), *more]


def test_the_command_says_what_python_says(
    path: Path, tmp_path: Path, fake_method: Method, capsys: pytest.CaptureFixture[str]
) -> None:
    report, page, table = (tmp_path / name for name in ("r.json", "r.html", "r.csv"))
    asked = ["--methods", "harmony,fake,scanorama", "--theta", "1", "4", "--set", "fake.scale=2"]
    asked += ["--embedding", "X_<b>noise"]
    assert cli.main(_command(path, *asked, "--json", "--report", str(report))) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(report.read_text("utf-8"))
    study = Study.read(path, batch="batch", label="true_type", home=path.parent / "home")
    found = study.prepare(basis="X_own").compare(
        ["harmony", "fake", "scanorama"],
        thetas=(1, 4),
        embeddings=["X_<b>noise"],
        settings={"fake": {"scale": 2}},
    )
    assert said["sentences"] == list(found.sentences)
    assert [run["run"] for run in said["runs"]] == found.table.run.tolist()
    assert found.table.run.tolist() == [
        *("Harmony, theta 1", "Harmony, theta 4", "Fake, scale 2", "Scanorama", "X_<b>noise"),
    ]
    # Scanorama takes expression, which these data lack, or is not installed; the others went on.
    problems = found.table.set_index("run").problem
    assert problems["Scanorama"]
    assert not problems.drop("Scanorama").any()
    fake = found.table.set_index("run").loc["Fake, scale 2"]
    assert fake.seconds > 0
    assert {row["state"] for row in said["states"]} == set(found.states.state)
    assert cli.main(_command(path, *asked, "--report", str(page), "--out", str(table))) == 0
    assert capsys.readouterr().out.splitlines()[: len(found.sentences)] == list(found.sentences)
    text = page.read_text("utf-8")
    assert "<b>noise" not in text
    assert "&lt;b&gt;noise" in text
    assert "data:image/png" in text
    with table.open(encoding="utf-8") as file:
        assert [row["run"] for row in csv.DictReader(file)] == found.table.run.tolist()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "harmony,combat"], "'combat'"),
        (["--set", "scanorama"], "--set 'scanorama' is not of the form"),
        (["--methods", "mnn", "--set", "mnn.mass=3"], "no setting 'mass'"),
        (["--methods", ","], "--methods names no method"),
        (["--methods", "harmony", "--set", "mnn.num_steps=3"], "settings of mnn"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_read(
    path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(_command(path, *more)) == 2
    assert said in capsys.readouterr().err


def test_where_no_method_could_be_run_the_command_says_so(
    path: Path, fake_method: Method, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(_command(path, "--methods", "fake", "--set", "fake.how=1")) == 1
    captured = capsys.readouterr()
    assert "Fake, how 1: Fake failed: RuntimeError: the seventh seal is broken" in captured.out
    assert captured.err == "harmony-explorer: No method could be run on these data.\n"
