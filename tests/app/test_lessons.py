"""Lessons: every shipped one fits its data and can be done; faults of one's own are sentences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from harmony_core.errors import InputError
from harmony_core.store import Dataset, Store, examples
from pages.ui.lessons.checks import Sight, findings, missing_in_data, solution_of
from pages.ui.lessons.lesson_file import (
    FOLDER,
    LARGEST_FILE,
    Lesson,
    Step,
    read_lesson,
    shipped,
)
from tests.app import solve_lessons
from tests.app.conftest import ROOT, Waiting

STEPS = list(solve_lessons.steps())
SOLVED = json.loads(solve_lessons.FILE.read_text("utf-8"))
LEAST = """
title = "A"
about = "B"
minutes = 5
data = "sibling"
[[steps]]
title = "C"
text = "D"
action = "E"
[steps.check]
verdict = "over"
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    store = Store(tmp_path_factory.mktemp("samples"))
    examples.install(store)
    return {key: store.dataset(examples.shipped_fingerprint(key)) for key in examples.EXAMPLES}


def _sight(step: Step, settings: dict[str, Any], dataset: Dataset, *, done: bool) -> Sight:
    """Return what is on screen when a step begins, or when it is done."""
    check, params = step.check, solve_lessons.params_of(settings, dataset)
    stored = SOLVED.get(solve_lessons.name_of(step, settings))
    given = {
        "params": params,
        "assessment": None if stored is None else solve_lessons.read(stored),
        "obs": dataset.obs,
        "colour": step.view.colour,
        "gene": step.view.gene,
    }
    if done:
        level = check.selected[0] if check.selected else None
        given |= {"answer": check.answer, "film": None}
        given |= {"colour": check.colour[0]} if check.colour else {}
        given |= {"gene": check.genes[0]} if check.genes else {}
        if check.film is not None:
            given["film"] = next(i for i in range(5) if check.film[0] <= i <= check.film[1])
        if level is not None:
            given["selected"] = np.asarray(dataset.obs[params.label] == level)
    return Sight(**given)


@pytest.mark.parametrize(("name", "lesson", "step"), STEPS, ids=[name for name, _, _ in STEPS])
def test_a_step_fits_its_data_asks_for_something_and_can_be_done(
    name: str, lesson: Lesson, step: Step, samples: dict[str, Dataset]
) -> None:
    dataset = samples[step.data]
    start = solve_lessons.params_of({}, dataset)
    assert missing_in_data(lesson, step, dataset, start) == []
    at_first = findings(step.check, _sight(step, dict(step.view.settings), dataset, done=False))
    assert not all(finding.is_met for finding in at_first)
    at_the_end = findings(step.check, _sight(step, solution_of(step), dataset, done=True))
    assert [finding.sentence for finding in at_the_end if not finding.is_met] == []


def test_six_lessons_of_three_to_six_steps_are_shipped_and_an_example() -> None:
    assert [len(lesson.steps) for lesson in shipped().values()] == [3, 4, 6, 5, 3, 3]
    example = read_lesson((FOLDER / "own_lesson.toml").read_bytes(), "own_lesson.toml")
    assert example.steps[0].check.answer in example.steps[0].check.choices


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('title = "A"', "titel = 'A'"), "title is missing"),
        (("about", "colour = 'x'\nabout"), "'colour' is no entry; there can be"),
        (("minutes = 5", "minutes = '5'"), "minutes must be a whole number from 1 to 600"),
        (('"sibling"', '"mine"'), "data must be one of kang, missing_nk, sibling, not 'mine'"),
        (("[[steps]]", "[steps]"), "steps must be 1 to 20 tables"),
        (('text = "D"', f'text = "{"D" * 4000}"'), "step 1: text is longer than 3,000"),
        (('"over"', '"bad"'), "step 1, check: verdict has 'bad'; there are"),
        (('verdict = "over"', ""), "step 1, check: needs at least one entry"),
        (("verdict", "answer = 'x'\nverdict"), "choices and answer need a question"),
        (("verdict", "film = {to = 3}\nverdict"), "film must be a number, or a table of at_least"),
        (("verdict", f"film = {'9' * 400}\nverdict"), "film must be a number"),
        (("verdict", "merged = ['T1']\nverdict"), "merged must name two labels"),
        (("verdict", "numbers = {good = 1}\nverdict"), "'good' is no number; there are mcm"),
        (("[steps.check]", "view = 3\n[steps.check]"), "view: must be a table"),
        (("title", "=title"), "is not valid TOML"),
        (("title", "x = " + "[" * 50_000 + "\ntitle"), "is not valid TOML"),
        (("title", ".".join("a" * 30_000) + " = 1\ntitle"), "more parts"),
        (("title", "#" * LARGEST_FILE + "\ntitle"), "too large for a lesson"),
    ],
)
def test_a_fault_is_a_sentence_that_says_where(change: tuple[str, str], sentence: str) -> None:
    read_lesson(LEAST.encode(), "mine.toml")
    with pytest.raises(InputError, match=r"mine\.toml") as refused:
        read_lesson(LEAST.replace(*change, 1).encode(), "mine.toml")
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 600


