"""What a model said of the samples of one part, kept beside it: what comparisons and corrections are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, whole_file
from ..data import Part


@dataclass(frozen=True, eq=False)
class Predictions:
    """Class probabilities of one part.

    Attributes:
        probabilities: (N, K) float32.
        labels: (N,) int64.
        names: where each sample came from.
        fingerprint: of the part; predictions of one fingerprint are of the same samples in the same order.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: Sequence[str]
    fingerprint: str

    @classmethod
    def of(cls, part: Part, probabilities: NDArray[np.float32]) -> "Predictions":
        """What was said of this part."""
        return cls(probabilities, part.labels.numpy(), part.names, part.fingerprint)

    @property
    def said(self) -> NDArray[np.int64]:
        """(N,) the likeliest class of each."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether that is the label."""
        return np.asarray(self.said == self.labels)

    def write(self, path: Path) -> None:
        """Writes an .npz, whole or not at all."""
        names = np.array("\n".join(self.names).encode("utf-8", "surrogateescape"))  # no name holds the end of a line
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                probabilities=self.probabilities,
                labels=self.labels,
                names=names,
                fingerprint=np.array(self.fingerprint),
            )

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """What `write` wrote.

        Raises:
            BadFile: no such file, or a damaged one.
        """
        try:
            with path.open("rb") as opened, np.load(opened) as file:
                names = file["names"].item().decode("utf-8", "surrogateescape").split("\n")
                found = cls(file["probabilities"], file["labels"], names, str(file["fingerprint"]))
        except FileNotFoundError as error:
            raise BadFile(f"{path}: no such file; `holdfast evaluate` of a run writes what its model says.") from error
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise BadFile(f"{path}: is damaged: {error}; `holdfast evaluate` writes it anew.") from error
        if not len(found.probabilities) == len(found.labels) == len(names):
            raise BadFile(f"{path}: is damaged: its arrays do not fit each other; `holdfast evaluate` writes it anew.")
        return found
