"""Dimensions: what one setting may be in a search."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from ..core import BadValue

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

Value: TypeAlias = bool | int | float | str | None
MOST_WHOLE = 2**53  # databases keep values as floats
MOST_COMBINATIONS = 100_000  # of a grid; nobody has the time for more
When: TypeAlias = Mapping[str, Value | tuple[Value, ...]]


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
        settle(self, choices=tuple(map(plain, self.choices)), when=_when(self.when))
        if not self.choices:
            raise BadValue("there is nothing to choose from; list at least one value.")
        for number, choice in enumerate(self.choices):
            if choice in self.choices[:number]:  # to Optuna 1 is true
                raise BadValue(f"{spelled(choice)} stands in the list twice.")

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.choices)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that say whether all can be trained: every choice."""
        return self.choices

    def suggest(self, name: str, trial: "BaseTrial") -> Value:
        """The value of this dimension in a trial."""
        chosen: Value = trial.suggest_categorical(name, self.choices)
        return chosen

    def has(self, value: Value) -> bool:
        """Whether this may be chosen."""
        return same(value, self.choices)

    def nearest(self, value: Value) -> Value:
        """The choice nearest to a value; the first where none is nearer than others."""
        if self.has(value) or not is_of(value, float):
            return value if self.has(value) else self.choices[0]
        return min(self.choices, key=lambda one: abs(float(one) - float(value)) if is_of(one, float) else math.inf)  # type: ignore[arg-type]  # numbers

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
        settle(self, when=_when(self.when))
        for name in ("low", "high", "step"):
            if not is_of(getattr(self, name), int):
                raise BadValue(f"{name}={getattr(self, name)!r}: must be a whole number.")
            if abs(getattr(self, name)) > MOST_WHOLE:
                raise BadValue(f"{name}={getattr(self, name)}: must be at most 2 ** 53, so that it is kept exactly.")
        _check_range(self, least=1, stepped=self.step != 1)

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, self.log, self.step)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The lowest and the highest."""
        return self.low, self.high

    def suggest(self, name: str, trial: "BaseTrial") -> Value:
        """The value of this dimension in a trial."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def has(self, value: Value) -> bool:
        """Whether this may be chosen."""
        return is_of(value, int) and value in self.grid()

    def nearest(self, value: Value) -> Value:
        """The number nearest to a value; the middle for what is no number."""
        wanted = float(value) if is_of(value, float) else _middle(self)  # type: ignore[arg-type]  # a number
        return self.grid()[_place(wanted, self.low, self.step, len(self.grid()))]

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
        settle(self, when=_when(self.when))
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if name == "step" and value is None:
                continue
            if not is_of(value, float) or not math.isfinite(value):
                raise BadValue(f"{name}={value!r}: must be a finite number.")
            settle(self, **{name: float(value)})
        _check_range(self, least=0, stepped=self.step is not None)

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, self.log, self.step)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The lowest and the highest."""
        return self.low, self.high

    def suggest(self, name: str, trial: "BaseTrial") -> Value:
        """The value of this dimension in a trial."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def has(self, value: Value) -> bool:
        """Whether this may be chosen."""
        inside = is_of(value, float) and self.low <= float(value or 0) <= self.high
        return inside and (self.step is None or math.isclose(float(value or 0), cast(float, self.nearest(value))))

    def nearest(self, value: Value) -> Value:
        """The number nearest to a value; the middle for what is no number."""
        wanted = float(value) if is_of(value, float) else _middle(self)  # type: ignore[arg-type]  # a number
        if self.step is None:
            return min(max(wanted, self.low), self.high)
        return self._at(_place(wanted, self.low, self.step, self.count))

    def grid(self) -> tuple[Value, ...]:
        """All values, for a search that tries every one.  Raises BadValue for a range without steps."""
        if self.step is None:
            few = ", ".join(f"{one:.3g}" for one in (self.low, _middle(self), self.high))
            raise BadValue(f"a grid cannot try every number of a range; list some, such as [{few}], or give a step.")
        if self.count > MOST_COMBINATIONS:
            raise BadValue(f"its {self.count:,} steps are too many for a grid; list some, or take another sampler.")
        return tuple(map(self._at, range(self.count)))

    @property
    def count(self) -> int:
        """How many steps there are."""
        return int((Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(self.step))) + 1

    def _at(self, place: int) -> float:
        return float(Decimal(str(self.low)) + place * Decimal(str(self.step)))  # or 0.1 + 0.2 would not be 0.3


Dimension: TypeAlias = Categorical | Int | Float


def applies(dimension: Dimension, values: Mapping[str, Value]) -> bool:
    """Whether the condition of a dimension is met by values that were chosen before."""
    return all(name in values and same(values[name], several(wanted)) for name, wanted in dimension.when.items())


def same(value: Value, others: tuple[Value, ...]) -> bool:
    """Whether a value is among others; true and 1 are two things."""
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in others)


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


def is_of(value: object, kind: type) -> bool:
    """Whether a value is of a kind; whole numbers are numbers, and true is no number."""
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def plain(value: Any) -> Value:  # Any: what the user wrote
    """The value, if it is one; a number of NumPy as Python has it.  Raises BadValue for what cannot be chosen."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise BadValue(f"{value!r} cannot be chosen; values are numbers, text, true or false.")
    return value


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


def _place(wanted: float, low: float, step: float, count: int) -> int:
    """Which of the steps from `low` on is nearest; the lower of two."""
    return min(max(math.ceil((wanted - low) / step - 0.5), 0), count - 1)


def _middle(range_: Int | Float) -> float:
    return math.sqrt(range_.low * range_.high) if range_.log else (range_.low + range_.high) / 2


def _when(when: Any) -> dict[str, Value | tuple[Value, ...]]:  # Any: what the user wrote
    if not isinstance(when, Mapping):
        raise BadValue(f"when={when!r}: must be a table, {{optimizer = 'sgd'}}.")
    empty = next((name for name, value in when.items() if isinstance(value, (list, tuple)) and not value), None)
    if empty is not None:
        raise BadValue(f"`when` waits for no value of {empty}; list at least one.")
    return {
        name: tuple(map(plain, value)) if isinstance(value, (list, tuple)) else plain(value)
        for name, value in when.items()
    }


def several(wanted: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    """The values that a condition waits for."""
    return wanted if isinstance(wanted, tuple) else (wanted,)


def settle(dimension: object, **values: object) -> None:
    """Sets converted values of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(dimension, name, value)
