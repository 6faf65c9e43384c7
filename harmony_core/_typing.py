"""Names of array types that recur."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
"""Codes, clusters, neighbours and other positions."""

Floats = npt.NDArray[np.floating]
"""Numbers in single or double precision."""

Arrays = Mapping[str, npt.NDArray[Any]]
"""Arrays by name, as a stage keeps them."""
