"""The reference: clusters within each batch of the uncorrected data, their markers and partners.

It is built once per dataset and batch variable. Every run is then assessed against it from its
nearest neighbours alone, in well under a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harmony_core import thresholds
from harmony_core._typing import Ints
from harmony_core.counting import counted
from harmony_core.detector.lending import LentStates, lend_states
from harmony_core.detector.pooling import pool_batches
from harmony_core.detector.profiles import (
    choose_genes,
    markers,
    partners,
    profile,
)
from harmony_core.detector.states import (
    leiden_within_batches,
    neighbors_within_batches,
)
from harmony_core.detector.transfer import conflict_table
from harmony_core.errors import DataError
from harmony_core.metrics import kernels

RESOLUTIONS = (thresholds.RESOLUTION_LOW, thresholds.RESOLUTION_MID, thresholds.RESOLUTION_HIGH)
"""Leiden resolutions of the three references that must agree."""

MATCHING, EVIDENCE = 0, 1
"""Positions of the partition that matched mixing and that evidence come from."""

_NAMED = 3
"""Batches of a pool that its name lists."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Pre-clusters at one resolution.

    Parameters
    ----------
    pre
        Pre-cluster of each cell, numbered through the batches.
    sizes, batch
        Cells and batch of each pre-cluster.
    markers
        Positions in ``Reference.genes``, pre-clusters × 30, best first, -1 where there are fewer.
    marker_z
        Mean z of the same genes.
    partners
        Mutually best pairs of pre-clusters of two batches, pairs × 2.
    sd
        Standard deviation of each compared column within pre-clusters.
    conflict
        Cells × pre-clusters, steps of 1/255; see ``transfer.conflict_table``.
    """

    pre: Ints
    sizes: Ints
    batch: Ints
    markers: Ints
    marker_z: npt.NDArray[np.float32]
    partners: Ints
    sd: npt.NDArray[np.float32]
    conflict: npt.NDArray[np.uint8]

    def rank_in_batch(self, cluster: int) -> int:
        """Return the number a reader sees: 1 for the largest pre-cluster of its batch."""
        return int((self.batch[:cluster] == self.batch[cluster]).sum()) + 1


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What runs are assessed against. Fields are arrays, so a store can keep it without pickles.

    Parameters
    ----------
    codes
        Pool of batches of each cell (`pooling`), or its batch where all are one pool.
    batch_codes
        Batch of each cell.
    genes
        Ascending columns of the expression that are compared; empty without expression.
    batch_mean, batch_sd
        Batches × compared genes.
    components
        The embedding, kept only where there is no expression.
    partitions
        One per resolution of ``RESOLUTIONS``.
    notes
        Sentences on what could not be assessed, and why.
    lent
        States of the pools, and what every cell borrows of them.
    """

    codes: Ints
    batch_codes: Ints
    genes: Ints
    batch_mean: npt.NDArray[np.float32]
    batch_sd: npt.NDArray[np.float32]
    components: npt.NDArray[np.float32]
    partitions: tuple[Partition, ...]
    notes: tuple[str, ...]
    lent: LentStates

    @property
    def has_genes(self) -> bool:
        """Whether genes are compared, rather than components."""
        return not self.components.size

    @property
    def n_batches(self) -> int:
        return len(self.batch_mean)

    def pool_names(self, batch_names: Sequence[str]) -> list[str]:
        """Name the pools by their batches.

        Parameters
        ----------
        batch_names
            Names of the batches.
        """
        return [
            _joined(
                [name for name, of in zip(batch_names, self.lent.pool_of, strict=True) if of == p]
            )
            for p in range(int(self.lent.pool_of.max()) + 1)
        ]

    def group_names(self, batch_names: Sequence[str]) -> list[str]:
        """Name what ``codes`` count: pools, or batches where all are one pool.

        Parameters
        ----------
        batch_names
            Names of the batches.
        """
        pooled = self.lent.pool_of.max() > 0
        return self.pool_names(batch_names) if pooled else list(batch_names)

    @property
    def evidence(self) -> Partition:
        """The partition that evidence names its pre-clusters from."""
        return self.partitions[EVIDENCE]

    @property
    def matching(self) -> Partition:
        """The partition that matched-cluster mixing uses."""
        return self.partitions[MATCHING]

    def cells_of(self, cluster: int) -> Ints:
        """Return the cells of a pre-cluster that evidence names.

        Parameters
        ----------
        cluster
            Number of the pre-cluster.

        Returns
        -------
        Positions, ascending.
        """
        return np.flatnonzero(self.evidence.pre == cluster).astype(np.int32)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as a flat dict of arrays."""
        flat: dict[str, np.ndarray] = {
            name: getattr(self, name)
            for name in ("codes", "batch_codes", "genes", "batch_mean", "batch_sd", "components")
        }
        flat["notes"] = np.asarray(self.notes, dtype=np.str_)
        flat |= {f"lent_{name}": array for name, array in self.lent.to_arrays().items()}
        for at, partition in enumerate(self.partitions):
            for name in Partition.__dataclass_fields__:
                flat[f"partition{at}_{name}"] = getattr(partition, name)
        return flat

    @classmethod
    def from_arrays(cls, flat: Mapping[str, np.ndarray]) -> Reference:
        """Rebuild from ``to_arrays``; memory maps stay memory maps."""
        partitions = tuple(
            Partition(
                **{name: flat[f"partition{at}_{name}"] for name in Partition.__dataclass_fields__}
            )
            for at in range(len(RESOLUTIONS))
        )
        plain = ("codes", "batch_codes", "genes", "batch_mean", "batch_sd", "components")
        return cls(
            **{name: flat[name] for name in plain},
            partitions=partitions,
            notes=tuple(str(note) for note in flat["notes"]),
            lent=LentStates.from_arrays(
                {k.removeprefix("lent_"): a for k, a in flat.items() if k.startswith("lent_")}
            ),
        )


def build_reference(
    embedding: npt.NDArray[np.float32],
    batch_codes: npt.NDArray[np.integer],
    expression: sparse.csc_matrix | sparse.csr_matrix | None,
    near: Ints,
    *,
    seed: int,
) -> Reference:
    """Build what runs are assessed against, from uncorrected data.

    Parameters
    ----------
    embedding
        Uncorrected components, cells × dimensions, float32.
    batch_codes
        Batch of each cell as whole numbers from 0; every number up to the largest may occur.
    expression
        Log-normalised variable genes (natural log), cells × genes, CSC preferred; ``None`` where
        there is none, and components take the place of genes.
    near
        Nearest neighbours in the embedding (cells × at least 30).
    seed
        Seeds neighbours and clustering; the same input and seed give the same reference.

    Returns
    -------
    The reference.

    Raises
    ------
    DataError
        If the inputs' numbers of cells differ, or there are no cells.
    """
    codes = np.ascontiguousarray(batch_codes, dtype=np.int32)
    embedding = np.ascontiguousarray(embedding, dtype=np.float32)
    _check(embedding, codes, expression)
    values = sparse.csc_matrix((len(codes), 0)) if expression is None else expression.tocsc()
    genes = choose_genes(values)
    has_genes = len(genes) > 0
    if not has_genes:
        values = sparse.csc_matrix(embedding)
        genes = np.arange(embedding.shape[1], dtype=np.int32)
    batches, pool_of = codes, pool_batches(near, codes)
    lent = lend_states(
        *(embedding, codes, pool_of, values, genes, near), are_genes=has_genes, seed=seed
    )
    if pool_of.max() > 0:
        codes = pool_of[batches].astype(np.int32)
    by_cell = values[:, genes].tocsr()
    batch_mean, batch_sd = _batch_moments(values, genes, codes)
    within = neighbors_within_batches(embedding, codes, seed=seed)
    partitions = []
    for pre in leiden_within_batches(within, RESOLUTIONS, seed=seed):
        profiles = profile(values, genes, pre, codes, are_genes=has_genes)
        top, z = markers(profiles, batch_mean, batch_sd)
        partitions.append(
            Partition(
                pre=pre,
                sizes=profiles.sizes,
                batch=profiles.batch,
                markers=top,
                marker_z=z.astype(np.float32),
                partners=partners(profiles),
                sd=profiles.pooled_sd.astype(np.float32),
                conflict=conflict_table(by_cell, profiles, within),
            )
        )
    return Reference(
        codes=codes,
        batch_codes=batches,
        genes=genes if has_genes else np.zeros(0, dtype=np.int32),
        batch_mean=batch_mean.astype(np.float32),
        batch_sd=batch_sd.astype(np.float32),
        components=np.zeros((0, 0), dtype=np.float32) if has_genes else embedding,
        partitions=tuple(partitions),
        notes=tuple(_notes(codes, partitions[EVIDENCE], has_genes, pooled=bool(pool_of.max()))),
        lent=lent,
    )


def _joined(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"pool of {len(names)} batches ({names[0]}, …)"


def _check(
    embedding: npt.NDArray[np.float32],
    codes: Ints,
    expression: sparse.csc_matrix | sparse.csr_matrix | None,
) -> None:
    if not len(codes):
        raise DataError("There are no cells to judge.")
    if len(embedding) != len(codes):
        raise DataError(
            f"The embedding has {len(embedding)} cells and the batch column {len(codes)}; "
            "they must be the same cells."
        )
    if expression is not None and expression.shape[0] != len(codes):
        raise DataError(
            f"The expression has {expression.shape[0]} cells and the batch column {len(codes)}; "
            "they must be the same cells."
        )


def _batch_moments(
    values: sparse.csc_matrix, columns: Ints, codes: Ints
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and standard deviation of each batch (batches × columns)."""
    n_batches = int(codes.max()) + 1
    total, squares = kernels.moments(
        values.indptr, values.indices, values.data, columns, codes, n_batches
    )
    sizes = np.maximum(np.bincount(codes, minlength=n_batches), 1)[:, None]
    mean = total / sizes
    return mean, np.sqrt(np.maximum(squares / sizes - mean**2, 0.0))


