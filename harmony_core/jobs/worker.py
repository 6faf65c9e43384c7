"""Functions that run in the worker: compute a run, load files, export, rank selected cells.

Everything heavy is imported inside the functions: the page process imports this module too.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from harmony_core.errors import Cancelled, HarmonyExplorerError, TooLarge, full_disk
from harmony_core.io.request import LoadRequest
from harmony_core.jobs.job_folder import JobFolder
from harmony_core.params import RunParams
from harmony_core.runs.plan import LOADING, Step
from harmony_core.store import Store

log = logging.getLogger(__name__)

_PROGRESS_INTERVAL = 0.1

EVICT_EVERY_SECONDS = 60.0
"""A store of a hundred runs takes a tenth of a second to measure, while somebody waits."""

_evicted_at: dict[Path, float] = {}

_P = ParamSpec("_P")


class Reporter:
    """The worker's side of a job's folder: writes progress, sees the cancel mark.

    Parameters
    ----------
    folder
        Where the progress is read.
    """

    def __init__(self, folder: JobFolder) -> None:
        self.folder = folder
        self._titles: dict[str, str] = {}
        self._written = -math.inf

    def expect(self, steps: Sequence[Step]) -> None:
        """Count from now on by these steps, which are computed in this order."""
        self._titles = {step.name: step.title for step in steps}

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled if nobody waits any more."""
        if self.folder.is_cancelled:
            raise Cancelled("Cancelled.")

    def report(self, title: str, fraction: float = 0.0, *, at_once: bool = False) -> None:
        """Write what is under way, at most ten times a second unless ``at_once``."""
        self.stop_if_cancelled()
        if at_once or time.monotonic() - self._written >= _PROGRESS_INTERVAL:
            self._written = time.monotonic()
            self.folder.write("running", step=title, fraction=round(fraction, 3))

    def step(self, name: str, fraction: float) -> None:
        """Note progress within a step."""
        # A stage asked for by another reports too; the bar stays with the one that asked.
        if name not in self._titles:
            self.stop_if_cancelled()
            return
        done = list(self._titles).index(name) + fraction
        self.report(self._titles[name], done / len(self._titles), at_once=fraction <= 0)


def _job(
    work: Callable[Concatenate[Reporter, Store, _P], str | None],
) -> Callable[Concatenate[str, str, _P], str]:
    """Give work a store and a reporter, and write into the job's folder how it ended.

    What is handed to a worker takes the store's home and the job's folder in their place. Work that
    returns None is not finished and has another turn.
    """

    @functools.wraps(work)
    def job(home: str, folder: str, /, *args: _P.args, **kwargs: _P.kwargs) -> str:
        reporter = Reporter(JobFolder(Path(folder)))
        try:
            reporter.stop_if_cancelled()
            result = work(reporter, Store(home), *args, **kwargs)
        except Cancelled:
            reporter.folder.write("cancelled")
        except Exception as error:
            sample = error.sample if isinstance(error, TooLarge) else None
            reporter.folder.write("failed", message=_sentence(error), sample=sample)
        else:
            if result is not None:
                reporter.folder.write("finished", fraction=1.0, result=result)
                return result
        return ""

    return job


def _sentence(error: Exception) -> str:
    """Return for the user why a job failed."""
    if isinstance(error, HarmonyExplorerError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There was not enough memory. Use fewer cells, or a machine with more memory."
    if isinstance(error, OSError) and (full := full_disk(error)):
        return full
    log.error("A job failed", exc_info=error)
    return (
        f"This did not work because of a fault in the program ({type(error).__name__})."
        " Other settings may still work; the log has the details."
    )


def _evict_now_and_then(store: Store) -> None:
    """Keep the store to its limit, unless this process did so a short while ago."""
    now = time.monotonic()
    if now - _evicted_at.get(store.home, -math.inf) >= EVICT_EVERY_SECONDS:
        _evicted_at[store.home] = now
        store.evict()


@_job
def compute(
    reporter: Reporter,
    store: Store,
    fingerprint: str,
    params: RunParams,
    *targets: str,
    stage: str,
) -> str | None:
    """Compute one stage of a run.

    Parameters
    ----------
    targets
        Stages for whose sake the run is computed; none for the whole run.
    stage
        The stage, whose needs are there.
    """
    from harmony_core.runs.pipeline import Pipeline

    pipeline = Pipeline(store.dataset(fingerprint), params, reporter.step)
    stages = pipeline.plan.stages_for(*targets)
    reporter.expect(stages)
    for one in stages:
        if stage in (one.name, one.right_after):
            pipeline.compute(one.name)
    if not pipeline.plan.has(*(one.name for one in stages)):
        return None
    _evict_now_and_then(store)
    return pipeline.plan.run


@_job
def load_files(reporter: Reporter, store: Store, request: LoadRequest) -> str:
    """Read files into the store."""
    from harmony_core.store.ingest import ingest_request

    reporter.expect(LOADING)
    return ingest_request(store, request, reporter.step).fingerprint


@_job
def export_run(
    reporter: Reporter,
    store: Store,
    fingerprint: str,
    params: RunParams,
    format_name: str,
    values: Mapping[str, Any],
) -> str:
    """Export a finished run.

    Parameters
    ----------
    format_name
        Of the export, from `harmony_core.export.formats`.
    values
        Its ``options``, the settings of a second run under ``other``, and those of the runs to
        compare with under ``runs``.

    Returns
    -------
    Name of the file in the job's folder; the notes there say what was renamed.
    """
    from harmony_core.export.formats import write_export
    from harmony_core.export.job import ExportJob
    from harmony_core.runs.results import RunResults

    reporter.report("Writing the file")
    dataset = store.dataset(fingerprint)

    def results(settings: Mapping[str, Any]) -> RunResults:
        return RunResults(dataset, RunParams.from_dict(settings))

    job = ExportJob(
        RunResults(dataset, params),
        runs=[results(run) for run in values.get("runs", ())],
        other=results(values["other"]) if values.get("other") else None,
        options=values.get("options", {}),
        on_progress=reporter.report,
    )
    path, notes = write_export(format_name, job, reporter.folder.path)
    reporter.folder.write_notes(notes)
    reporter.stop_if_cancelled()
    return path.name


@_job
def rank_selected(
    reporter: Reporter, store: Store, fingerprint: str, params: RunParams, packed: bytes
) -> str:
    """Rank marker genes of selected cells.

    Parameters
    ----------
    packed
        Which of the prepared cells are selected, as ``numpy.packbits`` packs them.
    """
    import numpy as np

    from harmony_core.runs import selected_markers
    from harmony_core.runs.pipeline import Pipeline

    reporter.report("Reading the expression")
    pipeline = Pipeline(store.dataset(fingerprint), params)
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=len(pipeline.cells))
    report = functools.partial(reporter.report, "Ranking genes")
    selected_markers.rank(pipeline, bits.astype(bool), report)
    return ""


@_job
def estimate_risks(
    reporter: Reporter, store: Store, fingerprint: str, runs: Sequence[RunParams]
) -> str | None:
    """Estimate one more of the risks of every state at the settings of some runs.

    Parameters
    ----------
    runs
        See `harmony_core.runs.risk.estimate`.
    """
    from harmony_core.runs import risk

    if not risk.estimate(store.dataset(fingerprint), runs, reporter.report, at_most=1):
        return None
    _evict_now_and_then(store)
    return ""
