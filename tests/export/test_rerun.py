"""A run leaves as a script that repeats it without us: to the last bit, in a fresh process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anndata as ad
import nbformat
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from harmony_core.export.digest import content_digest
from harmony_core.export.record import run_record
from harmony_core.export.scripts.python import (
    notebook,
    python_script,
    write_notebook,
    write_python_script,
)
from harmony_core.inspect.gene_sets import panel_sets, panel_text
from harmony_core.methods import neighbors
from harmony_core.params import (
    ClusterParams,
    GraphParams,
    HarmonyParams,
    PrepareParams,
    RunParams,
)
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults
from harmony_core.store import Store
from harmony_core.store.ingest import ingest_file
from tests.conftest import SMALL
from tests.kernel import Kernel

HOSTILE = "'''\"\"\"\nimport os; os.abort()  # \\"


@dataclass(frozen=True)
class Case:
    """A run, and where its script is to be run."""

    results: RunResults
    folder: Path


def _nothing(adata: ad.AnnData) -> None:
    pass


def _two_variables(adata: ad.AnnData) -> None:
    rng = np.random.default_rng(1)
    adata.obs[HOSTILE] = rng.integers(8, 11, adata.n_obs)  # numbers sort as numbers
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.toarray() - 1
    sc.pp.scale(adata)


def _logged_in_raw(adata: ad.AnnData) -> None:
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    names = adata.obs["batch"].astype(str).to_numpy()
    adata.obs["batch"] = np.where(np.arange(adata.n_obs) < 5, "solo", names)  # no say in genes
    adata.raw = adata.copy()
    sc.pp.scale(adata, zero_center=False)
    adata.X = -adata.X


def _embedding_only(adata: ad.AnnData) -> None:
    rng = np.random.default_rng(2)
    shift = (adata.obs["batch"] == "A").to_numpy()[:, None]
    adata.obsm["X_mine"] = rng.normal(size=(adata.n_obs, 8)) + shift
    del adata.X


def _sparse_embedding(adata: ad.AnnData) -> None:
    _embedding_only(adata)
    adata.obsm["X_mine"] = sp.csr_matrix(adata.obsm["X_mine"])


def _embedding_as_a_table(adata: ad.AnnData) -> None:
    _embedding_only(adata)
    columns = [f"d{i}" for i in range(8)]
    adata.obsm["X_mine"] = pd.DataFrame(
        adata.obsm["X_mine"], index=adata.obs_names, columns=columns
    )


CASES: Mapping[str, tuple[Callable[[ad.AnnData], None], RunParams]] = {
    "counts": (_nothing, SMALL),
    "two_variables": (
        _two_variables,
        RunParams(
            harmony=HarmonyParams(
                batch=("batch", HOSTILE), theta=(1.0, 3.0), tau=5, lamb=1.0, nclust=9, seed=3
            ),
            prepare=PrepareParams(
                min_genes=20, max_genes=220, max_doublet=0.1, scale=True, n_pcs=12, seed=4
            ),
            graph=GraphParams(n_neighbors=10),
            clusters=ClusterParams(resolutions=(0.4, 1.0), shown=1.0, flavor="leidenalg", seed=2),
        ),
    ),
    "single_batches": (
        _two_variables,
        RunParams(
            harmony=HarmonyParams(
                batch=(HOSTILE, "batch"),
                penalties_as_r=True,
                theta_of=((HOSTILE, "10", 0.5), ("batch", "B", 4.0)),
                lamb=1.0,
                lamb_of=((HOSTILE, "8", 9.0),),
                nclust=3,
                sigma_of=(0.05, 0.1, 0.2),
                batch_prop_cutoff=0.01,
            ),
            prepare=PrepareParams(min_genes=20, n_pcs=12),
        ),
    ),
    "logged_in_raw": (
        _logged_in_raw,
        RunParams(
            harmony=HarmonyParams(batch=("batch",)),
            prepare=PrepareParams(n_top_genes=120, n_pcs=9),
            label="true_type",
        ),
    ),
    "embedding": (
        _embedding_only,
        RunParams(
            harmony=HarmonyParams(batch=("batch",), sigma=0.2),
            prepare=PrepareParams(basis="X_mine", skip_dims=1, use_dims=8),
        ),
    ),
}


@pytest.fixture(scope="module")
def cases(
    simulated: ad.AnnData,
    kernel: Kernel,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Case]:
    """Every case's run and, beside it, what its script and notebook wrote in a fresh process."""
    store = Store(tmp_path_factory.mktemp("store"))
    made: dict[str, Case] = {}
    for name, (change, params) in CASES.items():
        folder = tmp_path_factory.mktemp(name)
        adata = simulated.copy()
        change(adata)
        adata.write_h5ad(folder / "input.h5ad")
        dataset = ingest_file(store, folder / "input.h5ad", name=name)
        with pytest.MonkeyPatch.context() as patch:
            if name in ("embedding", "logged_in_raw"):  # as if these were many, and very many
                patch.setattr(neighbors, "EXACT_UP_TO", 100)
            if name == "logged_in_raw":
                patch.setattr(neighbors, "LISTS_UP_TO", 200)
                patch.setattr(neighbors, "PROBES_OF_FILE", 5)
            pipeline = Pipeline(dataset, params)
            for stage in ("layout_after", "markers_after"):
                pipeline.stage(stage)
            for side in SIDES:
                pipeline.stage(f"clusters_{side}")
                pipeline.stage(f"other_clusters_{side}")
            results = RunResults(dataset, params)
            about = run_record(results, input_path=str(folder / "input.h5ad"))
            write_python_script(about, folder / "harmony_rerun.py")
            write_notebook(about, folder / "harmony_rerun.ipynb")
        made[name] = Case(results, folder)
    _run_all(made, kernel)
    return made


