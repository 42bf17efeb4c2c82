"""Bad input of fit, evaluate and predict: each is one sentence that names the thing and the remedy."""

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.callbacks import EarlyStopping
from holdfast.core import BadData, BadShape, BadValue, HoldfastError, NotReady
from holdfast.data import from_arrays
from holdfast.layers import Conv2D, Dense, Flatten, Input
from holdfast.models import Model, Sequential

X = np.zeros((12, 6, 6, 3), np.float32)
Y = np.arange(12) % 4
NAN = X.copy()
NAN[[3, 7], 2, 2, 1] = np.nan, np.inf


class KerasCallback:
    """As people bring it along."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None: ...

    def __repr__(self) -> str:
        return "KerasCallback"


def net() -> Sequential:
    return Sequential([Input((6, 6, 3)), Conv2D(2, 3), Flatten(), Dense(4, "softmax")])


FIT: list[tuple[type[HoldfastError], str, dict[str, Any]]] = [  # Any: arguments of fit
    (BadShape, "x has shape (12, 3, 6, 6), the model takes (N, 6, 6, 3); "
     "channels come last here: x.transpose(0, 2, 3, 1).", {"x": X.transpose(0, 3, 1, 2)}),
    (BadShape, "x has shape (12, 108), the model takes (N, 6, 6, 3); x.reshape(-1, 6, 6, 3) would fit.",
     {"x": X.reshape(12, -1)}),
    (BadShape, "x has shape (6, 6, 3), the model takes (N, 6, 6, 3); a single sample needs a batch axis: x[None].",
     {"x": X[0]}),
    (BadShape, "x has shape (12, 5, 6, 3), the model takes (N, 6, 6, 3).", {"x": X[:, :5]}),
    (BadShape, "x has shape (12, 6, 6), the model takes (N, 6, 6, 3).", {"x": X[..., 0]}),
    (BadShape, "x has shape (), the model takes (N, 6, 6, 3).", {"x": 5}),
    (BadData, "x has no samples.", {"x": X[:0], "y": Y[:0]}),
    (BadShape, "x: its rows have different lengths.", {"x": [[1, 2], [3]]}),
    (BadData, "x holds object; numbers are needed.", {"x": None}),
    (BadData, "x holds <U3; numbers are needed.", {"x": ["cat"]}),
    (BadData, "x holds complex64; numbers are needed.", {"x": X * 1j}),
    (BadData, "x has NaN or infinity in 2 samples, the first at index 3.", {"x": NAN}),
    (BadData, "x has NaN or infinity in 2 samples, the first at index 3.", {"x": torch.tensor(NAN)}),
    (BadValue, "y is missing: every sample needs a target.", {"y": None}),
    (BadShape, "x has 12 samples, y has 11.", {"y": Y[:11]}),
    (BadShape, "y is one number; one target a sample is needed.", {"y": 3}),
    (BadData, "y[2] is 4; the model has 4 outputs, so labels are 0 to 3.", {"y": [0, 1, 4, 5] * 3}),
    (BadData, "y[1] is -1; the model has 4 outputs, so labels are 0 to 3.", {"y": [0, -1, 2] * 4}),
    (BadData, "y[2] is 4; the model has 4 outputs, so labels are 0 to 3.", {"y": [0.0, 1.0, 4.0] * 4}),
    (BadData, "y has fractions; labels of 4 classes are whole numbers.", {"y": [0.5, 1.0, 2.0] * 4}),
    # "has fractions" used to be said:
    (BadData, "y has NaN or infinity in 4 samples, the first at index 1.", {"y": [0.0, np.nan, 2.0] * 4}),
    # A traceback of NumPy's used to come:
    (BadShape, "y: its rows have different lengths.", {"y": [[0], [0, 1]] * 6}),
    # The loss used to refuse it, in the first step:
    (BadShape, "y is one-hot in 3 columns; the model has 4 outputs.", {"y": np.eye(3)[Y % 3]}),
    (BadShape, "y is one-hot in 5 columns; the model has 4 outputs.", {"y": np.eye(5, dtype=int)[Y]}),
    (BadData, "y: all 12 labels are 2; there is nothing to tell apart.", {"y": [2] * 12}),
    (BadData, "y: all 12 labels are 'cat'; there is nothing to tell apart.", {"y": ["cat"] * 12}),
    (BadData, "y: all 12 labels are 1; there is nothing to tell apart.", {"y": np.eye(4)[[1] * 12]}),
    (BadData, "y has 12 classes; the model has 4 outputs.", {"y": list("abcdefghijkl")}),
    (BadData, "y has NaN or infinity in 1 samples, the first at index 5.",
     {"y": np.where(np.arange(48).reshape(12, 4) == 20, np.nan, 0.0)}),
    (BadShape, "x has 12 samples, sample_weight has 3.", {"sample_weight": [1.0, 2.0, 3.0]}),
    (BadShape, "x has 12 samples, sample_weight has 11.", {"sample_weight": np.ones(11)}),
    (BadData, "sample_weight has NaN or infinity in 1 samples, the first at index 0.",
     {"sample_weight": [np.nan] + [1.0] * 11}),
    (BadValue, "class_weight names 4; classes are 0 to 3.", {"class_weight": {4: 1.0}}),
    (BadValue, "class_weight names -1; classes are 0 to 3.", {"class_weight": {-1: 1.0}}),
    (BadValue, "class_weight names 'cat'; classes are 0 to 3.", {"class_weight": {"cat": 1.0}}),
    (BadValue, "class_weight names 'fox'; classes are cat, dog.",
     {"y": ["cat", "dog"] * 6, "class_weight": {"fox": 1.0}}),
    (BadValue, "class_weight: takes a model with one output, and classes to learn; else give sample_weight.",
     {"y": np.full((12, 4), 0.25), "class_weight": {0: 1.0}}),
    (BadValue, "fit(epochs=0): must be a positive whole number.", {"epochs": 0}),
    (BadValue, "fit(epochs=2, initial_epoch=3): there is no epoch to train.", {"epochs": 2, "initial_epoch": 3}),
    (BadValue, "fit(batch_size=0): must be a positive whole number.", {"batch_size": 0}),
    (BadValue, "fit(batch_size=2.5): must be a positive whole number.", {"batch_size": 2.5}),
    (BadValue, "fit(steps_per_epoch=0): must be a positive whole number.", {"steps_per_epoch": 0}),
    (BadValue, "fit(validation_freq=0): must be a positive whole number.", {"validation_freq": 0}),
    (BadValue, "fit(validation_batch_size=-1): must be a positive whole number.", {"validation_batch_size": -1}),
    # Tracebacks of other classes used to come, or nothing at all:
    (BadValue, "fit(epochs=1.5): must be a positive whole number.", {"epochs": 1.5}),
    (BadValue, "fit(epochs='3'): must be a positive whole number.", {"epochs": "3"}),
    (BadValue, "fit(batch_size='a'): must be a positive whole number.", {"batch_size": "a"}),
    (BadValue, "fit(batch_size=True): must be a positive whole number.", {"batch_size": True}),
    (BadValue, "fit(initial_epoch=-1): must be a whole number from 0 on.", {"initial_epoch": -1}),
    (BadValue, "fit(verbose=3): must be 'auto', 0, 1 or 2.", {"verbose": 3}),
    (BadValue, "validation_split='0.2': must be between 0 and 1.", {"validation_split": "0.2"}),
    (BadValue, "class_weight='balanced': must be a dict from classes to numbers, e.g. {0: 1.0, 1: 2.5}.",
     {"class_weight": "balanced"}),
    (BadValue, "class_weight=[1, 2]: must be a dict from classes to numbers, e.g. {0: 1.0, 1: 2.5}.",
     {"class_weight": [1, 2]}),
    (BadValue, "class_weight={0: 'a'}: must be a number from 0 on.", {"class_weight": {0: "a"}}),
    (BadValue, "class_weight={0: nan}: must be a number from 0 on.", {"class_weight": {0: np.nan}}),
    (BadValue, "class_weight={1: -2}: must be a number from 0 on.", {"class_weight": {0: 0.5, 1: -2}}),
    (BadData, "sample_weight[3] is -0.5; weights are 0 or more.", {"sample_weight": [1.0, 1.0, 1.0, -0.5] * 3}),
    (BadValue, "callbacks: 'x' cannot be called with an event; give a function of an event, "
     "or LambdaCallback(on_epoch_end=...).", {"callbacks": "x"}),
    (BadValue, "callbacks: None cannot be called with an event; give a function of an event, "
     "or LambdaCallback(on_epoch_end=...).", {"callbacks": [None]}),
    (BadValue, "callbacks: KerasCallback cannot be called with an event; give a function of an event, "
     "or LambdaCallback(on_epoch_end=...).", {"callbacks": [KerasCallback()]}),
    (BadValue, "callbacks: EarlyStopping is a class; give an object of it, EarlyStopping(...).",
     {"callbacks": [EarlyStopping]}),
    (BadValue, "fit(measure_train='often'): must be 'end', 'epoch' or 'never'.", {"measure_train": "often"}),
    (BadValue, "validation_split=1.5: must be between 0 and 1.", {"validation_split": 1.5}),
    (BadValue, "validation_split=-0.1: must be between 0 and 1.", {"validation_split": -0.1}),
    (BadValue, "split_order='head': must be 'shuffled' or 'tail'.", {"validation_split": 0.5, "split_order": "head"}),
    (BadData, "validation_split=0.95 of 12 samples leaves a part empty.", {"validation_split": 0.95}),
    (BadValue, "validation_data: takes (x, y), (x, y, sample_weight), a Part or a Dataset, got ndarray.",
     {"validation_data": X}),
    (BadValue, "validation_data: takes (x, y), (x, y, sample_weight), a Part or a Dataset, got list.",
     {"validation_data": [X]}),
    (BadShape, "validation_data: x has 12 samples, y has 5.", {"validation_data": (X, Y[:5])}),
    (BadShape, "validation_data: x has shape (12, 6, 6), the model takes (N, 6, 6, 3).",
     {"validation_data": (X[..., 0], Y)}),
    (BadData, "validation_data: y[0] is 9; the model has 4 outputs, so labels are 0 to 3.",
     {"validation_data": (X, Y + 9)}),
    (BadData, "validation_data: x has NaN or infinity in 2 samples, the first at index 3.",
     {"validation_data": (NAN, Y)}),
    (BadData, "validation_data: y has the class 'fox'; the model knows cat, dog.",
     {"y": ["cat", "dog"] * 6, "validation_data": (X[:1], ["fox"])}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "arguments"), FIT, ids=[text for _, text, _ in FIT])
def test_fit_refuses_in_one_sentence(
    kind: type[HoldfastError], text: str, arguments: dict[str, Any]
) -> None:  # as above
    model = net()
    before = model.get_weights()

    with pytest.raises(HoldfastError) as caught:
        model.fit(**{"x": X, "y": Y, "verbose": 0, **arguments})

    assert type(caught.value) is kind
    assert str(caught.value) == text
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.classes is None


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (X[0], "x has shape (6, 6, 3), the model takes (N, 6, 6, 3); a single sample needs a batch axis: x[None]."),
        (X[:0], "x has no samples."),
        (
            "cat.jpg",
            "predict: the model does not say how files become its input; give an array, or set "
            "model.reads = holdfast.models.Pictures.of(model) if it takes pictures of 0 to 255.",
        ),
        ([X, X], "x has shape (2, 12, 6, 6, 3), the model takes (N, 6, 6, 3)."),
        ({"picture": X}, "x has ['picture']; the model also takes 'input_layer'."),
    ],
    ids=["one picture", "none", "a path", "a list", "another name"],
)
def test_predict_refuses_in_one_sentence(x: Any, text: str) -> None:  # Any: what predict does not take
    with pytest.raises(BadValue) as caught:
        net().predict(x)

    assert str(caught.value) == text


@pytest.mark.parametrize("size", ["a", 0, 1.5])
def test_evaluate_and_predict_refuse_a_strange_batch_size_which_used_to_end_in_a_traceback(
    size: Any,
) -> None:  # as said
    with pytest.raises(BadValue) as evaluating:
        net().evaluate(X, Y, batch_size=size)
    with pytest.raises(BadValue) as predicting:
        net().predict(X, batch_size=size)

    assert str(evaluating.value) == f"evaluate(batch_size={size!r}): must be a positive whole number."
    assert str(predicting.value) == f"predict(batch_size={size!r}): must be a positive whole number."


def test_a_function_of_two_arguments_is_no_callback_which_used_to_fail_after_the_first_event() -> None:
    with pytest.raises(
        BadValue, match=r"^callbacks: <function .*> cannot be called with an event; give a function of "
    ):
        net().fit(X, Y, callbacks=[lambda epoch, logs: None], verbose=0)  # type: ignore[list-item]  # as Keras's


@pytest.mark.parametrize("device", [None, "meta", 1.5])
def test_a_device_that_is_none_is_refused_which_used_to_end_in_a_traceback(device: Any) -> None:  # Any: no device
    with pytest.raises(BadValue) as caught:
        net().compile(device=device)

    assert str(caught.value) == f"device {device!r} is not available here; take 'cpu' or 'auto'."


@pytest.mark.parametrize("weights", ["a", ["a"], [np.nan], {"dense": "1"}], ids=str)
def test_loss_weights_that_are_no_numbers_are_refused_which_used_to_end_in_a_traceback(weights: Any) -> None:  # as said
    with pytest.raises(BadValue) as caught:
        net().compile(loss_weights=weights)

    assert str(caught.value) == f"compile(loss_weights={weights!r}): must be a number."


def test_more_losses_or_weights_than_outputs_are_refused_which_used_to_end_in_a_traceback() -> None:
    for what, settings in (("loss_weights", {"loss_weights": [1.0, 2.0]}), ("loss", {"loss": ["mse", "mse"]})):
        model = net()
        model.compile(**settings)

        with pytest.raises(BadValue) as caught:
            model.fit(X, Y, verbose=0)

        assert str(caught.value) == f"{what}: the model has the outputs dense; give a list of 1 or a dict."


def test_predictions_for_nan_are_the_user_s_business() -> None:
    assert np.isnan(net().predict(NAN)[3]).all()


def two() -> Model:
    a, b = Input(2, name="a"), Input(3, name="b")
    return Model([a, b], [Dense(2, "softmax", name="kind")(a), Dense(1, name="size")(b)])


A, B, KIND, SIZE = np.zeros((4, 2)), np.zeros((4, 3)), [0, 1, 0, 1], np.zeros((4, 1))
TWO: list[tuple[str, dict[str, Any]]] = [  # Any: arguments of fit
    ("x: the model takes 2 arrays (a, b), as a list or a dict.", {"x": A}),
    ("x: the model takes 2 arrays (a, b), as a list or a dict.", {"x": [A, B, B]}),
    ("x has ['a', 'c']; the model also takes 'b'.", {"x": {"a": A, "c": B}}),
    ("x['b'] has shape (4, 2), the model takes (N, 3).", {"x": [A, A]}),
    ("x: the inputs have 4 and 3 samples; they must have as many.", {"x": [A, B[:3]]}),
    ("y: the model takes 2 arrays (kind, size), as a list or a dict.", {"y": KIND}),
    ("y has ['kind']; the model also takes 'size'.", {"y": {"kind": KIND}}),
    ("y[1] is 2; the model has 2 outputs, so labels are 0 to 1.", {"y": [[0, 2, 1, 1], SIZE]}),
    ("sample_weight has ['kind']; the model also takes 'size'.", {"sample_weight": {"kind": np.ones(4)}}),
    ("sample_weight: the model takes 2 arrays (kind, size), as a list or a dict.", {"sample_weight": [np.ones(4)]}),
]


@pytest.mark.parametrize(("text", "arguments"), TWO, ids=[text for text, _ in TWO])
def test_several_inputs_and_outputs_are_asked_for_by_name(text: str, arguments: dict[str, Any]) -> None:  # as above
    with pytest.raises(HoldfastError) as caught:
        two().fit(**{"x": [A, B], "y": [KIND, SIZE], "verbose": 0, **arguments})

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"loss": {"sort": "mse"}},
            "loss names 'sort'; the model's outputs are kind, size.",
        ),
        (
            {"metrics": ["accuracy"]},
            "metrics: the model has the outputs kind, size; give a list of 2 or a dict.",
        ),
        (
            {"loss_weights": [1.0]},
            "loss_weights: the model has the outputs kind, size; give a list of 2 or a dict.",
        ),
    ],
    ids=["loss", "metrics", "loss_weights"],
)
def test_settings_of_several_outputs_are_by_their_names(settings: dict[str, Any], text: str) -> None:  # Any: of compile
    model = two()
    model.compile("adam", **settings)

    with pytest.raises(BadValue) as caught:
        model.fit([A, B], [KIND, SIZE], verbose=0)

    assert str(caught.value) == text


def test_words_for_two_outputs_are_refused_which_used_to_be_taken_for_classes_of_the_first() -> None:
    a = Input(2)
    model = Model(a, [Dense(2, "softmax")(a), Dense(2, "softmax")(a)])

    with pytest.raises(BadData) as caught:
        model.fit(A, [["cat", "dog"] * 2, ["big", "small"] * 2], verbose=0)

    assert str(caught.value) == (
        "y: labels with names are supported for one output; encode the others with data.encode_labels."
    )


@pytest.mark.parametrize("y", [[0, 1, 2, 1], [[0.0], [1.0], [2.0], [1.0]]], ids=["integers", "column"])
def test_a_binary_cross_entropy_takes_nothing_beyond_0_and_1(y: list[Any]) -> None:  # Any: labels
    model = Sequential([Input(2), Dense(1, "sigmoid")])

    with pytest.raises(BadData, match=r"^y\[2\] is .*2.*; binary cross-entropy takes targets from 0 to 1\.$"):
        model.fit(A, y, verbose=0)


def test_targets_that_fit_no_output_are_refused_with_both_shapes() -> None:
    model = net()
    model.compile("adam", "mse")

    with pytest.raises(BadShape) as caught:
        model.fit(X, np.zeros((12, 3)), verbose=0)

    assert str(caught.value) == "MeanSquaredError: targets have shape (12, 3), the model gives (12, 4)."


def test_a_model_without_a_shape_cannot_be_asked() -> None:
    with pytest.raises(NotReady, match=r"^Sequential: the shape of its input is not known yet; "):
        Sequential([Dense(2)]).count_params()


def test_one_class_is_enough_to_be_judged_by_but_not_to_learn() -> None:
    history = net().fit(X, Y, validation_data=(X[:3], [1, 1, 1]), verbose=0)

    assert "val_loss" in history.history


def test_a_dataset_for_another_model_is_refused() -> None:
    dataset = from_arrays(
        np.zeros((40, 6, 6), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None], ["a", "b"] * 20
    )

    with pytest.raises(BadShape, match=r"^x has shape \(28, 6, 6, 1\), the model takes \(N, 6, 6, 3\)\.$"):
        net().fit(dataset, verbose=0)
