"""What the diagnostics found, as plain values that travel through JSON.

Names of batches, labels and genes are kept raw, as the file has them; whoever draws them escapes.
Nothing heavy is imported here: pages read stored results with this module.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

GapBasis = Literal["genes", "components"]
Outcome = Literal["kept", "merged", "apart", "partly", "unjudged"]


@dataclass(frozen=True, kw_only=True)
class StateRow:
    """What a run did to one state or label.

    Parameters
    ----------
    name
        The label, or the state's batch, rank by size and markers.
    kind
        Whether it is a known label, or a state within a batch of the uncorrected data.
    state
        Number of the state in the assessment's ``states``; ``None`` for a label.
    batch
        Batch (or pool of batches) whose state it is; of a label the batch where it fared worst,
        empty where none stands out.
    cells
        Number of cells.
    outcome
        ``kept``; ``merged`` with another state; ``apart`` from its match in another batch, or
        less than half mixed with it (``partly``); ``unjudged``.
    other
        What it merged with, or stayed apart from.
    amount
        Fraction of its neighbours that changed to other states. ``None`` where not judged.
    mixing
        With its matches in other batches, 1 being as far as sizes allow; of a label the mean of
        its batches. ``None`` without match.
    q
        False discovery rate at which it counts as merged; ``None`` where not tested.
    genes
        Genes that tell it from ``other``, the clearest first.
    why
        Why it can't be judged.
    """

    name: str
    kind: Literal["label", "state"]
    state: int | None = None
    batch: str = ""
    cells: int
    outcome: Outcome
    other: str = ""
    amount: float | None = None
    mixing: float | None = None
    q: float | None = None
    genes: tuple[str, ...] = ()
    why: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StateRow:
        """Rebuild from plain values, also after JSON turned tuples into lists."""
        return cls(**_tuples(values))


@dataclass(frozen=True, kw_only=True)
class BatchMixing:
    """How far one batch lies among the others, before and after correction (1 is fully)."""

    name: str
    cells: int
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class ClusterRow:
    """One pre-cluster of the uncorrected data, as a run left it.

    Parameters
    ----------
    cluster
        Number of the pre-cluster in the reference that evidence is taken from.
    name
        Batch, number within the batch (largest is 1) and top markers.
    batch
        Level of the batch variable that all its cells belong to.
    cells
        Number of cells.
    judged
        Whether it has enough cells and cross-batch neighbours to be judged.
    share
        Cross-batch fraction of its neighbours over that expected from batch sizes; at most 1.
    conflict
        Part of all its neighbours that are of another batch and look like another cluster of its
        own batch, minus the same before correction.
    gap
        How much it still differs from its new neighbours: share times the size of the log fold
        changes beyond twofold, minus the median of its batch's pre-clusters.
    lost
        Share times the fraction of its markers that its new neighbours lack; ``None`` without
        markers.
    merged_with
        Name of the pre-cluster of another batch that holds most of its new
        neighbours; empty where it has none.
    merged_cluster
        Number of that pre-cluster, -1 where there is none.
    merged_part
        Fraction of its new neighbours that it holds.
    genes
        Genes with the largest difference, largest first.
    lost_genes
        Markers its new neighbours lack.
    score
        The conflict over its threshold: above 1 it is flagged.
    """

    cluster: int
    name: str
    batch: str
    cells: int
    judged: bool
    share: float
    conflict: float
    gap: float
    lost: float | None
    merged_with: str
    merged_cluster: int
    merged_part: float
    genes: tuple[str, ...]
    lost_genes: tuple[str, ...]
    score: float

    @property
    def flagged(self) -> bool:
        return self.score > 1.0


@dataclass(frozen=True, kw_only=True)
class MatchedRow:
    """How far one pre-cluster mixed with its partner in another batch (1 is fully)."""

    name: str
    partner: str
    batch: str
    partner_batch: str
    cluster: int
    partner_cluster: int
    cells: int
    mixing: float


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """One known label, as a run left it.

    Parameters
    ----------
    loss
        Rise of the wrong-label fraction of its neighbours.
    merged_with
        Label that most of its wrong neighbours carry; empty where unknown.
    batch
        Batch in which the loss is largest; empty where unknown.
    error
        Standard error of the loss over its cells.
    mixing
        Mixing with its cells in other batches, 1 being fully; ``None`` where no other has it.
    least_mixed, least_mixing
        The batch in which it is mixed least with the others, and how far; empty and ``None`` where
        none has enough of its cells.
    """

    name: str
    cells: int
    loss: float
    error: float = 0.0
    mixing: float | None = None
    least_mixed: str = ""
    least_mixing: float | None = None
    merged_with: str = ""
    merged_part: float = 0.0
    batch: str = ""
    share: float | None = None
    genes: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LabelRow:
        """Rebuild from plain values, also after JSON turned tuples into lists."""
        return cls(**_tuples(values))


@dataclass(frozen=True, kw_only=True)
class LabelMixing:
    """How far the labels that batches share are mixed, before and after correction.

    Parameters
    ----------
    before, after
        Mean over cells, 1 being as far as sizes allow; ``None`` where no label is shared.
    worst_batch, worst_before, worst_after
        The batch that is mixed least after correction, its mixing then, and that of the batch that
        is mixed least before.
    """

    before: float | None = None
    after: float | None = None
    worst_batch: str = ""
    worst_before: float | None = None
    worst_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The label-free numbers of one run for one batch variable.

    Parameters
    ----------
    conflict
        Worst pre-cluster's conflict, the mean of the three references; ``None`` where nothing
        could be judged.
    gap
        Worst pre-cluster's gap, the mean of the three references; ``None`` likewise.
    gap_basis
        Whether gap and conflict were computed on genes, or on components for want of genes.
    condition
        Whether the batch variable was said to be a condition, which raises the thresholds.
    flagged
        Whether a state was merged, or the conflict is above its threshold.
    score
        The largest of a state's loss and the conflict, each over its threshold: 1 is the limit.
    mcm
        Matched-cluster mixing; ``None`` where no pre-clusters match.
    clusters
        Every pre-cluster of the reference that evidence is taken from.
    resolution
        Leiden resolution of that reference.
    matched
        The pairs behind ``mcm``, worst first.
    notes
        What could not be computed, and why.
    states
        What became of every state, the most harmed first.
    state_mixing
        Mixing of matching states, seen from the worse side; ``None`` where none match.
    batches
        How far each batch lies among the others.
    assessed_fraction
        Part of the cells whose states could be judged.
    conflict_flagged
        Whether the conflict alone is above its threshold.
    """

    conflict: float | None
    gap: float | None
    gap_basis: GapBasis
    condition: bool
    flagged: bool
    score: float
    mcm: float | None
    clusters: tuple[ClusterRow, ...]
    resolution: float
    matched: tuple[MatchedRow, ...]
    notes: tuple[str, ...]
    states: tuple[StateRow, ...] = ()
    state_mixing: float | None = None
    batches: tuple[BatchMixing, ...] = ()
    assessed_fraction: float = 0.0
    conflict_flagged: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Detection:
        """Rebuild from the values of ``to_dict``, also after JSON turned tuples into lists."""
        rows = {
            "clusters": tuple(ClusterRow(**_tuples(row)) for row in values["clusters"]),
            "matched": tuple(MatchedRow(**row) for row in values["matched"]),
            "notes": tuple(values["notes"]),
            "states": tuple(StateRow.from_dict(row) for row in values["states"]),
            "batches": tuple(BatchMixing(**row) for row in values["batches"]),
        }
        return cls(**{**values, **rows})


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
