"""The loop: which events come in which order, what is in the logs, and what it leaves alone."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast.core import BadShape, BadValue
from holdfast.data import Batch, Batches
from holdfast.layers import Dropout
from holdfast.metrics import Accuracy, MeanAbsoluteError, SparseCategoricalAccuracy
from holdfast.training import (
    SGD,
    Adam,
    Begin,
    EpochEnd,
    Event,
    Head,
    MeanSquaredError,
    Optimizer,
    Program,
    SparseCategoricalCrossentropy,
    State,
    StepEnd,
    evaluate,
    loop,
    predict,
    train,
)
from training.nets import column, events, logs, points, scale, squared


def start(program: Program, model: nn.Module | None = None) -> State:
    return State.start(model or scale(), program)


def told(event: Event) -> tuple[Any, ...]:
    """An event as a line that can be compared."""
    match event:
        case Begin(epoch=epoch, epochs=epochs, steps=steps, samples=samples):
            return "begin", epoch, epochs, steps, samples
        case StepEnd(epoch=epoch, step=step, samples=samples):
            return "step", epoch, step, samples
        case EpochEnd(epoch=epoch, samples=samples):
            return "epoch", epoch, samples
    raise AssertionError(event)


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_come_in_order() -> None:
    program = squared()

    happened = events(start(program), program, points([1, 2, 3], [0, 0, 0]), epochs=2)

    assert [told(event) for event in happened] == [
        ("begin", 0, 2, 2, 3),
        ("step", 0, 1, 2),
        ("step", 0, 2, 3),
        ("epoch", 0, 3),
        ("step", 1, 1, 2),
        ("step", 1, 2, 3),
        ("epoch", 1, 3),
    ]


def test_nothing_is_done_before_it_is_asked_for() -> None:
    program = squared(SGD(0.1))
    state = start(program)

    happened = train(state, program, points([1], [0]), epochs=1)
    next(happened)

    assert (state.step, state.model.get_parameter("weight").item()) == (0, 1.0)


def test_the_beginning_tells_how_often_validation_comes() -> None:
    program, batches = squared(), points([1], [0])

    without = events(start(program), program, batches, epochs=1)[0]
    every_third = events(start(program), program, batches, epochs=1, validation=batches, validation_freq=3)[0]

    assert isinstance(without, Begin)
    assert isinstance(every_third, Begin)
    assert (without.validation_freq, every_third.validation_freq) == (None, 3)


def test_labels_run_from_first_to_epochs() -> None:
    program = squared()
    state = start(program)

    happened = events(state, program, points([1], [0]), epochs=5, first=3)

    assert [told(event) for event in happened] == [
        ("begin", 3, 5, 1, 1),
        ("step", 3, 1, 1),
        ("epoch", 3, 1),
        ("step", 4, 1, 1),
        ("epoch", 4, 1),
    ]
    assert (state.epoch, state.step) == (2, 2)


def test_without_epochs_there_is_only_a_beginning() -> None:
    program = squared()

    happened = events(start(program), program, points([1], [0]), epochs=2, first=2)

    assert [told(event) for event in happened] == [("begin", 2, 2, 1, 1)]


def test_the_state_is_complete_at_every_event() -> None:
    program = squared()
    state = start(program)

    stood = [
        (type(event).__name__, state.step, state.epoch, state.batch)
        for event in train(state, program, points([1, 2, 3], [0, 0, 0]), epochs=2)
    ]

    assert stood == [
        ("Begin", 0, 0, 0),
        ("StepEnd", 1, 0, 1),
        ("StepEnd", 2, 0, 2),
        ("EpochEnd", 2, 1, 0),
        ("StepEnd", 3, 1, 1),
        ("StepEnd", 4, 1, 2),
        ("EpochEnd", 4, 2, 0),
    ]


def test_an_epoch_of_fewer_steps_than_a_pass_counts_its_own_samples() -> None:
    program = squared()

    happened = events(start(program), program, points([1] * 5, [0] * 5, steps=2), epochs=2)

    assert [event.samples for event in happened if isinstance(event, EpochEnd)] == [4, 3]  # 2 + 2, then 1 + 2


def test_the_running_loss_is_that_of_the_epoch_so_far() -> None:
    program = squared()
    steps = train(start(program), program, points([1, 2, 3], [0, 0, 0], batch_size=1), epochs=1)

    running = [event.running()["loss"] for event in steps if isinstance(event, StepEnd)]

    assert running == pytest.approx([1, (1 + 4) / 2, (1 + 4 + 9) / 3])


def test_the_time_of_an_epoch_is_without_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    program = squared()
    clock = iter(range(100))
    monkeypatch.setattr("holdfast.training.loop.time.perf_counter", lambda: float(next(clock)))
    data = points([1], [0])

    happened = events(start(program), program, data, epochs=1, validation=data, measured=data)

    assert [event.seconds for event in happened if isinstance(event, EpochEnd)] == [1.0]  # no look at the clock between


# --- logs -----------------------------------------------------------------------------------------------------------


def test_the_loss_of_an_epoch_weighs_a_smaller_last_batch_by_its_size() -> None:
    program = squared()

    (log,) = logs(events(start(program), program, points([1, 2, 3], [0, 0, 0]), epochs=1))

    assert log["loss"] == pytest.approx((1 + 4 + 9) / 3)  # the mean of the batches' means is ((1 + 4) / 2 + 9) / 2


def test_each_step_minimises_the_mean_over_its_own_batch() -> None:
    program = squared(SGD(0.5))
    state = start(program)

    # The gradient of the mean of (w x)² is 2 w mean(x²): 1 - 0.5 * 2 * (1 + 4) / 2 = -1.5, then -1.5 + 0.5 * 2 * 1.5.
    events(state, program, points([1, 2, 1], [0, 0, 0]), epochs=1)

    assert state.model.get_parameter("weight").item() == pytest.approx(0.0)


def test_sample_weights_multiply_and_the_sum_is_divided_by_the_number_of_samples() -> None:
    program = squared(SGD(0.5))
    state = start(program)
    data = Batch((column(1, 2),), (column(0, 0),), (torch.tensor([3.0, 0.5]),))

    (log,) = logs(events(state, program, Batches(data, batch_size=2), epochs=1))

    assert log["loss"] == pytest.approx((3 * 1 + 0.5 * 4) / 2)
    assert state.model.get_parameter("weight").item() == pytest.approx(1 - 0.5 * 2 * (3 * 1 + 0.5 * 4) / 2)


def test_metrics_do_without_weights_and_weighted_metrics_with_them() -> None:
    program = squared(metrics=(MeanAbsoluteError("mae"),), weighted_metrics=(MeanAbsoluteError("mae"),))
    data = Batch((column(1, 2),), (column(0, 0),), (torch.tensor([3.0, 1.0]),))

    (log,) = logs(events(start(program), program, Batches(data, batch_size=1), epochs=1))

    assert log["mae"] == pytest.approx((1 + 2) / 2)
    assert log["weighted_mae"] == pytest.approx((3 * 1 + 1 * 2) / 4)


def test_metrics_take_what_the_activation_makes_of_the_outputs() -> None:
    loss = SparseCategoricalCrossentropy(from_logits=True)
    program = Program(SGD(0.0), (Head(loss, metrics=(MeanAbsoluteError("mae"),), activation="softmax"),))
    data = Batch((torch.tensor([[math.log(3.0), 0.0]]),), (torch.tensor([[1.0, 0.0]]),))

    (log,) = logs(events(start(program, nn.Identity()), program, Batches(data, batch_size=1), epochs=1))

    assert log["mae"] == pytest.approx(0.25)
    assert log["loss"] == pytest.approx(math.log(4 / 3))


def test_penalties_are_in_the_loss_and_in_the_validation_loss() -> None:
    program = Program(
        SGD(0.0), (Head(MeanSquaredError()),), penalty=lambda model: 10 * model.get_parameter("weight").abs().sum()
    )
    data = points([1, 2, 3], [0, 0, 0])

    (log,) = logs(events(start(program), program, data, epochs=1, validation=data))

    assert log["loss"] == log["val_loss"] == pytest.approx(14 / 3 + 10)


def test_penalties_are_minimised() -> None:
    program = Program(
        SGD(0.5), (Head(MeanSquaredError()),), penalty=lambda model: 3 * model.get_parameter("weight").sum()
    )
    state = start(program)

    events(state, program, points([0, 0], [0, 0]), epochs=1)

    assert state.model.get_parameter("weight").item() == pytest.approx(1 - 0.5 * 3)


class Twice(nn.Module):
    """Two outputs: x times a weight, and x."""

    def __init__(self) -> None:
        super().__init__()
        self.line = scale()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.line(x), x


def two_heads(optimizer: Optimizer) -> tuple[Program, Batches]:
    heads = (
        Head(MeanSquaredError(), "left", 0.5, metrics=(MeanAbsoluteError("mae"),)),
        Head(MeanSquaredError(), "right", 3.0, metrics=(MeanAbsoluteError("mae"),)),
    )
    return Program(optimizer, heads), Batches(Batch((column(1, 2),), (column(0, 0), column(2, 2))), batch_size=2)


def test_several_outputs_have_keys_of_their_own() -> None:
    program, batches = two_heads(SGD(0.0))

    (log,) = logs(events(start(program, Twice()), program, batches, epochs=1, validation=batches))

    assert log == {
        "loss": pytest.approx(0.5 * 2.5 + 3 * 0.5),
        "left_loss": pytest.approx(2.5),
        "right_loss": pytest.approx(0.5),
        "left_mae": pytest.approx(1.5),
        "right_mae": pytest.approx(0.5),
        "val_loss": pytest.approx(0.5 * 2.5 + 3 * 0.5),
        "val_left_loss": pytest.approx(2.5),
        "val_right_loss": pytest.approx(0.5),
        "val_left_mae": pytest.approx(1.5),
        "val_right_mae": pytest.approx(0.5),
        "learning_rate": 0.0,
    }


def test_the_weight_of_an_output_scales_its_gradient() -> None:
    program, batches = two_heads(SGD(1.0))
    state = start(program, Twice())

    events(state, program, batches, epochs=1)

    assert state.model.get_parameter("line.weight").item() == pytest.approx(1 - 0.5 * 2 * 2.5)


def test_targets_that_do_not_fit_an_output_are_named() -> None:
    program = squared()
    data = Batches(Batch((column(1, 2),), (torch.zeros(2, 3),)), batch_size=2)

    with pytest.raises(BadShape, match=r"MeanSquaredError: targets have shape \(2, 3\), the model gives \(2, 1\)\."):
        events(start(program), program, data, epochs=1)


# --- judging --------------------------------------------------------------------------------------------------------


def test_validation_comes_after_every_so_many_th_epoch() -> None:
    program, data = squared(), points([1], [0])

    seen = logs(events(start(program), program, data, epochs=5, validation=data, validation_freq=2))

    assert ["val_loss" in log for log in seen] == [False, True, False, True, False]


def test_validation_is_told_by_labels_as_in_keras() -> None:
    program, data = squared(), points([1], [0])

    seen = logs(events(start(program), program, data, epochs=4, first=1, validation=data, validation_freq=2))

    assert ["val_loss" in log for log in seen] == [True, False, True]


def test_a_validation_freq_of_nothing_is_refused() -> None:
    program, data = squared(), points([1], [0])

    with pytest.raises(BadValue, match=r"^validation_freq=0: must be positive\.$"):
        events(start(program), program, data, epochs=1, validation=data, validation_freq=0)


def test_measuring_judges_the_weights_after_the_epoch() -> None:
    program, data = squared(SGD(0.5)), points([1], [0])

    (log,) = logs(events(start(program), program, data, epochs=1, measured=data))

    assert log["loss"] == 1.0  # at the weight 1, before the step to 1 - 0.5 * 2
    assert log["train_loss"] == 0.0


def test_measuring_judges_on_all_training_data_however_short_the_epoch() -> None:
    """It used to see the batches of the first epoch only."""
    program, data = squared(), points([1, 2, 3], [0, 0, 0], steps=1)

    (log,) = logs(events(start(program), program, data, epochs=1, measured=data.in_order()))

    assert log["loss"] == pytest.approx((1 + 4) / 2)
    assert log["train_loss"] == pytest.approx((1 + 4 + 9) / 3)


def test_judging_is_in_evaluation_mode_and_training_goes_on_in_training_mode() -> None:
    modes: list[tuple[str, bool]] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = scale()

        def forward(self, x: Tensor) -> Tensor:
            modes.append(("judged" if x.shape[0] == 1 else "trained", self.training))
            y: Tensor = self.line(x)
            return y

    program = squared()
    data, held = points([1, 2], [0, 0]), points([1], [0])

    events(start(program, Watched()), program, data, epochs=2, validation=held)

    assert modes == [("trained", True), ("judged", False)] * 2


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_gives_back_the_mode_also_when_the_model_fails(training: bool) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("out of memory")

    model = Broken().train(training)

    with pytest.raises(RuntimeError, match="out of memory"):
        evaluate(model, squared(), points([1], [0]))
    assert model.training == training
    with pytest.raises(RuntimeError, match="out of memory"):
        predict(model, points([1], [0]))
    assert model.training == training


def test_predictions_lie_as_the_samples_do_even_when_batches_are_shuffled() -> None:
    data = points(range(10), range(10), batch_size=3, shuffle=True)

    (outputs,) = predict(scale(2.0), data)

    assert outputs.flatten().tolist() == [2.0 * n for n in range(10)]
    assert not outputs.requires_grad


def test_what_is_judged_is_not_trained() -> None:
    program, data = squared(Adam(0.1)), points([1, 2], [0, 0])
    state = start(program)

    evaluate(state.model, program, data)

    assert state.model.get_parameter("weight").item() == 1.0
    assert not state.slots["momentum"][0].any()


# --- what it leaves alone -------------------------------------------------------------------------------------------


def net() -> nn.Sequential:
    """Two layers with a dropout between them; the same weights each time."""
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), Dropout(0.5).build((16,)), nn.Linear(16, 3))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return model


def blobs(**settings: Any) -> Batches:  # Any: of Batches
    """Three classes in four dimensions, easily told apart."""
    draw = torch.Generator().manual_seed(2)
    labels = torch.arange(30) % 3
    inputs = 3 * torch.eye(4)[labels] + torch.randn(30, 4, generator=draw)
    return Batches(Batch((inputs,), (labels,)), batch_size=8, shuffle=True, **settings)


def classify(optimizer: Optimizer, **settings: Any) -> Program:  # Any: of Program
    loss = SparseCategoricalCrossentropy(from_logits=True)
    return Program(optimizer, (Head(loss, metrics=(Accuracy(),), activation="softmax"),), **settings)


def test_torch_s_own_generator_is_not_touched() -> None:
    program = classify(Adam(0.01))
    state, batches = start(program, net()), blobs()
    before = torch.get_rng_state()

    events(state, program, batches, epochs=2, validation=batches, measured=batches)

    assert torch.equal(torch.get_rng_state(), before)


def test_torch_s_own_generator_decides_nothing() -> None:
    found = []
    for seed in (1, 2):
        program = classify(Adam(0.01))
        state = start(program, net())
        torch.manual_seed(seed)  # the test's own doing
        found.append(logs(events(state, program, blobs(), epochs=2)))

    assert found[0] == found[1]


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), Adam(0.1)], ids=["sgd", "adam"])
def test_parameters_that_are_not_used_stay(optimizer: Optimizer) -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line, self.spare = scale(), scale(5.0)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.line(x)
            return y

    program = squared(optimizer)
    state = start(program, Spare())

    events(state, program, points([1, 2], [0, 0]), epochs=3)

    assert state.model.get_parameter("spare.weight").item() == 5.0
    assert state.model.get_parameter("line.weight").item() != 1.0


def test_frozen_parameters_stay_and_have_no_slots() -> None:
    program = classify(Adam(0.1))
    model = net()
    model[0].requires_grad_(False)
    before = [parameter.clone() for parameter in model.parameters()]
    state = start(program, model)

    events(state, program, blobs(), epochs=2)

    unmoved = [torch.equal(one, other) for one, other in zip(model.parameters(), before, strict=True)]
    assert unmoved == [True, True, False, False]
    assert [tuple(slot.shape) for slot in state.slots["momentum"]] == [(3, 16), (3,)]


def test_a_model_without_trainable_parameters_is_only_judged() -> None:
    program = squared(SGD(0.1))
    state = start(program, nn.Identity())

    (log,) = logs(events(state, program, points([1, 2], [0, 0]), epochs=1))

    assert log["loss"] == pytest.approx(2.5)
    assert state.step == 1


def test_bfloat16_computes_in_half_and_keeps_weights_in_single_precision() -> None:
    dtypes: set[torch.dtype] = set()
    program = classify(Adam(0.05), precision="bfloat16")
    state = start(program, net())
    state.model.get_submodule("3").register_forward_hook(lambda _, __, output: dtypes.add(output.dtype))

    seen = logs(events(state, program, blobs(), epochs=8))

    assert dtypes == {torch.bfloat16}
    assert all(tensor.dtype == torch.float32 for tensor in (*state.parameters(), *state.slots["velocity"]))
    assert all(torch.isfinite(parameter).all() for parameter in state.parameters())
    assert seen[-1]["loss"] < seen[0]["loss"] / 2
    assert not torch.is_autocast_enabled("cpu")


def test_bfloat16_takes_nearly_the_same_steps() -> None:
    found = []
    for precision in ("float32", "bfloat16"):
        program = classify(SGD(0.01), precision=precision)
        found.append(logs(events(start(program, net()), program, blobs(), epochs=3))[-1]["loss"])

    assert found[1] == pytest.approx(found[0], rel=0.02)
    assert found[1] != found[0]


# --- seeds ----------------------------------------------------------------------------------------------------------


def trained(*, seed: int = 0, order_seed: int = 0) -> Tensor:
    program = classify(Adam(0.01), seed=seed)
    state = start(program, net())
    events(state, program, blobs(seed=order_seed), epochs=2)
    return torch.cat([parameter.detach().flatten() for parameter in state.parameters()])


def test_a_training_repeats_itself_bit_for_bit() -> None:
    assert torch.equal(trained(), trained())


def test_another_seed_drops_others_and_another_order_is_another_training() -> None:
    assert not torch.equal(trained(seed=1), trained())
    assert not torch.equal(trained(order_seed=1), trained())


def test_dropout_draws_anew_in_each_step() -> None:
    model = nn.Sequential(Dropout(0.5).build((64,)), nn.Linear(64, 1, bias=False))
    program = squared(SGD(0.0))
    data = Batches(Batch((torch.ones(1, 64),), (torch.zeros(1, 1),)), batch_size=1)

    seen = logs(events(start(program, model), program, data, epochs=4))

    assert len({log["loss"] for log in seen}) == 4


# --- leaving early --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heard", [1, 2, 4], ids=["at the beginning", "in an epoch", "after an epoch"])
def test_closing_leaves_the_model_in_evaluation_mode(heard: int) -> None:
    program = squared()
    state = start(program, scale().train())
    happened: Any = train(state, program, points([1, 2, 3], [0, 0, 0]), epochs=3)
    for _ in range(heard):
        next(happened)

    happened.close()

    assert not state.model.training


def test_at_the_end_the_model_is_in_evaluation_mode() -> None:
    program = squared()
    state = start(program, scale().train())

    events(state, program, points([1], [0]), epochs=1)

    assert not state.model.training


def test_who_is_interrupted_while_judging_has_not_ended_the_epoch() -> None:
    """The epoch used to be counted before its validation, so that a resumed training never told of it."""

    class Interrupted(Batches):
        def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
            raise KeyboardInterrupt

    program, data = squared(SGD(0.1)), points([1, 2], [0, 0], batch_size=1)
    state, other = start(program), start(program)
    with pytest.raises(KeyboardInterrupt):
        events(state, program, data, epochs=2, validation=Interrupted(data.data, batch_size=1))

    assert (state.epoch, state.batch, state.model.training) == (0, 2, False)
    resumed = events(state, program, data, epochs=2, validation=data)
    unbroken = events(other, program, data, epochs=2, validation=data)
    assert logs(resumed) == logs(unbroken)
    assert [told(event) for event in resumed][:2] == [("begin", 0, 2, 2, 2), ("epoch", 0, 2)]


def test_another_program_can_go_on_after_an_epoch() -> None:
    """Accumulators of the first program's metrics used to be kept."""
    first, second = squared(), squared(metrics=(MeanAbsoluteError("mae"),))
    state, data = start(first), points([1, 2], [0, 0])
    events(state, first, data, epochs=1)

    (log,) = logs(events(state, second, data, epochs=2))

    assert log["mae"] == pytest.approx(1.5)


