"""Any file in: recognise the format from the contents, and read it or say why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.data.columns import shown
from harmony_core.data.loaded import Loaded
from harmony_core.errors import FileError

if TYPE_CHECKING:
    import anndata as ad


def read(path: str | Path, *, name: str | None = None) -> ad.AnnData:
    """Read a dataset from a file.

    Parameters
    ----------
    path
        The file.
    name
        Name that messages use, for example that of an upload; by default the file's own.

    Raises
    ------
    FileError
        Missing, empty, damaged, too large, or no format that is known.
    """
    return load(path, name=name).adata


def load(path: str | Path, *, name: str | None = None, limit: float | None = None) -> Loaded:
    """Read a dataset from a file, with what was noticed on the way.

    Parameters
    ----------
    path
        The file.
    name
        Name that messages use; by default the file's own.
    limit
        Bytes of memory that the data may take; by default what is free.

    Raises
    ------
    FileError
        Missing, empty, damaged, too large, or no format that is known.
    """
    path = Path(path)
    quoted = shown(name or path.name)
    try:
        if not path.exists():
            raise FileError(f"There is no file {quoted}.")
        if path.is_dir():
            raise FileError(f"{quoted} is a folder; give a file.")
        if path.stat().st_size == 0:
            raise FileError(f"{quoted} is empty.")
        return _load_file(path, quoted, limit)
    except PermissionError as error:
        raise FileError(f"{quoted} may not be read by this program; change its rights.") from error
    except OSError as error:
        raise FileError(f"{quoted} could not be read: {error.strerror or 'disk error'}.") from error


def _load_file(path: Path, quoted: str, limit: float | None) -> Loaded:
    from harmony_core.data.h5ad import read_h5ad
    from harmony_core.data.hdf5 import is_hdf5

    if is_hdf5(path):
        return read_h5ad(path, quoted, limit=limit)
    raise FileError(f"{quoted} is not an h5ad file, whatever its name says.")
