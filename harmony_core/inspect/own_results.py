"""What an earlier export of ours left in a file: results of a run, not facts about the cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

RECORD_KEY = "harmony_explorer"
"""Entry of uns in a file that we wrote."""


def own_columns(uns: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of obs that an export of ours wrote, as the record in uns names them.

    Clusters of uncorrected cells follow the batch by nature, and measures of mixing do in part:
    nothing about the design can be read from them.
    """
    try:
        written = json.loads(uns[RECORD_KEY])["written"]
        return tuple(map(str, written.get("obs", ())))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()
