"""Which columns look like batch variables and which like cell types, with the reasons.

Needs numpy and pandas only, so that a page can use it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.categories import has_groups
from harmony_core.inspect.columns import as_numbers, why_no_batch

SMALL_BATCH = 20

_LEAST_SCORE = -1.0
"""Only a column of cell types scores less."""

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
    *("orig.ident", "origin", "plate", "lane", "run", "chip"),
    *("site", "center", "centre", "replicate", "mouse", "channel"),
    *("file", "experiment", "gem", "project", "cohort", "pool"),
)
_METHOD_WORDS = ("chemistry", "technology", "tech", "platform", "assay", "protocol", "seq")
"""How cells were measured, which is shared by many batches."""
_CONDITION_WORDS = (
    *("condition", "stim", "treatment", "disease", "status", "diagnosis", "group", "timepoint"),
    *("time", "genotype", "species", "organism", "tissue", "sex", "gender", "day", "stage"),
)
_LABEL_WORDS = (
    *("celltype", "type", "label", "annotation", "annot", "cluster", "leiden", "louvain", "ident"),
    *("lineage", "subtype", "class", "subclass", "celltypes", "types", "labels", "clusters"),
)
_GROUPING_WORDS = (
    *_LABEL_WORDS,
    "snn",
    "phase",
    "subset",
    "ontology",
    "predicted.id",
    "phenograph",
)
"""Groups of cells that a method or a person found, among them some that are no cell types."""


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
    sizes: dict[str, int] = field(default_factory=dict)
    score: float = 0.0
    explained: float | None = None
    is_condition: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def is_label(self) -> bool:
        """Whether its name speaks of cell types and of nothing else, so it is never suggested."""
        return self.score < _LEAST_SCORE


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


def all_conditions(batch: Sequence[str], candidates: Sequence[BatchCandidate]) -> bool:
    """Whether each batch variable looks like a condition: a technical one must be judged as such.

    Parameters
    ----------
    batch
        Names of the batch variables.
    candidates
        Columns that can be.
    """
    return bool(batch) and set(batch) <= {c.name for c in candidates if c.is_condition}


def rank_label_columns(obs: pd.DataFrame) -> tuple[str, ...]:
    """Name the columns that may hold cell types, the likeliest first.

    Parameters
    ----------
    obs
        Columns that describe the cells (cells × columns).
    """
    likely = []
    for name in obs.columns:
        column = obs[name]
        if isinstance(column, pd.DataFrame) or not _names_any(str(name), _LABEL_WORDS):
            continue
        if has_groups(column) and as_numbers(column, column.dropna().drop_duplicates()) is None:
            annotated = _names_any(str(name), ("celltype", "annotation", "type", "label"))
            likely.append((not annotated, str(name)))
    return tuple(name for _, name in sorted(likely))


def columns_that_say_the_same(obs: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, str]]:
    """Find pairs of columns that divide the cells in the same way under different names.

    Parameters
    ----------
    obs
        Columns that describe the cells (cells × columns).
    names
        Columns to compare.

    Returns
    -------
    Each column beside the first that says the same.
    """
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
    """Fraction of the variance of an embedding's first dimensions that lies between levels.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    values
        Level of each cell.
    dims
        How many dimensions to look at.

    Returns
    -------
    0 to 1; more means that the column explains more of the embedding.
    """
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
    elif _names_any(name, _METHOD_WORDS):
        score += 1.5
        reasons.append("its name suggests a method, which several batches may share")
    elif is_condition:
        score += 1
        reasons.append("its name suggests a condition rather than a technical batch")
    if _names_any(name, _GROUPING_WORDS):
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
        score -= 0.25
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
