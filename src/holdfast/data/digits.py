"""scikit-learn's bundled digits: 1,797 handwritten digits of 8x8 pixels; no network needed."""

import numpy as np

from .arrays import array_source
from .source import Source


def read_digits() -> Source:
    """The digits in the order of scikit-learn, their 0..16 scaled to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return array_source(np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target, prefix="digits")
