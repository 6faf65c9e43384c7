"""Gene names: which column holds the symbols, which organism, which genes are mitochondrial."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Organism = Literal["human", "mouse"]

_SYMBOL_COLUMNS = (
    *("genesymbols", "genesymbol", "featurename", "genename", "genenames", "symbol", "symbols"),
    *("hgncsymbol", "mgisymbol", "externalgenename", "geneshortname", "features", "name", "gene"),
)
"""In small letters, without what stands between the words."""
# Expressed in nearly every cell, and spelt alike in both but for the case.
_HUMAN = ("ACTB", "GAPDH", "MALAT1", "B2M", "EEF1A1", "RPLP0", "RPS3", "PTPRC", "VIM", "TMSB4X")
_MOUSE = ("Actb", "Gapdh", "Malat1", "B2m", "Eef1a1", "Rplp0", "Rps3", "Ptprc", "Vim", "Tmsb4x")
_KNOWN = frozenset((*_HUMAN, *_MOUSE))
_MITOCHONDRIAL = r"(?:[A-Za-z0-9.]+_+)?(?:MT|mt|Mt)-"
_ENSEMBL = re.compile(r"ENS[A-Z]*G\d{6,}")
_BARCODE = re.compile(r"(.*[^A-Z])?[ACGT]{8,}([^A-Z].*)?")
# Families that every annotation has hundreds of.
_SYMBOL = re.compile(
    r"(RP[LS]|MT-|mt-|Rp[ls]|ZNF|Zfp|SLC|Slc|TMEM|Tmem|CD\d|Cd\d|LINC|KRT|Krt|COL\d|Col\d|IL\d|Il\d|"
    r"HLA-|H2-|CCL|Ccl|CXCL|Cxcl|FAM\d|Fam\d|KIAA|MIR\d|AC\d{6}|AL\d{6}|Gm\d{3})[A-Za-z0-9.\-]*"
)


def looks_like_gene(name: str) -> bool:
    """Whether a name is spelt like an Ensembl id or a symbol rather than a cell's name."""
    return _ENSEMBL.match(name) is not None or name in _KNOWN or _SYMBOL.fullmatch(name) is not None


def symbol_column(var: pd.DataFrame) -> str | None:
    """Name the column of symbols, where the genes' own names are Ensembl ids.

    Parameters
    ----------
    var
        Columns that describe the genes (genes × columns).
    """
    if not has_ids_only(pd.Series(var.index.astype(str))):
        return None
    known = {re.sub(r"[ _.-]", "", str(c).casefold()): str(c) for c in reversed(var.columns)}
    return next((known[c] for c in _SYMBOL_COLUMNS if c in known), None)


def has_ids_only(names: pd.Series[Any]) -> bool:
    """Whether most genes are named by their Ensembl ids.

    Parameters
    ----------
    names
        Names as text (genes).
    """
    return len(names) > 0 and bool(names.str.match(r"ENS[A-Z]*G\d").mean() >= 0.5)


def gene_share(names: pd.Index | pd.Series[Any]) -> float:
    """Return the fraction of names that are spelt like those of genes.

    Parameters
    ----------
    names
        Any names; of more than some 2,000, evenly spread ones are looked at.
    """
    return _share(names, looks_like_gene)


def barcode_share(names: pd.Index | pd.Series[Any]) -> float:
    """Return the fraction of names that hold a barcode of eight letters or more.

    Parameters
    ----------
    names
        Any names; of more than some 2,000, evenly spread ones are looked at.
    """
    return _share(names, lambda name: _BARCODE.fullmatch(name) is not None)


def _share(names: pd.Index | pd.Series[Any], is_so: Callable[[str], bool]) -> float:
    sample = list(names)[:: max(1, len(names) // 2000)]
    return sum(is_so(str(n)) for n in sample) / max(1, len(sample))


def organism(names: pd.Series[Any]) -> Organism | None:
    """Tell human from mouse by symbols or Ensembl ids; None where neither or both fit.

    Parameters
    ----------
    names
        Symbols or Ensembl ids (genes).
    """
    if names.str.match(r"ENSG\d").mean() > 0.5:
        return "human"
    if names.str.match(r"ENSMUSG\d").mean() > 0.5:
        return "mouse"
    human, mouse = int(names.isin(_HUMAN).sum()), int(names.isin(_MOUSE).sum())
    if max(human, mouse) < 3 or human == mouse:
        return None
    return "human" if human > mouse else "mouse"


def mitochondrial(symbols: pd.Series[Any]) -> NDArray[np.bool_]:
    """Tell which genes are mitochondrial, by the prefixes of human, mouse and rat symbols.

    The name of a genome may stand before it, as in files of two species.

    Parameters
    ----------
    symbols
        Gene symbols (genes).
    """
    return symbols.str.match(_MITOCHONDRIAL).to_numpy(dtype=bool)
