"""How much memory data may take, and how much a process holds."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harmony_core.errors import TooLarge

_FRACTION_OF_MEMORY = 0.8
_READING_NEEDS = 2.2
"""anndata's reading peaks at 1.1 times the arrays' size (measured on a sparse matrix of 80 million
values); the copy by gene that the store keeps is made beside it."""


def check_fits(n_bytes: float, name: str, *, limit: float | None = None) -> None:
    """Raise TooLarge if arrays of this size would not fit into memory.

    Parameters
    ----------
    n_bytes
        Size of the arrays once read, as the file declares it.
    name
        Name of the file, for the message.
    limit
        Bytes that may be used; by default four fifths of the memory that is free.
    """
    allowed = free_memory() * _FRACTION_OF_MEMORY if limit is None else limit
    needed = n_bytes * _READING_NEEDS
    if needed > allowed:
        raise TooLarge(
            f"{name} needs about {_gigabytes(needed)} of memory and {_gigabytes(allowed)} can be "
            "used; take a sample of its cells, or a machine with more memory."
        )


def whole_memory() -> float:
    """Bytes of memory that the machine has, or its container may take."""
    whole = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        whole.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(whole)


def free_memory() -> float:
    """Bytes of memory that this process may still take."""
    free = [float(8 << 30)]
    try:
        free = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free.append(float(fields["MemAvailable"].split()[0]) * 1024)
        # A container has a limit of its own, below the machine's.
        free.append(_free_in_group(Path("/sys/fs/cgroup")))
    except (AttributeError, KeyError, OSError, ValueError):
        pass
    return max(min(free), 0.0)


def _free_in_group(folder: Path) -> float:
    """Return the bytes that a control group may still take; without a limit, infinity.

    Files that it has read count as taken there, and are dropped for whoever needs memory.
    """
    most = (folder / "memory.max").read_text().strip()
    if most == "max":
        return float("inf")
    fields = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    taken = float((folder / "memory.current").read_text()) - float(fields["inactive_file"])
    return float(most) - taken


def resident_memory(pid: int) -> int | None:
    """Return the bytes that a process and all that it started hold; None where it is not told.

    A page that two of them share counts twice.
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        started = [
            path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")
        ]
    except (OSError, ValueError, IndexError):
        return None
    children = (resident_memory(int(child)) or 0 for some in started for child in some)
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(children)


def _gigabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB"
