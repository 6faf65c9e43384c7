"""The verdict's rules, wording and advice."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from harmony_core.detector.results import (
    BatchMixing,
    ClusterRow,
    Detection,
    LabelMixing,
    LabelRow,
    MatchedRow,
    StateRow,
)
from harmony_core.params import HarmonyParams
from harmony_core.verdict.advice import RunFacts
from harmony_core.verdict.assess import label_states
from harmony_core.verdict.verdict import Verdict, combine, judge

MERGED = ClusterRow(
    cluster=3,
    name="ctrl · cluster 4 (LYZ, CD14)",
    batch="ctrl",
    cells=80,
    judged=True,
    share=0.7,
    conflict=0.2,
    gap=0.0,
    lost=0.3,
    merged_with="stim · cluster 1 (GNLY)",
    merged_cluster=9,
    merged_part=0.9,
    genes=("LYZ", "CD14", "CST3"),
    lost_genes=("LYZ",),
    score=2.1,
)
APART = MatchedRow(
    name="ctrl · cluster 1 (CD3D)",
    partner="stim · cluster 2 (CD3D)",
    batch="ctrl",
    partner_batch="stim",
    cluster=0,
    partner_cluster=6,
    cells=200,
    mixing=0.1,
)
CLEAN = Detection(
    conflict=0.01,
    gap=0.001,
    gap_basis="genes",
    condition=False,
    flagged=False,
    score=0.1,
    mcm=0.9,
    clusters=(dataclasses.replace(MERGED, score=0.1, conflict=0.01),),
    resolution=1.5,
    matched=(APART,),
    notes=(),
    assessed_fraction=0.9,
)
LOST = StateRow(
    name="ctrl · state 2 (LYZ)",
    kind="state",
    state=1,
    batch="ctrl",
    cells=80,
    outcome="merged",
    other="ctrl · state 1 (CD3D)",
    amount=0.2,
    q=0.001,
    genes=("LYZ", "CST3"),
)
FLAGGED = dataclasses.replace(
    CLEAN, flagged=True, conflict_flagged=True, score=2.1, conflict=0.2, clusters=(MERGED,)
)


def facts(**changes: object) -> RunFacts:
    settings = {
        k: changes.pop(k)
        for k in ("theta", "sigma", "max_iter", "alpha", "lamb", "tau", "batch")
        if k in changes
    }
    values = {
        "settings": HarmonyParams(**{"batch": ("stim",), **settings}),
        "n_cells": 3000,
        "n_pcs": 50,
        "batch_sizes": {"stim": {"ctrl": 1500, "stim": 1500}},
        "stop_reason": "converged",
        "iterations": 6,
        "objective": (10.0, 8.0, 7.5, 7.3, 7.2, 7.19, 7.189),
        "moved": 0.5,
        "genes_per_batch": True,
        **changes,
    }
    return RunFacts(**values)


def test_no_sign_is_green_and_says_how_much_is_missed() -> None:
    verdict = judge(CLEAN, facts(), batch_variable="stim")
    assert (verdict.level, verdict.kind, verdict.advice) == ("green", "good", ())
    assert "No sign of over-correction" in verdict.sentences[0]
    assert "misses about" in verdict.sentences[0]


def test_detector_alone_is_never_red() -> None:
    worst = dataclasses.replace(FLAGGED, score=50.0, conflict=1.0, gap=1.0)
    verdict = judge(worst, facts(), batch_variable="stim")
    assert (verdict.level, verdict.kind) == ("amber", "suspect")
    first = verdict.sentences[0]
    for part in (MERGED.name, MERGED.merged_with, "LYZ, CD14, CST3", "Either two states were"):
        assert part in first
    row = verdict.evidence[0]
    assert (row.kind, row.cluster, row.resolution) == ("pre-cluster", 3, 1.5)
    assert (row.batch, row.merged_with, row.cells) == ("ctrl", MERGED.merged_with, 80)


def test_lost_markers_are_named_where_they_are_many() -> None:
    said = judge(FLAGGED, facts(), batch_variable="stim").sentences
    assert "Its new neighbours lack markers of it: LYZ." in said
    few = dataclasses.replace(MERGED, lost=0.1)
    said = judge(
        dataclasses.replace(FLAGGED, clusters=(few,)), facts(), batch_variable="stim"
    ).sentences
    assert not any("lack markers" in sentence for sentence in said)


def test_worst_cluster_is_evidence_where_only_other_resolutions_flag() -> None:
    calm = dataclasses.replace(MERGED, score=0.8)
    verdict = judge(dataclasses.replace(FLAGGED, clusters=(calm,)), facts(), batch_variable="stim")
    assert [row.name for row in verdict.evidence] == [calm.name]


@pytest.mark.parametrize(
    ("loss", "level", "kind"),
    [
        (0.06, "green", "good"),
        (0.061, "amber", "suspect"),
        (0.07, "amber", "suspect"),
        (0.071, "red", "over"),
    ],
)
def test_label_loss_decides(loss: float, level: str, kind: str) -> None:
    labels = [
        LabelRow(name="NK", cells=50, loss=loss, merged_with="T", batch="ctrl"),
        LabelRow(name="B", cells=90, loss=0.0),
    ]
    verdict = judge(CLEAN, facts(), batch_variable="stim", labels=labels)
    assert (verdict.level, verdict.kind) == (level, kind)
    if kind != "good":
        assert [row.name for row in verdict.evidence] == ["NK"]
        assert "“NK”" in verdict.sentences[0]
        assert "“T”" in verdict.sentences[0]
        assert "batch “ctrl”" in verdict.sentences[0]


def test_labels_decide_over_what_is_finer_than_they_are() -> None:
    labels = [LabelRow(name="NK", cells=50, loss=0.0)]
    verdict = judge(FLAGGED, facts(), batch_variable="stim", labels=labels)
    assert verdict.kind == "good"
    assert any("finer than your labels" in sentence for sentence in verdict.sentences)
    assert [row.name for row in verdict.evidence] == [MERGED.name]


def test_labels_made_from_marker_genes_prove_nothing_and_outvote_nothing() -> None:
    kept = [LabelRow(name="NK", cells=50, loss=0.0)]
    lost = [LabelRow(name="NK", cells=50, loss=0.3)]
    finer = judge(FLAGGED, facts(), batch_variable="stim", labels=kept, labels_decide=False)
    assert finer.kind == "suspect"
    assert not any("finer than your labels" in sentence for sentence in finer.sentences)
    alone = judge(CLEAN, facts(), batch_variable="stim", labels=lost, labels_decide=False)
    assert (alone.kind, alone.level) == ("suspect", "amber")
    assert "may have been mixed" in alone.sentences[0]


@pytest.mark.parametrize(("loss", "kind"), [(0.3, "suspect"), (0.1, "good")])
def test_a_strong_loss_that_conflict_confirms_counts_against_labels(loss: float, kind: str) -> None:
    strong = dataclasses.replace(FLAGGED, states=(dataclasses.replace(LOST, amount=loss),))
    labels = [LabelRow(name="NK", cells=50, loss=0.0)]
    assert judge(strong, facts(), batch_variable="stim", labels=labels).kind == kind


@pytest.mark.parametrize(("part", "score"), [(0.3, 1.5), (0.9, 4.5)])
def test_a_type_that_replaces_another_is_held_against_its_own_limit(
    part: float, score: float
) -> None:
    swapped = dataclasses.replace(LOST, amount=part, q=0.9)
    found = dataclasses.replace(FLAGGED, states=(swapped,))
    labels = [LabelRow(name="NK", cells=50, loss=0.0)]
    verdict = judge(found, facts(), batch_variable="stim", labels=labels)
    assert verdict.evidence[0].score == pytest.approx(score)
    assert verdict.kind == ("suspect" if score > 3 else "good")


def test_a_merged_state_is_named_with_what_it_resembles() -> None:
    lost = dataclasses.replace(CLEAN, flagged=True, score=4.0, states=(LOST,))
    verdict = judge(lost, facts(), batch_variable="stim")
    assert (verdict.level, verdict.kind) == ("amber", "suspect")
    assert "ctrl · state 2 (LYZ)" in verdict.sentences[0]
    assert "resemble ctrl · state 1" in verdict.sentences[0]
    assert verdict.evidence[0].kind == "state"


def test_a_loss_within_its_error_is_no_loss() -> None:
    noisy = [LabelRow(name="NK", cells=50, loss=0.08, error=0.05)]
    assert judge(CLEAN, facts(), batch_variable="stim", labels=noisy).kind == "good"


def test_a_label_of_fewer_cells_than_neighbours_is_not_judged() -> None:
    few = LabelRow(name="NK", cells=29, loss=0.2)
    assert judge(CLEAN, facts(), batch_variable="stim", labels=[few]).kind == "good"
    (row,) = label_states([few])
    assert (row.outcome, row.why) == ("unjudged", "fewer than 30 cells")


def test_a_batch_that_stays_apart_is_named_and_never_nothing_to_correct() -> None:
    batches = (
        BatchMixing(name="a", cells=1200, before=1.0, after=1.0),
        BatchMixing(name="s11", cells=40, before=0.0, after=0.01),
    )
    apart = dataclasses.replace(CLEAN, batches=batches)
    verdict = judge(apart, facts(), batch_variable="stim", mixing_before=0.99, mcm_before=0.95)
    assert verdict.kind == "under"
    assert "“s11”" in verdict.sentences[0]
    assert not any("nothing to correct" in sentence for sentence in verdict.sentences)


def test_shared_labels_are_asked_for_mixing() -> None:
    labels = [
        LabelRow(name="NK", cells=50, loss=0.0, mixing=0.3, least_mixed="ctrl", least_mixing=0.1)
    ]
    shared = LabelMixing(
        before=0.1, after=0.3, worst_batch="ctrl", worst_before=0.1, worst_after=0.2
    )
    verdict = judge(CLEAN, facts(), batch_variable="stim", labels=labels, shared=shared)
    assert verdict.kind == "under"
    assert "30 %" in verdict.sentences[0]
    assert "“NK” stays apart in “ctrl” (10 % mixed)." in verdict.sentences


@pytest.mark.parametrize(
    ("mixing", "outcome", "said"),
    [(0.6, "kept", ""), (0.48, "partly", "mixes less than half"), (0.1, "apart", "stays apart")],
)
def test_a_type_that_mixes_half_is_named_though_all_in_all_batches_mix(
    mixing: float, outcome: str, said: str
) -> None:
    low = LabelRow(name="B", cells=50, loss=0, mixing=0.7, least_mixed="ctrl", least_mixing=mixing)
    shared = LabelMixing(after=0.75, before=0.1, worst_batch="b", worst_before=0.1, worst_after=0.7)
    verdict = judge(CLEAN, facts(), batch_variable="stim", labels=[low], shared=shared)
    named = [s for s in verdict.sentences if "“B”" in s]
    assert verdict.kind == "good"
    assert bool(named) == bool(said)
    assert all(said in s and "“ctrl”" in s for s in named)
    assert label_states([low])[0].outcome == outcome


def test_without_labels_the_state_that_mixes_least_is_named_with_its_match() -> None:
    row = StateRow(
        name="ctrl · state 1",
        kind="state",
        cells=90,
        outcome="partly",
        other="stim · state 2",
        amount=0.0,
        mixing=0.4,
    )
    verdict = judge(dataclasses.replace(CLEAN, states=(row,)), facts(), batch_variable="stim")
    assert verdict.kind == "good"
    assert (
        "ctrl · state 1 mixes less than half (40 % mixed with its match, stim · state 2)."
        in verdict.sentences
    )


def test_one_batch_that_shrinks_into_the_other_is_under_corrected() -> None:
    shared = LabelMixing(
        before=0.0, after=0.52, worst_batch="stim", worst_before=0.0, worst_after=0.03
    )
    labels = [LabelRow(name="NK", cells=50, loss=0.0)]
    assert judge(CLEAN, facts(), batch_variable="b", labels=labels, shared=shared).kind == "under"
    one_sided = dataclasses.replace(CLEAN, mcm=0.52, state_mixing=0.03)
    assert judge(one_sided, facts(), batch_variable="b").kind == "under"


def test_fallen_mixing_is_said() -> None:
    fallen = (BatchMixing(name="s1", cells=500, before=0.91, after=0.18),)
    verdict = judge(
        dataclasses.replace(CLEAN, batches=fallen), facts(), batch_variable="b", mcm_before=0.95
    )
    assert any("fell from 91 % to 18 %" in sentence for sentence in verdict.sentences)


def test_nothing_is_green_on_a_few_states() -> None:
    few = dataclasses.replace(CLEAN, assessed_fraction=0.02)
    verdict = judge(few, facts(), batch_variable="stim")
    assert verdict.kind == "unjudged"
    assert "2 % of the cells" in verdict.sentences[0]


def test_under_correction_names_the_pair_and_raises_theta_first() -> None:
    apart = dataclasses.replace(CLEAN, mcm=0.3)
    verdict = judge(apart, facts(), batch_variable="stim")
    assert (verdict.level, verdict.kind) == ("amber", "under")
    assert APART.name in verdict.sentences[0]
    assert [a.changes for a in verdict.advice] == [{"theta": [4.0]}, {"theta": [8.0]}]


def test_under_correction_at_low_sigma_goes_back_to_sigma_0_1() -> None:
    apart = dataclasses.replace(CLEAN, mcm=0.3)
    verdict = judge(apart, facts(sigma=0.05, theta=(4.0,)), batch_variable="stim")
    assert [a.changes for a in verdict.advice] == [{"sigma": 0.07}, {"theta": [8.0]}]
    verdict = judge(apart, facts(sigma=0.04, theta=(8.0,)), batch_variable="stim")
    assert verdict.advice[0].changes == {"sigma": 0.1}


def test_unknown_gene_choice_is_asked_for() -> None:
    apart = dataclasses.replace(CLEAN, mcm=0.3)
    verdict = judge(apart, facts(genes_per_batch=None), batch_variable="stim")
    assert "within each batch" in verdict.advice[-1].sentence
    assert verdict.advice[-1].changes == {}


def test_advice_against_over_correction_follows_the_measured_order() -> None:
    verdict = judge(FLAGGED, facts(), batch_variable="stim")
    assert [a.changes for a in verdict.advice] == [
        {"max_iter": 3},
        {"theta": [1.0]},
        {"sigma": 0.05},
        {"alpha": 1.0},
    ]
    few = judge(FLAGGED, facts(n_pcs=20, most_pcs=60, sigma=0.05), batch_variable="stim")
    assert [a.group for a in few.advice][-1] == "prepare"
    assert {"sigma": 0.05} not in [a.changes for a in few.advice]
    for advice in verdict.advice:
        HarmonyParams(**{"batch": ("stim",), **advice.changes})


def test_tau_is_advised_for_a_small_batch_only() -> None:
    small = facts(batch_sizes={"stim": {"ctrl": 2800, "stim": 200}})
    verdict = judge(FLAGGED, small, batch_variable="stim")
    # 3,000 cells make 100 soft clusters: 200 / (0.75 * 100) = 2.7
    assert verdict.advice[-1].changes == {"tau": 3.0}
    assert "“stim” (200 cells)" in verdict.advice[-1].sentence


def test_theta_of_other_variables_is_kept() -> None:
    two = facts(batch=("donor", "stim"), theta=(3.0, 2.0))
    verdict = judge(FLAGGED, two, batch_variable="stim")
    assert {"theta": [3.0, 1.0]} in [a.changes for a in verdict.advice]


def test_nothing_to_correct() -> None:
    verdict = judge(CLEAN, facts(), batch_variable="stim", mixing_before=0.99)
    assert (verdict.level, verdict.kind) == ("green", "null")
    assert verdict.advice[0].changes == {"max_iter": 0}
    two = judge(CLEAN, facts(batch=("donor", "stim")), batch_variable="stim", mixing_before=0.99)
    assert two.advice[0].changes == {"batch": ["donor"], "theta": [2.0]}
    merged = judge(FLAGGED, facts(), batch_variable="stim", mixing_before=0.99)
    assert merged.kind == "suspect"
    assert [a.changes for a in merged.advice] == [{"max_iter": 0}]


def test_matched_mixing_before_outranks_ilisi() -> None:
    # Batches of different composition: iLISI falls short of its null without any batch effect.
    verdict = judge(CLEAN, facts(), batch_variable="stim", mixing_before=0.75, mcm_before=0.95)
    assert verdict.kind == "null"
    verdict = judge(CLEAN, facts(), batch_variable="stim", mixing_before=0.99, mcm_before=0.5)
    assert verdict.kind == "good"


def test_without_partners_and_labels_it_cannot_be_judged() -> None:
    alone = dataclasses.replace(CLEAN, mcm=None, matched=())
    assert judge(alone, facts(), batch_variable="stim").kind == "unjudged"
    labels = [LabelRow(name="NK", cells=50, loss=0.0)]
    assert judge(alone, facts(), batch_variable="stim", labels=labels).kind == "good"


@pytest.mark.parametrize(("after", "said"), [(0.95, True), (0.3, False)])
def test_without_partners_it_is_said_that_batches_are_mixed_where_they_are(
    after: float, said: bool
) -> None:
    batches = (
        BatchMixing(name="ctrl", cells=900, before=0.5, after=0.97),
        BatchMixing(name="stim", cells=24, before=0.5, after=after),
    )
    none = dataclasses.replace(CLEAN, mcm=None, matched=(), batches=batches)
    sentence = judge(none, facts(), batch_variable="stim").sentences[0]
    assert "could be matched" in sentence
    mixed = "though the batches lie among each other (the smallest, “stim”, has 24 cells)"
    assert (mixed in sentence) is said


def test_condition_says_what_is_lost() -> None:
    condition = dataclasses.replace(FLAGGED, condition=True)
    verdict = judge(condition, facts(), batch_variable="stim")
    said = " ".join(verdict.sentences)
    assert "is a condition, so aligning it is a choice" in said
    assert "LYZ" in said


@pytest.mark.parametrize(
    ("changes", "said", "advised"),
    [
        ({"moved": 0.0}, "Harmony moved nothing", None),
        ({"moved": 0.0, "max_iter": 0, "iterations": 0}, "No iteration was allowed", None),
        ({"moved": 0.0, "lamb": 100.0}, "lambda (100)", None),
        (
            {"stop_reason": "limit", "iterations": 2, "objective": (9.0, 8.0, 7.0)},
            "without settling",
            {"max_iter": 20},
        ),
        (
            {"stop_reason": "rose", "iterations": 3, "objective": (9.0, 5.0, 6.0, 7.0)},
            "lowest after 1 of 3",
            {"max_iter": 1},
        ),
        ({"neighbors_kept": 0.99, "genes_per_batch": False}, "not chosen within each batch", None),
    ],
)
def test_unusual_runs_are_explained(
    changes: dict[str, object], said: str, advised: dict[str, object] | None
) -> None:
    verdict = judge(CLEAN, facts(**changes), batch_variable="stim")
    assert said in " ".join(verdict.sentences)
    assert [a.changes for a in verdict.advice] == ([advised] if advised else [])


def test_names_stay_as_they_are() -> None:
    odd = dataclasses.replace(MERGED, name="<b>*x*</b>", genes=("=A1",))
    verdict = judge(dataclasses.replace(FLAGGED, clusters=(odd,)), facts(), batch_variable="$stim$")
    assert "<b>*x*</b>" in verdict.sentences[0]
    assert verdict.evidence[0].genes == ("=A1",)


def test_json_round_trip() -> None:
    labels = [LabelRow(name="NK", cells=50, loss=0.2, genes=("NKG7",))]
    verdict = judge(FLAGGED, facts(), batch_variable="stim", labels=labels)
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict
    assert Detection.from_dict(json.loads(json.dumps(FLAGGED.to_dict()))) == FLAGGED


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("s1",), "“s1” of “stim” lies apart from all other batches. Either it shares"),
        (("s1", "s2"), "“s1”, “s2” of “stim” each lie apart from all other batches. Either they"),
    ],
)
def test_batches_apart_are_named_in_a_sentence_of_their_number(
    names: tuple[str, ...], said: str
) -> None:
    batches = tuple(BatchMixing(name=name, cells=100, before=0.0, after=0.0) for name in names)
    found = judge(dataclasses.replace(CLEAN, batches=batches), facts(), batch_variable="stim")
    assert said in found.sentences[0]


def test_of_several_variables_only_the_combination_shows_merging() -> None:
    lost = dataclasses.replace(FLAGGED, states=(LOST,))
    alone = judge(lost, facts(), batch_variable="stim", shows_merging=False)
    assert (alone.kind, alone.evidence) == ("good", ())
    assert alone.sentences[0].startswith("Matching clusters are")
    assert judge(lost, facts(), batch_variable="stim").kind == "suspect"


def test_labels_too_small_to_be_judged_make_nothing_green() -> None:
    few = [LabelRow(name=name, cells=25, loss=0.0) for name in "AB"]
    unmatched = dataclasses.replace(CLEAN, mcm=None, matched=(), assessed_fraction=0.0)
    found = judge(unmatched, facts(), batch_variable="stim", labels=few)
    assert (found.level, found.kind) == ("amber", "unjudged")
    assert "too few labels have 30 cells" in found.sentences[0]
    large = [dataclasses.replace(few[0], cells=300), few[1]]
    assert judge(unmatched, facts(), batch_variable="stim", labels=large).kind == "good"


def test_combined_verdict_is_the_worst_and_says_what_is_common_once() -> None:
    run = facts(
        batch=("donor", "stim"), stop_reason="limit", objective=(9.0, 8.0, 7.0), iterations=2
    )
    one = judge(CLEAN, run, batch_variable="donor")
    two = judge(FLAGGED, run, batch_variable="stim")
    both = combine({"donor": one, "stim": two})
    assert (both.level, both.kind) == ("amber", "suspect")
    assert both.sentences[0].startswith("stim: ")
    assert sum("without settling" in s for s in both.sentences) == 1
    assert both.evidence == two.evidence
    assert combine({"donor": one}) is one


def test_nothing_is_to_correct_only_if_this_is_so_for_all_variables() -> None:
    null = judge(CLEAN, facts(), batch_variable="donor", mcm_before=0.95)
    good = judge(CLEAN, facts(), batch_variable="stim", mcm_before=0.1)
    assert (null.kind, good.kind) == ("null", "good")
    both = combine({"donor": null, "stim": good})
    assert (both.level, both.kind) == ("green", "good")
    assert both.sentences[0].startswith("stim: ")
    assert combine({"donor": null, "stim": null}).kind == "null"


def test_loading_a_stored_verdict_imports_nothing_heavy() -> None:
    code = (
        "import sys, harmony_core.verdict.verdict, harmony_core.verdict.suggest;"
        "print([m for m in ('numpy', 'scipy', 'numba', 'igraph', 'faiss', 'streamlit')"
        " if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