@pytest.mark.parametrize("metric", [None, Accuracy(), SparseCategoricalAccuracy()], ids=str)
def test_the_loss_in_one_pass_is_that_of_the_parts(metric: Accuracy | None, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    data = Batch((torch.randn(50, 4, generator=draw),), (torch.randint(0, 3, (50, 1), generator=draw),), (None,))
    head = Head(
        SparseCategoricalCrossentropy(from_logits=True), metrics=(metric,) if metric else (), activation="softmax"
    )
    found = []
    for parts in (False, True):
        if parts:
            monkeypatch.setattr(loop, "mean_at_once", lambda *_: None)
        torch.manual_seed(1)
        model = nn.Linear(4, 3)
        program = Program(SGD(0.5), (head,))
        *_, last = train(State.start(model, program), program, Batches(data, batch_size=20), epochs=2)
        assert isinstance(last, EpochEnd)
        found.append((last.logs, model.weight.detach()))

    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-6)


def test_a_loss_of_somebody_s_own_is_asked_itself() -> None:
    class Twice(SparseCategoricalCrossentropy):
        def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
            return 2 * super().__call__(targets, outputs)

    data, model = Batch((torch.zeros(4, 2),), (torch.zeros(4).long(),)), nn.Linear(2, 3, bias=False)
    program = Program(SGD(0.0), (Head(Twice(from_logits=True)),))

    judged = evaluate(model, program, Batches(data, batch_size=4))

    assert judged["loss"] == pytest.approx(2 * math.log(3))
