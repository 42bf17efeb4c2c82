"""What comes out of a search: the best trial with its honest score, what mattered, the winner as a run, the report."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BadValue, whole_file
from ..data import Dataset
from ..evaluate import Chosen, Score, bbc
from ..evaluate.score import PartName
from ..evaluate.selection import optimism
from ..runs import Run
from ..runs.lines import Say, counted, quoted
from ..runs.predictions import Predictions
from ..runs.record import Record
from ..runs.run import REPORT, REPORT_JSON
from ..runs.searched import ANSWERS, Policy, Searched
from ..runs.write import write_text
from .candidate import READING, whole_values
from .influence import Influence, in_order, influences
from .nested import Nested, nested_score
from .page import page
from .space import Space, Value, write_values
from .study import Desk
from .task import Told
from .winner import check_refit, is_usual, near, train_winner
from .words import region_words, usual_words, values_words

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

BEST, TRIALS = "best.toml", "trials.csv"


@dataclass(frozen=True, eq=False)
class Search:
    """What a search found.

    Attributes:
        folder: where it is kept, with report.html, best.toml and trials.csv.
        record: what its run.json holds.
        trials: all that were begun, by number.
        best: the one with the best accuracy, ties by log-loss.
        score: its accuracy without the luck of being the best of all that came to their end (BBC-CV).
        nested: what the whole way of searching is worth, by nested cross-validation, where that was asked for.
        searched: the dimensions, as Optuna has them.
        influences: what each dimension did, the most important first; empty where too few trials tell.
        region: where the best trials lie, as a sentence.
        run: the winner, trained anew; None where that was not asked for.
        usual: the trial that is what `train` does by itself; None where none is, or it did not come to its end.
    """

    folder: Path
    record: Record
    trials: tuple[Told, ...]
    best: Told
    score: Score
    nested: Nested | None
    searched: "Mapping[str, BaseDistribution]"
    influences: tuple[Influence, ...]
    region: str
    run: Run | None
    usual: Told | None = None

    @property
    def values(self) -> dict[str, Value]:
        """Of the best trial."""
        return self.best.values

    @property
    def complete(self) -> int:
        """Trials that came to their end, which the best was chosen from."""
        return sum(one.state == "complete" for one in self.trials)

    @classmethod
    def load(cls, folder: str | Path) -> "Search":
        """A finished search as it was concluded; nothing is computed.

        Raises:
            BadFile: no search there.
            BadValue: something else than a search, or one that has not finished.
        """
        from optuna.distributions import json_to_distribution

        folder = Path(folder)
        record = Record.read(folder)
        check_search(record, folder)
        if record.status != "finished":
            raise BadValue(
                f"{folder}: this search has not finished; go on with: holdfast tune --resume {quoted(folder)}"
            )
        told, winner = record.scores["tune"], record.scores.get("winner")
        trials = tuple(map(Told.of, told["trials"]))
        found = tuple(
            Influence(**(row | {"interval": tuple(row["interval"]), "region": tuple(row["region"])}))
            for row in told["influences"]
        )
        numbered = {one.number: one for one in trials}
        best, usual = numbered[told["best"]], numbered.get(told["usual"])
        searched = {name: json_to_distribution(one) for name, one in told["searched"].items()}
        nested = Nested.of(record.scores.get("nested"))
        run = Run.load(folder.parent / winner) if winner else None
        score = Score.from_dict(told["score"])
        return cls(folder, record, trials, best, score, nested, searched, found, told["region"], run, usual)

    def __str__(self) -> str:
        return f"{self.folder}: {score_words(self)}"


def check_search(record: Record, folder: Path) -> None:
    """Raises BadValue for a folder that holds something else."""
    if record.kind != "tune":
        more = f"; go on with: holdfast train --resume {quoted(folder)}" if record.kind == "run" else ""
        raise BadValue(f"{folder}: is no search{more}; a search has a folder such as runs/digits-tune-001.")


def conclude(
    desk: Desk, record: Record, told: Sequence[Told], data: Dataset, say: Say, refit: str | None = "auto"
) -> Search:
    """Judges the best trial, trains the winner, and writes what was found.  May be called again after a kill.

    Args:
        desk: the open books of the search.
        record: of the search; its scores are filled in.
        told: all trials that have ended.
        data: with its sealed test part.
        say: told the score and the rest, line by line.
        refit: "same": the winner is trained as its trial was; "all": on train and validation; None: not at all;
            "auto": "all" with folds, else "same".

    Raises:
        BadValue: no trial came to its end.
    """
    task = desk.task
    policy = check_refit(refit, task.cv)
    told = tuple(sorted(told, key=lambda one: one.number))
    best, score = judged(desk, told)
    searched: dict[str, BaseDistribution] = {
        name: drawn for one in desk.trials() for name, drawn in one.distributions.items()
    }
    found = influences(told, searched, seed=task.seed)
    region = region_words(told, searched, found, score.n)
    values = best.values
    if isinstance(task.space, Space):
        values = _reading(data) | whole_values(values, task.model, task.how)
    usual = told[0] if told[0].state == "complete" and is_usual(task, told[0]) else None
    search = Search(near(task.folder), record, told, best, score, None, searched, found, region, None, usual)
    _write(search, values)
    say("best", f"trial {best.number}: {values_words(best.values)}")
    say("region", region)
    if words := usual_words(usual, best, score):
        say("defaults", words)
    if record.search.get("nested"):
        search = replace(search, nested=nested_score(task, record, data, desk.ledger, say))
    if policy is not None:
        run = train_winner(desk, record, best, _searched(search, policy), data, say)
        search = replace(search, run=run)
    _write(search, values)
    say("search", score_words(search))
    if search.nested is not None:
        total = search.nested.score
        say("nested", f"accuracy {total.text} n={total.n:,}, of this way of searching, on samples no search has seen")
    use = f" · train on: --config {search.folder / BEST}" if isinstance(task.space, Space) else ""
    say("saved", f"{search.folder} · report: {search.folder / REPORT}{use}")
    return search


def _reading(data: Dataset) -> dict[str, Value]:
    """How the data was read where that was told, as far as it has words: other pictures would train another model."""
    told = {name: data.origin.get(name) for name in READING}
    return {name: value for name, value in told.items() if isinstance(value, (int, str))}


def judged(desk: Desk, told: Sequence[Told]) -> tuple[Told, Score]:
    """The best trial, and its accuracy without the luck of being the best.

    Only trials with answers for all samples can be the best, so only they are candidates.  A pruned one had lost by
    its early answers, which would never be the best of a bootstrap sample either; so these are not kept.

    Raises:
        BadValue: no trial came to its end.
    """
    task, ended = desk.task, [one for one in in_order(told) if one.state == "complete"]
    if not ended:
        why = next((f"; trial {one.number}: {one.reason}" for one in told if one.state == "failed"), "")
        raise BadValue(f"{task.folder}: none of {counted(len(told), 'trial')} came to its end{why}")
    best = ended[0]
    answers = [Predictions.read(task.trial_folder(one.number) / ANSWERS) for one in ended]
    part, fingerprint, groups = _judges(desk)
    chosen = bbc(np.stack([one.right for one in answers]), groups=groups, seed=task.seed)
    luck = max(0.0, optimism(best.seen, chosen.n) - max(0.0, max(best.seen) - chosen.naive)) if best.seen else 0.0
    return best, _without(chosen, luck, part, desk.ledger.looks(fingerprint))


def _judges(desk: Desk) -> tuple[PartName, str, Any]:  # Any: an array of group numbers, or None
    """The part that judges the trials, its fingerprint, and what of it belongs together."""
    if desk.task.cv is None:
        part = desk.task.data.validation
        return "validation", part.fingerprint, _several(part.groups)
    pool = desk.pool
    return "out-of-fold", pool.fingerprint, _several(None if pool.groups is None else pool.groups[desk.judged])


def _several(groups: Any) -> Any:  # Any: as above
    """The groups, where there are enough to draw from."""
    return groups if groups is not None and len(np.unique(groups)) > 1 else None


def _without(chosen: Chosen, luck: float, part: PartName, looks: int) -> Score:
    """The score, also without the luck of the epoch that was kept."""
    value = max(0.0, min(chosen.value, chosen.naive) - luck)
    low, high = (min(1.0, max(0.0, end - luck)) for end in chosen.interval)
    return Score("accuracy", value, (low, max(high, value)), chosen.n, part, looks, chosen.naive - value)


def _searched(search: Search, policy: Policy) -> Searched:
    """What the winner's run says of the search."""
    score = search.score
    return Searched(
        search=search.folder.name,
        trial=search.best.number,
        values=search.best.values,
        policy=policy,
        part=score.part,
        value=score.value,
        interval=score.interval,
        naive=score.naive,
        n=score.n,
        candidates=search.complete,
        trials=len(search.trials),
        built=search.record.search["space"] is None,
        nested=None if search.nested is None else search.nested.score,
    )


