"""What the Tune page has to show: the run asked for, or the one before it."""

from __future__ import annotations

from harmony_core.params import RunParams
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import state


class Shown:
    """The run asked for, with the run before it standing in for what is not computed yet."""

    def __init__(self, dataset: Dataset, params: RunParams) -> None:
        self.dataset = dataset
        self.current = RunResults(dataset, params)
        previous = state.shown(dataset)
        # Another preparation keeps other cells; its pictures can't stand beside the new ones.
        same = previous is not None and previous.prepare == params.prepare
        same = same and previous.harmony.batch == params.harmony.batch
        self.previous = RunResults(dataset, previous) if same else self.current

    def having(self, *steps: str) -> tuple[RunResults | None, bool]:
        """Return the newest run that has these steps, and whether it is the previous one."""
        for results in (self.current, self.previous):
            if all(results.stage(step) is not None for step in steps):
                return results, results is not self.current
        return None, False

    def pictured(self) -> tuple[RunResults | None, bool]:
        """Return the newest run that has both pictures, if only as a preview."""
        for results in (self.current, self.previous):
            if all(results.layout_or_preview(side) is not None for side in SIDES):
                return results, results is not self.current
        return None, False
