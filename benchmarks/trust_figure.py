"""Draw how far the verdict can be trusted, from what the two benchmarks of it measured.

    python benchmarks/real_cells.py FOLDER --sets held_out --remove --json real.json
    python benchmarks/diagnostics.py --json simulated.json
    python benchmarks/trust_figure.py real.json simulated.json docs/trust.png

Also prints the tables of ``docs/trust.md``: the counts, and the runs on which the verdict without
labels was wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real_report import TRUTH_WORDS, Figures, is_right

from harmony_core.verdict.verdict import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Panel:
    """One question of the picture.

    Attributes
    ----------
    title
        Above the panel.
    aim
        Fraction that the project aims at, without labels.
    at_most
        Whether less is better.
    """

    title: str
    aim: float
    at_most: bool = False


PANELS = {
    "right": Panel("Right about the run", 0.85),
    "over_found": Panel("Over-corrected:\nfound", 0.80),
    "over_false": Panel("Over-corrected:\nfalse alarms", 0.10, at_most=True),
    "under_found": Panel("Under-corrected:\nfound", 0.90),
    "under_false": Panel("Under-corrected:\nfalse alarms", 0.05, at_most=True),
}
REAL = {
    "without": "Real cells, no labels",
    "noisy": "Real cells, labels with errors and gaps",
    "markers": "Real cells, labels from marker genes",
    "coarse": "Real cells, labels of half as many types",
}
SIMULATED = {
    "without_labels": "Simulated cells, no labels",
    "with_labels": "Simulated cells, labels with errors",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path, help="what real_cells.py wrote with --json")
    parser.add_argument("simulated", type=Path, help="what diagnostics.py wrote with --json")
    parser.add_argument("picture", type=Path, help="PNG to write")
    options = parser.parse_args()
    real, simulated = (json.loads(file.read_text()) for file in (options.real, options.simulated))
    rows = dict(measured(real, simulated))
    print(table(rows))
    print()
    print(wrong_calls(real))
    draw(rows, options.picture)


def measured(real: dict[str, Any], simulated: dict[str, Any]) -> Iterator[tuple[str, Figures]]:
    """Return the figures of each way of labelling, by its name in the picture."""
    for names, found in (
        (REAL, real["figures"]["verdict"]),
        (SIMULATED, simulated["verdict"]["simulated"]),
    ):
        yield from ((title, found[way]) for way, title in names.items() if way in found)


def table(rows: dict[str, Figures]) -> str:
    """Write the counts as a table of Markdown."""
    titles = [panel.title.replace("\n", " ") for panel in PANELS.values()]
    lines = ["| | " + " | ".join(titles) + " |", "|---" * (len(PANELS) + 1) + "|"]
    for name, found in rows.items():
        lines.append(f"| {name} | " + " | ".join(_cell(found[key]) for key in PANELS) + " |")
    return "\n".join(lines)


def _cell(found: Figures) -> str:
    if not found["of"]:
        return "none to count"
    span = "" if found["low"] is None else f" ({_percent(found['low'])} to {found['high']:.0%})"
    return f"{found['hits']} of {found['of']}, {found['fraction']:.0%}{span}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def wrong_calls(real: dict[str, Any], way: str = "without") -> str:
    """Write on which data the verdict was wrong as a table of Markdown, with one run's words."""
    runs: dict[tuple[str, str, str], list[str]] = {}
    for design in real["designs"]:
        for run in design["runs"]:
            verdict = run["verdicts"].get(way)
            if verdict is None or run["truth"] is None or run["grey"]:
                continue
            if not is_right(run["truth"], verdict["kind"]):
                case = design["design"], TRUTH_WORDS[run["truth"]], KINDS[verdict["kind"]].heading
                runs.setdefault(case, []).append(verdict["says"])
    lines = ["| data | truly | said | runs | in its words |", "|---|---|---|---|---|"]
    for case, words in runs.items():
        cells = (*case, len(words), words[0].replace("|", "\\|"))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def draw(rows: dict[str, Figures], picture: Path) -> None:
    """Draw each question as a panel, with a point and an interval a way of labelling."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 1.3 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for ax, (key, panel) in zip(axes, PANELS.items(), strict=True):
        _draw_panel(ax, [found[key] for found in rows.values()], panel)
    axes[0].set_yticks(range(len(rows)), list(rows))
    axes[0].set_ylim(len(rows) - 0.5, -0.7)
    figure.savefig(picture, dpi=110)


def _draw_panel(ax: Axes, found: list[Figures], panel: Panel) -> None:
    ax.set_title(panel.title, fontsize=10)
    ax.set_xlim(-0.04, 1.04)
    ax.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    ax.grid(axis="x", color="0.9")
    wanted = (-0.04, panel.aim) if panel.at_most else (panel.aim, 1.04)
    ax.axvspan(*wanted, color="#d8ecd8", zorder=0)
    for at, numbers in enumerate(found):
        if not numbers["of"]:
            continue
        if numbers["low"] is not None:
            ax.plot([numbers["low"], numbers["high"]], [at, at], color="0.35", linewidth=2)
        ax.plot(numbers["fraction"], at, "o", color="#1f5fa8")
        right_half = numbers["fraction"] > 0.5
        ax.annotate(
            f"{numbers['hits']}/{numbers['of']}",
            (numbers["fraction"], at),
            xytext=(-6 if right_half else 6, 5),
            textcoords="offset points",
            ha="right" if right_half else "left",
            fontsize=8,
        )


if __name__ == "__main__":
    main()
