"""Trainings of one architecture that take their steps together, as one computation; all else they do on their own.

Very small nets spend their time on calls, not on arithmetic: what is called once for all models costs each a share.
Sample n of model s is sample s * N + n of one batch, so whatever has no weights takes all models as one; dense layers
become one product of stacked matrices, on a GPU convolutions one with groups; all other modules compute model by model.
When this pays is found by `probe_stacked.models_at_once`.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from ctypes import c_float, c_int64, c_uint32, c_uint64
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from ..core import BadValue
from ..data import Batch, Batches
from ..layers import RandomModule
from ..layers.regularizers import ActivityPenalty
from . import native
from .events import Begin, Callback, End, EpochEnd, Event, StepEnd, Stop
from .loop import Runner, forward, hear, plain_metrics, tell, total_loss
from .losses import Crossentropy
from .optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, RMSprop
from .passes import fused
from .passes.chains import calls, hooked
from .passes.dropout import Dropout
from .passes.narrow import Narrow
from .program import Program
from .split import Split
from .state import State

PLAIN = (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Nadam, Lion)  # to which every weight is one like any other
CONVOLUTIONS = {nn.Conv1d: F.conv1d, nn.Conv2d: F.conv2d, nn.Conv3d: F.conv3d}
OWN = (nn.modules.batchnorm._NormBase, ActivityPenalty, RandomModule)  # remember, draw, or see the whole batch
INTERNAL = frozenset(vars(nn.Module()))
KNOWN = ("holdfast", "torch")  # whose modules without weights compute sample by sample, but for those above


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
        self.batch: Batch | None = None
        self.numbers: tuple[float, ...] = ()
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
            assert self.batch is not None
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
                shapes = tuple((tensor.shape, tensor.dtype) for tensor in due(places[number]).inputs)
                groups.setdefault(shapes, []).append(places[number])
            stack = stack or Stack(places)  # not before: whoever has hooked into a model by now is heard
            for group in groups.values():
                stack.step(group)
    finally:
        for training in trainings:
            if hasattr(training, "close"):
                training.close()


def due(place: Place) -> Batch:
    """The batch of its next step."""
    assert place.batch is not None
    return place.batch


class Stack:
    """Several models of one kind, and the steps that some or all of them take at once.

    Raises:
        BadValue: they differ in more than their weights.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        able = [place for place in places if kind(place) is not None]
        if len({kind(place) for place in able}) > 1:
            raise BadValue("these models cannot be trained as one: they differ in more than their weights.")
        self.turn, self.numbers = Turn(), {id(place): number for number, place in enumerate(able)}
        on_cpu = places[0].runner.device.type == "cpu"
        modules = [fused(computing(place.state.model)) if on_cpu else computing(place.state.model) for place in able]
        self.module = together(modules, self.turn, grouped=not on_cpu) if able else nn.Identity()

    def step(self, places: Sequence[Place]) -> None:
        """One update of each of these models, whose batches have one shape: changes them, their slots and metrics."""
        able = [place for place in places if id(place) in self.numbers]
        for place in places:
            if len(able) < 2 or place not in able:
                place.runner.update(due(place), place.numbers)
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
            finish(place)

    def gradients(self, places: Sequence[Place]) -> list[list[Tensor]]:
        """Of the loss of each, for its parameters; metrics count what they see."""
        self.turn.places = [self.numbers[id(place)] for place in places]
        inputs = tuple(torch.cat(several) for several in zip(*(due(place).inputs for place in places), strict=True))
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
        total_loss(place.state.model, place.program, own, due(place), place.state.running)
        for place, own in zip(places, pieces, strict=True)
    ]


def losses_at_once(places: Sequence[Place], outputs: tuple[Tensor, ...]) -> Tensor | None:
    """The sum of the losses, for the commonest program as `loop.mean_at_once` has it; None for others."""
    metrics = [plain_metrics(place.program, outputs, due(place), place.state.running) for place in places]
    losses = {place.program.heads[0].loss for place in places}
    if None in metrics or len(losses) > 1 or len({due(place).targets[0].shape for place in places}) > 1:
        return None
    labels, (logits,), (loss,) = torch.cat([due(place).targets[0] for place in places]), outputs, losses
    assert isinstance(loss, Crossentropy)
    if not (loss.from_logits and native.scores(labels, logits) and len(logits) and logits.shape[1] > 1):
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


def finish(place: Place) -> None:
    """What follows on an update: soft thresholds and constraints."""
    program = place.program
    if program.proximal is not None and place.numbers:
        program.proximal(place.runner.parameters, partial(program.optimizer.reach, place.state.slots, place.numbers))
    if program.constrain is not None:
        program.constrain()


