"""The study of a search: Optuna's, kept in the ledger's database; draws follow from the seed, the number of the trial
and the trials that have ended."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, BadValue, HoldfastError, UnknownName, derive, suggestion
from ..data import Part
from ..evaluate import Ledger
from ..runs.folds import Fold, folds_of
from .candidate import candidate_of
from .defaults import default_values
from .space import Space, Value
from .task import Task, Told

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

SAMPLERS = ("tpe", "gp", "cmaes", "random", "grid", "qmc")
PRUNERS = ("auto", "asha", "hyperband", "median", "wilcoxon", "none")
STARTUP = 10  # trials drawn at random before a sampler learns from them
FACTOR, STEPS = 3, 9  # one in FACTOR goes on at each rung; a training has so many STEPS
RUNGS = (1, 3)  # steps after which a trial is compared with the others
LUCK = 0.1  # one-sided; a trial that looks so much worse is stopped
TOLD = "told"  # the user attribute of a trial that has ended
REASON = 1000  # characters of a reason that are kept


@dataclass(frozen=True)
class Desk:
    """The open books of a search: the ledger, the study in the same database, and the folds that all trials share."""

    task: Task
    ledger: Ledger
    study: "Study"

    @classmethod
    @contextmanager
    def open(cls, task: Task) -> Iterator["Desk"]:
        """Opens both for as long as the block lasts; the study is made where there is none.

        Raises:
            BadFile: the database cannot be used.
        """
        from optuna import create_study

        with Ledger.open(task.storage) as ledger, _storage(task.storage) as storage:
            study = create_study(
                study_name=task.name,
                storage=storage,
                direction="maximize",
                load_if_exists=True,
                pruner=pruner_for(task.pruner, folds=task.cv is not None),
            )
            yield cls(task, ledger, study)

    @cached_property
    def pool(self) -> Part:
        """What folds are made of."""
        return self.task.data.pool

    @cached_property
    def folds(self) -> list[Fold]:
        """On which a trial is judged one after another; none without cross-validation."""
        task = self.task
        return [] if task.cv is None else folds_of(task.data, self.pool, task.cv, seed=task.seed)

    @cached_property
    def judged(self) -> NDArray[np.int64]:
        """The places in the pool of the samples that some fold judges, in order: those that answers are of."""
        return np.unique(np.concatenate([fold.judged for fold in self.folds]))

    @property
    def n(self) -> int:
        """How many samples judge a trial."""
        return len(self.judged) if self.folds else len(self.task.data.validation)

    @property
    def storage(self) -> "BaseStorage":
        """Where the trials are."""
        return self.study._storage

    def trials(self) -> "list[FrozenTrial]":
        """All trials, by number; not to be changed."""
        return self.study.get_trials(deepcopy=False)

    def trial(self, number: int) -> "FrozenTrial":
        """One trial, as it is stored now."""
        return self.storage.get_trial(self.key(number))

    def key(self, number: int) -> int:
        """What the storage calls a trial."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)


