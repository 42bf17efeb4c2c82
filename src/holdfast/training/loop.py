"""Training as an iterator of events: the loop yields, everybody else listens."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Protocol, TypeAlias, cast

import torch
from torch import Tensor, nn

from ..core import BadValue, derive, keep_freed_memory
from ..data import Batch, Batches
from ..layers import RandomModule
from ..metrics import Accuracy, Mean, Metric, SparseCategoricalAccuracy
from ..metrics.mean import SampleMean
from .cuda import GraphedStep
from .events import Begin, Callback, End, EpochEnd, Event, StepEnd, Stop
from .losses import Crossentropy
from .optimizers import Number
from .passes import fused
from .passes.chains import hooked
from .program import Program
from .state import State

RIGHT_LABELS = (Accuracy, SparseCategoricalAccuracy)  # for labels and several outputs a sample: how often the largest


def train(
    state: State,
    program: Program,
    batches: Batches,
    *,
    epochs: int,
    first: int | None = None,
    validation: Batches | None = None,
    validation_freq: int = 1,
    measured: Batches | None = None,
    runner: "Steps | None" = None,
) -> Iterator[Event]:
    """Trains, yielding an event at every moment that somebody may want to hear of.

    Args:
        state: what is trained; goes on where it stands, in the middle of an epoch, too.  Who begins a new fit, rather
            than resuming one, sets `state.begin = state.step`.
        program: what to minimise and how.
        batches: training data.
        epochs: label after that of the last epoch: labels run from `first` to `epochs` - 1.
        first: label of the first epoch; None: the number of epochs that `state` has completed.
        validation: data to judge on after every `validation_freq`-th epoch.
        measured: training data to judge on after every epoch, too, in evaluation mode: logs train_loss and so on.
        runner: takes the steps; None: one of its own.

    Yields:
        Begin, then StepEnd after every step and EpochEnd after every epoch.  However it ends, also by `close()`, the
        model is left in evaluation mode.

    Raises:
        BadValue: a `validation_freq` that is not positive.
    """
    if validation_freq < 1:
        raise BadValue(f"validation_freq={validation_freq}: must be positive.")
    keep_freed_memory()
    first = state.epoch if first is None else first
    steps = len(batches)
    end = state.step - state.batch + steps * (epochs - first)
    runner = Runner(state, program) if runner is None else runner
    judged_every = validation_freq if validation is not None else None
    try:
        yield Begin(state, program, first, epochs, steps, batches.samples, judged_every)
        for epoch in range(first, epochs):
            state.model.train()
            began, seen = time.perf_counter(), batches.count(state.epoch, state.batch)
            for batch in runner.epoch(batches):
                runner.step(batch, end)
                seen += len(batch) if batch.share is None else batch.share.whole
                yield StepEnd(state, program, epoch, state.batch, seen, runner.read)
            logs = runner.read()
            seconds = time.perf_counter() - began
            due = (epoch + 1) % validation_freq == 0
            if validation is not None and due:
                logs |= {f"val_{key}": value for key, value in runner.judge(validation).items()}
            if measured is not None:
                logs |= {f"train_{key}": value for key, value in runner.judge(measured).items()}
            # Not before: who is interrupted while judging has not ended the epoch, and a resumed training reports it.
            runner.end_epoch()
            if program.proximal is not None:
                logs["sparsity"] = program.proximal.sparsity()
            logs["learning_rate"] = state.learning_rate
            yield EpochEnd(state, program, epoch, logs, seconds, seen, judged=due or validation is None)
    finally:
        state.model.eval()


def listen(events: Iterator[Event], callbacks: Sequence[Callback], agree: "Agree | None" = None) -> Iterator[Event]:
    """The same events, each after every callback has heard it; the first Stop among their answers ends them.

    Whatever happens, callbacks that heard of a beginning hear an `End`, which comes last, so that they can close what
    they opened.

    Args:
        agree: from an event and the answer to it to that of all processes that train together; None: this one trains
            alone.
    """
    last: Event | None = None
    stop: Stop | None = Stop("interrupted")
    try:
        for last in events:
            heard = hear(last, callbacks)
            if agree is not None:
                heard = agree(last, heard)
            yield last
            if heard is not None:
                stop = heard
                break
        else:
            stop = None
    except Exception as error:
        stop = Stop(f"failed: {error}")
        raise
    finally:
        if isinstance(events, Generator):
            events.close()
        end = None if last is None else End(last.state, last.program, stop)
        if end is not None:
            tell(end, callbacks)
    if end is not None:
        yield end


def hear(event: Event, callbacks: Sequence[Callback]) -> Stop | None:
    """Every callback hears the event; the first Stop among their answers.

    Raises:
        BadValue: an answer that is neither a Stop nor None; True, say, would end a training that means to go on.
    """
    answers = [_answer(callback, callback(event)) for callback in callbacks]
    return next((answer for answer in answers if answer is not None), None)


def _answer(callback: Callback, answer: object) -> Stop | None:
    if answer is None or isinstance(answer, Stop):
        return answer
    name = getattr(callback, "__qualname__", type(callback).__name__)
    raise BadValue(f"callback {name}: returned {answer!r}; return holdfast.training.Stop(reason) or None.")


def tell(event: Event, callbacks: Sequence[Callback]) -> None:
    """Every callback hears the event, also when one before it raises."""
    if callbacks:
        try:
            callbacks[0](event)
        finally:
            tell(event, callbacks[1:])


def fit(events: Iterator[Event], callbacks: Sequence[Callback]) -> Stop | None:
    """Runs training to its end; the reason why it stopped early, if it did."""
    stop = None
    for event in listen(events, callbacks):
        stop = event.stop if isinstance(event, End) else None
    return stop


Agree: TypeAlias = Callable[[Event, Stop | None], Stop | None]


class Steps(Protocol):
    """What takes the steps of a training, see `Runner`."""

    def epoch(self, batches: Batches) -> Iterator[Batch]: ...
    def step(self, batch: Batch, end: int) -> None: ...
    def read(self) -> dict[str, float]: ...
    def judge(self, batches: Batches) -> dict[str, float]: ...
    def end_epoch(self) -> None: ...


class Runner:
    """What a training needs at hand for its steps; all that counts is in the state."""

    def __init__(self, state: State, program: Program) -> None:
        self.state, self.program = state, program
        self.parameters = state.parameters()
        self.random = [module for module in state.model.modules() if isinstance(module, RandomModule)]
        self.device = self.parameters[0].device if self.parameters else torch.device("cpu")
        if state.batch == 0:
            state.running = accumulators(program)

    @cached_property
    def fused(self) -> nn.Module:
        """What computes as the model does, in less time."""
        return fused(self.state.model)

    @cached_property
    def update(self) -> Callable[[Batch, Sequence[float]], None]:
        """The arithmetic of a step; found at the first one, so that whoever has hooked into the model by then hears."""
        plain = partial(update, self.state, self.program, self.fused, self.parameters)
        return GraphedStep(plain, self.state, self.device) if self.device.type == "cuda" else plain

    def epoch(self, batches: Batches) -> Iterator[Batch]:
        """What is left of the epoch under way."""
        return batches.epoch(self.state.epoch, self.state.batch)

    def step(self, batch: Batch, end: int) -> None:
        """One update of the model; loss and metrics are added up on the device."""
        self.update(batch, self.numbers(end))
        self.count()

    def numbers(self, end: int) -> tuple[float, ...]:
        """The optimizer's numbers for the next step, for which all that draws is made ready."""
        state, program = self.state, self.program
        for number, module in enumerate(self.random):
            module.reseed(derive(program.seed, "dropout", state.epoch, state.step, number))
        if program.schedule is not None:
            state.learning_rate = program.schedule(state.step, state.begin, end)
        share = (state.step - state.begin) / max(end - state.begin, 1)
        return program.optimizer.numbers(state.slots, rate=state.learning_rate, step=state.step, share=share)

    def count(self) -> None:
        """A step was taken."""
        self.state.step += 1
        self.state.batch += 1

    def read(self) -> dict[str, float]:
        """Loss and metrics of the epoch so far; waits for the device."""
        return read(self.state.running)

    def judge(self, batches: Batches) -> dict[str, float]:
        """Loss and metrics of the model in evaluation mode, see `evaluate`."""
        model = self.state.model
        return evaluate(model, self.program, batches, None if any(map(hooked, model.modules())) else self.fused)

    def end_epoch(self) -> None:
        """The state moves on to the next epoch."""
        for metric in self.state.running.values():
            metric.reset()
        self.state.epoch += 1
        self.state.batch = 0


