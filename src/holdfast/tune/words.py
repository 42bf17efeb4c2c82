"""What a search found, in sentences."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..evaluate import Score, wilson
from ..runs.formats import interval, percent, setting, settings
from ..runs.lines import counted
from .influence import LEAST, Influence, best_of, is_number
from .influence import counted as telling
from .space import Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from .task import Told


def values_words(values: Mapping[str, Value]) -> str:
    """`learning_rate 0.004, optimizer adamw`; of none, what that means."""
    return settings(values) or "the defaults of holdfast train"


def usual_words(usual: "Told | None", best: "Told", score: Score) -> str:
    """What `train` reaches by itself, and whether more was found; nothing where that is not known.

    Args:
        usual: the trial that is what `train` does by itself.
        best: of all trials.
        score: of the best without the luck of the choice.
    """
    if usual is None or usual.value is None:
        return ""
    if usual.number == best.number:
        return "nothing that was tried beats what holdfast train does by itself"
    n = score.n
    more = "; nothing better is left without the luck" if score.value <= usual.value else ""
    return (
        f"{percent(usual.value)} {interval(wilson(usual.value * n, n))} n={n:,}, trial {usual.number}, is what "
        f"holdfast train reaches by itself{more}"
    )


def count_words(trials: "Sequence[Told]") -> str:
    """`60 trials, 46 to their end, 14 pruned`."""
    states = [one.state for one in trials]
    ended = [f"{states.count('complete'):,} to their end"]
    ended += [f"{states.count(state):,} {state}" for state in ("pruned", "failed") if state in states]
    return f"{counted(len(trials), 'trial')}: {', '.join(ended)}"


def region_words(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", found: Sequence[Influence], n: int
) -> str:
    """Where the best trials lie, and what did not matter, as far as the trials can tell.

    Args:
        trials: all of the search.
        distributions: what was searched.
        found: `influences` of them.
        n: samples that judged each.
    """
    used = telling(trials, distributions)
    if not found:
        are = "is" if len(used) == 1 else "are"
        return f"{counted(len(used), 'trial')} with drawn values {are} too few to say what mattered; it takes {LEAST}"
    best = best_of(used)
    shares = [one.value for one in best if one.value is not None and one.state == "complete"]
    clear = [one for one in found if one.clear]
    vague = [one.name for one in found if not one.clear]
    which = f"the best {len(best)} of {len(used):,} trials"
    ends = list(dict.fromkeys([percent(min(shares)), percent(max(shares))])) if shares else []
    reached = f"{' to '.join(ends)} as seen, n={n:,} each" if shares else "all pruned"
    if shares and len(shares) < len(best):
        reached = f"{len(shares)} of them came to their end, at {reached}; the others were pruned late"
    said = []
    if clear:
        where = "; ".join(_lies(one, distributions[one.name]) for one in clear)
        said.append(f"{which} ({reached}) have {where}")
    else:
        said.append(f"no dimension made a difference that {len(used):,} trials can tell from chance")
    if clear and vague:
        said.append(f"of {_listed(vague)} these trials show no effect beyond chance")
    return "; ".join(said)


def _lies(one: Influence, distribution: Any) -> str:  # Any: one with ends, or with choices
    """`learning_rate 0.004 to 0.02 (searched 0.0001 to 0.1)`, `optimizer adamw (of 2)`."""
    if is_number(distribution):
        low, high = one.region
        where = setting(low) if low == high else f"{setting(low)} to {setting(high)}"
        return f"{one.name} {where} (searched {searched(distribution)})"
    chosen = _listed([setting(value) for value in one.region], "or")
    return f"{one.name} {chosen} (of {searched(distribution)})"


def searched(distribution: Any) -> str:  # Any: as above
    """`0.0001 to 0.1`, or the choices."""
    if is_number(distribution):
        return f"{setting(distribution.low)} to {setting(distribution.high)}"
    return ", ".join(setting(value) for value in distribution.choices)


def _listed(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
