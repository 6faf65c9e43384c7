"""Expression by gene on disk: written from cells, read by genes or by cells, never held whole.

A matrix of 200,000 cells is larger than all else that preparation needs together. So it lies in
the store by gene (CSC), and what is asked of it is asked of some genes at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.errors import DataError
from harmony_core.matrices.blocks import cell_blocks, stretches

_PARTS = {"data": np.float32, "indices": np.int32}


class ByGene:
    """An expression matrix that is read block by block.

    Parameters
    ----------
    arrays
        Opens ``data``, ``indices`` and ``indptr`` (CSC). Called for each block: what has been read
        through a memory map counts as memory in use until the map is closed.
    shape
        Cells × genes.
    """

    def __init__(
        self, arrays: Callable[[], Mapping[str, npt.NDArray[Any]]], shape: tuple[int, int]
    ) -> None:
        self._arrays = arrays
        self.shape = shape

    @classmethod
    def of(cls, matrix: sp.spmatrix | ByGene) -> ByGene:
        """Take a sparse matrix in memory as one, which is not changed.

        Parameters
        ----------
        matrix
            Cells × genes.
        """
        if isinstance(matrix, ByGene):
            return matrix
        by_gene = sp.csc_matrix(matrix, dtype=np.float32)
        parts = {name: getattr(by_gene, name) for name in ("data", "indices", "indptr")}
        return cls(lambda: parts, by_gene.shape)

    def blocks(self) -> Iterator[tuple[slice, sp.csc_matrix]]:
        """Yield all genes, some at a time.

        Yields
        ------
        Positions of the genes, and their values (cells × genes of the block).
        """
        for start, end in stretches(np.asarray(self._arrays()["indptr"])):
            yield slice(start, end), self._between(start, end)

    def genes(self, positions: npt.NDArray[np.integer]) -> sp.csc_matrix:
        """Return some genes' values in all cells.

        Parameters
        ----------
        positions
            Columns of the matrix, ascending (wanted genes).

        Returns
        -------
        Cells × wanted genes, float32.
        """
        parts = [
            block[:, positions[(positions >= found.start) & (positions < found.stop)] - found.start]
            for found, block in self.blocks()
        ]
        return sp.csc_matrix(sp.hstack(parts, format="csc", dtype=np.float32))

    def __getitem__(self, rows: npt.NDArray[np.integer]) -> sp.csr_matrix:
        """Return some cells' values of all genes."""
        parts = [sp.csr_matrix(block[rows]) for _, block in self.blocks()]
        return sp.csr_matrix(sp.hstack(parts, format="csr", dtype=np.float32))

    def _between(self, start: int, end: int) -> sp.csc_matrix:
        arrays = self._arrays()
        indptr = np.asarray(arrays["indptr"][start : end + 1])
        values = slice(int(indptr[0]), int(indptr[-1]))
        parts = (np.array(arrays["data"][values]), np.array(arrays["indices"][values]))
        cells = parts[1]
        if len(cells) and not 0 <= cells.min() <= cells.max() < self.shape[0]:
            raise DataError(  # compiled code would read foreign memory
                "The expression values that the store keeps of these data are damaged; delete the "
                "folder of the dataset in the store, and load the file again."
            )
        return sp.csc_matrix((*parts, indptr - indptr[0]), shape=(self.shape[0], end - start))


def write_by_gene(folder: Path, matrix: Any) -> None:
    """Write a matrix by gene.

    Parameters
    ----------
    folder
        Where ``data``, ``indices`` and ``indptr`` are written; it is made.
    matrix
        Cells × genes, dense or sparse, in memory or backed by its file.
    """
    folder.mkdir()
    if isinstance(matrix, sp.csc_matrix | sp.csc_array):
        by_gene = sp.csc_matrix(matrix, dtype=np.float32)
        by_gene.sort_indices()
        for name in ("indptr", *_PARTS):
            np.save(folder / f"{name}.npy", getattr(by_gene, name), allow_pickle=False)
        return
    sizes = np.zeros(matrix.shape[1], dtype=np.int64)
    for block in cell_blocks(matrix):
        sizes += np.bincount(block.indices, minlength=len(sizes))
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    narrow = np.int32 if indptr[-1] <= np.iinfo(np.int32).max else np.int64
    np.save(folder / "indptr.npy", indptr.astype(narrow), allow_pickle=False)
    if indptr[-1] == 0:  # nothing to map
        for name, dtype in _PARTS.items():
            np.save(folder / f"{name}.npy", np.zeros(0, dtype), allow_pickle=False)
        return
    for name, dtype in _PARTS.items():
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (int(indptr[-1]),))
    free, first = indptr[:-1], 0
    for block in cell_blocks(matrix):
        by_gene = sp.csc_matrix(block, dtype=np.float32)
        by_gene.sort_indices()
        found = np.diff(by_gene.indptr)
        # Each gene's values of these cells go behind those of the cells before.
        places = np.arange(by_gene.nnz) + np.repeat(free - by_gene.indptr[:-1], found)
        for name, values in (("data", by_gene.data), ("indices", by_gene.indices + first)):
            # Opened anew for each block, as for reading.
            np.load(folder / f"{name}.npy", mmap_mode="r+", allow_pickle=False)[places] = values
        free, first = free + found, first + block.shape[0]
