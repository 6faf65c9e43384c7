"""Numbers in the types that everything after reading computes with, whatever they came in.

anndata keeps what it is given: half precision, the byte order of another machine, numbers as text,
columns with pandas' own mark for what is missing. scipy, numba and parquet take none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.errors import DataError
from harmony_core.inspect.columns import quoted

if TYPE_CHECKING:
    import anndata as ad

SPARSE = ("csr_matrix", "csc_matrix")
"""How anndata marks the sparse matrices of a file."""


def make_plain(adata: ad.AnnData) -> Iterator[str]:
    """Give data plain types, in place.

    Parameters
    ----------
    adata
        Data in memory; matrices that are backed by a file stay as they are.

    Yields
    ------
    Sentences on what is not used because it can't be read as numbers.
    """
    for part in ("obs", "var"):
        table = getattr(adata, part)
        if (plain := plain_table(table)) is not table:
            setattr(adata, part, plain)
    if (matrix := _matrix(adata.X)) is not adata.X:
        adata.X = matrix
    for part in ("layers", "obsm"):
        members = getattr(adata, part)
        for name in list(members):
            if (matrix := _matrix(members[name])) is not members[name]:
                members[name] = matrix
            if _is_unreadable(matrix):
                where = quoted(f"{part}/{name}")
                yield f"{where} is not used: it holds something else than numbers."
    if _is_unreadable(adata.X):
        yield "X is not used: it holds something else than numbers."
    if adata.raw is not None:
        matrix, var = _matrix(adata.raw.X), plain_table(adata.raw.var)
        if matrix is not adata.raw.X or var is not adata.raw.var:
            import anndata

            adata.raw = anndata.AnnData(matrix, obs=adata.obs[[]], var=var)


def plain_copy(adata: ad.AnnData) -> ad.AnnData:
    """Return a copy of data in memory, also of sparse matrices that scipy does not copy.

    Parameters
    ----------
    adata
        Data in memory; they stay as they are.

    Raises
    ------
    DataError
        The data are a view of such matrices, of which scipy takes no rows either.
    """
    import anndata

    try:
        return adata.copy()
    except (TypeError, ValueError):  # half precision, or the byte order of another machine
        pass
    try:
        parts: dict[str, Any] = {
            part: {name: _matrix(values) for name, values in getattr(adata, part).items()}
            for part in ("obsm", "varm", "obsp", "varp", "layers")
        }
        if adata.raw is not None:
            parts["raw"] = {"X": _matrix(adata.raw.X), "var": adata.raw.var}
        tables = {"obs": adata.obs, "var": adata.var, "uns": dict(adata.uns)}
        return anndata.AnnData(_matrix(adata.X), **tables, **parts).copy()
    except (TypeError, ValueError) as error:
        why = str(error).split(". ")[0][:160]
        raise DataError(
            f"The data cannot be copied ({why}). Give the matrices a usual type before cells or "
            "genes are taken, as adata.X = adata.X.astype('float32') does."
        ) from error


def plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that numbers of a type are kept in.

    Examples
    --------
    >>> plain_dtype(np.dtype(">f2")), plain_dtype(np.dtype(">i4")), plain_dtype(np.dtype("f4"))
    (dtype('float32'), dtype('int32'), dtype('float32'))
    """
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return dtype.newbyteorder("=")


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with columns of numpy's types, categories and text; itself if it is one.

    Whole numbers of which some are missing become fractions with NaN; true and false of which some
    are missing become two categories.

    Parameters
    ----------
    table
        Columns that describe cells or genes.
    """
    columns = [table.iloc[:, position] for position in range(table.shape[1])]
    plain = [_column(values) for values in columns]
    if all(new is old for new, old in zip(plain, columns, strict=True)):
        return table
    result = pd.concat(plain, axis=1)
    result.columns = table.columns
    return result


def _column(values: pd.Series[Any]) -> pd.Series[Any]:
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "c":
            return values.astype(str)
        plain = plain_dtype(dtype) if dtype.kind in "iuf" else dtype
        return values if plain == dtype else values.astype(plain)
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        missing = values.isna()
        if missing.any():
            return values.astype("string").astype(object).where(~missing, None).astype("category")
        return values.astype(bool)
    if pd.api.types.is_numeric_dtype(dtype):
        if values.isna().any():
            array = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            array = values.to_numpy(dtype=getattr(dtype, "numpy_dtype", np.float64))
        return pd.Series(array, index=values.index, name=values.name)
    return values


def _matrix(matrix: Any) -> Any:
    """Return a matrix of plain numbers; itself if it is one, or can't be read as numbers."""
    if isinstance(matrix, pd.DataFrame):
        return _numeric_table(matrix)
    if hasattr(matrix, "toarray") and hasattr(matrix, "astype"):
        wanted = plain_dtype(matrix.dtype)
        return _once_each(matrix if wanted == matrix.dtype else matrix.astype(wanted))
    if isinstance(matrix, np.ma.MaskedArray) and matrix.dtype.kind in "biuf":
        dtype = plain_dtype(np.result_type(matrix.dtype, np.float32))
        return np.where(np.ma.getmaskarray(matrix), np.nan, matrix.data).astype(dtype)
    if not isinstance(matrix, np.ndarray) or matrix.dtype.names is not None:
        return matrix
    if matrix.dtype.kind in "biuf":
        wanted = plain_dtype(matrix.dtype)
        return matrix if wanted == matrix.dtype else matrix.astype(wanted)
    if matrix.ndim == 2 and matrix.dtype.kind in "OUST":
        numbers = _numeric_table(pd.DataFrame(matrix.astype(object)))
        return matrix if _is_unreadable(numbers) else numbers.to_numpy(dtype=np.float64)
    return matrix


