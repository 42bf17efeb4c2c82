"""What a study of dimensions says, in sentences without a full stop."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..data import Dataset
from .formats import duration, interval, percent
from .remedies import LEVEL, Best, Outcome, used_shape


def said_of_samples(samples: int, features: int, counts: Sequence[int], data: Dataset) -> str:
    """How many samples there are for each feature, and what that means."""
    ratio = samples / features
    facts = (
        f"{samples:,} {data.things} outside the test part, {features:,} values each: "
        f"{_rounded(ratio)} samples a feature, {_rounded(min(counts) / features)} of the rarest class"
    )
    if ratio <= 1:
        return f"{facts}; a linear model can fit any labels whatever, so only folds tell what it learned"
    if ratio <= 2:
        return f"{facts}; a linear model can fit more than half of all labels one could give them (Cover 1965)"
    if ratio < 10:
        return f"{facts}; few: the rule of thumb for a linear model without a penalty is 10"
    return f"{facts}; enough for a linear model, by the rule of thumb of 10"


def _rounded(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def note_on_use(samples: int, features: int, used: tuple[int, int], data: Dataset) -> str:
    """What the remedies did not see of large data; "" where they saw all."""
    said = []
    if used[0] < samples:
        said.append(f"{used[0]:,} of {samples:,} {data.things}, drawn by class")
    if used[1] < features:
        small, large = (" × ".join(map(str, shape)) for shape in (used_shape(data), data.shape))
        said.append(f"{small} of {large} values, means over areas")
    return f"to be quick, all that follows uses {' and '.join(said)}" if said else ""


def said_of_outcome(one: Outcome) -> str:
    """One remedy in a line."""
    took = duration(one.seconds)
    if one.name == "baseline":
        return f"baseline, a standardised logistic regression: {one.accuracy.text} n={one.accuracy.n:,}, {took}"
    step = f"{100 * one.difference:+.1f} points {interval(one.interval)}"
    return f"{one.name}: {one.accuracy.text}, {one.kept} features left; {step}: {one.verdict}, {took}"


def said_of_best(best: Best, chance: float, largest: str) -> str:
    """Whether anything was found."""
    score = f"{percent(best.value)} {interval(best.interval)} n={best.n:,}"
    luck = f"without the luck of being the best of {best.candidates}"
    always = f"{percent(chance)} of always answering {largest}"
    if best.interval[0] > chance:
        return f"found: the best, {best.name}, reaches {score} {luck}, above the {always}"
    if best.interval[1] < chance:
        return f"nothing found: the best, {best.name}, reaches {score} {luck}, below the {always}"
    return f"nothing found: the best, {best.name}, reaches {score} {luck}, which contains chance, the {always}"


def best_words(plain: Mapping[str, Any]) -> str:  # Any: what JSON holds
    """The best in a few words, from what the record keeps of it."""
    score = f"{percent(plain['value'])} {interval(tuple(plain['interval']))} n={plain['n']:,}"
    return f"{score}, {plain['name']}, best of {plain['candidates']}, without luck"


def said_of_remedies(outcomes: Sequence[Outcome]) -> str:
    """Which remedies help, and how sure that is."""
    count = len(outcomes) - 1
    each = 100 * (1 - LEVEL / count)
    how = f"paired over the same folds, each interval of {each:.1f} %, so that all {count} hold together with 95 %"
    found = [one for one in outcomes if one.verdict == "better"]
    worse = [one.name for one in outcomes if one.verdict == "worse"]
    harm = f"; {' and '.join(worse)} {'does' if len(worse) == 1 else 'do'} worse" if worse else ""
    if not found:
        return f"none helps: no remedy is shown to beat the baseline{harm}; {how}"
    said = ", ".join(f"{one.name} by {100 * one.difference:.1f} points {interval(one.interval)}" for one in found)
    return f"{said} {'beats' if len(found) == 1 else 'beat'} the baseline{harm}; {how}"
