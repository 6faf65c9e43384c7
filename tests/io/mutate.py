"""Reads files again and again with some of their bytes changed; fails on any but our own errors.

Each is read whole, as a sample of its cells, and into a store with its matrices left on disk.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harmony_core.errors import InputError
from harmony_core.io import large_h5ad
from harmony_core.store import Store
from harmony_core.store.ingest import ingest_file
from tests.io.reading import load

TRIALS = 30


def into_a_store(path: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        ingest_file(Store(home), path, name=path.name)


WAYS: dict[str, Callable[[Path], object]] = {
    "whole": lambda path: load(path, limit=1e9),
    "a sample": lambda path: load(path, limit=1e9, max_cells=20),
    "into a store": into_a_store,
}


def main(paths: list[str]) -> int:
    large_h5ad.LARGE = 0
    for path in map(Path, paths):
        outcomes = {"read": 0, "refused": 0}
        for seed in range(TRIALS):
            original = path.read_bytes()
            changed = path.with_name(f"changed-{path.name}")
            changed.write_bytes(mutated(original, np.random.default_rng(seed)))
            for way, read in WAYS.items():
                try:
                    read(changed)
                    outcomes["read"] += 1
                except InputError:
                    outcomes["refused"] += 1
                except BaseException:
                    print(f"{path.name} with seed {seed}, {way}:")
                    traceback.print_exc()
                    return 1
        print(path.name, outcomes)
    return 0


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Change up to a dozen bytes, half of the time in the part that holds the structure."""
    result = np.frombuffer(data, dtype=np.uint8).copy()
    end = len(result) if rng.random() < 0.5 else min(len(result), 4_000)
    n = int(rng.integers(1, 12))
    result[rng.integers(0, end, n)] = rng.integers(0, 256, n)
    return result.tobytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
