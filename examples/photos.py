"""The whole job in one call: a folder of pictures in, a run with its score, its report and its ledger out.

python examples/photos.py            # writes photos/ and runs/
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import holdfast

SIDE = 32


def draw(shape: str, random: np.random.Generator) -> Image.Image:
    """A blurred shape of any colour, place and size."""
    image = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(0, 90, 3).tolist()))
    x, y, r = random.integers((10, 10, 5), (22, 22, 9)).tolist()
    colour, pen = tuple(random.integers(120, 256, 3).tolist()), ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), colour)
    elif shape == "square":
        pen.rectangle((x - r, y - r, x + r, y + r), colour)
    else:
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], colour)
    return image.filter(ImageFilter.GaussianBlur(float(random.uniform(0, 2))))


def main() -> None:
    random = np.random.default_rng(0)
    for shape in ("circle", "square", "triangle"):  # a folder for each class
        folder = Path("photos") / shape
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(200):
            draw(shape, random).save(folder / f"{number:03d}.png")

    data = holdfast.data.load("photos", validation=0.2, test=0.2)
    print(data.train, data.validation, data.test)

    run = holdfast.train(data, epochs=30, optimizer="rmsprop", patience=4)
    print(run.validation.accuracy)  # never without n, interval, and how often it was looked at
    print("why it stopped:", run.record.stop)
    print("report:", run.folder / "report.html")

    draw("triangle", random).save("new.png")
    for name, share in zip(run.record.classes, run.predict(["new.png"])[0], strict=True):
        print(f"new.png is a {name}: {100 * share:.1f} %")

    judged = holdfast.evaluate_run(run.folder, open_test=True)  # counted in runs/ledger.db before it is read
    assert judged.test is not None
    print(judged.test.accuracy)


if __name__ == "__main__":
    main()
