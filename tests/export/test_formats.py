"""Every export format is written, under a name that is safe."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from harmony_core.errors import Cancelled, ParameterError
from harmony_core.export.formats import EXPORT_FORMATS, write_export
from harmony_core.export.job import OPTIONS, ExportJob, file_stem
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def other(dataset: Dataset) -> RunResults:
    params = replace(SMALL, harmony=replace(SMALL.harmony, theta=(0.5,)))
    Pipeline(dataset, params).run()
    return RunResults(dataset, params)


# Every format with its default options, and every other value of an option once.
CASES: list[tuple[str, dict[str, str | int]]] = [
    *((format.name, {}) for format in EXPORT_FORMATS),
    *(
        (format.name, {option: value})
        for format in EXPORT_FORMATS
        for option in format.options
        for value in OPTIONS[option].values[1:]
    ),
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_format_is_written_whole(
    finished: RunResults,
    other: RunResults,
    name: str,
    options: dict[str, str | int],
    tmp_path: Path,
) -> None:
    job = ExportJob(finished, runs=[other], other=other, options=options)
    path, notes = write_export(name, job, tmp_path)
    assert notes == ()
    exact = {"evaluation": "harmony_batch_evaluation", "two_runs": "harmony_two_runs"}
    assert path.name.startswith(exact.get(name, "simulated_harmony"))
    assert path.stat().st_size > 100
    assert list(tmp_path.iterdir()) == [path]
    figure, table = options.get("figure", "png"), options.get("table", "csv")
    if path.suffix == ".zip":
        expected = {
            "figures": f"harmony_batch_evaluation.{figure}",
            "tables": f"runs.{table}",
            "zarr": "simulated_harmony.zarr/.zgroup",
        }
        assert expected[name] in zipfile.ZipFile(path).namelist()
    if path.suffix in STARTS:
        assert path.read_bytes().startswith(STARTS[path.suffix])


STARTS = {
    ".h5ad": b"\x89HDF",
    ".png": b"\x89PNG",
    ".pdf": b"%PDF",
    ".svg": b"<?xml",
    ".html": b"<!doctype html>",
    ".ipynb": b"{",
    ".json": b"{",
    ".toml": b"# Settings",
}


def test_runs_are_named_by_what_differs(
    finished: RunResults, other: RunResults, tmp_path: Path
) -> None:
    job = ExportJob(finished, other=other, options={"figure": "svg"})
    path, _ = write_export("two_runs", job, tmp_path)
    text = path.read_text("utf-8")
    assert text.index("theta 2, sigma 0.1, by batch") < text.index("theta 0.5, sigma 0.1, by batch")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gif", {}, "no export 'gif'; available: h5ad"),
        ("h5ad", {"compression": "zip"}, "compression is 'zip' for h5ad; available: gzip, lzf"),
        ("report", {"dpi": 300}, "dpi is 300 for report; available: none"),
        ("two_runs", {}, "Choose two runs"),
    ],
)
def test_what_cannot_be_exported(
    finished: RunResults,
    name: str,
    options: dict[str, str | int],
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(ParameterError, match=message):
        write_export(name, ExportJob(finished, options=options), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_long_export_stops_when_nobody_waits(finished: RunResults, tmp_path: Path) -> None:
    steps: list[str] = []

    def on_progress(text: str) -> None:
        steps.append(text)
        if len(steps) == 20:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        write_export("h5ad", ExportJob(finished, on_progress=on_progress), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "Writing the h5ad, " in steps[0]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("pbmc.h5ad", "pbmc"),
        ("a b/c d.h5ad", "c_d"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\x.h5ad", "x"),
        (".hidden", "hidden"),
        ("..", "harmony"),
        ("", "harmony"),
        ('a"; rm -rf *', "a_rm_-rf"),
        ("naïve 細胞.h5ad", "naïve_細胞"),
        ("x" * 500, "x" * 80),
        ("counts.mtx.gz", "counts"),
    ],
)
def test_names_of_files_have_no_path_parts(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def test_a_page_can_read_the_list_without_anything_heavy() -> None:
    code = (
        "import sys, harmony_core.export.formats, harmony_core.export.settings;"
        "heavy = {'anndata', 'scanpy', 'sklearn', 'umap', 'numba', 'harmonypy', 'matplotlib',"
        " 'faiss', 'h5py'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
