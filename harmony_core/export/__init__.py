"""Take a run away: files that others can open, rerun and cite.

Every function takes a finished run's results and a path, writes the file whole or not at all, and
is meant for a worker or a terminal: what is heavy is imported when it is called.
"""

from harmony_core.export.h5ad import write_h5ad, write_zarr
from harmony_core.figures.paper.layouts import evaluation_figure

__all__ = ["evaluation_figure", "write_h5ad", "write_zarr"]
