"""Advice on which variables to correct: each sentence where it is true, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harmony_core.categories import Factor
from harmony_core.design.variables import advise
from harmony_core.inspect.candidates import rank_batch_columns

N = 400
RNG = np.random.default_rng(0)
STUDY = np.repeat(["s1", "s2"], N // 2)
OBS = pd.DataFrame(
    {
        "study": STUDY,
        "donor": [f"{s}-{i % 3}" for i, s in enumerate(STUDY)],
        "stim": RNG.choice(["ctrl", "ifn"], N),
        "disease": np.where(STUDY == "s1", "ill", "well"),
        "cell_type": RNG.choice(["T", "B"], N),
    }
)


def said(*batch: str, obs: pd.DataFrame = OBS, **options: Any) -> str:
    columns = {name: Factor.of(name, obs[name]) for name in obs}
    found = advise(
        [columns[b] for b in batch],
        rank_batch_columns(obs),
        list(columns.values()),
        label="cell_type",
        **options,
    )
    assert all(f.kind == "advice" for f in found)
    return " ".join(f.sentence for f in found)


def test_what_goes_and_what_stays() -> None:
    text = said("donor")
    assert "levels of “donor” are removed" in text
    assert "“cell_type”, “stim” are meant to stay" in text
    assert "disease" not in text  # each donor has one: it goes with the donors
    assert "condition" not in text


def test_a_condition_has_a_technical_alternative_unless_that_is_tied_to_it() -> None:
    assert "correct “study” instead" in said("stim")
    assert "but it goes with “disease”" in said("disease")
    assert "looks like a condition" in said("study", condition=True)
    assert "looks like a condition" not in said("study")


def test_whether_a_condition_is_judged_as_one_is_said() -> None:
    assert "The verdict takes it for a condition" in said("stim", condition=True)
    assert "The verdict does not take it for one" in said("stim")
    assert "The verdict does not take it for one" in said("donor", "stim")
    assert "The verdict" not in said("donor", "study")


def test_cell_types_are_no_batch_variable() -> None:
    assert "looks like cell types: correcting it removes" in said("cell_type")
    assert "looks like cell types" not in said("donor", "stim")


def test_nesting_of_several_variables() -> None:
    text = said("study", "donor")
    assert "correcting “donor” alone removes both" in text
    assert "the pushes add up" in text
    twice = OBS.assign(lab=OBS["study"].map({"s1": "x", "s2": "y"}))
    assert "divide the cells alike" in said("study", "lab", obs=twice)
    crossed = said("donor", "stim")
    assert "alike" not in crossed
    assert "push twice" not in crossed


def test_a_finer_division_is_pointed_out() -> None:
    assert "“donor” divides each level of “study” further" in said("study")
    assert "further" not in said("donor")


@pytest.mark.parametrize(("share", "expected"), [(0.004, True), (0.2, False)])
def test_little_variance_is_said(share: float, expected: bool) -> None:
    assert ("little to correct" in said("donor", explained={"donor": share})) is expected
