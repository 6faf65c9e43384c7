"""Cell types from marker genes, against the types that cells were simulated with."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.detector.states import neighbors_within_batches
from harmony_core.errors import DataError
from harmony_core.inspect.gene_sets import BLOOD, GeneSets, readable_symbols
from harmony_core.methods.marker_labels import SURE, MarkerLabels, marker_labels
from harmony_core.methods.prepare import prepare
from harmony_core.params import PrepareParams
from harmony_core.simulate.cells import Scenario, Simulation, simulate

ALONE = Scenario(
    name="a type of one batch",
    batch_sizes=(0.5, 0.5),
    presence="exclusive_alone",
    n_sibling_pairs=0,
)


@cache
def cells(scenario: Scenario = ALONE) -> tuple[Simulation, GeneSets]:
    """Simulated cells, and markers of each type from its cells without a batch effect."""
    clean = simulate(scenario, seed=4, batch_effect=False)
    logs = np.log1p(clean.counts.toarray())
    types = np.unique(clean.cell_type)
    means = np.stack([logs[clean.cell_type == t].mean(axis=0) for t in types])
    panel = {}
    for i, name in enumerate(types):
        lead = means[i] - np.delete(means, i, axis=0).max(axis=0)
        panel[str(name)] = tuple(clean.genes[np.argsort(-lead)[:5]].tolist())
    return simulate(scenario, seed=4), panel


def labels(
    data: Simulation, panel: GeneSets, kept: np.ndarray | None = None, counts: sp.spmatrix = None
) -> MarkerLabels:
    counts = data.counts if counts is None else counts
    rows = np.arange(counts.shape[0]) if kept is None else np.flatnonzero(kept)
    codes = np.unique(data.batch[rows], return_inverse=True)[1]
    settings = PrepareParams(min_genes=0, min_cells=0, n_pcs=20)
    prepared = prepare(counts[rows], data.genes, data.batch[rows], settings)
    values = np.log1p(counts[rows].toarray() * (1e4 / prepared.totals[:, None]))
    within = neighbors_within_batches(prepared.embedding, codes, seed=0)
    return marker_labels(sp.csc_matrix(values, dtype=np.float32), data.genes, within, panel)


def accuracy(made: MarkerLabels, truth: np.ndarray) -> tuple[float, float]:
    """Fraction of right labels among those that are sure, and fraction of sure cells."""
    sure = made.codes >= 0
    names = np.array(made.types)[made.codes[sure]]
    return float((names == truth[sure]).mean()), float(sure.mean())


def test_types_are_those_that_were_simulated() -> None:
    data, panel = cells()
    made = labels(data, panel)
    right, sure = accuracy(made, data.cell_type)
    assert right > 0.98
    assert sure > 0.95
    np.testing.assert_array_equal(made.codes >= 0, made.confidence >= np.float32(SURE))
    assert ((made.confidence >= 0) & (made.confidence <= 1)).all()
    assert made.genes == panel


def test_the_same_cells_get_the_same_labels() -> None:
    data, panel = cells()
    np.testing.assert_array_equal(labels(data, panel).codes, labels(data, panel).codes)


def test_a_batch_of_a_single_type_is_not_divided_among_others() -> None:
    data, panel = cells()
    kept = (data.batch == "B") | (data.cell_type == "T2")
    made = labels(data, panel, kept)
    alone = data.batch[kept] == "A"
    assert (made.codes[alone] == made.types.index("T2")).mean() > 0.95
    assert accuracy(made, data.cell_type[kept])[0] > 0.95


def test_a_batch_of_a_fifth_of_the_depth_is_labelled_too() -> None:
    data, panel = cells()
    shallow = data.batch == "B"
    counts = data.counts.toarray()
    thinned = np.random.default_rng(0).binomial(counts[shallow].astype(int), 0.2)
    counts[shallow] = thinned
    made = labels(data, panel, counts=sp.csr_matrix(counts))
    sure = made.codes >= 0
    names = np.array(made.types)[made.codes]
    assert (names == data.cell_type)[sure & shallow].mean() > 0.95
    assert sure[shallow].mean() > 0.8


def test_cells_of_a_type_without_a_set_are_unsure_or_few() -> None:
    data, panel = cells()
    made = labels(data, {t: genes for t, genes in panel.items() if t != "T3"})
    unknown = data.cell_type == "T3"
    assert (made.codes[unknown] < 0).mean() > 0.8
    assert accuracy(made, data.cell_type)[0] > 0.95


def test_cells_that_carry_two_sets_alike_are_unsure() -> None:
    data, panel = cells()
    made = labels(data, {**panel, "the same again": panel["T2"]})
    assert (made.codes[data.cell_type == "T2"] == -1).mean() > 0.9


def test_sets_whose_genes_are_absent_are_left_out_and_named() -> None:
    data, panel = cells()
    absent = {"absent": ("NOSUCH", "NEITHER"), "one of two": ("NOSUCH", panel["T1"][0])}
    made = labels(data, {**absent, **panel, "T1": (panel["T1"][0].upper(),)})
    assert made.left_out == ("absent", "one of two")
    assert made.types == tuple(panel)
    assert made.genes["T1"] == panel["T1"][:1]
    with pytest.raises(DataError, match="each set needs at least two"):
        labels(data, absent)


def test_a_cell_that_is_alone_in_its_batch_or_in_none_does_not_break_the_others() -> None:
    values = np.zeros((9, 4), dtype=np.float32)
    values[:4, :2] = values[4:8, 2:] = 3
    within = [
        (np.arange(8, dtype=np.int32), np.array([[1], [0], [3], [2], [5], [4], [7], [6]])),
        (np.zeros(0, dtype=np.int32), np.zeros((0, 1), dtype=np.int32)),
    ]
    panel = {"first": ("A", "B"), "second": ("C", "D")}
    made = marker_labels(sp.csc_matrix(values), list("ABCD"), within, panel)
    assert made.codes.tolist() == [0] * 4 + [1] * 4 + [-1]
    assert made.confidence[8] == 0
    alone = [*within[:1], (np.array([8], dtype=np.int32), np.zeros((1, 0), dtype=np.int32))]
    assert marker_labels(sp.csc_matrix(values), list("ABCD"), alone, panel).codes[8] == -1


def test_the_blood_panel_is_read_by_ensembl_ids_too() -> None:
    assert readable_symbols(["ENSG00000198851", "ENSG00000156738.5", "Cd3e"]) == [
        *("CD3E", "MS4A1", "Cd3e"),
    ]
    assert all(len(set(genes)) == len(genes) >= 5 for genes in BLOOD.values())
