"""No result and no file changes: today's code against what was computed and written before.

What is compared is in README.md beside this file. Where processor and libraries are those on which
the frozen files were written, everything is the same to the last bit; elsewhere numbers may differ
as `LOOSE` says, and what is read from the frozen store is still the same to the last bit.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from harmony_core import Study
from harmony_core.cli import main
from tests.frozen import kinds, places
from tests.frozen.freeze import diagnosed_facts, reopened_facts
from tests.frozen.observed import (
    FILES,
    FIRST_PATH,
    HERE,
    INPUT,
    KEYED_BY,
    KINDS,
    RESULTS,
    STORE,
    array_in,
    dataset_facts,
    differences,
    digest,
    file_digests,
    h5ad_facts,
    plain,
    stage,
    stage_facts,
    stage_folders,
    surroundings,
    table_facts,
    without,
)

RESULT: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
FILE: dict[str, Any] = json.loads(FILES.read_text("utf-8"))
FINGERPRINT: str = RESULT["fingerprint"]

HERE_AND_NOW = surroundings()
EXACT = HERE_AND_NOW == RESULT["surroundings"] == FILE["surroundings"]
"""Whether everything must be the same to the last bit."""

LOOSE = 0.05
"""On another processor: how far numbers may be apart, as a part of the larger one or, below 1,
absolutely. The last digits of an embedding turn a neighbour here and there, and so its measures."""

SHARE_LOOSE = 0.02
"""Share of an array's numbers that may be further apart than that."""

EXACT_STAGES = ("quality",)
EXACT_ARRAYS = ("cells", "genes", "variable", "variable_in")
"""The same on every processor: counts and choices from them."""

STEADY_STAGES = ("doublets", "prepare", "correct", "given", "lisi", "assess", "soft_clusters")
"""Compared number by number; others are pictures, clusters and what is made of those."""

RECALL = 0.98
"""Share of the frozen neighbours found on another processor."""

pytestmark = pytest.mark.skipif(
    any(HERE_AND_NOW[name] != RESULT["surroundings"][name] for name in KEYED_BY),
    reason="other versions of the libraries that are part of every key than when this was frozen",
)


@pytest.fixture(autouse=True)
def _no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARMONY_EXPLORER_HOME", raising=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen store; nothing may be added to it."""
    home = tmp_path_factory.mktemp("kept")
    with zipfile.ZipFile(STORE) as packed:
        packed.extractall(home)
    return home


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A new store in which every kind of run was computed, and the runs."""
    home, folder = tmp_path_factory.mktemp("fresh"), tmp_path_factory.mktemp("written")
    return home, {kind: kinds.run(home, kind, folder) for kind in KINDS}


@pytest.fixture(scope="module")
def again(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The runs as the frozen store gives them."""
    before = file_digests(kept)
    folder = tmp_path_factory.mktemp("again")
    runs = {kind: kinds.run(kept, kind, folder) for kind in KINDS}
    assert file_digests(kept) == before  # nothing computed, nothing written anew
    return runs


def test_processor_and_libraries_are_those_of_the_frozen_files() -> None:
    """Say when they are not: it must be known how strictly the others compared."""
    if not EXACT:
        pytest.skip("results of another processor, or other libraries, are compared loosely")


# Computed anew


