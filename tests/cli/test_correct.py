"""The headless command, as a shell sees it: files, exit status, one line when it refuses."""

from __future__ import annotations

import errno
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import harmonypy
import numpy as np
import pytest

from harmony_core import Study, cli
from harmony_core.cli.correct import params_of
from harmony_core.cli.parser import command_parser
from harmony_core.cli.shared import TerminalProgress, one_line, params_of_data, plain_json
from harmony_core.errors import InputError
from harmony_core.export.settings import write_settings
from harmony_core.methods.harmony_releases import as_release
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs import concordance
from harmony_core.runs.plan import Step
from harmony_core.store import HOME_VARIABLE, Dataset, DatasetInfo
from harmony_core.store.info import StartSettings
from tests.conftest import SMALL

QUICK = ("--min-genes", "5", "--n-top-genes", "150", "--n-pcs", "10", "--max-iter", "3")


@pytest.fixture(autouse=True)
def _no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def counts(simulated: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("counts") / "simulated.h5ad"
    simulated.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def done(counts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the outputs of one run, made by the real command in a process of its own."""
    folder = tmp_path_factory.mktemp("done")
    command = [
        *(sys.executable, "-m", "harmony_core.cli", "correct", str(counts)),
        *("--batch", "batch", "--label", "true_type", *QUICK),
        *("--out", str(folder / "out.h5ad"), "--report", str(folder / "report.json")),
        *("--figure", str(folder / "evaluation.png"), "--home", str(folder / "home")),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    # Quiet where nobody watches.
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def report(done: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((done / "report.json").read_text("utf-8"))
    return found


def test_the_corrected_file_is_harmonys_own_result(done: Path) -> None:
    adata = ad.read_h5ad(done / "out.h5ad")
    bare = harmonypy.run_harmony(
        adata.obsm["X_pca"],
        adata.obs,
        ["batch"],
        theta=[2.0],
        max_iter_harmony=3,
        nclust=round(adata.n_obs / 30),
        verbose=False,
    )
    np.testing.assert_array_equal(adata.obsm["X_pca_harmony"], bare.Z_corr.astype(np.float32))
    assert {"X_umap", "X_umap_uncorrected"} <= set(adata.obsm)
    assert (done / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_has_every_part(report: dict[str, Any]) -> None:
    assert {
        *("versions", "data", "design", "params", "harmony", "metrics", "verdict", "seconds"),
    } == set(report)
    assert report["versions"]["harmonypy"] == "2.1.0"
    assert report["data"]["cells"] == 400
    assert sum(report["data"]["batches"]["batch"].values()) == report["data"]["cells_kept"]
    assert report["harmony"]["iterations"] == len(report["harmony"]["objective"]) - 1
    assert report["harmony"]["stop_reason"] in ("converged", "limit", "rose", "none")
    assert report["params"]["harmony"]["nclust"] == round(report["data"]["cells_kept"] / 30)
    assert report["verdict"]["level"] in ("green", "amber", "red")
    assert report["verdict"]["sentences"]
    assert isinstance(report["verdict"]["evidence"], list)
    assert {"read", "prepare", "correct", "write"} <= set(report["seconds"])


def test_the_risk_is_reported_where_it_is_asked_for(counts: Path, tmp_path: Path) -> None:
    outputs = ("--out", str(tmp_path / "out.h5ad"), "--report", str(tmp_path / "report.json"))
    asked = ("--batch", "batch", "--label", "true_type", "--risk", *QUICK)
    assert cli.main(["correct", str(counts), *asked, *outputs]) == 0
    risks = json.loads((tmp_path / "report.json").read_text("utf-8"))["risk"]
    assert {risk["kind"] for risk in risks} == {"label"}
    known = [risk for risk in risks if risk["fraction"] is not None]
    assert len(known) >= 3
    assert all(0 <= risk["fraction"] <= 1 and risk["cells"] >= 25 for risk in known)
    assert all(risk["why"] for risk in risks if risk["fraction"] is None)


def test_the_metrics_are_keyed_by_batch_variable(report: dict[str, Any]) -> None:
    before, after = report["metrics"]["before"]["batch"], report["metrics"]["after"]["batch"]
    assert {"mcm", "ilisi", "ilisi_vs_null", "clisi"} <= set(before)
    assert "worst_label_purity_loss" not in before
    assert {"mcm", "ilisi", "ilisi_vs_null", "clisi", "worst_label_purity_loss"} <= set(after)
    assert 1 <= before["ilisi"] < after["ilisi"] <= 2


def test_the_params_run_again_as_they_are_reported(report: dict[str, Any]) -> None:
    again = RunParams.from_dict(report["params"])
    assert again.harmony.batch == ("batch",)
    assert again.prepare == SMALL.prepare


def test_a_kept_store_computes_nothing_twice(
    done: Path, counts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise AssertionError("computed again")

    computed = Dataset.computed
    monkeypatch.setattr(Dataset, "computed", lambda self, key, _: computed(self, key, fail))
    arguments = ["correct", str(counts), "--batch", "batch", "--label", "true_type", *QUICK]
    out = tmp_path / "again.h5ad"
    assert cli.main([*arguments, "--home", str(done / "home"), "--out", str(out)]) == 0
    first, second = ad.read_h5ad(done / "out.h5ad"), ad.read_h5ad(out)
    np.testing.assert_array_equal(first.obsm["X_umap"], second.obsm["X_umap"])


@pytest.mark.parametrize(
    ("name", "basis", "batch", "label", "before", "after", "label_after"),
    [
        # Without expression and with a single embedding there is nothing else to start from.
        ("cell_lines", [], "dataset", "cell_type", 1.17, 1.71, 1.00),
        ("pbmc_3500", ["--basis", "X_pca"], "donor", None, 1.51, 2.27, None),
    ],
)
def test_basis_corrects_the_embedding_that_is_there(
    shared_data: Path,
    tmp_path: Path,
    name: str,
    basis: list[str],
    batch: str,
    label: str | None,
    before: float,
    after: float,
    label_after: float | None,
) -> None:
    source, out, report = shared_data / f"{name}.h5ad", tmp_path / "o.h5ad", tmp_path / "r.json"
    arguments = ["correct", str(source), "--batch", batch, *basis]
    arguments += ["--label", label] if label else []
    assert cli.main([*arguments, "--out", str(out), "--report", str(report)]) == 0
    metrics = json.loads(report.read_text())["metrics"]
    assert metrics["before"][batch]["ilisi"] == pytest.approx(before, abs=0.01)
    assert metrics["after"][batch]["ilisi"] == pytest.approx(after, abs=0.01)
    if label_after is not None:
        assert metrics["after"][batch]["clisi"] == pytest.approx(label_after, abs=0.01)
    given, written = ad.read_h5ad(source), ad.read_h5ad(out)
    np.testing.assert_array_equal(written.obsm["X_pca"], given.obsm["X_pca"])
    assert written.obsm["X_pca_harmony"].shape == given.obsm["X_pca"].shape


# What it refuses


def _set(column: str, values: Callable[[int], Any]) -> Callable[[ad.AnnData], None]:
    def change(adata: ad.AnnData) -> None:
        adata.obs[column] = values(adata.n_obs)

    return change


def _nan_embedding(adata: ad.AnnData) -> None:
    adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(adata.n_obs, 5))
    adata.obsm["X_pca"][3, 2] = np.nan


@pytest.mark.parametrize(
    ("arguments", "change", "message"),
    [
        (["--batch", "nope"], None, "'nope'"),
        (["--batch", "one"], _set("one", lambda n: ["same"] * n), "one level"),
        (["--batch", "id"], _set("id", lambda n: [f"cell {i}" for i in range(n)]), "levels for"),
        (["--batch", "x"], _set("x", lambda n: np.linspace(0, 1, n)), "measured"),
        (
            ["--batch", "gap"],
            _set("gap", lambda n: ["a", "b", None, "a"] * (n // 4)),
            "'gap'",
        ),
        (["--batch", "batch", "--label", "nope"], None, "'nope'"),
        (["--batch", "batch", "--label", "batch"], None, "both as batch variable and as label"),
        (["--batch", "batch", "--theta", "-1"], None, "theta is -1"),
        (["--batch", "batch", "--theta", "1", "2"], None, "2 values of theta"),
        (["--batch", "batch", "--sigma", "0"], None, "sigma is 0"),
        (["--batch", "batch", "--nclust", "500"], None, "nclust"),
        (["--batch", "batch", "--max-iter", "2.5"], None, "--max-iter"),
        (["--batch", "batch", "--basis", "X_nope"], None, "'X_nope'"),
        (["--batch", "batch", "--basis", "X_pca"], _nan_embedding, "missing or infinite"),
        (["--batch", "batch", "--min-genes", "5000"], None, "min_genes"),
        ([], None, "--batch"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    simulated: ad.AnnData,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    change: Callable[[ad.AnnData], None] | None,
    message: str,
) -> None:
    adata = simulated.copy()
    if change is not None:
        change(adata)
    adata.write_h5ad(tmp_path / "in.h5ad")
    outputs = ["--out", "out.h5ad", "--report", "r.json", "--figure", "f.png"]
    outputs = [o if o.startswith("--") else str(tmp_path / o) for o in outputs]
    refused(["correct", str(tmp_path / "in.h5ad"), *arguments, *outputs], capsys, message)
    assert [p.name for p in tmp_path.iterdir()] == ["in.h5ad"]


def refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], message: str, status: int = 2
) -> None:
    try:
        found = cli.main(arguments)
    except SystemExit as ended:  # argparse's own way out
        found = int(ended.code or 0)
    captured = capsys.readouterr()
    assert found == status
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("harmony-explorer")
    assert message in captured.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file"),
        (b"", "empty"),
        (b"a text, whatever its name says", "whatever its name says"),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    path = tmp_path / "in.h5ad"
    if content is not None:
        path.write_bytes(content)
    arguments = ["correct", str(path), "--batch", "batch", "--out", str(tmp_path / "out.h5ad")]
    refused(arguments, capsys, message)
    assert not (tmp_path / "out.h5ad").exists()


def test_a_truncated_file(counts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.h5ad"
    path.write_bytes(counts.read_bytes()[:-5000])
    arguments = ["correct", str(path), "--batch", "batch", "--out", str(tmp_path / "out.h5ad")]
    refused(arguments, capsys, "in.h5ad")
    assert not (tmp_path / "out.h5ad").exists()


def test_too_few_cells(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.h5ad"
    simulated[:39].copy().write_h5ad(path)
    arguments = ["correct", str(path), "--batch", "batch", "--out", str(tmp_path / "out.h5ad")]
    refused(arguments, capsys, "39 cells")


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--out", "out.txt", "must end in .h5ad"),
        ("--out", "nowhere/out.h5ad", "there is no folder"),
        ("--out", "in.h5ad", "the input itself"),
        ("--figure", "f.gif", "must end in .png or .svg or .pdf"),
        ("--report", "r.txt", "must end in .json"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    name: str,
    message: str,
) -> None:
    (tmp_path / "in.h5ad").write_bytes(b"never read")
    chosen = {"--out": str(tmp_path / "out.h5ad"), option: str(tmp_path / name)}
    arguments = ["correct", str(tmp_path / "in.h5ad"), "--batch", "batch"]
    refused([*arguments, *(a for pair in chosen.items() for a in pair)], capsys, message)


def test_a_fault_in_the_program_is_one_line_too(
    counts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harmony_core.runs.pipeline import Pipeline

    def fail(self: Pipeline) -> None:
        raise KeyError("something\nwith two lines")

    monkeypatch.setattr(Pipeline, "run", fail)
    arguments = ["correct", str(counts), "--batch", "batch", "--out", str(tmp_path / "o.h5ad")]
    refused(arguments, capsys, "fault in the program (KeyError", status=1)
    assert list(tmp_path.iterdir()) == []


def test_arguments_become_params() -> None:
    args = command_parser().parse_args(
        [
            *("correct", "in.h5ad", "--batch", "a", "--batch", "b", "--theta", "1", "3"),
            *("--sigma", "0.2", "--nclust", "7", "--max-iter", "4", "--seed", "5", "--tau", "2"),
            *(
                "--penalties-as-r",
                "--basis",
                "X_pca",
                "--resolution",
                "1.2",
                "--condition",
                "--out",
                "o.h5ad",
            ),
        ]
    )
    params = params_of(args)
    assert params.harmony.batch == ("a", "b")
    assert params.harmony.theta == (1.0, 3.0)
    assert params.harmony.penalties_as_r
    assert (params.harmony.sigma, params.harmony.nclust, params.harmony.max_iter) == (0.2, 7, 4)
    assert (params.harmony.tau, params.harmony.seed, params.prepare.seed) == (2.0, 5, 5)
    assert params.prepare.basis == "X_pca"
    assert params.clusters.shown == 1.2
    assert params.clusters.resolutions == (0.3, 0.5, 0.8, 1.2)
    assert params.condition


def test_an_earlier_harmony_gives_what_arguments_leave_out(tmp_path: Path) -> None:
    parse = command_parser().parse_args
    given = ["correct", "in.h5ad", "--batch", "a", "--out", "o.h5ad", "--as-harmony", "1"]
    usual = HarmonyParams(batch=("a",))
    assert params_of(parse(given)).harmony == as_release(usual, "1")
    named = params_of(parse([*given, "--lamb", "3", "--theta", "1"])).harmony
    assert named == replace(as_release(usual, "1"), lamb=3.0, theta=(1.0,))
    write_settings(RunParams(harmony=replace(usual, lamb=9.0, tau=2.0)), tmp_path / "s.toml")
    config = params_of(parse([*given, "--config", str(tmp_path / "s.toml")])).harmony
    assert config == as_release(replace(usual, tau=2.0), "1")


def test_values_of_single_batches_are_given_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = command_parser().parse_args
    given = ["correct", "in.h5ad", "--batch", "a", "--out", "o.h5ad", "--lamb", "1"]
    theta = ["--theta-of", "a", "x", "3", "--theta-of", "a", "-y z", "0.5"]
    more = [
        *("--lamb-of", "a", "x", "4", "--nclust", "2", "--sigma-of", "0.1", "0.2"),
        *("--batch-prop-cutoff", "0.001"),
    ]
    params = params_of(parse([*given, *theta, *more]))
    assert params.harmony == HarmonyParams(
        batch=("a",),
        theta_of=(("a", "x", 3.0), ("a", "-y z", 0.5)),
        lamb=1.0,
        lamb_of=(("a", "x", 4.0),),
        nclust=2,
        sigma_of=(0.1, 0.2),
        batch_prop_cutoff=0.001,
    )
    for ending in ("toml", "json"):
        write_settings(params, tmp_path / f"settings.{ending}")
        config = ["--config", str(tmp_path / f"settings.{ending}"), "--out", "o.h5ad"]
        assert params_of(parse(["correct", "in.h5ad", *config])) == params
    with pytest.raises(SystemExit):
        parse([*given, "--theta-of", "a", "x", "much"])
    assert "--theta-of: 'much' is not a number" in capsys.readouterr().err


def test_components_of_a_basis_are_its_first_ones(tmp_path: Path) -> None:
    parse = command_parser().parse_args
    given = ["correct", "in.h5ad", "--batch", "a", "--out", "o.h5ad"]
    basis = ["--basis", "X_pca"]
    assert params_of(parse([*given, *basis, "--n-pcs", "7"])).prepare.use_dims == 7
    assert params_of(parse([*given, "--n-pcs", "7"])).prepare == PrepareParams(n_pcs=7)
    # A file says a number of components in any case; beside a basis it was without effect.
    written = RunParams(
        harmony=HarmonyParams(batch=("a",)), prepare=PrepareParams(basis="X_pca", n_pcs=3)
    )
    for path in (tmp_path / "settings.toml", tmp_path / "settings.json"):
        write_settings(written, path)
        config = ["--config", str(path)]
        assert params_of(parse([*given, *config])) == written
        named = params_of(parse([*given, *config, "--n-pcs", "7"]))
        assert named.prepare == replace(written.prepare, n_pcs=7, use_dims=7)
        write_settings(named, path)
        assert params_of(parse([*given, *config])) == named


def test_without_arguments_the_defaults_hold() -> None:
    args = command_parser().parse_args(["correct", "in.h5ad", "--batch", "a", "--out", "o.h5ad"])
    assert params_of(args) == RunParams.from_dict({"harmony": {"batch": ["a"]}})


def test_without_arguments_cells_need_as_many_genes_as_suit_the_data() -> None:
    info = DatasetInfo(
        name="panel",
        n_cells=100,
        suggested=StartSettings(prepare=PrepareParams(min_genes=7)),
    )
    parse = command_parser().parse_args
    given = ["correct", "in.h5ad", "--batch", "a", "--out", "o.h5ad"]
    assert params_of(parse(given), info).prepare == PrepareParams(min_genes=7)
    assert params_of(parse([*given, "--min-genes", "9"]), info).prepare.min_genes == 9
    assert params_of(parse([*given, "--basis", "X_pca"]), info).prepare.min_genes == 200


def test_a_settings_file_gives_what_arguments_leave_out(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    write_settings(SMALL, path)
    parse = command_parser().parse_args
    given = ["correct", "in.h5ad", "--config", str(path), "--out", "o.h5ad"]
    assert params_of(parse(given)) == SMALL
    as_named = DatasetInfo(
        name="x", n_cells=100, suggested=StartSettings(batch=("batch",), condition=True)
    )
    assert params_of(parse(given), as_named) == SMALL  # the file says that it is no condition
    assert params_of(parse([*given, "--condition"])).condition
    changed = params_of(parse([*given, "--theta", "1", "--label", "other"]))
    expected = replace(SMALL, harmony=replace(SMALL.harmony, theta=(1.0,)), label="other")
    assert changed == expected


def test_a_wrong_settings_file_is_refused_by_name(
    counts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["correct", str(counts), "--out", str(tmp_path / "o.h5ad"), "--config"]
    for text, message in (
        ('[harmony]\nbatch = ["batch"]\nthetta = 2\n', "'thetta'"),
        ('[harmony]\nbatch = ["batch"]\nsigma = 7\n', "sigma is 7"),
        ("[harmony\n", "not valid TOML"),
        ("[prepare]\nn_pcs = 5\n", "--batch KEY"),
    ):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        refused([*arguments, str(path)], capsys, message)
    refused([*arguments, str(tmp_path / "nowhere.json")], capsys, "nowhere.json")
    refused([*arguments, str(counts)], capsys, "must end in .toml or .json")


def test_a_full_disk_is_said(
    counts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def copyfile(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr("harmony_core.store.ingest.shutil.copyfile", copyfile)
    command = ["correct", str(counts), "--batch", "batch", "--out", str(tmp_path / "out.h5ad")]
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert said.startswith("harmony-explorer: There is no room left on the disk of '")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom harmony_core.cli import main\n"
        "try:\n    main(['correct', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'anndata', 'scanpy', 'pandas', 'umap', 'numba', 'harmonypy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "harmony-explorer correct pbmc.h5ad --batch donor --out corrected.h5ad" in done.stdout
    assert "exit status:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_messages_never_carry_control_characters() -> None:
    assert one_line("a\n\tb\x1b[31mc") == "a b [31mc"


def test_numbers_that_json_lacks_become_null() -> None:
    values = {"a": [1.0, float("nan")], 2: (float("inf"), "x")}
    assert plain_json(values) == {"a": [1.0, None], "2": [None, "x"]}


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_silence_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr("sys.stderr", stream)
        progress = TerminalProgress()
        progress.expect([Step("a", "First"), Step("b", "Second")])
        progress("a", 0.0)
        progress("b", 0.5)
        progress("on demand", 0.5)
        progress.say("")
        text = stream.getvalue()
        assert ("[1/2] First" in text, "[2/2] Second 50%" in text) == (shown, shown)
        assert "\n" not in text
        if shown:
            assert text.endswith("\r\x1b[2K")


def test_a_terminal_hears_the_verdict(
    counts: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("sys.stdout", stdout)
    arguments = ["correct", str(counts), "--batch", "batch", "--label", "true_type", *QUICK]
    out = tmp_path / "out.h5ad"
    assert cli.main([*arguments, "--home", str(done / "home"), "--out", str(out)]) == 0
    level = json.loads((done / "report.json").read_text("utf-8"))["verdict"]["level"]
    assert stdout.getvalue().startswith(f"{level}: ")
    assert stdout.getvalue().endswith(f"Written to {out}.\n")


def _embeddings_only(adata: ad.AnnData) -> None:
    rng = np.random.default_rng(0)
    adata.obsm["X_harmony"] = rng.normal(size=(adata.n_obs, 5))
    adata.obsm["X_pca"] = rng.normal(size=(adata.n_obs, 6))
    adata.obsm["X_umap"] = rng.normal(size=(adata.n_obs, 2))
    adata.obsm["X_pixel_coords"] = rng.normal(size=(adata.n_obs, 2))
    del adata.X


@pytest.fixture
def embeddings_only(simulated: ad.AnnData, tmp_path: Path) -> Path:
    cells = simulated.copy()
    _embeddings_only(cells)
    cells.write_h5ad(tmp_path / "embeddings.h5ad")
    return tmp_path / "embeddings.h5ad"


def test_data_without_expression_start_from_their_likeliest_embedding(
    embeddings_only: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.h5ad"
    arguments = ["correct", str(embeddings_only), "--batch", "batch", "--max-iter", "1"]
    assert cli.main([*arguments, "--n-pcs", "4", "--out", str(out)]) == 0
    # Of X_pca, although another one, corrected already, comes first: as on the page.
    assert ad.read_h5ad(out).obsm["X_pca_harmony"].shape[1] == 4
    study = Study.read(embeddings_only, batch="batch", home=tmp_path / "home")
    assert study.prepared == PrepareParams(basis="X_pca")
    assert study.prepare(n_pcs=4).prepared == PrepareParams(basis="X_pca", use_dims=4)


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        ("X_umap", "'X_umap' is a layout, a picture or coordinates"),
        ("X_pixel_coords", "'X_pixel_coords' is a layout, a picture or coordinates"),
        ("X_harmony", "'X_harmony' seems to be corrected already"),
    ],
)
def test_a_basis_that_should_not_be_corrected_is_warned_of_everywhere(
    embeddings_only: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    basis: str,
    said: str,
) -> None:
    stdout, report = io.StringIO(), tmp_path / "report.json"
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("sys.stdout", stdout)
    out = ["--out", str(tmp_path / "out.h5ad"), "--report", str(report)]
    arguments = ["correct", str(embeddings_only), "--batch", "batch", "--max-iter", "1"]
    assert cli.main([*arguments, "--basis", basis, *out]) == 0
    notes = json.loads(report.read_text("utf-8"))["data"]["notes"]
    assert any(said in note for note in notes)
    lines = stdout.getvalue().splitlines()
    assert [line for line in lines if line.startswith("note: ")] == [f"note: {n}" for n in notes]


def test_diagnose_says_what_the_data_have_to_say(
    embeddings_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["diagnose", str(embeddings_only), "--batch", "batch"]
    assert cli.main([*arguments, "--basis-after", "X_harmony"]) == 0
    assert "note: 'X_harmony'" not in (said := capsys.readouterr().out)
    assert "note: There are no expression values" in said


def test_own_results_are_no_facts_about_the_cells(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(done / "out.h5ad")
    assert cli.main(["check", out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ours = set(found["own_columns"])
    assert {"leiden", "leiden_0.8", "leiden_uncorrected", "harmony_soft_cluster"} <= ours
    assert ours.isdisjoint(c["name"] for c in found["batch_candidates"])
    assert ours.isdisjoint(found["label_candidates"])
    said = json.dumps([found["advice"], found["design"]])
    assert not any(name in said for name in ours)
    # Who names such a column means it.
    assert cli.main(["check", out, "--batch", "leiden"]) == 0


def test_advice_is_tried_where_it_is_asked_for(
    counts: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("sys.stdout", stdout)
    arguments = ["correct", str(counts), "--batch", "batch", "--label", "true_type", *QUICK]
    arguments += ["--home", str(done / "home"), "--try-advice"]
    outputs = ["--out", str(tmp_path / "out.h5ad"), "--report", str(tmp_path / "report.json")]
    assert cli.main([*arguments, *outputs]) == 0
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    pieces = {row["advice"]: row for row in report["advice"]}
    assert set(pieces) == {advice["sentence"] for advice in report["verdict"]["advice"]}
    alpha = next(row for sentence, row in pieces.items() if sentence.startswith("Raise alpha to 1"))
    again = [*arguments[:-1], "--alpha", "1", "--out", str(tmp_path / "2.h5ad")]
    assert cli.main([*again, "--report", str(tmp_path / "2.json")]) == 0
    followed = json.loads((tmp_path / "2.json").read_text("utf-8"))
    assert alpha["verdict"] == followed["verdict"]["kind"]
    assert "advice" not in followed
    for row in pieces.values():
        assert row["outcome"].startswith("Tried on your data: ")
        assert f"What to try: {row['advice']} {row['outcome']}\n" in stdout.getvalue()


def test_concordance_is_told_where_it_is_asked_for(
    counts: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concordance, "installed", lambda method: None)
    arguments = ["correct", str(counts), "--batch", "batch", "--label", "true_type", *QUICK]
    outputs = ["--out", str(tmp_path / "out.h5ad"), "--report", str(tmp_path / "report.json")]
    home = ["--home", str(done / "home")]
    assert cli.main([*arguments, *home, *outputs, "--concordance", "--releases"]) == 0
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert re.match(r"As Harmony 1 it took .*; as Harmony 2 it took .*%", report["releases"])
    found = report["concordance"]
    seeds, one, *others = found["runs"]
    assert (seeds["what"], one["what"]) == ("Two seeds of these settings", "As Harmony 1")
    assert len(found["sentences"]) == 2 + len(others)
    assert 0 < seeds["least"] <= seeds["replaced"] <= seeds["most"] < 1


@pytest.mark.parametrize("option", [["--concordance"], ["--releases"], ["--as-harmony", "1"]])
def test_what_is_harmonys_alone_is_refused_for_another_method(
    option: list[str], counts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["correct", str(counts), "--batch", "batch", "--out", str(tmp_path / "o.h5ad")]
    assert cli.main([*arguments, "--method", "mnn", *option]) == 2
    assert f"{option[0]} is for Harmony" in capsys.readouterr().err


def test_zarr_comes_out_where_it_is_asked_for(counts: Path, done: Path, tmp_path: Path) -> None:
    arguments = ["correct", str(counts), "--batch", "batch", "--label", "true_type", *QUICK]
    out = tmp_path / "out.zarr"
    for _ in range(2):
        assert cli.main([*arguments, "--home", str(done / "home"), "--out", str(out)]) == 0
    first, second = ad.read_h5ad(done / "out.h5ad"), ad.read_zarr(out)
    np.testing.assert_array_equal(first.obsm["X_pca_harmony"], second.obsm["X_pca_harmony"])


def test_check_refuses_batches_of_different_values(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = simulated.copy()
    values = mixed.X.toarray().astype(np.float32)
    is_a = (mixed.obs["batch"] == "A").to_numpy()
    values[is_a] = np.log1p(1e4 * values[is_a] / values[is_a].sum(axis=1, keepdims=True))
    mixed.X = values
    mixed.write_h5ad(tmp_path / "mixed.h5ad")
    arguments = ["check", str(tmp_path / "mixed.h5ad")]
    for named in ([], ["--batch", "batch"]):
        assert cli.main([*arguments, *named]) == 2
        assert "log-transformed values in A; counts in B" in capsys.readouterr().err


def test_several_files_are_checked_and_corrected_as_one(
    simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for name in ("A", "B"):
        path = tmp_path / f"lane{name}.h5ad"
        simulated[(simulated.obs["batch"] == name).to_numpy()].copy().write_h5ad(path)
        paths.append(str(path))
    assert cli.main(["check", *paths, "--batch", "file", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n_cells"] == simulated.n_obs
    assert "file" in found["design"]
    assert cli.main(["check", *paths, str(tmp_path / "none.h5ad")]) == 2
    assert "There is no file" in capsys.readouterr().err
    out = tmp_path / "out.h5ad"
    assert cli.main(["correct", *paths, "--batch", "file", *QUICK, "--out", str(out)]) == 0
    assert set(ad.read_h5ad(out).obs["file"]) == {"laneA", "laneB"}


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    """Two cell lines, each in a lane of its own, and both in a third."""
    rng = np.random.default_rng(0)
    lane = np.repeat(["pure a", "pure b", "half"], 100)
    line = np.where(
        lane == "pure a", "a", np.where(lane == "pure b", "b", np.resize(["a", "b"], 300))
    )
    adata = ad.AnnData(rng.poisson(1.0, (300, 30)).astype(np.float32))
    adata.obs["batch"], adata.obs["cell_line"] = lane, line
    adata.write_h5ad(tmp_path / "mixture.h5ad")
    return tmp_path / "mixture.h5ad"


def test_check_says_what_the_page_says(mixture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(mixture), "--label", "cell_line"]) == 0
    out = capsys.readouterr().out
    assert "because its name suggests a batch; 3 levels of 100 to 100 cells" in out
    assert "batch is the likeliest batch variable" in out
    assert "only “half” tells the two apart" in out
    assert "those of “cell_line” are meant to stay" in out
    assert cli.main(["check", str(mixture), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["batch"] == ["batch"]
    assert found["advice"][0]["level"] == "green"


def test_a_sample_of_the_cells(mixture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", str(mixture), "--max-cells", "60", "--sample-by", "batch", "--json"]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    sizes = {c["name"]: c["sizes"] for c in found["batch_candidates"]}["batch"]
    assert sizes == {"half": 20, "pure a": 20, "pure b": 20}
    assert cli.main(["check", str(mixture), "--sample-by", "batch"]) == 2
    assert "say with --max-cells how many" in capsys.readouterr().err
    assert cli.main(["check", str(mixture), "--max-cells", "0"]) == 2
    assert "--max-cells is 0" in capsys.readouterr().err


def test_a_reader_that_has_enough_hears_no_complaint(counts: Path) -> None:
    command = [sys.executable, "-m", "harmony_core.cli", "check", str(counts)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    _, said = running.communicate(timeout=120)
    assert said == b""


@pytest.mark.parametrize(
    ("does", "status", "says"),
    [
        ("sys.exit(7)", 7, ""),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 2, "the input is most likely damaged"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 1, "most likely for lack of memory"),
    ],
)
def test_a_crash_of_a_library_is_a_sentence(
    does: str,
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    child = [sys.executable, "-c", f"import os, signal, sys; {does}"]
    monkeypatch.setattr(cli, "_CHILD", child)
    monkeypatch.setattr(sys, "argv", ["harmony-explorer", "check", "odd.h5ad"])
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert cli.console_script() == status
    finally:
        signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == (1 if says else 0)


def test_correct_suggest_and_diagnose_take_the_same_data() -> None:
    data = ["a.h5ad", "b.h5ad", "--batch", "x", "--batch", "y", "--marker-labels", "--condition"]
    data += ["--max-cells", "90", "--sample-by", "x"]
    expected = RunParams(harmony=HarmonyParams(batch=("x", "y")), panel="blood", condition=True)
    for command in (
        ["suggest"],
        ["diagnose", "--basis-after", "X"],
        ["correct", "--out", "o.h5ad"],
    ):
        args = command_parser().parse_args([*command, *data])
        assert [path.name for path in args.input] == ["a.h5ad", "b.h5ad"]
        assert (args.max_cells, args.sample_by) == (90, "x")
        assert params_of_data(args, basis=None) == expected
    assert params_of(args) == expected


def test_marker_labels_are_of_blood_or_of_a_table(tmp_path: Path) -> None:
    def params(*options: str) -> RunParams:
        asked = ("correct", "x.h5ad", *options, "--batch", "b", "--out", "y.h5ad")
        return params_of(command_parser().parse_args(asked))

    assert params("--marker-labels").panel == "blood"
    file = tmp_path / "sets.csv"
    file.write_text("T cells,B cells\nCD3D,MS4A1\nCD3E,CD79A\n")
    assert (
        params("--marker-labels", str(file)).panel == "T cells: CD3D, CD3E\nB cells: MS4A1, CD79A"
    )
    assert params().panel is None
    file.write_text("one set\nCD3D\n")
    for wrong, sentence in (
        (("--marker-labels", str(file)), "at least two cell types"),
        (("--marker-labels", "x.h5ad"), "neither blood nor a .csv"),
        (("--marker-labels", str(tmp_path / "none.csv")), "There is no file"),
        (("--marker-labels", "blood", "--label", "type"), "choose one of the two"),
    ):
        with pytest.raises(InputError, match=sentence):
            params(*wrong)
