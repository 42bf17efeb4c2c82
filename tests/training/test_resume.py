"""Resuming: a training interrupted at any step goes on bit for bit as if nothing had happened."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast.data import Batch, Batches
from holdfast.layers import Dropout
from holdfast.metrics import AUC, Accuracy
from holdfast.training import (
    Adam,
    CosineDecay,
    EpochEnd,
    Event,
    Head,
    Lion,
    Nadam,
    OneCycle,
    Optimizer,
    Program,
    RMSprop,
    SparseCategoricalCrossentropy,
    State,
    StepEnd,
    load_checkpoint,
    save_checkpoint,
    train,
)

EPOCHS, BATCH = 2, 8
OPTIMIZERS = [
    Adam(OneCycle(0.05), clipnorm=1.0),
    Nadam(0.01, weight_decay=0.01),
    RMSprop(CosineDecay(0.01), momentum=0.9, centered=True),
    Lion(0.001, gradient_accumulation_steps=3),
]


def program(optimizer: Optimizer) -> Program:
    head = Head(
        SparseCategoricalCrossentropy(from_logits=True),
        metrics=(Accuracy(), AUC()),
        weighted_metrics=(Accuracy(),),
        activation="softmax",
    )
    return Program(optimizer, (head,), seed=3)


def model() -> nn.Module:
    """With dropout at two places, and buffers that training changes."""
    draw = torch.Generator().manual_seed(0)
    made = nn.Sequential(
        nn.Linear(5, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        Dropout(0.4).build((12,)),
        nn.Linear(12, 6),
        Dropout(0.2).build((6,)),
        nn.Linear(6, 3),
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=draw))
    return made


def batches(steps: int | None = None) -> Batches:
    """28 samples: three batches of eight and one of four."""
    draw = torch.Generator().manual_seed(1)
    inputs, labels = torch.randn(28, 5, generator=draw), torch.randint(0, 3, (28,), generator=draw)
    data = Batch((inputs,), (labels,), (torch.rand(28, generator=draw),))
    return Batches(data, batch_size=BATCH, shuffle=True, seed=4, steps=steps)


def tensors(state: State) -> dict[str, Tensor]:
    """All tensors of a state, copied."""
    slots = {f"{name}/{n}": tensor for name, slot in state.slots.items() for n, tensor in enumerate(slot)}
    return {key: tensor.clone() for key, tensor in (state.model.state_dict() | slots).items()}


def told(event: Event) -> Any:  # Any: whatever there is to compare
    """All that an event says but the time."""
    match event:
        case StepEnd(state=state, epoch=epoch, step=step, samples=samples, running=running):
            return epoch, step, samples, running(), state.learning_rate
        case EpochEnd(epoch=epoch, logs=logs, samples=samples):
            return epoch, logs, samples
    return None


@pytest.mark.parametrize("steps", [None, 3], ids=["whole passes", "epochs of three steps"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_a_training_interrupted_at_any_event_goes_on_bit_for_bit(
    optimizer: Optimizer, steps: int | None, tmp_path: Path
) -> None:
    what, data = program(optimizer), batches(steps)
    unbroken = State.start(model(), what)
    story, moments = [], []
    for number, event in enumerate(train(unbroken, what, data, epochs=EPOCHS, validation=data)):
        story.append(told(event))
        moments.append((unbroken.step, unbroken.epoch, unbroken.batch))
        save_checkpoint(tmp_path / f"{number}.safetensors", unbroken)
    expected = tensors(unbroken)

    for number, moment in enumerate(moments):
        resumed = State.start(model(), what)
        load_checkpoint(tmp_path / f"{number}.safetensors", resumed, what)
        assert (resumed.step, resumed.epoch, resumed.batch) == moment
        _, *rest = [told(event) for event in train(resumed, what, data, epochs=EPOCHS, validation=data)]

        assert rest == story[number + 1 :]
        found = tensors(resumed)
        assert all(torch.equal(found[key], expected[key]) for key in expected)

    assert len(moments) == 1 + EPOCHS * (len(data) + 1)


def test_resuming_twice_is_the_same_too(tmp_path: Path) -> None:
    what, path = program(OPTIMIZERS[0]), tmp_path / "last.safetensors"
    unbroken, state = State.start(model(), what), State.start(model(), what)
    for _ in train(unbroken, what, batches(), epochs=EPOCHS):
        pass

    for stop_at in (3, 5, 8):
        for _ in train(state, what, batches(), epochs=EPOCHS):
            if state.step == stop_at:
                break
        save_checkpoint(path, state)
        state = State.start(model(), what)
        load_checkpoint(path, state, what)
    for _ in train(state, what, batches(), epochs=EPOCHS):
        pass

    found, expected = tensors(state), tensors(unbroken)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_second_of_two_fits_resumes_within_its_own_cycle(tmp_path: Path) -> None:
    what, path = program(Adam(OneCycle(0.1))), tmp_path / "second.safetensors"
    state = State.start(model(), what)
    for _ in train(state, what, batches(), epochs=1):
        pass
    state.begin = state.step
    rates = []
    for event in train(state, what, batches(), epochs=3):
        if isinstance(event, StepEnd):
            rates.append(state.learning_rate)
        if state.step == 6:
            save_checkpoint(path, state)

    resumed = State.start(model(), what)
    load_checkpoint(path, resumed, what)
    again = [resumed.learning_rate for event in train(resumed, what, batches(), epochs=3) if isinstance(event, StepEnd)]

    assert again == rates[2:]
    assert rates[0] == pytest.approx(0.1 / 25)
