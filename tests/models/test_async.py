"""Training beside a running event loop."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from holdfast.callbacks import History
from holdfast.core import BadShape
from holdfast.layers import Dense, Dropout, Input
from holdfast.models import Sequential
from holdfast.training import Begin, End, EpochEnd, Event, StepEnd, Stop

X = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
Y = np.arange(64) % 3


def net() -> Sequential:
    return Sequential([Input(6), Dense(8, "tanh"), Dropout(0.5), Dense(3, "softmax")])


def slow(seconds: float) -> Callable[[Event], None]:
    """A listener that takes its time over each step."""

    def listen(event: Event) -> None:
        if isinstance(event, StepEnd):
            time.sleep(seconds)

    return listen


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("holdfast")]


async def tick(gaps: list[float]) -> None:
    """Notes how long the event loop left it waiting."""
    before = time.perf_counter()
    while True:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - before)
        before = now


def test_fit_async_is_fit() -> None:
    model, expected = net(), net()

    history = asyncio.run(model.fit_async(X, Y, epochs=3, validation_split=0.25, verbose=0))
    by_hand = expected.fit(X, Y, epochs=3, validation_split=0.25, verbose=0)

    assert isinstance(history, History)
    assert history is model.history
    assert history.history == by_hand.history
    assert history.measured == by_hand.measured
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert threads() == []


def test_the_event_loop_stays_alive_while_a_step_takes_long() -> None:
    gaps: list[float] = []

    async def main() -> None:
        ticking = asyncio.create_task(tick(gaps))
        await net().fit_async(X, Y, epochs=1, batch_size=8, callbacks=[slow(0.05)], verbose=0)
        ticking.cancel()

    asyncio.run(main())

    # Eight steps of 50 ms would leave eight gaps of 50 ms if the loop were blocked.
    assert len(gaps) > 40
    assert sum(gap > 0.045 for gap in gaps) < 6


def test_events_come_in_their_order_and_end_with_the_end() -> None:
    async def main() -> list[Event]:
        return [event async for event in net().train_async(X, Y, epochs=2, batch_size=32, verbose=0)]

    events = asyncio.run(main())

    assert [type(event) for event in events] == [Begin, StepEnd, StepEnd, EpochEnd, StepEnd, StepEnd, EpochEnd, End]
    assert isinstance(events[-1], End)
    assert events[-1].stop is None


def test_leaving_the_loop_stops_the_training_and_closes_it() -> None:
    model, heard = net(), list[Event]()

    async def main() -> None:
        events = model.train_async(X, Y, epochs=1000, batch_size=8, callbacks=[heard.append], verbose=0)
        async with contextlib.aclosing(events):  # type: ignore[type-var]  # an async generator, whatever its name
            async for event in events:
                if isinstance(event, EpochEnd):
                    break

    asyncio.run(main())

    assert isinstance(heard[-1], End)
    assert heard[-1].stop == Stop("interrupted")
    assert model.history is not None
    assert len(model.history.epoch) == 1
    assert threads() == []
    assert not model.module.training
    model.fit(X, Y, verbose=0)  # and may go on


def test_a_break_alone_is_enough() -> None:
    model, heard = net(), list[Event]()

    async def main() -> None:
        async for event in model.train_async(X, Y, epochs=1000, callbacks=[heard.append], verbose=0):
            if isinstance(event, StepEnd):
                break

    asyncio.run(main())

    assert isinstance(heard[-1], End)
    assert sum(isinstance(event, StepEnd) for event in heard) == 1
    assert threads() == []


def test_cancelling_stops_after_the_step() -> None:
    model, heard = net(), list[Event]()

    async def main() -> None:
        job = asyncio.create_task(
            model.fit_async(X, Y, epochs=1000, batch_size=8, callbacks=[slow(0.01), heard.append], verbose=0)
        )
        await asyncio.sleep(0.15)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    began = time.perf_counter()
    asyncio.run(main())

    assert time.perf_counter() - began < 5
    assert isinstance(heard[-1], End)
    assert heard[-1].stop == Stop("interrupted")
    assert threads() == []


def test_the_event_loop_stays_alive_while_the_last_step_of_a_cancelled_training_ends() -> None:
    gaps: list[float] = []

    async def main() -> None:
        ticking = asyncio.create_task(tick(gaps))
        job = asyncio.create_task(net().fit_async(X, Y, callbacks=[slow(0.5)], verbose=0))
        await asyncio.sleep(0.2)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        ticking.cancel()

    asyncio.run(main())

    assert max(gaps) < 0.2
    assert threads() == []


def test_an_error_comes_out_where_it_is_awaited() -> None:
    with pytest.raises(BadShape, match=r"^x has 64 samples, y has 63\.$"):
        asyncio.run(net().fit_async(X, Y[:-1], verbose=0))

    def fail(event: Event) -> None:
        if isinstance(event, EpochEnd):
            raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match=r"^the disk is on fire$"):
        asyncio.run(net().fit_async(X, Y, callbacks=fail, verbose=0))
    assert threads() == []


def test_two_models_are_trained_side_by_side() -> None:
    models = [net(), net()]

    async def main() -> list[History]:
        return await asyncio.gather(*(model.fit_async(X, Y, epochs=2, verbose=0) for model in models))

    one, other = asyncio.run(main())

    assert one.history == other.history


def test_training_leaves_the_calling_thread_in_peace() -> None:
    seen: set[str] = set()

    asyncio.run(net().fit_async(X, Y, callbacks=lambda event: seen.add(threading.current_thread().name), verbose=0))

    assert all(name.startswith("holdfast-fit") for name in seen)
