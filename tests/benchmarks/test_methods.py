"""The benchmark of methods as a command, on a small folder of simulated cells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from harmony_core.simulate.cells import Scenario, simulate, to_anndata

PROJECT = Path(__file__).resolve().parents[2]


def test_methods_are_judged_by_verdict_scib_and_truth(tmp_path):
    folder, report = tmp_path / "data", tmp_path / "report.json"
    folder.mkdir()
    scenario = Scenario(name="cells", n_cells=300, n_genes=300, n_types=4, depth=1500)
    to_anndata(simulate(scenario, seed=1)).write_h5ad(folder / "mine.h5ad")
    command = [sys.executable, "benchmarks/methods.py", folder, "--label", "mine=true_type"]
    command += ["--methods", "harmony", "scanorama", "--theta", "2", "--json", report]
    # No such interpreter: a row says so, and Harmony's run goes on.
    nowhere = os.environ | {"HARMONY_EXPLORER_METHODS_PYTHON": str(tmp_path / "nowhere")}
    done = subprocess.run(
        command, cwd=PROJECT, env=nowhere, capture_output=True, text=True, check=True
    )
    found = json.loads(report.read_text())
    rows = {row["run"]: row for row in found["runs"]}
    assert list(rows) == ["Harmony, theta 2", "Scanorama"]
    assert "no Python interpreter" in rows["Scanorama"]["problem"]
    assert rows["Scanorama"]["truth"] is None
    ours = rows["Harmony, theta 2"]
    assert ours["peak_mb"] > 50
    assert ours["scib_total"] is not None
    assert ours["truth"] in {"good", "null", "over", "under"}
    assert sum(row["chosen_by_verdict"] for row in rows.values()) == 1
    assert sum(row["chosen_by_scib"] for row in rows.values()) == 1
    figures = found["figures"]
    assert figures["methods"]["Harmony"]["times_harmonys_seconds"] is not None
    assert figures["methods"]["Scanorama"]["failed"] == 1
    assert figures["judges"]["verdict"]["of"] == 1
    assert "1 data sets, 2 runs" in done.stdout
    again = subprocess.run(
        command, cwd=PROJECT, env=nowhere, capture_output=True, text=True, check=True
    )
    assert again.stdout == done.stdout  # what the file has is not run again
    assert " s  mine" not in again.stderr
