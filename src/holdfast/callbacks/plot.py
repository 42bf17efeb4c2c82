"""The picture of a history: loss and accuracy, train and validation.  Imported when it is drawn: matplotlib is slow."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..core import BadValue, NotReady, whole_file

if TYPE_CHECKING:
    from .history import History

# Okabe and Ito's blue and vermilion: told apart in every kind of colour-blindness, and in grey by their lightness.
TRAIN, VALIDATION, QUIET = "#0072B2", "#D55E00", "#666666"


class Plot(Figure):
    """A figure that shows itself at the end of a notebook's cell, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def plot(history: "History", path: Path | str | None) -> Plot:
    """See `History.plot`."""
    if not history.logs:
        raise NotReady("History.plot: there is no epoch to draw; train first")
    accuracy = next((key for key in history.history if key.endswith(("accuracy", "acc")) and key[:4] != "val_"), None)
    panels = ["loss"] if accuracy is None else ["loss", accuracy]
    figure = Plot(figsize=(1 + 4.5 * len(panels), 3.8), dpi=120, layout="constrained")
    for index, key in enumerate(panels, start=1):
        _panel(figure.add_subplot(1, len(panels), index), history, key)
    if path is not None:
        _save(figure, Path(path))
    return figure


def _panel(axes: Axes, history: "History", key: str) -> None:
    percent = key != "loss"
    _curve(axes, history, key, "train", TRAIN, "o")
    if key in history.measured:
        label = f"train, measured at the end: {_text(history.measured[key], percent)}"
        axes.axhline(history.measured[key], color=TRAIN, linestyle=(0, (5, 3)), linewidth=1.2, label=label)
    _curve(axes, history, f"val_{key}", "validation", VALIDATION, "s")
    _mark_best(axes, history, key, percent)
    axes.set_title(key.replace("_", " "), loc="left", fontweight="bold")
    axes.set_xlabel("epoch")
    axes.set_xlim(history.epoch[0] + 0.5, history.epoch[-1] + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")


def _points(history: "History", key: str) -> tuple[list[int], list[float]]:
    """Epochs, from 1, that have the key, and its values there."""
    pairs = [(epoch + 1, logs[key]) for epoch, logs in zip(history.epoch, history.logs, strict=True) if key in logs]
    return [epoch for epoch, _ in pairs], [value for _, value in pairs]


def _curve(axes: Axes, history: "History", key: str, label: str, color: str, marker: str) -> None:
    epochs, values = _points(history, key)
    if epochs:
        size = 4 if len(epochs) <= 30 else 0
        axes.plot(epochs, values, color=color, marker=marker, markersize=size, linewidth=1.8, label=label)


def _mark_best(axes: Axes, history: "History", key: str, percent: bool) -> None:
    part = f"val_{key}" if any(f"val_{key}" in logs for logs in history.logs) else key
    epochs, values = _points(history, part)
    pairs = [(value, epoch) for value, epoch in zip(values, epochs, strict=True) if value == value]  # NaN is no best
    if not pairs:
        return
    value, epoch = min(pairs, key=lambda pair: (-pair[0] if percent else pair[0], pair[1]))
    axes.axvline(epoch, color=QUIET, linestyle=":", linewidth=1.2, zorder=0)
    color = VALIDATION if part.startswith("val_") else TRAIN
    label = f"best epoch {epoch}: {_text(value, percent)}"
    axes.plot([epoch], [value], "o", markersize=11, fillstyle="none", color=color, linestyle="none", label=label)


def _text(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.3g}"


def _save(figure: Plot, path: Path) -> None:
    form = path.suffix.removeprefix(".").lower() or "png"
    known = figure.canvas.get_supported_filetypes()
    if form not in known:
        raise BadValue(f"History.plot({str(path)!r}): cannot write .{form}; use one of {', '.join(sorted(known))}")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=form)
