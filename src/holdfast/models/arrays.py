"""From what users hand to fit, evaluate and predict to tensors that fit the model, or an error that says why not."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadData, BadShape, BadValue, generator
from ..data import Rows, encode_labels
from ..layers import Shape

Arrays: TypeAlias = Any  # what NumPy can make an array of, a tensor, or a list, tuple or dict of such, one an input


def check_number(what: str, value: Any, *, least: float = 1, whole: bool = True) -> None:  # Any: to be checked
    """Raises BadValue unless a value is a finite number of at least `least`, and a whole one if it must be.

    Args:
        what: how the message begins, with the value: "fit(epochs=0.5)".
    """
    right = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not right or not least <= value < math.inf or value == -math.inf:
        kind = f"{'positive ' if least == 1 else ''}{'whole ' if whole else ''}number"
        raise BadValue(f"{what}: must be a {kind}{' from 0 on' if least == 0 else ''}.")


def several(value: Arrays, names: Sequence[str], what: str) -> list[Any]:  # Any: an array each
    """One array for each name, from a dict by name, a list in order, or the only array."""
    if isinstance(value, Mapping):
        missing = [name for name in names if name not in value]
        if missing:
            raise BadValue(f"{what} has {sorted(value)}; the model also takes {missing[0]!r}.")
        return [value[name] for name in names]
    if len(names) == 1:
        return [value]
    if not isinstance(value, (list, tuple)) or len(value) != len(names):
        raise BadValue(f"{what}: the model takes {len(names)} arrays ({', '.join(names)}), as a list or a dict.")
    return list(value)


def as_array(value: Arrays, what: str) -> NDArray[Any]:  # Any: of any dtype
    """What NumPy makes of a value.  Raises BadShape for rows of different lengths."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise BadShape(f"{what}: its rows have different lengths.") from error


def are_words(y: Arrays) -> bool:
    """Whether labels are strings."""
    return not isinstance(y, Tensor) and as_array(y, "y").dtype.kind in "USO"


def as_tensor(value: Arrays, what: str) -> Tensor:
    """A tensor of floats, or of the integers that were given; float64 becomes float32.  `Rows` stay what they are."""
    if isinstance(value, Rows):
        return cast(Tensor, value)  # `Batches` fetches them; all that is asked of them before, they know
    if not isinstance(value, Tensor):
        array = as_array(value, what)
        if array.dtype.kind not in "biuf":
            raise BadData(f"{what} holds {array.dtype}; numbers are needed.")
        if array.dtype.kind == "u" and array.dtype != np.uint8:
            array = array.astype(np.int64)
        value = torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))  # as torch wants it
    tensor: Tensor = value
    if tensor.dtype in (torch.float64, torch.float16, torch.bfloat16):
        return tensor.float()
    return tensor.long() if tensor.dtype == torch.bool else tensor


def as_inputs(x: Arrays, shapes: Sequence[Shape], names: Sequence[str]) -> tuple[Tensor, ...]:
    """The inputs of a model, (N, *shape) each.

    Raises:
        BadShape: another shape; a missing last axis of 1 is forgiven, as in Keras.
        BadData: no samples, or NaN or infinity among them.
    """
    tensors = []
    for value, shape, name in zip(several(x, names, "x"), shapes, names, strict=True):
        what = "x" if len(names) == 1 else f"x[{name!r}]"
        tensor = as_tensor(value, what)
        if tuple(tensor.shape[1:]) == shape[:-1] and shape[-1] == 1 and not isinstance(tensor, Rows):
            tensor = tensor.unsqueeze(-1)
        if tuple(tensor.shape[1:]) != shape:
            wanted = f"(N, {', '.join(map(str, shape))})"
            raise BadShape(f"{what} has shape {tuple(tensor.shape)}, the model takes {wanted}{_hint(tensor, shape)}.")
        if len(tensor) == 0:
            raise BadData(f"{what} has no samples.")
        tensors.append(tensor)
    if len({len(tensor) for tensor in tensors}) > 1:
        counts = " and ".join(str(len(tensor)) for tensor in tensors)
        raise BadShape(f"x: the inputs have {counts} samples; they must have as many.")
    return tuple(tensors)


def _hint(tensor: Tensor, shape: Shape) -> str:
    """What would help, when that can be seen from the shapes."""
    if tensor.dim() > 2 and tuple(tensor.movedim(1, -1).shape[1:]) == shape:
        return f"; channels come last here: x.transpose{(0, *range(2, tensor.dim()), 1)}"
    if tuple(tensor.shape) == shape:
        return "; a single sample needs a batch axis: x[None]"
    if tensor.dim() > 1 and tensor.shape[1:].numel() == math.prod(shape):
        return f"; x.reshape(-1, {', '.join(map(str, shape))}) would fit"
    return ""


