"""All passes together on whole models: results, gradients, statistics; and what they leave alone."""

import copy
import os
import weakref
from collections.abc import Callable
from statistics import mean

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from holdfast.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Symbol,
)
from holdfast.models import BaseModel, Model, Sequential
from holdfast.training import SGD, Begin, EpochEnd, SparseCategoricalCrossentropy, native
from holdfast.training.passes import fused
from holdfast.training.passes.chains import calls
from training.passes.compare import check, errors, fused_kinds, pictures, step, steps


def front(filters: int = 16, *, rescaled: bool = True) -> list[Layer]:
    scale: list[Layer] = [Rescaling(1 / 255)] if rescaled else []
    return [*scale, Conv2D(filters, 3, activation="relu"), MaxPooling2D()]


def small(seed: int = 0) -> BaseModel:
    """The net of the benchmarks, with dropout."""
    rest = [Conv2D(32, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(64, "relu"), Dropout(0.5)]
    return Sequential([Input((20, 20, 1)), *front(), *rest, Dense(10)], seed=seed)


def wide(seed: int = 0) -> BaseModel:
    """A block whose second convolution is pooled."""
    block = [Conv2D(8, 5, activation="relu", padding="same"), Conv2D(16, 3, activation="relu"), MaxPooling2D(3)]
    return Sequential([Input((15, 13, 1)), *block, Dropout(0.25), Flatten(), Dense(4)], seed=seed)


def residual(seed: int = 0) -> BaseModel:
    """Two residual blocks, the second with half the sides and twice the channels."""
    image = Input((12, 12, 3))
    x = ReLU()(BatchNormalization()(Conv2D(16, 3, padding="same", use_bias=False)(image)))
    for filters, strides in ((16, 1), (32, 2)):
        y = ReLU()(BatchNormalization()(Conv2D(filters, 3, strides, "same", use_bias=False)(x)))
        y = BatchNormalization()(Conv2D(filters, 3, padding="same", use_bias=False)(y))
        x = x if strides == 1 else Conv2D(filters, 1, strides)(x)
        x = ReLU()(Add()([y, x]))
    return Model(image, Dense(5)(GlobalAveragePooling2D()(x)), seed=seed)


def inner(*rows: Layer) -> Sequential:
    return Sequential([Input((10, 10, 1)), *rows], name="inner")


def siamese(seed: int = 0) -> BaseModel:
    """One sub-model, used twice: its norm sees one image after the other, its dropout draws twice."""
    rows = [*front(rescaled=False), Conv2D(16, 3), BatchNormalization(momentum=0.5), ReLU(), Dropout(0.3), Flatten()]
    part, a, b = inner(*rows), Input((10, 10, 1)), Input((10, 10, 1))
    return Model([a, b], [Dense(3)(Concatenate()([part(a), part(b)])), part(a)], seed=seed)


def shared(seed: int = 0) -> BaseModel:
    """A convolution, a norm and a dropout that are used twice in one graph."""
    conv, norm, drop = Conv2D(16, 3, padding="same"), BatchNormalization(momentum=0.5), Dropout(0.5)
    a, b = Input((8, 8, 1)), Input((8, 8, 1))

    def side(x: Symbol) -> Symbol:
        return drop(MaxPooling2D()(ReLU()(norm(conv(x)))))

    return Model([a, b], Dense(2)(Flatten()(Add()([side(a), side(b)]))), seed=seed)


def frozen(seed: int = 0) -> BaseModel:
    rows = [Conv2D(16, 3, activation="relu", trainable=False), MaxPooling2D(), Conv2D(16, 3, trainable=False)]
    rest = [BatchNormalization(trainable=False), ReLU(), Conv2D(8, 2, activation="relu"), MaxPooling2D()]
    return Sequential([Input((16, 16, 1)), *rows, *rest, Flatten(), Dense(2)], seed=seed)


MODELS: list[tuple[Callable[[int], BaseModel], list[tuple[int, ...]], dict[str, int]]] = [
    (small, [(20, 20, 1)], {"FirstBlock": 1, "ReluPool": 1, "Dropout": 1}),
    (wide, [(15, 13, 1)], {"ReluPool": 1, "Dropout": 1}),
    (residual, [(12, 12, 3)], {"NormRelu": 5}),
    (siamese, [(10, 10, 1)] * 2, {"FirstBlock": 3, "NormRelu": 3, "Dropout": 3}),
    (shared, [(8, 8, 1)] * 2, {"ReluPool": 2, "Dropout": 2}),
    (frozen, [(16, 16, 1)], {"FirstBlock": 1, "NormRelu": 1, "ReluPool": 1}),
]
NAMES = [case[0].__name__ for case in MODELS]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize(("make", "shapes", "kinds"), MODELS, ids=NAMES)
def test_a_step_of_a_model_is_the_plain_one(
    make: Callable[[int], BaseModel], shapes: list[tuple[int, ...]], kinds: dict[str, int], dtype: torch.dtype
) -> None:
    model = make(0)
    assert fused_kinds(fused(model.module)) == kinds

    # torch's own error grows to 1e-6 over the layers behind each other.
    check(model, *[pictures(6, *shape, dtype=dtype, seed=n) for n, shape in enumerate(shapes)], tolerance=3e-6)


@pytest.mark.parametrize(("make", "shapes", "kinds"), MODELS, ids=NAMES)
def test_in_bfloat16_a_step_is_as_near_to_float32_as_torch_s_own(
    make: Callable[[int], BaseModel], shapes: list[tuple[int, ...]], kinds: dict[str, int]
) -> None:
    """By the root of the mean square of all gradients' errors; a maximum would be one number's luck."""
    ours: list[float] = []
    torchs: list[float] = []
    for seed in range(4):
        inputs = [pictures(6, *shape, dtype=torch.float32, seed=9 * seed + n) for n, shape in enumerate(shapes)]
        plain, fast, truth = steps(make(seed), *inputs, half=True)
        for found, distances in ((fast, ours), (plain, torchs)):
            squares = [float((found[key] - truth[key]).square().sum()) for key in truth if "gradient" in key]
            distances.append(sum(squares) ** 0.5)

    assert mean(torchs) > 0
    assert mean(ours) <= 1.5 * mean(torchs)


@pytest.mark.parametrize(("make", "shapes", "kinds"), MODELS, ids=NAMES)
def test_fusing_leaves_the_model_as_it_is(
    make: Callable[[int], BaseModel], shapes: list[tuple[int, ...]], kinds: dict[str, int]
) -> None:
    module = make(0).module
    code, children = module.code, dict(module.named_modules())
    state = {name: (value.data_ptr(), value.clone()) for name, value in module.state_dict().items()}
    parameters = dict(module.named_parameters())

    fast = fused(module)

    assert module.code == code
    assert dict(module.named_modules()) == children
    assert dict(module.named_parameters()) == parameters
    assert {id(one) for one in fast.parameters()} == {id(one) for one in parameters.values()}
    assert list(module.state_dict()) == list(state)
    for name, value in module.state_dict().items():
        assert value.data_ptr() == state[name][0]
        assert torch.equal(value, state[name][1])


def lines(module: nn.Module) -> list[str]:
    """The code of a graph, without what frees memory."""
    assert isinstance(module, fx.GraphModule)
    return [line.partition(";")[0].strip() for line in module.code.strip().splitlines()]


def test_the_code_says_where_passes_were_at_work() -> None:
    image = Input((12, 12, 1), name="image")
    x = MaxPooling2D(name="pool")(Conv2D(16, 3, activation="relu", name="conv")(image))
    y = BatchNormalization(name="norm")(Conv2D(16, 3, padding="same", name="conv2")(x))
    y = ReLU(name="relu")(Add(name="sum")([y, x]))
    model = Model(image, Dropout(0.5, name="drop")(y))

    module = fused(model.module)

    assert lines(module) == [
        "def forward(self, image):",
        "fused__image = self.fused__image(image)",
        "conv2 = self.conv2(fused__image)",
        "fused__norm = self.fused__norm(conv2, fused__image)",
        "fused__drop = self.fused__drop(fused__norm)",
        "movedim = torch.movedim(fused__drop, 1, -1)",
        "return movedim",
    ]
    children = {name: type(child).__name__ for name, child in module.named_children()}
    assert children["fused__image"] == "FirstBlock"
    assert children["fused__norm"] == "NormRelu"
    assert children["fused__drop"] == "Dropout"


def test_what_is_fused_can_be_fused_again() -> None:
    module = fused(small().module)

    assert fused_kinds(fused(module)) == fused_kinds(module)


def test_a_copy_of_a_fused_model_learns_by_itself() -> None:
    model = small()
    images = pictures(2, 20, 20, 1)
    before = model.predict(images)

    twin = copy.deepcopy(model)
    twin.set_weights([0 * weight for weight in twin.get_weights()])

    assert not np.asarray(twin.predict(images)).any()
    np.testing.assert_array_equal(model.predict(images), before)


def test_a_fused_module_goes_with_its_last_user() -> None:
    module = fused(small().module)
    gone = weakref.ref(module)

    del module

    assert gone() is None


HOOKS: list[tuple[str, Callable[[nn.Module, Callable[..., None]], object]]] = [
    ("forward", lambda module, hear: module.register_forward_hook(hear)),
    ("before forward", lambda module, hear: module.register_forward_pre_hook(hear)),
    ("backward", lambda module, hear: module.register_full_backward_hook(hear)),
    ("before backward", lambda module, hear: module.register_full_backward_pre_hook(hear)),
]


@pytest.mark.parametrize(("name", "hook"), HOOKS, ids=[case[0] for case in HOOKS])
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # pictures ask for no gradient
@pytest.mark.parametrize("target", ["conv2d", "re_lu", "batch_normalization", "dropout", "inner", ""])
def test_a_module_that_somebody_listens_to_is_called(
    target: str, name: str, hook: Callable[[nn.Module, Callable[..., None]], object]
) -> None:
    """Sub-models and the model itself used to be put aside with their hooks."""
    part = inner(*front(rescaled=False), Flatten())
    image = Input((10, 10, 1))
    x = Dropout(0.5)(ReLU()(BatchNormalization()(Conv2D(16, 3)(image))))
    module = Model(image, [x, part(image)]).module
    heard: list[nn.Module] = []
    handle = hook(module.get_submodule(target), lambda one, *_: heard.append(one))

    step(module, fused(module), [pictures(2, 10, 10, 1, dtype=torch.float32)])

    assert heard == [module.get_submodule(target)]
    assert isinstance(handle, torch.utils.hooks.RemovableHandle)
    handle.remove()
    assert fused_kinds(fused(module)) == {"NormRelu": 1, "Dropout": 1, "FirstBlock": 1}


def test_who_hooks_in_when_training_begins_hears_every_step() -> None:
    """Passes used to be at work before the first event."""
    model = small()
    heard: list[int] = []
    handles = []

    def listen(event: object) -> None:
        if isinstance(event, Begin):
            conv = event.state.model.get_submodule("conv2d")
            handles.append(conv.register_forward_hook(lambda *_: heard.append(1)))

    model.compile("sgd", "mse")
    model.fit(
        pictures(6, 20, 20, 1), np.zeros((6, 10)), batch_size=2, callbacks=[listen], measure_train="never", verbose=0
    )

    assert len(heard) == 3
    for handle in handles:
        handle.remove()


def test_who_hooks_in_after_a_step_hears_what_is_judged() -> None:
    """Steps go on with what was found at the first one; validation asks the model itself."""
    model, heard = small(), list[bool]()
    conv = model.module.get_submodule("conv2d")

    def hook(event: object) -> None:
        if isinstance(event, EpochEnd) and event.epoch == 0:
            conv.register_forward_hook(lambda module, *_: heard.append(module.training))

    model.compile(SGD(0.01), SparseCategoricalCrossentropy(from_logits=True), precision="float32")
    x, y = pictures(20, 20, 20, 1), np.arange(20) % 10
    model.fit(x, y, batch_size=8, epochs=3, validation_split=0.2, callbacks=[hook], measure_train="never", verbose=0)

    assert heard == [False, False]


def test_a_module_that_is_no_graph_comes_back() -> None:
    module = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))

    assert fused(module) is module


