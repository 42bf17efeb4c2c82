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
from typing import Any, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
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
def c_int64s(*numbers: int) -> "ctypes.Array[c_int64]":
    """Numbers in a row as kernels.cpp takes them."""
    return (c_int64 * len(numbers))(*numbers)


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
    return c_int64s(*numbers), oh // pool[0], ow // pool[1]


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


class View(NamedTuple):
    """How somebody reads images: every `step`-th pixel of every `step`-th row, or all, with zeros around them."""

    step: int = 1
    padding: Sides = (0, 0, 0, 0)  # top, bottom, left, right

    def of(self, x: Tensor) -> Tensor:
        """What is read of x (N, C, H, W); never x itself."""
        if self.step > 1:
            return dense(x[:, :, :: self.step, :: self.step])
        top, bottom, left, right = self.padding
        return F.pad(x, (left, right, top, bottom)) if any(self.padding) else x.view_as(x)


class Norm(torch.autograd.Function):
    """relu(gamma * (x - mean) / sqrt(variance + epsilon) + beta + other), mean and variance being the batch's.

    Takes x and other (N, C, H, W), float32 or bfloat16; gives mean and variance (C,), and the result once for each view
    of one or two: so their gradients are added up where they are read, and not in a pass of its own.
    Source: Ioffe & Szegedy 2015.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        other: Tensor | None,
        epsilon: float,
        relu: bool,
        views: tuple[View, ...],
    ) -> tuple[Tensor, ...]:
        channels = x.shape[1]
        x, other = dense(x), None if other is None else dense(other)
        weights = [None if one is None else one.contiguous() for one in (gamma, beta)]
        mean, variance, scales = floats(channels), floats(channels), floats(3, channels)
        how = c_int64(x.numel() // channels), c_int64(channels), CODES[x.dtype], torch.get_num_threads()
        call("norm_statistics", x, *weights, c_float(epsilon), mean, variance, scales, *how)
        y = torch.empty_like(x)
        call("norm_apply", x, other, scales[1], scales[2], y, *how[:2], int(relu), *how[2:])
        # Without `other`, what passes the ReLU follows from x: one read less.
        ctx.save_for_backward(x, y if relu and other is not None else None, mean, scales)
        ctx.how, ctx.follows, ctx.views = how, relu and other is None, views
        ctx.wanted = gamma is not None, beta is not None, other is not None
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)
        return mean, variance, *[y if view == View() and not place else view.of(y) for place, view in enumerate(views)]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: None, __: None, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        given = [(dense(one), view) for one, view in zip(gradients, ctx.views, strict=True) if one is not None]
        if not given:
            return (None,) * 7
        x, y, mean, scales = ctx.saved_tensors
        n, channels, h, w = x.shape
        has_gamma, has_beta, has_other = ctx.wanted
        as_they_are = len(given) == 1 and given[0][1] == View()
        kept = None if as_they_are and not has_other else torch.empty_like(x)
        parts = [(one, c_int64s(*one.shape[2:], view.padding[0], view.padding[2], view.step)) for one, view in given]
        first, second = parts if len(parts) > 1 else (parts[0], (None, parts[0][1]))
        results = floats(5, channels)
        sizes = c_int64(n), c_int64(h), c_int64(w), c_int64(channels)
        call("norm_sums", x, y, *first, *second, kept, int(ctx.follows), mean, scales, results, *sizes, *ctx.how[2:])
        follows = (scales[1], scales[2]) if ctx.follows and kept is None else (None, None)
        dx = torch.empty_like(x)
        call("norm_backward", x, first[0] if kept is None else kept, *follows, results[2:], dx, *ctx.how)
        dother = kept if has_other else None
        return dx, results[0] if has_gamma else None, results[1] if has_beta else None, dother, None, None, None


class Dropped(torch.autograd.Function):
    """x * scale where the draw for a value is at least `least`, else 0; draws follow channels-last order from a seed.

    x: (N, C, ...), float32 or bfloat16.  Of several seeds each is for as many of the samples; their values are a
    multiple of 16.  The draws are those of `layers.dropout.draws`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, seeds: Sequence[int], least: int, scale: float) -> Tensor:
        ctx.seeds, ctx.how = seeds, (c_uint32(least), c_float(scale), CODES[x.dtype], torch.get_num_threads())
        return dropped(x, seeds, ctx.how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return dropped(gradient, ctx.seeds, ctx.how), None, None, None


def dropped(x: Tensor, seeds: Sequence[int], how: tuple[Any, ...]) -> Tensor:  # Any: numbers as ctypes has them
    """What remains of x."""
    x = x.movedim(1, -1).contiguous()
    y, each = torch.empty_like(x), x.numel() // len(seeds)
    for number, seed in enumerate(seeds):
        start = number * each * x.element_size()
        source, target = c_void_p(x.data_ptr() + start), c_void_p(y.data_ptr() + start)
        call("dropout", source, target, c_int64(each), c_uint64(seed), *how)
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
    sizes = c_int64s(*[x.numel() for x in tensors[0]])
    threads = torch.get_num_threads()
    call(name, *addresses, sizes, c_int64(count), *[c_float(float(number)) for number in numbers], threads)
    torch.autograd.graph.increment_version(list(itertools.chain(*changed)))  # or old graphs would take the new weights
    return True


def plain(x: Tensor) -> bool:
    """Whether x is numbers in a row on the CPU, float32."""
    return x.is_cpu and x.dtype is torch.float32 and x.is_contiguous()


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
    "View",
    "available",
    "fits",
    "scores",
    "update",
]
