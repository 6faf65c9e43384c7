"""A method of others in its own process: what goes in, comes out, fails, and is cancelled."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.errors import Cancelled, HarmonyExplorerError
from harmony_core.method_catalog import Method
from harmony_core.methods.integration import environment, process
from tests.methods.fake import FAKE, fake_method
from tests.methods.fake_child import FAILS, GREEDY, HANGS

__all__ = ["fake_method"]

EMBEDDING = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
BATCH = np.repeat([0, 1], 30).astype(np.int32)
INPUTS: dict[str, process.Value] = {"embedding": EMBEDDING, "batch": BATCH, "levels": ["a", "b"]}


def settings(**changed: float) -> dict[str, float]:
    return FAKE.values(changed)


def test_what_it_gives_comes_back_and_no_file_is_left(tmp_path: Path) -> None:
    seen: list[float] = []
    result = process.run(FAKE, settings(scale=2.0), INPUTS, tmp_path, seen.append)
    centred = EMBEDDING.astype(np.float64)
    for code in (0, 1):
        centred[code == BATCH] -= centred[code == BATCH].mean(axis=0)
    np.testing.assert_array_equal(result.arrays["embedding"], 2 * centred)
    assert result.versions == {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
    }
    assert seen[0] == 0.0
    assert 0.5 in seen
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_a_sentence_and_the_log_has_what_was_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(process.MethodFailed, match="RuntimeError: the seventh seal is broken"):
        process.run(FAKE, settings(how=FAILS), INPUTS, tmp_path)
    assert "Traceback" in caplog.text
    assert "what a library says" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="sizes are told otherwise here")
def test_what_takes_too_much_memory_is_ended_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "free_memory", lambda: 5e8)
    with pytest.raises(process.MethodFailed, match=r"Fake was ended, .* 0\.5 GB of memory"):
        process.run(FAKE, settings(how=GREEDY), INPUTS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cancel_ends_it_at_once(tmp_path: Path) -> None:
    started = time.monotonic()

    def cancel(fraction: float) -> None:
        if fraction == 0.5:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        process.run(FAKE, settings(how=HANGS), INPUTS, tmp_path, cancel)
    assert time.monotonic() - started < 60
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed otherwise here")
def test_it_ends_with_who_started_it(tmp_path: Path) -> None:
    """A worker may be killed; what it had started must not go on for hours."""
    worker = multiprocessing.get_context("spawn").Process(target=hang, args=(tmp_path,))
    worker.start()
    _wait((tmp_path / "running").exists)
    (job,) = tmp_path.glob(".new-*")
    assert _processes_in(job)
    worker.kill()
    worker.join()
    _wait(lambda: not _processes_in(job))


def hang(folder: Path) -> None:
    """Stand in for a worker that waits for a method."""

    def note(fraction: float) -> None:
        if fraction == 0.5:
            (folder / "running").touch()

    process.run(FAKE, settings(how=HANGS), INPUTS, folder, note)


def _processes_in(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [entry.parent.name] if str(folder) in entry.read_text("utf-8") else []
        except OSError:
            continue
    return found


def _wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_what_is_not_installed_is_said_with_the_line_that_installs_it(tmp_path: Path) -> None:
    lacking = replace(FAKE, library="no-such-library", requirement="no-such-library>=1,<2")
    with pytest.raises(process.MethodFailed, match=r"-m pip install 'no-such-library>=1,<2'"):
        process.run(lacking, settings(), INPUTS, tmp_path)


def test_an_interpreter_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "python"))
    assert environment.installed(FAKE) is None
    with pytest.raises(HarmonyExplorerError, match="no Python interpreter that answers"):
        process.run(FAKE, settings(), INPUTS, tmp_path)


def test_another_interpreter_is_asked_for_its_own_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "found-1.2.3.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Name: found\nVersion: 1.2.3\n")
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '[\"{tmp_path}\"]'\n")
    python.chmod(0o755)
    monkeypatch.setenv(environment.VARIABLE, str(python))
    assert environment.version_of("found") == "1.2.3"
    assert environment.version_of("numpy") is None
    assert environment.install_line(FAKE) == f"{python} -m pip install numpy"


def test_expression_goes_in_sparse(tmp_path: Path, fake_method: Method) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "LIBRARIES = ()\n"
        "def correct(inputs, settings, progress):\n"
        "    x = inputs['expression']\n"
        "    return {'embedding': x.toarray()}, {'genes': inputs['genes'], 'form': x.format}\n"
    )
    matrix = sp.random(20, 5, density=0.3, format="csr", random_state=0)
    inputs: dict[str, process.Value] = {"expression": matrix, "genes": ["a", "β", "c", "d", "e"]}
    result = process.run(replace(fake_method, child=child), {}, inputs, tmp_path)
    np.testing.assert_array_equal(result.arrays["embedding"], matrix.toarray())
    assert result.facts == {"genes": ["a", "β", "c", "d", "e"], "form": "csr"}


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    results: dict[float, process.Result] = {}

    def go(scale: float) -> None:
        results[scale] = process.run(FAKE, settings(scale=scale), INPUTS, tmp_path)

    threads = [threading.Thread(target=go, args=(scale,)) for scale in (1.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(
        results[3.0].arrays["embedding"], 3 * results[1.0].arrays["embedding"]
    )
