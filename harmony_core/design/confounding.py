"""What the table of cells says before any run: what is tied to the batch, and what lives in one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harmony_core._typing import Ints
from harmony_core.categories import Factor
from harmony_core.counting import counted
from harmony_core.thresholds import (
    CLOSE_LABEL,
    CRAMERS_V_CONFOUNDED,
    CRAMERS_V_WARN,
    EXCLUSIVE_MIN_CELLS,
    EXCLUSIVE_SHARE,
    MIN_CELLS_PURITY,
    Severity,
)

WORST_FIRST: Mapping[Severity, int] = {"red": 0, "amber": 1, "green": 2}
"""Place of each severity in a list."""

Kind = Literal["one_batch", "missing", "association", "nesting", "exclusive", "advice"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to know before a run.

    Attributes
    ----------
    kind
        What it is about.
    severity
        ``"green"``: good to know. ``"amber"``: look at it. ``"red"``: a run cannot solve this.
    sentence
        For the user; names from the file stand in it as they are, so escape it where it is drawn.
    details
        The names and numbers in it.
    """

    kind: Kind
    severity: Severity
    sentence: str
    details: Mapping[str, str | float | int]

    def to_dict(self) -> dict[str, str]:
        """Return level and sentence, as reports in JSON have them."""
        return {"level": self.severity, "sentence": self.sentence}


@dataclass(frozen=True, kw_only=True)
class Relative:
    """The closest label that lives in another batch.

    Attributes
    ----------
    label, batch
        Codes of the label, and of the other batch that holds most of its cells.
    distance
        Between the two labels' centres, ÷ the median distance between labels: well below 1 is
        close.
    """

    label: int
    batch: int
    distance: float


def cramers_v(first: Ints, second: Ints) -> float | None:
    """Association of two columns, from 0 (none) to 1 (one decides the other), bias-corrected.

    Parameters
    ----------
    first, second
        Level of each cell in the two columns, -1 where missing; such cells are left out.

    Returns
    -------
    None where a column has fewer than two levels left.

    References
    ----------
    Bergsma 2013, 10.1016/j.jkss.2012.10.002
    """
    table = crosstab(first, second)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (rows, columns) = table.sum(), table.shape
    if min(rows, columns) < 2:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = float(((table - expected) ** 2 / expected).sum() / n)
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows_corrected = rows - (rows - 1) ** 2 / (n - 1)
    columns_corrected = columns - (columns - 1) ** 2 / (n - 1)
    smaller = min(rows_corrected, columns_corrected) - 1
    return min(1.0, math.sqrt(corrected / smaller)) if smaller > 0 else None


def is_nested(inner: Ints, outer: Ints) -> bool:
    """Return whether every level of one column lies within a single level of another.

    Parameters
    ----------
    inner, outer
        Level of each cell in the two columns, -1 where missing; such cells are left out.
    """
    table = crosstab(inner, outer)
    return bool(((table > 0).sum(axis=1) <= 1).all())


def exclusive_labels(labels: Ints, batch: Ints) -> dict[int, int]:
    """Find the labels that live in a single batch.

    Parameters
    ----------
    labels, batch
        Label and batch of each cell, -1 where missing.

    Returns
    -------
    Each label of at least 20 cells, 99 % of them in one batch, with that batch.
    """
    table = crosstab(labels, batch)
    total = table.sum(axis=1)
    found = (total >= EXCLUSIVE_MIN_CELLS) & (table.max(axis=1) >= EXCLUSIVE_SHARE * total)
    return {int(i): int(table[i].argmax()) for i in np.flatnonzero(found)}


def closest_relative(
    label: int, home: int, labels: Ints, batch: Ints, embedding: NDArray[np.floating[Any]]
) -> Relative | None:
    """Find the label nearest to ``label`` among those that live in a batch other than ``home``.

    Distances are between centres within batch ``home`` where the other label lives there too;
    otherwise the other batch is first shifted by the median difference of the labels that both
    batches hold (of the whole batches if there are none).

    Parameters
    ----------
    label, home
        Codes of an exclusive label and of its batch.
    labels, batch
        Codes of each cell.
    embedding
        Uncorrected embedding, cells × dimensions.

    Returns
    -------
    ``None`` where no other label with 15 cells lives in another batch.
    """
    size = crosstab(labels, batch)
    centre = _centres(labels, batch, embedding, size)
    enough = size >= MIN_CELLS_PURITY
    near: list[Relative] = []
    everywhere: list[float] = []
    own = centre[label, home]
    for other in np.flatnonzero(enough.any(axis=1)):
        if other == label:
            continue
        away = np.where(np.arange(size.shape[1]) == home, 0, size[other])
        far_batch = int(away.argmax())
        if enough[other, home]:
            place = centre[other, home]
        elif enough[other, far_batch]:
            place = centre[other, far_batch] + _shift(far_batch, home, centre, enough, size)
        else:
            continue
        distance = float(np.linalg.norm(own - place))
        everywhere.append(distance)
        if away[far_batch] >= MIN_CELLS_PURITY:
            near.append(Relative(label=int(other), batch=far_batch, distance=distance))
    if not near:
        return None
    closest = min(near, key=lambda r: r.distance)
    usual = float(np.median(everywhere))
    return Relative(
        label=closest.label,
        batch=closest.batch,
        distance=closest.distance / usual if usual > 0 else 0.0,
    )


