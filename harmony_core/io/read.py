"""Any data in: formats are recognised by what files contain, and read, or the reason why not."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.assemble import assemble
from harmony_core.io.file_data import FileData
from harmony_core.io.open_file import ReadOptions
from harmony_core.io.request import LoadRequest
from harmony_core.io.run_versions import one_version_a_run
from harmony_core.io.sources import Source, gather
from harmony_core.io.subsample import Subsample, draw_cells

if TYPE_CHECKING:
    import anndata as ad


def read(path: str | Path, *, name: str | None = None) -> ad.AnnData:
    """Read a dataset from a file; `open_dataset` does more.

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
    request = LoadRequest(paths=(str(path),), names=(name or Path(path).name,))
    with open_dataset(request) as data:
        return data.adata


@contextmanager
def open_dataset(
    request: LoadRequest, *, scratch: Path | None = None, limit: float | None = None
) -> Iterator[FileData]:
    """Read one dataset from one or several files or folders.

    The three files of a 10x matrix belong together; tables of metadata and of embeddings are
    matched to the cells by name; what remains are datasets, which are put below each other with
    the file's name as a column.

    Parameters
    ----------
    request
        The files, and how to read them. Where cells are drawn of a single file, all formats but
        text tables are read block by block, so that one too large for the memory can be sampled.
    scratch
        Folder with room to unpack what is compressed: the matrices of a large h5ad are left on
        disk there, until the block ends. Without it everything is read into memory.
    limit
        Bytes of memory that the data may take; by default what is free.

    Raises
    ------
    FileError
        One of them is missing, empty, damaged, too large or unknown, or they don't belong together.
    """
    most, by = request.max_cells, request.sample_by
    subsample = None if most is None else Subsample(most, by)
    with ExitStack() as stack:
        if scratch is not None:
            folder = tempfile.TemporaryDirectory(prefix=".new-", dir=scratch)
            scratch = Path(stack.enter_context(folder))
        options = ReadOptions(
            limit=limit, modality=request.modality, subsample=subsample, scratch=scratch
        )
        with (
            _plain_errors(request.names[0]),
            tempfile.TemporaryDirectory(prefix="harmony-explorer-") as workspace,
        ):
            sources: list[Source] = []
            notes: list[str] = []
            for path, name in zip(request.paths, request.names, strict=True):
                inside = list(gather(Source(Path(path), name), Path(workspace)))
                kept, said = one_version_a_run(inside)
                sources.extend(kept)
                notes.extend(said)
            data = assemble(sources, request, options)
            data = dataclasses.replace(data, notes=(*notes, *data.notes))
            if subsample is not None:
                data = draw_cells(data, quoted(request.names[0]), subsample)
        if data.matrices is not None:
            stack.callback(data.matrices.close)
        yield data


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
