"""The corrected data as an h5ad, or zarr, that scanpy, Seurat's readers and cellxgene open.

Matrices go from file to file in blocks, so their size doesn't matter.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harmony_core.errors import ExportError
from harmony_core.export.corrected import Corrected, corrected
from harmony_core.export.matrices import stored_bytes, write_rows
from harmony_core.export.source import opened_source
from harmony_core.io.writing import ErrorDeferringFile, written_whole
from harmony_core.runs.results import RunResults

if TYPE_CHECKING:
    from anndata import AnnData

Compression = Literal["gzip", "lzf"]


def write_h5ad(
    results: RunResults,
    path: Path,
    *,
    compression: Compression = "gzip",
    input_path: str = "",
    on_progress: Callable[[int], None] | None = None,
) -> tuple[str, ...]:
    """Write the corrected data as h5ad.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; it appears whole or not at all.
    compression
        ``"gzip"`` (smaller) or ``"lzf"`` (faster).
    input_path
        Where the data came from, kept in the record inside the file.
    on_progress
        Called with the bytes written so far; stops the export by raising Cancelled.

    Returns
    -------
    Sentences about anything that was renamed.

    Raises
    ------
    ExportError
        If the run is not finished, or the file can't be written.
    """
    import h5py

    path = Path(path)
    with opened_source(results) as source:
        made = corrected(results, source, input_path=input_path)
        with (
            written_whole(path, needs=_bytes(made.adata, source)) as temporary,
            ErrorDeferringFile(temporary, on_progress) as disk,
        ):
            with _explained(path), h5py.File(disk, "w") as file:
                _write(file, made, source, results, {"compression": compression})
            if disk.failed is not None:
                raise disk.failed
    return made.notes


def write_zarr(results: RunResults, path: Path, *, input_path: str = "") -> tuple[str, ...]:
    """Write the corrected data as a zarr folder; see `write_h5ad`.

    A slash in a column's name, which zarr takes for a folder, becomes a bar.
    """
    import zarr

    path = Path(path)
    with opened_source(results) as source:
        made = corrected(results, source, input_path=input_path)
        notes = (*made.notes, *_without_slashes(made.adata))
        needs = _bytes(made.adata, source)
        with written_whole(path, needs=needs, as_folder=True) as temporary, _explained(path):
            group = zarr.open_group(str(temporary), mode="w", zarr_format=2)
            _write(group, made, source, results, {})
    return notes


def _write(
    group: Any, made: Corrected, source: AnnData, results: RunResults, options: dict[str, str]
) -> None:
    """Write the data into an empty file of h5py or zarr, and beside them the source's matrices."""
    import anndata

    keep = np.zeros(source.n_obs, dtype=bool)
    keep[results.cells] = True
    with (
        warnings.catch_warnings(),
        anndata.settings.override(allow_write_nullable_strings=True),
    ):
        warnings.simplefilter("ignore")  # anndata's about names and types that came with the data
        anndata.io.write_elem(group, "/", made.adata, dataset_kwargs=options)
        if source.X is not None:
            write_rows(group, "X", source.X, keep, options)
        for name, layer in source.layers.items():
            write_rows(group["layers"], name, layer, keep, options)
        if source.raw is not None:
            if "raw" in group:  # anndata may have said that there is none
                del group["raw"]
            raw = group.create_group("raw")
            raw.attrs.update({"encoding-type": "raw", "encoding-version": "0.1.0"})
            write_rows(raw, "X", source.raw.X, keep, options)
            for name, table in (("var", made.raw_var), ("varm", dict(source.raw.varm))):
                anndata.io.write_elem(raw, name, table, dataset_kwargs=options)


def _without_slashes(adata: AnnData) -> Iterator[str]:
    """Take the slashes out of names of columns, in place, and say so."""
    for part in ("obs", "var"):
        table = getattr(adata, part)
        wrong = {name: str(name).replace("/", "|") for name in table if "/" in str(name)}
        setattr(adata, part, table.rename(columns=wrong))
        for old, new in wrong.items():
            yield f"The column {old!r} is {new!r} in zarr, where names can't have a slash."


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a writing library raises, disk errors apart, into one sentence."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise ExportError(
            f"{path.name!r} could not be written: a part of the data has no place in it ({reason})."
        ) from error


def _bytes(adata: AnnData, source: AnnData) -> int:
    """Return the size of everything uncompressed: the most that the file may take."""
    matrices = [source.X, *source.layers.values(), *adata.obsm.values(), *adata.obsp.values()]
    if source.raw is not None:
        matrices.append(source.raw.X)
    tables = (adata.obs, adata.var)
    held = sum(int(table.memory_usage(deep=True).sum()) for table in tables)
    return held + sum(stored_bytes(matrix) for matrix in matrices)
