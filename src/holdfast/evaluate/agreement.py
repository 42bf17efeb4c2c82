"""How far annotators agree, how good each of them is, what the items most probably are, and what a model can reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, need
from .answers import Answers, values_of
from .interval import Interval, wilson

ROUNDS, ENOUGH = 500, 1e-8  # of expectation and maximisation: at most, and the change at which it ends


@dataclass(frozen=True)
class Cohen:
    """Cohen's kappa of two annotators on the `n` items that both answered; NaN where chance alone would agree."""

    first: str
    second: str
    kappa: float
    n: int


@dataclass(frozen=True)
class Annotator:
    """One who answered.

    Attributes:
        name: who.
        n: items answered.
        accuracy: estimated share of right answers, without gold; NaN with fewer than three annotators.
        gold: (right, n) on the gold items; None without any.
    """

    name: str
    n: int
    accuracy: float
    gold: tuple[int, int] | None

    @property
    def interval(self) -> Interval | None:
        """95 %, of the accuracy on gold items."""
        return None if self.gold is None else wilson(*self.gold)


@dataclass(frozen=True)
class Ceiling:
    """What a perfect model would score against these labels; `interval` is of 95 % where gold items measure it."""

    value: float
    interval: Interval | None
    n: int


@dataclass(frozen=True, eq=False)
class Agreement:
    """What several annotators' answers are worth.  Of the four coefficients, 1 is full agreement and 0 is chance.

    Attributes:
        fleiss: Fleiss' kappa, over the `fleiss_n` items with as many answers as most; NaN where it is not defined.
        fleiss_n: these items.
        krippendorff: Krippendorff's alpha for labels without order; any number of answers an item.
        cohen: of each pair of annotators.
        cronbach: Cronbach's alpha over the items that all answered; NaN where labels are no numbers.
        annotators: in the order of the answers.
        consensus: (N,) the most probable label of each item, as an index into the classes.
        probability: (N,) its probability.
        single: the ceiling against the answers of one annotator.
        against_consensus: the ceiling against the consensus.
    """

    fleiss: float
    fleiss_n: int
    krippendorff: float
    cohen: tuple[Cohen, ...]
    cronbach: float
    annotators: tuple[Annotator, ...]
    consensus: NDArray[np.int64]
    probability: NDArray[np.float64]
    single: Ceiling
    against_consensus: Ceiling


def agreement(answers: Answers, gold: Mapping[str, str] | None = None) -> Agreement:
    """Measures how far annotators agree, and estimates who is right.

    Without gold, accuracy and consensus are estimated by `dawid_skene`.  That needs three annotators, and that they
    err independently: mistakes which all of them make cannot be seen without gold.

    Args:
        answers: of at least two annotators.
        gold: the true label of some items, by name.

    Raises:
        MissingExtra: the packages of `holdfast[labels]` are not installed.
        BadData: gold with no item that was answered.
    """
    truth = _truth(answers, gold or {})
    probabilities = dawid_skene(answers)
    consensus = probabilities.argmax(1)
    known = truth != -2
    identified = len(answers.annotators) > 2
    annotators = tuple(
        _annotator(name, column, probabilities if identified else None, truth if known.any() else None)
        for name, column in zip(answers.annotators, answers.table.T, strict=True)
    )
    fleiss, n = _fleiss(answers)
    return Agreement(
        fleiss=fleiss,
        fleiss_n=n,
        krippendorff=_krippendorff(answers),
        cohen=tuple(_cohen(answers, first, second) for first, second in combinations(range(len(annotators)), 2)),
        cronbach=_cronbach(answers),
        annotators=annotators,
        consensus=consensus,
        probability=probabilities.max(1),
        single=_single(annotators),
        against_consensus=(
            _measured(int((consensus == truth)[known].sum()), int(known.sum()))
            if known.any()
            else Ceiling(float(probabilities.max(1).mean()) if identified else nan, None, len(consensus))
        ),
    )


