"""The assessment of a run as the store has it: numbers before and after, verdict, evidence.

Light: pages read stored results with this module.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harmony_core._typing import Arrays
from harmony_core.detector.results import Detection, LabelMixing, LabelRow, StateRow
from harmony_core.verdict.verdict import Mixing, Verdict, mixing_of

Numbers = Mapping[str, Mapping[str, float | None]]
"""Batch variable → metric → value; None where it can't be computed."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """All diagnostics of one run.

    Subscripts give the plain values that are stored: ``assessment["verdict"]["kind"]``.

    Attributes
    ----------
    before, after
        Numbers of the uncorrected and of the corrected embedding.
    detections
        The label-free evidence by batch variable.
    labels
        What became of each label, worst first.
    shared
        How far the labels that batches share are mixed, by batch variable; empty without labels.
    states
        What became of each label and state, one row each; states of the last batch variable.
    notes
        What quality control left of batches and labels, what could not be judged, and why.
    per_cell
        Measures by name, each over the kept cells; of a stored assessment also ``preclusters`` and
        ``states`` (batch variables × kept cells).
    """

    before: Numbers
    after: Numbers
    verdict: Verdict
    detections: Mapping[str, Detection]
    labels: tuple[LabelRow, ...]
    shared: Mapping[str, LabelMixing]
    states: tuple[StateRow, ...]
    notes: tuple[str, ...]
    per_cell: Arrays = field(compare=False, repr=False)

    @property
    def metrics(self) -> dict[str, Numbers]:
        """The numbers by side, as files and tables have them."""
        return {"before": self.before, "after": self.after}

    @property
    def mixing(self) -> dict[str, Mixing]:
        """How far each batch variable (and their combination) is mixed after correction."""
        return {
            name: mixing_of(detection, self.shared.get(name, LabelMixing()))
            for name, detection in self.detections.items()
        }

    def __getitem__(self, name: str) -> Any:
        return self._plain[name]

    @cached_property
    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(json.dumps(self.to_dict()))
        return plain

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all but ``per_cell``."""
        return {
            "metrics": self.metrics,
            "verdict": self.verdict.to_dict(),
            "detections": {name: d.to_dict() for name, d in self.detections.items()},
            "labels": [dataclasses.asdict(row) for row in self.labels],
            "shared": {name: dataclasses.asdict(row) for name, row in self.shared.items()},
            "states": [dataclasses.asdict(row) for row in self.states],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], per_cell: Arrays) -> Assessment:
        """Rebuild from the values of ``to_dict``, also after JSON turned tuples into lists."""
        return cls(
            **values["metrics"],
            verdict=Verdict.from_dict(values["verdict"]),
            detections={n: Detection.from_dict(d) for n, d in values["detections"].items()},
            labels=tuple(LabelRow.from_dict(row) for row in values["labels"]),
            shared={n: LabelMixing(**row) for n, row in values["shared"].items()},
            states=tuple(StateRow.from_dict(row) for row in values["states"]),
            notes=tuple(values["notes"]),
            per_cell=per_cell,
        )
