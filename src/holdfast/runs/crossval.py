"""Cross-validation: every sample outside the test part is judged by a model that has not seen it."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from ..core import BadValue
from ..data import Dataset, Part
from ..evaluate import Report, Score, score, wilson
from ..evaluate.interval import mean_over_folds
from ..layers import SelectFeatures
from ..models import BaseModel, Fitting
from ..models.together import trained
from ..training import get_optimizer
from . import lines
from .bases import base_words, with_what_was_seen
from .facts import crossval_facts
from .folder import recorded
from .folds import Fold, folds_of
from .formats import duration
from .loading import load_for
from .pages.report import crossval_page
from .plan import How, ModelChoice, check_settings, converged, fitted, fitting, plan
from .predictions import Predictions
from .record import Record
from .run import MODEL, OUT_OF_FOLD, REPORT, values_of
from .write import write_text


@dataclass(frozen=True)
class FoldScore:
    """What the model of one fold is worth.

    Attributes:
        name: "fold 2", or the group that was left out.
        repeat: which time the pool was dealt out, from 0.
        train_n: samples that it learned from.
        accuracy: on those that were left out.
        seconds: of training and judging; of folds that were trained together, each its share.
    """

    name: str
    repeat: int
    train_n: int
    accuracy: Score
    seconds: float


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What `cross_validate` found.

    Attributes:
        folder: where it is kept.
        record: what its run.json holds.
        report: on the out-of-fold predictions.  Its accuracy is the mean over the folds, and the interval Nadeau and
            Bengio's, which knows that folds share training samples; never narrower than the one of n samples.
        folds: one a fold and repeat, in order.
        predictions: out of fold, the mean over the repeats; of the samples that some fold judges.
        model: trained on the whole pool, when that was asked for.
    """

    folder: Path
    record: Record
    report: Report
    folds: tuple[FoldScore, ...]
    predictions: Predictions
    model: BaseModel | None

    @property
    def score(self) -> Score:
        """The accuracy out of fold."""
        return self.report.accuracy

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(N, K) out of fold."""
        return self.predictions.probabilities

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class indices."""
        return self.predictions.labels

    @property
    def names(self) -> Sequence[str]:
        """(N,) where the samples came from."""
        return self.predictions.names

    def __str__(self) -> str:
        return f"{self.folder}: {self.report}"


def cross_validate(
    model: ModelChoice,
    data: Dataset | str | Path,
    *,
    cv: Any = 5,  # Any: what scikit-learn takes, and words; see the Args
    repeats: int = 1,
    refit: bool = False,
    out: str | Path = "runs",
    verbose: Literal[0, 1, 2] = 1,
    **how: Unpack[How],
) -> CrossValidation:
    """Judges a way of training by samples that its models have not seen; the sealed test part stays out.

    Each fold trains a fresh model as `train` would on what the fold does not judge.  Where there is patience, a seventh
    of what it trains on says when to stop, never what it judges.

    Args:
        model: as in `train`; one that is given is not changed, fresh copies of it are trained.
        data: a Dataset, or what `data.load` takes; its parts train and validation are dealt out.
        cv: a number of folds, stratified by class; groups and copies are never cut, and data with times is judged on
            what comes later.  "groups" leaves out one group at a time.  Or a splitter of scikit-learn, or pairs of
            (train, test) indices into `data.pool`.
        repeats: how often the pool is dealt out, each time with another seed.
        refit: whether to train one more model, on the whole pool, and to keep it as model.keras.  Nothing judges that
            one: the score is that of the folds' models, which learned from a little less.
        out: folder of the runs, in which `<name>-crossval-001` and so on are made, and of their ledger.
        verbose: 0 silent, 1 with a line a fold, 2 with a line an epoch.
        how: as in `train`.

    Raises:
        BadData, BadFile, BadShape, BadValue, UnknownName: one sentence says what is wrong.

    Example:
        >>> found = cross_validate("dense", "digits", cv=3, epochs=2, out=folder, verbose=0)
        >>> found.score.part, found.score.n, len(found.folds)
        ('out-of-fold', 1527, 3)
    """
    say = lines.say if verbose else lines.quiet
    check_settings(model, how, Path(out))
    seed = how.get("seed", 0)
    data = data if isinstance(data, Dataset) else load_for(model, quiet=not verbose, out=out, path=data, seed=seed)
    pool = data.pool
    folds = folds_of(data, pool, cv, repeats=repeats, seed=seed)
    settings, network = plan(data.with_parts(pool.take(folds[0].train), pool.take([])), model, how)
    _check_not_chosen(network)
    data = with_what_was_seen(data, settings.base, pool)
    lines.say_data(say, data)
    say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
    if base := base_words(network, settings):
        say("base", base)
    with recorded(Path(out), data, settings, network, kind="crossval") as (folder, record, ledger):
        scores, predictions = _judged(data, pool, folds, model, how, verbose)
        report = _report(scores, predictions, data, ledger.looks(pool.fingerprint))
        ledger.look(record.ledger_id, "out-of-fold", pool.fingerprint, values_of(report), purpose="report")
        final = fitted(data.with_parts(pool, pool.take([])), model, how, verbose=verbose) if refit else None
        if final is not None:
            final.save(folder / MODEL)
            say("refit", f"{folder / MODEL}, on all {len(pool):,} samples; the score is that of the folds' models")
        predictions.write(folder / OUT_OF_FOLD)
        record.scores = {"out-of-fold": report.to_dict(), "folds": [asdict(one) for one in scores]}
        found = CrossValidation(folder, record, report, tuple(scores), predictions, final)
        judged = pool.take(np.unique(np.concatenate([fold.judged for fold in folds])))
        write_text(folder / REPORT, crossval_page(crossval_facts(found, data, judged, network, cv)))
    say("score", str(report))
    say("saved", f"{folder} · report: {folder / REPORT}")
    return found


