"""What is public is importable, documented and in docs/api.md.  Sub-packages are found by themselves."""

import inspect
import pkgutil
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import holdfast
from holdfast.core import Registry

ROOT = Path(__file__).parents[1]
PACKAGES = ["holdfast", *(f"holdfast.{one.name}" for one in pkgutil.iter_modules(holdfast.__path__) if one.ispkg)]


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> ModuleType:
    return import_module(request.param)


def test_every_public_name_can_be_imported(package: ModuleType) -> None:
    assert package.__all__
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
    assert [name for name in package.__all__ if name.startswith("_")] == []


def test_no_name_is_listed_twice(package: ModuleType) -> None:
    assert len(set(package.__all__)) == len(package.__all__)


def test_public_names_are_sorted_as_ruff_sorts_them() -> None:
    files = [import_module(name).__file__ for name in PACKAGES]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--preview", "--select", "RUF022"]

    done = subprocess.run([*command, *filter(None, files)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def documented(thing: object) -> bool:
    """Whether it has a docstring of its own, not one that a dataclass or a base class gave it."""
    if isinstance(thing, Registry):
        return bool(thing.kind)
    if inspect.isclass(thing):
        text = thing.__dict__.get("__doc__") or ""
        return bool(text) and not text.startswith(f"{thing.__name__}(")
    if inspect.isroutine(thing) or inspect.ismodule(thing):
        return bool(thing.__doc__)
    return True  # a type alias has none


def test_every_public_name_has_a_docstring_of_its_own(package: ModuleType) -> None:
    assert package.__doc__
    assert [name for name in package.__all__ if not documented(getattr(package, name))] == []


def test_a_first_sentence_ends_with_a_full_stop(package: ModuleType) -> None:
    first_sentence = runpy.run_path(str(ROOT / "docs" / "make_api.py"))["first_sentence"]
    sentences = {name: first_sentence(getattr(package, name)) for name in package.__all__}

    assert {name: text for name, text in sentences.items() if not text.endswith((".", ":"))} == {}


def test_the_reference_lists_what_is_public() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_api.py"))["reference"]()

    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == made, "run: python docs/make_api.py"


def test_what_a_dataclass_says_of_itself_is_no_docstring() -> None:
    from dataclasses import make_dataclass

    assert not documented(make_dataclass("Point", ["x", "y"]))
    assert not documented(type("Child", (ModuleType,), {}))
    assert documented(ModuleType)
