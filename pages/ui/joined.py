"""Joining a component's JavaScript modules into the one that Streamlit takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def joined_modules(files: Iterable[Path]) -> str:
    """Join our modules into one, each after those that it imports.

    Streamlit gives a component one module, and serves further files only to packages installed
    with a manifest. So each file is an ordinary module for its reader, and here its imports of
    our other files fall away.
    """
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    text = re.sub(r'^import [^\n]* from "\.[^\n]*;\n', "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE)
