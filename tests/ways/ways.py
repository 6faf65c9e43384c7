"""Three ways to ask the same: page, command line, Python. Each has a store of its own.

What is compared comes from each way's own output where it says it (verdict, notes, refusals), and
from its store for what it was computed from and what came out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from harmony_core import Run, Store, Study, cli
from harmony_core.errors import HarmonyExplorerError
from harmony_core.jobs.runner import Runner
from harmony_core.params import RunParams
from harmony_core.runs.notes import notes_on_start
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import HOME_VARIABLE, Dataset, StageKey, StageResult, digest
from harmony_core.store.files import load_arrays
from harmony_core.verdict.verdict import KINDS
from pages.ui import panels
from tests.ways.inputs import Question

_NO_LABEL = "(none)"
_MARKED = re.compile(r":(red|orange)\[.\] (.*)")
_SEVERITY = {"red": "red", "orange": "amber"}
"""How a page marks what is more than good to know, and its name elsewhere."""
_DECIDING = ("prepare", "correct", "assess")
"""Stages whose keys hold everything that decides a result."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What one way says to a question.

    Attributes
    ----------
    refused
        The sentence by which it refuses; then there is nothing else.
    kind, sentences
        The verdict.
    notes
        What is to be known beside it.
    design
        What cannot be told from the batch variable, with its severity.
    inputs
        Digest of everything stored that a run is computed from.
    keys
        Names of the stages that decide the result, which hold a digest of all their settings.
    cells, genes
        What was kept.
    before, corrected
        What correction started from, and the bytes of what came out.
    """

    refused: str = ""
    kind: str = ""
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    design: tuple[str, ...] = ()
    inputs: dict[str, Any] | None = None
    keys: tuple[str, ...] = ()
    cells: int = 0
    genes: int = 0
    before: Any = None
    corrected: bytes = b""


def by_python(question: Question, home: Path) -> Answer:
    """Ask in a notebook."""
    try:
        data = question.files if len(question.files) > 1 else question.files[0]
        study = Study.read(data, **_named(question), home=home)
        if question.basis is not None:
            study = study.prepare(basis=question.basis)
        run = study.correct()
    except HarmonyExplorerError as error:
        return Answer(refused=str(error))
    return _of_run(run)


def _named(question: Question) -> dict[str, Any]:
    said = {"batch": question.batch, "label": question.label}
    return said if question.condition is None else {**said, "condition": question.condition}


def _of_run(run: Run) -> Answer:
    """Read what a notebook prints of a run."""
    said, *lines = repr(run).splitlines()
    dataset, verdict = run.results.dataset, run.verdict
    assert said == f"Run of {dataset.name!r}: {' '.join(verdict.sentences)}"
    keys = _keys_of(dataset, run.results.params)
    design = [f"{found.severity}: {found.sentence}" for found in run.design]
    assert set(_warnings(lines)) <= set(design)
    return _answer(dataset, keys, verdict.kind, verdict.sentences, _notes(lines), _warnings(lines))


def _notes(lines: Sequence[str]) -> list[str]:
    return [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]


def _warnings(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.startswith(("red: ", "amber: "))]


def reopened_by_python(path: Path, home: Path) -> Answer:
    """Open a run's file in a notebook."""
    return _of_run(Run.read(path, home=home))


Judgement = tuple[str, list[str], list[str]]
"""Kind of the verdict on an embedding that the data bring, its sentences, and notes."""


def judged_by_python(question: Question, home: Path) -> Judgement:
    """Have the embedding in Harmony's place judged in a notebook."""
    study = Study.read(question.files, **_named(question), home=home)
    found = study.diagnose(str(question.corrected))
    return found.verdict.kind, list(found.verdict.sentences), [*study.notes, *found.notes]


def judged_by_command(question: Question, home: Path) -> Judgement:
    """Have it judged at a terminal."""
    name = str(question.corrected)
    command = ["diagnose", *map(str, question.files), "--batch", question.batch, "--json"]
    command += ["--label", str(question.label), "--basis-after", name, "--home", str(home)]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert cli.main(command) == 0
    told = json.loads(out.getvalue())
    return told["verdict"]["kind"], told["verdict"]["sentences"], told["data"]["notes"]


