"""The native kernels (kernels.cpp): finding the library, and its functions as torch sees them.

Where there is none, for want of a compiler when the package was built, `available()` says so and `passes` leave the
graph to torch.  Everything here takes channels-first tensors in channels_last memory, on a CPU, and all but
`Crossentropy` has first derivatives only.
"""

import ctypes
import itertools
import warnings
from collections.abc import Sequence
from ctypes import c_float, c_int64, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHANNELS_LAST = torch.channels_last
Sides: TypeAlias = tuple[int, int, int, int]
CODES = {torch.float32: 0, torch.bfloat16: 1}  # as kernels.cpp takes them


@cache
def library() -> ctypes.CDLL | None:
    """The kernels for this processor, if they were built and can be loaded, which a warning tells if not."""
    level = torch.backends.cpu.get_cpu_capability().lower()
    for name in (level, "default"):
        path = Path(__file__).with_name(f"kernels-{name}.so")
        if path.exists():
            try:
                return ctypes.CDLL(str(path))
            except OSError as error:  # built where the C++ or OpenMP library was a newer one, say
                warnings.warn(f"holdfast: no native kernels, training is slower: {error}", stacklevel=2)
    return None


def available() -> bool:
    """Whether there are kernels for this processor."""
    return library() is not None


def call(name: str, *arguments: Any) -> int:  # Any: tensors, numbers, None and what ctypes makes
    """Calls a kernel; tensors go as their addresses, so the caller keeps them alive."""
    kernels = library()
    assert kernels is not None
    return getattr(kernels, f"holdfast_{name}")(  # type: ignore[no-any-return]  # ctypes: an int
        *[c_void_p(a.data_ptr()) if isinstance(a, Tensor) else c_void_p() if a is None else a for a in arguments]
    )


def dense(x: Tensor) -> Tensor:
    """The same tensor in channels_last memory."""
    return x.contiguous(memory_format=CHANNELS_LAST)


@cache
def geometry(
    n: int, h: int, w: int, filters: int, kernel: int, padding: Sides, pool: tuple[int, int]
) -> tuple["ctypes.Array[c_int64]", int, int]:
    """A convolution and the pooling behind it as kernels.cpp takes them; and height and width of what comes out.

    Args:
        n, h, w: images, and their size.
        kernel: 1 when there is no convolution.
        padding: zeros around the image: top, bottom, left, right.
        pool: windows that do not overlap; (1, 1) is none.
    """
    top, bottom, left, right = padding
    oh, ow = h + top + bottom - kernel + 1, w + left + right - kernel + 1
    numbers = (n, h, w, oh, ow, filters, kernel, top, left, *pool)
    return (c_int64 * len(numbers))(*numbers), oh // pool[0], ow // pool[1]


def images(n: int, channels: int, h: int, w: int, dtype: torch.dtype) -> Tensor:
    """Memory for images."""
    return torch.empty((n, channels, h, w), dtype=dtype, device="cpu", memory_format=CHANNELS_LAST)


def floats(*shape: int) -> Tensor:
    """Memory for float32, whatever torch's default dtype and device are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def bytes_for(x: Tensor) -> Tensor:
    """Memory for a byte a value of x."""
    return torch.empty(x.numel(), dtype=torch.uint8, device="cpu")


class Block(torch.autograd.Function):
    """relu(conv(x * scale + offset)) and max-pooling in one pass; x gets no gradient.

    Takes x (N, H, W, 1) uint8 or float32, contiguous; kernel (O, 1, K, K) with K = 3 or 5 and bias (O,), float32, O a
    multiple of 8.  Gives (N, O, H', W') of `dtype`.
    Source: the layers' own formulas; of equal values in a window the first gets the gradient, as in torch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor,
        affine: tuple[float, float],
        padding: Sides,
        pool: tuple[int, int],
        dtype: torch.dtype,
    ) -> Tensor:
        n, h, w, _ = x.shape
        filters, _, side, _ = kernel.shape
        shape, rows, columns = geometry(n, h, w, filters, side, padding, pool)
        y = images(n, filters, rows, columns, dtype)
        winners = bytes_for(y)
        taps = kernel.reshape(filters, -1).t().contiguous()
        ctx.how = shape, CODES[dtype], torch.get_num_threads()
        ctx.what = int(x.dtype == torch.uint8), c_float(affine[0]), c_float(affine[1]), side
        bytes_, scale, offset, _ = ctx.what
        call("block_forward", x, bytes_, taps, bias.contiguous(), scale, offset, y, winners, *ctx.how)
        ctx.save_for_backward(x, winners)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, winners = ctx.saved_tensors
        bytes_, scale, offset, side = ctx.what
        filters = gradient.shape[1]
        shares = floats(ctx.how[-1], side * side + 1, filters).zero_()
        call("block_backward", x, bytes_, dense(gradient), winners, scale, offset, shares, *ctx.how)
        total = shares[0]
        return None, total[:-1].t().reshape(filters, 1, side, side), total[-1], None, None, None, None


