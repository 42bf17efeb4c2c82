"""One sound from one file: the only decoder, so that training and predict hear the same samples for the same bytes."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile

Wave = NDArray[np.float32]

ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")  # libsndfile's
SLOWEST_HZ, FASTEST_HZ = 1_000, 768_000
LONGEST = 2**28  # numbers of one file, 1 GB when decoded
SILENT = 1e-5  # of full scale, 100 dB below it
FULL, CLIPPED = 0.999, 0.01  # of full scale; share of samples that lie there from which on a sound is called clipped
STREAMED = 2**31 - 2**16  # what writes into a pipe says that so many bytes follow, or more
DECLARED = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
OGG_PAGE, OGG_LAST = b"OggS", 4
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Header:
    """What a file says of its sound: samples a second, moments, channels."""

    rate: int
    frames: int
    channels: int


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded sound.

    Attributes:
        wave: (T,) float32 in -1..1, the mean of its channels.
        rate: samples a second.
        clipped: the share of samples at the limits of what the file can hold.
    """

    wave: Wave
    rate: int
    clipped: float


def read_header(content: bytes) -> Header:
    """What a file says; one that passes may still be truncated.  Raises BadFile with the bare reason."""
    with _opened(content) as file:
        return _header(file)


def decode(content: bytes) -> Sound:
    """The sound in a file with this content.

    Raises:
        BadFile: no sound, or a damaged, empty or silent one, or with numbers that are none; the bare reason.
    """
    if content[:4] == OGG_PAGE:
        _check_pages(content)
    with _opened(content) as file:
        header = _header(file)
        declared = DECLARED.search(file.extra_info)
        if declared and int(declared[2]) < int(declared[1]) < STREAMED:
            raise BadFile("truncated")
        try:
            samples: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
        except (RuntimeError, MemoryError, ValueError) as error:  # libsndfile's own error is the first
            raise BadFile("damaged or truncated") from error
    if len(samples) < header.frames:
        raise BadFile("damaged or truncated")
    return Sound(_mixed(samples), header.rate, float((np.abs(samples) >= FULL).mean()))


def _mixed(samples: NDArray[np.float32]) -> Wave:
    """The mean of the channels, (T, C) -> (T,).  Raises BadFile with the bare reason where nothing can be heard."""
    if not np.isfinite(samples).all():
        raise BadFile("holds NaN or infinite samples")
    wave = np.ascontiguousarray(samples[:, 0] if samples.shape[1] == 1 else samples.mean(1))
    if np.abs(wave).max() < SILENT:
        mixed = np.abs(samples).max() >= SILENT
        raise BadFile(f"silent once its {samples.shape[1]} channels are mixed" if mixed else "silent")
    return wave


def resampled(wave: Wave, rate: int, wanted: int) -> Wave:
    """The sound at another rate: (T,) -> (ceil(T * wanted / rate),), by a polyphase filter that lets no note fold."""
    if rate == wanted:
        return wave
    from scipy.signal import resample_poly

    common = int(np.gcd(rate, wanted))
    found: Wave = resample_poly(wave, wanted // common, rate // common).astype(np.float32)
    return found


def trimmed(wave: Wave, rate: int, below_db: float) -> Wave:
    """Without its beginning and end as far as they are so many decibels softer than its loudest hundredth second."""
    step = max(1, rate // 100)
    if len(wave) < 2 * step:
        return wave
    powers = np.square(wave[: len(wave) // step * step].reshape(-1, step)).mean(1)
    heard = np.flatnonzero(powers >= powers.max() * 10 ** (-below_db / 10))
    return wave[heard[0] * step : (heard[-1] + 1) * step]


def _opened(content: bytes) -> Any:  # Any: soundfile is not annotated
    """The file as libsndfile opens it.  Raises BadFile with the bare reason."""
    import soundfile

    if not content:
        raise BadFile("empty, 0 bytes")
    try:
        file = soundfile.SoundFile(_Bytes(content))
    except (RuntimeError, TypeError) as error:
        raise BadFile(_reason(content)) from error
    if file.format not in FORMATS:
        file.close()
        raise BadFile(f"{file.format}, save it as WAV, FLAC, OGG or MP3")
    return file


class _Bytes(BytesIO):
    """Bytes in which libsndfile, which does so in damaged files, is told that it cannot seek before the beginning."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return -1


def _header(file: Any) -> Header:  # Any: as above
    """What an opened file says, checked.  Raises BadFile with the bare reason."""
    header = Header(file.samplerate, file.frames, file.channels)
    if not header.frames:
        raise BadFile("holds no samples")
    if not SLOWEST_HZ <= header.rate <= FASTEST_HZ:
        raise BadFile(f"{header.rate:,} samples a second; {SLOWEST_HZ:,} to {FASTEST_HZ:,} are read")
    if header.frames * header.channels > LONGEST:
        raise BadFile(f"{header.frames / header.rate / 60:.0f} minutes long, cut it into pieces")
    return header


def _reason(content: bytes) -> str:
    """Why libsndfile does not open it."""
    known = content[:4] in (b"RIFF", b"fLaC", OGG_PAGE) or content[:3] == b"ID3" or content[:2] == b"\xff\xfb"
    return "damaged or truncated" if known else "not a sound of a known format"


def _check_pages(content: bytes) -> None:
    """Raises BadFile for an OGG that ends too early or has a damaged page: libsndfile leaves such out and says nothing.

    Source: RFC 3533, section 6.  zlib's checksum is the same but for the order of bits.
    """
    start, last = 0, False
    while start < len(content):
        head = content[start : start + 27]
        if len(head) < 27 or head[:4] != OGG_PAGE:
            raise BadFile("damaged or truncated")
        body = start + 27 + head[26]
        end = body + sum(content[start + 27 : body])
        page = head[:22] + bytes(4) + content[start + 26 : end]
        checksum = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
        if end > len(content) or int(f"{checksum:032b}"[::-1], 2) != int.from_bytes(head[22:26], "little"):
            raise BadFile("damaged or truncated")
        start, last = end, bool(head[5] & OGG_LAST)
    if not last:
        raise BadFile("truncated")