def check_design(
    batch: Factor,
    columns: Sequence[Factor],
    *,
    label: Factor | None = None,
    embedding: NDArray[np.floating[Any]] | None = None,
) -> list[Finding]:
    """Say what to know before correcting for a batch variable, worst first.

    Parameters
    ----------
    batch
        The batch variable.
    columns
        Other columns with a manageable number of levels; the batch variable itself is skipped.
    label
        Column of cell types; may be among ``columns`` too.
    embedding
        Uncorrected embedding (cells × dimensions), to find relatives of exclusive labels.

    Returns
    -------
    What is found, the most severe first.
    """
    n_batches = len(np.unique(batch.codes[batch.codes >= 0]))
    findings = []
    if missing := int((batch.codes < 0).sum()):
        one = f"cell has no value in “{batch.name}”; it counts for no diagnostic."
        several = f"cells have no value in “{batch.name}”; they count for no diagnostic."
        sentence = counted(missing, one, several)
        findings.append(_finding("missing", "amber", sentence, column=batch.name, cells=missing))
    if n_batches < 2:
        sentence = (
            f"All cells are of one batch in “{batch.name}”, so there is nothing to correct; choose "
            "another column."
        )
        return [_finding("one_batch", "red", sentence, column=batch.name), *findings]
    for column in columns:
        if column.name != batch.name:
            findings += _tied(batch, column)
    if label is not None and label.name != batch.name:
        findings += _exclusive(batch, label, embedding)
    return sorted(findings, key=lambda f: WORST_FIRST[f.severity])


def _tied(batch: Factor, column: Factor) -> list[Finding]:
    """Association of a column with the batch, and nesting."""
    v = cramers_v(batch.codes, column.codes)
    if v is None:
        return []
    details: dict[str, str | float | int] = {"column": column.name, "cramers_v": round(v, 3)}
    column_nested = is_nested(column.codes, batch.codes)
    batch_nested = is_nested(batch.codes, column.codes)
    same = column_nested and batch_nested
    found = []
    if (association := _association(batch, column, v, same=same)) is not None:
        severity, sentence = association
        found.append(_finding("association", severity, sentence, **details))
        if severity == "red" and same:
            return found
    if same:
        sentence = f"“{column.name}” divides the cells exactly as “{batch.name}” does."
    elif column_nested:
        sentence = (
            f"Every level of “{column.name}” lies within one level of “{batch.name}”; differences "
            f"between levels inside the same “{batch.name}” are not corrected for."
        )
    elif batch_nested:
        sentence = (
            f"Every level of “{batch.name}” holds a single level of “{column.name}”; differences "
            f"between levels of “{column.name}” look like batch effects."
        )
    else:
        return found
    return [*found, _finding("nesting", "amber" if batch_nested else "green", sentence, **details)]


def _association(
    batch: Factor, column: Factor, v: float, *, same: bool
) -> tuple[Severity, str] | None:
    """Say how far a column is tied to the batch; None where that is no trouble."""
    if v <= CRAMERS_V_WARN:
        return None
    strength = f"(association {v:.2f} of 1)"
    if v <= CRAMERS_V_CONFOUNDED:
        return "amber", (
            f"“{column.name}” is unevenly spread over “{batch.name}” {strength}: "
            "part of its differences can be taken for a batch effect."
        )
    if linking := _linking(batch, column):
        return "amber", (
            f"“{column.name}” goes mostly with “{batch.name}” {strength}: "
            f"only {linking} {'tells' if linking.startswith('“') else 'tell'} the two apart, so "
            "the correction rests on what is shared there."
        )
    start = f"“{column.name}” goes with “{batch.name}” {strength}"
    if same:
        start = f"“{column.name}” divides the cells exactly as “{batch.name}” does"
    return "red", (
        f"{start}: nothing in these data can separate the two, so correcting for one removes "
        "differences in the other."
    )


