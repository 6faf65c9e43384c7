"""Neighbours, layout and clusters, checked against scikit-learn, scanpy and umap-learn."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Literal

import anndata as ad
import numba
import numpy as np
import pytest
import scanpy as sc
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from harmony_core.errors import Cancelled, DataError
from harmony_core.methods import index_search
from harmony_core.methods import neighbors as methods
from harmony_core.methods.leiden import leiden
from harmony_core.methods.neighbors import Neighbors, SearchName, nearest_neighbors, search_for
from harmony_core.methods.neighbors_kernel import search_by_lists
from harmony_core.methods.umap import fuzzy_graph, layout, oriented_like, start_from_embedding
from harmony_core.methods.umap_kernel import forces
from harmony_core.params import ClusterParams, GraphParams, LayoutParams

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(300, 6)) + 4 * RNG.normal(size=(4, 6))[np.arange(300) % 4]).astype(np.float32)


@pytest.fixture(scope="module")
def neighbors() -> Neighbors:
    return nearest_neighbors(X, 30)


def test_neighbours_equal_scikit_learns(neighbors: Neighbors) -> None:
    distances, indices = NearestNeighbors(n_neighbors=31).fit(X).kneighbors(X)
    np.testing.assert_array_equal(neighbors.indices, indices[:, 1:])
    np.testing.assert_allclose(neighbors.distances, distances[:, 1:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("search", ["lists", "inverted file"])
def test_an_approximate_search_finds_nearly_all(search: SearchName) -> None:
    many = RNG.normal(size=(3000, 10)).astype(np.float32)
    exact = nearest_neighbors(many, 15, search="exhaustive")
    found = nearest_neighbors(many, 15, search=search)
    same = [len(set(a) & set(b)) for a, b in zip(exact.indices, found.indices, strict=True)]
    assert np.mean(same) / 15 > 0.97  # a structureless cloud is the worst case


@pytest.mark.parametrize("search", ["lists", "inverted file"])
@pytest.mark.parametrize(
    ("points", "k"),
    [
        pytest.param(RNG.normal(size=(700, 5)), 30, id="cloud"),
        pytest.param(1000 + RNG.normal(size=(500, 50)), 90, id="far from the origin"),
        pytest.param(RNG.normal(size=(60, 3)), 59, id="all the others"),
        pytest.param(RNG.normal(size=(2, 2)), 1, id="two cells"),
        pytest.param(np.ones((200, 4)), 20, id="identical cells"),
        pytest.param(np.repeat(RNG.normal(size=(20, 6)), 15, axis=0), 20, id="duplicates"),
        pytest.param(np.vstack([RNG.normal(size=(5, 3)), 50 + RNG.normal(size=(300, 3))]), 20),
    ],
)
def test_what_an_approximate_search_finds_is_true(
    points: np.ndarray, k: int, search: SearchName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "PROBES_OF_FILE", 12)  # of 26 lists, at most
    cells = points.astype(np.float32)
    found = nearest_neighbors(cells, k, search=search)
    own = np.arange(len(cells))[:, None]
    assert found.indices.shape == (len(cells), k)
    assert (found.indices != own).all()
    assert all(len(set(row)) == k for row in found.indices.tolist())
    assert (np.diff(found.distances, axis=1) >= 0).all()
    true = np.linalg.norm(cells[found.indices] - cells[:, None], axis=2)
    np.testing.assert_allclose(found.distances, true, rtol=1e-4, atol=1e-4)
    nearest = NearestNeighbors(n_neighbors=k + 1).fit(cells).kneighbors(cells)[0][:, 1:]
    assert found.distances.sum() <= 1.01 * nearest.sum() + 1e-2


_ON_SO_MANY_CORES = """
import sys
import numpy as np
from harmony_core.methods.neighbors import nearest_neighbors
points = np.random.default_rng(0).normal(size=(9000, 50)).astype(np.float32)
few = points[:2000]
found = [
    nearest_neighbors(points, 20, search="exhaustive"),
    nearest_neighbors(few, 20, search="lists"),
    nearest_neighbors(points, 20, search="inverted file"),
]
sys.stdout.buffer.write(b"".join(f.indices.tobytes() + f.distances.tobytes() for f in found))
"""


def test_neighbours_are_the_same_on_any_number_of_cores() -> None:
    answers = []
    for cores in ("1", "3"):
        variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        answers.append(
            subprocess.run(
                [sys.executable, "-c", _ON_SO_MANY_CORES],
                env={**os.environ, **dict.fromkeys(variables, cores)},
                capture_output=True,
                check=True,
            ).stdout
        )
    assert len(answers[0]) == (9000 + 2000 + 9000) * 20 * 8
    assert answers[0] == answers[1]


def test_more_cells_are_searched_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (20_000, 20_001, 300_000, 300_001)
    assert [search_for(n) for n in sizes] == ["exhaustive", "lists", "lists", "inverted file"]
    monkeypatch.setattr(methods, "EXACT_UP_TO", 50)
    for limit, search in ((len(X), "lists"), (len(X) - 1, "inverted file")):
        monkeypatch.setattr(methods, "LISTS_UP_TO", limit)
        expected = nearest_neighbors(X, 30, search=search)
        np.testing.assert_array_equal(nearest_neighbors(X, 30).distances, expected.distances)


def test_other_cells_can_ask_for_their_neighbours() -> None:
    points, queries = X[:200], X[150:]
    indices, squared = search_by_lists(points, queries, 5, 0, 16)
    distances, expected = NearestNeighbors(n_neighbors=5).fit(points).kneighbors(queries)
    np.testing.assert_allclose(np.sqrt(squared), distances, atol=1e-3)
    assert (indices == expected).mean() > 0.99


@pytest.mark.parametrize("search", ["exhaustive", "lists", "inverted file"])
def test_duplicates_never_list_the_cell_itself(search: SearchName) -> None:
    found = nearest_neighbors(np.repeat(X[:20], 10, axis=0), 12, search=search)
    assert (found.indices != np.arange(200)[:, None]).all()
    np.testing.assert_allclose(found.distances[:, :9], 0, atol=2e-3)


def test_no_more_neighbours_than_there_are_cells() -> None:
    assert nearest_neighbors(X[:5], 90).k == 4
    with pytest.raises(DataError):
        nearest_neighbors(X[:1], 5)


def test_graph_equals_scanpys(neighbors: Neighbors) -> None:
    adata = ad.AnnData(obsm={"X": X})
    sc.pp.neighbors(adata, n_neighbors=15, use_rep="X")
    ours = fuzzy_graph(neighbors, GraphParams(n_neighbors=15))
    difference = abs(adata.obsp["connectivities"] - ours)
    assert difference.max() < 1e-3


@pytest.mark.parametrize("flavor", ["igraph", "leidenalg"])
def test_clusters_equal_scanpys(
    neighbors: Neighbors, flavor: Literal["igraph", "leidenalg"]
) -> None:
    graph = fuzzy_graph(neighbors, GraphParams())
    adata = ad.AnnData(obsm={"X": X})
    options = {"flavor": "igraph", "n_iterations": 2, "directed": False}
    if flavor == "leidenalg":
        # scanpy announces that its default will change; the call is the comparison's purpose.
        with pytest.warns(FutureWarning):
            sc.tl.leiden(adata, resolution=0.5, adjacency=graph)
    else:
        sc.tl.leiden(adata, resolution=0.5, adjacency=graph, **options)
    (ours,) = leiden(graph, [0.5], ClusterParams(flavor=flavor))
    assert adjusted_rand_score(adata.obs["leiden"], ours) == 1.0
    sizes = np.bincount(ours)
    assert (np.diff(sizes) <= 0).all()


@pytest.mark.parametrize("resolution", [0.3, 1.0, 3.0])
def test_clusters_of_cells_without_structure_equal_scanpys(resolution: float) -> None:
    cloud = RNG.normal(size=(1500, 8)).astype(np.float32)
    graph = fuzzy_graph(nearest_neighbors(cloud, 30), GraphParams())
    adata = ad.AnnData(obsm={"X": cloud})
    options = {"flavor": "igraph", "n_iterations": 2, "directed": False}
    sc.tl.leiden(adata, resolution=resolution, adjacency=graph, **options)
    (ours,) = leiden(graph, [resolution], ClusterParams())
    # Where no cluster is clear, the slightest difference of the graph ends in other clusters.
    assert adjusted_rand_score(adata.obs["leiden"], ours) == 1.0


def test_layout_repeats_to_the_last_bit_and_keeps_neighbours(neighbors: Neighbors) -> None:
    graph, start = fuzzy_graph(neighbors, GraphParams()), start_from_embedding(X)
    shares: list[float] = []
    first = layout(graph, start, LayoutParams(), epochs=60, rate=1.0, progress=shares.append)
    again = layout(graph, start, LayoutParams(), epochs=60, rate=1.0)
    np.testing.assert_array_equal(first, again)
    assert shares[-1] == 1.0
    assert _share_kept(first, neighbors) > 0.3


def test_layout_is_the_same_on_any_number_of_cores(neighbors: Neighbors) -> None:
    graph, start = fuzzy_graph(neighbors, GraphParams()), start_from_embedding(X)
    threads = numba.get_num_threads()
    found = []
    for n in (1, threads):
        numba.set_num_threads(n)
        found.append(layout(graph, start, LayoutParams(), epochs=20, rate=1.0))
    np.testing.assert_array_equal(*found)


def test_layout_keeps_as_many_neighbours_as_umap_learns(neighbors: Neighbors) -> None:
    graph = fuzzy_graph(neighbors, GraphParams())
    ours = layout(graph, start_from_embedding(X), LayoutParams(), epochs=300, rate=1.0)
    adata = ad.AnnData(obsm={"X": X})
    sc.pp.neighbors(adata, n_neighbors=15, use_rep="X")
    sc.tl.umap(adata, min_dist=0.3)
    shares = [_share_kept(positions, neighbors) for positions in (ours, adata.obsm["X_umap"])]
    assert shares[0] > 0.95 * shares[1]


def _share_kept(positions: np.ndarray, neighbors: Neighbors) -> float:
    kept = nearest_neighbors(positions, 15).indices
    same = [len(set(a) & set(b[:15])) for a, b in zip(kept, neighbors.indices, strict=True)]
    return float(np.mean(same)) / 15


def test_layout_stops_between_epochs(neighbors: Neighbors) -> None:
    def stop(share: float) -> None:
        raise Cancelled("stop")

    graph = fuzzy_graph(neighbors, GraphParams())
    with pytest.raises(Cancelled):
        layout(graph, start_from_embedding(X), LayoutParams(), epochs=50, rate=1.0, progress=stop)


def test_a_search_stops_between_parts_which_change_nothing(
    neighbors: Neighbors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(share: float) -> None:
        shares.append(share)
        if stopping:
            raise Cancelled("stop")

    monkeypatch.setattr(index_search, "CELLS_AT_ONCE", len(X) // 3)
    shares: list[float] = []
    stopping = False
    in_parts = nearest_neighbors(X, neighbors.k, progress=stop)
    np.testing.assert_array_equal(in_parts.indices, neighbors.indices)
    assert shares == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    stopping = True
    with pytest.raises(Cancelled):
        nearest_neighbors(X, neighbors.k, progress=stop)
    assert len(shares) == 4


def test_the_tables_of_forces_hold_umaps_formulas() -> None:
    a, b = 0.99, 1.11
    pull, push = forces(a, b)
    for distance in (1e-3, 0.03, 0.3, 1.0, 7.0, 40.0):
        squared = np.float32(distance) ** 2
        at = squared.view(np.int32) >> 16
        power = float(squared) ** b
        expected = -2 * a * b * power / float(squared) / (1 + a * power)
        assert pull[at] == pytest.approx(2 * expected, rel=0.01)
        assert push[at] == pytest.approx(2 * b / (0.001 + squared) / (1 + a * power), rel=0.01)
    assert pull[0] == 0
    assert np.isfinite(pull).all()
    assert np.isfinite(push).all()


def test_orientation_is_undone() -> None:
    flat = X[:, :2]
    turned = flat @ np.array([[0.0, 1.0], [1.0, 0.0]]) + 7
    np.testing.assert_allclose(oriented_like(turned, flat), flat, atol=1e-4)
