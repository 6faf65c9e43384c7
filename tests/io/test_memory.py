"""How much memory is free, and how much a process holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harmony_core.io import memory


@pytest.mark.parametrize(("most", "free"), [("1000", 700.0), ("max", float("inf"))])
def test_what_a_container_has_read_is_free(tmp_path: Path, most: str, free: float) -> None:
    (tmp_path / "memory.max").write_text(f"{most}\n")
    (tmp_path / "memory.current").write_text("500\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 200\n")
    assert memory._free_in_group(tmp_path) == free


def test_what_a_process_holds() -> None:
    held = memory.resident_memory(os.getpid())
    if not Path("/proc").is_dir():
        assert held is None
        return
    assert held is not None
    assert held > 10e6
    assert memory.resident_memory(2**30) is None
