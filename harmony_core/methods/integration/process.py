"""Runs a method of others in a process of its own, with files in and files out.

The method's interpreter may be another's, so nothing is pickled and nothing of ours is imported
there: see ``children/run.py``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.errors import HarmonyExplorerError, full_disk
from harmony_core.io.memory import free_memory, resident_memory
from harmony_core.method_catalog import CHILDREN, Method
from harmony_core.methods.integration.environment import (
    check_interpreter,
    install_line,
    installed,
    interpreter,
)

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.2
"""How soon a cancel, or too much memory, is seen while a method computes."""

FRACTION_OF_FREE_MEMORY = 0.9
"""What a method may hold of the memory that is free when it starts."""

_ERROR_TAIL = 4000
"""Bytes kept of what a method that failed wrote."""

_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)

Value = npt.NDArray[Any] | sp.csr_matrix | list[str]


class MethodFailed(HarmonyExplorerError):
    """A method of others did not finish; its text is written for the user."""


@dataclass(frozen=True)
class Result:
    """What a method computed.

    Attributes
    ----------
    arrays
        By name, as its script gave them.
    facts
        What else it said, as plain JSON values.
    versions
        Of Python and the libraries that shaped the result, where it ran.
    memory
        Most bytes that its process held, with its libraries; None where the system does not say.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    facts: Mapping[str, Any]
    versions: Mapping[str, str]
    memory: int | None = None


def run(
    method: Method,
    settings: Mapping[str, float],
    inputs: Mapping[str, Value],
    folder: Path,
    report: Callable[[float], None] = lambda fraction: None,
) -> Result:
    """Run a method and wait for it.

    Parameters
    ----------
    method
        What to run.
    settings
        Every setting and its value.
    inputs
        What its script takes: arrays, sparse matrices (CSR), lists of text.
    folder
        Where a folder for the files is made, which is gone afterwards.
    report
        Called with the fraction done several times a second. What it raises, such as Cancelled,
        ends the method's process at once.

    Raises
    ------
    MethodFailed
        If it is not installed, fails, or would take memory that others have: it is ended before
        the system ends whatever it chooses. Where the system tells no sizes, nothing is watched.
    """
    if installed(method) is None:
        python = check_interpreter()  # says so where that is none
        raise MethodFailed(
            f"{method.title} is not installed in the environment of {python}; install it with: "
            f"{install_line(method)}"
        )
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as at:
        _write_job(Path(at), method, settings, inputs)
        errors = Path(at) / "errors.txt"
        with errors.open("wb") as written:
            status = _wait(method, Path(at), written, report)
        return _result(method, Path(at), status, _end_of(errors))


def _write_job(
    folder: Path, method: Method, settings: Mapping[str, float], inputs: Mapping[str, Value]
) -> None:
    forms = {}
    for name, value in inputs.items():
        if isinstance(value, list):
            forms[name] = "json"
            (folder / f"in_{name}.json").write_text(json.dumps(value), "utf-8")
        elif sp.issparse(value):
            forms[name] = "npz"
            sp.save_npz(folder / f"in_{name}.npz", value, compressed=False)
        else:
            forms[name] = "npy"
            np.save(folder / f"in_{name}.npy", np.asarray(value), allow_pickle=False)
    job = {"script": str(method.child), "settings": dict(settings), "inputs": forms}
    (folder / "job.json").write_text(json.dumps(job), "utf-8")


def _wait(method: Method, folder: Path, errors: IO[bytes], report: Callable[[float], None]) -> int:
    """Run the script until it ends, or until ``report`` raises; return its exit status."""
    # Isolated: no folder of ours is looked into, so that a script's name hides no package.
    command = [interpreter(), "-I", str(CHILDREN / "run.py"), str(folder)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # held open: the process ends with ours, however that ends
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise MethodFailed(
            f"{method.title} could not be started with {command[0]}: {error.strerror or error}."
        ) from error
    most = FRACTION_OF_FREE_MEMORY * free_memory()
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    fraction = 0.0
    try:
        report(fraction)
        while True:
            try:
                line = lines.get(timeout=LOOK_EVERY_SECONDS)
            except queue.Empty:
                line = ""
            if line is None:
                break
            if found := re.fullmatch(r"progress (\d\.\d+)", line.strip()):
                fraction = min(float(found[1]), 1.0)
            _check_memory(method, process.pid, most)
            report(fraction)
        while True:  # its output is closed, which is not yet its end
            try:
                return process.wait(LOOK_EVERY_SECONDS)
            except subprocess.TimeoutExpired:
                report(fraction)
    finally:
        _end(process)
        reader.join()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _check_memory(method: Method, pid: int, most: float) -> None:
    if (resident_memory(pid) or 0) > most:
        raise MethodFailed(
            f"{method.title} was ended, as it took more than the {most / 1e9:,.1f} GB of memory "
            "that were free for it. Use fewer cells, or a machine with more memory."
        )


def _read(stream: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    assert stream is not None
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a method's process: as many threads as ours, no network asked."""
    threads = os.environ.get("NUMBA_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    ours = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "NUMBA_CACHE_DIR"):
        ours.pop(name, None)
    if threads is not None:
        ours |= dict.fromkeys(_THREADS, threads)
    # Libraries keep files where they may; matplotlib and numba would else write into the home.
    return ours | {"MPLBACKEND": "agg", "MPLCONFIGDIR": str(folder)}


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _ERROR_TAIL))
        return file.read().decode("utf-8", "replace").strip()


def _result(method: Method, folder: Path, status: int, errors: str) -> Result:
    try:
        result = json.loads((folder / "result.json").read_text("utf-8"))
    except (OSError, ValueError):
        result = None
    if status != 0 or result is None:
        log.warning("%s ended with status %d: %s", method.title, status, errors)
        raise MethodFailed(_why(method, status, errors))
    try:
        arrays = {
            name: np.load(folder / f"out_{Path(name).name}.npy", allow_pickle=False)
            for name in result["arrays"]
        }
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, OSError) and (full := full_disk(error)):
            raise MethodFailed(full) from error
        log.warning("%s: %s", method.title, error)
        raise MethodFailed(
            f"{method.title} left no result that can be read; the log has the details."
        ) from error
    return Result(arrays, result["facts"], result["versions"], result["memory"])


def _why(method: Method, status: int, errors: str) -> str:
    """Return in a sentence why a method ended without a result."""
    last = " ".join(errors.splitlines()[-1].split()) if errors else ""
    if status == -signal.SIGKILL or last.startswith("MemoryError"):
        return (
            f"{method.title} was ended by the system, most likely for lack of memory. Use fewer "
            "cells, or a machine with more memory."
        )
    said = f": {last[:300].rstrip('.')}" if last else ""
    return (
        f"{method.title} failed{said}. Other settings, or a newer {method.library}, may work; the "
        "log has the details."
    )
