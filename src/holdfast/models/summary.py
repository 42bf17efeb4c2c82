"""What a model is made of: shapes, parameters, operations and memory, before any sample was seen."""

import math
from dataclasses import dataclass

from torch import nn

from ..layers import Layer, Shape
from .lower import Lowered
from .sparsity import Sparsity, thresholded, zeros_in

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Row:
    """One layer of a summary; `flops` is for one sample, a multiplication and an addition counted as two."""

    name: str
    layer: str
    output_shape: tuple[Shape, ...]
    parameters: int
    flops: int


@dataclass(frozen=True)
class Summary:
    """A table of layers, and its totals.

    Attributes:
        parameters: weights that training changes, and those it does not (moving statistics, frozen layers).
        trainable: of these, the ones that training changes.
        flops: floating-point operations of a forward pass for one sample.
        activations: numbers that one sample leaves for the backward pass.
        widest: numbers in the largest of these, whose gradients pass by while the rest still waits.
        sparsity: how many weights are exactly 0, where a proximal L1 makes them so; None elsewhere.
    """

    name: str
    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    flops: int
    activations: int
    widest: int
    sparsity: Sparsity | None = None

    def training_bytes(self, batch_size: int, slots: int = 2) -> int:
        """Memory at the height of a training step in float32, the data not counted.

        Weights, gradients and `slots` numbers a weight for the optimizer; what the batch leaves for the backward pass,
        and the gradients of its widest layer.
        """
        waiting = batch_size * (self.activations + 2 * self.widest)
        return BYTES * (self.parameters + self.trainable * (1 + slots) + waiting)

    def __str__(self) -> str:
        cells = [("layer", "output shape", "parameters", "operations")]
        for row in self.rows:
            shapes = ", ".join(str((None, *shape)) for shape in row.output_shape)
            cells.append((f"{row.name} ({row.layer})", shapes, f"{row.parameters:,}", human(row.flops, "FLOP")))
        widths = [max(len(line[column]) for line in cells) for column in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip() for a, b, c, d in cells
        ]
        rule = "─" * max(map(len, lines))
        total = (
            f"{self.parameters:,} parameters ({self.trainable:,} trainable), {human(self.flops, 'FLOP')} a sample, "
            f"{human(self.training_bytes(32), 'B')} to train at batch 32"
        )
        zeros = [] if self.sparsity is None else [str(self.sparsity)]
        return "\n".join([f"model {self.name!r}", rule, lines[0], rule, *lines[1:], rule, total, *zeros])


def human(number: float, unit: str) -> str:
    """`human(38_000_000, "FLOP")` -> "38 MFLOP"."""
    for prefix in ("", "k", "M", "G"):
        if number < 1000:
            return f"{number:.3g} {prefix}{unit}" if number < 100 else f"{number:.0f} {prefix}{unit}"
        number /= 1000
    return f"{number:.3g} T{unit}"


def summarize(name: str, lowered: Lowered) -> Summary:
    """The summary of a lowered model."""
    rows = []
    activations = widest = 0
    frozen = _frozen(lowered)
    for number, step in enumerate(lowered.steps):
        main = lowered.mains[step.layer]
        if isinstance(step.layer, Layer):
            flops, kept = step.layer.flops(*step.inputs), step.layer.kept(*step.inputs)
            size = math.prod(step.outputs[0]) if kept else 0
        else:
            inner = summarize(step.name, step.layer.lowered)  # type: ignore[attr-defined]  # a model, see lower.Submodel
            flops, kept, size = inner.flops, inner.activations, inner.widest
        activations, widest = activations + (kept if number >= frozen else 0), max(widest, size)
        count = 0 if step.repeated else count_weights(main)
        rows.append(Row(step.name, type(step.layer).__name__, step.outputs, count, flops))
    module = lowered.module
    trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
    flops = sum(row.flops for row in rows)
    sparse = zeros_in(lowered) if thresholded(lowered) else None
    return Summary(name, tuple(rows), count_weights(module), trainable, flops, activations, widest, sparse)


def _frozen(lowered: Lowered) -> int:
    """How many steps in front have weights that are frozen, or none; what they compute leaves nothing to go back to."""
    weights = [list(lowered.mains[step.layer].parameters()) for step in lowered.steps]
    learns = [any(weight.requires_grad for weight in some) for some in weights]
    first = learns.index(True) if True in learns else len(learns)
    return first if any(map(len, weights[:first])) else 0


def count_weights(module: nn.Module) -> int:
    """Numbers in all weights, as Keras counts them: with moving statistics, without torch's own counters."""
    weights = {
        id(tensor): tensor.numel()  # once, for a sub-model may be met in several ways
        for name, tensor in module.state_dict(keep_vars=True).items()
        if not name.endswith("num_batches_tracked")
    }
    return sum(weights.values())