class Pool(torch.autograd.Function):
    """relu and max-pooling in one pass over x (N, C, H, W), float32 or bfloat16, C a multiple of 8."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pool: tuple[int, int]) -> Tensor:
        n, channels, h, w = x.shape
        shape, rows, columns = geometry(n, h, w, channels, 1, (0, 0, 0, 0), pool)
        y = images(n, channels, rows, columns, x.dtype)
        winners = bytes_for(y)
        ctx.how = shape, CODES[x.dtype], torch.get_num_threads()
        call("pool_forward", dense(x), y, winners, *ctx.how)
        ctx.save_for_backward(winners)
        ctx.shape = n, channels, h, w
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (winners,) = ctx.saved_tensors
        n, channels, h, w = ctx.shape
        dx = images(n, channels, h, w, gradient.dtype)
        call("pool_backward", dense(gradient), winners, dx, *ctx.how)
        return dx, None


class Norm(torch.autograd.Function):
    """relu(gamma * (x - mean) / sqrt(variance + epsilon) + beta + other), mean and variance being the batch's.

    Takes x and other (N, C, H, W), float32 or bfloat16; gives also mean and variance (C,).
    Source: Ioffe & Szegedy 2015.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor | None, beta: Tensor | None, other: Tensor | None, epsilon: float, relu: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        channels = x.shape[1]
        x, other = dense(x), None if other is None else dense(other)
        mean, variance = floats(channels), floats(channels)
        how = c_int64(x.numel() // channels), c_int64(channels)
        kind = CODES[x.dtype], torch.get_num_threads()
        call("norm_statistics", x, mean, variance, *how, *kind)
        inverse = (variance + epsilon).rsqrt()
        a = inverse if gamma is None else gamma * inverse
        b = -mean * a if beta is None else torch.addcmul(beta, mean, a, value=-1)
        y = torch.empty_like(x)
        call("norm_apply", x, other, a, b, y, *how, int(relu), *kind)
        # Without `other`, what passes the ReLU follows from x: one read less.
        ctx.save_for_backward(
            x, y if relu and other is not None else None, mean, inverse, gamma, a, b if relu else None
        )
        ctx.relu = relu
        ctx.kind, ctx.wanted = kind, (gamma is not None, beta is not None, other is not None)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, mean, inverse, gamma, scale, shift = ctx.saved_tensors
        gradient, channels = dense(gradient), x.shape[1]
        passing = x, y, gradient, scale if ctx.relu and y is None else None, shift
        has_gamma, has_beta, has_other = ctx.wanted
        rows = x.numel() // channels
        how = c_int64(rows), c_int64(channels)
        sum_g, sum_gx = floats(channels), floats(channels)
        call("norm_sums", *passing, mean, sum_g, sum_gx, *how, *ctx.kind)
        a = gamma * inverse if has_gamma else inverse
        b = a * inverse.square() * sum_gx / -rows
        d = -b * mean - a * sum_g / rows
        dx, dother = torch.empty_like(x), torch.empty_like(x) if has_other else None
        call("norm_backward", *passing, a, b, d, dx, dother, *how, *ctx.kind)
        return dx, sum_gx * inverse if has_gamma else None, sum_g if has_beta else None, dother, None, None


class Dropped(torch.autograd.Function):
    """x * scale where the draw for a value is at least `least`, else 0; draws follow channels-last order from `seed`.

    x: (N, C, ...), float32 or bfloat16, of a multiple of 16 values.  The draws are those of `layers.dropout.draws`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, seed: int, least: int, scale: float) -> Tensor:
        ctx.how = c_uint64(seed), c_uint32(least), c_float(scale), CODES[x.dtype], torch.get_num_threads()
        return dropped(x, ctx.how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return dropped(gradient, ctx.how), None, None, None


def dropped(x: Tensor, how: tuple[Any, ...]) -> Tensor:  # Any: numbers as ctypes has them
    """What remains of x."""
    x = x.movedim(1, -1).contiguous()
    y = torch.empty_like(x)
    call("dropout", x, y, c_int64(x.numel()), *how)
    return y.movedim(-1, 1)


class Crossentropy(torch.autograd.Function):
    """Cross-entropy of each sample, (N,), from float32 logits (N, K) and int64 labels (N,), smoothed by a share.

    It has second derivatives, too, for penalties on gradients.

    Raises:
        IndexError: a label that is no class.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        losses, gradient, _ = crossentropy(logits, labels, smoothing)
        ctx.save_for_backward(logits, labels, gradient)
        ctx.smoothing = smoothing
        return losses

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, labels, of_one = ctx.saved_tensors
        if torch.is_grad_enabled():  # with create_graph: the numbers of `of_one` would pass for constants
            target = torch.nn.functional.one_hot(labels, logits.shape[1])
            of_one = logits.softmax(1) - (1 - ctx.smoothing) * target - ctx.smoothing / logits.shape[1]
        return of_one * gradient[:, None], None, None


class MeanCrossentropy(torch.autograd.Function):
    """The mean of `Crossentropy` over the samples, (), which adds up what metrics want on its way.

    Args:
        losses: (2,), float64: the sum of the losses and the number of samples are added to it.
        right: the same for the samples whose label has the largest logit, or None.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, smoothing: float, losses: Tensor, right: Tensor | None
    ) -> Tensor:
        _, gradient, mean = crossentropy(logits, labels, smoothing, 1 / len(labels), losses, right)
        ctx.save_for_backward(gradient)
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (of_mean,) = ctx.saved_tensors
        return of_mean * gradient, None, None, None, None


def crossentropy(
    logits: Tensor,
    labels: Tensor,
    smoothing: float,
    scale: float = 1.0,
    all_: Tensor | None = None,
    right: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The losses (N,), their gradient (N, K) times `scale`, and their mean ()."""
    n, k = logits.shape
    losses, gradient, mean = floats(n), floats(n, k), floats()
    arrays = logits.contiguous(), labels.contiguous(), losses, gradient, mean, all_, right
    how = c_int64(n), c_int64(k), c_float(smoothing), c_float(scale), torch.get_num_threads()
    if call("crossentropy", *arrays, *how):
        raise IndexError(f"a label is none of the {k} classes, 0 to {k - 1}.")
    return losses, gradient, mean


def update(name: str, tensors: Sequence[Sequence[Tensor]], *numbers: float | Tensor) -> bool:
    """Calls an optimizer's kernel on all parameters at once, if it takes them.

    Args:
        name: of the kernel.
        tensors: lists of equal length: parameters, what is remembered of them, both changed in place, and gradients.
        numbers: what the kernel takes after them.

    Returns:
        Whether it was done.
    """
    *changed, gradients = tensors
    # First those that are there: on a GPU making gradients contiguous would cost a copy of each.
    if not available() or not all(map(plain, itertools.chain(*changed))):
        return False
    tensors = *changed, [gradient.contiguous() for gradient in gradients]
    if not all(map(plain, tensors[-1])):
        return False
    count = len(tensors[0])
    addresses = [(c_void_p * count)(*[x.data_ptr() for x in xs]) for xs in tensors]
    sizes = (c_int64 * count)(*[x.numel() for x in tensors[0]])
    threads = torch.get_num_threads()
    call(name, *addresses, sizes, c_int64(count), *[c_float(float(number)) for number in numbers], threads)
    torch.autograd.graph.increment_version(list(itertools.chain(*changed)))  # or old graphs would take the new weights
    return True


def plain(x: Tensor) -> bool:
    """Whether x is numbers in a row on the CPU, float32."""
    return x.is_contiguous() and x.dtype is torch.float32 and x.device.type == "cpu"


def fits(x: Tensor) -> bool:
    """Whether kernels take this tensor of channels-first images."""
    return x.dim() == 4 and x.device.type == "cpu" and x.dtype in CODES and x.shape[1] % 16 == 0


def scores(targets: Tensor, outputs: Tensor) -> bool:
    """Whether `Crossentropy` takes these: labels (N,) or (N, 1) and float32 outputs (N, K)."""
    shapes = outputs.dim() == 2 and targets.numel() == len(outputs)
    return shapes and outputs.dtype is torch.float32 and outputs.device.type == "cpu" and available()


__all__ = [
    "Block",
    "Crossentropy",
    "Dropped",
    "MeanCrossentropy",
    "Norm",
    "Pool",
    "available",
    "fits",
    "scores",
    "update",
]
