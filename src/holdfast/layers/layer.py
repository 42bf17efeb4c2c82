"""What a layer is: a frozen description that knows its output shape and builds a plain torch module.

Shapes are channels-last and without the batch axis, as in Keras: `(28, 28, 1)`.  The modules that `build` returns work
inside a lowered model, where every tensor of rank 3 or more is channels-first: `(N, C, H, W)`.  Weights belong to a
model.
"""

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, InitVar, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar, overload

import torch
from torch import nn

from ..core import BadShape, BadValue, HoldfastError, generator
from .constraints import Constraint
from .initializers import Initializer, Zeros
from .regularizers import Regularizer

Shape: TypeAlias = tuple[int, ...]
T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)


In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)

if TYPE_CHECKING:

    class Setting(Generic[In, Out]):
        """The type of a field that takes `In` and, once converted, holds `Out`; to the type checker a descriptor."""

        def __get__(self, instance: object, owner: type | None = None) -> Out: ...
        def __set__(self, instance: object, value: In) -> None: ...

else:

    class Setting(Generic[In, Out]):
        """The type of a field that takes `In` and, once converted, holds `Out`."""


PairSetting: TypeAlias = Setting[int | Sequence[int], tuple[int, int]]
ShapeSetting: TypeAlias = Setting[int | Sequence[int], Shape]
ActivationSetting: TypeAlias = Setting[str | None, str]
InitializerSetting: TypeAlias = Setting[object, Initializer]  # a name, Keras's JSON form, an array or an Initializer
ConstraintSetting: TypeAlias = Setting[object, Constraint | None]  # a name, Keras's JSON form or a Constraint
RegularizerSetting: TypeAlias = Setting[object, Regularizer | None]  # a name, Keras's JSON form or a Regularizer


def setting(
    default: Any,  # of the field's type, before or after conversion
    *,
    convert: Callable[[Any], object] | None = None,  # Any: whatever the user wrote
    check: Callable[[Any], str | None] | None = None,  # Any: what `convert` returned
) -> Any:  # dataclasses.field pretends to be the default, too
    """A dataclass field that is converted, then checked, when the layer is made.

    Args:
        default: its value when not given; REQUIRED for none.
        convert: makes the canonical value from what was given; raises ValueError for what it cannot convert.
        check: returns what is wrong ("must be positive"), or None.
    """
    return field(default=default, metadata={"convert": convert, "check": check})


REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()  # the default of a field that has none


class Source(Protocol):
    """What a symbol can come from: a layer, or a model used as one."""

    @property
    def name(self) -> str | None: ...


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a layer: which layer, on which symbols.  A layer that is called twice is shared.

    Models on the same symbols share weights, as in Keras: the first of them to be built leaves the layer's module here.
    """

    layer: "Source"
    inputs: tuple["Symbol", ...]
    modules: list[nn.Module] = field(default_factory=list, repr=False)


@dataclass(frozen=True, eq=False)
class Symbol:
    """A value to come: the shape that `call` will give (its output number `index`), without the batch axis."""

    shape: Shape
    call: Call
    index: int = 0

    def __repr__(self) -> str:
        return f"<Symbol {(None, *self.shape)} from {self.call.layer.name or type(self.call.layer).__name__}>"


@dataclass(frozen=True)
class Weight:
    """A weight that a layer's module has: what Keras calls it, where torch keeps it, how the one becomes the other."""

    name: str  # Keras's: "kernel"
    parameter: str  # in the layer's main module: "weight"
    layout: str = ""  # "HWIO->OIHW"; "" where the two agree
    initializer: Initializer = Zeros()
    regularizer: Regularizer | None = None
    constraint: Constraint | None = None
    per_channel: int = 0  # kernels of each channel of a depthwise convolution, whose I and O torch has in one axis

    def to_torch(self, tensor: torch.Tensor) -> torch.Tensor:
        """From Keras's layout to torch's."""
        if not self.layout:
            return tensor
        found = _rearrange(tensor, *self.layout.split("->"))
        return found.flatten(0, 1).unsqueeze(1) if self.per_channel else found

    def to_keras(self, tensor: torch.Tensor) -> torch.Tensor:
        """From torch's layout to Keras's; a view."""
        if not self.layout:
            return tensor
        if self.per_channel:
            tensor = tensor.reshape(-1, self.per_channel, *tensor.shape[2:])
        return _rearrange(tensor, *self.layout.split("->")[::-1])


