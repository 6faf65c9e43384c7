"""Write the verdicts on the settings that lessons begin with and end at.

Run it after a lesson's settings or the verdict have changed::

    python -m tests.app.solve_lessons

``tests/app/test_lessons.py`` reads them: to compute all of them takes a minute.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harmony_core.params import RunParams
from harmony_core.runs.link import from_parameters
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store, examples
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.verdict import Verdict
from pages.ui import state
from pages.ui.lessons.checks import solution_of
from pages.ui.lessons.lesson_file import Lesson, Step, link_texts, shipped

FILE = Path(__file__).with_name("solved_lessons.json")


def steps() -> Iterator[tuple[str, Lesson, Step]]:
    """Yield every step of the lessons that are shipped, with a name for it."""
    for key, lesson in shipped().items():
        for place, step in enumerate(lesson.steps, start=1):
            yield f"{key} {place}", lesson, step


def params_of(settings: dict[str, Any], dataset: Dataset) -> RunParams:
    """Return the settings that a lesson puts on screen."""
    start = state.suggested(dataset.info)
    assert start is not None
    params, problems = from_parameters(link_texts(settings), dataset, start)
    assert not problems
    return params


def name_of(step: Step, settings: dict[str, Any]) -> str:
    """Return by what the verdict on some settings is found."""
    return f"{step.data} {json.dumps(settings, sort_keys=True)}"


def read(values: dict[str, Any]) -> Assessment:
    """Return an assessment as far as lessons look at it."""
    verdict = Verdict(severity="green", kind=values["kind"], sentences=())
    rest = {"detections": {}, "shared": {}, "states": (), "notes": []}
    metrics = {"metrics": {"before": {}, "after": values["after"]}}
    found = {**metrics, "verdict": verdict.to_dict(), "labels": values["labels"], **rest}
    return Assessment.from_dict(found, {})


def main() -> None:
    solved: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        store = Store(home)
        for _, _, step in steps():
            dataset = store.dataset(examples.fingerprint(store, step.data))
            for settings in (dict(step.view.settings), solution_of(step)):
                name = name_of(step, settings)
                if name in solved or not step.check.needs_verdict:
                    continue
                params = params_of(settings, dataset)
                Pipeline(dataset, params).run("assess")
                found = RunResults(dataset, params).assessment
                assert found is not None
                solved[name] = {
                    "kind": found["verdict"]["kind"],
                    "after": found["metrics"]["after"],
                    "labels": found["labels"],
                }
                print(name, solved[name]["kind"])
    FILE.write_text(json.dumps(solved, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
