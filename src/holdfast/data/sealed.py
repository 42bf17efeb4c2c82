"""The sealed test part: it can be counted and recognised, but its samples come out of `evaluate.unseal` only."""

from .part import Part


class Sealed:
    """The test part of a dataset.  `len()` and `fingerprint` are all that can be had without opening it."""

    __slots__ = ("_part",)

    def __init__(self, part: Part) -> None:
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    @property
    def fingerprint(self) -> str:
        """As `Part.fingerprint`: it tells test parts apart and gives nothing away."""
        return self._part.fingerprint

    def __repr__(self) -> str:
        return f"<{len(self)} test samples, sealed; evaluate.unseal opens it>"


def open_seal(sealed: Sealed) -> Part:
    """The samples.  Called by `evaluate.unseal` alone, which writes to the ledger first; a test keeps it so."""
    return sealed._part
