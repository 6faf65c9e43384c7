"""h5ad files in: what is read, and what is refused with which sentence."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from harmony_core.errors import FileError
from harmony_core.io.read import read
from tests.io.reading import load


@pytest.fixture
def adata() -> ad.AnnData:
    rng = np.random.default_rng(0)
    result = ad.AnnData(
        sp.csr_matrix(rng.poisson(0.5, (60, 20)).astype(np.float32)),
        pd.DataFrame(
            {"batch": pd.Categorical(["a", "b"] * 30)}, index=[f"c{i}" for i in range(60)]
        ),
        pd.DataFrame(index=[f"g{i}" for i in range(20)]),
        uns={"title": "a <b>title</b>", "nested": {"colours": np.array(["red", "blue"])}},
    )
    result.layers["counts"] = result.X.copy()
    result.obsm["X_pca"] = rng.normal(size=(60, 5))
    result.raw = result
    return result


@pytest.fixture
def file(adata: ad.AnnData, tmp_path: Path) -> Path:
    path = tmp_path / "data.h5ad"
    adata.write_h5ad(path, compression="gzip")
    return path


def test_all_parts_come_back(adata: ad.AnnData, file: Path) -> None:
    found = load(file)
    assert (found.format, found.notes) == ("h5ad", ())
    back = found.adata
    pd.testing.assert_frame_equal(back.obs, adata.obs)
    for left, right in (
        (back.X, adata.X),
        (back.layers["counts"], adata.X),
        (back.raw.X, adata.X),
    ):
        assert (left != right).nnz == 0
    np.testing.assert_array_equal(back.obsm["X_pca"], adata.obsm["X_pca"])
    assert back.uns["title"] == "a <b>title</b>"


def test_another_name_for_an_upload(file: Path) -> None:
    file.write_bytes(b"no HDF5 at all, but words")
    with pytest.raises(FileError, match=r"^'my <i>cells</i>\.h5ad' is not an HDF5 file"):
        read(file, name="my <i>cells</i>.h5ad")


def test_missing_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"There is no file 'none\.h5ad'"):
        read(tmp_path / "none.h5ad")
    empty = tmp_path / "empty.h5ad"
    empty.touch()
    with pytest.raises(FileError, match=r"'empty\.h5ad' is empty"):
        read(empty)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_cut_short(file: Path, kept: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(FileError, match=r"'data\.h5ad' is cut short; download or copy it again"):
        read(file)


def test_nothing_but_the_signature(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(4000))
    with pytest.raises(FileError, match="is damaged"):
        read(path)


def test_hdf5_without_cells(tmp_path: Path) -> None:
    path = tmp_path / "other.h5ad"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(5)
    with pytest.raises(FileError, match="an HDF5 file but not an h5ad: it has no obs and no var"):
        read(path)


def test_link_to_another_file(file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["numbers"] = np.arange(5)
    with h5py.File(file, "a") as opened:
        opened["uns/secret"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/numbers")
    with pytest.raises(FileError, match="refused: it has a link to another file"):
        read(file)


def test_virtual_dataset_of_another_file(file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["numbers"] = np.arange(60.0)
    layout = h5py.VirtualLayout(shape=(60,), dtype="f8")
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "numbers", shape=(60,))
    with h5py.File(file, "a") as opened:
        opened["obs"].create_virtual_dataset("stolen", layout)
    with pytest.raises(FileError, match="refused: part of its values is stored in another file"):
        read(file)


def test_values_in_another_file(file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_bytes(b"x" * 480)
    with h5py.File(file, "a") as opened:
        opened["obs"].create_dataset(
            "stolen", (60,), "f8", external=[(str(tmp_path / "secret.txt"), 0, 480)]
        )
    with pytest.raises(FileError, match="refused: part of its values is stored in another file"):
        read(file)


def test_folder_that_contains_itself(file: Path) -> None:
    with h5py.File(file, "a") as opened:
        opened["uns/again"] = opened["uns"]
    with pytest.raises(FileError, match="refused: a folder inside it contains itself"):
        read(file)
    with h5py.File(file, "a") as opened:
        del opened["uns/again"]
        opened["uns/again"] = h5py.SoftLink("/uns")
    with pytest.raises(FileError, match="refused: a folder inside it contains itself"):
        read(file)


def test_too_many_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmony_core.io.hdf5._MAX_OBJECTS", 10)
    with pytest.raises(FileError, match="refused: it has more than 10 parts"):
        read(file)


def test_declared_size_is_checked_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "bomb.h5ad"
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (10**7, 10**6), "f4", chunks=(1000, 1000), compression="gzip")
        file.create_group("obs")
        file.create_group("var")
    assert path.stat().st_size < 100_000
    with pytest.raises(FileError, match=r"needs about 88,000\.0 GB of memory and .* can be used"):
        read(path)


def test_memory_limit_of_the_caller(file: Path) -> None:
    with pytest.raises(FileError, match="take a sample of its cells"):
        load(file, limit=1_000)


@pytest.mark.parametrize(
    ("part", "value"), [("indices", 10**6), ("indptr", 10**6), ("indices", -5)]
)
def test_sparse_matrix_that_points_outside(file: Path, part: str, value: int) -> None:
    with h5py.File(file, "a") as opened:
        opened[f"X/{part}"][5] = value
    with pytest.raises(FileError, match=r"'data\.h5ad' (is damaged|cannot be read)"):
        read(file)


def test_unknown_part_is_left_out_and_named(file: Path) -> None:
    with h5py.File(file, "a") as opened:
        odd = opened["uns"].create_group("from the future")
        odd.attrs["encoding-type"] = "hologram"
        odd.attrs["encoding-version"] = "9.0.0"
    found = load(file)
    assert "uns/from the future was left out: it could not be read." in found.notes
    assert found.adata.shape == (60, 20)
    assert found.adata.uns["title"] == "a <b>title</b>"
    assert "X_pca" in found.adata.obsm


@pytest.mark.parametrize("kind", ["other version", "no such level", "other byte order", "short"])
def test_a_column_that_cannot_be_read_is_left_out_and_named(tmp_path: Path, kind: str) -> None:
    names = pd.Index([f"c{i}" for i in range(50)])
    batch, day = pd.Categorical(["a", "b"] * 25), pd.Categorical([1, 2] * 25)
    obs = pd.DataFrame({"batch": batch, "day": day, "n": np.arange(50)}, index=names)
    ad.AnnData(np.eye(50, 20), obs=obs).write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad", "a") as file:
        column = file["obs/day"]
        if kind == "other version":
            column.attrs["encoding-version"] = "9.0.0"
        elif kind == "no such level":
            column["codes"][3] = 7
        else:
            part = "categories" if kind == "other byte order" else "codes"
            values, attributes = column[part][()], dict(column[part].attrs)
            del column[part]
            column[part] = values.astype(">i8") if part == "categories" else values[:30]
            column[part].attrs.update(attributes)
    found = load(tmp_path / "x.h5ad")
    assert found.notes == ("obs/day was left out: it could not be read.",)
    assert list(found.adata.obs_names) == list(names)
    assert list(found.adata.obs) == ["batch", "n"]
    assert list(found.adata.obs["batch"]) == list(batch)
    np.testing.assert_array_equal(np.asarray(found.adata.X), np.eye(50, 20))


@pytest.mark.parametrize("part", ["obs", "X"])
def test_necessary_part_is_damaged(file: Path, part: str) -> None:
    with h5py.File(file, "a") as opened:
        opened[part].attrs["encoding-type"] = "hologram"
    with pytest.raises(FileError, match=f"cannot be read: its {part} is damaged"):
        read(file)


def test_parts_that_do_not_fit_together(file: Path) -> None:
    with h5py.File(file, "a") as opened:
        del opened["obsm/X_pca"]
        opened["obsm/X_pca"] = np.zeros((59, 5))
    with pytest.raises(FileError, match="is damaged: its parts do not fit together"):
        read(file)


def test_pickled_objects_are_not_unpickled(file: Path, tmp_path: Path) -> None:
    import pickle

    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harmed",))

    with h5py.File(file, "a") as opened:
        opened["uns/harm"] = np.void(pickle.dumps(Harm()))
    read(file)
    assert not (tmp_path / "harmed").exists()


def test_file_that_changes_while_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = ad.read_h5ad

    def slow(path: Path) -> ad.AnnData:
        result = original(path)
        with path.open("ab") as growing:
            growing.write(b"more")
        return result

    monkeypatch.setattr(ad, "read_h5ad", slow)
    with pytest.raises(FileError, match="changed while it was read; wait until it is complete"):
        read(file)


def test_repeated_names_are_read_without_a_warning(adata: ad.AnnData, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata.obs_names = ["same"] * 60
        adata.write_h5ad(tmp_path / "x.h5ad")
    assert list(read(tmp_path / "x.h5ad").obs_names) == ["same"] * 60


def test_samples_load() -> None:
    samples = Path(__file__).parents[2] / "sample_data"
    assert read(samples / "kang" / "kang_pbmc.h5ad").shape == (4000, 4910)
    assert read(samples / "sibling" / "two_batches_sibling.h5ad").shape == (2400, 1500)
