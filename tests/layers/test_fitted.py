"""Layers that scikit-learn fits: what `adapt` finds, by scikit-learn itself and by hand, and how it travels."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import decomposition
from sklearn.feature_selection import SelectKBest, chi2, f_classif

from holdfast.core import BadData, BadShape, BadValue, NotReady
from holdfast.layers import PCA, Dense, Flatten, Input, Layer, SelectFeatures
from holdfast.models import Sequential, from_config, load_keras, to_config

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 9)) @ RANDOM.normal(size=(9, 9)) + RANDOM.uniform(-3, 3, 9)
Y = (X[:, 2] - X[:, 6] > np.median(X[:, 2] - X[:, 6])).astype(np.int64)
PIXELS = RANDOM.integers(0, 256, (30, 4, 5, 3), np.uint8)


def given(layer: Layer, x: NDArray[np.float64]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = Sequential([Input(x.shape[1:]), layer]).predict(x)
    return found


@pytest.mark.parametrize("whiten", [False, True], ids=["plain", "whitened"])
def test_components_are_scikit_learn_s(whiten: bool) -> None:
    expected = decomposition.PCA(4, whiten=whiten, svd_solver="full").fit(X)

    layer = PCA(4, whiten=whiten)

    assert layer.adapt(X) is layer
    np.testing.assert_allclose(given(layer, X), expected.transform(X), rtol=1e-4, atol=1e-5)
    assert layer.explained is not None
    np.testing.assert_allclose(layer.explained.array, expected.explained_variance_ratio_, rtol=1e-6)


def test_whitened_components_have_variance_1_and_are_not_correlated() -> None:
    found = given(PCA(9, whiten=True).adapt(X), X).astype(np.float64)

    np.testing.assert_allclose(np.cov(found.T), np.eye(9), atol=1e-4)


def test_the_largest_loading_of_a_component_is_positive() -> None:
    kernel = PCA(5).adapt(-X).kernel

    assert kernel is not None
    assert (kernel.array[np.abs(kernel.array).argmax(0), range(5)] > 0).all()


def test_a_share_of_the_variance_says_how_many_components() -> None:
    shares = decomposition.PCA().fit(X).explained_variance_ratio_.cumsum()

    layer = PCA(0.9).adapt(X)

    assert layer.out_shape((9,)) == (int((shares < 0.9).sum()) + 1,)


def test_samples_of_several_axes_are_flattened_as_flatten_does() -> None:
    front = Sequential([Input((4, 5, 3)), Flatten()]).predict(PIXELS)

    pictures, flat = PCA(3).adapt(PIXELS), PCA(3).adapt(front)

    assert pictures.kernel == flat.kernel
    assert Sequential([Input((4, 5, 3)), Flatten(), pictures]).predict(PIXELS).shape == (30, 3)


def test_fewer_samples_than_features_have_one_component_less_than_samples() -> None:
    assert given(PCA(29).adapt(PIXELS), PIXELS.reshape(30, -1).astype(float)).shape == (30, 29)
    with pytest.raises(BadShape) as caught:
        PCA(30).adapt(PIXELS)
    assert str(caught.value) == (
        "PCA.adapt: 30 samples of 60 features have at most 29 components; take PCA(29) or fewer, or more samples."
    )


def test_constant_features_say_nothing_and_components_beyond_the_rank_are_refused() -> None:
    x = np.column_stack([X[:, :2], X[:, 0] + X[:, 1], np.full((80, 2), 7.0)])

    kernel = PCA(2).adapt(x).kernel

    assert kernel is not None
    np.testing.assert_allclose(kernel.array[3:], 0, atol=1e-12)
    with pytest.raises(BadShape, match=r"PCA\.adapt: the samples vary in 2 directions only; take PCA\(2\) or fewer\."):
        PCA(3).adapt(x)


SCIKIT = [("f_classif", f_classif, X), ("chi2", chi2, np.abs(X))]


@pytest.mark.parametrize(("score", "function", "x"), SCIKIT, ids=[name for name, *_ in SCIKIT])
def test_the_best_features_are_scikit_learn_s(
    score: str, function: Callable[..., object], x: NDArray[np.float64]
) -> None:
    expected = SelectKBest(function, k=3).fit(x, Y).get_support(indices=True)

    layer = SelectFeatures(3, score).adapt(x, Y)

    assert layer.chosen == tuple(expected)
    np.testing.assert_array_equal(given(layer, x), x.astype(np.float32)[:, expected])


@pytest.mark.parametrize("score", ["f_classif", "mutual_info", "l1", "trees"])
def test_signal_is_found_among_noise(score: str) -> None:
    x = np.random.default_rng(1).normal(size=(150, 40))
    y = np.where(x[:, 7] + x[:, 31] > 0, "up", "down")
    x[:, 12] = 5.0  # constant: it can say nothing

    assert SelectFeatures(2, score).adapt(x, y).chosen == (7, 31)
    assert len(set(SelectFeatures(40, score).adapt(x, y).chosen or ())) == 40


def test_labels_may_be_one_hot() -> None:
    assert SelectFeatures(2).adapt(X, np.eye(2)[Y]).chosen == SelectFeatures(2).adapt(X, Y).chosen


LAYERS = [PCA(3), PCA(0.8), SelectFeatures(3)]


@pytest.mark.parametrize("layer", LAYERS, ids=["components", "share", "features"])
def test_a_layer_that_was_not_adapted_says_so(layer: PCA | SelectFeatures) -> None:
    with pytest.raises(NotReady, match="was not adapted; call adapt on training data before the model is made"):
        Sequential([Input(9), layer]).predict(X)


def test_adapt_comes_before_the_first_use() -> None:
    layer = PCA(2).adapt(X)
    given(layer, X)

    with pytest.raises(NotReady, match="PCA: adapt comes before the model is first used; make the model anew after it"):
        layer.adapt(X)


def models() -> list[Sequential]:
    return [
        Sequential([Input(9), layer, Dense(3, "softmax"), Dense(2)])
        for layer in (PCA(3, whiten=True).adapt(X), PCA(0.9).adapt(X), SelectFeatures(4).adapt(X, Y))
    ]


@pytest.mark.parametrize("number", range(3), ids=["components", "share", "features"])
def test_a_file_and_a_configuration_bring_the_numbers_back(number: int, tmp_path: Path) -> None:
    model = models()[number]
    model.save(tmp_path / "m.keras")

    again, fresh = load_keras(tmp_path / "m.keras"), from_config(json.loads(json.dumps(to_config(model))))
    fresh.set_weights(model.get_weights())

    for one in (again, fresh):
        np.testing.assert_array_equal(one.predict(X), model.predict(X))
        assert isinstance(one.layers[0], Layer)
        assert repr(one.layers[0]).replace(f", name={model.lowered.names[model.layers[0]]!r}", "") == repr(
            model.layers[0]
        )
    assert to_config(again) == to_config(model)


def test_many_features_of_high_numbers_are_read_back(tmp_path: Path) -> None:
    """Their numbers used to be taken for the sides of a tensor, larger than any file could fill."""
    model = Sequential([Input(100), SelectFeatures(30, chosen=range(70, 100)), Dense(2)])
    model.save(tmp_path / "m.keras")

    again = load_keras(tmp_path / "m.keras")

    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_training_leaves_the_numbers_alone_and_learns_the_rest() -> None:
    model = models()[0]
    before, weights = to_config(model), model.get_weights()

    model.compile("sgd", "mse")
    model.fit(X, np.eye(2)[Y], epochs=2, verbose=0)

    assert to_config(model) == before
    assert len(weights) == 4
    assert all((one != other).any() for one, other in zip(weights, model.get_weights(), strict=True))


def test_weights_of_a_file_that_was_fitted_to_other_data_are_refused(tmp_path: Path) -> None:
    models()[0].save(tmp_path / "m.keras")
    other = Sequential([Input(9), PCA(3, whiten=True).adapt(2 * X), Dense(3, "softmax"), Dense(2)])
    same = models()[0]

    same.load_weights(tmp_path / "m.keras")
    with pytest.raises(
        BadValue, match=r"was fitted to other data than in the file.* read the whole model with holdfast"
    ):
        other.load_weights(tmp_path / "m.keras")


def test_a_description_stays_short() -> None:
    assert repr(PCA(20, kernel=np.zeros((500, 20)), bias=np.zeros(20))) == (
        "PCA(components=20, kernel=<500 x 20 numbers>, bias=<20 numbers>)"
    )


WRONG: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: PCA(0), BadValue, "PCA(components=0): must be a whole number of at least 1, or a share of the variance"),
    (lambda: PCA(True), BadValue, "PCA(components=True): must be a whole number, or a share of the variance."),
    (
        lambda: PCA(2).adapt(X[:1]),
        BadShape,
        "PCA.adapt: 1 samples of 9 features have at most 0 components; more samples",
    ),
    (
        lambda: PCA(2).adapt(np.ones((5, 3))),
        BadData,
        "PCA.adapt: all samples are alike; there is no variance to explain.",
    ),
    (lambda: PCA(2).adapt(np.full((5, 3), np.nan)), BadData, "PCA.adapt: data have NaN or infinite values; take these"),
    (lambda: PCA(2).adapt(["a", "b"]), BadData, "PCA.adapt: data must be an array of numbers (N, ...)"),
    (
        lambda: PCA(2)(Input((4, 5))),
        BadShape,
        "PCA: takes flat samples (features,); put Flatten() before it, got (4, 5).",
    ),
    (lambda: PCA(2).adapt(X)(Input(8)), BadShape, "PCA: was adapted to 9 features, the input has 8."),
    (lambda: PCA(2, kernel=[[1.0]], bias=[1.0, 2.0]), BadValue, "PCA: kernel (1, 1) and bias (2,) must be"),
    (lambda: SelectFeatures(0), BadValue, "SelectFeatures(k=0): must be positive."),
    (lambda: SelectFeatures(2, "best"), BadValue, "SelectFeatures(score='best'): must be 'f_classif' or 'chi2' or"),
    (lambda: SelectFeatures(2, chosen=[1]), BadValue, "SelectFeatures(k=2): 1 features were chosen; give 2."),
    (lambda: SelectFeatures(2, chosen=[2, 1]), BadValue, "SelectFeatures(chosen=[2, 1]): must be different features,"),
    (lambda: SelectFeatures(10).adapt(X, Y), BadShape, "SelectFeatures.adapt: k=10, the samples have 9 features."),
    (
        lambda: SelectFeatures(2).adapt(X, Y[:9]),
        BadShape,
        "SelectFeatures.adapt: 80 samples and 9 labels; one for each",
    ),
    (
        lambda: SelectFeatures(2).adapt(X, 0 * Y),
        BadData,
        "SelectFeatures.adapt: labels of two classes or more are needed",
    ),
    (
        lambda: SelectFeatures(2).adapt(X, np.where(Y, np.nan, 1)),
        BadData,
        "SelectFeatures.adapt: labels have NaN; take",
    ),
    (
        lambda: SelectFeatures(2, "chi2").adapt(X, Y),
        BadData,
        "SelectFeatures.adapt: chi2 takes counts, the data go down",
    ),
    (lambda: SelectFeatures(1, chosen=[9])(Input(9)), BadShape, "SelectFeatures: chose feature 9, counted from 0, the"),
    (lambda: SelectFeatures(3)(Input(2)), BadShape, "SelectFeatures: takes 3 features, the input has 2."),
]


@pytest.mark.parametrize(("make", "kind", "words"), WRONG, ids=[words[:60] for *_, words in WRONG])
def test_what_cannot_be_is_told_in_one_line(make: Callable[[], object], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        make()

    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_a_file_whose_numbers_do_not_fit_its_configuration_is_refused() -> None:
    config = to_config(models()[0])
    config["config"]["layers"][1]["holdfast"]["config"]["kernel"]["shape"] = [3, 9]

    with pytest.raises(BadValue, match=r"PCA.* was adapted to 3 features|PCA: kernel"):
        from_config(config)
