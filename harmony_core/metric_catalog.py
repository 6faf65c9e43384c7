"""The catalogue of metrics: what each number is called, which way is better, how sure, its limits.

Pages, reports, the command line and benchmarks read it, and nothing else names a metric. Texts are
plain; nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from harmony_core import thresholds

_OURS = "own definition; benchmarks/diagnostics.py measures it"
_LISI = "Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0"
_SCIB = "Luecken et al. 2022, doi:10.1038/s41592-021-01336-8"
_KBET = "Büttner et al. 2019, doi:10.1038/s41592-018-0254-1"
_BRAS = "Rautenstrauch & Ohler 2025, doi:10.1038/s41587-025-02743-4"
_CILISI = "Andreatta et al. 2024, doi:10.1038/s41467-024-45240-z"
_PAPERS = "For comparison with papers; no verdict rests on it."
_BLIND = "Blind to what should not mix: more is not always better."


Better = Literal["more", "less"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number.

    Parameters
    ----------
    title, short
        Its name, and a shorter one for the head of a column; by default the same.
    better
        Which way is better; ``None`` where neither always is.
    what, good, sure, source
        What it is, which way is good, how sure it is, and who says so: whole sentences.
    brief
        What a reader needs beside a headline number, where that is less than all of it.
    limits
        Thresholds that it is compared with, by their names in `thresholds.TABLE`.
    format
        Of the number, as ``%`` takes it.
    """

    title: str
    short: str = ""
    better: Better | None = None
    what: str
    good: str
    sure: str
    source: str
    brief: str = ""
    limits: tuple[str, ...] = ()
    format: str = "%.3f"

    @property
    def text(self) -> str:
        """All of it in one paragraph, for a tooltip."""
        return f"{self.what} {self.good} {self.sure} ({self.source})"

    @property
    def short_title(self) -> str:
        return self.short or self.title


_PURITY_LIMITS = (
    f"{thresholds.PURITY_LOSS_AMBER:g} suspicious, above {thresholds.PURITY_LOSS_RED:g} "
    "over-corrected"
)
_PURITY_LOSS = Metric(
    title="Purity loss",
    better="less",
    what="Rise of the part of a label’s nearest neighbours that carry another label, over the "
    "better of the raw data and each batch alone.",
    good=f"Less is better: above {_PURITY_LIMITS}.",
    sure="As sure as the labels are; coarse labels hide merging inside them.",
    source=_OURS,
    limits=("purity_loss_amber", "purity_loss_red"),
)

_MCM_LIMITS = f"below {thresholds.MCM_LOW:g} is under-corrected, above {thresholds.MCM_GOOD:g} good"

