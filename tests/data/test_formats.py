"""Modes and formats: whatever a picture file is, training and `predict` get the same pixels, and the right ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from holdfast.data import Dataset, load
from holdfast.data.sealed import open_seal

Write = Callable[[Image.Image, Path], None]


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def lossless(mode: str, format: str = "PNG") -> Write:
    return lambda picture, path: picture.convert(mode).save(path, format)


def deep(dtype: type[np.uint16], factor: int, format: str) -> Write:
    def write(picture: Image.Image, path: Path) -> None:
        values: NDArray[np.uint16] = np.asarray(picture.convert("L")).astype(dtype) * factor
        Image.fromarray(values).save(path, format)

    return write


def animated(format: str) -> Write:
    return lambda picture, path: picture.save(
        path, format, save_all=True, append_images=[Image.new("RGB", picture.size)], lossless=True
    )


def turned(orientation: int, format: str = "JPEG") -> Write:
    return lambda picture, path: picture.save(path, format, exif=exif(orientation), quality=95)


def see_through(picture: Image.Image, path: Path) -> None:
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(path, "PNG")


# How each file is written, and by how many levels of 255 its pixels may differ from those of the picture in RGB; None
# where the format or the mode changes colours anyway.
CASES: dict[str, tuple[Write, float | None]] = {
    "RGB.png": (lossless("RGB"), 0),
    "grey.png": (lossless("L"), None),
    "palette.png": (lambda picture, path: picture.quantize(256).save(path, "PNG"), 8),
    "one_bit.png": (lossless("1"), None),
    "alpha.png": (see_through, None),
    "opaque_alpha.png": (lossless("RGBA"), 0),
    "grey_alpha.png": (lossless("LA"), None),
    "sixteen_bits.png": (deep(np.uint16, 257, "PNG"), None),
    "sixteen_bits.tif": (deep(np.uint16, 257, "TIFF"), None),
    "CMYK.tif": (lossless("CMYK", "TIFF"), 0),
    "CMYK.jpg": (lossless("CMYK", "JPEG"), 6),
    "YCbCr.tif": (lossless("YCbCr", "TIFF"), 3),
    "LAB.tif": (lossless("LAB", "TIFF"), None),
    "JPEG.jpg": (lambda picture, path: picture.save(path, "JPEG", quality=95), 4),
    "grey.jpg": (lossless("L", "JPEG"), None),
    "progressive.jpg": (lambda picture, path: picture.save(path, "JPEG", quality=95, progressive=True), 4),
    "animated.gif": (animated("GIF"), None),
    "animated.webp": (animated("WEBP"), 0),
    "animated.png": (animated("PNG"), 0),
    "WebP.webp": (lambda picture, path: picture.save(path, "WEBP", lossless=True), 0),
    "BMP.bmp": (lossless("RGB", "BMP"), 0),
    "PPM.ppm": (lossless("RGB", "PPM"), 0),
    "AVIF.avif": (lambda picture, path: picture.save(path, "AVIF", quality=90), 6),
    "JPEG2000.jp2": (lambda picture, path: picture.save(path, "JPEG2000"), 0),
    "wrong_ending.jpg": (lossless("RGB"), 0),
    "no_ending": (lossless("RGB"), 0),
    "turned.jpg": (turned(6), None),
    "mirrored.jpg": (turned(5), None),
    "turned.png": (turned(8, "PNG"), None),
    "turned.tif": (turned(3, "TIFF"), None),
    "turned.webp": (turned(6, "WEBP"), None),
}


SIZE = (32, 48)


def scene(height: int, width: int) -> Image.Image:
    """Something smooth in colours, so that lossy formats keep it."""
    y, x = np.mgrid[0:height, 0:width]
    bands = (x * 255 / width, y * 255 / height, 127 + 100 * np.sin(x / 20 + y / 30))
    return Image.fromarray(np.stack(bands, -1).astype(np.uint8))


SCENE = scene(450, 600)


@pytest.fixture(scope="module", params=["stretch", "fit", "crop"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """A folder with a file of each case, as it is loaded."""
    folder = tmp_path_factory.mktemp("formats")
    random = np.random.default_rng(0)
    for name in ("cat/others", "dog"):
        (folder / name).mkdir(parents=True)
        for index in range(4):
            Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).save(folder / name / f"{index}.png")
    for name, (write, _) in CASES.items():
        write(SCENE.copy(), folder / "cat" / name)
    return folder, load(folder, image_size=SIZE, resize=request.param)


@pytest.mark.parametrize("name", CASES)
def test_training_and_predict_see_the_same(loaded: tuple[Path, Dataset], name: str) -> None:
    folder, data = loaded
    seen = {
        file: image
        for part in (data.train, data.validation, open_seal(data.test))
        for file, image in zip(part.names, part.images, strict=True)
    }[f"cat/{name}"].numpy()

    assert data.reads is not None
    assert np.array_equal(seen, data.reads.read([folder / "cat" / name])[0])
    levels = CASES[name][1]
    if levels is not None and data.reads.to_dict()["fit"] == "stretch":
        wanted = np.asarray(SCENE.resize(SIZE[::-1], Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(seen - wanted).mean() <= levels + 1


def test_there_are_at_least_24_of_them() -> None:
    assert len(CASES) >= 24