def check_finite(tensors: Sequence[Tensor], what: str) -> None:
    """Raises BadData that names the first sample with NaN or infinity."""
    for tensor in tensors:
        if isinstance(tensor, Rows):  # whoever read them has looked
            continue
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.sum())):
            bad = torch.nonzero(~torch.isfinite(tensor.reshape(len(tensor), -1)).all(1)).flatten()
            if len(bad):
                raise BadData(f"{what} has NaN or infinity in {len(bad)} samples, the first at index {int(bad[0])}.")


def as_labels(
    y: Arrays, classes: tuple[str, ...] | None, shape: Shape, what: str
) -> tuple[Tensor, tuple[str, ...] | None]:
    """Targets of one output: labels, one-hot rows or values as they are; strings become indices into the classes.

    Args:
        classes: their names, if they are known already.
        shape: of the output.

    Raises:
        BadData: labels that the output has no place for, or fractions or NaN where labels are due.
        BadShape: one-hot rows that are longer or shorter than the output.
    """
    if are_words(y):
        target, classes = _codes(y, classes, what)
        if len(classes) > max(shape[-1], 2):
            raise BadData(f"{what} has {len(classes)} classes; the model has {shape[-1]} outputs.")
    else:
        target = as_tensor(y, what)
    if target.dim() == 0:
        raise BadShape(f"{what} is one number; one target a sample is needed.")
    _check_columns(target, shape, what)
    if shape[-1] == 1 or tuple(target.shape[1:]) == shape or target.numel() != len(target) * math.prod(shape[:-1]):
        return (target if target.is_floating_point() else target.long()), classes
    check_finite([target], what)
    labels = target.reshape(len(target), *shape[:-1]).long()
    if target.is_floating_point() and bool((labels != target.reshape(labels.shape)).any()):
        raise BadData(f"{what} has fractions; labels of {shape[-1]} classes are whole numbers.")
    _check_classes(labels, shape[-1], what)
    return labels, classes


def _codes(values: Any, classes: tuple[str, ...] | None, what: str) -> tuple[Tensor, tuple[str, ...]]:
    codes, found = encode_labels(values)
    if classes is None:
        return codes, found
    strange = next((name for name in found if name not in classes), None)
    if strange is not None:
        raise BadData(f"{what} has the class {strange!r}; the model knows {', '.join(classes)}.")
    return torch.tensor([classes.index(name) for name in found])[codes], classes


def _check_columns(target: Tensor, shape: Shape, what: str) -> None:
    """Raises BadShape for one-hot rows of another length than the output has."""
    columns = target.shape[-1]
    if target.dim() != len(shape) + 1 or columns in (1, shape[-1]):
        return
    if kinds(target.reshape(-1, columns)) is not None:
        raise BadShape(f"{what} is one-hot in {columns} columns; the model has {shape[-1]} outputs.")


def _check_classes(labels: Tensor, outputs: int, what: str) -> None:
    """Raises BadData unless labels lie in 0 ... outputs-1."""
    wrong = torch.nonzero((labels < 0) | (labels >= outputs))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise BadData(
            f"{what}[{', '.join(map(str, place))}] is {int(labels[place])}; the model has {outputs} outputs, "
            f"so labels are 0 to {outputs - 1}."
        )


def kinds(targets: Tensor) -> Tensor | None:
    """The class of each sample, (N,) int64, from labels, 0 and 1, or one-hot rows; None for other values."""
    rows = targets.reshape(len(targets), -1)
    flags = bool(((rows == 0) | (rows == 1)).all())
    if rows.shape[1] > 1:
        return rows.argmax(1) if flags and bool((rows.sum(1) == 1).all()) else None
    return rows[:, 0].long() if flags or not targets.is_floating_point() else None


def hold_out(targets: Tensor, share: float, *, seed: int, order: str) -> tuple[Tensor, Tensor]:
    """Indices to train on and to validate on.  Copies and groups are not looked for; `data.from_arrays` does that.

    Args:
        targets: (N, ...) of the first output; classes are held out in proportion.
        share: 0 < share < 1 of the samples, rounded up.
        order: "shuffled", or "tail" for the last samples, as Keras does.
    """
    n = len(targets)
    if not isinstance(share, Real) or not 0 < share < 1:
        raise BadValue(f"validation_split={share!r}: must be between 0 and 1.")
    if order not in ("shuffled", "tail"):
        raise BadValue(f"split_order={order!r}: must be 'shuffled' or 'tail'.")
    kept = int(n * (1 - share))
    if kept == 0 or kept == n:
        raise BadData(f"validation_split={share} of {n} samples leaves a part empty.")
    if order == "tail":
        return torch.arange(kept), torch.arange(kept, n)
    places = torch.randperm(n, generator=generator(seed, "validation_split"))
    labels = kinds(targets)
    if labels is not None:
        places = places[labels[places].argsort(stable=True)]
    # Every so many-th of the samples in the order of their classes: the counts of each class are right to one sample.
    ticks = torch.arange(n + 1) * (n - kept) // n
    held = ticks[1:] > ticks[:-1]
    return places[~held].sort().values, places[held].sort().values
