"""What the R script checks and reads, in R, beside what scanpy reads; Seurat is not needed."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from harmony_core.export import write_h5ad
from harmony_core.export.record import run_record
from harmony_core.export.scripts.seurat import r_script
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.results import RunResults
from tests.export.test_seurat import HOSTILE, PLAIN, record

SETTINGS, CHECKS = "# Settings of the run\n", "# What must be there, before anything is computed\n"
READING, OBJECT = "# Reading the h5ad\n", "# The Seurat object"
N_CELLS = 7
SEURATS = ("seurat_clusters", "nCount_RNA", "pca")

READER = """
library(hdf5r)
library(Matrix)
for (folder in commandArgs(trailingOnly = TRUE)) {
  said <- character()
  found <- new.env()
  withCallingHandlers(
    sys.source(file.path(folder, "reading.R"), found),
    message = function(m) {
      said <<- c(said, conditionMessage(m))
      invokeRestart("muffleMessage")
    }
  )
  out <- H5File$new(file.path(folder, "read.h5"), mode = "w")
  keep <- function(name, value) if (length(value) > 0) out[[name]] <- value
  keep("said", said)
  keep("batch", found$batch)
  for (name in c("cells", "features", "in_h5ad", "variable")) keep(name, found[[name]])
  if (!is.null(found$expression)) {
    stopifnot(is(found$expression, "dgCMatrix"))
    stopifnot(identical(dimnames(found$expression), list(found$features, found$cells)))
    keep("expression", as.matrix(found$expression))
  }
  stopifnot(identical(rownames(found$columns), found$cells))
  keep("columns", names(found$columns))
  for (i in seq_along(found$columns)) {
    column <- found$columns[[i]]
    keep(paste0("class", i), class(column)[1])
    keep(paste0("missing", i), as.integer(is.na(column)))
    keep(paste0("column", i), if (is.numeric(column)) column else as.character(column))
    keep(paste0("levels", i), levels(column))
  }
  start <- found$read_start("PC_")
  stopifnot(identical(rownames(start), found$cells))
  keep("start", start)
  out$close_all()
}
"""


def section(script: str, start: str, end: str) -> str:
    first = script.index(start)
    return script[first : script.index(end, first)]


@dataclass(frozen=True)
class Read:
    """What R read of one file."""

    values: Mapping[str, Any]

    @property
    def said(self) -> str:
        return "".join(self.values["said"])

    def column(self, name: str) -> pd.Series:
        """A column of obs, None where R has NA."""
        i = list(self.values["columns"]).index(name) + 1
        values = pd.Series(list(self.values[f"column{i}"]), dtype=object)
        return values.mask(self.values[f"missing{i}"] == 1, None)

    def r_class(self, name: str) -> str:
        i = list(self.values["columns"]).index(name) + 1
        return str(self.values[f"class{i}"][0])

    def levels(self, name: str) -> list[str]:
        return list(self.values[f"levels{list(self.values['columns']).index(name) + 1}"])


def counts(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rng.poisson(1.0, (N_CELLS, 6)).astype(np.float32)


def table(cells: list[str] | None = None) -> pd.DataFrame:
    obs = pd.DataFrame(index=cells or [f"c{i}" for i in range(N_CELLS)])
    obs["donor"] = pd.Categorical(list("abababa"))
    return obs


def odd() -> ad.AnnData:
    """Names twice, empty and foreign; every kind of column; columns that Seurat writes itself."""
    rng = np.random.default_rng(0)
    obs = table(["c1", "c2", "c2", "é 😀", "", 'c"6', "c7"])
    obs["seurat_clusters"] = pd.Categorical(["one", *["two"] * 6])
    obs["nCount_RNA"], obs["pca"] = 5, "x"
    obs["missing"] = pd.Categorical(["é", None, "", "b", None, "é", "a"])
    obs["numbered"] = pd.Categorical([2.5, 1, 1, None, 2.5, 1, 1])
    obs["flag"] = np.arange(N_CELLS) % 2 == 0
    obs["maybe"] = pd.array([True, None, False, True, None, False, True], dtype="boolean")
    obs["whole"] = pd.array([1, None, 3, 4, 5, 6, 2**40], dtype="Int64")
    obs["wide"] = np.arange(N_CELLS) * 2**33
    obs["real"] = np.array([1.5, np.nan, 2, 3, 4, 5, np.inf], dtype=np.float32)
    obs["half"] = np.arange(N_CELLS, dtype=np.float16)
    obs["text"] = ["a", "", "é 😀", 'a"b', "x\ny", "_|", "NA"]
    obs["unknown"] = pd.array(["a", None, "b", "c", "NA", "", "é"], dtype="string")
    obs[HOSTILE] = 1
    var = pd.DataFrame(index=["A_B", "A-B", "A|B", "", "A_B", "E1"])
    var["symbol"] = ["MT-ND1", "mt-Co1", "MTOR", "CD3D", "MT-X", "CD8A"]
    var["highly_variable"] = [True, False, True, True, False, False]
    adata = ad.AnnData(sp.csr_matrix(counts(rng)), obs=obs, var=var)
    adata.obsm["X_pca"] = rng.normal(size=(N_CELLS, 3)).astype(np.float32)
    return adata


def by_gene() -> ad.AnnData:
    rng = np.random.default_rng(1)
    adata = ad.AnnData(obs=table(), var=pd.DataFrame(index=[f"g{i}" for i in range(6)]))
    adata.layers["my counts"] = sp.csc_matrix(counts(rng))
    adata.obsm["X_pca"] = rng.normal(size=(N_CELLS, 2))
    return adata


def whole_numbers() -> ad.AnnData:
    rng = np.random.default_rng(2)
    adata = ad.AnnData(counts(rng).astype(np.int32), obs=table())
    adata.var["highly_variable"] = True
    adata.obsm["X_pca"] = rng.normal(size=(N_CELLS, 2))
    return adata


def logs_in_raw() -> ad.AnnData:
    rng = np.random.default_rng(3)
    adata = ad.AnnData(np.log1p(counts(rng)), obs=table())
    adata.raw = adata
    adata = adata[:, 1:4].copy()
    adata.obsm["X_pca"] = rng.normal(size=(N_CELLS, 2))
    return adata


def embedding() -> ad.AnnData:
    rng = np.random.default_rng(4)
    adata = ad.AnnData(obs=table())
    adata.obsm["X_mine"] = pd.DataFrame(
        rng.normal(size=(N_CELLS, 5)), index=adata.obs_names, columns=list("edcba")
    )
    return adata


SEURAT_NAMED = replace(PLAIN, harmony=HarmonyParams(batch=("seurat_clusters",)))
MINE = RunParams(
    harmony=HarmonyParams(batch=("donor",)),
    prepare=PrepareParams(basis="X_mine", skip_dims=1, use_dims=4),
)
FILES = {
    "odd": (
        odd,
        record(SEURAT_NAMED, symbol_column="symbol", prepared={"variable_genes": 3}),
    ),
    "by gene": (by_gene, record(PLAIN, where="layers/my counts")),
    "whole numbers": (whole_numbers, record(PLAIN, prepared={"variable_genes": 4})),
    "logs in raw": (logs_in_raw, record(PLAIN, where="raw", kind="log")),
    "embedding": (embedding, record(MINE, where="", kind="none")),
}


@pytest.fixture(scope="module")
def folders(
    rscript: str, finished: RunResults, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Each file with what R read of it; one process of R reads them all."""
    has = [rscript, "--vanilla", "-e", "invisible(find.package(c('hdf5r', 'Matrix')))"]
    if subprocess.run(has, capture_output=True, check=False).returncode != 0:
        pytest.skip("R has no hdf5r or no Matrix (Debian: r-cran-hdf5r, r-cran-matrix)")
    made = {}
    for name in (*FILES, "a run"):
        made[name] = folder = tmp_path_factory.mktemp("r")
        path = folder / "data.h5ad"
        if name == "a run":
            write_h5ad(finished, path)
            about = run_record(finished)
        else:
            make, about = FILES[name]
            with (
                warnings.catch_warnings(),
                ad.settings.override(allow_write_nullable_strings=True),
            ):
                warnings.simplefilter("ignore")  # names that are not unique
                make().write_h5ad(path, convert_strings_to_categoricals=False)
        script = r_script(about, h5ad=str(path))
        end = OBJECT if about["where"] else "# The Seurat object; the data have no expression"
        text = section(script, SETTINGS, CHECKS) + section(script, READING, end)
        (folder / "reading.R").write_text(text)
    reader = tmp_path_factory.mktemp("reader") / "reader.R"
    reader.write_text(READER)
    command = [rscript, "--vanilla", str(reader), *map(str, made.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


def read(folders: dict[str, Path], name: str) -> tuple[Read, ad.AnnData]:
    """What R read of a file, and what scanpy reads."""
    with h5py.File(folders[name] / "read.h5") as file:
        values = {
            key: item.asstr("utf-8")[:] if item.dtype.kind in "OS" else item[:]
            for key, item in file.items()
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that are not unique
        return Read(values), sc.read_h5ad(folders[name] / "data.h5ad")


def dense(matrix: Any) -> npt.NDArray[Any]:
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix)


@pytest.mark.parametrize("name", ["odd", "by gene", "whole numbers", "logs in raw", "a run"])
def test_matrices_are_those_that_scanpy_reads(folders: dict[str, Path], name: str) -> None:
    ours, adata = read(folders, name)
    matrix = {"by gene": adata.layers.get("my counts"), "logs in raw": adata.raw and adata.raw.X}
    expected = dense(matrix.get(name, adata.X))
    assert expected.any()
    np.testing.assert_array_equal(ours.values["expression"], expected)
    genes = adata.raw.var_names if name == "logs in raw" else adata.var_names
    assert list(ours.values["in_h5ad"]) == [gene or "unnamed" for gene in genes]


def test_odd_names_are_told_apart_and_said(folders: dict[str, Path]) -> None:
    ours, _ = read(folders, "odd")
    assert list(ours.values["cells"]) == ["c1", "c2", "c2.1", "é 😀", "unnamed", 'c"6', "c7"]
    assert "Some cells have the same name" in ours.said
    features = ["A-B", "A-B.1", "A-B.2", "unnamed", "A-B.3", "E1"]
    assert list(ours.values["features"]) == features
    assert "4 names are changed" in ours.said
    plain, _ = read(folders, "by gene")
    assert "names are changed" not in plain.said
    assert "same name" not in plain.said


def test_columns_are_those_that_scanpy_reads(folders: dict[str, Path]) -> None:
    ours, adata = read(folders, "odd")
    assert len(ours.values["columns"]) == adata.obs.shape[1] + 1  # and percent.mt
    for name in adata.obs:
        here = f"{name}_h5ad" if name in SEURATS else name
        found, expected = ours.column(here), adata.obs[name].reset_index(drop=True)
        assert found.isna().tolist() == expected.isna().tolist(), name
        is_there = expected.notna()
        if pd.api.types.is_bool_dtype(expected):
            assert found[is_there].tolist() == [str(v).upper() for v in expected[is_there]]
        elif pd.api.types.is_numeric_dtype(expected):
            np.testing.assert_array_equal(
                found[is_there].astype(float), expected[is_there].astype(float)
            )
        elif name == "numbered":
            assert found[is_there].astype(float).tolist() == expected[is_there].tolist()
        else:
            assert found[is_there].tolist() == expected[is_there].tolist(), name
    assert ours.r_class("missing") == "factor"
    assert ours.levels("missing") == adata.obs["missing"].cat.categories.tolist()
    assert ours.r_class("flag") == "logical"


def test_columns_that_seurat_writes_give_way(folders: dict[str, Path]) -> None:
    ours, _ = read(folders, "odd")
    assert list(ours.values["batch"]) == ["seurat_clusters_h5ad"]
    assert ours.column("seurat_clusters_h5ad").value_counts()["one"] == 1
    for name in SEURATS:
        assert name not in ours.values["columns"]
        assert f"The column {name} is {name}_h5ad here" in ours.said


def test_mitochondrial_counts_are_those_of_scanpy(folders: dict[str, Path]) -> None:
    ours, adata = read(folders, "odd")
    adata.var["mt"] = adata.var["symbol"].str.upper().str.startswith("MT-")
    assert adata.var["mt"].tolist() == [True, True, False, False, True, False]
    expected, _ = sc.pp.calculate_qc_metrics(adata, qc_vars=["mt"], percent_top=None)
    np.testing.assert_allclose(
        ours.column("percent.mt").astype(float), expected["pct_counts_mt"], rtol=1e-6
    )
    logs, _ = read(folders, "logs in raw")
    assert "percent.mt" not in logs.values["columns"]


def test_the_genes_of_the_run_are_taken_and_no_others(folders: dict[str, Path]) -> None:
    for name, n_genes in (("odd", 3), ("a run", 150)):
        ours, adata = read(folders, name)
        expected = np.flatnonzero(adata.var["highly_variable"]) + 1
        assert len(expected) == n_genes
        assert list(ours.values["variable"]) == list(expected)
    for name in ("by gene", "whole numbers"):  # none are marked; others than the run's are
        assert "variable" not in read(folders, name)[0].values


def test_embeddings_are_arrays_or_tables(folders: dict[str, Path]) -> None:
    for name in ("odd", "a run"):
        ours, adata = read(folders, name)
        np.testing.assert_array_equal(ours.values["start"].T, adata.obsm["X_pca"])
    ours, adata = read(folders, "embedding")
    np.testing.assert_array_equal(ours.values["start"].T, adata.obsm["X_mine"].to_numpy()[:, 1:4])


def test_results_of_the_run_come_along(folders: dict[str, Path], finished: RunResults) -> None:
    ours, adata = read(folders, "a run")
    clusters = finished.clusters("before", 0.8)
    assert clusters is not None
    assert ours.column("leiden_uncorrected_0.8").astype(int).tolist() == clusters.tolist()
    assert {"leiden", "leiden_0.3", "true_type", "harmony_mixing"} <= set(ours.values["columns"])
    assert set(adata.obs) < set(ours.values["columns"])


# What is checked before anything is computed


def run_r(
    rscript: str, code: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run code as a file named with a blank, in another folder than its own."""
    script = folder / "the script.R"
    script.write_text(code)
    (folder / "elsewhere").mkdir(exist_ok=True)
    command = [rscript, "--vanilla", str(script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder / "elsewhere"
    )


def packages(**versions: str) -> str:
    """R code after which just these packages seem to be installed."""
    named = ", ".join(f'{name} = "{version}"' for name, version in versions.items())
    return (
        f"versions <- c({named})\n"
        "find.package <- function(package, ...) names(versions)[names(versions) == package]\n"
        "packageVersion <- function(package) package_version(versions[[package]])\n"
    )


ALL = packages(
    Seurat="5.2.1", harmony="2.0.4", leidenbase="0.1", hdf5r="1.3", Matrix="1.5", ggplot2="3.4"
)


def test_all_that_is_missing_is_said_together(rscript: str, tmp_path: Path) -> None:
    script = r_script(record(PLAIN), h5ad="nowhere.h5ad")
    script = script.replace('start <- "counts"', 'start <- "pcs"')
    older = packages(Seurat="5.1.9", harmony="1.2.0", Matrix="1.5", ggplot2="3.4")
    done = run_r(rscript, older + script, tmp_path)
    assert done.returncode == 1
    for sentence in (
        "The package Seurat is version 5.1.9, and 5.2 or newer is needed. "
        'This installs it: install.packages("Seurat")',
        "The package harmony is version 1.2.0, and 2.0 or newer is needed. "
        'This installs it: install.packages("harmony")',
        'The package leidenbase is not installed. This installs it: install.packages("leidenbase")',
        'The package hdf5r is not installed. This installs it: install.packages("hdf5r")',
        "There is no file nowhere.h5ad. Name it: Rscript SCRIPT.R FILE.h5ad",
        "start is pcs; it must be one of counts, pca, corrected.",
    ):
        assert sentence in done.stderr
    for package in ("Matrix", "ggplot2"):
        assert f"The package {package}" not in done.stderr
    assert "Calls:" not in done.stderr


def test_the_file_is_found_beside_the_script_or_named(rscript: str, tmp_path: Path) -> None:
    script = r_script(record(PLAIN), h5ad="our data.h5ad")
    code = ALL + section(script, SETTINGS, "library(Seurat)") + 'cat("found", h5ad)\n'
    (tmp_path / "our data.h5ad").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other.h5ad").touch()
    assert run_r(rscript, code, tmp_path).stdout == f"found {tmp_path / 'our data.h5ad'}"
    assert run_r(rscript, code, tmp_path, "other.h5ad").stdout == "found other.h5ad"
    done = run_r(rscript, code, tmp_path, "no such.h5ad")
    assert done.returncode == 1
    assert "There is no file no such.h5ad." in done.stderr


def test_several_variables_get_the_theta_that_r_needs(rscript: str, tmp_path: Path) -> None:
    two = record(RunParams(harmony=HarmonyParams(batch=("x", "y"), theta=(1, 3))))
    three = record(RunParams(harmony=HarmonyParams(batch=("x", "y", "z"), theta=(1, 1, 2))))
    code = ""
    for about, columns in (
        (two, "x = c('a', 'b', 'a'), y = c('B', 'A', 'B')"),  # one division of the cells
        (two, "x = c('a', 'b', 'a'), y = c('B', 'A', 'A')"),
        (two, "x = c('a', 'b', 'a'), y = c('B', 'A', 'C')"),
        (three, "x = c('a', 'b', 'a'), y = c('B', 'A', 'B'), z = c('u', 'v', 'u')"),
        (three, "x = c('a', 'b', 'a'), y = c('B', 'A', 'B'), z = c('u', 'v', 'v')"),
    ):
        script = r_script(about)
        code += section(script, SETTINGS, CHECKS) + f"columns <- data.frame({columns})\n"
        code += section(script, "n_levels <-", 'if (start == "corrected")')
        code += 'cat(theta_in_r, "\\n")\n'
    lines = run_r(rscript, code, tmp_path).stdout.splitlines()
    found = [[float(theta) for theta in line.split()] for line in lines]
    assert found == [[4, 4], [2, 6], [2, 6], [4, 4, 4], [3, 3, 6]]
