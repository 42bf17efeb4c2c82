"""`demo:volumes`: bodies of one size somewhere in noise, whose shape is their class."""

import numpy as np
from numpy.typing import NDArray

from ..source import TRAIN, Source, row_digests
from ..volumes import Volumes

COUNT, SIDE, SEED = 600, 16, 6
CLASSES = ("ball", "disc", "ring", "rod")
NOISE = 0.3


def read_demo_volumes() -> Source:
    """600 volumes of 16x16x16 in 4 classes of equal size.

    Each holds a ball, a disc, a ring or a rod of about as many voxels, turned and placed at random in noise.
    """
    random = np.random.default_rng(SEED)
    labels = random.permutation(np.arange(COUNT) % len(CLASSES))
    volumes = np.stack([_volume(CLASSES[label], random) for label in labels])[..., np.newaxis]
    return Source(
        images=volumes,
        labels=labels.astype(np.int64),
        names=[f"volume {index}" for index in range(COUNT)],
        classes=CLASSES,
        digests=row_digests(volumes),
        parts=np.full(COUNT, TRAIN, np.int8),
        reads=Volumes((SIDE, SIDE, SIDE)),
    )


def _volume(shape: str, random: np.random.Generator) -> NDArray[np.float32]:
    """(D, H, W) with one body, smoothed over its border."""
    axis = random.normal(size=3)
    axis /= np.linalg.norm(axis)
    margin = 5.0
    centre = random.uniform(margin, SIDE - 1 - margin, 3)
    away = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1) - centre
    along = away @ axis
    across = np.sqrt(np.maximum((away**2).sum(-1) - along**2, 0))
    depth = {
        "ball": 3.0 - np.sqrt((away**2).sum(-1)),
        "disc": np.minimum(4.2 - across, 1.1 - np.abs(along)),
        "ring": 1.4 - np.hypot(across - 3.5, along),
        "rod": np.minimum(1.7 - across, 6.0 - np.abs(along)),
    }[shape]
    body = np.clip(depth + 0.5, 0, 1)
    volume: NDArray[np.float32] = body * random.uniform(0.8, 1.2) + random.normal(0, NOISE, body.shape)
    return volume.astype(np.float32)
