"""The design of a run: what its batch variables mean for its data, before it runs and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harmony_core.categories import Factor, categorical_columns
from harmony_core.design.choice import Design, design_of
from harmony_core.inspect.candidates import variance_explained
from harmony_core.params import MARKER_LABEL
from harmony_core.runs.results import RunResults


def design_of_run(results: RunResults, columns: Sequence[Factor] | None = None) -> Design:
    """Say what is to be known of a run's batch variables.

    Parameters
    ----------
    results
        The run; until it is prepared, all cells count, and no cell type has a distance.
    columns
        The data's columns of few levels, if they are known already.
    """
    dataset, params = results.dataset, results.params
    obs, info, cells = dataset.obs, dataset.info, results.cells
    if columns is None:
        columns = categorical_columns(obs, without=info.own_columns)
    embedding = results.embedding("before")
    if embedding is None or cells is None:
        explained = {c.name: c.explained for c in info.candidates if c.explained is not None}
    else:
        kept = obs.iloc[cells]
        explained = {
            name: variance_explained(np.asarray(embedding), kept[name].astype(str))
            for name in params.harmony.batch
            if any(c.name == name for c in info.candidates)
        }
    return design_of(
        [Factor.of(name, obs[name]) for name in params.harmony.batch],
        columns,
        info.candidates,
        label=_label(results),
        condition=params.condition,
        explained=explained,
        cells=cells,
        embedding=None if embedding is None else np.asarray(embedding),
    )


def _label(results: RunResults) -> Factor | None:
    """Return the label of every cell; -1 for those without one, or where it is not made yet."""
    name, obs = results.params.label, results.dataset.obs
    if results.params.panel is None:
        return None if name is None else Factor.of(name, obs[name])
    if results.obs is None:
        return None
    made = Factor.of(MARKER_LABEL, results.obs[MARKER_LABEL])
    codes = np.full(len(obs), -1, dtype=made.codes.dtype)
    codes[results.cells] = made.codes
    return Factor(made.name, codes, made.levels)
