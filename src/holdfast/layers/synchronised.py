"""Batch norm where several processes train one model: of the batch that they have shared out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Synchronised(torch.autograd.Function):
    """Batch norm of x (N, C, ...) over the samples of all processes; what they tell each other are sums, in float64.

    Gives y, mean and plain variance (C,).  The gradients of gamma and beta are of one's own samples alone.
    Source: Ioffe & Szegedy 2015, with the sums of section 3 taken over all processes.
    """

    @staticmethod
    def forward(
        ctx: Any,  # Any: torch's own lack
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        epsilon: float,
        add_up: Callable[[Tensor], None],
    ) -> tuple[Tensor, Tensor, Tensor]:
        axes, shape = [0, *range(2, x.dim())], (1, -1, *[1] * (x.dim() - 2))
        own_variance, own_mean = (one.double() for one in torch.var_mean(x.float(), axes, correction=0))
        n = own_mean.new_full((1,), x.numel() / x.shape[1])
        sums = torch.cat([n, n * own_mean, n * (own_variance + own_mean.square())])
        add_up(sums)
        n, mean, square = sums[0], *(sums[1:] / sums[0]).chunk(2)
        variance = (square - mean.square()).clamp(min=0)
        inverse = (variance + epsilon).rsqrt().float()
        mean, variance = mean.float(), variance.float()
        scale = inverse if gamma is None else inverse * gamma
        shift = -mean * scale if beta is None else beta - mean * scale
        ctx.save_for_backward(x, mean, inverse, scale, n)
        ctx.add_up, ctx.axes, ctx.shape, ctx.has = add_up, axes, shape, (gamma is not None, beta is not None)
        ctx.mark_non_differentiable(mean, variance)
        return torch.addcmul(shift.view(shape), x.float(), scale.view(shape)).to(x.dtype), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # Any: torch's own lack
        x, mean, inverse, scale, n = ctx.saved_tensors
        gradient = gradient.float()
        normed = (x - mean.view(ctx.shape)) * inverse.view(ctx.shape)
        own = torch.cat([gradient.sum(ctx.axes), (gradient * normed).sum(ctx.axes)])
        sums = own.double()
        ctx.add_up(sums)
        along, across = ((one / n).float().view(ctx.shape) for one in sums.chunk(2))
        dx = (gradient - along - normed * across) * scale.view(ctx.shape)
        dbeta, dgamma = own.chunk(2)
        return dx.to(x.dtype), dgamma if ctx.has[0] else None, dbeta if ctx.has[1] else None, None, None
