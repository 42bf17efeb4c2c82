"""CUDA graphs: what is recorded, what is repeated, and when neither.

Without a GPU a stand-in takes the place of torch's graphs: it keeps what is called while recording, without running it,
and runs that when repeated.  With a GPU the whole is compared with plain steps.
"""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from holdfast.callbacks import History
from holdfast.data import Batch
from holdfast.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D, Rescaling
from holdfast.metrics import Mean
from holdfast.models import Sequential
from holdfast.training import SGD, Adam, Optimizer, Program, State
from holdfast.training.cuda import WARM_UP, GraphedStep, channels_last
from holdfast.training.optimizers import Number
from training.nets import scale, squared

CPU = torch.device("cpu")


@dataclass
class Stand:
    """What a fake GPU was asked to do."""

    recording: "FakeGraph | None" = None
    recorded: int = 0
    replayed: int = 0
    broken: bool = False
    restored: list[str] = field(default_factory=list)


class FakeGraph:
    """Keeps the calls made while recording."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.calls: list[Callable[[], None]] = []

    def replay(self) -> None:
        self.stand.replayed += 1
        for call in self.calls:
            call()


class FakeStream:
    def wait_stream(self, other: "FakeStream") -> None: ...


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Stand:
    stand = Stand()

    @contextmanager
    def graph(fake: FakeGraph, stream: FakeStream, capture_error_mode: str) -> Iterator[None]:
        stand.recording = fake
        try:
            yield
            stand.recorded += 1
        finally:
            stand.recording = None

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: FakeStream())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: FakeStream())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(stand))
    monkeypatch.setattr(torch.cuda, "graph", graph)
    return stand


def graphed(stand: Stand, optimizer: Optimizer) -> tuple[GraphedStep, State, Program]:
    """A step that learns y = w x, and counts the y in the metric "seen"."""
    program = squared(optimizer)
    state = State.start(scale(0.0), program)
    state.running = {"seen": Mean("seen")}
    parameters = state.parameters()

    def arithmetic(batch: Batch, numbers: Sequence[Number]) -> None:
        (x,), (y,) = batch.inputs, batch.targets
        gradient = (2 * (state.model(x) - y) * x).mean().reshape(parameters[0].shape)
        program.optimizer.apply(parameters, [gradient.detach()], state.slots, numbers)
        seen = state.running["seen"]
        assert isinstance(seen, Mean)
        seen.update(y)

    def update(batch: Batch, numbers: Sequence[Number]) -> None:
        if stand.recording is None:
            arithmetic(batch, numbers)
        elif stand.broken:
            raise RuntimeError("operation not permitted when stream is capturing")
        else:
            stand.recording.calls.append(lambda: arithmetic(batch, numbers))

    return GraphedStep(update, state, CPU), state, program


def run(step: GraphedStep, state: State, program: Program, sizes: Sequence[int], *, rate: float = 0.1) -> list[float]:
    """The weight after each step on batches of these sizes."""
    found = []
    for size in sizes:
        x = torch.arange(1.0, size + 1)[:, None] + state.step
        numbers = program.optimizer.numbers(state.slots, rate=rate / (state.step + 1), step=state.step)
        step(Batch((x,), (3 * x,)), numbers)
        state.step += 1
        found.append(state.parameters()[0].item())
    return found


def by_hand(optimizer: Optimizer, sizes: Sequence[int]) -> list[float]:
    stand = Stand()
    step, state, program = graphed(stand, optimizer)
    step.able = False
    return run(step, state, program, sizes)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.5), Adam(0.1, weight_decay=0.01)], ids=["sgd", "adam"])
def test_a_repeated_step_takes_each_batch_and_each_rate(gpu: Stand, optimizer: Optimizer) -> None:
    step, state, program = graphed(gpu, optimizer)

    found = run(step, state, program, [4] * 8)

    assert (gpu.recorded, gpu.replayed) == (1, 8 - WARM_UP)
    assert found == pytest.approx(by_hand(optimizer, [4] * 8), rel=1e-5)  # numbers are float32 on the device
    assert len(set(found)) == 8


def test_batches_of_another_shape_are_computed_plainly(gpu: Stand) -> None:
    sizes = [4, 4, 2, 4, 4, 2, 4, 4, 2]
    step, state, program = graphed(gpu, SGD(0.1))

    found = run(step, state, program, sizes)

    assert (gpu.recorded, gpu.replayed) == (1, 3)
    assert found == pytest.approx(by_hand(SGD(0.1), sizes), rel=1e-5)


def test_metrics_begin_anew_with_each_epoch(gpu: Stand) -> None:
    step, state, program = graphed(gpu, SGD(0.01))
    run(step, state, program, [4] * 5)

    state.running["seen"].reset()
    run(step, state, program, [4, 4, 2])

    # Steps 5, 6 and 7: three times x, of which x begins at 6, 7 and 8.
    expected = 3 * torch.tensor([6.0, 7, 8, 9, 7, 8, 9, 10, 8, 9]).mean()
    assert state.running["seen"].compute().item() == pytest.approx(expected.item())


def test_metrics_of_a_checkpoint_are_gone_on_with(gpu: Stand) -> None:
    step, state, program = graphed(gpu, SGD(0.01))
    run(step, state, program, [4] * 5)

    state.running["seen"].totals = torch.tensor([100.0, 1.0], dtype=torch.float64)
    run(step, state, program, [1])
    run(step, state, program, [4])

    assert state.running["seen"].totals is not None
    assert state.running["seen"].totals[1].item() == 6


def test_what_cannot_be_recorded_is_told_and_computed_plainly(gpu: Stand) -> None:
    gpu.broken = True
    step, state, program = graphed(gpu, SGD(0.1))

    with pytest.warns(
        UserWarning, match=r"^training goes on without CUDA graphs, more slowly: operation not permitted"
    ):
        found = run(step, state, program, [4] * 8)

    assert gpu.replayed == 0
    assert found == pytest.approx(by_hand(SGD(0.1), [4] * 8), rel=1e-5)
    assert state.running["seen"].totals is not None
    assert state.running["seen"].totals[1].item() == 4 * 8


def test_steps_that_only_add_up_gradients_are_a_kind_of_their_own(gpu: Stand) -> None:
    optimizer = SGD(0.1, gradient_accumulation_steps=2)
    step, state, program = graphed(gpu, optimizer)

    found = run(step, state, program, [4] * 12)

    assert gpu.recorded == 1
    assert found == pytest.approx(by_hand(optimizer, [4] * 12), rel=1e-5)


def test_a_graphed_step_goes_with_its_last_user(gpu: Stand) -> None:
    """Else the memory of a GPU would wait for Python's garbage collector."""
    step, state, program = graphed(gpu, SGD(0.1))
    run(step, state, program, [4] * 5)
    gone = weakref.ref(step)
    gc.disable()
    try:
        del step
        assert gone() is None
    finally:
        gc.enable()


