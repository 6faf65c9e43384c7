"""What tests share: small simulated data, a store of their own, and the real test data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import pytest

from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.results import RunResults
from harmony_core.simulate.cells import Scenario, simulate, to_anndata
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest
from tests.kernel import Kernel, started_kernel
from tests.wheel import build_wheel, install

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

SMALL = RunParams(
    harmony=HarmonyParams(batch=("batch",), max_iter=3),
    prepare=PrepareParams(min_genes=5, n_top_genes=150, n_pcs=10),
    label="true_type",
)
"""Settings for `simulated`, so that a run takes a second or two."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real data for tests, beside the project."""
    if not SHARED.is_dir():
        pytest.skip("the real test data (../shared/data) are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def simulated() -> ad.AnnData:
    """400 cells × 300 genes in two batches, with the true types; treat it as read-only."""
    scenario = Scenario(name="test", n_cells=400, n_genes=300, presence="exclusive_sibling")
    return to_anndata(simulate(scenario, seed=1))


@pytest.fixture(scope="session")
def kept_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for the whole session, so that a run is computed once."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def dataset(kept_store: Store, simulated: ad.AnnData) -> Dataset:
    """`simulated` in the session's store."""
    return ingest(kept_store, simulated, name="simulated")


@pytest.fixture(scope="module")
def finished(dataset: Dataset) -> RunResults:
    """The run of `SMALL` with all its results."""
    from harmony_core.runs.pipeline import Pipeline

    Pipeline(dataset, SMALL).run()
    return RunResults(dataset, SMALL)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the project."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of an installation that is not the checkout."""
    return install(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Runs scripts and notebooks that repeat a run."""
    with started_kernel(tmp_path_factory.mktemp("kernel")) as found:
        yield found