def _once_each(matrix: Any) -> Any:
    """Return a sparse matrix with one value an entry; itself if no entry is stored in parts.

    What is stored of an entry adds up, which not everything that reads the arrays does.
    """
    if not hasattr(matrix, "has_canonical_format"):
        return matrix
    in_order = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
    if in_order.has_canonical_format:
        return matrix
    whole = in_order.copy()
    whole.sum_duplicates()
    return whole


def _numeric_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of an embedding with text read as numbers; as it is if some are none."""
    plain = plain_table(table)
    if not _is_unreadable(plain):
        return plain
    try:
        numbers = [pd.to_numeric(_as_text(plain.iloc[:, i])) for i in range(plain.shape[1])]
    except (ValueError, TypeError, OverflowError):
        return table
    result = pd.concat(numbers, axis=1).astype(np.float64)
    result.columns = table.columns
    return result


def _as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        return values
    plain = values.astype(object)
    return plain.map(lambda v: v.decode(errors="replace") if isinstance(v, bytes) else v)


def _is_unreadable(matrix: Any) -> bool:
    """Whether an array or a table holds something else than real numbers."""
    if isinstance(matrix, pd.DataFrame):
        kinds = [getattr(dtype, "kind", "O") for dtype in matrix.dtypes]
        return any(kind not in "biuf" for kind in kinds)
    return hasattr(matrix, "dtype") and matrix.dtype.kind not in "biuf"


def read_element(item: Any) -> Any:
    """Read one element of AnnData that is stored in HDF5 or zarr, also what scipy can't hold.

    Parameters
    ----------
    item
        Group or array of the open file.
    """
    import anndata

    if not needs_plain_values(item):
        return anndata.io.read_elem(item)
    by_gene = item.attrs["encoding-type"] == "csc_matrix"
    values = item["data"][()]
    arrays = (values.astype(plain_dtype(values.dtype)), item["indices"][()], item["indptr"][()])
    n_cells, n_genes = (int(n) for n in item.attrs["shape"])
    return (sp.csc_matrix if by_gene else sp.csr_matrix)(arrays, shape=(n_cells, n_genes))


def needs_plain_values(item: Any) -> bool:
    """Whether a stored element is a sparse matrix of a type that scipy has no sparse matrix of."""
    if item.attrs.get("encoding-type") not in SPARSE or "data" not in item:
        return False
    dtype = np.dtype(item["data"].dtype)
    return dtype.kind in "iuf" and plain_dtype(dtype) != dtype
