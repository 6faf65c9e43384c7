"""The corrected embedding, and Harmony's soft clusters."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from cachetools.func import ttl_cache

from harmony_core.errors import BatchError
from harmony_core.inspect.left_out import kept_of_each
from harmony_core.methods import harmony
from harmony_core.methods.integration.environment import installed
from harmony_core.params import MethodParams, RunParams
from harmony_core.runs.stages.context import Computed, Context, memoised
from harmony_core.runs.stages.stage import stage
from harmony_core.store import Dataset

_LOOK_AGAIN_SECONDS = 2

_CORRECTIONS: LRUCache[Any, harmony.Correction] = LRUCache(1)
"""What `correct` leaves to `soft_clusters`."""


def _method_settings(p: RunParams, data: Dataset) -> tuple[object, ...]:
    assert p.method is not None  # else `correct` is the run's stage
    method = p.method.method
    version = library_version(p.method, data)
    return (p.method.to_dict(), p.harmony.batch, method.version, version)


def library_version(params: MethodParams, data: Dataset) -> str | None:
    """Return the version of a method's library that a run goes by.

    Returns
    -------
    The one that is installed. Without it that of results that are there, which then count; of
    several versions those of one. None where there are none.
    """
    version = installed(params.method)
    return _version_of_results(data.folder, params.method.library) if version is None else version


@ttl_cache(64, _LOOK_AGAIN_SECONDS)  # a page asks for every run that it draws
def _version_of_results(folder: Path, library: str) -> str | None:
    stored = []
    for values in Dataset(folder).values_of_stage("method"):
        with contextlib.suppress(AttributeError):  # of a damaged file
            stored.append(values.get("versions", {}).get(library))
    # Of several any will do, if it is always the same.
    return max((version for version in stored if isinstance(version, str)), default=None)


@stage(
    "correct",
    "Running Harmony",
    version=2,
    needs=("prepare",),
    settings=lambda p, data: (p.harmony.to_dict(),),
)
def correct(context: Context) -> Computed:
    """Correct the embedding with Harmony."""
    _refuse_single_batch(context)
    correction = memoised(_CORRECTIONS, context.identity("correct"), lambda: _harmony(context))
    return {"embedding": correction.embedding}, {
        "objective": list(correction.objective),
        "iterations": correction.iterations,
        "stop_reason": correction.stop_reason,
        "nclust": correction.nclust,
        "theta_b": [list(t) for t in correction.theta_b],
        "levels": [list(names) for names in correction.levels],
    }


@stage(
    "correct",
    "Taking the corrected embedding",
    version=1,
    needs=("prepare",),
    settings=lambda p, data: (p.precomputed,),
    stored_as="given",
)
def precomputed(context: Context) -> Computed:
    """Take the embedding that another tool corrected, where Harmony is not run."""
    assert context.params.precomputed is not None  # else `correct` is the run's stage
    return {"embedding": context.dataset.embedding(context.params.precomputed)[context.cells]}, {}


@stage(
    "correct",
    "Correcting with another method",
    version=1,
    needs=("prepare",),
    settings=_method_settings,
    stored_as="method",
    takes_minutes=True,
)
def by_method(context: Context) -> Computed:
    """Correct with a method of others, where Harmony is not run."""
    from harmony_core.runs.stages.other_methods import corrected

    _refuse_single_batch(context)
    return corrected(context)


@stage(
    "soft_clusters",
    "Describing Harmony's soft clusters",
    version=1,
    needs=("correct",),
    right_after="correct",
)
def soft_clusters(context: Context) -> Computed:
    """Count what Harmony's soft clusters hold of each batch; empty where Harmony was not run."""
    if not context.params.by_harmony:
        return {}, {}
    identity = context.identity("correct")
    correction = memoised(_CORRECTIONS, identity, lambda: _harmony(context))
    _CORRECTIONS.pop(identity, None)  # nothing else needs it
    R = correction.soft_clusters
    arrays = {"soft_cluster": R.argmax(axis=1).astype(np.int16)}
    for i, (codes, levels) in enumerate(zip(correction.codes, correction.levels, strict=True)):
        one_hot = np.eye(len(levels), dtype=np.float32)[codes]
        arrays[f"observed_{i}"] = R.T @ one_hot
        arrays[f"expected_{i}"] = np.outer(R.sum(axis=0), one_hot.mean(axis=0))
    return arrays, {}


def _harmony(context: Context) -> harmony.Correction:
    batches = [context.column(name) for name in context.params.harmony.batch]
    return harmony.correct(context.embedding("before"), batches, context.params.harmony)


def _refuse_single_batch(context: Context) -> None:
    """Raise where quality control left one batch; of data with one batch Harmony's side says it."""
    obs, cells = context.dataset.obs, context.cells
    for kept in kept_of_each(obs, cells, context.params.harmony.batch, None):
        lost = list(kept.gone)
        if lost and obs[kept.name].iloc[cells].nunique() < 2:
            raise BatchError(f"There is nothing to correct between in {kept.name!r}. {lost[0]}")
