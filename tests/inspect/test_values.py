"""The kind of values is told from the values, on real counts put through the usual recipes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from harmony_core.errors import BatchError
from harmony_core.inspect.comparable import check_same_kind, warn_about_batches
from harmony_core.inspect.values import (
    ValueKind,
    value_kind,
    value_kind_per_batch,
)

KANG = Path(__file__).parents[2] / "sample_data" / "kang" / "kang_pbmc.h5ad"


@pytest.fixture(scope="module")
def counts() -> sp.csr_matrix:
    """Counts of 600 control, then 600 stimulated cells."""
    adata = ad.read_h5ad(KANG)
    rows = np.r_[0:600, 2000:2600]
    return sp.csr_matrix(adata.X[rows], dtype=np.float32)


def normalised(counts: sp.csr_matrix, total: float = 1e4) -> sp.csr_matrix:
    adata = ad.AnnData(counts.copy())
    sc.pp.normalize_total(adata, target_sum=total)
    return adata.X


def mapped(matrix: sp.csr_matrix, function: Callable[[np.ndarray], np.ndarray]) -> sp.csr_matrix:
    result = matrix.copy()
    result.data = function(result.data).astype(np.float32)
    return result


def scaled(counts: sp.csr_matrix) -> np.ndarray:
    adata = ad.AnnData(normalised(counts).toarray())
    sc.pp.log1p(adata)
    sc.pp.scale(adata, max_value=10)
    return adata.X


def per_kilobase(counts: sp.csr_matrix) -> sp.csr_matrix:
    lengths = np.random.default_rng(1).uniform(0.3, 6.0, counts.shape[1])
    return normalised(sp.csr_matrix(counts @ sp.diags(1 / lengths)), 1e6)


def ambient_removed(counts: sp.csr_matrix) -> sp.csr_matrix:
    rng = np.random.default_rng(2)
    touched = rng.random(counts.nnz) < 0.4
    return mapped(counts, lambda v: np.where(touched, v * rng.uniform(0.6, 1.0, v.size), v))


def all_corrected(counts: sp.csr_matrix) -> sp.csr_matrix:
    rng = np.random.default_rng(10)
    return mapped(counts, lambda v: v * rng.uniform(0.6, 1.0, v.size))


def few_corrected(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Seven of ten values have fractions, and none is large."""
    rng = np.random.default_rng(11)
    few = few_counts(counts)
    touched = rng.random(few.nnz) < 0.7
    return mapped(few, lambda v: np.where(touched, v * rng.uniform(0.6, 1.0, v.size), v))


