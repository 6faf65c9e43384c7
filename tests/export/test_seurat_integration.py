"""The R script of CCA and RPCA: what Seurat is asked for, what it writes, and the way back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from harmony_core import Study
from harmony_core.errors import ExportError, FileError
from harmony_core.export import write_h5ad
from harmony_core.export.record import run_record
from harmony_core.export.scripts.seurat_integration import integration_script
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.results import RunResults
from tests.export.test_seurat import CASES, HOSTILE, PLAIN, arguments, code_only, record
from tests.export.test_seurat_in_r import packages

# Seurat 5.5, the help pages of IntegrateLayers, CCAIntegration and RPCAIntegration.
INTEGRATE = {
    *("object", "method", "orig.reduction", "assay", "features", "layers", "scale.layer"),
    *("new.reduction", "dims", "k.weight", "k.filter", "normalization.method", "verbose"),
}
WITH_GENES: Mapping[str, dict[str, Any]] = {
    name: about for name, about in CASES.items() if about["where"]
} | {
    "from an embedding": record(replace(PLAIN, prepare=PrepareParams(basis="X_mine"))),
    "several variables": record(RunParams(harmony=HarmonyParams(batch=(HOSTILE, "b")))),
}


def test_r_parses_it(rscript: str, tmp_path: Path) -> None:
    for number, about in enumerate(WITH_GENES.values()):
        (tmp_path / f"{number}.R").write_text(integration_script(about), "utf-8")
    code = "for (f in list.files(pattern = 'R$')) cat(length(parse(f, encoding = 'UTF-8')), '')"
    done = subprocess.run(
        [rscript, "--vanilla", "-e", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    parsed = [int(n) for n in done.stdout.split()]
    assert len(parsed) == len(WITH_GENES)
    assert min(parsed) > 20


def test_seurat_is_called_with_parameters_that_it_has() -> None:
    for about in WITH_GENES.values():
        code = code_only(integration_script(about))
        first, second = (m.start() for m in re.finditer("IntegrateLayers", code))
        for call in (code[first:second], code[second:]):
            assert arguments(call, "IntegrateLayers") < INTEGRATE
            assert "features = genes_of_run" in call
            assert "dims = dims" in call
        assert "CCAIntegration" in code[first:second]
        assert "RPCAIntegration" in code[second:]
        assert "system" not in code


def test_values_are_taken_for_what_they_are() -> None:
    scripts = {name: code_only(integration_script(about)) for name, about in WITH_GENES.items()}
    assert "NormalizeData" in scripts["counts"]
    assert "log1p(expression)" in scripts["normalised"]
    for name in ("normalised", "logged in raw"):
        assert "NormalizeData" not in scripts[name]
        assert 'selection.method = "disp"' in integration_script(WITH_GENES[name])


def test_data_without_genes_are_refused_with_what_to_do() -> None:
    with pytest.raises(
        ExportError, match=r"have an embedding only\. Open the data with their counts"
    ):
        integration_script(CASES["embedding"])


# The script in R. Functions stand in for Seurat's: CCA and RPCA are the embedding times 2 and 3,
# in the order of batches, as Seurat gives them.

STAND_IN = """
CreateSeuratObject <- function(counts, meta.data) list(counts = counts, cells = colnames(counts))
NormalizeData <- function(object, scale.factor) object
AddMetaData <- function(object, ...) object
FindVariableFeatures <- function(object, nfeatures, selection.method) {
  message("chosen by ", selection.method)
  object
}
VariableFeatures <- function(object) rownames(object$counts)[1:20]
ScaleData <- function(object, features, verbose) object
CreateDimReducObject <- function(embeddings, loadings, key, assay) {
  stopifnot(ncol(loadings) == ncol(embeddings), identical(rownames(embeddings), cells))
  embeddings
}
split <- function(x, f) {
  message("batches ", paste(sort(unique(f)), collapse = " "))
  x
}
CCAIntegration <- 2
RPCAIntegration <- 3
IntegrateLayers <- function(
  object, method, orig.reduction, new.reduction, features, dims, k.weight
) {
  message(new.reduction, " genes ", length(features), " dims ", length(dims), " k ", k.weight)
  object[[new.reduction]] <- method * object[[orig.reduction]][rev(object$cells), dims]
  object
}
Embeddings <- function(object, reduction) object[[reduction]]
"""
ALL = packages(Seurat="5.2.1", hdf5r="1.3", Matrix="1.5")


def run_script(
    rscript: str, script: str, folder: Path, *, locale: str = "C"
) -> subprocess.CompletedProcess[str]:
    loaded = script.replace("library(Seurat)\n", "")
    (folder / "script.R").write_text(ALL + STAND_IN + loaded, "utf-8")
    return subprocess.run(
        [rscript, "--vanilla", "script.R"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"LC_ALL": locale, "PATH": "/usr/bin:/bin"},
    )


@pytest.fixture(scope="module")
def made(
    rscript: str, finished: RunResults, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder of a run's h5ad with the tables that the script wrote, and what it said."""
    found = subprocess.run(
        [rscript, "-e", 'find.package(c("hdf5r", "Matrix"))'], capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip("R has no hdf5r (Debian: r-cran-hdf5r)")
    folder = tmp_path_factory.mktemp("seurat")
    write_h5ad(finished, folder / "run.h5ad")
    done = run_script(rscript, integration_script(run_record(finished), h5ad="run.h5ad"), folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


def test_the_runs_genes_and_embedding_are_what_is_integrated(
    made: tuple[Path, str], finished: RunResults
) -> None:
    folder, said = made
    assert finished.obs is not None
    smallest = finished.obs["batch"].value_counts().min()
    k_weight = min(100, smallest)
    for name in ("cca", "rpca"):
        assert f"integrated.{name} genes 150 dims 10 k {k_weight}\n" in said
    assert "batches batch1 batch2\n" in said
    adata = sc.read_h5ad(folder / "run.h5ad")
    for name, factor in (("cca", 2), ("rpca", 3)):
        table = pd.read_csv(folder / f"run_{name}.csv", index_col="cell")
        assert table.index.tolist() == adata.obs_names.tolist()
        assert table.columns.tolist() == [f"integrated.{name}_{i + 1}" for i in range(10)]
        np.testing.assert_allclose(table, factor * adata.obsm["X_pca"], rtol=1e-6)


def test_the_tables_come_back_as_embeddings_that_another_tool_corrected(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = made
    study = Study.read(
        [folder / f"run{end}" for end in (".h5ad", "_cca.csv", "_rpca.csv")],
        batch="batch",
        label="true_type",
        home=tmp_path,
    )
    expected = sc.read_h5ad(folder / "run.h5ad").obsm["X_pca"]
    for name, factor in (("cca", 2), ("rpca", 3)):
        found = study.dataset.embedding(f"X_integrated.{name}")
        np.testing.assert_allclose(found, factor * expected, rtol=1e-6)
        assert study.dataset.info.facts(f"X_integrated.{name}").is_corrected
    assert study.prepare(basis="X_pca").diagnose("X_integrated.rpca").verdict.sentences


def test_a_batch_that_is_too_small_for_seurat_is_named(
    rscript: str, made: tuple[Path, str], finished: RunResults, tmp_path: Path
) -> None:
    adata = sc.read_h5ad(made[0] / "run.h5ad")
    names = np.where(np.arange(adata.n_obs) < 31, "é small", adata.obs["batch"].astype(str))
    adata.obs["batch"] = pd.Categorical(names)
    adata.write_h5ad(tmp_path / "run.h5ad")
    script = integration_script(run_record(finished), h5ad="run.h5ad")
    done = run_script(rscript, script, tmp_path, locale="C.UTF-8")
    assert done.returncode == 1
    assert "Seurat needs 32 cells of each batch here, and there are fewer of é small (31)" in (
        done.stderr
    )
    assert not list(tmp_path.glob("*.csv"))


def test_names_are_written_as_they_are_wherever_r_runs(
    rscript: str, made: tuple[Path, str], finished: RunResults, tmp_path: Path
) -> None:
    adata = sc.read_h5ad(made[0] / "run.h5ad")
    odd = ['a,"b"', "é 細胞 😀", " x ", "007"]
    adata.obs_names = [*odd, *adata.obs_names[4:]]
    adata.write_h5ad(tmp_path / "run.h5ad")
    script = integration_script(run_record(finished), h5ad="run.h5ad")
    assert run_script(rscript, script, tmp_path).returncode == 0
    table = pd.read_csv(tmp_path / "run_cca.csv", dtype={"cell": str}, index_col="cell")
    assert table.index.tolist() == adata.obs_names.tolist()
    Study.read([tmp_path / "run.h5ad", tmp_path / "run_cca.csv"], batch="batch", home=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.set_axis([f"other {i}" for i in range(len(t))]), "names none of the cells"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "names a cell more than once"),
        (lambda t: t.assign(**{"integrated.cca_2": "many"}), "'many' where a number is expected"),
    ],
)
def test_a_table_of_something_else_ends_in_a_sentence(
    made: tuple[Path, str], tmp_path: Path, change: Any, message: str
) -> None:
    table = pd.read_csv(made[0] / "run_cca.csv", index_col="cell")
    change(table).to_csv(tmp_path / "changed.csv")
    with pytest.raises(FileError, match=message):
        Study.read([made[0] / "run.h5ad", tmp_path / "changed.csv"], batch="batch", home=tmp_path)


def test_cells_that_the_table_lacks_are_left_out_and_said(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    table = pd.read_csv(made[0] / "run_cca.csv", index_col="cell")
    table.iloc[::2].to_csv(tmp_path / "half.csv")
    study = Study.read([made[0] / "run.h5ad", tmp_path / "half.csv"], batch="batch", home=tmp_path)
    left_out = len(table) // 2
    note = f"{left_out} of {len(table)} cells have no line in 'half.csv' and are left out."
    assert note in study.dataset.info.warnings
