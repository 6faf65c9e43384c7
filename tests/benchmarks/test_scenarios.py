"""The scenarios that the benchmark draws."""

from __future__ import annotations

import numpy as np

from benchmarks.scenarios import SCENARIOS, random_scenario


def test_random_scenarios_are_valid_varied_and_keep_the_null_null():
    drawn = [random_scenario(np.random.default_rng(i)) for i in range(60)]
    assert {s.name for s in drawn} == set(SCENARIOS)
    null = [s for s in drawn if s.name == "no_batch_effect"]
    assert {s.common_effect + s.specific_effect for s in null} == {0.0}
    assert len({s.n_cells for s in drawn}) > 30
