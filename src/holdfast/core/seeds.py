"""Seeds: randomness as a function of (seed, epoch, step, sample), so that resuming needs no generator state."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, *parts: int | str) -> int:
    """A seed in [0, 2**63) that follows from `seed` and the parts, and is unrelated to that of any other parts.

    Example:
        >>> derive(0, "order", 1) == derive(0, "order", 1) != derive(0, "order", 2)
        True
    """
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *parts: int | str, device: "torch.device | str" = "cpu") -> "torch.Generator":
    """A torch generator on `device`, seeded with `derive(seed, *parts)`."""
    import torch

    return torch.Generator(device).manual_seed(derive(seed, *parts))
