"""The store: what is kept, what is computed again, what is thrown away."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.errors import DataError, FileError, ParameterError, full_disk
from harmony_core.store import StageKey, Store, digest
from harmony_core.store.ingest import ingest
from harmony_core.store.store import IN_USE_SECONDS, SIZE_VARIABLE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def test_is_private_to_its_user(store: Store) -> None:
    assert stat.S_IMODE(store.home.stat().st_mode) == 0o700


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


def test_the_fingerprint_is_of_the_content(store: Store, simulated: ad.AnnData) -> None:
    first = ingest(store, simulated, name="one")
    dense = simulated.copy()
    dense.X = simulated.X.toarray()
    assert ingest(store, dense, name="two").fingerprint == first.fingerprint
    changed = simulated.copy()
    changed.X = sp.csr_matrix(changed.X)
    changed.X.data[0] += 1
    assert ingest(store, changed, name="three").fingerprint != first.fingerprint
    relabelled = simulated.copy()
    relabelled.obs["batch"] = relabelled.obs["batch"].to_numpy()[::-1]
    assert ingest(store, relabelled, name="four").fingerprint != first.fingerprint


@pytest.mark.parametrize("part", ["layers", "uns", "var", "obsm"])
def test_a_file_that_differs_in_what_no_run_uses_is_exported_as_itself(
    store: Store, simulated: ad.AnnData, part: str
) -> None:
    first = ingest(store, simulated, name="one")
    other = simulated.copy()
    if part == "var":
        other.var["note"] = "more"
    else:
        getattr(other, part)["note"] = other.X * 2 if part != "obsm" else np.ones((400, 2))
    second = ingest(store, other, name="two")
    assert second.fingerprint != first.fingerprint
    assert "note" in getattr(ad.read_h5ad(second.source), part)
    assert ingest(store, other.copy(), name="again").fingerprint == second.fingerprint


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


def test_eviction_drops_what_was_used_longest_ago(store: Store, simulated: ad.AnnData) -> None:
    kept = ingest(store, simulated, name="mine")
    keys = [StageKey("demo", digest(i)) for i in range(3)]
    for age, key in enumerate(keys):
        kept.computed(key, lambda: ({"a": np.zeros(250_000)}, {}))
        info = kept.folder / "stages" / key.folder / "info.json"
        os.utime(info, (1000 + age, 1000 + age))
    kept.finished(keys[0])  # used just now
    assert [kept.is_finished(key) for key in keys] == [True] * 3  # which is no use
    made = kept.run_folder("a") / "files" / "b"
    made.mkdir(parents=True)
    (made / "progress.json").write_text("{}")
    (made / "corrected.h5ad").write_bytes(bytes(500_000))
    os.utime(made / "progress.json", (2000, 2000))  # later than the stages
    size = sum(p.stat().st_size for p in store.home.rglob("*") if p.is_file())
    store.evict(limit_gb=(size - 3_000_000) / 1e9)
    assert not made.exists()  # quickly made again, so it goes first
    assert [kept.is_finished(key) for key in keys] == [True, False, False]
    assert store.dataset(kept.fingerprint).n_cells == simulated.n_obs


def test_what_is_on_screen_stays_though_the_store_is_too_large(
    store: Store, simulated: ad.AnnData
) -> None:
    shown, other = (ingest(store, simulated[: 200 + i], name="mine") for i in (0, 1))
    long_ago, key = time.time() - 2 * IN_USE_SECONDS, StageKey("demo", digest(1))
    for found in (shown, other):
        found.computed(key, lambda: ({"a": np.zeros(9)}, {}))
        os.utime(found.folder / "dataset.json", (long_ago, long_ago))
    os.utime(other.folder / "stages" / key.folder / "info.json", (long_ago, long_ago))
    assert store.dataset(shown.fingerprint).info.name == "mine"  # reading it is using it
    store.evict(limit_gb=0)
    assert shown.is_finished(key)
    assert not other.folder.exists()


def test_what_a_worker_that_died_was_writing_goes_after_a_day(
    store: Store, simulated: ad.AnnData
) -> None:
    kept = ingest(store, simulated, name="mine")
    (kept.folder / "stages").mkdir(exist_ok=True)
    old, new = (kept.folder / "stages" / f".new-{age}" for age in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
        (folder / "a.npy").write_bytes(b"half")
    os.utime(old, (1000, 1000))
    store.evict()
    assert not old.exists()
    assert new.exists()


def test_another_server_evicts_the_same_store_meanwhile(
    store: Store, simulated: ad.AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ingest(store, simulated, name="mine")
    kept.computed(StageKey("demo", digest(1)), lambda: ({"a": np.zeros(9)}, {}))
    listed = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path).endswith("stages"):
            shutil.rmtree(path, ignore_errors=True)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    store.evict(limit_gb=0)
    monkeypatch.undo()
    shutil.rmtree(kept.folder)
    with pytest.raises(FileError, match="no longer in the store"):
        kept.computed(StageKey("demo", digest(2)), lambda: ({}, {}))


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


@pytest.mark.parametrize("wanted", ["five", "-1", "nan", ""])
def test_a_size_that_is_none_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, wanted)
    with pytest.raises(ParameterError, match="must be a number of gigabytes"):
        store.evict()


def test_a_dataset_that_is_gone_is_said(store: Store) -> None:
    with pytest.raises(FileError, match="no longer in the store"):
        store.dataset("../../etc")
