"""Folders in which one run lies several times: counted otherwise, or before cells were called.

CellRanger, STARsolo, kb-python and Parse write these side by side. Put below each other they would
be batches of the same cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from harmony_core.inspect.columns import listed
from harmony_core.io.sources import Source, is_matrix, without_endings

_TENX = re.compile(r"(?P<before>.*?)(?P<kind>filtered|raw)_(feature|gene|peak)_bc_matri(x|ces)")
_TENX_ASIDE = ("analysis", "molecule_info", "per_barcode_metrics")
_TENX_SAMPLES = ("per_sample_outs",)
_STARSOLO = ("Gene", "GeneFull", "GeneFull_ExonOverIntron", "GeneFull_Ex50pAS", "Velocyto", "SJ")
_KB = re.compile(r"counts_(?P<kind>filtered|unfiltered)(_modified)?")
_PARSE = re.compile(r"DGE_(?P<kind>filtered|unfiltered)")
_PARSE_WHOLE = ("all-sample", "all-well", "all-wells")
_LAST = 9


@dataclass(frozen=True)
class _Version:
    """Which run a file is of, how far down the list of its versions, and what to call that one."""

    run: str
    rank: tuple[int, int]
    name: str


def one_version_a_run(sources: Sequence[Source]) -> tuple[list[Source], tuple[str, ...]]:
    """Keep one version of each run of a folder or an archive.

    Parameters
    ----------
    sources
        Files of one folder or archive.

    Returns
    -------
    The files to read, and a sentence on what was left out.
    """
    wholes = {_above(source, i) for source in sources for i in _places(source, _PARSE_WHOLE)}
    divided = {_above(source, i) for source in sources for i in _places(source, _TENX_SAMPLES)}
    versions = {source: _version(source, wholes, divided) for source in sources}
    best: dict[str, tuple[int, int]] = dict.fromkeys(divided, (0, 0))
    for source, version in versions.items():
        if version is not None and (source.is_hdf5 or is_matrix(source)):
            best[version.run] = min(version.rank, best.get(version.run, version.rank))
    kept, read, aside = [], dict[str, None](), dict[str, None]()
    for source, version in versions.items():
        if version is None or version.run not in best:
            kept.append(source)
        elif version.rank == best[version.run]:
            kept.append(source)
            read[version.name] = None
        elif version.name:
            aside[version.name] = None
    if not aside:
        return kept, ()
    others = listed(list(aside))
    note = (
        f"Of each run {listed(list(read))} is read. Left out: {others} (the same cells "
        "counted otherwise, or barcodes that are no cells). To read one, give it alone."
    )
    return kept, (note,)


def _above(source: Source, place: int) -> str:
    return "/".join(PurePosixPath(source.name).parts[:place])


def _places(source: Source, names: Sequence[str]) -> Iterator[int]:
    parts = PurePosixPath(source.name).parts
    return (i for i, part in enumerate(parts) if part in names)


def _version(source: Source, wholes: set[str], divided: set[str]) -> _Version | None:
    """Tell by the folders on the way to a file, and by its name, which version it belongs to."""
    if not source.is_nested:
        return None
    parts = PurePosixPath(source.name).parts
    for i, part in enumerate(parts):
        above, after = "/".join(parts[:i]), parts[i + 1] if i + 1 < len(parts) else ""
        plain = without_endings(part)
        if (found := _TENX.match(plain)) is not None:
            run = f"{above}/{found['before'].removesuffix('sample_')}"
            is_file = not after and source.is_hdf5  # the same as the folder of that name
            return _Version(run, (int(found["kind"] == "raw"), int(is_file)), part)
        if part == "multi" and above in divided:  # all barcodes of the samples beside it
            return _Version(above, (_LAST, 0), part)
        if plain in _TENX_ASIDE and i > 0 and not (plain == "analysis" and source.is_hdf5):
            return _Version(f"{above}/", (_LAST, 0), part)
        if part in _STARSOLO and after in ("filtered", "raw"):
            rank = int(after == "raw"), _STARSOLO.index(part)
            return _Version(above, (_LAST, 0) if part == "SJ" else rank, f"{part}/{after}")
        if (found := _KB.fullmatch(part)) is not None:
            again = after == "cellranger" or after.startswith("adata.")
            name = f"{part}/{after}" if again else part
            return _Version(above, (int(found["kind"] == "unfiltered"), int(again)), name)
        if (found := _PARSE.fullmatch(part)) is not None and i > 0:
            whole = _above(source, i - 1)
            rank = int(found["kind"] == "unfiltered"), 0
            if whole in wholes:
                is_whole = parts[i - 1] in _PARSE_WHOLE
                return _Version(whole, rank if is_whole else (_LAST, 0), f"{parts[i - 1]}/{part}")
            return _Version(above, rank, part)
    return None
