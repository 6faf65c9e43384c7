"""The environment that other methods run in: which interpreter, and what is installed there."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from cachetools.func import ttl_cache

from harmony_core.errors import HarmonyExplorerError
from harmony_core.method_catalog import Method

VARIABLE = "HARMONY_EXPLORER_METHODS_PYTHON"
"""Names the interpreter of the environment that other methods are installed in; by default ours."""

_SECONDS = 30
_LOOK_AGAIN_SECONDS = 2
_ASK = "import json, sys; print(json.dumps(sys.path))"


def interpreter() -> str:
    """Return the interpreter that other methods run with."""
    return os.environ.get(VARIABLE) or sys.executable


def installed(method: Method) -> str | None:
    """Return the version of a method's library in the methods' environment; None if it has none.

    Cheap: the interpreter is asked once for its folders, which are then looked into. What is
    installed meanwhile is seen soon.
    """
    return version_of(method.library)


def version_of(library: str) -> str | None:
    """Return the version of a package in the methods' environment; None if it has none."""
    return _version_of(library, interpreter())


@ttl_cache(64, _LOOK_AGAIN_SECONDS)  # a page asks for every run that it draws
def _version_of(library: str, python: str) -> str | None:
    try:
        folders = list(_folders(python))
    except HarmonyExplorerError:
        return None
    for found in metadata.distributions(name=library, path=folders):
        return str(found.version)
    return None


def install_line(method: Method) -> str:
    """Return the line that installs a method's library into the methods' environment."""
    return f"{shlex.quote(interpreter())} -m pip install {shlex.quote(method.requirement)}"


@lru_cache(8)
def _folders(python: str) -> Sequence[str]:
    """Return where an interpreter looks for packages.

    Raises
    ------
    HarmonyExplorerError
        If it is no interpreter.
    """
    if python == sys.executable:
        return tuple(path for path in sys.path if path)
    try:
        # Isolated, as methods are run: nothing of the folder or the user's own is looked at.
        asked = subprocess.run(
            [python, "-I", "-c", _ASK], capture_output=True, timeout=_SECONDS, check=True
        )
        return tuple(path for path in json.loads(asked.stdout) if path)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise HarmonyExplorerError(
            f"{VARIABLE} is {python!r}, which is no Python interpreter that answers; name the "
            f"python of an environment, such as {str(Path('env') / 'bin' / 'python')!r}, or unset "
            "it."
        ) from error


def check_interpreter() -> str:
    """Return the interpreter that other methods run with.

    Raises
    ------
    HarmonyExplorerError
        If the environment names what is none.
    """
    python = interpreter()
    _folders(python)
    return python
