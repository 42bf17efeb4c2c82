"""One training session of a model: its state, program and batches, and those who listen."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from ..callbacks import History, LearningRateScheduler, ModelCheckpoint, Progress, ReduceLROnPlateau
from ..core import BadValue, NotReady
from ..data import Augmentation, Batch, Batches, Dataset, Part
from ..training import (
    Callback,
    Event,
    Program,
    State,
    evaluate,
    listen,
    precision_for,
    predict,
    train,
)
from ..training.loop import Agree, Steps
from ..training.parallel import Team, together
from ..training.split import Split, whole_of
from .arrays import Arrays, as_inputs, check_number, hold_out
from .augmenting import Chosen, augmentation_for, check_augment
from .frozen import front_of
from .kept_features import Telling, Told, can_keep, features_of, views_of
from .recipe import recipe_batch_size
from .samples import check_binary, check_known, check_varied, class_weights, labelled, validation_samples
from .summary import summarize

if TYPE_CHECKING:
    from .model import BaseModel

EVALUATION_BATCH, EVALUATION_NUMBERS = 256, 2**22  # samples judged at once, at most; results do not depend on it


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
        team: of processes that train this model together, each of them in such a session; None: this one is alone.
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
    team: Team | None = None

    def events(self, runner: Steps | None = None) -> Generator[Event]:
        """Trains; each event comes when all callbacks have heard it, `End` last.

        Args:
            runner: takes the steps; None: one of its own.

        Raises:
            NotReady: the model is being trained already.
        """
        with self.model.busy:
            self.model.history = self.history
            if self.team is None:
                yield from self._events(runner)
                return
            with together(self.state, self.program, self.team) as shared:
                yield from self._events(shared, self.team.agree)

    def _events(self, runner: Steps | None, agree: Agree | None = None) -> Generator[Event]:
        events = train(
            self.state,
            self.program,
            self.batches,
            epochs=self.epochs,
            first=self.first,
            validation=self.validation,
            validation_freq=self.validation_freq,
            measured=self.measured if self.measure_train == "epoch" else None,
            runner=runner,
        )
        yield from listen(events, self.callbacks, agree)
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
    augment: Chosen = "auto",
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
    check_number(f"fit(epochs={epochs!r})", epochs)
    check_number(f"fit(initial_epoch={initial_epoch!r})", initial_epoch, least=0)
    if epochs <= initial_epoch:
        raise BadValue(f"fit(epochs={epochs}, initial_epoch={initial_epoch}): there is no epoch to train.")
    if measure_train not in ("end", "epoch", "never"):
        raise BadValue(f"fit(measure_train={measure_train!r}): must be 'end', 'epoch' or 'never'.")
    if verbose not in ("auto", 0, 1, 2):
        raise BadValue(f"fit(verbose={verbose!r}): must be 'auto', 0, 1 or 2.")
    check_augment("fit", augment)
    listeners = _listeners(callbacks)
    classes, reads = model.classes, model.reads
    if isinstance(x, Dataset):
        reads = x.reads
        validation_data = x.validation if validation_data is None and not validation_split else validation_data
        check_known(x, classes)
        x, classes = x.train, x.classes
    whole, classes = labelled(model, x, y, sample_weight, classes=classes)
    check_varied(whole, [symbol.shape[-1] for symbol in model.outputs], classes)
    held: Batch | None = None
    if validation_data is not None:
        held = validation_samples(model, validation_data, classes)
    elif validation_split:
        kept, out = hold_out(whole.targets[0], validation_split, seed=model.seed, order=split_order)
        held, whole = whole.map(lambda tensor: tensor[out]), whole.map(lambda tensor: tensor[kept])
    plain = whole.weights
    if class_weight is not None:
        whole = class_weights(whole, class_weight, classes or (), model.outputs[0].shape[-1])
    by_recipe = model.compiled is None or model.compiled.optimizer is None
    size = batch_size or (recipe_batch_size(len(whole)) if by_recipe else 32)
    state, program = model.training_state(whole.targets, size)
    check_binary(program, whole)
    augmentation = augmentation_for(augment, model, program.heads, whole, reads=reads, by_recipe=by_recipe)
    end: Split | None = None
    if can_keep(augmentation):
        with Telling(quiet=verbose == 0) as told:
            end, whole, held, augmentation = _with_features(
                model, whole_of(state.model), whole, held, augmentation, told
            )
    with model.busy:  # or a training under way would lose its place in the epoch
        state.begin, state.batch, state.running = state.step, 0, {}
        state.model = end or whole_of(state.model)
    model.classes, model.unknown = classes, None  # thresholds belong to the weights that they were found for
    settings = model.compiled
    assert settings is not None
    batches = Batches(
        whole,
        batch_size=size,
        shuffle=shuffle,
        seed=model.seed,
        steps=steps_per_epoch,
        device=settings.device,
        augment=augmentation,
    )
    if settings.precision == "auto":
        samples = batches.count(0, len(batches) * (epochs - initial_epoch))
        # Gradients take twice what outputs take.  Behind a frozen front there is too little for a trial to pay.
        flops = 0.0 if end else 3.0 * summarize("", model.lowered).flops * samples
        program = replace(program, precision=precision_for(state, program, batches, flops=flops))
    unweighted = tuple(None if weight is None else weight.to(settings.device) for weight in plain)
    measured = Batches(
        replace(batches.data, weights=unweighted), batch_size=max(size, judged_at_once(model)), device=settings.device
    )
    judged = None
    if held is not None:
        judged = Batches(
            held,
            batch_size=validation_batch_size or (size if validation_steps else max(size, judged_at_once(model))),
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


def _with_features(
    model: "BaseModel",
    trained: nn.Module,
    whole: Batch,
    held: Batch | None,
    augment: Augmentation | None,
    told: Told | None,
) -> tuple[Split | None, Batch, Batch | None, Augmentation | None]:
    """What is trained behind a frozen front, with features in the place of samples and views of an augmentation.

    Where there is no such front, or no room for features, None and the rest as it is.
    """
    unchanged = None, whole, held, augment
    front = front_of(model.lowered)
    if front is None:
        return unchanged
    learned = features_of(front, whole, told)
    judged = None if held is None else features_of(front, held, told)
    views = None if augment is None else views_of(front, whole, augment, model.seed, told)
    if learned is None or (held is not None and judged is None) or (augment is not None and views is None):
        return unchanged
    return front.split(trained), learned, judged, views


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


def judged_at_once(model: "BaseModel") -> int:
    """How many samples go through the model at once where nothing is trained; of large ones fewer."""
    numbers = sum(math.prod(symbol.shape) for symbol in model.inputs)
    return max(1, min(EVALUATION_BATCH, EVALUATION_NUMBERS // numbers))


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


def judge(model: "BaseModel", x: Arrays, y: Arrays, sample_weight: Arrays, batch_size: int | None) -> dict[str, float]:
    """Loss and metrics by name, in evaluation mode."""
    check_counts("evaluate", batch_size=batch_size)
    part, _ = labelled(model, x, y, sample_weight, classes=model.classes)
    state, program = model.training_state(part.targets)
    module = whole_of(state.model)
    if isinstance(x, (Part, Dataset)):
        end, part, _, _ = _with_features(model, module, part, None, None, None)
        module = end or module
    assert model.compiled is not None
    batches = Batches(part, batch_size=batch_size or judged_at_once(model), device=model.compiled.device)
    return evaluate(module, program, batches)


def answer(model: "BaseModel", x: Arrays, batch_size: int | None) -> tuple[Tensor, ...]:
    """The outputs in evaluation mode; of a Part by way of its features, if the model's front is frozen."""
    samples = x.images if isinstance(x, Part) else x
    model.build_for(samples)
    shapes = [symbol.shape for symbol in model.inputs]
    inputs = Batch(as_inputs(samples, shapes, model.input_names))
    module = model.lowered.fastest
    front = front_of(model.lowered) if isinstance(x, Part) and len(x) else None
    if front is not None and (found := features_of(front, inputs)) is not None:
        inputs, module = found, front.split(model.module)
    weights = chain(model.module.parameters(), model.module.buffers())
    device = next((tensor.device for tensor in weights), torch.device("cpu"))
    return predict(module, Batches(inputs, batch_size=batch_size or judged_at_once(model), device=device))
