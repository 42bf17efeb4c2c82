"""Spaces: what a search may choose, in Python or TOML.  What a choice trains is tune/candidate.py."""

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import BadFile, BadValue, HoldfastError, UnknownName, suggestion, whole_file
from .dimension import (
    MOST_COMBINATIONS,
    Categorical,
    Dimension,
    Float,
    Int,
    Value,
    applies,
    is_of,
    plain,
    settle,
    several,
    spelled,
)

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

__all__ = [
    "Categorical",
    "Dimension",
    "Float",
    "Int",
    "Space",
    "Value",
    "as_space",
    "read_values",
    "write_values",
]

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
        settle(self, dimensions=dict(self.dimensions), fixed=dict(self.fixed))
        for name, dimension in self.dimensions.items():
            with _named(name):
                _check_dimension(name, dimension)
                for other, wanted in dimension.when.items():
                    self._check_when(other, wanted)
        for name, value in self.fixed.items():
            with _named(name):
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
        values = self.chosen(lambda name, dimension: dimension.suggest(name, trial))
        return {name: values[name] for name in (*self.fixed, *self.dimensions) if name in values}

    def chosen(self, choose: Callable[[str, Dimension], Value]) -> dict[str, Value]:
        """The fixed values, and what is chosen for each dimension that applies beside those before it."""
        values = dict(self.fixed)
        for name in self.order():
            if applies(self.dimensions[name], values):
                values[name] = choose(name, self.dimensions[name])
        return values

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
            with _named(name):
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
        for value in several(wanted):
            possible = self.dimensions[other].has(value) if other in self.dimensions else value == self.fixed[other]
            if not possible:
                raise BadValue(f"`when` waits for {other} = {spelled(value)}, which the space never chooses.")


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
    if not isinstance(source, (str, Path)):
        raise BadValue(f"space={source!r}: must be a Space, a dict by name, or the path of a TOML file.")
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
        with _named(name):
            check_name(name)
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
        return _as_numbers(name, Categorical(tuple(plain(one) for one in value)))
    if not isinstance(value, Mapping):
        return float(value) if WORDS.get(name) is float and is_of(value, int) else plain(value)
    known = LIST if "choices" in value else RANGE
    for key in value:
        if key not in known:
            raise UnknownName(f"has no {key!r}{suggestion(key, list(known))}")
    if "choices" in value:
        if not isinstance(value["choices"], (list, tuple)):
            raise BadValue(f"choices={value['choices']!r}: must be a list.")
        return _as_numbers(name, Categorical(tuple(plain(one) for one in value["choices"]), value.get("when", {})))
    missing = next((key for key in ("low", "high") if key not in value), None)
    if missing is not None:
        raise BadValue(f"{missing} is missing; a range is {{low = 1, high = 8}}, a choice ['a', 'b'].")
    numbers = [value[key] for key in ("low", "high", "step") if key in value]
    whole = all(is_of(one, int) for one in numbers) and WORDS.get(name) is not float
    return Int(**value) if whole else Float(**value)


def _as_numbers(name: str, dimension: Dimension) -> Dimension:
    """The dimension, with floats where the word wants floats and whole numbers were written."""
    if WORDS.get(name) is not float or isinstance(dimension, Float):
        return dimension
    if isinstance(dimension, Categorical):
        choices = tuple(float(one) if isinstance(one, int) and is_of(one, int) else one for one in dimension.choices)
        return Categorical(choices, dimension.when)
    return Float(dimension.low, dimension.high, dimension.log, float(dimension.step), dimension.when)


def check_name(name: str) -> None:
    """Raises UnknownName for what is neither a word nor a path; the message suggests the nearest."""
    if name not in WORDS and "." not in name:
        known = f"; known are {', '.join(WORDS)} and paths such as conv2d.filters"
        raise UnknownName(f"{name}: is nothing that can be chosen{suggestion(name, list(WORDS)) or known}")


def _check_dimension(name: str, dimension: Dimension) -> None:
    if not isinstance(dimension, (Categorical, Int, Float)):
        raise BadValue(f"must be a Categorical, an Int or a Float, got {dimension!r}.")
    if name == "seed":
        raise BadValue("luck is nothing to choose; give one seed, or see what luck does with `train --seeds 5`.")
    for value in dimension.ends:
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
    if not is_of(value, kind):
        raise BadValue(f"takes {KINDS[kind]}, got {spelled(value)}.")


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the name of a dimension in front of what is wrong with it."""
    try:
        yield
    except HoldfastError as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise type(error)(f"{name}: {error}") from error
