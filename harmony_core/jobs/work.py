"""What can be asked of a worker: runs, their stages, files, exports, markers of a selection.

Light on purpose: a page describes work many times a second to see how far it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core.io.request import LoadRequest
from harmony_core.jobs.job_folder import JobFolder
from harmony_core.jobs.urgency import Urgency, of_stage
from harmony_core.jobs.worker import compute, estimate_risks, export_run, load_files, rank_selected
from harmony_core.params import RunParams
from harmony_core.runs import risk, selected_markers
from harmony_core.runs.history import save_settings
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, Store, digest


@dataclass(frozen=True)
class Work:
    """What a worker computes.

    Attributes
    ----------
    name
        The same work has the same name and folder, whoever asks for it.
    function
        One of `harmony_core.jobs.worker`.
    arguments
        What it takes after the store's home and the job's folder.
    prepare
        Called before the work is submitted.
    is_finished
        Whether the results exist already.
    urgency
        How urgent it is; each stage of a run that somebody looks at has an urgency of its own.
    plan
        Of a run.
    stages
        Names of the stages of the run that it computes, in order.
    results
        Names of what other work stores one by one, so that each can be drawn before all is over.
    stored_results
        Returns those of them that the store has.
    """

    name: str
    folder: JobFolder
    function: Callable[..., str]
    arguments: tuple[Any, ...]
    prepare: Callable[[], object] = lambda: None
    is_finished: Callable[[], bool] = lambda: False
    urgency: Urgency = Urgency.PREVIEW
    plan: Plan | None = None
    stages: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    stored_results: Callable[[], tuple[str, ...]] = tuple

    @property
    def background(self) -> bool:
        """Whether it makes way for everything else."""
        return self.urgency is Urgency.BACKGROUND

    def urgency_of(self, stage: str | None) -> Urgency:
        """Return how urgent one of its stages is, or all of it."""
        if stage is None:
            return self.urgency
        takes_minutes = self.plan is not None and self.plan.stages[stage].takes_minutes
        return max(self.urgency, of_stage(stage, takes_minutes=takes_minutes))

    def result_of(self, stage: str | None) -> Hashable:
        """Return what tells the result of a stage, or of all, from every other."""
        if self.plan is None or stage is None:
            return self.name
        return self.plan.dataset.fingerprint, self.plan.keys[stage]

    def has(self, stage: str) -> bool:
        """Return whether the store has the result of a stage."""
        return self.plan is not None and self.plan.has(stage)

    @property
    def stored(self) -> tuple[str, ...]:
        """Those of its stages, or results, that the store has."""
        return (*(stage for stage in self.stages if self.has(stage)), *self.stored_results())


def run_work(dataset: Dataset, params: RunParams, *stages: str) -> Work:
    """Describe a run; or some of its stages and what they need, most of them in the background.

    Parameters
    ----------
    stages
        Names from `harmony_core.runs.plan`.
    """
    plan = Plan(dataset, params)
    name = "-".join((plan.run, *stages))
    below = ["-".join(stages)] if stages else []
    return Work(
        name,
        JobFolder(dataset.run_folder(plan.run, *below)),
        compute,
        (dataset.fingerprint, params, *stages),
        prepare=lambda: save_settings(dataset, params),
        is_finished=lambda: plan.has(*stages) if stages else plan.is_finished,
        urgency=_urgency(stages),
        plan=plan,
        stages=tuple(stage.name for stage in plan.stages_for(*stages)),
    )


def _urgency(stages: Sequence[str]) -> Urgency:
    """Return how urgent a run is; of stages by themselves only preparation is waited for."""
    if not stages:
        return Urgency.PREVIEW
    alone = {of_stage(stage) for stage in stages}
    return Urgency.NEW_DATA if alone == {Urgency.NEW_DATA} else Urgency.BACKGROUND


def load_work(store: Store, request: LoadRequest) -> Work:
    """Describe reading files into the store; `Progress.result` is then the fingerprint.

    Each call describes other work, because the same files may have changed since.
    """
    name = "load-" + digest(request.to_dict(), time.time_ns())
    folder = JobFolder(store.uploads_folder / name)
    return Work(
        name, folder, load_files, (request,), prepare=folder.create, urgency=Urgency.READING
    )


def export_work(
    dataset: Dataset, params: RunParams, format_name: str, values: Mapping[str, Any]
) -> Work:
    """Describe an export of a finished run; `Progress.result` is then the name of the file.

    Parameters
    ----------
    format_name, values
        See `harmony_core.jobs.worker.export_run`; plain JSON values.
    """
    run = Plan(dataset, params).run
    export = digest(run, format_name, values)
    folder = JobFolder(dataset.run_folder(run) / "files" / export)
    return Work(
        f"export-{export}",
        folder,
        export_run,
        (dataset.fingerprint, params, format_name, values),
        prepare=lambda: dataset.run_folder(run, "files", export),
        is_finished=lambda: folder.progress.state == "finished",
        urgency=Urgency.BACKGROUND,
    )


def selection_work(dataset: Dataset, params: RunParams, selected: npt.NDArray[np.bool_]) -> Work:
    """Describe ranking the marker genes of selected cells.

    Parameters
    ----------
    selected
        Which of the prepared cells are selected (cells).
    """
    name = selected_markers.key(dataset, params, selected).folder
    arguments = (dataset.fingerprint, params, np.packbits(selected).tobytes())
    folder = JobFolder(dataset.run_folder(name))
    return Work(name, folder, rank_selected, arguments, urgency=Urgency.LAYOUT)


def risk_work(dataset: Dataset, runs: Sequence[RunParams]) -> Work:
    """Describe estimating, in the background, the risk of every state at some settings.

    Parameters
    ----------
    runs
        The first is one that was assessed, the others differ in Harmony's settings only.
    """
    names = {params: Plan(dataset, params).run for params in runs}
    name = "risk-" + digest(*names.values())

    def stored() -> tuple[str, ...]:
        return tuple(names[params] for params in risk.runs_with_risks(dataset, runs))

    return Work(
        name,
        JobFolder(dataset.run_folder(names[runs[0]], name)),
        estimate_risks,
        (dataset.fingerprint, tuple(runs)),
        is_finished=lambda: len(stored()) == len(runs),
        urgency=Urgency.BACKGROUND,
        results=tuple(names.values()),
        stored_results=stored,
    )
