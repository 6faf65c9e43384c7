"""What is computed before what, and which process computes it.

A run is computed stage by stage, and between its stages those of others have their turn. What a
viewer waits for in front of a slider, anybody's, goes before what comes after it, anybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal

Lane = Literal["front", "later", "files", "methods"]
"""Up to the verdict, after it, files that are read, or methods of others. What is under way can't
be stopped in the middle of a call, so each has processes of its own."""

FRONT: tuple[Lane] = ("front",)
LATER: tuple[Lane] = ("later",)
FILES: tuple[Lane] = ("files",)
METHODS: tuple[Lane] = ("methods",)
LANES = FRONT + LATER + FILES + METHODS


class Urgency(IntEnum):
    """What is waited for, the most urgent first."""

    PREVIEW = 0
    """The correction and a first picture of it."""
    VERDICT = 1
    READING = 2
    """Files read into the store."""
    NEW_DATA = 3
    """Data prepared, drawn and described before correction: once a dataset."""
    LAYOUT = 4
    LATER = 5
    """Clusters, marker genes, other resolutions."""
    BACKGROUND = 6
    """Many runs at once, risks, exports: they give way to everything else."""
    METHOD = 7
    """A method of others, which takes minutes, in a process that nothing else waits for."""

    @property
    def lane(self) -> Lane:
        if self is Urgency.READING:
            return "files"
        if self is Urgency.METHOD:
            return "methods"
        return "front" if self <= Urgency.VERDICT else "later"


STAGES: Mapping[str, Urgency] = {
    "correct": Urgency.PREVIEW,
    "preview_after": Urgency.PREVIEW,
    "neighbors_after": Urgency.VERDICT,
    "lisi_after": Urgency.VERDICT,
    "assess": Urgency.VERDICT,
    "quality": Urgency.NEW_DATA,
    "doublets": Urgency.NEW_DATA,
    "prepare": Urgency.NEW_DATA,
    "marker_labels": Urgency.NEW_DATA,
    "neighbors_before": Urgency.NEW_DATA,
    "layout_before": Urgency.NEW_DATA,
    "reference": Urgency.NEW_DATA,
    "lisi_before": Urgency.NEW_DATA,
    "soft_clusters": Urgency.LAYOUT,
    "layout_after": Urgency.LAYOUT,
}
"""By name of the stage; all others are later."""


def of_stage(name: str, *, takes_minutes: bool = False) -> Urgency:
    """Return how urgent a stage is where somebody waits for its run."""
    return Urgency.METHOD if takes_minutes else STAGES.get(name, Urgency.LATER)
