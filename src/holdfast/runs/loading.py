"""Reading the data of a run, and showing how far that is."""

import time
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..core import BadValue
from ..data import Dataset, load, manifest_path
from ..transfer import FromBase
from .plan import ModelChoice

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 1.0  # what is read sooner needs no bar


def load_shown(*, quiet: bool = False, out: Path | str | None = None, **origin: Any) -> Dataset:  # Any: of `load`
    """`data.load`, with a bar on the terminal when it takes long and somebody looks.

    With a folder of runs the split keeps its manifest there, if the data is of files.
    """
    if out is not None and isinstance(origin["path"], (str, PathLike)):
        options = ("path", "validation", "test", "seed", "group_by", "time_by", "label_by", "window", "hop")
        origin["manifest"] = manifest_path(out, **{name: origin[name] for name in options if name in origin})
    with Loading(quiet=quiet) as progress:
        return load(**origin, progress=progress)


def load_for(
    model: ModelChoice, *, image_size: int | tuple[int, int] | None = None, **options: Any
) -> Dataset:  # Any: of `load_shown`
    """`load_shown`, with pictures of the size that a base was made for, unless they are asked for at another.

    Pictures in arrays keep the size that they have.
    """
    size = model.input_size if isinstance(model, FromBase) and image_size is None else None
    if size is None:
        return load_shown(image_size=image_size, **options)
    try:
        return load_shown(image_size=size[0] if size[0] == size[1] else size, **options)
    except BadValue as error:
        if not str(error).startswith("load(image_size="):
            raise
        return load_shown(**options)


class Loading:
    """A bar on the terminal, once reading has taken a second; also the callback that moves it."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> "Loading":
        return self

    def __call__(self, done: int, total: int) -> None:
        if self.quiet or time.monotonic() - self._began < PATIENCE_S:
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("reading  "), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            console = Console()
            self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_interactive)
            self._bar.start()
            self._bar.add_task("reading", total=total or None)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total or None)  # None: nobody knows yet

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
