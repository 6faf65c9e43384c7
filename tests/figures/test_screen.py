"""What figures show is checked in their data, not in their pixels."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from harmony_core.figures.screen.convergence import convergence_curve
from harmony_core.figures.screen.genes import gene_dots, gene_grid, violins_by_batch
from harmony_core.figures.screen.layouts import before_after, small_multiples
from harmony_core.figures.screen.preparation_charts import batch_bars, quality_violins
from harmony_core.figures.screen.style import LONGEST_NAME, label_text
from harmony_core.figures.summary import clip_limit, dots, sampled_cells
from harmony_core.palette import CATEGORICAL, MISSING

HOSTILE = "<a href='http://example.org'>CD3E</a>"


@pytest.fixture
def expression() -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {
        name: np.maximum(rng.normal(-0.3, 1, 300), 0).astype(np.float32)
        for name in ("CD3D", HOSTILE, "LYZ")
    }


def test_dots_equal_a_group_by(expression: dict[str, npt.NDArray[np.float32]]) -> None:
    codes = np.random.default_rng(1).integers(-1, 3, 300)
    found = dots(expression, codes, ("a", "b", "c"))
    table = pd.DataFrame(expression)[codes >= 0].groupby(codes[codes >= 0])
    np.testing.assert_allclose(found.mean, table.mean().T, rtol=1e-5)
    np.testing.assert_allclose(found.fraction, table.agg(lambda v: (v > 0).mean()).T, rtol=1e-12)
    assert found.relative.max(axis=1) == pytest.approx(1)


def test_an_empty_group_has_no_expression(
    expression: dict[str, npt.NDArray[np.float32]],
) -> None:
    found = dots(expression, np.zeros(300, dtype=int), ("all", "nobody"))
    assert found.fraction[:, 1].tolist() == [0, 0, 0]
    assert found.mean[:, 1].tolist() == [0, 0, 0]


def test_clipping_ends_at_the_99th_percentile_or_the_largest_of_a_rare_gene() -> None:
    values = np.arange(1000, dtype=np.float32)
    assert clip_limit(values) == 990
    rare = np.zeros(1000, dtype=np.float32)
    rare[3] = 2.5
    assert clip_limit(rare) == 2.5
    rare[4:14] = 2
    assert clip_limit(rare) == 2  # and not a hundredth of it, between two cells
    assert clip_limit(np.zeros(10, dtype=np.float32)) == 1


def test_sampled_cells_are_a_sorted_subset_and_the_same_twice() -> None:
    cells = sampled_cells(1000, 100)
    assert len(np.unique(cells)) == 100
    assert (np.diff(cells) > 0).all()
    np.testing.assert_array_equal(cells, sampled_cells(1000, 100))
    assert len(sampled_cells(50, 100)) == 50


def test_convergence_says_why_harmony_stopped() -> None:
    figure = convergence_curve([10.0, 8.0, 7.5], "converged")
    assert list(figure.data[0].y) == [10.0, 8.0, 7.5]
    assert figure.layout.title.text == "2 iterations, converged"


def test_gene_dots_carries_shares_and_means(
    expression: dict[str, npt.NDArray[np.float32]],
) -> None:
    codes = np.arange(300) % 2
    figure = gene_dots(expression, codes, ("0", "1"), sections={"T cells": ("CD3D",)})
    trace = figure.data[0]
    expected = [
        [100 * (v[codes == g] > 0).mean(), v[codes == g].mean()]
        for v in expression.values()
        for g in (0, 1)
    ]
    np.testing.assert_allclose(trace.customdata, expected, rtol=1e-5)
    assert [a.text for a in figure.layout.annotations] == ["T cells"]
    assert figure.layout.xaxis.type == "category"  # clusters "0", "1" are names, not numbers


def test_gene_grid_shows_the_same_colours_before_and_after(
    expression: dict[str, npt.NDArray[np.float32]],
) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 300, 2)).astype(np.float32)
    figure = gene_grid(expression, before, after)
    assert len(figure.data) == 6
    for i, values in enumerate(expression.values()):
        one, two = figure.data[2 * i : 2 * i + 2]
        np.testing.assert_array_equal(one.marker.color, two.marker.color)
        limit = clip_limit(values)
        assert max(one.marker.color) == pytest.approx(limit)
        # Each dot still has the colour of its own cell.
        drawn = {(x, y): c for x, y, c in zip(one.x, one.y, one.marker.color, strict=True)}
        cell = 17
        assert drawn[tuple(before[cell])] == pytest.approx(min(values[cell], limit))


def test_gene_grid_of_some_cells_leaves_them_where_they_were(
    expression: dict[str, npt.NDArray[np.float32]],
) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 300, 2)).astype(np.float32)
    chosen = np.arange(300) % 3 == 0
    figure = gene_grid(expression, before, after, cells=chosen)
    for trace, positions in zip(figure.data, [before, after] * 3, strict=True):
        drawn = {*zip(trace.x, trace.y, strict=True)}
        assert drawn == {tuple(p) for p in positions[chosen]}
    low, high = figure.layout.xaxis2.range
    assert low < after[:, 0].min()
    assert high > after[:, 0].max()
    assert "Only the 100 selected of 300 cells." in figure.layout.annotations[-1].text


def test_before_after_draws_every_cell_once_a_side_in_its_colour() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 300, 2)).astype(np.float32)
    codes = rng.integers(-1, 2, 300)
    figure = before_after(before, after, codes, ("a", HOSTILE))
    for axis, positions in (("x", before), ("x2", after)):
        drawn = {
            (x, y): trace.marker.color
            for trace in figure.data
            if trace.xaxis == axis and trace.x[0] is not None
            for x, y in zip(trace.x, trace.y, strict=True)
        }
        assert len(drawn) == 300
        colors = [*CATEGORICAL[:2], MISSING]
        assert [drawn[tuple(p)] for p in positions] == [colors[c] for c in codes]
    assert sum(bool(trace.showlegend) for trace in figure.data) == 3
    # No group lies on top of another: each is drawn in several turns.
    turns = [trace.legendgroup for trace in figure.data if trace.xaxis == "x"]
    assert turns != sorted(turns)


def test_gene_grid_says_when_cells_are_sampled(
    expression: dict[str, npt.NDArray[np.float32]],
) -> None:
    positions = np.zeros((300, 2), dtype=np.float32)
    whole = gene_grid(expression, positions, positions)
    part = gene_grid(expression, positions, positions, most_points=100)
    assert len(part.data[0].x) == 100
    assert "A random 100 of 300 cells" in part.layout.annotations[-1].text
    assert "random" not in whole.layout.annotations[-1].text


def test_batch_bars_and_violins_share_the_colours_of_the_batches() -> None:
    bars = batch_bars({"a": 10, "b": 20}, kept={"a": 9, "b": 15})
    assert list(bars.data[1].x) == [9, 15]
    violins = quality_violins(np.arange(10.0), np.arange(10) % 2, ("a", "b"), title="Genes")
    assert list(bars.data[1].marker.color) == list(CATEGORICAL[:2])
    assert [trace.line.color for trace in violins.data] == list(CATEGORICAL[:2])
    np.testing.assert_array_equal(violins.data[1].y, [1, 3, 5, 7, 9])


def test_names_from_a_file_never_become_markup(
    expression: dict[str, npt.NDArray[np.float32]],
) -> None:
    codes, positions = np.arange(300) % 2, np.zeros((300, 2), dtype=np.float32)
    made = [
        gene_dots(expression, codes, (HOSTILE, "1"), group_title=HOSTILE),
        gene_grid(expression, positions, positions),
        before_after(positions, positions, codes, (HOSTILE, "1"), title=HOSTILE),
        batch_bars({HOSTILE: 3}, title=HOSTILE),
        quality_violins(np.arange(300.0), codes, (HOSTILE, "1"), title=HOSTILE),
    ]
    for figure in made:
        assert "<a " not in figure.to_json().replace("\\u003c", "<")


def test_a_long_name_is_shortened() -> None:
    assert len(label_text("x" * 500)) == LONGEST_NAME


def test_pages_can_import_figures_without_anything_heavy() -> None:
    code = (
        "import sys, harmony_core.figures.screen.layouts, harmony_core.palette;"
        "heavy = {'anndata', 'scanpy', 'sklearn', 'umap', 'numba', 'harmonypy', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_violins_hold_each_groups_cells_by_batch() -> None:
    values = np.arange(8, dtype=np.float32)
    codes, batches = np.array([0, 0, 1, 1, 0, 1, -1, 0]), np.array([0, 1, 0, 1, 0, 1, 0, 1])
    figure = violins_by_batch(values, codes, ("a", HOSTILE), batches, ("x", "y"), title=HOSTILE)
    assert [list(trace.y) for trace in figure.data] == [[0, 4, 2], [1, 7, 3, 5]]
    assert "<a" not in figure.to_json()


def test_small_multiples_draw_every_run_with_the_same_colours() -> None:
    rng = np.random.default_rng(0)
    pictures = {f"run {i}": rng.normal(size=(50, 2)) for i in range(5)}
    codes = rng.integers(-1, 2, 50)
    figure = small_multiples(pictures, codes, ("a", "b"))
    assert len(figure.data) == 5
    assert len({tuple(trace.marker.color) for trace in figure.data}) == 1
    assert {*figure.data[0].marker.color} == {CATEGORICAL[0], CATEGORICAL[1], MISSING}
    for trace, positions in zip(figure.data, pictures.values(), strict=True):
        assert sorted(trace.x) == sorted(positions[:, 0].astype(np.float32))


def test_the_film_marks_its_iteration() -> None:
    figure = convergence_curve([10.0, 8.0, 7.5], "converged", at=1)
    assert (figure.data[1].x, figure.data[1].y) == ((1,), (8.0,))
