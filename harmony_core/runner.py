"""Runs on an executor: submit, follow, cancel; the latest wish of each viewer wins.

The page process submits and polls; a worker computes. They speak through the store alone: the
worker writes progress beside the run, the page leaves a cancel mark there.

What somebody waits for in front of a slider goes first. Background jobs are handed to the worker
one at a time and only while nothing else is under way; when something else comes, the one under
way stops at the end of its stage and begins again later, where its finished stages wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core import executors, selected_markers
from harmony_core.data.request import LoadRequest
from harmony_core.data.store import Dataset, Store, digest, write_json
from harmony_core.errors import HarmonyExplorerError
from harmony_core.params import RunParams
from harmony_core.plan import Plan
from harmony_core.runs import note
from harmony_core.worker import (
    Progress,
    compute,
    export_run,
    load_files,
    rank_selected,
    read_progress,
    warm_up,
)

__all__ = ["Progress", "Runner"]

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which an abandoned computation that does not stop by itself is ended."""

_MAX_RETRIES = 1
_STOPPED_TWICE = (
    "The computation stopped twice without an answer, most likely for lack of memory. Everything "
    "finished is kept; try fewer cells or close other programs."
)
_NOTHING_WRITTEN = (
    "Nothing could be written into the store; most likely its disk is full. Make room, or give it "
    "another folder by HARMONY_EXPLORER_HOME."
)


@dataclass
class _Job:
    """One computation and the viewers who wait for it; once lost, it says why."""

    work: Callable[..., str]
    arguments: tuple[Any, ...]
    folder: Path
    background: bool = False
    viewers: set[str] = field(default_factory=set)
    future: Future[str] | None = None
    retries: int = 0
    lost: str = ""
    yielding: bool = False

    @property
    def is_under_way(self) -> bool:
        return self.future is not None and not self.lost


