"""Any data in: recognise formats from the contents, and read them or say why not."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.errors import FileError, TooLarge
from harmony_core.inspect.columns import quoted
from harmony_core.io.loaded import Loaded

if TYPE_CHECKING:
    import anndata as ad

    from harmony_core.io.combine import Genes
    from harmony_core.io.request import LoadRequest
    from harmony_core.io.subsample import Sample
    from harmony_core.io.table_roles import Side


def read(path: str | Path, *, name: str | None = None) -> ad.AnnData:
    """Read a dataset from a file; `load` tells more.

    Parameters
    ----------
    path
        The file or folder.
    name
        Name that messages use, for example that of an upload; by default the file's own.

    Raises
    ------
    FileError
        Missing, empty, damaged, too large, or no format that is known.
    """
    return load(path, name=name).adata


def load(
    path: str | Path,
    *,
    name: str | None = None,
    limit: float | None = None,
    modality: str | None = None,
    cells_in: Side | None = None,
    max_cells: int | None = None,
    sample_by: str | None = None,
) -> Loaded:
    """Read a dataset from a file or folder, with what was noticed on the way.

    Parameters
    ----------
    path
        The file or folder.
    name
        Name that messages use; by default the file's own.
    limit
        Bytes of memory that the data may take; by default what is free.
    modality
        Which modality of an h5mu to take; by default gene expression, else the first.
    cells_in
        Whether rows or columns of a text table are cells; by default as the names tell.
    max_cells
        Draw this many cells if there are more. All formats but text tables are then read block by
        block, so that a file too large for the memory can be sampled.
    sample_by
        Column of obs; as many cells of each of its levels are drawn.

    Raises
    ------
    FileError
        Missing, empty, damaged, too large, or no format that is known.
    """
    from harmony_core.io.subsample import Sample

    return _load_many(
        [Path(path)],
        [name or Path(path).name],
        limit=limit,
        modality=modality,
        cells_in=cells_in,
        sample=None if max_cells is None else Sample(max_cells, sample_by),
    )


def load_request(request: LoadRequest) -> Loaded:
    """Read what a page or a command asks for; see `load` and `load_many`."""
    from harmony_core.io.subsample import Sample

    most, by = request.max_cells, request.sample_by
    return _load_many(
        [Path(path) for path in request.paths],
        request.names,
        genes=request.genes,
        modality=request.modality,
        cells_in=request.cells_in,
        sample=None if most is None else Sample(most, by),
    )


@contextmanager
def open_request(request: LoadRequest, scratch: Path) -> Iterator[Loaded]:
    """Read what a page or a command asks for, and leave large matrices on disk.

    Parameters
    ----------
    request
        The files, and how to read them.
    scratch
        Folder with room to unpack what is compressed. What is written there is gone when the block
        ends, and the matrices with it.
    """
    from harmony_core.io.assemble import is_h5ad
    from harmony_core.io.large_h5ad import is_large, unpacked

    path, name = Path(request.paths[0]), quoted(request.names[0])
    with _plain_errors(request.names[0]):
        alone = len(request.paths) == 1 and request.max_cells is None
        large = alone and is_h5ad(path, name) and is_large(path, name)
    if not large:
        yield load_request(request)
        return
    with tempfile.TemporaryDirectory(prefix=".new-", dir=scratch) as folder:
        try:
            with _plain_errors(request.names[0]):
                loaded, file = unpacked(path, name, Path(folder))
        except TooLarge:
            load_request(request)  # says the same, and how a sample can be drawn
            raise
        with file:
            yield loaded


def load_many(
    paths: Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    genes: Genes = "intersection",
    limit: float | None = None,
    modality: str | None = None,
    cells_in: Side | None = None,
) -> Loaded:
    """Read one dataset from several files.

    The three files of a 10x matrix belong together; tables of metadata and of embeddings are
    matched to the cells by name; what remains are datasets, which are put below each other with
    the file's name as a column.

    Parameters
    ----------
    paths
        Files or folders.
    names
        Name of each, for messages and labels; by default the files' own.
    genes
        Which genes to keep of several datasets: those of all, or every one.
    limit, modality, cells_in
        As in `load`.

    Raises
    ------
    FileError
        One of them is missing, empty, damaged, too large or unknown, or they don't belong together.
    """
    own = [Path(p) for p in paths]
    called = [p.name for p in own] if names is None else list(names)
    return _load_many(own, called, genes=genes, limit=limit, modality=modality, cells_in=cells_in)


def _load_many(
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    genes: Genes = "intersection",
    limit: float | None = None,
    modality: str | None = None,
    cells_in: Side | None = None,
    sample: Sample | None = None,
) -> Loaded:
    from harmony_core.io.assemble import put_together, read_all
    from harmony_core.io.sources import Source, gather
    from harmony_core.io.subsample import take_sample

    with (
        _plain_errors(names[0]),
        tempfile.TemporaryDirectory(prefix="harmony-explorer-") as workspace,
    ):
        sources = [
            source
            for path, name in zip(paths, names, strict=True)
            for source in gather(Source(path, name), Path(workspace))
        ]
        datasets, tables = read_all(sources, limit, modality, sample)
        loaded = put_together(datasets, tables, names[0], genes, limit, cells_in)
        return loaded if sample is None else take_sample(loaded, quoted(names[0]), sample)


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    """Turn what the system raises into sentences, and keep libraries' warnings to ourselves."""
    try:
        with warnings.catch_warnings():
            # About old formats and repeated names; check.py says what matters.
            warnings.simplefilter("ignore")
            yield
    except PermissionError as error:
        raise FileError(
            f"{quoted(Path(error.filename or name).name)} may not be read by this program; change "
            "its rights."
        ) from error
    except OSError as error:
        reason = error.strerror or "the disk gave an error"
        raise FileError(f"{quoted(name)} could not be read: {reason}.") from error
    except (MemoryError, RecursionError) as error:
        raise FileError(f"{quoted(name)} does not fit into memory.") from error
