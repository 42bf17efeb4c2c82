"""How numbers, names and pictures are written in a report and its card."""

import base64
import io
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray


def percent(value: float) -> str:
    """0.8111 -> "81.1 %"; a dash for NaN, where there was nothing to divide by."""
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def interval(ends: tuple[float, float]) -> str:
    """(0.718, 0.879) -> "[71.8, 87.9]"."""
    return f"[{100 * ends[0]:z.1f}, {100 * ends[1]:z.1f}]"


def decimals(value: float) -> str:
    """Three of them, while they matter."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.3g}"


def size(value: float) -> str:
    """Bytes: 310,000,000 -> "310 MB"."""
    return scaled(value) + "B"


def scaled(value: float) -> str:
    """Three digits and a unit's prefix: 38,100,000 -> "38.1 M"."""
    prefixes = iter(["", "k", "M", "G", "T", "P", "E"])
    prefix = next(prefixes)
    while value >= 999.5:
        value, prefix = value / 1000, next(prefixes)
    return f"{value:.3g} {prefix}"


def duration(seconds: float) -> str:
    """161 -> "2 min 41 s"."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def moment(value: float) -> str:
    """A time: the date, in UTC, of what can be seconds since 1970 from 1973 on; of any other number itself."""
    if 1e8 <= value < 1e11:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
    return f"{value:.10g}"


def setting(value: float | str | None) -> str:
    """A hyperparameter: 0.0012345 -> "0.00123", True -> "true", None -> "none"; words and whole numbers as they are."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def settings(values: Mapping[str, Any]) -> str:  # Any: as above
    """`learning_rate 0.004, optimizer adamw`."""
    return ", ".join(f"{name} {setting(value)}" for name, value in values.items())


def markdown(text: object) -> str:
    """Text as Markdown shows it: on one line, and every sign escaped that Markdown or HTML would read as its own."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*\[\]{}#|~$]|\b_\B|\B_", r"\\\g<0>", line)


def fence(code: str, language: str) -> str:
    """A block of code in Markdown, fenced by more backticks than it has itself."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{ticks}{language}\n{code}\n{ticks}"


def data_uri(image: NDArray[Any], limit: int) -> str:
    """A data URI of the picture as PNG, made smaller where a side is longer than `limit` pixels."""
    from PIL import Image

    pixels = _uint8(np.asarray(image))
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        pixels = pixels[:, :, 0]
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((limit, limit), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _uint8(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    return np.asarray(255 * (values - low) / (high - low or 1.0), np.uint8)
