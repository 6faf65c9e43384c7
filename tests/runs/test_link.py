"""Links: settings survive the address bar, and nothing in an address can do harm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmony_core.params import ClusterParams, LayoutParams, PrepareParams, RunParams
from harmony_core.runs.link import from_parameters, to_parameters
from harmony_core.store import Dataset
from tests.conftest import SMALL

CHANGED = (
    replace(SMALL, harmony=replace(SMALL.harmony, theta=(4.0,), sigma=0.05, nclust=12, lamb=1.0)),
    replace(
        SMALL,
        harmony=replace(
            SMALL.harmony,
            lamb=1.0,
            theta_of=(("batch", "A", 3.0),),
            lamb_of=(("batch", "B", 4.0),),
            batch_prop_cutoff=0.0,
            nclust=2,
            sigma_of=(0.1, 0.2),
        ),
    ),
    replace(SMALL, label=None, condition=True),
    replace(SMALL, prepare=replace(SMALL.prepare, max_mito=5.0)),
    replace(SMALL, layout=LayoutParams(min_dist=0.9, spread=2.0)),
    replace(SMALL, clusters=ClusterParams(shown=0.8, flavor="leidenalg")),
    replace(SMALL, prepare=PrepareParams(min_genes=7000, max_genes=9000)),
)


@pytest.mark.parametrize("params", CHANGED)
def test_settings_come_back(dataset: Dataset, params: RunParams) -> None:
    found, problems = from_parameters(to_parameters(params, SMALL), dataset, SMALL)
    assert found == params
    assert found.to_dict() == params.to_dict()  # 2 and 2.0 are equal, but have other keys
    assert problems == ()


def test_only_what_differs_is_told() -> None:
    assert to_parameters(SMALL, SMALL) == {"batch": ["batch"]}
    assert to_parameters(CHANGED[0], SMALL) == {
        "batch": ["batch"],
        "theta": ["4.0"],
        "sigma": ["0.05"],
        "nclust": ["12"],
        "lamb": ["1.0"],
    }


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("theta", "1000", "must lie between"),
        ("sigma", "wide", "must be a number"),
        ("sigma", "NaN", "must be a number"),
        ("nclust", "1.5e1", "whole number"),
        ("nclust", "[3]", "must be a number"),
        ("seed", "9" * 400, "must be a number"),
        ("clusters.shown", "0.77", "not among those computed"),
        ("clusters.flavor", "louvain", "available"),
        ("condition", "3", "true or false"),
        ("label", "nowhere", "no column"),
        ("prepare.basis", "X_tsne", "no embedding"),
        ("batch", "nowhere", "nowhere"),
        ("layout.min_dist", "0.9", "spread"),
        ("kappa", "1", "no setting"),
        ("theta_of", '["batch", "nowhere", 3]', "a batch that no cell is of"),
        ("theta_of", '["donor", "d1", 3]', "no batch variable of this run"),
        ("theta_of", "[[[", "a batch variable, a batch and a number"),
        ("theta_of", '["batch"]', "a batch variable, a batch and a number"),
        ("sigma_of", "0.1", "for an automatic number of soft clusters"),
        ("clusters.resolutions", "0.1", "no setting"),
    ],
)
def test_what_can_not_be_used_is_left_out_with_a_sentence(
    dataset: Dataset, name: str, text: str, sentence: str
) -> None:
    start = replace(SMALL, layout=LayoutParams(spread=0.5))
    found, problems = from_parameters({name: [text], "tau": ["3"]}, dataset, start)
    assert found == replace(start, harmony=replace(start.harmony, tau=3.0))
    assert len(problems) == 1
    assert sentence in problems[0]


def test_values_of_batches_that_data_come_with_can_be_taken_away_by_a_link(
    dataset: Dataset,
) -> None:
    start = next(params for params in CHANGED if params.harmony.theta_of)
    plain = replace(start, harmony=replace(start.harmony, theta_of=(), lamb_of=(), sigma_of=()))
    assert from_parameters(to_parameters(plain, start), dataset, start) == (plain, ())


def test_a_link_that_is_too_long_to_be_one_is_refused_at_once(dataset: Dataset) -> None:
    found, problems = from_parameters({"batch": ["name"] * 60_000}, dataset, SMALL)
    assert found == SMALL
    assert len(problems) == 1
    assert "too long" in problems[0]


_NAMES = st.sampled_from(
    [
        "theta_of",
        "sigma_of",
        "theta",
        "nclust",
        "lamb",
        "condition",
        "layout.seed",
        "clusters.shown",
    ]
)
_TEXTS = st.lists(st.text(max_size=12) | st.from_regex(r"-?[0-9.eE\[\]{}\"]{1,8}"), min_size=1)


@given(st.dictionaries(_NAMES | st.text(max_size=8), _TEXTS, max_size=4))
def test_any_address_gives_settings(dataset: Dataset, address: dict[str, list[str]]) -> None:
    found, problems = from_parameters(address, dataset, SMALL)
    assert RunParams.from_dict(found.to_dict()) == found
    assert all(isinstance(sentence, str) for sentence in problems)
