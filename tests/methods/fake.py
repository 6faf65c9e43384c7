"""Methods for tests: `fake_method` makes them known for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harmony_core.method_catalog import METHODS, Method, MethodSetting
from harmony_core.methods.integration.environment import VARIABLE
from harmony_core.ranges import Range

FAKE = Method(
    name="fake",
    title="Fake",
    about="Moves each batch to one place.",
    library="numpy",
    requirement="numpy",
    extra="methods",
    gives="embedding",
    needs="embedding",
    settings=(
        MethodSetting("how", Range(low=0, high=6, step=1), 0, "What goes wrong."),
        MethodSetting("scale", Range(low=0, high=10, step=1), 1.0, "More makes it larger."),
        MethodSetting("k", Range(low=1, high=1000, step=1), 5, "Cells a batch must have."),
    ),
    citation="Nobody. Nothing. Never.",
    child=Path(__file__).with_name("fake_child.py"),
    version=1,
    neighbors="k",
)

FAKE_GRAPH = replace(
    FAKE,
    name="fake_graph",
    title="Fake graph",
    gives="graph",
    child=Path(__file__).with_name("fake_graph_child.py"),
    notes=("It gives a graph only.",),
)
"""Gives neighbours in each batch, ``k`` in each, and no embedding."""


@pytest.fixture
def fake_method(monkeypatch: pytest.MonkeyPatch) -> Method:
    """A method that is known during a test, and runs with this interpreter."""
    for method in (FAKE, FAKE_GRAPH):
        monkeypatch.setitem(METHODS, method.name, method)
    monkeypatch.delenv(VARIABLE, raising=False)
    return FAKE
