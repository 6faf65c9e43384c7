"""Colours that stay apart for colour-blind readers, the same on screen and on paper.

The categorical colours were searched by computer: from a grid of sRGB colours of lightness 28 to
88 (visible on white and on the dark theme), the sets of 8, then 12, 20 and 30 whose closest pair is
furthest apart by CIEDE2000, as seen with normal vision, protanopia and deuteranopia (simulation of
Machado et al. 2009). Each set contains the one before it. `tests/test_palette.py` measures it.

Light on purpose: plain strings, read by pages and by exports.
"""

from __future__ import annotations

from collections.abc import Sequence

CATEGORICAL: tuple[str, ...] = (
    *("#4884f0", "#c07800", "#6c009c", "#006c60", "#fc849c", "#60f0fc", "#90000c", "#d8e400"),
    *("#fccc9c", "#906c90", "#489c6c", "#786c3c"),
    *("#00a8c0", "#cc1878", "#6054d8", "#d8a800", "#9cb46c", "#90c0fc", "#3c5430", "#6cf0cc"),
    *("#c03c00", "#f0b4d8", "#840060", "#7878b4", "#e45460", "#9c3c9c", "#844854", "#78c0b4"),
    *("#00a8f0", "#cc78a8"),
)
"""Thirty colours, told apart best when taken from the start."""

SMALLEST_DIFFERENCE = {8: 20.9, 12: 12.3, 20: 9.4, 30: 7.4}
"""Least CIEDE2000 difference among the first so many colours, in the worst of the three visions."""

MISSING = "#c8c8c8"
"""For cells without a value; apart from the first twelve colours in the same sense."""

EXPRESSION_LIGHT: tuple[str, ...] = (
    *("#dfe3ea", "#b9c3e0", "#8f8fd0", "#7a55b8", "#6a1b8f", "#3d0a52"),
)
"""Expression from none to high on a light background: lightness falls evenly, in any vision."""

EXPRESSION_DARK: tuple[str, ...] = (
    *("#333a46", "#4a4f86", "#7a5fc0", "#b97ad9", "#f0a5d0", "#ffe9c9"),
)
"""The same on a dark background: lightness rises."""

DIVERGING: tuple[str, ...] = ("#c07800", "#e8eaee", "#0f6b9c")
"""From fewer than expected, through as many, to more."""

BEFORE, AFTER = "#906c90", "#4884f0"
"""The two sides of a run, wherever numbers of both share an axis."""


def colors_for(levels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each level, in the order given; from the 31st on they repeat.

    Examples
    --------
    >>> colors_for(["control", "stimulated"])
    {'control': '#4884f0', 'stimulated': '#c07800'}
    """
    return {level: CATEGORICAL[i % len(CATEGORICAL)] for i, level in enumerate(levels)}


def scale_stops(colors: Sequence[str]) -> list[tuple[float, str]]:
    """Return a colour scale as positions from 0 to 1 with their colours, as plotting libraries ask.

    Parameters
    ----------
    colors
        At least two colours, from low to high.
    """
    return [(i / (len(colors) - 1), color) for i, color in enumerate(colors)]
