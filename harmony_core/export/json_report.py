"""A run's report in plain JSON values, as the command line writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harmony_core.categories import Factor
from harmony_core.errors import UnfinishedRun
from harmony_core.export.record import harmony_facts, method_facts, prepared_facts, versions
from harmony_core.runs.design import design_of_run
from harmony_core.runs.notes import notes_on_run
from harmony_core.runs.results import RunResults


def report_values(
    results: RunResults, *, seconds: Mapping[str, float] | None = None, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return versions, data, what the design warns of, settings, metrics, verdict and times.

    ``harmony`` is None where another tool corrected the embedding.

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
    harmony, assessment = results.harmony, results.assessment
    needs_harmony = results.params.by_harmony
    if (harmony is None and needs_harmony) or assessment is None or results.obs is None:
        raise UnfinishedRun("report")
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
                name: Factor.of(name, results.obs[name]).sizes
                for name in results.params.harmony.batch
            },
            "notes": [*notes_on_run(results), *notes],
        },
        "design": [finding.to_dict() for finding in design_of_run(results).warnings],
        "params": params,
        "harmony": harmony_facts(results),
        **method_facts(results),
        "metrics": assessment.metrics,
        "verdict": assessment.verdict.to_dict(),
        "seconds": dict(seconds if seconds is not None else results.seconds),
    }


def with_original_data(
    values: dict[str, Any], original: Mapping[str, Any], judged: Sequence[str]
) -> dict[str, Any]:
    """Return a run's numbers with the data and the preparation that its record tells of.

    Parameters
    ----------
    values
        From `report_values`, of results computed again from a file that holds the run.
    original
        Record in that file.
    judged
        What the judging has to say of those results, which are judged anew.
    """
    facts = dict(original.get("prepared", {}))
    if not facts:
        return values
    n_pcs = facts.pop("dimensions")
    notes = list(dict.fromkeys([*facts.get("notes", []), *judged]))
    identity = {"name": original["name"], "fingerprint": original["fingerprint"]}
    prepare = {**original["params"]["prepare"], "n_pcs": n_pcs}
    return {
        **values,
        "data": {**values["data"], **facts, **identity, "notes": notes},
        "params": {**values["params"], "prepare": prepare},
    }
