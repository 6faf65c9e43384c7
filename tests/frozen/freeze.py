"""Write what the frozen tests compare with: what today's code computes, reads and writes.

    python -m tests.frozen.freeze cells     the input, cells.h5ad, anew; then everything else
    python -m tests.frozen.freeze results   the runs: store.zip and results.json
    python -m tests.frozen.freeze files     what a run writes: settings, h5ad, reports, scripts

It is run when a result or a file is meant to change, for the part that is meant, with the reason in
the commit. It is not run to make a test pass.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from harmony_core.cli import main as command
from tests.frozen import kinds, places
from tests.frozen.observed import (
    FILES,
    FIRST_PATH,
    HERE,
    INPUT,
    KINDS,
    RESULTS,
    STORE,
    dataset_facts,
    digest,
    h5ad_facts,
    plain,
    stage_facts,
    stage_folders,
    surroundings,
    table_facts,
    without,
)


def freeze_cells() -> None:
    """Write the input: simulated counts with two batch variables, an embedding and a tool's."""
    from harmony_core import Study

    scenario = places.found("Scenario")(
        name="frozen", n_cells=300, n_genes=240, n_types=5, presence="exclusive_sibling", depth=900
    )
    cells = places.found("to_anndata")(places.found("simulate")(scenario, seed=11))
    mitochondrial = [f"MT-{name}" for name in ("ND1", "ND2", "CO1", "CO2", "ATP6", "CYB")]
    cells.var_names = [*mitochondrial, *cells.var_names[len(mitochondrial) :]]
    random = np.random.default_rng(5)
    cells.obs["donor"] = [f"d{i}" for i in random.integers(1, 4, cells.n_obs)]
    cells.obs["donor"] = cells.obs["donor"].astype("category")
    with tempfile.TemporaryDirectory() as home:
        study = Study.read(cells, batch="batch", label="true_type", home=home)
        run = study.prepare(min_genes=0, max_mito=100, n_top_genes=120, n_pcs=10).correct(theta=2)
        assert len(run.embedding) == cells.n_obs
        cells.obsm["X_pca"] = np.array(run.results.embedding("before"))
        shift = random.normal(scale=0.05, size=(cells.n_obs, 6)).astype(np.float32)
        cells.obsm["X_tool"] = np.array(run.embedding)[:, :6] * np.float32(1.5) + shift
    cells.write_h5ad(INPUT, compression="gzip")


def freeze_results() -> None:
    """Write the store with a run of each kind, and what is in it in short."""
    facts: dict[str, Any] = {"surroundings": surroundings(), "runs": {}}
    with tempfile.TemporaryDirectory() as temporary:
        home, folder = Path(temporary, "home"), Path(temporary)
        study = kinds.read(home, "counts")
        fingerprint = study.dataset.fingerprint
        _say_where_from(home / "datasets" / fingerprint / "dataset.json")
        facts["fingerprint"] = fingerprint
        facts["dataset"] = dataset_facts(home, fingerprint)
        for kind in KINDS:
            # A home of its own, so that the run's own stages are told from another's.
            alone = Path(temporary, kind)
            facts["runs"][kind] = _run_facts(kinds.run(alone, kind, folder), alone)
            kinds.run(home, kind, folder)
        facts["diagnosed"] = diagnosed_facts(home)
        _note_runs(home, fingerprint, facts["runs"])
        facts["stages"] = {
            name: stage_facts(home, fingerprint, name) for name in stage_folders(home, fingerprint)
        }
        for mark in home.rglob("*.lock"):
            mark.unlink()
        _pack(home, STORE)
    _write(RESULTS, facts)


def _say_where_from(path: Path) -> None:
    """Take the folder of this machine out of what the store remembers."""
    meta = json.loads(path.read_text("utf-8"))
    assert len(meta["reading"]["inputs"]) == 1
    meta["reading"]["inputs"] = [FIRST_PATH]
    path.write_text(json.dumps(meta), "utf-8")


def _run_facts(run: Any, home: Path) -> dict[str, Any]:
    results = run.results
    dataset, params = results.dataset, results.params
    assert run.verdict.kind == results.assessment["verdict"]["kind"]
    return {
        "params": params.to_dict(),
        "name": places.run_name(dataset, params),
        "verdict": {"kind": run.verdict.kind, "level": run.verdict.level},
        "stages": stage_folders(home, dataset.fingerprint),
        "tables": {name: table_facts(table) for name, table in run.tables.items()},
        "obs": table_facts(results.obs),
        "embedding": digest(run.embedding),
    }


def diagnosed_facts(home: Path) -> dict[str, Any]:
    """Return what is said of the tool's embedding where it is given as an array."""
    study = kinds.read(home, "given").prepare(basis="X_pca")
    found = study.diagnose(np.array(study.dataset.embedding("X_tool")))
    return plain(
        {
            "verdict": found.verdict.to_dict(),
            "before": found.before,
            "after": found.after,
            "notes": list(found.notes),
            "per_cell": {name: digest(values) for name, values in found.per_cell.items()},
        }
    )


