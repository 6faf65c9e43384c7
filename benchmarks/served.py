"""The dashboard on a real server with a store of its own, and what its processes use."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
SAMPLE_SECONDS = 0.5


class Server:
    """A server that was started.

    Parameters
    ----------
    process
        The page process.
    port
        Where it listens, on this machine only.
    home
        Its store.
    log
        What it wrote.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, home: Path, log: Path) -> None:
        self.process, self.port, self.home, self.log = process, port, home, log
        self.page = psutil.Process(process.pid)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def cookie(self) -> str:
        """Return the token that a browser gets with its first answer; uploads need it."""
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=30) as answer:
            header = answer.headers.get("Set-Cookie", "")
        match = re.search(r"_streamlit_xsrf=\"?([^;\"]+)", header)
        return match.group(1) if match else ""

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that compute: those that were spawned by the page process."""
        found = []
        for child in self.page.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any("spawn_main" in part for part in child.cmdline()):
                    found.append(child)
        return found

    def page_cpu(self) -> float:
        """Return the CPU seconds that the page process has used."""
        if sys.platform == "linux":  # the process's own clock: psutil's ticks are of 10 ms
            return time.clock_gettime((~self.process.pid << 3) | 2)
        times = self.page.cpu_times()
        return float(times.user + times.system)

    def complaints(self) -> list[str]:
        """Return the lines of its log that speak of errors."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if re.search(r"Traceback|Error|Exception", line)]

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                return bool(answer.read() == b"ok")  # any path is answered with 200
        except OSError:
            return False

    def wait(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + START_SECONDS
        while not self._is_healthy():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The server did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the page process, and workers that it left behind."""
        children = self.page.children(recursive=True) if self.process.poll() is None else []
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()


@contextmanager
def served(project: Path = ROOT, **environment: str) -> Iterator[Server]:
    """Run the dashboard of a checkout on an empty store, which goes afterwards.

    Parameters
    ----------
    project
        The folder with app.py.
    environment
        Variables in addition.
    """
    folder = Path(tempfile.mkdtemp(prefix="served-"))
    home = folder / "store"
    home.mkdir()
    log = folder / "server.log"
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
            cwd=project,
            env=os.environ | {"HARMONY_EXPLORER_HOME": str(home)} | environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, port, home, log)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Memory:
    """Private memory in MB: what a process alone holds."""

    page: float
    workers: float


def memory(server: Server) -> Memory:
    """Read the private memory of the page process and of all workers together."""

    def private(process: psutil.Process) -> float:
        with contextlib.suppress(psutil.Error):
            return float(process.memory_full_info().uss) / 1e6
        return 0.0

    return Memory(private(server.page), sum(map(private, server.workers)))


class Meter:
    """Measures, while it is entered, the cores in use and the most memory.

    Attributes
    ----------
    seconds
        How long it was entered.
    page_cores, worker_cores
        CPU seconds a second. A worker that ended before a look counts up to the look before.
    page_peak_mb, workers_peak_mb
        Resident memory.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._cpu: dict[int, float] = {}
        self._first: dict[int, float] = {}
        self.page_peak_mb = self.workers_peak_mb = 0.0
        self.seconds = self.page_cores = self.worker_cores = 0.0

    def __enter__(self) -> Meter:
        self._began, self._page = time.monotonic(), self._server.page_cpu()
        self._first = self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._look()
        self.seconds = time.monotonic() - self._began
        self.page_cores = (self._server.page_cpu() - self._page) / self.seconds
        used = sum(cpu - self._first.get(pid, 0.0) for pid, cpu in self._cpu.items())
        self.worker_cores = used / self.seconds

    def _look(self) -> dict[int, float]:
        resident = 0.0
        for worker in self._server.workers:
            with contextlib.suppress(psutil.Error):
                times = worker.cpu_times()
                self._cpu[worker.pid] = times.user + times.system
                resident += worker.memory_info().rss / 1e6
        with contextlib.suppress(psutil.Error):
            page = self._server.page.memory_info().rss / 1e6
            self.page_peak_mb = max(self.page_peak_mb, page)
        self.workers_peak_mb = max(self.workers_peak_mb, resident)
        return dict(self._cpu)

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self._look()
