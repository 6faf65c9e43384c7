"""The colours are measured: CIEDE2000 between every two, as three kinds of eyes see them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from harmony_core.palette import (
    CATEGORICAL,
    EXPRESSION_DARK,
    EXPRESSION_LIGHT,
    MISSING,
    SMALLEST_DIFFERENCE,
    colors_for,
    scale_stops,
)

Array = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def linear(colors: tuple[str, ...]) -> Array:
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colors]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: Array) -> Array:
    """CIELAB (D65) of linear sRGB."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    t = np.clip(rgb, 0, 1) @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


def ciede2000(one: Array, two: Array) -> Array:
    """Sharma, Wu and Dalal 2005, equations 2 to 22."""
    (L1, a1, b1), (L2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0)
    mean_C = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_C**7 / (mean_C**7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    dh = (h2 - h1 + 180) % 360 - 180
    dH = 2 * np.sqrt(C1 * C2) * np.sin(np.radians(dh / 2))
    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    h = (h1 + dh / 2) % 360
    T = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    SL = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    SC, SH = 1 + 0.045 * C, 1 + 0.015 * C * T
    turn = np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    RT = -2 * np.sqrt(C**7 / (C**7 + 25.0**7)) * turn
    x, y, z = (L2 - L1) / SL, (C2 - C1) / SC, dH / SH
    return np.sqrt(x**2 + y**2 + z**2 + RT * y * z)


def test_the_distance_is_ciede2000() -> None:
    # Pairs 1, 7, 17 and 25 of the table published with the formula.
    one = np.array([[50, 2.6772, -79.7751], [50, 0, 0], [50, 2.5, 0], [60.2574, -34.0099, 36.2677]])
    two = np.array([[50, 0, -82.7485], [50, -1, 2], [73, 25, -18], [60.4626, -34.1751, 39.4387]])
    np.testing.assert_allclose(
        ciede2000(one, two), [2.0425, 2.3669, 27.1492, 1.2644], rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("first", [8, 12, 20, 30])
def test_the_first_colours_differ_as_much_as_the_module_says(first: int) -> None:
    rgb = linear(CATEGORICAL[:first])
    least = []
    for matrix in VISIONS.values():
        seen = lab(rgb @ matrix.T)
        apart = ciede2000(seen[:, None], seen[None])
        least.append(apart[~np.eye(first, dtype=bool)].min())
    assert min(least) >= SMALLEST_DIFFERENCE[first]


@pytest.mark.parametrize("vision", VISIONS)
def test_no_colour_looks_like_a_missing_value(vision: str) -> None:
    seen = lab(linear((MISSING, *CATEGORICAL)) @ VISIONS[vision].T)
    # The first twelve; of thirty colours one or other is grey to a colour-blind eye.
    assert ciede2000(seen[:1], seen[1:13]).min() > 11


def test_colours_are_visible_on_both_themes() -> None:
    lightness = lab(linear(CATEGORICAL))[:, 0]
    assert lightness.min() >= 28
    assert lightness.max() <= 88.5


@pytest.mark.parametrize(("scale", "sign"), [(EXPRESSION_LIGHT, -1), (EXPRESSION_DARK, 1)])
@pytest.mark.parametrize("vision", VISIONS)
def test_expression_changes_lightness_one_way(
    scale: tuple[str, ...], sign: int, vision: str
) -> None:
    lightness = lab(linear(scale) @ VISIONS[vision].T)[:, 0]
    assert (np.diff(lightness) * sign > 5).all()


def test_colors_for_repeats_after_thirty() -> None:
    colors = colors_for([str(i) for i in range(32)])
    assert len(set(colors.values())) == 30
    assert colors["30"] == CATEGORICAL[0]


def test_scale_stops_span_zero_to_one() -> None:
    assert scale_stops(["#000", "#777", "#fff"]) == [(0, "#000"), (0.5, "#777"), (1, "#fff")]
