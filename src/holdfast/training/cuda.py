"""Training steps as CUDA graphs: recorded once, then started by one call instead of hundreds."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ..data import Batch
from ..layers import RandomModule
from .optimizers import Number
from .state import State

WARM_UP = 3  # steps on a stream of their own before recording; torch's notes on CUDA graphs ask for some

Update: TypeAlias = Callable[[Batch, Sequence[Number]], None]
Shapes: TypeAlias = tuple[int | tuple[int, ...], ...]


class GraphedStep:
    """The arithmetic of a training step on a GPU, recorded once some batches of one shape were seen, then repeated.

    Batches of another shape, such as the last of an epoch, are computed step by step, and so are all when the step
    cannot be recorded, which a warning tells.  What is recorded are the kernels: hooks that are put on a module after
    the first steps are not called.

    Args:
        update: one update of the state in place from a batch and the optimizer's numbers.  It neither waits for the
            device nor reads anything else that changes from step to step.
        state: what is updated; its running metrics are, too.
    """

    def __init__(self, update: Update, state: State, device: torch.device) -> None:
        self.update, self.state, self.device = update, state, device
        self.random = [module for module in state.model.modules() if isinstance(module, RandomModule)]
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own lack
        self.able = True
        self.graph: torch.cuda.CUDAGraph | None = None
        self.shapes: Shapes = ()  # of what the graph takes
        self.seen: Counter[Shapes] = Counter()
        self.batch: Batch | None = None  # where the graph finds its batch
        self.numbers: list[Tensor] = []  # and the optimizer's numbers
        self.written: list[float] = []  # what they are now
        self.totals: dict[str, Tensor] = {}  # where it adds up what is measured

    def __call__(self, batch: Batch, numbers: Sequence[float]) -> None:
        """One update; `numbers` are those that the optimizer has for this step."""
        shapes = shapes_of(batch, numbers)
        if not self.able or (self.graph is not None and shapes != self.shapes):
            self.update(batch, numbers)
            return
        self.write(numbers)
        if self.graph is None:
            self.seen[shapes] += 1
            if self.seen[shapes] <= WARM_UP:
                self.warm_up(batch)
                return
            self.record(batch)
            self.shapes = shapes
        if self.graph is None:
            self.update(batch, numbers)
        else:
            self.replay(batch, self.graph)

    def write(self, numbers: Sequence[float]) -> None:
        """Puts those numbers onto the device that are not there yet; a fill waits for nothing, as a copy would."""
        if len(numbers) != len(self.numbers):
            self.numbers, self.written = [torch.zeros((), device=self.device) for _ in numbers], [0.0] * len(numbers)
        for place, number in enumerate(numbers):
            if number != self.written[place]:
                self.numbers[place].fill_(number)
                self.written[place] = number

    def warm_up(self, batch: Batch) -> None:
        """A step like any other, but on the stream that the graph will be recorded on."""
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            self.update(batch, self.numbers)
        torch.cuda.current_stream(self.device).wait_stream(self.stream)
        self.totals = {key: metric.totals for key, metric in self.state.running.items() if metric.totals is not None}

    def record(self, batch: Batch) -> None:
        """Records a step, which computes nothing yet; or warns that it cannot be recorded."""
        graph = torch.cuda.CUDAGraph()
        for module in self.random:  # each repetition draws from the seed that the generator has by then
            graph.register_generator_state(module.generator(self.device))
        self.batch = batch.map(torch.clone)
        self.bind_metrics()
        # Thread-local: another thread may ask a model meanwhile.
        recording = torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local")
        try:
            # The outer stream is left even when the end of a recording fails, the inner one is not.
            with torch.cuda.stream(torch.cuda.current_stream(self.device)), recording:
                self.update(self.batch, self.numbers)
            self.graph = graph
        except RuntimeError as error:
            warnings.warn(f"training goes on without CUDA graphs, more slowly: {error}", stacklevel=2)
            self.able, self.batch = False, None

    def replay(self, batch: Batch, graph: torch.cuda.CUDAGraph) -> None:
        """The recorded step for this batch."""
        assert self.batch is not None
        for place, given in zip(tensors(self.batch), tensors(batch), strict=True):
            place.copy_(given, non_blocking=True)
        self.bind_metrics()
        graph.replay()

    def bind_metrics(self) -> None:
        """Has the metrics add up where the graph does; an epoch begins with others, a checkpoint brings its own."""
        for key, metric in self.state.running.items():
            totals = self.totals[key]
            if metric.totals is None:
                totals.zero_()
            elif metric.totals is not totals:
                totals.copy_(metric.totals)
            metric.totals = totals


def tensors(batch: Batch) -> Iterator[Tensor]:
    """All tensors of a batch, in one order."""
    yield from batch.inputs
    yield from batch.targets
    yield from (weight for weight in batch.weights if weight is not None)
    yield from batch.soft


def shapes_of(batch: Batch, numbers: Sequence[float]) -> Shapes:
    """What must be equal for a graph to compute a step."""
    return (len(numbers), *(tuple(tensor.shape) for tensor in tensors(batch)))


def channels_last(module: nn.Module) -> None:
    """Has the kernels of convolutions lie as pictures do, channels last; else cuDNN rearranges them in every step."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
