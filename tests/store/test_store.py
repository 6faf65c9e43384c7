"""The store: who may read it, what is evicted, what is gone."""

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

from harmony_core.errors import FileError, ParameterError, StoreError
from harmony_core.store import StageKey, Store, digest
from harmony_core.store.ingest import ingest
from harmony_core.store.store import IN_USE_SECONDS, SIZE_VARIABLE


def test_is_private_to_its_user(store: Store) -> None:
    assert stat.S_IMODE(store.home.stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_rights_and_what_lies_in_it_is_private(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    store = Store(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    for folder in (store.datasets_folder, store.uploads_folder, store.compiled_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_store_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't be written"):
        Store(tmp_path / "file")


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
