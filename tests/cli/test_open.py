"""``harmony-explorer open``: what it refuses, and what it hands to the dashboard."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import pytest

from harmony_core.cli import main, open_dashboard
from harmony_core.runs.opened import OPENED_VARIABLE, Opened, opened
from harmony_core.store import Dataset, Store


class _Server:
    """In the place of a server: knows how it was started, and ends at once."""

    started: dict[str, Any]

    def __init__(self, command: list[str], *, env: dict[str, str], **options: Any) -> None:
        type(self).started = {"command": command, "env": env}

    def poll(self) -> int:
        return 0

    def terminate(self) -> None:
        pass


Open = Callable[..., dict[str, Any]]


@pytest.fixture
def open_file(monkeypatch: pytest.MonkeyPatch, simulated: ad.AnnData, tmp_path: Path) -> Open:
    """Run the command on simulated cells and return how it starts a server."""
    simulated.write_h5ad(tmp_path / "cells.h5ad")

    def run(*arguments: str) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", _Server)
            patch.setattr(open_dashboard, "_wait_until_it_answers", lambda *_: None)
            patch.setattr(open_dashboard.signal, "signal", lambda *_: None)
            files = [str(tmp_path / "cells.h5ad"), "--home", str(tmp_path / "home")]
            assert main(["open", *files, *arguments, "--no-browser"]) == 0
        return _Server.started

    return run


def _dataset(tmp_path: Path, found: Opened) -> Dataset:
    return Store(tmp_path / "home").dataset(found.fingerprint)


def test_a_file_is_in_the_store_with_its_columns(open_file: Open, tmp_path: Path) -> None:
    started = open_file("--batch", "batch", "--label", "true_type")
    assert started["env"]["HARMONY_EXPLORER_HOME"] == str(tmp_path / "home")
    found = opened(started["env"])
    assert found is not None
    assert _dataset(tmp_path, found).n_cells == 400
    assert found.params is not None
    assert (found.params.harmony.batch, found.params.label) == (("batch",), "true_type")
    # as every other way prepares these cells
    info = _dataset(tmp_path, found).info
    assert found.params.prepare == info.start_of_preparation()


def test_without_columns_the_data_suggest_them(open_file: Open) -> None:
    found = opened(open_file()["env"])
    assert found is not None
    assert found.params is None


def test_the_port_asked_for_is_taken(open_file: Open) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    assert open_file("--port", port)["command"][-1] == port


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no.h5ad"], "There is no file 'no.h5ad'."),
        (["--batch", "donor"], "--batch is a column of a file; name the file too."),
        (["--port", "0"], "--port is 0; it must lie between 1 and 65535."),
    ],
)
def test_what_cannot_be_opened_is_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", *arguments]) == 2
    assert capsys.readouterr().err.strip() == f"harmony-explorer: {sentence}"


@pytest.mark.parametrize("arguments", [["--batch", "nobody"], ["--label", "nothing"]])
def test_a_column_that_is_not_there_is_named(
    arguments: list[str], simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.write_h5ad(tmp_path / "cells.h5ad")
    home = ["--home", str(tmp_path / "home")]
    assert main(["open", str(tmp_path / "cells.h5ad"), *arguments, *home]) == 2
    assert f"There is no column {arguments[1]!r}" in capsys.readouterr().err


def test_a_port_that_another_program_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert main(["open", "--port", port]) == 2
    assert f"Port {port} can't be used" in capsys.readouterr().err


def test_nothing_opened_is_nothing() -> None:
    assert opened({}) is None
    assert opened({OPENED_VARIABLE: ""}) is None
    assert opened(Opened("abc").to_environment()) == Opened("abc")
