"""1,000 files, 50 of them spoilt in a dozen ways: each is named with its reason before training, and no other is."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.core import BadData
from holdfast.data import load

FILES, DEFECTS = 1000, 50
Spoil = Callable[[Path, np.random.Generator], None]


def picture(random: np.random.Generator, format: str, **options: object) -> bytes:
    """A small picture that is unlike others."""
    file = io.BytesIO()
    small = random.integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(small).resize((48, 36), Image.Resampling.BICUBIC).save(file, format, **options)
    return file.getvalue()


def written(make: Callable[[np.random.Generator], bytes]) -> Spoil:
    return lambda path, random: void(path.write_bytes(make(random)))


def void(_: object) -> None:
    """Nothing."""


def cut(format: str, share: float) -> Spoil:
    def make(random: np.random.Generator) -> bytes:
        whole = picture(random, format)
        return whole[: int(share * len(whole))]

    return written(make)


def noise_in_jpeg(random: np.random.Generator) -> bytes:
    whole = picture(random, "JPEG", quality=100)
    begin = whole.index(b"\xff\xda") + 100
    noise = random.integers(0, 256, (len(whole) - begin) // 2, np.uint8)
    noise[:: len(noise) // 4] = 255  # markers where none may be
    return whole[:begin] + noise.tobytes() + whole[begin + len(noise) :]


def hole_in_jpeg(random: np.random.Generator) -> bytes:
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(file, "JPEG")
    whole = file.getvalue()
    begin = whole.index(b"\xff\xda") + 200
    return whole[:begin] + bytes(1500) + whole[begin + 1500 :]


def wrong_tables(random: np.random.Generator) -> bytes:
    whole = bytearray(picture(random, "JPEG"))
    begin = whole.index(b"\xff\xc4") + 5
    whole[begin : begin + 12] = b"\xff" * 12
    return bytes(whole)


def spoilt_chunk(random: np.random.Generator) -> bytes:
    whole = bytearray(picture(random, "PNG"))
    place = whole.index(b"IDAT") + 4 + int(random.integers(20, 60))
    whole[place] ^= 0x10
    return bytes(whole)


def sides(width: int, height: int) -> Callable[[np.random.Generator], bytes]:
    """A PNG that says that it has these sides."""

    def make(random: np.random.Generator) -> bytes:
        import zlib

        whole = bytearray(picture(random, "PNG"))
        whole[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4, "big")
        return bytes(whole)

    return make


def packed(random: np.random.Generator) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", picture(random, "JPEG"))
    return file.getvalue()


def floats(random: np.random.Generator) -> bytes:
    file = io.BytesIO()
    Image.fromarray(random.random((20, 20)).astype(np.float32)).save(file, "TIFF")
    return file.getvalue()


SPOILT: dict[str, tuple[Spoil, str]] = {
    "empty.jpg": (written(lambda random: b""), "empty, 0 bytes"),
    "half.jpg": (cut("JPEG", 0.9), "truncated"),
    "head.jpg": (cut("JPEG", 0.1), "not a picture|truncated|damaged"),
    "half.png": (cut("PNG", 0.5), "truncated"),
    "nearly.webp": (cut("WEBP", 0.7), "damaged|truncated|not a picture"),
    "text.jpg": (written(lambda random: b"no picture, only words " * 9), "not a picture of a known format"),
    "page.jpg": (written(lambda random: b"<!DOCTYPE html><html>404</html>"), "a web page, not a picture"),
    "noise.jpg": (written(noise_in_jpeg), "damaged"),
    "hole.jpg": (written(hole_in_jpeg), "damaged: its compressed data"),
    "tables.jpg": (written(wrong_tables), "damaged|truncated"),
    "chunk.png": (written(spoilt_chunk), "damaged"),
    "bomb.png": (written(sides(30_000, 30_000)), "more than 89 million pixels"),
    "flat.png": (written(sides(0, 36)), "not a picture|damaged"),
    "zip.jpg": (written(packed), "not a picture of a known format"),
    "floats.tif": (written(floats), "float pixels"),
    "pipe.jpg": (lambda path, random: os.mkfifo(path), "not a file"),
    "lost.jpg": (lambda path, random: path.symlink_to("nowhere"), "missing"),
    "folder.jpg": (lambda path, random: path.symlink_to(path.parent), "a link to a folder"),
}
SOUND: tuple[Callable[[np.random.Generator], tuple[bytes, str]], ...] = (
    lambda random: (picture(random, "JPEG"), "jpg"),
    lambda random: (picture(random, "JPEG", progressive=True, optimize=True), "jpeg"),
    lambda random: (picture(random, "PNG"), "png"),
    lambda random: (picture(random, "PNG"), "jpg"),  # a wrong ending is no defect
    lambda random: (picture(random, "WEBP"), "webp"),
    lambda random: (picture(random, "GIF"), "gif"),
    lambda random: (picture(random, "BMP"), "bmp"),
    lambda random: (picture(random, "TIFF"), "tif"),
    lambda random: (picture(random, "JPEG", restart_marker_blocks=2), "jpg"),
    lambda random: (picture(random, "JPEG") + b"\0" * 2000, "jpg"),  # what follows the picture does not matter
    lambda random: (picture(random, "JPEG", comment=b"\xff\x01" * 99), "jpg"),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_50_of_50_are_named_and_no_sound_file_is(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    for index in range(FILES - DEFECTS):
        content, ending = SOUND[index % len(SOUND)](random)
        (tmp_path / ("cat", "dog")[index % 2] / f"{index}.{ending}").write_bytes(content)
    planted: dict[str, str] = {}
    kinds = list(SPOILT)
    for index in range(DEFECTS):
        kind = kinds[index % len(kinds)]
        name = f"{('cat', 'dog')[int(random.integers(2))]}/bad{index}-{kind}"
        SPOILT[kind][0](tmp_path / name, random)
        planted[name] = SPOILT[kind][1]

    with pytest.raises(BadData, match=f"{DEFECTS} of {FILES} files cannot be read"):
        load(tmp_path)
    data = load(tmp_path, skip_bad=True)

    assert {bad.path for bad in data.facts.skipped} == set(planted)
    for bad in data.facts.skipped:
        assert any(reason in bad.reason for reason in planted[bad.path].split("|")), bad
    assert len(data.train) + len(data.validation) + len(data.test) == FILES - DEFECTS
    assert len(data.train.images) == len(data.train)  # all of it is decoded: no epoch meets a bad file


def test_there_are_at_least_a_dozen_kinds() -> None:
    assert len(SPOILT) >= 12
