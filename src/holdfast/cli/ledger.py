"""`holdfast ledger`."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from .app import app
from .options import Out

if TYPE_CHECKING:
    from ..evaluate.account import DataAccount, Looked, Opened, Opening


@app.command()
def ledger(out: Out = Path("runs")) -> None:
    """Say what was looked at, and what it cost the scores.

    A model or an epoch that is chosen because it scored best on some samples scores better there than it will on
    others: part of its lead was luck, and the more looks, the more luck.  For each part that was looked at, this shows
    who looked and why, the best score that was seen, and what is left of it without the luck.  The best of k equally
    good models is expected to score some standard errors above them all; these are taken off (k: those whose scores
    lie so close that chance could have put any of them first).

    The test part stays out of all choices until `holdfast evaluate RUN --unseal`.  The first score it gives is told.
    A later one is told only when it beats the last one told by more than the standard error of the difference (the
    Ladder of Blum & Hardt 2015), for by asking often enough anybody can climb any test.
    """
    from ..evaluate.account import account
    from ..runs.run import existing_ledger

    with existing_ledger(out) as opened:
        accounts = account(opened)
    if not accounts:
        print("no runs yet; try: holdfast train digits")
    for place, data in enumerate(accounts):
        print("\n" * (place > 0) + "\n".join(_lines(data)))


def _lines(data: "DataAccount") -> list[str]:
    """A data set."""
    from ..runs.lines import counted

    size = f"{counted(data.n, 'sample')} of {data.classes} classes, " if data.n else ""
    lines = [f"{data.name}: {size}{counted(data.runs, 'run')}"]
    for looked in data.looked:
        lines += ["", *_looked(looked)]
    for opened in data.opened:
        lines += ["", *_opened(opened)]
    return lines if len(lines) > 1 else [*lines, "", "  never looked at; the test part is sealed"]


def _looked(part: "Looked") -> list[str]:
    """A part that was looked at while choosing."""
    from ..evaluate.score import percent
    from ..runs.lines import counted

    total = sum(count for count, _ in part.looks.values())
    lines = [f"  {_named(part.part, part.fingerprint, part.n)}, looked at {_times(total)}"]
    for purpose, (count, runs) in part.looks.items():
        lines.append(f"    {purpose:<16} {counted(count, 'look')} by {counted(runs, 'run')}")
    if part.best is None:
        return lines
    run, best = part.best
    among = f", the best of {len(part.scores)}" if len(part.scores) > 1 else ""
    lines.append(f"    {'best seen':<16} {percent(best)}, {run}{among}")
    if part.n and part.optimism is not None:
        n = part.n if part.part == "validation" else None  # over folds the run's own interval holds, see its report
        points = round(100 * part.optimism, 1)
        why = f"{points} points of luck in choosing taken off" if points else _nothing_off(len(part.scores))
        lines.append(f"    {'without the luck':<16} {_share(best - part.optimism, n)}, {why}")
    return lines


def _nothing_off(candidates: int) -> str:
    if candidates == 1:
        return "the same: nothing was chosen"
    return "the same: no two scores lie so close that luck decides"


def _opened(part: "Opened") -> list[str]:
    """A test part that was opened."""
    lines = [f"  {_named('test', part.fingerprint, part.n)}, opened {_times(len(part.openings))}"]
    width, number = max(len(opening.run) for opening in part.openings), 1
    for (run, came), openings in groupby(part.openings, lambda each: (each.run, _came(each, part.n))):
        first, *more = openings
        numbers = f"{number} to {number + len(more)}" if more else f"{number}"
        lines.append(f"    {numbers:<8} {first.at:%Y-%m-%d %H:%M} UTC  {run:<{width}}  {came}")
        number += 1 + len(more)
    return lines


def _came(opening: "Opening", n: int | None) -> str:
    """What came of an opening."""
    if opening.sealed:
        return "stays sealed: not clearly better"
    return "no score was written down" if opening.told is None else f"told {_share(opening.told, n)}"


def _named(part: str, fingerprint: str, n: int | None) -> str:
    return f"{part} {fingerprint[:8]}{f', n={n:,}' if n else ''}"


def _share(share: float, n: int | None) -> str:
    """With its interval, where it is known of how many samples."""
    from ..evaluate import wilson
    from ..evaluate.score import percent

    if not n:
        return percent(share)
    low, high = wilson(share * n, n)
    return f"{percent(share)} [{100 * low:.1f}, {100 * high:.1f}]"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