def update(
    state: State,
    program: Program,
    module: nn.Module,
    parameters: list[Tensor],
    batch: Batch,
    numbers: Sequence[Number],
) -> None:
    """The arithmetic of a step: changes the model, the slots and the running metrics in place, and waits for nothing.

    Args:
        module: computes what the state's model does.
        numbers: of the optimizer for this step.
    """
    with program.autocast(batch.inputs[0].device):
        outputs = forward(module, batch)
    loss = total_loss(state.model, program, outputs, batch, state.running)
    if parameters:
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        descend(state, program, parameters, gradients, numbers)


def descend(
    state: State, program: Program, parameters: list[Tensor], gradients: Sequence[Tensor], numbers: Sequence[Number]
) -> None:
    """What gradients change: the parameters and the slots, in place."""
    program.optimizer.apply(parameters, gradients, state.slots, numbers)
    confine(state, program, parameters, numbers)


def confine(state: State, program: Program, parameters: list[Tensor], numbers: Sequence[Number]) -> None:
    """What follows on the optimizer's update: soft thresholds and constraints."""
    if program.proximal is not None and numbers:
        program.proximal(parameters, partial(program.optimizer.reach, state.slots, numbers))
    if program.constrain is not None:
        program.constrain()


def accumulators(program: Program) -> dict[str, Metric]:
    """Fresh accumulators for all that a program measures, by their keys in the logs: Keras's keys and order."""
    several = len(program.heads) > 1
    running: dict[str, Metric] = {"loss": Mean("loss")}
    if several:
        running |= {f"{head.name}_loss": Mean(f"{head.name}_loss") for head in program.heads}
    for measures in program.measures:
        running |= {measure.key: measure.metric.copy() for measure in measures}
    return running


