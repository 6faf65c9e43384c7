"""How often is the verdict right on real cells? Truth comes from their labels alone.

    python benchmarks/real_cells.py FOLDER --remove          every set that is not held out
    python benchmarks/real_cells.py FOLDER --quick           three settings instead of twelve
    python benchmarks/real_cells.py FOLDER --sets held_out   once, when no rule changes any more

FOLDER has labelled h5ad files. The batch is in the column ``batch`` and the label in
``cell_type``; for other columns give ``--batch NAME=COLUMN`` and ``--label NAME=COLUMN``, NAME
being the file's name without ending.

Each run is truly over-corrected if a label of at least 30 cells gains more than .10 of neighbours
with other labels, over the better of the uncorrected data and of its own batch; under-corrected if
labels that batches share reach less than half of the mixing that their sizes allow. Runs within .05
below the first limit, or within .1 of the second, are too close to call and are counted apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from diagnostics import one_thread
from other_judges import JUDGES
from real_designs import RealDesign, designs, real_sets
from real_report import report_text, summarise
from real_runs import Grid, judged_design

import harmony_core

FULL = Grid((1.0, 2.0, 4.0, 8.0), (0.05, 0.1, 0.2))
QUICK = Grid((1.0, 2.0, 8.0), (0.1,))


def main() -> None:
    options = _options()
    grid = QUICK if options.quick else FULL
    sets = real_sets(
        options.folder,
        side=options.sets,
        only=options.only,
        batch_columns=dict(options.batch),
        label_columns=dict(options.label),
    )
    found = [design for one in sets for design in designs(one, remove=options.remove)]
    if not found:
        raise SystemExit(f"No h5ad file of {options.folder} is asked for; see --help.")
    started = time.time()
    judged = []
    for result in all_judged(found, grid, options.jobs, options.cache):
        judged.append(result)
        said = f"  {result['error']}" if "error" in result else ""
        print(f"{time.time() - started:5.0f} s  {result['design']}{said}", file=sys.stderr)
    figures = summarise(judged, JUDGES)
    print(report_text(figures, JUDGES))
    if options.json:
        used = {"harmony_core": harmony_core.__file__, "sets": [one.name for one in sets]}
        report = {**used, "figures": figures, "designs": judged}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labelled h5ad files")
    parser.add_argument(
        "--remove",
        action="store_true",
        help="also take up to three labels of each set out of half of its batches",
    )
    parser.add_argument("--quick", action="store_true", help="theta 1, 2, 8 at sigma 0.1 only")
    parser.add_argument(
        "--sets",
        choices=("choosing", "held_out"),
        help="one side of real_cells.toml only; by default all sets but the held-out ones",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these sets only")
    for option in ("--batch", "--label"):
        parser.add_argument(
            option,
            action="append",
            default=[],
            type=column_of_set,
            metavar="NAME=COLUMN",
            help=f"column of obs with the {option[2:]} in one set; may be repeated",
        )
    parser.add_argument("--json", type=Path, help="write all figures and runs to this file")
    parser.add_argument("--cache", type=Path, help="folder for finished designs, to go on later")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    return parser.parse_args()


def column_of_set(text: str) -> tuple[str, str]:
    """Read ``NAME=COLUMN``."""
    name, separator, column = text.partition("=")
    if not (name and separator and column):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=COLUMN")
    return name, column


def all_judged(
    found: Sequence[RealDesign], grid: Grid, jobs: int, cache: Path | None
) -> Iterator[dict[str, Any]]:
    """Judge designs in processes of one thread each; finished ones come from the cache."""
    context = multiprocessing.get_context("spawn")
    judge = partial(cached_design, grid=grid, cache=cache, code=code_digest() if cache else "")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=one_thread) as pool:
        yield from pool.map(judge, found)


def cached_design(
    design: RealDesign, *, grid: Grid, cache: Path | None, code: str
) -> dict[str, Any]:
    """Judge a design, or read what an earlier run of the same code made of it."""
    if cache is None:
        return judged_design(design, grid)
    source = design.source.path.stat()
    parts = repr((design, list(grid), code, source.st_size, source.st_mtime_ns))
    file = cache / f"{hashlib.sha256(parts.encode()).hexdigest()[:20]}.json"
    if file.is_file():
        stored: dict[str, Any] = json.loads(file.read_text())
        return stored
    result = judged_design(design, grid)
    if "error" in result:
        return result
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(result))
    unfinished.replace(file)
    return result


def code_digest() -> str:
    """Return a digest of the product's code and of this benchmark's."""
    digest = hashlib.sha256()
    core, here = Path(harmony_core.__file__).parent, Path(__file__).parent
    for file in (*sorted(core.rglob("*.py")), *sorted(here.glob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