@contextmanager
def _storage(url: str) -> "Iterator[BaseStorage]":
    """Optuna's tables in a database, made where there are none."""
    import optuna
    from sqlalchemy import event

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for rest in range(9, -1, -1):
        try:
            storage = optuna.storages.RDBStorage(url, engine_kwargs=patient)
            break
        except storage_errors(AssertionError) as error:
            if not rest:  # another process made the tables at the same moment, but not ten times
                raise BadFile(_no_storage(error)) from error
            time.sleep(0.1)
    if storage.engine.dialect.name == "sqlite":
        storage.engine.dispose()
        # Commits reach the disk a little later than those of looks: a kill loses nothing, a power cut the last trial.
        event.listen(storage.engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous = NORMAL"))
    try:
        yield storage
    except storage_errors() as error:
        raise BadFile(_no_storage(error)) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def storage_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What is raised where the database fails, which says nothing about a trial; and others."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    return *others, StorageInternalError, DBAPIError


def _no_storage(error: BaseException) -> str:
    reason = str(getattr(error.__cause__ or error, "orig", error)).partition("\n")[0]
    return f"cannot keep the search in the ledger's database: {reason}; once it can be used, go on with --resume."


def ask(desk: Desk) -> int | None:
    """Draws the values of the next trial, and writes it as running, whole or not at all.

    Returns:
        Its number; None where a grid has been tried.
    """
    from optuna.trial import TrialState, create_trial

    task, known = desk.task, desk.trials()
    if task.sampler == "grid":
        drawn = _next_of_grid(task, len(known))
        if drawn is None:
            return None
    elif not known and isinstance(task.space, Space):
        drawn = _usual(task, task.space)
    else:
        drawn = _drawn(task, known)
    state = TrialState.FAIL if TOLD in drawn.get("user_attrs", {}) else TrialState.RUNNING
    desk.storage.create_new_trial(desk.study._study_id, create_trial(state=state, **drawn))
    return len(known)  # nobody else asks


def _usual(task: Task, space: Space) -> dict[str, Any]:  # Any: as below
    """What `train` does by itself, or what of the space is nearest to it: the first to beat."""
    values, known = default_values(space, task.data, task.model, task.how), space.distributions()
    return {"params": values, "distributions": {name: known[name] for name in values}}


def _drawn(task: Task, known: "Sequence[FrozenTrial]") -> dict[str, Any]:  # Any: arguments of create_trial
    """What a sampler draws, in memory: on disk each value would cost a transaction, and a killed draw go on elsewhere.

    A function that fails gives a trial that has failed, with the reason.
    """
    from optuna import create_study
    from optuna.storages import InMemoryStorage

    number, storage = len(known), InMemoryStorage()
    with _quiet():
        sampler, pruner = sampler_for(task, number), pruner_for(task.pruner, folds=task.cv is not None)
        scratch = create_study(
            study_name="holdfast", storage=storage, direction="maximize", sampler=sampler, pruner=pruner
        )
        for one in known:
            storage.create_new_trial(scratch._study_id, one)
        asked, attrs = scratch.ask(), dict[str, Any]()
        try:
            if isinstance(task.space, Space):
                task.space.suggest(asked)
            else:
                candidate_of(task.space, asked, task.data, task.model, task.how)
        except Exception as error:  # of a function of the user's, whatever it is
            attrs = {TOLD: asdict(Told(number, dict(asked.params), "failed", None, None, 0, 0.0, reason_of(error)))}
    found = storage.get_trial(asked._trial_id)
    return {
        "params": found.params,
        "distributions": found.distributions,
        "system_attrs": found.system_attrs,
        "user_attrs": attrs,
    }


def _next_of_grid(task: Task, number: int) -> dict[str, Any] | None:  # Any: as above
    """The point of a grid with this number, in an order by chance; None behind the last."""
    if not isinstance(task.space, Space):
        raise BadValue("sampler='grid': needs a space whose values can be listed: lists, or ranges with a step.")
    points = task.space.grid()
    if number >= len(points):
        return None
    place = np.random.default_rng(derive(task.seed, "grid")).permutation(len(points))[number]
    params, known = points[int(place)], task.space.distributions()
    return {"params": params, "distributions": {name: known[name] for name in params}}


def sampler_for(task: Task, number: int) -> "BaseSampler":
    """The sampler that draws one trial; its chance follows from the seed and the number of the trial."""
    from optuna import samplers

    seed = derive(task.seed, "trial", number) % 2**32
    match task.sampler:
        case "tpe":
            return samplers.TPESampler(
                seed=seed, multivariate=True, group=True, n_startup_trials=STARTUP, constant_liar=task.workers > 1
            )
        case "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=STARTUP, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, n_startup_trials=STARTUP, warn_independent_sampling=False)
        case "qmc":
            return _sobol(task, number)
        case _:
            return samplers.RandomSampler(seed=seed)


def _sobol(task: Task, number: int) -> "BaseSampler":
    """Draws the point of a scrambled Sobol sequence with this number, a coordinate a dimension.

    Optuna's own keeps the place in the sequence in the study, where a killed draw would leave a hole.
    """
    from optuna.distributions import BaseDistribution, CategoricalDistribution
    from optuna.samplers import BaseSampler
    from scipy.stats import qmc

    sobol = qmc.Sobol(64, seed=derive(task.seed, "sobol") % 2**32)
    point = (sobol.fast_forward(number) if number else sobol).random(1)[0]
    places = {name: place for place, name in enumerate(task.space.dimensions)} if isinstance(task.space, Space) else {}

    class Sobol(BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Any, trial: Any, name: str, distribution: BaseDistribution) -> Value:
            share = float(point[places.setdefault(name, len(places)) % len(point)])
            if isinstance(distribution, CategoricalDistribution):
                return distribution.choices[int(share * len(distribution.choices))]
            return _at(cast(Any, distribution), share)

    return Sobol()


def _at(distribution: Any, share: float) -> float | int:  # Any: Optuna's Int or Float
    """The number at a share of the way through a range."""
    low, high, step = distribution.low, distribution.high, distribution.step
    whole = isinstance(low, int)
    if distribution.log:
        ends = np.log((low - 0.5, high + 0.5) if whole else (low, high))  # each whole number has a range of its own
        value = float(np.exp(ends[0] + share * (ends[1] - ends[0])))
        value = round(value) if whole else value
    elif step is None:
        value = low + share * (high - low)
    else:
        value = low + int(share * (round((high - low) / step) + 1)) * step
    value = min(max(value, low), high)
    return int(value) if whole else float(value)


def pruner_name(name: str, *, folds: bool) -> str:
    """What "auto" stands for: ASHA, or Wilcoxon's test on folds."""
    return ("wilcoxon" if folds else "asha") if name == "auto" else name


def pruner_for(name: str, *, folds: bool) -> "BasePruner":
    """The pruner of that name."""
    from optuna import pruners

    with _quiet():
        match pruner_name(name, folds=folds):
            case "asha":
                return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR)
            case "hyperband":
                return _hyperband()
            case "median":
                return pruners.MedianPruner()
            case _:  # Wilcoxon's test is made sample by sample, see `worse`
                return pruners.NopPruner()