def read(running: dict[str, Metric]) -> dict[str, float]:
    """The values of accumulators, as numbers; waits for the device, once."""
    values = torch.stack([metric.compute() for metric in running.values()])
    return dict(zip(running, values.tolist(), strict=True))


def forward(model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    """The model's outputs as a tuple of float32 tensors."""
    outputs = model(*batch.inputs)
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(output.float() if output.dtype in (torch.bfloat16, torch.float16) else output for output in several)


def total_loss(
    model: nn.Module, program: Program, outputs: tuple[Tensor, ...], batch: Batch, running: dict[str, Metric]
) -> Tensor:
    """The loss that is minimised: weighted sum over the outputs, each a mean over samples, plus the penalty.

    As in Keras, weights multiply the losses of samples, and the sum is divided by the number of samples.  Where labels
    were mixed the loss is of the shares of each, and metrics count the sample for the label that weighs most.
    """
    if (mean := mean_at_once(program, outputs, batch, running)) is not None:
        return mean
    several = len(program.heads) > 1
    losses = []
    for number, (head, measures, output) in enumerate(zip(program.heads, program.measures, outputs, strict=True)):
        target = batch.targets[number]
        weight = batch.weights[number] if batch.weights else None
        values = head.loss(batch.soft[number] if batch.soft else target, output)
        if weight is not None:
            values = values * weight
        if several:
            add(running[f"{head.name}_loss"], values)
        losses.append(values if head.weight == 1 else head.weight * values)
        if measures:
            # Who only asks which output is largest need not know the probabilities.
            ranked = head.activation == "softmax" and all(measure.metric.ranks for measure in measures)
            predictions = output.detach() if ranked else head.predictions(output.detach())
            for measure in measures:
                running[measure.key].update(target, predictions, weight if measure.weighted else None)
    total = sum(losses[1:], losses[0])
    if program.penalty is not None:
        total = total + program.penalty(model)
    add(running["loss"], total)
    return total.mean()


def mean_at_once(
    program: Program, outputs: tuple[Tensor, ...], batch: Batch, running: dict[str, Metric]
) -> Tensor | None:
    """`total_loss` for the commonest program, in one pass: cross-entropy of one output, and accuracy if anything."""
    metrics = plain_metrics(program, outputs, batch, running)
    if metrics is None or outputs[0].device.type != "cpu":
        return None
    totals = [metric.begun(outputs[0].device) for metric in metrics]
    return cast(Crossentropy, program.heads[0].loss).mean(batch.targets[0], outputs[0], *totals)


def plain_metrics(
    program: Program, outputs: tuple[Tensor, ...], batch: Batch, running: dict[str, Metric]
) -> tuple[SampleMean, ...] | None:
    """Of the commonest program what it measures: the loss, and accuracy if anything; None for others."""
    weighted = any(weight is not None for weight in batch.weights)
    if len(program.heads) > 1 or len(outputs) > 1 or program.penalty is not None or weighted or batch.soft:
        return None
    (head,), (measures,) = program.heads, program.measures
    loss, metrics = head.loss, [running[measure.key] for measure in measures]
    if not isinstance(loss, Crossentropy) or type(loss).__call__ is not Crossentropy.__call__ or head.weight != 1:
        return None
    if len(metrics) > 1 or any(type(metric) not in RIGHT_LABELS for metric in metrics):
        return None
    return tuple(cast(SampleMean, metric) for metric in (running["loss"], *metrics))


def add(mean: Metric, values: Tensor) -> None:
    """Counts the losses of samples, (N,)."""
    assert isinstance(mean, Mean)
    mean.update(values)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; then each of its parts in the mode in which it was."""
    keep_freed_memory()
    training = [part for part in model.modules() if part.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@torch.no_grad()
def evaluate(model: nn.Module, program: Program, batches: Batches, module: nn.Module | None = None) -> dict[str, float]:
    """Loss and metrics of a model in evaluation mode over one epoch of `batches`, with the logs' keys.

    Args:
        module: computes what the model does; None: it is found.
    """
    program, module = program.judging, fused(model) if module is None else module
    running = accumulators(program)
    with evaluating(model):
        for batch in batches.epoch(0):
            total_loss(model, program, forward(module, batch), batch, running)
    return read(running)


@torch.no_grad()
def predict(model: nn.Module, batches: Batches) -> tuple[Tensor, ...]:
    """The outputs of a model in evaluation mode, each (N, ...), on the CPU, in the order of the data."""
    with evaluating(model):
        pieces = [forward(model, batch) for batch in batches.in_order().epoch(0)]
    return tuple(torch.cat(output).cpu() for output in zip(*pieces, strict=True))
