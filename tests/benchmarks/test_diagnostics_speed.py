"""The benchmark of speed: what it times as the states, and which aims it calls missed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.diagnostics_speed import LIMITS, STATES, Row, failures, make, measure, once


def test_the_states_that_are_timed_are_those_of_the_reference() -> None:
    material = make(600)
    timed, of_reference = once(material)[STATES]().to_arrays(), material.reference.lent.to_arrays()
    assert timed.keys() == of_reference.keys()
    for name, values in of_reference.items():
        np.testing.assert_array_equal(timed[name], values)


def test_a_group_is_measured_beside_a_peer(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = measure(600, ["once"])
    assert (row.cells, row.group, row.name) == (600, "once", STATES)
    assert row.seconds > 0
    assert "Leiden" in row.beside
    assert row.ratio is not None
    printed = capsys.readouterr().out
    assert "once in all" in printed
    assert "interactive" not in printed


def sizes(seconds: dict[int, float], peak_mb: dict[int, float]) -> list[Row]:
    return [Row(n, "once", STATES, s, peak_mb[n]) for n, s in seconds.items()]


@pytest.mark.parametrize(
    ("seconds", "peak_mb", "missed"),
    [
        ({25_000: 2.0, 100_000: 8.0}, {25_000: 100.0, 100_000: 400.0}, ""),
        ({25_000: 2.0, 100_000: 11.9}, {25_000: 100.0, 100_000: 400.0}, "once takes 11.90 s"),
        ({25_000: 1.0, 100_000: 8.0}, {25_000: 100.0, 100_000: 400.0}, "time per cell grows 2.0"),
        ({25_000: 2.0, 100_000: 8.0}, {25_000: 100.0, 100_000: 999.0}, "memory per cell grows 2.5"),
        ({25_000: 2.0, 100_000: 8.0}, {25_000: 1.0, 100_000: 400.0}, ""),  # one is mere noise
        ({250_000: 30.0}, {250_000: 999.0}, ""),  # the limit is for fewer cells
    ],
)
def test_aims_that_are_missed_are_said(
    seconds: dict[int, float], peak_mb: dict[int, float], missed: str
) -> None:
    assert LIMITS["once"] == 10
    found = failures(sizes(seconds, peak_mb))
    assert len(found) == bool(missed)
    assert all(missed in line for line in found)
