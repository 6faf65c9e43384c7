"""Large matrices, some cells at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

VALUES_PER_BLOCK = 10_000_000


def stretches(indptr: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Divide the rows or columns of a sparse matrix into runs of about as many values.

    Parameters
    ----------
    indptr
        Where each begins, and the end.

    Yields
    ------
    First of a run, and the first behind it.
    """
    n, start = len(indptr) - 1, 0
    while start < n:
        limit = int(indptr[start]) + VALUES_PER_BLOCK
        end = min(max(int(np.searchsorted(indptr, limit, side="right")) - 1, start + 1), n)
        yield start, end
        start = end


def cell_blocks(matrix: Any) -> Iterator[sp.csr_matrix]:
    """Yield some cells of a matrix after others; they must not be changed.

    Parameters
    ----------
    matrix
        Cells × genes, dense or sparse, in memory or backed by its file. Cells of a matrix by gene
        are yielded all at once, as each taking would read all of it.
    """
    kind = getattr(matrix, "format", "")
    if kind == "csr":
        indptr = matrix.indptr if hasattr(matrix, "indptr") else matrix.group["indptr"][()]
        for start, end in stretches(indptr):
            yield sp.csr_matrix(matrix[start:end])
    elif kind:
        yield sp.csr_matrix(matrix)
    else:
        step = max(1, VALUES_PER_BLOCK // max(1, matrix.shape[1]))
        for start in range(0, matrix.shape[0], step):
            yield sp.csr_matrix(matrix[start : start + step])
