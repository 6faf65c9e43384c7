"""Settings files: what is written is read back, and what is wrong is refused by name."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmony_core.errors import BatchError, DataError, FileError, ParameterError
from harmony_core.export.settings import (
    LARGEST_FILE,
    checked_settings,
    loaded_settings,
    parse_settings,
    read_settings,
    settings_text,
    write_settings,
)
from harmony_core.inspect.candidates import BatchCandidate
from harmony_core.params import ClusterParams, HarmonyParams, PrepareParams, RunParams
from harmony_core.store import Dataset
from harmony_core.store.info import StartSettings

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
runs = st.builds(
    lambda batch, theta, sigma, nclust, basis, label, shown, condition: RunParams(
        harmony=HarmonyParams(
            batch=tuple(batch), theta=(theta,), sigma=sigma, nclust=nclust, lamb=None
        ),
        prepare=PrepareParams(basis=basis),
        clusters=ClusterParams(resolutions=(shown, 2.0), shown=shown),
        label=label,
        condition=condition,
    ),
    st.lists(names.map(lambda name: "b" + name), min_size=1, max_size=3, unique=True),
    st.floats(0, 100),
    st.floats(0.01, 0.5),
    st.none() | st.integers(2, 200),
    st.none() | names,
    st.none() | names.map(lambda name: "l" + name),
    st.floats(0.1, 1.5),
    st.booleans(),
)


@pytest.mark.parametrize("format", ["toml", "json"])
@given(params=runs)
def test_what_is_written_is_read_back(format: str, params: RunParams) -> None:
    text = settings_text(params, format)
    assert RunParams.from_dict(parse_settings(text, format)) == params
    # Any reader of the format understands it.
    assert (json.loads if format == "json" else tomllib.loads)(text)


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_files(ending: str, tmp_path: Path) -> None:
    params = RunParams(harmony=HarmonyParams(batch=("Spender №1",)))
    path = tmp_path / f"settings.{ending}"
    write_settings(params, path)
    assert RunParams.from_dict(read_settings(path)) == params
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_single_value_stands_for_a_list_and_whole_numbers_for_floats() -> None:
    text = '[harmony]\nbatch = "donor"\ntheta = 1\nsigma = 0.2\n[prepare]\nmax_mito = 10\n'
    params = RunParams.from_dict(parse_settings(text, "toml"))
    assert params.harmony.batch == ("donor",)
    assert params.harmony.theta == (1.0,)
    assert isinstance(params.prepare.max_mito, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"harmonie": {}}, "Unknown setting 'harmonie' at the top"),
        ({"harmony": {"batch": ["a"], "tetha": 2}}, r"Unknown setting 'tetha' in \[harmony\]"),
        ({"harmony": 2}, "harmony must be a group"),
        ({"harmony": {"batch": [1]}}, "batch must be text, not 1"),
        ({"harmony": {"batch": ["a"], "theta": ["2"]}}, "theta must be a number, not '2'"),
        ({"harmony": {"batch": ["a"], "sigma": True}}, "sigma must be a number, not True"),
        ({"harmony": {"batch": ["a"], "sigma": None}}, "sigma must be a number, not None"),
        ({"harmony": {"batch": ["a"]}, "condition": "yes"}, "condition must be true or false"),
        ({"harmony": {"batch": ["a"]}, "label": 3}, "label must be text, not 3"),
        ({"prepare": {"basis": 1}}, "basis must be text"),
    ],
)
def test_wrong_entries_are_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        checked_settings(values)


def test_values_out_of_range_are_refused_by_name() -> None:
    values = parse_settings('[harmony]\nbatch = ["a"]\nsigma = 3\n', "toml")
    with pytest.raises(ParameterError, match="sigma is 3; it must lie between"):
        RunParams.from_dict(values)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", b"[harmony", "not valid TOML"),
        ("a.json", b"{", "not valid JSON"),
        ("a.json", b"[1]", "must hold named settings"),
        ("a.toml", b"\xff\xfe\x00", "not a text file"),
        ("a.toml", None, "could not be read: No such file"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.toml", b"#" * 1_000_001, "too large"),
    ],
)
def test_files_that_are_no_settings(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=message):
        read_settings(tmp_path / name)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"must end in \.toml or \.json"):
        write_settings(RunParams(harmony=HarmonyParams(batch=("a",))), tmp_path / "a.yaml")


def test_a_condition_that_no_file_speaks_of_is_known_by_its_name(dataset: Dataset) -> None:
    named = BatchCandidate(name="batch", is_condition=True)
    dataset = Dataset(dataset.folder)
    dataset.info = replace(dataset.info, candidates=(named,), suggested=StartSettings())
    text = '[harmony]\nbatch = "batch"\n'
    assert loaded_settings(text.encode(), "a.toml", dataset).condition
    assert not loaded_settings(f"condition = false\n{text}".encode(), "a.toml", dataset).condition


def test_settings_are_taken_only_where_they_fit(dataset: Dataset) -> None:
    text = settings_text(RunParams(harmony=HarmonyParams(batch=("batch",))))
    assert loaded_settings(text.encode(), "a.toml", dataset).harmony.batch == ("batch",)
    with pytest.raises(FileError, match=r"'a\.toml' is too large"):
        loaded_settings(b"#" * (LARGEST_FILE + 1), "a.toml", dataset)
    with pytest.raises(ParameterError, match="names no batch variable"):
        loaded_settings(b"label = 'true_type'", "a.toml", dataset)
    other = text.replace("[prepare]", "[prepare]\nbasis = 'X_no'")
    with pytest.raises(DataError, match="no embedding 'X_no' in these data"):
        loaded_settings(other.encode(), "a.toml", dataset)
    with pytest.raises(BatchError, match="nope"):
        loaded_settings(text.replace('"batch"', '"nope"').encode(), "a.toml", dataset)


@pytest.mark.parametrize(
    ("text", "format", "sentence"),
    [
        (".".join("a" * 30_000) + " = 1", "toml", "more parts than settings have"),
        ("a.b.c.'d'.e . f.\"g\".h.i.j = 1", "toml", "more parts than settings have"),
        ("x = " + "[" * 50_000, "toml", "not valid TOML"),
        ("[" * 50_000, "json", "not valid JSON"),
        ('{"label": "\\ud800"}', "json", "not valid JSON"),
        (f"[harmony]\nbatch = 'a'\ntheta = {'9' * 4000}", "toml", "theta must be a number"),
        (f"[harmony]\nbatch = 'a'\nseed = {'9' * 4000}", "toml", "seed must be a number"),
        (f"[harmony]\nbatch = 'a'\ntheta_of = [['a', 'b', {'9' * 4000}]]", "toml", "a number"),
        (
            f"[harmony]\nbatch = 'a'\n[method]\nname = 'scanorama'\nknn = {'9' * 4000}",
            "toml",
            "knn must be a number",
        ),
        ("x" * 90_000 + " = 1", "toml", "Unknown setting"),
        (
            f"[harmony]\nbatch = 'a'\n[clusters]\nresolutions = [{'0.5,' * 20_000}]",
            "toml",
            "at most 10",
        ),
        ("[harmony]\nbatch = 'a'\n[clusters]\nresolutions = [0.5, 0.50000001]", "toml", "same"),
    ],
)
def test_what_is_made_to_exhaust_is_refused_in_a_short_sentence(
    text: str, format: str, sentence: str
) -> None:
    with pytest.raises((FileError, ParameterError), match=sentence) as refused:
        RunParams.from_dict(parse_settings(text, format))
    assert len(str(refused.value)) < 400


def test_points_in_texts_and_comments_are_no_parts_of_names() -> None:
    name = "a.b.c.d.e.f.g.h.i.j"
    text = f"# {name}\nlabel = '{name}'\n[harmony]\nbatch = [\"{name}k\", 'it\\\\']"
    assert parse_settings(text, "toml")["label"] == name