def dawid_skene(answers: Answers) -> NDArray[np.float64]:
    """(N, K) how probable each label is for each item, when every annotator has a confusion matrix of its own.

    Expectation and maximisation from the shares of votes.  It equals crowd-kit's, which would bring transformers along.

    Source: Dawid & Skene 1979, Applied Statistics 28:20-28, eq. 2.3-2.5.
    """
    from scipy.sparse import csr_array

    n, a, k = len(answers.items), len(answers.annotators), len(answers.classes)
    items, who = np.nonzero(answers.table >= 0)
    # Most annotators of a crowd have not seen most items: (N, A * K), a 1 an answer.
    given = csr_array((np.ones(len(items)), (items, who * k + answers.table[items, who])), shape=(n, a * k))
    probabilities: NDArray[np.float64] = answers.votes / answers.votes.sum(1, keepdims=True)
    for _ in range(ROUNDS):
        counts = np.asarray(given.T @ probabilities).reshape(a, k, k)  # of each annotator: said, true
        confusion = counts / counts.sum(1, keepdims=True).clip(1e-10)
        prior = probabilities.mean(0)
        logs = np.log(prior.clip(1e-10)) + given @ np.log(confusion.clip(1e-10)).reshape(a * k, k)
        found = np.exp(logs - logs.max(1, keepdims=True))
        found /= found.sum(1, keepdims=True)
        change, probabilities = float(np.abs(found - probabilities).max()), found
        if change < ENOUGH:
            break
    return probabilities


def _truth(answers: Answers, gold: Mapping[str, str]) -> NDArray[np.int64]:
    """(N,) the true class of each item: -1 for a label that nobody gave, -2 where it is not known."""
    place = {name: index for index, name in enumerate(answers.classes)}
    truth = np.array([place.get(gold[item], -1) if item in gold else -2 for item in answers.items], np.int64)
    if gold and (truth == -2).all():
        raise BadData(f"none of the {len(gold):,} gold items was answered; the first is {next(iter(gold))!r}.")
    return truth


def _annotator(
    name: str,
    given: NDArray[np.int64],
    probabilities: NDArray[np.float64] | None,
    truth: NDArray[np.int64] | None,
) -> Annotator:
    done = np.flatnonzero(given >= 0)
    estimated = nan if probabilities is None else float(probabilities[done, given[done]].mean())
    if truth is None:
        return Annotator(name, len(done), estimated, None)
    judged = done[truth[done] != -2]
    return Annotator(name, len(done), estimated, (int((given[judged] == truth[judged]).sum()), len(judged)))


def _single(annotators: tuple[Annotator, ...]) -> Ceiling:
    golds = [one.gold for one in annotators if one.gold is not None]
    if golds:
        return _measured(sum(right for right, _ in golds), sum(n for _, n in golds))
    n = sum(one.n for one in annotators)
    return Ceiling(sum(one.accuracy * one.n for one in annotators) / n, None, n)


def _measured(right: int, n: int) -> Ceiling:
    return Ceiling(right / n if n else nan, wilson(right, n), n)


def _fleiss(answers: Answers) -> tuple[float, int]:
    """By statsmodels.  Source: Fleiss 1971; it takes equally many answers an item."""
    library = need("statsmodels.stats.inter_rater", extra="labels")
    votes = answers.votes
    sizes = votes.sum(1)
    counts = np.bincount(sizes)
    counts[:2] = 0  # one answer agrees with nobody
    chosen = votes[sizes == counts.argmax()] if counts.any() else votes[:0]
    defined = len(chosen) > 0 and np.count_nonzero(chosen.sum(0)) > 1
    return (float(library.fleiss_kappa(chosen)) if defined else nan), len(chosen)


def _krippendorff(answers: Answers) -> float:
    """By NLTK.  Source: Krippendorff 1980, nominal; answers may be missing."""
    library = need("nltk.metrics.agreement", extra="labels")
    items = np.flatnonzero((answers.table >= 0).sum(1) > 1)
    rows = [(a, n, int(answers.table[n, a])) for n in items for a in np.flatnonzero(answers.table[n] >= 0)]
    if len({label for *_, label in rows}) < 2:
        return nan
    return float(library.AnnotationTask(data=rows).alpha())


def _cohen(answers: Answers, first: int, second: int) -> Cohen:
    """By scikit-learn.  Source: Cohen 1960."""
    from sklearn.metrics import cohen_kappa_score

    both = answers.table[(answers.table[:, [first, second]] >= 0).all(1)][:, [first, second]]
    kappa = float(cohen_kappa_score(*both.T)) if len(np.unique(both)) > 1 else nan
    return Cohen(answers.annotators[first], answers.annotators[second], kappa, len(both))


def _cronbach(answers: Answers) -> float:
    """k / (k - 1) * (1 - sum of the annotators' variances / variance of the items' sums).

    Source: Cronbach 1951, eq. 2, with annotators for the parts of the test; no permissive library has it.
    """
    values = values_of(answers.classes)
    complete = answers.table[(answers.table >= 0).all(1)]
    if values is None or len(complete) < 2:
        return nan
    scores = values[complete]
    total = float(scores.sum(1).var(ddof=1))
    k = scores.shape[1]
    return k / (k - 1) * (1 - float(scores.var(axis=0, ddof=1).sum()) / total) if total else nan