def _run_all(made: Mapping[str, Case], kernel: Kernel) -> None:
    """Run each notebook, cell by cell, and each script as a user would."""
    for case in made.values():
        found = nbformat.read(case.folder / "harmony_rerun.ipynb", as_version=4)
        nbformat.validate(found)
        kernel.run(f"import os\nos.chdir({str(case.folder)!r})")
        said = [kernel.run(cell.source) for cell in found.cells if cell.cell_type == "code"]
        assert "Wrote rerun.h5ad" in "".join(said)
        (case.folder / "rerun.h5ad").rename(case.folder / "notebook.h5ad")
        assert "Wrote rerun.h5ad" in kernel.run_script(case.folder / "harmony_rerun.py")
        (case.folder / "rerun.h5ad").rename(case.folder / "script.h5ad")


@pytest.mark.parametrize("form", ["script", "notebook"])
@pytest.mark.parametrize("name", CASES)
def test_it_repeats_the_run(cases: dict[str, Case], name: str, form: str) -> None:
    results, again = cases[name].results, ad.read_h5ad(cases[name].folder / f"{form}.h5ad")
    assert results.obs is not None
    assert again.obs_names.tolist() == results.obs.index.tolist()
    basis = results.params.prepare.basis or "X_pca"
    np.testing.assert_array_equal(again.obsm[basis], results.embedding("before"))
    np.testing.assert_array_equal(again.obsm["X_pca_harmony"], results.embedding("after"))
    np.testing.assert_array_equal(again.obsm["X_umap_uncorrected"], results.layout("before"))
    np.testing.assert_array_equal(again.obsm["X_umap"], results.layout("after"))
    for resolution in results.params.clusters.resolutions:
        shown = resolution == results.params.clusters.shown
        suffix = "" if shown else f"_{resolution:g}"
        for side, stem in (("after", "leiden"), ("before", "leiden_uncorrected")):
            expected = results.clusters(side, resolution)  # type: ignore[arg-type]
            assert expected is not None
            assert again.obs[stem + suffix].astype(int).tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["counts", "logged_in_raw"])
def test_the_script_ranks_the_same_markers(cases: dict[str, Case], name: str) -> None:
    again = ad.read_h5ad(cases[name].folder / "script.h5ad")
    markers = cases[name].results.markers("after")
    assert markers is not None
    for group, table in enumerate(markers):
        names = again.uns["rank_genes_groups"]["names"][str(group)].tolist()
        assert names == list(table.symbols)


def _end(kernel: Kernel, script: Path, *arguments: str) -> str:
    """Run a script up to where it reads its data and return the words that it ends with."""
    text = script.read_text("utf-8")
    for line in ("import faiss", "import harmonypy", "import scanpy as sc", "from umap."):
        text = text.replace(line, f"# {line}")
    text = text.replace("\nX = sp.csr_matrix", "\nsys.exit('reached')\nX = sp.csr_matrix")
    short = script.with_name("short.py")
    short.write_text(text, "utf-8")
    return kernel.end_of_script(short, *arguments)


