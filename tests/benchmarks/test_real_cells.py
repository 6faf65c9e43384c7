"""The benchmark on real cells as a command, on a small folder of simulated ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harmony_core.simulate.cells import Scenario, simulate, to_anndata

PROJECT = Path(__file__).resolve().parents[2]


def test_a_folder_is_judged_and_reported(tmp_path):
    folder, report = tmp_path / "data", tmp_path / "report.json"
    folder.mkdir()
    scenario = Scenario(name="cells", n_cells=400, n_genes=400, n_types=4, depth=1500)
    cells = to_anndata(simulate(scenario, seed=1))
    cells.obs["donor"] = cells.obs.pop("batch")
    cells.write_h5ad(folder / "mine.h5ad")
    (folder / "worm_embryo_7batches.h5ad").write_bytes(b"held out, so nobody opens it")
    command = [sys.executable, "benchmarks/real_cells.py", folder, "--quick", "--remove"]
    command += ["--batch", "mine=donor", "--label", "mine=true_type", "--jobs", "1"]
    command += ["--json", report, "--cache", tmp_path / "cache"]
    first = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    found = json.loads(report.read_text())
    assert found["sets"] == ["mine"]
    assert found["figures"]["errors"] == {}
    assert len(found["designs"]) == 4
    assert all(len(design["runs"]) == 3 for design in found["designs"])
    runs = [run for design in found["designs"] for run in design["runs"]]
    assert all(set(run["verdicts"]) == {"without", "same", "noisy", "coarse"} for run in runs)
    assert all(run["judges"]["after"]["scib_total"] is not None for run in runs)
    counted = found["figures"]["verdict"]["without"]["right"]["of"]
    assert counted == sum(found["figures"]["clear"].values())
    assert f"1 data sets, 4 designs, {len(runs)} runs" in first.stdout
    again = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert again.stdout == first.stdout
