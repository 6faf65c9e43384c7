"""Labelled files as designs, and the labels that the verdict sees."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from benchmarks.real_designs import (
    RealSet,
    coarse_labels,
    designs,
    is_type,
    log_expression,
    noisy_labels,
    real_sets,
    words,
)


def names(folder: Path, **options: object) -> list[str]:
    return [one.name for one in real_sets(folder, **options)]


def test_held_out_sets_are_taken_only_where_asked_for(tmp_path):
    for name in ("mine", "kang_16samples_4k", "worm_embryo_7batches"):
        (tmp_path / f"{name}.h5ad").touch()
    assert names(tmp_path) == ["kang_16samples_4k", "mine"]
    assert names(tmp_path, side="choosing") == ["kang_16samples_4k"]
    assert names(tmp_path, side="held_out") == ["worm_embryo_7batches"]
    assert names(tmp_path, only=["worm_embryo_7batches"]) == ["worm_embryo_7batches"]
    with pytest.raises(SystemExit, match=r"no kang\.h5ad"):
        real_sets(tmp_path, batch_columns={"kang": "sample"})


def test_columns_are_by_set(tmp_path):
    (tmp_path / "one.h5ad").touch()
    (tmp_path / "two.h5ad").touch()
    found = real_sets(tmp_path, batch_columns={"one": "donor"}, label_columns={"two": "type"})
    assert [(s.batch, s.label) for s in found] == [("donor", "cell_type"), ("batch", "type")]


@pytest.fixture
def source(tmp_path: Path) -> RealSet:
    """Labels T (all batches), B (two batches), too few DC, and cells without a type."""
    labels = ["T"] * 120 + ["B"] * 80 + ["DC"] * 40 + ["Unknown"] * 70 + [None] * 10
    batches = [*"abcd"] * 30 + [*"ab"] * 40 + ["a"] * 40 + [*"ab"] * 40
    obs = pd.DataFrame({"batch": batches, "cell_type": labels})
    obs.index = obs.index.astype(str)
    path = tmp_path / "cells.h5ad"
    ad.AnnData(np.ones((320, 3), dtype=np.float32), obs=obs).write_h5ad(path)
    return RealSet(path, "batch", "cell_type")


def test_a_label_is_taken_out_of_half_of_the_batches_that_have_it(source):
    whole, *removed = designs(source, remove=True)
    assert (whole.name, whole.read().n_obs) == ("cells", 320)
    assert {design.removed for design in removed} == {"T", "B"}
    assert removed == designs(source, remove=True)[1:]
    for design in removed:
        left = design.read().obs
        lost = left["batch"].isin(design.batches) & (left["cell_type"] == design.removed)
        assert not lost.any()
        assert len(design.batches) == (2 if design.removed == "T" else 1)
        assert len(left) == 320 - (60 if design.removed == "T" else 40)
    assert designs(source, remove=False) == [whole]


def test_a_missing_column_is_named_with_what_to_do(source):
    with pytest.raises(SystemExit, match="--label cells=COLUMN"):
        RealSet(source.path, "batch", "type").read()


def test_words_for_no_type_are_recognised():
    column = pd.Series(["T", " unLabelled", None, "NA", "doublet", "unknown B"], dtype=object)
    assert is_type(words(column)).tolist() == [True, False, False, False, False, True]


def test_noisy_labels_have_the_errors_they_say():
    labels = np.repeat(["T", "B", "NK", "nan"], [1000, 600, 400, 100])
    noisy = noisy_labels(labels, np.random.default_rng(0))
    known = labels != "nan"
    assert (noisy[~known] == "nan").all()
    assert (noisy[known] == "unlabelled").sum() == 600
    wrong = known & (noisy != labels) & (noisy != "unlabelled")
    assert 50 <= wrong.sum() <= 100  # 100 were exchanged before 30 % were taken away
    assert set(noisy[known]) == {"T", "B", "NK", "unlabelled"}


def test_coarse_labels_join_the_nearest_types():
    place = {"CD4": (0, 0), "CD8": (1, 0), "NK": (3, 0), "B": (20, 0), "plasma": (22, 0)}
    labels = np.repeat([*place, "unknown"], 10)
    points = np.array([place.get(name, (100, 100)) for name in labels], dtype=float)
    coarse = coarse_labels(labels, points)
    assert set(coarse) == {"CD4 + CD8", "NK", "B + plasma", "unknown"}
    assert set(coarse[labels == "CD8"]) == {"CD4 + CD8"}


def test_counts_are_normalised_and_logarithms_left_alone():
    counts = np.array([[1, 3, 0], [2, 2, 4]], dtype=np.float32)
    found = log_expression(ad.AnnData(counts)).toarray()
    np.testing.assert_allclose(np.expm1(found).sum(axis=1), 1e4, rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found[0]), [2500, 7500, 0], rtol=1e-5)
    np.testing.assert_allclose(log_expression(ad.AnnData(found)).toarray(), found)
