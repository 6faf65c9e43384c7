"""The catalogue of metrics is complete, and what other lists name is in it."""

from __future__ import annotations

from harmony_core.metric_catalog import (
    HEADLINE,
    METRICS,
    PER_CELL,
    SCIB_CONSERVATION,
    SCIB_MIXING,
    metric_title,
)
from harmony_core.thresholds import TABLE


def test_every_entry_is_complete() -> None:
    for name, metric in METRICS.items():
        for part in (metric.title, metric.what, metric.good, metric.sure, metric.source):
            assert part.strip(), name
        assert set(metric.limits) <= set(TABLE), name


def test_what_is_named_elsewhere_is_in_it() -> None:
    scib = (*SCIB_MIXING.values(), *SCIB_CONSERVATION.values())
    assert set(METRICS) >= {*HEADLINE, *PER_CELL, *scib}
    assert all(METRICS[name].brief for name in HEADLINE)


def test_a_number_that_it_lacks_has_a_title_all_the_same() -> None:
    assert metric_title("mcm") == "Matched-cluster mixing"
    assert metric_title("other_number") == "Other number"
