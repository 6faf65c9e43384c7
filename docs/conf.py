"""How the documentation is built: `make docs`, from what is installed, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from harmony_core.version import VERSION  # noqa: E402

project = "Harmony Explorer"
author = "Harmony Explorer contributors"
copyright = author
release = version = VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "directives"]
# A name in single backticks of a docstring: a link where the name has an entry, else as it stands.
default_role = "obj"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False

html_theme = "furo"
html_title = f"{project} {VERSION}"
html_show_sphinx = html_copy_source = False
