"""What is said about data before anything runs, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from harmony_core.errors import BatchError, DataError
from harmony_core.inspect.check import (
    ValueKind,
    batch_column,
    check,
    check_batch,
    check_embedding,
    check_matrix,
    expression,
)
from harmony_core.inspect.columns import warn_about_levels

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
N = 120


def made(n: int = N, **columns: object) -> ad.AnnData:
    """Counts of 30 genes, alternating batches a and b."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"batch": pd.Categorical(np.resize(["a", "b"], n)), **columns},
        index=[f"c{i}" for i in range(n)],
    )
    var = pd.DataFrame(index=[f"G{i}" for i in range(30)])
    return ad.AnnData(sp.csr_matrix(rng.poisson(1.0, (n, 30)).astype(np.float32)), obs, var)


def repeat(*values: object) -> pd.Series:
    return pd.Series(np.resize(np.array(values, dtype=object), N))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (repeat("a"), r"'x' cannot be the batch variable: it has one level only, 'a'"),
        (repeat("a", "b", None), r"40 of 120 cells have no value in it; fill in"),
        (pd.Series([None, *["a", "b"] * 59, "a"]), r"1 of 120 cells has no value in it"),
        (repeat("a", "b", "nan", "b"), r"30 of 120 cells have no value in it"),
        (repeat("a", "b", " ", "b"), r"30 of 120 cells have no value in it"),
        (repeat(None), r"it is empty; choose another column"),
        (pd.Series([f"c{i}" for i in range(N)]), r"120 levels for 120 cells, like a name for each"),
        (pd.Series([f"c{i // 2}" for i in range(N)]), r"60 levels for 120 cells"),
        (pd.Series(np.linspace(0, 1, N)), r"numbers that look measured \(0 to 1, 120 different\)"),
        (pd.Series(np.resize(np.linspace(0, 1, 20), N)), r"look measured .*20 different"),
        (pd.Series(np.linspace(0, 1, N)).astype(str), r"numbers that look measured"),
        (pd.Series(np.resize(np.linspace(0, 1, 20), N)).astype("category"), r"look measured"),
        (pd.Series(np.arange(N) * 7), r"look measured \(0 to 833, 120 different\)"),
    ],
)
def test_unsuitable_batch(values: pd.Series, sentence: str) -> None:
    with pytest.raises(BatchError, match=sentence) as raised:
        check_batch(values, "x", N)
    assert str(raised.value).count("\n") == 0


@pytest.mark.parametrize(
    "values",
    [
        repeat("a", "b"),
        repeat(1, 2, 3).astype(int),
        repeat(0.5, 1.5).astype(float),
        repeat(True, False).astype(bool),
        repeat("None", "drug"),
        repeat("a", "b").astype("category").cat.add_categories(["unused"]),
        pd.Series(np.resize(["1", "2"], N), dtype="string"),
        pd.Series(np.resize(np.arange(24), N)),
    ],
)
def test_suitable_batch(values: pd.Series) -> None:
    check_batch(values, "x", N)


def test_hundreds_of_numbered_donors_are_batches_when_they_are_categories() -> None:
    donors = pd.Series(np.resize(np.arange(981), 9810))
    check_batch(donors.astype("category"), "donor", 9810)
    check_batch(donors.astype(str), "donor", 9810)
    with pytest.raises(BatchError, match="look measured"):
        check_batch(donors, "n_genes", 9810)


def test_too_many_levels() -> None:
    values = pd.Series(np.resize([f"w{i}" for i in range(2_100)], 21_000))
    with pytest.raises(BatchError, match=r"2,100 levels, more than the 2,000"):
        check_batch(values, "well", 21_000)


def test_a_hundred_thousand_categories() -> None:
    values = pd.Series(pd.Categorical.from_codes(np.arange(100_000), categories=range(100_000)))
    with pytest.raises(BatchError, match="like a name for each cell"):
        check_batch(values, "well", 100_000)


