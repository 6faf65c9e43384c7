"""The command that suggests settings: what it prints is what Python and the page say."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import pytest

from harmony_core import Study, cli


def test_the_command_says_what_python_says(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ad.AnnData(obs=simulated.obs, obsm={"X_own": simulated.X[:, :20].toarray()})
    path, report = tmp_path / "cells.h5ad", tmp_path / "report.json"
    cells.write_h5ad(path)
    command = ["suggest", str(path), "--batch", "batch", "--label", "true_type", "--basis", "X_own"]
    command += ["--home", str(tmp_path / "home")]
    assert cli.main([*command, "--json", "--report", str(report)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(report.read_text("utf-8"))
    study = Study.read(path, batch="batch", label="true_type", home=tmp_path / "home")
    found = study.prepare(basis="X_own").suggest()
    assert said["answer"] == found.answer
    assert said["sentences"] == list(found.sentences)
    assert said["costs"] == found.rows
    settings = None if found.best is None else found.best.settings.to_dict()
    assert said["settings"] == json.loads(json.dumps(settings))
    assert cli.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [*found.sentences, *(f"note: {note}" for note in found.notes)]
    # What the file lacks, which is known without asking us.
    assert "There are no expression values, so only an embedding can be corrected." in found.notes
    assert said["notes"] == list(found.notes)


def test_a_column_that_is_not_there_is_refused(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.write_h5ad(tmp_path / "cells.h5ad")
    assert cli.main(["suggest", str(tmp_path / "cells.h5ad"), "--batch", "nope"]) == 2
    assert "'nope'" in capsys.readouterr().err