def _text(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.warning, *app.success, *app.error]
    return "\n".join(str(e.value) for e in elements)


def test_a_link_opens_a_step_and_who_else_opens_it_shares_its_run(
    app: AppTest, runner: Waiting
) -> None:
    app.query_params |= {"lesson": "over_correction", "step": "2"}
    app.run()
    assert not app.exception
    assert "step 2 of 6: The theta that merges them" in _text(app)
    assert dict(app.query_params)["lesson"] == "over_correction"
    assert next(s for s in app.sidebar.slider if s.label == "theta").value == 0.5
    jobs = len(runner.queue.jobs)
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    other.query_params |= {"lesson": "over_correction", "step": "1"}  # of the same settings
    other.run()
    assert not other.exception
    assert len(runner.queue.jobs) == jobs
    assert {len(job.viewers) for job in runner.wanted} == {2}
    next(b for b in other.button if b.label == "Close").click().run()
    assert "step 1 of 6" not in _text(other)


def test_a_page_loaded_again_within_a_step_keeps_what_was_moved(app: AppTest) -> None:
    moved = {"lesson": "over_correction", "step": "2", "sample": "sibling", "theta": "4"}
    app.query_params |= moved
    app.run()
    assert not app.exception
    assert "step 2 of 6" in _text(app)
    assert next(s for s in app.sidebar.slider if s.label == "theta").value == 4
    assert float(dict(app.query_params)["theta"]) == 4


@pytest.mark.parametrize(
    ("lesson", "step", "sentence"),
    [
        ("none", "1", "no lesson"),
        ("theta", "x", "no step"),
        ("../a.toml", "1", "No folder of this server"),
    ],
)
def test_a_link_to_no_step_is_said(app: AppTest, lesson: str, step: str, sentence: str) -> None:
    app.query_params |= {"lesson": lesson, "step": step}
    app.run()
    assert not app.exception
    assert sentence in _text(app)


def test_a_lesson_of_ones_own_is_read_from_an_allowed_folder(
    app: AppTest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("course")
    monkeypatch.setenv("HARMONY_EXPLORER_DATA", str(folder))
    (folder / "mine.toml").write_text(LEAST.replace('"C"', '"![x](http://a.org)"'))
    (folder / "none.toml").write_text(LEAST.replace('verdict = "over"', 'apart = "T9"'))
    app.query_params |= {"lesson": "none.toml"}
    app.run()
    assert "Step 1: There is no cell type" in _text(app).replace("\\", "")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params |= {"lesson": "mine.toml"}
    app.run()
    assert not app.exception
    assert "step 1 of 1: \\!\\[x\\]" in _text(app)


def test_the_page_shows_all_steps_to_who_teaches_and_takes_a_file(
    app: AppTest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("course")
    monkeypatch.setenv("HARMONY_EXPLORER_DATA", str(folder))
    (folder / "theta.toml").write_text(LEAST)  # one of ours is called so too
    app.run()
    app.switch_page("pages/lessons.py").run()
    assert "What usually goes wrong" not in _text(app)
    app.toggle(key="lessons-teaching").set_value(True).run()
    assert "What usually goes wrong" in _text(app)
    assert "[Link to this step](./?lesson=theta&step=4)" in _text(app)
    for path, sentence in (("gone.toml", "There is no file"), ("theta.toml", "is in the list")):
        app.text_input(key="lesson-path").set_value(path).run()
        app.button(key="lesson-read").click().run()
        assert not app.exception
        assert sentence in _text(app)
    assert [b.key for b in app.button if b.key.startswith("begin-")][-1] == "begin-theta.toml"
    app.button(key="open-film-1").click().run()
    assert app.session_state["lesson-in-hand"] == ("film", 1)
