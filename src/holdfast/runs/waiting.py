"""A line on the terminal that shows that something lasts, while it lasts."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def waiting(word: str, sentence: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """`onnx      is written and verified 0:00:05`, which goes away at the end; nothing where nobody looks.

    Gives what may be told (samples done, samples in all), which the line then says too.
    """
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stdout)  # this very one: torch's exporter is kept quiet by another in its place
    if quiet or not console.is_interactive:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, refresh_per_second=4, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task(f"{word:<9} {sentence}", total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, description=f"{word:<9} {sentence}: {done:,} of {total:,} samples")

        yield told
