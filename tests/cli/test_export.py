"""The commands around a run: check, export, report, completion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core import cli
from harmony_core.cli.parser import COMMANDS
from harmony_core.export import write_h5ad
from harmony_core.export.settings import read_settings
from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.store import HOME_VARIABLE
from tests.cli.test_correct import refused
from tests.conftest import SMALL


@pytest.fixture(autouse=True)
def _no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def run_file(finished: RunResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "corrected.h5ad"
    write_h5ad(finished, path, input_path="/somewhere/pbmc.h5ad")
    return path


def test_scripts_and_settings_come_from_the_record(run_file: Path, tmp_path: Path) -> None:
    names = {"python": "a.py", "notebook": "a.ipynb", "r": "a.R", "settings": "a.toml"}
    names["seurat-integration"] = "b.R"
    options = [x for k, v in names.items() for x in (f"--{k}", str(tmp_path / v))]
    assert cli.main(["export", str(run_file), *options]) == 0
    assert {p.name for p in tmp_path.iterdir()} == set(names.values())
    script = (tmp_path / "a.py").read_text()
    # The script starts from the user's own file, not from ours.
    assert "INPUT = '/somewhere/pbmc.h5ad'" in script
    assert "MIN_GENES = 5" in script
    assert "def content_digest(" in script
    assert "'/somewhere/pbmc.h5ad'" in (tmp_path / "a.ipynb").read_text()
    for name in ("a.R", "b.R"):
        assert f'h5ad <- "{run_file}"' in (tmp_path / name).read_text()
    assert "RPCAIntegration" in (tmp_path / "b.R").read_text()
    assert RunParams.from_dict(read_settings(tmp_path / "a.toml")) == SMALL


def test_figures_tables_and_report_show_the_same_run(
    run_file: Path, finished: RunResults, tmp_path: Path
) -> None:
    command = ["export", str(run_file), "--figures", str(tmp_path / "f"), "--format", "svg", "csv"]
    command += ["--tables", str(tmp_path / "t"), "--report", str(tmp_path / "r.html")]
    assert cli.main([*command, "--home", str(tmp_path / "home")]) == 0
    assert (tmp_path / "f" / "harmony_batch_evaluation.svg").is_file()
    clusters = np.genfromtxt(tmp_path / "t" / "clusters.csv", delimiter=",", names=True)
    assert clusters.dtype.names is not None
    np.testing.assert_array_equal(clusters["leiden_05"], finished.clusters("after"))
    assert finished.assessment is not None
    page = (tmp_path / "r.html").read_text("utf-8")
    assert f"verdict {finished.assessment['verdict']['level']}" in page
    home = str(tmp_path / "home")
    out = str(tmp_path / "r2.html")
    assert cli.main(["report", str(run_file), "--out", out, "--home", home]) == 0
    assert (tmp_path / "r2.html").read_text("utf-8") == page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Say what to write"),
        (["--python", "a.txt"], "must end in .py"),
        (["--python", "nowhere/a.py"], "there is no folder"),
        (["--figures", "corrected.h5ad"], "is a file"),
        (["--tables", "corrected.h5ad/tables"], "is a file"),
        (["--r", "a" * 300 + ".R"], "is too long for a disk"),
        (["--figures", "f", "--dpi", "5"], "--dpi is 5"),
        (["--figures", "f", "--format", "gif"], "--format"),
    ],
)
def test_export_refuses_before_it_writes(
    run_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    shutil.copy(run_file, tmp_path / "corrected.h5ad")
    monkeypatch.chdir(tmp_path)
    refused(["export", "corrected.h5ad", *options], capsys, message)
    assert [p.name for p in tmp_path.iterdir()] == ["corrected.h5ad"]


def test_a_file_without_a_run(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.write_h5ad(tmp_path / "plain.h5ad")
    (tmp_path / "text.h5ad").write_text("no")
    out = ["--python", str(tmp_path / "a.py")]
    refused(["export", str(tmp_path / "plain.h5ad"), *out], capsys, "holds no run")
    refused(["export", str(tmp_path / "text.h5ad"), *out], capsys, "is not an h5ad")
    refused(["export", str(tmp_path / "gone.h5ad"), *out], capsys, "no file")
    refused(["export", str(tmp_path), *out], capsys, "is a folder; give the run's h5ad")
    page = ["--out", str(tmp_path / "a.html")]
    refused(["report", str(tmp_path / "plain.h5ad"), *page], capsys, "holds no run")


@pytest.mark.parametrize("option", ["--figures", "--tables"])
def test_a_protected_folder_is_refused_before_anything_is_computed(
    run_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
) -> None:
    # Asked of the system, as a test may run as root, whom no mode of a folder keeps out.
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path)
    refused(["export", str(run_file), option, str(tmp_path / "new")], capsys, "is protected")
    assert not (tmp_path / "new").exists()


def test_check_says_what_is_recognised(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.h5ad"
    simulated.write_h5ad(path)
    assert cli.main(["check", str(path)]) == 0
    told = capsys.readouterr().out
    assert "400 cells, 300 genes" in told
    assert "batch variable? batch: A " in told
    command = ["check", str(path), "--batch", "batch", "--label", "true_type", "--json"]
    assert cli.main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n_cells"] == 400
    assert found["matrices"] == {"X": "counts"}
    assert any("T1" in finding["sentence"] for finding in found["design"]["batch"])
    refused(["check", str(path), "--batch", "nope"], capsys, "'nope'")
    refused(["check", str(path), "--label", "nope"], capsys, "'nope'")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in (*COMMANDS, "max-iter", "notebook"):
        assert word in script
    if (found := shutil.which(shell)) is not None:
        (tmp_path / "script").write_text(script)
        subprocess.run([found, "-n", str(tmp_path / "script")], check=True)


def test_zsh_completes_every_input_file(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", "zsh"])
    specifications = [line.strip() for line in capsys.readouterr().out.splitlines()]
    inputs = [line for line in specifications if "several files become one dataset" in line]
    assert len(inputs) == 6  # correct, suggest, diagnose, check, compare, open
    for line in inputs:
        assert line.startswith('"*:')
        assert line.endswith(':_files"')


def test_bash_completes_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    cli.main(["completion", "bash"])
    script = capsys.readouterr().out + (
        "\nCOMP_WORDS=(harmony-explorer correct --max); COMP_CWORD=2\n"
        '_shtab_harmony_explorer\necho "${COMPREPLY[@]}"\n'
        "COMP_WORDS=(harmony-explorer ex); COMP_CWORD=1\n"
        '_shtab_harmony_explorer\necho "${COMPREPLY[@]}"\n'
        "COMP_WORDS=(harmony-explorer completion ''); COMP_CWORD=2\n"
        '_shtab_harmony_explorer\necho "${COMPREPLY[@]}"\n'
        "COMP_WORDS=(harmony-explorer correct in.h5ad --compression l); COMP_CWORD=4\n"
        '_shtab_harmony_explorer\necho "${COMPREPLY[@]}"\n'
        "COMP_WORDS=(harmony-explorer correct my); COMP_CWORD=2\n"
        '_shtab_harmony_explorer\necho "${#COMPREPLY[@]}"\n'
    )
    done = subprocess.run([bash], input=script, capture_output=True, text=True, check=True)
    first, second, shells, compression, files = done.stdout.splitlines()
    assert set(first.split()) == {
        *("--max-iter", "--max-iter-kmeans", "--max-genes", "--max-mito", "--max-doublet"),
        "--max-cells",
    }
    assert second == "export"
    assert shells == "bash zsh fish"
    assert compression == "lzf"
    assert files == "0"  # left to the shell, which knows names with spaces


def test_a_report_from_a_runs_file_tells_of_the_run_as_it_was(
    run_file: Path, finished: RunResults, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    assert cli.main(["report", str(run_file), "--out", str(page)]) == 0
    text = page.read_text("utf-8")
    assert "Harmony report: simulated" in text
    assert finished.dataset.fingerprint in text
    assert "/somewhere/pbmc.h5ad" in text
    assert "genes, at most 20 % mitochondrial counts were kept" in text
    assert "10 principal components computed" in text
    assert "Preparation was skipped" not in text
    assert "leiden_uncorrected" not in text  # no column of the user's
