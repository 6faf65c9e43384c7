"""The scenarios that the benchmark draws its designs from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from harmony_core.simulate import Scenario

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        s.name: s
        for s in (
            Scenario(name="no_batch_effect", common_effect=0.0, specific_effect=0.0),
            Scenario(name="common", specific_effect=0.0),
            Scenario(name="type_specific", common_effect=0.15, specific_effect=0.15),
            Scenario(name="uneven_sizes", batch_sizes=(0.85, 0.15)),
            Scenario(name="exclusive_with_sibling", presence="exclusive_sibling"),
            Scenario(name="exclusive_alone", presence="exclusive_alone"),
            Scenario(
                name="three_batches",
                n_cells=2400,
                batch_sizes=(0.45, 0.35, 0.2),
                presence="exclusive_sibling",
            ),
            Scenario(name="confounded", presence="confounded"),
            Scenario(name="replacing", presence="replacing"),
        )
    }
)
"""The benchmark's scenarios, by name."""


def random_scenario(rng: np.random.Generator) -> Scenario:
    """Draw a scenario: one of `SCENARIOS`, with its strengths and sizes drawn around it."""
    base = SCENARIOS[str(rng.choice(list(SCENARIOS)))]
    sizes = np.asarray(base.batch_sizes) * rng.uniform(0.7, 1.3, len(base.batch_sizes))
    return dataclasses.replace(
        base,
        n_cells=int(base.n_cells * rng.uniform(0.8, 1.2)),
        n_types=int(rng.integers(5, 9)),
        n_sibling_pairs=int(rng.integers(1, 3)),
        batch_sizes=tuple(float(s) for s in sizes / sizes.sum()),
        exclusive_batch=int(rng.integers(len(sizes))),
        common_effect=base.common_effect * float(rng.uniform(0.5, 2.0)),
        specific_effect=base.specific_effect * float(rng.uniform(0.5, 1.6)),
        sibling_strength=float(rng.uniform(1.15, 1.75)),
        type_strength=float(rng.uniform(1.0, 1.4)),
        composition_spread=float(rng.uniform(0.0, 0.5)),
    )
