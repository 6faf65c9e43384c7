"""Every error that harmony_core raises on purpose.

Each message is one or two plain sentences that a page or a terminal shows as they are: what is
wrong, the value that was found, and what to do.

::

    HarmonyExplorerError
    ├── InputError            what the user gave cannot be used
    │   ├── FileError         the file cannot be read
    │   │   └── TooLarge      it would not fit into memory
    │   ├── DataError         the matrix, embedding or metadata is unsuitable
    │   │   └── BatchError    the batch variable is unsuitable
    │   └── ParameterError    a setting is out of range (also a ValueError)
    ├── ExportError           the result could not be written
    │   └── UnfinishedRun     it is not complete yet
    ├── StoreError            the store can't be made or written (also an OSError)
    └── Cancelled             nobody waits for this run any more
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a write for which there is no room."""

_CUT_SHORT = "requested and"


class HarmonyExplorerError(Exception):
    """Root of the tree; its text is written for the user."""


class InputError(HarmonyExplorerError):
    """What the user gave cannot be used as it is."""


class FileError(InputError):
    """A file cannot be read, or is not what its name says."""


class TooLarge(FileError):
    """A file would not fit into memory.

    Attributes
    ----------
    sample
        Where some of its cells could be read: the number of its ``cells``, the ``columns`` that
        they may be drawn ``by``, and the likeliest of these, if any. Filled in by whoever can offer
        that.
    """

    sample: Mapping[str, Any] | None = None


class DataError(InputError):
    """The matrix, the embedding or the metadata is unsuitable."""


class BatchError(DataError):
    """The batch variable is unsuitable."""


class ParameterError(InputError, ValueError):
    """A setting has a value outside its range."""


class ExportError(HarmonyExplorerError):
    """The result could not be written; nothing half-written is left."""


class UnfinishedRun(ExportError):
    """A run is not finished.

    Parameters
    ----------
    what
        To be done with it: ``"draw"``, ``"write"``, ``"report"`` or ``"say"``.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"This run is not finished, so there is nothing complete to {what} yet.")


class StoreError(HarmonyExplorerError, OSError):
    """The store can't be made or written."""


class Cancelled(HarmonyExplorerError):
    """Nobody waits for this run any more."""


def full_disk(error: OSError) -> str:
    """Return a sentence if an error says that a disk is full; empty if it says anything else."""
    # numpy gives no number: "1000 requested and 12 written".
    if error.errno not in NO_ROOM and not (error.errno is None and _CUT_SHORT in str(error)):
        return ""
    path = error.filename2 or error.filename
    where = f" of {str(Path(os.fsdecode(path)).parent)!r}" if isinstance(path, str | bytes) else ""
    return f"There is no room left on the disk{where}; make room there and try again."
