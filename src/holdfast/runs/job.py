"""The whole job: data and a model in, a run out, in a folder with ledger and report."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ..callbacks import EarlyStopping
from ..core import BadData, BadFile, BadValue, Lost
from ..data import Dataset
from ..evaluate import Ledger
from ..models import BaseModel, Fitting, from_config
from ..models.arrays import check_number
from ..models.augmenting import Chosen
from ..models.unknown import check_coverage
from ..training import Callback, Optimizer, get_optimizer, load_model
from ..training.parallel import Team, check_divisible, in_turn, joined, leads
from . import lines
from .baseline import logistic_regression
from .bases import base_of, base_words, keep_base, with_what_was_seen
from .calibrating import calibrate
from .folder import begin
from .left_out import left_out
from .loading import load_for
from .memory_plan import memory_line
from .plan import How, ModelChoice, Precision, check_settings, compile_for, plan, session_for
from .record import Record, Settings
from .run import LEDGER, MODEL, Run, check_same, data_of, judge, ledger_of
from .seeds import seed_spread
from .watch import Checkpointing, Looking, alone
from .write import remove_remains

CHECKPOINT = Path("checkpoints") / "last.safetensors"


def train(
    data: Dataset | str | Path,
    model: ModelChoice = "convnet",
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | Optimizer | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    patience: int | None = None,
    augment: Chosen = "auto",
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    seeds: int = 1,
    coverage: float = 0.95,
    out: str | Path = "runs",
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1, 2] = 1,
) -> Run:
    """Trains a classifier on labelled data and writes a run that can be believed.

    Without an optimizer the default recipe trains, see `BaseModel.compile`, and the last weights are kept; at a
    constant learning rate, or with patience, those of the epoch with the best validation loss.  Every look at
    validation is written into the ledger; the test part stays sealed.

    In one of several processes, as torchrun and Ray Train start them, all train one model: see training/parallel.py.
    Callbacks are then heard by the first process, which also judges and writes; each gets the Run.

    Args:
        data: a Dataset, or what `data.load` takes.
        model: "convnet", "dense", the path of a Keras JSON configuration, or a model.
        epochs: the recipe's cycle spans them; with patience, at most.  None: 30, by the recipe 10 from 10,000 training
            samples on.
        batch_size: samples a step; None: 32 below 1,000 training samples, 64 below 10,000, else 128.
        optimizer: a name or an Optimizer; None: the one that the model was compiled with, else the default recipe.  The
            loss is cross-entropy always.
        learning_rate: instead of the optimizer's own; of the recipe, at the top of the cycle.
        weight_decay: instead of the optimizer's own, or the recipe's 0.004.
        label_smoothing: of the loss in training; None: by the recipe 0.05, 0 on a base and beside an optimizer.
        patience: epochs without improvement in validation loss after which training stops.  None: 5 at a constant
            learning rate; else all epochs are trained, for a schedule comes to its best at its end.
        augment: as in `BaseModel.fit`, but for code of your own, of which no run can tell.
        seed: of order and dropout, and of the weights unless the model comes with its own.
        device: "auto", "cpu", "cuda", ...
        precision: of the training steps; "auto" takes bfloat16 where a short trial finds it faster.
        coverage: share of samples of the known kind that the model answers; it does not know the others.
        seeds: how many trainings; those with the seeds that follow tell how much of the score is chance.
        out: folder of the runs, in which `<name>-001` and so on are made, and of their ledger.
        callbacks: more listeners.
        verbose: 0 silent, 1 with a progress line, 2 with a line an epoch.

    Returns:
        The Run, judged on train and validation.

    Raises:
        BadData, BadFile, BadShape, BadValue, UnknownName: one sentence says what is wrong; no folder is left then.
        Lost: another process that trained with this one has ended; the run can be resumed.
    """
    out = Path(out)
    how = How(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        patience=patience,
        augment=augment,
        seed=seed,
        device=device,
        precision=precision,
    )
    check_coverage(coverage)
    check_settings(model, how, out)
    check_number(f"train(seeds={seeds!r})", seeds)
    with joined() as team:
        verbose = verbose if leads(team) else 0
        say = lines.say if verbose else lines.quiet
        with in_turn(team):
            if not isinstance(data, Dataset):
                data = load_for(model, quiet=not verbose, out=out, path=data, test=None, seed=seed)
            settings, network = plan(data, model, how)
        data = with_what_was_seen(data, settings.base)
        settings.seeds, settings.coverage = seeds, coverage
        lines.say_data(say, data)
        say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
        if base := base_words(network, settings):
            say("base", base)
        if len(data.shape) == 4 and (planned := memory_line(data, network, settings)):
            say("memory", planned)
        session, stopper = shared_session(team, network, data, settings, callbacks, verbose)
        if team is not None:
            say("workers", lines.workers_line(team.size, settings.batch_size))
        if settings.recipe:
            say("recipe", f"{lines.recipe_line(settings)}, in {settings.precision}")
        if not leads(team):
            return follow(session, from_memory=not data.origin)
        with Ledger.open(out / LEDGER) as ledger:
            folder, record = begin(out, data, settings, network, ledger)
            if team is not None:
                record.machine += f", {team.size} processes"
            with alone(folder), ledger.beating(record.ledger_id):
                keep_base(network, settings, folder)
                return carry_out(folder, record, session, stopper, data, ledger, say)


def resume(
    folder: str | Path,
    data: Dataset | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1, 2] = 1,
) -> Run:
    """Goes on with a run that was interrupted; on the same CPU it ends bit by bit as if it had not been.

    Args:
        folder: of the run.
        data: what it is trained on; read again from where it came when None.
        callbacks: the further listeners that `train` was given.
        verbose: as in `train`.

    Raises:
        BadValue: the run has finished.
        BadFile: no run there, or no checkpoint.
        BadData: the data has changed.
        Lost: as in `train`; of how many processes the run was before does not matter.
    """
    folder = Path(folder)
    with ExitStack() as held:
        team = held.enter_context(joined())
        verbose = verbose if leads(team) else 0
        say = lines.say if verbose else lines.quiet
        if leads(team):
            held.enter_context(alone(folder))
        with in_turn(team):
            record, data = reopened(folder, data, quiet=not verbose)
        settings = record.settings
        data = with_what_was_seen(data, settings.base)
        network = from_config(record.config, seed=settings.seed)
        network.classes = tuple(record.classes)
        network.made_from = base_of(settings, folder)
        load_model(folder / CHECKPOINT, network.module)  # features of what is frozen are computed with its weights
        compile_for(network, settings)
        lines.say_data(say, data)
        say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
        session, stopper = shared_session(team, network, data, settings, callbacks, verbose)
        if not leads(team):
            return follow(session, from_memory=not record.origin)
        ledger = held.enter_context(ledger_of(folder, record))
        held.enter_context(ledger.beating(record.ledger_id))
        return carry_out(folder, record, session, stopper, data, ledger, say, resumed=True)


def reopened(folder: Path, data: Dataset | None, *, quiet: bool) -> tuple[Record, Dataset]:
    """The record of a run that can be resumed, and its data."""
    record = Record.read(folder)
    if record.kind == "tune":
        raise BadValue(f"{folder}: is a search; go on with: holdfast tune --resume {lines.quoted(folder)}")
    if record.status == "finished":
        raise BadValue(f"{folder}: this run has finished; there is nothing to resume.")
    with ledger_of(folder, record):  # or reading the data would be in vain
        data = data_of(record, folder, quiet=quiet) if data is None else data
    check_same(record, data)
    record.origin = dict(data.origin) or record.origin  # it may have moved
    return record, data


def shared_session(
    team: Team | None,
    network: BaseModel,
    data: Dataset,
    settings: Settings,
    callbacks: Sequence[Callback],
    verbose: Literal[0, 1, 2],
) -> tuple[Fitting, EarlyStopping | None]:
    """`session_for`, in a team with the precision that the leader found; the settings are told of it.

    Raises:
        BadData: this process has read other data than the leader.
        BadValue: the model cannot be trained on shares of batches.
    """
    if team is None:
        session, stopper = session_for(network, data, settings, callbacks, verbose)
        settings.precision = session.program.precision  # so that resuming does not ask again
        return session, stopper
    if team.told(data.split_fingerprint) != data.split_fingerprint:
        raise BadData("this worker has read other data than the first one; give all of them the same.")
    if team.leads:
        session, stopper = session_for(network, data, settings, callbacks, verbose)
    settings.precision = team.told(session.program.precision if team.leads else settings.precision)
    with team.in_turn():  # who follows finds the features that the leader has kept
        if not team.leads:
            compile_for(network, settings)
            session, stopper = session_for(network, data, settings, (), 0)
    check_divisible(session.state.model)
    return replace(session, team=team), stopper


def follow(session: Fitting, *, from_memory: bool) -> Run:
    """Trains along with the leader, and gives the Run that it has written.

    Args:
        from_memory: whether the data came from there, so that a run can be resumed in Python only.

    Raises:
        BadFile: its folder is on a disk of another machine.
        Lost: another process has ended.
    """
    team = session.team
    assert team is not None
    folder = Path(team.told(""))
    if not folder.is_dir():
        raise BadFile(f"{folder}: is not on this machine; choose an --out on a disk that all workers share.")
    try:
        team.share_state(session.state, session.program)
        replace(session, callbacks=(), first=session.state.epoch).run()
        team.wait()  # while the leader judges
    except Lost as error:
        raise with_remedy(error, folder, from_memory=from_memory) from error
    return Run.load(folder)


def with_remedy(error: Lost, folder: Path, *, from_memory: bool) -> Lost:
    """The error that also says how to go on, on as many processes as there are then."""
    return Lost(f"{error}; go on with: {lines.resume_line(folder, from_memory=from_memory)}")


def carry_out(
    folder: Path,
    record: Record,
    session: Fitting,
    stopper: EarlyStopping | None,
    data: Dataset,
    ledger: Ledger,
    say: lines.Say,
    *,
    resumed: bool = False,
) -> Run:
    """Trains, judges, and writes everything; what fails on the way is written, too."""
    looking = Looking(ledger, record.ledger_id, data.validation.fingerprint)
    keeping = Checkpointing(folder / CHECKPOINT, (looking, *session.callbacks))
    if resumed:
        remove_remains(folder)
        keeping.restore(session.state, session.program)
        say("resumed", f"{folder} after epoch {session.state.epoch} of {record.settings.epochs}")
    else:
        keeping.save(session.state)
    if session.team is not None:
        session.team.told(str(folder.resolve()))
        session.team.share_state(session.state, session.program)
    session = replace(session, callbacks=(keeping,), first=session.state.epoch)
    record.status = "running"
    record.write(folder)  # after the checkpoint: whatever has a record can be resumed
    began = time.perf_counter() - record.seconds
    try:
        history = session.run()
        if not history.logs:
            raise BadValue(f"training stopped before the end of an epoch: {history.stop and history.stop.reason}.")
        kept = len(history.logs) - 1 if stopper is None else stopper.best_epoch
        if kept is None or (stopper is None and not math.isfinite(_last_loss(history.logs[-1]))):
            raise BadValue("training diverged: the validation loss was never a number; try a lower learning rate.")
        record.seconds = time.perf_counter() - began
        record.logs = [{key: _number(value) for key, value in row.items()} for row in history.logs]
        record.stop = history.stop.reason if history.stop else f"all {record.settings.epochs} epochs are done"
        record.kept_epoch = kept + 1
        record.temperature = calibrate(session.model, data, record.settings.coverage, folder)
        session.model.save(folder / MODEL)
        record.scores["baselines"] = {"logistic regression": logistic_regression(data, seed=record.settings.seed)}
        if record.settings.seeds > 1:
            spread = seed_spread(record, session.model, data, ledger, say)
            record.scores["seeds"] = spread.to_dict()
            say("seeds", str(spread))
        if (groups := left_out(record, session.model, data, ledger, say)) is not None:
            record.scores["left_out"] = groups.to_dict()
            say("groups", str(groups))
        run = judge(folder, record, session.model, data, ledger)
        record.status = "finished"
        ledger.end_run(record.ledger_id, "finished")
        record.write(folder)
    except BaseException as error:
        record.status = "interrupted" if isinstance(error, (KeyboardInterrupt, Lost)) else "failed"
        record.seconds = time.perf_counter() - began
        with suppress(Exception):  # the first error is the one to tell
            record.write(folder)
            ledger.end_run(record.ledger_id, record.status)
            if not isinstance(error, (BadValue, Lost)):  # the first would come again, the second says so itself
                say("go on", lines.resume_line(folder, from_memory=not record.origin))
        if isinstance(error, Lost):
            raise with_remedy(error, folder, from_memory=not record.origin) from error
        raise
    (folder / CHECKPOINT).unlink(missing_ok=True)
    say("score", str(run.validation))
    say("verdict", str(run.verdict))
    say("saved", lines.saved_line(folder, sealed=len(data.test) > 0))
    if session.team is not None:
        session.team.wait()
    return run


def _last_loss(logs: Mapping[str, float]) -> float:
    """On validation, where there is some left."""
    return logs.get("val_loss", logs["loss"])


def _number(value: float) -> float | None:
    """NaN and infinity have no word in JSON."""
    return value if math.isfinite(value) else None
