"""Composition of neighbourhoods, stability over seeds, and the choice of tool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harmony_core.figures.screen.heatmaps import composition_heatmap, soft_cluster_heatmap
from harmony_core.figures.screen.settings_map import Setting, settings_map
from harmony_core.metrics.composition import neighbor_composition
from harmony_core.verdict.alternatives import DataFacts, right_tool
from harmony_core.verdict.evidence import Evidence
from harmony_core.verdict.stability import compare, with_seeds
from harmony_core.verdict.verdict import Verdict
from tests.conftest import SMALL

HARMONY_FITS = DataFacts(
    batch_variable="donor", n_cells=5_000, n_batches=2, has_counts=True, tied_to="",
    nothing_to_correct=False, exclusive=0, labels=6, mcm=0.9, theta=2.0,
)  # fmt: skip


def test_composition_equals_a_crosstab() -> None:
    rng = np.random.default_rng(0)
    near = rng.integers(0, 200, (200, 40))
    groups, kinds = rng.integers(-1, 4, 200), rng.integers(-1, 3, 200)
    pairs = pd.DataFrame({"group": np.repeat(groups, 30), "kind": kinds[near[:, :30]].ravel()})
    pairs = pairs[(pairs["group"] >= 0) & (pairs["kind"] >= 0)]
    expected = pd.crosstab(pairs["group"], pairs["kind"], normalize="index")
    np.testing.assert_allclose(neighbor_composition(near, groups, kinds), expected)


def test_a_group_without_known_neighbours_has_no_composition() -> None:
    near = np.array([[1], [0], [3], [2]])
    found = neighbor_composition(near, np.array([0, 0, 1, 1]), np.array([0, 0, -1, -1]))
    assert found[0].tolist() == [1]
    assert np.isnan(found[1]).all()


def _verdict(kind: str, *scores: float) -> Verdict:
    rows = tuple(
        Evidence(
            kind="pre-cluster", name=f"c{i}", batch_variable="b", batch="x", merged_with="",
            share=1.0, score=score, genes=(), cells=30, cluster=i,
        )
        for i, score in enumerate(scores)
    )  # fmt: skip
    return Verdict(severity="amber", kind=kind, sentences=("s",), evidence=rows)  # type: ignore[arg-type]


def test_stability_counts_seeds_and_spans_scores() -> None:
    verdicts = [_verdict("suspect", 1.2, 1.5), _verdict("suspect", 1.1), _verdict("good")]
    numbers = [{"b": {"mcm": v, "gap": None}} for v in (0.9, 0.7, 0.8)]
    found = compare(verdicts, numbers)
    assert found.kinds == (("suspect", 2), ("good", 1))
    assert [(row.name, row.seeds, row.lowest, row.highest) for row in found.rows] == [
        ("c0", 2, 1.1, 1.2),
        ("c1", 1, 1.5, 1.5),
    ]
    assert found.metrics == {"b": {"mcm": (0.7, 0.9)}}


def test_seeds_follow_the_runs_own() -> None:
    assert [run.harmony.seed for run in with_seeds(SMALL)] == [0, 1, 2, 3, 4]
    assert with_seeds(SMALL)[0] == SMALL


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, {"Harmony": "yes", "scVI": "no", "BBKNN": "consider", "Seurat’s CCA anchors": "no"}),
        ({"tied_to": "type"}, {"Harmony": "no"}),
        ({"nothing_to_correct": True}, {"Harmony": "no"}),
        ({"n_cells": 200_000}, {"Harmony": "yes", "scVI": "consider"}),
        ({"n_cells": 200_000, "has_counts": False}, {"scVI": "no"}),
        ({"n_batches": 12}, {"scVI": "consider"}),
        ({"exclusive": 3}, {"BBKNN": "no", "Seurat’s CCA anchors": "no"}),
        ({"mcm": 0.2}, {"Harmony": "consider", "Seurat’s CCA anchors": "consider"}),
        ({"mcm": None, "labels": 0}, {"Harmony": "consider"}),
    ],
)
def test_the_tool_follows_from_the_data(change: dict[str, object], fits: dict[str, str]) -> None:
    found = {tool.name: tool.fit for tool in right_tool(replace(HARMONY_FITS, **change))}  # type: ignore[arg-type]
    assert {name: found[name] for name in fits} == fits
    if change.keys() & {"tied_to", "nothing_to_correct"}:
        assert list(found) == ["Harmony"]


def test_the_map_marks_what_is_suggested_costly_and_on_screen() -> None:
    points = [
        Setting(theta=t, sigma=s, mixing=m, loss=r, costly=r > 0.7)
        for t, s, m, r in [(1, 0.1, 0.5, 0.1), (2, 0.1, 0.8, 0.6), (2, 0.2, 0.9, 1.4)]
    ]
    figure = settings_map(points, current=points[0], best=points[1])
    assert [trace.name for trace in figure.data] == ["sigma 0.1", "sigma 0.2", "on screen"]
    assert list(figure.data[0].marker.symbol) == ["circle", "star"]
    assert list(figure.data[1].marker.symbol) == ["x"]
    assert figure.data[2].x == (0.1,)


def test_soft_clusters_show_the_log_of_observed_over_expected() -> None:
    figure = soft_cluster_heatmap(
        np.array([[3.5, 0.5], [9.5, 9.5]]), np.array([[1.5, 2.5], [9.5, 9.5]]), ["a", "<b>"]
    )
    np.testing.assert_allclose(figure.data[0].z, [[0, 1], [0, np.log2(1 / 3)]], atol=1e-12)
    assert figure.data[0].y[1] == "&lt;b&gt;"


def test_composition_is_drawn_row_by_row() -> None:
    share = np.array([[0.2, 0.8], [1.0, 0.0]])
    figure = composition_heatmap(share, ["r1", "r2"], ["k1", "k2"])
    np.testing.assert_array_equal(figure.data[0].z, share)
    assert list(figure.data[0].y) == ["r1", "r2"]
