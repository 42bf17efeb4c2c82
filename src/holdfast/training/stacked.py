"""Trainings of one architecture that take their steps together, as one computation; all else they do on their own.

Very small nets spend their time on calls, not on arithmetic: what is called once for all models costs each a share.
How one module computes several is passes/several.py; when this pays is found by `probe_stacked.models_at_once`.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from ..core import BadValue
from ..data import Batch, Batches
from . import native
from .events import Begin, Callback, End, EpochEnd, Event, StepEnd, Stop
from .loop import Runner, confine, forward, hear, plain_metrics, tell, total_loss
from .losses import Crossentropy
from .optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, RMSprop
from .passes import fused
from .passes.chains import hooked
from .passes.several import Turn, as_one
from .program import Program
from .split import Split
from .state import State

PLAIN = (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Nadam, Lion)  # to which every weight is one like any other


class Place:
    """A training among others: it waits with each step until all are ready, and goes on as if it were alone.

    Who takes the events of `loop.train` gives it the place as its `runner`, and `listener(callbacks)` as the only one
    who listens.

    Attributes:
        due: whether a step comes next.
        batch, numbers: for that step, once `prepare` was called.
    """

    def __init__(self, state: State, program: Program, batches: Batches) -> None:
        self.state, self.program, self.batches = state, program, batches
        self.runner = Runner(state, program)
        self.due, self.end, self.steps, self.epochs = False, 0, 0, 0
        self.left: Iterator[Batch] = iter(())
        self.batch: Batch
        self.numbers: tuple[float, ...]
        optimizer = program.optimizer
        together = type(optimizer) in PLAIN and optimizer.global_clipnorm is None
        self.optimizer: Hashable = replace(optimizer, learning_rate=0.0) if together else id(self)

    def listener(self, callbacks: Sequence[Callback]) -> Callback:
        """Hands every event on to the callbacks, and notices whether a step is due."""
        return partial(self._hear, callbacks)

    def _hear(self, callbacks: Sequence[Callback], event: Event) -> Stop | None:
        self.due = False
        if isinstance(event, End):
            tell(event, callbacks)
            return None
        stop = hear(event, callbacks)
        self.due = stop is None and self._goes_on(event)
        return stop

    def _goes_on(self, event: Event) -> bool:
        """Whether a step follows on this event."""
        match event:
            case Begin(epoch=epoch, epochs=epochs, steps=steps):
                self.steps, self.epochs = steps, epochs
                self.end = self.state.step - self.state.batch + steps * (epochs - epoch)
                self.left = iter(())
                return epoch < epochs and self.state.batch < steps
            case StepEnd(step=step):
                return step < self.steps
            case EpochEnd(epoch=epoch):
                return epoch + 1 < self.epochs
        return False

    def prepare(self) -> None:
        """Finds batch and numbers of the next step."""
        batch = next(self.left, None)
        if batch is None:
            self.state.model.train()
            self.left = self.runner.epoch(self.batches)
            batch = next(self.left)
        self.batch, self.numbers = batch, self.runner.numbers(self.end)

    def epoch(self, batches: Batches) -> Iterator[Batch]:
        """What is left of the epoch under way: each batch once its step was taken."""
        for _ in range(self.state.batch, len(batches)):
            yield self.batch

    def step(self, batch: Batch, end: int) -> None:
        """The step was taken, together with those of others."""
        self.runner.count()

    def read(self) -> dict[str, float]:
        """See Runner."""
        return self.runner.read()

    def judge(self, batches: Batches) -> dict[str, float]:
        """See Runner."""
        return self.runner.judge(batches)

    def end_epoch(self) -> None:
        """See Runner."""
        self.runner.end_epoch()


def train_stacked(places: Sequence[Place], trainings: Sequence[Iterator[Event]]) -> Iterator[tuple[int, Event]]:
    """Trains, yielding the events of every training as `trainings` do, each with the number of its training.

    Args:
        places: one a training, that its events are taken with, see `Place`.
        trainings: their events, of which none was taken yet.

    Raises:
        BadValue: models that differ in more than their weights.
    """
    stack: Stack | None = None
    try:
        waiting = list(range(len(places)))
        while waiting:
            for number in waiting:
                for event in trainings[number]:
                    yield number, event
                    if places[number].due:
                        break
            waiting = [number for number in waiting if places[number].due]
            groups: dict[Hashable, list[Place]] = {}
            for number in waiting:
                places[number].prepare()
                shapes = tuple((tensor.shape, tensor.dtype) for tensor in places[number].batch.inputs)
                groups.setdefault(shapes, []).append(places[number])
            stack = stack or Stack(places)  # not before: whoever has hooked into a model by now is heard
            for group in groups.values():
                stack.step(group)
    finally:
        for training in trainings:
            if hasattr(training, "close"):
                training.close()


class Stack:
    """Several models of one kind, and the steps that some or all of them take at once.

    Raises:
        BadValue: they differ in more than their weights.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        kinds = [kind(place.state, place.program) for place in places]
        able = [place for place, found in zip(places, kinds, strict=True) if found is not None]
        if len({found for found in kinds if found is not None}) > 1:
            raise BadValue("these models cannot be trained as one: they differ in more than their weights.")
        self.turn, self.numbers = Turn(), {id(place): number for number, place in enumerate(able)}
        on_cpu = places[0].runner.device.type == "cpu"
        modules = [fused(computing(place.state.model)) if on_cpu else computing(place.state.model) for place in able]
        self.module = as_one(modules, self.turn, grouped=not on_cpu) if able else nn.Identity()

    def step(self, places: Sequence[Place]) -> None:
        """One update of each of these models, whose batches have one shape: changes them, their slots and metrics."""
        able = [place for place in places if id(place) in self.numbers]
        for place in places:
            if len(able) < 2 or place not in able:
                place.runner.update(place.batch, place.numbers)
        if len(able) > 1:
            self._step_together(able)

    def _step_together(self, places: Sequence[Place]) -> None:
        gradients = self.gradients(places)
        alike: dict[Hashable, list[int]] = {}
        for number, place in enumerate(places):
            alike.setdefault((place.optimizer, place.numbers), []).append(number)
        for group in alike.values():
            apply([places[number] for number in group], [gradients[number] for number in group])
        for place in places:
            confine(place.state, place.program, place.runner.parameters, place.numbers)

    def gradients(self, places: Sequence[Place]) -> list[list[Tensor]]:
        """Of the loss of each, for its parameters; metrics count what they see."""
        self.turn.places = [self.numbers[id(place)] for place in places]
        inputs = tuple(torch.cat(several) for several in zip(*(place.batch.inputs for place in places), strict=True))
        with places[0].program.autocast(inputs[0].device):
            outputs = forward(self.module, Batch(inputs))
        losses = [loss] if (loss := losses_at_once(places, outputs)) is not None else losses_of(places, outputs)
        parameters = [place.runner.parameters for place in places]
        found = torch.autograd.grad(losses, [*chain(*parameters)], allow_unused=True, materialize_grads=True)
        each = len(parameters[0])
        return [list(found[place * each : (place + 1) * each]) for place in range(len(places))]