def test_without_the_kernels_nothing_is_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: None)
    module = small().module

    assert fused(module) is module


def trained(model: BaseModel, *images: Tensor, epochs: int = 2) -> tuple[list[float], list[np.ndarray]]:
    """Losses and weights of a training with batches of several sizes."""
    labels = np.arange(len(images[0])) % 2
    model.compile(SGD(0.02, momentum=0.9), SparseCategoricalCrossentropy(from_logits=True), precision="float32")
    x = list(images) if len(images) > 1 else images[0]
    history = model.fit(x, labels, epochs=epochs, batch_size=8, validation_split=0.2, verbose=0).history
    return [*history["loss"], *history["val_loss"]], model.get_weights()


@pytest.mark.parametrize("make", [small, residual, shared, frozen], ids=lambda make: str(make.__name__))
def test_training_without_the_kernels_is_the_same(
    make: Callable[[int], BaseModel], monkeypatch: pytest.MonkeyPatch, kernels: list[str]
) -> None:
    """To 1e-5: rounding errors of 1e-7 a step that later steps amplify."""
    shapes = next(shapes for made, shapes, _ in MODELS if made is make)
    images = [pictures(30, *shape, seed=n).float() / 255 for n, shape in enumerate(shapes)]

    losses, weights = trained(make(0), *images)
    assert "crossentropy" in kernels
    assert "momentum" in kernels
    kernels.clear()
    monkeypatch.setattr(native, "library", lambda: None)
    plain, expected = trained(make(0), *images)

    assert not kernels
    assert losses == pytest.approx(plain, rel=1e-5)
    for found, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("make", "shapes", "kinds"), MODELS, ids=NAMES)
def test_the_number_of_threads_changes_the_last_digits_only(
    make: Callable[[int], BaseModel],
    shapes: list[tuple[int, ...]],
    kinds: dict[str, int],
    half: bool,
    threads: Callable[[int], None],
) -> None:
    model, inputs = make(0), [pictures(7, *shape, dtype=torch.float32, seed=n) for n, shape in enumerate(shapes)]
    found = []
    for count in (1, 2):
        owner = copy.deepcopy(model.module)
        threads(count)
        found.append(step(owner, fused(owner), inputs, half=half))

    for other in found[1:]:
        # In bfloat16 a last digit of a sum may round to the next of 256 steps, and so on through the net.
        assert max(errors(other, found[0]).values()) <= (2e-2 if half else 3e-6)


def test_calls_are_those_of_modules() -> None:
    module = small().module

    assert [str(node.target) for node in calls(module)] == [
        str(node.target) for node in module.graph.nodes if node.op == "call_module"
    ]
