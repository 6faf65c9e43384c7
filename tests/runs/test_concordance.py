"""What differs between settings by more than between seeds."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from harmony_core.errors import ParameterError
from harmony_core.method_catalog import METHODS
from harmony_core.methods.harmony import correct
from harmony_core.methods.integration import environment
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs import concordance
from harmony_core.runs.concordance import (
    Concordance,
    Difference,
    by_brisc,
    computed_concordance,
    seeds_and_releases,
)
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL


def _difference(
    name: str, *replaced: float, verdicts: tuple[str, ...] = ("Looks right",)
) -> Difference:
    return Difference(name=name, replaced=replaced, correlation=0.9, verdicts=verdicts)  # type: ignore[arg-type]


FOUND = Concordance(
    seeds=5,
    chance=_difference("seeds", 0.05, 0.06, 0.08),
    others=(
        _difference("as one", 0.11, 0.12, 0.13),
        _difference("alike", 0.06, 0.07, 0.08),
        _difference("other", 0.2, 0.24, 0.3, verdicts=("Over-corrected",)),
    ),
)


def test_only_more_than_the_most_of_two_seeds_is_beyond_chance() -> None:
    assert [FOUND.is_beyond_chance(one) for one in FOUND.others] == [True, False, True]
    assert FOUND.beyond_chance(FOUND.others[0]) == pytest.approx(0.5)
    assert FOUND.beyond_chance(_difference("none", 0.0, 0.0, 0.0)) == 0
    assert FOUND.beyond_chance(_difference("less", 0.0, 0.03, 0.04)) == 0


def test_what_is_said() -> None:
    start, one, alike, other = FOUND.sentences
    assert "6 % of each cell's 30 nearest neighbours are others (5 % to 8 %)" in start
    assert one.startswith("as one: 12 %, of which 50 % is more than two seeds make.")
    assert alike.startswith("alike: 7 %, no more than two seeds may differ by.")
    assert other.endswith("Its verdict is another: “over-corrected”, with the seeds “looks right”.")
    assert repr(FOUND) == "\n".join(FOUND.sentences)


def test_the_numbers_are_those_of_the_runs(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concordance, "installed", lambda method: None)
    apart = replace(SMALL, harmony=replace(SMALL.harmony, theta=(0.0,)))
    found = computed_concordance(dataset, SMALL, {"no penalty": apart})
    seeds, others = seeds_and_releases(SMALL)
    assert [one.name for one in found.others] == [*others, "no penalty"]
    assert found.seeds == len(seeds) == 5

    def neighbors(run: RunParams) -> list[set[int]]:
        stage = RunResults(dataset, run).stage("neighbors_after")
        assert stage is not None
        return [set(row[:30].tolist()) for row in stage.arrays["indices"]]

    def replaced(one: list[set[int]], other: list[set[int]]) -> float:
        return float(np.mean([len(a - b) / 30 for a, b in zip(one, other, strict=True)]))

    near = [neighbors(run) for run in seeds]
    between = [replaced(*pair) for pair in combinations(near, 2)]
    assert found.chance.replaced == pytest.approx((min(between), np.mean(between), max(between)))
    to_other = [replaced(each, neighbors(apart)) for each in near]
    assert found.others[-1].replaced[1] == pytest.approx(np.mean(to_other))

    def corrected(run: RunParams) -> np.ndarray:
        results = RunResults(dataset, run)
        before = results.embedding("before")
        assert before is not None
        batch = dataset.obs["batch"].to_numpy()[results.cells]
        return correct(np.asarray(before), [batch], run.harmony).embedding

    lowest = [
        min(
            np.corrcoef(a, b)[0, 1]
            for a, b in zip(corrected(run).T, corrected(apart).T, strict=True)
        )
        for run in seeds
    ]
    assert found.others[-1].correlation == pytest.approx(np.mean(lowest), abs=1e-5)


def test_brisc_is_given_the_same_settings_where_it_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concordance, "installed", lambda method: "0.2.3")
    params = RunParams(harmony=HarmonyParams(batch=("a",), theta=(4.0,), sigma=0.2, seed=3))
    run = seeds_and_releases(params)[1][METHODS["brisc"].title]
    assert run.method is not None
    assert dict(run.method.settings) == {"theta": 4.0, "sigma": 0.2, "seed": 3}
    several = HarmonyParams(batch=("a", "b"))
    assert by_brisc(replace(params, harmony=several)) is None
    assert by_brisc(replace(params, harmony=replace(params.harmony, lamb=1.0))) is None
    assert by_brisc(replace(params, harmony=replace(params.harmony, max_iter=0))) is None


def test_another_program_that_fails_is_left_out(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concordance, "installed", lambda method: "0.2.3")
    monkeypatch.setenv(environment.VARIABLE, "/nowhere/python")
    found = computed_concordance(dataset, SMALL)
    assert all("brisc" not in one.name for one in found.others)
    assert found.others


def test_what_is_not_by_harmony_has_no_seeds(dataset: Dataset) -> None:
    with pytest.raises(ParameterError, match="by Harmony only"):
        computed_concordance(dataset, RunParams(harmony=SMALL.harmony, precomputed="X_other"))
