"""Runs whose samples are augmented: what they keep of it, and how they are made again."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import holdfast
from holdfast.core import BadValue
from holdfast.data import Batch, RandomShift, from_arrays, load
from holdfast.layers import MixUp, RandomFlip
from holdfast.runs.again import command_of, python_of
from holdfast.runs.augmented import PASSES, SHOWN, augmented_of
from holdfast.runs.lines import recipe_line
from holdfast.runs.pages.lines import HIGH, WIDE, limits, lines
from holdfast.runs.pages.report import report
from holdfast.runs.pages.told import Augmented
from holdfast.runs.plan import session_for
from runs.small import arrays, train
from runs.test_report import facts

BY_RECIPE: dict[str, Any] = {"optimizer": None, "learning_rate": None, "patience": None, "epochs": 2}


@pytest.mark.parametrize(
    ("augment", "kept", "option", "python", "line"),
    [
        ("light", (0, "light"), "--augment light", "augment='light'", "light augmentation"),
        ("strong", (0, "strong"), "--augment strong", "augment='strong'", "strong augmentation"),
        ("none", (0, ""), "--shift 0", "augment=None", "label smoothing 0.05"),
        (None, (0, ""), "--shift 0", "augment=None", "label smoothing 0.05"),
        (
            RandomShift(2),
            (2, ""),
            "--shift 2",
            "augment=holdfast.data.RandomShift(2)",
            "pictures moved by up to 2 pixels",
        ),
    ],
    ids=["light", "strong", "none", "None", "shift"],
)
def test_a_run_keeps_it_and_says_how_to_make_it_again(
    tmp_path: Path, augment: Any, kept: tuple[int, str], option: str, python: str, line: str
) -> None:
    record = train(tmp_path / "runs", augment=augment, **BY_RECIPE).record

    assert (record.settings.shift, record.settings.augment) == kept
    assert option in command_of(record)
    assert ("--shift" in command_of(record)) != ("--augment" in command_of(record))
    assert python in python_of(record)
    assert recipe_line(record.settings).endswith(line)
    assert shlex.split(command_of(record))[:2] == ["holdfast", "train"]


def test_layers_are_kept_one_by_one_and_said_in_python(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", augment=[RandomFlip("vertical", seed=4), MixUp(0.4)], **BY_RECIPE)

    assert [row["class_name"] for row in run.record.settings.augment if isinstance(row, dict)] == [
        "RandomFlip",
        "MixUp",
    ]
    assert command_of(run.record) == "# made in Python, see below"
    expected = "augment=[holdfast.layers.RandomFlip(mode='vertical', seed=4), holdfast.layers.MixUp(alpha=0.4)]"
    assert expected in python_of(run.record)
    assert recipe_line(run.record.settings).endswith("augmentation by RandomFlip, MixUp")


def test_the_optimizer_that_was_given_trains_with_it_too(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", augment="light", epochs=2)

    assert recipe_line(run.record.settings) == "Adam, learning rate 0.01, light augmentation"


def test_what_no_run_can_keep_is_refused_before_any_folder(tmp_path: Path) -> None:
    def own(batch: Batch, samples: Any, seed: int, number: int) -> Batch:
        return batch

    with pytest.raises(BadValue, match=r"a run is kept so that it can be made again, and code is not"):
        train(tmp_path / "runs", augment=own)
    with pytest.raises(BadValue, match=r"train\(augment='big'\): must be 'auto', 'none', 'light', 'strong'"):
        train(tmp_path / "runs", augment="big")
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/run.json"))


def test_a_cross_validation_takes_it(tmp_path: Path) -> None:
    data = from_arrays(*arrays(), test=0.2)

    found = holdfast.cross_validate("dense", data, cv=2, epochs=1, augment="light", out=tmp_path, verbose=0)

    assert found.record.settings.augment == "light"


def page_of(run: holdfast.Run) -> str:
    return (run.folder / "report.html").read_text(encoding="utf-8")


def section_of(page: str) -> str:
    """The section on augmentation; "" where there is none."""
    _, found, rest = page.partition('<section id="augmented"')
    return found and rest.partition("</section>")[0]


def test_the_report_shows_samples_as_the_first_passes_changed_them(tmp_path: Path) -> None:
    light = section_of(page_of(train(tmp_path / "a", augment="light", epochs=1)))
    strong = section_of(page_of(train(tmp_path / "b", augment="strong", epochs=1)))

    assert light.count("<img") == strong.count("<img") == SHOWN * (1 + PASSES)
    assert len(set(light.split('src="data:image/png;base64,')[1:])) > SHOWN * PASSES
    assert "Mixed samples" not in light
    assert "Mixed samples" in strong
    assert "100 % " in strong


def test_where_nothing_is_changed_the_report_has_no_such_section(tmp_path: Path) -> None:
    page = page_of(train(tmp_path / "a", augment="none", epochs=1))

    assert section_of(page) == ""
    assert 'href="#augmented"' not in page


@pytest.mark.parametrize("channels", [1, 5])
def test_sounds_and_series_are_shown_as_lines(channels: int) -> None:
    wave = np.random.default_rng(0).normal(size=(400, channels)).astype(np.float32)
    shown = Augmented("<a>.wav", "<yes>", wave, [wave, 2 * wave], ["60 % yes, 40 % no", ""])

    section = section_of(report(facts(augmented=[shown])))

    assert section.count("<polyline") == 3 * min(channels, 3)
    assert 'aria-label="&lt;yes&gt;, pass 2"' in section
    assert "60 % yes, 40 % no" in section
    assert "Mixed samples" in section


def test_rows_of_numbers_are_not_shown(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)

    run = train(tmp_path / "a", from_arrays(x, np.arange(60) % 3), model="dense", augment="light", epochs=1)

    assert section_of(page_of(run)) == ""


def test_what_is_shown_is_what_the_passes_drew(tmp_path: Path) -> None:
    run, data = train(tmp_path / "a", augment="light", epochs=1), load(tmp_path / "small.npz")

    shown = augmented_of(run.model, data, run.record.settings)

    names = list(data.train.names)
    session, _ = session_for(run.model, data, run.record.settings, (), 0)
    assert session.batches.augment is not None
    place = torch.tensor([names.index(shown[0].name)])
    batch = Batch((data.train.images[place],), (data.train.labels[place],))
    for number in range(PASSES):
        drawn = session.batches.augment(batch, place, session.batches.seed, number).inputs[0][0]
        np.testing.assert_array_equal(shown[0].drawn[number], drawn.numpy())


def test_lines_keep_the_least_and_the_largest_of_many_steps() -> None:
    wave = np.zeros((10 * WIDE, 1))
    wave[123], wave[777] = 1, -1

    (points,) = lines(wave, *limits([wave]))

    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == 2 * WIDE
    assert (min(heights), max(heights)) == (0, HIGH)
    assert limits([np.zeros((3, 1))]) == (-1, 1)
