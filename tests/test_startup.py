"""What a process pays for holdfast: the packages it imports until the first step, and the memory that fits leave."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("scipy", "sklearn", "matplotlib", "pandas", "sqlalchemy", "pydantic", "PIL", "h5py", "jinja2", "rich", "typer")
HEAVY_OF_TORCH = ("sympy", "torch._dynamo", "torch._inductor", "torch.distributed.fsdp")

TRAINING = """
import sys
import numpy as np
import torch
before = set(sys.modules)
from holdfast import Input, Sequential
from holdfast.callbacks import EarlyStopping
from holdfast.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

x, y = np.zeros((40, 8, 8, 1), np.uint8), np.arange(40) % 2

def fit(seed, epochs=1):
    front = [Input((8, 8, 1)), Conv2D(8, 3, activation="relu"), MaxPooling2D(2), Flatten()]
    model = Sequential([*front, Dense(2000, activation="relu"), Dropout(0.5), Dense(2, "softmax")], seed=seed)
    model.compile("adam", metrics=["accuracy"])
    model.fit(x, y, validation_split=0.25, epochs=epochs, callbacks=[EarlyStopping(patience=3)], verbose=0)
    model.predict(x)
"""


def output(code: str) -> str:
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_heavy_is_imported_until_a_model_has_been_trained() -> None:
    """`import holdfast` alone imports not even torch: tests/cli/test_process.py."""
    code = f"fit(0)\nprint([name for name in {HEAVY + HEAVY_OF_TORCH} if name in sys.modules and name not in before])"

    assert output(TRAINING + code).strip() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_fifty_fits_leave_no_memory_behind() -> None:
    """Each model holds 1.8 MB with what Adam remembers, so keeping them would take 90 MB beside some 300."""
    code = """
resident = lambda: int(open("/proc/self/statm").read().split()[1])
for seed in range(3):
    fit(seed)
first = resident()
for seed in range(50):
    fit(seed)
print(resident() / first)
"""

    assert float(output(TRAINING + code)) < 1.05
