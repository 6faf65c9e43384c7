"""What the product says about a run of real cells, in the form that truth is compared with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from real_truth import LabelledCells

    from harmony_core.verdict.assessment import Assessment

PLAIN_NAME = re.compile(r"\d*|\w")
"""Names that occur in sentences by chance, and count only in quotation marks."""


def is_named(name: str, sentences: Sequence[str]) -> bool:
    """Return whether sentences name a batch; numbers and single letters count in quotes only."""
    text = " ".join(sentences)
    if f"“{name}”" in text:
        return True
    pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
    return not PLAIN_NAME.fullmatch(name) and re.search(pattern, text) is not None


def states(
    assessment: Assessment,
    measured: LabelledCells,
    known: NDArray[np.bool_],
    labels: NDArray[np.str_] | None,
) -> list[dict[str, Any]]:
    """Return the states of an assessment that truth can be measured on.

    Parameters
    ----------
    assessment
        Of a run.
    measured
        The cells of known label and batch.
    known
        Which of the prepared cells those are.
    labels
        Labels of the measured cells that the verdict sees; None without.

    Returns
    -------
    ``kind``, ``cells`` and ``outcome`` as the product has them, and the true ``loss``.
    """
    state_of = np.asarray(assessment.per_cell["states"][-1])
    found = []
    for row in assessment.states:
        if row.kind == "label":
            cells = np.zeros(len(measured.labels), bool) if labels is None else labels == row.name
        else:
            cells = (state_of == row.state)[known]
        loss = measured.state_loss(cells)
        if loss is not None:
            found.append(
                {"kind": row.kind, "cells": row.cells, "outcome": row.outcome, "loss": loss}
            )
    return found
