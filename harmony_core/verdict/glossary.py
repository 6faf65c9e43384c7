"""What each number is, which way is good and how sure it is, with its source.

One place for pages, reports and tooltips. Plain text; nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harmony_core import thresholds

_OURS = "own definition; benchmarks/diagnostics.py measures it"
_LISI = "Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0"
_SCIB = "Luecken et al. 2022, doi:10.1038/s41592-021-01336-8"
_KBET = "Büttner et al. 2019, doi:10.1038/s41592-018-0254-1"
_BRAS = "Rautenstrauch & Ohler 2025, doi:10.1038/s41587-025-02743-4"
_CILISI = "Andreatta et al. 2024, doi:10.1038/s41467-024-45240-z"
_PAPERS = "For comparison with papers; no verdict rests on it."
_BLIND = "Blind to what should not mix: more is not always better."


@dataclass(frozen=True)
class Entry:
    """One number."""

    title: str
    what: str
    good: str
    sure: str
    source: str

    @property
    def text(self) -> str:
        """All of it in one paragraph, for a tooltip."""
        return f"{self.what} {self.good} {self.sure} ({self.source})"


GLOSSARY: Mapping[str, Entry] = {
    "mcm": Entry(
        "Matched-cluster mixing",
        "Pre-clusters of two batches that are each other’s best match, and how far they came "
        "together: 0 apart, 1 as mixed as their sizes allow.",
        "More is better; below 0.5 is under-corrected, above 0.8 good.",
        "Followed the true mixing closely in simulations (correlation 0.81 to 0.99). "
        "Missing where no clusters match.",
        _OURS,
    ),
    "ilisi": Entry(
        "iLISI",
        "Effective number of batches around a cell, from 1 to the number of batches.",
        "More is more mixed.",
        f"{_BLIND} Over a grid of settings, the one with the highest was usually over-corrected.",
        _LISI,
    ),
    "ilisi_vs_null": Entry(
        "iLISI against chance",
        "iLISI above 1, over what it would be if batch were dealt at random to the same cells.",
        "0 is no mixing, 1 chance. Before correction, from 0.95 on there is nothing to correct.",
        f"Exact for what it says. {_BLIND}",
        _LISI,
    ),
    "share": Entry(
        "Mixed",
        "Cross-batch part of a pre-cluster’s neighbours, over the part expected from batch sizes; "
        "at most 1.",
        "High where the other batch has the same cells, low where it has not.",
        "A count, not an estimate.",
        _OURS,
    ),
    "conflict": Entry(
        "Conflict",
        "Part of a pre-cluster’s neighbours that are of another batch and, by the genes that tell "
        "its own batch’s clusters apart, look like another cluster of its batch; minus the same "
        "before correction.",
        "Less is better.",
        "Best single sign of merging without labels, yet misses some on real cells; most false "
        "alarms are near misses.",
        _OURS,
    ),
    "gap": Entry(
        "Gap",
        "How much a pre-cluster still differs from its new neighbours in other batches: size of "
        "the differences beyond twofold, times how far it mixed, minus the median of its batch.",
        "Less is better; below 0 it differs less than the batch’s clusters usually do.",
        "Sees types that replace each other; weaker on real cells than in simulation, and raised "
        "by conditions that change genes in some types only.",
        _OURS,
    ),
    "lost": Entry(
        "Lost markers",
        "Fraction of a pre-cluster’s markers that its new neighbours lack, times how far it mixed.",
        f"Less is better; above {thresholds.LOST_MARKERS:g} it supports a flag.",
        "Erratic alone, so it only supports.",
        _OURS,
    ),
    "purity_loss": Entry(
        "Purity loss",
        "Rise of the part of a label’s nearest neighbours that carry another label, over the "
        "better of the raw data and each batch alone.",
        f"Less is better: above {thresholds.PURITY_LOSS_AMBER:g} suspicious, above "
        f"{thresholds.PURITY_LOSS_RED:g} over-corrected.",
        "As sure as the labels are; coarse labels hide merging inside them.",
        _OURS,
    ),
    "clisi": Entry(
        "cLISI",
        "Effective number of labels around a cell; 1 is pure.",
        "Less is better; a rise means that labels were mixed.",
        "The mean hides a single merged label; look at the worst label.",
        _LISI,
    ),
    "cilisi": Entry(
        "CiLISI",
        "Mixing of batches inside one label: 0 none, 1 complete.",
        "More is better, for labels that several batches hold.",
        "Neighbours come from the one graph, so impure labels count fewer of them.",
        _CILISI,
    ),
    "scaled_ilisi": Entry(
        "iLISI (scIB)", "Median iLISI scaled to 0 to 1.", "More is more mixed.", _BLIND, _SCIB
    ),
    "scaled_clisi": Entry(
        "cLISI (scIB)",
        "Median cLISI scaled so that 1 is pure.",
        "More is better.",
        "Hardly moves when one of many labels is merged.",
        _SCIB,
    ),
    "kbet": Entry(
        "kBET",
        "Part of the cells whose neighbourhood holds batches as a chi-squared test expects of "
        "chance, inside each label.",
        "More is more mixed.",
        "Strict: small shifts that nobody sees make it fall.",
        _KBET,
    ),
    "graph_connectivity": Entry(
        "Graph connectivity",
        "Largest connected part of each label’s own neighbour graph.",
        "More is better.",
        "Near 1 for most corrections, so it tells few apart.",
        _SCIB,
    ),
    "pcr_comparison": Entry(
        "PCR comparison",
        "Part of the variance between batches that the correction removed.",
        "More is more corrected.",
        "Cannot tell technical from biological differences between batches.",
        _KBET,
    ),
    "bras": Entry(
        "BRAS",
        "Batch silhouette inside each label, in the variant that nested batches do not fool.",
        "More is more mixed.",
        "Computed on a sample above 5,000 cells.",
        _BRAS,
    ),
    "label_asw": Entry(
        "Label silhouette",
        "How compact and apart the labels are, 0 to 1.",
        "More is better.",
        "Prefers round, equally dense labels. On a sample above 5,000 cells.",
        _SCIB,
    ),
    "isolated_label": Entry(
        "Isolated label",
        "Label silhouette of the labels that the fewest batches hold.",
        "More is better.",
        "Sees over-correction well with fine labels.",
        _SCIB,
    ),
    "nmi": Entry(
        "NMI",
        "Information shared by clusters and labels, 0 to 1.",
        "More is better.",
        "Depends on the clustering; did not see over-correction with coarse labels.",
        _SCIB,
    ),
    "ari": Entry(
        "ARI",
        "Pairs of cells on which clusters and labels agree, chance being 0.",
        "More is better.",
        "As NMI; large labels dominate.",
        _SCIB,
    ),
    "total": Entry(
        "scIB total",
        "0.4 × mean of the mixing scores + 0.6 × mean of the conservation scores.",
        "More is better.",
        _PAPERS,
        _SCIB,
    ),
    "mixing": Entry(
        "Mixing around the cell",
        "Part of a cell’s neighbours that are of other batches, over the part expected of chance.",
        "High where the other batches have such cells.",
        "30 neighbours, so a single cell’s value is coarse.",
        _OURS,
    ),
    "neighbors_replaced": Entry(
        "Neighbours replaced",
        "Part of a cell’s 30 nearest neighbours before correction that are no longer among them.",
        "Neither good nor bad: it shows where the correction worked hardest.",
        "A count, not an estimate.",
        _OURS,
    ),
    "displacement": Entry(
        "Distance moved",
        "How far a cell was moved, over its distance to the nearest other pre-cluster of the "
        "uncorrected data.",
        "Above 1 it moved far enough to change sides; look there first.",
        "A shift that all cells of a batch share counts in full.",
        _OURS,
    ),
    "wrong_label": Entry(
        "Neighbours of another label",
        "Part of a cell’s neighbours after correction that carry another label.",
        "Less is better.",
        "As sure as the labels are.",
        _OURS,
    ),
    "soft_clusters": Entry(
        "Observed against expected",
        "Cells of each batch in each soft cluster (O), over what they would be if every batch "
        "were spread evenly (E).",
        "Near 1 is mixed. Cell types of one batch should stay far from 1.",
        "Harmony’s own quantity; it explains a run and judges nothing.",
        _LISI,
    ),
    "theta_b": Entry(
        "theta in effect",
        "The diversity penalty of each batch after tau, which lowers it for small batches.",
        "Below about 0.2 a batch is hardly pushed.",
        "Exact.",
        _LISI,
    ),
    "objective": Entry(
        "Objective",
        "What Harmony minimises: distance to the soft clusters’ centres plus the penalties.",
        "It should fall and level off.",
        "A low value does not mean a good correction.",
        _LISI,
    ),
    "cramers_v": Entry(
        "Association (Cramér’s V)",
        "How far one column decides another: 0 not at all, 1 entirely; corrected for chance.",
        "Above 0.3 look, above 0.7 nothing can separate the two.",
        "The cut-offs are conventions.",
        "Bergsma 2013, doi:10.1016/j.jkss.2012.10.002",
    ),
}
"""By the name used in results."""
