"""Which variables to correct and which to keep: advice from the table of cells alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harmony_core.categories import Factor
from harmony_core.design.confounding import Finding, cramers_v, is_nested
from harmony_core.inspect.candidates import BatchCandidate
from harmony_core.thresholds import CRAMERS_V_CONFOUNDED, LITTLE_VARIANCE, Severity


def advise(
    batch: Sequence[Factor],
    candidates: Sequence[BatchCandidate],
    others: Sequence[Factor],
    *,
    label: str | None = None,
    condition: bool = False,
    explained: Mapping[str, float] | None = None,
) -> list[Finding]:
    """Say what the choice of variables means, and what else to think of.

    Parameters
    ----------
    batch
        The variables to correct.
    candidates
        Columns that could be, the likeliest first.
    others
        Every column that divides the cells into a manageable number of groups.
    label
        Column of cell types, whose differences are to stay.
    condition
        Whether the variable is judged as a condition.
    explained
        Fraction of the first components' variance that lies between the levels of a column.
    """
    known = {c.name: c for c in candidates}
    found = [_advice("green", _effect_on_differences(batch, known, others, label))]
    for variable in batch:
        facts = known.get(variable.name)
        if (facts is not None and facts.is_condition) or (condition and len(batch) == 1):
            found += _about_condition(variable, candidates, others, label, is_judged_so=condition)
        if facts is not None and facts.is_label:
            found.append(
                _advice(
                    "amber",
                    f"“{variable.name}” looks like cell types: correcting it removes the "
                    "differences between them. Choose the column that names each cell's sample, "
                    "donor or library.",
                )
            )
        fraction = (explained or {}).get(variable.name)
        if fraction is not None and fraction < LITTLE_VARIANCE:
            found.append(
                _advice(
                    "amber",
                    f"“{variable.name}” explains {100 * fraction:.1f} % of the first components' "
                    "variance: there may be little to correct.",
                )
            )
    if len(batch) > 1:
        found += _about_several(batch)
    elif batch:
        found += _about_finer(batch[0], candidates, others)
    return found


def _is_technical(candidate: BatchCandidate) -> bool:
    return not candidate.is_condition and candidate.score > 0


def _advice(severity: Severity, sentence: str) -> Finding:
    return Finding(kind="advice", severity=severity, sentence=sentence, details={})


def _effect_on_differences(
    batch: Sequence[Factor],
    known: Mapping[str, BatchCandidate],
    others: Sequence[Factor],
    label: str | None,
) -> str:
    # Of a column with one level in each batch nothing can stay.
    lost = {c.name for c in others if any(is_nested(v.codes, c.codes) for v in batch)}
    names = {v.name for v in batch} | lost
    stay = [] if label is None or label in names else [label]
    stay += [n for n, c in known.items() if c.is_condition and n not in {*names, *stay}]
    corrected = " and ".join(f"“{variable.name}”" for variable in batch)
    if not stay:
        return f"Differences between the levels of {corrected} are removed."
    listed = ", ".join(f"“{name}”" for name in stay[:6])
    return (
        f"Differences between the levels of {corrected} are removed; those of {listed} are meant "
        "to stay, as far as they are not tied to it."
    )


def _about_condition(
    variable: Factor,
    candidates: Sequence[BatchCandidate],
    others: Sequence[Factor],
    label: str | None,
    *,
    is_judged_so: bool,
) -> list[Finding]:
    technical = [
        c.name for c in candidates if _is_technical(c) and c.name not in (variable.name, label)
    ]
    sentence = (
        f"“{variable.name}” looks like a condition: what it does to the cells is then hidden in "
        "the corrected embedding. Expression is not changed."
    )
    columns = {c.name: c for c in others}
    if technical and technical[0] in columns:
        other = columns[technical[0]]
        v = cramers_v(variable.codes, other.codes)
        if v is not None and v > CRAMERS_V_CONFOUNDED:
            sentence += (
                f" “{other.name}” would be the technical variable, but it goes with "
                f"“{variable.name}” (association {v:.2f} of 1), so correcting it removes the "
                "condition too."
            )
        else:
            sentence += (
                f" To keep it, correct “{other.name}” instead, which looks technical and is not "
                "tied to it."
            )
    if is_judged_so:
        sentence += (
            " The verdict takes it for a condition, which may change cells. If it is technical, "
            "say so: the switch on the Data page, --no-condition, condition=False."
        )
    else:
        sentence += (
            " The verdict does not take it for one. If it is, say so: the switch on the Data page, "
            "--condition, condition=True."
        )
    return [_advice("amber", sentence)]


def _about_several(batch: Sequence[Factor]) -> list[Finding]:
    found = []
    for i, first in enumerate(batch):
        for second in batch[i + 1 :]:
            inner = is_nested(first.codes, second.codes)
            outer = is_nested(second.codes, first.codes)
            if inner and outer:
                sentence = (
                    f"“{first.name}” and “{second.name}” divide the cells alike: keep one of them."
                )
            elif inner or outer:
                fine, coarse = (first, second) if inner else (second, first)
                sentence = (
                    f"Every level of “{fine.name}” lies within one of “{coarse.name}”: correcting "
                    f"“{fine.name}” alone removes both, and both together push twice."
                )
            else:
                continue
            found.append(_advice("amber", sentence))
    names = " and ".join(f"“{variable.name}”" for variable in batch)
    found.append(
        _advice(
            "green",
            f"Each of {names} has a theta of its own on the Tune page: every soft cluster is "
            "pushed to hold all levels of each, and the pushes add up. Give the stronger effect "
            "the higher theta; 0 corrects a variable's offset without pushing for its mixing.",
        )
    )
    return found


def finer_divisions(
    variable: Factor, candidates: Sequence[BatchCandidate], others: Sequence[Factor]
) -> list[str]:
    """Name technical columns that divide a variable's levels: donors of a study, lanes of a donor.

    That such a column cannot be separated from the variable is no trouble: correcting it corrects
    both.
    """
    technical = {c.name for c in candidates if _is_technical(c) and c.score >= 2}
    return [
        other.name
        for other in others
        if other.name in technical
        and len(other.levels) > len(variable.levels)
        and is_nested(other.codes, variable.codes)
    ]


def _about_finer(
    variable: Factor, candidates: Sequence[BatchCandidate], others: Sequence[Factor]
) -> list[Finding]:
    return [
        _advice(
            "green",
            f"“{name}” divides each level of “{variable.name}” further: correcting it instead "
            f"would also remove differences within one “{variable.name}”.",
        )
        for name in finer_divisions(variable, candidates, others)[:1]
    ]
