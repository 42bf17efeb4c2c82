"""Building the package: kernels where there is a compiler, a pure package where there is none."""

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = ["kernels-avx2.so", "kernels-avx512.so", "kernels-default.so"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the compilers of the tests are scripts")


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a module that no package has
    """hatch_build.py, with a stand-in for hatchling, which is there only while a package is built."""
    plugin = "hatchling.builders.hooks.plugin.interface"
    parents = [plugin.rsplit(".", n)[0] for n in range(1, 5)]
    for name in (*parents, plugin):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[plugin].BuildHookInterface = SimpleNamespace  # type: ignore[attr-defined]  # a stand-in
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module.sysconfig, "get_platform", lambda: "linux-x86_64")
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with the kernels."""
    native = tmp_path / "tree/src/holdfast/training/native"
    native.mkdir(parents=True)
    shutil.copy(ROOT / "src/holdfast/training/native/kernels.cpp", native)
    return tmp_path / "tree"


def native_of(tree: Path) -> Path:
    return tree / "src/holdfast/training/native"


def compiler(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """A compiler that is this shell script."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))


LAST = 'for library; do :; done; case "$*" in *-fopenmp) library=$(echo "$*" | sed "s/.* -o //; s/ -fopenmp//");; esac'
WRITE = f'{LAST}; echo "$*" > "$library"'


def built(
    hooks: Any, tree: Path, target: str = "wheel"
) -> tuple[dict[str, Any], list[str]]:  # Any: as hatchling has it
    """What the hook tells hatchling, and its warnings."""
    warnings: list[str] = []
    hook = hooks.KernelsHook(root=str(tree), target_name=target, app=SimpleNamespace(display_warning=warnings.append))
    data: dict[str, Any] = {}
    hook.initialize("standard", data)
    return data, warnings


def files(tree: Path) -> list[str]:
    """What lies beside the kernels, hidden things too."""
    return sorted(path.name for path in native_of(tree).iterdir() if path.name != "kernels.cpp")


def test_a_wheel_with_kernels_is_for_this_platform_and_any_python(
    hooks: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(monkeypatch, tmp_path, WRITE)

    data, warnings = built(hooks, tree)

    assert data == {"pure_python": False, "tag": "py3-none-linux_x86_64"}
    assert files(tree) == LEVELS
    assert not warnings
    assert "-march=x86-64-v4" in (native_of(tree) / "kernels-avx512.so").read_text()
    assert "-march" not in (native_of(tree) / "kernels-default.so").read_text()


def test_other_processors_get_the_default_alone(
    hooks: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(monkeypatch, tmp_path, WRITE)
    monkeypatch.setattr(hooks.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(hooks.sysconfig, "get_platform", lambda: "macosx-11.0-arm64")

    data, _ = built(hooks, tree)

    assert data["tag"] == "py3-none-macosx_11_0_arm64"
    assert files(tree) == ["kernels-default.so"]


def test_a_compiler_without_openmp_makes_kernels_of_one_thread(
    hooks: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(monkeypatch, tmp_path, f'case "$*" in *-fopenmp*) exit 1;; esac; {WRITE}')

    data, warnings = built(hooks, tree)

    assert data["pure_python"] is False
    assert not warnings
    assert "-fopenmp" not in (native_of(tree) / "kernels-avx2.so").read_text()


BROKEN = [
    ("none", None, "No such file or directory"),
    ("does not know this language", 'printf "kernels.cpp:1:\\n error: what is this?\\n" >&2; exit 1', "what is this?"),
    ("does not know this processor", f'case "$*" in *-march=x86-64-v3*) exit 1;; esac; {WRITE}', ""),
]


@pytest.mark.parametrize(("name", "script", "reason"), BROKEN, ids=[case[0] for case in BROKEN])
def test_without_a_compiler_the_package_is_pure(
    name: str, script: str | None, reason: str, hooks: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries of an earlier build used to go into it."""
    for library in LEVELS:
        (native_of(tree) / library).write_text("old")
    if script is None:
        monkeypatch.setenv("CXX", str(tmp_path / "missing"))
    else:
        compiler(monkeypatch, tmp_path, script)

    data, warnings = built(hooks, tree)

    assert not data
    assert not files(tree)
    (warning,) = warnings
    assert warning.startswith("holdfast: no native kernels, training is slower: ")
    assert reason in warning
    assert "\n" not in warning


def test_a_library_is_replaced_as_a_whole(
    hooks: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to be written over: whoever had loaded it, or did so just then, crashed."""
    library = native_of(tree) / "kernels-avx2.so"
    library.write_text("old")
    seen = tmp_path / "seen"
    compiler(monkeypatch, tmp_path, f'cat "{library}" >> "{seen}"; {WRITE}')
    with library.open() as loaded:
        built(hooks, tree)

        assert loaded.read() == "old"
    assert set(seen.read_text().split("old")) == {""}  # for as long as anything was compiled
    assert "kernels.cpp" in library.read_text()


def test_only_wheels_are_compiled_for(hooks: Any, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent")

    assert built(hooks, tree, "sdist") == ({}, [])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a compiler")
def test_what_is_compiled_can_be_loaded(hooks: Any, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(hooks, "LEVELS", {"default": ["-O0"]})

    data, warnings = built(hooks, tree)

    assert not warnings
    assert data["pure_python"] is False
    assert ctypes.CDLL(str(native_of(tree) / "kernels-default.so")).holdfast_crossentropy


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="needs hatchling")
@pytest.mark.parametrize("compiled", [True, False], ids=["compiler", "no compiler"])
def test_pip_makes_the_wheel(compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        tree.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    if compiled:
        compiler(monkeypatch, tmp_path, WRITE)
    else:
        monkeypatch.setenv("CXX", "/nonexistent")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]

    subprocess.run([*command, str(tree)], check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("py3-none-linux_x86_64.whl" if compiled else "py3-none-any.whl")
    carried = [Path(name).name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]
    assert sorted(carried) == (LEVELS if compiled else [])
