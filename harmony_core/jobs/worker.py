"""What a worker does with a job, and how its progress is written and read.

Everything heavy is imported inside the functions: the page process imports this module too.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harmony_core.errors import Cancelled, HarmonyExplorerError, TooLarge, full_disk
from harmony_core.io.request import LoadRequest
from harmony_core.params import RunParams
from harmony_core.runs.plan import LOADING, Plan, Step
from harmony_core.store import Store, write_json

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "finished", "failed", "cancelled"]

_PROGRESS_INTERVAL = 0.1


@dataclass(frozen=True)
class Progress:
    """Where a job stands.

    Attributes
    ----------
    step
        Title of the step under way, in plain words.
    share
        Part of the whole job that is done, 0 to 1.
    message
        Why it failed, for the user.
    result
        What a finished load or export returns: the dataset's fingerprint, or the file's name.
    sample
        Where a file was too large but some of its cells could be read; see
        `harmony_core.errors.TooLarge`.
    """

    state: State
    step: str = ""
    share: float = 0.0
    message: str = ""
    result: str = ""
    sample: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("finished", "failed", "cancelled")


def read_progress(folder: Path) -> Progress:
    """Return what the worker last wrote; a job not begun is waiting."""
    try:
        return Progress(**json.loads((folder / "progress.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Progress("waiting")


class ProgressWriter:
    """The worker's side of the channel: writes progress, sees the cancel mark.

    Parameters
    ----------
    folder
        Where the progress is read.
    steps
        What is computed, in order.
    """

    def __init__(self, folder: Path, steps: Sequence[Step] = ()) -> None:
        self.folder = folder
        self._titles = {step.name: step.title for step in steps}
        self.written = 0.0
        """When something was last written, on the monotonic clock."""

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled if nobody waits any more."""
        if (self.folder / "cancel").exists():
            raise Cancelled("Cancelled.")

    def step(self, name: str, share: float) -> None:
        """Note progress within a step, at most ten times a second."""
        self.stop_if_cancelled()
        recent = time.monotonic() - self.written < _PROGRESS_INTERVAL
        # A stage asked for by another reports too; the bar stays with the one that asked.
        if name not in self._titles or (share > 0 and recent):
            return
        whole = (list(self._titles).index(name) + share) / len(self._titles)
        self.write("running", step=self._titles[name], share=round(whole, 3))

    def write(self, state: State, **values: Any) -> None:
        self.written = time.monotonic()
        write_json(self.folder / "progress.json", {"state": state, **values})


def compute(home: str, fingerprint: str, params: dict[str, Any], folder: str, *steps: str) -> str:
    """Compute a run, or some of its steps, in the worker; progress goes to ``folder``."""
    store = Store(home)
    dataset = store.dataset(fingerprint)
    plan = Plan(dataset, RunParams.from_dict(params))
    writer = ProgressWriter(Path(folder), plan.stages_for(*steps))

    def work() -> str:
        from harmony_core.runs.pipeline import Pipeline

        writer.stop_if_cancelled()
        Pipeline(dataset, plan.params, writer.step).run(*steps)
        store.evict()
        return plan.run

    return _guarded(writer, work)


def load_files(home: str, request: dict[str, Any], folder: str) -> str:
    """Read files into the store in the worker."""
    writer = ProgressWriter(Path(folder), LOADING)
    wanted = LoadRequest.from_dict(request)

    def work() -> str:
        from harmony_core.store.ingest import ingest_request

        return ingest_request(Store(home), wanted, writer.step).fingerprint

    return _guarded(writer, work)


def export_run(
    home: str,
    fingerprint: str,
    params: dict[str, Any],
    folder: str,
    offer: str,
    how: dict[str, Any],
) -> str:
    """Write one form of a finished run in the worker.

    Parameters
    ----------
    offer
        Name of the form, from `harmony_core.export.formats`.
    how
        Its choices under ``chosen``, the settings of a second run under ``other``, and those of
        the runs to compare with under ``runs``.

    Returns
    -------
    Name of the file in ``folder``; ``notes.txt`` there says what was renamed.
    """
    writer = ProgressWriter(Path(folder))

    def work() -> str:
        from harmony_core.export.formats import write_offer
        from harmony_core.export.job import Request
        from harmony_core.runs.results import RunResults

        def watch(text: str) -> None:
            writer.stop_if_cancelled()
            if time.monotonic() - writer.written > _PROGRESS_INTERVAL:
                writer.write("running", step=text)

        def results(of: dict[str, Any]) -> RunResults:
            return RunResults(dataset, RunParams.from_dict(of))

        writer.stop_if_cancelled()
        writer.write("running", step="Writing the file")
        store = Store(home)
        dataset = store.dataset(fingerprint)
        request = Request(
            results(params),
            runs=[results(run) for run in how.get("runs", ())],
            other=results(how["other"]) if how.get("other") else None,
            chosen=how.get("chosen", {}),
            watch=watch,
        )
        path, notes = write_offer(offer, request, writer.folder)
        (writer.folder / "notes.txt").write_text("\n".join(notes), "utf-8")
        writer.stop_if_cancelled()
        return path.name

    return _guarded(writer, work)


def rank_selected(
    home: str, fingerprint: str, params: dict[str, Any], folder: str, bits: bytes
) -> str:
    """Rank marker genes of chosen cells in the worker.

    Parameters
    ----------
    bits
        Which of the prepared cells are chosen, as ``numpy.packbits`` packs them.
    """
    writer = ProgressWriter(Path(folder))

    def work() -> str:
        import numpy as np

        from harmony_core.runs import selected_markers
        from harmony_core.runs.pipeline import Pipeline

        def report(share: float) -> None:
            writer.stop_if_cancelled()
            writer.write("running", step="Ranking genes", share=round(share, 3))

        writer.stop_if_cancelled()
        writer.write("running", step="Reading the expression")
        pipeline = Pipeline(Store(home).dataset(fingerprint), RunParams.from_dict(params))
        unpacked = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=len(pipeline.cells))
        selected_markers.rank(pipeline, unpacked.astype(bool), report)
        return ""

    return _guarded(writer, work)


def _guarded(writer: ProgressWriter, work: Callable[[], str]) -> str:
    try:
        result = work()
    except Cancelled:
        writer.write("cancelled")
    except TooLarge as error:
        writer.write("failed", message=str(error), sample=error.sample)
    except HarmonyExplorerError as error:
        writer.write("failed", message=str(error))
    except MemoryError:
        writer.write(
            "failed",
            message="There was not enough memory. Use fewer cells, or a machine with more memory.",
        )
    except Exception as error:
        if isinstance(error, OSError) and (full := full_disk(error)):
            writer.write("failed", message=full)
            return ""
        log.exception("A job failed")
        fault = (
            f"This did not work because of a fault in the program ({type(error).__name__})."
            " Other settings may still work; the log has the details."
        )
        writer.write("failed", message=fault)
    else:
        writer.write("finished", share=1.0, result=result)
        return result
    return ""


def warm_up() -> str:
    """Make imports and compiled code ready."""
    from harmony_core.jobs import warmup

    warmup.warm_up()
    return ""
