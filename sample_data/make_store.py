"""Write what the store keeps of each sample: the checked dataset and its default run.

Run it from the project's folder after anything changed that decides a result::

    python sample_data/make_store.py

The results come out of the chain itself; ``tests/store/test_examples.py`` computes them again and
compares.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harmony_core.io.read import read
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import RESULTS, Plan
from harmony_core.store import Dataset, Store
from harmony_core.store.examples import EXAMPLES, Example
from harmony_core.store.info import StartSettings
from harmony_core.store.ingest import ingest


def default_run(sample: Example) -> RunParams:
    """Return the settings that a sample opens with."""
    return RunParams(
        harmony=HarmonyParams(batch=(sample.batch,)), label=sample.label, condition=sample.condition
    )


def compute(sample: Example, store: Store) -> Dataset:
    """Read a sample into a store and compute its default run."""
    suggested = StartSettings(batch=(sample.batch,), label=sample.label, condition=sample.condition)
    dataset = ingest(
        store, read(sample.path), name=sample.name, source=sample.path, suggested=suggested
    )
    Pipeline(dataset, default_run(sample)).run()
    return dataset


def main() -> None:
    for sample in EXAMPLES.values():
        with tempfile.TemporaryDirectory() as home:
            dataset = compute(sample, Store(home))
            plan = Plan(dataset, default_run(sample))
            with zipfile.ZipFile(sample.archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
                out.writestr(_entry("fingerprint.json"), json.dumps(dataset.fingerprint))
                for path in _shipped(plan):
                    name = path.relative_to(dataset.folder).as_posix()
                    out.writestr(_entry(name), path.read_bytes())
        print(f"{sample.archive.name}: {sample.archive.stat().st_size / 1e6:.1f} MB")


def _shipped(plan: Plan) -> Iterator[Path]:
    """Yield what `examples.install` can't take from the h5ad, and the results a page shows."""
    folder = plan.dataset.folder
    for name in ("dataset.json", "obs.parquet", "var.parquet"):
        yield folder / name
    for name in RESULTS:
        yield from sorted((folder / "stages" / plan.keys[name].folder).iterdir())


def _entry(name: str) -> zipfile.ZipInfo:
    """Return a zip entry without the time of writing, so that the same content is the same file."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


if __name__ == "__main__":
    main()
