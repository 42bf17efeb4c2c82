"""Labels: from the words or numbers that users write to class indices."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadData, BadShape, BadValue


def encode_labels(labels: object) -> tuple[Tensor, tuple[str, ...]]:
    """Class indices and the names of the classes, which are sorted: numbers by value, words by letter.

    Args:
        labels: (N,) or (N, 1) integers, whole floats, booleans or strings; a list, NumPy array or torch tensor.

    Returns:
        (N,) int64 indices into the classes, and the classes.

    Raises:
        BadShape: one-hot rows or any other shape.
        BadData: fractions, NaN or objects.

    Example:
        >>> encode_labels(["dog", "cat", "dog"])
        (tensor([1, 0, 1]), ('cat', 'dog'))
    """
    codes, classes = indices(label_array(labels), None)
    return torch.from_numpy(codes), classes


def indices(labels: NDArray[np.generic], classes: Sequence[str] | None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels of `label_array` as indices; into `classes` when these are given, by name or, for numbers, by place."""
    if classes is None:
        found, codes = np.unique(labels, return_inverse=True)
        return codes.astype(np.int64), tuple(str(label) for label in found)
    if len(set(classes)) != len(classes):
        raise BadValue(f"classes={tuple(classes)}: a name stands in it twice.")
    place = {name: index for index, name in enumerate(classes)}
    if labels.dtype.kind == "U":
        codes = np.array([place.get(str(label), -1) for label in labels], np.int64)
    else:
        codes = labels.astype(np.int64)
    wrong = np.flatnonzero((codes < 0) | (codes >= len(classes)))
    if len(wrong):
        accepted = "the given classes" if labels.dtype.kind == "U" else f"0 to {len(classes) - 1}"
        raise BadData(f"labels[{wrong[0]}] is {labels[wrong[0]].item()!r}; accepted are {accepted}.")
    return codes, tuple(classes)


def label_array(labels: object) -> NDArray[np.generic]:
    """(N,) of integers, booleans or strings, from whatever holds them."""
    values = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise BadShape(f"labels have shape {values.shape}, accepted is (N,): one integer or string a sample.")
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        return values.astype(str)
    if values.dtype.kind == "f" and np.isfinite(values).all() and np.array_equal(values, np.rint(values)):
        return values.astype(np.int64)
    if values.dtype.kind == "S":
        return values.astype(str)
    if values.dtype.kind not in "iubU":
        raise BadData(f"labels are {values.dtype}, accepted are integers or strings.")
    return values
