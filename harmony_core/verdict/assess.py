"""All diagnostics of one run, put together: numbers before and after, verdict, values per cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints
from harmony_core.categories import Factor
from harmony_core.counting import counted, named
from harmony_core.detector.matched_mixing import matched_mixing
from harmony_core.detector.reference import Reference
from harmony_core.detector.results import Detection, LabelMixing, LabelRow, Outcome, StateRow
from harmony_core.detector.scores import score
from harmony_core.detector.state_rows import mixing_outcome, most_harmed_first
from harmony_core.inspect.left_out import Kept
from harmony_core.metrics import conservation, mixing, movement, shared_labels
from harmony_core.verdict.advice import RunFacts
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.evidence import is_large, is_merged
from harmony_core.verdict.verdict import Verdict, combine, judge


def with_joint(variables: Sequence[Factor]) -> list[Factor]:
    """Return the batch variables, and their combination where there are several."""
    if len(variables) < 2:
        return list(variables)
    codes = mixing.joint_codes([v.codes for v in variables])
    known, first = np.unique(codes, return_index=True)
    first = first[known >= 0]
    levels = tuple(" × ".join(v.levels[v.codes[cell]] for v in variables) for cell in first)
    return [*variables, Factor(" × ".join(v.name for v in variables), codes, levels)]


@dataclass(frozen=True)
class LisiNumbers:
    """LISI of one embedding: batch variables against chance, and of the labels.

    Attributes
    ----------
    mixing
        By batch variable.
    per_cell
        Variables × cells.
    label
        LISI of the labels per cell; None without labels.
    """

    mixing: Mapping[str, mixing.NullMixing]
    per_cell: npt.NDArray[np.float32]
    label: npt.NDArray[np.float32] | None


def lisi_numbers(
    indices: Ints, distances: Floats, variables: Sequence[Factor], label: Factor | None
) -> LisiNumbers:
    """Compute every LISI of one embedding in one pass over its neighbours.

    Parameters
    ----------
    indices, distances
        Nearest neighbours and their distances (cells × 90).
    variables, label
        Level of each cell; -1 where missing.

    Returns
    -------
    LISI of the batch variables, of the same variables permuted, and of the label.
    """
    columns = [v.codes for v in variables]
    columns += [mixing.permuted(v.codes) for v in variables]
    columns += [] if label is None else [label.codes]
    values = mixing.lisi_many(indices, distances, columns)
    n = len(variables)
    return LisiNumbers(
        {v.name: mixing.against_null(values[i], values[n + i]) for i, v in enumerate(variables)},
        values[:n],
        None if label is None else values[-1],
    )


@dataclass(frozen=True, kw_only=True)
class RunData:
    """Everything that the assessment of a run is computed from, over the cells that passed QC.

    Attributes
    ----------
    before, after
        Embeddings (cells × dimensions).
    near_before, near_after
        Neighbours in the uncorrected and in the corrected embedding.
    lisi_before, lisi_after
        From `lisi_numbers`, for the same variables.
    variables, references
        Batch variables (with their combination, see `with_joint`) and a reference for each.
    expression, symbols
        Log-normalised variable genes (CSC) and their names; None without expression.
    labels_decide
        Whether the labels are the data's own, see `judge`.
    """

    before: Floats
    after: Floats
    near_before: Ints
    near_after: Ints
    lisi_before: LisiNumbers
    lisi_after: LisiNumbers
    variables: Sequence[Factor]
    references: Sequence[Reference]
    label: Factor | None
    expression: sp.csc_matrix | None
    symbols: Sequence[str]
    condition: bool
    facts: RunFacts
    labels_decide: bool = True


def assess(run: RunData) -> Assessment:
    """Assess a run for each of its batch variables, and for their combination.

    Returns
    -------
    Numbers by batch variable, one verdict over all of them, and one value a cell of each
    diagnostic (length cells); those of the last variable, which is the combination.
    """
    before: dict[str, dict[str, float | None]] = {}
    after: dict[str, dict[str, float | None]] = {}
    detections: dict[str, Detection] = {}
    verdicts: dict[str, Verdict] = {}
    labels: tuple[LabelRow, ...] = ()
    notes: tuple[str, ...] = ()
    shared: dict[str, LabelMixing] = {}
    for variable, reference in zip(run.variables, run.references, strict=True):
        name = variable.name
        detection = score(
            reference,
            run.near_after,
            run.near_before,
            expression=run.expression,
            batch_names=variable.levels,
            gene_names=run.symbols,
            condition=run.condition,
        )
        mixed_before = run.lisi_before.mixing[name]
        mixed_after = run.lisi_after.mixing[name]
        mcm_before = matched_mixing(reference, run.near_before).mcm
        before[name] = _mixing_values(mixed_before, mcm_before)
        after[name] = _mixing_values(mixed_after, detection.mcm)
        after[name] |= {"conflict": detection.conflict, "gap": detection.gap}
        if run.label is not None:
            labels, notes = label_rows(run, variable)
            shared[name] = label_mixing(run, variable)
            before[name]["clisi"] = _mean(run.lisi_before.label)
            after[name]["clisi"] = _mean(run.lisi_after.label)
            after[name]["worst_label_purity_loss"] = labels[0].loss if labels else None
        detections[name] = detection
        verdicts[name] = judge(
            detection,
            run.facts,
            batch_variable=name,
            labels=labels,
            shared=shared.get(name),
            mixing_before=mixed_before.ratio,
            mcm_before=mcm_before,
            labels_decide=run.labels_decide,
            shows_merging=variable is run.variables[-1],
        )
    states = (*label_states(labels), *detections[run.variables[-1].name].states)
    return Assessment(
        before=before,
        after=after,
        verdict=combine(verdicts),
        detections=detections,
        labels=labels,
        shared=shared,
        states=states,
        notes=(*notes, *unjudged_notes(states)),
        per_cell=_per_cell(run),
    )


def label_mixing(run: RunData, variable: Factor) -> LabelMixing:
    """Return how far the labels that batches share are mixed.

    Parameters
    ----------
    run
        With labels.
    variable
        Batch of each cell.
    """
    if run.label is None:
        return LabelMixing()
    codes = run.label.codes
    before, after = (
        shared_labels.shared_mixing(near, codes, variable.codes)
        for near in (run.near_before, run.near_after)
    )
    worst, worst_before = (shared_labels.least_mixed_batch(rows) for rows in (after, before))
    if worst is None or worst_before is None:
        return LabelMixing()
    return LabelMixing(
        before=shared_labels.mean_shared_mixing(before),
        after=shared_labels.mean_shared_mixing(after),
        worst_batch=variable.levels[worst[0]],
        worst_before=worst_before[1],
        worst_after=worst[1],
    )


def label_states(labels: Sequence[LabelRow]) -> tuple[StateRow, ...]:
    """Return the labels as rows of the state table, what a run harmed first."""
    rows = []
    for label in labels:
        outcome = _label_outcome(label)
        few = f"fewer than {thresholds.N_NEIGHBORS} cells"
        rows.append(
            StateRow(
                name=label.name,
                kind="label",
                batch=_batch_of(label, outcome),
                cells=label.cells,
                outcome=outcome,
                why=few if outcome == "unjudged" else "",
                other=label.merged_with if outcome == "merged" else "",
                amount=label.loss if is_large(label) else None,
                mixing=label.mixing,
                genes=label.genes,
            )
        )
    return most_harmed_first(rows)


def unjudged_notes(states: Sequence[StateRow]) -> Iterator[str]:
    """Say which labels and states could not be judged, and why."""
    unjudged: dict[tuple[str, str], list[str]] = {}
    for row in states:
        if row.outcome == "unjudged":
            unjudged.setdefault((row.kind, row.why), []).append(row.name)
    for (kind, why), names in unjudged.items():
        which = kind if len(names) == 1 else f"{kind}s"
        yield f"Not judged ({why}): {which} {named(names)}."


def with_left_out(assessment: Assessment, kept: Sequence[Kept]) -> Assessment:
    """Return an assessment that also says what quality control left of batches and labels.

    A batch or label of which nothing is left is a warning in the verdict, which is then never
    green: what was not looked at did not turn out well.
    """
    verdict = assessment.verdict.with_warnings([line for each in kept for line in each.gone])
    lost = [each for each in kept if each.has_lost]
    notes = [*(each.sentence for each in lost), *(line for each in lost for line in each.low)]
    return replace(assessment, verdict=verdict, notes=(*notes, *assessment.notes))


def _label_outcome(label: LabelRow) -> Outcome:
    if is_merged(label):
        return "merged"
    mixed = mixing_outcome(label.least_mixing)
    return mixed if mixed != "kept" or is_large(label) else "unjudged"


def _batch_of(label: LabelRow, outcome: Outcome) -> str:
    """Return the batch where a label fared worst; empty where none stands out."""
    if outcome == "merged":
        return label.batch
    return label.least_mixed if outcome in ("apart", "partly") else ""


def label_rows(run: RunData, variable: Factor) -> tuple[tuple[LabelRow, ...], tuple[str, ...]]:
    """Return what became of each label, worst first, and what could not be assessed.

    Parameters
    ----------
    run
        With labels.
    variable
        Batch of each cell.

    Returns
    -------
    One row a label, and sentences on what was left out.

    Raises
    ------
    ValueError
        If no label was run.
    """
    label = run.label
    if label is None:
        raise ValueError("there are no labels")
    trusted = conservation.without_contradicted(run.near_before, label.codes, variable.codes)
    lost = conservation.purity_loss(run.near_before, run.near_after, trusted, variable.codes)
    sizes = np.bincount(label.codes[label.codes >= 0], minlength=len(label.levels))
    shared = shared_labels.shared_mixing(run.near_after, label.codes, variable.codes)
    rows = []
    for row in lost.labels:
        mine = np.flatnonzero(label.codes == row.label)
        partner, fraction = _largest_other(run.near_after, label.codes, mine)
        suspicious = row.loss > thresholds.PURITY_LOSS_AMBER and partner >= 0
        own = _of_label(shared, row.label)
        least = _least_mixed(own)
        rows.append(
            LabelRow(
                name=label.levels[row.label],
                cells=int(sizes[row.label]),
                loss=row.loss,
                error=row.error,
                mixing=shared_labels.mean_shared_mixing(own),
                least_mixed=variable.levels[least.batch] if least else "",
                least_mixing=least.mixing if least else None,
                merged_with=label.levels[partner] if suspicious else "",
                merged_part=fraction,
                batch=_worst_batch(run, label.codes, mine, variable) if suspicious else "",
                genes=_distinguishing_genes(run, mine, np.flatnonzero(label.codes == partner))
                if suspicious
                else (),
            )
        )
    notes = []
    if lost.cells_without_label:
        one, several = "cell has no label and was", "cells have no label and were"
        notes.append(f"{counted(lost.cells_without_label, one, several)} left out of it.")
    if lost.too_small:
        names = named([label.levels[i] for i in lost.too_small])
        notes.append(f"Labels of too few cells to be judged: {names}.")
    if len(label.levels) < 2:
        notes.append("There is a single label, so nothing can be said about labels being mixed.")
    return tuple(rows), tuple(notes)


def _of_label(
    rows: Sequence[shared_labels.SharedMixing], label: int
) -> list[shared_labels.SharedMixing]:
    return [row for row in rows if row.label == label]


def _least_mixed(rows: Sequence[shared_labels.SharedMixing]) -> shared_labels.SharedMixing | None:
    """Return the batch in which a label is mixed least, of those with enough of its cells."""
    enough = [row for row in rows if row.cells >= thresholds.MIN_CELLS_STATE]
    return min(enough, key=lambda row: row.mixing, default=None)


def _largest_other(near: Ints, labels: Ints, mine: npt.NDArray[np.intp]) -> tuple[int, float]:
    """Return the other label that most of these cells' neighbours carry, and its fraction."""
    neighbors = labels[near[mine, : thresholds.N_NEIGHBORS]].ravel()
    own = labels[mine[0]]
    counts = np.bincount(neighbors[(neighbors >= 0) & (neighbors != own)], minlength=1)
    if not counts.sum():
        return -1, 0.0
    return int(counts.argmax()), float(counts.max() / len(neighbors))


