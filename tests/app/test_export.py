"""Export: every format in each of its states, and settings from a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from harmony_core.export.formats import EXPORT_FORMATS, export_format
from harmony_core.export.job import OPTIONS
from harmony_core.export.settings import settings_text
from harmony_core.jobs.work import export_work
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.store import Dataset, examples
from pages.ui import state
from pages.ui.export import card
from tests.app.conftest import Waiting, ears


@pytest.fixture
def app(app: AppTest) -> AppTest:
    app.run()
    app.switch_page("pages/export.py").run()
    assert not app.exception
    return app


@pytest.fixture
def sample(app: AppTest, runner: Waiting) -> tuple[Dataset, RunParams]:
    """The dataset on screen and its finished run."""
    found = runner.store.dataset(examples.fingerprint(runner.store, examples.FIRST))
    params = state.suggested(found.info)
    assert params is not None
    return found, params


def folder_of(runner: Waiting, sample: tuple[Dataset, RunParams], name: str) -> Path:
    """Where a format with its default options is made."""
    format = export_format(name)
    how: dict[str, Any] = {"options": {c: OPTIONS[c].values[0] for c in format.options}}
    if format.compares:
        how["runs"] = []
    return export_work(*sample, name, how).folder.path


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def button(app: AppTest, label: str) -> Any:
    return next(b for b in app.button if b.label == label)


def texts(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in (*app.caption, *app.error, *app.success, *app.info))


def test_nothing_is_made_before_it_is_asked_for(app: AppTest, runner: Waiting) -> None:
    made = [f"Make {format.what}" for format in EXPORT_FORMATS if not format.needs_other]
    assert set(made) <= set(labels(app))
    assert "This needs a second run; move a slider on Tune." in texts(app)
    assert not [asked for asked in runner.handed if "h5ad" in asked]


@pytest.mark.parametrize(
    "name", [format.name for format in EXPORT_FORMATS if not format.needs_other]
)
def test_asked_for_under_way_finished(
    app: AppTest, runner: Waiting, sample: tuple[Dataset, RunParams], name: str
) -> None:
    format = export_format(name)
    button(app, f"Make {format.what}").click().run()
    assert not app.exception
    folder = folder_of(runner, sample, name)
    assert (runner.handed[-1][1], runner.handed[-1][4]) == (str(folder), name)
    assert ears(app)[name]["label"] == "Waiting for the worker"
    assert ears(app)[f"card-{name}"]["waits"]
    (folder / "progress.json").write_text(json.dumps({"state": "running", "step": "Drawing *all*"}))
    app.run()
    (progress,) = ears(app)[name]["works"].values()
    assert progress["step"] == "Drawing *all*"
    assert "Cancel" in labels(app)
    finish(folder)
    app.run()
    assert not app.exception
    assert "Cancel" not in labels(app)
    assert not ears(app)[f"card-{name}"]["waits"]
    assert f"Make {format.what}" not in labels(app)
    assert any(e.proto.label == f"Download {format.what} (5 bytes)" for e in downloads(app))
    assert r"leiden is now \<b\>" in texts(app)


def finish(folder: Path) -> None:
    """Do what the worker does."""
    (folder / "it.bin").write_bytes(b"12345")
    (folder / "notes.txt").write_text("leiden is now <b>")
    values = {"state": "finished", "share": 1.0, "result": "it.bin"}
    (folder / "progress.json").write_text(json.dumps(values))


def downloads(app: AppTest) -> list[Any]:
    return list(app.get("download_button"))


def test_cancelled_it_can_be_asked_for_again(
    app: AppTest, runner: Waiting, sample: tuple[Dataset, RunParams]
) -> None:
    button(app, "Make h5ad").click().run()
    button(app, "Cancel").click().run()
    assert not app.exception
    assert (folder_of(runner, sample, "h5ad") / "cancel").exists()
    button(app, "Make h5ad").click().run()
    assert not (folder_of(runner, sample, "h5ad") / "cancel").exists()
    assert "Cancel" in labels(app)


def test_a_failure_is_said_and_can_be_tried_again(
    app: AppTest, runner: Waiting, sample: tuple[Dataset, RunParams]
) -> None:
    button(app, "Make h5ad").click().run()
    folder = folder_of(runner, sample, "h5ad")
    message = "'x.h5ad' could not be written: there is no room left (it may take up to 3 GB)."
    (folder / "progress.json").write_text(json.dumps({"state": "failed", "message": message}))
    runner.end()
    app.run()
    assert "there is no room left" in app.error[0].value
    assert "up to 3 GB" in app.error[0].value
    n_asked = len(runner.handed)
    button(app, "Try again").click().run()
    assert len(runner.handed) == n_asked + 1
    assert "Cancel" in labels(app)


def test_another_option_is_another_file(
    app: AppTest, runner: Waiting, sample: tuple[Dataset, RunParams]
) -> None:
    folder = folder_of(runner, sample, "h5ad")
    folder.mkdir(parents=True)
    finish(folder)
    app.run()
    assert "Make h5ad" not in labels(app)
    app.selectbox(key="h5ad:compression").set_value("lzf").run()
    button(app, "Make h5ad").click().run()
    assert runner.handed[-1][5] == {"options": {"compression": "lzf"}}


def test_what_is_too_large_for_a_browser_is_copied(
    app: AppTest,
    runner: Waiting,
    sample: tuple[Dataset, RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(card, "LARGEST_DOWNLOAD", 4)
    folder = folder_of(runner, sample, "zarr")
    folder.mkdir(parents=True)
    finish(folder)
    app.run()
    assert app.code[0].value == str(folder / "it.bin")
    assert "too much for a browser" in texts(app)
    assert not downloads(app)


def load(app: AppTest, content: str | bytes, name: str = "mine.toml") -> AppTest:
    data = content if isinstance(content, bytes) else content.encode()
    app.file_uploader(key="settings-file").upload(name, data, "application/octet-stream").run()
    assert not app.exception
    return app


def test_settings_from_a_file_move_every_slider(
    app: AppTest, sample: tuple[Dataset, RunParams]
) -> None:
    app.switch_page("pages/data.py").run()
    app.switch_page("pages/tune.py").run()
    params = sample[1]
    params = replace(
        params,
        harmony=replace(params.harmony, theta=(5.5,), sigma=0.2, nclust=3),
        prepare=replace(params.prepare, n_pcs=31),
    )
    app.switch_page("pages/export.py").run()
    load(app, settings_text(params))
    assert "The sliders stand at" in app.success[0].value
    app.switch_page("pages/tune.py").run()
    assert not app.exception
    values = {s.label: s.value for s in app.sidebar.slider}
    assert (values["theta"], values["sigma"], values["nclust"]) == (5.5, 0.2, 3)
    app.switch_page("pages/data.py").run()
    assert next(n for n in app.number_input if n.label == "Principal components").value == 31
    # Going on does not load the file again.
    app.switch_page("pages/tune.py").run()
    next(s for s in app.sidebar.slider if s.label == "theta").set_value(1.0).run()
    app.switch_page("pages/export.py").run()
    app.switch_page("pages/tune.py").run()
    assert next(s for s in app.sidebar.slider if s.label == "theta").value == 1.0


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("[harmony]\nbatch = ['condition']\nthetta = 1", "a.toml", "Unknown setting 'thetta'"),
        ("[harmony]\nbatch = ['condition']\nsigma = 7", "a.toml", "sigma is 7; it must lie"),
        ("[harmony]\nbatch = ['nope']", "a.toml", "'nope'"),
        ("label = 'nope'\n[harmony]\nbatch = ['condition']", "a.toml", "no column 'nope' for"),
        (
            "[harmony]\nbatch = ['condition']\n[prepare]\nbasis = 'X_no'",
            "a.toml",
            "no embedding 'X_no'",
        ),
        ("[harmony]\ntheta = 2", "a.toml", "names no batch variable"),
        ("{", "a.json", "is not valid JSON"),
        (b"\xff\xfe", "a.toml", "is not a text file"),
    ],
)
def test_settings_that_do_not_fit_change_nothing(
    app: AppTest,
    sample: tuple[Dataset, RunParams],
    content: str | bytes,
    name: str,
    message: str,
) -> None:
    load(app, content, name)
    shown = app.error[0].value.replace("\\", "")
    assert message in shown
    assert "Nothing was changed." in texts(app)
    app.switch_page("pages/tune.py").run()
    assert next(s for s in app.sidebar.slider if s.label == "theta").value == 2.0


def test_two_kept_runs_are_chosen_for_their_figure(
    app: AppTest,
    runner: Waiting,
    sample: tuple[Dataset, RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harmony_core.runs.results import RunResults

    _, params = sample
    other = replace(params, harmony=HarmonyParams(batch=params.harmony.batch, theta=(0.5,)))
    monkeypatch.setattr("harmony_core.runs.history.assessed_runs", lambda dataset: [other, params])
    monkeypatch.setattr(RunResults, "is_finished", True)
    app.run()
    assert app.selectbox(key="two_runs:First run").value == 0
    button(app, "Make figure of two runs").click().run()
    assert not app.exception
    assert runner.handed[-1][3] == params
    assert RunParams.from_dict(runner.handed[-1][5]["other"]) == other
