"""Labels from marker genes against those of authors: counterparts, peer, and what is counted."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from benchmarks.marker_labels import agreement, counterpart, scored_best
from benchmarks.real_designs import RealSet
from harmony_core.inspect.gene_sets import BLOOD

TYPES = ("T cells", "B cells", "NK cells", "CD14 monocytes")
OFF_PANEL = "Erythroblast"


@pytest.fixture(scope="module")
def blood() -> ad.AnnData:
    """Cells of two batches: each expresses its own type's markers, those off the panel none."""
    rng = np.random.default_rng(0)
    genes = [gene for name in TYPES for gene in BLOOD[name]] + [f"other{i}" for i in range(150)]
    kinds = np.repeat([*TYPES, OFF_PANEL], 60)
    means = np.full((len(kinds), len(genes)), 0.3)
    means[:, -150:] = rng.gamma(1.0, 1.0, 150)
    for i, kind in enumerate(kinds):
        means[i, np.isin(genes, BLOOD.get(kind, ()))] = 6
    batch = np.where(rng.random(len(kinds)) < 0.5, "one", "two")
    counts = rng.poisson(means * np.where(batch == "one", 1.0, 1.5)[:, None])
    obs = pd.DataFrame({"donor": batch, "author": kinds}, [f"c{i}" for i in range(len(kinds))])
    return ad.AnnData(counts.astype(np.float32), obs, pd.DataFrame(index=genes))


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("CD4 T", "T cells"),
        ("CD8_Naive", "T cells"),
        ("NK cells", "NK cells"),
        ("B", "B cells"),
        ("CD14+ Monocytes classical", "CD14 monocytes"),
        ("non-classical monocyte", "CD16 monocytes"),
        ("pDC", "Plasmacytoid dendritic cells"),
        ("CD1C_B", "Dendritic cells"),
        ("Mk", "Platelets"),
        ("HSC", "Stem and progenitor cells"),
        (OFF_PANEL, ""),
    ],
)
def test_an_authors_label_stands_for_a_type_of_the_panel(label: str, kind: str) -> None:
    assert counterpart(label) == kind
    assert kind in {"", *BLOOD}


def test_the_peer_takes_the_type_whose_genes_score_best(blood: ad.AnnData) -> None:
    found = scored_best(blood)
    typed = (blood.obs["author"] != OFF_PANEL).to_numpy()
    assert (found[typed] == blood.obs["author"].to_numpy()[typed]).mean() > 0.95
    assert set(found) == set(TYPES)  # the data lack the genes of the others


def test_agreement_counts_cells_with_a_counterpart_and_those_that_are_sure(
    blood: ad.AnnData, tmp_path: Path
) -> None:
    wrong = blood.copy()
    names = {"T cells": "T", "B cells": "B", "NK cells": "NK", "CD14 monocytes": "CD14"}
    author = wrong.obs["author"].replace(names).to_numpy(dtype=object)
    author[:15] = "B"  # a quarter of the T cells, by an author who errs
    wrong.obs["author"] = author
    wrong.write_h5ad(tmp_path / "mine.h5ad")
    cells, sure, right, same, every = agreement(RealSet(tmp_path / "mine.h5ad", "donor", "author"))
    assert cells == 240
    assert sure > 0.9
    expected = (240 - 15) / 240
    assert right == pytest.approx(expected, abs=0.03)
    assert same == pytest.approx(expected, abs=0.03)
    assert every == pytest.approx(expected, abs=0.03)
