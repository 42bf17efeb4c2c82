"""Claim: a net trained on MNIST answers 95 +- 1 % of MNIST's test part, and of pictures of another kind at most 20 %.

The net is that of `holdfast train mnist`; its thresholds come from the validation part.  Other kinds, as 28x28 grey:
photos of clothing, spectrograms of spoken digits, scikit-learn's digits in negative, letters in several fonts, noise.
Not another kind, but told beside: printed digits, and scikit-learn's handwritten ones.  A turn is a seed.

    python benchmarks/unknown.py                                      # three minutes
"""

import os
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import LEDGER, Spread, parser_for, write
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import holdfast
from holdfast.evaluate import Ledger, unseal

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZabdefghijkmnpqrtuvwxy"  # without those that are digits in some hand
Pictures = NDArray[np.uint8]


def main() -> None:
    """Trains, asks, prints and writes."""
    parser = parser_for(__doc__, turns=5)
    parser.add_argument("--epochs", type=int, help="by default what holdfast.train takes")
    parser.add_argument("--images", type=int, help="to learn from; by default all")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="where looks at the test part are counted")
    given = parser.parse_args()
    data = holdfast.data.load(DATA / "mnist")
    with Ledger.open(given.ledger) as ledger:
        run = ledger.begin_run("benchmark", data)
        test = unseal(data.test, ledger=ledger, run=run)
        ledger.end_run(run, "done")
    if given.images:
        data = data.with_parts(data.train.take(np.arange(given.images)), data.validation)
    kinds = dict(strangers())
    points = []
    for seed in range(given.turns):
        with tempfile.TemporaryDirectory() as folder:
            model = holdfast.train(data, epochs=given.epochs, seed=seed, out=folder, verbose=0).model
        points.append({"seed": seed, **asked(model, test), "unknown": {k: unknown(model, x) for k, x in kinds.items()}})
    for name in ("answered", "accuracy", "accuracy_of_answered", "calibration_error"):
        print(f"{name:<24} {Spread.of([100 * point[name] for point in points]).text('.2f')} %")
    for name, pictures in kinds.items():
        shares = [100 * point["unknown"][name] for point in points]
        least = f"least {min(shares):.1f} %"
        print(f"{name:<24} {Spread.of(shares).text('.1f')} % unknown, {least}, of {len(pictures):,}")
    counts = {name: len(pictures) for name, pictures in kinds.items()}
    write(given.out, "unknown", samples=len(test), pictures=counts, points=points)


def asked(model: holdfast.models.BaseModel, test: holdfast.data.Part) -> dict[str, Any]:  # Any: JSON numbers
    """What the model makes of the test part."""
    shares, labels = model.predict(test.images), test.labels.numpy()
    known, right = ~unknown_in(model, shares), shares.argmax(1) == labels
    return {
        "answered": float(known.mean()),
        "accuracy": float(right.mean()),
        "accuracy_of_answered": float(right[known].mean()),
        "calibration_error": holdfast.evaluate.calibration(labels, shares).ece,
    }


def unknown(model: holdfast.models.BaseModel, pictures: Pictures) -> float:
    """The share of pictures that the model does not know."""
    return float(unknown_in(model, model.predict(pictures)).mean())


def unknown_in(model: holdfast.models.BaseModel, shares: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) as the model's own thresholds say."""
    assert model.unknown is not None
    return model.unknown(shares)


def strangers() -> Iterator[tuple[str, Pictures]]:
    """Pictures (N, 28, 28, 1) of several kinds, by name; those of which the data is there."""
    from sklearn.datasets import load_digits

    digits = stacked(np.rint(255 / 16 * one).astype(np.uint8) for one in load_digits().images)
    if (DATA / "clothing").is_dir():
        files = sorted((DATA / "clothing").glob("*/*.jpg"))
        photos = stacked(np.asarray(Image.open(file).convert("L")) for file in files)
        yield "clothing", photos
        yield "clothing in negative", 255 - photos
    if (DATA / "spoken_digits").is_dir():
        yield "spectrograms", stacked(map(spectrogram, sorted((DATA / "spoken_digits").glob("*/*.wav"))))
    yield "digits in negative", 255 - digits
    yield "letters", printed(LETTERS)
    yield "Greek and Cyrillic", printed("ΓΔΘΛΞΠΣΦΨΩЖЩЮЯФДЛ")
    yield "noise", np.random.default_rng(0).integers(0, 256, (2000, 28, 28, 1), np.uint8)
    yield "scikit-learn digits", digits
    yield "printed digits", printed("0123456789")


def stacked(pictures: Iterator[Pictures]) -> Pictures:
    """(N, 28, 28, 1), each stretched to that size."""
    images = (Image.fromarray(one).resize((28, 28), Image.Resampling.LANCZOS) for one in pictures)
    return np.stack([np.asarray(image) for image in images])[..., None]


def spectrogram(path: Path) -> Pictures:
    """The loudness in decibels over time and frequency, from black to white."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 2**15
    spectrum = torch.stft(torch.from_numpy(samples), 256, 64, window=torch.hann_window(256), return_complex=True)
    decibels = torch.log10(spectrum.abs() + 1e-4).flip(0).numpy()
    found: Pictures = np.rint(255 * (decibels - decibels.min()) / np.ptp(decibels)).astype(np.uint8)
    return found


def printed(letters: str) -> Pictures:
    """Each letter in each of the fonts that matplotlib brings, white on black and 22 pixels high."""
    import matplotlib

    found = []
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for file in sorted([*folder.glob("DejaVuS*.ttf"), *folder.glob("STIXGeneral*.ttf")]):
        if "Display" in file.name:
            continue
        font = ImageFont.truetype(file, 22)
        for letter in letters:
            picture = Image.new("L", (28, 28))
            ImageDraw.Draw(picture).text((14, 14), letter, 255, font=font, anchor="mm")
            found.append(np.asarray(picture))
    return np.stack(found)[..., None]


if __name__ == "__main__":
    main()
