"""Lowering passes over a model's fx graph: the same results in fewer passes over memory.

Training computes with `fused(module)`; the model itself, its weights and its checkpoints know nothing of it.
Each pass replaces chains of modules by one that holds the very same modules, and that falls back to calling them
whenever the native kernels do not take what comes.
"""

from .folded import folded
from .fused import fused

__all__ = ["folded", "fused"]
