"""The page of a base that learned without labels: its losses, what it rebuilds, and where it puts what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Dataset
from ...transfer import pretraining
from ...transfer.pretraining import Pretrained
from ..formats import decimals, percent
from .drawing import epoch_ticks
from .overlay import LABELLED, Overlay, Values, overlay
from .report import rendered
from .tiles import tile

REBUILT, ASKED, NEIGHBOURS, PLACED = 12, 8, 7, 180  # samples that are shown in each section
MAP_WIDE, MAP_HIGH, MAP_TILE = 720, 460, 26
Sample = NDArray[Any]  # Any: uint8 or float32


@dataclass(frozen=True)
class Placed:
    """A sample in the drawing of features."""

    x: float
    y: float
    image: Sample | None


def page(name: str, data: Dataset, learned: Pretrained, facts: dict[str, Any]) -> str:
    """The page as one HTML file that asks the network for nothing.

    Args:
        name: of the base.
        data: what it learned from.
        learned: what was learned.
        facts: of the base; Any: JSON values.
    """
    samples = pretraining.samples_of(data).index_select(0, learned.held)[:]
    features = learned.encoder.predict(samples.numpy())
    places, shares = embedding(features)
    drawable = tile(samples[0].numpy(), data.kind) is not None and data.things == "pictures"
    values = {
        "name": name,
        "facts": facts,
        "things": data.things,
        "chart": losses(learned.history.history),
        "LABELLED": LABELLED,
        "rows": rows(learned, samples[:REBUILT]) if drawable else [],
        "neighbours": neighbours(features, samples.numpy()) if drawable else [],
        "placed": placed(places, samples.numpy() if drawable else None),
        "shares": [percent(share) for share in shares],
        "MAP_WIDE": MAP_WIDE,
        "MAP_HIGH": MAP_HIGH,
        "MAP_TILE": MAP_TILE,
    }
    return rendered("pretrain.html.j2", values, html=True)


def losses(history: dict[str, list[float]]) -> Overlay:
    """The losses over the epochs."""
    epochs = [float(number) for number in range(1, len(history["loss"]) + 1)]
    series = {"learned": Values(epochs, history["loss"]), "held out": Values(epochs, history["val_loss"])}
    spots = [
        (epoch, f"epoch {epoch:.0f}: {decimals(one)}, held out {decimals(other)}")
        for epoch, one, other in zip(epochs, history["loss"], history["val_loss"], strict=True)
    ]
    ticks = [(tick, f"{tick:g}") for tick in epoch_ticks(len(epochs))]
    return overlay("loss", series, ticks, is_share=False, spots=spots)


def rows(learned: Pretrained, samples: Any) -> list[tuple[str, list[Sample]]]:  # Any: a tensor (n, *shape)
    """What is drawn one under the other: the samples, what the network saw of them, and what it made of that."""
    seen = pretraining.changed(learned, samples)
    if learned.method == "contrastive":
        one, other = seen.chunk(2)
        return [("original", _drawn(samples)), ("one view", _drawn(one)), ("another", _drawn(other))]
    shown = [("original", _drawn(samples))]
    shown += [] if learned.method == "autoencoder" else [("shown", _drawn(seen))]
    shown.append(("rebuilt", _drawn(pretraining.rebuilt(learned, seen))))
    return shown


def _drawn(samples: Any) -> list[Sample]:  # Any: a tensor
    """Bytes where values are near those of bytes; else as they are, and each is drawn on a scale of its own."""
    array = samples.numpy()
    if array.dtype != np.uint8 and array.max() > 2:
        array = array.clip(0, 255).round().astype(np.uint8)
    return list(array)


def neighbours(features: NDArray[np.float32], samples: Sample) -> list[tuple[Sample, Sequence[Sample]]]:
    """Some samples, and of all others those whose features point in the most similar direction."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    asked = min(ASKED, len(unit))
    alike = unit[:asked] @ unit.T
    alike[np.arange(asked), np.arange(asked)] = -np.inf
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(unit) - 1)]
    return [(samples[place], samples[row]) for place, row in enumerate(nearest)]


def embedding(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """(M, 2) the first two principal components of features, and their shares of the variance."""
    centred = features.astype(np.float64) - features.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    s = np.pad(s, (0, max(0, 2 - len(s))))
    total = float(np.square(s).sum()) or 1.0
    u = np.pad(u, ((0, 0), (0, max(0, 2 - u.shape[1]))))
    return u[:, :2] * s[:2], (float(s[0] ** 2 / total), float(s[1] ** 2 / total))


def placed(places: NDArray[np.float64], samples: Sample | None) -> list[Placed]:
    """Where each of the first samples is drawn, in the units of the drawing."""
    low, high = places.min(0), places.max(0)
    across = (places[:PLACED] - low) / np.where(high > low, high - low, 1.0)
    room = np.array([MAP_WIDE - 2 * MAP_TILE, MAP_HIGH - 2 * MAP_TILE])
    return [
        Placed(float(x), float(MAP_HIGH - y), None if samples is None else samples[index])
        for index, (x, y) in enumerate(MAP_TILE + across * room)
    ]
