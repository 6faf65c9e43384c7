"""The packages to install, one of which lies elsewhere: all else is in pyproject.toml."""

from setuptools import find_packages, setup

# The sample data stand on the top level of the project and are installed beside what reads them.
setup(packages=[*find_packages(include=["harmony_core*"]), "harmony_core.store.sample_data"])
