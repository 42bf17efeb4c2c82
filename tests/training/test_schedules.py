"""Schedules against real Keras (tests/golden/optimizers.npz) and by hand."""

from typing import Any

import pytest
import torch

from holdfast.core import BadValue
from holdfast.training import (
    SGD,
    Constant,
    CosineDecay,
    ExponentialDecay,
    OneCycle,
    PiecewiseConstantDecay,
    Schedule,
    State,
    StepEnd,
    train,
)
from holdfast.training.schedules import schedules
from training.nets import events, golden_arrays, golden_texts, logs, points, scale, squared

CASES: dict[str, dict[str, Any]] = golden_texts("optimizers")["schedules"]  # Any: JSON values
GOLDEN = golden_arrays("optimizers")


def rates(schedule: Schedule, begin: int, end: int) -> list[float]:
    return [schedule(step, begin, end) for step in range(begin, end)]


@pytest.mark.parametrize("name", list(CASES))
def test_rates_are_keras_s(name: str) -> None:
    schedule = schedules.make(CASES[name], Schedule)  # type: ignore[type-abstract]  # only asked about

    found = torch.tensor([schedule(step) for step in range(16)])

    torch.testing.assert_close(found, GOLDEN[f"schedules/{name}"], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", list(CASES))
def test_schedules_that_keras_has_count_all_steps_whatever_the_fit(name: str) -> None:
    schedule = schedules.make(CASES[name], Schedule)  # type: ignore[type-abstract]  # only asked about

    assert schedule(5, begin=4, end=8) == schedule(5)


def test_a_cosine_without_steps_spans_the_fit() -> None:
    found = rates(CosineDecay(2.0), begin=10, end=14)

    assert found == pytest.approx([2.0, 1 + 0.5**0.5, 1.0, 1 - 0.5**0.5])


def test_a_cosine_that_spans_the_fit_warms_up_first() -> None:
    found = rates(CosineDecay(0.0, warmup_target=1.0, warmup_steps=2, alpha=0.5), begin=10, end=14)

    assert found == pytest.approx([0.0, 0.5, 1.0, 0.75])


def test_beyond_its_end_a_cosine_stays_at_alpha() -> None:
    assert CosineDecay(2.0, 4, alpha=0.25)(100) == pytest.approx(0.5)


def test_one_cycle_goes_up_and_down_within_the_fit() -> None:
    schedule = OneCycle(1.0, warmup=0.5, start_factor=0.2, end_factor=0.1)

    found = rates(schedule, begin=20, end=25)

    assert found == pytest.approx([0.2, 0.2 + 0.8 / 2, 1.0, 0.1 + 0.9 / 2, 0.1])
    assert schedule(99, 20, 25) == pytest.approx(0.1)


def test_one_cycle_without_warmup_begins_at_the_top() -> None:
    assert rates(OneCycle(3.0, warmup=0.0, end_factor=0.0), begin=0, end=3) == pytest.approx([3.0, 1.5, 0.0])


def test_one_cycle_s_defaults_begin_at_a_25th_and_end_at_next_to_nothing() -> None:
    found = rates(OneCycle(1.0), begin=0, end=101)

    assert found[0] == pytest.approx(1 / 25)
    assert found[25] == max(found) == 1.0
    assert found[-1] == pytest.approx(1e-4)


def test_a_cycle_of_one_step_has_a_rate() -> None:
    assert OneCycle(1.0)(0, 0, 1) == pytest.approx(1 / 25)


def test_exponential_decay_halves_every_two_steps() -> None:
    assert rates(ExponentialDecay(8.0, 2, 0.5), 0, 5) == pytest.approx([8, 8 * 0.5**0.5, 4, 4 * 0.5**0.5, 2])
    assert rates(ExponentialDecay(8.0, 2, 0.5, staircase=True), 0, 5) == [8, 8, 4, 4, 2]


def test_pieces_change_after_their_boundary() -> None:
    assert rates(PiecewiseConstantDecay([1, 3], [3.0, 2.0, 1.0]), 0, 6) == [3, 3, 2, 2, 1, 1]


def test_a_training_takes_each_step_with_its_rate_and_logs_the_last() -> None:
    program = squared(SGD(OneCycle(1.0, warmup=0.5, start_factor=0.2, end_factor=0.0)))
    state = State.start(scale(), program)

    seen = [
        (type(event).__name__, state.learning_rate)
        for event in train(state, program, points([1, 2, 3], [0, 0, 0], batch_size=1), epochs=2)
        if isinstance(event, StepEnd)
    ]

    assert [rate for _, rate in seen] == pytest.approx([0.2, 0.476, 0.924, 0.9045, 0.3455, 0.0], abs=1e-3)


def test_the_rate_in_the_logs_is_that_of_the_epoch_s_last_step() -> None:
    program = squared(SGD(ExponentialDecay(8.0, 1, 0.5)))

    seen = logs(events(State.start(scale(), program), program, points([0, 0], [0, 0], batch_size=1), epochs=2))

    assert [log["learning_rate"] for log in seen] == [4.0, 1.0]


def test_a_second_fit_has_a_cycle_of_its_own() -> None:
    program = squared(SGD(CosineDecay(1.0)))
    state, batches = State.start(scale(), program), points([0, 0], [0, 0], batch_size=1)
    events(state, program, batches, epochs=1)

    state.begin = state.step
    found = [state.learning_rate for event in train(state, program, batches, epochs=2) if isinstance(event, StepEnd)]

    assert found == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize("name", ["CosineDecay", "cosineDecay", "cosine_decay", "cosine"])
def test_schedules_are_found_by_name(name: str) -> None:
    assert schedules[name] is CosineDecay


def test_a_constant_stays() -> None:
    assert rates(Constant(0.3), 0, 3) == [0.3] * 3


def test_settings_that_make_no_sense_are_named() -> None:
    with pytest.raises(BadValue, match=r"^CosineDecay\(decay_steps=0\): must be positive\.$"):
        CosineDecay(1.0, 0)
    with pytest.raises(BadValue, match=r"^ExponentialDecay\(decay_steps=-1\): must be positive\.$"):
        ExponentialDecay(1.0, -1, 0.5)
    with pytest.raises(BadValue, match=r"^OneCycle\(max_learning_rate=0\): must be positive\.$"):
        OneCycle(0)
    with pytest.raises(BadValue, match=r"^OneCycle\(warmup=1\): must be at least 0 and less than 1\.$"):
        OneCycle(1.0, warmup=1)
    with pytest.raises(BadValue, match=r"^PiecewiseConstantDecay: 1 boundaries need 2 values, got 3"):
        PiecewiseConstantDecay([1], [1, 2, 3])
