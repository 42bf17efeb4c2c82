"""What holds for every layer, by the table in tests/cases.py, and each layer against real Keras."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import functional_call

from cases import CASES, Case
from holdfast import layers
from holdfast.layers import InputLayer, Layer, Torch
from holdfast.models import from_config, load_keras, to_config
from holdfast.training import SGD
from layers.building import Array, golden_model, layer_of, listed, model_of, one_or_all, part

RTOL = 1e-4  # of float32; see "How exact they are" in tests/golden/README.md
ATOL = 1e-6  # for numbers that are sums of larger ones
every_case = pytest.mark.parametrize("case", CASES, ids=str)
trained_cases = pytest.mark.parametrize(
    "case", [case for case in CASES if "loss_0" in part("layers", case.name)], ids=str
)
untrained_cases = pytest.mark.parametrize(
    "case", [case for case in CASES if "loss_0" not in part("layers", case.name)], ids=str
)


def inputs_of(case: Case) -> list[Array]:
    return listed(part("layers", case.name), "input")


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=RTOL, atol=ATOL)


def test_every_public_layer_has_a_case() -> None:
    public = [getattr(layers, name) for name in layers.__all__]
    concrete = {one.__name__ for one in public if inspect.isclass(one) and issubclass(one, Layer) and one is not Layer}

    assert concrete - {InputLayer.__name__, Torch.__name__} == {case.layer for case in CASES}


@every_case
def test_the_shape_made_is_the_shape_promised(case: Case) -> None:
    model = model_of(case)

    made = model.predict(one_or_all(inputs_of(case)))

    assert made.shape[1:] == layer_of(case).out_shape(*case.shapes) == model.outputs[0].shape


@every_case
def test_the_output_is_keras_s(case: Case) -> None:
    close(golden_model(case).predict(one_or_all(inputs_of(case))), part("layers", case.name)["output"])


@untrained_cases
def test_the_gradient_of_the_input_is_keras_s(case: Case) -> None:
    numbers, module = part("layers", case.name), golden_model(case).module
    leaves = [torch.tensor(array, requires_grad=True) for array in inputs_of(case)]

    found = torch.autograd.grad((module(*leaves) * torch.tensor(numbers["targets"])).sum(), leaves)

    for gradient, expected in zip(found, listed(numbers, "input_gradient"), strict=True):
        close(gradient, expected)


@trained_cases
def test_ten_steps_of_training_are_keras_s(case: Case) -> None:
    numbers, model = part("layers", case.name), golden_model(case)
    model.compile(SGD(0.1), loss="mse")

    for epochs, loss, after in ((1, "loss_0", "after_1/weight"), (9, "loss_9", "after_10/weight")):
        history = model.fit(
            one_or_all(inputs_of(case)), numbers["targets"], batch_size=4, epochs=epochs, shuffle=False, verbose=0
        )

        close(history.history["loss"][-1], numbers[loss])
        for found, expected in zip(model.get_weights(), listed(numbers, after), strict=True):
            close(found, expected)


@pytest.mark.parametrize("case", [case for case in CASES if case.layer == "BatchNormalization"], ids=str)
def test_the_output_in_training_is_keras_s(case: Case) -> None:
    module = golden_model(case).module.train()

    found = module(*map(torch.tensor, inputs_of(case))).detach()

    close(found, part("layers", case.name)["output_training"])


@every_case
def test_the_configuration_makes_the_same_layer_again(case: Case) -> None:
    model = model_of(case, name="it")

    config = json.loads(json.dumps(to_config(model)))
    again = from_config(config)

    layer, other = model.layers[-1], again.layers[-1]
    assert isinstance(layer, Layer)
    assert isinstance(other, Layer)
    assert type(layer) is type(other)
    assert layer.settings() == other.settings()
    assert repr(layer) == repr(other)
    assert to_config(again) == to_config(model)


@every_case
def test_weights_go_round(case: Case) -> None:
    model, random = model_of(case), np.random.default_rng(0)
    given = [random.uniform(0.5, 1.5, weight.shape).astype(np.float32) for weight in model.get_weights()]

    model.set_weights(given)

    for found, expected in zip(model.get_weights(), given, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32


@every_case
def test_the_same_seed_makes_the_same_weights(case: Case) -> None:
    for one, other in zip(model_of(case, seed=3).get_weights(), model_of(case, seed=3).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@every_case
def test_gradients_are_those_of_finite_differences(case: Case) -> None:
    module = golden_model(case).module.double()
    leaves = [torch.tensor(array[:2], dtype=torch.float64, requires_grad=True) for array in inputs_of(case)]
    names = [name for name, _ in module.named_parameters()]
    weights = [weight.detach().clone().requires_grad_() for weight in module.parameters()]

    def forward(*tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, tensors[len(leaves) :], strict=True))
        result: torch.Tensor = functional_call(module, given, tensors[: len(leaves)])
        return result

    assert torch.autograd.gradcheck(forward, (*leaves, *weights))


@every_case
def test_a_batch_of_one_gives_the_row_of_a_batch(case: Case) -> None:
    model, inputs = golden_model(case), inputs_of(case)

    whole = model.predict(one_or_all(inputs))

    for row in range(4):
        alone = model.predict(one_or_all([array[row : row + 1] for array in inputs]))
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-5, atol=1e-6)  # sums in another order


@every_case
def test_torch_exports_it(case: Case) -> None:
    module, inputs = golden_model(case).module, tuple(map(torch.tensor, inputs_of(case)))

    exported = torch.export.export(module, inputs)

    torch.testing.assert_close(exported.module()(*inputs), module(*inputs))


@every_case
def test_a_keras_file_brings_it_back(case: Case, tmp_path: Path) -> None:
    model, inputs = golden_model(case), one_or_all(inputs_of(case))

    model.save(tmp_path / "model.keras")
    again = load_keras(tmp_path / "model.keras")

    np.testing.assert_array_equal(again.predict(inputs), model.predict(inputs))
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@every_case
def test_uint8_pictures_and_batches_of_any_size_are_taken(case: Case) -> None:
    model, random = golden_model(case), np.random.default_rng(1)
    pixels = [random.integers(0, 5, (3, *shape), np.uint8) for shape in case.shapes]

    found = model.predict(one_or_all(pixels))

    expected = model.predict(one_or_all([array.astype(np.float32) for array in pixels]))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


@every_case
def test_flops_are_whole_and_not_negative(case: Case) -> None:
    flops = layer_of(case).flops(*case.shapes)

    assert isinstance(flops, int)
    assert flops >= 0
