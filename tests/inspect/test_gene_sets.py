"""Marker sets of one's own: every way to write them gives the same sets."""

from __future__ import annotations

import csv
import re
from importlib import resources
from pathlib import Path

import anndata as ad
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmony_core.errors import DataError
from harmony_core.inspect.gene_sets import MOST_GENES, UNNAMED, find_sets, parse_pasted, parse_table

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "real"
SETS = {"T cells": ("CD3D", "CD3E"), "B cells": ("MS4A1",)}


def test_pasted_lines_are_sets() -> None:
    assert parse_pasted("T cells: CD3D, CD3E\nB cells: MS4A1") == SETS
    assert parse_pasted("CD3D CD3E;CD3D\n'LYZ'") == {UNNAMED: ("CD3D", "CD3E", "LYZ")}
    assert parse_pasted(" \n") == {}


@pytest.mark.parametrize(
    "table",
    [
        "T cells,B cells\nCD3D,MS4A1\nCD3E,\n",
        "T cells;B cells\r\nCD3D;MS4A1\r\nCD3E;\r\n",
        "gene,cell type\nCD3D,T cells\nCD3E,T cells\nMS4A1,B cells\n",
        "set\tSymbol\nT cells\tCD3D\nT cells\tCD3E\nB cells\tMS4A1\n",
    ],
)
def test_tables_are_read_by_column_and_by_row(table: str) -> None:
    assert parse_table(b"\xef\xbb\xbf" + table.encode()) == SETS


def test_a_single_column_is_one_set() -> None:
    assert parse_table(b"gene\nCD3D\nLYZ\n") == {UNNAMED: ("CD3D", "LYZ")}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe\x00", "not a text file"),
        (b"", "no rows"),
        (b"T cells\n", "no rows"),
        (b"g," * 2_000 + b"\n" + b"a\n" * 2_000, "too large"),
        (b"a\n" * 10_000, "too large"),
        (b"a\n" * 1_000_000, "too large"),
        (("gene\n" + "\n".join(map(str, range(MOST_GENES + 1)))).encode(), "at most"),
    ],
)
def test_what_is_no_table_of_genes_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parse_table(content)


def test_genes_are_found_in_mouse_capitals_and_missing_ones_are_named() -> None:
    found = find_sets({**SETS, "None": ("NOSUCH",)}, ["Ms4a1", "Cd3e", "Lyz2"])
    assert found.sets == {"T cells": ("Cd3e",), "B cells": ("Ms4a1",)}
    assert found.positions == {"Cd3e": 1, "Ms4a1": 0}
    assert found.missing == ("CD3D", "NOSUCH")
    assert found.respelled == ("CD3E", "MS4A1")


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    try:
        sets = parse_table(content)
    except DataError:
        return
    assert all(genes for genes in sets.values())


@pytest.fixture(scope="module")
def ensembl_ids() -> dict[str, str]:
    """Ensembl id of each gene of the blood panel."""
    text = (resources.files("harmony_core.inspect") / "blood_panel.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    ids = {row["gene"]: row["ensembl"] for row in rows}
    assert len(ids) == len(rows)  # no gene in two sets, where it would tell neither
    return ids


def test_each_gene_of_the_panel_has_an_ensembl_id_of_its_own(ensembl_ids: dict[str, str]) -> None:
    assert len(set(ensembl_ids.values())) == len(ensembl_ids)
    assert all(re.fullmatch(r"ENSG\d{11}", found) for found in ensembl_ids.values())


def test_ensembl_ids_of_the_panel_are_those_of_annotated_data(ensembl_ids: dict[str, str]) -> None:
    path = SHARED / "sc_mixology_5batches.h5ad"
    if not path.is_file():
        pytest.skip("the real data are not beside the checkout")
    annotated = ad.read_h5ad(path, backed="r").var["ensembl_id"]
    both = [gene for gene in ensembl_ids if gene in annotated.index]
    assert len(both) > 10
    assert {gene: annotated[gene].partition(".")[0] for gene in both} == {
        gene: ensembl_ids[gene] for gene in both
    }
