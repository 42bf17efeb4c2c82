"""Listening: every callback hears every event, the first Stop ends them, and the End reaches all whatever happened."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core import BadValue
from holdfast.data import Batches
from holdfast.training import (
    SGD,
    Begin,
    Callback,
    End,
    EpochEnd,
    Event,
    Program,
    State,
    StepEnd,
    Stop,
    fit,
    hear,
    listen,
    load_checkpoint,
    save_checkpoint,
    train,
)
from training.nets import points, scale, squared

PROGRAM = squared(SGD(0.1))


def data() -> Batches:
    """Two steps an epoch."""
    return points([1, 2, 3], [0, 0, 0])


def training(state: State | None = None, *, epochs: int = 3) -> Iterator[Event]:
    return train(state or State.start(scale(), PROGRAM), PROGRAM, data(), epochs=epochs)


class Listener:
    """Writes down what it hears, and may do something at an event of some kind and epoch."""

    def __init__(self, at: str = "", do: Callable[[], Stop | None] = lambda: None) -> None:
        self.heard: list[str] = []
        self.end: End | None = None
        self.at, self.do = at, do

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                line = "begin"
            case StepEnd(epoch=epoch, step=step):
                line = f"step {epoch}.{step}"
            case EpochEnd(epoch=epoch):
                line = f"epoch {epoch}"
            case _:
                line = "end"
        self.heard.append(line)
        if isinstance(event, End):
            self.end = event
        return self.do() if line == self.at else None

    @property
    def stop(self) -> Stop | None:
        assert self.end is not None
        return self.end.stop


def stopping(at: str, reason: str = "enough") -> Listener:
    return Listener(at, lambda: Stop(reason))


def raising(at: str, error: BaseException) -> Listener:
    def fail() -> None:
        raise error

    return Listener(at, fail)


def test_every_callback_hears_everything_in_order_and_the_end_last() -> None:
    one, other = Listener(), Listener()

    stop = fit(training(epochs=2), [one, other])

    assert stop is None
    assert one.stop is None
    assert one.heard == other.heard
    assert one.heard == ["begin", "step 0.1", "step 0.2", "epoch 0", "step 1.1", "step 1.2", "epoch 1", "end"]


def test_an_event_is_heard_in_the_order_of_the_callbacks() -> None:
    order: list[str] = []

    def named(name: str) -> Callback:
        def note(event: Event, /) -> Stop | None:
            order.append(f"{name} {type(event).__name__}")
            return None

        return note

    fit(training(epochs=0), [named("a"), named("b")])

    assert order == ["a Begin", "b Begin", "a End", "b End"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_stopping_does_not_keep_later_callbacks_from_the_last_epoch(place: int) -> None:
    """The first classic mistake: where stopping was an exception, callbacks after it missed the last epoch."""
    callbacks = [Listener(), Listener()]
    callbacks.insert(place, stopping("epoch 1"))

    stop = fit(training(epochs=9), callbacks)

    assert stop == Stop("enough")
    assert [callback.heard[-3:] for callback in callbacks] == [["step 1.2", "epoch 1", "end"]] * 3


def test_a_checkpoint_taken_at_the_end_of_an_epoch_repeats_none(tmp_path: Path) -> None:
    """The second classic mistake: where the counter was raised after the event, that epoch came again."""
    state, resumed = (State.start(scale(), PROGRAM) for _ in range(2))

    def save(event: Event, /) -> Stop | None:
        if isinstance(event, EpochEnd):
            save_checkpoint(tmp_path / f"{event.epoch}.safetensors", event.state)
        return None

    fit(training(state), [save])
    load_checkpoint(tmp_path / "0.safetensors", resumed, PROGRAM)
    again = Listener()
    fit(training(resumed), [again])

    assert [line for line in again.heard if line.startswith("epoch")] == ["epoch 1", "epoch 2"]
    assert resumed.step == state.step == 6


def test_the_first_stop_of_an_event_is_the_reason() -> None:
    stop = fit(training(), [Listener(), stopping("epoch 0", "first"), stopping("epoch 0", "second")])

    assert stop == Stop("first")


@pytest.mark.parametrize(
    ("at", "steps", "epochs"), [("begin", 0, 0), ("step 0.1", 1, 0), ("epoch 0", 2, 1), ("step 1.2", 4, 1)]
)
def test_a_stop_ends_training_at_any_event(at: str, steps: int, epochs: int) -> None:
    state = State.start(scale(), PROGRAM)
    other = Listener()

    stop = fit(training(state), [stopping(at), other])

    assert stop == other.stop == Stop("enough")
    assert other.heard[-2:] == [at, "end"]
    assert (state.step, state.epoch) == (steps, epochs)


def test_a_stop_after_the_last_epoch_is_told_too() -> None:
    assert fit(training(epochs=1), [stopping("epoch 0")]) == Stop("enough")


def test_an_answer_to_the_end_changes_nothing() -> None:
    other = Listener()

    stop = fit(training(epochs=1), [stopping("end"), other])

    assert stop is None
    assert other.heard.count("end") == 1


def test_at_the_end_the_model_is_in_evaluation_mode_and_the_state_complete() -> None:
    seen: list[tuple[bool, int]] = []

    def look(event: Event, /) -> Stop | None:
        if isinstance(event, End):
            seen.append((event.state.model.training, event.state.step))
        return None

    fit(training(), [stopping("step 1.1"), look])

    assert seen == [(False, 3)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RuntimeError("the disk is on fire"), "failed: the disk is on fire"), (KeyboardInterrupt(), "interrupted")],
    ids=["exception", "interrupt"],
)
@pytest.mark.parametrize("at", ["begin", "step 0.2", "epoch 1"])
def test_the_end_is_heard_when_a_callback_raises(at: str, error: BaseException, reason: str) -> None:
    callbacks = [Listener(), raising(at, error), Listener()]

    with pytest.raises(type(error)) as caught:
        fit(training(), callbacks)

    assert caught.value is error
    assert [callback.heard[-1] for callback in callbacks] == ["end"] * 3
    assert [callback.heard.count("end") for callback in callbacks] == [1] * 3
    assert [callback.stop for callback in callbacks] == [Stop(reason)] * 3
    assert at in callbacks[0].heard
    assert at not in callbacks[2].heard


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RuntimeError("out of memory"), "failed: out of memory"), (KeyboardInterrupt(), "interrupted")],
)
def test_the_end_is_heard_when_training_itself_fails(error: BaseException, reason: str) -> None:
    state = State.start(scale(), PROGRAM)

    def fail(*_: Any) -> None:  # Any: a hook's arguments
        if state.step == 3:
            raise error

    state.model.register_forward_hook(fail)
    listener = Listener()

    with pytest.raises(type(error)):
        fit(training(state), [listener])

    assert listener.heard[-2:] == ["step 1.1", "end"]
    assert listener.stop == Stop(reason)
    assert not state.model.training


def test_a_callback_that_fails_at_the_end_does_not_keep_the_others_from_it() -> None:
    callbacks = [Listener(), raising("end", RuntimeError("cannot close")), Listener()]

    with pytest.raises(RuntimeError, match="cannot close"):
        fit(training(), callbacks)

    assert [callback.heard[-1] for callback in callbacks] == ["end"] * 3


def test_of_two_failures_the_later_names_the_earlier_as_its_context() -> None:
    """The earlier used to be lost: an ExitStack cut it off."""
    callbacks = [raising("epoch 0", RuntimeError("first")), raising("end", ValueError("second"))]

    with pytest.raises(ValueError, match="second") as caught:
        fit(training(), callbacks)

    assert isinstance(caught.value.__context__, RuntimeError)


def test_leaving_the_loop_stops_training_and_tells_the_end() -> None:
    state, listener = State.start(scale(), PROGRAM), Listener()
    events: Any = listen(training(state), [listener])

    for event in events:
        if isinstance(event, StepEnd):
            break
    events.close()

    assert listener.heard == ["begin", "step 0.1", "end"]
    assert listener.stop == Stop("interrupted")
    assert not state.model.training


def test_who_iterates_gets_each_event_after_all_callbacks_heard_it_and_the_end_last() -> None:
    listener = Listener()

    counts = [len(listener.heard) for _ in listen(training(epochs=1), [listener])]

    assert counts == [1, 2, 3, 4, 5]


def test_the_end_is_the_last_event_of_listen() -> None:
    *_, last = listen(training(), [stopping("epoch 1")])

    assert isinstance(last, End)
    assert last.stop == Stop("enough")


def test_where_nothing_began_nothing_ends() -> None:
    listener = Listener()

    assert fit(iter([]), [listener]) is None
    assert listener.heard == []


def test_without_listeners_training_still_runs() -> None:
    state = State.start(scale(), PROGRAM)

    fit(training(state), [])

    assert (state.step, state.epoch) == (6, 3)


def test_a_rate_that_a_callback_sets_holds_from_the_next_step() -> None:
    program: Program = squared(SGD(0.0))
    state = State.start(scale(), program)
    rates: list[float] = []

    def set_rate(event: Event, /) -> Stop | None:
        if isinstance(event, EpochEnd):
            rates.append(event.logs["learning_rate"])
            event.state.learning_rate = 0.5
        return None

    # The gradient of (w * 1)² is 2 w: at the rate 0 nothing moves, at 0.5 the weight becomes 0.
    fit(train(state, program, points([1], [0]), epochs=2), [set_rate])

    assert rates == [0.0, 0.5]
    assert state.model.get_parameter("weight").item() == 0.0


def test_an_answer_that_is_no_stop_is_refused() -> None:
    """`callbacks=[lambda event: True]` used to end training at its beginning, without a word."""
    program = squared()
    state = State.start(scale(), program)

    with pytest.raises(
        BadValue, match=r"^callback .*<lambda>: returned True; return holdfast\.training\.Stop\(reason\) or None\.$"
    ):
        fit(train(state, program, points([1], [0]), epochs=1), [lambda event: True])  # type: ignore[list-item]  # the mistake under test


def test_the_first_stop_counts_and_all_hear() -> None:
    program, heard = squared(), list[str]()
    begin = next(train(State.start(scale(), program), program, points([1], [0]), epochs=1))

    def stops(name: str) -> Callback:
        def callback(event: Event) -> Stop | None:
            heard.append(name)
            return Stop(name)

        return callback

    assert hear(begin, [stops("one"), stops("two")]) == Stop("one")
    assert heard == ["one", "two"]
