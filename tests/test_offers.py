"""What the page offers: every form is written, under a name that is safe."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harmony_core.data.store import Dataset
from harmony_core.errors import ParameterError
from harmony_core.export.offers import OFFERS, Request, file_stem, write_offer
from harmony_core.pipeline import Pipeline
from harmony_core.results import RunResults
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def finished(dataset: Dataset) -> RunResults:
    Pipeline(dataset, SMALL).run()
    return RunResults(dataset, SMALL)


@pytest.mark.parametrize("name", [offer.name for offer in OFFERS])
def test_every_offer_is_written_whole(finished: RunResults, name: str, tmp_path: Path) -> None:
    request = Request(finished, runs=[finished], input_path="/data/in.h5ad")
    path, notes = write_offer(name, request, tmp_path)
    assert notes == ()
    exact = name == "evaluation"
    assert path.name.startswith("harmony_batch_evaluation.png" if exact else "simulated_harmony")
    assert path.stat().st_size > 100
    assert list(tmp_path.iterdir()) == [path]
    if path.suffix == ".zip":
        names = zipfile.ZipFile(path).namelist()
        expected = {
            "pictures": "harmony_batch_evaluation.pdf",
            "tables": "runs.csv",
            "zarr": "simulated_harmony.zarr/.zgroup",
        }
        assert expected[name] in names


def test_an_unknown_offer(finished: RunResults, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no export 'gif'; available: h5ad"):
        write_offer("gif", Request(finished), tmp_path)


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
        "import sys, harmony_core.export.offers, harmony_core.export.settings;"
        "heavy = {'anndata', 'scanpy', 'sklearn', 'umap', 'numba', 'harmonypy', 'matplotlib',"
        " 'faiss', 'h5py'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
