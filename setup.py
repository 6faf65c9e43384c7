"""What is installed, and where it does not lie as in the project: all else is in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
DASHBOARD = (
    "app.py",
    ".streamlit/config.toml",
    "lessons/*.toml",
    *(f"pages/**/*{e}" for e in (".py", ".css", ".js")),
)
"""What the dashboard is made of, as it stands on the top level of the project."""


class BuildWithDashboard(build_py):
    """Puts the dashboard into the core's folder: data, of which Python sees no package.

    So an installation has no packages named ``app`` and ``pages``; ``harmony-explorer open`` says
    where they are to the server that it starts.
    """

    def _dashboard(self):
        within = Path(self.build_lib, "harmony_core", "dashboard")
        files = sorted(file for pattern in DASHBOARD for file in ROOT.glob(pattern))
        return [(str(file), str(within / file.relative_to(ROOT))) for file in files]

    def run(self):
        super().run()
        if not self.editable_mode:
            for source, copy in self._dashboard():
                self.mkpath(str(Path(copy).parent))
                self.copy_file(source, copy)

    def get_outputs(self, include_bytecode=1):
        return [*super().get_outputs(include_bytecode), *(copy for _, copy in self._dashboard())]


# The sample data stand on the top level of the project and are installed beside what reads them.
setup(
    packages=[*find_packages(include=["harmony_core*"]), "harmony_core.store.sample_data"],
    cmdclass={"build_py": BuildWithDashboard},
)