class Runner:
    """Submits jobs for any number of viewers.

    Parameters
    ----------
    store
        Where datasets and results live.
    executor_factory
        Makes the executor; called again when its worker has died. By default
        `harmony_core.executors.executor_for`.
    """

    def __init__(
        self, store: Store, executor_factory: Callable[[], Executor] | None = None
    ) -> None:
        self.store = store
        self._factory = executor_factory or (lambda: executors.executor_for(store))
        self._executor: Executor | None = None
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.RLock()
        self._closed = False

    def start(self, delay: float = 0.0) -> None:
        """Start the worker and its warm-up after `delay` seconds, without waiting for either.

        A job that comes earlier starts the worker at once.
        """
        timer = threading.Timer(delay, self._warm_up)
        timer.daemon = True
        timer.start()

    def _warm_up(self) -> None:
        with self._lock:
            if self._executor is None and not self._closed:
                try:
                    self._submit(warm_up)
                except HarmonyExplorerError as error:
                    log.warning("%s", error)  # the first run says it on its page

    def submit_run(self, viewer: str, dataset: Dataset, params: RunParams) -> str:
        """Ask for a run on behalf of a viewer, who thereby drops any earlier wish.

        Returns
        -------
        The name by which to `follow` it. A run whose results exist is finished at once.
        """
        plan = Plan(dataset, params)
        folder = dataset.run_folder(plan.run)
        note(dataset, params)
        with self._lock:
            self.drop(viewer, but=plan.run)
            if plan.is_finished:
                write_json(folder / "progress.json", {"state": "finished", "share": 1.0})
                return plan.run
            arguments = (str(self.store.home), dataset.fingerprint, params.to_dict(), str(folder))
            self._want(plan.run, viewer, _Job(compute, arguments, folder))
        return plan.run

    def submit_steps(self, viewer: str, dataset: Dataset, params: RunParams, *steps: str) -> str:
        """Ask for some steps of a run and what they need, in the background.

        Unlike `submit_run` it drops nothing, so a viewer may wait for many of them.

        Parameters
        ----------
        steps
            Names from `harmony_core.plan`.

        Returns
        -------
        The name by which to `follow` it, with its `steps_folder`.
        """
        plan = Plan(dataset, params)
        folder = self.steps_folder(dataset, params, *steps)
        name = f"{plan.run}-{folder.name}"
        note(dataset, params)
        with self._lock:
            if plan.has(*steps):
                write_json(folder / "progress.json", {"state": "finished", "share": 1.0})
                return name
            home, fingerprint = str(self.store.home), dataset.fingerprint
            arguments = (home, fingerprint, params.to_dict(), str(folder), *steps)
            self._want(name, viewer, _Job(compute, arguments, folder, background=True))
        return name

    def steps_folder(self, dataset: Dataset, params: RunParams, *steps: str) -> Path:
        """Return where the progress of `submit_steps` is written."""
        folder = dataset.run_folder(Plan(dataset, params).run) / "-".join(steps)
        folder.mkdir(exist_ok=True)
        return folder

    def submit_load(self, viewer: str, request: LoadRequest) -> str:
        """Ask for files to be read into the store; `Progress.result` is then the fingerprint."""
        job_name = "load-" + digest(request.to_dict(), time.time_ns())
        folder = self.store.uploads_folder / job_name
        folder.mkdir(mode=0o700)
        arguments = (str(self.store.home), request.to_dict(), str(folder))
        with self._lock:
            self._want(job_name, viewer, _Job(load_files, arguments, folder))
        return job_name

    def submit_export(
        self, viewer: str, dataset: Dataset, params: RunParams, offer: str, **how: Any
    ) -> str:
        """Ask for one form of a finished run, which ends up in its `export_folder`.

        Parameters
        ----------
        offer, how
            See `harmony_core.worker.export_run`; plain JSON values.

        Returns
        -------
        The name by which to `follow` it; `Progress.result` is then the name of the file.
        """
        folder = self.export_folder(dataset, params, offer, **how)
        name = f"export-{folder.name}"
        with self._lock:
            if read_progress(folder).state != "finished":
                folder.mkdir(parents=True, exist_ok=True)
                home, fingerprint = str(self.store.home), dataset.fingerprint
                arguments = (home, fingerprint, params.to_dict(), str(folder), offer, how)
                self._want(name, viewer, _Job(export_run, arguments, folder))
        return name

    def export_folder(self, dataset: Dataset, params: RunParams, offer: str, **how: Any) -> Path:
        """Return where one form of a run is written; the same wish has the same folder."""
        run = Plan(dataset, params).run
        return dataset.run_folder(run) / "files" / digest(run, offer, how)

    def submit_selected(
        self, viewer: str, dataset: Dataset, params: RunParams, chosen: npt.NDArray[np.bool_]
    ) -> tuple[str, Path]:
        """Ask for the marker genes of chosen cells; the viewer drops any earlier wish.

        Returns
        -------
        The name and the folder by which to `follow` it; see `harmony_core.selected_markers`.
        """
        name = selected_markers.key(dataset, params, chosen).folder
        folder = dataset.run_folder(name)
        with self._lock:
            self.drop(viewer, but=name)
            home, fingerprint = str(self.store.home), dataset.fingerprint
            bits = np.packbits(chosen).tobytes()
            arguments = (home, fingerprint, params.to_dict(), str(folder), bits)
            self._want(name, viewer, _Job(rank_selected, arguments, folder))
        return name, folder

    def follow(self, name: str, folder: Path) -> Progress:
        """Return where a job stands."""
        with self._lock:
            job = self._jobs.get(name)
            lost = "" if job is None else job.lost
        progress = read_progress(folder)
        if job is not None and progress.state == "cancelled":
            return Progress("waiting")  # it only made way, or its cancelled forerunner wrote late
        if job is not None and job.retries and not lost and not progress.is_over:
            again = f"{progress.step or 'Waiting'}, again because its worker had stopped"
            return replace(progress, step=again)
        if lost and not progress.is_over:
            return Progress("failed", message=lost)
        return progress

    def drop(self, viewer: str, *, but: str = "") -> None:
        """Forget what a viewer waits for; a job that nobody waits for is cancelled."""
        with self._lock:
            for name, job in list(self._jobs.items()):
                if name == but or viewer not in job.viewers:
                    continue
                job.viewers.discard(viewer)
                if not job.viewers:
                    del self._jobs[name]
                    (job.folder / "cancel").touch()
                    if job.future is None or job.future.cancel():
                        write_json(job.folder / "progress.json", {"state": "cancelled"})
                    else:
                        self._watch(job.future)
            self._launch_next()

    def _watch(self, abandoned: Future[str]) -> None:
        """Look later whether an abandoned computation still stands in somebody's way."""
        timer = threading.Timer(PATIENCE, self._end_if_in_the_way, [abandoned])
        timer.daemon = True
        timer.start()

    def _end_if_in_the_way(self, abandoned: Future[str]) -> None:
        """End the worker that computes what nobody wants while somebody waits.

        Stages and layouts see their cancel mark; a call into a library does not. The jobs that
        wait are lost with the worker and begin again unseen.
        """
        with self._lock:
            if abandoned.done() or self._executor is None:
                return
            if any(job.is_under_way and not job.background for job in self._jobs.values()):
                log.info("Ending a worker that computes what nobody waits for")
                executors.end_processes(self._executor)
            else:
                self._watch(abandoned)

    def close(self) -> None:
        """Cancel everything and end the worker."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                (job.folder / "cancel").touch()
            self._jobs.clear()
            executor, self._executor = self._executor, None
        if executor is not None:
            executors.close(executor)

    def _want(self, name: str, viewer: str, job: _Job) -> None:
        known = self._jobs.get(name)
        if known is not None and not known.lost:
            known.viewers.add(viewer)
            return
        job.viewers.add(viewer)
        self._jobs[name] = job
        if job.background:
            self._launch_next()
        else:
            self._make_way()
            self._launch(name, job)

    def _make_way(self) -> None:
        """Stop the background job under way at the end of its stage; it begins again later."""
        for job in self._jobs.values():
            if job.background and job.is_under_way and not job.yielding:
                job.yielding = True
                (job.folder / "cancel").touch()

    def _launch_next(self) -> None:
        """Hand a background job to the worker, if it has nothing to do."""
        if any(job.is_under_way for job in self._jobs.values()):
            return
        for name, job in self._jobs.items():
            if job.background and not job.lost:
                self._launch(name, job)
                return

    def _launch(self, name: str, job: _Job) -> None:
        (job.folder / "cancel").unlink(missing_ok=True)
        write_json(job.folder / "progress.json", {"state": "waiting"})
        try:
            job.future = future = self._submit(job.work, *job.arguments)
        except HarmonyExplorerError as error:
            write_json(job.folder / "progress.json", {"state": "failed", "message": str(error)})
            del self._jobs[name]
            return
        future.add_done_callback(lambda future: self._done(name, job, future))

    def _submit(self, work: Callable[..., str], *arguments: Any) -> Future[str]:
        if self._executor is None:
            self._executor = self._factory()
        try:
            return self._executor.submit(work, *arguments)
        except BrokenProcessPool:
            self._executor = self._factory()
            return self._executor.submit(work, *arguments)

    def _done(self, name: str, job: _Job, future: Future[str]) -> None:
        with self._lock:
            if self._jobs.get(name) is job:
                self._settle(name, job, future)
            self._launch_next()

    def _settle(self, name: str, job: _Job, future: Future[str]) -> None:
        """Decide what becomes of a job whose future is done: gone, again, or lost."""
        job.future = None
        if job.yielding:
            job.yielding = False
            return
        if future.cancelled() or future.exception() is None:
            del self._jobs[name]
            return
        if not executors.is_lost(future.exception()):
            log.error("%s could not say how it went", name, exc_info=future.exception())
            job.lost = _NOTHING_WRITTEN
            return
        log.warning("The worker died during %s", name)
        if read_progress(job.folder).state == "running":
            job.retries += 1  # one that was still waiting is not to blame
        if job.retries > _MAX_RETRIES:
            job.lost = _STOPPED_TWICE
        elif not job.background:
            self._launch(name, job)
