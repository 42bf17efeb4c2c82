"""What the benchmarks share: statistics, the machine, results on disk, and a C library that keeps its memory."""

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

LOAD = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # when the program began
RESULTS = Path(__file__).parent / "results"
LEDGER = Path(__file__).parents[1] / "runs" / "ledger.db"  # of looks at test parts
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of a processor: what bounds its arithmetic


@dataclass(frozen=True)
class Spread:
    """n numbers by their median and quartiles."""

    n: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one number."""
        several = [*values, *values] if len(values) == 1 else values
        low, median, high = statistics.quantiles(several, n=4, method="inclusive")
        return cls(len(values), median, low, high)

    def text(self, form: str = ",.0f") -> str:
        """ "1.52 (1.49 to 1.55)"."""
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Of neighbours: what was measured one right after the other."""
    return Spread.of([a / b for a, b in zip(over, under, strict=True)])


def parser_for(doc: str | None, *, turns: int) -> argparse.ArgumentParser:
    """Arguments that every benchmark has: --turns and --out, the folder of the results."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=turns, help=f"how often everybody's turn comes; {turns}")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser


def machine() -> dict[str, Any]:
    """The platform, the processor, how many of it may be used, and which of `FLAGS` it has."""
    facts = _cpuinfo()
    flags = facts.get("flags", "").split()
    return {
        "platform": platform.platform(),
        "processor": facts.get("model name", platform.processor()),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": LOAD,
        "flags": [flag for flag in FLAGS if flag in flags],
    }


def _cpuinfo() -> dict[str, str]:
    """Of the first processor, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().split("\n\n")[0].splitlines() if path.exists() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def write(folder: Path, name: str, **found: Any) -> Path:  # Any: JSON values, or dataclasses
    """Writes results as JSON, with the machine, versions and the day."""
    about = {
        "program": Path(sys.argv[0]).name,
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {"python": platform.python_version()} | {each: version(each) for each in ("holdfast", "torch")},
    }
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | found, indent=1, default=asdict) + "\n", encoding="utf-8")
    return path


def keep_memory() -> None:
    """Has the C library keep freed memory, which else takes half of a step's time and all of its steadiness.

    By default glibc gives each large tensor back to the system, which clears its pages anew for the next one.
    """
    if sys.platform == "linux":
        c_library = ctypes.CDLL(None)
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            c_library.mallopt(parameter, 2**30)
