"""Settings: what is refused, and that equal settings are one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from harmony_core.errors import ParameterError
from harmony_core.params import (
    ClusterParams,
    GraphParams,
    HarmonyParams,
    LayoutParams,
    PrepareParams,
    RunParams,
)


def test_json_and_back() -> None:
    run = RunParams(
        harmony=HarmonyParams(batch=("a", "b"), theta=(1.0, 2.0), nclust=7),
        prepare=PrepareParams(basis="X_pca"),
        clusters=ClusterParams(shown=0.8),
        label="type",
    )
    assert RunParams.from_dict(run.to_dict()) == run


def test_settings_that_came_later_are_written_only_where_they_are_set() -> None:
    """Else runs from before them would have other names."""
    later = {"penalties_as_r", "batch_prop_cutoff", "theta_of", "lamb_of", "sigma_of"}
    usual = HarmonyParams(batch=("a",))
    assert later.isdisjoint(usual.to_dict())
    assert later < set(usual.to_dict(whole=True))
    run = RunParams(
        harmony=HarmonyParams(
            batch=("a", "b"),
            penalties_as_r=True,
            lamb=1.0,
            nclust=2,
            batch_prop_cutoff=0,
            theta_of=(("a", "x", 3),),
            lamb_of=(("a", "y", 4),),
            sigma_of=(0.1, 0.2),
        )
    )
    assert later < set(run.to_dict()["harmony"])
    assert RunParams.from_dict(json.loads(json.dumps(run.to_dict()))) == run


def test_values_of_batches_that_change_nothing_make_no_other_run() -> None:
    rows = (("a", "y", 3), ("a", "x", 2), ("b", "z", 1.0))
    given = HarmonyParams(batch=("b", "a"), theta=(1, 2), theta_of=rows)
    assert given.theta_of == (("a", "y", 3.0),)
    assert given.theta_of_levels("a", ["x", "y"]) == (2.0, 3.0)
    assert given.largest_theta == 3.0
    again = HarmonyParams(batch=("b", "a"), theta=(1, 2), theta_of=rows[::-1])
    assert json.dumps(given.to_dict()) == json.dumps(again.to_dict())


def test_penalties_of_a_single_variable_are_as_in_r_anyway() -> None:
    assert HarmonyParams(batch=("a",), penalties_as_r=True) == HarmonyParams(batch=("a",))
    assert HarmonyParams(batch=("a", "b"), penalties_as_r=True).theta_divisor == 2
    with pytest.raises(ParameterError, match="true or false"):
        HarmonyParams(batch=("a", "b"), penalties_as_r=1)  # type: ignore[arg-type]


def test_other_batch_variables_keep_what_is_set_for_those_that_stay() -> None:
    rows = (("a", "x", 3.0), ("b", "y", 4.0))
    now = HarmonyParams(batch=("a", "b"), theta=(1, 6), theta_of=rows, lamb=1, lamb_of=rows)
    other = now.for_batch("c", "b")
    assert (other.batch, other.theta) == (("c", "b"), (2.0, 6.0))
    assert other.theta_of == other.lamb_of == rows[1:]


def test_one_theta_serves_all_variables() -> None:
    assert HarmonyParams(batch=("a", "b"), theta=(2,)) == HarmonyParams(batch=("a", "b"))


@pytest.mark.parametrize(
    ("group", "values"),
    [
        (HarmonyParams, {"batch": ("a",), "theta": (1,), "tau": 1, "lamb": 1, "alpha": 1}),
        (PrepareParams, {"max_mito": 15}),
        (LayoutParams, {"min_dist": 0, "spread": 1}),
        (ClusterParams, {"resolutions": (1, 2), "shown": 1}),
    ],
)
def test_whole_numbers_and_floats_are_one_setting(group: type[Any], values: dict[str, Any]) -> None:
    def as_float(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(as_float(v) for v in value)
        return float(value) if isinstance(value, int) else value

    whole, floats = group(**values), group(**{k: as_float(v) for k, v in values.items()})
    assert json.dumps(whole.to_dict()) == json.dumps(floats.to_dict())


@pytest.mark.parametrize(
    ("group", "values", "sentence"),
    [
        (HarmonyParams, {"batch": ()}, "at least one batch variable"),
        (HarmonyParams, {"batch": ("a", "a")}, "given twice"),
        (HarmonyParams, {"batch": ("a",), "theta": (1.0, 2.0)}, "2 values of theta for 1"),
        (HarmonyParams, {"batch": ("a",), "theta": (-1.0,)}, "theta is -1; it must lie between"),
        (HarmonyParams, {"batch": ("a",), "sigma": 0.0}, "sigma is 0; it must lie between"),
        (HarmonyParams, {"batch": ("a",), "sigma": float("nan")}, "sigma must be a number"),
        (HarmonyParams, {"batch": ("a",), "nclust": 1}, "nclust is 1; it must lie between 2"),
        (HarmonyParams, {"batch": ("a",), "nclust": 7.5}, "whole number"),
        (HarmonyParams, {"batch": ("a",), "block_size": 2.0}, "block_size is 2"),
        (HarmonyParams, {"batch": ("a",), "lamb": -1.0}, "lamb is -1"),
        (
            HarmonyParams,
            {"batch": ("a",), "theta_of": (("b", "x", 1),)},
            "no batch variable of this",
        ),
        (HarmonyParams, {"batch": ("a",), "theta_of": (("a", "x", 101),)}, "theta_of is 101"),
        (HarmonyParams, {"batch": ("a",), "theta_of": ("a", "x", 1)}, "for each batch meant"),
        (HarmonyParams, {"batch": ("a",), "theta_of": (("a", 1, 1),)}, "for each batch meant"),
        (HarmonyParams, {"batch": ("a",), "theta_of": 3}, "for each batch meant"),
        (HarmonyParams, {"batch": ("a",), "theta_of": (("a", "x", 1),) * 2}, "'x' of 'a' twice"),
        (HarmonyParams, {"batch": ("a",), "lamb_of": (("a", "x", 1),)}, "set lamb, or leave"),
        (HarmonyParams, {"batch": ("a",), "sigma_of": (0.1, 0.2)}, "for an automatic number"),
        (HarmonyParams, {"batch": ("a",), "sigma_of": (0.1,), "nclust": 2}, "1 values of sigma_of"),
        (HarmonyParams, {"batch": ("a",), "sigma_of": (0.1, 2), "nclust": 2}, "sigma_of is 2"),
        (HarmonyParams, {"batch": ("a",), "batch_prop_cutoff": 0.5}, "batch_prop_cutoff is 0.5"),
        (PrepareParams, {"min_genes": 900, "max_genes": 800}, "no cell would be kept"),
        (GraphParams, {"n_neighbors": 2}, "n_neighbors is 2"),
        (LayoutParams, {"min_dist": 0.9, "spread": 0.5}, "above spread"),
        (ClusterParams, {"shown": 0.4}, "not among those computed"),
        (ClusterParams, {"shown": "high"}, "resolution must be a number"),
        (LayoutParams, {"seed": 1.5}, "seed must be a whole number"),
        (ClusterParams, {"flavor": "louvain"}, "available: igraph, leidenalg"),
    ],
)
def test_refused_by_name(group: type[Any], values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        group(**values)


def test_unknown_settings_are_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="'thetta'"):
        HarmonyParams.from_dict({"batch": ["a"], "thetta": 1})


def test_a_label_cannot_be_the_batch_variable() -> None:
    with pytest.raises(ParameterError, match="both as batch variable and as label"):
        RunParams(harmony=HarmonyParams(batch=("a",)), label="a")


def test_numbers_of_numpy_are_numbers() -> None:
    found = HarmonyParams(
        batch=["a", "b"],  # type: ignore[arg-type]
        theta=np.array([2, 1]),  # type: ignore[arg-type]
        nclust=np.int64(20),  # type: ignore[arg-type]
        sigma=np.float32(0.5),  # type: ignore[arg-type]
    )
    assert found == HarmonyParams(batch=("a", "b"), theta=(2.0, 1.0), nclust=20, sigma=0.5)
    assert HarmonyParams(batch=("a",), theta=np.int64(3)).theta == (3.0,)  # type: ignore[arg-type]
    assert json.loads(json.dumps(found.to_dict()))["nclust"] == 20
    prepared = PrepareParams(n_pcs=np.int64(10), scale=np.bool_(True))  # type: ignore[arg-type]
    assert prepared == PrepareParams(n_pcs=10, scale=True)
    assert GraphParams(n_neighbors=np.uint8(9)) == GraphParams(n_neighbors=9)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="nclust must be a whole number"):
        HarmonyParams(batch=("a",), nclust=np.float64(20.5))  # type: ignore[arg-type]
