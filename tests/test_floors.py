"""Who may import whom.  Sub-packages are found by themselves: a new one needs a floor here and in the design."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "holdfast"
FLOORS = {
    "core": 0,
    "layers": 1,
    "data": 1,
    "metrics": 1,
    "training": 2,
    "callbacks": 3,
    "evaluate": 3,
    "models": 4,
    "transfer": 5,
    "explain": 5,
    "export": 5,
    "features": 5,
    "runs": 6,
    "tune": 7,
    "sklearn": 7,
    "cli": 8,
    "studio": 8,
}
PACKAGES = sorted(path.name for path in SOURCE.iterdir() if any(path.glob("*.py")))


def imported(source: str, *module: str) -> Iterator[str]:
    """The sub-packages of holdfast that a module imports anywhere, also within functions and for types only.

    Args:
        source: its text.
        module: the names of its packages and its own: "holdfast", "training", "loop".  A package's own is "__init__".
    """
    for node in ast.walk(ast.parse(source)):
        names: list[tuple[str, ...]] = []
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (*module[: len(module) - node.level], *_parts(node.module)) if node.level else _parts(node.module)
            names = [(*base, alias.name) for alias in node.names]
        for name in names:
            if name[0] == "holdfast":
                yield name[1] if len(name) > 1 else ""


def _parts(name: str | None) -> tuple[str, ...]:
    return tuple(name.split(".")) if name else ()


def imports_of(package: str) -> Iterator[tuple[str, str]]:
    """Each file of a sub-package and a sub-package that it imports."""
    for path in sorted((SOURCE / package).rglob("*.py")):
        module = path.relative_to(SOURCE.parent).with_suffix("").parts
        for name in imported(path.read_text(encoding="utf-8"), *module):
            yield "/".join(module[1:]), name


def test_there_are_packages() -> None:
    assert {"core", "layers", "data", "metrics", "training", "models"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_sub_package_has_a_floor(package: str) -> None:
    assert package in FLOORS, f"{package} has no floor; give it one here and in the design."


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_to_lower_floors_only(package: str) -> None:
    wrong = [
        f"{file} imports {other}"
        for file, other in imports_of(package)
        if other in FLOORS and other != package and FLOORS[other] >= FLOORS[package]
    ]

    assert wrong == []


def test_core_imports_nothing_of_ours() -> None:
    assert {other for _, other in imports_of("core")} <= {"core"}


@pytest.mark.parametrize("top", ["cli", "studio"])
def test_nothing_imports_the_top(top: str) -> None:
    assert [file for package in PACKAGES if package != top for file, other in imports_of(package) if other == top] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ..core import BadValue", ["core"]),
        ("from ..core.errors import BadValue", ["core"]),
        ("from .. import core, data", ["core", "data"]),
        ("from . import state", ["training"]),
        ("from .state import State", ["training"]),
        ("import holdfast.models.lower as lower", ["models"]),
        ("from holdfast import cli", ["cli"]),
        ("from holdfast.cli import main", ["cli"]),
        ("import torch\nfrom torch import nn\nimport holdfastlike", []),
        ("def later():\n    from ..models import Model", ["models"]),
        ("if TYPE_CHECKING:\n    from ..evaluate import Score", ["evaluate"]),
    ],
)
def test_every_way_to_import_is_seen(source: str, found: list[str]) -> None:
    assert list(imported(source, "holdfast", "training", "loop")) == found


def test_a_package_s_own_imports_are_relative_to_itself() -> None:
    assert list(imported("from .loop import train\nfrom ..core import need", "holdfast", "training", "__init__")) == [
        "training",
        "core",
    ]
