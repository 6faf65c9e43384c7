"""Columns of obs: which can be a batch variable, which looks most like one, which not and why.

Needs numpy and pandas only, so that a page can use it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from harmony_core.errors import BatchError, DataError

MIN_CELLS = 40
MAX_BATCHES = 2_000
SMALL_BATCH = 20
_CELLS_PER_IDENTIFIER = 5
_MISSING_WORDS = frozenset({"", "nan", "NaN", "NA", "N/A", "<NA>"})

_BATCH_WORDS = (
    *(
        "batch",
        "sample",
        "donor",
        "patient",
        "individual",
        "subject",
        "library",
        "dataset",
        "study",
    ),
    *("orig.ident", "origin", "plate", "lane", "run", "chip", "chemistry", "technology", "tech"),
    *("platform", "assay", "protocol", "site", "center", "centre", "replicate", "mouse", "channel"),
    *("file", "experiment", "gem", "project", "cohort", "pool", "seq"),
)
_CONDITION_WORDS = (
    *("condition", "stim", "treatment", "disease", "status", "diagnosis", "group", "timepoint"),
    *("time", "genotype", "species", "organism", "tissue", "sex", "gender", "day", "stage"),
)
_LABEL_WORDS = (
    *("celltype", "type", "label", "annotation", "annot", "cluster", "leiden", "louvain", "ident"),
    *("lineage", "subtype", "class", "subclass", "celltypes", "types", "labels", "clusters"),
)


@dataclass(frozen=True, kw_only=True)
class BatchCandidate:
    """A column that can be a batch variable, and why it ranks where it does.

    Attributes
    ----------
    sizes
        Cells of each level, largest first.
    explained
        Share of the variance of the embedding's first dimensions that the column explains;
        None where there is no embedding.
    reasons
        Short sentences for the page.
    """

    name: str
    sizes: dict[str, int]
    score: float
    explained: float | None
    is_condition: bool
    reasons: tuple[str, ...]


def shown(name: object, *, most: int = 60) -> str:
    """Quote a name that came from a file, on one line and cut to a readable length."""
    text = " ".join(str(name).split())
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}…'"


def listed(names: Sequence[object], *, most: int = 12) -> str:
    """List names that came from a file, at most ``most`` of them."""
    text = ", ".join(shown(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"


def check_n_cells(n_cells: int) -> None:
    """Raise DataError for fewer cells than a correction can be judged on."""
    if n_cells < MIN_CELLS:
        raise DataError(
            f"The data have {n_cells} cells; at least {MIN_CELLS} are needed to correct batches "
            "and to judge the result."
        )


def batch_column(obs: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return the batch of each cell as text, checked.

    Parameters
    ----------
    obs
        Columns that describe the cells.
    name
        Column to take.

    Returns
    -------
    Categorical with the levels that occur, as text.

    Raises
    ------
    BatchError
        The column is missing or unsuitable (see `check_batch`).
    """
    if name not in obs.columns:
        available = listed(list(obs.columns)) if len(obs.columns) else "none"
        raise BatchError(f"There is no column {shown(name)}; available: {available}.")
    values = obs[name]
    if isinstance(values, pd.DataFrame):
        raise BatchError(f"There are several columns {shown(name)}; rename all but one.")
    check_batch(values, name, len(obs))
    return values.astype(str).astype("category")


def check_batch(values: pd.Series[Any], name: str, n_cells: int) -> None:
    """Raise unless a column can be a batch variable.

    Harmony itself trusts its caller: it runs on one level, or on one level per cell, without a
    word.

    Parameters
    ----------
    values
        The column.
    name
        Its name, for the message.
    n_cells
        Number of cells.

    Raises
    ------
    DataError
        Fewer than 40 cells.
    BatchError
        Values are missing, there is one level, nearly one level a cell, more than 2,000 levels, or
        the column holds measurements.
    """
    check_n_cells(n_cells)
    reason = why_no_batch(values)
    if reason is not None:
        raise BatchError(f"The column {shown(name)} cannot be the batch variable: {reason}.")


def why_no_batch(values: pd.Series[Any]) -> str | None:
    """Say why a column cannot be a batch variable, or None if it can."""
    n_cells = len(values)
    missing = is_missing(values)
    if missing.all():
        return "it is empty; choose another column"
    levels = values[~missing].drop_duplicates()
    numbers = _as_numbers(values, levels)
    if numbers is not None and _looks_measured(numbers, declared=not is_numeric_dtype(values)):
        return (
            f"it holds numbers that look measured ({numbers.min():g} to {numbers.max():g}, "
            f"{len(levels):,} different); choose a column that names batches"
        )
    if len(levels) == 1:
        only = shown(levels.iloc[0])
        return f"it has one level only, {only}, so there is nothing to correct between batches"
    if len(levels) * _CELLS_PER_IDENTIFIER > n_cells:
        return (
            f"it has {len(levels):,} levels for {n_cells:,} cells, like a name for each cell; "
            "choose a column that names batches"
        )
    if len(levels) > MAX_BATCHES:
        return (
            f"it has {len(levels):,} levels, more than the {MAX_BATCHES:,} that can be corrected; "
            "choose a coarser column"
        )
    if missing.any():
        return (
            f"{int(missing.sum()):,} of {n_cells:,} cells have no value in it; fill them in, or "
            "remove these cells"
        )
    return None