def test_missing_column_lists_what_is_there() -> None:
    obs = pd.DataFrame({f"column {i}": ["a"] * N for i in range(20)})
    with pytest.raises(BatchError, match=r"no column 'bach'; available: 'column 0', .* 8 more"):
        batch_column(obs, "bach")
    with pytest.raises(BatchError, match=r"no columns besides the values.* a table of metadata"):
        batch_column(obs[[]], "bach")


def test_repeated_column() -> None:
    obs = pd.DataFrame([["a", "b"]] * N, columns=["x", "x"])
    with pytest.raises(BatchError, match="several columns 'x'"):
        batch_column(obs, "x")


def test_batch_column_is_text_and_without_unused_levels() -> None:
    obs = pd.DataFrame({"x": pd.Categorical(np.resize([1, 2], N), categories=[1, 2, 3])})
    assert list(batch_column(obs, "x").cat.categories) == ["1", "2"]


def test_long_and_odd_names_stay_on_one_readable_line() -> None:
    name = "<script>\n" + "x" * 500
    with pytest.raises(BatchError) as raised:
        batch_column(pd.DataFrame({name: ["a"] * N}), name)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 250


def test_too_few_cells() -> None:
    with pytest.raises(DataError, match=r"The data have 39 cells; at least 40 are needed"):
        check(made(39))
    with pytest.raises(DataError, match="at least 40"):
        check_batch(pd.Series(["a", "b"] * 5), "x", 10)


def test_neither_expression_nor_embedding() -> None:
    adata = ad.AnnData(obs=made().obs)
    with pytest.raises(DataError, match="neither expression values nor an embedding"):
        check(adata)
    adata.obsm["X_umap"] = np.zeros((N, 2))
    with pytest.raises(DataError, match="neither expression values nor an embedding"):
        check(adata)
    zeros = made()
    zeros.X = zeros.X * 0
    with pytest.raises(DataError, match="neither expression values nor an embedding"):
        check(zeros)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_embedding_that_is_not_finite(bad: float) -> None:
    adata = made()
    adata.obsm["X_pca"] = np.ones((N, 5))
    adata.obsm["X_pca"][3:6, 2] = bad
    (found,) = check(adata).embeddings
    assert (found.name, found.n_dims, found.n_bad) == ("X_pca", 5, 3)
    assert any(
        "'X_pca' has missing or infinite values in 3 cells" in w for w in check(adata).warnings
    )
    with pytest.raises(
        DataError, match=r"'X_pca' has missing or infinite values in 3 of 120 cells"
    ):
        check_embedding(adata.obsm["X_pca"], "X_pca")


def test_embedding_with_marks_of_missing_values() -> None:
    marked = np.ones((N, 5), dtype=np.float32)
    marked[7:9, 1] = -1e30
    with pytest.raises(DataError, match=r"beyond 1e\+15 in 2 of 120 cells"):
        check_embedding(marked, "X_pca")


def test_matrix_that_is_not_finite() -> None:
    adata = made()
    adata.X.data[:7] = np.nan
    with pytest.raises(DataError, match="7 missing or infinite values"):
        check_matrix(adata.X, adata.obs, "batch")


def test_counts_are_found_wherever_they_are() -> None:
    counts = made()
    logged = counts.X.copy()
    logged.data = np.log1p(logged.data / 3.7)
    in_layer = counts.copy()
    in_layer.X, in_layer.layers["counts"] = logged.copy(), counts.X.copy()
    in_raw = counts.copy()
    in_raw.raw = in_raw
    in_raw = in_raw[:, :20].copy()
    in_raw.X = logged[:, :20].copy()
    for adata, where in ((counts, "X"), (in_layer, "layers/counts"), (in_raw, "raw")):
        report = check(adata)
        assert report.counts is not None
        assert report.counts.where == where
        matrix, var = expression(adata, where)
        assert (matrix != counts.X).nnz == 0
        assert report.n_genes == len(var) == 30


