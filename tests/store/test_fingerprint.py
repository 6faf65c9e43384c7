"""The name of data in the store."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.store import Store
from harmony_core.store.ingest import ingest


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
