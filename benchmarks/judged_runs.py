"""Correct a design at many settings and judge each run: one row of numbers a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import harmonypy
import numpy as np
from designs import WIDE, Design, Draft, prepared

from harmony_core.detector.matched import matched_mixing
from harmony_core.detector.reference import Reference, build_reference
from harmony_core.detector.results import LabelRow
from harmony_core.detector.scores import score
from harmony_core.detector.states import leiden_within_batches
from harmony_core.methods.neighbors import Neighbors, nearest_neighbors
from harmony_core.metrics.conservation import (
    PurityLoss,
    clisi,
    neighbors_replaced,
    purity_loss,
)
from harmony_core.metrics.mixing import lisi, permuted
from harmony_core.metrics.scib import scib_scores
from harmony_core.simulate.truth import true_mixing, true_overcorrection
from harmony_core.verdict.suggest import SIGMAS, THETAS

OVER = 0.10
"""Rise of the wrong-type share of the worst type above which a run is truly over-corrected."""
UNDER = 0.5
"""Mixing of shared types below which a run is truly under-corrected."""
LABEL_ERRORS = 0.05
"""Part of the labels given to the verdict that are wrong."""

logging.getLogger("harmonypy").setLevel(logging.ERROR)


def judged_runs(
    draft: Draft, thetas: Sequence[float], sigmas: Sequence[float], *, with_scib: bool
) -> list[dict[str, Any]]:
    """Run Harmony at every theta and sigma, and judge each run with and without labels.

    Parameters
    ----------
    with_scib
        Also compute the scIB total of the settings that *Suggest* tries, in simulated designs.
    """
    design = prepared(draft)
    reference = build_reference(design.embedding, design.codes, design.expression, seed=0)
    labels, names = _noisy_labels(draft)
    lisi_raw = _label_lisi(design.raw, labels)
    null = _mean_batch_lisi(design.raw, permuted(design.codes)) - 1
    before = (_mean_batch_lisi(design.raw, design.codes) - 1) / max(null, 1e-9)
    rows = []
    for sigma in sigmas:
        for theta in thetas:
            embedding = _harmony(design, theta, sigma)
            near = nearest_neighbors(embedding, WIDE)
            row = _truth(design, near)
            row |= _label_free(design, reference, near)
            row |= _labelled(design, near, labels, names, lisi_raw)
            row |= {
                "design": draft.name,
                "kind": draft.kind,
                "scenario": draft.scenario,
                "theta": theta,
                "sigma": sigma,
                "ilisi": _mean_batch_lisi(near, design.codes),
                "ilisi_before_vs_null": before,
                "mcm_before": matched_mixing(reference, design.raw.indices).mcm,
                "replaced": float(neighbors_replaced(design.raw.indices, near.indices).mean()),
            }
            if with_scib and draft.kind == "simulated" and theta in THETAS and sigma in SIGMAS:
                row["scib_total"] = _scib_total(design, embedding, near, labels)
            rows.append(row)
    return rows


def _harmony(design: Design, theta: float, sigma: float) -> np.ndarray:
    # harmonypy itself: theta 16 lies outside what the app lets a user choose.
    columns = {"batch": design.codes}
    result = harmonypy.run_harmony(
        design.embedding, columns, ["batch"], theta=[theta], sigma=sigma, verbose=False
    )
    return np.ascontiguousarray(result.Z_corr, dtype=np.float32)


def _truth(design: Design, near: Neighbors) -> dict[str, Any]:
    draft = design.draft
    rise = true_overcorrection(near.indices, design.raw.indices, design.clean, draft.types)
    mixing = true_mixing(near.indices, draft.types, draft.batch)
    return {
        "truth": rise.worst,
        "worst_type": rise.worst_type,
        "over": rise.worst > OVER,
        "mixing": None if np.isnan(mixing) else mixing,
        "under": None if np.isnan(mixing) else mixing < UNDER,
    }


def _label_free(design: Design, reference: Reference, near: Neighbors) -> dict[str, Any]:
    found = score(
        reference,
        near.indices,
        design.raw.indices,
        expression=design.expression,
        batch_names=[str(name) for name in np.unique(design.draft.batch)],
        condition=design.draft.condition,
    )
    return {
        "flagged": found.flagged,
        "score": found.score,
        "conflict": found.conflict or 0.0,
        "gap": found.gap or 0.0,
        "lost_markers": max((row.lost or 0.0 for row in found.clusters), default=0.0),
        "mcm": found.mcm,
        "judged": found.gap is not None,
    }


def _labelled(
    design: Design,
    near: Neighbors,
    labels: np.ndarray,
    names: Sequence[str],
    lisi_raw: np.ndarray,
) -> dict[str, Any]:
    purity: PurityLoss = purity_loss(design.raw.indices, near.indices, labels, design.codes)
    change = clisi(lisi_raw, _label_lisi(near, labels), labels)
    rows = [LabelRow(name=names[x.label], cells=x.cells, loss=x.loss) for x in purity.labels]
    return {
        "purity_loss": rows[0].loss if rows else 0.0,
        "clisi_mean": change.after - change.before,
        "clisi_worst": change.worst.change if change.worst else 0.0,
    }


def _scib_total(
    design: Design, embedding: np.ndarray, near: Neighbors, labels: np.ndarray
) -> float | None:
    everything = np.arange(len(labels), dtype=np.int32)
    clusters = leiden_within_batches([(everything, near.indices[:, :15])], (0.5, 1.0, 1.5), seed=0)
    scores = scib_scores(
        embedding,
        design.embedding,
        (near.indices, near.distances),
        design.codes,
        labels,
        clusters,
    )
    return scores.total


def _noisy_labels(draft: Draft) -> tuple[np.ndarray, list[str]]:
    """Return the true types with some wrong, so that the labelled test isn't the truth itself."""
    names, codes = np.unique(draft.types, return_inverse=True)
    rng = np.random.default_rng(len(codes))
    wrong = rng.random(len(codes)) < LABEL_ERRORS
    codes = codes.astype(np.int32)
    codes[wrong] = rng.integers(0, len(names), int(wrong.sum()))
    return codes, [str(name) for name in names]


def _label_lisi(near: Neighbors, labels: np.ndarray) -> np.ndarray:
    return lisi(near.indices, near.distances, labels)


def _mean_batch_lisi(near: Neighbors, codes: np.ndarray) -> float:
    return float(lisi(near.indices, near.distances, codes).mean())
