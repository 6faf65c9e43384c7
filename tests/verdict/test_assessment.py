"""An assessment as the store has it, read and written."""

from __future__ import annotations

import json

from harmony_core.runs.results import RunResults
from harmony_core.verdict.assessment import Assessment


def test_what_is_stored_is_read_and_would_be_written_the_same(finished: RunResults) -> None:
    stage, found = finished.stage("assess"), finished.assessment
    assert stage is not None
    assert found is not None
    stored = {name: value for name, value in stage.info.items() if name != "seconds"}
    assert json.loads(json.dumps(found.to_dict())) == stored
    assert Assessment.from_dict(found.to_dict(), {}) == found


def test_subscripts_give_the_stored_values(finished: RunResults) -> None:
    stage, found = finished.stage("assess"), finished.assessment
    assert stage is not None
    assert found is not None
    for name in ("metrics", "verdict", "detections", "labels", "notes"):
        assert found[name] == stage.info[name]
    assert found["verdict"]["kind"] == found.verdict.kind
    assert found.metrics["after"] == found.after
