"""Messages from Python to the browser: positions, columns, and the state of the view.

A message is an address of 16 characters, the length of a JSON header, the header, and the arrays
it lists, each starting at a multiple of four bytes (JavaScript's typed arrays need that). The
address of cells is a digest of them, so the browser never decodes the same cells twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Largest 16-bit number; in every 16-bit array it says "no value here".
MISSING = 65535

#: Between the texts of a column; no name that a person gave contains it.
SEPARATOR = "\0"


@dataclass(frozen=True)
class Panel:
    """One panel of the linked view.

    Attributes
    ----------
    title : str
        Shown above the panel.
    coordinates : ndarray of shape (n_cells, 2) or None
        Positions in any unit. A cell whose position is not finite is not drawn; None leaves
        the panel empty, as before the first result.
    note : str
        A word beside the title, such as "preview".
    alt : str
        One sentence more for the text alternative, such as the mixing or the verdict.
    dimmed : bool
        Whether the panel is shown faded, because a newer result is on its way.
    """

    title: str
    coordinates: NDArray[np.floating] | None
    note: str = ""
    alt: str = ""
    dimmed: bool = False


@dataclass(frozen=True)
class Categories:
    """A value from a short list for each cell.

    Attributes
    ----------
    name : str
        Name of the variable.
    codes : ndarray of shape (n_cells,)
        Index into `levels`; a negative code means that the cell has no level.
    levels : tuple of str
        Names of the levels.
    colors : tuple of str
        One CSS colour per level; may stay empty where the levels are only shown on hover.
    """

    name: str
    codes: NDArray[np.integer]
    levels: tuple[str, ...]
    colors: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes


@dataclass(frozen=True)
class Values:
    """A number for each cell.

    Attributes
    ----------
    name : str
        Name of the variable or gene.
    values : ndarray of shape (n_cells,)
        NaN means that the cell has no value.
    vmin, vmax : float
        Where the colours start and end; values beyond take the end colours.
    colors : tuple of str
        CSS colours from low to high. When empty, the view takes a scale that starts close to the
        page's background, so that high values stand out in the light and in the dark theme.
    """

    name: str
    values: NDArray[np.floating]
    vmin: float
    vmax: float
    colors: tuple[str, ...] = ()


Column = Categories | Values | NDArray[np.str_] | Sequence[str]


def size(column: Column | NDArray[np.generic]) -> int:
    """Return of how many cells a column is."""
    if isinstance(column, Categories):
        return len(column.codes)
    return len(column.values) if isinstance(column, Values) else len(column)


class Message(NamedTuple):
    """A message, ready to be sent.

    Attributes
    ----------
    address
        By which the browser asks for it.
    data
        The message.
    n_cells
        How many cells it is about.
    """

    address: str
    data: bytes
    n_cells: int = 0

    @property
    def nbytes(self) -> int:
        return len(self.data)


def layout_message(coordinates: NDArray[np.floating]) -> Message:
    """Pack positions as 16-bit fractions of their own range.

    A screen shows a few thousand pixels, so 65,534 steps a side stay sharp at every zoom that
    the view allows, at half the size of float32.

    Parameters
    ----------
    coordinates : ndarray of shape (n_cells, 2)

    Returns
    -------
    Message
    """
    if coordinates.ndim != 2 or coordinates.shape[1] != 2:
        raise ValueError(f"coordinates must have the shape (cells, 2), not {coordinates.shape}.")
    # All x, then all y: the browser reads each as one array, and numpy is quicker on rows.
    points = np.ascontiguousarray(coordinates.T, dtype=np.float32)
    drawn = np.isfinite(points).all(axis=0)
    axes = [_quantise(np.where(drawn, axis, np.nan)) for axis in points]
    bounds = [bound for _, low, high in axes for bound in (low, high)] if drawn.any() else None
    steps = np.concatenate([steps for steps, _, _ in axes])
    return _addressed({"bounds": bounds}, [steps], len(coordinates))


def columns_message(columns: Mapping[str, Column]) -> Message:
    """Pack named columns: levels, numbers, or text.

    Parameters
    ----------
    columns : mapping of str to Categories, Values or strings
        The key is the part that the column plays; strings are named by their key.

    Returns
    -------
    Message
    """
    described: list[dict[str, object]] = []
    arrays: list[NDArray[np.generic]] = []
    for role, column in columns.items():
        description, array = _column(role, column)
        described.append({"role": role, **description})
        arrays.append(array)
    n_cells = max(map(size, columns.values()), default=0)
    return _addressed({"columns": described}, arrays, n_cells)


def _column(role: str, column: Column) -> tuple[dict[str, object], NDArray[np.generic]]:
    if isinstance(column, Categories):
        codes = np.asarray(column.codes)
        if codes.size and codes.max() >= len(column.levels):
            raise ValueError(
                f"A code of {column.name} points beyond its {len(column.levels)} levels."
            )
        described = {
            "kind": "categories",
            "name": column.name,
            "levels": [str(level) for level in column.levels],
            "colors": list(column.colors),
        }
        return described, np.where(codes < 0, MISSING, codes).astype("<u2")
    if isinstance(column, Values):
        steps, low, high = _quantise(np.asarray(column.values, dtype=np.float32))
        described = {
            "kind": "values",
            "name": column.name,
            "range": [low, high],
            "limits": [float(column.vmin), float(column.vmax)],
            "colors": list(column.colors),
        }
        return described, steps
    texts = list(map(str, np.asarray(column).tolist()))
    joined = SEPARATOR.join(texts)
    if joined.count(SEPARATOR) != max(len(texts) - 1, 0):
        joined = SEPARATOR.join(text.replace(SEPARATOR, " ") for text in texts)
    return {"kind": "text", "name": role}, np.frombuffer(joined.encode(), dtype=np.uint8)


def _quantise(values: NDArray[np.float32]) -> tuple[NDArray[np.uint16], float, float]:
    """Turn numbers into steps of their own range; those that are not finite become MISSING."""
    known = np.isfinite(values)
    complete = known.all()
    finite = values if complete else values[known]
    low, high = (finite.min(), finite.max()) if finite.size else (np.float32(0), np.float32(1))
    # In double precision: the range of two float32 may be beyond float32.
    scale = (MISSING - 1) / (float(high) - float(low)) if high > low else 0.0
    steps = np.full(values.shape, MISSING, dtype="<u2")
    steps[slice(None) if complete else known] = np.rint((finite - low) * np.float32(scale))
    return steps, float(low), float(high)


def state_message(key: str, state: Mapping[str, object]) -> Message:
    """Pack what is neither positions nor columns, under an address that depends on `key` alone.

    Parameters
    ----------
    key : str
        Identity of the view on its page.
    state : mapping
        Anything that JSON can say.

    Returns
    -------
    Message
    """
    address = _digest(key.encode())
    return Message(address, address.encode() + _body(state, []))


def _addressed(
    header: Mapping[str, object], arrays: Sequence[NDArray[np.generic]], n_cells: int
) -> Message:
    body = _body(header, arrays)
    address = _digest(body)
    return Message(address, address.encode() + body, n_cells)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _body(header: Mapping[str, object], arrays: Sequence[NDArray[np.generic]]) -> bytes:
    listed = [{"bytes": array.nbytes, "width": array.itemsize} for array in arrays]
    text = json.dumps({**header, "arrays": listed}).encode()
    # 16 characters of address and 4 bytes of length come before the header.
    pieces = [len(text).to_bytes(4, "little"), text, b"\0" * (-(20 + len(text)) % 4)]
    for array in arrays:
        pieces += [array.tobytes(), b"\0" * (-array.nbytes % 4)]
    return b"".join(pieces)
