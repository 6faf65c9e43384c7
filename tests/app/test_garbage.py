"""Collections of garbage in the page process: none after each run, one a while after some."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui.garbage import Collector
from tests.server import ROOT, open_page, run_page, start_server, wait_until


def _collected(messages: list[ForwardMsg]) -> int:
    texts = [message.delta.new_element.text.body for message in messages]
    return next(int(text.split()[1]) for text in texts if text.startswith("collected"))


# The option is hidden: a later Streamlit may leave it out, or collect for another reason.
@pytest.mark.parametrize(
    ("environment", "after_each_run"), [({}, 0), ({"STREAMLIT_RUNNER_POST_SCRIPT_GC": "true"}, 1)]
)
def test_streamlits_collection_after_each_run_is_off(
    tmp_path: Path, environment: dict[str, str], after_each_run: int
) -> None:
    script = Path(__file__).with_name("counting_app.py")
    process, url = start_server(script, tmp_path, **environment)
    try:
        with open_page(url) as line:
            first, second = _collected(run_page(line)), _collected(run_page(line))
    finally:
        process.terminate()
        process.wait(10)
    assert second - first == after_each_run


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Generations that were collected, each once that is over, and by nobody but the product."""
    ended: list[int] = []

    def note(phase: str, information: dict[str, int]) -> None:
        if phase == "stop":
            ended.append(information["generation"])

    gc.disable()
    gc.callbacks.append(note)
    yield ended
    gc.callbacks.remove(note)
    gc.enable()


def test_runs_are_followed_by_one_collection(collections: list[int]) -> None:
    class Loop:
        def __init__(self) -> None:
            self.itself = self

    left = weakref.ref(Loop())
    assert left() is not None
    collector = Collector(0.02)
    for _ in range(3):
        collector.collect_soon()
    wait_until(lambda: bool(collections), "nothing was collected")
    assert left() is None
    assert not collector.is_waiting
    assert collections == [2]


_FILL = """
import gc, os, sys, threading
from pages.ui import garbage

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

if sys.argv[1] == "with":
    garbage.share_one_heap()
before, kept = resident(), []

def work(turn):  # what is kept lies between what is freed, as in a page run
    made = [(bytearray(20_000), kept.append(bytearray(600)))[0] for _ in range(500)]

def crowd():
    begun, threads = threading.Barrier(8), []
    for turn in range(8):
        threads.append(threading.Thread(target=lambda: (begun.wait(), work(turn))))
        threads[-1].start()
    for thread in threads:
        thread.join()

crowd()
if sys.argv[1] == "with":
    garbage.Collector(0)._collect()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps a heap for each thread")
def test_what_many_threads_have_freed_is_given_back() -> None:
    def megabytes(how: str) -> float:
        run = subprocess.run(
            [sys.executable, "-c", _FILL, how], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return float(run.stdout)

    assert megabytes("with") < 15 < 30 < megabytes("without")
