"""The version of this program: pyproject.toml says it once, an installation repeats it."""

from __future__ import annotations

from importlib import metadata

PROGRAM = "harmony-explorer"

VERSION = metadata.version(PROGRAM)
