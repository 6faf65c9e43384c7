"""What to try against over-correction, gentlest first, in the order measured to help."""

from __future__ import annotations

from harmony_core import thresholds
from harmony_core.verdict import steps
from harmony_core.verdict.advice import Advice, RunFacts


def gentler(facts: RunFacts, batch_variable: str) -> list[Advice]:
    """Return what to try against over-correction, and say so where nothing is left."""
    if facts.iterations == 0:
        return []
    found = [
        _fewer_iterations(facts),
        _lower_theta(facts, batch_variable),
        _lower_sigma(facts),
        _raise_alpha(facts),
        _more_components(facts),
        _raise_tau(facts, batch_variable),
    ]
    return [advice for advice in found if advice is not None] or [
        Advice(
            sentence="No gentler setting is left to try. If the evidence convinces you, the "
            "batches may differ by cell type, and then no one setting is right for all of them: "
            "compare within batches, or leave these cells out of the correction."
        )
    ]


def _fewer_iterations(facts: RunFacts) -> Advice | None:
    limit = steps.fewer_iterations(facts.settings.max_iter, facts.iterations)
    if limit is None:
        return None
    return Advice(
        sentence=f"Stop after {limit} iterations (this run made {facts.iterations}): may merge "
        "less and often keeps most of the mixing.",
        changes={"max_iter": limit},
    )


def _lower_theta(facts: RunFacts, batch_variable: str) -> Advice | None:
    theta = steps.gentler_theta(facts.theta_of(batch_variable))
    if theta is None:
        return None
    return Advice(
        sentence=f"Lower {facts.theta_words(batch_variable, theta)} to {theta:g}: may merge less, "
        "at some loss of mixing.",
        changes={"theta": facts.theta_with(batch_variable, theta)},
    )


def _lower_sigma(facts: RunFacts) -> Advice | None:
    sigma = steps.gentler_sigma(facts.settings.sigma)
    if sigma is None or facts.settings.sigma_of:
        return None
    return Advice(
        sentence=f"Lower sigma to {sigma:g}: soft clusters become sharper, which merged least in "
        "our tests and may cost some mixing.",
        changes={"sigma": sigma},
    )


def _raise_alpha(facts: RunFacts) -> Advice | None:
    alpha = steps.gentler_alpha(facts.settings.alpha)
    if facts.settings.lamb is not None or alpha is None:
        return None
    return Advice(
        sentence=f"Raise alpha to {alpha:g}: corrects each soft cluster less, and may cost the "
        "most mixing.",
        changes={"alpha": alpha},
    )


def _more_components(facts: RunFacts) -> Advice | None:
    most = facts.n_pcs if facts.most_pcs is None else facts.most_pcs
    wanted = min(int(thresholds.FEW_PCS), most)
    if facts.n_pcs >= wanted:
        return None
    return Advice(
        sentence=f"Use {wanted} components instead of {facts.n_pcs}: close cell types often "
        "differ in the later ones.",
        changes={"n_pcs": wanted},
        group="prepare",
    )


def _raise_tau(facts: RunFacts, batch_variable: str) -> Advice | None:
    name, cells, tau = facts.small_batch(batch_variable)
    if facts.settings.tau > 0 or tau is None:
        return None
    return Advice(
        sentence=f"Set tau to {tau:g}: may protect the small batch “{name}” ({cells:,} cells) "
        "from being spread over all clusters.",
        changes={"tau": tau},
    )
