"""The search: trial after trial until their number or the time is reached, told and kept so that nothing gets lost."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import torch

from ..core import BadData, BadValue, whole_file
from ..data import Dataset
from ..evaluate import Ledger
from ..models import BaseModel
from ..models.arrays import check_number
from ..models.together import at_once
from ..runs import lines
from ..runs.bases import base_words, keep_base, with_what_was_seen
from ..runs.cluster import check_on
from ..runs.folder import recorded, working
from ..runs.folds import folds_of
from ..runs.formats import duration
from ..runs.lines import Say
from ..runs.loading import load_for
from ..runs.plan import How, ModelChoice, check_settings, compiled_optimizer, fitting, plan, session_for
from ..runs.record import Record, Settings
from ..runs.run import check_same, data_of, ledger_of
from ..runs.watch import alone
from ..training import get_optimizer
from ..transfer import anew
from .candidate import Build, check_space
from .nested import check_nested, cost_words
from .progress import Progress
from .space import Space, as_space
from .study import Desk, all_told, ask, check_names, pruner_name, running
from .task import Task, Told, fresh, without_test
from .told_options import FOLDS, how_from, how_to, model_from, model_to, pairs_from, space_from, space_to, write_pairs
from .trial import carry_out, carry_out_together, tidy

if TYPE_CHECKING:
    from .found import Search

FIRST = 5  # trials that all fail end a search: the next would, too
FAR = 1.5  # times the limit, after which the trial under way is stopped
Refit = Literal["auto", "same", "all"] | None


def search(
    data: Dataset | str | Path,
    space: Space | Mapping[str, Any] | Path | str | Build | None = None,  # Any: see as_space
    *,
    model: ModelChoice = "convnet",
    trials: int = 50,
    time_s: float | None = None,
    cv: Any = None,  # Any: as in cross_validate
    sampler: str = "tpe",
    pruner: str = "auto",
    refit: Refit = "auto",
    nested: int | None = None,
    on: str | None = None,
    workers: int = 1,
    out: str | Path = "runs",
    verbose: Literal[0, 1, 2] = 1,
    **how: Unpack[How],
) -> "Search":
    """Searches for what trains best on this data, and tells what that is worth without the luck of the choice.

    The first trial is what `train` does by itself.  All trials learn from the training part with the same seed; they
    are compared on the validation part, or out of fold, and each look is in the ledger.  The test part stays sealed.
    A search that was interrupted goes on with `resume_search`; it loses no trial, and ends as it would have.

    Args:
        data: a Dataset, or what `data.load` takes.
        space: what may be chosen: a Space, a dict or a TOML file, see `as_space`; or a function that is given an
            Optuna trial and returns a model or a Candidate; None: a space that suits the kind of data.
        model: as in `train`; what is trained where the space does not say it.
        trials: how many, those that failed or were stopped on the way included.
        time_s: seconds after which no trial is begun; the one under way ends, unless it takes half as long again.
        cv: judges trials out of fold rather than on the validation part; as in `cross_validate`.
        sampler: "tpe", "gp", "cmaes", "random", "grid" or "qmc".
        pruner: stops trials that look worse than others: "asha", "hyperband" or "median" after a ninth and a third of
            their epochs, "wilcoxon" after a fold; "none"; "auto": asha, and wilcoxon with cv.
        refit: the winner is trained again as a run with the "same" data, seed and epochs, or on "all" but the test
            part; None: not at all; "auto": same, and all with cv.
        nested: so many more searches, each without one of so many folds, judge the way of searching on these folds.
        on: "ray" or "ray://address": trials are carried out there.
        workers: trials at once, with `on`.
        out: folder of the runs, in which `<name>-tune-001` and so on are made, and of their ledger.
        verbose: 0 silent, 1 with a progress line, 2 with a line a trial.
        how: as in `train`; what the space chooses goes before.

    Raises:
        BadData, BadFile, BadShape, BadValue, UnknownName: one sentence says what is wrong.

    Example:
        >>> found = search("digits", {"learning_rate": [0.001, 0.01]}, model="dense", trials=3, epochs=2, out=folder,
        ...                verbose=0)
        >>> len(found.trials), found.best.state
        (3, 'complete')
    """
    options: dict[str, Any] = {"trials": trials, "time_s": time_s, "cv": cv, "sampler": sampler, "pruner": pruner}
    options |= {"refit": refit, "nested": nested, "on": on, "workers": workers}
    chosen = check_told(model, how, Path(out), space, **options)
    say, seed = lines.say if verbose else lines.quiet, how.get("seed", 0)
    if not isinstance(data, Dataset):
        data = load_for(model, quiet=not verbose, out=out, path=data, seed=seed)
    if cv is None and not len(data.validation):
        raise BadData(
            f"{data.name}: has no validation part to compare trials on; compare them on folds: --cv 5 (cv=5)."
        )
    if chosen is None:
        from .defaults import default_space

        chosen = default_space(data, model, how)
        check_names(sampler, pruner, chosen, folds=cv is not None)
    if isinstance(chosen, Space):
        check_space(chosen, data if nested is None else replace(data, origin={}), model, how)
    settings, network, how = _decided(data, model, how)
    data = with_what_was_seen(data, settings.base)
    together = _together(data, model, how, **options)  # before there is a folder, for it says what is wrong with cv
    with recorded(Path(out), data, settings, network, kind="tune") as (folder, record, ledger):
        keep_base(network, settings, folder)
        cv = _kept_folds(data, cv, seed, folder)
        record.search = options | {"cv": cv, "together": together, "space": space_to(chosen), "how": how_to(how)}
        record.search["model"] = model_to(model)
        task = _task(folder, record, ledger, data, chosen, model, how)
        with Desk.open(task) as desk:
            record.write(folder)  # after the study: whatever has a record can be resumed
            return _carry_on(desk, record, data, say, verbose)


def resume_search(
    folder: str | Path,
    data: Dataset | None = None,
    *,
    space: Build | None = None,
    verbose: Literal[0, 1, 2] = 1,
) -> "Search":
    """Goes on with a search that was interrupted; with one worker it ends as if it had not been.

    Args:
        folder: of the search.
        data: what it is about; read again from where it came when None.
        space: the function, where the space was one.
        verbose: as in `search`.

    Raises:
        BadValue: no search, or one that has finished.
        BadFile: nothing there, or something damaged.
        BadData: the data has changed.
    """
    from .found import check_search

    folder = Path(folder)
    say = lines.say if verbose else lines.quiet
    with ExitStack() as held:
        held.enter_context(alone(folder))
        record = Record.read(folder)
        check_search(record, folder)
        if record.status == "finished":
            raise BadValue(f"{folder}: this search has finished; there is nothing to resume.")
        if not record.search:
            raise BadValue(f"{folder}: this search ended before its first trial; begin a new one.")
        if data is None and not record.origin:
            raise BadValue(f"{folder}: its data came from memory; give it in Python: resume_search(folder, data).")
        ledger = held.enter_context(ledger_of(folder, record))
        data = data_of(record, folder, quiet=not verbose) if data is None else data
        check_same(record, data)
        data = with_what_was_seen(data, record.settings.base)
        record.origin = dict(data.origin) or record.origin  # it may have moved
        model, how = model_from(record, folder), how_from(record.search["how"])
        task = _task(folder, record, ledger, data, space or space_from(record.search["space"]), model, how)
        held.enter_context(working(folder, record, ledger))
        record.status = "running"
        record.write(folder)
        desk = held.enter_context(Desk.open(task))
        tidy(desk)
        say("resumed", f"{folder} after {lines.counted(len(all_told(desk)), 'trial')} of {record.search['trials']}")
        return _carry_on(desk, record, data, say, verbose)


def check_told(
    model: ModelChoice,
    how: How,
    out: Path,
    space: Space | Mapping[str, Any] | Path | str | Build | None,  # Any: see as_space
    *,
    trials: int,
    time_s: float | None,
    cv: Any,  # Any: as in cross_validate
    sampler: str,
    pruner: str,
    refit: Refit,
    nested: int | None,
    on: str | None,
    workers: int,
) -> Space | Build | None:
    """The space, read; raises at once what would be raised after the data was read."""
    from .winner import check_refit

    check_settings(model, how, out)
    check_refit(refit, cv)
    check_nested(nested, cv)
    check_number(f"search(trials={trials!r})", trials)
    check_number(f"search(workers={workers!r})", workers)
    if time_s is not None and not time_s > 0:
        raise BadValue(f"search(time_s={time_s!r}): must be positive.")
    if on is not None:
        check_on(on, workers)
    elif workers > 1:
        raise BadValue(f"search(workers={workers}): a process carries out one trial at a time; add on='ray'.")
    chosen = space if space is None or callable(space) else as_space(space)
    check_names(sampler, pruner, chosen, folds=cv is not None)
    return chosen


def _decided(data: Dataset, model: ModelChoice, how: How) -> tuple[Settings, BaseModel, How]:
    """How the model would train by itself; and `how`, with all that must be the same in every trial decided once."""
    if isinstance(model, BaseModel):
        model.build_for(data.train.images)
        chosen = how.get("optimizer") or compiled_optimizer(model)
        how = {**how, "optimizer": chosen} if chosen else how
        model = anew(model, seed=how.get("seed", 0))
    settings, network = plan(data, model, how)
    if settings.precision == "auto":
        session, _ = session_for(network, data, settings, (), 0)
        settings.precision = session.program.precision
    return settings, network, {**how, "precision": settings.precision}


def _together(data: Dataset, model: ModelChoice, how: How, **options: Any) -> int:  # Any: of `search`
    """How many folds are to be trained together: several of very small nets, where that is faster.

    Trials are where neither the sampler nor the pruner waits for scores, unless the winner is to be trained again as
    its trial was: alone it may round differently.
    """
    from .winner import check_refit

    cv, seed = options["cv"], how.get("seed", 0)
    if cv is not None:
        pool = data.pool
        folds = folds_of(data, pool, cv, seed=seed)
        first = data.with_parts(pool.take(folds[0].train), pool.take([]))
        return at_once(fitting(first, model, how), len(folds))
    waits = options["sampler"] not in ("random", "qmc", "grid") or options["pruner"] != "none"
    if waits or options["on"] is not None or check_refit(options["refit"], None) == "same":
        return 1
    settings, network = plan(data, fresh(model, seed), how)
    return at_once(session_for(network, data, settings, (), 0)[0], options["trials"])


def _kept_folds(data: Dataset, cv: Any, seed: int, folder: Path) -> Any:  # Any: as in cross_validate
    """What `cv` is called in the record; folds that have no word are kept in a file, so that they are there again."""
    if cv is None or isinstance(cv, (int, str)):
        return cv
    with whole_file(folder / FOLDS) as temporary:
        write_pairs(temporary, folds_of(data, data.pool, cv, seed=seed))
    return FOLDS


def _task(
    folder: Path,
    record: Record,
    ledger: Ledger,
    data: Dataset,
    space: Space | Build,
    model: ModelChoice,
    how: How,
) -> Task:
    options = record.search
    return Task(
        name=f"{folder.name} {record.started} {record.ledger_id}",
        storage=ledger.url,
        folder=str(folder.resolve()),
        data=without_test(data),
        space=space,
        model=model,
        how=how,
        cv=pairs_from(folder / FOLDS) if options["cv"] == FOLDS else options["cv"],
        sampler=options["sampler"],
        pruner=options["pruner"],
        seed=record.settings.seed,
        run=record.ledger_id,
        workers=options["workers"],
        together=options["together"],
    )


def _carry_on(desk: Desk, record: Record, data: Dataset, say: Say, verbose: Literal[0, 1, 2]) -> "Search":
    """Carries out what is left, and concludes."""
    from .found import conclude
    from .winner import near

    task, options = desk.task, record.search
    own = torch.get_num_threads()
    _say_plan(desk, record, data, say)
    try:
        if options["on"] is None:
            _one_by_one(desk, options, say, verbose)
        else:
            from .on_ray import drive

            limit, spent = options["time_s"], _spent(desk)
            deadline = None if limit is None else time.monotonic() + limit - spent
            threads = drive(desk, options["trials"], deadline, say, options["on"], options["workers"])
            torch.set_num_threads(threads)  # the winner is trained again, and sums of others are rounded differently
        told = all_told(desk)
        _check_some(told)
        say("trials", _tally(told, options))
        return conclude(desk, record, tuple(told), data, say, options["refit"])
    except KeyboardInterrupt:
        say("go on", f"holdfast tune --resume {lines.quoted(near(task.folder))}")
        raise
    finally:
        torch.set_num_threads(own)


def _one_by_one(desk: Desk, options: Mapping[str, Any], say: Say, verbose: Literal[0, 1, 2]) -> None:  # Any: JSON
    """Trials in this process, those that were interrupted first."""
    task, limit = desk.task, options["time_s"]
    began = time.monotonic() - _spent(desk)
    told, waiting = all_told(desk), running(desk)
    progress = Progress(told, options["trials"], limit, began, say, verbose)

    def late(share: float = 1.0) -> bool:
        some = any(one.state == "complete" for one in told)  # a search that found nothing is worth nothing
        return limit is not None and some and time.monotonic() - began > share * limit

    with progress:
        while waiting or (len(told) < options["trials"] and not late()):
            check_first(told)
            numbers = _next(desk, waiting, options["trials"])
            if not numbers:
                say("grid", f"all its {lines.counted(len(told), 'trial')} are done")
                break
            progress.begin(numbers[0])
            if len(numbers) == 1:
                some = [carry_out(task, numbers[0], say, desk=desk, hear=(progress,), over=lambda: late(FAR))]
            else:
                some = carry_out_together(task, numbers, desk=desk, hear=(progress,), over=lambda: late(FAR))
            waiting = [number for number in waiting if number not in numbers]
            before = {one.number for one in told}
            for one in some:
                if one.number not in before:
                    told.append(one)
                    progress.end(one, desk.n)
    check_first(told)


def _next(desk: Desk, waiting: list[int], trials: int) -> list[int]:
    """The trials to be carried out now: one, or those that are trained together, always the same ones."""
    size, count = 1 if desk.folds else desk.task.together, len(desk.trials())
    first = (waiting[0] if waiting else count) // size * size
    numbers = list(range(first, min(first + size, count)))
    while len(numbers) < size and first + len(numbers) < trials:
        number = ask(desk)
        if number is None:
            break
        numbers.append(number)
    return numbers


def _spent(desk: Desk) -> float:
    """Seconds that the trials took that have ended, of which as many as there are workers ran at once."""
    return sum(one.seconds for one in all_told(desk)) / desk.task.workers


def check_first(told: list[Told]) -> None:
    """Raises BadValue where the first trials all failed."""
    if len(told) >= FIRST and all(one.state == "failed" for one in told):
        raise BadValue(f"the first {len(told)} trials all failed; the last: {told[-1].reason}")


def _check_some(told: list[Told]) -> None:
    """Raises BadValue where no trial came to its end."""
    if not any(one.state == "complete" for one in told):
        last = next((one.reason for one in reversed(told) if one.state == "failed"), "all were stopped on the way.")
        raise BadValue(f"none of {lines.counted(len(told), 'trial')} came to its end: {last}")


def _say_plan(desk: Desk, record: Record, data: Dataset, say: Say) -> None:
    task, options, settings = desk.task, record.search, record.settings
    lines.say_data(say, data)
    network = plan(task.data, fresh(task.model, task.seed), task.how)[1]
    if isinstance(task.space, Space):  # of a function nobody knows yet
        say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
    if base := base_words(network, settings):
        say("base", base)
    names = ", ".join(task.space.dimensions) if isinstance(task.space, Space) else "what a function chooses"
    say("space", names)
    limit = "" if options["time_s"] is None else f" or {duration(options['time_s'])}"
    judge = f"validation, n={desk.n:,}" if task.cv is None else f"{len(desk.folds)} folds, n={desk.n:,}"
    stop = "" if task.pruner == "none" else f", stopped early by {pruner_name(task.pruner, folds=task.cv is not None)}"
    if (outer := options["nested"]) is not None:
        say("nested", cost_words(outer, options["trials"], options["time_s"]))
    say("search", f"{options['trials']} trials{limit}, drawn by {task.sampler}{stop}, compared on {judge}")


def _tally(told: list[Told], options: Mapping[str, Any]) -> str:  # Any: JSON values
    """How the trials ended, and how many the time was too short for."""
    counts = [(state, sum(one.state == state for one in told)) for state in ("complete", "pruned", "failed")]
    words = ", ".join(f"{count} {state}" for state, count in counts if count)
    left = options["trials"] - len(told)
    late = f"; the time was too short for {left} more" if left > 0 and options["time_s"] is not None else ""
    failed = next((f"; the first that failed: {one.reason}" for one in told if one.state == "failed"), "")
    return f"{words}, in {duration(sum(one.seconds for one in told))}{late}{failed}"
