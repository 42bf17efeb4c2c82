"""Builds the native kernels with the package, once for each level of processor; without a compiler it goes without.

`training/native/__init__.py` takes the one for the processor it finds.
"""

import os
import platform
import subprocess
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/holdfast/training/native/kernels.cpp")
FLAGS = ["-std=c++17", "-O3", "-shared", "-fPIC", "-ffp-contract=fast", "-fno-math-errno", "-Wno-psabi"]
LEVELS = {"avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"], "avx2": ["-march=x86-64-v3"], "default": []}


class KernelsHook(BuildHookInterface):  # type: ignore[misc, type-arg]  # hatchling is not installed where mypy runs
    """Compiles kernels.cpp to kernels-avx512.so, kernels-avx2.so and kernels-default.so beside it: all or none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs; names the wheel for this platform when there is something native."""
        if self.target_name != "wheel":
            return
        source = Path(self.root) / SOURCE
        levels = LEVELS if platform.machine() in ("x86_64", "AMD64") else {"default": []}
        try:
            # Moved, not written over: a process that has loaded the old ones keeps them, and sees no half of a new one.
            with TemporaryDirectory(dir=source.parent, prefix=".kernels-") as folder:
                made = [compiled(source, Path(folder) / f"kernels-{name}.so", flags) for name, flags in levels.items()]
                for library in made:
                    library.replace(source.with_name(library.name))
        except (OSError, subprocess.CalledProcessError) as error:
            words = (getattr(error, "stderr", b"").decode(errors="replace") or str(error)).split()
            self.app.display_warning(f"holdfast: no native kernels, training is slower: {' '.join(words)[:300]}")
            for old in source.parent.glob("kernels-*.so"):  # of another source, or for another machine
                old.unlink()
            return
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compiled(source: Path, library: Path, flags: list[str]) -> Path:
    """The library, made from the source.  Raises OSError or CalledProcessError."""
    command = [os.environ.get("CXX", "c++"), *FLAGS, *flags, str(source), "-o", str(library)]
    try:
        # torch brings an OpenMP of the same name and shares its threads with us; clang on a Mac has none.
        subprocess.run([*command, "-fopenmp"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        subprocess.run(command, check=True, capture_output=True)
    return library
