"""One trial: trained, judged and told, from its beginning or from where it was interrupted."""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..callbacks import EarlyStopping
from ..core import BadFile, BadValue
from ..data import Batches, Dataset, Part
from ..evaluate import score
from ..evaluate.score import PartName
from ..models import BaseModel, Fitting
from ..models.together import trained
from ..runs.lines import Say, quiet
from ..runs.loading import load_shown
from ..runs.plan import converged, fitting, plan, session_for
from ..runs.predictions import Predictions
from ..runs.searched import ANSWERS
from ..runs.watch import Checkpointing, Looking
from ..training import Callback, EpochEnd, Event, Stop, evaluate
from ..transfer import anew
from .candidate import Candidate, candidate_of, check_reading
from .space import Value
from .study import RUNGS, STEPS, Desk, all_told, close, objective, reason_of, storage_errors, told_of, worse
from .task import Task, Told, best_of_ended, without_test

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CHECKPOINT = "last.safetensors"
LEAST_S = 1.0  # between two checkpoints: who is killed trains so much again
PRUNED, LATE = "others looked better", "out of time"


def carry_out(
    task: Task,
    number: int,
    say: Say = quiet,
    *,
    desk: Desk | None = None,
    hear: Sequence[Callback] = (),
    over: Callable[[], bool] | None = None,
) -> Told:
    """Trains and judges one trial that is stored as running; of one that has ended it tells what is known.

    A trial that was interrupted goes on from its checkpoint, and ends as it would have.  What it answers is on the disk
    before it is told complete.

    Args:
        task: the search.
        number: of the trial.
        say: told where it goes on.
        desk: the open books of the search; None opens them.
        hear: listeners of its trainings.
        over: asked after each epoch or fold whether the trial is to end there, as one that was stopped.

    Raises:
        BadFile: the disk or the database cannot be used.  What is wrong with the trial itself is told, not raised.
    """
    if desk is None:
        with Desk.open(task) as opened:
            return carry_out(task, number, say, desk=opened, hear=hear, over=over)
    trial = desk.trial(number)
    told = told_of(trial)
    if told is not None:  # it may have been killed between the two writes of `close`
        return told if trial.state.is_finished() else _closed(desk, told)
    folder, began = task.trial_folder(number), time.perf_counter()
    values: dict[str, Value] = dict(trial.params)
    try:
        values, candidate = chosen(task, trial.params, number)
        folder.mkdir(parents=True, exist_ok=True)
        way = _Way(desk, trial, folder, tuple(hear), over or (lambda: False), say)
        told = (_on_folds if desk.folds else _on_validation)(way, values, candidate, began)
    except storage_errors(BadFile, OSError):
        raise
    except Exception as error:  # diverged, out of memory, shapes that do not fit: the search goes on
        told = Told(number, values, "failed", None, None, 0, time.perf_counter() - began, reason_of(error))
    return _closed(desk, told)


def carry_out_together(
    task: Task,
    numbers: Sequence[int],
    *,
    desk: Desk,
    hear: Sequence[Callback] = (),
    over: Callable[[], bool] | None = None,
) -> list[Told]:
    """Carries out trials that do not wait for each other's scores: those of one architecture take steps together.

    After an interruption all are trained again, also those that had been told: who is trained together with whom
    changes answers by rounding.  Where one of them fails, each is carried out by itself.

    Args:
        numbers: of the trials; the others are as of `carry_out`.

    Returns:
        What is told of each.
    """
    trials = [desk.trial(number) for number in numbers]
    known = {trial.number: told for trial in trials if trial.state.is_finished() and (told := told_of(trial))}
    if any(told.state == "failed" for told in known.values()):  # then each was carried out by itself before, too
        return [carry_out(task, number, desk=desk, hear=hear, over=over) for number in numbers]
    began, found = time.perf_counter(), dict(known)
    try:
        begun = []
        for trial in trials:
            way = _Way(desk, trial, task.trial_folder(trial.number), tuple(hear), over or (lambda: False), quiet)
            begun.append(_begun(way, *chosen(task, trial.params, trial.number), began))
        makers = [partial(one.alone, ended=one.way.trial.number in known) for one in begun]
        for one, (_, seconds) in zip(begun, trained(makers, len(begun)), strict=True):
            if one.way.trial.number not in known:
                found[one.way.trial.number] = replace(_ended(one), seconds=seconds)
    except storage_errors(BadFile, OSError):
        raise
    except Exception:  # whose it is shows when each is by itself
        return [carry_out(task, number, desk=desk, hear=hear, over=over) for number in numbers]
    return [told if number in known else _closed(desk, told) for number, told in sorted(found.items())]


