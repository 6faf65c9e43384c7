"""Simulated cells with known truth: which types exist where, and what the batches did to them.

Counts are gamma-Poisson. Types hang on a small tree (lineage, type, sibling), so that some have a
close relative. A batch multiplies every gene by a factor that is partly common to all types and
partly specific to each. The same cells can be drawn without that factor, which gives the truth
that over-correction is measured against.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import ParameterError

if TYPE_CHECKING:
    import anndata as ad

Presence = Literal["shared", "exclusive_sibling", "exclusive_alone", "replacing", "confounded"]
"""Which types live in which batch; see `Scenario`."""

_BATCH_NAMES = "ABCDEFGH"
_CELLS_PER_BLOCK = 2000


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that decides a simulated data set, except its seed.

    Parameters
    ----------
    name
        Short name, shown in tables.
    n_cells, n_genes, n_types
        Size of the data.
    batch_sizes
        Fraction of the cells in each batch, in any unit; its length is the number of batches.
    n_sibling_pairs
        Types 1 and 2 are siblings, types 3 and 4 too with two pairs, and so on.
    presence
        ``"shared"``: every type in every batch. ``"exclusive_sibling"``: type 1 only in one batch,
        its sibling everywhere. ``"exclusive_alone"``: the last type, which has no sibling, only in
        one batch. ``"replacing"``: type 1 only in one batch, and its sibling only in the others.
        ``"confounded"``: every type in a single batch.
    exclusive_batch
        Index of the batch that holds the exclusive type.
    common_effect, specific_effect
        Standard deviation of a gene's log factor in a batch: the part that all types share, and
        the part that each type has for itself. Both 0 is the null, without any batch effect.
    sibling_strength, type_strength
        Standard deviation of the log-fold change of a gene that differs between siblings, and
        between types; more sets them further apart.
    composition_spread
        Standard deviation of a type's log abundance between batches.
    depth
        Mean counts per cell.
    dispersion
        Gamma variance of a gene's rate between like cells, as a fraction of the squared rate.
    """

    name: str
    n_cells: int = 1600
    n_genes: int = 1000
    n_types: int = 6
    batch_sizes: tuple[float, ...] = (0.55, 0.45)
    n_sibling_pairs: int = 1
    presence: Presence = "shared"
    exclusive_batch: int = 0
    common_effect: float = 0.2
    specific_effect: float = 0.05
    sibling_strength: float = 1.3
    type_strength: float = 1.2
    composition_spread: float = 0.2
    depth: float = 2000.0
    dispersion: float = 0.2

    def __post_init__(self) -> None:
        if self.presence not in get_args(Presence):
            raise ParameterError(
                f"presence is {self.presence!r}; available: {', '.join(get_args(Presence))}."
            )
        self._check_sizes()
        for name in (
            *("common_effect", "specific_effect", "sibling_strength", "type_strength"),
            *("composition_spread", "depth", "dispersion"),
        ):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ParameterError(f"{name} is {value!r}; it must be a number of at least 0.")
        if self.depth == 0:
            raise ParameterError("depth is 0, so every count would be 0; give mean counts a cell.")

    def _check_sizes(self) -> None:
        n_batches = len(self.batch_sizes)
        if not 1 <= n_batches <= len(_BATCH_NAMES) or min(self.batch_sizes) <= 0:
            raise ParameterError(
                f"batch_sizes is {self.batch_sizes!r}; "
                f"give one to {len(_BATCH_NAMES)} numbers above 0."
            )
        if self.n_types < 2 or not 0 <= 2 * self.n_sibling_pairs <= self.n_types:
            raise ParameterError(
                f"{self.n_sibling_pairs} sibling pairs do not fit into {self.n_types} types; "
                "there must be at least two types, and two for each pair."
            )
        if self.n_cells < 10 * self.n_types * n_batches or self.n_genes < 20:
            raise ParameterError(
                f"{self.n_cells} cells and {self.n_genes} genes are too few; "
                f"take at least {10 * self.n_types * n_batches} cells and 20 genes."
            )
        if self.presence == "shared":
            return
        if n_batches < 2 or not 0 <= self.exclusive_batch < n_batches:
            raise ParameterError(
                f"presence {self.presence!r} needs two batches, and an exclusive_batch among "
                f"them; got {n_batches} and {self.exclusive_batch}."
            )
        needs_sibling = self.presence in ("exclusive_sibling", "replacing")
        if needs_sibling and self.n_sibling_pairs == 0:
            raise ParameterError(f"presence {self.presence!r} needs at least one sibling pair.")
        if self.presence == "exclusive_alone" and 2 * self.n_sibling_pairs == self.n_types:
            raise ParameterError("presence 'exclusive_alone' needs a type without a sibling.")

    def presence_matrix(self) -> NDArray[np.bool_]:
        """Tell which cell type lives in which batch.

        Returns
        -------
        Types × batches.
        """
        n_batches = len(self.batch_sizes)
        present = np.ones((self.n_types, n_batches), dtype=bool)
        here = np.arange(n_batches) == self.exclusive_batch
        if self.presence in ("exclusive_sibling", "replacing"):
            present[0] = here
        if self.presence == "replacing":
            present[1] = ~here
        if self.presence == "exclusive_alone":
            present[-1] = here
        if self.presence == "confounded":
            home = np.arange(self.n_types) * n_batches // self.n_types
            present = home[:, None] == np.arange(n_batches)
        return present


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Simulated cells, and what is true about them.

    Attributes
    ----------
    counts
        Cells × genes; whole numbers, stored as float32.
    batch, cell_type, cells, genes
        Names, one for each cell or gene.
    siblings
        For each type that has one, its sibling (both directions).
    exclusive
        For each type that lives in a single batch, that batch.
    batch_effect
        False where the cells were drawn without it.
    """

    scenario: Scenario
    seed: int
    batch_effect: bool
    counts: sp.csr_matrix[Any]
    batch: NDArray[np.str_]
    cell_type: NDArray[np.str_]
    cells: NDArray[np.str_]
    genes: NDArray[np.str_]
    siblings: Mapping[str, str]
    exclusive: Mapping[str, str]


def simulate(scenario: Scenario, *, seed: int, batch_effect: bool = True) -> Simulation:
    """Draw cells.

    Parameters
    ----------
    scenario
        What to draw.
    seed
        The same scenario and seed give the same counts.
    batch_effect
        False draws the same cells (type, batch, depth, and each gene's own rate) as they would be
        without any batch factor; only the Poisson noise of counting is new.

    Returns
    -------
    Counts (cells × genes) with what is true of each cell, type and gene.
    """
    streams = np.random.SeedSequence(seed).spawn(4)
    rng_types, rng_cells, rng_batches, rng_counts = (np.random.default_rng(s) for s in streams)
    log_types = _type_profiles(scenario, rng_types)
    batch, cell_type = _place_cells(scenario, rng_cells)
    depth = scenario.depth * np.exp(rng_cells.normal(-0.045, 0.3, scenario.n_cells))
    log_factor = _batch_factors(scenario, rng_batches)
    log_rate = log_types[:, None, :] + (log_factor if batch_effect else np.zeros_like(log_factor))
    fraction = np.exp(log_rate)
    fraction /= fraction.sum(axis=2, keepdims=True)
    counts = _draw_counts(fraction, cell_type, batch, depth, scenario.dispersion, rng_counts)

    type_names = np.array([f"T{i + 1}" for i in range(scenario.n_types)])
    batch_names = np.array(list(_BATCH_NAMES[: len(scenario.batch_sizes)]))
    present = scenario.presence_matrix()
    only_one = (present.sum(axis=1) == 1) & (present.shape[1] > 1)
    return Simulation(
        scenario=scenario,
        seed=seed,
        batch_effect=batch_effect,
        counts=counts,
        batch=batch_names[batch],
        cell_type=type_names[cell_type],
        cells=np.array([f"cell{i + 1:06d}" for i in range(scenario.n_cells)]),
        genes=np.array([f"Gene{i + 1:05d}" for i in range(scenario.n_genes)]),
        siblings=MappingProxyType(
            {
                str(type_names[i]): str(type_names[i ^ 1])
                for i in range(2 * scenario.n_sibling_pairs)
            }
        ),
        exclusive=MappingProxyType(
            {
                str(type_names[t]): str(batch_names[present[t].argmax()])
                for t in np.flatnonzero(only_one)
            }
        ),
    )


def _sparse_change(
    rng: np.random.Generator, n: int, fraction: float, sd: float
) -> NDArray[np.float64]:
    """Log-fold changes that are 0 except in a fraction of the genes."""
    return rng.normal(0.0, sd, n) * (rng.random(n) < fraction)


def _type_profiles(scenario: Scenario, rng: np.random.Generator) -> NDArray[np.float64]:
    """Log expression of each type: a common ground, its lineage, its own, its sibling's."""
    n = scenario.n_genes
    ground = rng.normal(0.0, 1.2, n)
    profiles = np.empty((scenario.n_types, n))
    lineages = [_sparse_change(rng, n, 0.08, scenario.type_strength) for _ in range(3)]
    for t in range(scenario.n_types):
        second_of_pair = t % 2 == 1 and t < 2 * scenario.n_sibling_pairs
        if second_of_pair:
            change = _sparse_change(rng, n, 0.06, scenario.sibling_strength)
            profiles[t] = profiles[t - 1] + change
        else:
            lineage = lineages[(t // 2) % len(lineages)]
            profiles[t] = ground + lineage + _sparse_change(rng, n, 0.12, scenario.type_strength)
    return profiles


def _batch_factors(scenario: Scenario, rng: np.random.Generator) -> NDArray[np.float64]:
    """Log factor of every gene in every type (axis 0) and batch (axis 1)."""
    n_batches, n = len(scenario.batch_sizes), scenario.n_genes
    common = rng.normal(0.0, 1.0, (n_batches, n)) * scenario.common_effect
    specific = rng.normal(0.0, 1.0, (scenario.n_types, n_batches, n)) * scenario.specific_effect
    return common[None] + specific


def _place_cells(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Batch and type of every cell, in random order."""
    n_batches = len(scenario.batch_sizes)
    weights = rng.uniform(0.6, 1.4, scenario.n_types)[:, None] * np.exp(
        rng.normal(0.0, 1.0, (scenario.n_types, n_batches)) * scenario.composition_spread
    )
    weights = weights * scenario.presence_matrix()
    weights *= np.asarray(scenario.batch_sizes) / weights.sum(axis=0)
    exact = (weights / weights.sum()).ravel() * scenario.n_cells
    sizes = np.floor(exact).astype(np.intp)
    sizes[np.argsort(sizes - exact)[: scenario.n_cells - sizes.sum()]] += 1
    group = rng.permutation(np.repeat(np.arange(sizes.size), sizes))
    return group % n_batches, group // n_batches


def _draw_counts(
    fraction: NDArray[np.float64],
    cell_type: NDArray[np.intp],
    batch: NDArray[np.intp],
    depth: NDArray[np.float64],
    dispersion: float,
    rng: np.random.Generator,
) -> sp.csr_matrix[Any]:
    """Draw gamma-Poisson counts, block by block to bound the memory."""
    blocks = []
    for start in range(0, len(cell_type), _CELLS_PER_BLOCK):
        these = slice(start, start + _CELLS_PER_BLOCK)
        # Poisson draws use up a stream at a pace that depends on the rate, so gamma rates have
        # their own: they stay the same with and without a batch effect.
        rng_gamma, rng_poisson = rng.spawn(2)
        rate = fraction[cell_type[these], batch[these]] * depth[these, None]
        if dispersion > 0:
            rate *= rng_gamma.standard_gamma(1.0 / dispersion, rate.shape) * dispersion
        blocks.append(sp.csr_matrix(rng_poisson.poisson(rate).astype(np.float32)))
    return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def to_anndata(simulation: Simulation) -> ad.AnnData:
    """Return the counts as AnnData, with ``batch`` and ``true_type`` in obs and the truth in uns.

    ``uns["truth"]`` holds plain strings: the scenario's name, each exclusive type with its batch,
    and each pair of siblings.
    """
    import anndata as ad
    import pandas as pd

    pairs = sorted({" and ".join(sorted(pair)) for pair in simulation.siblings.items()})
    return ad.AnnData(
        X=simulation.counts.copy(),
        obs=pd.DataFrame(
            {
                "batch": pd.Categorical(simulation.batch),
                "true_type": pd.Categorical(simulation.cell_type),
            },
            index=pd.Index(simulation.cells, dtype=object),
        ),
        var=pd.DataFrame(index=pd.Index(simulation.genes, dtype=object)),
        uns={
            "truth": {
                "scenario": simulation.scenario.name,
                "exclusive": "; ".join(f"{t} only in {b}" for t, b in simulation.exclusive.items()),
                "siblings": "; ".join(pairs),
            }
        },
    )
