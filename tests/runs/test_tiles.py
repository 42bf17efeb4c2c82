"""How samples are drawn."""

import numpy as np
import pytest

from holdfast.runs.pages.tiles import HEIGHT, WIDTH, curves, envelope, middle_slices, spectrogram, tile


def test_a_picture_is_drawn_as_it_is() -> None:
    picture = np.zeros((4, 5, 3), np.uint8)

    drawn = tile(picture, "pictures")

    assert drawn is not None
    assert drawn.pictures[0] is picture


@pytest.mark.parametrize(
    ("shape", "kind", "pictures", "lines", "area"),
    [
        ((800,), "sounds", 1, 0, True),
        ((800, 2), "sounds", 1, 0, True),
        ((50, 3), "series", 0, 3, False),
        ((50, 9), "series", 0, 6, False),
        ((6, 7, 8, 1), "volumes", 3, 0, False),
        ((6, 7, 8, 1), "arrays", 3, 0, False),
    ],
    ids=["sound", "stereo", "series", "many channels", "volume", "unnamed volume"],
)
def test_each_kind_has_its_drawing(shape: tuple[int, ...], kind: str, pictures: int, lines: int, area: bool) -> None:
    drawn = tile(np.random.default_rng(0).standard_normal(shape).astype(np.float32), kind)

    assert drawn is not None
    assert (len(drawn.pictures), len(drawn.lines), bool(drawn.area)) == (pictures, lines, area)


def test_rows_of_numbers_are_not_drawn() -> None:
    assert tile(np.zeros(7, np.float32), "table") is None
    assert tile(np.zeros((4, 5, 7), np.float32), "arrays") is None


def test_a_high_note_is_above_a_low_one() -> None:
    time = np.arange(4000) / 8000

    low, high = (spectrogram(np.sin(2 * np.pi * hertz * time)).mean(1).argmax() for hertz in (500, 3000))

    assert high < low
    assert low == 128 - round(500 / 8000 * 256)


@pytest.mark.parametrize("length", [1, 100, 256, 257, 20_000])
def test_sounds_of_any_length_are_drawn(length: int) -> None:
    wave = np.random.default_rng(0).standard_normal(length).astype(np.float32)

    assert spectrogram(wave).shape[0] == 129
    points = [tuple(map(float, point.split(","))) for point in envelope(wave).split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_silence_is_a_line_in_the_middle() -> None:
    assert {point.split(",")[1] for point in envelope(np.zeros(400, np.float32)).split()} == {f"{HEIGHT / 2:.1f}"}


def test_steps_that_were_not_measured_are_left_out() -> None:
    values = np.array([[0.0], [1.0], [np.nan], [3.0]])

    (line,) = curves(values)

    assert [point.split(",")[0] for point in line.split()] == ["0.0", "40.0", "120.0"]
    assert curves(np.full((3, 2), np.nan)) == ()


def test_slices_go_through_the_middle_of_each_axis() -> None:
    volume = np.zeros((4, 6, 8, 1), np.float32)
    volume[2, 3, 4] = 1

    slices = middle_slices(volume)

    assert [one.shape for one in slices] == [(6, 8), (4, 8), (4, 6)]
    assert [int(one.max()) for one in slices] == [255] * 3
