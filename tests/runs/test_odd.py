"""What looks as if something went wrong with it."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from holdfast.data import Dataset, from_arrays
from holdfast.data.sealed import Sealed
from holdfast.data.series import Series
from holdfast.runs.odd import Odd, odd_samples, without_common


@dataclass(frozen=True)
class OfKind:
    """Stands for a way of reading, of which only the kind matters here."""

    kind: ClassVar[str] = "sounds"


class Waves(OfKind):
    kind = "sounds"


class Curves(OfKind):
    kind = "series"


def of(values: NDArray[Any], kind: type[OfKind] | None = None) -> Dataset:
    """A dataset whose training part holds exactly these samples, in this order."""
    whole = from_arrays(values, np.arange(len(values)) % 2, validation=0.2, test=0)
    images = values if values.dtype == np.uint8 else values.astype(np.float32)
    part = whole.pool.take(np.argsort([int(name[7:-1]) for name in whole.pool.names]))
    part = replace(part, images=torch.from_numpy(images))  # without the axis that from_arrays may add
    nothing = part.take([])
    reads: Any = kind and kind()  # Any: see OfKind
    return replace(whole, train=part, validation=nothing, test=Sealed(nothing), reads=reads if kind else whole.reads)


def named(data: Dataset) -> dict[int, str]:
    return {odd.place: odd.why for odd in odd_samples(data)[0]}


def test_blank_dark_and_bright_pictures_are_odd() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    pictures[3] = 127 + pictures[3] // 128
    pictures[5] //= 8
    pictures[7] = 230 + pictures[7] // 16
    pictures[9, :12, :12] = 0  # dark for the most part is not dark

    assert named(of(pictures)) == {3: "blank", 5: "very dark", 7: "very bright"}


def test_a_white_sheet_with_a_small_thing_on_it_is_as_it_should_be() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 1), np.uint8)
    pictures[4] = 255
    pictures[4, 10:14, 10:14] = 0

    assert named(of(pictures)) == {}


def test_silent_and_clipped_sounds_are_odd() -> None:
    time = np.arange(800) / 8000
    waves = np.stack([0.5 * np.sin(2 * np.pi * (200 + 10 * index) * time) for index in range(40)]).astype(np.float32)
    waves[2] = 1e-5 * waves[2]
    waves[6] = np.clip(5 * waves[6], -1, 1)
    waves[8] = waves[8] / np.abs(waves[8]).max()  # as loud as can be, but whole

    assert named(of(waves, Waves)) == {2: "silent", 6: "clipped"}


def test_constant_series_are_odd() -> None:
    values = np.random.default_rng(0).standard_normal((60, 30, 3)).astype(np.float32)
    values[1] = [1, 2, 3]
    values[4, :, 1] = 0

    assert named(of(values, Curves)) == {1: "constant", 4: "constant in a channel"}


def test_volumes_of_one_value_are_odd() -> None:
    values = np.random.default_rng(0).standard_normal((30, 4, 4, 4, 1)).astype(np.float32)
    values[7] = 0.5

    assert named(of(values)) == {7: "blank"}


def test_what_many_samples_share_is_how_the_data_is() -> None:
    found = [Odd("train", place, f"{place}", "very dark") for place in range(20)]

    odd, usual = without_common([*found, Odd("train", 20, "20", "blank")], 100)

    assert [one.why for one in odd] == ["blank"]
    assert usual == ["20 of 100 are very dark: so this data is"]


def test_the_test_part_is_not_looked_at() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    black = np.zeros((4, 16, 16, 1), np.uint8)
    black[:, 0, 0, 0] = range(4)

    data = from_arrays(pictures, [0, 1] * 20, test_images=black, test_labels=[0, 1, 0, 1])

    assert odd_samples(data) == ([], [])


def test_steps_that_were_not_measured_are_not_looked_at() -> None:
    values = np.random.default_rng(0).standard_normal((20, 8, 2)).astype(np.float32)
    values[..., 1] = 1
    values[:, 4:] = 0  # padding
    values[3, :4, 0] = 2
    data = of(values, Curves)

    odd, _ = odd_samples(replace(data, reads=Series(8, ("a",), masked=True)))

    assert {one.place: one.why for one in odd} == {3: "constant"}
