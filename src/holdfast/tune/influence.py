"""What the trials of a search say of its space: which dimensions mattered, how much, and where the best trials lie.

The sentences are made in words.py, the drawings in page.py.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..evaluate.interval import Interval
from .space import Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from .task import Told

LEAST = 10  # trials that came to their end or were pruned; below, nothing is said of dimensions
BEST = 0.1  # of the trials are the best ones,
LEAST_BEST = 5  # but so many at least
BAGS, PLAYS = 40, 2000  # bootstrap samples of trials; permutations
ERROR = 0.05  # of calling one dimension clear that is not, over all of them


@dataclass(frozen=True)
class Influence:
    """What one dimension did to the accuracy.

    Attributes:
        name: of the dimension.
        n: trials that had it.
        importance: its share in what sets the best tenth of the trials apart: PED-ANOVA; all together make 1.
        interval: 95 %, over bootstrap samples of the trials, widened where it takes that to hold the share itself.
        p: how often chance alone would tie it as closely to the accuracy, beside all other dimensions.
        clear: whether that is too seldom to be chance, for as many dimensions as there are.
        region: of the best trials: (low, high) of a number, else the choices among them, the commonest first.
    """

    name: str
    n: int
    importance: float
    interval: Interval
    p: float
    clear: bool
    region: tuple[Value, ...]


def counted(trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]") -> "list[Told]":
    """Those that say something of the space: they came to their end or were pruned, and have values that were drawn.

    The trial of the defaults has none.
    """
    return [one for one in trials if one.state in ("complete", "pruned") and distributions.keys() & one.values.keys()]


def in_order(trials: "Sequence[Told]") -> "list[Told]":
    """The best first, by accuracy, ties by log-loss; then the pruned ones, the longest trained first; then failed ones.

    What pruned trials had reached compares with others that were stopped at the same place only.
    """

    def place(one: "Told") -> tuple[float, ...]:
        log_loss = math.inf if one.log_loss is None else one.log_loss
        if one.state == "failed" or one.value is None:
            return 2, one.number
        return (0, 0, -one.value, log_loss) if one.state == "complete" else (1, -one.epochs, -one.value, log_loss)

    return sorted(trials, key=place)


def merits(trials: "Sequence[Told]") -> NDArray[np.float64]:
    """The rank of each among these, 0 the worst to 1 the best: a net that diverged says no more than a bad one."""
    places = {one.number: place for place, one in enumerate(reversed(in_order(trials)))}
    return np.array([places[one.number] / max(len(trials) - 1, 1) for one in trials])


def best_of(trials: "Sequence[Told]") -> "list[Told]":
    """The best tenth of these, five at least; pruned ones among them where fewer came to their end."""
    return in_order(trials)[: max(LEAST_BEST, round(BEST * len(trials)))]


def influences(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", *, seed: int = 0
) -> tuple[Influence, ...]:
    """Of every dimension that was searched, the most important first; empty where there are too few trials to say.

    Args:
        trials: all of a search.
        distributions: what was searched, by dimension, as Optuna has it.
        seed: of bootstrap and permutations.
    """
    used = counted(trials, distributions)
    searched = {
        name: distribution
        for name, distribution in distributions.items()
        if not distribution.single() and any(name in one.values for one in used)
    }
    if len(used) < LEAST or not searched:
        return ()
    merit = merits(used)
    chances = chances_of(used, searched, seed=seed)
    importance = _importances(used, searched, merit)
    random, bags = np.random.default_rng(seed), list[dict[str, float]]()
    for _ in range(BAGS if len(searched) > 1 else 0):
        drawn = random.integers(0, len(used), len(used))
        bags.append(_importances([used[place] for place in drawn], searched, merit[drawn]))
    best = best_of(used)
    found = [
        Influence(
            name,
            sum(name in one.values for one in used),
            importance.get(name, 0.0),
            _ends(importance.get(name, 0.0), [bag.get(name, 0.0) for bag in bags]),
            chances[name],
            clear,
            _region([one.values[name] for one in best if name in one.values], distribution),
        )
        for (name, distribution), clear in zip(
            searched.items(), clear_of([chances[name] for name in searched]), strict=True
        )
    ]
    return tuple(sorted(found, key=lambda one: -one.importance))


def _ends(share: float, drawn: Sequence[float]) -> Interval:
    if not drawn:
        return 1.0, 1.0  # the only dimension
    low, high = np.quantile(drawn, (0.025, 0.975))
    return min(float(low), share), max(float(high), share)


def _importances(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", merit: NDArray[np.float64]
) -> dict[str, float]:
    """Source: Watanabe, Bansal & Hutter 2023, PED-ANOVA, IJCAI, as Optuna has it, with conditional dimensions."""
    import optuna

    study = _study(trials, distributions, merit)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # a bootstrap sample may hold one trial so often that nothing is left
        found = optuna.importance.get_param_importances(study)
    return {name: float(share) for name, share in found.items()}


def _study(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", merit: NDArray[np.float64]
) -> Any:  # Any: optuna.Study, imported late
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(direction="maximize")
    finally:
        optuna.logging.set_verbosity(before)
    rows = []
    for one, value in zip(trials, merit, strict=True):
        params = {name: one.values[name] for name in distributions if name in one.values}
        kinds = {name: distributions[name] for name in params}
        rows.append(optuna.trial.create_trial(params=params, distributions=kinds, value=float(value)))
    study.add_trials(rows)
    return study


def chances_of(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", *, seed: int = 0
) -> dict[str, float]:
    """How often chance ties a dimension as closely to the ranks, beside all others.

    A sampler that learns draws good values of all dimensions together, so that one without any effect looks as if it
    had; therefore each is judged by what it explains beyond the others and the order of the trials.  A number enters
    with its square (of its logarithm, where that was searched), words as words.  The residuals of the model without the
    dimension are permuted.

    Source: Freedman & Lane 1983, Journal of Business & Economic Statistics 1:292-298.
    """
    merit = merits(trials)
    columns = {name: _columns(trials, name, distribution) for name, distribution in distributions.items()}
    # Without the squares of the others, into which too many trials would go: a sampler that narrows its draws does so
    # over time, which is taken in place of them.
    turn = np.linspace(-1, 1, len(trials))[:, None]
    plain = {name: each[:, :1] if is_number(distributions[name]) else each for name, each in columns.items()}
    random, found = np.random.default_rng(seed), {}
    for name, mine in columns.items():
        others = _basis([turn, turn**2, *(plain[key] for key in columns if key != name)], len(trials))
        left = merit - others @ (others.T @ merit)
        own = _basis([mine - others @ (others.T @ mine)], len(trials), constant=False)
        if not own.shape[1] or len(trials) - others.shape[1] - own.shape[1] < 3:
            found[name] = 1.0  # nothing of it is left beside the others, or no trials to tell by
            continue
        played = np.stack([random.permutation(left) for _ in range(PLAYS)])
        played -= (played @ others) @ others.T
        total = (played**2).sum(1)
        shares = ((played @ own) ** 2).sum(1) / np.where(total > 0, total, 1.0)
        seen = float(((left @ own) ** 2).sum() / max(float((left**2).sum()), 1e-30))
        found[name] = float((1 + (shares >= seen - 1e-12).sum()) / (1 + PLAYS))
    return found


def _columns(trials: "Sequence[Told]", name: str, distribution: "BaseDistribution") -> NDArray[np.float64]:
    """(N, k): what a dimension says of each trial; zeros where a trial does not have it, which another one decided."""
    has = np.array([name in one.values for one in trials])
    if not is_number(distribution):
        choices = sorted({repr(one.values[name]) for one in trials if name in one.values})
        return np.array(
            [[float(name in one.values and repr(one.values[name]) == each) for each in choices] for one in trials]
        )
    values = np.array([at(one.values[name], distribution) if name in one.values else 0.0 for one in trials])
    centred = np.where(has, values - float(values[has].mean()), 0.0)
    return np.stack([centred, centred**2], 1)


def _basis(columns: Sequence[NDArray[np.float64]], n: int, *, constant: bool = True) -> NDArray[np.float64]:
    """(N, rank): orthonormal columns that span these, and the constant."""
    whole = np.concatenate([*([np.ones((n, 1))] if constant else []), *columns], 1)
    left, sizes, _ = np.linalg.svd(whole, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-8 * max(1.0, float(sizes.max(initial=0.0)))])


def clear_of(chances: Sequence[float]) -> list[bool]:
    """Holm's: the smallest chance is held against 0.05 / k, the next against 0.05 / (k - 1), until one fails."""
    found, order = [False] * len(chances), np.argsort(chances, kind="stable")
    for place, index in enumerate(order):
        if chances[index] > ERROR / (len(chances) - place):
            break
        found[index] = True
    return found


def is_number(distribution: "BaseDistribution") -> bool:
    """Whether values lie between two ends."""
    return hasattr(distribution, "low")


def at(value: Any, distribution: Any) -> float:  # Any: a number; a distribution that has ends
    """Where a number lies between the ends of what was searched, 0 to 1, on the scale on which it was."""
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (float(value) - low) / (high - low)


def _region(values: Sequence[Any], distribution: "BaseDistribution") -> tuple[Value, ...]:  # Any: of a trial
    if not values:
        return ()
    if is_number(distribution):
        return min(values), max(values)
    return tuple(sorted(dict.fromkeys(values), key=lambda value: -values.count(value)))
