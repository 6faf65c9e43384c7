"""The R script: R parses it, names stay literals, parameters are those of harmony 2.x."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harmony_core.export.literals import r_literal
from harmony_core.export.scripts.seurat import r_script, write_r_script
from harmony_core.inspect.gene_sets import panel_sets, panel_text
from harmony_core.params import MARKER_LABEL, HarmonyParams, PrepareParams, RunParams

HOSTILE = 'a"b\\c\n"; system("id") # é 😀'

# harmony 2.0.5, the help pages of RunHarmony.Seurat, RunHarmony.default and harmony_options.
RUN_HARMONY = {
    *("group.by.vars", "reduction.use", "dims.use", "reduction.save", "project.dim", "theta"),
    *("sigma", "lambda", "nclust", "max_iter", "early_stop", "ncores", "plot_convergence"),
    *("return_object", "verbose", ".options"),
}
OPTIONS = {
    *("alpha", "tau", "block.size", "max.iter.cluster", "epsilon.cluster", "epsilon.harmony"),
    "batch.prop.cutoff",
}


def record(params: RunParams, **values: Any) -> dict[str, Any]:
    harmony = params.harmony
    return {
        "params": params.to_dict(),
        "versions": {"harmonypy": "2.1.0"},
        "name": HOSTILE,
        "where": "X",
        "kind": "counts",
        "harmony": {
            "nclust": 33,
            "levels": [["x", HOSTILE]] * len(harmony.batch),
            "theta_b": [[1.5, 2.0]] * len(harmony.batch),
        },
        **values,
    }


PANEL = {HOSTILE: ("CD3D", 'x"y'), "B cells": ("MS4A1",)}
PLAIN = RunParams(harmony=HarmonyParams(batch=("donor",)))
CASES: Mapping[str, dict[str, Any]] = {
    "counts": record(PLAIN),
    "hostile names": record(
        RunParams(harmony=HarmonyParams(batch=(HOSTILE, "b"), theta=(1, 3), tau=5, lamb=0))
    ),
    "single batches": record(
        RunParams(
            harmony=HarmonyParams(
                batch=("donor", HOSTILE),
                theta_of=(("donor", HOSTILE, 4), (HOSTILE, "x", 3)),
                lamb=1.0,
                lamb_of=((HOSTILE, HOSTILE, 5),),
                nclust=2,
                sigma_of=(0.1, 0.2),
                batch_prop_cutoff=0.01,
            )
        )
    ),
    "layer": record(PLAIN, where="layers/my counts"),
    "logged in raw": record(
        replace(PLAIN, harmony=replace(PLAIN.harmony, alpha=2.0)), where="raw", kind="log"
    ),
    "marker labels": record(replace(PLAIN, panel=panel_text(PANEL))),
    "genes over all cells": record(PLAIN, prepared={"genes_chosen": "over all cells"}),
    "genes within larger batches": record(
        PLAIN, prepared={"genes_chosen": "within larger batches"}
    ),
    "all genes": record(PLAIN, prepared={"genes_chosen": "all"}),
    "normalised": record(PLAIN, kind="normalised"),
    "embedding": record(
        replace(PLAIN, prepare=PrepareParams(basis="X_mine")), where="", kind="none"
    ),
}
PRECOMPUTED = record(replace(PLAIN, precomputed="X_tool"), harmony=None)


def code_only(script: str) -> str:
    """The script without its texts and comments."""
    return re.sub(r'"(?:\\.|[^"\\])*"|#[^\n]*', '""', script)


@pytest.mark.parametrize("name", [*CASES, "precomputed"])
def test_brackets_and_quotes_are_closed(name: str) -> None:
    code = code_only(r_script({**CASES, "precomputed": PRECOMPUTED}[name])).replace('""', "")
    assert '"' not in code
    pairs, open_ones = {")": "(", "]": "[", "}": "{"}, []
    for c in code:
        if c in "([{":
            open_ones.append(c)
        elif c in pairs:
            assert open_ones.pop() == pairs[c]
    assert open_ones == []
    assert "system" not in code


def arguments(script: str, function: str) -> set[str]:
    """Names of the arguments of the only call of a function, at its own level."""
    code = code_only(script)
    (start,) = [m.end() for m in re.finditer(rf"\b{re.escape(function)}\(", code)]
    depth, own = 1, ""
    for c in code[start:]:
        depth += (c == "(") - (c == ")")
        if depth == 0:
            break
        own += c if depth == 1 else ""
    return set(re.findall(r"([\w.]+) =", own))


def test_added_penalties_are_rs_own() -> None:
    added = HarmonyParams(batch=("donor", "lane"), theta=(2, 3), penalties_as_r=True)
    script = r_script(record(RunParams(harmony=added)))
    assert "theta <- c(2.0, 3.0)" in script
    assert "    theta = theta,\n" in script
    assert "theta_in_r" not in script
    assert "here theta is R's own" in script
    multiplied = r_script(record(RunParams(harmony=replace(added, penalties_as_r=False))))
    assert "    theta = theta_in_r,\n" in multiplied


def test_what_r_has_no_setting_for_is_said() -> None:
    script = r_script(CASES["single batches"])
    assert "where\n#   R takes one for each variable, so these are left out" in script
    assert '#   theta c("donor", ' in script
    assert f"#   lambda c({r_literal(HOSTILE)}, {r_literal(HOSTILE)}, 5.0)" in script
    assert "sigma <- c(0.1, 0.2)" in script
    assert "batch.prop.cutoff = batch_prop_cutoff" in script
    assert "Single batches" not in r_script(CASES["counts"])


@pytest.mark.parametrize("name", CASES)
def test_harmony_is_called_with_parameters_that_it_has(name: str) -> None:
    script = r_script(CASES[name])
    assert arguments(script, "RunHarmony") < RUN_HARMONY
    assert {"theta", "sigma", "lambda", "nclust", "max_iter", "dims.use"} < arguments(
        script, "RunHarmony"
    )
    unsaid = set() if name == "single batches" else {"batch.prop.cutoff"}  # is R's default
    assert arguments(script, "harmony_options") == OPTIONS - unsaid


def test_the_script_says_where_r_differs() -> None:
    hostile = r_script(CASES["hostile names"])
    assert "In effect it was" in hostile
    assert "1.5" in hostile
    assert "lambda was 0, which R refuses" in hostile
    assert "lambda <- 1e-06" in hostile
    assert "R's help expects it below 1" in r_script(CASES["logged in raw"])
    plain = r_script(CASES["counts"])
    assert "Early stop" in plain
    assert "tau:" not in plain
    assert "R adds them" in hostile
    assert "theta = theta_in_r," in hostile
    assert "R adds them" not in plain
    assert "theta = theta," in plain


def test_genes_are_chosen_as_in_the_run() -> None:
    within, over, every = (
        r_script(CASES[name]) for name in ("counts", "genes over all cells", "all genes")
    )
    assert "split(object" in within
    assert "chosen within each batch" in within
    assert "FindVariableFeatures" in over
    assert "split(object" not in over
    assert "chosen within each batch" not in over
    assert r_script(CASES["genes within larger batches"]) == over
    assert "VariableFeatures(object) <- rownames(object)" in every
    assert "FindVariableFeatures" not in every
    for script in (within, over, every):
        assert "VariableFeatures(object) <- features[variable]" in script


@pytest.mark.parametrize("name", ["normalised", "logged in raw", "embedding"])
def test_only_counts_become_counts(name: str) -> None:
    code = code_only(r_script(CASES[name]))
    assert "CreateSeuratObject(CreateAssay5Object(data = " in code
    assert "NormalizeData" not in code
    assert ("log1p(expression)" in code) == (name == "normalised")
    assert "CreateSeuratObject(expression" in code_only(r_script(CASES["counts"]))


def test_the_seed_is_set_right_before_harmony() -> None:
    code = r_script(CASES["counts"])
    assert "set.seed(seed)\n  object <- RunHarmony(" in code


def test_it_says_how_labels_were_made() -> None:
    script = r_script(CASES["marker labels"])
    assert "made from these marker genes, within each" in script
    expected = r_literal(panel_sets(panel_text(PANEL)))
    assert f"marker_genes <- {expected}\n" in script
    assert f"marker_labels <- {r_literal(MARKER_LABEL)}\n" in script
    assert "marker" not in r_script(CASES["counts"])


def test_where_the_data_are() -> None:
    assert 'matrix <- "layers/my counts"' in r_script(CASES["layer"])
    assert 'genes <- "raw/var"' in r_script(CASES["logged in raw"])
    embedding = r_script(CASES["embedding"])
    assert 'start <- "pca"' in embedding
    assert 'basis <- "X_mine"' in embedding
    assert "RunPCA" not in embedding
    assert 'start <- "counts"' in r_script(CASES["counts"])
    precomputed = r_script(PRECOMPUTED)
    assert 'start <- "corrected"' in precomputed
    assert 'harmony = "2.0"' not in precomputed
    assert "RunHarmony" not in precomputed


def test_literals() -> None:
    assert r_literal("é\n😀\0") == '"\\u{e9}\\u{a}\\U{1f600}"'
    assert r_literal([1, 2.5, False]) == "c(1, 2.5, FALSE)"
    assert r_literal({"b c": ("x", "y")}) == 'setNames(list(c("x", "y")), c("b c"))'


def run_r(rscript: str, path: Path) -> str:
    command = [rscript, "--vanilla", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [*CASES, "precomputed"])
def test_r_parses_it(rscript: str, name: str, tmp_path: Path) -> None:
    about = {**CASES, "precomputed": PRECOMPUTED}[name]
    write_r_script(about, tmp_path / "harmony_seurat.R")
    check = tmp_path / "check.R"
    path = r_literal(str(tmp_path / "harmony_seurat.R"))
    check.write_text(f"cat(length(parse({path}, encoding = 'UTF-8')))")
    assert int(run_r(rscript, check)) > 20


def test_r_reads_the_names_as_they_are(rscript: str, tmp_path: Path) -> None:
    check = tmp_path / "check.R"
    check.write_text(f"cat(utf8ToInt({r_literal(HOSTILE)}))")
    assert [int(n) for n in run_r(rscript, check).split()] == [ord(c) for c in HOSTILE]


def test_r_reads_marker_sets_as_they_are(rscript: str, tmp_path: Path) -> None:
    check = tmp_path / "check.R"
    check.write_text(
        f"sets <- {r_literal(PANEL)}\n"
        "cat(lengths(sets), utf8ToInt(names(sets)[1]), utf8ToInt(sets[[1]][2]))"
    )
    (first, _), text = PANEL, PANEL[HOSTILE][1]
    expected = [2, 1, *map(ord, first), *map(ord, text)]
    assert [int(n) for n in run_r(rscript, check).split()] == expected
