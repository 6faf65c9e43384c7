"""Names of array types that recur."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
"""Codes, clusters, neighbours and other positions, of any width."""

Floats = NDArray[np.floating[Any]]
"""Numbers in single or double precision."""

Flags = NDArray[np.bool_]
"""Which cells, genes or clusters."""

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by name, as a stage has them."""
