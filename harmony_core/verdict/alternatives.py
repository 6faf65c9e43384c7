"""Is Harmony the right tool here? An answer from what the data and a run show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harmony_core import thresholds
from harmony_core.counting import counted
from harmony_core.verdict.wording import percent

Fit = Literal["yes", "consider", "no"]


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What the answer depends on.

    Parameters
    ----------
    batch_variable
        Name of the column (or combination) corrected for.
    n_cells, n_batches
        Of the cells that were corrected.
    has_counts
        Whether raw counts are there.
    tied_to
        Column that nothing can separate from the batch variable; empty where there is none.
    nothing_to_correct
        Whether the uncorrected batches are mixed as by lot already.
    exclusive, labels
        Labels that live in one batch, of all labels; both 0 without labels.
    mcm
        Matched-cluster mixing of the run on screen; ``None`` where no clusters match.
    theta
        Of the run on screen, the largest.
    """

    batch_variable: str
    n_cells: int
    n_batches: int
    has_counts: bool
    tied_to: str
    nothing_to_correct: bool
    exclusive: int
    labels: int
    mcm: float | None
    theta: float


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One method, whether it fits these data, why, and its paper."""

    name: str
    fit: Fit
    sentence: str
    source: str


def right_tool(facts: DataFacts) -> tuple[Tool, ...]:
    """Return what to say of Harmony and of three other methods, Harmony first.

    Parameters
    ----------
    facts
        Of the data and of the run on screen.

    References
    ----------
    Harmony 10.1038/s41592-019-0619-0; scVI 10.1038/s41592-018-0229-2; BBKNN
    10.1093/bioinformatics/btz625; Seurat's anchors 10.1016/j.cell.2019.05.031
    """
    harmony = _harmony(facts)
    if facts.tied_to or facts.nothing_to_correct:
        return (harmony,)
    return (harmony, _scvi(facts), _bbknn(facts), _seurat(facts))


def _harmony(facts: DataFacts) -> Tool:
    fit: Fit = "yes"
    if facts.tied_to:
        fit = "no"
        sentence = (
            f"No method can help here: “{facts.tied_to}” goes with “{facts.batch_variable}”, so "
            "whatever removes the one removes the other. More samples that cross the two are the "
            "only cure; until then, compare within batches."
        )
    elif facts.nothing_to_correct:
        fit = "no"
        sentence = (
            f"No correction is needed: the batches of “{facts.batch_variable}” are mixed as if "
            "drawn by lot. Use the uncorrected data."
        )
    elif facts.mcm is not None and facts.mcm < thresholds.MCM_LOW:
        fit = "consider"
        sentence = (
            f"Matching clusters reach {percent(facts.mcm)} of their possible mixing at theta "
            f"{facts.theta:g}. Try the stronger settings first; where they fail too, a method "
            "that does not shift clusters linearly may do better."
        )
    elif facts.mcm is None:
        fit = "consider"
        sentence = (
            "No cluster of one batch has a clear counterpart in another, so no method's mixing "
            "could be checked; correct as little as possible."
        )
    else:
        sentence = (
            f"Harmony fits: clusters match between batches and mix ({percent(facts.mcm)}). It is "
            "fast, and leaves expression alone."
        )
    return Tool(name="Harmony", fit=fit, sentence=sentence, source="10.1038/s41592-019-0619-0")


def _scvi(facts: DataFacts) -> Tool:
    source = "10.1038/s41592-018-0229-2"
    if not facts.has_counts:
        sentence = "Needs raw counts, which these data do not have."
        return Tool(name="scVI", fit="no", sentence=sentence, source=source)
    large = facts.n_cells >= thresholds.SCVI_CELLS or facts.n_batches >= thresholds.SCVI_BATCHES
    size = f"{facts.n_cells:,} cells in {facts.n_batches} batches"
    sentence = (
        f"Raw counts are there, and with {size} it has enough to learn from: worth trying where "
        "batches are many or complex, where you want uncertainty of expression, or measured "
        "protein or chromatin too (its relatives totalVI and MultiVI). Training takes minutes to "
        "hours, best on a graphics card."
        if large
        else f"Possible, as raw counts are there, but {size} are few for a neural network. Choose "
        "it if you need uncertainty of expression or several modalities."
    )
    return Tool(name="scVI", fit="consider" if large else "no", sentence=sentence, source=source)


def _exclusive(facts: DataFacts) -> str:
    labels = f"of {facts.labels} labels"
    return counted(facts.exclusive, f"{labels} lives", f"{labels} live")


def _bbknn(facts: DataFacts) -> Tool:
    shared = facts.labels == 0 or facts.exclusive == 0
    sentence = (
        "Enough if all you need is a graph for a picture and clusters: it gives every cell "
        "neighbours in every batch, at almost no cost, but no corrected embedding."
        if shared
        else f"Not here: {_exclusive(facts)} in one batch, and it "
        "gives every cell neighbours in every batch, also where there are no relatives."
    )
    source = "10.1093/bioinformatics/btz625"
    return Tool(name="BBKNN", fit="consider" if shared else "no", sentence=sentence, source=source)


def _seurat(facts: DataFacts) -> Tool:
    name, source = "Seurat’s CCA anchors", "10.1016/j.cell.2019.05.031"
    if facts.labels and facts.exclusive / facts.labels > thresholds.MANY_EXCLUSIVE:
        sentence = (
            f"Not with CCA: {_exclusive(facts)} in one batch, and CCA "
            "tends to align those too. Its reciprocal-PCA variant is the cautious choice where few "
            "cell types are shared."
        )
        return Tool(name=name, fit="no", sentence=sentence, source=source)
    apart = facts.mcm is None or facts.mcm < thresholds.MCM_LOW
    sentence = (
        "Worth trying: it looks for shared patterns of genes, not for nearby cells, so it also "
        "aligns types whose expression differs strongly (species, technologies, disease). It "
        "corrects more, and over-corrects more easily."
        if apart
        else "No need: matching clusters are close enough for Harmony. It helps where the same "
        "types differ strongly between batches."
    )
    return Tool(name=name, fit="consider" if apart else "no", sentence=sentence, source=source)
