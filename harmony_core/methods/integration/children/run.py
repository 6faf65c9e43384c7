"""Runs one method in the interpreter of the methods' environment: ``python -I run.py FOLDER``.

It imports nothing of Harmony Explorer's, which is not installed there. ``FOLDER/job.json`` names
the method's script, its inputs and its settings; the inputs lie beside it, and what the script's
``correct`` returns is left there as ``out_*.npy`` and ``result.json``. Over standard output go
lines of progress, as ``progress 0.5``. The process ends when its standard input does: whoever
started it holds that open.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


def read_inputs(folder: Path, forms: dict[str, str]) -> dict[str, Any]:
    import numpy as np
    import scipy.sparse as sp

    inputs: dict[str, Any] = {}
    for name, form in forms.items():
        path = folder / f"in_{name}.{form}"
        if form == "npz":
            inputs[name] = sp.load_npz(path)
        elif form == "json":
            inputs[name] = json.loads(path.read_text("utf-8"))
        else:
            inputs[name] = np.load(path, allow_pickle=False)
    return inputs


def versions_of(libraries: tuple[str, ...]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_bytes() -> int | None:
    """Return the most memory that this process held; None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration, ValueError):
        return None


def be_ended_first() -> None:
    """Have a system without memory end this process, rather than whoever started it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def main(folder: Path) -> None:
    import numpy as np

    be_ended_first()
    threading.Thread(target=end_with_parent, daemon=True).start()
    # What libraries print goes to the log, and progress alone to who started this.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def progress(fraction: float) -> None:
        lines.write(f"progress {float(fraction):.4f}\n")

    job = json.loads((folder / "job.json").read_text("utf-8"))
    script = runpy.run_path(job["script"])
    inputs = read_inputs(folder, job["inputs"])
    arrays, facts = script["correct"](inputs, job["settings"], progress)
    for name, array in arrays.items():
        np.save(folder / f"out_{name}.npy", np.asarray(array), allow_pickle=False)
    result = {
        "arrays": list(arrays),
        "facts": facts,
        "versions": versions_of(script["LIBRARIES"]),
        "memory": peak_bytes(),
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
