"""Samples in memory: what is kept, what is converted, what is refused."""

import numpy as np
import pytest
import torch

from holdfast.core import BadData, BadShape, BadValue
from holdfast.data import from_arrays
from holdfast.data.sealed import open_seal

LABELS = [0, 1] * 10


@pytest.mark.parametrize("kind", ["list", "numpy", "torch", "int64"])
def test_whole_numbers_up_to_255_become_uint8_pictures(kind: str) -> None:
    array = np.arange(80, dtype=np.uint8).reshape(20, 2, 2)
    images: dict[str, object] = {
        "list": array.tolist(),
        "numpy": array,
        "torch": torch.from_numpy(array),
        "int64": array.astype(np.int64),
    }

    data = from_arrays(images[kind], LABELS)

    assert data.train.images.dtype == torch.uint8
    assert data.shape == (2, 2, 1)
    assert data.train.images[0, ..., 0].tolist() == array[int(data.train.names[0][7:-1])].tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_other_numbers_become_float32_as_they_are(dtype: type[np.number]) -> None:
    images = (np.arange(20 * 6).reshape(20, 1, 2, 3) * 7 - 300).astype(dtype)

    data = from_arrays(images, LABELS)

    assert data.train.images.dtype == torch.float32
    assert data.shape == (1, 2, 3)
    assert float(data.train.images.min()) >= -300


def test_rows_of_features_are_samples_too() -> None:
    assert from_arrays(torch.rand(20, 5, generator=torch.Generator().manual_seed(0)), LABELS).shape == (5,)


def test_what_is_given_is_not_shared_with_the_dataset() -> None:
    images = np.arange(80, dtype=np.uint8).reshape(20, 2, 2)

    data = from_arrays(images, LABELS)
    before = data.train.images.clone()
    images[:] = 0

    assert torch.equal(data.train.images, before)


def test_arrays_have_no_origin() -> None:
    data = from_arrays(np.arange(20).reshape(20, 1), LABELS, name="numbers")

    assert (data.name, data.origin) == ("numbers", {})


def test_integer_labels_index_the_given_classes() -> None:
    data = from_arrays(np.arange(20).reshape(20, 1), LABELS, classes=["zebra", "ape"])

    assert data.classes == ("zebra", "ape")
    assert [int(name[7:-1]) % 2 for name in data.train.names] == data.train.labels.tolist()


def test_string_labels_take_the_order_of_the_given_classes() -> None:
    data = from_arrays(np.arange(20).reshape(20, 1), ["ape", "zebra"] * 10, classes=["zebra", "ape"])

    assert [1 - int(name[7:-1]) % 2 for name in data.train.names] == data.train.labels.tolist()


def test_labels_of_the_test_part_mean_the_same_as_those_of_train() -> None:
    data = from_arrays(
        np.arange(20).reshape(20, 1),
        ["b", "c"] * 10,
        test_images=[[90], [91]],
        test_labels=["c", "b"],
        groups=range(20),
    )

    assert open_seal(data.test).labels.tolist() == [1, 0]
    assert data.facts.groups == 20


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e300])
def test_values_that_are_no_numbers_are_named(bad: float) -> None:
    images = np.zeros((20, 2, 2))
    images[17, 1, 0] = images[19, 0, 0] = bad

    with pytest.raises(
        BadData, match=r"^images\[17\] holds NaN or infinite values \(2 samples in all do\); remove them"
    ):
        from_arrays(images, LABELS)


def test_labels_outside_the_given_classes_are_named() -> None:
    with pytest.raises(BadData, match=r"^labels\[1\] is 1; accepted are 0 to 0"):
        from_arrays(np.arange(20).reshape(20, 1), LABELS, classes=["only"])
    with pytest.raises(BadData, match=r"^labels\[0\] is 'cat'; accepted are the given classes"):
        from_arrays(np.arange(20).reshape(20, 1), ["cat", "dog"] * 10, classes=["dog", "cow"])


def test_classes_must_differ() -> None:
    with pytest.raises(BadValue, match=r"classes=\('a', 'a'\): a name stands in it twice"):
        from_arrays(np.arange(20).reshape(20, 1), LABELS, classes=["a", "a"])


def test_a_given_class_without_samples_is_named() -> None:
    with pytest.raises(BadData, match="class 'c' has 0 distinct samples"):
        from_arrays(np.arange(20).reshape(20, 1), LABELS, classes=["a", "b", "c"])


def test_arrays_that_do_not_fit_are_refused() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
    with pytest.raises(BadShape, match=r"^images: 20 images and 19 labels; there must be one label for each image"):
        from_arrays(images, LABELS[1:])
    with pytest.raises(BadShape, match=r"^groups: 3 for 20 images; there must be one for each image"):
        from_arrays(images, LABELS, groups=[1, 2, 3])
    with pytest.raises(
        BadShape, match=r"^images: has shape \(20,\), accepted are \(N, H, W, C\), \(N, H, W\) and \(N, f"
    ):
        from_arrays(np.arange(20), LABELS)
    with pytest.raises(BadShape, match=r"^images: has shape \(0,\)"):
        from_arrays([], [])
    with pytest.raises(BadShape, match=r"^images: the samples have different shapes; stack samples of one shape"):
        from_arrays([[[1]], [[1, 2]]], [0, 1])
    with pytest.raises(BadData, match=r"^images: is an array of .*, accepted are numbers"):
        from_arrays([["a"]], [0])


def test_a_test_part_of_another_kind_is_refused() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
    with pytest.raises(BadData, match=r"^test_labels are missing: give both or neither"):
        from_arrays(images, LABELS, test_images=images)
    with pytest.raises(
        BadShape, match=r"^train images have shape \(1, 1, 1\), test images \(2, 1, 1\); make them the same"
    ):
        from_arrays(images, LABELS, test_images=np.zeros((1, 2, 1), np.uint8), test_labels=[0])
    with pytest.raises(BadData, match=r"^train images are uint8, test images float32; scale them in the same way"):
        from_arrays(images, LABELS, test_images=np.ones((1, 1, 1)) / 2, test_labels=[0])
    with pytest.raises(BadData, match=r"^labels of train and test must both be integers or both be strings"):
        from_arrays(images, LABELS, test_images=images, test_labels=["0"] * 20)
