"""Files and folders of the store, which another server may write or evict meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core._typing import Arrays


def write_json(path: Path, values: Any) -> None:
    """Write JSON so that a reader sees either the old file or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def save_arrays(folder: Path, arrays: Arrays) -> None:
    """Write each array as ``<name>.npy``; nothing is pickled."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(array), allow_pickle=False)


_READ_BYTES = 256_000
"""Up to which an array is read: a map takes longer, and a file handle for as long as it lives."""


def load_arrays(folder: Path) -> Arrays:
    """Return a folder's arrays by name, read-only: small ones in memory, others as maps."""
    return {path.stem: _load_array(path) for path in sorted(folder.glob("*.npy"))}


def _load_array(path: Path) -> npt.NDArray[Any]:
    array: npt.NDArray[Any]
    if path.stat().st_size > _READ_BYTES:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    else:
        array = np.load(path, allow_pickle=False)
        array.flags.writeable = False
    return array


def touch(path: str | Path) -> bool:
    """Mark a file as used now; return whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        return os.path.isfile(path)
    return True


def last_used(path: Path) -> float:
    """Return when a file was used last, in seconds since the epoch; 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def tree_size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for at, _, files in os.walk(folder):  # which passes over what vanishes meanwhile
        for name in files:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(at, name), follow_symlinks=False).st_size
    return total


def process_bytes() -> int | None:
    """Return the bytes of memory that this process holds; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return None
