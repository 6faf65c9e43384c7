"""AnnData in zarr, as a folder."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harmony_core.errors import FileError, HarmonyExplorerError
from harmony_core.io.file_data import FileData
from harmony_core.io.h5ad import check_consistent, read_in_parts
from harmony_core.io.hdf5_sizes import check_chunk
from harmony_core.io.open_file import OpenFile
from harmony_core.io.plain import needs_plain_values
from harmony_core.io.stored_cells import read_cells

_METADATA = (".zarray", ".zgroup", ".zmetadata", "zarr.json")
_SAFE_CODECS = frozenset(
    (
        *("blosc", "zlib", "gzip", "zstd", "lz4", "lzma", "bz2", "shuffle", "delta", "crc32"),
        *("vlen-utf8", "vlen-bytes", "vlen-array", "fixedscaleoffset", "bitround", "packbits"),
        *("bytes", "crc32c", "transpose", "sharding_indexed", "bytes-bytes", "bool", "raw"),
    )
)
"""Codecs that only move bytes. zarr also knows "pickle", which runs what the file says."""
_LARGEST_METADATA = 64 << 20
_MAX_FILES = 1_000_000


def read_zarr(file: OpenFile) -> FileData:
    """Read AnnData from a zarr folder, or the cells that are asked for.

    Raises
    ------
    FileError
        Not AnnData, damaged, pointing outside itself, asking for code to be run, or too large.
    """
    import anndata
    import zarr

    folder, name, subsample = file.path, file.name, file.options.subsample
    notes: list[str] = []
    file.check_whole_fits(_look_through(folder, name))
    if not (folder / "obs").is_dir() or not (folder / "var").is_dir():
        raise FileError(f"{name} is a zarr folder but not AnnData: it has no obs or no var.")
    try:
        if subsample is not None:
            adata, note = read_cells(file, zarr.open_group(folder, mode="r"), subsample)
            return FileData(adata, "sample of zarr", (note,))
        adata = anndata.read_zarr(folder)
    except HarmonyExplorerError:
        raise
    except Exception as error:  # zarr and its codecs raise many kinds on damaged files
        if not _has_other_types(folder):
            raise FileError(f"{name} is damaged and cannot be read; copy it again.") from error
        adata = read_in_parts(zarr.open_group(folder, mode="r"), name, notes)
    check_consistent(adata, name)
    return FileData(adata, "zarr", tuple(notes))


def _has_other_types(folder: Path) -> bool:
    """Whether some matrix is sparse and of a type that anndata can't read."""
    import zarr

    with contextlib.suppress(Exception):  # the folder may be damaged as well
        root = zarr.open_group(folder, mode="r")
        return any(needs_plain_values(group) for _, group in root.members(max_depth=None))
    return False


def _look_through(folder: Path, name: str) -> float:
    """Return the bytes that all arrays take once read; refuse links and unsafe codecs."""
    own = consolidated = 0.0
    for number, path in enumerate(folder.rglob("*")):
        if path.is_symlink():
            raise FileError(f"{name} is refused: it contains a link.")
        if number > _MAX_FILES:
            raise FileError(f"{name} is refused: it holds more than {_MAX_FILES:,} files.")
        if path.name not in _METADATA or not path.is_file():
            continue
        values = _json(path, name)
        for codec in _codecs(values):
            if codec not in _SAFE_CODECS and codec.removeprefix("numcodecs.") not in _SAFE_CODECS:
                raise FileError(
                    f"{name} is refused: it is packed with {codec[:40]!r}, which is not allowed "
                    "here; write it again with anndata's defaults."
                )
        n_bytes = sum(_checked_size(array, name) for array in _arrays(values))
        # The root may repeat what all other files say.
        if path.name == ".zmetadata" or "consolidated_metadata" in values:
            consolidated += n_bytes
        else:
            own += n_bytes
    return max(own, consolidated)


def _json(path: Path, name: str) -> Any:
    try:
        if path.stat().st_size > _LARGEST_METADATA:
            raise FileError(f"{name} is refused: its description is larger than its data can need.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name} is damaged: {path.name} cannot be read.") from error
    if not isinstance(values, dict):
        raise FileError(f"{name} is damaged: {path.name} cannot be read.")
    return values


def _codecs(values: Any) -> Iterator[str]:
    for key, value in _items(values):
        if key in ("compressor", "filters", "codecs", "index_codecs", "storage_transformers"):
            for codec in value if isinstance(value, list) else [value]:
                if isinstance(codec, dict):
                    yield str(codec.get("id", codec.get("name")))
                elif codec is not None:
                    yield str(codec)


def _arrays(values: Any) -> Iterator[dict[str, Any]]:
    for candidate in (values, *(value for _, value in _items(values))):
        if not isinstance(candidate, dict) or not isinstance(candidate.get("shape"), list):
            continue
        if "dtype" in candidate or "data_type" in candidate:
            yield candidate


def _items(values: Any) -> Iterator[tuple[str, Any]]:
    """Walk through nested JSON without recursion, which a file could exhaust."""
    waiting = [values]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield from current.items()
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _kinds(kind: Any) -> Iterator[Any]:
    """Yield the kind of an array's values, or of each field where it is a table."""
    if isinstance(kind, dict):
        kind = kind.get("configuration", {}).get("fields", kind.get("name"))
    if isinstance(kind, list):
        for field in kind:
            yield field[1]
    else:
        yield kind


def _width(kind: str, *, bits: bool) -> float:
    # v2 counts bytes ("<f4"), v3 bits ("float32"); text and objects have no size of their own.
    digits = "".join(c for c in kind if c.isdigit())
    return 64.0 if not digits else float(digits) / (8 if bits else 1)


def _checked_size(array: dict[str, Any], name: str) -> float:
    """Return the bytes that an array takes once read, or one of its chunks where that is more."""
    whole = _size(array, array["shape"])
    grid = array.get("chunk_grid")
    parts = grid.get("configuration") if isinstance(grid, dict) else None
    shape = parts.get("chunk_shape") if isinstance(parts, dict) else array.get("chunks")
    chunk = _size(array, _shape_within_shard(array) or shape) if isinstance(shape, list) else 0.0
    check_chunk(chunk, whole, name)
    return max(whole, chunk)


def _shape_within_shard(array: dict[str, Any]) -> list[Any] | None:
    """Return the shape of what is unpacked at once where several such parts make up a file."""
    codecs = array.get("codecs")
    for codec in codecs if isinstance(codecs, list) else ():
        if isinstance(codec, dict) and codec.get("name") == "sharding_indexed":
            inner = codec.get("configuration")
            shape = inner.get("chunk_shape") if isinstance(inner, dict) else None
            return shape if isinstance(shape, list) else None
    return None


def _size(array: dict[str, Any], shape: list[Any]) -> float:
    kind, bits = array.get("dtype", array.get("data_type")), "data_type" in array
    try:
        width = sum(_width(str(one), bits=bits) for one in _kinds(kind))
        return math.prod(max(float(n), 0.0) for n in shape) * width
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError):
        return math.inf
