"""The numbers that a setting may take."""

from __future__ import annotations

import reprlib
import sys
from dataclasses import dataclass

from harmony_core.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers a setting may take, and the step of its slider."""

    low: float
    high: float
    step: float
    slider_high: float | None = None
    """Where the slider ends, if values beyond it are allowed but rarely make sense."""

    def check(self, name: str, value: float) -> None:
        """Raise ParameterError unless ``value`` is a finite number within the range."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not abs(value) <= sys.float_info.max
        ):
            raise ParameterError(f"{name} must be a number, not {reprlib.repr(value)}.")
        if not self.low <= value <= self.high:
            raise ParameterError(
                f"{name} is {value:g}; it must lie between {self.low:g} and {self.high:g}."
            )
