"""What an earlier export of ours left in a file: results of a run, not facts about the cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harmony_core.inspect.left_out import Kept

RECORD_KEY = "harmony_explorer"
"""Entry of uns in a file that we wrote."""


_LARGEST_RECORD = 50_000_000
"""Characters; with the kept cells of a thousand batches it has a hundredth of that."""


def read_record(uns: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record in a file's uns, or None if it is not one of ours."""
    written = uns.get(RECORD_KEY)
    if not isinstance(written, str) or len(written) > _LARGEST_RECORD:
        return None
    try:
        record = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def own_columns(uns: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of obs that an export of ours wrote, as the record in uns names them.

    Clusters of uncorrected cells follow the batch by nature, and measures of mixing do in part:
    nothing about the design can be read from them.
    """
    try:
        written = (read_record(uns) or {})["written"]
        return tuple(map(str, written.get("obs", ())))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def left_out_before(uns: Mapping[str, Any]) -> tuple[Kept, ...]:
    """Return what quality control had kept of each batch and label when a file of ours was written.

    Its cells don't tell of those that were left out; the record in uns does.
    """
    try:
        kept = (read_record(uns) or {})["prepared"]["kept"]
        return tuple(Kept.from_dict(name, cells) for name, cells in kept.items())
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()