def test_other_data_are_refused_unless_told_otherwise(
    cases: dict[str, Case], kernel: Kernel, tmp_path: Path
) -> None:
    case = cases["counts"]
    changed = ad.read_h5ad(case.folder / "input.h5ad")
    changed.X[5, 7] += 1
    changed.write_h5ad(tmp_path / "other.h5ad")
    script, other = case.folder / "harmony_rerun.py", str(tmp_path / "other.h5ad")
    assert _end(kernel, script) == "reached"
    assert "differs from the data of the run" in _end(kernel, script, other)
    assert _end(kernel, script, other, "--any-data") == "reached"
    assert "There is no file" in _end(kernel, script, "nowhere.h5ad")


@pytest.mark.parametrize("name", ["logged_in_raw", "embedding"])
def test_another_kind_of_file_ends_in_a_sentence(
    cases: dict[str, Case], kernel: Kernel, tmp_path: Path, simulated: ad.AnnData, name: str
) -> None:
    script = cases[name].folder / "harmony_rerun.py"
    other, table, text = (tmp_path / file for file in ("other.h5ad", "table.csv", "text.h5ad"))
    simulated.write_h5ad(other)
    for path in (table, text):
        path.write_text("a,b\n1,2\n")
    lacks = "no expression in raw" if name == "logged_in_raw" else "no embedding 'X_mine'"
    said = {other: lacks, table: "can't be read as an h5ad", text: "can't be read as an h5ad"}
    for path, sentence in said.items():
        assert sentence in _end(kernel, script, str(path), "--any-data")


def test_data_that_cannot_be_corrected_end_in_a_sentence(
    cases: dict[str, Case], kernel: Kernel, tmp_path: Path, simulated: ad.AnnData
) -> None:
    script = cases["counts"].folder / "harmony_rerun.py"
    gaps = simulated.copy()
    gaps.obs["batch"] = gaps.obs["batch"].where(np.arange(gaps.n_obs) > 3)
    gaps.write_h5ad(tmp_path / "gaps.h5ad")
    said = _end(kernel, script, str(tmp_path / "gaps.h5ad"), "--any-data")
    assert "The column 'batch' has missing values" in said