def _rearrange(tensor: torch.Tensor, before: str, after: str) -> torch.Tensor:
    return tensor.permute([before.index(axis) for axis in after])


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """Base of all layers.  Called on a symbol it gives a symbol; `build` makes the torch module that computes it.

    Args:
        name: unique in its model; chosen from the class when None ("conv2d", "conv2d_1").
        trainable: whether training changes its weights.
        input_shape: for the first layer of a `Sequential` only; the older way of saying `Input(shape)`.
    """

    name: str | None = field(default=None, kw_only=True, metadata={"check": lambda value: _name(value)})
    trainable: bool = field(default=True, kw_only=True, metadata={"convert": bool})
    input_shape: int | Sequence[int] | None = field(
        default=None, kw_only=True, metadata={"convert": lambda value: optional(shape_of)(value)}
    )

    inputs_accepted: ClassVar[tuple[int, int | None]] = (1, 1)  # fewest and most symbols; None: any number

    def __init_subclass__(cls) -> None:
        if "__repr__" not in vars(cls):  # or @dataclass writes one of its own
            cls.__repr__ = Layer.__repr__  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is REQUIRED:
                raise BadValue(f"{type(self).__name__}: {item.name} is missing.")
            check = item.metadata.get("check")
            try:
                value = self.converted(item, value)
            except HoldfastError as error:  # an unknown name keeps its own words and its own class
                raise type(error)(f"{type(self).__name__}({item.name}={value!r}): {error}") from error
            except (ValueError, TypeError) as error:
                raise BadValue(f"{type(self).__name__}({item.name}={value!r}): {error}.") from error
            problem = check(value) if check else None
            if problem:
                raise BadValue(f"{type(self).__name__}({item.name}={getattr(self, item.name)!r}): {problem}.")
            object.__setattr__(self, item.name, value)
        self.validate()

    def converted(self, item: "Field[Any]", value: Any) -> Any:  # Any: whatever the user wrote
        """The canonical value of a setting."""
        convert = item.metadata.get("convert")
        return convert(value) if convert else value

    def validate(self) -> None:  # noqa: B027  (most layers have nothing to say here)
        """Checks settings against each other; raises BadValue."""

    @abstractmethod
    def out_shape(self, *shapes: Shape) -> Shape:
        """The shape of the output for inputs of these shapes; raises BadShape for what the layer cannot take."""

    @abstractmethod
    def build(self, *shapes: Shape) -> nn.Module:
        """A module for inputs of these shapes.

        An `nn.Sequential` is spliced into the model's graph child by child; its child "main" holds the weights.
        """

    def weights(self) -> tuple[Weight, ...]:
        """The weights of the module, in Keras's order."""
        return ()

    def weights_in(self, main: nn.Module) -> list[tuple[Weight, torch.Tensor]]:
        """The weights as the main module that `build` made has them, in Keras's order."""
        return [(weight, getattr(main, weight.parameter)) for weight in self.weights()]

    def init(self, main: nn.Module, *, seed: int) -> None:
        """Fills the weights of the main module that `build` made; each value follows from `seed`."""
        for weight in self.weights():
            target = getattr(main, weight.parameter)
            shape = tuple(weight.to_keras(target).shape)
            with torch.no_grad():
                target.copy_(weight.to_torch(weight.initializer(shape, generator(seed, weight.name))))

    def flops(self, *shapes: Shape) -> int:
        """Floating-point operations for one sample, a multiplication and an addition counted as two."""
        return math.prod(self.out_shape(*shapes))

    def kept(self, *shapes: Shape) -> int:
        """Numbers that one sample leaves for the backward pass; a layer that only moves numbers leaves none."""
        return math.prod(self.out_shape(*shapes)) if self.flops(*shapes) else 0

    @overload
    def __call__(self, inputs: Symbol) -> Symbol: ...
    @overload
    def __call__(self, inputs: "list[Symbol] | tuple[Symbol, ...]") -> Symbol: ...
    def __call__(self, inputs: "Symbol | list[Symbol] | tuple[Symbol, ...]") -> Symbol:
        symbols = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
        for symbol in symbols:
            if not isinstance(symbol, Symbol):
                raise BadValue(
                    f"{self.label}: takes symbols, got {type(symbol).__name__}; "
                    "begin with x = Input(shape), and give arrays to model.predict."
                )
        least, most = self.inputs_accepted
        if len(symbols) < least or (most is not None and len(symbols) > most):
            wanted = f"at least {least} inputs" if most is None else ("no inputs", "one input", "two inputs")[least]
            raise BadShape(f"{self.label}: takes {wanted}, got {len(symbols)}.")
        return Symbol(self.out_shape(*(symbol.shape for symbol in symbols)), Call(self, symbols))

    @property
    def label(self) -> str:
        """How messages call this layer: the class and, if given, the name."""
        return f"{type(self).__name__}({self.name!r})" if self.name else type(self).__name__

    def settings(self) -> dict[str, Any]:  # Any: whatever the fields hold
        """All that the layer was made with, by name, as it was converted."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    def __repr__(self) -> str:
        shown = []
        for item in sorted((item for item in fields(self) if item.init), key=lambda item: item.kw_only is True):
            value = getattr(self, item.name)
            if item.default is REQUIRED or not _same(value, self.converted(item, item.default)):
                shown.append(f"{item.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, eq=False)
class ChannelsLast(Layer):
    """Base of layers that Keras asks where the channels are.  Here they come last: `data_format` may only say so."""

    data_format: InitVar[str | None] = field(default=None, kw_only=True)

    def __post_init__(self, data_format: str | None) -> None:
        if data_format not in (None, "channels_last"):
            raise BadValue(
                f"{type(self).__name__}(data_format={data_format!r}): must be 'channels_last'; "
                "of such data np.moveaxis(x, 1, -1) moves the channels there."
            )
        super().__post_init__()


def _same(a: object, b: object) -> bool:
    same = a == b
    return same if isinstance(same, bool) else False


# Converters: from what users write to one canonical value.  They raise ValueError with the words of the message.


def optional(convert: Callable[[Any], T]) -> Callable[[Any], T | None]:  # Any: whatever the user wrote
    """None stays None; everything else is converted."""
    return lambda value: None if value is None else convert(value)


def integer(value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError("must be a whole number")
    return int(value.__index__())


def pair(value: object) -> tuple[int, int]:
    """`3` -> `(3, 3)`; `[3, 5]` -> `(3, 5)`."""
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise ValueError("must be one number or two")
        return integer(value[0]), integer(value[1])
    return integer(value), integer(value)


def shape_of(value: object) -> Shape:
    """`28` -> `(28,)`; `[28, 28, 1]` -> `(28, 28, 1)`; every side positive."""
    sides = (
        tuple(integer(side) for side in value) if isinstance(value, (list, tuple, torch.Size)) else (integer(value),)
    )
    if not sides or any(side < 1 for side in sides):
        raise ValueError("every side must be positive, without the batch axis")
    return sides


# Checks: what is wrong with a converted value, or None.


def _name(value: object) -> str | None:
    """Keras, too, refuses a slash, which parts its paths to weights."""
    if value is None or (isinstance(value, str) and value and "/" not in value):
        return None
    return "must be text without '/'"


def positive(value: object) -> str | None:
    numbers = value if isinstance(value, tuple) else (value,)
    return None if all(number is None or number > 0 for number in numbers) else "must be positive"


def not_negative(value: float | None) -> str | None:
    return None if value is None or value >= 0 else "must not be negative"


def one_of(*words: str) -> Callable[[object], str | None]:
    return lambda value: None if value in words else f"must be {' or '.join(repr(word) for word in words)}"


def share(value: float) -> str | None:
    """A rate of dropping: 0 <= value < 1."""
    return None if 0 <= value < 1 else "must be at least 0 and less than 1"


def require_rank(layer: Layer, shape: Shape, *ranks: int, form: str) -> None:
    """Raises BadShape unless `shape` has one of these ranks; `form` is what the layer takes, e.g. "(H, W, C)"."""
    if len(shape) not in ranks:
        raise BadShape(f"{layer.label}: takes {form}, got {shape}.")


def axis_of(layer: Layer, axis: int, shape: Shape) -> int:
    """Keras's axis (the batch is 0, channels last) as an axis of the channels-first tensor inside a model.

    Raises:
        BadShape: `shape`, which is without the batch axis, has no such axis.
    """
    rank = len(shape) + 1
    place = axis + rank if axis < 0 else axis
    if not 0 < place < rank:
        raise BadShape(f"{layer.label}: axis {axis} is not one of the axes 1 to {rank - 1} of an input {shape}.")
    return 1 if place == rank - 1 else place + 1


def blank(module: Callable[..., M], *args: object, **settings: object) -> M:
    """A torch module whose weights hold nothing yet: its own draws, from torch's global generator, are left out."""
    # float32 whatever torch's default is: layers, inputs and losses must agree.
    made = module(*args, device="meta", dtype=torch.float32, **settings)
    # As nn.utils.skip_init does, which however imports SymPy, in half a second.
    for name, weight in list(made.named_parameters(recurse=False)):
        made.register_parameter(name, nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype, device="cpu")))
    return made


class ToLast(nn.Module):
    """Channels-first to channels-last: (N, C, ...) -> (N, ..., C); a view."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(1, -1)


class ToFirst(nn.Module):
    """Channels-last to channels-first: (N, ..., C) -> (N, C, ...); a view."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(-1, 1)


def last(module: nn.Module, shape: Shape) -> dict[str, nn.Module]:
    """The links of a chain in which `module` sees the channels last, for an input of `shape`."""
    if len(shape) < 2:
        return {"main": module}
    return {"to_last": ToLast(), "main": module, "to_first": ToFirst()}


def chain(**modules: nn.Module | None) -> nn.Module:
    """These modules one after another, without the Nones; just the one when there is only one."""
    present: Mapping[str, nn.Module] = {name: module for name, module in modules.items() if module is not None}
    if len(present) == 1:
        return next(iter(present.values()))
    return nn.Sequential(OrderedDict(present))