def _check_not_chosen(network: BaseModel) -> None:
    """Raises BadValue for features that were chosen before the folds: noise then seems to tell classes apart."""
    chosen = next((one for one in network.layers if isinstance(one, SelectFeatures)), None)
    if chosen is not None:
        raise BadValue(
            f"{chosen.label}: its features were chosen before the folds, by labels that they judge by, which fakes "
            "accuracy; have them chosen inside the folds: holdfast dims DATA."
        )


def _judged(
    data: Dataset, pool: Part, folds: Sequence[Fold], model: ModelChoice, how: How, verbose: Literal[0, 1, 2]
) -> tuple[list[FoldScore], Predictions]:
    """Trains and judges the folds, those of small nets a few at once; no model outlives its judgement."""
    say = lines.say if verbose else lines.quiet
    totals, counts = np.zeros((len(pool), len(data.classes))), np.zeros(len(pool), np.int64)
    found, judged = list[FoldScore](), dict[int, Part]()

    def session_of(number: int) -> Fitting:
        fold = folds[number]
        part = data.with_parts(pool.take(fold.train), pool.take(fold.judged))
        judged[number] = part.validation
        return fitting(part, model, {**how, "seed": how.get("seed", 0) + fold.repeat}, verbose=verbose)

    for number, (session, seconds) in enumerate(trained([partial(session_of, each) for each in range(len(folds))])):
        began, fold, part = time.perf_counter(), folds[number], judged.pop(number)
        said = converged(session).predict(part)
        totals[fold.judged] += said
        counts[fold.judged] += 1
        right, n = int((said.argmax(1) == part.labels.numpy()).sum()), len(fold.judged)
        accuracy = Score("accuracy", right / n, wilson(right, n), n, "out-of-fold")
        seconds += time.perf_counter() - began
        found.append(FoldScore(fold.name, fold.repeat, len(fold.train), accuracy, seconds))
        again = f", repeat {fold.repeat + 1} of {folds[-1].repeat + 1}" if folds[-1].repeat else ""
        took = duration(found[-1].seconds)
        say(fold.name, f"{accuracy.text} n={n:,}, trained on {len(fold.train):,} in {took}{again}")
    known = np.flatnonzero(counts)
    return found, Predictions.of(pool.take(known), (totals[known] / counts[known, None]).astype(np.float32))


def _report(scores: Sequence[FoldScore], predictions: Predictions, data: Dataset, looks: int) -> Report:
    """Of the out-of-fold predictions; the accuracy is that of the folds."""
    report = score(predictions.labels, predictions.probabilities, part="out-of-fold", looks=looks, classes=data.classes)
    values = np.array([one.accuracy.value for one in scores])
    train_n, judged_n = (sum(counts) for counts in zip(*((one.train_n, one.accuracy.n) for one in scores), strict=True))
    mean, interval = mean_over_folds(values, train_n, judged_n, report.accuracy.n)
    return replace(report, accuracy=replace(report.accuracy, value=mean, interval=interval))
