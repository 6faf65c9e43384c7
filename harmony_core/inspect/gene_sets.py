"""Marker sets: textbook markers, and a user's own, from what was pasted or from a table.

What people have is a line of genes, lines such as ``T cells: CD3D, CD3E``, or a spreadsheet: one
set a column, or one gene a row with its set beside it. All are read; nothing has to be declared.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from harmony_core.errors import DataError

UNNAMED = "My genes"
"""Name of a set that has none."""

MOST_GENES = 300
LARGEST_TABLE = 1_000_000
"""Bytes, or characters, beyond which nothing can be marker sets of so many genes."""
_MOST_ROWS, _MOST_COLUMNS = 5_000, 1_000
_TOO_LARGE = f"This is too large for marker sets: at most {MOST_GENES} genes can be shown at once."
_GENE_HEADINGS = frozenset({"gene", "genes", "symbol", "symbols", "marker", "markers", "feature"})

GeneSets = Mapping[str, tuple[str, ...]]
"""Genes by the name of their set, in the order given, each once a set."""

_BLOOD = tuple(
    csv.DictReader(
        io.StringIO((resources.files(__package__) / "blood_panel.csv").read_text("utf-8"))
    )
)

BLOOD: GeneSets = {
    name: tuple(row["gene"] for row in _BLOOD if row["set"] == name)
    for name in dict.fromkeys(row["set"] for row in _BLOOD)
}
"""Textbook markers of human blood cells, the best known first.

All but four (CD19, XBP1, IGHG1, ITGA2B) are also among the markers that Azimuth's human blood
reference (Hao et al. 2021, doi:10.1016/j.cell.2021.04.048) lists for the type or a part of it. The
Ensembl ids, for data that name their genes by nothing else, are those of HGNC.
"""

PANEL: GeneSets = {name: genes[:3] for name, genes in list(BLOOD.items())[:5]}
"""A few of them, for a first look."""


BLOOD_PANEL = "blood"
"""Name of the panel that is shipped, where a panel is asked for."""


def panel_sets(panel: str) -> GeneSets:
    """Return the marker sets that a run's setting ``panel`` asks for.

    Parameters
    ----------
    panel
        `BLOOD_PANEL`, or sets as they are pasted.

    Raises
    ------
    DataError
        If it holds no genes, too many, or fewer than two types.
    """
    sets = BLOOD if panel.strip() == BLOOD_PANEL else parse_pasted(panel)
    if len(sets) < 2:
        raise DataError(
            "Labels need marker genes of at least two cell types: write a line for each, such as "
            "T cells: CD3D, CD3E."
        )
    return sets


def panel_text(sets: GeneSets) -> str:
    """Return sets as `panel_sets` reads them, a line each."""
    return "\n".join(
        f"{' '.join(name.replace(':', ' ').split())}: {', '.join(genes)}"
        for name, genes in sets.items()
    )


@dataclass(frozen=True)
class Found:
    """Which genes of some sets the data have.

    Attributes
    ----------
    sets
        The sets with the symbols as the data write them; a set of which nothing was found is left
        out.
    positions
        Position of each symbol in the data.
    missing
        Genes that the data don't have, as they were asked for.
    respelled
        Genes that the data write with other capitals (mouse and human differ so), as asked for.
    """

    sets: GeneSets
    positions: Mapping[str, int]
    missing: tuple[str, ...]
    respelled: tuple[str, ...]


def parse_pasted(text: str) -> GeneSets:
    """Read sets that were typed or pasted.

    Each line is a set: its genes, separated by commas, semicolons or spaces, after a name and a
    colon if it has one. Lines without a name are one set.

    Raises
    ------
    DataError
        If it holds too many genes.
    """
    if len(text) > LARGEST_TABLE:
        raise DataError(_TOO_LARGE)
    sets: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, genes = line.partition(":")
        if not colon:
            name, genes = UNNAMED, line
        sets.setdefault(name.strip() or UNNAMED, []).extend(re.split(r"[\s,;]+", genes))
    return _checked(sets)


def parse_table(content: bytes) -> GeneSets:
    """Read sets from a CSV file, with a comma, a semicolon or a tab between its columns.

    With a column named gene, symbol or marker, each row is one gene, and the first other column
    says of which set. Otherwise each column is a set and its heading the set's name.

    Raises
    ------
    DataError
        If it is no text, is empty, or holds too many genes.
    """
    if len(content) > LARGEST_TABLE:
        raise DataError(_TOO_LARGE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("This is not a text file; save the table as CSV and try again.") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise DataError(f"This table could not be read: {error}.") from None
    if len(rows) < 2:
        raise DataError("The table has no rows below its headings.")
    if len(rows) > _MOST_ROWS or len(rows[0]) > _MOST_COLUMNS:
        raise DataError(_TOO_LARGE)
    heading = [cell.strip() for cell in rows[0]]
    gene = next((i for i, name in enumerate(heading) if name.lower() in _GENE_HEADINGS), None)
    sets: dict[str, list[str]] = {}
    if gene is None or len(heading) == 1:
        for i, title in enumerate(heading):
            name = "" if title.lower() in _GENE_HEADINGS else title
            sets.setdefault(name or UNNAMED, []).extend(row[i] for row in rows[1:] if i < len(row))
    else:
        other = 0 if gene > 0 else 1
        for row in rows[1:]:
            if len(row) > max(gene, other):
                sets.setdefault(row[other].strip() or UNNAMED, []).append(row[gene])
    return _checked(sets)


def find_genes(
    wanted: Iterable[str], symbols: Sequence[str]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Find genes by symbol, whatever their case (human CD3E, mouse Cd3e).

    Returns
    -------
    found, missing
        Position of each gene found, keyed by the symbol as the data write it; and what was not
        found, as it was asked for.
    """
    exact: dict[str, int] = {}
    folded: dict[str, int] = {}
    for position, symbol in enumerate(symbols):
        exact.setdefault(symbol, position)
        folded.setdefault(symbol.upper(), position)
    found: dict[str, int] = {}
    missing: list[str] = []
    for gene in wanted:
        position = exact.get(gene, folded.get(gene.strip().upper(), -1))
        if position < 0:
            missing.append(gene)
        else:
            found[symbols[position]] = position
    return found, tuple(missing)


