"""Writes api.md beside this file: every public name in one line, from its docstring.

python docs/make_api.py
"""

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import holdfast
from holdfast.core import Registry

PATH = Path(__file__).with_name("api.md")
HEAD = """# Reference

Every public name, a section for each sub-package, made from the docstrings by `python docs/make_api.py`;
`help(holdfast.training.train)` says the rest.
"""


def packages() -> list[ModuleType]:
    """holdfast and all its sub-packages."""
    found = pkgutil.iter_modules(holdfast.__path__)
    return [holdfast, *(import_module(f"holdfast.{one.name}") for one in found if one.ispkg)]


def reference() -> str:
    """The text of api.md."""
    return "\n".join([HEAD, *(line for package in packages() for line in section(package))])


def section(package: ModuleType) -> Iterator[str]:
    """What a package is, and a line for each of its public names."""
    yield f"## {package.__name__}\n"
    yield f"{first_sentence(package)}\n"
    for name in package.__all__:
        thing = getattr(package, name)
        yield f"- `{name}{signature(thing)}`: {first_sentence(thing)}"
    yield ""


def first_sentence(thing: object) -> str:
    """The first sentence of a docstring; of a registry its names, of a type alias the type."""
    if isinstance(thing, Registry):
        return f"every {thing.kind} by its name: {', '.join(thing)}."
    if not (inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)):
        return f"the type {thing}."
    paragraph = " ".join(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.)(?<!\.\.)(?<!e\.g\.)(?<!i\.e\.) ", paragraph)[0]


def signature(thing: object) -> str:
    """What it is called with, without types: "(x, *, epochs=1)"; nothing for what is not called."""
    if not (inspect.isroutine(thing) or inspect.isclass(thing)) or inspect.isabstract(thing):
        return ""
    if inspect.isclass(thing) and (issubclass(thing, BaseException) or getattr(thing, "_is_protocol", False)):
        return ""
    found = inspect.signature(thing)
    plain = [parameter.replace(annotation=parameter.empty) for parameter in found.parameters.values()]
    text = str(found.replace(parameters=plain, return_annotation=found.empty))
    return text.replace("=REQUIRED", "").replace("=<factory>", "=...")


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")
    print(f"wrote {PATH}")
