"""`demo:noise`: numbers that say nothing of their class, and more of them than samples; what is found is luck."""

import numpy as np

from ..arrays import array_source
from ..source import Source

COUNT, FEATURES, SEED = 100, 1000, 6


def read_demo_noise() -> Source:
    """100 samples of 1,000 random numbers in 2 classes of equal size.

    The true accuracy of any model is 50 %.  A selection of features outside the folds makes it look like 80 %.
    """
    random = np.random.default_rng(SEED)
    values = random.normal(size=(COUNT, FEATURES)).astype(np.float32)
    return array_source(values, np.arange(COUNT) % 2, classes=("heads", "tails"))
