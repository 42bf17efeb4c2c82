"""Which samples of a batch are one's own, where several processes train one model."""

from typing import NamedTuple


class Share(NamedTuple):
    """Samples `first` ... `first + own - 1` of a batch of `whole`.

    A batch of fewer samples than there are processes is everybody's, and `counts` for the first of them alone.
    """

    first: int
    own: int
    whole: int
    counts: bool = True

    @classmethod
    def of(cls, whole: int, rank: int, size: int) -> "Share":
        """The share of process `rank` of `size`, as even as can be."""
        if whole < size:
            return cls(0, whole, whole, rank == 0)
        first, end = whole * rank // size, whole * (rank + 1) // size
        return cls(first, end - first, whole)

    @property
    def places(self) -> slice:
        """Where they are in the batch."""
        return slice(self.first, self.first + self.own)