def is_missing(values: pd.Series[Any]) -> NDArray[np.bool_]:
    """Tell which values are missing, also where conversion has turned them into text."""
    missing = np.array(values.isna(), dtype=bool)
    if _is_categorical(values):
        words = [c for c in values.cat.categories if str(c).strip() in _MISSING_WORDS]
        return missing | values.isin(words).to_numpy() if words else missing
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        missing |= values.astype(str).str.strip().isin(_MISSING_WORDS).to_numpy()
    return missing


def rank_batch_columns(
    obs: pd.DataFrame, *, embedding: NDArray[Any] | None = None
) -> tuple[BatchCandidate, ...]:
    """Rank the columns that can be a batch variable, the likeliest first.

    Parameters
    ----------
    obs
        Columns that describe the cells.
    embedding
        Cells × dims, uncorrected; tells how much of it each column explains.
    """
    candidates = []
    for name in obs.columns:
        column = obs[name]
        if not isinstance(column, pd.DataFrame) and why_no_batch(column) is None:
            candidates.append(_candidate(str(name), column, embedding))
    return tuple(sorted(candidates, key=lambda c: (-c.score, len(c.sizes), c.name)))


def rank_label_columns(obs: pd.DataFrame) -> tuple[str, ...]:
    """Name the columns that may hold cell types, the likeliest first."""
    likely = []
    for name in obs.columns:
        column = obs[name]
        if isinstance(column, pd.DataFrame) or not _names_any(str(name), _LABEL_WORDS):
            continue
        n_levels = column.nunique()
        if 2 <= n_levels <= 200 and _as_numbers(column, column.dropna().drop_duplicates()) is None:
            annotated = _names_any(str(name), ("celltype", "annotation", "type", "label"))
            likely.append((not annotated, str(name)))
    return tuple(name for _, name in sorted(likely))


def columns_that_say_the_same(obs: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, str]]:
    """Find pairs of columns that divide the cells in the same way under different names."""
    codes = {name: pd.factorize(obs[name].astype(str))[0] for name in names}
    seen: dict[bytes, str] = {}
    pairs = []
    for name, code in codes.items():
        # factorize numbers levels by first appearance, so equal partitions have equal codes.
        first = seen.setdefault(code.tobytes(), name)
        if first != name:
            pairs.append((first, name))
    return pairs


def variance_explained(embedding: NDArray[Any], values: pd.Series[Any], *, dims: int = 10) -> float:
    """Share of the variance of an embedding's first dimensions that lies between levels."""
    x = np.asarray(embedding[:, :dims], dtype=np.float64)
    codes, _ = pd.factorize(values)
    size = np.bincount(codes)
    centred = x - x.mean(axis=0)
    means = np.stack([np.bincount(codes, weights=column) for column in centred.T]) / size
    total = (centred**2).sum()
    return float((size * means**2).sum() / total) if total > 0 else 0.0


def _candidate(name: str, column: pd.Series[Any], embedding: NDArray[Any] | None) -> BatchCandidate:
    sizes = {str(k): int(v) for k, v in column.astype(str).value_counts().items()}
    explained = None
    if embedding is not None and np.isfinite(embedding).all():
        explained = variance_explained(embedding, column.astype(str))
    score, reasons = 0.0, []
    is_condition = _names_any(name, _CONDITION_WORDS)
    if _names_any(name, _BATCH_WORDS):
        score += 2
        reasons.append("its name suggests a batch")
    elif is_condition:
        score += 1
        reasons.append("its name suggests a condition rather than a technical batch")
    if _names_any(name, _LABEL_WORDS):
        score -= 2
        reasons.append("its name suggests cell types or clusters, which should not be corrected")
    if name.casefold().strip(" _.-") == "batch":
        score += 1
    if len(sizes) <= 50:
        score += 0.5
    reasons.append(
        f"{len(sizes)} levels of {min(sizes.values()):,} to {max(sizes.values()):,} cells"
    )
    if min(sizes.values()) < SMALL_BATCH:
        score -= 0.5
        small = sum(n < SMALL_BATCH for n in sizes.values())
        reasons.append(f"{small} of them under {SMALL_BATCH} cells")
    if explained is not None:
        reasons.append(f"explains {100 * explained:.0f} % of the first dimensions' variance")
    return BatchCandidate(
        name=name,
        sizes=sizes,
        score=score,
        explained=explained,
        is_condition=is_condition,
        reasons=tuple(reasons),
    )


def _names_any(name: str, words: Sequence[str]) -> bool:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    parts = [p for p in re.split(r"[^a-z.]+", spaced.casefold()) if p]
    whole = "".join(parts)
    return whole in words or any(part.strip(".") in words for part in parts)


def _is_categorical(values: pd.Series[Any]) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)


def _as_numbers(values: pd.Series[Any], levels: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Levels as numbers, if all of them are (also as text), else None."""
    if is_bool_dtype(values.dtype) or len(levels) == 0:
        return None
    try:
        numbers = pd.to_numeric(pd.Series(np.asarray(levels, dtype=object)), errors="raise")
        return np.asarray(numbers, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None


def _looks_measured(numbers: NDArray[np.float64], *, declared: bool) -> bool:
    finite = numbers[np.isfinite(numbers)]
    if (finite != np.rint(finite)).any():
        return len(numbers) > 12
    # Whole numbers may number batches, even hundreds, if the file holds them as categories or text.
    return len(numbers) > 100 and not declared
