"""Collections of garbage in the page process: none after each run, one a while after some."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui.garbage import Collector
from tests.server import open_page, run_page, start_server, wait_until


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
