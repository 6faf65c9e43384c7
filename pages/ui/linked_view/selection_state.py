"""Which cells are selected: as one bit a cell, and who selected last, Python or the browser."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def pack_bits(mask: NDArray[np.bool_]) -> str:
    """Write a mask as base64 of its bits; the empty string when no cell is in it."""
    mask = np.asarray(mask, dtype=bool)
    return base64.b64encode(np.packbits(mask, bitorder="little")).decode() if mask.any() else ""


def unpack_bits(bits: str, n_cells: int) -> NDArray[np.bool_] | None:
    """Read what `pack_bits` wrote; None for no cell or for anything but `n_cells` bits."""
    try:
        packed = np.frombuffer(base64.b64decode(bits, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError):
        return None
    if not bits or packed.size != (n_cells + 7) // 8:
        return None
    mask = np.unpackbits(packed, count=n_cells, bitorder="little").astype(bool)
    return mask if mask.any() else None


@dataclass(frozen=True)
class SelectionState:
    """The selection in force, and what Python last asked for.

    The `token` counts how often Python has replaced the selection. The browser sends it back
    with each lasso, so a lasso that was drawn before the replacement cannot undo it.
    """

    n_cells: int
    token: int = 0
    bits: str = ""
    requested: str = ""


def next_selection(
    previous: SelectionState | None,
    reported: object,
    request: NDArray[np.bool_] | None,
    n_cells: int,
) -> SelectionState:
    """Decide which selection is in force now.

    Parameters
    ----------
    previous : SelectionState or None
        The selection at the previous call.
    reported : object
        What the browser last sent: a mapping with `token` and `bits`; anything else is ignored.
    request : ndarray of bool of shape (n_cells,) or None
        What Python asks for. It replaces the user's selection when it differs from what Python
        asked for at the previous call; None asks for nothing and changes nothing.
    n_cells : int

    Returns
    -------
    SelectionState
    """
    if previous is None:
        previous = SelectionState(n_cells)
    elif previous.n_cells != n_cells:
        previous = SelectionState(n_cells, token=previous.token + 1)
    bits = previous.bits
    if isinstance(reported, Mapping) and reported.get("token") == previous.token:
        sent = reported.get("bits")
        if isinstance(sent, str) and (sent == "" or unpack_bits(sent, n_cells) is not None):
            bits = sent
    token, requested = previous.token, "" if request is None else f"={pack_bits(request)}"
    if requested and requested != previous.requested:
        token, bits = token + 1, requested[1:]
    return SelectionState(n_cells, token, bits, requested)
