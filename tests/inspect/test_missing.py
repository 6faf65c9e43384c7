"""What counts as no value, no type and no single cell, by one rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmony_core.categories import Factor
from harmony_core.inspect.missing import CellTypes, is_missing


@pytest.mark.parametrize("word", ["", " ", "nan", "NA", "n/a", "Unknown", "Not_available", "<NA>"])
@pytest.mark.parametrize("kind", [object, "string", "category"])
def test_words_for_nothing_are_missing(word: str, kind: object) -> None:
    values = pd.Series(["a", word, "b", None]).astype(kind)
    assert is_missing(values).tolist() == [False, True, False, True]


def test_signs_and_names_are_levels() -> None:
    values = pd.Series(["+", "-", "none", "null", "doublet", "known"])
    assert not is_missing(values).any()


def test_numbers_are_missing_only_where_they_are_none() -> None:
    assert is_missing(pd.Series([1.0, np.nan, 3.0])).tolist() == [False, True, False]


def test_labels_that_are_no_type_are_left_out() -> None:
    labels = [
        "T cell",
        "Unlabelled",
        "none",
        "Doublet",
        "B",
        None,
        "low_quality",
        "multiplets",
        "B",
    ]
    types = CellTypes.of(Factor.of("label", pd.Series(labels)))
    assert types.factor.levels == ("B", "T cell")
    assert types.factor.codes.tolist() == [1, -1, -1, -1, 0, -1, -1, -1, 0]
    assert types.doublets == 2
    assert types.notes[0].startswith("2 cells are labelled as doublets")


def test_one_doublet_is_said_as_one() -> None:
    types = CellTypes.of(Factor.of("label", pd.Series(["B", "doublet", "T"])))
    assert types.notes[0].startswith(
        "1 cell is labelled as a doublet. It stays in the data and was"
    )


def test_a_column_without_any_type_is_said() -> None:
    types = CellTypes.of(Factor.of("label", pd.Series(["unknown", "NA"])))
    assert types.factor.levels == ()
    assert types.factor.codes.tolist() == [-1, -1]
    assert "without labels" in types.notes[0]


def test_types_keep_their_codes_where_every_label_is_one() -> None:
    labels = Factor.of("label", pd.Series(["b", "a", "mixed", "singlet", "Non-doublet-like"]))
    types = CellTypes.of(labels)
    assert types.factor.levels == labels.levels
    np.testing.assert_array_equal(types.factor.codes, labels.codes)
    assert types.notes == []
