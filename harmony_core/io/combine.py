"""Several files become one dataset, with the file as batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from harmony_core.categories import as_levels, mixes_text
from harmony_core.counting import counted
from harmony_core.errors import FileError
from harmony_core.inspect.check import best_matrix, expression
from harmony_core.inspect.columns import quoted
from harmony_core.inspect.genes import symbol_column
from harmony_core.io.file_data import FileData
from harmony_core.io.memory import check_fits

if TYPE_CHECKING:
    import anndata as ad

Genes = Literal["intersection", "union"]
FILE_COLUMN = "file"
_FEWEST_COMMON = 0.05
"""Files of two species have a few genes that happen to be spelt alike."""


def combine(
    parts: Sequence[tuple[str, FileData]],
    *,
    genes: Genes = "intersection",
    limit: float | None = None,
) -> FileData:
    """Put the cells of several files below each other.

    Parameters
    ----------
    parts
        What to call each file's cells, and what was read from it.
    genes
        ``"intersection"`` keeps the genes of all files; ``"union"`` keeps every gene, and a gene
        that a file lacks is 0 in its cells.
    limit
        Bytes of memory that the result may take; by default what is free.

    Returns
    -------
    One expression matrix (counts where a file has them), the columns of obs, and a new column
    ``file``. Embeddings are left out: each file's has axes of its own.

    Raises
    ------
    FileError
        A file without expression values, or no gene in common.
    """
    import anndata

    labels = _unique([label for label, _ in parts])
    single = [_expression_only(p.adata, label) for (_, p), label in zip(parts, labels, strict=True)]
    single = _with_common_names(single)
    check_fits(
        sum(8.0 * a.X.nnz if hasattr(a.X, "nnz") else a.X.nbytes for a in single),
        "The sum of all files",
        limit=limit,
    )
    column = FILE_COLUMN if not any(FILE_COLUMN in a.obs for a in single) else "source file"
    joined = anndata.concat(
        dict(zip(labels, single, strict=True)),
        label=column,
        join="inner" if genes == "intersection" else "outer",
        fill_value=0,
        merge="first",
    )
    obs = _joined_obs([a.obs for a in single])
    obs[column] = joined.obs[column].to_numpy()
    obs[column] = pd.Categorical(obs[column], categories=labels)
    if not joined.obs_names.is_unique:
        obs.index = pd.Index([f"{n}-{f}" for n, f in zip(obs.index, obs[column], strict=True)])
    joined.obs = obs
    notes = [note for _, part in parts for note in part.notes]
    notes.append(f"{len(parts)} files were put together; the column {quoted(column)} tells which.")
    notes.extend(_gene_notes(single, labels, genes))
    notes.extend(_repeated(single, labels))
    if any(len(part.adata.obsm) for _, part in parts):
        notes.append("Embeddings of single files are left out, as their axes differ.")
    differ = any(part.n_vars != len(_common(single)) for part in single)
    choices = {"genes": genes} if differ else {}
    return FileData(
        joined,
        f"{len(parts)} files",
        tuple(notes),
        choices=choices,
        names_cells=all(part.names_cells for _, part in parts),
    )


def _unique(labels: Sequence[str]) -> list[str]:
    result: list[str] = []
    for label in labels:
        name, number = label, 2
        while name in result:
            name, number = f"{label} ({number})", number + 1
        result.append(name)
    return result


def _expression_only(adata: ad.AnnData, label: str) -> ad.AnnData:
    import anndata

    chosen = best_matrix(adata)
    if chosen is None:
        raise FileError(
            f"{quoted(label)} has no expression values, so it cannot be put together with other "
            "files; open it alone."
        )
    matrix, var = expression(adata, chosen.where)
    result = anndata.AnnData(matrix, obs=adata.obs.copy(), var=var.copy())
    result.var_names_make_unique()
    return result


def _with_common_names(parts: list[ad.AnnData]) -> list[ad.AnnData]:
    """Name genes by symbol where some files use ids and others symbols."""
    if _share_common(parts) >= _FEWEST_COMMON:
        return parts
    for part in parts:
        column = symbol_column(part.var)
        if column is not None:
            part.var_names = pd.Index(part.var[column].astype(str).to_numpy(dtype=object))
            part.var_names_make_unique()
    if _share_common(parts) < _FEWEST_COMMON:
        first = dict.fromkeys(part.var_names[0] for part in parts)
        examples = ", ".join(quoted(name) for name in list(first)[:3])
        cells = [set(part.obs_names) for part in parts]
        if len(set.intersection(*cells)) * 2 > min(map(len, cells)):
            raise FileError(
                f"The files have the same cells and other genes or features (the first ones are "
                f"{examples}); give one of the files, or one table with the columns of all."
            )
        n_common = len(_common(parts))
        genes = counted(n_common, "gene") if n_common else "no gene"
        raise FileError(
            f"The files have {genes} in common (the first ones are {examples}); bring them to the "
            "same species and the same kind of gene names."
        )
    return parts


def _share_common(parts: Sequence[ad.AnnData]) -> float:
    return len(_common(parts)) / max(1, min(len(part.var_names) for part in parts))


def _common(parts: Sequence[ad.AnnData]) -> set[str]:
    return set.intersection(*(set(part.var_names) for part in parts))


def _joined_obs(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Keep every column; a file that lacks one has missing values there.

    A number in one file and the same number as text in another are one level.
    """
    plain = [t.astype({c: object for c in t if t[c].dtype == "category"}) for t in tables]
    joined = pd.concat(plain, axis=0, join="outer")
    columns: dict[str, Any] = {}
    for name in joined:
        values = joined[name]
        if mixes_text(values):
            columns[str(name)] = as_levels(values)
        else:
            is_text = values.dtype == object
            columns[str(name)] = values.astype("category") if is_text else values
    return pd.DataFrame(columns, index=joined.index)


def _repeated(parts: Sequence[ad.AnnData], labels: Sequence[str]) -> Iterator[str]:
    """Say which files hold the same cells: the same names with the same sums of common genes."""
    common = _common(parts)
    sums = []
    for part in parts:
        genes = part.var_names.isin(common)
        values = (part.X if genes.all() else part.X[:, np.flatnonzero(genes)]).sum(axis=1)
        cells = pd.Series(np.asarray(values).ravel(), part.obs_names.astype(str))
        sums.append(cells[~cells.index.duplicated()])
    for (i, first), (j, second) in itertools.combinations(enumerate(sums), 2):
        shared = first.index.intersection(second.index)
        # Barcodes of two samples may agree, their sums hardly, but for those of empty droplets.
        same = int((first[shared] == second[shared]).to_numpy()[first[shared] > 0].sum())
        fewest = min(len(first), len(second))
        if same * 2 > fewest:
            how_many = "the same cells" if same == fewest else f"{same:,} of the same cells"
            yield (
                f"{quoted(labels[i])} and {quoted(labels[j])} hold {how_many}; leave one of them "
                "out."
            )


def _gene_notes(parts: Sequence[ad.AnnData], labels: Sequence[str], genes: Genes) -> list[str]:
    common = len(_common(parts))
    if all(part.n_vars == common for part in parts):
        return [f"All files have the same {common:,} genes."]
    if genes == "union":
        total = len(set().union(*(part.var_names for part in parts)))
        return [f"{common:,} of {total:,} genes are in all files; the others are 0 where missing."]
    lost = ", ".join(
        f"{part.n_vars - common:,} of {part.n_vars:,} in {quoted(label)}"
        for part, label in list(zip(parts, labels, strict=True))[:6]
    )
    return [f"{common:,} genes are in all files and are kept; left out: {lost}."]
