"""Names from files as text in Markdown, never markup; and numbers as text."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&^=\"'@/])")
_ADDRESS = re.compile(r"(?<=http)(?=s?://)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
"""Where a bare address is broken up: Markdown makes links of them after it has read the escapes."""
_JOINER = "\u2060"  # has no width and no meaning


def plain(name: object, *, longest: int = 80) -> str:
    """Return a name escaped for Streamlit's Markdown, shortened if it is very long."""
    text = " ".join(str(name).split())
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    text = _ADDRESS.sub(_JOINER, text)
    return _MARKUP.sub(r"\\\1", text)


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for reading, or a dash where there is none."""
    return "–" if value is None else f"{value:z.{digits}f}"
