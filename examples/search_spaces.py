"""Spaces: what a search may choose, as a dict, as TOML or as a function; and training by what it found.

python examples/search_spaces.py         # writes runs/ and space.toml
"""

from pathlib import Path

from optuna import Trial

import holdfast
from holdfast.layers import Conv2D, Dense, Flatten, Input, Layer, MaxPooling2D, Rescaling, Symbol
from holdfast.tune import Candidate, Float, as_space, configured, default_space

SPACE = """\
epochs = 4                                            # the same in every trial
optimizer = ["recipe", "sgd"]                         # one of these
filters = {low = 8, high = 24, step = 8}              # of the first convolution
learning_rate = {low = 0.002, high = 0.05, log = true}
momentum = {low = 0.5, high = 0.95, when = {optimizer = "sgd"}}
"""


def net(trial: Trial) -> Candidate:
    """A space may be a function, too: whatever Python can build."""
    layers: list[Layer | Symbol] = [Input((8, 8, 1)), Rescaling(1 / 255)]
    for _ in range(trial.suggest_int("blocks", 1, 2)):
        layers += [Conv2D(trial.suggest_int("width", 8, 16), 3, padding="same", activation="relu"), MaxPooling2D(2)]
    model = holdfast.Sequential([*layers, Flatten(), Dense(10, activation="softmax")])
    return Candidate(model, {"learning_rate": trial.suggest_float("rate", 0.002, 0.05, log=True)})


def main() -> None:
    data = holdfast.data.load("digits")

    # What is chosen when nobody says anything: it has what `train` does by itself.
    for name, dimension in list(default_space(data).dimensions.items())[:3]:
        print(name, dimension)

    # As TOML; `holdfast tune digits --space space.toml` reads it, too.
    Path("space.toml").write_text(SPACE)
    found = holdfast.search(data, as_space("space.toml"), trials=4, verbose=0)
    print("from TOML:", found.best.values)

    # What was found trains by a file, here or as `holdfast train digits --config runs/digits-tune-001/best.toml`.
    best = configured(found.folder / "best.toml")
    run = holdfast.train(data, best.model, **best.how, verbose=0)
    print("again:", run.validation.accuracy.text, "as the search had it:", f"{100 * (found.best.value or 0):.1f} %")

    # As a dict, into the layers of a model by their names or places.
    own = holdfast.convnet(data.shape, len(data.classes))
    space = {"conv2d_1.filters": [16, 32], "layers[-2].rate": Float(0.0, 0.6)}
    found = holdfast.search(data, space, model=own, trials=3, epochs=4, verbose=0)
    print("into layers:", found.best.values)

    found = holdfast.search(data, net, trials=3, epochs=4, verbose=0)
    print("from a function:", found.best.values, found.best.value)


if __name__ == "__main__":
    main()
