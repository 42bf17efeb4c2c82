"""One training session of a model: from what `fit` was given to a program, a state, batches and those who listen."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from numbers import Integral
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from ..callbacks import History, LearningRateScheduler, ModelCheckpoint, Progress, ReduceLROnPlateau
from ..core import BadData, BadShape, BadValue, HoldfastError, NotReady
from ..data import Batch, Batches, Dataset, Part
from ..layers import ActivityPenalty
from ..metrics import Metric
from ..metrics import get as get_metric
from ..training import (
    BinaryCrossentropy,
    Callback,
    Event,
    Head,
    Loss,
    MeanSquaredError,
    Optimizer,
    Program,
    SparseCategoricalCrossentropy,
    State,
    evaluate,
    get_loss,
    get_optimizer,
    listen,
    train,
)
from .arrays import (
    Arrays,
    are_words,
    as_inputs,
    as_labels,
    as_tensor,
    check_finite,
    check_number,
    hold_out,
    kinds,
    several,
)
from .lower import Link, Lowered, calls_in, for_training, links, removable

if TYPE_CHECKING:
    from .model import BaseModel

EVALUATION_BATCH = 256  # results do not depend on it


@dataclass(frozen=True)
class Compiled:
    """What `compile` was told; the losses are resolved when the first targets are seen."""

    optimizer: Optimizer
    loss: Any  # a name, a Loss, or a list or dict of such, one an output
    loss_weights: Sequence[float] | Mapping[str, float] | None
    metrics: Any  # names or Metrics in a list, or a list or dict of such lists, one an output
    weighted_metrics: Any
    precision: Literal["float32", "bfloat16"]
    device: torch.device


def pick_device(device: str) -> torch.device:
    """ "auto" takes the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=torch.device(device)).item()  # "meta" holds no numbers
        return torch.device(device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise BadValue(f"device {device!r} is not available here; take 'cpu' or 'auto'.") from error


def compiled(
    optimizer: Any,
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    weighted_metrics: Any,
    precision: Literal["float32", "bfloat16"],
    device: str,
) -> Compiled:
    """Checks by name at once what can be checked before any data is seen."""
    for one in _flat(loss):
        get_loss(one)
    for one in (*_flat(metrics), *_flat(weighted_metrics)):
        get_metric(one)
    for one in _flat(loss_weights):
        check_number(f"compile(loss_weights={loss_weights!r})", one, least=-math.inf, whole=False)
    return Compiled(
        get_optimizer(optimizer), loss, loss_weights, metrics, weighted_metrics, precision, pick_device(device)
    )


def _flat(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, Mapping) and "class_name" not in value:
        value = list(value.values())
    return [one for item in value for one in _flat(item)] if isinstance(value, (list, tuple)) else [value]


def program_for(model: "BaseModel", settings: Compiled, targets: Sequence[Tensor]) -> tuple[nn.Module, Program]:
    """The module to train, without the last activations that losses compute better, and what to minimise.

    Softmax and cross-entropy together are computed from the logits: the same value, exact where probabilities round to
    0 or 1.
    """
    lowered, names = model.lowered, model.output_names
    found = links(lowered.module)
    given = _by_output(settings.loss, names, "loss")
    losses = [
        default if one is None else get_loss(one)
        for one, default in zip(given, default_losses(model, targets), strict=True)
    ]
    fuse: list[Link] = [
        link if able and _takes_over(loss) == link else "linear"
        for loss, link, able in zip(losses, found, removable(lowered.module), strict=True)
    ]
    weights = _by_output(settings.loss_weights, names, "loss_weights")
    plain = _by_output(settings.metrics, names, "metrics")
    weighted = _by_output(settings.weighted_metrics, names, "weighted_metrics")
    heads = []
    for number, (loss, link) in enumerate(zip(losses, fuse, strict=True)):
        activation: Link = link
        if link != "linear":
            loss = replace(loss, from_logits=True)  # type: ignore[call-arg]  # cross-entropies have it
        elif getattr(loss, "from_logits", False):
            activation = "sigmoid" if isinstance(loss, BinaryCrossentropy) else "softmax"
        heads.append(
            Head(
                loss,
                names[number],
                1.0 if weights[number] is None else float(weights[number]),
                _metrics(plain[number]),
                _metrics(weighted[number]),
                activation,
            )
        )
    program = Program(settings.optimizer, tuple(heads), settings.precision, penalty_of(lowered), model.seed)
    return for_training(lowered.module, fuse), program


def _by_output(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """One item for each output, from a dict by name, a list in order, or the only item."""
    if value is None:
        return [None] * len(names)
    if isinstance(value, Mapping) and "class_name" not in value:
        strange = next((key for key in value if key not in names), None)
        if strange is not None:
            raise BadValue(f"{what} names {strange!r}; the model's outputs are {', '.join(names)}.")
        return [value.get(name) for name in names]
    if len(names) == 1 and (what.endswith("metrics") or not isinstance(value, (list, tuple))):
        return [value]
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        return list(value)
    if what == "loss" and isinstance(value, (str, Loss)):
        return [value] * len(names)
    raise BadValue(f"{what}: the model has the outputs {', '.join(names)}; give a list of {len(names)} or a dict.")


def _metrics(value: Any) -> tuple[Metric, ...]:
    return tuple(get_metric(one) for one in _flat(value))


def default_losses(model: "BaseModel", targets: Sequence[Tensor]) -> list[Loss]:
    """The loss of each output when none is given: by the model's last activations, else by the targets."""
    found = links(model.lowered.module)
    return [
        _default_loss(link, target, symbol.shape[-1])
        for link, target, symbol in zip(found, targets, model.outputs, strict=True)
    ]


def default_metrics(model: "BaseModel", targets: Sequence[Tensor]) -> list[list[str]]:
    """Of each output when `compile` was left out: accuracy beside a cross-entropy, if the targets are classes."""
    losses = default_losses(model, targets)
    return [["accuracy"] if _tells_apart(*pair) else [] for pair in zip(losses, targets, strict=True)]


def _tells_apart(loss: Loss, target: Tensor) -> bool:
    """Whether a default loss is to learn classes, rather than values or, as an autoencoder does, shares."""
    if isinstance(loss, BinaryCrossentropy):
        return bool(((target == 0) | (target == 1)).all())
    return not isinstance(loss, MeanSquaredError)


def _default_loss(link: Link, target: Tensor, outputs: int) -> Loss:
    if link == "softmax":
        return SparseCategoricalCrossentropy()
    if link == "sigmoid":
        return BinaryCrossentropy()
    if target.is_floating_point() or outputs == 1:
        return MeanSquaredError()
    return SparseCategoricalCrossentropy(from_logits=True)


def _takes_over(loss: Loss) -> Link:
    """The activation that a loss from probabilities can compute itself."""
    if getattr(loss, "from_logits", True):
        return "linear"
    return "sigmoid" if isinstance(loss, BinaryCrossentropy) else "softmax"


class Penalty:
    """Regularization of a lowered model: of its weights and, after a forward pass, of its activations."""

    def __init__(self, lowered: Lowered) -> None:
        self.weights = list(dict.fromkeys(lowered.penalties))  # a sub-model may be met in several ways
        calls = calls_in(lowered.module)
        self.activities = [(module, calls[module]) for module in calls if isinstance(module, ActivityPenalty)]
        for module, times in self.activities:
            module.expect(times)

    def __call__(self, model: nn.Module) -> Tensor:
        terms = [regularizer(getattr(module, name)) for module, name, regularizer in self.weights]
        return torch.stack([*terms, *(module.take(times) for module, times in self.activities)]).sum()


def penalty_of(lowered: Lowered) -> Penalty | None:
    """The regularization of a model; None when it has none."""
    penalty = Penalty(lowered)
    return penalty if penalty.weights or penalty.activities else None


Classes: TypeAlias = tuple[str, ...] | None  # their names, where labels have any


def labelled(
    model: "BaseModel", x: Arrays, y: Arrays, sample_weight: Arrays = None, *, classes: Classes
) -> tuple[Batch, Classes]:
    """Inputs, targets and weights of all samples, checked against the model and its classes; and the classes.

    Of a Dataset it is the validation part.
    """
    if isinstance(x, Dataset):
        _check_known(x, classes)
        x, classes = x.validation, x.classes
    if isinstance(x, Part):
        x, y = x.images, x.labels if y is None else y
    if y is None:
        raise BadValue("y is missing: every sample needs a target.")
    model.build_for(x)
    inputs = as_inputs(x, [symbol.shape for symbol in model.inputs], model.input_names)
    check_finite(inputs, "x")
    targets, given = [], several(y, model.output_names, "y")
    if sum(map(are_words, given)) > 1:
        raise BadData("y: labels with names are supported for one output; encode the others with data.encode_labels.")
    for value, symbol in zip(given, model.outputs, strict=True):
        target, classes = as_labels(value, classes, symbol.shape, "y")
        targets.append(target)
    pieces = [] if sample_weight is None else _weights(sample_weight, model.output_names)
    for name, tensors in (("y", targets), ("sample_weight", pieces)):
        check_finite(tensors, name)
        for tensor in tensors:
            if len(tensor) != len(inputs[0]):
                raise BadShape(f"x has {len(inputs[0])} samples, {name} has {len(tensor)}.")
    _check_weights(pieces)
    return Batch(inputs, tuple(targets), tuple(pieces)), classes


def _check_known(data: Dataset, classes: Classes) -> None:
    """Raises BadData when a model that knows its classes meets data of others."""
    if classes not in (None, data.classes):
        raise BadData(
            f"the model tells {', '.join(classes or ())} apart, the data has {', '.join(data.classes)}; "
            "set model.classes = None to teach it others."
        )


def _check_weights(weights: Sequence[Tensor]) -> None:
    """Raises BadData for a sample that weighs less than nothing."""
    for weight in weights:
        wrong = torch.nonzero(weight < 0)
        if len(wrong):
            first = int(wrong[0])
            raise BadData(f"sample_weight[{first}] is {weight[first]:g}; weights are 0 or more.")


def _weights(sample_weight: Arrays, names: Sequence[str]) -> list[Tensor]:
    """(N,) for each output: its own from a dict or list, or the same for all."""
    first = sample_weight[0] if isinstance(sample_weight, (list, tuple)) and sample_weight else None
    each = isinstance(sample_weight, Mapping) or (first is not None and np.ndim(first) > 0)
    pieces = several(sample_weight, names, "sample_weight") if each else [sample_weight] * len(names)
    return [as_tensor(piece, "sample_weight").float().reshape(-1) for piece in pieces]


def class_weights(batch: Batch, weight: Mapping[Any, float], classes: Sequence[str], outputs: int) -> Batch:
    """The batch with each sample's weight multiplied by that of its class; classes that are not named weigh 1.

    Args:
        weight: by index or name.
        classes: names, if they are known.
        outputs: of the model; one output tells two classes apart.
    """
    labels = kinds(batch.targets[0]) if len(batch.targets) == 1 else None
    if labels is None:
        raise BadValue("class_weight: takes a model with one output, and classes to learn; else give sample_weight.")
    if not isinstance(weight, Mapping):
        raise BadValue(f"class_weight={weight!r}: must be a dict from classes to numbers, e.g. {{0: 1.0, 1: 2.5}}.")
    table = torch.ones(max(outputs, 2, int(labels.max()) + 1))
    for key, value in weight.items():
        place = classes.index(key) if isinstance(key, str) and key in classes else key
        if not isinstance(place, Integral) or not 0 <= int(place) < len(table):
            raise BadValue(f"class_weight names {key!r}; classes are {', '.join(classes) or f'0 to {len(table) - 1}'}.")
        check_number(f"class_weight={ {key: value} }", value, least=0, whole=False)
        table[int(place)] = value
    own = batch.weights[0] if batch.weights else None
    return replace(batch, weights=(table[labels] if own is None else own * table[labels],))


class Busy:
    """Held while a model is trained, by one training at a time.  A copy is a fresh one: so models can be copied."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise NotReady("this model is being trained already; wait for the end, or train a copy.")

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type["Busy"], tuple[()]]:
        return Busy, ()


@dataclass(frozen=True)
class Fitting:
    """A training session, ready to begin: what `fit` runs, and what runs and searches look into.

    Attributes:
        batches: training data.
        measured: the same to judge on: in order, all of it, and without class weights, as validation has none.
        validation: data to judge on, if any.
        callbacks: all who listen, the history among them.
        first, epochs: labels of the first epoch and of the one after the last.
    """

    model: "BaseModel"
    state: State
    program: Program
    batches: Batches
    measured: Batches
    validation: Batches | None
    callbacks: tuple[Callback, ...]
    history: History
    first: int
    epochs: int
    validation_freq: int
    measure_train: Literal["end", "epoch", "never"]

    def events(self) -> Generator[Event]:
        """Trains; each event comes when all callbacks have heard it, `End` last.

        Raises:
            NotReady: the model is being trained already.
        """
        with self.model.busy:
            self.model.history = self.history
            yield from self._events()

    def _events(self) -> Generator[Event]:
        events = train(
            self.state,
            self.program,
            self.batches,
            epochs=self.epochs,
            first=self.first,
            validation=self.validation,
            validation_freq=self.validation_freq,
            measured=self.measured if self.measure_train == "epoch" else None,
        )
        yield from listen(events, self.callbacks)
        if self.measure_train != "never":
            self.history.measured = self.measure()

    def measure(self) -> dict[str, float]:
        """Loss and metrics of the model as it is now in evaluation mode: on train, and with val_ on validation."""
        measured = evaluate(self.state.model, self.program, self.measured)
        if self.validation is not None:
            judged = evaluate(self.state.model, self.program, self.validation)
            measured |= {f"val_{key}": value for key, value in judged.items()}
        return measured

    def run(self) -> History:
        """Trains to the end."""
        for _ in self.events():
            pass
        return self.history


def prepare(
    model: "BaseModel",
    x: Arrays,
    y: Arrays = None,
    *,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Literal["auto", 0, 1, 2] = "auto",
    callbacks: Sequence[Callback] | Callback | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,  # (x, y), (x, y, sample_weight), a Part or a Dataset
    shuffle: bool = True,
    class_weight: Mapping[int | str, float] | None = None,
    sample_weight: Arrays = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    split_order: Literal["shuffled", "tail"] = "shuffled",
    measure_train: Literal["end", "epoch", "never"] = "end",
) -> Fitting:
    """A training session from the arguments of `fit`, which documents them."""
    check_counts(
        "fit",
        batch_size=batch_size,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validation_steps=validation_steps,
        validation_batch_size=validation_batch_size,
        validation_freq=validation_freq,
    )
    check_number(f"fit(initial_epoch={initial_epoch!r})", initial_epoch, least=0)
    if epochs <= initial_epoch:
        raise BadValue(f"fit(epochs={epochs}, initial_epoch={initial_epoch}): there is no epoch to train.")
    if measure_train not in ("end", "epoch", "never"):
        raise BadValue(f"fit(measure_train={measure_train!r}): must be 'end', 'epoch' or 'never'.")
    if verbose not in ("auto", 0, 1, 2):
        raise BadValue(f"fit(verbose={verbose!r}): must be 'auto', 0, 1 or 2.")
    listeners = _listeners(callbacks)
    classes = model.classes
    if isinstance(x, Dataset):
        validation_data = x.validation if validation_data is None and not validation_split else validation_data
        _check_known(x, classes)
        x, classes = x.train, x.classes
    whole, classes = labelled(model, x, y, sample_weight, classes=classes)
    _check_varied(whole, [symbol.shape[-1] for symbol in model.outputs], classes)
    held: Batch | None = None
    if validation_data is not None:
        held = _validation(model, validation_data, classes)
    elif validation_split:
        kept, out = hold_out(whole.targets[0], validation_split, seed=model.seed, order=split_order)
        held, whole = whole.map(lambda tensor: tensor[out]), whole.map(lambda tensor: tensor[kept])
    plain = whole.weights
    if class_weight is not None:
        whole = class_weights(whole, class_weight, classes or (), model.outputs[0].shape[-1])
    state, program = model.training_state(whole.targets)
    _check_binary(program, whole)
    with model.busy:  # or a training under way would lose its place in the epoch
        state.begin, state.batch, state.running = state.step, 0, {}
    model.classes = classes
    size = batch_size or 32
    settings = model.compiled
    assert settings is not None
    batches = Batches(
        whole, batch_size=size, shuffle=shuffle, seed=model.seed, steps=steps_per_epoch, device=settings.device
    )
    unweighted = tuple(None if weight is None else weight.to(settings.device) for weight in plain)
    measured = Batches(
        replace(batches.data, weights=unweighted), batch_size=max(size, EVALUATION_BATCH), device=settings.device
    )
    judged = None
    if held is not None:
        judged = Batches(
            held,
            batch_size=validation_batch_size or (size if validation_steps else max(size, EVALUATION_BATCH)),
            steps=validation_steps,
            device=settings.device,
        )
    _provide_saving(model, listeners)
    history = History(any(isinstance(one, (LearningRateScheduler, ReduceLROnPlateau)) for one in listeners))
    if verbose != 0:
        listeners.append(Progress(2 if verbose == 2 else 1))
    return Fitting(
        model,
        state,
        program,
        batches,
        measured,
        judged,
        (*listeners, history),
        history,
        initial_epoch,
        epochs,
        validation_freq,
        measure_train,
    )


def _provide_saving(model: "BaseModel", listeners: Sequence[Callback]) -> None:
    """Lets each ModelCheckpoint without a function of its own write this model."""
    from .keras_file import save_keras

    for listener in listeners:
        if not isinstance(listener, ModelCheckpoint) or listener.save is not None:
            continue
        ending = Path(listener.filepath).suffix
        if ending == ".keras":
            listener.default_save = lambda _, path: save_keras(model, path)
        elif ending != ".safetensors":
            raise BadValue(
                f"ModelCheckpoint({str(listener.filepath)!r}): takes a path that ends in .keras or .safetensors; "
                "for other formats pass save=function(state, path)."
            )


def check_counts(method: str, **counts: object) -> None:
    """Raises BadValue for a setting of `fit`, `evaluate` or `predict` that is neither None nor a positive number."""
    for name, count in counts.items():
        if count is not None:
            check_number(f"{method}({name}={count!r})", count)


def _listeners(callbacks: Any) -> list[Callback]:  # Any: what `fit` takes, to be checked here
    """Those who listen, as a list.

    Raises:
        BadValue: what cannot be called with an event.
    """
    if callbacks is None:
        return []
    given = list(callbacks) if isinstance(callbacks, Sequence) and not isinstance(callbacks, str) else [callbacks]
    for one in given:
        if isinstance(one, type):
            raise BadValue(f"callbacks: {one.__name__} is a class; give an object of it, {one.__name__}(...).")
        if not _hears(one):
            raise BadValue(
                f"callbacks: {one!r} cannot be called with an event; give a function of an event, "
                "or LambdaCallback(on_epoch_end=...)."
            )
    return given


def _hears(listener: Any) -> bool:  # Any: as above
    """Whether it can be called with an event."""
    try:
        signature(listener).bind(None)
    except TypeError:
        return False
    except ValueError:  # a built-in that does not say what it takes
        return True
    return True


def _check_varied(batch: Batch, outputs: Sequence[int], classes: Classes) -> None:
    """Raises BadData when all samples are of one class."""
    for target, several_classes in zip(batch.targets, outputs, strict=True):
        labels = kinds(target)
        if labels is None or (several_classes == 1 and target.is_floating_point()):
            continue
        if bool((labels == labels[0]).all()):
            only = classes[0] if classes and len(classes) == 1 else int(labels[0])
            raise BadData(f"y: all {len(labels)} labels are {only!r}; there is nothing to tell apart.")


def _check_binary(program: Program, batch: Batch) -> None:
    """Raises BadData when a binary cross-entropy is to learn anything but 0, 1 and what lies between."""
    for head, target in zip(program.heads, batch.targets, strict=True):
        wrong = torch.nonzero(((target < 0) | (target > 1)).reshape(len(target), -1).any(1))
        if len(wrong) and isinstance(head.loss, BinaryCrossentropy):
            first = int(wrong[0, 0])
            raise BadData(f"y[{first}] is {target[first].tolist()}; binary cross-entropy takes targets from 0 to 1.")


def _validation(model: "BaseModel", data: Any, classes: Classes) -> Batch:  # Any: what `fit` documents
    given = (data, None) if isinstance(data, (Part, Dataset)) else data
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise BadValue(
            f"validation_data: takes (x, y), (x, y, sample_weight), a Part or a Dataset, got {type(data).__name__}."
        )
    try:
        return labelled(model, *given, classes=classes)[0]
    except HoldfastError as error:
        raise type(error)(f"validation_data: {error}") from error


def judge(model: "BaseModel", x: Arrays, y: Arrays, sample_weight: Arrays, batch_size: int | None) -> dict[str, float]:
    """Loss and metrics by name, in evaluation mode."""
    check_counts("evaluate", batch_size=batch_size)
    part, _ = labelled(model, x, y, sample_weight, classes=model.classes)
    state, program = model.training_state(part.targets)
    assert model.compiled is not None
    batches = Batches(part, batch_size=batch_size or EVALUATION_BATCH, device=model.compiled.device)
    return evaluate(state.model, program, batches)
