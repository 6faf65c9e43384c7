"""Where benchmarks find each other: they run as scripts, whose own folder Python looks in."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
