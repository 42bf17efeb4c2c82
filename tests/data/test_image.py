"""The decoder: every kind of file to the same few shapes, with values checkable by hand."""

import os
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from holdfast.core import BadFile, BadShape, BadValue
from holdfast.data import read_image
from holdfast.data.image import Fit, decode_known, read_header

Pixels = NDArray[np.uint8]


def grey(path: Path, height: int, width: int) -> list[list[int]]:
    values: list[list[int]] = read_image(path, (height, width, 1))[..., 0].tolist()
    return values


def rgb(path: Path, height: int, width: int) -> list[list[list[int]]]:
    values: list[list[list[int]]] = read_image(path, (height, width, 3)).tolist()
    return values


def test_grey_stays_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 100, 255]], np.uint8)).save(tmp_path / "a.png")

    assert grey(tmp_path / "a.png", 1, 3) == [[0, 100, 255]]


def test_grey_in_a_colour_set_has_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 100]], np.uint8)).save(tmp_path / "a.png")

    assert rgb(tmp_path / "a.png", 1, 2) == [[[0, 0, 0], [100, 100, 100]]]


def test_colour_in_a_grey_set_becomes_its_luma(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (100, 200, 50)).save(tmp_path / "a.png")

    assert grey(tmp_path / "a.png", 1, 1) == [[153]]  # .299 * 100 + .587 * 200 + .114 * 50 = 153.0


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "a.png")

    assert grey(tmp_path / "a.png", 1, 2) == [[0, 255]]


def test_sixteen_bit_grey_is_scaled_and_rounded(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)).save(tmp_path / "a.png")

    assert grey(tmp_path / "a.png", 1, 6) == [[0, 0, 1, 1, 128, 255]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_transparent_grey_is_laid_on_white(tmp_path: Path, suffix: str) -> None:
    Image.merge("LA", [Image.new("L", (1, 1), 0), Image.new("L", (1, 1), 51)]).save(tmp_path / f"a.{suffix}")

    assert grey(tmp_path / f"a.{suffix}", 1, 1) == [[204]]  # a fifth black, four fifths white
    assert read_header(tmp_path / f"a.{suffix}").grey


def test_transparent_colour_is_laid_on_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    picture.putpixel((1, 0), (200, 0, 100, 255))
    picture.save(tmp_path / "a.png")

    assert rgb(tmp_path / "a.png", 1, 2) == [[[255, 255, 255], [200, 0, 100]]]


def test_palettes_are_looked_up(tmp_path: Path) -> None:
    palette(tmp_path / "a.png")

    assert rgb(tmp_path / "a.png", 1, 2) == [[[10, 20, 30], [200, 100, 0]]]


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"], ids=["index", "table"])
def test_the_transparent_colour_of_a_palette_is_white(tmp_path: Path, transparency: int | bytes) -> None:
    palette(tmp_path / "a.png", transparency=transparency)

    assert rgb(tmp_path / "a.png", 1, 2) == [[[255, 255, 255], [200, 100, 0]]]


def test_the_transparent_shade_of_grey_is_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 8]], np.uint8)).save(tmp_path / "a.png", transparency=7)

    assert grey(tmp_path / "a.png", 1, 2) == [[255, 8]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (1, 1), (255, 0, 51, 0)).save(tmp_path / "a.tif")

    assert rgb(tmp_path / "a.tif", 1, 1) == [[[0, 255, 204]]]


def test_cmyk_jpeg_is_not_inverted(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 0, 0, 0)).save(tmp_path / "a.jpg")

    assert read_image(tmp_path / "a.jpg", (16, 16, 3)).min() >= 250


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (3, 2), (6, -1), (8, 1)])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int, quarters: int) -> None:
    pixels = np.kron(np.array([[0, 80, 160], [40, 120, 200]], np.uint8), np.ones((16, 16), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, exif=exif, quality=100)
    upright = np.rot90(pixels, quarters)

    shown = read_image(path, (*upright.shape, 1))[..., 0].numpy()

    assert np.abs(shown.astype(int) - upright).max() <= 2  # JPEG and WebP are nearly exact on flat blocks
    assert (read_header(path).height, read_header(path).width) == upright.shape


def test_stretching_averages_instead_of_picking_pixels(tmp_path: Path) -> None:
    Image.fromarray((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)).save(tmp_path / "checkerboard.png")

    values = read_image(tmp_path / "checkerboard.png", (4, 8, 1))

    assert values.shape == (4, 8, 1)
    assert values.float().sub(127.5).abs().max() <= 2


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (1, 1), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    assert rgb(tmp_path / "a.gif", 1, 1) == [[[255, 0, 0]]]


def test_the_content_counts_and_not_the_ending(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), "red").save(tmp_path / "a.jpg", format="PNG")

    assert rgb(tmp_path / "a.jpg", 1, 1) == [[[255, 0, 0]]]