def kind(place: Place) -> Hashable:
    """What trainings have in common that can take their steps together; None: this one cannot."""
    module, parameters = computing(place.state.model), place.runner.parameters
    if not isinstance(module, fx.GraphModule) or not parameters or any(map(hooked, place.state.model.modules())):
        return None
    shapes = tuple((name, value.shape, value.requires_grad) for name, value in module.named_parameters())
    trained = tuple(parameter.shape for parameter in parameters)
    return str(module), shapes, trained, place.program.precision, place.runner.device


def computing(model: nn.Module) -> nn.Module:
    """What takes the batches: of a split model, its end."""
    return model.head if isinstance(model, Split) else model


@dataclass
class Turn:
    """Which of the models compute, by their places."""

    places: list[int] = field(default_factory=list)


def together(parts: Sequence[nn.Module], turn: Turn, *, grouped: bool) -> nn.Module:
    """What computes several modules of one kind, of which those take part whose turn it is.

    Args:
        grouped: whether convolutions become one with groups, as GPUs like it.

    Raises:
        BadValue: graphs that differ.
    """
    first = parts[0]
    if isinstance(first, fx.GraphModule):
        return _graphs([part for part in parts if isinstance(part, fx.GraphModule)], turn, grouped=grouped)
    if type(first) is nn.Linear:
        return Denses(parts, turn)
    if isinstance(first, Narrow):
        linears = Denses([part.linear for part in parts if isinstance(part, Narrow)], turn)
        return linears if first.relu is None else nn.Sequential(linears, first.relu)
    if isinstance(first, Dropout):
        return Dropouts([part for part in parts if isinstance(part, Dropout)], turn)
    if grouped and type(first) in CONVOLUTIONS and first.padding_mode == "zeros":
        return Convolutions(parts, turn)
    return first if interchangeable(parts) else Apart(parts, turn)


def _graphs(parts: Sequence[fx.GraphModule], turn: Turn, *, grouped: bool) -> fx.GraphModule:
    """One graph that calls what computes all of its modules."""
    if len({part.code for part in parts}) > 1:
        raise BadValue("these models cannot be trained as one: they compute different things.")
    graph = fx.Graph()
    graph.output(graph.graph_copy(parts[0].graph, {}))
    whole = fx.GraphModule(parts[0], graph, class_name="Stacked")
    for target in dict.fromkeys(str(node.target) for node in calls(whole)):
        whole.set_submodule(target, together([part.get_submodule(target) for part in parts], turn, grouped=grouped))
    whole.graph.owning_module = None  # or the weights would wait for Python's garbage collector
    return whole


def interchangeable(parts: Sequence[nn.Module]) -> bool:
    """Whether each of these computes what the others do, sample by sample: one of them will do for all."""
    first, *others = ([*part.modules()] for part in parts)
    if any(isinstance(module, OWN) or module._parameters for module in first):
        return False
    if any(type(module).__module__.partition(".")[0] not in KNOWN for module in first):
        return False
    return all(len(one) == len(first) and all(map(_equal, first, one)) for one in others)


def _equal(a: nn.Module, b: nn.Module) -> bool:
    """Whether two modules without weights have equal settings and constants."""
    mine, yours = ({name: value for name, value in vars(one).items() if name not in INTERNAL} for one in (a, b))
    if type(a) is not type(b) or bool(mine != yours) or a._buffers.keys() != b._buffers.keys():
        return False
    pairs = ((value, b._buffers[name]) for name, value in a._buffers.items())
    return all(x is y or (x is not None and y is not None and torch.equal(x, y)) for x, y in pairs)


