"""Which method corrects: its settings are checked, and told in one way only."""

from __future__ import annotations

import pytest

from harmony_core.errors import ParameterError
from harmony_core.params import HarmonyParams, MethodParams, RunParams

PARAMS = RunParams(harmony=HarmonyParams(batch=("donor",), theta=(5.0,)))


def with_method(*words: str) -> RunParams:
    return RunParams(harmony=PARAMS.harmony, method=MethodParams.from_words(words))


def test_a_default_is_not_told_and_the_order_does_not_matter() -> None:
    one = MethodParams(name="scanorama", settings=(("alpha", 0.2), ("knn", 10.0), ("sigma", 15)))
    other = MethodParams.from_words(["scanorama", "knn=10", "alpha=0.2"])
    assert one == other
    assert one.settings == (("knn", 10), ("alpha", 0.2))
    assert one.words == ["scanorama", "knn=10", "alpha=0.2"]
    assert one.values == {"knn": 10, "sigma": 15.0, "alpha": 0.2, "dimred": 100, "seed": 0}


def test_harmonys_settings_make_no_two_runs_of_one() -> None:
    run = with_method("mnn")
    assert run.harmony == HarmonyParams(batch=("donor",))
    assert not run.by_harmony
    assert PARAMS.by_harmony


def test_it_is_read_as_it_was_written() -> None:
    run = with_method("scanorama", "knn=10")
    written = run.to_dict()
    assert written["method"] == {"name": "scanorama", "knn": 10}
    assert RunParams.from_dict(written) == run
    assert "method" not in PARAMS.to_dict()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["harmonica"], "There is no method 'harmonica' here; there are scanorama, mnn"),
        (["mnn", "knn=10"], "MNN has no setting 'knn'; it has num_neighbors, num_steps."),
        (["scanorama", "knn"], "a name and a number, as knn=10, not 'knn'"),
        (["scanorama", "knn=many"], "a name and a number"),
        (["scanorama", "knn=true"], "a name and a number"),
        (["scanorama", "knn=1.5"], "knn is 1.5; it must lie between 2 and 200"),
        (["scanorama", "knn=2.5"], "knn must be a whole number"),
        (["scanorama", "alpha=NaN"], "alpha must be a number"),
        (["scanorama", "knn=3", "knn=4"], "given twice"),
    ],
)
def test_what_it_cannot_be_is_said(words: list[str], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        MethodParams.from_words(words)


def test_one_thing_at_a_time_takes_harmonys_place() -> None:
    with pytest.raises(ParameterError, match="name one of them"):
        RunParams(harmony=PARAMS.harmony, method=MethodParams(name="mnn"), precomputed="X_scVI")


def test_a_name_is_asked_for() -> None:
    with pytest.raises(ParameterError, match="Say by name"):
        RunParams.from_dict({**PARAMS.to_dict(), "method": {"knn": 3}})
