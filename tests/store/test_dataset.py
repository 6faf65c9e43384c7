"""A dataset in the store: what is read of it, and its stages."""

from __future__ import annotations

import shutil
from typing import Any

import anndata as ad
import numpy as np
import pytest

from harmony_core.errors import DataError, FileError, full_disk
from harmony_core.store import Dataset, StageKey, Store, digest
from harmony_core.store.ingest import ingest


def test_genes_embeddings_and_obs_come_back(store: Store, simulated: ad.AnnData) -> None:
    adata = simulated.copy()
    adata.obsm["X_own"] = np.arange(2.0 * adata.n_obs).reshape(-1, 2)
    kept = ingest(store, adata, name="mine")
    np.testing.assert_array_equal(kept.gene(7), adata.X[:, [7]].toarray().ravel())
    np.testing.assert_array_equal(kept.embedding("X_own"), adata.obsm["X_own"])
    assert list(kept.obs["batch"]) == list(adata.obs["batch"])
    assert list(kept.obs.index) == list(adata.obs_names)
    with pytest.raises(DataError, match=r"no embedding 'X_none'.*X_own"):
        kept.embedding("X_none")


def test_names_that_repeat_or_are_odd_still_load(store: Store, simulated: ad.AnnData) -> None:
    adata = simulated.copy()
    adata.obs_names = ["<b>cell</b>"] * adata.n_obs
    adata.var_names = ["GENE"] * adata.n_vars
    adata.obs["mixed"] = [1, "two", None, 4.5] * (adata.n_obs // 4)
    adata.obs["a/b"] = "x"
    kept = ingest(store, adata, name="odd")
    assert "a|b" in kept.obs
    assert kept.obs.index.is_unique
    assert kept.symbols.is_unique
    assert kept.obs["mixed"].isna().sum() == adata.n_obs // 4


def test_a_stage_is_computed_once_and_again_if_unreadable(
    store: Store, simulated: ad.AnnData
) -> None:
    kept = ingest(store, simulated, name="mine")
    key = StageKey("demo", digest(1))
    calls: list[int] = []

    def compute() -> tuple[dict[str, np.ndarray], dict[str, int]]:
        calls.append(1)
        return {"a": np.arange(5)}, {"n": 5}

    for _ in range(2):
        assert kept.computed(key, compute).info["n"] == 5
    assert len(calls) == 1
    array, mark = (kept.folder / "stages" / key.folder / name for name in ("a.npy", "info.json"))
    header = array.read_bytes().replace(b"(5,)", b"(5(,")  # one that numpy cannot even parse
    for path, content in ((array, b"broken"), (array, b""), (array, header), (mark, b"[]")):
        path.write_bytes(content)
        assert kept.finished(key) is None
        assert not kept.is_finished(key)
        np.testing.assert_array_equal(kept.computed(key, compute).arrays["a"], np.arange(5))
    assert len(calls) == 5


def test_stages_are_never_pickles(store: Store, simulated: ad.AnnData) -> None:
    kept = ingest(store, simulated, name="mine")
    key = StageKey("demo", digest(2))
    with pytest.raises(ValueError, match="allow_pickle"):
        kept.computed(key, lambda: ({"a": np.array([{}], dtype=object)}, {}))
    assert kept.finished(key) is None


def test_a_full_disk_is_said_when_a_stage_can_not_be_kept(
    store: Store, simulated: ad.AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: Any, **__: Any) -> None:
        raise OSError("1000 requested and 12 written")  # numpy's words, without a number

    kept = ingest(store, simulated, name="mine")
    monkeypatch.setattr(np, "save", cut_short)
    with pytest.raises(OSError, match="No space left") as found:
        kept.computed(StageKey("demo", digest(1)), lambda: ({"a": np.zeros(9)}, {}))
    assert "no room left on the disk of" in full_disk(found.value)
    assert not list((kept.folder / "stages").glob(".new-*"))


@pytest.mark.parametrize(
    "part", ["dataset.json", "obs.parquet", "var.parquet", "matrix/indptr.npy"]
)
def test_a_damaged_dataset_is_absent_and_is_written_again_with_its_results(
    store: Store, simulated: ad.AnnData, part: str
) -> None:
    key = StageKey("demo", digest(1))
    kept = ingest(store, simulated, name="mine")
    kept.computed(key, lambda: ({"a": np.ones(3)}, {}))
    path = kept.folder / part
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.unlink()
    path.write_bytes(content)
    mark = kept.folder / "dataset.json"
    shutil.copy(mark, mark.with_suffix(".new"))  # as another process would find it
    mark.with_suffix(".new").replace(mark)
    with pytest.raises(FileError, match="no longer in the store"):
        store.dataset(kept.fingerprint)
    again = ingest(store, simulated, name="mine")
    assert again.fingerprint == kept.fingerprint
    assert again.is_finished(key)
    assert len(store.dataset(again.fingerprint).obs) == simulated.n_obs


def test_a_result_whose_bytes_have_changed_is_computed_again(dataset: Dataset) -> None:
    key = StageKey("flipped", digest(1))
    dataset.computed(key, lambda: ({"a": np.arange(100)}, {}))
    path = dataset.folder / "stages" / key.folder / "a.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    mark = path.with_name("info.json")
    shutil.copy(mark, mark.with_suffix(".new"))  # as another process would find it
    mark.with_suffix(".new").replace(mark)
    assert dataset.finished(key) is None
    assert (dataset.computed(key, lambda: ({"a": np.arange(100)}, {})).arrays["a"] < 100).all()