class Denses(nn.Module):
    """Dense layers: each of its own samples, all in one product."""

    def __init__(self, parts: Sequence[nn.Module], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn = parts, turn

    def forward(self, x: Tensor) -> Tensor:
        chosen: list[Any] = [self.parts[place] for place in self.turn.places]  # Any: nn.Linear
        weights, biases = [part.weight for part in chosen], [part.bias for part in chosen]
        if torch.is_autocast_enabled(x.device.type):
            x, weights = (
                x.to(dtype := torch.get_autocast_dtype(x.device.type)),
                [weight.to(dtype) for weight in weights],
            )
            biases = [bias if bias is None else bias.to(dtype) for bias in biases]
        return Products.apply(x, *weights, *biases)  # type: ignore[no-untyped-call,no-any-return]


class Products(torch.autograd.Function):
    """x @ weight.T + bias for several models: first their samples in a row, (S * N, ..., K), then weights, then biases.

    Gradients of weights come as the weights lie, which saves the optimizer a copy.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *given: Tensor | None) -> Tensor:
        models = len(given) // 2
        rows, weight = (
            x.reshape(models, -1, x.shape[-1]),
            torch.stack([one for one in given[:models] if one is not None]),
        )
        ctx.save_for_backward(rows, weight)
        ctx.shape, ctx.biased = x.shape, given[-1] is not None
        if ctx.biased:
            bias = torch.stack([one for one in given[models:] if one is not None])[:, None]
            return torch.baddbmm(bias, rows, weight.mT).view(*x.shape[:-1], -1)
        return torch.bmm(rows, weight.mT).view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        models, wanted = len(weight), ctx.needs_input_grad
        g = gradient.reshape(models, -1, gradient.shape[-1])
        dx = torch.bmm(g, weight).view(ctx.shape) if wanted[0] else None
        weights = torch.bmm(g.mT, rows).unbind() if any(wanted[1 : models + 1]) else [None] * models
        biases = g.sum(1).unbind() if ctx.biased and any(wanted[models + 1 :]) else [None] * models
        return dx, *weights, *biases


class Convolutions(nn.Module):
    """Convolutions: each of its own samples, all as one with groups."""

    def __init__(self, parts: Sequence[nn.Module], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn = parts, turn

    def forward(self, x: Tensor) -> Tensor:
        chosen: list[Any] = [self.parts[place] for place in self.turn.places]  # Any: nn.Conv1d and so on
        first, count = chosen[0], len(chosen)
        weight = torch.cat([part.weight for part in chosen])
        bias = None if first.bias is None else torch.cat([part.bias for part in chosen])
        side_by_side = x.reshape(count, -1, *x.shape[1:]).transpose(0, 1).flatten(1, 2)  # (N, S * C, ...)
        convolve: Callable[..., Tensor] = CONVOLUTIONS[type(first)]
        how = first.stride, first.padding, first.dilation, first.groups * count
        y: Tensor = convolve(side_by_side, weight, bias, *how)
        return y.reshape(len(y), count, -1, *y.shape[2:]).transpose(0, 1).flatten(0, 1)


class Dropouts(nn.Module):
    """Dropouts, each with its own draws."""

    def __init__(self, parts: Sequence[Dropout], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn, self.apart = parts, turn, Apart(parts, turn)

    def forward(self, x: Tensor) -> Tensor:
        chosen = [self.parts[place].module for place in self.turn.places]
        each, first = x.numel() // len(chosen), chosen[0]
        taken = x.device.type == "cpu" and x.dtype in native.CODES and each % 16 == 0 and x.dim() > 1
        if not (taken and first.training and first.rate) or any(one.rate != first.rate for one in chosen):
            return self.apart(x)  # type: ignore[no-any-return]  # torch's own lack
        seeds = [one.take(each) for one in chosen]
        return Dropped.apply(x, seeds, first.least, first.scale)  # type: ignore[no-untyped-call,no-any-return]


class Dropped(torch.autograd.Function):
    """`native.Dropped` for several models, each with its own seed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, seeds: Sequence[int], least: int, scale: float) -> Tensor:
        ctx.how = seeds, least, scale
        return dropped(x, *ctx.how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return dropped(gradient, *ctx.how), None, None, None


def dropped(x: Tensor, seeds: Sequence[int], least: int, scale: float) -> Tensor:
    """What remains of x."""
    x = x.movedim(1, -1).contiguous()
    y, each = torch.empty_like(x), x.numel() // len(seeds)
    how = c_uint32(least), c_float(scale), native.CODES[x.dtype], torch.get_num_threads()
    for seed, source, target in zip(seeds, x.chunk(len(seeds)), y.chunk(len(seeds)), strict=True):
        native.call("dropout", source, target, c_int64(each), c_uint64(seed), *how)
    return y.movedim(-1, 1)


class Apart(nn.Module):
    """Modules that compute one after another, each its own samples."""

    def __init__(self, parts: Sequence[nn.Module], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn = parts, turn

    def forward(self, *xs: Tensor) -> Any:  # Any: a tensor, or several in a tuple
        count = len(self.turn.places)
        own = zip(*(x.chunk(count) for x in xs), strict=True)
        given = [self.parts[place](*some) for place, some in zip(self.turn.places, own, strict=True)]
        if isinstance(given[0], tuple):
            return tuple(torch.cat(several) for several in zip(*given, strict=True))
        return torch.cat(given)