def losses_of(places: Sequence[Place], outputs: tuple[Tensor, ...]) -> list[Tensor]:
    """The loss of each model, found one after another."""
    pieces = zip(*(output.reshape(len(places), -1, *output.shape[1:]).unbind() for output in outputs), strict=True)
    return [
        total_loss(place.state.model, place.program, own, place.batch, place.state.running)
        for place, own in zip(places, pieces, strict=True)
    ]


def losses_at_once(places: Sequence[Place], outputs: tuple[Tensor, ...]) -> Tensor | None:
    """The sum of the losses, for the commonest program as `loop.mean_at_once` has it; None for others."""
    metrics = [plain_metrics(place.program, outputs, place.batch, place.state.running) for place in places]
    losses = {place.program.heads[0].loss for place in places}
    if None in metrics or len(losses) > 1 or len({place.batch.targets[0].shape for place in places}) > 1:
        return None
    labels, (logits,), (loss,) = torch.cat([place.batch.targets[0] for place in places]), outputs, losses
    assert isinstance(loss, Crossentropy)
    if not loss.in_one_pass(labels, logits):
        return None
    labels = labels.long().flatten()
    total, each = Crossentropies.apply(logits, labels, loss.label_smoothing, len(places))  # type: ignore[no-untyped-call]
    right = logits.detach().argmax(1) == labels
    for number, values in enumerate((each, right)):
        counted = [several[number] for several in metrics if several is not None and number < len(several)]
        if counted:
            sums = values.view(len(places), -1).sum(1, dtype=torch.float64)
            both = torch.stack((sums, torch.full_like(sums, len(labels) // len(places))), 1)
            torch._foreach_add_([metric.begun(logits.device) for metric in counted], both.unbind())
    return cast(Tensor, total)


class Crossentropies(torch.autograd.Function):
    """The sum of the mean cross-entropies of so many models, (), and the loss of each sample, which has no gradient."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, smoothing: float, models: int) -> tuple[Tensor, Tensor]:
        losses, gradient, _ = native.crossentropy(logits, labels, smoothing, models / len(labels))
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(losses)
        return losses.sum() * (models / len(labels)), losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        (of_sum,) = ctx.saved_tensors
        return of_sum * gradient, None, None, None


def apply(places: Sequence[Place], gradients: Sequence[list[Tensor]]) -> None:
    """The optimizer's update of several models that it takes the same numbers for, as if they were one."""
    first, slots = places[0], [place.state.slots for place in places]
    parameters = [*chain(*(place.runner.parameters for place in places))]
    whole = slots[0] if len(places) == 1 else {name: [*chain(*(own[name] for own in slots))] for name in slots[0]}
    first.program.optimizer.apply(parameters, [*chain(*gradients)], whole, first.numbers)


def kind(state: State, program: Program) -> Hashable:
    """What trainings have in common that can take their steps together; None: this one cannot."""
    module, parameters = computing(state.model), state.parameters()
    if not isinstance(module, fx.GraphModule) or not parameters or any(map(hooked, state.model.modules())):
        return None
    shapes = tuple((name, value.shape, value.requires_grad) for name, value in module.named_parameters())
    trained = tuple(parameter.shape for parameter in parameters)
    return str(module), shapes, trained, program.precision, parameters[0].device


def computing(model: nn.Module) -> nn.Module:
    """What takes the batches: of a split model, its end."""
    return model.head if isinstance(model, Split) else model