def score_words(search: Search) -> str:
    """`accuracy 95.1 % [92.0, 97.1] n=270 on validation, without the luck of ... (seen: 96.3 %)`."""
    score = search.score
    pruned = sum(one.state == "pruned" for one in search.trials)
    were = "was" if pruned == 1 else "were"
    also = f"; {counted(pruned, 'pruned trial')} {were} looked at, too, and had lost by then" if pruned else ""
    ended = f"{search.complete:,} trials that came to their end" if search.complete > 1 else "one"
    return (
        f"accuracy {score.text} n={score.n:,} {score.where}, without the luck of being the best of {ended} "
        f"(seen: {100 * score.naive:.1f} %){also}"
    )


def _write(search: Search, values: Mapping[str, Value]) -> None:
    """Writes best.toml, trials.csv, the report and its numbers; fills in the record.

    Args:
        search: what was found.
        values: of the winner, with what else it was trained with, so that they train by themselves.
    """
    from optuna.distributions import distribution_to_json

    record = search.record
    told = {
        "score": asdict(search.score),
        "best": search.best.number,
        "usual": None if search.usual is None else search.usual.number,
        "values": search.best.values,
        "complete": search.complete,
        "region": search.region,
        "sentence": score_words(search),
        "searched": {name: distribution_to_json(one) for name, one in search.searched.items()},
        "influences": [asdict(one) for one in search.influences],
        "trials": [asdict(one) for one in search.trials],
    }
    record.scores["tune"] = told
    comment = f"trial {search.best.number} of {search.folder.name}: {score_words(search)}"
    write_values(search.folder / BEST, values, comment)
    _write_trials(search.folder / TRIALS, search.trials)
    plain = {"schema": 1, "kind": "tune", "name": record.name, "winner": record.scores.get("winner")} | told
    plain["nested"] = record.scores.get("nested")
    write_text(search.folder / REPORT_JSON, json.dumps(plain, indent=1))
    write_text(search.folder / REPORT, page(search))


def _write_trials(path: Path, trials: Sequence[Told]) -> None:
    """trials.csv: a trial a row, a column for each dimension."""
    names = list(dict.fromkeys(name for one in trials for name in one.values))
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["trial", "state", "accuracy", "log_loss", "epochs", "seconds", "reason", *names])
        for one in trials:
            own = [one.number, one.state, one.value, one.log_loss, one.epochs, round(one.seconds, 3), one.reason]
            table.writerow([*own, *(one.values.get(name, "") for name in names)])
