"""Summaries: shapes, parameters, operations and memory, by hand."""

import pytest
import torch

from holdfast.layers import (
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianDropout,
    GlobalAveragePooling1D,
    GlobalAveragePooling3D,
    Input,
    Layer,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Rescaling,
    SeparableConv1D,
    SpatialDropout1D,
    UpSampling1D,
)
from holdfast.models import BaseModel, Model, Row, Sequential, convnet, dense, human


def test_a_summary_of_convolutions_is_that_by_hand() -> None:
    summary = Sequential([Input((10, 10, 1)), Conv2D(9, 3), Conv2D(1, 3)], name="small").summary()

    assert summary.rows == (
        Row("input_layer", "InputLayer", ((10, 10, 1),), 0, 0),
        Row("conv2d", "Conv2D", ((8, 8, 9),), 90, 8 * 8 * 9 * (2 * 9 + 1)),
        Row("conv2d_1", "Conv2D", ((6, 6, 1),), 82, 6 * 6 * 1 * (2 * 81 + 1)),
    )
    assert (summary.parameters, summary.trainable, summary.flops) == (172, 172, 10_944 + 5_868)
    assert (summary.activations, summary.widest) == (576 + 36, 576)


def test_memory_is_weights_gradients_slots_and_activations_with_theirs() -> None:
    summary = Sequential([Input((10, 10, 1)), Conv2D(9, 3), Conv2D(1, 3)]).summary()

    assert summary.training_bytes(32) == 4 * (172 + 172 + 2 * 172 + 32 * (612 + 2 * 576))
    assert summary.training_bytes(1, slots=0) == 4 * (172 + 172 + 612 + 2 * 576)


def test_it_reads_as_a_table() -> None:
    model = Sequential([Input((10, 10, 1)), Conv2D(9, 3), MaxPooling2D(), Flatten(), Dense(2)], name="small")

    lines = str(model.summary()).splitlines()

    assert lines[0] == "model 'small'"
    assert [" ".join(line.split()) for line in lines if "─" not in line][1:] == [
        "layer output shape parameters operations",
        "input_layer (InputLayer) (None, 10, 10, 1) 0 0 FLOP",
        "conv2d (Conv2D) (None, 8, 8, 9) 90 10.9 kFLOP",
        "max_pooling2d (MaxPooling2D) (None, 4, 4, 9) 0 576 FLOP",
        "flatten (Flatten) (None, 144) 0 0 FLOP",
        "dense (Dense) (None, 2) 290 578 FLOP",
        "380 parameters (380 trainable), 12.1 kFLOP a sample, 283 kB to train at batch 32",
    ]
    assert len({len(line) for line in lines if "FLOP" in line and "parameters" not in line}) == 1


def test_moving_statistics_and_frozen_layers_are_parameters_that_are_not_trained() -> None:
    summary = Sequential([Input(3), Dense(4, trainable=False), BatchNormalization()]).summary()

    assert [row.parameters for row in summary.rows] == [0, 16, 16]
    assert (summary.parameters, summary.trainable) == (32, 8)


def test_a_shared_layer_counts_its_weights_once_and_its_work_at_each_call() -> None:
    a, b = Input(3), Input(3)
    shared = Dense(4)
    summary = Model([a, b], [shared(a), shared(b)]).summary()

    assert [(row.parameters, row.flops) for row in summary.rows if row.layer == "Dense"] == [(16, 28), (0, 28)]
    assert (summary.parameters, summary.flops) == (16, 56)


def test_a_submodel_is_one_row_with_all_that_it_does() -> None:
    inner = Sequential([Input((6, 6, 1)), Conv2D(2, 3), Flatten()], name="inner")
    x = Input((6, 6, 1))
    summary = Model(x, Dense(1)(inner(x))).summary()

    row = summary.rows[1]
    assert (row.name, row.layer, row.output_shape) == ("inner", "Sequential", ((32,),))
    assert (row.parameters, row.flops) == (20, inner.summary().flops)
    assert summary.parameters == 20 + 33
    assert summary.activations == inner.summary().activations + 1


def test_no_weight_is_needed_to_know_that_a_model_is_too_large() -> None:
    summary = Sequential([Input(1000), Dense(1000)]).summary()

    assert summary.training_bytes(64) == 4 * (4 * 1_001_000 + 64 * 3000)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345, "12.3 kB"),
        (38e6, "38 MB"),
        (2.5e9, "2.5 GB"),
        (7e13, "70 TB"),
    ],
)
def test_large_numbers_are_short(number: float, text: str) -> None:
    assert human(number, "B") == text


def of_series() -> Sequential:
    layers = [
        Conv1D(4, 3, activation="relu"),
        Conv1D(4, 3, padding="causal", activation="relu"),
        MaxPooling1D(2),
        SeparableConv1D(6, 3, depth_multiplier=2, activation="relu"),
        UpSampling1D(2),
        Conv1DTranspose(3, 3, strides=2, activation="relu"),
        GlobalAveragePooling1D(),
    ]
    return Sequential([Input((40, 2)), Rescaling(1 / 255), *layers, Dense(10, "softmax")])


def of_volumes() -> Sequential:
    layers = [
        Conv3D(4, 3, activation="relu"),
        Conv3D(4, 3, strides=2, padding="same", activation="relu"),
        MaxPooling3D(2),
        Conv3DTranspose(3, 2, strides=2, activation="relu"),
        GlobalAveragePooling3D(),
    ]
    return Sequential([Input((9, 8, 10, 2)), Rescaling(1 / 255), *layers, Dense(10, "softmax")])


def of_words() -> Model:
    words = Input((30,))
    near = Conv1D(3, 3, activation="relu")(Embedding(5, 4)(words))
    far = Conv1D(2, 5, activation="relu")(Cropping1D(1)(near))
    other = Conv1D(2, 7, activation="relu")(near)
    both = Conv1D(4, 3, activation="relu")(Concatenate()([far, other]))
    return Model(words, Dense(10, "softmax")(GlobalAveragePooling1D()(both)))


@pytest.mark.parametrize(
    "model",
    [convnet((28, 28, 1), 10), convnet((96, 96, 3), 10), dense((28, 28, 1), 10), of_series(), of_volumes(), of_words()],
    ids=["28", "96", "dense", "series", "volumes", "words"],
)
def test_the_activations_are_those_that_autograd_really_keeps(model: BaseModel) -> None:
    """Input, rescaling and flatten used to count twice."""
    result, kept = passed(model.module, torch.zeros(4, *model.inputs[0].shape, dtype=torch.uint8))

    assert result.shape == (4, 10)
    assert kept == 4 * 4 * model.summary().activations


@pytest.mark.parametrize("layer", [Dropout(0.5), SpatialDropout1D(0.5), GaussianDropout(0.5)], ids=str)
def test_dropout_keeps_its_output_and_what_it_multiplied_by(layer: Layer) -> None:
    module = layer.build((6, 2)).train()

    result, kept = passed(module, torch.zeros(4, 2, 6, requires_grad=True))

    assert kept + result.nbytes == 4 * 4 * layer.kept((6, 2))


def passed(module: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, int]:
    """What a module gives, and how many bytes autograd keeps for its gradient, besides input and weights."""
    ours = {tensor.data_ptr() for tensor in (x, *module.parameters())}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in ours:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = module(x)  # alive as long as `kept` is counted, so that no storage was used twice
    return result, sum(kept.values())
