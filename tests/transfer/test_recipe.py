"""The recipe for a head: it learns from features of any size, and begins without an opinion."""

import numpy as np
import pytest

from holdfast.layers import Input
from holdfast.models import Model
from holdfast.transfer.recipe import head_on, transfer_epochs, transfer_optimizer

RANDOM = np.random.default_rng(0)
Y = np.arange(96) % 3
X = (np.eye(3)[Y] @ RANDOM.normal(size=(3, 16)) + 0.3 * RANDOM.normal(size=(96, 16))).astype(np.float32)


def head() -> Model:
    features = Input((16,))
    model = Model(features, head_on(features, 3))
    model.compile(transfer_optimizer(), metrics=["accuracy"])
    return model


def test_before_it_has_learned_all_classes_are_as_likely() -> None:
    np.testing.assert_allclose(head().predict(X), 1 / 3, rtol=1e-6)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1000.0, 0.0), (0.3, 50.0)])
def test_features_of_any_size_are_learned_alike(scale: float, offset: float) -> None:
    model = head()

    history = model.fit(scale * X + offset, Y, epochs=transfer_epochs(0), batch_size=32, verbose=0)

    assert history.history["accuracy"][-1] > 0.95


def test_layers_that_learned_elsewhere_are_trained_for_fewer_epochs() -> None:
    assert transfer_epochs(2) < transfer_epochs(0)
