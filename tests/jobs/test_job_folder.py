"""The folder of a job: what is written is read again, by today's names in the store."""

from __future__ import annotations

import json
from pathlib import Path

from harmony_core.jobs.job_folder import JobFolder, Progress


def test_progress_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    assert folder.progress == Progress("waiting")
    sample = {"cells": 3, "columns": ["batch"]}
    folder.write("failed", step="Reading", fraction=0.5, message="Too large.", sample=sample)
    written = Progress("failed", "Reading", 0.5, "Too large.", sample=sample)
    assert folder.progress == written
    assert json.loads((tmp_path / "progress.json").read_text())["share"] == 0.5
    folder.forget_progress()
    assert folder.progress == Progress("waiting")


def test_unreadable_progress_means_waiting(tmp_path: Path) -> None:
    for text in ('{"state": "running", "sh', "[]", "3", '{"share": 1.0}', '{"state": "x", "y": 1}'):
        (tmp_path / "progress.json").write_text(text)
        assert JobFolder(tmp_path).progress == Progress("waiting")


def test_the_cancel_mark_is_left_and_taken_back(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.cancel()  # there is no folder yet
    folder.create()
    assert not folder.is_cancelled
    folder.cancel()
    assert folder.is_cancelled
    folder.take_back_cancel()
    assert not folder.is_cancelled
    folder.delete()
    assert not folder.path.exists()


def test_a_result_never_lies_outside_its_folder(tmp_path: Path) -> None:
    assert JobFolder(tmp_path).file(Progress("finished", result="../../x.csv")).parent == tmp_path