def _closed(desk: Desk, told: Told) -> Told:
    """What was told, once it is written down."""
    close(desk, told)
    _clear(desk.task.trial_folder(told.number), keep=told.state == "complete")
    return told


def tidy(desk: Desk) -> None:
    """Removes what trials left that were killed when they had been told, but not yet cleared away."""
    for told in all_told(desk):
        _clear(desk.task.trial_folder(told.number), keep=told.state == "complete")


def chosen(task: Task, params: Mapping[str, Any], number: int) -> tuple[dict[str, Value], Candidate]:  # Any: values
    """The values of a trial that drew these, and what is trained with them: fresh models, with the search's seed."""
    from optuna.trial import FixedTrial, Trial

    asked = cast(Trial, FixedTrial(dict(params), number))  # it answers what a live one does
    values, found = candidate_of(task.space, asked, task.data, task.model, task.how)
    model = found.model
    if isinstance(model, BaseModel):
        model.build_for(task.data.train.images)
        model = anew(model, seed=task.seed)
    return values, replace(found, model=model, how={**task.how, **found.how, "seed": task.seed})


@dataclass(frozen=True)
class _Way:
    """What a trial needs on its way."""

    desk: Desk
    trial: "FrozenTrial"
    folder: Path
    hear: tuple[Callback, ...]
    over: Callable[[], bool]
    say: Say

    def report(self, step: int, accuracy: float, log_loss: float, n: int) -> None:
        """Writes down how good it looks."""
        key = self.trial._trial_id
        self.desk.storage.set_trial_intermediate_value(key, step, objective(accuracy, log_loss, n))

    def hopeless(self, judged: NDArray[np.int64] | None = None, answers: Predictions | None = None) -> bool:
        """Whether the others looked so much better that this one is to stop; with folds, by its answers so far."""
        desk, study = self.desk, self.desk.study
        if judged is not None and answers is not None and desk.task.pruner in ("auto", "wilcoxon"):
            best = best_of_ended(all_told(desk))
            if best is None:
                return False
            theirs = Predictions.read(desk.task.trial_folder(best.number) / ANSWERS).right
            places = np.searchsorted(desk.judged, judged)
            return worse(answers.right, theirs[places])
        return study.pruner.prune(study, self.desk.storage.get_trial(self.trial._trial_id))

    def looked(self, part: PartName, fingerprint: str, seen: dict[str, float], epoch: int | None = None) -> None:
        """Writes a look into the ledger."""
        desk = self.desk
        desk.ledger.look(desk.task.run, part, fingerprint, seen, purpose="selection", epoch=epoch)


