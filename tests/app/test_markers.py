"""The page of marker genes, and pasted sets, through Streamlit's test runner."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from harmony_core.figures.screen.genes import gene_dots
from harmony_core.store import examples
from harmony_core.store.info import StartSettings
from harmony_core.store.ingest import ingest
from pages.ui import services
from pages.ui.linked_view import selection_key
from pages.ui.linked_view.selection_state import SelectionState, pack_bits, unpack_bits
from pages.ui.markers import gene_choice
from tests.app.conftest import Waiting, ears

VIEWS = ("Pictures", "Dot plot", "Violins", "Top markers", "Lost markers")


@pytest.fixture
def app(app: AppTest) -> AppTest:
    """The page on the first sample, whose results are shipped."""
    return app.run().switch_page("pages/markers.py").run()


def _view(app: AppTest, name: str) -> AppTest:
    app.segmented_control(key="marker-view").set_value(name).run()
    assert not app.exception
    return app


def test_a_run_under_way_is_followed_part_by_part(app: AppTest, runner: Waiting) -> None:
    app.switch_page("pages/tune.py").run()
    next(s for s in app.sidebar.slider if s.label == "theta").set_value(1.0).run()
    app.switch_page("pages/markers.py").run()
    _view(app, "Top markers")
    (job,) = runner.wanted
    heard = ears(app)
    assert heard["markers"]["works"] == {job.work.name: ["layout_after"]}
    after = ["clusters_after", "markers_after"]
    assert heard["marker-genes"]["works"] == {job.work.name: after}
    assert heard["markers"]["setting"] not in ("", job.work.name), "the run before it"


def test_without_a_finished_run_it_is_said_how_far_one_is(
    app: AppTest, runner: Waiting, simulated: ad.AnnData
) -> None:
    suggested = StartSettings(batch=("batch",), label="true_type", condition=False)
    found = ingest(runner.store, simulated, name="mine", suggested=suggested)
    app.session_state["dataset"] = found.fingerprint
    app.run()
    assert "no finished run" in app.info[0].value
    assert not ears(app)["markers"]["waits"], "nobody has asked for a run yet"
    app.switch_page("pages/tune.py").run().switch_page("pages/markers.py").run()
    assert not app.exception
    (job,) = runner.wanted
    assert "no finished run" in app.info[0].value
    assert ears(app)["markers"]["waits"]
    assert list(ears(app)["asked-0"]["works"]) == [job.work.name]


def _captions(app: AppTest) -> str:
    return "\n".join(c.value for c in app.caption)


def _charts(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_says_that_expression_is_uncorrected(app: AppTest, view: str) -> None:
    _view(app, view)
    assert "uncorrected** expression" in _captions(app)
    # Dot plot and violins begin with clusters before and after.
    assert _charts(app) == {"Pictures": 1, "Dot plot": 2, "Violins": 2}.get(view, 0)
    assert bool(app.dataframe) == (view == "Top markers") or view == "Lost markers"


def test_top_markers_open_in_the_other_views(app: AppTest) -> None:
    _view(app, "Top markers")
    rows = app.dataframe[0].value
    assert list(rows.columns[:4]) == ["Cluster", "Cells", "Rank", "Gene"]
    assert (rows.groupby("Cluster")["Score"].diff().dropna() <= 0).all()
    app.selectbox(key="marker-cluster-after").set_value(0).run()
    genes = app.dataframe[0].value["Gene"].head(6).tolist()
    assert set(app.dataframe[0].value["Cluster"]) == {0}
    next(b for b in app.button if b.label.startswith("Show its first six")).click().run()
    _view(app, "Dot plot")
    assert app.text_area[0].value == f"Cluster 0: {', '.join(genes)}"
    assert _charts(app) == 2


def test_pasted_genes_in_other_capitals_and_missing_ones_are_told(app: AppTest) -> None:
    app.segmented_control(key=gene_choice.CHOICE_KEY).set_value(gene_choice.PASTE).run()
    assert _charts(app) == 0
    app.text_area[0].set_value("T: Cd3e, <b>NOSUCH</b>").run()
    assert not app.exception
    assert "Found with other capitals: Cd3e" in _captions(app)
    assert "Not in these data: \\<b\\>NOSUCH\\<\\/b\\>" in _captions(app)
    assert _charts(app) == 1
    app.text_area[0].set_value(" ".join(f"g{i}" for i in range(999))).run()
    assert "at most" in app.error[0].value


def test_data_without_the_panels_genes_begin_with_those_of_their_clusters(app: AppTest) -> None:
    app.switch_page("pages/tune.py").run()
    sibling = examples.fingerprint(services.store(), "sibling")
    app.session_state["dataset"] = sibling
    app.run().switch_page("pages/markers.py").run()
    for view in VIEWS[:3]:
        _view(app, view)
        choice = app.segmented_control(key=gene_choice.CHOICE_KEY)
        assert choice.value == gene_choice.CLUSTERS
        assert gene_choice.PANELS not in choice.options
        assert _charts(app) > 0
    assert "Not in these data" not in _captions(app)


def test_groups_can_be_crossed_with_the_batch(app: AppTest) -> None:
    _view(app, "Dot plot")
    groups = app.selectbox(key="marker-groups-True")
    assert groups.options[:3] == [
        *("clusters before and after Harmony", "cluster after Harmony", "cluster before Harmony"),
    ]
    crossed = next(o for o in groups.options if o.endswith("and condition"))
    groups.set_value(crossed).run()
    assert not app.exception
    assert _charts(app) == 1


def test_views_can_be_kept_to_the_cells_selected_on_tune(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, ...]] = []
    draw = gene_dots

    def recorded(expression: Any, codes: Any, levels: Any, **how: Any) -> Any:
        drawn.append(levels)
        assert (codes >= 0).sum() in (10, 4000)
        return draw(expression, codes, levels, **how)

    monkeypatch.setattr("harmony_core.figures.screen.genes.gene_dots", recorded)
    _view(app, "Dot plot")
    assert not [t for t in app.toggle if t.key == "marker-only-selected"]
    chosen = np.arange(4000) < 10
    fingerprint = app.session_state["dataset"]
    app.session_state[selection_key(f"linked-view-{fingerprint}")] = SelectionState(
        4000, bits=pack_bits(chosen)
    )
    app.run()
    everything = drawn[-1]
    toggle = app.toggle(key="marker-only-selected")
    assert toggle.label == "Only the 10 cells selected on Tune"
    toggle.set_value(True).run()
    assert not app.exception
    assert 0 < len(drawn[-1]) < len(everything)
    _view(app, "Violins")
    assert app.toggle(key="marker-only-selected").value


def test_lost_markers_are_kept_to_the_selection_and_mark_their_cells(
    app: AppTest, runner: Waiting
) -> None:
    _view(app, "Lost markers")
    lost = app.dataframe[0].value
    app.button(key="lost-mark").click().run()
    assert not app.exception
    assert app.metric, "Tune is open"
    kang = runner.store.dataset(examples.fingerprint(runner.store, "kang"))
    selection = app.session_state[selection_key(f"linked-view-{kang.fingerprint}")]
    marked = unpack_bits(selection.bits, kang.n_cells)
    assert marked is not None
    assert marked.sum() == lost["Cells"].iloc[0]
    app.switch_page("pages/markers.py").run()
    _view(app, "Lost markers")
    app.toggle(key="marker-only-selected").set_value(True).run()
    assert not app.exception
    assert app.dataframe[0].value["Pre-cluster"].tolist() == [lost["Pre-cluster"].iloc[0]]
