"""The registry is in an order in which stages can be computed, and names each once."""

from __future__ import annotations

from dataclasses import replace

from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.stages.registry import ON_DEMAND, STAGES, stages_of
from harmony_core.runs.stages.stage import SETTINGS

PARAMS = RunParams(harmony=HarmonyParams(batch=("batch",)))


def test_each_stage_comes_after_what_it_needs() -> None:
    before: list[str] = []
    for name, stage in stages_of(PARAMS).items():
        assert {*stage.needs, *stage.keyed_by} - {SETTINGS} <= set(before)
        assert name == stage.name
        before.append(name)
    assert len(before) == len(STAGES) + len(ON_DEMAND)


def test_the_two_sides_of_a_stage_share_its_name_in_the_store() -> None:
    stages = stages_of(PARAMS)
    assert stages["lisi_before"].store_name == stages["lisi_after"].store_name == "lisi"
    assert stages["scib_before"].title == "Scoring the uncorrected data as scIB does"
    assert stages["neighbors_after"].needs == ("correct",)


def test_an_embedding_of_another_tool_takes_the_place_of_harmonys() -> None:
    stages = stages_of(replace(PARAMS, precomputed="X_scVI"))
    assert stages["correct"].store_name == "given"
    assert list(stages) == list(stages_of(PARAMS))
