"""Columns that divide the cells into groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmony_core.categories import MOST_GROUPS, Factor, as_levels, categorical_columns


def test_levels_are_sorted_and_missing_is_negative() -> None:
    column = Factor.of("x", pd.Series(["b", "a", None, "b"], dtype=object))
    assert column.levels == ("a", "b")
    assert column.codes.tolist() == [1, 0, -1, 1]
    assert column.codes.dtype == np.int32
    assert column.sizes == {"a": 1, "b": 2}
    assert Factor.of("x", np.array([2, 1, 2])).levels == ("1", "2")


def test_numbers_in_names_are_ordered_by_size_unless_the_alphabet_is_asked_for() -> None:
    donors = ["D10", "10", "D2", "2", "D2", None]
    natural = Factor.of("donor", donors)
    assert natural.levels == ("2", "10", "D2", "D10")
    assert natural.codes.tolist() == [3, 1, 2, 0, 2, -1]
    alphabetical = Factor.of("donor", donors, order="alphabetical")
    assert alphabetical.levels == ("10", "2", "D10", "D2")
    assert alphabetical.codes.tolist() == [2, 0, 3, 1, 3, -1]


def test_a_column_without_values_has_no_levels() -> None:
    column = Factor.of("x", pd.Series([None, None], dtype=object))
    assert column.levels == ()
    assert column.codes.tolist() == [-1, -1]
    assert column.sizes == {}


def test_columns_with_a_manageable_number_of_levels_are_categorical() -> None:
    n = MOST_GROUPS + 1
    obs = pd.DataFrame(
        {
            "one": ["a"] * n,
            "batch": pd.Categorical([f"b{i % 3}" for i in range(n)]),
            "number": np.arange(n) % 12,
            "measured": np.arange(n) % 2 * 1.0,
            "name": [f"cell{i}" for i in range(n)],
        }
    )
    found = {column.name: column.levels for column in categorical_columns(obs)}
    assert found == {"batch": ("b0", "b1", "b2"), "number": tuple(str(i) for i in range(12))}


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([1, "1", "2"], ["1", "1", "2"]),
        ([1.0, None, "1"], ["1", None, "1"]),
        ([1.5, "1.5"], ["1.5", "1.5"]),
        ([True, "True", "x"], ["True", "True", "x"]),
        ([2.0, 1.0], ["2.0", "1.0"]),
    ],
)
@pytest.mark.parametrize("categorical", [False, True])
def test_a_number_and_the_same_as_text_are_one_level(
    values: list[object], levels: list[object], categorical: bool
) -> None:
    column = pd.Series(values, dtype=object)
    found = as_levels(column.astype("category") if categorical else column)
    assert [None if pd.isna(level) else level for level in found] == levels
    assert found.categories.is_unique


def test_levels_keep_their_order() -> None:
    found = as_levels(pd.Series(pd.Categorical(["b", 1, "1"], ["z", "b", "1", 1])))
    assert list(found.categories) == ["z", "b", "1"]
    assert list(found) == ["b", "1", "1"]
