"""A run's settings as the parameters of a web address, and back.

An address names only what differs from the settings that a dataset starts with, so it stays short
and can be read. Whatever it holds is a stranger's text: each parameter is checked by itself, and
what can't be used is left out with a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harmony_core.errors import InputError, ParameterError
from harmony_core.inspect.columns import batch_column, check_named_batches
from harmony_core.inspect.gene_sets import panel_sets
from harmony_core.params import HarmonyParams, MethodParams, RunParams
from harmony_core.runs.history import flat
from harmony_core.store import Dataset

_BATCH = "batch"
_NOT_IN_LINKS = ("harmony.batch", "clusters.resolutions", "given")
"""Written in another way, or not changed by any control."""

_ROWS = ("harmony.theta_of", "harmony.lamb_of")
"""Lists of variable, batch and value."""

_LARGEST = 2**53
_LONGEST = 100_000
"""Characters of an address beyond which it can't be one of ours."""


def to_parameters(params: RunParams, start: RunParams) -> dict[str, list[str]]:
    """Return the batch variables and every setting that differs from those to start with.

    Parameters
    ----------
    params
        The run.
    start
        What the dataset starts with; `from_parameters` must be given the same.
    """
    now, then = flat(params), flat(_for_batch(start, params.harmony.batch))
    parameters = {_BATCH: list(params.harmony.batch)}
    for name, value in now.items():
        if name == "label" and params.panel is not None:
            continue  # it follows from the panel
        if value != then[name] and name not in _NOT_IN_LINKS:
            values = (value or [""]) if isinstance(value, list) else [value]
            parameters[_short(name)] = [_text(v) for v in values]
    return parameters


def from_parameters(
    texts: Mapping[str, Sequence[str]], dataset: Dataset, start: RunParams
) -> tuple[RunParams, tuple[str, ...]]:
    """Return the settings that an address asks for, and what of it could not be used.

    Parameters
    ----------
    texts
        Name to values, as `to_parameters` writes them.
    dataset
        Decides which columns and embeddings there are.
    start
        What the dataset starts with.

    Returns
    -------
    params, problems
        One plain sentence for each parameter that was left out.
    """
    if sum(len(name) + sum(map(len, values)) + 1 for name, values in texts.items()) > _LONGEST:
        return start, ("The link is too long to be one of a run's; copy it again.",)
    params, problems = start, []
    names = tuple(texts.get(_BATCH, ()))
    if names and names != start.harmony.batch:
        try:
            params = _for_batch(start, names)
            for name in names:
                batch_column(dataset.obs, name)
        except InputError as error:
            params, problems = start, [str(error)]
    known = {_short(name): name for name in flat(params) if name not in _NOT_IN_LINKS}
    waiting = [name for name in texts if name != _BATCH]
    while waiting:  # one may only be possible after another, as max_genes after min_genes
        refused: list[tuple[str, str]] = []
        for name in waiting:
            try:
                params = _with(params, known.get(name), name, texts[name], dataset)
            except InputError as error:
                refused.append((name, str(error)))
        if len(refused) == len(waiting):
            return params, (*problems, *(sentence for _, sentence in refused))
        waiting = [name for name, _ in refused]
    return params, tuple(problems)


def _with(
    params: RunParams, setting: str | None, name: str, texts: Sequence[str], dataset: Dataset
) -> RunParams:
    """Return the settings with one of them read from its texts."""
    if setting is None:
        raise ParameterError(f"There is no setting {name!r}.")
    if setting == "label" and texts[0] and texts[0] not in dataset.obs:
        raise ParameterError(f"There is no column {texts[0]!r} for labels in these data.")
    if setting == "prepare.basis" and texts[0] not in dataset.info.embeddings:
        raise ParameterError(f"There is no embedding {texts[0]!r} in these data.")
    if setting == "method":
        method = MethodParams.from_words(texts) if texts[0] else None
        return replace(params, method=method)
    if setting == "panel":
        panel_sets(texts[0])
        return replace(params, label=None, panel=texts[0])
    group, _, last = setting.rpartition(".")
    then = flat(params)[setting]
    if setting in _ROWS:
        value: Any = tuple(_row(name, text) for text in texts if text)
        check_named_batches(dataset.obs, replace(params.harmony, **{last: value}))
    elif setting == "harmony.sigma_of":
        value = tuple(_value(name, text, 0.1) for text in texts if text)
    elif isinstance(then, list):
        value = tuple(_value(name, text, then[0]) for text in texts)
    else:
        value = _value(name, texts[0], then, is_name=setting in ("label", "prepare.basis"))
    if not group:
        return replace(params, **{last: value})
    return replace(params, **{group: replace(getattr(params, group), **{last: value})})


def _value(name: str, text: str, then: Any, *, is_name: bool = False) -> Any:
    if is_name:
        return text or None
    if isinstance(then, str):
        return text
    wanted = "yes or no, as true or false" if isinstance(then, bool) else "a number"
    refusal = ParameterError(f"{name} must be {wanted}, not {text[:40]!r}.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise refusal from None
    if not isinstance(value, bool | int | float | None) or isinstance(value, bool) != isinstance(
        then, bool
    ):
        raise refusal
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise refusal
    if value is None and then is not None:
        raise refusal
    if isinstance(then, int) and not isinstance(value, int):
        raise ParameterError(f"{name} must be a whole number, not {text[:40]!r}.")
    return value


def _row(name: str, text: str) -> Any:
    """Return a variable, a batch and its value; `HarmonyParams` checks what they are."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ParameterError(
            f"{name} must be a batch variable, a batch and a number, not {text[:40]!r}."
        ) from None


def _for_batch(start: RunParams, names: Sequence[str]) -> RunParams:
    """Return the settings to start with for other batch variables."""
    if tuple(names) == start.harmony.batch:
        return start
    label = None if start.label in names else start.label
    usual = HarmonyParams(batch=("",)).theta
    harmony = replace(start.harmony, theta_of=(), lamb_of=())
    return replace(start, harmony=replace(harmony, batch=tuple(names), theta=usual), label=label)


def _short(name: str) -> str:
    """Harmony's own settings go by their name alone, others by ``group.name``."""
    return name.removeprefix("harmony.")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
