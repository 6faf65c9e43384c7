"""What can be asked of a worker: runs, steps, files, exports; the latest wish of each viewer wins.

The page process submits and polls; a worker computes. They speak through the store alone: the
worker writes progress beside the run, the page leaves a cancel mark there.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core.io.request import LoadRequest
from harmony_core.jobs.queue import Job, JobQueue
from harmony_core.jobs.worker import (
    Progress,
    compute,
    export_run,
    load_files,
    rank_selected,
    read_progress,
)
from harmony_core.params import RunParams
from harmony_core.runs import selected_markers
from harmony_core.runs.history import save_settings
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, digest, write_json

__all__ = ["Progress", "Runner"]


class Runner(JobQueue):
    """Submits jobs for any number of viewers; see `JobQueue` for its parameters."""

    def submit_run(self, viewer: str, dataset: Dataset, params: RunParams) -> str:
        """Ask for a run on behalf of a viewer, who thereby drops any earlier wish.

        Returns
        -------
        The name by which to `follow` it. A run whose results exist is finished at once.
        """
        plan = Plan(dataset, params)
        folder = dataset.run_folder(plan.run)
        save_settings(dataset, params)
        with self._lock:
            self.drop(viewer, but=plan.run)
            if plan.is_finished:
                _say_finished(folder)
                return plan.run
            arguments = (str(self.store.home), dataset.fingerprint, params.to_dict(), str(folder))
            self.want(plan.run, viewer, Job(compute, arguments, folder))
        return plan.run

    def submit_steps(self, viewer: str, dataset: Dataset, params: RunParams, *steps: str) -> str:
        """Ask for some steps of a run and what they need, in the background.

        Unlike `submit_run` it drops nothing, so a viewer may wait for many of them.

        Parameters
        ----------
        steps
            Names from `harmony_core.runs.plan`.

        Returns
        -------
        The name by which to `follow` it, with its `steps_folder`.
        """
        plan = Plan(dataset, params)
        folder = self.steps_folder(dataset, params, *steps)
        name = f"{plan.run}-{folder.name}"
        save_settings(dataset, params)
        with self._lock:
            if plan.has(*steps):
                _say_finished(folder)
                return name
            home, fingerprint = str(self.store.home), dataset.fingerprint
            arguments = (home, fingerprint, params.to_dict(), str(folder), *steps)
            self.want(name, viewer, Job(compute, arguments, folder, background=True))
        return name

    def steps_folder(self, dataset: Dataset, params: RunParams, *steps: str) -> Path:
        """Return where the progress of `submit_steps` is written."""
        return dataset.run_folder(Plan(dataset, params).run, "-".join(steps))

    def submit_load(self, viewer: str, request: LoadRequest) -> str:
        """Ask for files to be read into the store; `Progress.result` is then the fingerprint."""
        job_name = "load-" + digest(request.to_dict(), time.time_ns())
        folder = self.store.uploads_folder / job_name
        folder.mkdir(mode=0o700)
        arguments = (str(self.store.home), request.to_dict(), str(folder))
        with self._lock:
            self.want(job_name, viewer, Job(load_files, arguments, folder))
        return job_name

    def submit_export(
        self, viewer: str, dataset: Dataset, params: RunParams, offer: str, **how: Any
    ) -> str:
        """Ask for one form of a finished run, which ends up in its `export_folder`.

        Parameters
        ----------
        offer, how
            See `harmony_core.jobs.worker.export_run`; plain JSON values.

        Returns
        -------
        The name by which to `follow` it; `Progress.result` is then the name of the file.
        """
        folder = self.export_folder(dataset, params, offer, **how)
        name = f"export-{folder.name}"
        with self._lock:
            if read_progress(folder).state != "finished":
                with contextlib.suppress(OSError):  # the job says so, if it can't be made
                    folder.mkdir(parents=True, exist_ok=True)
                home, fingerprint = str(self.store.home), dataset.fingerprint
                arguments = (home, fingerprint, params.to_dict(), str(folder), offer, how)
                self.want(name, viewer, Job(export_run, arguments, folder))
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
        The name and the folder by which to `follow` it; see `harmony_core.runs.selected_markers`.
        """
        name = selected_markers.key(dataset, params, chosen).folder
        folder = dataset.run_folder(name)
        with self._lock:
            self.drop(viewer, but=name)
            home, fingerprint = str(self.store.home), dataset.fingerprint
            bits = np.packbits(chosen).tobytes()
            arguments = (home, fingerprint, params.to_dict(), str(folder), bits)
            self.want(name, viewer, Job(rank_selected, arguments, folder))
        return name, folder


def _say_finished(folder: Path) -> None:
    """Write that nothing is left to do; on a full disk what was written before stands."""
    with contextlib.suppress(OSError):
        write_json(folder / "progress.json", {"state": "finished", "share": 1.0})