def few_counts(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Some 30 counts a cell, as of a panel; a sum of 25 makes whole numbers of all at 100."""
    few = np.random.default_rng(4).poisson(0.3, (counts.shape[0], 100))
    return sp.csr_matrix(few.astype(np.float32))


def shared_reads(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Some reads fit two genes and count half in each."""
    half = np.random.default_rng(3).random(counts.nnz) < 0.02
    return mapped(counts, lambda v: v + 0.5 * half)


def arrays(counts: sp.csr_matrix) -> np.ndarray:
    """Microarrays, quantile-normalised: every sample has the same values."""
    values = np.random.default_rng(5).normal(8, 2.5, (200, 1000)).clip(2.5, 15)
    return np.sort(values, axis=1).mean(axis=0)[values.argsort(axis=1).argsort(axis=1)]


def bulk(counts: sp.csr_matrix) -> np.ndarray:
    """TPM of bulk samples, of nearly all genes."""
    rng = np.random.default_rng(6)
    values = rng.lognormal(1, 2, 5000) * rng.lognormal(0, 0.3, (120, 5000))
    return values / values.sum(axis=1, keepdims=True) * 1e6


def reads_shared_out(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Estimates that share reads out evenly among transcripts, and some in whatever parts."""
    rng = np.random.default_rng(12)
    parts = np.where(rng.random(counts.nnz) < 0.5, rng.integers(1, 5, counts.nnz), 1)
    return mapped(counts, lambda v: v / parts * np.where(parts == 4, rng.random(v.size), 1))


def few_reads_of_full_length(counts: sp.csr_matrix) -> sp.csr_matrix:
    return mapped(counts, lambda v: np.rint(30 * v + 7))


def imputed(counts: sp.csr_matrix) -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.log1p(rng.gamma(2, 0.3, (100, 20_000)) * rng.lognormal(0, 1, 20_000))


def with_one_value_far_above(counts: sp.csr_matrix) -> np.ndarray:
    values = imputed(counts)
    values[3, 0] = 24
    return values


def panel_shares(counts: sp.csr_matrix) -> np.ndarray:
    """Of 40 genes each has its share of a cell, none far above the others."""
    return np.random.default_rng(9).dirichlet(np.full(40, 5.0), 200)


def corrected(counts: sp.csr_matrix) -> np.ndarray:
    """Logarithms of which one batch was moved up and the other down, zeros too."""
    moved = log_of(np.log)(counts).toarray()
    moved[:600] += 0.4
    return moved - 0.05 * (np.arange(1200) >= 600)[:, None]


def below_one(counts: sp.csr_matrix) -> np.ndarray:
    """Logarithms without a pseudocount: a few values in some cells are below zero."""
    logs = log_of(np.log)(counts).toarray()
    logs[::3][:, :5] = -0.3
    return logs


def with_one_below_zero(counts: sp.csr_matrix) -> sp.csr_matrix:
    marked = counts.copy()
    marked.data[-1] = -1
    return marked


def hardly_any_counts(counts: sp.csr_matrix) -> np.ndarray:
    return np.random.default_rng(8).poisson(0.1, (400, 100)).astype(np.float32)


def log_of(base: Callable[[np.ndarray], np.ndarray], total: float = 1e4, pseudo: float = 1.0):
    return lambda c: mapped(normalised(c, total), lambda v: base(v + pseudo))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        pytest.param(lambda c: c, ValueKind.COUNTS, id="counts"),
        pytest.param(lambda c: c.astype(np.int32), ValueKind.COUNTS, id="integers"),
        pytest.param(lambda c: c.tocsc(), ValueKind.COUNTS, id="by gene"),
        pytest.param(lambda c: c.toarray(), ValueKind.COUNTS, id="dense"),
        pytest.param(lambda c: mapped(c, np.sign), ValueKind.COUNTS, id="present or absent"),
        pytest.param(ambient_removed, ValueKind.FRACTIONAL_COUNTS, id="ambient removed"),
        pytest.param(all_corrected, ValueKind.FRACTIONAL_COUNTS, id="all counts corrected"),
        pytest.param(few_corrected, ValueKind.FRACTIONAL_COUNTS, id="few counts, most corrected"),
        pytest.param(shared_reads, ValueKind.FRACTIONAL_COUNTS, id="few reads shared"),
        pytest.param(normalised, ValueKind.NORMALISED, id="to 10,000"),
        pytest.param(lambda c: normalised(c, 1.0), ValueKind.NORMALISED, id="to 1"),
        pytest.param(
            lambda c: normalised(c)[:, 5::9], ValueKind.NORMALISED, id="normalised, some genes"
        ),
        pytest.param(
            lambda c: normalised(few_counts(c), 100.0),
            ValueKind.NORMALISED,
            id="few counts, to 100",
        ),
        pytest.param(per_kilobase, ValueKind.NORMALISED, id="TPM"),
        pytest.param(log_of(np.log), ValueKind.LOG, id="log1p of 10,000"),
        pytest.param(log_of(np.log, 1e6), ValueKind.LOG, id="log1p of a million"),
        pytest.param(log_of(np.log2, 1e6), ValueKind.LOG, id="log2 of a million"),
        pytest.param(log_of(np.log10, 1e6), ValueKind.LOG, id="log10 of a million"),
        pytest.param(lambda c: mapped(c, np.log1p), ValueKind.LOG, id="log1p of counts"),
        pytest.param(
            lambda c: mapped(c, lambda v: np.log2(v + 1)), ValueKind.LOG, id="log2 of counts"
        ),
        pytest.param(lambda c: log_of(np.log)(c)[:, 5::9], ValueKind.LOG, id="log, some genes"),
        pytest.param(
            lambda c: mapped(log_of(np.log)(c), lambda v: v.round(2)), ValueKind.LOG, id="rounded"
        ),
        pytest.param(lambda c: mapped(per_kilobase(c), np.log1p), ValueKind.LOG, id="log of TPM"),
        pytest.param(arrays, ValueKind.LOG, id="arrays, quantile-normalised"),
        pytest.param(bulk, ValueKind.NORMALISED, id="bulk TPM"),
        pytest.param(lambda c: bulk(c) / 1e6, ValueKind.NORMALISED, id="bulk TPM, to 1"),
        pytest.param(lambda c: bulk(c) / 1e5, ValueKind.NORMALISED, id="bulk TPM, to 10"),
        pytest.param(lambda c: bulk(c) / 1e4, ValueKind.NORMALISED, id="bulk TPM, to 100"),
        pytest.param(
            lambda c: normalised(per_kilobase(c), 60), ValueKind.NORMALISED, id="TPM, to 60"
        ),
        pytest.param(panel_shares, ValueKind.NORMALISED, id="shares of a panel"),
        pytest.param(
            lambda c: panel_shares(c) * 1e4, ValueKind.NORMALISED, id="shares of a panel, to 10,000"
        ),
        pytest.param(with_one_value_far_above, ValueKind.LOG, id="imputed log, one value far up"),
        pytest.param(
            lambda c: sp.vstack([normalised(c, 50.0)[:600], log_of(np.log)(c)[600:]], "csr"),
            ValueKind.MIXED,
            id="normalised to 50 and log",
        ),
        pytest.param(lambda c: np.log2(bulk(c) + 1), ValueKind.LOG, id="log2 of bulk TPM"),
        pytest.param(lambda c: np.log2(bulk(c) / 50 + 4), ValueKind.LOG, id="vst"),
        pytest.param(imputed, ValueKind.LOG, id="imputed log"),
        pytest.param(
            lambda c: np.log2(hardly_any_counts(c) + 1), ValueKind.LOG, id="log2 of few counts"
        ),
        pytest.param(
            lambda c: np.sqrt(hardly_any_counts(c)), ValueKind.ROOTS, id="roots of hardly any"
        ),
        pytest.param(lambda c: mapped(c, np.sqrt), ValueKind.ROOTS, id="roots of counts"),
        pytest.param(lambda c: np.sqrt(few_counts(c)), ValueKind.ROOTS, id="roots of few counts"),
        pytest.param(
            lambda c: mapped(few_reads_of_full_length(c), np.sqrt),
            ValueKind.ROOTS,
            id="roots of reads, none of them single",
        ),
        pytest.param(
            lambda c: mapped(normalised(c), np.sqrt), ValueKind.ROOTS, id="roots of 10,000"
        ),
        pytest.param(
            lambda c: mapped(normalised(c, 1.0), np.sqrt), ValueKind.ROOTS, id="Hellinger"
        ),
        pytest.param(
            lambda c: sp.vstack([c[:600], mapped(c, np.sqrt)[600:]], "csr"),
            ValueKind.MIXED,
            id="counts and roots",
        ),
        pytest.param(reads_shared_out, ValueKind.FRACTIONAL_COUNTS, id="reads shared out"),
        pytest.param(
            lambda c: reads_shared_out(few_reads_of_full_length(c)),
            ValueKind.FRACTIONAL_COUNTS,
            id="many reads shared out",
        ),
        pytest.param(corrected, ValueKind.SCALED, id="corrected, one batch above zero"),
        pytest.param(below_one, ValueKind.SCALED, id="few values below zero, in some cells"),
        pytest.param(scaled, ValueKind.SCALED, id="scaled"),
        pytest.param(
            lambda c: np.vstack([log_of(np.log)(c)[:600].toarray(), scaled(c)[600:]]),
            ValueKind.MIXED,
            id="log and scaled",
        ),
        pytest.param(
            lambda c: np.vstack([c[:600].toarray() + 1, scaled(c)[600:]]),
            ValueKind.MIXED,
            id="counts without zeros and scaled",
        ),
        pytest.param(
            lambda c: sp.vstack([c[:600], mapped(c, lambda v: np.log2(v + 1))[600:]], "csr"),
            ValueKind.MIXED,
            id="counts and log2 of counts",
        ),
        pytest.param(with_one_below_zero, ValueKind.BELOW_ZERO, id="one count below zero"),
        pytest.param(lambda c: c * 0, ValueKind.EMPTY, id="zeros"),
        pytest.param(lambda c: c * np.float32(np.nan), ValueKind.MISSING, id="NaN and zeros"),
        pytest.param(lambda c: np.full((50, 5), np.inf), ValueKind.MISSING, id="infinite"),
        pytest.param(lambda c: sp.csr_matrix((50, 0)), ValueKind.EMPTY, id="no genes"),
        pytest.param(
            lambda c: sp.vstack([c[:600], log_of(np.log)(c)[600:]], format="csr"),
            ValueKind.MIXED,
            id="counts and log",
        ),
        pytest.param(
            lambda c: sp.vstack([c[:500], normalised(c)[500:900], log_of(np.log)(c)[900:]], "csr"),
            ValueKind.MIXED,
            id="counts, normalised and log",
        ),
        pytest.param(
            lambda c: sp.vstack([ambient_removed(c)[:900], log_of(np.log2, 1e6)(c)[900:]], "csr"),
            ValueKind.MIXED,
            id="counts with fractions and log",
        ),
        pytest.param(
            lambda c: np.vstack([c[:1100].toarray(), scaled(c)[1100:]]),
            ValueKind.MIXED,
            id="counts and a few scaled",
        ),
    ],
)
def test_kind(counts, recipe, expected) -> None:
    assert value_kind(recipe(counts)) is expected


def test_values_that_are_not_finite_do_not_count(counts) -> None:
    with_nan = counts.copy()
    with_nan.data[:50] = np.nan
    with_nan.data[50:60] = np.inf
    assert value_kind(with_nan) is ValueKind.COUNTS


def test_only_some_cells_are_looked_at_but_from_everywhere(counts) -> None:
    logged = log_of(np.log)(counts)
    tall = sp.vstack([counts, counts, counts, counts, logged], format="csr")
    assert tall.shape[0] > 2_000
    assert value_kind(tall) is ValueKind.MIXED


def test_batches_of_different_kinds_are_named(counts) -> None:
    matrix = sp.vstack([counts[:600], log_of(np.log)(counts)[600:]], format="csr")
    batch = pd.Series(["tenx"] * 600 + ["<b>smart</b>"] * 600)
    kinds = value_kind_per_batch(matrix, batch)
    assert kinds == {"tenx": ValueKind.COUNTS, "<b>smart</b>": ValueKind.LOG}
    with pytest.raises(BatchError, match="'study' hold different kinds of values") as raised:
        check_same_kind(kinds, "study")
    assert "counts in tenx" in str(raised.value)
    assert "log-transformed values in <b>smart</b>" in str(raised.value)


def test_batches_of_the_same_kind_pass(counts) -> None:
    batch = pd.Series(["a", "b", "c"] * 400)
    check_same_kind(value_kind_per_batch(log_of(np.log)(counts), batch), "batch")
    # A shallow batch may by chance hold no fraction.
    check_same_kind({"a": ValueKind.COUNTS, "b": ValueKind.FRACTIONAL_COUNTS}, "batch")


def test_cells_without_a_batch_are_left_out(counts) -> None:
    batch = pd.Series(["a", None, "b"] * 400)
    assert value_kind_per_batch(counts, batch) == {"a": ValueKind.COUNTS, "b": ValueKind.COUNTS}


def test_values_by_length_beside_counts_are_two_scales(counts) -> None:
    by_length = sp.csr_matrix(per_kilobase(counts[600:]) * 0.2)
    matrix = sp.vstack([counts[:600], by_length], format="csr")
    batch = pd.Series(["umi"] * 600 + ["full"] * 600, name="study")
    (said,) = warn_about_batches(matrix, ValueKind.FRACTIONAL_COUNTS, batch)
    assert "'full' in 'study' have fractions and sum up to about 200,000 in a cell" in said
    reads = sp.vstack([counts[:600], counts[600:] * 50], format="csr")
    assert list(warn_about_batches(reads, ValueKind.FRACTIONAL_COUNTS, batch)) == []
    ambient = sp.vstack([counts[:600], ambient_removed(counts[600:])], format="csr")
    assert list(warn_about_batches(ambient, ValueKind.FRACTIONAL_COUNTS, batch)) == []


@pytest.mark.parametrize("by_million", [lambda c: normalised(c, 1e6), per_kilobase])
@pytest.mark.parametrize("rounding", [np.rint, np.floor, np.asarray])
def test_shares_of_a_million_beside_counts_are_two_scales(counts, by_million, rounding) -> None:
    matrix = sp.vstack([counts[:600], mapped(by_million(counts[600:]), rounding)], format="csr")
    batch = pd.Series(["umi"] * 600 + ["cpm"] * 600, name="study")
    kind = ValueKind.FRACTIONAL_COUNTS if rounding is np.asarray else value_kind(matrix)
    (said,) = warn_about_batches(matrix, kind, batch)
    assert "'cpm' in 'study' sum up to a million in every cell, those of batches with" in said
    halves = pd.Series(["a", "b"] * 300, name="study")
    assert list(warn_about_batches(matrix[600:], kind, halves)) == []


def test_deep_cells_of_whole_numbers_are_no_shares(counts) -> None:
    cpm = mapped(normalised(counts[600:], 1e6), np.rint)
    deep = sp.diags(np.resize([0.8, 1.0, 1.0, 1.3], 600)) @ cpm
    matrix = sp.vstack([counts[:600], mapped(deep.tocsr(), np.rint)], format="csr")
    batch = pd.Series(["umi"] * 600 + ["reads"] * 600, name="study")
    assert list(warn_about_batches(matrix, ValueKind.COUNTS, batch)) == []


def test_batches_that_a_correction_moved_up_and_down_are_of_one_kind(counts) -> None:
    batch = pd.Series(["up"] * 600 + ["down"] * 600)
    kinds = value_kind_per_batch(corrected(counts), batch)
    assert kinds == {"up": ValueKind.SCALED, "down": ValueKind.SCALED}
    check_same_kind(kinds, "batch")
    beside = sp.csr_matrix(
        np.vstack([log_of(np.log)(counts)[:600].toarray(), scaled(counts)[600:]])
    )
    kinds = value_kind_per_batch(beside, batch)
    assert kinds == {"up": ValueKind.LOG, "down": ValueKind.SCALED}


def test_counts_below_zero_are_called_so_and_are_no_other_kind_of_values(counts) -> None:
    marked = with_one_below_zero(counts)
    kinds = value_kind_per_batch(marked[-400:], pd.Series(["a"] * 200 + ["b"] * 200))
    assert kinds == {"a": ValueKind.COUNTS, "b": ValueKind.BELOW_ZERO}
    with pytest.raises(BatchError, match=r"'study' \(b\) hold counts below zero, "):
        check_same_kind(kinds, "study")
    check_same_kind(dict.fromkeys(kinds, ValueKind.BELOW_ZERO), "study")
    with pytest.raises(BatchError, match="values in a; counts of which some are below zero in b"):
        check_same_kind({**kinds, "a": ValueKind.LOG}, "study")
