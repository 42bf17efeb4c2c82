"""History: its lists, its memory and its picture."""

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from PIL import Image

from callbacks.moments import Moments
from holdfast.callbacks import History
from holdfast.core import BadFile, BadValue, NotReady
from holdfast.training import Stop


def recorded(*logs: dict[str, float], learning_rate: bool = False) -> History:
    moments, history = Moments(), History(learning_rate)
    history(moments.begin())
    for epoch, values in enumerate(logs):
        moments.state.learning_rate = 0.1 ** (epoch + 1)
        history(moments.step_end(epoch, 4))
        moments.state.learning_rate = 7.0  # of the next epoch
        history(moments.epoch_end(epoch, **values))
    history(moments.end())
    return history


TWO = (
    {"loss": 2.0, "accuracy": 0.5, "val_loss": 1.5, "val_accuracy": 0.6, "learning_rate": 9.0},
    {"loss": 1.0, "accuracy": 0.75, "val_loss": 1.75, "val_accuracy": 0.7, "learning_rate": 9.0},
)


def test_the_lists_have_keras_s_keys() -> None:
    history = recorded(*TWO)

    assert history.history == {
        "loss": [2.0, 1.0],
        "accuracy": [0.5, 0.75],
        "val_loss": [1.5, 1.75],
        "val_accuracy": [0.6, 0.7],
    }
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == [0, 1]
    assert history.seconds == [0.5, 0.5]
    assert history.measured == {}


def test_the_rates_have_a_list_of_their_own() -> None:
    assert recorded(*TWO).learning_rates == [0.1, 0.1**2]


def test_the_rates_are_in_the_history_on_request() -> None:
    assert recorded(*TWO, learning_rate=True).history["learning_rate"] == [0.1, 0.1**2]


def test_validation_now_and_then_gives_shorter_lists() -> None:
    history = recorded({"loss": 3.0}, {"loss": 2.0, "val_loss": 2.5}, {"loss": 1.0})

    assert history.history == {"loss": [3.0, 2.0, 1.0], "val_loss": [2.5]}


def test_the_reason_for_stopping_is_kept() -> None:
    moments, history = Moments(), History()
    history(moments.begin())
    history(moments.epoch_end(0, loss=1.5))

    history(moments.end(Stop("the cat sat on the keyboard")))

    assert history.stop == Stop("the cat sat on the keyboard")
    assert repr(history) == "History(1 epoch, loss 1.5; the cat sat on the keyboard)"


def test_a_history_does_not_change_when_the_event_s_logs_do() -> None:
    moments, history = Moments(), History()
    history(moments.begin())
    event = moments.epoch_end(0, loss=1.5)

    history(event)
    event.logs["loss"] = 7.0

    assert history.history == {"loss": [1.5]}


def test_a_second_training_begins_with_empty_lists() -> None:
    moments, history = Moments(), recorded(*TWO)
    history.measured["loss"] = 1.0

    history(moments.begin())

    assert (history.history, history.epoch, history.seconds, history.measured) == ({}, [], [], {})


def test_a_resumed_history_goes_on() -> None:
    moments, history = Moments(), History()
    history.load_state_dict(recorded(*TWO).state_dict())

    history(moments.begin(2))
    history(moments.epoch_end(2, loss=0.5))

    assert history.epoch == [0, 1, 2]
    assert history.history["loss"] == [2.0, 1.0, 0.5]
    assert history.seconds == [0.5, 0.5, 0.5]


def curves(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """The points of each line with a label."""
    return {
        str(line.get_label()): [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_the_picture_has_train_and_validation_over_epochs_from_one() -> None:
    loss, accuracy = recorded(*TWO).plot().axes

    assert curves(loss) == {
        "train": [(1, 2.0), (2, 1.0)],
        "validation": [(1, 1.5), (2, 1.75)],
        "best epoch 1: 1.5": [(1, 1.5)],
    }
    assert curves(accuracy) == {
        "train": [(1, 0.5), (2, 0.75)],
        "validation": [(1, 0.6), (2, 0.7)],
        "best epoch 2: 70.0 %": [(2, 0.7)],
    }
    assert [axes.get_title("left") for axes in (loss, accuracy)] == ["loss", "accuracy"]


def test_the_picture_never_says_test(tmp_path: Path) -> None:
    recorded(*TWO).plot(tmp_path / "h.svg")

    assert "test" not in (tmp_path / "h.svg").read_text().lower()


def test_the_measured_value_of_train_is_drawn() -> None:
    history = recorded(*TWO)
    history.measured = {"loss": 0.9, "accuracy": 0.8, "val_loss": 1.5}

    loss, accuracy = history.plot().axes

    assert curves(loss)["train, measured at the end: 0.9"] == [(0, 0.9), (1, 0.9)]
    assert curves(accuracy)["train, measured at the end: 80.0 %"] == [(0, 0.8), (1, 0.8)]


def test_validation_now_and_then_is_drawn_at_its_epochs() -> None:
    (loss,) = recorded({"loss": 3.0}, {"loss": 2.0, "val_loss": 2.5}, {"loss": 1.0}).plot().axes

    assert curves(loss)["validation"] == [(2, 2.5)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_losses_that_are_no_numbers_are_drawn_around(value: float, tmp_path: Path) -> None:
    history = recorded({"loss": value, "val_loss": value}, {"loss": 1.0, "val_loss": 2.0}, {"loss": value})

    figure = history.plot(tmp_path / "h.png")

    assert "best epoch 2: 2" in curves(figure.axes[0])


def test_nothing_but_nan_has_no_best(tmp_path: Path) -> None:
    figure = recorded({"loss": math.nan}).plot(tmp_path / "h.png")

    assert list(curves(figure.axes[0])) == ["train"]


def test_the_colours_differ_in_lightness_too() -> None:
    (loss, _) = recorded(*TWO).plot().axes
    grey = {}
    for line in loss.get_lines():
        red, green, blue = (int(to_hex(line.get_color())[place : place + 2], 16) for place in (1, 3, 5))
        grey[line.get_label()] = 0.299 * red + 0.587 * green + 0.114 * blue

    assert abs(grey["train"] - grey["validation"]) > 20


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_picture_is_saved_where_it_was_asked_for(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "a folder with ümläute" / f"h.{ending}"

    recorded(*TWO).plot(path)

    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_notebook_gets_a_png() -> None:
    import io

    png = recorded(*TWO).plot()._repr_png_()

    assert Image.open(io.BytesIO(png)).size[0] > 800


def test_pyplot_is_left_alone() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()

    recorded(*TWO).plot()

    assert plt.get_fignums() == before


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(NotReady, match="there is no epoch to draw; train first"):
        History().plot()


def test_a_format_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"cannot write .bmp; use one of .*png.*svg"):
        recorded(*TWO).plot(tmp_path / "h.bmp")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "h.png").mkdir()

    with pytest.raises(BadFile, match=r"cannot write .*h.png: Is a directory"):
        recorded(*TWO).plot(tmp_path / "h.png")
