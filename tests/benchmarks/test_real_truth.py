"""Truth on labelled cells: against plain loops, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.real_truth import BatchMixing, LabelledCells, RunTruth, nearest

N = 30


@pytest.fixture(scope="module")
def cells() -> dict[str, np.ndarray]:
    """Three types in three batches; correction merges type Z of batch C with type X."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["X", "Y", "Z"], 100)
    batches = np.where(labels == "Z", "C", rng.choice(["A", "B", "C"], 300, p=[0.5, 0.4, 0.1]))
    place = {"X": (0, 0), "Y": (6, 0), "Z": (0, 6)}
    shift = {"A": (0, 0), "B": (30, 30), "C": (0, 0)}
    noise = rng.normal(size=(300, 2))
    before = noise + [np.add(place[t], shift[b]) for t, b in zip(labels, batches, strict=True)]
    after = noise + [place[t] if t == "Y" else (0, 0) for t in labels]
    return {"labels": labels, "batches": batches, "before": before, "after": after}


def brute_neighbors(points: np.ndarray) -> np.ndarray:
    distance = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1)[:, :N]


def brute_wrong(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    near = brute_neighbors(points)
    return np.array([np.mean(labels[row] != own) for row, own in zip(near, labels, strict=True)])


def test_neighbors_are_exact_and_without_the_cell_itself(cells):
    found = nearest(cells["before"], N)
    np.testing.assert_array_equal(found.indices, brute_neighbors(cells["before"]))
    assert nearest(cells["before"][:10]).indices.shape == (10, 9)


def test_loss_is_against_the_better_of_all_cells_and_the_own_batch(cells):
    measured = LabelledCells.of(**cells)
    labels, batches = cells["labels"], cells["batches"]
    before, after = (brute_wrong(cells[side], labels) for side in ("before", "after"))
    within = before.copy()
    for batch in "ABC":
        own = batches == batch
        within[own] = brute_wrong(cells["before"][own], labels[own])
    expected = {
        t: after[labels == t].mean() - min(before[labels == t].mean(), within[labels == t].mean())
        for t in "XYZ"
    }
    truth = measured.truth()
    assert truth.loss == pytest.approx(expected)
    assert truth.kind == "over"
    assert truth.loss["Z"] > 0.3 > 0.05 > truth.loss["Y"]


def test_loss_of_a_state_is_of_its_own_type_among_its_own_cells(cells):
    measured = LabelledCells.of(**cells)
    labels = cells["labels"]
    state = (labels == "Z") & (np.arange(300) % 2 == 0)
    state[np.flatnonzero(labels == "Y")[:5]] = True  # 50 of 55 cells are Z
    own = state & (labels == "Z")
    assert measured.state_loss(state) == pytest.approx(measured.wrong.loss(own))
    mixed = state | (labels == "Y")
    assert measured.state_loss(mixed) is None
    assert measured.state_loss(labels == "none") is None


def brute_mixing(near: np.ndarray, labels: np.ndarray, batches: np.ndarray) -> float:
    """Mean over shared labels, weighted by their cells, one cell after the other."""
    values, weights = [], []
    for label in np.unique(labels):
        sizes = {b: np.sum((labels == label) & (batches == b)) for b in np.unique(batches)}
        sizes = {b: n for b, n in sizes.items() if n >= 15}
        if len(sizes) < 2:
            continue
        total, crossing, expected = sum(sizes.values()), 0, 0.0
        for cell in np.flatnonzero((labels == label) & np.isin(batches, list(sizes))):
            like = [j for j in near[cell] if labels[j] == label and batches[j] in sizes]
            crossing += sum(batches[j] != batches[cell] for j in like)
            expected += len(like) * (total - sizes[batches[cell]]) / (total - 1)
        values.append(min(1.0, crossing / expected))
        weights.append(total)
    return float(np.average(values, weights=weights))


@pytest.mark.parametrize("side", ["before", "after"])
def test_mixing_equals_a_count_cell_by_cell(cells, side):
    near = brute_neighbors(cells[side])
    found = BatchMixing.of(near, cells["labels"], cells["batches"])
    assert found.mean == pytest.approx(brute_mixing(near, cells["labels"], cells["batches"]))


def test_a_batch_that_no_neighbour_crosses_to_is_apart(cells):
    measured = LabelledCells.of(**{**cells, "after": cells["before"]})
    assert measured.truth().apart == ("B",)
    assert measured.truth().loss == pytest.approx({"X": 0, "Y": 0, "Z": 0}, abs=0.05)


def test_without_shared_labels_mixing_is_unknown(cells):
    found = BatchMixing.of(brute_neighbors(cells["before"]), cells["labels"], cells["labels"])
    assert found.mean is None
    assert found.by_batch == {}


@pytest.mark.parametrize(
    ("loss", "before", "after", "kind", "grey"),
    [
        (0.11, 0.2, 0.3, "over", False),
        (0.11, None, None, "over", False),
        (0.08, 0.2, 0.8, "good", True),
        (0.05, 0.2, 0.8, "good", False),
        (0.0, 0.2, 0.39, "under", False),
        (0.0, 0.2, 0.45, "under", True),
        (0.0, 0.2, 0.55, "good", True),
        (0.0, 0.9, 0.95, "null", False),
        (0.0, 0.9, 0.3, "under", False),
        (0.0, None, None, None, False),
    ],
)
def test_kind_of_truth_and_what_is_too_close_to_call(loss, before, after, kind, grey):
    truth = RunTruth(loss={"X": loss}, mixing_before=before, mixing_after=after, apart=())
    assert (truth.kind, truth.is_grey) == (kind, grey)
