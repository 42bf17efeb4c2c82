"""Principal components as a layer: fewer numbers that keep most of the variance of a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core import BadData, BadShape, BadValue
from .dense import Dense
from .fitted import Array, Fitted, Numbers, NumbersSetting, flat_samples
from .layer import REQUIRED, Setting, Shape, optional, setting

ROUNDING = 1e-12  # of the largest variance: less of it is left by rounding, where there is none


def _components(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError("must be a whole number, or a share of the variance")
    return int(value) if isinstance(value, Integral) else float(value)


def _in_range(value: float) -> str | None:
    fits = value >= 1 if isinstance(value, int) else 0 < value < 1
    return None if fits else "must be a whole number of at least 1, or a share of the variance between 0 and 1"


@dataclass(frozen=True, eq=False)
class PCA(Fitted):
    """(x - mean) @ components.T, the directions in which samples vary most.  (features,) -> (components,).

    `adapt` finds them, by scikit-learn, in training data as it comes into the layer; training leaves them alone.  They
    follow the scale of each feature: where features have units of their own, `Normalization` comes before, and its
    output is what `adapt` takes.

    Args:
        components: how many; or, between 0 and 1, as many as explain this share of the variance.
        whiten: whether each component is divided by its standard deviation.
        kernel: (features, components), found by `adapt`.
        bias: (components,), found by `adapt`.
        explained: (components,) the share of the variance along each, found by `adapt`.

    Source: Jolliffe 2002, "Principal component analysis", chapter 2; variances are divided by n - 1.  The sign of a
    component is such that the largest of its loadings is positive, as in scikit-learn's svd_flip.
    """

    components: Setting[float, int | float] = setting(REQUIRED, convert=_components, check=_in_range)
    whiten: bool = setting(False, convert=bool)
    kernel: NumbersSetting = setting(None, convert=optional(Numbers.of))
    bias: NumbersSetting = setting(None, convert=optional(Numbers.of))
    explained: NumbersSetting = setting(None, convert=optional(Numbers.of))

    def validate(self) -> None:
        lengths = {len(one) for one in (self.bias, self.explained) if one is not None}
        lengths |= {self.components} if lengths and isinstance(self.components, int) else set()
        if len(lengths) > 1:
            raise BadValue(f"PCA(components={self.components}): bias and explained must have a number a component.")
        if self.kernel is None or self.bias is None:
            return
        kernel, bias = self.kernel.array.shape, self.bias.array.shape
        if len(kernel) != 2 or bias != kernel[1:]:
            raise BadValue(f"PCA: kernel {kernel} and bias {bias} must be (features, components) and (components,).")

    def adapt(self, data: Any, labels: object = None) -> "PCA":  # Any: whatever NumPy can make an array of
        """Finds the components of `data` (N, ...), training data only; to be called before the first use.

        Args:
            data: as it comes into the layer; samples of several axes are flattened.
            labels: nothing depends on them.

        Raises:
            NotReady: a model was already built with this layer; it would not see the change.
            BadShape: no samples, or fewer directions in which they vary than components.
            BadData: values that are no finite numbers, or samples that are all alike.
        """
        array = flat_samples(self, data)
        found = self._fit(array)
        scale = np.sqrt(found.explained_variance_) if self.whiten else np.ones(len(found.components_))
        kernel = (found.components_ / scale[:, np.newaxis]).T
        self.set(
            kernel=Numbers(kernel),
            bias=Numbers(-found.mean_ @ kernel),
            explained=Numbers(found.explained_variance_ratio_),
        )
        return self

    def _fit(self, array: NDArray[np.float64]) -> Any:  # Any: scikit-learn is not annotated
        from sklearn import decomposition

        n, features = array.shape
        least, asked = (self.components, self.components) if isinstance(self.components, int) else (1, None)
        most = min(n - 1, features)
        if least > most:
            raise BadShape(
                f"{self.label}.adapt: {n:,} samples of {features:,} features have at most {most:,} components; "
                f"{'more samples are needed' if most < 1 else f'take PCA({most}) or fewer, or more samples'}."
            )
        if np.ptp(array, axis=0).max() == 0:
            raise BadData(f"{self.label}.adapt: all samples are alike; there is no variance to explain.")
        found = decomposition.PCA(asked or self.components, svd_solver="auto" if asked else "full", random_state=0).fit(
            array
        )
        rank = int((found.explained_variance_ > ROUNDING * found.explained_variance_[0]).sum())
        if rank < len(found.explained_variance_):
            raise BadShape(
                f"{self.label}.adapt: the samples vary in {rank:,} directions only; take PCA({rank}) or fewer."
            )
        return found

    @property
    def adapted(self) -> bool:
        return self.kernel is not None and self.bias is not None

    def dense(self) -> Dense:
        if self.bias is None:
            raise self.missing()
        return Dense(len(self.bias), name=self.name, trainable=False)

    def arrays(self, features: int) -> list[Array]:
        if self.kernel is None or self.bias is None:
            raise self.missing()
        return [self.kernel.array, self.bias.array]

    def take(self, arrays: Sequence[NDArray[Any]]) -> None:  # Any: of any number
        kernel, bias = map(Numbers, arrays)
        if self.bias is not None and self.bias != bias:
            raise BadValue(f"{self.label}: the configuration has another bias than the weights.")
        self.set(kernel=kernel, bias=bias)
        self.validate()

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_flat(shapes[0])
        if self.kernel is not None and self.kernel.array.shape[0] != shapes[0][0]:
            raise BadShape(
                f"{self.label}: was adapted to {self.kernel.array.shape[0]:,} features, the input has {shapes[0][0]:,}."
            )
        for numbers in (self.bias, self.explained):
            if numbers is not None:
                return (len(numbers),)
        if not isinstance(self.components, int):
            raise self.missing()
        return (self.components,)

    def build(self, *shapes: Shape) -> nn.Module:
        kernel, bias = self.arrays(shapes[0][0])
        if kernel.shape != (shapes[0][0], *self.out_shape(*shapes)):
            raise BadShape(f"{self.label}: has a kernel {kernel.shape} for an input of {shapes[0][0]:,} features.")
        self.used.append(True)
        return LinearMap(torch.tensor(kernel.T.copy()), torch.tensor(bias))


class LinearMap(nn.Module):
    """x @ weight.T + bias, with constants that follow from the layer, hence are not part of the weights."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return F.linear(x, self.weight, self.bias)
        with torch.autocast(x.device.type, enabled=False):  # a small difference of large sums wants all digits
            return F.linear(x.float(), self.weight, self.bias)
