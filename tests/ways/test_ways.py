"""The same input gives the same result and the same sentences from page, terminal and Python."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core import Study
from harmony_core.io.server_files import FOLDERS_VARIABLE
from harmony_core.jobs.places import Place
from harmony_core.methods import umap
from harmony_core.store import HOME_VARIABLE, Store
from pages.ui import faults, services
from tests.ways import inputs
from tests.ways.inputs import INPUTS, Question
from tests.ways.ways import (
    Answer,
    AtOnce,
    AtOnceRunner,
    by_command,
    by_page,
    by_python,
    compute_once,
    judged_by_command,
    judged_by_python,
    reopened_by_command,
    reopened_by_python,
    stored_inputs,
)

COMPUTED_BY_EACH = (inputs.counts, inputs.an_embedding_alone)
"""Questions of which each way computes everything by itself."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way says anything of the pictures, so a few rounds are enough for them."""
    monkeypatch.setattr(umap, "EPOCHS_FROM_SCRATCH", 20)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppTest]:
    """The app that all questions are asked in, one after the other, as a user would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("page")))
        patch.setenv(FOLDERS_VARIABLE, str(tmp_path_factory.getbasetemp()))
        patch.setattr(faults, "stop", _raise)
        st.cache_resource.clear()
        st.cache_data.clear()
        runner = AtOnceRunner(Store(), [Place(AtOnce)])
        patch.setattr(services, "runner", lambda: runner)
        yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
        st.cache_resource.clear()
        st.cache_data.clear()


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("make", INPUTS, ids=lambda make: make.__name__)
def test_all_ways_say_the_same(
    make: Callable[[Path], Question],
    app: AppTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if make not in COMPUTED_BY_EACH:
        compute_once(monkeypatch, tmp_path / "computed")
    question = make(tmp_path)
    python = by_python(question, tmp_path / "python")
    command = by_command(question, tmp_path / "command")
    page = by_page(question, app)
    _agree(python, command)
    _agree(python, page)
    _is_right(python, question)


@pytest.mark.parametrize(
    "make", [inputs.counts, inputs.a_batch_lost_in_quality_control], ids=lambda make: make.__name__
)
def test_a_run_is_opened_again_by_all_ways(
    make: Callable[[Path], Question], app: AppTest, tmp_path: Path
) -> None:
    question = make(tmp_path)
    study = Study.read(question.files[0], batch="batch", label="type", home=tmp_path / "first")
    run = study.correct(theta=1)
    path = tmp_path / "corrected.h5ad"
    run.export(path)
    python = reopened_by_python(path, tmp_path / "python")
    keys, report = reopened_by_command(path, tmp_path / "command")
    page = by_page(replace(question, files=(path,)), app)
    _agree(python, page)
    assert tuple(keys.values()) == python.keys
    assert python.corrected == np.asarray(run.embedding).tobytes()
    for sentence in run.verdict.sentences:
        assert sentence in html.unescape(report)
        assert sentence in python.sentences
    for part in question.says:
        assert any(part in said for said in (*page.sentences, *page.notes))


@pytest.mark.parametrize(
    "make",
    [
        inputs.another_tools_correction,
        inputs.another_tools_correction_of_a_batch_that_is_lost,
        inputs.seurats_tables_beside_the_data,
    ],
    ids=lambda make: make.__name__,
)
def test_another_tools_correction_is_judged_alike(
    make: Callable[[Path], Question], app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_once(monkeypatch, tmp_path / "computed")
    question = make(tmp_path)
    kind, sentences, notes = judged_by_command(question, tmp_path / "command")
    page = by_page(question, app)
    assert (page.kind, list(page.sentences), list(page.notes)) == (kind, sentences, notes)
    assert judged_by_python(question, tmp_path / "python") == (kind, sentences, notes)
    for part in question.says:
        assert any(part in said for said in (*notes, *sentences))


@pytest.mark.parametrize("make", [inputs.counts, inputs.a_nullable_boolean_batch])
@pytest.mark.parametrize("form", ["in memory", "backed", "sparse array", "dense"])
def test_data_in_memory_are_their_file(
    make: Callable[[Path], Question], form: str, tmp_path: Path
) -> None:
    (path,) = make(tmp_path).files
    adata = ad.read_h5ad(path, backed="r" if form == "backed" else None)
    if form == "sparse array":
        adata.X = sp.csr_array(adata.X)
    if form == "dense":
        adata.X = adata.X.toarray()
    named = {"batch": "batch", "label": "type"}
    of_file = Study.read(path, **named, home=tmp_path / "file")
    of_memory = Study.read(adata, **named, home=tmp_path / "memory")
    assert of_memory.dataset.fingerprint == of_file.dataset.fingerprint
    assert stored_inputs(of_memory.dataset) == stored_inputs(of_file.dataset)
    assert of_memory.notes == of_file.notes
    if form == "backed":
        adata.file.close()


def test_an_embedding_in_memory_is_its_file(tmp_path: Path) -> None:
    question = inputs.an_embedding_alone(tmp_path)
    adata = ad.read_h5ad(question.files[0])
    of_file = by_python(question, tmp_path / "file")
    of_memory = Study.read(adata, batch="batch", label="type", home=tmp_path / "memory").correct()
    assert of_memory.notes == of_file.notes
    assert np.asarray(of_memory.embedding).tobytes() == of_file.corrected


def _agree(one: Answer, other: Answer) -> None:
    assert one.refused == other.refused
    if one.refused:
        return
    assert one.inputs == other.inputs
    assert one.keys == other.keys
    assert one.notes == other.notes
    assert one.design == other.design
    assert (one.kind, one.sentences) == (other.kind, other.sentences)
    assert (one.cells, one.genes) == (other.cells, other.genes)
    assert one.corrected == other.corrected


def _is_right(answer: Answer, question: Question) -> None:
    """Compare to what is known of the input without us."""
    if question.refused:
        assert question.refused in answer.refused
        return
    assert answer.refused == ""
    assert answer.cells == question.cells
    if question.genes is not None:
        assert answer.genes == question.genes
    if question.start is not None:
        np.testing.assert_allclose(answer.before, question.start, rtol=1e-5, atol=1e-5)
    said = "\n".join((*answer.notes, *answer.design, *answer.sentences))
    for part in question.says:
        assert part in said
    for part in question.not_said:
        assert part not in said
