"""Marker genes of chosen cells: the numbers, what is refused, and that each is computed once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, mannwhitneyu

from harmony_core.errors import Cancelled, DataError
from harmony_core.runs import selected_markers
from harmony_core.runs.pipeline import Pipeline
from harmony_core.store import Dataset
from tests.conftest import SMALL


@pytest.fixture
def chosen(dataset: Dataset) -> NDArray[np.bool_]:
    """The cells of one type."""
    cells = Pipeline(dataset, SMALL).cells
    types = dataset.obs["true_type"].iloc[cells].astype(str)
    return np.asarray(types == types.iloc[0])


def test_every_number_is_scipys(
    dataset: Dataset, chosen: NDArray[np.bool_], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selected_markers, "_GENES_AT_A_TIME", 70)
    expression = Pipeline(dataset, SMALL).context.expression
    assert expression is not None
    found = selected_markers.selected_markers(expression, chosen)
    values = expression.by_gene.toarray()
    test = mannwhitneyu(values[chosen], values[~chosen], use_continuity=False, method="asymptotic")
    p_values = false_discovery_control(np.nan_to_num(test.pvalue, nan=1.0))
    where = [expression.symbols.tolist().index(symbol) for symbol in found.symbols]
    assert 0 < len(where) <= selected_markers.N_GENES
    # scanpy, unlike scipy, does not correct the variance for ties, so p may only be larger.
    assert (found.p_adjusted >= p_values[where] * 0.999).all()
    assert found.p_adjusted[0] < 1e-6
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores > 0).all()
    for i, gene in enumerate(where):
        inside, outside = values[chosen, gene], values[~chosen, gene]
        assert found.inside[i] == pytest.approx((inside > 0).mean(), abs=1e-5)
        assert found.outside[i] == pytest.approx((outside > 0).mean(), abs=1e-5)
        change = np.log2((np.expm1(inside.mean()) + 1e-9) / (np.expm1(outside.mean()) + 1e-9))
        assert found.log2_fold_change[i] == pytest.approx(change, abs=1e-3)


def test_a_selections_markers_are_kept_by_its_cells_and_not_by_the_correction(
    dataset: Dataset, chosen: NDArray[np.bool_], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = selected_markers.key(dataset, SMALL, chosen)
    stronger = replace(SMALL, harmony=replace(SMALL.harmony, theta=(4.0,)))
    assert selected_markers.key(dataset, stronger, chosen) == name
    assert selected_markers.key(dataset, SMALL, ~chosen) != name
    shares: list[float] = []
    selected_markers.rank(Pipeline(dataset, SMALL), chosen, shares.append)
    assert shares[0] == 0
    monkeypatch.setattr(selected_markers, "selected_markers", None)
    selected_markers.rank(Pipeline(dataset, stronger), chosen, shares.append)
    found = selected_markers.stored(dataset, name)
    assert found is not None
    assert len(found.symbols) == len(found.scores) == len(found.outside)
    assert selected_markers.stored(dataset, selected_markers.key(dataset, SMALL, ~chosen)) is None


def test_a_cancel_between_genes_leaves_nothing_behind(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selected_markers, "_GENES_AT_A_TIME", 50)
    some = np.arange(len(Pipeline(dataset, SMALL).cells)) < 20

    def stop(share: float) -> None:
        if share > 0:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        selected_markers.rank(Pipeline(dataset, SMALL), some, stop)
    assert selected_markers.stored(dataset, selected_markers.key(dataset, SMALL, some)) is None


@pytest.mark.parametrize(
    ("n_chosen", "changes", "sentence"),
    [
        (2, {}, "Select at least 3 cells"),
        (398, {}, "leave at least 3 cells out"),
        (50, {"kind": "scaled"}, "Expression in this file is scaled"),
        (50, {"matrix": None}, "no expression"),
        (3, {}, ""),
    ],
)
def test_what_can_have_no_markers_is_refused_in_a_sentence(
    dataset: Dataset, n_chosen: int, changes: dict[str, Any], sentence: str
) -> None:
    given: Any = SimpleNamespace(
        symbols=dataset.symbols,
        matrix=changes.get("matrix", dataset.matrix),
        info=replace(dataset.info, kind=changes.get("kind", dataset.info.kind)),
    )
    why = selected_markers.why_not(given, np.arange(400) < n_chosen)
    assert sentence in why
    assert bool(why) == bool(sentence)


def test_the_worker_refuses_it_too(dataset: Dataset) -> None:
    pipeline = Pipeline(dataset, SMALL)
    with pytest.raises(DataError, match="at least 3 cells"):
        selected_markers.rank(pipeline, np.arange(len(pipeline.cells)) < 1, lambda share: None)