class Rungs:
    """Looks at validation after some of the epochs, and stops a trial there that looks worse than the others.

    They are shares of the trial's own epochs: so those of a one-cycle schedule are compared at the same place in it.
    """

    def __init__(self, way: _Way, validation: Batches, epochs: int, *, looks: bool) -> None:
        places = {max(1, round(epochs * rung / STEPS)): rung for rung in reversed(RUNGS)}
        self.way, self.validation, self.looks = way, validation, looks
        self.due = {epoch: rung for epoch, rung in places.items() if epoch < epochs}
        self.began = time.perf_counter()
        self.epochs, self.seconds = 0, 0.0
        self.seen: tuple[float, float] | None = None  # accuracy and log-loss at the last rung
        self.stopped = ""

    def __call__(self, event: Event) -> Stop | None:
        if not isinstance(event, EpochEnd):
            return None
        self.epochs = event.epoch + 1
        late = self.way.over()
        rung = self.due.get(self.epochs)
        if rung is not None or late:
            if self.looks:
                found = evaluate(event.state.model, event.program, self.validation)
                fingerprint = self.way.desk.task.data.validation.fingerprint
                self.way.looked("validation", fingerprint, found, self.epochs)
            else:
                found = {name: event.logs[f"val_{name}"] for name in ("accuracy", "loss")}
            if not math.isfinite(found["loss"]):
                raise BadValue(f"training diverged after {self.epochs} epochs: the loss is not a number.")
            self.seen = found["accuracy"], found["loss"]
        if rung is not None and self.seen is not None:
            self.way.report(rung, *self.seen, len(self.validation.data))
            if self.way.hopeless():
                self.stopped = PRUNED
        if late and not self.stopped:
            self.stopped = LATE
        return Stop(self.stopped) if self.stopped else None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        spent = self.seconds + time.perf_counter() - self.began
        return {"epochs": self.epochs, "seconds": spent, "seen": self.seen, "stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self.epochs, self.seconds, self.stopped = state["epochs"], state["seconds"], state["stopped"]
        self.seen = None if state["seen"] is None else cast(tuple[float, float], tuple(state["seen"]))


@dataclass(frozen=True)
class _Begun:
    """A trial that is judged on validation, ready to be trained."""

    way: _Way
    values: dict[str, Value]
    data: Dataset
    session: Fitting
    stopper: EarlyStopping | None
    rungs: Rungs
    listeners: tuple[Callback, ...]
    began: float

    def alone(self, *, ended: bool) -> Fitting:
        """Its training, without a checkpoint; of a trial that has ended nobody looks at it again."""
        return self.session if ended else replace(self.session, callbacks=self.listeners)


def _begun(way: _Way, values: dict[str, Value], candidate: Candidate, began: float) -> _Begun:
    """Prepares the training, and what looks at validation on the way."""
    task = way.desk.task
    data = read_for(task.data, candidate)
    settings, network = plan(data, candidate.model, candidate.how)
    session, stopper = session_for(network, data, settings, (), 0)
    assert session.validation is not None
    rungs = Rungs(way, session.validation, settings.epochs, looks=stopper is None)
    listeners: tuple[Callback, ...] = (rungs, *way.hear, *session.callbacks)
    if stopper is not None:
        listeners = (Looking(way.desk.ledger, task.run, data.validation.fingerprint), *listeners)
    else:
        session = replace(session, validation=None)  # only the rungs look at it
    return _Begun(way, values, data, session, stopper, rungs, listeners, began)


def _on_validation(way: _Way, values: dict[str, Value], candidate: Candidate, began: float) -> Told:
    """Trains on train, from its checkpoint on if there is one, and judges on validation."""
    begun = _begun(way, values, candidate, began)
    session = begun.session
    keeping = Checkpointing(way.folder / CHECKPOINT, begun.listeners, least_s=LEAST_S)
    if keeping.path.exists():
        keeping.restore(session.state, session.program)
        way.say(f"trial {way.trial.number}", f"goes on after epoch {session.state.epoch} of {session.epochs}")
    replace(session, callbacks=(keeping,), first=session.state.epoch).run()
    return _ended(begun)


def _ended(begun: _Begun) -> Told:
    """Judges a trial whose training has ended; its answers are on the disk before it is told."""
    way, rungs, stopper, data = begun.way, begun.rungs, begun.stopper, begun.data
    number, logs = way.trial.number, begun.session.history.logs
    seconds = rungs.seconds + time.perf_counter() - begun.began
    if rungs.stopped:
        accuracy, log_loss = rungs.seen or (None, None)
        return Told(number, begun.values, "pruned", accuracy, log_loss, rungs.epochs, seconds, rungs.stopped)
    if not math.isfinite(logs[-1]["loss"]) or (stopper and stopper.best_epoch is None):
        raise BadValue("training diverged: the loss is not a number in the end.")
    answers = Predictions.of(data.validation, begun.session.model.predict(data.validation))
    accuracy, log_loss = _worth(answers)
    answers.write(way.folder / ANSWERS)
    way.looked("validation", data.validation.fingerprint, {"accuracy": accuracy, "loss": log_loss}, rungs.epochs)
    seen = tuple(row["val_accuracy"] for row in logs) if stopper else ()
    return Told(number, begun.values, "complete", accuracy, log_loss, rungs.epochs, seconds, seen=seen)


def _on_folds(way: _Way, values: dict[str, Value], candidate: Candidate, began: float) -> Told:
    """Trains and judges fold by fold; folds that were done before an interruption are not trained again."""
    desk, number = way.desk, way.trial.number
    data = read_for(desk.task.data, candidate)
    pool = desk.pool if data is desk.task.data else data.pool
    totals, counts = np.zeros((len(pool), len(data.classes))), np.zeros(len(pool), np.int64)
    epochs, stopped = 0, ""
    for step, fold in enumerate(desk.folds, 1):
        kept = _kept_fold(way.folder, step)
        new = kept is None
        if kept is None:
            _train_folds(way, candidate, data, pool, step)
            kept = cast(Path, _kept_fold(way.folder, step))
        epochs += int(kept.stem.split("-")[2])
        totals[fold.judged] += Predictions.read(kept).probabilities
        counts[fold.judged] += 1
        judged = np.flatnonzero(counts)
        answers = Predictions.of(pool.take(judged), (totals[judged] / counts[judged, None]).astype(np.float32))
        accuracy, log_loss = _worth(answers)
        if new:
            way.looked("out-of-fold", pool.fingerprint, {"accuracy": accuracy, "loss": log_loss})
        if step < len(desk.folds):
            way.report(step, accuracy, log_loss, len(judged))
            stopped = PRUNED if way.hopeless(judged, answers) else LATE if way.over() else ""
        if stopped:
            break
    seconds = time.perf_counter() - began
    if stopped:
        return Told(number, values, "pruned", accuracy, log_loss, epochs, seconds, stopped)
    answers.write(way.folder / ANSWERS)
    return Told(number, values, "complete", accuracy, log_loss, epochs, seconds)


def _train_folds(way: _Way, candidate: Candidate, data: Dataset, pool: Part, step: int) -> None:
    """Trains the fold of this step, with those that are trained together with it, and keeps what they answer.

    They are always the same ones, also where some of them were done when the trial was interrupted.
    """
    size = way.desk.task.together
    first = (step - 1) // size * size
    some = way.desk.folds[first : first + size]
    parts = [data.with_parts(pool.take(fold.train), pool.take(fold.judged)) for fold in some]
    makers = [partial(fitting, one, candidate.model, candidate.how, callbacks=way.hear) for one in parts]
    for number, (session, _) in enumerate(trained(makers, len(some))):
        judged = parts[number].validation
        answers = Predictions.of(judged, converged(session).predict(judged))
        answers.write(way.folder / f"fold-{first + number + 1:03d}-{len(session.history.logs)}.npz")


def _kept_fold(folder: Path, step: int) -> Path | None:
    """What the model of a fold answers, in a file whose name ends in its epochs; None before it is trained."""
    return next(iter(folder.glob(f"fold-{step:03d}-*.npz")), None)


def _worth(answers: Predictions) -> tuple[float, float]:
    """Accuracy and log-loss.

    Raises:
        BadValue: answers that are no numbers.
    """
    if not np.isfinite(answers.probabilities).all():
        raise BadValue("training diverged: what the model answers is not a number.")
    found = score(answers.labels, answers.probabilities, part="validation")
    return found.accuracy.value, found.log_loss.value


def read_for(data: Dataset, candidate: Candidate) -> Dataset:
    """The data as a candidate reads it: as it is, or, of another size say, read again; without its test part.

    Raises:
        BadValue: it comes from memory; or what is read again are other samples, which may be those that are to judge.
    """
    if all(data.origin.get(name) == value for name, value in candidate.reading.items()):
        return data
    check_reading(candidate, data)
    found = _read_again(dumps({**data.origin, **candidate.reading}))
    if any(getattr(found, part).fingerprint != getattr(data, part).fingerprint for part in ("train", "validation")):
        named = ", ".join(candidate.reading)
        raise BadValue(f"{named}: cannot be chosen, for reading again gives other samples than the search has.")
    return found


@lru_cache(maxsize=2)
def _read_again(origin: str) -> Dataset:
    return without_test(load_shown(quiet=True, **loads(origin)))


def _clear(folder: Path, *, keep: bool) -> None:
    """Removes what only an interrupted trial needs, and what a kill left half-written; without answers all of it."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.glob("*"):
        if path.name != ANSWERS:
            path.unlink(missing_ok=True)
