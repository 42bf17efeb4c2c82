"""Spaces: what a search may choose, in Python or TOML.  What a choice trains is tune/candidate.py."""

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core import BadFile, BadValue, HoldfastError, UnknownName, suggestion, whole_file

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

Value: TypeAlias = bool | int | float | str | None
When: TypeAlias = Mapping[str, Value | tuple[Value, ...]]

WORDS: dict[str, type] = {  # what may stand in a space besides paths, and of what kind its values are
    "model": str,
    "filters": int,
    "layers": int,
    "kernel_size": int,
    "units": int,
    "activation": str,
    "kernel_initializer": str,
    "dropout": float,
    "l1": float,
    "l2": float,
    "batch_normalization": bool,
    "base": str,
    "until": str,
    "fine_tune": int,
    "preprocessing": str,
    "optimizer": str,
    "learning_rate": float,
    "momentum": float,
    "weight_decay": float,
    "label_smoothing": float,
    "batch_size": int,
    "epochs": int,
    "patience": int,
    "augment": str,
    "shift": int,
    "image_size": int,
    "resize": str,
    "sample_rate": int,
    "seed": int,
}
KINDS: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
RANGE, LIST = ("low", "high", "step", "log", "when"), ("choices", "when")
MOST_COMBINATIONS = 100_000  # of a grid; nobody has the time for more


