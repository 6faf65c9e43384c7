"""The shipped samples: what they hold, and that the chain still gives their shipped results."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.runs.results import RunResults
from harmony_core.store import Store, examples
from harmony_core.store.examples import EXAMPLES, FOLDER, Example

make = runpy.run_path(str(FOLDER / "make_store.py"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("shipped"))
    examples.install(store)
    return store


def test_kang_is_what_the_readme_says() -> None:
    adata = ad.read_h5ad(EXAMPLES["kang"].path)
    assert adata.shape == (4000, 4910)
    assert dict(adata.obs["condition"].value_counts()) == {"control": 2000, "stimulated": 2000}
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert EXAMPLES["kang"].path.stat().st_size < 5e6


@pytest.mark.parametrize("key", EXAMPLES)
def test_shipped_results_are_on_screen_without_computing(shipped: Store, key: str) -> None:
    dataset = shipped.dataset(examples.fingerprint(shipped, key))
    results = RunResults(dataset, make["default_run"](EXAMPLES[key]))
    assert results.is_finished
    assert results.assessment is not None
    original = ad.read_h5ad(EXAMPLES[key].path)
    np.testing.assert_array_equal(dataset.gene(11), original.X[:, [11]].toarray().ravel())


@pytest.mark.parametrize("key", EXAMPLES)
def test_the_chain_gives_the_shipped_results(shipped: Store, tmp_path: Path, key: str) -> None:
    sample: Example = EXAMPLES[key]
    dataset = make["compute"](sample, Store(tmp_path))
    assert dataset.fingerprint == examples.fingerprint(shipped, key)
    params = make["default_run"](sample)
    fresh = RunResults(dataset, params)
    kept = RunResults(shipped.dataset(dataset.fingerprint), params)
    assert dataset.info == kept.dataset.info
    np.testing.assert_allclose(fresh.embedding("after"), kept.embedding("after"), atol=2e-2)
    # UMAP is chaotic: last digits that differ between processors move whole islands. What two
    # layouts must share is how well they show the embedding's neighbours.
    neighbors = nearest_neighbors(np.array(kept.embedding("after")), 15).indices
    shown = [_share_shown(r.layout("after"), neighbors) for r in (fresh, kept)]
    assert shown[0] == pytest.approx(shown[1], abs=0.02)
    assert shown[1] > 0.05
    assert fresh.assessment is not None
    assert kept.assessment is not None
    assert fresh.assessment["verdict"]["kind"] == kept.assessment["verdict"]["kind"]
    for side in ("before", "after"):
        numbers = kept.assessment["metrics"][side][sample.batch]
        for name, value in fresh.assessment["metrics"][side][sample.batch].items():
            assert value == pytest.approx(numbers[name], abs=0.02)


def _share_shown(layout: np.ndarray | None, neighbors: np.ndarray) -> float:
    """Mean share of each cell's nearest neighbours that are also nearest in the layout."""
    assert layout is not None
    near = nearest_neighbors(np.array(layout), neighbors.shape[1]).indices
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(near, neighbors, strict=True)]))


@pytest.mark.parametrize(("key", "merged"), [("sibling", "T1"), ("missing_nk", "NK")])
def test_a_type_that_one_batch_lacks_is_over_corrected(
    shipped: Store, key: str, merged: str
) -> None:
    dataset = shipped.dataset(examples.fingerprint(shipped, key))
    results = RunResults(dataset, make["default_run"](EXAMPLES[key]))
    assert results.assessment is not None
    verdict = results.assessment.verdict
    assert verdict.severity == "red"
    assert verdict.evidence[0].name == merged


def test_archives_hold_nothing_but_results() -> None:
    for sample in EXAMPLES.values():
        with zipfile.ZipFile(sample.archive) as archive:
            for name in archive.namelist():
                assert Path(name).suffix in (".npy", ".json", ".parquet")
                assert not name.startswith("/")
                assert ".." not in name
