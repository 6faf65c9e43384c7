"""What is said of several methods side by side, with the verdict's certainty.

Names of batches, labels, states and embeddings are put in raw; whoever draws them escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harmony_core import thresholds
from harmony_core.verdict.grid import Loss, mixing_rank
from harmony_core.verdict.suggest_wording import cost_words
from harmony_core.verdict.verdict import KINDS
from harmony_core.verdict.which_method import HARMONY, Contender, Difference, MethodAnswer
from harmony_core.verdict.wording import percent

_NAMED = 2
"""States of a pair of methods that are named with their numbers."""


def method_sentences(found: MethodAnswer) -> tuple[str, ...]:
    """Answer whether the first method is the right tool, say why, and how sure that is."""
    first = found.first
    if first is None:
        return ("No run could be compared.",)
    if found.answer == "nothing":
        return (
            "There is nothing to correct, whichever the method: use the uncorrected data.",
            _certainty(first),
        )
    if found.answer == "alone":
        return (
            f"No other method was run on these data yet, so {first.method} can't be compared.",
            _state_of(first),
            _certainty(first),
        )
    if found.answer == "unjudged":
        return (
            f"Whether {first.method} is the right tool can't be told: too few cells have a "
            "counterpart in another batch. Give a column of cell types, or make labels from marker "
            "genes.",
        )
    lines = [_line(one, difference, first) for one, difference in found.others]
    said = (*lines, *_one_setting(found, first), *_times(found))
    return (_start(found, first), _state_of(first), *said, _certainty(first))


def _one_setting(found: MethodAnswer, first: Contender) -> list[str]:
    """Say that another setting of Harmony may do as well, where only one was tried."""
    if found.answer not in ("other", "traded") or found.tried > 1 or first.method != HARMONY:
        return []
    return ["Only one setting of Harmony was tried; Suggest tries others, which may do as well."]


def _start(found: MethodAnswer, first: Contender) -> str:
    best = found.best or first
    if found.answer == "other":
        right = "" if best.grade == "right" else f" It is not right either: {_cost(best)}."
        return f"{best.method} does better here than {first.method}.{right}"
    if found.answer == "traded":
        others = [one.method for one, each in found.others if each.outcome == "traded"]
        return (
            f"{first.method} and {' and '.join(others)} keep different states, so which is the "
            f"right tool depends on the states that matter to you."
        )
    if found.answer == "same":
        names = [one.method for one, each in found.others if each.outcome == "same"]
        return (
            f"It makes no difference here: {first.method} and {' and '.join(names)} do the same "
            f"within noise ({_noise()})."
        )
    if first.grade == "right":
        return f"{first.method} is the right tool here."
    return f"No method is right here, and none does better than {first.method}."


def _state_of(one: Contender) -> str:
    """Say how the best run of a method does."""
    return f"{one.name}: {KINDS[one.candidate.kind].heading.lower()}, {_mixing(one)}{_paid(one)}."


def _paid(one: Contender) -> str:
    return f"; {_cost(one)}" if one.grade in ("right", "costly") else ""


def _cost(one: Contender) -> str:
    if one.grade == "right":
        return "no state pays"
    return cost_words(replace(one.candidate, losses=one.merged))


def _mixing(one: Contender) -> str:
    if one.mixes_by_construction:
        return "mixing complete by construction"
    mixing = one.candidate.mixing
    if mixing.mean is None and mixing.worst is None:
        return "how far it mixes can't be measured"
    mean = mixing.mean if mixing.mean is not None else mixing.worst or 0.0
    if mixing.worst is None or not mixing.batch:
        return f"mixing {percent(mean)}"
    return f"mixing {percent(mean)}, least in “{mixing.batch}” ({percent(mixing.worst)})"


def _line(one: Contender, difference: Difference, first: Contender) -> str:
    """Say how a method's best run does beside the first's."""
    if difference.outcome == "unknown":
        constructed = [each.method for each in (one, first) if each.mixes_by_construction]
        judged = "unjudged" not in (one.grade, first.grade)
        if constructed and judged:
            return f"{one.name} can't be compared: {constructed[0]} mixes by construction."
        return f"{one.name} can't be compared: one of the two can't be judged."
    parts = [_kept(name, one, first) for name in difference.keeps[:_NAMED]]
    parts += _more(difference.keeps, "kept")
    parts += [_merged(name, one, first) for name in difference.loses[:_NAMED]]
    parts += _more(difference.loses, "merged")
    parts += [_mixed(one, first)] if difference.mixing else []
    if one.mixes_by_construction:
        parts.append("it mixes by construction, so its mixing was not compared")
    if difference.is_close:
        heading = KINDS[one.candidate.kind].heading
        parts.append(f"its verdict is “{heading}”, as a limit lies just between the two")
    text = f"{one.name} {_OUTCOMES[difference.outcome]}"
    return f"{text}: {'; '.join(parts)}." if parts else f"{text}."


_OUTCOMES = {
    "better": "does better",
    "worse": "does worse",
    "traded": "keeps other states",
    "same": "does the same within noise",
}


def _more(names: Sequence[str], what: str) -> list[str]:
    n = len(names) - _NAMED
    return [f"{n} more {what}"] if n > 0 else []


def _kept(name: str, one: Contender, first: Contender) -> str:
    loss = _loss(name, first)
    other = f" with “{loss.other}”" if loss is not None and loss.other else ""
    merged = f"{first.method} {_merged_word(first)} it{other}"
    return f"it keeps “{name}”{_amounts(name, one, first)}, where {merged}"


def _merged(name: str, one: Contender, first: Contender) -> str:
    loss = _loss(name, one)
    other = f" with “{loss.other}”" if loss is not None and loss.other else ""
    return f"it {_merged_word(one)} “{name}”{other}{_amounts(name, one, first)}"


def _merged_word(one: Contender) -> str:
    """Say that a method merged something, as sure as its verdict is."""
    return "merged" if one.candidate.kind == "over" else "may have merged"


def _loss(name: str, one: Contender) -> Loss | None:
    return next((loss for loss in one.merged if loss.name == name), None)


def _amounts(name: str, one: Contender, first: Contender) -> str:
    rows = one.by_state.get(name), first.by_state.get(name)
    amounts = [None if row is None else row.amount for row in rows]
    if amounts[0] is None or amounts[1] is None:
        return ""
    mine, theirs = (percent(max(0.0, amount)) for amount in amounts if amount is not None)
    return f" ({mine} of its neighbours changed, {theirs} with {first.method})"


def _mixed(one: Contender, first: Contender) -> str:
    ours, theirs = (mixing_rank(each.candidate.mixing) for each in (one, first))
    if abs(ours[0] - theirs[0]) > 100 * thresholds.METHODS_MIXING:
        return f"what mixes least mixes to {ours[0]} %, {theirs[0]} % with {first.method}"
    return f"mixing is {ours[1]} %, {theirs[1]} % with {first.method}"


def _times(found: MethodAnswer) -> list[str]:
    """Say which of several took least time, where it was measured of all that do the same."""
    same = [one for one, each in found.others if each.outcome == "same"]
    if found.answer != "same" or found.first is None:
        return []
    timed = sorted(
        ((one.seconds, one.method) for one in (found.first, *same) if one.seconds is not None),
    )
    if len(timed) < 2:
        return []
    listed = ", ".join(f"{method} {seconds_text(seconds)}" for seconds, method in timed)
    return [f"Seconds that the correction took: {listed}."]


def seconds_text(seconds: float) -> str:
    """Return seconds as a person reads them.

    Examples
    --------
    >>> seconds_text(0.234), seconds_text(12.6), seconds_text(1234)
    ('0.23', '13', '1,234')
    """
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:,.0f}"


def _noise() -> str:
    return (
        f"{100 * thresholds.METHODS_MIXING:.0f} points of mixing, "
        f"{100 * thresholds.METHODS_LOSS:.0f} of a state's neighbours"
    )


def _certainty(one: Contender) -> str:
    """Say what the answer rests on."""
    if one.basis == "labels":
        return (
            "This rests on the labels and is as sure as they are; what is finer than a label may "
            "have merged unseen."
        )
    missed = (
        f"about {percent(thresholds.MISS_RATE_REAL)} of over-corrected runs on real cells are "
        "missed, so a method that looks right may still have merged a state"
    )
    if one.basis == "marker labels":
        return f"This rests on labels made from marker genes, which prove nothing: {missed}."
    return f"This is likely, not sure: without labels {missed}. Known cell types would decide it."
