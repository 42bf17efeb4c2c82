"""Small data for tests of the ledger."""

import numpy as np

from holdfast.data import Dataset, from_arrays


def small(name: str = "photos", seed: int = 0, samples: int = 40) -> Dataset:
    """Pictures of 1x1 in two classes, all different; a seed splits them anew."""
    numbers = np.arange(samples)
    images = np.stack([numbers % 256, numbers // 256], axis=1).astype(np.uint8).reshape(-1, 1, 2, 1)
    return from_arrays(images, numbers % 2, name=name, test=0.25, seed=seed)
