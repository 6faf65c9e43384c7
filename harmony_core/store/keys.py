"""What a finished stage is called in the store, and what it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harmony_core._typing import Arrays


@dataclass(frozen=True)
class StageKey:
    """Name of a stage and the digest of everything that decides its result."""

    stage: str
    digest: str

    @property
    def folder(self) -> str:
        return f"{self.stage}-{self.digest}"


@dataclass(frozen=True)
class StageResult:
    """A finished stage: read-only arrays, large ones as memory maps, and a few plain values.

    ``memory`` are the bytes that its process held right after; ``None`` where that is not known.
    """

    arrays: Arrays
    info: Mapping[str, Any]
    memory: int | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, in memory or mapped."""
        return sum(array.nbytes for array in self.arrays.values())


def digest(*parts: Any) -> str:
    """Return a short digest of JSON-able values; equal values give equal digests."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
