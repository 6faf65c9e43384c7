"""R, for tests of what is written for it."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(scope="session")
def rscript() -> str:
    """Path of the program that runs a script in R."""
    found = shutil.which("Rscript")
    if found is None:
        pytest.skip("R is not installed (Debian: r-base-core)")
    return found
