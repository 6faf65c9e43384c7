"""Worker processes: how they end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_PARENT = """
import sys, time
from harmony_core.jobs.executors import spawned_worker
from harmony_core.store import Store

if __name__ == "__main__":
    pool = spawned_worker(Store(sys.argv[1]))
    pool.submit(print, "at work", flush=True).result()
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_the_process_that_started_it(tmp_path: Path, number: int) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    command = [sys.executable, str(script), str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "at work\n"
        parent.send_signal(number)
        # The worker writes there too: this ends when both are gone, and fails by the time limit.
        assert parent.communicate(timeout=30)[0] == ""
