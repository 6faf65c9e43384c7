"""Text tables as they come from R, Python and spreadsheets."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
from pathlib import Path
from types import ModuleType

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from harmony_core.errors import FileError
from harmony_core.io.table_layout import recognise
from tests.io.formats import N_CELLS, N_GENES, assert_same, dataset
from tests.io.reading import load, load_many


@pytest.fixture
def adata() -> ad.AnnData:
    return dataset()


@pytest.fixture
def frame(adata: ad.AnnData) -> pd.DataFrame:
    """Cells in rows."""
    return adata.to_df().astype(int)


def written(frame: pd.DataFrame, path: Path, **options: object) -> Path:
    frame.to_csv(path, **options)
    return path


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " "])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, delimiter: str, ends: str
) -> None:
    text = frame.to_csv(sep=delimiter, lineterminator=ends, index_label="cell")
    (tmp_path / "x.txt").write_bytes(text.encode())
    assert_same(load(tmp_path / "x.txt").adata, adata)


def test_mixed_line_ends(adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path) -> None:
    lines = frame.to_csv(lineterminator="\n").splitlines()
    ends = ["\r\n", "\n", "\r"]
    text = "".join(line + ends[i % 3] for i, line in enumerate(lines))
    (tmp_path / "x.csv").write_bytes(text.encode())
    assert_same(load(tmp_path / "x.csv").adata, adata)


@pytest.mark.parametrize("turned", [False, True])
def test_cells_in_rows_or_columns(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, turned: bool
) -> None:
    path = written(frame.T if turned else frame, tmp_path / "x.csv")
    found = load(path)
    assert_same(found.adata, adata)
    side = "columns" if turned else "rows"
    assert f"The cells of 'x.csv' are in its {side} (recognised by the names)." in found.notes
    other = load(path, cells_in="rows" if turned else "columns").adata
    assert_same(other, adata.T)


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_compressed(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, module: ModuleType
) -> None:
    # By content, whatever the name says.
    (tmp_path / "x.csv").write_bytes(module.compress(frame.to_csv().encode()))
    assert_same(load(tmp_path / "x.csv").adata, adata)


def test_as_r_writes_tables(adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path) -> None:
    """write.table leaves out the header of the row names, and quotes all text."""
    quoted = frame.set_axis([f'"{c}"' for c in frame.columns], axis=1)
    quoted.index = [f'"{n}"' for n in quoted.index]
    lines = quoted.to_csv(sep=" ", quoting=3).splitlines()
    text = "\n".join([lines[0].strip(), *lines[1:]]) + "\n"
    (tmp_path / "x.txt").write_text(text)
    assert_same(load(tmp_path / "x.txt").adata, adata)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, encoding: str) -> None:
    frame = frame.rename(columns={"CD3D": "Müller-gène"})
    adata.var_names = list(frame.columns)
    (tmp_path / "x.csv").write_bytes(frame.to_csv().encode(encoding))
    assert_same(load(tmp_path / "x.csv").adata, adata)


def test_decimal_commas(tmp_path: Path, frame: pd.DataFrame) -> None:
    values = frame / 4
    found = load(written(values, tmp_path / "x.csv", sep=";", decimal=",")).adata
    np.testing.assert_allclose(found.X.toarray(), values.to_numpy(np.float32))


@pytest.mark.parametrize(
    "preamble",
    [
        "# made by a pipeline\n# on a day\n",
        "Title of the table\n\n",
        ",".join(f"column {i}" for i in range(1000)) + "\n",
    ],
)
def test_lines_above_the_table(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, preamble: str
) -> None:
    (tmp_path / "x.csv").write_text(preamble + frame.to_csv())
    found = load(tmp_path / "x.csv")
    assert_same(found.adata, adata)
    n = preamble.count("\n")
    lines = "line of 'x.csv' is" if n == 1 else f"{n} lines of 'x.csv' are"
    assert f"The first {lines} not part of the table." in found.notes


def test_wide_table_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmony_core.io.tables._VALUES_PER_BLOCK", 4_000)
    rng = np.random.default_rng(3)
    counts = rng.poisson(0.3, (45, 400))
    frame = pd.DataFrame(counts, [f"cell{i}" for i in range(45)], [f"RPL{i}" for i in range(400)])
    found = load(written(frame, tmp_path / "x.csv")).adata
    np.testing.assert_array_equal(found.X.toarray(), counts)
    assert list(found.obs_names) == list(frame.index)


def test_text_where_a_number_belongs(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        np.ones((45, 400)), [f"cell{i}" for i in range(45)], [f"RPL{i}" for i in range(400)]
    ).astype(object)
    frame.iloc[30, 7] = "n.d."
    with pytest.raises(FileError, match=r"'n\.d\.' where a number is expected: row 31, .*'RPL7'"):
        load(written(frame, tmp_path / "x.csv"))


@pytest.mark.parametrize("kept", [-3, -30])
def test_table_cut_short(frame: pd.DataFrame, tmp_path: Path, kept: int) -> None:
    (tmp_path / "x.csv").write_text(frame.to_csv()[:kept])
    with pytest.raises(FileError, match=r"line 51 has \d+ columns where the others have 31"):
        load(tmp_path / "x.csv")


def test_compressed_table_cut_short(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(frame.to_csv().encode())[:-20])
    with pytest.raises(FileError, match=r"'x\.csv\.gz' is damaged and cannot be"):
        load(tmp_path / "x.csv.gz")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\x01\x02" * 100, "is not text, and no other format that is known"),
        (b"one line of words", "no delimiter divides its lines|has a header but no lines"),
        (b"a,b,c\n", "has a header but no lines below it"),
        (b"\n\n\n", "is not a table"),
        (b"x,y\n" + b"a,b\n" * 50, "neither expression values nor an embedding"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(FileError, match=sentence):
        load(tmp_path / "x.csv")


def test_one_line_a_value(adata: ad.AnnData, tmp_path: Path) -> None:
    coo = sp.coo_matrix(adata.X)
    frame = pd.DataFrame(
        {
            "gene": adata.var_names[coo.col],
            "cell": adata.obs_names[coo.row],
            "count": coo.data.astype(int),
        }
    )
    found = load(written(frame, tmp_path / "x.tsv", sep="\t", index=False)).adata
    again = found[adata.obs_names, adata.var_names]
    np.testing.assert_array_equal(again.X.toarray(), adata.X.toarray())


def test_columns_that_describe_cells_stay_in_obs(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.insert(0, "<b>sample</b>", np.resize(["s1", "s2"], N_CELLS))
    found = load(written(frame, tmp_path / "x.csv")).adata
    assert_same(found, adata)
    assert list(found.obs["<b>sample</b>"]) == ["s1", "s2"] * (N_CELLS // 2)


def test_cytometry_without_gene_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        rng.gamma(2.0, 1.0, (200, 12)), columns=[f"Marker {c}" for c in "ABCDEFGHIJKL"]
    )
    frame["plate"] = np.resize(["p1", "p2"], 200)
    found = load(written(frame, tmp_path / "x.csv", index=False)).adata
    assert found.shape == (200, 12)
    assert list(found.obs.columns) == ["plate"]


def seurat(adata: ad.AnnData, tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(5)
    embedding = pd.DataFrame(
        rng.normal(size=(N_CELLS, 12)), adata.obs_names, [f"PC_{i + 1}" for i in range(12)]
    )
    metadata = pd.DataFrame(
        {
            "orig.ident": np.resize(["d1", "d2"], N_CELLS),
            "nCount_RNA": rng.integers(500, 5000, N_CELLS),
            "percent.mt": rng.random(N_CELLS),
        },
        adata.obs_names,
    )
    embedding.to_csv(tmp_path / "embedding.csv")
    metadata.to_csv(tmp_path / "metadata.csv")
    return embedding, metadata


@pytest.mark.parametrize("order", [("embedding", "metadata"), ("metadata", "embedding")])
def test_embedding_and_metadata_of_seurat(
    adata: ad.AnnData, tmp_path: Path, order: tuple[str, str]
) -> None:
    embedding, metadata = seurat(adata, tmp_path)
    metadata.sample(frac=1, random_state=0).to_csv(tmp_path / "metadata.csv")
    found = load_many([tmp_path / f"{name}.csv" for name in order]).adata
    assert list(found.obs_names) == list(embedding.index)
    np.testing.assert_allclose(found.obsm["X_pca"], embedding, rtol=1e-6)
    assert list(found.obs["orig.ident"]) == list(metadata["orig.ident"])
    np.testing.assert_array_equal(found.obs["nCount_RNA"], metadata["nCount_RNA"])
    assert found.X is None


def test_cells_without_metadata_are_counted(adata: ad.AnnData, tmp_path: Path) -> None:
    _, metadata = seurat(adata, tmp_path)
    extra = metadata.iloc[:3].set_axis(["other1", "other2", "other3"])
    pd.concat([metadata.iloc[10:], extra]).to_csv(tmp_path / "metadata.csv")
    found = load_many([tmp_path / "embedding.csv", tmp_path / "metadata.csv"])
    assert found.adata.n_obs == N_CELLS - 10
    assert "10 of 50 cells have no line in 'metadata.csv' and are left out." in found.notes
    assert "3 lines of 'metadata.csv' match no cell." in found.notes


@pytest.mark.parametrize(
    "respell",
    [
        lambda name: name.replace("-", "."),
        lambda name: name.removesuffix("-1"),
        lambda name: name.replace("-1", "-4"),
    ],
)
def test_names_are_matched_as_r_spells_them(adata: ad.AnnData, tmp_path: Path, respell) -> None:
    _, metadata = seurat(adata, tmp_path)
    metadata.set_axis([respell(n) for n in metadata.index]).to_csv(tmp_path / "metadata.csv")
    found = load_many([tmp_path / "embedding.csv", tmp_path / "metadata.csv"]).adata
    assert list(found.obs["orig.ident"]) == list(metadata["orig.ident"])


def test_metadata_of_other_cells(adata: ad.AnnData, tmp_path: Path) -> None:
    _, metadata = seurat(adata, tmp_path)
    metadata.set_axis([f"z{i}" for i in range(N_CELLS)]).to_csv(tmp_path / "metadata.csv")
    with pytest.raises(FileError, match=r"'metadata\.csv' names none of the cells: it has 'z0'"):
        load_many([tmp_path / "embedding.csv", tmp_path / "metadata.csv"])


def test_metadata_that_name_a_cell_twice(adata: ad.AnnData, tmp_path: Path) -> None:
    _, metadata = seurat(adata, tmp_path)
    pd.concat([metadata, metadata.iloc[:1]]).to_csv(tmp_path / "metadata.csv")
    with pytest.raises(FileError, match="names a cell more than once"):
        load_many([tmp_path / "embedding.csv", tmp_path / "metadata.csv"])


def test_metadata_alone(adata: ad.AnnData, tmp_path: Path) -> None:
    seurat(adata, tmp_path)
    frame = pd.DataFrame({"a": ["x", "y"] * 25, "b": ["z"] * 50})
    written(frame, tmp_path / "m.csv")
    with pytest.raises(FileError, match="neither expression values nor an embedding"):
        load(tmp_path / "m.csv")


def test_metadata_beside_an_h5ad(adata: ad.AnnData, tmp_path: Path) -> None:
    _, metadata = seurat(adata, tmp_path)
    adata.write_h5ad(tmp_path / "x.h5ad")
    metadata["batch"] = "clash"
    metadata.to_csv(tmp_path / "metadata.csv")
    found = load_many([tmp_path / "x.h5ad", tmp_path / "metadata.csv", tmp_path / "embedding.csv"])
    assert_same(found.adata, adata)
    assert list(found.adata.obs["batch"]) == list(adata.obs["batch"])
    assert set(found.adata.obs["batch (2)"]) == {"clash"}
    assert found.adata.obsm["X_pca"].shape == (N_CELLS, 12)


def test_one_table_with_embedding_and_metadata(adata: ad.AnnData, tmp_path: Path) -> None:
    embedding, metadata = seurat(adata, tmp_path)
    umap = embedding.iloc[:, :2].set_axis(["UMAP_1", "UMAP_2"], axis=1)
    both = pd.concat([metadata, umap, embedding], axis=1)
    found = load(written(both, tmp_path / "x.csv")).adata
    assert found.obsm["X_umap"].shape == (N_CELLS, 2)
    assert found.obsm["X_pca"].shape == (N_CELLS, 12)
    assert set(found.obs.columns) == {"orig.ident", "nCount_RNA", "percent.mt"}


def test_unnamed_dimensions_below_zero_are_an_embedding(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(60, 8)), columns=[f"Zdim{i}" for i in range(8)])
    found = load(written(frame, tmp_path / "x.csv")).adata
    assert found.obsm["X_zdim"].shape == (60, 8)
    counts = frame.abs().round().set_axis([f"Gene{i + 1}" for i in range(8)], axis=1)
    assert load(written(counts, tmp_path / "y.csv")).adata.n_vars == 8


def test_several_expression_tables(adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path) -> None:
    # More than a hundred genes, so that each is expression beyond doubt.
    wide = pd.concat([frame] * 5, axis=1).set_axis([f"RPL{i}" for i in range(5 * N_GENES)], axis=1)
    wide.to_csv(tmp_path / "a.csv")
    wide.T.to_csv(tmp_path / "b.csv")
    found = load_many([tmp_path / "a.csv", tmp_path / "b.csv"]).adata
    assert found.shape == (2 * N_CELLS, 5 * N_GENES)
    np.testing.assert_array_equal(found.X[:N_CELLS].toarray(), found.X[N_CELLS:].toarray())
    assert list(found.obs["file"].cat.categories) == ["a", "b"]


def test_repeated_and_empty_column_names(tmp_path: Path) -> None:
    text = "cell,x,x,,PC_1,PC_2\n" + "".join(f"c{i},a,b,c,{i}.5,-{i}\n" for i in range(50))
    (tmp_path / "x.csv").write_text(text)
    found = load(tmp_path / "x.csv").adata
    assert len(set(found.obs.columns)) == 3
    found.write_h5ad(tmp_path / "again.h5ad")


def test_metadata_alone_are_no_expression(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"orig.ident": np.resize(["a", "b"], 60), "nCount_RNA": range(60), "percent.mt": 2.5},
        index=[f"cell{i}" for i in range(60)],
    )
    table.to_csv(tmp_path / "meta.csv")
    with pytest.raises(FileError, match="has neither expression values nor an embedding"):
        load(tmp_path / "meta.csv")


def test_numbered_clusters_stay_whole(tmp_path: Path) -> None:
    cells = [f"cell{i}" for i in range(60)]
    embedding = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), index=cells)
    embedding.columns = ["PC_1", "PC_2", "PC_3"]
    embedding.to_csv(tmp_path / "emb.csv")
    table = pd.DataFrame({"seurat_clusters": np.resize([0, 1, 2], 55), "age": 1.5}, index=cells[5:])
    table.to_csv(tmp_path / "meta.csv")
    obs = load_many([tmp_path / "emb.csv", tmp_path / "meta.csv"]).adata.obs
    assert obs["seurat_clusters"].astype(str).unique().tolist() == ["0", "1", "2"]
    assert obs["age"].dtype.kind == "f"


@pytest.mark.parametrize("turned", [False, True])
def test_text_beside_the_numbers_of_a_wide_table(tmp_path: Path, turned: bool) -> None:
    """Symbols beside ids, or the batch beside the genes, of more than one block of lines."""
    rng = np.random.default_rng(0)
    names = [f"{''.join(rng.choice(list('ACGT'), 12))}-1" for _ in range(400)]
    counts = pd.DataFrame(rng.poisson(1.0, (400, 350)), names, [f"RPL{i}" for i in range(350)])
    table, text = (counts.T, "gene_name") if turned else (counts, "batch")
    table.insert(0, text, [f"t{i % 3}" for i in range(len(table))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harmony_core.io.tables._VALUES_PER_BLOCK", 40_000)
        found = load(written(table, tmp_path / "x.csv")).adata
    np.testing.assert_array_equal(found.X.toarray(), counts[[f"RPL{i}" for i in range(350)]])
    assert list((found.var if turned else found.obs)[text][:4]) == ["t0", "t1", "t2", "t0"]
    table = table.astype(object)
    table.iloc[300, 7] = "many"
    with pytest.raises(FileError, match=f"has 'many' where a number .* '{table.columns[7]}'"):
        load(written(table, tmp_path / "x.csv"))


def test_embedding_without_its_first_dimension(tmp_path: Path) -> None:
    """An LSI is often given without the dimension that follows depth."""
    values = np.random.default_rng(0).normal(size=(60, 9))
    cells = [f"c{i}" for i in range(60)]
    path = written(
        pd.DataFrame(values, cells, [f"LSI_{i}" for i in range(2, 11)]), tmp_path / "x.csv"
    )
    np.testing.assert_allclose(load(path).adata.obsm["X_lsi"], values, rtol=1e-5)


def test_decimal_commas_between_tabs(frame: pd.DataFrame, tmp_path: Path) -> None:
    halves = frame / 2
    path = written(halves, tmp_path / "x.tsv", sep="\t", decimal=",")
    np.testing.assert_array_equal(load(path).adata.X.toarray(), halves)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.csv.gz", gzip.compress(gzip.compress(b"a,b\n1,2\n")), "is packed twice; unpack it"),
        ("x.csv", b"\n<!DOCTYPE html>\n<html><p>Not, found</p></html>", "is a web page, not data"),
        ("x.csv", b"cell,A,B\n" * 1, "has a header but no lines below it"),
        ("x.csv", b'cell,A,note\nc1,1,x\nc2,2,"y\nz"\n' + b"c3,4,x\n" * 9, "line break within"),
        ("x.fcs", b"FCS3.1", "export the events as csv"),
        ("x.fastq.gz", gzip.compress(b"@r\nACGT\n"), "these are reads; count them first"),
    ],
    ids=["packed twice", "page", "header", "line break", "fcs", "reads"],
)
def test_what_is_no_table_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=sentence):
        load(tmp_path / name)


def embedding(tmp_path: Path, cells: list[str]) -> Path:
    values = np.random.default_rng(0).normal(size=(len(cells), 3))
    return written(pd.DataFrame(values, cells, ["PC_1", "PC_2", "PC_3"]), tmp_path / "e.csv")


def test_metadata_that_name_the_cells_in_another_column(tmp_path: Path) -> None:
    cells = [f"c{i}" for i in range(50)]
    table = pd.DataFrame({"batch": ["a", "b"] * 25, "barcode": cells}).iloc[::-1]
    meta = written(table.reset_index(drop=True), tmp_path / "m.csv")
    found = load_many([embedding(tmp_path, cells), meta]).adata
    assert list(found.obs["batch"]) == ["a", "b"] * 25


def test_metadata_without_names_are_taken_in_order_and_this_is_said(tmp_path: Path) -> None:
    path, batch = embedding(tmp_path, [f"c{i}" for i in range(50)]), ["a", "b"] * 25
    meta = written(pd.DataFrame({"batch": batch, "x": 1}), tmp_path / "m.csv", index=False)
    found = load_many([path, meta])
    assert list(found.adata.obs["batch"]) == batch
    assert any("does not name the cells; its lines are taken in" in note for note in found.notes)
    written(pd.DataFrame({"batch": batch[:40], "x": 1}), meta, index=False)
    with pytest.raises(FileError, match="has 40 lines for 50 cells; add a first column"):
        load_many([path, meta])


def test_text_that_strayed_among_numbers_of_a_narrow_table(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    strayed = frame.astype(object)
    strayed.iloc[7, 3] = "abc"
    with pytest.raises(FileError, match=r"has 'abc' where a number is expected: .* column 'CD3D'"):
        load(written(strayed, tmp_path / "x.csv"))


@pytest.mark.parametrize("name", ["{0}_ACGTACGT{1}", "{0}:ACGTACGTAC{1}x", "ACGTACGT{1}-{0}"])
def test_names_of_cells_tell_the_sample_where_nothing_else_does(
    frame: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    lanes = ["lane1", "lane2"] * (N_CELLS // 2)
    letters = ["".join("ACGT"[i // 4**k % 4] for k in range(3)) for i in range(N_CELLS)]
    frame.index = [name.format(lane, x) for lane, x in zip(lanes, letters, strict=True)]
    found = load(written(frame, tmp_path / "x.csv"))
    assert list(found.adata.obs["sample"]) == lanes
    assert any("the column 'sample' tells which" in note for note in found.notes)
    meta = written(pd.DataFrame({"batch": lanes}, frame.index), tmp_path / "m.csv")
    assert list(load_many([tmp_path / "x.csv", meta]).adata.obs)[-1] == "batch"


def counts_of(n_cells: int, n_genes: int = 130) -> pd.DataFrame:
    """Counts of cells and genes whose names nothing tells."""
    values = np.random.default_rng(2).poisson(1.0, (n_cells, n_genes))
    cells, genes = [f"u{i}" for i in range(n_cells)], [f"g{i}" for i in range(n_genes)]
    return pd.DataFrame(values, cells, genes)


@pytest.mark.parametrize("header", ["Cell_Index", "Cell ID", "cell.number", "Object Number"])
def test_numbers_of_cells_are_names_and_no_gene(tmp_path: Path, header: str) -> None:
    """Tags by the same numbers, in another order, go to their cells."""
    table = counts_of(60)
    table.index = pd.Index(np.random.default_rng(0).permutation(60) * 300_017 + 5, name=header)
    tags = pd.DataFrame({"tag": np.resize(["a", "b", "b"], 60)}, table.index)
    x = written(table, tmp_path / "x.csv")
    m = written(tags.sample(frac=1, random_state=1), tmp_path / "m.csv")
    found = load_many([x, m])
    assert list(found.adata.obs_names) == [str(n) for n in table.index]
    assert list(found.adata.var_names) == list(table.columns)
    assert list(found.adata.obs["tag"]) == list(tags["tag"])
    assert not any("order of the cells" in note for note in found.notes)


def test_numbers_of_cells_in_a_later_column(tmp_path: Path) -> None:
    table = counts_of(60)
    table.index = pd.Index(np.random.default_rng(0).permutation(60) * 3 + 500, name="Cell_Index")
    tags = pd.DataFrame({"tag": np.resize(["a", "b", "b"], 60), "Cell_Index": table.index})
    shuffled = tags.sample(frac=1, random_state=1).reset_index(drop=True)
    paths = written(table, tmp_path / "x.csv"), written(shuffled, tmp_path / "m.csv")
    assert list(load_many(paths).adata.obs["tag"]) == list(tags["tag"])
    # Numbers that agree by chance name nobody.
    chance = tags.assign(Cell_Index=[*table.index[:3], *range(2_000, 2_057)])
    with pytest.raises(FileError, match="does not name the cells"):
        load_many([paths[0], written(chance.iloc[:50], paths[1])])


def test_numbers_of_cells_beside_genes_are_no_gene(tmp_path: Path) -> None:
    table = counts_of(60)
    table.insert(0, "fov", np.resize([1, 2], 60))
    table.insert(1, "cell_ID", np.repeat(np.arange(30), 2))
    found = load(written(table, tmp_path / "x.csv", index=False), cells_in="rows").adata
    assert "cell_ID" not in found.var_names
    assert list(found.obs["cell_ID"]) == list(table["cell_ID"])


def test_names_are_not_made_up_on_both_sides(tmp_path: Path) -> None:
    """Neither table names the cells: sizes must agree, and the order is said."""
    table, batch = counts_of(60), np.resize(["a", "b", "b"], 60)
    x = written(table, tmp_path / "x.csv", index=False)
    m = written(pd.DataFrame({"batch": batch, "age": 1}), tmp_path / "m.csv", index=False)
    found = load_many([x, m])
    assert list(found.adata.obs["batch"]) == list(batch)
    assert any("does not name the cells; its lines are taken in" in n for n in found.notes)
    written(pd.DataFrame({"batch": batch[:50], "age": 1}), m, index=False)
    with pytest.raises(FileError, match="50 lines for 60 cells; add a first column"):
        load_many([x, m])


def test_lines_numbered_from_0_and_from_1_are_taken_in_order(tmp_path: Path) -> None:
    """pandas numbers from 0 and R from 1: equal numbers are not the same cell."""
    table, batch = counts_of(60), np.resize(["a", "b", "b"], 60)
    x = written(table.reset_index(drop=True), tmp_path / "x.csv")
    tags = pd.DataFrame({"batch": batch}, index=range(1, 61))
    found = load_many([x, written(tags, tmp_path / "m.csv")])
    assert list(found.adata.obs["batch"]) == list(batch)
    assert any("taken in the order of the cells" in note for note in found.notes)
    # Some lines of the same numbering are those lines, and lines of another are nobody's.
    some = tags.set_axis(range(60)).sample(frac=0.8, random_state=0)
    found = load_many([x, written(some, tmp_path / "m.csv")])
    assert "The cells are matched to the lines of 'm.csv' by their numbers." in found.notes
    assert list(found.adata.obs["batch"]) == list(batch[sorted(some.index)])
    written(tags.iloc[:50].set_axis(range(30, 80)), tmp_path / "m.csv")
    with pytest.raises(FileError, match=r"do not name their cells, and .* 50 lines for 60"):
        load_many([x, tmp_path / "m.csv"])


def test_cells_without_names_get_those_of_the_first_table(tmp_path: Path) -> None:
    """A second table is then matched by them, whatever its order."""
    table, batch = counts_of(60), np.resize(["a", "b", "b"], 60)
    x = written(table, tmp_path / "x.csv", index=False)
    names = list(table.index)
    e = embedding(tmp_path, names)
    tags = pd.DataFrame({"batch": batch}, names).sample(frac=1, random_state=0)
    found = load_many([x, e, written(tags, tmp_path / "m.csv")])
    assert list(found.adata.obs_names) == names
    assert list(found.adata.obs["batch"]) == list(batch)
    assert sum("do not name their cells; the lines of" in note for note in found.notes) == 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("numbered", [False, True])
def test_metadata_tell_which_side_is_cells(tmp_path: Path, turned: bool, numbered: bool) -> None:
    """Names that nobody knows, or numbers, and more cells than genes."""
    table = counts_of(150)
    if numbered:
        table = table.reset_index(drop=True).set_axis(range(130), axis=1)
    tags = pd.DataFrame({"batch": np.resize(["a", "b"], 150)}, table.index)
    x = written(table.T if turned else table, tmp_path / "x.csv")
    found = load_many([x, written(tags, tmp_path / "m.csv")])
    np.testing.assert_array_equal(found.adata.X.toarray(), table)
    side = "columns" if turned else "rows"
    assert f"The cells of 'x.csv' are in its {side} (recognised by 'm.csv')." in found.notes


@pytest.mark.parametrize("turned", [False, True])
def test_lines_of_metadata_tell_which_side_is_cells_where_no_name_does(
    tmp_path: Path, turned: bool
) -> None:
    table = counts_of(150)
    x = written(table.T if turned else table, tmp_path / "x.csv")
    tags = pd.DataFrame({"batch": np.resize(["a", "b"], 150), "age": 1})
    tags.to_csv(tmp_path / "m.csv", index=False)
    found = load_many([x, tmp_path / "m.csv"])
    np.testing.assert_array_equal(found.adata.X.toarray(), table)
    assert any("recognised by the number of lines of 'm.csv'" in note for note in found.notes)


def test_tables_on_their_side_are_refused_as_such(tmp_path: Path) -> None:
    cells = [f"c{i}" for i in range(50)]
    tags = pd.DataFrame({"batch": ["a", "b"] * 25, "sex": "f"}, cells)
    with pytest.raises(FileError, match=r"'m\.csv' lies on its side: .* transpose it"):
        load_many([embedding(tmp_path, cells), written(tags.T, tmp_path / "m.csv")])
    ad.AnnData(np.ones((70, 50)), var=pd.DataFrame(index=cells)).write_h5ad(tmp_path / "x.h5ad")
    turned = ad.read_h5ad(tmp_path / "x.h5ad")
    turned.obs_names = [f"g{i}" for i in range(70)]
    turned.write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(FileError, match=r"the data lie on their side; transpose them"):
        load_many([tmp_path / "x.h5ad", written(tags, tmp_path / "m.csv")])


@pytest.mark.parametrize("stem", ["PC_", "harmony_", "LSI", "Dim "])
@pytest.mark.parametrize("options", [{}, {"cells_in": "columns"}])
def test_dimensions_in_rows_are_an_embedding(tmp_path: Path, stem: str, options: dict) -> None:
    """As harmonypy returns it: dimensions × cells."""
    values = np.random.default_rng(0).normal(size=(150, 10))
    cells, batch = [f"u{i}" for i in range(150)], np.resize(["a", "b", "b"], 150)
    table = pd.DataFrame(values.T, [f"{stem}{i + 1}" for i in range(10)], cells)
    tags = pd.DataFrame({"batch": batch}, cells).sample(frac=1, random_state=0)
    paths = written(table, tmp_path / "p.csv"), written(tags, tmp_path / "m.csv")
    for found in (load_many(paths, **options), load(paths[0], **options)):
        (name,) = found.adata.obsm
        np.testing.assert_allclose(found.adata.obsm[name], values, rtol=1e-5)
        assert list(found.adata.obs_names) == cells
        assert "The cells of 'p.csv' are in its columns (its rows are dimensions)." in found.notes
    assert list(load_many(paths, **options).adata.obs["batch"]) == list(batch)


@pytest.mark.parametrize("named", [False, True])
def test_numbered_dimensions_in_rows_are_an_embedding_where_metadata_tell(
    tmp_path: Path, named: bool
) -> None:
    values = np.random.default_rng(0).normal(size=(150, 10))
    tags = pd.DataFrame({"batch": np.resize(["a", "b", "b"], 150)})
    turned = written(pd.DataFrame(values.T), tmp_path / "p.csv", header=named, index=named)
    found = load_many([turned, written(tags, tmp_path / "m.csv")])
    np.testing.assert_allclose(found.adata.obsm["X_embedding"], values, rtol=1e-5)
    assert list(found.adata.obs["batch"]) == list(tags["batch"])
    assert any("taken in the order of the cells" in note for note in found.notes)


def test_factors_named_like_genes_stay_genes(tmp_path: Path) -> None:
    """Numbered genes in rows are no dimensions, and rows said to be cells are none."""
    table = counts_of(150, 30).T.set_axis([f"RPL{i + 1}" for i in range(30)])
    assert load(written(table, tmp_path / "x.csv")).adata.shape == (150, 30)
    topics = table.set_axis([f"Topic_{i + 1}" for i in range(30)])
    found = load(written(topics, tmp_path / "x.csv"), cells_in="rows").adata
    assert found.shape == (30, 150)


def panel(n_cells: int = 50, n_features: int = 60) -> pd.DataFrame:
    return counts_of(n_cells, n_features)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("logs", [False, True])
def test_a_small_panel_under_own_names_is_expression(
    tmp_path: Path, turned: bool, logs: bool
) -> None:
    values = np.log1p(panel()).round(4) if logs else panel()
    tags = pd.DataFrame({"batch": np.resize(["a", "b", "b"], 50), "age": 1.5}, values.index)
    x = written(values.T if turned else values, tmp_path / "x.csv")
    m = written(tags.sample(frac=1, random_state=0), tmp_path / "m.csv")
    for paths in ([x, m], [m, x]):
        found = load_many(paths)
        np.testing.assert_allclose(found.adata.X.toarray(), values, rtol=1e-6)
        assert list(found.adata.obs_names) == list(values.index)
        assert list(found.adata.obs["batch"]) == list(tags["batch"])
        assert any("'x.csv' is taken for expression values" in note for note in found.notes)
    written(tags.set_axis([f"other{i}" for i in range(50)]), m)
    with pytest.raises(FileError, match=r"'m\.csv' names none of the cells: it has 'other0'"):
        load_many([x, m])


def test_panels_of_two_samples_beside_their_metadata(tmp_path: Path) -> None:
    values = panel()
    tags = pd.DataFrame({"batch": np.resize([1, 2, 2], 50), "age": 1}, values.index)
    a = written(values[:20], tmp_path / "a.csv")
    b = written(values[20:], tmp_path / "b.csv")
    found = load_many([a, b, written(tags, tmp_path / "m.csv")]).adata
    np.testing.assert_array_equal(found.X.toarray(), values)
    assert list(found.obs["file"]) == ["a"] * 20 + ["b"] * 30
    assert list(found.obs["batch"]) == list(tags["batch"])


def test_tables_without_values_say_how_values_are_named(tmp_path: Path) -> None:
    tags = pd.DataFrame({"batch": np.resize(["a", "b"], 50)}, panel().index)
    few = written(panel()[["g1", "g2", "g3"]], tmp_path / "x.csv")
    m = written(tags.assign(sex="f"), tmp_path / "m.csv")
    with pytest.raises(FileError, match=r"fewer than ten columns of numbers\. Give counts with sy"):
        load_many([few, m])
    clusters = pd.DataFrame({f"RNA_snn_res.{i}": 1 for i in range(12)}, panel().index)
    with pytest.raises(FileError, match=r"but columns that describe cells\. Give counts with symb"):
        load_many([written(clusters, tmp_path / "x.csv"), m])


@pytest.mark.parametrize("turned", [False, True])
def test_numbers_of_batches_among_genes_are_no_gene(tmp_path: Path, turned: bool) -> None:
    table = counts_of(150)
    numbers = np.resize([1, 2, 2], 150)
    wide = table.assign(**{"Sample ID": numbers, "nCount_RNA": table.sum(axis=1)})
    x = written(wide.T if turned else wide, tmp_path / "x.csv")
    found = load(x, cells_in="columns" if turned else "rows")
    np.testing.assert_array_equal(found.adata.X.toarray(), table)
    assert list(found.adata.var_names) == list(table.columns)
    assert list(found.adata.obs["Sample ID"]) == list(numbers)
    assert "'Sample ID', 'nCount_RNA' of 'x.csv' describe cells and are no genes." in found.notes


def test_other_features_of_the_same_cells_are_said(tmp_path: Path) -> None:
    genes, proteins = counts_of(60), counts_of(60, 120).add_prefix("CD")
    paths = written(genes, tmp_path / "g.csv"), written(proteins, tmp_path / "p.csv")
    with pytest.raises(FileError, match="the same cells and other genes or features"):
        load_many(paths)


@pytest.mark.parametrize("n_genes", [130, 400])  # read whole, and block by block
@pytest.mark.parametrize("header_too", [True, False])
def test_lines_that_end_with_a_delimiter(tmp_path: Path, n_genes: int, header_too: bool) -> None:
    """Names of genes stay with their columns, and what is empty is no gene."""
    table = counts_of(60, n_genes)
    first, *lines = table.to_csv().splitlines()
    text = "".join(f"{line},\n" for line in lines)
    (tmp_path / "x.csv").write_text(f"{first}{',' if header_too else ''}\n{text}")
    found = load(tmp_path / "x.csv", cells_in="rows").adata
    assert list(found.var_names) == list(table.columns)
    np.testing.assert_array_equal(found.X.toarray(), table)


@pytest.mark.parametrize(
    "levels",
    [
        *([20230101, 20230102, 20230103], [16777216, 16777217], [10**17 + 1, 10**17 + 2]),
        *(["01", "1", "001"], ["1E5", "1E6"], ["7", "007"], [1.5, 2.5], [-1, 1]),
    ],
)
@pytest.mark.parametrize("n_genes", [130, 400])
def test_levels_that_are_numbers_stay_apart(tmp_path: Path, levels: list, n_genes: int) -> None:
    """Dates and numbers of runs beyond single precision, and names with zeros in front."""
    table, batch = counts_of(60, n_genes), np.resize(levels, 60)
    tags = pd.DataFrame({"batch": batch, "age": 1}, table.index).sample(frac=1, random_state=0)
    x = written(table, tmp_path / "x.csv")
    beside = load_many([x, written(tags, tmp_path / "m.csv")]).adata
    inside = load(written(table.assign(batch=batch), x), cells_in="rows").adata
    for found in (beside, inside):
        np.testing.assert_array_equal(found.X.toarray(), table)
        assert [str(level) for level in found.obs["batch"]] == [str(level) for level in batch]


def test_cells_called_na(tmp_path: Path) -> None:
    table = counts_of(60).rename({"u0": "NA", "u1": "nan", "u2": "None"})
    tags = pd.DataFrame({"batch": np.resize(["a", "b", "b"], 60), "age": 1}, table.index)
    m = written(tags.sample(frac=1, random_state=0), tmp_path / "m.csv")
    found = load_many([written(table, tmp_path / "x.csv"), m]).adata
    assert list(found.obs_names) == list(table.index)
    assert list(found.obs["batch"]) == list(tags["batch"])


@pytest.mark.parametrize("numbered", [True, False])
def test_cells_are_named_by_a_column_of_their_own(tmp_path: Path, numbered: bool) -> None:
    """Lines are not taken in order where a column says which cell they are of."""
    table = counts_of(60)
    tags = pd.DataFrame({"batch": np.resize(["a", "b", "b"], 60)}, table.index)
    x = written(table.reset_index(names="barcode"), tmp_path / "x.csv", index=numbered)
    m = written(tags.sample(frac=1, random_state=0), tmp_path / "m.csv")
    found = load_many([x, m])
    assert list(found.adata.obs["batch"]) == list(tags["batch"])
    assert list(found.adata.obs_names) == list(table.index)
    assert not any("order of the cells" in note for note in found.notes)


def test_metadata_that_name_few_cells_are_of_others(tmp_path: Path) -> None:
    """Barcodes of other samples agree by chance; those of a part of the cells do not."""
    table = counts_of(100)
    tags = pd.DataFrame({"batch": np.resize(["a", "b"], 100), "age": 1}, table.index)
    x = written(table, tmp_path / "x.csv")
    others = [*table.index[:10], *(f"v{i}" for i in range(90))]
    with pytest.raises(FileError, match="of other cells: it names 10 of 100, and 90 of its lines"):
        load_many([x, written(tags.set_axis(others), tmp_path / "m.csv")])
    assert load_many([x, written(tags[:10], tmp_path / "m.csv")]).adata.n_obs == 10


def test_metadata_that_name_a_cell_twice_are_no_list_of_values(tmp_path: Path) -> None:
    table = counts_of(60)
    names = [table.index[1], *table.index[1:]]
    tags = pd.DataFrame({"batch": np.resize(["a", "b"], 60), "age": 1}, names)
    x = written(table, tmp_path / "x.csv")
    with pytest.raises(FileError, match="names a cell more than once"):
        load_many([x, written(tags, tmp_path / "m.csv")])


def test_symbols_beside_the_ids_of_genes_that_nobody_knows(tmp_path: Path) -> None:
    """Few cells in columns, which the metadata name."""
    table = counts_of(60)
    tags = pd.DataFrame({"batch": np.resize(["a", "b"], 60), "age": 1}, table.index)
    turned = table.T
    turned.insert(0, "symbol", [f"S{i}" for i in range(130)])
    x = written(turned, tmp_path / "x.csv")
    found = load_many([x, written(tags, tmp_path / "m.csv")]).adata
    np.testing.assert_array_equal(found.X.toarray(), table)
    assert list(found.var["symbol"]) == list(turned["symbol"])


def test_decimal_commas_in_quotes(tmp_path: Path) -> None:
    table = np.log1p(counts_of(60)).round(3)
    table.to_csv(tmp_path / "x.csv", decimal=",", quoting=csv.QUOTE_ALL)
    found = load(tmp_path / "x.csv", cells_in="rows").adata
    np.testing.assert_allclose(found.X.toarray(), table, rtol=1e-6)


@pytest.mark.parametrize("counted", [False, True])
def test_without_a_header_the_first_cell_is_a_cell(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, counted: bool
) -> None:
    """As coordinates and embeddings are often written."""
    values = np.random.default_rng(0).normal(size=(adata.n_obs, 3)).round(4)
    (tmp_path / "pca.csv").write_text(pd.DataFrame(values, adata.obs_names).to_csv(header=False))
    files = [tmp_path / "pca.csv", tmp_path / "metadata.csv"]
    adata.obs[::-1].to_csv(files[1])
    if counted:
        frame.to_csv(tmp_path / "counts.csv")
        files.append(tmp_path / "counts.csv")
    found = load_many(files).adata
    assert set(found.obs_names) == set(adata.obs_names)
    assert list(found.obs["batch"]) == list(adata.obs.loc[found.obs_names, "batch"])
    (embedding,) = found.obsm.values()
    expected = pd.DataFrame(values, adata.obs_names).loc[found.obs_names]
    np.testing.assert_allclose(embedding, expected, atol=1e-4)


@pytest.mark.parametrize("header", ["gene,1,1,2,2", "x,-1.5,0.001,2,3", "dose,0,0.5,1,10"])
def test_numbers_may_head_columns(tmp_path: Path, header: str) -> None:
    (tmp_path / "x.csv").write_text(f"{header}\nA,0,1,0,2\nB,1,0,3,0\nC,2,2,1,0\n")
    layout = recognise(tmp_path / "x.csv", "x.csv")
    assert layout.header == tuple(header.split(","))


@pytest.mark.parametrize("kind", ["rows", "columns", "h5ad"])
@pytest.mark.parametrize("n_genes", [1, 4])
def test_metadata_with_the_values_of_a_few_genes_are_metadata(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path, kind: str, n_genes: int
) -> None:
    """As FetchData of Seurat gives them."""
    genes = ["CD3D", "ACTB", "GAPDH", "RPL22"][:n_genes]
    table = frame[genes].assign(batch=adata.obs["batch"].astype(str), donor="d").iloc[::-1]
    table.to_csv(tmp_path / "metadata.csv")
    if kind == "h5ad":
        adata[:, :].copy().write_h5ad(values := tmp_path / "counts.h5ad")
    else:
        written(frame if kind == "rows" else frame.T, values := tmp_path / "counts.csv")
    found = load_many([values, tmp_path / "metadata.csv"]).adata
    assert_same(found, adata)
    assert list(found.obs["CD3D"]) == list(frame["CD3D"])


def test_genes_beside_their_symbols_do_not_describe_the_cells_of_a_larger_table(
    adata: ad.AnnData, frame: pd.DataFrame, tmp_path: Path
) -> None:
    genes = frame.T.assign(symbol=[f"s{i}" for i in range(adata.n_vars)])
    written(genes[[*frame.index[:20], "symbol"]], tmp_path / "a.csv")
    written(genes[[*frame.index[20:], "symbol"]], tmp_path / "b.csv")
    assert_same(load_many([tmp_path / "a.csv", tmp_path / "b.csv"]).adata, adata)


def test_an_embedding_replaces_none_of_the_same_name(adata: ad.AnnData, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    adata.obsm["X_pca"] = rng.normal(size=(adata.n_obs, 3)).astype(np.float32)
    adata.write_h5ad(tmp_path / "data.h5ad")
    other = pd.DataFrame(rng.normal(size=(adata.n_obs, 2)), adata.obs_names, ["PC_1", "PC_2"])
    written(other, tmp_path / "pca.csv")
    found = load_many([tmp_path / "data.h5ad", tmp_path / "pca.csv"])
    np.testing.assert_array_equal(found.adata.obsm["X_pca"], adata.obsm["X_pca"])
    np.testing.assert_allclose(found.adata.obsm["X_pca (2)"], other, rtol=1e-6)
    assert found.notes == (
        "The data have an embedding 'X_pca' already; that of 'pca.csv' is 'X_pca (2)'.",
    )


def test_a_dimension_that_is_no_number_is_named(adata: ad.AnnData, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(adata.n_obs, 4))
    table = pd.DataFrame(values, adata.obs_names, [f"UMAP_{i + 1}" for i in range(4)])
    table = table.astype(object)
    table.iloc[5, 2] = "oops"
    adata.write_h5ad(tmp_path / "data.h5ad")
    written(table, tmp_path / "umap.csv")
    where = f"line of '{adata.obs_names[5]}', column 'UMAP_3'"
    with pytest.raises(FileError, match=f"'oops' where a number is expected: {where}"):
        load_many([tmp_path / "data.h5ad", tmp_path / "umap.csv"])