def test_a_library_that_is_missing_is_said_with_the_line_that_installs_all(
    cases: dict[str, Case],
) -> None:
    script = cases["counts"].folder / "harmony_rerun.py"
    short = script.with_name("missing.py")
    short.write_text(script.read_text("utf-8").replace("import anndata", "import no_such_library"))
    command = [sys.executable, str(short)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No module named 'no_such_library'. This installs what is needed" in done.stderr
    assert "harmonypy==2.1.0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("change", [_sparse_embedding, _embedding_as_a_table])
def test_an_embedding_may_be_sparse_or_a_table(
    change: Callable[[ad.AnnData], None],
    simulated: ad.AnnData,
    kept_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adata = simulated.copy()
    change(adata)
    adata.write_h5ad(tmp_path / "input.h5ad")
    dataset = ingest_file(kept_store, tmp_path / "input.h5ad", name="mine")
    params = RunParams(
        harmony=HarmonyParams(batch=("batch",), max_iter=1),
        prepare=PrepareParams(basis="X_mine", skip_dims=2),
    )
    Pipeline(dataset, params).run("correct")
    results = RunResults(dataset, params)
    script = python_script(run_record(results, input_path=str(tmp_path / "input.h5ad")))
    monkeypatch.setattr(sys, "argv", ["harmony_rerun.py"])
    names = {"__name__": "__main__"}
    exec(script[: script.index("\n# Harmony\n")], names)
    np.testing.assert_array_equal(names["before"], results.embedding("before"))
    assert names["before"].shape == (adata.n_obs, 6)


def test_other_data_have_batches_of_their_own(cases: dict[str, Case]) -> None:
    script = (cases["counts"].folder / "harmony_rerun.py").read_text("utf-8")
    start = script.index("batches = pd.DataFrame()")
    code = script[start : script.index("harmony = harmonypy", start)]
    column = pd.DataFrame({"batch": ["z", "B", "A", "C", "A"]})
    names = {
        "pd": pd,
        "adata": ad.AnnData(obs=column.set_index(pd.Index(list("abcde")))),
        "cells": np.arange(5),
        "BATCHES": {"batch": ["A", "B"]},
    }
    exec(code, names)
    assert names["batches"]["0"].tolist() == [3, 1, 0, 2, 0]


def _other_batches(adata: ad.AnnData) -> None:
    adata.obs["batch"] = adata.obs["batch"].to_numpy()[::-1]


def _other_embedding(adata: ad.AnnData) -> None:
    adata.obsm["X_mine"][0, 0] = 2


def _other_names(adata: ad.AnnData) -> None:
    adata.obs_names = [f"{name}!" for name in adata.obs_names]


def _other_count(adata: ad.AnnData) -> None:
    adata.X.data[10] += 1


@pytest.mark.parametrize("change", [_other_batches, _other_embedding, _other_names, _other_count])
def test_the_digest_sees_what_matters_and_nothing_else(
    simulated: ad.AnnData, change: Callable[[ad.AnnData], None]
) -> None:
    def digest(adata: ad.AnnData) -> str:
        return content_digest(adata, "X", ["batch"], ["X_mine"])

    first = simulated.copy()
    first.obsm["X_mine"] = np.ones((first.n_obs, 2))
    same, other = first.copy(), first.copy()
    same.obs["note"] = "more"
    same.X = same.X.tocsc().toarray()
    assert digest(same) == digest(first)
    change(other)
    assert digest(other) != digest(first)


def test_the_script_is_plain_and_pinned(cases: dict[str, Case]) -> None:
    text = (cases["two_variables"].folder / "harmony_rerun.py").read_text("utf-8")
    assert '#   "harmonypy==2.1.0"' in text
    assert '#   "scanpy==1.11.5"' in text
    assert "harmony_core" not in text
    settings = {
        node.targets[0].id: node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    # Whatever a name holds, it stays a literal.
    assert list(ast.literal_eval(settings["BATCHES"])) == ["batch", HOSTILE]
    assert ast.literal_eval(settings["BATCHES"])[HOSTILE] == ["8", "9", "10"]


def test_the_notebook_holds_the_same_steps(cases: dict[str, Case]) -> None:
    case = cases["counts"]
    about = run_record(case.results, input_path=str(case.folder / "input.h5ad"))
    found = json.loads(json.dumps(notebook(about)))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    code = "\n".join(c["source"] for c in found["cells"] if c["cell_type"] == "code")
    ast.parse(code)
    script = python_script(about)
    for piece in ("harmonypy.run_harmony", "fuzzy_simplicial_set(", "rank_genes_groups"):
        assert piece in code
        assert piece in script
    assert "argparse.ArgumentParser" not in code
    assert len({c["id"] for c in found["cells"]}) == len(found["cells"])


def test_jupyter_executes_the_notebook(cases: dict[str, Case]) -> None:
    folder = next(iter(cases.values())).folder
    jupyter, script = (ad.read_h5ad(folder / f"{form}.h5ad") for form in ("notebook", "script"))
    for name in ("X_pca_harmony", "X_umap"):
        np.testing.assert_array_equal(jupyter.obsm[name], script.obsm[name])
    assert jupyter.obs["leiden"].tolist() == script.obs["leiden"].tolist()


def test_a_run_without_a_recorded_input_asks_for_it(cases: dict[str, Case], kernel: Kernel) -> None:
    about = run_record(cases["counts"].results) | {"input": ""}
    script = cases["counts"].folder / "asks.py"
    write_python_script(about, script)
    assert "give the h5ad file of the run" in _end(kernel, script)


def test_another_seed_is_another_script(cases: dict[str, Case]) -> None:
    case = cases["counts"]
    other = replace(case.results.params.layout, seed=7)
    params = replace(case.results.params, layout=other)
    about = run_record(RunResults(case.results.dataset, params))
    assert "LAYOUT_SEED = 7" in python_script(about)


def test_marker_genes_that_labels_were_made_from_are_said_and_change_nothing(
    cases: dict[str, Case],
) -> None:
    case = cases["counts"]
    plain = replace(case.results.params, label=None)
    panel = panel_text({HOSTILE: ("CD3D", "CD3E"), "B cells": ("MS4A1", "CD79A")})
    ours, other = (
        python_script(run_record(RunResults(case.results.dataset, params)))
        for params in (replace(plain, panel=panel), plain)
    )
    before, after = ours.split("# The run was judged by cell types that Harmony Explorer made")
    comment, assigned = after.split("MARKER_GENES = ")
    assert "before any correction" in comment
    literal = assigned[: assigned.index("\n\n")]
    assert ast.literal_eval(literal) == panel_sets(panel)
    assert before + assigned[len(literal) + 1 :] == other
