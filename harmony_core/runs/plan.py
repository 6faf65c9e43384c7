"""Which stages a run consists of, and the key of each: known before anything is computed.

Light on purpose: a page plans a run to see what the store already has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from cachetools import LRUCache

from harmony_core.params import RunParams
from harmony_core.runs.stages.correction import library_version
from harmony_core.runs.stages.registry import LOADING, RESULTS, STAGES, stages_of
from harmony_core.runs.stages.stage import SIDES, Side, Stage, Step, library_versions
from harmony_core.store import Dataset, StageKey, digest

__all__ = [
    "LOADING",
    "RESULTS",
    "SIDES",
    "STAGES",
    "Plan",
    "Side",
    "Stage",
    "Step",
    "library_versions",
]

_MOST_KNOWN = 500

# A page plans the same runs many times a move, and the digests took a tenth of its time.
_known: WeakKeyDictionary[Dataset, LRUCache[tuple[str, RunParams, str | None], Any]] = (
    WeakKeyDictionary()
)
_lock = threading.Lock()
_T = TypeVar("_T")


class Plan:
    """The stages of one run and their keys.

    Parameters
    ----------
    dataset
        The dataset in the store.
    params
        Everything else that decides the results.
    """

    def __init__(self, dataset: Dataset, params: RunParams) -> None:
        self.dataset = dataset
        self.params = params
        self.stages = stages_of(params)
        """Each stage of every run and each on demand, by name, in the order of computing."""

    @cached_property
    def run(self) -> str:
        """Name of the run: the same dataset, settings and versions give the same name."""
        return self._once("run", self._make_run)

    def _make_run(self) -> str:
        always = {stage.name: self.keys[stage.name].digest for stage in STAGES}
        return digest(self.dataset.fingerprint, self.params.to_dict(), always)

    @cached_property
    def keys(self) -> Mapping[str, StageKey]:
        """Key of each of the `stages`."""
        return self._once("keys", self._make_keys)

    def _make_keys(self) -> Mapping[str, StageKey]:
        keys: dict[str, StageKey] = {}
        for name, stage in self.stages.items():
            keys[name] = stage.key(self.params, self.dataset, keys)
        return keys

    def _once(self, what: str, make: Callable[[], _T]) -> _T:
        """Return what was made for these settings of this dataset before, or make it."""
        by = (what, self.params, self._library)
        with _lock:
            known = _known.setdefault(self.dataset, LRUCache(2 * _MOST_KNOWN))
            found: _T | None = known.get(by)
        if found is None:
            found = make()
            with _lock:
                known[by] = found
        return found

    @cached_property
    def _library(self) -> str | None:
        """Version of what corrects, which may be installed or removed while this process runs."""
        method = self.params.method
        return None if method is None else library_version(method, self.dataset)

    @property
    def is_finished(self) -> bool:
        """Whether the store has every result of the run."""
        return self.has(*RESULTS)

    def has(self, *stages: str) -> bool:
        """Return whether the store has the results of these stages."""
        return all(self.dataset.is_finished(self.keys[name]) for name in stages)

    def can_read(self, *stages: str) -> bool:
        """Return whether results are there and whole, without stages all; they count as used.

        Dearer than `has`: every file is opened.
        """
        return all(self.dataset.finished(self.keys[name]) is not None for name in stages or RESULTS)

    def stages_for(self, *targets: str) -> tuple[Stage, ...]:
        """Return the stages that lead to some, in order; without targets those of every run."""
        names = set(targets or (stage.name for stage in STAGES))
        for name, stage in reversed(self.stages.items()):  # stages come after what they need
            if name in names:
                names.update(stage.needs)
        return tuple(stage for name, stage in self.stages.items() if name in names)