def reopened_by_command(path: Path, home: Path) -> tuple[dict[str, str], str]:
    """Return the stages that a report on a run's file is made from, and the report."""
    report = home.parent / "report.html"
    assert cli.main(["report", str(path), "--out", str(report), "--home", str(home)]) == 0
    (folder,) = (home / "datasets").iterdir()
    return _only_keys(Dataset(folder)), report.read_text("utf-8")


def by_command(question: Question, home: Path) -> Answer:
    """Ask at a terminal, with a report beside."""
    report = home.parent / "report.json"
    command = ["correct", *map(str, question.files), "--batch", question.batch]
    command += [] if question.label is None else ["--label", question.label]
    command += [] if question.basis is None else ["--basis", question.basis]
    said = {True: ["--condition"], False: ["--no-condition"]}
    command += said.get(question.condition, [])
    command += ["--home", str(home), "--out", str(home.parent / "out.h5ad")]
    screen = _Terminal()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(sys, "stderr", screen)
        status = cli.main([*command, "--report", str(report)])
    if status:
        assert status == 2
        return Answer(refused=screen.getvalue().rpartition("harmony-explorer: ")[2].strip())
    told = json.loads(report.read_text("utf-8"))
    verdict = told["verdict"]
    lines = out.getvalue().splitlines()
    assert lines[0] == f"{verdict['level']}: {' '.join(verdict['sentences'])}"
    notes = _notes(lines)
    assert notes == told["data"]["notes"]
    # What was renamed to be written is said by whoever writes a file, after all other notes.
    notes = [note for note in notes if " is kept as " not in note]
    dataset = Store(home).dataset(told["data"]["fingerprint"])
    keys = _only_keys(dataset)
    design = _warnings(lines[1:])
    assert design == [f"{found['level']}: {found['sentence']}" for found in told["design"]]
    answer = _answer(dataset, keys, verdict["kind"], verdict["sentences"], notes, design)
    assert (answer.cells, answer.genes) == (told["data"]["cells_kept"], told["data"]["genes_kept"])
    return answer


class _Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        return True


