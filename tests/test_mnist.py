"""The classic net on MNIST reaches what it does in Keras, and its dense twin does not.

Measured with torch 2.13.0 on 2 cores, test accuracy of the weights after epoch 12: the convnet 98.37, 98.86, 99.05,
99.06 and 98.53 % for the seeds 0 to 4 (mean 98.77; Keras 98.7 to 98.9), the twin 96.18, 96.21 and 96.17 % for 0 to 2.
The last epoch swings, so the test keeps the epoch with the best validation loss, as `holdfast.train` does.
"""

import os
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from holdfast.callbacks import EarlyStopping
from holdfast.data import Dataset, Part, load
from holdfast.evaluate import Ledger, Score, score, unseal
from holdfast.models import BaseModel, convnet, dense_twin

MNIST = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "mnist"


@cache
def mnist() -> tuple[Tensor, Tensor, Dataset]:
    """The 60,000 training pictures and labels in the order of the file, and the data they are of."""
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST at {MNIST}; HOLDFAST_DATA names the folder that holds mnist/")
    data = load(MNIST)
    parts = (data.train, data.validation)
    places = torch.tensor([place_of(name) for part in parts for name in part.names])
    order = places.argsort()
    images = torch.cat([part.images for part in parts])[order]
    labels = torch.cat([part.labels for part in parts])[order]
    assert torch.equal(places[order], torch.arange(60_000))
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    return images, labels, data


def place_of(name: str) -> int:
    """ "train[17]" -> 17."""
    return int(name.removeprefix("train[").removesuffix("]"))


def trained(model: BaseModel) -> BaseModel:
    """RMSprop, batches of 320, 12 epochs, the last 15 % held out: the browser example that everybody knows."""
    images, labels, _ = mnist()
    model.compile("rmsprop", "sparse_categorical_crossentropy", ["accuracy"])
    best = EarlyStopping(patience=12)  # never stops, but restores
    model.fit(images, labels, 320, 12, 0, best, validation_split=0.15, split_order="tail", measure_train="never")
    return model


def accuracy_on_test(model: BaseModel, folder: Path) -> Score:
    with Ledger.open(folder / "ledger.db") as ledger:
        data = mnist()[2]
        part: Part = unseal(data.test, ledger=ledger, run=ledger.begin_run("mnist", data))
        looks = ledger.openings(part.fingerprint)
    return score(part.labels, model.predict(part), part="test", looks=looks).accuracy


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_convnet_of_33194_parameters_reaches_98_6_percent(tmp_path: Path) -> None:
    model = convnet((28, 28, 1), 10)
    assert model.count_params() == 33_194

    accuracy = accuracy_on_test(trained(model), tmp_path)

    assert accuracy.n == 10_000
    assert accuracy.looks == 1
    assert accuracy.value >= 0.986


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_its_dense_twin_ends_between_95_8_and_96_9_percent(tmp_path: Path) -> None:
    model = dense_twin(convnet((28, 28, 1), 10))
    assert model.count_params() == 33_400

    accuracy = accuracy_on_test(trained(model), tmp_path)

    assert 0.958 <= accuracy.value <= 0.969
