"""Figures of the Data page: what they show, and that names stay text."""

from __future__ import annotations

import html

import numpy as np

from harmony_core.categories import Factor
from harmony_core.figures.screen.heatmaps import MOST_LEVELS, design_heatmap, risk_heatmap
from harmony_core.figures.screen.preparation_charts import gene_overlap, scree

HTML = "<b>x</b>"


def test_the_design_shows_shares_of_each_batch() -> None:
    batch = Factor.of(HTML, np.array(["a", "a", "a", "b"]))
    other = Factor.of("type", np.array([HTML, HTML, "T", "T"]))
    heat = design_heatmap(batch, other).data[0]
    np.testing.assert_allclose(heat.z, [[200 / 3, 100 / 3], [0, 100]])
    np.testing.assert_array_equal(heat.customdata, [[2, 1], [0, 1]])
    assert list(heat.x) == ["&lt;b&gt;x&lt;/b&gt;", "T"]


def test_of_many_levels_the_largest_are_drawn() -> None:
    codes = np.repeat(np.arange(60), np.arange(1, 61))
    many = Factor("many", codes, tuple(str(i) for i in range(60)))
    two = Factor("two", codes % 2, ("even", "odd"))
    drawn = design_heatmap(many, two).data[0]
    assert list(drawn.y) == [str(i) for i in range(60 - MOST_LEVELS, 60)]


def test_components_and_genes() -> None:
    line = scree(np.array([0.2, 0.1])).data[0]
    np.testing.assert_allclose(line.y, [20, 10])
    np.testing.assert_allclose(line.customdata, [20, 30])
    assert list(gene_overlap(np.array([5, 2, 1])).data[0].x) == [1, 2, 3]


def test_risks_are_drawn_by_state_and_theta_and_the_unknown_stays_empty() -> None:
    fraction = np.array([[0.4, np.nan], [0.0, 0.1]])
    figure = risk_heatmap(fraction, [HTML, "T"], ["2", "8"])
    heat = figure.data[0]
    np.testing.assert_array_equal(heat.z, fraction)
    assert list(heat.y) == ["&lt;b&gt;x&lt;/b&gt;", "T"]
    assert figure.layout.xaxis.type == "category"
    assert (heat.zmin, heat.zmax) == (0, 0.4)
    # Small risks must not fill the scale.
    assert risk_heatmap(fraction[1:], ["T"], ["2", "8"]).data[0].zmax == 0.3
    assert risk_heatmap(np.full((1, 1), np.nan), ["T"], ["2"]).data[0].zmax == 0.3


def test_names_that_begin_alike_keep_rows_of_their_own() -> None:
    start = "<CD4>-positive, alpha-beta memory T cell of "
    middle = f"{start}{'x' * 40}1{'y' * 40}", f"{start}{'x' * 40}2{'y' * 40}"
    names = [f"{start}blood", f"{start}lung", *middle, "T", "T"]
    rows = list(risk_heatmap(np.zeros((6, 1)), names, ["2"]).data[0].y)
    assert len(set(rows)) == 6
    assert rows[0].startswith("&lt;CD4&gt;-positive")
    assert [row[-5:] for row in rows[:2]] == ["blood", " lung"]
    assert rows[4:] == ["T", "T (2)"]
    assert all(len(html.unescape(row)) <= 44 for row in rows)
