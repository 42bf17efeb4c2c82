"""The winner of a search, trained anew as a normal run: as its trial was, or on train and validation together."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core import BadValue
from ..data import Dataset
from ..models import BaseModel
from ..runs import Run, lines
from ..runs.bases import keep_base, with_what_was_seen
from ..runs.folder import begin
from ..runs.job import CHECKPOINT, carry_out
from ..runs.loading import load_shown
from ..runs.plan import How, plan, session_for
from ..runs.predictions import Predictions
from ..runs.record import Record, Settings
from ..runs.run import VALIDATION, check_same, write_pages
from ..runs.searched import ANSWERS, Policy, Searched
from ..runs.watch import alone
from ..training import Callback, End, Event, Stop
from .candidate import Candidate
from .space import Space
from .study import Desk
from .task import Task, Told, fresh
from .trial import chosen

REFITS = ("auto", "same", "all", None)


def check_refit(refit: str | None, cv: Any) -> Policy | None:  # Any: what folds are made of
    """How the winner is to be trained: "same" on validation, "all" on folds, unless it is said.

    Raises:
        BadValue: another word; or "same" on folds, whose trials have no single model that could be trained again.
    """
    if refit not in REFITS:
        raise BadValue(f"refit={refit!r}: must be 'auto', 'same', 'all' or None.")
    if refit == "same" and cv is not None:
        raise BadValue(
            "refit='same' trains the winner as its trial was, but with folds that is several models; take 'all'."
        )
    if refit == "auto":
        return "same" if cv is None else "all"
    return refit  # type: ignore[return-value]  # the two that are left, or None


def train_winner(desk: Desk, search: Record, told: Told, searched: Searched, data: Dataset, say: lines.Say) -> Run:
    """Trains the best trial anew, as a run beside the search; goes on where that was interrupted.

    The run is written down in the record of the search as soon as it has a folder.

    Args:
        desk: the open books of the search.
        search: its record, in which the name of the run is written.
        told: of the best trial.
        searched: what the run is to say of it.
        data: with its sealed test part.
        say: told how it goes.
    """
    task, ledger = desk.task, desk.ledger
    candidate = _candidate(task, told)
    if candidate.reading:
        data = load_shown(quiet=True, **{**data.origin, **candidate.reading})
    home, answers = near(task.folder), Predictions.read(task.trial_folder(told.number) / ANSWERS)
    settings, network = plan(data, candidate.model, candidate.how)
    if searched.policy == "all":
        settings = _whole(settings, told, len(desk.folds))
    data = with_what_was_seen(data, settings.base)
    again = _Again(data, answers)
    heard: tuple[Callback, ...] = () if settings.whole else (again,)
    session, stopper = session_for(network, data, settings, heard, 0 if say is lines.quiet else 1)
    again.predict = session.model.predict
    settings.precision = session.program.precision
    name = search.scores.get("winner")
    with ExitStack() as held:
        if name is None:
            folder, record = begin(home.parent, data, settings, network, ledger)
            record.scores["search"] = searched.to_dict()
            if settings.whole:
                answers.write(folder / ANSWERS)
            search.scores["winner"] = folder.name
        else:
            folder = home.parent / name
            record = Record.read(folder)
            check_same(record, data)
        resumed = name is not None and (folder / CHECKPOINT).exists()
        held.enter_context(alone(folder))
        if record.status == "finished":
            return Run.load(folder)
        record.write(folder)
        search.write(home)
        held.enter_context(ledger.beating(record.ledger_id))
        keep_base(network, settings, folder)
        say("winner", f"trial {told.number}, {_told(settings, searched)}")
        run = carry_out(folder, record, session, stopper, data, ledger, say, resumed=resumed)
        if again.found:
            record.scores["search"]["reproduced"] = again.found
            record.write(folder)
            run = Run.load(folder)
            write_pages(run, data, Predictions.read(folder / VALIDATION).probabilities)
            say("winner", again.found)
    return run


def trained(task: Task, told: Told) -> BaseModel:
    """The model of a trial, trained as it was; without a folder."""
    candidate = _candidate(task, told)
    settings, network = plan(task.data, candidate.model, candidate.how)
    session, _ = session_for(network, task.data, settings, (), 0)
    session.run()
    return session.model


def _candidate(task: Task, told: Told) -> Candidate:
    fixed = task.space.fixed if isinstance(task.space, Space) else {}
    drawn = {name: value for name, value in told.values.items() if name not in fixed}
    return chosen(task, drawn, told.number)[1]


def is_usual(task: Task, told: Told) -> bool:
    """Whether a trial is what `train` does by itself, of which a space may have but what is nearest to it."""
    found = _candidate(task, told)
    if found.reading or not isinstance(task.space, Space):
        return False
    usual_how = How(**{**task.how, "seed": task.seed})
    trained = plan(task.data, found.model, found.how)
    usual = plan(task.data, fresh(task.model, task.seed), usual_how)
    settings, others = (one.model_dump(exclude={"model"}) for one, _ in (trained, usual))
    return settings == others and list(map(repr, trained[1].layers)) == list(map(repr, usual[1].layers))


def near(folder: str) -> Path:
    """The folder as it is to be shown and typed: from here, where it lies below."""
    whole, here = Path(folder), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def _whole(settings: Settings, told: Told, folds: int) -> Settings:
    """Trains on validation, too, for as many epochs as the trial kept."""
    changed: dict[str, Any] = {"whole": True, "patience": None}  # Any: of settings
    if settings.patience is not None and isinstance(settings.optimizer["config"].get("learning_rate"), float):
        trained = told.epochs / max(folds, 1)
        stopped = trained < settings.epochs
        changed["epochs"] = max(1, round(trained) - settings.patience if stopped else round(trained))
    return settings.model_copy(update=changed)


def _told(settings: Settings, searched: Searched) -> str:
    n = lines.counted(settings.epochs, "epoch")
    if searched.policy == "same":
        return f"is trained anew as it was: seed {settings.seed}, {n}"
    return f"is trained anew on train and validation together: seed {settings.seed}, {n}; nothing is left to judge it"


@dataclass
class _Again:
    """Hears the end of the training, and holds the answers on validation against those of the trial.

    Afterwards is too late: a run divides its logits by a temperature.
    """

    data: Dataset
    answers: Predictions
    predict: Any = None  # of the model in training, once there is one
    found: str = ""

    def __call__(self, event: Event) -> Stop | None:
        if isinstance(event, End):
            self.found = differences(self.predict(self.data.validation), self.answers)
        return None


def differences(said: np.ndarray, answers: Predictions) -> str:
    """Whether these probabilities (N, K) are those of the trial, in words."""
    n = len(answers.labels)
    if said.shape == answers.probabilities.shape and np.array_equal(said, answers.probabilities):
        return f"its {n:,} answers on validation are those of the trial, bit for bit"
    other = int((said.argmax(1) != answers.said).sum())
    most = float(np.abs(said - answers.probabilities).max())
    return (
        f"its answers on validation are not bit for bit those of the trial: {other:,} of {n:,} name another class, "
        f"probabilities differ by up to {most:.2g}; another machine, a GPU or other threads "
        "round differently"
    )