def readable_symbols(names: Sequence[str]) -> list[str]:
    """Return names of genes with the symbols of the blood panel's in place of their Ensembl ids.

    Parameters
    ----------
    names
        Symbols or Ensembl ids, also with a version behind a point.
    """
    symbols = {row["ensembl"]: row["gene"] for row in _BLOOD}
    return [symbols.get(name.partition(".")[0], name) for name in names]


def find_sets(sets: GeneSets, symbols: Sequence[str]) -> Found:
    """Find the genes of some sets in the data, whatever their capitals.

    Parameters
    ----------
    symbols
        Gene symbols of the data, in their order.
    """
    wanted = dict.fromkeys(gene for genes in sets.values() for gene in genes)
    positions, missing = find_genes(wanted, symbols)
    by_folded = {symbol.upper(): symbol for symbol in positions}
    found = {
        name: tuple(dict.fromkeys(by_folded[g.upper()] for g in genes if g.upper() in by_folded))
        for name, genes in sets.items()
    }
    respelled = tuple(
        gene for gene in wanted if gene.upper() in by_folded and gene not in positions
    )
    return Found({n: g for n, g in found.items() if g}, positions, missing, respelled)


def _checked(sets: Mapping[str, Sequence[str]]) -> GeneSets:
    cleaned = {
        name: tuple(dict.fromkeys(gene for gene in map(_clean, genes) if gene))
        for name, genes in sets.items()
    }
    total = sum(map(len, cleaned.values()))
    if total > MOST_GENES:
        raise DataError(f"These are {total:,} genes; at most {MOST_GENES} can be shown at once.")
    return {name: genes for name, genes in cleaned.items() if genes}


def _clean(gene: str) -> str:
    return gene.strip().strip("\"'").strip()