def _finding(
    kind: Kind, severity: Severity, sentence: str, **details: str | float | int
) -> Finding:
    return Finding(kind=kind, severity=severity, sentence=sentence, details=details)


def _linking(batch: Factor, column: Factor) -> str:
    """Name the batches that tell a column's differences from those between batches.

    Both can be told apart where every batch is tied to every other through levels that they
    share. Empty where they cannot.
    """
    # A few cells, wrongly named perhaps, tie nothing.
    holds = crosstab(batch.codes, column.codes) >= MIN_CELLS_PURITY
    several = np.flatnonzero(holds.sum(axis=1) > 1)
    batches = np.flatnonzero(holds.any(axis=1))
    reached = set(batches[:1].tolist())
    for _ in batches:
        levels = holds[sorted(reached)].any(axis=0)
        reached |= set(np.flatnonzero(holds[:, levels].any(axis=1)).tolist())
    if len(several) == 0 or len(reached) < len(batches):
        return ""
    if len(several) == 1:
        return f"“{batch.levels[several[0]]}”"
    return f"{len(several)} of {len(batches)} batches"


def _exclusive(
    batch: Factor, label: Factor, embedding: NDArray[np.floating[Any]] | None
) -> list[Finding]:
    """Labels that live in one batch, and labels that may be merged with them."""
    exclusive = exclusive_labels(label.codes, batch.codes)
    found = []
    for code, home in exclusive.items():
        name, where = label.levels[code], batch.levels[home]
        cells = int((label.codes == code).sum())
        details: dict[str, str | float | int] = {"label": name, "batch": where, "cells": cells}
        sentence = f"“{name}” ({counted(cells, 'cell')}) lives only in “{where}”"
        severity: Severity = "green"
        relative = (
            None
            if embedding is None
            else closest_relative(code, home, label.codes, batch.codes, embedding)
        )
        if relative is None:
            sentence += "; mixing it with anything would be over-correction."
        else:
            other, elsewhere = label.levels[relative.label], batch.levels[relative.batch]
            details |= {
                "relative": other,
                "relative_batch": elsewhere,
                "distance": round(relative.distance, 3),
            }
            if relative.distance > CLOSE_LABEL:
                sentence += (
                    f"; the nearest label elsewhere, “{other}”, is not close "
                    f"({relative.distance:.2f} of the usual distance between labels)."
                )
            else:
                severity = "amber"
                sentence += (
                    f", and “{other}” in “{elsewhere}” is close to it ({relative.distance:.2f} of "
                    "the usual distance between labels): correction may merge the two."
                )
                if relative.label in exclusive:
                    sentence += (
                        " Each lives in its own batch, so these data cannot tell whether they are "
                        "one type or two."
                    )
        found.append(
            Finding(kind="exclusive", severity=severity, sentence=sentence, details=details)
        )
    return found


def crosstab(first: Ints, second: Ints) -> NDArray[np.int64]:
    """Count cells by the levels of two columns.

    Parameters
    ----------
    first, second
        Level of each cell in the two columns, -1 where missing; such cells are left out.

    Returns
    -------
    Levels of the first × levels of the second.
    """
    known = (first >= 0) & (second >= 0)
    shape = (int(np.max(first, initial=0)) + 1, int(np.max(second, initial=0)) + 1)
    table = np.zeros(shape, dtype=np.int64)
    np.add.at(table, (first[known], second[known]), 1)
    return table


def _centres(
    labels: Ints, batch: Ints, embedding: NDArray[np.floating[Any]], size: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean position of each label in each batch (labels × batches × dimensions)."""
    known = (labels >= 0) & (batch >= 0)
    group = labels[known] * size.shape[1] + batch[known]
    centre = np.empty((*size.shape, embedding.shape[1]))
    for dim in range(embedding.shape[1]):
        total = np.bincount(group, weights=embedding[known, dim], minlength=size.size)
        centre[..., dim] = total.reshape(size.shape) / np.maximum(size, 1)
    return centre


def _shift(
    source: int,
    target: int,
    centre: NDArray[np.float64],
    enough: NDArray[np.bool_],
    size: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Step from one batch to another: the median over the labels that both hold."""
    both = enough[:, source] & enough[:, target]
    if both.any():
        return np.asarray(np.median(centre[both, target] - centre[both, source], axis=0))
    means = [np.average(centre[:, b], axis=0, weights=size[:, b]) for b in (target, source)]
    return np.asarray(means[0] - means[1])
