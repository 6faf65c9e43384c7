"""Runs on an executor: submit, follow, cancel; the latest wish of each viewer wins.

The page process submits and polls; a worker computes. They speak through the store alone: the
worker writes progress beside the run, the page leaves a cancel mark there.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harmony_core.data.store import Dataset, Store, digest, write_json
from harmony_core.errors import Cancelled, HarmonyExplorerError
from harmony_core.params import RunParams
from harmony_core.plan import STEPS, Plan

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "finished", "failed", "cancelled"]

_PROGRESS_INTERVAL = 0.1
_MAX_RETRIES = 1


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
        What a finished load returns: the dataset's fingerprint.
    """

    state: State
    step: str = ""
    share: float = 0.0
    message: str = ""
    result: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in ("finished", "failed", "cancelled")


@dataclass
class _Job:
    """One computation and the viewers who wait for it."""

    work: Callable[..., str]
    arguments: tuple[Any, ...]
    folder: Path
    viewers: set[str] = field(default_factory=set)
    future: Future[str] | None = None
    retries: int = 0
    lost: bool = False


class Runner:
    """Submits jobs for any number of viewers.

    Parameters
    ----------
    store
        Where datasets and results live.
    executor_factory
        Makes the executor; called again when its worker has died. By default one spawned process
        that warms its imports and compiled code.
    """

    def __init__(
        self, store: Store, executor_factory: Callable[[], Executor] | None = None
    ) -> None:
        self.store = store
        self._factory = executor_factory or (lambda: spawned_worker(store))
        self._executor: Executor | None = None
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start the worker and its warm-up, without waiting for either."""
        with self._lock:
            self._submit(_warm_up)

    def submit_run(self, viewer: str, dataset: Dataset, params: RunParams) -> str:
        """Ask for a run on behalf of a viewer, who thereby drops any earlier wish.

        Returns
        -------
        The name by which to `follow` it. A run whose results exist is finished at once.
        """
        plan = Plan(dataset, params)
        folder = dataset.run_folder(plan.run)
        with self._lock:
            self.drop(viewer, but=plan.run)
            if plan.is_finished:
                write_json(folder / "progress.json", {"state": "finished", "share": 1.0})
                return plan.run
            arguments = (str(self.store.home), dataset.fingerprint, params.to_dict())
            self._want(plan.run, viewer, _Job(compute_run, arguments, folder))
        return plan.run

    def submit_load(self, viewer: str, path: Path, name: str) -> str:
        """Ask for a file to be read into the store; `Progress.result` is then its fingerprint."""
        job_name = "load-" + digest(str(path), name, time.time_ns())
        folder = self.store.uploads_folder / job_name
        folder.mkdir(mode=0o700)
        arguments = (str(self.store.home), str(path), name, str(folder))
        with self._lock:
            self._want(job_name, viewer, _Job(load_file, arguments, folder))
        return job_name

    def submit_export(self, viewer: str, dataset: Dataset, params: RunParams) -> str:
        """Ask for a finished run's files, which end up in its `export_folder`."""
        folder = self.export_folder(dataset, params)
        name = f"export-{folder.parent.name}"
        with self._lock:
            if read_progress(folder).is_over:
                return name
            folder.mkdir(exist_ok=True)
            arguments = (str(self.store.home), dataset.fingerprint, params.to_dict(), str(folder))
            self._want(name, viewer, _Job(export_run, arguments, folder))
        return name

    def export_folder(self, dataset: Dataset, params: RunParams) -> Path:
        """Return where a run's files are written."""
        return dataset.run_folder(Plan(dataset, params).run) / "files"

    def follow(self, name: str, folder: Path) -> Progress:
        """Return where a job stands."""
        with self._lock:
            job = self._jobs.get(name)
            lost = job is not None and job.lost
        progress = read_progress(folder)
        if lost and not progress.is_over:
            return Progress(
                "failed",
                message="The computation stopped twice without an answer, most likely for lack of "
                "memory. Everything finished is kept; try fewer cells or close other programs.",
            )
        return progress

    def drop(self, viewer: str, *, but: str = "") -> None:
        """Forget what a viewer waits for; a job that nobody waits for is cancelled."""
        with self._lock:
            for name, job in list(self._jobs.items()):
                if name == but or viewer not in job.viewers:
                    continue
                job.viewers.discard(viewer)
                if not job.viewers:
                    (job.folder / "cancel").touch()
                    if job.future is not None and job.future.cancel():
                        write_json(job.folder / "progress.json", {"state": "cancelled"})
                    del self._jobs[name]

    def close(self) -> None:
        """Cancel everything and end the worker."""
        with self._lock:
            for job in self._jobs.values():
                (job.folder / "cancel").touch()
            self._jobs.clear()
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)

    def _want(self, name: str, viewer: str, job: _Job) -> None:
        known = self._jobs.get(name)
        if known is not None and not known.lost:
            known.viewers.add(viewer)
            return
        (job.folder / "cancel").unlink(missing_ok=True)
        write_json(job.folder / "progress.json", {"state": "waiting"})
        job.viewers.add(viewer)
        self._jobs[name] = job
        self._launch(name, job)

    def _launch(self, name: str, job: _Job) -> None:
        job.future = self._submit(job.work, *job.arguments)
        job.future.add_done_callback(lambda future: self._done(name, job, future))

    def _submit(self, work: Callable[..., str], *arguments: Any) -> Future[str]:
        if self._executor is None:
            self._executor = self._factory()
        try:
            return self._executor.submit(work, *arguments)
        except BrokenProcessPool:
            self._executor = self._factory()
            return self._executor.submit(work, *arguments)

    def _done(self, name: str, job: _Job, future: Future[str]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        with self._lock:
            if self._jobs.get(name) is not job:
                return
            if isinstance(error, BrokenProcessPool):
                log.warning("The worker died during %s", name)
                if job.retries < _MAX_RETRIES:
                    job.retries += 1
                    self._launch(name, job)
                else:
                    job.lost = True
                return
            del self._jobs[name]


def spawned_worker(store: Store) -> Executor:
    """Return an executor of one spawned process that keeps compiled code in the store."""
    # Read by numba when the worker imports it; a second start then compiles nothing.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(store.home / "numba"))
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def read_progress(folder: Path) -> Progress:
    """Return what the worker last wrote; a job not begun is waiting."""
    import json

    try:
        return Progress(**json.loads((folder / "progress.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Progress("waiting")


class ProgressWriter:
    """The worker's side of the channel: writes progress, sees the cancel mark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last = 0.0

    def step(self, name: str, share: float) -> None:
        """Note progress within a step of a run, at most ten times a second."""
        if (self.folder / "cancel").exists():
            raise Cancelled("Cancelled.")
        now = time.monotonic()
        if share > 0 and now - self._last < _PROGRESS_INTERVAL:
            return
        self._last = now
        position = [s.name for s in STEPS].index(name)
        whole = (position + share) / len(STEPS)
        self.write("running", step=STEPS[position].title, share=round(whole, 3))

    def write(self, state: State, **values: Any) -> None:
        write_json(self.folder / "progress.json", {"state": state, **values})


def compute_run(home: str, fingerprint: str, params: dict[str, Any]) -> str:
    """Compute a run in the worker; whatever happens ends up in its progress file."""
    store = Store(home)
    dataset = store.dataset(fingerprint)
    run_params = RunParams.from_dict(params)
    run = Plan(dataset, run_params).run
    writer = ProgressWriter(dataset.run_folder(run))

    def work() -> str:
        from harmony_core.pipeline import Pipeline

        write_json(writer.folder / "params.json", params)
        Pipeline(dataset, run_params, writer.step).run()
        store.evict()
        return run

    return _guarded(writer, work)


def load_file(home: str, path: str, name: str, folder: str) -> str:
    """Read a file into the store in the worker."""
    writer = ProgressWriter(Path(folder))

    def work() -> str:
        from harmony_core.data.ingest import ingest_file

        writer.write("running", step="Reading and checking the file")
        return str(ingest_file(Store(home), Path(path), name=name).fingerprint)

    return _guarded(writer, work)


def export_run(home: str, fingerprint: str, params: dict[str, Any], folder: str) -> str:
    """Write a finished run's files in the worker."""
    writer = ProgressWriter(Path(folder))

    def work() -> str:
        from harmony_core.export import evaluation_figure, write_h5ad
        from harmony_core.results import RunResults

        writer.write("running", step="Writing the files")
        results = RunResults(Store(home).dataset(fingerprint), RunParams.from_dict(params))
        notes = write_h5ad(results, writer.folder / "corrected.h5ad")
        (writer.folder / "notes.txt").write_text("\n".join(notes), "utf-8")
        evaluation_figure(results, writer.folder / "harmony_batch_evaluation.png")
        return fingerprint

    return _guarded(writer, work)


def _guarded(writer: ProgressWriter, work: Callable[[], str]) -> str:
    try:
        result = work()
    except Cancelled:
        writer.write("cancelled")
    except HarmonyExplorerError as error:
        writer.write("failed", message=str(error))
    except MemoryError:
        writer.write(
            "failed",
            message="There was not enough memory. Use fewer cells, or a machine with more memory.",
        )
    except Exception as error:
        log.exception("A job failed")
        writer.write(
            "failed",
            message=f"This did not work because of a fault in the program ({type(error).__name__})."
            " Other settings may still work; the log has the details.",
        )
    else:
        writer.write("finished", share=1.0, result=result)
        return result
    return ""


def _warm_up() -> str:
    from harmony_core.warmup import warm_up

    warm_up()
    return ""
