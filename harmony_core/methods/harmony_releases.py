"""What differed between releases of Harmony, and the settings that come near to each.

The one table of it, for pages, command line, Python and files. Theta and sigma are left as they
are: their defaults (2 and 0.1) have been the same but for harmonypy 0.0.4 to 0.0.10 (theta 1).

Sources, read at the commits that set each version: github.com/immunogenomics/harmony (R/ui.R,
R/RunHarmony.R, R/harmony_option.R, src/harmony.cpp, src/utils.cpp; 63ebd73 for 0.1.1, 3fb10ff to
ded2880 for 1.0.1 to 1.1.0, f3a79c2 to 9b6d98b for 1.2.0 to 1.2.4, df19af2 for 2.0.4) and
github.com/slowkow/harmonypy (harmonypy/harmony.py at v0.0.10, v0.2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harmony_core.errors import ParameterError
from harmony_core.params import HarmonyParams


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release, or some alike.

    Attributes
    ----------
    title
        Which they are.
    settings
        What it had for settings of `HarmonyParams` whose defaults have changed since.
    lost
        What settings alone do not bring back, each as the end of a sentence.
    """

    title: str
    settings: Mapping[str, Any]
    lost: tuple[str, ...] = ()

    def sentence(self, n_variables: int) -> str:
        """Return what the settings stand for, and what they can't bring back.

        Parameters
        ----------
        n_variables
            How many batch variables there are.
        """
        if not self.lost:
            return f"{self.title}: the defaults of this version."
        lost = [*self.lost]
        if n_variables > 1:
            lost.append(
                "pushes of several batch variables are multiplied here and were added there (the "
                "switch to add penalties comes near)"
            )
        return (
            f"Approximates {self.title}. Settings alone do not bring back all of it: "
            f"{'; '.join(lost)}."
        )


_USUAL = HarmonyParams(batch=("",))
_NAMES = ("max_iter_kmeans", "epsilon_cluster", "epsilon_harmony", "lamb", "batch_prop_cutoff")
_CENTRES = "centres of soft clusters moved in every k-means round there, here once an iteration"
_START = "k-means starts elsewhere"


def _settings(epsilon_cluster: float, epsilon_harmony: float) -> dict[str, Any]:
    """Return the settings of releases before 2, which had lambda 1 and left no batch out."""
    values = (20, epsilon_cluster, epsilon_harmony, 1.0, 0.0)
    return dict(zip(_NAMES, values, strict=True))


def _push(formula: str) -> str:
    return (
        f"the push towards mixing was {formula} to the power of theta, here (2E + 1) / (O + E + 1) "
        "(O: cells of a batch in a soft cluster, E: as many as an even spread has)"
    )


RELEASES: Mapping[str, Release] = {
    "2": Release(
        title="Harmony 2 (harmony 2.0 in R, harmonypy 2.0 and 2.1)",
        settings={name: getattr(_USUAL, name) for name in _NAMES},
    ),
    "1": Release(
        title="Harmony 1 (harmony 1.2 in R)",
        settings=_settings(1e-3, 1e-2),
        lost=(_push("E / (O + E)"), _CENTRES, _START),
    ),
    "1.0": Release(
        title="Harmony 1.0 and 1.1 in R",
        settings=_settings(1e-5, 1e-4),
        lost=(_push("E / (O + E)"), _CENTRES, _START),
    ),
    "0": Release(
        title="the first release (harmony 0.1 in R, and harmonypy 0.0)",
        settings=_settings(1e-5, 1e-4),
        lost=(
            _push("(E + 1) / (O + 1)"),
            _CENTRES,
            _START,
            "called with a matrix, harmony 0.1 allowed 200 k-means rounds; harmonypy 0.0 began "
            "with theta 1",
        ),
    ),
}
"""By the name that ``--as-harmony`` and `as_harmony` take, the newest first."""


def of_release(name: str) -> dict[str, Any]:
    """Return the settings of a release; others stay.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name not in RELEASES:
        raise ParameterError(
            f"There is no Harmony {name!r} here; available: {', '.join(RELEASES)}."
        )
    return dict(RELEASES[name].settings)


def as_release(harmony: HarmonyParams, name: str) -> HarmonyParams:
    """Return settings with what differed in a release; a lambda of single batches goes.

    Examples
    --------
    >>> as_release(HarmonyParams(batch=("donor",), theta=(4.0,)), "1").max_iter_kmeans
    20
    """
    return replace(harmony, **of_release(name), lamb_of=())


def release_of(harmony: HarmonyParams) -> str | None:
    """Return the release whose settings these are, the newest of several; None if of none.

    Examples
    --------
    >>> release_of(HarmonyParams(batch=("donor",), theta=(4.0,)))
    '2'
    """
    for name in RELEASES:
        if as_release(harmony, name) == harmony:
            return name
    return None