def _notes(codes: Ints, evidence: Partition, has_genes: bool, *, pooled: bool) -> list[str]:
    notes, groups = [], "pools of batches" if pooled else "batches"
    if not has_genes:
        notes.append(
            "There is no expression of variable genes, so the judgement rests on components and "
            "cannot name genes."
        )
    sizes = np.bincount(codes)
    assessed = np.zeros(len(sizes), dtype=bool)
    assessed[evidence.batch[evidence.sizes >= thresholds.MIN_CELLS_REFERENCE]] = True
    present = int((sizes > 0).sum())
    if present < 2:
        notes.append("There is only one batch, so there is no mixing to judge.")
    missing = int(((sizes > 0) & ~assessed).sum())
    least = f"{thresholds.MIN_CELLS_REFERENCE} cells"
    if missing:
        none = f"no cluster of {least} or more, so"
        one = f"of {present} {groups} has {none} it is"
        several = f"of {present} {groups} have {none} they are"
        notes.append(f"{counted(missing, one, several)} not judged.")
    small = int((evidence.sizes < thresholds.MIN_CELLS_REFERENCE).sum())
    if small:
        of_all, few = f"of {len(evidence.sizes)} pre-clusters", f"fewer than {least} and"
        one, several = f"{of_all} has {few} is", f"{of_all} have {few} are"
        notes.append(f"{counted(small, one, several)} not judged.")
    return notes
