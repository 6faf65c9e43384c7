"""The data of a run as they came, their matrices left on disk, so that any size can be written."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harmony_core.io.plain import needs_plain_values, read_element
from harmony_core.runs.results import RunResults

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData

_TABLES = ("obs", "var", "uns", "obsm", "varm", "obsp", "varp")


@contextlib.contextmanager
def opened_source(results: RunResults) -> Iterator[AnnData]:
    """Yield the data of a run as they came.

    ``X``, layers and ``raw`` stay on disk within the block and are read by the rows asked for. Two
    kinds of file are read whole: one that anndata can read in part only, and (of the matrix that
    the run used) one that is stored by gene, of which rows can't be read alone.
    """
    import h5py

    from harmony_core.io.read import read

    dataset = results.dataset
    with h5py.File(dataset.source, "r") as file:
        adata = _on_disk(file, dataset.info.where)
        if adata is not None:
            for name, values in adata.obsm.items():
                if hasattr(values, "toarray"):
                    adata.obsm[name] = values.toarray()
            yield adata
            return
    yield read(dataset.source, name=dataset.name)


def _on_disk(file: h5py.File, where: str) -> AnnData | None:
    """Return the data with matrices on disk; None if some part can't be opened so."""
    import anndata

    try:
        parts: dict[str, Any] = {
            name: anndata.io.read_elem(file[name]) for name in _TABLES if name in file
        }
        matrices = {}
        if "X" in file:
            matrices["X"] = _matrix(file["X"], used=where == "X")
        layers = file.get("layers", {})
        for name in layers:
            matrices[name] = _matrix(layers[name], used=where == f"layers/{name}")
        X = matrices.pop("X") if "X" in file else None
        raw = None
        # Older files say that there is no `raw` by an empty one.
        if "raw" in file and "X" in file["raw"]:
            raw = {
                "X": _matrix(file["raw/X"], used=where == "raw"),
                "var": anndata.io.read_elem(file["raw/var"]),
                "varm": anndata.io.read_elem(file["raw/varm"]) if "varm" in file["raw"] else None,
            }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about names that were not unique in the file
            return anndata.AnnData(X=X, layers=matrices, raw=raw, **parts)
    except Exception:  # anndata raises many kinds on what it doesn't know
        return None


def _matrix(item: Any, *, used: bool) -> Any:
    import anndata
    import h5py

    if isinstance(item, h5py.Group):
        if needs_plain_values(item):
            return read_element(item)
        if item.attrs.get("encoding-type") not in ("csr_matrix", "csc_matrix"):
            return anndata.io.read_elem(item)
        matrix = anndata.io.sparse_dataset(item)
        return matrix.to_memory() if used and matrix.format == "csc" else matrix
    is_numbers = item.ndim == 2 and item.dtype.kind in "biuf"
    return item if is_numbers else anndata.io.read_elem(item)