def test_paths_may_have_spaces_and_any_letters(tmp_path: Path) -> None:
    path = tmp_path / "Größe 猫 🐈 'q'.png"
    Image.new("L", (1, 1), 9).save(path)

    assert grey(path, 1, 1) == [[9]]


def test_broken_files_are_refused_with_path_and_reason(tmp_path: Path) -> None:
    whole = noise(tmp_path / "whole.jpg").read_bytes()
    png = noise(tmp_path / "whole.png").read_bytes()
    floats = tmp_path / "f.tif"
    Image.fromarray(np.zeros((2, 2), np.float32)).save(floats)
    Image.fromarray(np.full((2, 2), 70000, np.int32)).save(tmp_path / "i.tif")
    reasons = {
        "missing.jpg": (None, "missing"),
        "empty.jpg": (b"", "empty, 0 bytes"),
        "text.jpg": (b"not a picture at all", "not a picture of a known format"),
        "phone.heic": (b"\0\0\0\x18ftypheic", "HEIC is not supported, save it as JPEG"),
        "half.jpg": (whole[: len(whole) // 2], "truncated"),
        "half.png": (png[: len(png) // 2], "truncated"),
        "head.jpg": (whole[:30], "not a picture of a known format|truncated"),
        "f.tif": (floats.read_bytes(), "float pixels, save them as 8 or 16 bits"),
        "i.tif": ((tmp_path / "i.tif").read_bytes(), "32-bit values outside 0..65535"),
    }

    for name, (content, reason) in reasons.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(BadFile, match=f"^.*/{name}: ({reason})$"):
            read_image(tmp_path / name, (8, 8, 3))


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=f"^{tmp_path}: not a file$"):
        read_image(tmp_path, (8, 8, 3))


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    with pytest.raises(BadFile, match=r"pipe\.png: not a file$"):
        read_image(tmp_path / "pipe.png", (8, 8, 3))


def test_any_damage_in_the_middle_is_an_error_of_ours_or_none(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix in ("png", "jpg", "gif", "tif", "webp", "bmp"):
        whole = noise(tmp_path / f"whole.{suffix}").read_bytes()
        for _ in range(30):
            broken = bytearray(whole)
            for place in random.integers(0, len(whole), 5):
                broken[place] = int(random.integers(256))
            (tmp_path / "broken").write_bytes(broken)
            with suppress(BadFile):
                assert read_image(tmp_path / "broken", (8, 8, 3)).shape == (8, 8, 3)


@pytest.mark.parametrize("limit", [100, 60])
def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    noise(tmp_path / "a.png")  # 256 pixels: over each limit, and over twice the second
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)

    with pytest.raises(BadFile, match=r"a\.png: more than 0 million pixels"):
        read_image(tmp_path / "a.png", (8, 8, 3))


def test_the_filters_of_warnings_are_left_as_they_were(tmp_path: Path) -> None:
    before = list(warnings.filters)

    read_image(noise(tmp_path / "a.png"), (8, 8, 3))

    assert warnings.filters == before


def test_other_numbers_of_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadShape, match=r"shape=\(8, 8, 4\)\): the last number must be 1 \(grey\) or 3 \(RGB\)"):
        read_image(noise(tmp_path / "a.png"), (8, 8, 4))


def test_the_result_may_be_written_to(tmp_path: Path) -> None:
    values = read_image(noise(tmp_path / "a.png"), (16, 16, 3))

    values += 1

    assert values.is_contiguous()


def palette(path: Path, transparency: int | bytes | None = None) -> None:
    """Two pixels with the colours 0 and 1 of a palette."""
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 0])
    picture.putpixel((1, 0), 1)
    picture.save(path, transparency=transparency)


def noise(path: Path) -> Path:
    pixels: Pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_nearest_takes_single_pixels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 10, 20, 90, 200, 250]], np.uint8)).save(tmp_path / "a.png")

    small = read_image(tmp_path / "a.png", (1, 2, 1), interpolation="nearest")

    assert small[..., 0].tolist() == [[10, 200]]  # the pixels at 1.5 and 4.5


