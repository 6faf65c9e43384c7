"""Cells for the speed benchmarks, and what machine they run on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import numpy.typing as npt

DIMS, TYPES, BATCHES = 50, 12, 3


def cells(
    n_cells: int, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return an embedding (cells × 50) as PCA gives it, and each cell's batch and type.

    Types of unequal size, each stretched along a direction of its own as differentiating cells
    are; batches that shift all types alike and each type a little differently.
    """
    rng = np.random.default_rng(seed)
    scale = 10 / np.sqrt(1 + np.arange(DIMS))
    types = rng.choice(TYPES, n_cells, p=rng.dirichlet(np.full(TYPES, 3.0)))
    batch = rng.integers(0, BATCHES, n_cells)
    centre, along = rng.normal(size=(2, TYPES, DIMS)) * scale
    shift = rng.normal(0, 0.35, (BATCHES, DIMS)) * scale
    own_shift = rng.normal(0, 0.15, (BATCHES, TYPES, DIMS)) * scale
    found = centre[types] + 0.5 * rng.random((n_cells, 1)) * along[types]
    found += shift[batch] + own_shift[batch, types]
    found += rng.normal(0, 0.45, (n_cells, DIMS)) * scale
    return found.astype(np.float32), batch, types


def machine() -> str:
    """Describe the machine in a line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":")[1] for line in info.read_text().splitlines() if "model name" in line
        ]
        model = names[0].strip() if names else model
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def peak_gb(process: int | str = "self") -> float:
    """Return the most memory a process ever held, in GB; NaN where Linux does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(float(line.split()[1]) / 1e6 for line in lines if line.startswith("VmHWM"))
