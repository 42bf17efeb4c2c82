"""Samples that are in memory already: lists, NumPy arrays and torch tensors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadData, BadShape, BadValue
from .dataset import Dataset
from .labels import indices, label_array
from .near import thumbnails_of
from .options import Reading
from .source import POOL, TEST, TRAIN, Source, row_digests
from .split import split


def from_arrays(
    images: object,
    labels: object,
    *,
    name: str = "arrays",
    classes: Sequence[str] | None = None,
    groups: object = None,
    times: object = None,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    test_images: object = None,
    test_labels: object = None,
    unlabelled: object = None,
) -> Dataset:
    """A dataset from arrays; `load` does the same for files.

    Args:
        images: (N, H, W, C), (N, H, W) which gets a channel axis, or (N, features).  Whole numbers in 0..255 become
            uint8, all others float32 as they are.
        labels: (N,) integers or strings.
        name: how messages and people call the data.
        classes: names of the classes 0, 1, ... of integer labels, or the order that string labels are to have;
            None takes the labels themselves, sorted.
        groups: (N,) integers or strings; samples of one group stay in one part.
        times: (N,) numbers; the earliest samples train, then come those of validation, the latest are the test part.
        validation: share of the samples, 0 < validation < 1.
        test: share of the samples, 0 for none; not used when `test_images` are given.
        seed: of the split.
        test_images: the test part, if it is given; samples of `images` that stand in it too are removed.
        test_labels: the labels of these.
        unlabelled: samples without labels, as `images`, for pre-training.

    Raises:
        BadShape: arrays that do not fit each other.
        BadData: NaN or infinite values, labels out of range, one class only, a class with too few samples.
        BadValue: shares that leave nothing for training.

    Example:
        >>> data = from_arrays([[[index]] for index in range(20)], [0, 1] * 10)
        >>> len(data.train), len(data.validation), len(data.test)
        (14, 3, 3)
    """
    source = array_source(
        images,
        labels,
        classes=classes,
        groups=groups,
        times=times,
        test_images=test_images,
        test_labels=test_labels,
        unlabelled=unlabelled,
    )
    return split(source, name=name, validation=validation, test=test, seed=seed)


def array_source(
    images: object,
    labels: object,
    *,
    classes: Sequence[str] | None = None,
    groups: object = None,
    times: object = None,
    test_images: object = None,
    test_labels: object = None,
    unlabelled: object = None,
    prefix: str | None = None,
) -> Source:
    """The samples of arrays, checked.  Their names are "images[17]", or "train[17]" and "test[17]" with a test part."""
    if (test_images is None) != (test_labels is None):
        raise BadData(f"test_{'labels' if test_labels is None else 'images'} are missing: give both or neither.")
    prefix = prefix or ("images" if test_images is None else "train")
    pixels, words = samples_array(images, prefix), label_array(labels)
    _check_counts(prefix, len(pixels), len(words))
    names, parts = _names(prefix, len(pixels)), np.full(len(pixels), TRAIN, np.int8)
    together, called = (None, ()) if groups is None else _groups(groups, len(pixels))
    when = None if times is None else _times(times, len(pixels))
    if test_images is not None:
        more_pixels, more_words = samples_array(test_images, "test"), label_array(test_labels)
        _check_counts("test", len(more_pixels), len(more_words))
        _check_alike(pixels, more_pixels, "test")
        if (words.dtype.kind == "U") != (more_words.dtype.kind == "U"):
            raise BadData("labels of train and test must both be integers or both be strings.")
        names += _names("test", len(more_pixels))
        parts = np.append(parts, np.full(len(more_pixels), TEST, np.int8))
        if together is not None:  # the groups of the test part are not known
            together = np.append(together, np.full(len(more_pixels), -1))
        if when is not None:
            when = np.append(when, np.full(len(more_pixels), np.nan))
        pixels, words = np.concatenate([pixels, more_pixels]), np.concatenate([words, more_words])
    codes, known = indices(words, classes)
    if unlabelled is not None:
        more_pixels = samples_array(unlabelled, "unlabelled")
        _check_alike(pixels, more_pixels, "unlabelled")
        count = len(more_pixels)
        names += _names("unlabelled", count)
        parts, codes = np.append(parts, np.full(count, POOL, np.int8)), np.append(codes, np.zeros(count, np.int64))
        together = None if together is None else np.append(together, np.full(count, -1))
        when = None if when is None else np.append(when, np.full(count, np.nan))
        pixels = np.concatenate([pixels, more_pixels])
    return Source(
        pixels, codes, names, known, row_digests(pixels), parts, together, called, when, thumbnails_of(pixels)
    )


def samples_array(values: object, name: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    """(N, ...) uint8 or float32, with a channel axis behind (N, H, W)."""
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    except ValueError as error:
        raise BadShape(f"{name}: the samples have different shapes; stack samples of one shape.") from error
    if array.dtype.kind not in "buif":
        raise BadData(f"{name}: is an array of {array.dtype}, accepted are numbers.")
    if array.ndim < 2 or array.size == 0:
        raise BadShape(f"{name}: has shape {array.shape}, accepted are (N, H, W, C), (N, H, W) and (N, features).")
    array = array[..., np.newaxis] if array.ndim == 3 else array
    if array.dtype.kind in "ui" and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8, copy=False)
    with np.errstate(over="ignore"):  # what is too large for float32 is found below
        array = array.astype(np.float32, copy=False)
    finite = np.isfinite(array).reshape(len(array), -1).all(1)
    if not finite.all():
        first = int(finite.argmin())
        raise BadData(
            f"{name}[{first}] holds NaN or infinite values ({(~finite).sum()} samples in all do); remove them."
        )
    return array


def _check_counts(name: str, images: int, labels: int) -> None:
    if images != labels:
        raise BadShape(f"{name}: {images} images and {labels} labels; there must be one label for each image.")


def _check_alike(train: NDArray[np.generic], others: NDArray[np.generic], name: str) -> None:
    """Raises unless other samples mean the same as those of train."""
    if train.shape[1:] != others.shape[1:]:
        raise BadShape(
            f"train images have shape {train.shape[1:]}, {name} images {others.shape[1:]}; make them the same."
        )
    if train.dtype != others.dtype:
        raise BadData(f"train images are {train.dtype}, {name} images {others.dtype}; scale them in the same way.")


def _groups(groups: object, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    codes, names = indices(label_array(groups), None)
    if len(codes) != count:
        raise BadShape(f"groups: {len(codes)} for {count} images; there must be one for each image.")
    return codes, names


def _times(times: object, count: int) -> NDArray[np.float64]:
    """(N,) float64; dates of NumPy as seconds."""
    values = np.asarray(times.detach().cpu() if isinstance(times, Tensor) else times)
    if values.shape != (count,):
        raise BadShape(f"times: have shape {values.shape} for {count} images; there must be one for each image.")
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]").astype(np.int64) / 1e6
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise BadData("times: must be finite numbers or dates of NumPy.")
    return values.astype(np.float64)


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}[{index}]" for index in range(count)]


def check_size(source: Source, reading: Reading, name: object) -> None:
    """Raises BadValue when arrays were asked for at another size than they have."""
    size = reading.image_size
    if size and source.shape[:2] != size:
        shown = size[0] if size[0] == size[1] else size
        raise BadValue(f"load(image_size={shown}): only pictures in files are resized, {name} holds arrays.")
