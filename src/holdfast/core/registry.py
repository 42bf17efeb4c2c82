"""Registries: from the names that users write to the things they mean."""

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from .errors import BadValue, UnknownName

T = TypeVar("T")
V = TypeVar("V")

FEW = 30  # names that an error message can list


def snake_case(name: str) -> str:
    """`leCunNormal` -> `le_cun_normal`, `Conv2D` -> `conv2d`, `MaxPooling2D` -> `max_pooling2d`: Keras's rule."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def suggestion(name: str, known: list[str]) -> str:
    """The nearest known names as the end of an error message: "; did you mean 'relu'?", or all of them when few.

    Nothing when they are many.
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(word) for word in near) + "?"
    return "; known: " + ", ".join(sorted(known)) if 0 < len(known) <= FEW else ""


class Registry(Generic[T]):
    """Things of one kind by name.  Spelling is forgiven: case, underscores and camelCase do not count.

    Example:
        >>> activations = Registry[int]("activation")
        >>> activations.add("leaky_relu", 1)
        1
        >>> activations["leakyReLU"]
        1
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        self._names: dict[str, str] = {}

    def add(self, name: str, item: T, *aliases: str) -> T:
        self._items[name] = item
        for spelling in (name, *aliases):
            self._names[_key(spelling)] = name
        return item

    def register(self, name: str, *aliases: str) -> Callable[[T], T]:
        """`add` as a decorator."""
        return lambda item: self.add(name, item, *aliases)

    def canonical(self, name: str) -> str:
        """The name under which the thing was added: "leCunNormal" -> "lecun_normal".

        Raises:
            UnknownName: no such name; the message suggests the nearest.
        """
        if _key(name) not in self._names:
            raise UnknownName(f"unknown {self.kind} {name!r}{suggestion(name, list(self._items))}")
        return self._names[_key(name)]

    def __getitem__(self, name: str) -> T:
        return self._items[self.canonical(name)]

    def make(self: "Registry[type[V]]", value: "str | dict[str, Any] | V", base: type[V]) -> V:  # Any: a JSON object
        """The thing that `value` describes, for a registry of classes.

        Args:
            value: a name ("he_normal"), Keras's JSON form {"class_name": ..., "config": {...}}, or the thing itself.
            base: what the result must be an instance of.

        Raises:
            UnknownName: no such name.  BadValue: wrong settings, or something else altogether.
        """
        if isinstance(value, str):
            return self[value]()
        if isinstance(value, dict) and isinstance(value.get("class_name"), str):
            try:
                return self[value["class_name"]](**value.get("config", {}))
            except TypeError as error:
                raise BadValue(f"{self.kind} {value['class_name']!r}: {error}") from error
        if isinstance(value, base):
            return value
        article = "an" if base.__name__[0] in "AEIO" else "a"
        raise BadValue(f"{self.kind}: takes a name or {article} {base.__name__}, got {type(value).__name__} {value!r}")

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)


def _key(name: str) -> str:
    return name.replace("_", "").lower()
