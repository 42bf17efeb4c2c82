"""Training beside a running event loop."""

import asyncio
import contextlib
import copy
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from holdfast.callbacks import History
from holdfast.core import BadShape, NotReady
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
    """Of ours; but for those that decode and fetch, which stay for as long as the process does."""
    ours = [thread.name for thread in threading.enumerate() if thread.name.startswith("holdfast")]
    return [name for name in ours if not name.startswith(("holdfast-decode", "holdfast-fetch"))]


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


def test_two_fits_of_one_model_at_a_time_are_refused_which_used_to_break_the_gradients_of_the_first() -> None:
    model, alone = net(), net()
    began = asyncio.Event()

    async def first() -> list[Event]:
        events = []
        async for event in model.train_async(X, Y, epochs=3, batch_size=8, verbose=0):
            events.append(event)
            if len(events) == 5:  # in the middle of an epoch
                began.set()
                await asyncio.sleep(0.02)
        return events

    async def second() -> None:
        await began.wait()
        await model.fit_async(X, Y, verbose=0)

    async def main() -> list[list[Event] | BaseException | None]:
        return list(await asyncio.gather(first(), second(), return_exceptions=True))

    events, refusal = asyncio.run(main())

    assert isinstance(refusal, NotReady)
    assert str(refusal) == "this model is being trained already; wait for the end, or train a copy."
    expected = alone.fit(X, Y, epochs=3, batch_size=8, verbose=0)
    assert isinstance(events, list)
    assert isinstance(events[-1], End)
    assert model.history is not None
    assert model.history.history == expected.history


def test_of_two_fits_that_begin_together_one_is_trained() -> None:
    model, refused = net(), threading.Event()

    def wait(event: Event) -> None:
        if isinstance(event, Begin):
            assert refused.wait(10)

    async def one() -> type[History | NotReady]:
        try:
            return type(await model.fit_async(X, Y, callbacks=wait, verbose=0))
        except NotReady as error:
            refused.set()
            return type(error)

    async def main() -> set[type[History | NotReady]]:
        return set(await asyncio.gather(one(), one()))

    assert asyncio.run(main()) == {History, NotReady}


def test_a_model_can_be_trained_again_after_a_failure_and_so_can_its_copy() -> None:
    model = net()
    copies = []

    def fail(event: Event) -> None:
        if isinstance(event, StepEnd):
            copies.append(copy.deepcopy(model))
            raise RuntimeError("as planned")

    with pytest.raises(RuntimeError, match="as planned"):
        model.fit(X, Y, callbacks=fail, verbose=0)

    for one in (model, copies[0]):
        one.fit(X, Y, verbose=0)


def test_a_callback_cannot_train_the_model_that_it_listens_to() -> None:
    model = net()

    def again(event: Event) -> None:
        model.fit(X, Y, verbose=0)

    with pytest.raises(NotReady, match=r"^this model is being trained already; "):
        model.fit(X, Y, callbacks=again, verbose=0)
