"""Correct a design at many settings and assess each run as the product does: one row a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from designs import WIDE, Design, Draft, prepared
from truth import true_mixing, true_overcorrection

from harmony_core.categories import Factor
from harmony_core.detector.reference import build_reference
from harmony_core.detector.states import leiden_within_batches
from harmony_core.methods.harmony import Correction, correct
from harmony_core.methods.neighbors import Neighbors, nearest_neighbors
from harmony_core.metrics.conservation import clisi
from harmony_core.metrics.scib import scib_scores
from harmony_core.params import HarmonyParams
from harmony_core.verdict.advice import RunFacts
from harmony_core.verdict.assess import RunData, assess, lisi_numbers
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.grid import SIGMAS, THETAS
from harmony_core.verdict.verdict import judge

OVER = 0.10
"""Rise of the worst type's wrong-type fraction above which a run is truly over-corrected."""
UNDER = 0.5
"""Mixing of shared types below which a run is truly under-corrected."""
LABEL_ERRORS = 0.05
"""Fraction of wrong labels among those that the verdict sees."""
BATCH = "batch"

logging.getLogger("harmonypy").setLevel(logging.ERROR)


def assessed_runs(
    draft: Draft, thetas: Sequence[float], sigmas: Sequence[float], *, with_scib: bool
) -> list[dict[str, Any]]:
    """Run Harmony at every theta and sigma, and assess each run with and without labels.

    Parameters
    ----------
    with_scib
        Also compute the scIB total of the settings that *Suggest* tries, in simulated designs.
    """
    design = prepared(draft)
    batch = Factor(BATCH, design.codes, tuple(np.unique(draft.batch).tolist()))
    label = _noisy_labels(draft)
    reference = build_reference(
        *(design.embedding, design.codes, design.expression, design.raw.indices), seed=0
    )
    lisi_before = lisi_numbers(design.raw.indices, design.raw.distances, [batch], label)
    rows = []
    for settings in (
        HarmonyParams(batch=(BATCH,), theta=(theta,), sigma=sigma)
        for sigma in sigmas
        for theta in thetas
    ):
        correction = correct(design.embedding, [design.codes], settings)
        near = nearest_neighbors(correction.embedding, WIDE)
        run = RunData(
            before=design.embedding,
            after=correction.embedding,
            near_before=design.raw.indices,
            near_after=near.indices,
            lisi_before=lisi_before,
            lisi_after=lisi_numbers(near.indices, near.distances, [batch], label),
            variables=[batch],
            references=[reference],
            label=label,
            expression=design.expression,
            symbols=[f"gene {i}" for i in range(design.expression.shape[1])],
            condition=draft.condition,
            facts=_facts(design, settings, correction, batch),
        )
        row = {
            "design": draft.name,
            "kind": draft.kind,
            "scenario": draft.scenario,
            "theta": settings.theta[0],
            "sigma": settings.sigma,
            **_truth(design, near),
            **_row(run, assess(run)),
        }
        if with_scib and draft.kind == "simulated" and _is_suggested(settings):
            row["scib_total"] = _scib_total(design, correction.embedding, near, label.codes)
        rows.append(row)
    return rows


def _is_suggested(settings: HarmonyParams) -> bool:
    return settings.theta[0] in THETAS and settings.sigma in SIGMAS


def _facts(
    design: Design, settings: HarmonyParams, correction: Correction, batch: Factor
) -> RunFacts:
    """Return what the advice is about; no kind of verdict depends on it."""
    return RunFacts(
        settings=settings,
        n_cells=len(design.codes),
        n_pcs=design.embedding.shape[1],
        batch_sizes={BATCH: batch.sizes},
        stop_reason=correction.stop_reason,
        iterations=correction.iterations,
        objective=correction.objective,
        moved=1.0,
    )


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


def _row(run: RunData, found: Assessment) -> dict[str, Any]:
    """Return the kind of verdict with and without labels, and the numbers behind it."""
    detection, before, after = found.detections[BATCH], found.before[BATCH], found.after[BATCH]
    without_labels = judge(
        detection,
        run.facts,
        batch_variable=BATCH,
        mixing_before=before["ilisi_vs_null"],
        mcm_before=before["mcm"],
    )
    change = clisi(run.lisi_before.label, run.lisi_after.label, run.label.codes)
    return {
        "with_labels": found.verdict.kind,
        "without_labels": without_labels.kind,
        "score": detection.score if detection.gap is not None else None,
        "conflict": after["conflict"],
        "gap": after["gap"],
        "lost": max((row.lost or 0.0 for row in detection.clusters), default=0.0),
        "mcm": after["mcm"],
        "state_mixing": detection.state_mixing,
        "ilisi": after["ilisi"],
        "worst_label_purity_loss": after["worst_label_purity_loss"],
        "clisi_rise": change.after - change.before,
        "worst_clisi_rise": change.worst.change if change.worst else 0.0,
        "neighbors_replaced": float(found.per_cell["neighbors_replaced"].mean()),
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


def _noisy_labels(draft: Draft) -> Factor:
    """Return the true types with some wrong, so that the labelled test isn't the truth itself."""
    names, codes = np.unique(draft.types, return_inverse=True)
    rng = np.random.default_rng(len(codes))
    wrong = rng.random(len(codes)) < LABEL_ERRORS
    codes = codes.astype(np.int32)
    codes[wrong] = rng.integers(0, len(names), int(wrong.sum()))
    return Factor("type", codes, tuple(names.tolist()))