@dataclass(frozen=True)
class Categorical:
    """One of some values.

    Args:
        choices: the values.
        when: chosen only where other dimensions have these values; {} always.
    """

    choices: tuple[Value, ...]
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self, choices=tuple(self.choices), when=_when(self.when))
        if not self.choices:
            raise BadValue("there is nothing to choose from; list at least one value.")
        twice = next((one for n, one in enumerate(self.choices) if same(one, self.choices[:n])), None)
        if twice is not None:
            raise BadValue(f"{spelled(twice)} stands in the list twice.")

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.choices)

    def suggest(self, name: str, trial: "BaseTrial") -> Value:
        """The value of this dimension in a trial."""
        chosen: Value = trial.suggest_categorical(name, self.choices)
        return chosen

    def has(self, value: Value) -> bool:
        """Whether this may be chosen."""
        return same(value, self.choices)

    def nearest(self, value: Value) -> Value:
        """The choice nearest to a value; the first where none is nearer than others."""
        if self.has(value) or not _is(value, float):
            return value if self.has(value) else self.choices[0]
        return min(self.choices, key=lambda one: abs(float(one) - float(value)) if _is(one, float) else math.inf)  # type: ignore[arg-type]  # numbers

    def grid(self) -> tuple[Value, ...]:
        """All values, for a search that tries every one."""
        return self.choices


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both included.

    Args:
        low, high: the ends.
        log: whether factors count, not differences; needs a `low` of at least 1.
        step: only low, low + step, ... are chosen.
        when: as of Categorical.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self, when=_when(self.when))
        for name in ("low", "high", "step"):
            if not _is(getattr(self, name), int):
                raise BadValue(f"{name}={getattr(self, name)!r}: must be a whole number.")
        _check_range(self, least=1, stepped=self.step != 1)

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, self.log, self.step)

    def suggest(self, name: str, trial: "BaseTrial") -> Value:
        """The value of this dimension in a trial."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def has(self, value: Value) -> bool:
        """Whether this may be chosen."""
        return _is(value, int) and value in self.grid()

    def nearest(self, value: Value) -> Value:
        """The number nearest to a value; the middle for what is no number."""
        wanted = float(value) if _is(value, float) else _middle(self)  # type: ignore[arg-type]  # a number
        return min(self.grid(), key=lambda one: abs(one - wanted))

    def grid(self) -> range:
        """All values, for a search that tries every one."""
        return range(self.low, self.high + 1, self.step)


@dataclass(frozen=True)
class Float:
    """A number from `low` to `high`, both included.

    Args:
        low, high: the ends.
        log: whether factors count, not differences; needs a positive `low`.
        step: only low, low + step, ... are chosen; None: any number.
        when: as of Categorical.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self, when=_when(self.when))
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if name == "step" and value is None:
                continue
            if not _is(value, float) or not math.isfinite(value):
                raise BadValue(f"{name}={value!r}: must be a finite number.")
            _settle(self, **{name: float(value)})
        _check_range(self, least=0, stepped=self.step is not None)

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, self.log, self.step)

    def suggest(self, name: str, trial: "BaseTrial") -> Value:
        """The value of this dimension in a trial."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def has(self, value: Value) -> bool:
        """Whether this may be chosen."""
        inside = _is(value, float) and self.low <= float(value or 0) <= self.high
        return inside and (self.step is None or any(math.isclose(float(value or 0), one) for one in self._steps()))

    def nearest(self, value: Value) -> Value:
        """The number nearest to a value; the middle for what is no number."""
        wanted = float(value) if _is(value, float) else _middle(self)  # type: ignore[arg-type]  # a number
        return (
            min(max(wanted, self.low), self.high)
            if self.step is None
            else min(self._steps(), key=lambda one: abs(one - wanted))
        )

    def grid(self) -> tuple[Value, ...]:
        """All values, for a search that tries every one.  Raises BadValue for a range without steps."""
        if self.step is None:
            few = ", ".join(f"{one:.3g}" for one in (self.low, _middle(self), self.high))
            raise BadValue(f"a grid cannot try every number of a range; list some, such as [{few}], or give a step.")
        return tuple(self._steps())

    def _steps(self) -> list[float]:
        low, step = Decimal(str(self.low)), Decimal(str(self.step))  # or 0.1 + 0.2 would not be 0.3
        return [float(low + n * step) for n in range(int((Decimal(str(self.high)) - low) / step) + 1)]


Dimension: TypeAlias = Categorical | Int | Float


@dataclass(frozen=True)
class Space:
    """What a search may choose, and what is the same in all its trials.

    Args:
        dimensions: by name: a word of `WORDS`, or a path into the model such as "layers[2].filters".
        fixed: values by such names.

    Raises:
        BadValue, UnknownName: names that are not known, values of a wrong kind, conditions that go round in a circle.

    Example:
        >>> space = Space({"filters": Int(8, 32, step=8), "learning_rate": Float(1e-4, 0.1, log=True)}, {"epochs": 10})
        >>> space.has({"filters": 16, "learning_rate": 0.01})
        True
    """

    dimensions: Mapping[str, Dimension]
    fixed: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self, dimensions=dict(self.dimensions), fixed=dict(self.fixed))
        for name, dimension in self.dimensions.items():
            with _Named(name):
                _check_dimension(name, dimension)
                for other, wanted in dimension.when.items():
                    self._check_when(other, wanted)
        for name, value in self.fixed.items():
            with _Named(name):
                _check_value(name, value)
                if name in self.dimensions:
                    raise BadValue("has a value and a range; keep one of them.")
        self.order()

    def order(self) -> tuple[str, ...]:
        """The dimensions, each behind those that it hangs on."""
        before = {name: [n for n in one.when if n in self.dimensions] for name, one in self.dimensions.items()}
        try:
            return tuple(TopologicalSorter(before).static_order())
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise BadValue(f"the conditions go round in a circle: {circle}; leave one `when` out.") from error

    def suggest(self, trial: "BaseTrial") -> dict[str, Value]:
        """The values of a trial, in the order of the space; dimensions that do not apply are left out."""
        values = dict(self.fixed)
        for name in self.order():
            if applies(self.dimensions[name], values):
                values[name] = self.dimensions[name].suggest(name, trial)
        return {name: values[name] for name in (*self.fixed, *self.dimensions) if name in values}

    def distributions(self) -> "dict[str, BaseDistribution]":
        """What Optuna draws from, by name, of conditional dimensions, too."""
        return {name: dimension.distribution() for name, dimension in self.dimensions.items()}

    def has(self, values: Mapping[str, Value]) -> bool:
        """Whether a trial may have exactly these values, the fixed ones left out or as they are."""
        known = {**self.fixed, **values}
        wanted = {name for name, one in self.dimensions.items() if applies(one, known)}
        chosen = {name: value for name, value in values.items() if name not in self.fixed}
        if chosen.keys() != wanted or any(known[name] != value for name, value in self.fixed.items()):
            return False
        return all(self.dimensions[name].has(value) for name, value in chosen.items())

    def grid(self) -> list[dict[str, Value]]:
        """Every trial there can be, without the fixed values; conditional dimensions only where they apply.

        Raises:
            BadValue: a range without steps, or more than 100,000 trials.
        """
        tried: dict[str, Sequence[Value]] = {}
        for name in self.order():
            with _Named(name):
                tried[name] = self.dimensions[name].grid()
        count = math.prod(map(len, tried.values()))
        if count > MOST_COMBINATIONS:
            raise BadValue(f"the grid has {count:,} trials; leave values out, or take another sampler.")
        found: dict[tuple[tuple[str, Value], ...], None] = {}  # a set that keeps its order
        for chosen in product(*tried.values()):
            values = dict(self.fixed)
            for name, value in zip(tried, chosen, strict=True):
                if applies(self.dimensions[name], values):
                    values[name] = value
            found[tuple((name, values[name]) for name in self.dimensions if name in values)] = None
        return [dict(one) for one in found]

    def _check_when(self, other: str, wanted: Value | tuple[Value, ...]) -> None:
        """Raises for a condition that is never met, or of a name that the space does not have."""
        known = [*self.dimensions, *self.fixed]
        if other not in known:
            raise UnknownName(f"`when` names {other!r}, which the space does not have{suggestion(other, known)}")
        for value in _several(wanted):
            possible = self.dimensions[other].has(value) if other in self.dimensions else value == self.fixed[other]
            if not possible:
                raise BadValue(f"`when` waits for {other} = {spelled(value)}, which the space never chooses.")


def applies(dimension: Dimension, values: Mapping[str, Value]) -> bool:
    """Whether the condition of a dimension is met by values that were chosen before."""
    return all(name in values and same(values[name], _several(wanted)) for name, wanted in dimension.when.items())


def same(value: Value, others: tuple[Value, ...]) -> bool:
    """Whether a value is among others; true and 1 are two things."""
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in others)


def as_space(source: Space | Mapping[str, Any] | Path | str) -> Space:  # Any: what the user wrote
    """A space from a dict, or from a TOML file.

    Args:
        source: a path, or a dict by name: of a list, one of it is chosen; of a Categorical, Int or Float, or of a table
            such as {"low": 1e-4, "high": 0.1, "log": True}, a number between; any other value is fixed.

    Raises:
        BadFile: no such file, or one that is no space; the message names the key and the remedy.
        BadValue, UnknownName: of a dict that is no space.

    Example:
        >>> as_space({"optimizer": ["sgd", "adam"], "momentum": {"low": 0, "high": 0.9, "when": {"optimizer": "sgd"}}})
        ... # doctest: +ELLIPSIS
        Space(dimensions={'optimizer': Categorical(choices=('sgd', 'adam'), ...
    """
    if isinstance(source, Space):
        return source
    if isinstance(source, Mapping):
        return _space_of(source)
    try:
        space = _space_of(_read(Path(source)))
        if not space.dimensions:
            raise BadValue("leaves nothing to choose; give a list or a range, such as filters = [16, 32].")
        return space
    except (BadValue, UnknownName) as error:
        raise BadFile(f"{source}: {error}") from error


def read_values(path: Path | str) -> dict[str, Value]:
    """The values in a file such as best.toml, by name.

    Raises:
        BadFile: no such file, or one that has something other than values.
    """
    try:
        space = _space_of(_read(Path(path)))
        if (name := next(iter(space.dimensions), None)) is not None:
            raise BadValue(f"{name}: is to be chosen; give it a value, or this file to `holdfast tune --space`.")
        return dict(space.fixed)
    except (BadValue, UnknownName) as error:
        raise BadFile(f"{path}: {error}") from error


def write_values(path: Path | str, values: Mapping[str, Value], comment: str = "") -> None:
    """Writes values as TOML, which `read_values` and `train --config` read; None, which TOML lacks, is left out.

    Args:
        path: of the file; it is there whole, or not at all.
        values: by name.
        comment: lines that stand above them.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"{_key(name)} = {spelled(value)}" for name, value in values.items() if value is not None]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def spelled(value: Value) -> str:
    """A value as TOML has it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(one if one >= " " and one != "\x7f" else f"\\u{ord(one):04x}" for one in escaped) + '"'
    return repr(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else spelled(name)


def _read(path: Path) -> dict[str, Any]:  # Any: what TOML has
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadValue("is no text; write it in UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadValue(
            f"is no TOML: {error}; text and names with brackets stand in quotes, 'layers[2].filters'."
        ) from error


def _space_of(given: Mapping[str, Any]) -> Space:  # Any: what the user wrote
    dimensions: dict[str, Dimension] = {}
    fixed: dict[str, Value] = {}
    for name, value in _flat(given):
        with _Named(name):
            if name not in WORDS and "." not in name:
                known = f"; known are {', '.join(WORDS)} and paths such as conv2d.filters"
                raise UnknownName(f"is nothing that can be chosen{suggestion(name, list(WORDS)) or known}")
            found = _dimension(name, value)
        if isinstance(found, (Categorical, Int, Float)):
            dimensions[name] = found
        else:
            fixed[name] = found
    return Space(dimensions, fixed)


def _flat(given: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:  # Any: as above
    """Names and what they are given; `conv2d.filters = 8` without quotes is a table to TOML."""
    for key, value in given.items():
        name = f"{above}{key}"
        nested = isinstance(value, Mapping) and not value.keys() & {"low", "high", "choices"} and name not in WORDS
        if nested and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _dimension(name: str, value: Any) -> Dimension | Value:  # Any: as above
    """What stands at a name: a dimension, or a fixed value."""
    if isinstance(value, (Categorical, Int, Float)):
        return _as_numbers(name, value)
    if isinstance(value, (list, tuple)):
        return _as_numbers(name, Categorical(tuple(_plain(one) for one in value)))
    if not isinstance(value, Mapping):
        return float(value) if WORDS.get(name) is float and _is(value, int) else _plain(value)
    known = LIST if "choices" in value else RANGE
    for key in value:
        if key not in known:
            raise UnknownName(f"has no {key!r}{suggestion(key, list(known))}")
    if "choices" in value:
        if not isinstance(value["choices"], (list, tuple)):
            raise BadValue(f"choices={value['choices']!r}: must be a list.")
        return _as_numbers(name, Categorical(tuple(_plain(one) for one in value["choices"]), value.get("when", {})))
    missing = next((key for key in ("low", "high") if key not in value), None)
    if missing is not None:
        raise BadValue(f"{missing} is missing; a range is {{low = 1, high = 8}}, a choice ['a', 'b'].")
    numbers = [value[key] for key in ("low", "high", "step") if key in value]
    whole = all(_is(one, int) for one in numbers) and WORDS.get(name) is not float
    return Int(**value) if whole else Float(**value)


def _as_numbers(name: str, dimension: Dimension) -> Dimension:
    """The dimension, with floats where the word wants floats and whole numbers were written."""
    if WORDS.get(name) is not float or isinstance(dimension, Float):
        return dimension
    if isinstance(dimension, Categorical):
        choices = tuple(float(one) if isinstance(one, int) and _is(one, int) else one for one in dimension.choices)
        return Categorical(choices, dimension.when)
    return Float(dimension.low, dimension.high, dimension.log, float(dimension.step), dimension.when)


def _plain(value: Any) -> Value:  # Any: as above
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise BadValue(f"{value!r} cannot be chosen; values are numbers, text, true or false.")
    return value


def _check_dimension(name: str, dimension: Dimension) -> None:
    if not isinstance(dimension, (Categorical, Int, Float)):
        raise BadValue(f"must be a Categorical, an Int or a Float, got {dimension!r}.")
    if name == "seed":
        raise BadValue("luck is nothing to choose; give one seed, or see what luck does with `train --seeds 5`.")
    ends = dimension.choices if isinstance(dimension, Categorical) else (dimension.low, dimension.high)
    for value in ends:
        _check_value(name, value)
    if isinstance(dimension, Float) and WORDS.get(name) is int:
        raise BadValue("takes whole numbers; write low and high without a point.")


def _check_value(name: str, value: Value) -> None:
    """Raises BadValue for a value of another kind than the word's."""
    kind = WORDS.get(name)
    if kind is None or value is None:
        return
    if kind is str and not isinstance(value, str):
        remedy = 'write "none" for none' if name == "augment" and value is False else "put it in quotes"
        raise BadValue(f"{spelled(value)} is no text; {remedy}.")
    if not _is(value, kind):
        raise BadValue(f"takes {KINDS[kind]}, got {spelled(value)}.")


def _is(value: object, kind: type) -> bool:
    """Whether a value is of a kind; whole numbers are numbers, and true is no number."""
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _check_range(range_: Int | Float, *, least: float, stepped: bool) -> None:
    low, high, step = range_.low, range_.high, range_.step
    if not isinstance(range_.log, bool):
        raise BadValue(f"log={range_.log!r}: must be true or false.")
    if low > high:
        raise BadValue(f"low={low!r} is above high={high!r}; exchange them.")
    if range_.log and (low < 1 if least else low <= 0):
        raise BadValue(f"low={low!r}: with log it must be {'at least 1' if least else 'positive'}; 0 has no logarithm.")
    if not stepped or step is None:
        return
    if range_.log:
        raise BadValue("log and step exclude each other; list the values instead, such as [8, 16, 32].")
    if step <= 0:
        raise BadValue(f"step={step!r}: must be positive.")
    over = (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step))
    if over:
        reached = type(low)(Decimal(str(high)) - over)
        raise BadValue(f"steps of {step!r} from {low!r} do not reach high={high!r}; the last is at {reached!r}.")


def _middle(range_: Int | Float) -> float:
    return math.sqrt(range_.low * range_.high) if range_.log else (range_.low + range_.high) / 2


def _when(when: Any) -> dict[str, Value | tuple[Value, ...]]:  # Any: what the user wrote
    if not isinstance(when, Mapping):
        raise BadValue(f"when={when!r}: must be a table, {{optimizer = 'sgd'}}.")
    return {
        name: tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else _plain(value)
        for name, value in when.items()
    }


def _several(wanted: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return wanted if isinstance(wanted, tuple) else (wanted,)


def _settle(dimension: object, **values: object) -> None:
    """Sets converted values of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(dimension, name, value)


class _Named:
    """Puts the name of a dimension in front of what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, HoldfastError) and not str(error).startswith(f"{self.name}: "):
            raise type(error)(f"{self.name}: {error}") from error
