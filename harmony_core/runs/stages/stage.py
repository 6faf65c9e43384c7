"""What a stage is: a step of a run whose result the store has under a key known beforehand.

Light on purpose, as is the top of every module here: a page plans runs, and computes none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Literal, NamedTuple

from harmony_core.params import RunParams
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.store import Dataset, StageKey, digest

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")

SETTINGS = "settings"
"""Stands in `Stage.keyed_by` for the stage's settings."""

_LIBRARIES = ("harmonypy", "scanpy", "umap-learn", "igraph", "leidenalg", "faiss-cpu")

Settings = Callable[[RunParams, Dataset], tuple[object, ...]]


def _no_settings(params: RunParams, data: Dataset) -> tuple[object, ...]:
    return ()


@dataclass(frozen=True)
class Step:
    """Something that takes time, as a user reads it while waiting."""

    name: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Stage(Step):
    """One stage of a run.

    Attributes
    ----------
    version
        Raised when the code changes what it computes.
    needs
        Stages that it takes results from.
    settings
        What else decides its result, from the run's settings and what is known of the dataset;
        must have a JSON form.
    compute
        Returns arrays and JSON-able values.
    stored_as
        Its name in the store, where that is another: the two sides of a stage share one.
    keyed_by
        Stages whose keys its own key covers and, as `SETTINGS`, its settings, in this order;
        by default what it needs and then the settings. Keys in stores that exist depend on it.
    right_after
        The stage whose process has in memory what this one needs: it computes both.
    is_result
        False for a stage that only serves others: where all results are there, it need not be.
    takes_minutes
        Whether it has a process of its own, so that nobody waits for a turn behind it.
    """

    version: int
    needs: tuple[str, ...] = ()
    settings: Settings = _no_settings
    compute: Callable[[Context], Computed]
    stored_as: str = ""
    keyed_by: tuple[str, ...] = ()
    right_after: str = ""
    is_result: bool = True
    takes_minutes: bool = False

    @property
    def store_name(self) -> str:
        return self.stored_as or self.name

    def key(self, params: RunParams, data: Dataset, keys: Mapping[str, StageKey]) -> StageKey:
        """Return the stage's key in the store.

        Parameters
        ----------
        params
            Settings of the run.
        data
            The dataset.
        keys
            Keys of the stages before it, by name.
        """
        parts: list[object] = []
        for name in self.keyed_by or (*self.needs, SETTINGS):
            parts += self.settings(params, data) if name == SETTINGS else [keys[name].digest]
        return StageKey(self.store_name, digest(self.version, library_versions(), *parts))


class Sides(NamedTuple):
    """A stage that is computed before and after correction in the same way."""

    before: Stage
    after: Stage


def stage(
    name: str, title: str, *, version: int, **options: Any
) -> Callable[[Callable[[Context], Computed]], Stage]:
    """Declare what a function computes to be a stage; ``options`` are those of `Stage`."""
    return lambda compute: Stage(name, title, version=version, compute=compute, **options)


def both_sides(
    name: str, title: str, *, version: int, needs: tuple[str, ...], **options: Any
) -> Callable[[Callable[[Context, Side], Computed]], Sides]:
    """Declare what a function computes of either side to be the stages before and after.

    Parameters
    ----------
    title, needs
        ``{side}`` stands for the side, ``{data}`` for what its data are called, ``{source}`` for
        the stage that makes its embedding.
    options
        Of `Stage`.
    """

    def declare(compute: Callable[[Context, Side], Computed]) -> Sides:
        def one(side: Side, source: str, data: str) -> Stage:
            return Stage(
                f"{name}_{side}",
                title.format(side=side, data=data),
                version=version,
                needs=tuple(stage.format(side=side, source=source) for stage in needs),
                compute=lambda context: compute(context, side),
                stored_as=name,
                **options,
            )

        return Sides(one("before", "prepare", "uncorrected"), one("after", "correct", "corrected"))

    return declare


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose results are stored."""
    return {name: metadata.version(name) for name in _LIBRARIES}
