"""Which method of others corrects, and its settings: a part of `harmony_core.params.RunParams`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harmony_core.errors import ParameterError
from harmony_core.method_catalog import Method, method_named


@dataclass(frozen=True, kw_only=True)
class MethodParams:
    """A method of others that corrects in Harmony's place.

    Parameters
    ----------
    name
        One of `harmony_core.method_catalog.METHODS`.
    settings
        Its settings and their values; kept are those that are not at their default.
    """

    name: str
    settings: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        given = dict(self.settings)
        if len(given) < len(self.settings):
            raise ParameterError(f"A setting of {self.name} was given twice; give each once.")
        changed = self.method.checked(given)
        object.__setattr__(self, "settings", tuple(changed.items()))

    @property
    def method(self) -> Method:
        return method_named(self.name)

    @property
    def values(self) -> dict[str, float]:
        """Every setting of the method with its value."""
        return self.method.values(dict(self.settings))

    @property
    def words(self) -> list[str]:
        """The name, and each setting that is not at its default, such as ``knn=10``."""
        return [self.name, *(f"{name}={value}" for name, value in self.settings)]

    @classmethod
    def from_words(cls, words: Sequence[str]) -> MethodParams:
        """Read what `words` gives.

        Raises
        ------
        ParameterError
            If it is no method, or no setting of it.
        """
        settings = []
        for word in words[1:]:
            name, equals, value = word.partition("=")
            try:
                number = json.loads(value, parse_constant=float)
            except (ValueError, RecursionError):
                number = None
            if not equals or isinstance(number, bool) or not isinstance(number, int | float):
                raise ParameterError(
                    f"A setting of a method is a name and a number, as knn=10, not {word[:40]!r}."
                )
            settings.append((name, number))
        return cls(name=words[0], settings=tuple(settings))

    def to_dict(self) -> dict[str, Any]:
        """Return the name and, beside it, each setting that is not at its default."""
        return {"name": self.name, **dict(self.settings)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MethodParams:
        """Build it from what `to_dict` gives."""
        rest = dict(values)
        name = rest.pop("name", None)
        if not isinstance(name, str):
            raise ParameterError("Say by name which method corrects, such as scanorama.")
        return cls(name=name, settings=tuple(rest.items()))
