"""All that changes while a model is trained.  At every event it is complete and may be saved."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from ..metrics import Metric


@dataclass
class State:
    """The model and where its training stands.

    Attributes:
        model: its parameters and buffers.
        slots: what the optimizer remembers: a list of tensors, one a trained parameter, for each name ("momentum", ...).
        learning_rate: of the next step, unless the program has a schedule.
        step: steps done, over all epochs.
        epoch: epochs completed.
        batch: steps done in the epoch under way.
        running: accumulators of loss and metrics of the epoch under way.
    """

    model: nn.Module
    learning_rate: float
    slots: dict[str, list[Tensor]] = field(default_factory=dict)
    step: int = 0
    epoch: int = 0
    batch: int = 0
    running: dict[str, Metric] = field(default_factory=dict)
