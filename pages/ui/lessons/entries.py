"""The entries of a lesson's file, taken one by one: each fault is a sentence that says where."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

from harmony_core.errors import ParameterError
from harmony_core.inspect.columns import listed

LONGEST_TEXT = 3_000
"""Characters of a text."""
MOST_ITEMS = 20
"""Entries of a list."""

REQUIRED: Any = object()


class Entries:
    """The entries of one table, taken one by one; what was not taken by the end is unknown."""

    def __init__(self, values: Any, where: str) -> None:
        self.where = where
        if not isinstance(values, Mapping):
            raise self.fault(f"must be a table of entries, not {short(values)}")
        self.values = values
        self._taken: list[str] = []

    def fault(self, what: str) -> ParameterError:
        return ParameterError(f"{self.where}: {what}.")

    def has(self, name: str) -> bool:
        return name in self.values

    def _take(self, name: str, default: Any = None) -> Any:
        self._taken.append(name)
        if name not in self.values and default is REQUIRED:
            raise self.fault(f"{name} is missing")
        return self.values.get(name, default)

    def end(self) -> None:
        unknown = [name for name in self.values if name not in self._taken]
        if unknown:
            known = ", ".join(self._taken)
            raise self.fault(f"{short(unknown[0])} is no entry; there can be {known}")

    def text(
        self,
        name: str,
        default: Any = REQUIRED,
        *,
        one_of: Any = None,
        longest: int = LONGEST_TEXT,
    ) -> Any:
        """Return a text, which must not be empty, or the default, which may be none."""
        value = self._take(name, default)
        if name not in self.values:
            return value
        if not isinstance(value, str) or not value.strip():
            raise self.fault(f"{name} must be a text, not {short(value)}")
        if len(value) > longest:
            raise self.fault(f"{name} is longer than {longest:,} characters")
        if one_of is not None and value not in one_of:
            raise self.fault(f"{name} must be one of {', '.join(one_of)}, not {short(value)}")
        return value

    def texts(self, name: str, *, one_of: Any = None) -> tuple[str, ...]:
        """Return a list of texts; one alone may stand without brackets."""
        value = self._take(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
            raise self.fault(f"{name} must be a list of texts, not {short(value)}")
        if len(values) > MOST_ITEMS or any(len(v) > LONGEST_TEXT for v in values):
            raise self.fault(f"{name} has more than {MOST_ITEMS} entries, or too long ones")
        wrong = [v for v in values if one_of is not None and v not in one_of]
        if wrong:
            raise self.fault(f"{name} has {short(wrong[0])}; there are {listed(list(one_of))}")
        return tuple(values)

    def whole(self, name: str, low: int, high: int) -> int:
        value = self._take(name, REQUIRED)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            fits = f"a whole number from {low} to {high:,}"
            raise self.fault(f"{name} must be {fits}, not {short(value)}")
        return value

    def switch(self, name: str) -> bool:
        value = self._take(name, False)
        if not isinstance(value, bool):
            raise self.fault(f"{name} must be true or false, not {short(value)}")
        return value

    def table(self, name: str) -> Entries:
        return Entries(self._take(name, {}), f"{self.where}, {name}")

    def tables(self, name: str, *, most: int) -> list[Entries]:
        value = self._take(name, REQUIRED)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise self.fault(f"{name} must be 1 to {most} tables [[{name}]]")
        return [Entries(v, f"{self.where}, step {i}") for i, v in enumerate(value, start=1)]

    def settings(self, name: str) -> dict[str, Any]:
        """Return settings by the names of a link: texts, numbers, truth values or lists of them."""
        table = self.table(name)
        for key, value in table.values.items():
            items = value if isinstance(value, list) else [value]
            fits = bool(items) and all(isinstance(v, str | int | float) for v in items)
            if len(items) > MOST_ITEMS or not fits:
                raise table.fault(
                    f"{short(key)} must be a text, a number, true or false, or a list"
                )
        return dict(table.values)

    def ranges(self, name: str, *, one_of: Any = None) -> dict[str, tuple[float, float]]:
        table = self.table(name)
        wrong = [key for key in table.values if one_of is not None and key not in one_of]
        if wrong:
            raise table.fault(f"{short(wrong[0])} is no number; there are {', '.join(one_of)}")
        return {key: table.range(key) for key in table.values}

    def range(self, name: str) -> tuple[float, float]:
        """Return the lowest and highest value that are asked for, from a number or a table."""
        value = self._take(name)
        limits = value if isinstance(value, Mapping) else {"at_least": value, "at_most": value}
        numbers = isinstance(limits, Mapping) and all(
            isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= 1e9
            for v in limits.values()
        )
        if not limits or not numbers or not set(limits) <= {"at_least", "at_most"}:
            raise self.fault(
                f"{name} must be a number, or a table of at_least and at_most, not {short(value)}"
            )
        return float(limits.get("at_least", "-inf")), float(limits.get("at_most", "inf"))
