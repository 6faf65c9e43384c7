"""Objects of R: recognised by name or content, and refused with the line that writes what is read.

Reading one would need R itself, with the packages whose classes it holds.
"""

from __future__ import annotations

import json
import lzma
import re
import zlib
from pathlib import Path

from harmony_core.io.text import decompressor

WRITE_IN_R = (
    'm <- LayerData(object, layer = "counts"); Matrix::writeMM(m, "matrix.mtx"); '
    'writeLines(colnames(m), "barcodes.tsv"); writeLines(rownames(m), "features.tsv"); '
    'write.csv(object[[]], "metadata.csv")'
)
"""From a Seurat object of version 5, one line: what `find_matrix_files` and `attach` read."""

READ_IN_R = {
    ".rds": "object <- readRDS({file})",
    ".rdata": "object <- get(load({file})[1])",
    ".rda": "object <- get(load({file})[1])",
    ".qs": "object <- qs::qread({file})",
    ".qs2": "object <- qs2::qs_read({file})",
    ".h5seurat": "object <- SeuratDisk::LoadH5Seurat({file})",
}
"""By the endings of such files, in small letters."""

_BEGINNINGS = {
    ".rdata": re.compile(rb"RD[AXB][123]\n"),
    # Serialised as XDR, in this machine's byte order, or as text.
    ".rds": re.compile(
        rb"(X|B)\n\x00\x00\x00[\x02\x03]|B\n[\x02\x03]\x00\x00\x00|A\n[23]\n\d{6}\n"
    ),
    ".qs": re.compile(rb"\x0b\x0e\x0a\x0c"),
    ".qs2": re.compile(rb"\x0b\x0e\x0a\xc1"),
}
_LONGEST = 16


def kind_of_r_object(path: Path) -> str | None:
    """Return the usual ending of files that begin like this one, or None for no R object.

    Parameters
    ----------
    path
        A file, compressed or not, under any name.
    """
    try:
        opener = decompressor(path)
        with path.open("rb") if opener is None else opener(path) as file:
            head = file.read(_LONGEST)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return None
    return next((kind for kind, start in _BEGINNINGS.items() if start.match(head)), None)


def how_to_write_in_r(name: str, ending: str) -> str:
    """Return the line of R that writes an R object as files that are read, and what to know.

    Parameters
    ----------
    name
        The file with the object.
    ending
        How such files end, one of `READ_IN_R`.
    """
    read = READ_IN_R[ending].format(file=json.dumps(name))
    return (
        f"in R, run: library(Seurat); {read}; {WRITE_IN_R} and give the four files. If the counts "
        "are in split layers, object <- JoinLayers(object) comes first; of a SingleCellExperiment, "
        "m is counts(object) and the columns are as.data.frame(colData(object)). For an embedding "
        'alone give write.csv(Embeddings(object), "embedding.csv") and metadata.csv'
    )
