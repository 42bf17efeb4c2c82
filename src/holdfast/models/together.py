"""Several training sessions: together where that is faster, and each ends as if it had been trained alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..callbacks import Progress
from ..data.memory import free_memory
from ..training.probe_stacked import ROOM, models_at_once
from ..training.stacked import Place, kind, train_stacked
from .fitting import Fitting


def trained(makers: Sequence[Callable[[], Fitting]], size: int = 0) -> Iterator[tuple[Fitting, float]]:
    """Makes sessions and trains them, those of one architecture together where a short trial finds that faster.

    Each has its own order of samples, dropout, optimizer and callbacks, and may stop when it wants to; its weights are
    those of a training alone, up to rounding.  Of several progress lines the first is shown.  No more sessions are held
    at a time than are trained together.

    Args:
        makers: of the sessions.
        size: how many are trained together; 0: the trial finds out.

    Yields:
        Each after its end, with its share of the seconds.

    Raises:
        NotReady: a model is being trained already.
    """
    left = list(makers)
    while left:
        began = time.perf_counter()
        sessions = [left.pop(0)()]
        size = size or at_once(sessions[0], len(left) + 1)
        sessions += [make() for make in left[: size - 1]]
        left = left[size - 1 :]
        for group in alike(sessions):
            _run(group)
        share = (time.perf_counter() - began) / len(sessions)
        while sessions:
            yield sessions.pop(0), share


def at_once(session: Fitting, count: int) -> int:
    """How many of so many sessions like this one should be trained together."""
    if session.team is not None:
        return 1
    steps = len(session.batches) * (session.epochs - session.first)
    found = models_at_once(session.state, session.program, session.batches, models=count, steps=steps)
    held = sum(x.numel() * x.element_size() for x in session.batches.data.inputs if not session.batches.lazy)
    free = free_memory()
    return found if free is None or not held else max(1, min(found, int(ROOM * free / held)))


def alike(sessions: Sequence[Fitting]) -> list[list[Fitting]]:
    """The sessions in groups that may be trained together."""
    groups: dict[object, list[Fitting]] = {}
    for session in sessions:
        found = kind(session.state, session.program)
        groups.setdefault(id(session) if found is None or session.team else found, []).append(session)
    return list(groups.values())


def _run(sessions: Sequence[Fitting]) -> None:
    """Trains sessions that may be trained together; a single one as ever."""
    if len(sessions) == 1:
        sessions[0].run()
        return
    places = [Place(session.state, session.program, session.batches) for session in sessions]
    events = []
    for number, (session, place) in enumerate(zip(sessions, places, strict=True)):
        callbacks = [one for one in session.callbacks if number == 0 or not isinstance(one, Progress)]
        events.append(replace(session, callbacks=(place.listener(callbacks),)).events(place))
    for _ in train_stacked(places, events):
        pass
