"""Small pieces of HTML in which every text is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any


class Safe(str):
    """HTML that is complete already; everything else is text and gets escaped."""

    __slots__ = ()


def shown(value: Any) -> Safe:
    """Return a value as HTML: numbers rounded, None as a dash, text escaped."""
    if isinstance(value, Safe):
        return value
    if value is None or value != value:  # NaN
        return Safe("–")
    if isinstance(value, bool):
        return Safe("yes" if value else "no")
    if isinstance(value, float):
        return Safe(f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}")
    if isinstance(value, int):
        return Safe(f"{value:,}")
    return Safe(html.escape(str(value)))


def element(name: str, *children: Any, **attributes: str) -> Safe:
    """Return an element; children are escaped unless they are `Safe`."""
    given = "".join(
        f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items()
    )
    return Safe(f"<{name}{given}>{''.join(map(shown, children))}</{name}>")


def joined(parts: Iterable[Any]) -> Safe:
    """Return parts one after another."""
    return Safe("".join(map(shown, parts)))


def table(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Safe:
    """Return a table; numbers are set to the right."""
    head = element("tr", *(element("th", cell) for cell in header))
    body = [element("tr", *(_cell(cell) for cell in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


def _cell(value: Any) -> Safe:
    # What is not known stands as a dash below the numbers of its column.
    is_number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return element("td", value, class_="number") if is_number else element("td", value)


def image(png: bytes, text: str) -> Safe:
    """Return a picture that is part of the page, at the size that 150 dots per inch mean."""
    data = base64.b64encode(png).decode()
    width = int.from_bytes(png[16:20], "big") * 96 // 150
    source = f"data:image/png;base64,{data}"
    return Safe(f'<img src="{source}" width="{width}" alt="{html.escape(text)}">')
