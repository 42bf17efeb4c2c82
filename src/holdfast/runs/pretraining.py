"""`pretrain`: samples without labels in, a folder out that is a base; with what was learned, and from what."""

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core import whole_folder
from ..data import Dataset, load_pool
from ..evaluate.interval import Interval, normal, wilson
from ..transfer import pretraining
from ..transfer.pretrain_tasks import Method
from ..transfer.pretraining import Pretrained
from . import lines
from .bases import LEARNED
from .formats import decimals, interval, percent
from .loading import Loading
from .record import machine, versions
from .run import HISTORY, MODEL, REPORT
from .write import write_history, write_text

DECODER, FACTS = "decoder.keras", "pretrain.json"
OURS = re.compile("|".join(map(re.escape, (MODEL, DECODER, FACTS, LEARNED, REPORT, HISTORY))))


@dataclass(frozen=True)
class Base:
    """A base that learned without labels.

    Attributes:
        folder: where it is; `holdfast train DATA --base` takes it.
        learned: what was learned.
        facts: as pretrain.json has them; Any: JSON values.
    """

    folder: Path
    learned: Pretrained
    facts: dict[str, Any]


def pretrain(
    data: Dataset | str | Path,
    *,
    method: Method | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path = "base",
    verbose: Literal[0, 1, 2] = 1,
    reading: dict[str, Any] | None = None,  # Any: options of `load_pool`
) -> Base:
    """Learns features from samples without labels, and writes them as a base.

    The folder appears when all is done, or not at all: model.keras, the encoder; decoder.keras, where there is one;
    report.html; pretrain.json, the facts; history.csv; learned.npy, digests of the samples that were learned from.

    Args:
        data: a Dataset, of which the training samples and the unlabelled ones are taken; or what `data.load_pool`
            takes.
        method, epochs, batch_size, seed, device: as of `transfer.pretrain`.
        out: the folder; an earlier base there is replaced.
        verbose: 0 silent, 1 a progress line, 2 a line an epoch.
        reading: options of `load_pool`, when `data` is a path or a name.

    Raises:
        BadFile: a folder that holds something else, or data that cannot be read.
        BadData, BadShape, BadValue: as `transfer.pretrain`.
    """
    say = lines.say if verbose else lines.quiet
    folder = Path(out)
    with whole_folder(folder, OURS) as writing:
        if not isinstance(data, Dataset):
            with Loading(quiet=not verbose) as progress:
                data = load_pool(data, **{"seed": seed, **(reading or {})}, progress=progress)
        say("data", data_line(data))
        for note in data.facts.notes:
            say("note", note)
        began, started = time.perf_counter(), datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        learned = pretraining.pretrain(
            data,
            method=method,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            device=device,
            verbose=verbose,
        )
        facts = _facts(data, learned, seed, started, time.perf_counter() - began)
        from .pages.pretraining import page

        learned.encoder.save(writing / MODEL)
        if learned.decoder is not None:
            learned.decoder.save(writing / DECODER)
        write_history(writing / HISTORY, learned.history.logs)
        np.save(writing / LEARNED, digests_of(data))
        write_text(writing / REPORT, page(folder.resolve().name, data, learned, facts))
        write_text(writing / FACTS, json.dumps(facts, indent=1))
    say("held out", facts["sentence"])
    say("saved", f"{folder} · next: holdfast train DATA --base {lines.quoted(folder)}")
    return Base(folder, learned, facts)


def data_line(data: Dataset) -> str:
    """What is learned from, and what is not."""
    pool = 0 if data.unlabelled is None else len(data.unlabelled)
    known = len(data.train)
    words = [f"{pool:,} without labels"] if pool else []
    words += [f"{known:,} of the training part, whose labels are not read"] if known else []
    unread = len(data.validation) + len(data.test)
    rest = f"; {unread:,} of validation and test stay unseen" if unread else ""
    return f"{data.name}: {pool + known:,} {data.things}, {lines.shape_words(data.shape)}: {', '.join(words)}{rest}"


def digests_of(data: Dataset) -> NDArray[np.uint64]:
    """Of all samples that are learned from, sorted."""
    parts = [data.train, *([data.unlabelled] if data.unlabelled is not None else [])]
    known = [part.digests for part in parts if part.digests is not None]
    return np.unique(np.concatenate(known)) if known else np.empty(0, np.uint64)


def _facts(data: Dataset, learned: Pretrained, seed: int, started: str, seconds: float) -> dict[str, Any]:
    """What is to be known of a base; Any: JSON values."""
    losses = learned.losses.double().numpy()
    loss, ends = float(losses.mean()), normal(losses, float("-inf"), float("inf"))
    score, words = _score(data, learned)
    return {
        "data": data.name,
        "origin": dict(data.origin),
        "fingerprint": data.fingerprint,
        "split_fingerprint": data.split_fingerprint,
        "things": data.things,
        "samples": learned.samples,
        "unlabelled": 0 if data.unlabelled is None else len(data.unlabelled),
        "held_out": len(learned.held),
        "shape": list(data.shape),
        "features": learned.encoder.outputs[0].shape[-1],
        "method": learned.method,
        "epochs": len(learned.history.logs),
        "batch_size": learned.batch_size,
        "seed": seed,
        "started": started,
        "seconds": seconds,
        "loss": {"value": loss, "interval": list(ends), "n": len(learned.held)},
        "score": score,
        "sentence": f"{words}; loss {decimals(loss)} {interval_of(ends)}",
        "notes": list(data.facts.notes),
        "machine": machine(),
        "versions": versions(),
    }


def interval_of(ends: Interval) -> str:
    return f"[{decimals(ends[0])}, {decimals(ends[1])}]"


def held_out(data: Dataset, learned: Pretrained) -> Any:  # Any: a tensor (M, *shape)
    """The samples that were held out."""
    return pretraining.samples_of(data).index_select(0, learned.held)[:]


def _score(data: Dataset, learned: Pretrained) -> tuple[dict[str, Any], str]:
    """What held-out samples say of the features, with its interval; and the same in words."""
    samples = held_out(data, learned)
    n = len(samples)
    if learned.method == "contrastive":
        both = learned.encoder.predict(pretraining.changed(learned, samples).cpu().numpy())
        one, other = np.split(both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12), 2)
        right = int(((one @ other.T).argmax(1) == np.arange(n)).sum())
        ends = wilson(right, n)
        said = f"of {n:,} held-out {data.things}, {percent(right / n)} {interval(ends)} are found by a changed copy"
        return {"name": "found", "value": right / n, "interval": list(ends), "n": n}, said
    raw = samples.float().numpy()
    shown = pretraining.changed(learned, samples)
    errors = np.square(pretraining.rebuilt(learned, shown).numpy() - raw).reshape(n, -1).mean(1)
    spread = np.square(raw - raw.mean(0)).reshape(n, -1).mean()
    shares = (1 - errors / max(float(spread), 1e-12)).astype(np.float64)
    kept, ends = float(shares.mean()), normal(shares, float("-inf"), 1.0)
    of = {"denoising": " of noisy copies", "masked": " of partly hidden copies"}.get(learned.method, "")
    said = f"of {n:,} held-out {data.things}, the features{of} hold {percent(kept)} {interval(ends)} of the variance"
    return {"name": "rebuilt", "value": kept, "interval": list(ends), "n": n}, said
