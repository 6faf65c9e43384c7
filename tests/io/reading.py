"""Reading one or several files into memory, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harmony_core.io.file_data import FileData
from harmony_core.io.read import open_dataset
from harmony_core.io.request import LoadRequest


def load(path: str | Path, *, limit: float | None = None, **options: Any) -> FileData:
    """Read a file or folder; ``options`` are those of `LoadRequest`."""
    return load_many([path], limit=limit, **options)


def load_many(
    paths: Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    limit: float | None = None,
    **options: Any,
) -> FileData:
    """Read one dataset from several files or folders."""
    called = [Path(path).name for path in paths] if names is None else names
    request = LoadRequest(paths=tuple(map(str, paths)), names=tuple(called), **options)
    with open_dataset(request, limit=limit) as data:
        return data
