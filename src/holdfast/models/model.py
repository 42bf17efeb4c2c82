"""Models: a graph of layers with weights, and Keras's way of training and asking it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, fx

from ..callbacks import History
from ..core import BadShape, BadValue, NotReady
from ..data import Dataset, Part, Reads, Rows
from ..layers import Call, Input, InputLayer, Layer, Source, Symbol
from ..training import Callback, Event, Program, State, channels_last
from .arrays import Arrays
from .augmenting import Chosen
from .bound import BoundLayer, Weights, once, read, write
from .compiling import Compiled, compiled, default_metrics, program_for
from .fitting import Busy, answer, check_counts, judge, prepare
from .lower import Lowered, lower
from .preprocessing import from_files
from .recipe import recipe_optimizer, recipe_rate
from .summary import Summary, count_weights, summarize
from .unknown import Unknown

ELSEWHERE = {  # what Keras sets on a model, and what stands for it here
    "trainable": "give the layers to freeze trainable=False",
    "stop_training": "a callback returns holdfast.training.Stop(reason)",
    "optimizer": "call compile(optimizer=...)",
}


class BaseModel(ABC):
    """What `Sequential` and `Model` share: weights, which are made when first needed, and training.

    Attributes:
        name: of the model, and of the layer that it is in another model.
        seed: all that is random follows from it: initial weights, the order of samples, dropout; 0 unless given.
        classes: what the outputs stand for, once labels with names were seen.
        unknown: which of its answers are "unknown"; None: none are.  `predict` gives probabilities either way.
        reads: how files become its input; `predict` then takes their paths.  None: it takes arrays only.
        history: of the last `fit`.
        made_from: a `transfer.FromBase`, which makes it anew with the weights that it began with; None: nothing does.
        compiled: what `compile` was told.
        busy: held while the model is trained.
    """

    def __init__(self, name: str | None, seed: int | None) -> None:
        self.name = name
        self.seed = seed or 0
        self._seeded = seed is not None
        self.classes: tuple[str, ...] | None = None
        self.unknown: Unknown | None = None
        self.reads: Reads | None = None
        self.history: History | None = None
        self.made_from: object = None  # of a floor above
        self.compiled: Compiled | None = None
        self.busy = Busy()
        self._lowered: Lowered | None = None
        self._training: tuple[State, Program] | None = None

    def __setattr__(self, name: str, value: Any) -> None:  # Any: whatever an attribute holds
        if name in ELSEWHERE:
            raise BadValue(f"model.{name}: setting it does nothing here; {ELSEWHERE[name]}.")
        super().__setattr__(name, value)

    @property
    @abstractmethod
    def inputs(self) -> tuple[Symbol, ...]:
        """Where data enters.  Raises NotReady while its shape is not known."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Symbol, ...]:
        """What the model gives."""

    @abstractmethod
    def build_for(self, x: Arrays) -> None:
        """Takes the input's shape from data where it was not given."""

    @property
    def lowered(self) -> Lowered:
        """The torch module and what belongs to it; made when first asked for."""
        return self.settle(self.seed)

    def settle(self, seed: int, *, draw: bool = True) -> Lowered:
        """`lowered`; weights that are made now follow from `seed`, unless the model was given a seed of its own.

        So two models of one kind inside a third begin differently.  Without `draw` they hold nothing yet.
        """
        if self._lowered is None:
            self._lowered = lower(self.inputs, self.outputs, seed=self.seed if self._seeded else seed, draw=draw)
        return self._lowered

    @property
    def module(self) -> fx.GraphModule:
        """The plain torch module, channels-last in and out; `print(model.module.code)` shows what it does."""
        return self.lowered.module

    @property
    def layers(self) -> tuple[Source, ...]:
        """The layers, in Keras's order."""
        return tuple(self.lowered.names)

    @property
    def input_names(self) -> list[str]:
        return [self.lowered.names[symbol.call.layer] for symbol in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that give the outputs, made unique."""
        names = [self.lowered.names[symbol.call.layer] for symbol in self.outputs]
        return [f"{name}_{names[:n].count(name)}" if name in names[:n] else name for n, name in enumerate(names)]

    def __call__(self, inputs: Any) -> Any:  # Any: symbols give symbols, arrays give tensors; one or several
        """On symbols: this model as a layer of another.  On arrays: its outputs in evaluation mode, as tensors."""
        symbols = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
        if all(isinstance(symbol, Symbol) for symbol in symbols):
            wanted = tuple(symbol.shape for symbol in self.inputs)
            if tuple(symbol.shape for symbol in symbols) != wanted:
                raise BadShape(f"model {self.name!r} takes {wanted}, got {tuple(symbol.shape for symbol in symbols)}.")
            call = Call(self, symbols)
            given = [Symbol(symbol.shape, call, number) for number, symbol in enumerate(self.outputs)]
            return given[0] if len(given) == 1 else given
        results = answer(self, inputs, None)
        return results[0] if len(results) == 1 else results

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        *,
        loss_weights: Sequence[float] | Mapping[str, float] | None = None,
        weighted_metrics: Any = None,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        device: str = "auto",
    ) -> "BaseModel":
        """Says how to train; without an optimizer, by the default recipe.

        The recipe is AdamW under one cycle of the learning rate that spans the `fit`; batches by the size of the data
        and a rate that follows from them; in classification, label smoothing and small shifts of pictures.  Both are
        for training alone: `val_loss` and `evaluate` give the loss as it is named, and of pictures as they are.

        Args:
            optimizer: a name ("rmsprop") or an Optimizer, which trains as in Keras; None: the default recipe.
            loss: a name or a Loss; for several outputs a list, or a dict by the outputs' names.  None: by the last
                activation: softmax -> cross-entropy, sigmoid -> binary cross-entropy, else by the targets.  The recipe
                smooths no Loss that is given as an object: that has a setting of its own.
            metrics: names or Metrics; for several outputs a list or dict of such lists.
            loss_weights: of the outputs; 1 each when None.
            weighted_metrics: metrics that take class and sample weights into account.
            precision: "bfloat16" computes training steps in bfloat16 where that is safe; weights, evaluation and
                prediction stay float32.  "auto" takes it where a short trial finds it faster, on a GPU wherever it can.
            device: "auto", "cpu", "cuda", ...

        Returns:
            The model itself.

        Raises:
            UnknownName: no such optimizer, loss or metric; the message suggests the nearest.
        """
        self.compiled = compiled(optimizer, loss, loss_weights, metrics, weighted_metrics, precision, device)
        self._training = None
        return self

    def fit(
        self,
        x: Arrays,
        y: Arrays = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Literal["auto", 0, 1, 2] = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int | str, float] | None = None,
        sample_weight: Arrays = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        *,
        split_order: Literal["shuffled", "tail"] = "shuffled",
        measure_train: Literal["end", "epoch", "never"] = "end",
        augment: Chosen = "auto",
    ) -> History:
        """Trains.  Writes nothing to disk unless a callback does.

        Args:
            x: array, tensor or list (N, *input shape), channels last; a list or dict for several inputs; or a Dataset,
                whose validation part is used, or a Part.
            y: integers (N,), one-hot (N, K), values, or strings.
            batch_size: samples a step; None: 32, or by the default recipe 32 below 1,000 samples, 64 below 10,000, else
                128.
            epochs: label after that of the last epoch, i.e. how many when `initial_epoch` is 0.  The recipe spans its
                cycle over them.
            verbose: 0 silent, 1 or "auto" a progress line, 2 a line an epoch.
            callbacks: one or several listeners.
            validation_split: share of the samples to hold out for judging, 0 <= share < 1.
            validation_data: (x, y), (x, y, sample_weight), a Part, or a Dataset, of which it is the validation part, to
                judge on; goes before `validation_split`.
            shuffle: a new order each epoch, following from the model's seed.
            class_weight: factor for the loss of each class, by index or name.
            sample_weight: factor for the loss of each sample, (N,).
            initial_epoch: label of the first epoch.
            steps_per_epoch: batches an epoch; None: one pass over the data.
            validation_steps: batches to judge on; None: all.
            validation_batch_size: samples a step of judging; it matters only beside `validation_steps`.
            validation_freq: judge after every so many-th epoch.
            split_order: "shuffled" holds out at random and in proportion to the classes; "tail" the last samples, as
                Keras does.
            measure_train: when to measure the training data in evaluation mode, so that it can be compared with
                validation: "end" (in `history.measured`), "epoch" (also as train_loss, ... in the history) or "never".
            augment: how samples are changed for training, never for judging.  "auto": by the default recipe a shift by
                up to 1/16 of the side where pictures are classified, and nothing beside an optimizer that was given.
                "light" or "strong": layers by the kind of data, docs/augmentation.md names them; "none" or None.  Or a
                list of layers, [RandomFlip("horizontal"), MixUp()], or a RandomShift.

        Returns:
            The History: `history.history["val_loss"]`, `history.plot()`, `history.stop`, `history.measured`.

        Raises:
            BadShape, BadData, BadValue: data that does not fit the model; one sentence says what and where.
            NotReady: the model is being trained already.
        """
        session = prepare(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
            split_order=split_order,
            measure_train=measure_train,
            augment=augment,
        )
        return session.run()

    async def fit_async(self, x: Arrays, y: Arrays = None, **settings: Any) -> History:  # Any: as fit takes them
        """`fit` beside a running event loop, which stays alive; cancelling it stops the training after the step."""
        async for _ in self.train_async(x, y, **settings):
            pass
        assert self.history is not None
        return self.history

    async def train_async(self, x: Arrays, y: Arrays = None, **settings: Any) -> AsyncIterator[Event]:  # as fit takes
        """The events of `fit`, as they happen, beside a running event loop; leaving the loop stops the training."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "holdfast-fit") as thread:
            session = await loop.run_in_executor(thread, partial(prepare, self, x, y, **settings))
            events = session.events()
            try:
                while (event := await loop.run_in_executor(thread, next, events, None)) is not None:
                    yield event
            finally:
                await loop.run_in_executor(thread, events.close)  # after the step under way

    def evaluate(
        self,
        x: Arrays,
        y: Arrays = None,
        batch_size: int | None = None,
        verbose: Literal["auto", 0, 1, 2] = 0,
        sample_weight: Arrays = None,
        *,
        return_dict: bool = False,
    ) -> Any:  # Any: as in Keras, one number, a list, or a dict
        """Loss and metrics in evaluation mode.  For a score with its interval see holdfast.evaluate.

        Args:
            x, y: as in `fit`; of a Dataset it is the validation part.
            batch_size: its effect is on speed and memory only.
            verbose: taken because Keras has it; nothing is printed.
            sample_weight: factor for the loss of each sample, (N,).
            return_dict: whether to return a dict.

        Returns:
            The loss; [loss, metric, ...] when there are metrics; a dict by name with `return_dict`.
        """
        logs = judge(self, x, y, sample_weight, batch_size)
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def predict(self, x: Arrays, batch_size: int | None = None, verbose: Literal["auto", 0, 1, 2] = 0) -> Any:
        """The outputs in evaluation mode.

        Args:
            x: as in `fit`, of any number of samples; of a Dataset it is the validation part.  Or paths of picture
                files, which are read as `reads` says.
            batch_size: its effect is on speed and memory only.
            verbose: taken because Keras has it; nothing is printed.

        Returns:
            float32 NumPy arrays, channels last: one (N, ...), or a list of them.
        """
        check_counts("predict", batch_size=batch_size)
        if isinstance(x, Dataset):
            x = x.validation
        x = x if isinstance(x, Part) else from_files(self, x)
        results = [result.numpy() for result in answer(self, x, batch_size)]
        return results[0] if len(results) == 1 else results

    def summary(self) -> Summary:
        """Shapes, parameters, operations and memory; `print(model.summary())`."""
        return summarize(self.name or type(self).__name__.lower(), self.lowered)

    def count_params(self) -> int:
        """Numbers in all weights."""
        return count_weights(self.module)

    def get_layer(self, name: str | None = None, index: int | None = None) -> BoundLayer:
        """A layer with its weights in this model, by name or by its place among `layers`."""
        return BoundLayer.find(self.lowered, self.layers, name, index)

    def get_weights(self) -> list[NDArray[Any]]:  # Any: of the weights' own dtype
        """All weights in Keras's order and layout, as copies."""
        return read(self._weights())

    def set_weights(self, weights: Sequence[Any]) -> None:  # Any: whatever NumPy can make arrays of
        """Takes over weights in Keras's order and layout, all or none of them."""
        write(self._weights(), weights, "set_weights: the model takes arrays of the shapes")

    def _weights(self) -> Weights:
        return once(pair for layer in self.layers for pair in BoundLayer(layer, self.lowered).tensors())

    def save(self, path: Path | str) -> None:
        """Writes the model as a .keras archive, which real Keras 3 opens, too; whole or not at all.

        Raises:
            BadValue: another ending than .keras.
        """
        from .keras_file import save_keras

        if not isinstance(path, (str, Path)) or Path(path).suffix != ".keras":
            raise BadValue(f"save({path!r}): takes a path that ends in .keras, the one format there is.")
        save_keras(self, path)

    def save_weights(self, path: Path | str) -> None:
        """Writes the weights alone, as Keras 3 does; whole or not at all.

        Args:
            path: ends in .weights.h5.
        """
        from .weights import save_weights

        save_weights(self, path)

    def load_weights(self, path: Path | str) -> None:
        """Takes over the weights in a file: .weights.h5 or .keras of Keras 3, or an h5 file of Keras 2; all or none.

        Raises:
            BadFile: another kind of file, a damaged one, or weights that do not fit; nothing of it is run.
        """
        from .loading import load_weights

        load_weights(self, path)

    def training_state(self, targets: Sequence[Tensor], batch_size: int = 32) -> tuple[State, Program]:
        """The state of training and the program; kept from one `fit` to the next, until `compile` is called again.

        Only the learning rate of the default recipe follows the batch size of each.
        """
        if self.compiled is None:
            self.compile(metrics=default_metrics(self, targets))
        assert self.compiled is not None
        if self._training is None:
            module, program = program_for(self, self.compiled, targets, batch_size)
            self.module.to(self.compiled.device)
            if self.compiled.device.type == "cuda":
                channels_last(module)
            self._training = State.start(module.to(self.compiled.device), program), program
        state, program = self._training
        if self.compiled.optimizer is None:
            program = replace(program, optimizer=recipe_optimizer(recipe_rate(self, batch_size)))
        return state, program


class Model(BaseModel):
    """A graph of layers from inputs to outputs.  Models on the same symbols share weights: an encoder and its decoder.

    Example:
        >>> a = Input((4,))
        >>> model = Model(a, Dense(2)(a))
        >>> model.count_params()
        10
    """

    def __init__(
        self,
        inputs: Symbol | Sequence[Symbol],
        outputs: Symbol | Sequence[Symbol],
        name: str | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(name, seed)
        self._inputs = (inputs,) if isinstance(inputs, Symbol) else tuple(inputs)
        self._outputs = (outputs,) if isinstance(outputs, Symbol) else tuple(outputs)
        for symbol in (*self._inputs, *self._outputs):
            if not isinstance(symbol, Symbol):
                raise BadValue(f"Model: takes symbols, got {type(symbol).__name__}; begin with x = Input(shape).")
        for symbol in self._inputs:
            if not isinstance(symbol.call.layer, InputLayer) or self._inputs.count(symbol) > 1:
                raise BadValue(f"Model: {symbol} is no Input, or stands among the inputs twice.")
        if not self._outputs:
            raise BadValue("Model: has no outputs.")

    @property
    def inputs(self) -> tuple[Symbol, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[Symbol, ...]:
        return self._outputs

    def build_for(self, x: Arrays) -> None:
        return


class Sequential(BaseModel):
    """Layers one after another.  Without an Input in front, the shape is that of the first data.

    Example:
        >>> model = Sequential([Input((28, 28, 1)), Conv2D(9, 3), Conv2D(1, 3)])
        >>> model.count_params()
        172
    """

    def __init__(
        self, layers: Sequence[Source | Symbol] = (), name: str | None = None, *, seed: int | None = None
    ) -> None:
        super().__init__(name, seed)
        self._symbols: list[Symbol] = []
        self._waiting: list[Source] = []
        for layer in layers:
            self.add(layer)

    def add(self, layer: Source | Symbol) -> None:
        """Appends a layer or a model; an Input comes first."""
        if isinstance(layer, InputLayer):
            layer = layer([])
        if isinstance(layer, Symbol):
            if self._symbols or self._waiting:
                raise BadValue("Sequential: an Input comes first, before all layers.")
            self._symbols = [layer]
            return
        if not isinstance(layer, (Layer, BaseModel)):
            raise BadValue(f"Sequential: takes layers, got {type(layer).__name__} {layer!r}.")
        if layer in self._waiting or any(symbol.call.layer is layer for symbol in self._symbols):
            raise BadValue(f"Sequential: {layer!r} stands in it already; to share a layer, make a Model of symbols.")
        shape = layer.input_shape if isinstance(layer, Layer) else layer.inputs[0].shape
        if self._symbols:
            self._append(layer, self._symbols)
        elif shape is not None and not self._waiting:
            self._append(layer, [Input(shape)])
        else:
            self._waiting.append(layer)

    def _append(self, layer: Layer | BaseModel, symbols: list[Symbol]) -> None:
        symbol = layer(symbols[-1])
        if not isinstance(symbol, Symbol):
            raise BadValue(f"Sequential: {layer!r} gives several outputs; only one can go on.")
        self._symbols = [*symbols, symbol]
        self._lowered = self._training = None  # what was learned stays with the symbols

    @property
    def layers(self) -> tuple[Source, ...]:
        """The layers in their order, without the Input, as in Keras."""
        return tuple(layer for layer in self.lowered.names if not isinstance(layer, InputLayer))

    @property
    def inputs(self) -> tuple[Symbol, ...]:
        return (self._built()[0],)

    @property
    def outputs(self) -> tuple[Symbol, ...]:
        return (self._built()[-1],)

    def build_for(self, x: Arrays) -> None:
        if not self._symbols and self._waiting:
            shape = tuple((x.shape if isinstance(x, Rows) else np.shape(x))[1:])
            built = Sequential([Input(shape if shape else (1,)), *self._waiting])
            self._symbols, self._waiting = built._symbols, []

    def _built(self) -> list[Symbol]:
        if not self._symbols:
            raise NotReady(
                "Sequential: the shape of its input is not known yet; put Input(shape) in front, or call fit."
            )
        return self._symbols