def _note_runs(home: Path, fingerprint: str, runs: dict[str, Any]) -> None:
    """Put the runs on the store's list, as the dashboard does."""
    dataset = places.dataset_in(home, fingerprint)
    for kind in KINDS:
        params = places.params_from(runs[kind]["params"])
        places.found("save_settings")(dataset, params)
        if kind in kinds.LABELS:
            name, pinned = kinds.LABELS[kind]
            label = places.found("RunTag")(name, pinned)
            places.found("set_tag")(dataset, params, label)


def _pack(home: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as packed:
        for file in sorted(p for p in home.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(home)), (2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_LZMA
            packed.writestr(entry, file.read_bytes())


def freeze_files() -> None:
    """Write each file that a run writes, from the runs in the frozen store."""
    facts: dict[str, Any] = {"surroundings": surroundings()}
    facts |= {"links": {}, "notes": {}, "pages": {}, "h5ad": {}}
    results = json.loads(RESULTS.read_text("utf-8"))
    start = places.params_from({"harmony": {"batch": ["batch"]}})
    with tempfile.TemporaryDirectory() as temporary:
        home, folder = Path(temporary, "home"), Path(temporary)
        with zipfile.ZipFile(STORE) as packed:
            packed.extractall(home)
        for kind in KINDS:
            run = kinds.from_elsewhere(kinds.run(home, kind, folder), FIRST_PATH)
            for ending in ("toml", "json"):
                run.export(HERE / f"settings_{kind}.{ending}")
            facts["notes"][kind] = list(run.export(folder / f"{kind}_run.h5ad"))
            facts["h5ad"][kind] = h5ad_facts(folder / f"{kind}_run.h5ad")
            run.export(folder / f"{kind}.html")
            facts["pages"][kind] = (folder / f"{kind}.html").read_text("utf-8").count("<h2")
            if kind != "given":
                facts["links"][kind] = places.to_link(run.results.params, start)
                config = ["--config", str(HERE / f"settings_{kind}.toml"), "--home", str(home)]
                config += ["--report", str(folder / f"{kind}.json")]
                config += ["--out", str(folder / "out.h5ad")]
                assert command(["correct", str(INPUT), *config]) == 0
            report = json.loads((folder / f"{kind}.json").read_text("utf-8"))
            _write(HERE / f"report_{kind}.json", without(report, "versions", "seconds"))
        for kind in ("counts", "given"):
            shutil.copyfile(folder / f"{kind}_run.h5ad", HERE / f"run_{kind}.h5ad")
            for option, ending in (("python", "py"), ("notebook", "ipynb"), ("r", "R")):
                path = HERE / f"script_{kind}.{ending}.txt"
                written = folder / f"script.{ending}"
                source = HERE / f"run_{kind}.h5ad"
                assert command(["export", str(source), f"--{option}", str(written)]) == 0
                text = written.read_text("utf-8").replace(str(source), FIRST_PATH)
                path.write_text(text, "utf-8")
        facts["reopened"] = {
            kind: reopened_facts(HERE / f"run_{kind}.h5ad", Path(temporary, f"again_{kind}"))
            for kind in ("counts", "given")
        }
    assert facts["h5ad"].keys() == results["runs"].keys()
    _write(FILES, facts)


def reopened_facts(path: Path, home: Path) -> dict[str, Any]:
    """Return what becomes of a run's file that is opened again by the command line."""
    home.mkdir()
    page = home / "page.html"
    assert command(["report", str(path), "--out", str(page), "--home", str(home)]) == 0
    (fingerprint,) = os.listdir(home / "datasets")
    dataset = places.dataset_in(home, fingerprint)
    meta = json.loads((home / "datasets" / fingerprint / "dataset.json").read_text("utf-8"))
    params = places.params_from(meta["run"])
    text = page.read_text("utf-8")
    return {
        "fingerprint": fingerprint,
        "run": meta["run"],
        "name": places.run_name(dataset, params),
        "stages": {
            name: stage_facts(home, fingerprint, name)["arrays"]
            for name in stage_folders(home, fingerprint)
        },
        "headings": text.count("<h2"),
    }


def _write(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")


def freeze(*parts: str) -> None:
    """Write the parts asked for, and what depends on them."""
    known = {"cells": freeze_cells, "results": freeze_results, "files": freeze_files}
    if len(parts) != 1 or parts[0] not in known:
        raise SystemExit(__doc__)
    for name in list(known)[list(known).index(parts[0]) :]:
        known[name]()


if __name__ == "__main__":
    freeze(*sys.argv[1:])