def test_without_counts_log_values_come_before_scaled_ones() -> None:
    adata = made()
    logged = adata.X.copy()
    logged.data = np.log1p(logged.data / 3.7)
    adata.X = logged
    adata.raw = adata
    dense = logged.toarray()
    adata.X = (dense - dense.mean(axis=0)) / dense.std(axis=0)
    report = check(adata)
    assert report.counts is None
    assert report.expression is not None
    assert (report.expression.where, report.expression.kind) == ("raw", ValueKind.LOG)
    assert any("neither is done again" in w for w in report.warnings)


def test_batches_of_different_kinds() -> None:
    adata = made()
    dense = adata.X.toarray()
    logged = adata.obs["batch"] == "b"
    dense[logged] = np.log1p(dense[logged] / 3.7)
    adata.X = sp.csr_matrix(dense)
    report = check(adata)
    assert report.expression is not None
    assert report.expression.kinds_by_column["batch"] == {"a": ValueKind.COUNTS, "b": ValueKind.LOG}
    assert any("'batch' hold different kinds of values" in w for w in report.warnings)
    with pytest.raises(BatchError, match="counts in a; log-transformed values in b"):
        check_matrix(adata.X, adata.obs, "batch")


def test_mixture_across_the_batches_is_laid_to_the_column_that_tells() -> None:
    adata = made(study=np.repeat(["s1", "s2", "s3", "s4"], N // 4))
    dense = adata.X.toarray()
    dense[30:60] = np.log1p(dense[30:60] / 3.7)
    adata.X = sp.csr_matrix(dense)
    told = "'study' hold different kinds of values: counts in s1, s3, s4; log-transformed values"
    with pytest.raises(BatchError, match=f"{told} in s2"):
        check_matrix(adata.X, adata.obs, "batch")
    about = [w for w in check(adata).warnings if "kinds of values" in w]
    assert len(about) == 1
    assert told in about[0]
    with pytest.raises(BatchError, match=r"Within batches of 'batch' \(a, b\) some cells hold"):
        check_matrix(adata.X, adata.obs[["batch"]], "batch")


def test_batches_without_a_gene_in_common() -> None:
    genes = [f"GRCh38_G{i}" for i in range(30)] + [f"mm10_G{i}" for i in range(30)]
    one, two = made().X.toarray(), made().X.toarray()
    in_b = (made().obs["batch"] == "b").to_numpy()[:, None]
    adata = ad.AnnData(np.hstack([one * ~in_b, two * in_b]), made().obs, pd.DataFrame(index=genes))
    told = "'a' and 'b' of 'batch' hardly have genes in common (0 of 30), so nothing can bring"
    assert any(told in w for w in check(adata).warnings)
    assert not any("genes in common" in w for w in check(made()).warnings)


@pytest.mark.parametrize("scale", ["log1p of 10,000", "log2 of a million", "a million"])
def test_batches_on_different_scales(scale: str) -> None:
    adata = made(study=np.repeat(["s1", "s2", "s3", "s4"], N // 4))
    counts = adata.X.toarray()
    share = counts / counts.sum(axis=1, keepdims=True)
    values = share * 1e4 if scale == "a million" else np.log1p(share * 1e4)
    adata.X = values.astype(np.float32)
    assert not any("another scale" in w for w in check(adata).warnings)
    others = {"log2 of a million": np.log2(1 + share * 1e6), "a million": share * 1e6}
    values[30:60] = others.get(scale, values)[30:60]
    adata.X = values.astype(np.float32)
    told = [w for w in check(adata).warnings if "another scale" in w]
    assert [w[:45] for w in told] == ["The values of 's2' in 'study' are on another "] * (
        scale in others
    )


def test_names_of_genes() -> None:
    adata = made()
    adata.var_names = [f"ENSG{i:011d}.3" for i in range(30)]
    assert any("Ensembl ids and no column has their symbols" in w for w in check(adata).warnings)
    adata.var["Gene Symbol"] = ["MT-CO1", None, *(f"G{i}" for i in range(28))]
    report = check(adata)
    assert (report.symbol_column, report.n_mito) == ("Gene Symbol", 1)
    assert not any("Ensembl" in w or "repeat" in w for w in report.warnings)


def test_table_on_its_side() -> None:
    adata = made()
    adata.obs_names = [f"RPL{i}" for i in range(N)]
    assert any("lies on its side; transpose it" in w for w in check(adata).warnings)
    assert not any("transpose" in w for w in check(made()).warnings)
    barcodes = ["".join("ACGT"[i // 4**k % 4] for k in range(8)) + "-1" for i in range(N)]
    adata = made()
    adata.var_names = barcodes[: adata.n_vars]
    assert any("have barcodes for names and the cells don't" in w for w in check(adata).warnings)
    adata.obs_names = barcodes
    assert not any("transpose" in w for w in check(adata).warnings)


@pytest.mark.parametrize(
    ("parts", "because"),
    [
        ({"X": np.zeros((N, 5), dtype=np.float32)}, "X holds nothing but zeros"),
        ({"X": np.full((N, 5), np.nan)}, "X holds nothing but missing, infinite or zero values"),
        (
            {"X": np.sqrt(made().X)},
            "X holds square roots of counts or of normalised values; square them, or give counts "
            "or log-normalised values",
        ),
        ({"X": np.ones((N, 1), dtype=np.float32)}, "X has a single gene"),
        ({"obsm": {"X_umap": np.ones((N, 2))}}, "'X_umap' is a picture rather than measurements"),
        (
            {"obsm": {"X_pca": np.where(np.eye(N, 5), np.nan, 1.0)}},
            r"'X_pca' has missing or infinite values \(cells: 5; remove these\)",
        ),
        (
            {"obsm": {"X_pca": np.where(np.arange(5) == 3, np.nan, np.ones((N, 5)))}},
            r"'X_pca' has missing or infinite values in every cell \(remove the dimensions with "
            r"them\)",
        ),
    ],
)
def test_nothing_to_correct(parts: dict[str, object], because: str) -> None:
    with pytest.raises(DataError, match=f"nor an embedding to correct \\({because}\\); give one"):
        check(ad.AnnData(obs=made().obs, **parts))


def test_roots_are_left_for_counts_and_for_an_embedding() -> None:
    adata = made()
    adata.layers["counts"] = adata.X
    adata.X = np.sqrt(adata.X)
    report = check(adata)
    assert report.counts is not None
    assert report.counts.where == "layers/counts"
    assert not any("square" in w for w in report.warnings)
    del adata.layers["counts"]
    adata.obsm["X_pca"] = np.random.default_rng(1).normal(size=(N, 5))
    report = check(adata)
    assert report.expression is None
    assert any(w.startswith("X holds square roots of counts or") for w in report.warnings)


def test_a_count_below_zero_is_said_as_it_is() -> None:
    adata = made()
    adata.X = adata.X.toarray()
    adata.X[1, 3] = -1
    told = "Batches of 'batch' (b) hold counts below zero, which no count is"
    assert [w[: len(told)] for w in check(adata).warnings if "below zero" in w] == [told]
    with pytest.raises(BatchError, match="set them to zero"):
        check_matrix(sp.csr_matrix(adata.X), adata.obs, "batch")
    adata.X[0, 3] = -1
    (said,) = (w for w in check(adata).warnings if "below zero" in w)
    assert said.startswith("Some counts are below zero")


def test_a_dimension_without_values_is_blamed_rather_than_its_cells() -> None:
    embedding = np.random.default_rng(1).normal(size=(N, 5))
    embedding[:, 2], embedding[4, 1] = np.nan, np.inf
    said = r"in every cell in 1 of 5 dimensions; remove these dimensions, or choose another"
    with pytest.raises(DataError, match=said):
        check_embedding(embedding, "X_pca")


def test_empty_cells_genes_and_repeated_names_are_counted() -> None:
    adata = made()
    dense = adata.X.toarray()
    dense[:3] = 0
    dense[:, :2] = 0
    adata.X = sp.csr_matrix(dense)
    # A stored zero is a zero.
    adata.X.data[0] = 0
    adata.obs_names = ["same", *adata.obs_names[1:-1], "same"]
    adata.var_names = ["GENE", "GENE", *adata.var_names[2:]]
    said = " ".join(check(adata).warnings)
    assert "3 cells have no counts at all" in said
    assert "2 genes have no counts in any cell" in said
    assert "1 cell name repeats another" in said
    assert "1 gene name repeats another" in said


def test_candidates_are_ranked_with_reasons() -> None:
    rng = np.random.default_rng(1)
    adata = made(
        cell_type=np.resize(["T", "B", "NK"], N),
        donor=np.resize(["d1", "d2", "d3", "d4"], N),
        stim=np.resize(["ctrl", "stim"], N),
        barcode=[f"x{i}" for i in range(N)],
        n_counts=rng.normal(1000, 10, N),
        rare=["x"] * 5 + ["y"] * 115,
    )
    adata.obsm["X_pca"] = (
        rng.normal(size=(N, 5)) + 20 * (adata.obs["donor"] == "d1").to_numpy()[:, None]
    )
    report = check(adata)
    names = [c.name for c in report.batch_candidates]
    assert names[:2] == ["batch", "donor"]
    assert names[-1] == "cell_type"
    assert not {"barcode", "n_counts"} & set(names)
    by_name = {c.name: c for c in report.batch_candidates}
    assert by_name["stim"].is_condition
    assert "1 of them under 20 cells" in by_name["rare"].reasons
    explained = by_name["donor"].explained
    assert explained is not None
    assert explained > 0.9
    assert report.label_candidates == ("cell_type",)
    assert any("'batch', 'stim' divide the cells in the same way" in w for w in report.warnings)


def test_variance_explained_is_that_of_a_linear_model() -> None:
    from sklearn.linear_model import LinearRegression

    from harmony_core.inspect.candidates import variance_explained

    rng = np.random.default_rng(2)
    batch = pd.Series(rng.choice(list("abc"), 200))
    x = rng.normal(size=(200, 15)) + pd.get_dummies(batch).to_numpy(float) @ rng.normal(
        size=(3, 15)
    )
    design = pd.get_dummies(batch).to_numpy(float)
    model = LinearRegression().fit(design, x[:, :10])
    total = ((x[:, :10] - x[:, :10].mean(axis=0)) ** 2).sum(axis=0)
    residual = ((x[:, :10] - model.predict(design)) ** 2).sum(axis=0)
    assert variance_explained(x, batch) == pytest.approx(1 - residual.sum() / total.sum())


def test_genes_symbols_and_organism() -> None:
    adata = made()
    human = ["ACTB", "GAPDH", "B2M", "MT-CO1", "MT-ND1"]
    adata.var["feature_name"] = human + [f"S{i}" for i in range(25)]
    adata.var_names = [f"ENSG{i:011d}" for i in range(30)]
    report = check(adata)
    assert (report.organism, report.n_mito, report.symbol_column) == ("human", 2, "feature_name")
    mouse = made()
    mouse.var_names = ["Actb", "Gapdh", "B2m", "mt-Co1", *mouse.var_names[4:]]
    report = check(mouse)
    assert (report.organism, report.n_mito, report.symbol_column) == ("mouse", 1, None)
    assert check(made()).organism is None


def test_embeddings_that_need_a_word() -> None:
    rng = np.random.default_rng(3)
    adata = made()
    depth = np.asarray(adata.X.sum(axis=1)).ravel()
    adata.obsm["X_lsi"] = rng.normal(size=(N, 5))
    adata.obsm["X_lsi"][:, 0] = -np.log1p(depth) + 0.01 * rng.normal(size=N)
    adata.obsm["X_pca"] = rng.normal(size=(N, 5))
    adata.obsm["X_scVI"] = rng.normal(size=(N, 5))
    adata.obsm["kept aside"] = sp.csr_matrix(np.ones((N, 4)))
    adata.obsm["X_umap"] = rng.normal(size=(N, 2))
    report = check(adata)
    by_name = {e.name: e for e in report.embeddings}
    assert set(by_name) == {"X_lsi", "X_pca", "X_scVI", "X_umap"}
    expected = np.corrcoef(adata.obsm["X_lsi"][:, 0], np.log1p(depth))[0, 1]
    assert by_name["X_lsi"].depth_correlation == pytest.approx(expected)
    assert by_name["X_lsi"].follows_depth
    assert not by_name["X_pca"].follows_depth
    assert by_name["X_scVI"].is_corrected
    assert by_name["X_umap"].is_layout
    said = " ".join(report.warnings)
    assert "first dimension of 'X_lsi' follows the counts per cell (correlation -" in said
    assert "'X_scVI' seems to be corrected already" in said
    no_counts = ad.AnnData(obs=pd.DataFrame({"nCount_ATAC": depth}, adata.obs_names))
    no_counts.obsm["X_lsi"] = adata.obsm["X_lsi"]
    assert check(no_counts).embeddings[0].follows_depth


def test_report_as_json() -> None:
    adata = made()
    adata.obsm["X_pca"] = np.ones((N, 3))
    values = json.loads(json.dumps(check(adata).to_dict()))
    assert values["matrices"] == {"X": "counts"}
    assert values["batch_candidates"][0]["sizes"] == {"a": 60, "b": 60}
    assert values["embeddings"][0]["n_dims"] == 3


def test_text_is_no_expression() -> None:
    adata = made()
    adata.layers["words"] = np.full(adata.shape, "word")
    assert [m.where for m in check(adata).matrices] == ["X"]


def test_samples() -> None:
    kang = check(ad.read_h5ad(ROOT / "sample_data" / "kang" / "kang_pbmc.h5ad"))
    assert kang.batch_candidates[0].name == "condition"
    assert kang.batch_candidates[0].is_condition
    assert kang.batch_candidates[0].sizes == {"control": 2000, "stimulated": 2000}
    assert kang.label_candidates == ("marker_based_type",)
    assert kang.organism == "human"
    assert kang.counts is not None
    sibling = check(ad.read_h5ad(ROOT / "sample_data" / "sibling" / "two_batches_sibling.h5ad"))
    assert sibling.batch_candidates[0].name == "batch"
    assert sibling.label_candidates == ("true_type",)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_data() -> None:
    lines = check(ad.read_h5ad(SHARED / "cell_lines.h5ad"))
    assert lines.expression is None
    assert lines.batch_candidates[0].name == "dataset"
    assert lines.label_candidates == ("cell_type",)
    stim = check(ad.read_h5ad(SHARED / "pbmc_stim.h5ad"))
    assert stim.counts is not None
    assert {"stim", "donor"} <= {c.name for c in stim.batch_candidates}


def test_page_process_loads_nothing_heavy() -> None:
    code = (
        "import sys, harmony_core.inspect.check, harmony_core.inspect.columns\n"
        "heavy = ('anndata', 'scanpy', 'sklearn', 'numba', 'h5py', 'harmonypy', 'umap')\n"
        "sys.exit(', '.join(m for m in heavy if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_levels_that_differ_in_blanks_or_capitals_are_pointed_out() -> None:
    obs = pd.DataFrame({"donor": ["D1", "d1 ", "D2", "D2"], "day": ["0", "1", "2", "10"]})
    (found,) = warn_about_levels(obs, ["donor", "day"])
    assert found.startswith(
        "Levels of 'donor' differ only in blanks, capital letters or how accents are stored "
        "('D1' and 'd1 ') and count"
    )
    assert list(warn_about_levels(pd.DataFrame({"donor": ["\u00e9", "e\u0301"]}), ["donor"]))


@pytest.mark.parametrize("name", ["batch", "cell_type"])
def test_spellings_of_batches_and_labels_are_among_the_warnings(name: str) -> None:
    obs = pd.DataFrame({name: np.resize(["a", "A", "b"], 90)})
    adata = ad.AnnData(sp.csr_matrix(np.ones((90, 60))), obs=obs.set_index(obs.index.astype(str)))
    (found,) = [w for w in check(adata).warnings if "capital letters" in w]
    assert f"'{name}'" in found