def test_data_are_taken_in_as_they_were(fresh: tuple[Path, dict[str, Any]]) -> None:
    home, _ = fresh
    assert os.listdir(home / "datasets") == [FINGERPRINT]
    found = dataset_facts(home, FINGERPRINT)
    assert found["arrays"] == RESULT["dataset"]["arrays"]
    assert found["tables"] == RESULT["dataset"]["tables"]
    assert not differences(
        found["meta"], RESULT["dataset"]["meta"], tolerance=0.0 if EXACT else LOOSE
    )
    there = {path.name for path in (home / "datasets" / FINGERPRINT).iterdir()}
    assert there - {"runs"} == {
        *("dataset.json", "embeddings", "matrix", "obs.parquet", "source.h5ad", "stages"),
        "var.parquet",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_has_its_name_and_its_stages(fresh: tuple[Path, dict[str, Any]], kind: str) -> None:
    home, runs = fresh
    then, results = RESULT["runs"][kind], runs[kind].results
    assert results.params.to_dict() == then["params"]
    assert places.params_from(then["params"]) == results.params
    assert results.dataset.fingerprint == FINGERPRINT
    assert places.run_name(results.dataset, results.params) == then["name"]
    assert set(then["stages"]) <= set(stage_folders(home, FINGERPRINT))
    verdict = {"kind": runs[kind].verdict.kind, "level": runs[kind].verdict.level}
    assert verdict == then["verdict"]
    assert table_facts(results.obs) == then["obs"]


def test_no_other_stage_is_computed(fresh: tuple[Path, dict[str, Any]]) -> None:
    home, _ = fresh
    assert stage_folders(home, FINGERPRINT) == sorted(RESULT["stages"])
    assert {s for run in RESULT["runs"].values() for s in run["stages"]} == set(RESULT["stages"])


@pytest.mark.parametrize("folder", sorted(RESULT["stages"]))
def test_a_stage_gives_the_same(
    fresh: tuple[Path, dict[str, Any]], kept: Path, folder: str
) -> None:
    home, _ = fresh
    if EXACT:
        found = stage_facts(home, FINGERPRINT, folder)
        assert not differences(found, RESULT["stages"][folder])
    assert_alike(stage(home, FINGERPRINT, folder), stage(kept, FINGERPRINT, folder), folder)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_the_same(fresh: tuple[Path, dict[str, Any]], kind: str) -> None:
    tables = {name: table_facts(table) for name, table in fresh[1][kind].tables.items()}
    then = RESULT["runs"][kind]["tables"]
    if EXACT:
        assert not differences(tables, then)
    assert list(tables) == list(then)
    for name in tables:
        assert list(tables[name]["columns"]) == list(then[name]["columns"])
        assert tables[name]["kinds"] == then[name]["kinds"]
    # A row a cell: which, and in which order.
    for name in ("embedding", "layouts", "clusters", "cells"):
        assert tables[name]["index"] == then[name]["index"]


def test_an_array_is_judged_as_it_was(fresh: tuple[Path, dict[str, Any]]) -> None:
    found, then = diagnosed_facts(fresh[0]), RESULT["diagnosed"]
    if EXACT:
        assert not differences(found, then)
    assert set(found["per_cell"]) == set(then["per_cell"])
    for name in ("kind", "level"):
        assert found["verdict"][name] == then["verdict"][name]
    for name in ("before", "after"):
        assert not differences(found[name], then[name], tolerance=LOOSE)


# Read from the frozen store


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_read_from_the_frozen_store(
    kept: Path, again: dict[str, Any], kind: str
) -> None:
    run, then = again[kind], RESULT["runs"][kind]
    assert digest(run.embedding) == then["embedding"]
    verdict = {"kind": run.verdict.kind, "level": run.verdict.level}
    assert verdict == then["verdict"]
    assert {name: table_facts(table) for name, table in run.tables.items()} == then["tables"]
    assert table_facts(run.results.obs) == then["obs"]
    (assessed,) = [name for name in then["stages"] if name.startswith("assess-")]
    values = RESULT["stages"][assessed]["values"]
    assert {name: run.results.assessment[name] for name in values} == values


def test_the_frozen_store_is_found_by_the_environment(
    kept: Path, again: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARMONY_EXPLORER_HOME", str(kept))
    before = file_digests(kept)
    settings = kinds.SETTINGS["counts"]
    study = Study.read(INPUT, batch="batch", label="true_type").prepare(**settings["prepare"])
    run = study.correct(theta=2, max_iter=5)
    assert digest(run.embedding) == RESULT["runs"]["counts"]["embedding"]
    assert file_digests(kept) == before


def test_the_frozen_store_lists_its_runs(kept: Path) -> None:
    listed = places.listed_runs(kept, FINGERPRINT)
    runs = {kind: places.params_from(RESULT["runs"][kind]["params"]) for kind in KINDS}
    assert len(listed) == len(runs)
    assert all(params in listed for params in runs.values())
    for kind, params in runs.items():
        name = RESULT["runs"][kind]["name"]
        label = places.label_of(kept, FINGERPRINT, name)
        assert label == kinds.LABELS.get(kind, ("", False))
        noted = kept / "datasets" / FINGERPRINT / "runs" / name / "params.json"
        assert json.loads(noted.read_text("utf-8")) == params.to_dict()


# Settings and links


@pytest.mark.parametrize("ending", ["toml", "json"])
@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_written_as_they_were(
    again: dict[str, Any], kind: str, ending: str, tmp_path: Path
) -> None:
    again[kind].export(tmp_path / f"settings.{ending}")
    frozen = HERE / f"settings_{kind}.{ending}"
    assert (tmp_path / f"settings.{ending}").read_bytes() == frozen.read_bytes()


@pytest.mark.parametrize("ending", ["toml", "json"])
@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_read_as_the_same_run_with_the_same_report(
    kept: Path, again: dict[str, Any], kind: str, ending: str, tmp_path: Path
) -> None:
    before, out, report = file_digests(kept), tmp_path / "out.h5ad", tmp_path / "report.json"
    config = ["--config", str(HERE / f"settings_{kind}.{ending}"), "--home", str(kept)]
    assert main(["correct", str(INPUT), *config, "--out", str(out), "--report", str(report)]) == 0
    assert file_digests(kept) == before  # found under its name, so nothing is computed
    found = json.loads(report.read_text("utf-8"))
    assert set(found) == {
        *("versions", "data", "design", "params", "harmony", "metrics", "verdict", "seconds"),
    }
    then = report_of(kind)
    # The report of an embedding that was judged holds less of the same.
    same = ("metrics", "verdict") if kind == "given" else without(found, "versions", "seconds")
    assert not differences({k: found[k] for k in same}, {k: then[k] for k in same})
    assert out.is_file()


@pytest.mark.parametrize("kind", FILE["links"])
def test_a_link_is_read_and_written_as_it_was(kept: Path, kind: str) -> None:
    dataset = places.dataset_in(kept, FINGERPRINT)
    start = places.params_from({"harmony": {"batch": ["batch"]}})
    params, problems = places.from_link(FILE["links"][kind], dataset, start)
    assert problems == ()
    assert params.to_dict() == RESULT["runs"][kind]["params"]
    written = places.to_link(params, start)
    assert plain(written) == FILE["links"][kind]
    assert list(written) == list(FILE["links"][kind])


# Files of a run


@pytest.mark.parametrize("kind", KINDS)
def test_an_h5ad_is_written_as_it_was(again: dict[str, Any], kind: str, tmp_path: Path) -> None:
    run = kinds.from_elsewhere(again[kind], FIRST_PATH)
    assert list(run.export(tmp_path / "run.h5ad")) == FILE["notes"][kind]
    found, then = h5ad_facts(tmp_path / "run.h5ad"), FILE["h5ad"][kind]
    assert not differences(found["record"], then["record"])
    if EXACT:
        assert not differences(found["entries"], then["entries"])
    assert set(found["entries"]) == set(then["entries"])
    # All but the graph's weights is read from the frozen store, whatever the processor.
    computed = ("obsp/", "uns/neighbors")
    for name, entry in then["entries"].items():
        now = found["entries"][name]
        if name.startswith(computed):
            entry, now = without(entry, "digest"), without(now, "digest")
        assert not differences(now, entry, at=name)


@pytest.mark.parametrize("kind", ["counts", "given"])
def test_the_frozen_h5ad_is_what_its_facts_say(kind: str) -> None:
    assert not differences(h5ad_facts(HERE / f"run_{kind}.h5ad"), FILE["h5ad"][kind])


@pytest.mark.parametrize("kind", ["counts", "given"])
def test_the_frozen_h5ad_writes_the_same_settings_and_scripts(kind: str, tmp_path: Path) -> None:
    source = HERE / f"run_{kind}.h5ad"
    options = {"python": "py", "notebook": "ipynb", "r": "R", "settings": "toml"}
    written = {option: tmp_path / f"it.{ending}" for option, ending in options.items()}
    arguments = [part for k, path in written.items() for part in (f"--{k}", str(path))]
    assert main(["export", str(source), *arguments]) == 0
    for option, path in written.items():
        frozen = HERE / f"script_{kind}.{options[option]}.txt"
        if option == "settings":
            frozen = HERE / f"settings_{kind}.toml"
        text = path.read_text("utf-8").replace(str(source), FIRST_PATH)
        assert text == frozen.read_text("utf-8"), option


@pytest.mark.parametrize("kind", ["counts", "given"])
def test_the_frozen_h5ad_opens_as_the_same_run(kind: str, tmp_path: Path) -> None:
    source = tmp_path / f"run_{kind}.h5ad"
    shutil.copyfile(HERE / source.name, source)
    found, then = reopened_facts(source, tmp_path / "home"), FILE["reopened"][kind]
    if EXACT:
        assert not differences(found, then)
    assert not differences(without(found, "stages"), without(then, "stages"))
    assert {k: list(v) for k, v in found["stages"].items()} == {
        k: list(v) for k, v in then["stages"].items()
    }
    # What was corrected once is corrected to the same.
    name = "X_tool" if kind == "given" else "X_pca_harmony"
    (folder,) = [f for f in then["stages"] if f.startswith(("correct-", "given-"))]
    arrays, _ = stage(tmp_path / "home", then["fingerprint"], folder)
    assert_close(arrays["embedding"], array_in(source, f"obsm/{name}"), name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_written(again: dict[str, Any], kind: str, tmp_path: Path) -> None:
    again[kind].export(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<h2") == FILE["pages"][kind]


def test_a_report_computed_anew_is_the_same(
    fresh: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, _ = fresh
    for kind in KINDS:
        path = tmp_path / f"{kind}.json"
        outputs = ["--report", str(path), "--home", str(home)]
        if kind == "given":
            columns = ["--batch", "batch", "--label", "true_type"]
            bases = ["--basis-before", "X_pca", "--basis-after", "X_tool"]
            assert main(["diagnose", str(INPUT), *columns, *bases, *outputs]) == 0
        else:
            config = ["--config", str(HERE / f"settings_{kind}.json")]
            out = ["--out", str(tmp_path / "out.h5ad")]
            assert main(["correct", str(INPUT), *config, *out, *outputs]) == 0
        found = without(json.loads(path.read_text("utf-8")), "versions", "seconds")
        then = report_of(kind)
        if EXACT:
            assert not differences(found, then)
        assert list(found) == list(then)
        for name in ("data", "metrics"):
            assert not differences(found[name], then[name], tolerance=LOOSE)


# How results of another processor are compared


def report_of(kind: str) -> dict[str, Any]:
    """Return the frozen report of a run, without versions and times."""
    report: dict[str, Any] = json.loads((HERE / f"report_{kind}.json").read_text("utf-8"))
    return report


def assert_alike(
    now: tuple[dict[str, Any], dict[str, Any]],
    then: tuple[dict[str, Any], dict[str, Any]],
    folder: str,
) -> None:
    """Check a stage against the frozen one, as strictly as processors agree about it."""
    name = folder.rpartition("-")[0]
    assert set(now[0]) == set(then[0])
    assert set(now[1]) == set(then[1])
    for array, frozen in then[0].items():
        found = now[0][array]
        assert found.dtype == frozen.dtype
        assert found.ndim == frozen.ndim
        assert (found.size > 0) == (frozen.size > 0)
        if frozen.dtype.kind == "f" and frozen.size and np.isfinite(frozen).all():
            assert np.isfinite(found).all()
        if name in EXACT_STAGES or array in EXACT_ARRAYS:
            np.testing.assert_array_equal(found, frozen)
        elif name in ("layout", "preview"):
            assert found.shape == frozen.shape
        elif name == "neighbors":
            assert found.shape == frozen.shape
            if array == "indices":
                assert recall(found, frozen) >= RECALL
            else:
                assert_close(found, frozen, f"{folder}/{array}")
        elif name in STEADY_STAGES and array not in ("preclusters", "soft_cluster"):
            assert_close(found, frozen, f"{folder}/{array}")
    if name == "assess":
        assert now[1]["verdict"]["kind"] == then[1]["verdict"]["kind"]
        assert now[1]["verdict"]["level"] == then[1]["verdict"]["level"]
        assert not differences(now[1]["metrics"], then[1]["metrics"], tolerance=LOOSE)
    if name in ("correct", "scib"):
        assert not differences(now[1], then[1], tolerance=LOOSE)


def assert_close(found: npt.NDArray[Any], frozen: npt.NDArray[Any], at: str) -> None:
    """Check that hardly any number differs by more than `LOOSE`."""
    assert found.shape == frozen.shape, at
    far = ~np.isclose(found, frozen, rtol=LOOSE, atol=LOOSE, equal_nan=True)
    assert far.sum() <= SHARE_LOOSE * far.size, f"{at}: {far.sum()} of {far.size} differ"


def recall(found: npt.NDArray[Any], frozen: npt.NDArray[Any]) -> float:
    """Return which share of the frozen neighbours was found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, frozen, strict=True)]
    return float(np.mean(shared)) / frozen.shape[1]


@pytest.mark.parametrize("name", ["obs.parquet", "var.parquet"])
def test_tables_of_the_frozen_store_are_read(kept: Path, name: str) -> None:
    table = pd.read_parquet(kept / "datasets" / FINGERPRINT / name)
    assert table_facts(table) == RESULT["dataset"]["tables"][name]
