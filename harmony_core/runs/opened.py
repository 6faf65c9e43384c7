"""What the dashboard begins with, where it was started for data that are in the store already."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from harmony_core.params import RunParams

OPENED_VARIABLE = "HARMONY_EXPLORER_OPENED"
"""Set by ``harmony-explorer open`` for the server that it starts."""


@dataclass(frozen=True)
class Opened:
    """A dataset that every new session has on screen first.

    Attributes
    ----------
    fingerprint
        Of the dataset.
    params
        The settings to start with; None leaves them to what the dataset suggests.
    """

    fingerprint: str
    params: RunParams | None = None

    def to_environment(self) -> dict[str, str]:
        """Return it as an environment variable."""
        params = None if self.params is None else self.params.to_dict()
        return {OPENED_VARIABLE: json.dumps({"dataset": self.fingerprint, "settings": params})}


def opened(environment: Mapping[str, str] = os.environ) -> Opened | None:
    """Return what the dashboard was started for, if it was for any data."""
    if not environment.get(OPENED_VARIABLE):
        return None
    values = json.loads(environment[OPENED_VARIABLE])
    settings = values["settings"]
    return Opened(values["dataset"], None if settings is None else RunParams.from_dict(settings))