def worse(right: NDArray[np.bool_], best: NDArray[np.bool_]) -> bool:
    """Whether a trial is worse than the best one by more than chance, on the samples that both have judged.

    Wilcoxon's signed-rank test of right and wrong answers, which is the sign test.  Optuna's compares one value a fold,
    and cannot tell before the fourth fold what hundreds of samples show after the first.
    """
    from scipy.stats import binomtest

    lost, won = int((best & ~right).sum()), int((right & ~best).sum())
    return bool(lost and binomtest(won, lost + won, alternative="less").pvalue < LUCK)


def _hyperband() -> "BasePruner":
    """Hyperband that deals trials out to its brackets by their numbers; Optuna's, by the name of the study, too."""
    from types import SimpleNamespace

    from optuna.pruners import HyperbandPruner

    class Hyperband(HyperbandPruner):
        def _get_bracket_id(self, study: Any, trial: Any) -> int:
            return super()._get_bracket_id(cast(Any, SimpleNamespace(study_name="")), trial)

    return Hyperband(min_resource=1, max_resource=STEPS, reduction_factor=FACTOR)


def check_names(sampler: str, pruner: str, space: object, *, folds: bool) -> None:
    """Raises UnknownName or BadValue for a sampler or a pruner that is not there, or does not suit."""
    for word, name, known in (("sampler", sampler, SAMPLERS), ("pruner", pruner, PRUNERS)):
        if name not in known:
            raise UnknownName(f"{word} {name!r} is not known{suggestion(name, list(known))}")
    if folds and pruner in ("asha", "hyperband"):
        raise BadValue(f"pruner={pruner!r}: compares epochs, with cv folds are compared; take 'wilcoxon' or 'median'.")
    if not folds and pruner == "wilcoxon":
        raise BadValue("pruner='wilcoxon': compares folds; give cv=5, or take 'asha'.")
    if sampler == "grid":
        if not isinstance(space, Space):
            raise BadValue("sampler='grid': needs a space whose values can be listed: lists, or ranges with a step.")
        space.grid()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's warnings that multivariate TPE and its groups are experimental, and that GP likes greenlet."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message=".*greenlet.*")
        yield


def objective(accuracy: float, log_loss: float, n: int) -> float:
    """What samplers and pruners compare: the accuracy on n samples, and by less than half of one the log-loss."""
    return accuracy - min(log_loss, 1e6) / (1 + min(log_loss, 1e6)) / (2 * n)


def close(desk: Desk, told: Told) -> Told:
    """Writes how a trial has ended, first the whole of it, then that it has.

    Raises:
        BadFile: the database cannot be used.
    """
    from optuna.trial import TrialState

    key = desk.key(told.number)
    desk.storage.set_trial_user_attr(key, TOLD, asdict(told))
    state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[told.state]
    known = told.value is not None and told.log_loss is not None
    values = [objective(cast(float, told.value), cast(float, told.log_loss), desk.n)] if known else None
    desk.storage.set_trial_state_values(key, state, values)
    return told


def fail(desk: Desk, number: int, reason: str) -> Told:
    """Gives a trial up that nobody can carry out; of one that has told its end already that stays."""
    trial = desk.trial(number)
    told = told_of(trial) or Told(number, dict(trial.params), "failed", None, None, 0, 0.0, reason[:REASON])
    return told if trial.state.is_finished() else close(desk, told)


def told_of(trial: "FrozenTrial") -> Told | None:
    """What was told of a trial; None while it is running."""
    found = trial.user_attrs.get(TOLD)
    return None if found is None else Told.of(found)


def all_told(desk: Desk) -> list[Told]:
    """All trials that have ended, by number."""
    ended = [told_of(trial) for trial in desk.trials() if trial.state.is_finished()]
    return [told for told in ended if told is not None]


def running(desk: Desk) -> list[int]:
    """The numbers of the trials that have not ended."""
    return [trial.number for trial in desk.trials() if not trial.state.is_finished()]


def reason_of(error: BaseException) -> str:
    """Why a trial failed, in a line."""
    words = " ".join(str(error).split()) or type(error).__name__
    named = words if isinstance(error, HoldfastError) else f"{type(error).__name__}: {words}"
    return named[:REASON]
