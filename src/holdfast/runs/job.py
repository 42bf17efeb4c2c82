"""The whole job: data and a model in, a run out, in a folder with ledger and report."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ..callbacks import EarlyStopping
from ..core import BadValue
from ..data import Dataset
from ..evaluate import Ledger
from ..models import Fitting, from_config
from ..models.arrays import check_number
from ..models.augmenting import Chosen
from ..models.unknown import check_coverage
from ..training import Callback, Optimizer, get_optimizer, load_model
from . import lines
from .baseline import logistic_regression
from .bases import base_of, base_words, keep_base, with_what_was_seen
from .calibrating import calibrate
from .folder import begin
from .left_out import left_out
from .loading import load_for
from .memory_plan import memory_line
from .plan import How, ModelChoice, Precision, check_settings, compile_for, plan, session_for
from .record import Record
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
    """
    say = lines.say if verbose else lines.quiet
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
    if not isinstance(data, Dataset):
        data = load_for(model, quiet=not verbose, out=out, path=data, test=None, seed=seed)
    settings, network = plan(data, model, how)
    data = with_what_was_seen(data, settings.base)
    check_number(f"train(seeds={seeds!r})", seeds)
    settings.seeds, settings.coverage = seeds, coverage
    lines.say_data(say, data)
    say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
    if base := base_words(network, settings):
        say("base", base)
    if len(data.shape) == 4 and (planned := memory_line(data, network, settings)):
        say("memory", planned)
    session, stopper = session_for(network, data, settings, callbacks, verbose)
    settings.precision = session.program.precision  # so that resuming does not ask again
    if settings.recipe:
        say("recipe", f"{lines.recipe_line(settings)}, in {settings.precision}")
    with Ledger.open(out / LEDGER) as ledger:
        folder, record = begin(out, data, settings, network, ledger)
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
    """
    folder = Path(folder)
    say = lines.say if verbose else lines.quiet
    with ExitStack() as held:
        held.enter_context(alone(folder))
        record = Record.read(folder)
        if record.status == "finished":
            raise BadValue(f"{folder}: this run has finished; there is nothing to resume.")
        ledger = held.enter_context(ledger_of(folder, record))
        data = data_of(record, folder, quiet=not verbose) if data is None else data
        check_same(record, data)
        record.origin = dict(data.origin) or record.origin  # it may have moved
        settings = record.settings
        data = with_what_was_seen(data, settings.base)
        network = from_config(record.config, seed=settings.seed)
        network.classes = tuple(record.classes)
        network.made_from = base_of(settings, folder)
        load_model(folder / CHECKPOINT, network.module)  # features of what is frozen are computed with its weights
        compile_for(network, settings)
        lines.say_data(say, data)
        say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
        session, stopper = session_for(network, data, settings, callbacks, verbose)
        held.enter_context(ledger.beating(record.ledger_id))
        return carry_out(folder, record, session, stopper, data, ledger, say, resumed=True)


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
    session = replace(session, callbacks=(keeping,), first=session.state.epoch)
    record.status = "running"
    record.write(folder)  # after the checkpoint: whatever has a record can be resumed
    began = time.perf_counter() - record.seconds
    try:
        history = session.run()
        if not history.logs:
            raise BadValue(f"training stopped before the end of an epoch: {history.stop and history.stop.reason}.")
        kept = len(history.logs) - 1 if stopper is None else stopper.best_epoch
        if kept is None or (stopper is None and not math.isfinite(history.logs[-1]["val_loss"])):
            raise BadValue("training diverged: the validation loss was never a number; try a lower learning rate.")
        record.seconds = time.perf_counter() - began
        record.logs = [{key: _number(value) for key, value in row.items()} for row in history.logs]
        record.stop = history.stop.reason if history.stop else f"all {record.settings.epochs} epochs are done"
        record.kept_epoch = kept + 1
        record.temperature = calibrate(session.model, data, record.settings.coverage)
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
        record.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        record.seconds = time.perf_counter() - began
        with suppress(Exception):  # the first error is the one to tell
            record.write(folder)
            ledger.end_run(record.ledger_id, record.status)
            if not isinstance(error, BadValue):  # that would come again
                say("go on", lines.resume_line(folder, from_memory=not record.origin))
        raise
    (folder / CHECKPOINT).unlink(missing_ok=True)
    say("score", str(run.validation))
    say("verdict", str(run.verdict))
    say("saved", lines.saved_line(folder, sealed=len(data.test) > 0))
    return run


def _number(value: float) -> float | None:
    """NaN and infinity have no word in JSON."""
    return value if math.isfinite(value) else None
