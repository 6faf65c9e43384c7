"""What all tests share: compiled code; and the examples in docstrings: a store, a small study."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from harmony_core import Study

# Compiled once for this process, all servers and workers, which begin with an empty home, and all
# that runs as a command: it takes 40 s. Numba reads it when it is imported.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent / ".pytest_cache" / "numba"))

# Tests are not timed: an example may be slow because the machine is busy.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _store_of_the_examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples never touch the user's own store."""
    if isinstance(request.node, pytest.DoctestItem):
        home = request.getfixturevalue("home_of_the_examples")
        monkeypatch.setenv("HARMONY_EXPLORER_HOME", str(home))


@pytest.fixture(scope="session")
def home_of_the_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="session")
def study(home_of_the_examples: Path) -> Study:
    """400 simulated cells, prepared."""
    from harmony_core import Study
    from harmony_core.simulate.cells import Scenario, simulate, to_anndata

    cells = to_anndata(simulate(Scenario(name="demo", n_cells=400, n_genes=300), seed=1))
    found = Study.read(cells, batch="batch", label="true_type", home=home_of_the_examples)
    return found.prepare(min_genes=5, n_top_genes=150, n_pcs=10)
