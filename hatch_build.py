"""Builds the native kernels with the package, once for each level of processor; without a compiler it goes without.

`training/native/__init__.py` takes the one for the processor it finds.
"""

import os
import platform
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/holdfast/training/native/kernels.cpp")
FLAGS = ["-std=c++17", "-O3", "-shared", "-fPIC", "-ffp-contract=fast", "-fno-math-errno", "-Wno-psabi"]
LEVELS = {"avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"], "avx2": ["-march=x86-64-v3"], "default": []}


class KernelsHook(BuildHookInterface):  # type: ignore[misc, type-arg]  # hatchling is not installed where mypy runs
    """Compiles kernels.cpp to kernels-avx512.so, kernels-avx2.so and kernels-default.so beside it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs; names the wheel for this platform when there is something native."""
        if self.target_name != "wheel":
            return
        levels = LEVELS if platform.machine() in ("x86_64", "AMD64") else {"default": []}
        if all(self.compiled(name, flags) for name, flags in levels.items()):
            build_data["pure_python"] = False
            build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")

    def compiled(self, name: str, flags: list[str]) -> bool:
        """Whether a library came of it."""
        source = Path(self.root) / SOURCE
        library = source.with_name(f"kernels-{name}.so")
        command = [os.environ.get("CXX", "c++"), *FLAGS, *flags, str(source), "-o", str(library)]
        # torch brings an OpenMP of the same name and shares its threads with us; clang on a Mac has none.
        for threads in (["-fopenmp"], []):
            try:
                subprocess.run([*command, *threads], check=True, capture_output=True)
                return True
            except (OSError, subprocess.CalledProcessError) as error:
                message = getattr(error, "stderr", b"").decode(errors="replace")[-500:] or error
        self.app.display_warning(f"holdfast: no native kernels ({name}), training is slower: {message}")
        library.unlink(missing_ok=True)
        return False
