"""Labelled h5ad files as designs for real_cells.py: as they are, and with a type taken out.

Also the ways of labelling that the verdict is tried with.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    import anndata as ad

Labels = NDArray[np.str_]
Side = Literal["choosing", "held_out"]

SIDES_FILE = Path(__file__).with_name("real_cells.toml")
BATCH, LABEL = "batch", "cell_type"
NO_TYPE = frozenset(
    {
        *("", "nan", "na", "n/a", "<na>", "none", "null", "unknown", "unlabelled", "unlabeled"),
        *("unassigned", "unclassified", "undetermined", "undefined", "ambiguous"),
        *("doublet", "doublets", "multiplet", "multiplets"),
    }
)
"""Words that stand for no type, in lower case without blanks."""
MISSING = "unlabelled"

REMOVED_LABELS = 3
"""Most labels of a data set that are taken out, each in a design of its own."""
REMOVABLE, REMOVABLE_IN_BATCH = 60, 15
"""Cells of a label that can be taken out, and cells from which a batch counts as having it."""

EXCHANGED, WITHOUT_LABEL = 0.05, 0.30
"""Fractions of the noisy labels that are wrong, and that are missing."""
COARSE_COMPONENTS = 30
MAX_LOG = 30
"""No logarithm of an expression value is larger."""


@dataclass(frozen=True)
class RealSet:
    """A labelled h5ad file.

    Attributes
    ----------
    path
        Of the file; its name without ending is the set's.
    batch, label
        Columns of obs.
    """

    path: Path
    batch: str
    label: str

    @property
    def name(self) -> str:
        return self.path.stem

    def read(self) -> ad.AnnData:
        """Read the file, and check that it has both columns."""
        import anndata as ad

        data = ad.read_h5ad(self.path)
        for option, column in (("--batch", self.batch), ("--label", self.label)):
            if column not in data.obs:
                raise SystemExit(
                    f"{self.path.name} has no column {column!r}; name one by {option} "
                    f"{self.name}=COLUMN. It has: {', '.join(map(str, data.obs.columns))}."
                )
        return data


@dataclass(frozen=True)
class RealDesign:
    """A data set, as it is or with one label taken out of some batches.

    Attributes
    ----------
    source
        The data set.
    removed
        Label that is taken out; empty as the data are.
    batches
        Batches that lose it.
    """

    source: RealSet
    removed: str = ""
    batches: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.source.name} without {self.removed}" if self.removed else self.source.name

    def read(self) -> ad.AnnData:
        """Read the cells that the design keeps."""
        data = self.source.read()
        labels, batches = words(data.obs[self.source.label]), words(data.obs[self.source.batch])
        return data[~((labels == self.removed) & np.isin(batches, self.batches))].copy()


def real_sets(
    folder: Path,
    *,
    side: Side | None = None,
    only: Sequence[str] = (),
    batch_columns: Mapping[str, str] | None = None,
    label_columns: Mapping[str, str] | None = None,
) -> list[RealSet]:
    """Return the data sets of a folder that are asked for.

    Parameters
    ----------
    folder
        With h5ad files.
    side
        Of real_cells.toml; None takes every set that the file does not hold out.
    only
        Names of sets; these alone are taken, also if they are held out.
    batch_columns, label_columns
        Columns by name of the set; others have `BATCH` and `LABEL`.
    """
    sides = tomllib.loads(SIDES_FILE.read_text(encoding="utf-8"))
    files = {path.stem: path for path in sorted(folder.glob("*.h5ad"))}
    unknown = sorted({*only, *(batch_columns or {}), *(label_columns or {})} - files.keys())
    if unknown:
        raise SystemExit(
            f"There is no {unknown[0]}.h5ad in {folder}; it has: {', '.join(files) or 'none'}."
        )
    if only:
        names = list(only)
    elif side is not None:
        names = [name for name in files if name in sides[side]]
    else:
        names = [name for name in files if name not in sides["held_out"]]
    return [
        RealSet(
            files[name],
            (batch_columns or {}).get(name, BATCH),
            (label_columns or {}).get(name, LABEL),
        )
        for name in names
    ]


def is_blood(name: str) -> bool:
    """Return whether a data set is human blood, by real_cells.toml."""
    return name in tomllib.loads(SIDES_FILE.read_text(encoding="utf-8"))["blood"]


def designs(source: RealSet, *, remove: bool) -> list[RealDesign]:
    """Return the data set as a design and, where asked, with labels taken out of it.

    Up to three labels, drawn by a seed that the set's name gives, are each taken out of a random
    half of the batches that have them.
    """
    found = [RealDesign(source)]
    if not remove:
        return found
    obs = source.read().obs
    labels, batches = words(obs[source.label]), words(obs[source.batch])
    rng = rng_of(source.name)
    for label in rng.permutation(removable(labels, batches))[:REMOVED_LABELS]:
        holders = rng.permutation(np.unique(batches[labels == label]))
        found.append(RealDesign(source, str(label), tuple(map(str, holders[: len(holders) // 2]))))
    return found


def removable(labels: Labels, batches: Labels) -> list[str]:
    """Return the labels of enough cells in enough batches, if there are others beside them."""
    found = []
    types = np.unique(labels[is_type(labels)])
    for name in types if len(types) > 1 else ():
        sizes = np.unique(batches[labels == name], return_counts=True)[1]
        if sizes.sum() >= REMOVABLE and (sizes >= REMOVABLE_IN_BATCH).sum() >= 2:
            found.append(str(name))
    return found


def words(column: pd.Series[Any]) -> Labels:
    """Return a column as words; what is missing becomes an empty word."""
    return column.astype(object).where(column.notna(), "").astype(str).to_numpy(dtype=str)


def is_type(labels: Labels) -> NDArray[np.bool_]:
    """Return which cells have a label that is a type, rather than a word for none."""
    names, codes = np.unique(labels, return_inverse=True)
    return np.array([name.strip().lower() not in NO_TYPE for name in names])[codes]


def rng_of(name: str) -> np.random.Generator:
    """Return a random generator that depends on a name alone."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def noisy_labels(labels: Labels, rng: np.random.Generator) -> Labels:
    """Return the labels with 5 % exchanged for another type, and 30 % missing."""
    noisy = labels.astype(object)
    known = np.flatnonzero(is_type(labels))
    types = np.unique(labels[known])
    wrong = rng.choice(known, round(EXCHANGED * len(known)), replace=False)
    for cell in wrong if len(types) > 1 else ():
        noisy[cell] = rng.choice(types[types != labels[cell]])
    noisy[rng.choice(known, round(WITHOUT_LABEL * len(known)), replace=False)] = MISSING
    return noisy.astype(str)


