"""Whether what the store keeps can be read: what can't counts as absent, and is written again.

All of it is looked at once a process. Disks, and people, change files behind a program's back; one
that was cut or overwritten would stop every page, and wrong positions end in a crash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harmony_core._typing import Arrays
from harmony_core.store.files import load_arrays

_sound: set[tuple[str, int]] = set()
"""Marks and their inodes: one that was written anew has another."""


def checksums(arrays: Arrays) -> dict[str, int]:
    """Return a number for each array's bytes that another content would hardly have."""
    return {
        name: zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        for name, array in arrays.items()
        if array.size
    }


def is_sound_stage(mark: Path, sums: Mapping[str, Any] | None) -> bool:
    """Return whether a stage's arrays are as they were written; looks once a process.

    Parameters
    ----------
    mark
        Its ``info.json``, beside the arrays.
    sums
        Of when they were written; None in stores from before.
    """
    known = _known(mark)
    if known in _sound:
        return True
    # Opened for this alone: what was read of a map counts as memory until it is closed.
    if sums is not None and checksums(load_arrays(mark.parent)) != sums:
        return False
    _sound.add(known)
    return True


def trust(mark: Path) -> None:
    """Take what this process has just written for sound."""
    with contextlib.suppress(OSError):  # evicted already
        _sound.add(_known(mark))


def is_sound_dataset(mark: Path, fits_together: Callable[[], bool]) -> bool:
    """Return whether the parts of a dataset are there and fit together; looks once a process.

    Parameters
    ----------
    mark
        Its ``dataset.json``.
    fits_together
        Reads the parts, and returns whether they fit; may raise anything.

    Raises
    ------
    OSError
        If the disk gives an error that says nothing about the files.
    """
    try:
        known = _known(mark)
        if known in _sound:
            return True
        if not fits_together():
            return False
    except MemoryError:
        raise
    except OSError as error:  # Arrow raises one without a number on a damaged file
        if error.errno not in (None, errno.ENOENT, errno.ENOTDIR):
            raise
        return False
    except Exception:  # of damaged files numpy, Arrow and JSON say almost anything
        return False
    _sound.add(known)
    return True


def _known(mark: Path) -> tuple[str, int]:
    return str(mark), os.stat(mark).st_ino