def test_kernels_come_to_lie_channels_last() -> None:
    conv = nn.Conv2d(2, 3, 3)
    kernel, values = conv.weight, conv.weight.detach().clone()

    channels_last(conv)

    assert conv.weight is kernel
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(kernel.detach(), values)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam"])
def test_on_a_gpu_recorded_training_is_plain_training(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout draws the same in both, as its seed follows from the step; the last batch of an epoch is smaller."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (100, 12, 12, 1), generator=draw, dtype=torch.uint8)
    y = torch.randint(0, 3, (100,), generator=draw)

    def trained() -> tuple[History, list[Tensor]]:
        rows = [Rescaling(1 / 255), Conv2D(8, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dropout(0.5)]
        model = Sequential([Input((12, 12, 1)), *rows, Dense(3, activation="softmax")])
        model.compile(optimizer, metrics=["accuracy"], device="cuda", precision="float32")
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        return history, [torch.from_numpy(weight) for weight in model.get_weights()]

    recorded, weights = trained()
    monkeypatch.setattr("holdfast.training.cuda.WARM_UP", 10**9)
    plain, expected = trained()

    assert recorded.history["loss"] == pytest.approx(plain.history["loss"], rel=1e-3)  # sums in another order
    for found, wanted in zip(weights, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-4)