def _worst_batch(run: RunData, labels: Ints, mine: npt.NDArray[np.intp], variable: Factor) -> str:
    change = conservation.wrong_label_fraction(run.near_after, labels)[mine]
    change = change - conservation.wrong_label_fraction(run.near_before, labels)[mine]
    batches = variable.codes[mine]
    sizes = np.bincount(batches, minlength=len(variable.levels))
    sums = np.bincount(batches, weights=np.nan_to_num(change), minlength=len(variable.levels))
    means = np.where(sizes >= thresholds.MIN_CELLS_PURITY, sums / np.maximum(sizes, 1), -np.inf)
    return variable.levels[int(means.argmax())] if np.isfinite(means).any() else ""


def _distinguishing_genes(
    run: RunData, one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]
) -> tuple[str, ...]:
    """Return the genes that tell two labels apart best in the uncorrected expression (Welch t)."""
    if run.expression is None:
        return ()
    moments = []
    for cells in (one, other):
        rows = run.expression[cells]
        mean = np.asarray(rows.mean(axis=0)).ravel()
        square = np.asarray(rows.multiply(rows).mean(axis=0)).ravel()
        moments.append((mean, np.maximum(square - mean**2, 0) / len(cells)))
    (mean_1, error_1), (mean_2, error_2) = moments
    t = np.abs(mean_1 - mean_2) / np.sqrt(error_1 + error_2 + thresholds.DE_VARIANCE_FLOOR)
    return tuple(run.symbols[i] for i in np.argsort(-t)[: thresholds.EVIDENCE_GENES])


def _mixing_values(ilisi: mixing.NullMixing, mcm: float | None) -> dict[str, float | None]:
    return {"mcm": mcm, "ilisi": ilisi.mean, "ilisi_vs_null": ilisi.ratio}


def _per_cell(run: RunData) -> dict[str, npt.NDArray[np.float32]]:
    codes = run.variables[-1].codes
    clusters = run.references[-1].evidence.pre
    values = {
        "mixing": mixing.local_mixing(run.near_after, codes),
        "neighbors_replaced": movement.neighbors_replaced(run.near_before, run.near_after),
        "displacement": movement.displacement(run.before, run.after, clusters),
    }
    if run.label is not None:
        values["wrong_label"] = conservation.wrong_label_fraction(run.near_after, run.label.codes)
    return values


def _mean(values: npt.NDArray[np.float32] | None) -> float | None:
    if values is None or not np.isfinite(values).any():
        return None
    return float(np.nanmean(values, dtype=np.float64))
