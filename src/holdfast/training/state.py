"""All that changes while a model is trained.  At every event it is complete and may be saved."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from ..metrics import Metric
from .program import Program


@dataclass
class State:
    """The model and where its training stands.

    Attributes:
        model: its parameters and buffers.
        learning_rate: of the next step, unless the program has a schedule.
        slots: what the optimizer remembers: for each name a list of tensors, one a trained parameter.
        step: steps done, over all epochs.
        epoch: epochs completed.
        batch: steps done in the epoch under way.
        begin: the step with which the present `fit` began; schedules that span a fit count from it.
        running: accumulators of loss and metrics of the epoch under way, by their key in the logs.
    """

    model: nn.Module
    learning_rate: float
    slots: dict[str, list[Tensor]] = field(default_factory=dict)
    step: int = 0
    epoch: int = 0
    batch: int = 0
    begin: int = 0
    running: dict[str, Metric] = field(default_factory=dict)

    @classmethod
    def start(cls, model: nn.Module, program: Program) -> "State":
        """The state before the first step."""
        rate = program.optimizer.learning_rate
        state = cls(model, rate if isinstance(rate, (int, float)) else rate(0))
        state.slots = program.optimizer.slots(state.parameters())
        return state

    def parameters(self) -> list[Tensor]:
        """The parameters that training changes, in the order of the slots."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]
