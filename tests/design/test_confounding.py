"""Checks before a run, against scipy's chi-squared and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.decomposition import PCA

from benchmarks.scenarios import SCENARIOS
from harmony_core.categories import Factor
from harmony_core.design.confounding import (
    check_design,
    closest_relative,
    cramers_v,
    exclusive_labels,
    is_nested,
)
from harmony_core.simulate import simulate


def column(name: str, values: np.ndarray) -> Factor:
    levels, codes = np.unique(values, return_inverse=True)
    return Factor(name=name, codes=codes, levels=tuple(str(v) for v in levels))


def principal_components(counts) -> np.ndarray:
    dense = counts.toarray()
    logs = np.log1p(dense / dense.sum(axis=1, keepdims=True) * 1e4)
    return PCA(30, svd_solver="randomized", random_state=0).fit_transform(logs)


# --- Cramér's V ------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 5), (6, 2)])
def test_cramers_v_from_scipys_chi_squared(rows, columns):
    rng = np.random.default_rng(rows)
    a = rng.integers(0, rows, 400)
    b = np.where(rng.random(400) < 0.5, a % columns, rng.integers(0, columns, 400))
    table = scipy.stats.contingency.crosstab(a, b).count
    phi2 = scipy.stats.chi2_contingency(table, correction=False).statistic / 400
    r, c = table.shape
    phi2 = max(0, phi2 - (r - 1) * (c - 1) / 399)
    smaller = min(r - (r - 1) ** 2 / 399, c - (c - 1) ** 2 / 399) - 1
    assert cramers_v(a, b) == pytest.approx(np.sqrt(phi2 / smaller))


def test_cramers_v_at_its_limits():
    rng = np.random.default_rng(0)
    batch = np.repeat([0, 1, 2], 100)
    independent = [cramers_v(batch, rng.integers(0, 4, 300)) for _ in range(40)]
    assert np.mean(independent) < 0.06  # without the correction it would be 0.13
    assert min(independent) == 0
    assert cramers_v(batch, batch) == pytest.approx(1)
    assert cramers_v(batch, np.zeros(300, int)) is None
    assert cramers_v(batch, np.full(300, -1)) is None
    assert cramers_v(np.array([0, 1]), np.array([0, 1])) is None


def test_cramers_v_leaves_out_missing_values():
    a = np.repeat([0, 1], 50)
    b = np.where(np.arange(100) % 2 == 0, a, -1)
    assert cramers_v(a, b) == pytest.approx(cramers_v(a[::2], a[::2]))


# --- nesting and exclusive labels ------------------------------------------------------------


def test_nesting():
    batch = np.array([0, 0, 0, 1, 1, 1])
    donor = np.array([0, 0, 1, 2, 2, 3])
    assert is_nested(donor, batch)
    assert not is_nested(batch, donor)
    assert is_nested(np.array([0, -1, 0, 1, -1, 1]), batch)


def test_exclusive_labels_need_cells_and_nearly_all_in_one_batch():
    labels = np.repeat([0, 1, 2, 3], [200, 200, 19, 100])
    batch = np.zeros(519, int)
    batch[[0]] = 1  # 0.5 % of label 0
    batch[200:203] = 1  # 1.5 % of label 1
    batch[419:] = 1
    assert exclusive_labels(labels, batch) == {0: 0, 3: 1}


@pytest.mark.parametrize("name", ["exclusive_with_sibling", "replacing"])
def test_the_sibling_is_found_as_the_close_relative(name):
    drawn = simulate(SCENARIOS[name], seed=2)
    label, batch = column("type", drawn.cell_type), column("batch", drawn.batch)
    pcs = principal_components(drawn.counts)
    exclusive = exclusive_labels(label.codes, batch.codes)
    assert {label.levels[t]: batch.levels[b] for t, b in exclusive.items()} == drawn.exclusive
    found = closest_relative(0, exclusive[0], label.codes, batch.codes, pcs)
    assert found is not None
    assert label.levels[found.label] == drawn.siblings["T1"]
    assert batch.levels[found.batch] == "B"
    assert found.distance < 0.7


def test_a_type_without_sibling_has_no_close_relative():
    drawn = simulate(SCENARIOS["exclusive_alone"], seed=2)
    label, batch = column("type", drawn.cell_type), column("batch", drawn.batch)
    found = check_design(batch, [], label=label, embedding=principal_components(drawn.counts))
    assert [(f.kind, f.severity, f.details["label"]) for f in found] == [
        ("exclusive", "green", "T6")
    ]
    assert "not close" in found[0].sentence


def test_distance_is_measured_after_the_batch_shift():
    """Label 0 only in batch 0; its twin, label 1, only in batch 1, behind a shift of 100."""
    rng = np.random.default_rng(1)
    centre = np.array([[0, 0], [1, 0], [20, 0], [0, 20]], dtype=float)
    labels = np.concatenate([np.repeat([0, 2, 3], 50), np.repeat([1, 2, 3], 50)])
    batch = np.repeat([0, 1], 150)
    X = centre[labels] + 100 * batch[:, None] + rng.normal(0, 0.1, (300, 2))
    found = closest_relative(0, 0, labels, batch, X)
    assert found is not None
    assert (found.label, found.batch) == (1, 1)
    assert found.distance == pytest.approx(1 / 20, rel=0.05)


def test_no_relative_where_no_other_label_lives_elsewhere():
    X = np.random.default_rng(2).normal(size=(60, 2))
    labels, batch = np.repeat([0, 1], 30), np.zeros(60, int)
    assert closest_relative(0, 0, labels, batch, X) is None
    assert closest_relative(0, 0, np.zeros(60, int), batch, X) is None


# --- sentences -------------------------------------------------------------------------------


def test_confounded_columns_are_red_and_uneven_ones_amber():
    rng = np.random.default_rng(3)
    batch = np.repeat(["run1", "run2"], 200)
    condition = np.where(batch == "run1", "healthy", "ill")
    uneven = np.where(rng.random(400) < np.where(batch == "run1", 0.25, 0.75), "f", "m")
    even = rng.choice(["left", "right"], 400)
    columns = [column("sex", uneven), column("condition", condition), column("side", even)]
    found = check_design(column("run", batch), [*columns, column("run", batch)])
    assert [(f.severity, f.kind, f.details["column"]) for f in found] == [
        ("red", "association", "condition"),
        ("amber", "association", "sex"),
    ]
    assert "“condition” divides the cells exactly as “run” does" in found[0].sentence
    assert "nothing in these data can separate the two" in found[0].sentence


def test_donors_within_batches_are_good_to_know_only():
    batch = np.repeat(["run1", "run2"], 100)
    donor = np.repeat(["d1", "d2", "d3", "d4"], 50)
    found = check_design(column("run", batch), [column("donor", donor)])
    assert [(f.severity, f.kind) for f in found] == [("red", "association"), ("green", "nesting")]
    by_donor = check_design(column("donor", donor), [column("run", batch)])
    assert [(f.severity, f.kind) for f in by_donor] == [
        ("red", "association"),
        ("amber", "nesting"),
    ]


def test_replacing_types_cannot_be_told_apart_and_this_is_said():
    drawn = simulate(SCENARIOS["replacing"], seed=2)
    found = check_design(
        column("batch", drawn.batch),
        [],
        label=column("type", drawn.cell_type),
        embedding=principal_components(drawn.counts),
    )
    assert [f.severity for f in found] == ["amber", "amber"]
    assert all("one type or two" in f.sentence for f in found)


def test_a_single_batch_is_red_and_missing_values_are_counted():
    one = Factor(name="run", codes=np.array([0] * 50 + [-1] * 3), levels=("only",))
    found = check_design(one, [])
    assert [(f.kind, f.severity) for f in found] == [("one_batch", "red"), ("missing", "amber")]
    assert found[1].details["cells"] == 3


def test_a_label_that_is_the_batch_is_not_judged():
    batch = column("run", np.repeat(["a", "b"], 40))
    assert check_design(batch, [batch], label=batch) == []


def test_labels_without_embedding_are_still_named():
    label = column("type", np.repeat(["x", "y", "z"], [40, 40, 40]))
    batch = column("run", np.repeat(["a", "b"], 60))
    found = [f for f in check_design(batch, [], label=label) if f.kind == "exclusive"]
    assert {f.details["label"] for f in found} == {"x", "z"}
    assert all("over-correction" in f.sentence for f in found)


def test_what_one_batch_tells_apart_is_not_called_inseparable():
    batch = np.repeat(["pure a", "pure b", "half"], 100)
    line = np.repeat(["a", "b", "a"], 100)
    line[250:] = "b"
    (found,) = check_design(column("lane", batch), [column("line", line)])
    assert (found.severity, found.kind) == ("amber", "association")
    assert "only “half” tells the two apart" in found.sentence
    few = np.repeat(["a", "b", "a"], 100)
    few[290:] = "b"  # ten cells are no ground for a correction
    found, *_ = check_design(column("lane", batch), [column("line", few)])
    assert found.severity == "red"
    assert "nothing in these data can separate the two" in found.sentence
