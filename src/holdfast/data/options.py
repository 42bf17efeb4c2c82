"""What `load` can be asked for besides shares and a seed; each reader takes what suits its kind of data."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, get_args

from ..core import BadValue

Progress = Callable[[int, int], None]
Resize = Literal["auto", "stretch", "fit", "crop"]


@dataclass(frozen=True)
class Reading:
    """How data is to be read.  None: as the reader chooses.

    Attributes:
        image_size: (H, W) in pixels.
        resize: how pictures of another shape get this one.
        skip_bad: leave out what cannot be read, and list it, instead of raising.
        group_by, time_by, label_by: columns, arrays or regular expressions, see `load`.
        sample_rate: of sounds, in Hz.
        window, hop: how long each sample is, and how far the next one begins after it: seconds of sounds, steps of
            series.
        gap: between the parts of a split by time, in the unit of the times.
        progress: told (files done, files in all).
    """

    image_size: tuple[int, int] | None = None
    resize: Resize = "auto"
    skip_bad: bool = False
    group_by: str | None = None
    time_by: str | None = None
    label_by: str | None = None
    sample_rate: int | None = None
    window: float | None = None
    hop: float | None = None
    gap: float | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.resize not in get_args(Resize):
            raise BadValue(f"load(resize={self.resize!r}): must be {', '.join(map(repr, get_args(Resize)))}.")
        for name in ("sample_rate", "window", "hop"):
            if (value := getattr(self, name)) is not None and not 0 < value < float("inf"):
                raise BadValue(f"load({name}={value!r}): must be a positive number.")
        if self.gap is not None and not 0 <= self.gap < float("inf"):
            raise BadValue(f"load(gap={self.gap!r}): must be a number from 0 on.")
        if self.gap and self.time_by is None:
            raise BadValue(
                f"load(gap={self.gap:g}): is between the parts of a split by time; say the times: --time-by."
            )

    def only(self, kind: str, *used: str) -> None:
        """Raises BadValue for an option that does not concern this kind of data; the others it
        takes or may ignore.

        Args:
            kind: what the message calls the data: "IDX files".
            used: the names of the options that the reader takes.
        """
        for item in fields(self):
            given = getattr(self, item.name) != item.default
            if given and item.name not in (*used, "progress", "skip_bad", "gap"):
                raise BadValue(
                    f"load({item.name}={getattr(self, item.name)!r}): does not concern {kind}; "
                    f"leave out --{item.name.replace('_', '-')}."
                )

    def no_names(self, name: str) -> None:
        """Raises BadValue for groups or times of samples that have no names to find them in."""
        for option, value in (("group_by", self.group_by), ("time_by", self.time_by)):
            if value is not None:
                given = option.removesuffix("_by") + "s"
                raise BadValue(
                    f"load({option}={value!r}): the samples of {name} have no names; use from_arrays({given}=...)."
                )