def coarse_labels(labels: Labels, components: NDArray[np.floating[Any]]) -> Labels:
    """Merge the two types whose mean components are nearest until half of the types remain.

    Parameters
    ----------
    labels
        Of each cell.
    components
        Principal components of the uncorrected cells (cells × components).

    Returns
    -------
    Names of merged types joined by “+”; cells without a type keep their word.
    """
    types = np.unique(labels[is_type(labels)])
    members = {str(name): labels == name for name in types}
    while len(members) > max(2, (len(types) + 1) // 2):
        names = list(members)
        means = np.array([components[members[name]].mean(axis=0) for name in names])
        distance = ((means[:, None] - means[None]) ** 2).sum(axis=-1)
        distance[np.diag_indices(len(names))] = np.inf
        one, other = sorted(np.unravel_index(distance.argmin(), distance.shape))
        first, second = names[one], names[other]
        members[f"{first} + {second}"] = members.pop(first) | members.pop(second)
    coarse = labels.astype(object)
    for name, cells in members.items():
        coarse[cells] = name
    return coarse.astype(str)


def log_expression(data: ad.AnnData) -> Any:
    """Return log-normalised expression (CSR); data that look so already are taken as they are."""
    import scipy.sparse as sp

    values = sp.csr_matrix(data.X, dtype=np.float32)
    if values.data.max() > MAX_LOG or np.array_equal(values.data, np.round(values.data)):
        totals = np.asarray(values.sum(axis=1)).ravel()
        values = sp.csr_matrix(sp.diags_array(1e4 / np.maximum(totals, 1)) @ values)
        values.data = np.log1p(values.data)
    return values


def components(expression: Any) -> NDArray[np.floating[Any]]:
    """Return principal components of the genes that vary most (cells × components)."""
    from sklearn.decomposition import TruncatedSVD

    mean = np.asarray(expression.mean(axis=0)).ravel()
    variance = np.asarray(expression.multiply(expression).mean(axis=0)).ravel() - mean**2
    genes = np.argsort(-variance)[:2000]
    n = min(COARSE_COMPONENTS, len(genes) - 1, expression.shape[0] - 1)
    return TruncatedSVD(n, random_state=0).fit_transform(expression[:, genes])