METRICS: Mapping[str, Metric] = {
    "mcm": Metric(
        title="Matched-cluster mixing",
        short="Matched mixing",
        better="more",
        what="Pre-clusters of two batches that are each other’s best match, and how far they came "
        "together: 0 apart, 1 as mixed as their sizes allow.",
        good=f"More is better; {_MCM_LIMITS}.",
        sure="Followed the true mixing closely in simulations (correlation 0.81 to 0.99). "
        "Missing where no clusters match.",
        source=_OURS,
        brief="How far clusters that correspond between batches came together: 0 apart, 1 fully "
        f"mixed. {_MCM_LIMITS.capitalize()}. Blind to what should not mix.",
        limits=("mcm_low", "mcm_good"),
        format="%.2f",
    ),
    "ilisi": Metric(
        title="iLISI",
        what="Effective number of batches around a cell, from 1 to the number of batches.",
        good="More is more mixed.",
        sure=f"{_BLIND} Over a grid of settings, the one with the highest was usually "
        "over-corrected.",
        source=_LISI,
        brief="Effective number of batches around a cell, from 1 to the number of batches "
        "(Korsunsky et al. 2019).",
    ),
    "ilisi_vs_null": Metric(
        title="iLISI against chance",
        what="iLISI above 1, over what it would be if batch were dealt at random to the same "
        "cells.",
        good=f"0 is no mixing, 1 chance. Before correction, from {thresholds.NULL_MIXING:g} on "
        "there is nothing to correct.",
        sure=f"Exact for what it says. {_BLIND}",
        source=_LISI,
        brief="Mixing of batches around each cell, 0 none, 1 as if batch were dealt at random. "
        "Cell types that only one batch has should not reach 1; mixing alone rewards "
        "over-correction.",
        limits=("null_mixing",),
    ),
    "share": Metric(
        title="Mixed",
        what="Cross-batch part of a pre-cluster’s neighbours, over the part expected from batch "
        "sizes; at most 1.",
        good="High where the other batch has the same cells, low where it has not.",
        sure="A count, not an estimate.",
        source=_OURS,
        format="%.2f",
    ),
    "conflict": Metric(
        title="Conflict",
        better="less",
        what="Part of a pre-cluster’s neighbours that are of another batch and, by the genes "
        "that tell its own batch’s clusters apart, look like another cluster of its batch; minus "
        "the same before correction.",
        good="Less is better.",
        sure="Best single sign of merging without labels, yet misses some on real cells; most "
        "false alarms are near misses.",
        source=_OURS,
        limits=("conflict_max", "conflict_max_condition"),
    ),
    "gap": Metric(
        title="Gap",
        better="less",
        what="How much a pre-cluster still differs from its new neighbours in other batches: "
        "size of the differences beyond twofold, times how far it mixed, minus the median of its "
        "batch.",
        good="Less is better; below 0 it differs less than the batch’s clusters usually do.",
        sure="Names genes; no verdict rests on it, since on real cells a batch effect that differs "
        "between types raises it as merging does.",
        source=_OURS,
        format="%.2f",
    ),
    "lost": Metric(
        title="Lost markers",
        better="less",
        what="Fraction of a pre-cluster’s markers that its new neighbours lack, times how far it "
        "mixed.",
        good=f"Less is better; above {thresholds.LOST_MARKERS:g} it supports a flag.",
        sure="Erratic alone, so it only supports.",
        source=_OURS,
        limits=("lost_markers",),
        format="%.2f",
    ),
    "purity_loss": _PURITY_LOSS,
    "worst_label_purity_loss": replace(
        _PURITY_LOSS,
        title="Worst purity loss",
        what="Purity loss of the label that lost most.",
        brief="The label that lost most: share of its neighbours that changed to another label. "
        f"Above {_PURITY_LIMITS}.",
    ),
    "clisi": Metric(
        title="cLISI",
        better="less",
        what="Effective number of labels around a cell; 1 is pure.",
        good="Less is better; a rise means that labels were mixed.",
        sure="The mean hides a single merged label; look at the worst label.",
        source=_LISI,
        brief="Effective number of labels around a cell: 1 is pure. A rise means labels were "
        "mixed.",
        format="%.2f",
    ),
    "cilisi": Metric(
        title="CiLISI",
        better="more",
        what="Mixing of batches inside one label: 0 none, 1 complete.",
        good="More is better, for labels that several batches hold.",
        sure="Neighbours come from the one graph, so impure labels count fewer of them.",
        source=_CILISI,
        format="%.2f",
    ),
    "scaled_ilisi": Metric(
        title="iLISI (scIB)",
        what="Median iLISI scaled to 0 to 1.",
        good="More is more mixed.",
        sure=_BLIND,
        source=_SCIB,
    ),
    "scaled_clisi": Metric(
        title="cLISI (scIB)",
        better="more",
        what="Median cLISI scaled so that 1 is pure.",
        good="More is better.",
        sure="Hardly moves when one of many labels is merged.",
        source=_SCIB,
    ),
    "kbet": Metric(
        title="kBET",
        what="Part of the cells whose neighbourhood holds batches as a chi-squared test expects of "
        "chance, inside each label.",
        good="More is more mixed.",
        sure="Strict: small shifts that nobody sees make it fall.",
        source=_KBET,
    ),
    "graph_connectivity": Metric(
        title="Graph connectivity",
        better="more",
        what="Largest connected part of each label’s own neighbour graph.",
        good="More is better.",
        sure="Near 1 for most corrections, so it tells few apart.",
        source=_SCIB,
    ),
    "pcr_comparison": Metric(
        title="PCR comparison",
        what="Part of the variance between batches that the correction removed.",
        good="More is more corrected.",
        sure="Cannot tell technical from biological differences between batches.",
        source=_KBET,
    ),
    "bras": Metric(
        title="BRAS",
        what="Batch silhouette inside each label, in the variant that nested batches do not fool.",
        good="More is more mixed.",
        sure=f"Computed on a sample above {thresholds.SILHOUETTE_SAMPLE:,} cells.",
        source=_BRAS,
    ),
    "label_asw": Metric(
        title="Label silhouette",
        better="more",
        what="How compact and apart the labels are, 0 to 1.",
        good="More is better.",
        sure="Prefers round, equally dense labels. On a sample above "
        f"{thresholds.SILHOUETTE_SAMPLE:,} cells.",
        source=_SCIB,
    ),
    "isolated_label": Metric(
        title="Isolated label",
        better="more",
        what="Label silhouette of the labels that the fewest batches hold.",
        good="More is better.",
        sure="Sees over-correction well with fine labels.",
        source=_SCIB,
    ),
    "nmi": Metric(
        title="NMI",
        better="more",
        what="Information shared by clusters and labels, 0 to 1.",
        good="More is better.",
        sure="Depends on the clustering; did not see over-correction with coarse labels.",
        source=_SCIB,
    ),
    "ari": Metric(
        title="ARI",
        better="more",
        what="Pairs of cells on which clusters and labels agree, chance being 0.",
        good="More is better.",
        sure="As NMI; large labels dominate.",
        source=_SCIB,
    ),
    "total": Metric(
        title="scIB total",
        better="more",
        what=f"{thresholds.SCIB_WEIGHT_BATCH:g} × mean of the mixing scores + "
        f"{thresholds.SCIB_WEIGHT_BIO:g} × mean of the conservation scores.",
        good="More is better.",
        sure=_PAPERS,
        source=_SCIB,
    ),
    "mixing": Metric(
        title="Mixing around the cell",
        what="Part of a cell’s neighbours that are of other batches, over the part expected of "
        "chance.",
        good="High where the other batches have such cells.",
        sure=f"{thresholds.N_NEIGHBORS} neighbours, so a single cell’s value is coarse.",
        source=_OURS,
    ),
    "neighbors_replaced": Metric(
        title="Neighbours replaced",
        what="Part of a cell’s 30 nearest neighbours before correction that are no longer among "
        "them.",
        good="Neither good nor bad: it shows where the correction worked hardest.",
        sure="A count, not an estimate.",
        source=_OURS,
    ),
    "displacement": Metric(
        title="Distance moved",
        what="How far a cell was moved, over its distance to the nearest other pre-cluster of the "
        "uncorrected data.",
        good="Above 1 it moved far enough to change sides; look there first.",
        sure="A shift that all cells of a batch share counts in full.",
        source=_OURS,
    ),
    "wrong_label": Metric(
        title="Neighbours of another label",
        better="less",
        what="Part of a cell’s neighbours after correction that carry another label.",
        good="Less is better.",
        sure="As sure as the labels are.",
        source=_OURS,
    ),
    "soft_clusters": Metric(
        title="Observed against expected",
        what="Cells of each batch in each soft cluster (O), over what they would be if every batch "
        "were spread evenly (E).",
        good="Near 1 is mixed. Cell types of one batch should stay far from 1.",
        sure="Harmony’s own quantity; it explains a run and judges nothing.",
        source=_LISI,
    ),
    "theta_b": Metric(
        title="theta in effect",
        what="The diversity penalty of each batch after tau, which lowers it for small batches.",
        good="Below about 0.2 a batch is hardly pushed.",
        sure="Exact.",
        source=_LISI,
        format="%.2f",
    ),
    "objective": Metric(
        title="Objective",
        what="What Harmony minimises: distance to the soft clusters’ centres plus the penalties.",
        good="It should fall and level off.",
        sure="A low value does not mean a good correction.",
        source=_LISI,
    ),
    "cramers_v": Metric(
        title="Association (Cramér’s V)",
        what="How far one column decides another: 0 not at all, 1 entirely; corrected for chance.",
        good=f"Above {thresholds.CRAMERS_V_WARN:g} look, above "
        f"{thresholds.CRAMERS_V_CONFOUNDED:g} nothing can separate the two.",
        sure="The cut-offs are conventions.",
        source="Bergsma 2013, doi:10.1016/j.jkss.2012.10.002",
        limits=("cramers_v_warn", "cramers_v_confounded"),
        format="%.2f",
    ),
}
"""By the name used in results."""

HEADLINE = ("mcm", "ilisi_vs_null", "ilisi", "worst_label_purity_loss", "clisi")
"""The numbers of a run that are read first, in this order; each before and after."""

SCIB_MIXING = {
    "ilisi": "scaled_ilisi",
    **{n: n for n in ("kbet", "graph_connectivity", "pcr_comparison", "bras")},
}
SCIB_CONSERVATION = {
    "clisi": "scaled_clisi",
    **{n: n for n in ("label_asw", "isolated_label", "nmi", "ari")},
}
"""The two halves of the scIB set: names in its results, and their entries here."""

PER_CELL = ("mixing", "neighbors_replaced", "displacement", "wrong_label")
"""The numbers that an assessment has of each cell."""


def metric_title(name: str) -> str:
    """Return what a number is called, also one that the catalogue does not hold."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ").capitalize()
