"""Labels of every kind to indices."""

import numpy as np
import pytest
import torch

from holdfast.core import BadData, BadShape
from holdfast.data import encode_labels


@pytest.mark.parametrize(
    "labels",
    [
        ["dog", "cat", "dog"],
        np.array(["dog", "cat", "dog"]),
        np.array(["dog", "cat", "dog"], object),
        [b"dog", b"cat", b"dog"],
    ],
    ids=["list", "array", "objects", "bytes"],
)
def test_words_become_indices_into_the_sorted_words(labels: object) -> None:
    codes, classes = encode_labels(labels)

    assert codes.tolist() == [1, 0, 1]
    assert codes.dtype == torch.int64
    assert classes == ("cat", "dog")


@pytest.mark.parametrize(
    "labels",
    [[10, 2, 10], np.array([[10], [2], [10]], np.uint8), torch.tensor([10.0, 2.0, 10.0])],
    ids=["list", "column", "whole floats"],
)
def test_numbers_are_sorted_by_value(labels: object) -> None:
    codes, classes = encode_labels(labels)

    assert codes.tolist() == [1, 0, 1]
    assert classes == ("2", "10")


def test_truth_values_are_two_classes() -> None:
    assert encode_labels([True, False])[1] == ("False", "True")


def test_one_hot_rows_are_refused() -> None:
    with pytest.raises(BadShape, match=r"labels have shape \(2, 3\), accepted is \(N,\)"):
        encode_labels(np.eye(2, 3))


@pytest.mark.parametrize("labels", [[0.5, 1.0], [0.0, float("nan")], [None, "cat"], [0.0, float("inf")]], ids=repr)
def test_what_names_no_class_is_refused(labels: object) -> None:
    with pytest.raises(BadData, match="accepted are integers or strings"):
        encode_labels(labels)
