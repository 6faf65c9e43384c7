"""What to try against under-correction: first what holds a run back, then what pushes harder."""

from __future__ import annotations

from harmony_core import thresholds
from harmony_core.params import HarmonyParams
from harmony_core.verdict import steps
from harmony_core.verdict.advice import Advice, RunFacts
from harmony_core.verdict.run_outcome import as_percent, more_iterations


def stronger(facts: RunFacts, batch_variable: str) -> list[Advice]:
    """Return what to try against under-correction, and say so where nothing is left."""
    if facts.settings.max_iter == 0:
        return [_some_iterations()]
    first = [_penalty(facts), _lower_tau(facts), _lower_epsilon(facts)]
    pushes = [_raise_sigma(facts), *_raise_theta(facts, batch_variable)]
    # A run stopped this early was stopped on purpose, perhaps against over-correction.
    if facts.settings.max_iter != thresholds.GENTLE_ITERATIONS:
        pushes.insert(0, more_iterations(facts))
    found = [advice for advice in (*first, *pushes) if advice is not None]
    return [*found, *_genes(facts)] + ([] if found else [_NOTHING_LEFT])


_NOTHING_LEFT = Advice(
    sentence="No stronger setting is left to try. What stays apart now may differ in biology "
    "rather than by batch; if it should align, another method may do it better."
)


def _some_iterations() -> Advice:
    limit = steps.more_iterations(0)
    return Advice(
        sentence=f"Allow {limit} iterations: this run was allowed none, so nothing was corrected.",
        changes={"max_iter": limit},
    )


def _penalty(facts: RunFacts) -> Advice | None:
    """Name the ridge penalty where it holds the correction back more than the default does."""
    now, default = facts.settings, HarmonyParams(batch=("",)).alpha
    if now.lamb is not None:
        automatic = default * facts.smallest_batch / now.nclust_for(facts.n_cells)
        if now.lamb <= automatic:
            return None
        return Advice(
            sentence=f"Leave lambda on automatic: fixed at {now.lamb:g}, this ridge penalty holds "
            f"the correction back (automatic is about {automatic:.2g} where it is least).",
            changes={"lamb": None} | ({"lamb_of": ()} if now.lamb_of else {}),
        )
    alpha = steps.stronger_alpha(now.alpha)
    if alpha is None:
        return None
    return Advice(
        sentence=f"Lower alpha to {alpha:g}: at {now.alpha:g} the ridge penalty holds the "
        "correction back.",
        changes={"alpha": alpha},
    )


def _lower_tau(facts: RunFacts) -> Advice | None:
    now = facts.settings
    left = facts.theta_left_by_tau
    if left >= thresholds.TAU_HOLDS:
        return None
    protecting = [facts.small_batch(name)[2] for name in facts.batch_sizes]
    tau = steps.stronger_tau(now.tau, [value for value in protecting if value is not None])
    if tau is None:
        return None
    return Advice(
        sentence=f"Lower tau to {tau:g}: at {now.tau:g} it leaves the smallest batch "
        f"{as_percent(left)} of theta, which may keep it from mixing.",
        changes={"tau": tau},
    )


def _lower_epsilon(facts: RunFacts) -> Advice | None:
    epsilon, wanted = facts.settings.epsilon_harmony, thresholds.FLAT_OBJECTIVE
    if facts.stop_reason != "converged" or facts.iterations >= facts.settings.max_iter:
        return None
    if epsilon <= wanted or facts.last_fall <= wanted:
        return None
    return Advice(
        sentence=f"Lower epsilon (Harmony's) to {wanted:g}: with {epsilon:g}, this run stopped "
        f"after {facts.iterations} of {facts.settings.max_iter} iterations while its objective "
        f"still fell by {as_percent(facts.last_fall)}. More iterations alone would change nothing.",
        changes={"epsilon_harmony": wanted},
    )


def _raise_sigma(facts: RunFacts) -> Advice | None:
    sigma = steps.stronger_sigma(facts.settings.sigma)
    if sigma is None or facts.settings.sigma_of:
        return None
    return Advice(
        sentence=f"Raise sigma to {sigma:g}: below {thresholds.MIXING_SIGMA:g}, batches often stay "
        "apart whatever theta is.",
        changes={"sigma": sigma},
    )


def _raise_theta(facts: RunFacts, batch_variable: str) -> list[Advice]:
    return [
        Advice(
            sentence=f"Raise {facts.theta_words(batch_variable, theta)} to {theta:g}: pushes the "
            "batches together harder, and may merge cell types.",
            changes={"theta": facts.theta_with(batch_variable, theta)},
        )
        for theta in steps.stronger_thetas(facts.theta_of(batch_variable))
    ]


def _genes(facts: RunFacts) -> list[Advice]:
    if facts.genes_per_batch is True:
        return []
    return [
        Advice(
            sentence="Check that variable genes were chosen within each batch and then merged: "
            "genes that only tell the batches apart keep them apart."
        )
    ]
