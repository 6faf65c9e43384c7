"""A run in numbers, as plain JSON values: what the command line reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harmony_core.errors import ExportError
from harmony_core.export.record import prepared_facts, versions
from harmony_core.figures.summary import level_sizes
from harmony_core.runs.results import RunResults


def run_report(
    results: RunResults, *, seconds: Mapping[str, float] | None = None, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return versions, data, settings in effect, how Harmony went, metrics, verdict and times.

    Of a given embedding, ``harmony`` is None.

    Parameters
    ----------
    results
        A finished run.
    seconds
        Time per stage; by default as the store remembers it.
    notes
        Anything else to say about the data.

    Raises
    ------
    ExportError
        If the run is not finished.
    """
    harmony, found, given = results.harmony, results.assessment, results.params.precomputed
    if (harmony is None and given is None) or found is None or results.obs is None:
        raise ExportError("This run is not finished, so there is nothing complete to report yet.")
    dataset, params = results.dataset, results.params.to_dict()
    if harmony is None:
        params["harmony"] = {"batch": params["harmony"]["batch"]}  # nothing else had an effect
    else:
        params["harmony"]["nclust"] = harmony["nclust"]
    facts = prepared_facts(results)
    params["prepare"]["n_pcs"] = facts.pop("dimensions")
    return {
        "versions": versions(),
        "data": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            **facts,
            "batches": {
                name: level_sizes(results.obs[name]) for name in results.params.harmony.batch
            },
            "notes": [*facts["notes"], *found["notes"], *notes],
        },
        "params": params,
        "harmony": harmony and {k: v for k, v in harmony.items() if k != "seconds"},
        "metrics": found["metrics"],
        "verdict": found["verdict"],
        "seconds": dict(seconds if seconds is not None else results.seconds),
    }


def as_it_was(found: dict[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's numbers with the data and the preparation that its record tells of.

    Parameters
    ----------
    found
        From `run_report`, of results computed again from a file that holds the run.
    origin
        Record in that file.
    """
    facts = dict(origin.get("prepared", {}))
    if not facts:
        return found
    n_pcs = facts.pop("dimensions")
    told = {"name": origin["name"], "fingerprint": origin["fingerprint"]}
    prepare = {**origin["params"]["prepare"], "n_pcs": n_pcs}
    return {
        **found,
        "data": {**found["data"], **facts, **told},
        "params": {**found["params"], "prepare": prepare},
    }
