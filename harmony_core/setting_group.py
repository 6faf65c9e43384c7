"""What groups of settings share: checks, plain values; and the range of each setting.

The ranges here are the only ones: sliders, the command line and saved settings all read them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from harmony_core.errors import ParameterError
from harmony_core.method_params import MethodParams as MethodParams
from harmony_core.ranges import Range

_P = TypeVar("_P", bound="SettingGroup")


RANGES: Mapping[str, Range] = {
    "min_genes": Range(low=0, high=20_000, step=50),
    "max_genes": Range(low=100, high=100_000, step=100),
    "min_cells": Range(low=0, high=1_000, step=1),
    "max_mito": Range(low=0, high=100, step=1),
    "n_top_genes": Range(low=50, high=20_000, step=100),
    "n_pcs": Range(low=2, high=200, step=1),
    "max_doublet": Range(low=0, high=1, step=0.05),
    "skip_dims": Range(low=0, high=10, step=1),
    "use_dims": Range(low=2, high=1_000, step=1),
    "theta": Range(low=0, high=100, step=0.25, slider_high=10),
    "sigma": Range(low=0.01, high=0.5, step=0.01),
    "nclust": Range(low=2, high=200, step=1),
    "max_iter": Range(low=0, high=50, step=1),
    "tau": Range(low=0, high=100, step=1),
    "alpha": Range(low=0.01, high=5, step=0.05),
    "lamb": Range(low=0, high=100, step=0.1),
    "block_size": Range(low=0.01, high=0.5, step=0.01),
    "max_iter_kmeans": Range(low=1, high=50, step=1),
    "epsilon_cluster": Range(low=0, high=0.1, step=0.0005),
    "epsilon_harmony": Range(low=0, high=0.1, step=0.001),
    "batch_prop_cutoff": Range(low=0, high=0.1, step=1e-5),
    "n_neighbors": Range(low=5, high=50, step=1),
    "min_dist": Range(low=0, high=1, step=0.05),
    "spread": Range(low=0.5, high=3, step=0.1),
    "resolution": Range(low=0.05, high=5, step=0.05),
    "seed": Range(low=0, high=2**31 - 1, step=1),
}
"""Allowed values per setting."""


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as Python's, and lists as tuples, which can be keys."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(value) if isinstance(value, list) else value


def _json(value: Any) -> Any:
    """Return a setting as it comes out of a JSON file."""
    if value is None or type(value) in (bool, int, float, str):  # most: a page writes hundreds
        return value
    return json.loads(json.dumps(value))


@dataclass(frozen=True)
class SettingGroup:
    """Shared by the dataclasses below: to and from plain JSON values."""

    written_as: ClassVar[Mapping[str, str]] = {}
    """Fields whose name in files is another."""
    came_later: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out at their default: names of runs from before them stay."""

    def __post_init__(self) -> None:
        for field_ in dataclasses.fields(self):
            object.__setattr__(self, field_.name, _plain(getattr(self, field_.name)))

    def to_dict(self, *, whole: bool = False) -> dict[str, Any]:
        """Return plain JSON values; whole, also those of `came_later` at their default."""
        values: dict[str, Any] = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if not whole and one.name in self.came_later and value == one.default:
                continue
            if isinstance(value, SettingGroup):
                plain = value.to_dict(whole=whole)
            elif isinstance(value, MethodParams):
                plain = value.to_dict()
            else:
                plain = _json(value)
            values[self.written_as.get(one.name, one.name)] = plain
        return values

    @classmethod
    def from_dict(cls: type[_P], values: Mapping[str, Any]) -> _P:
        """Build the group from JSON values; unknown names are refused by name."""
        known = {cls.written_as.get(f.name, f.name): f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ParameterError(
                f"Unknown setting {unknown[0]!r}; known here: {', '.join(sorted(known))}."
            )
        return cls(**{known[k]: value for k, value in values.items()})

    def _check(self, *names: str) -> None:
        for name in names:
            RANGES[name].check(name, getattr(self, name))

    def _check_whole(self, *names: str) -> None:
        for name in names:
            if not isinstance(getattr(self, name), int):
                raise ParameterError(f"{name} must be a whole number, not {getattr(self, name)!r}.")

    def _as_floats(self, *names: str) -> None:
        """Make 2 and 2.0 one value: the same settings must have the same key."""
        for name in names:
            value = getattr(self, name)
            if isinstance(value, tuple):
                object.__setattr__(self, name, tuple(float(v) for v in value))
            elif value is not None:
                object.__setattr__(self, name, float(value))