def compute_once(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let all stores share what was computed of the same data under the same key.

    What a way reads, chooses and says stays its own. That equal keys give equal bytes is for the
    questions that are asked without this.

    Parameters
    ----------
    folder
        Where results are kept for the other stores.
    """
    compute_now = Dataset._computed_now

    def computed_now(self: Dataset, key: StageKey, compute: Any) -> StageResult:
        kept, own = folder / self.fingerprint / key.folder, self.folder / "stages" / key.folder
        if kept.is_dir():
            shutil.copytree(kept, own)
            return self.finished(key) or compute_now(self, key, compute)
        result = compute_now(self, key, compute)
        shutil.copytree(own, kept)
        return result

    patch.setattr(Dataset, "_computed_now", computed_now)


class AtOnce(Executor):
    """Does everything in the asking process, before it answers."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **named))
        return future


class AtOnceRunner(Runner):
    """A runner without workers."""

    def start(self, delay: float = 0.0) -> None:
        pass


def by_page(question: Question, app: AppTest) -> Answer:
    """Ask on the pages Data and Tune: open by path, choose, look at the verdict."""
    app.switch_page("pages/data.py").run()
    _widget(app.multiselect, "Files on the server").set_value(list(map(str, question.files)))
    app.run()
    _widget(app.button, "Read").click().run()
    assert not app.exception
    if "The dataset you had before is still in hand." in map(_text, app.caption):
        return Answer(refused=_text(app.error[0]))
    if not any(w.label == "Batch variable(s)" for w in app.multiselect):
        return Answer(refused=_only_error(app))
    _choose(app, question)
    if app.error:
        return Answer(refused=_only_error(app))
    before_the_run = [_text(e) for e in (*app.caption, *app.warning)]
    design = [_text(e) for e in app.markdown]
    app.switch_page("pages/tune.py").run()
    assert not app.exception
    if app.error:
        return Answer(refused=_only_error(app))
    dataset = Store(os.environ[HOME_VARIABLE]).dataset(app.session_state["dataset"])
    params = RunParams.from_dict(app.session_state["settings"][dataset.fingerprint])
    panel = [e for e in app.expander if e.label.startswith(panels.NOTES)]
    notes = [_text(e) for each in panel for e in each.caption]
    for note in notes_on_start(dataset.info, params.prepare):
        assert any(note in text for text in before_the_run), note
    assessment = RunResults(dataset, params).assessment
    assert assessment is not None
    kind = next(kind for kind, facts in KINDS.items() if _says(app, facts.heading))
    sentences = [s for s in assessment.verdict.sentences if _says(app, s)]
    found = [_MARKED.fullmatch(text) for text in design]
    warnings = [f"{_SEVERITY[f[1]]}: {f[2]}" for f in found if f is not None]
    return _answer(dataset, _keys_of(dataset, params), kind, sentences, notes, warnings)


def _choose(app: AppTest, question: Question) -> None:
    """Choose what the page has not suggested by itself."""
    wanted = {
        "Batch variable(s)": [question.batch],
        "Label column": question.label or _NO_LABEL,
        **({} if question.basis is None else {"Start from": question.basis}),
        **({} if question.corrected is None else {"Corrected by": question.corrected}),
    }
    if question.condition is not None:
        wanted["The batch variable is a condition"] = question.condition
    for label, value in wanted.items():
        widget = _widget([*app.multiselect, *app.selectbox, *app.toggle], label)
        if widget.value != value:
            widget.set_value(value).run()
            assert not app.exception


def _says(app: AppTest, sentence: str) -> bool:
    return any(sentence in _text(e) for e in (*app.markdown, *app.caption))


def _widget(widgets: Any, label: str) -> Any:
    return next(w for w in widgets if w.label == label)


def _only_error(app: AppTest) -> str:
    (error,) = map(_text, app.error)
    return error


def _text(element: Any) -> str:
    """Return what stands on the page, without the marks that keep names from being Markdown."""
    return str(element.value).replace("\\", "").replace("\u2060", "")


def _answer(
    dataset: Dataset,
    keys: Mapping[str, str],
    kind: str,
    sentences: Sequence[str],
    notes: Sequence[str],
    design: Sequence[str],
) -> Answer:
    """Put together what was said and what is stored.

    Parameters
    ----------
    keys
        Folder of each of `_DECIDING`, by the stage's name.
    """
    stage = {name: load_arrays(dataset.folder / "stages" / keys[name]) for name in _DECIDING}
    kept = stage["prepare"]
    return Answer(
        kind=kind,
        sentences=tuple(sentences),
        notes=tuple(notes),
        design=tuple(design),
        inputs=stored_inputs(dataset),
        keys=tuple(keys[name] for name in _DECIDING),
        cells=len(kept["cells"]),
        genes=len(kept["genes"]),
        before=np.array(kept["embedding"]),
        corrected=np.asarray(stage["correct"]["embedding"]).tobytes(),
    )


def _keys_of(dataset: Dataset, params: RunParams) -> dict[str, str]:
    return {name: key.folder for name, key in Plan(dataset, params).keys.items()}


def _only_keys(dataset: Dataset) -> dict[str, str]:
    """Return the stages of a store that was asked for one run."""
    keys = {}
    for name in _DECIDING:
        (mark,) = (dataset.folder / "stages").glob(f"{name}-*/info.json")
        keys[name] = mark.parent.name
    return keys


def stored_inputs(dataset: Dataset) -> dict[str, Any]:
    """Return digests of all that a run is computed from, and what is known of it."""
    info = dataset.info.to_dict()
    del info["name"], info["reading"]  # data in memory have neither
    arrays = {
        f"{folder}/{name}": digest(array.dtype.str, array.shape, np.asarray(array).tobytes().hex())
        for folder in ("matrix", "embeddings")
        for name, array in load_arrays(dataset.folder / folder).items()
    }
    obs = dataset.obs.to_csv()
    return info | arrays | {"obs": obs, "types": dataset.obs.dtypes.astype(str).to_dict()}