def test_an_unknown_interpolation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"interpolation='wavelet'.*bilinear, nearest"):
        read_image(tmp_path / "a.png", (1, 2, 1), interpolation="wavelet")


def columns(path: Path, height: int, width: int, fit: Fit) -> list[list[int]]:
    values: list[list[int]] = read_image(path, (height, width, 1), fit=fit)[..., 0].tolist()
    return values


def test_a_crop_is_the_largest_window_in_the_middle(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 10, 20, 30, 40, 50]] * 2, np.uint8)).save(tmp_path / "a.png")

    assert columns(tmp_path / "a.png", 2, 2, "crop") == [[20, 30]] * 2
    assert columns(tmp_path / "a.png", 1, 1, "crop") == [[25]]
    assert columns(tmp_path / "a.png", 1, 3, "crop") == [[7, 25, 43]]  # a pixel beyond its third counts less


def test_a_fitted_picture_stands_whole_between_bars(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 10, 20, 30]] * 2, np.uint8)).save(tmp_path / "a.png")

    assert columns(tmp_path / "a.png", 4, 4, "fit") == [[127] * 4, [0, 10, 20, 30], [0, 10, 20, 30], [127] * 4]
    assert columns(tmp_path / "a.png", 2, 6, "fit") == [[127, 0, 10, 20, 30, 127]] * 2
    assert columns(tmp_path / "a.png", 3, 2, "fit") == [[127] * 2, [7, 23], [127] * 2]


@pytest.mark.parametrize("fit", ["stretch", "fit", "crop"])
@pytest.mark.parametrize("size", [(1, 900), (900, 1), (1, 1)], ids=str)
def test_extreme_shapes_have_a_result(tmp_path: Path, fit: Fit, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.png")

    assert read_image(tmp_path / "a.png", (8, 12, 3), fit=fit).shape == (8, 12, 3)


def test_torch_scales_as_pillow_does(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for sides, size in (((50, 70), (16, 24)), ((7, 9), (30, 20)), ((300, 2), (8, 8)), ((1, 1), (5, 5))):
        picture = Image.fromarray(random.integers(0, 256, (*sides, 3), np.uint8))
        picture.save(tmp_path / "a.png")
        expected = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)

        assert np.abs(read_image(tmp_path / "a.png", (*size, 3)).numpy() - expected).max() <= 1


def test_copies_are_the_same_pixels_whatever_is_said_about_them(tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "a description"
    turned = Image.Exif()
    turned[0x0112] = 3
    for name, options in {
        "plain": {},
        "told": {"exif": exif, "comment": b"hello", "dpi": (72, 72), "icc_profile": b"x" * 200},
        "turned": {"exif": turned},
        "worse": {"quality": 60},
    }.items():
        picture.save(tmp_path / f"{name}.jpg", **options)  # type: ignore[arg-type]  # options of one writer

    known = {path.stem: decode_known(path.read_bytes(), 3)[1] for path in tmp_path.iterdir()}
    same = {decode_known((tmp_path / "plain.jpg").read_bytes(), 3, (size, size))[1] for size in (4, 32, 500)}

    assert known["plain"] == known["told"]
    assert same == {known["plain"]}
    assert len(set(known.values())) == 3


def test_a_marker_of_the_end_that_comes_too_early_is_damage(tmp_path: Path) -> None:
    whole = bytearray(noise(tmp_path / "a.jpg").read_bytes())
    begin = whole.index(b"\xff\xda") + 60
    whole[begin : begin + 4] = b"\xff\xe5\xff\xff"  # a segment that reaches far beyond the file
    (tmp_path / "a.jpg").write_bytes(whole)

    with pytest.raises(BadFile, match=r"a\.jpg: (damaged|truncated)"):
        read_image(tmp_path / "a.jpg", (8, 8, 3))


def test_an_unknown_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"fit='shrink'\): must be one of stretch, fit, crop"):
        read_image(tmp_path / "a.png", (1, 2, 1), fit="shrink")  # type: ignore[arg-type]  # what a user might write


def test_a_web_page_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<!DOCTYPE html><html></html>")

    with pytest.raises(BadFile, match=r"a\.jpg: a web page, not a picture$"):
        read_image(tmp_path / "a.jpg", (8, 8, 3))
