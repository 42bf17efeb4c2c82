"""The native kernels: draws of dropout, cross-entropy and optimizers against independent answers."""

import os
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.layers.dropout import DropoutModule, draws
from holdfast.training import SGD, Adam, AdamW, Optimizer, RMSprop, SparseCategoricalCrossentropy, native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native kernels were not built")

SEEDS = [0, 1, 12345, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def split_mix(seed: int, n: int) -> list[int]:
    """The upper halves of SplitMix64's first outputs, as its authors' C program computes them."""
    mask, state, found = 2**64 - 1, seed, []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        found.append((z ^ (z >> 31)) >> 32)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_draws_are_splitmix64_s(seed: int) -> None:
    assert draws(seed, 50).tolist() == split_mix(seed, 50)


def test_draws_are_those_that_the_authors_print() -> None:
    """The first outputs for the seed 1234567, as published with the program."""
    assert draws(1234567, 3).tolist() == [
        n >> 32 for n in (6457827717110365317, 3203168211198807973, 9817491932198370423)
    ]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_kernel_draws_the_same(seed: int, dtype: torch.dtype) -> None:
    x = torch.ones(4, 24, 3, 2, dtype=dtype)
    least = round(0.3 * 2**32)

    y = native.Dropped.apply(x, (seed,), least, 1.5)  # type: ignore[no-untyped-call]  # torch's own lack

    kept = (draws(seed, x.numel()) >= least).view(4, 3, 2, 24).movedim(-1, 1)
    assert torch.equal(y, (kept * 1.5).to(dtype))


def test_of_several_seeds_each_is_for_its_own_samples() -> None:
    x = torch.full((6, 32, 2, 2), 3.0, requires_grad=True)

    y = native.Dropped.apply(x, (5, 6, 7), 2**31, 2.0)  # type: ignore[no-untyped-call]  # as above
    (gradient,) = torch.autograd.grad(y.sum(), x)

    each = [native.Dropped.apply(part, (seed,), 2**31, 2.0) for part, seed in zip(x.chunk(3), (5, 6, 7), strict=True)]  # type: ignore[no-untyped-call]  # as above
    assert torch.equal(y, torch.cat(each))
    assert torch.equal(gradient, (y.detach() != 0) * 2.0)


def test_the_share_that_is_dropped_is_the_rate() -> None:
    x = torch.ones(1000, 1024)

    y = native.Dropped.apply(x, (5,), round(0.3 * 2**32), 1.0)  # type: ignore[no-untyped-call]  # as above

    # A million draws: a standard deviation of 0.00045.
    assert float((y == 0).double().mean()) == pytest.approx(0.3, abs=0.002)


def test_the_gradient_passes_where_values_did() -> None:
    x = torch.full((8, 32), 3.0, requires_grad=True)

    y = native.Dropped.apply(x, (7,), 2**31, 2.0)  # type: ignore[no-untyped-call]  # as above
    (gradient,) = torch.autograd.grad((y * 5).sum(), x)

    assert torch.equal(gradient, (y.detach() != 0) * 10.0)
    assert 0 < int((y == 0).sum()) < x.numel()


def test_draws_do_not_depend_on_the_threads(threads: Callable[[int], None]) -> None:
    x = torch.ones(50, 512)
    found = []

    for count in (1, 2, 3, 5):
        threads(count)
        found.append(native.Dropped.apply(x, (3,), 2**30, 1.0))  # type: ignore[no-untyped-call]  # as above

    assert all(torch.equal(one, found[0]) for one in found)


def test_a_later_call_goes_on_where_the_first_one_ended() -> None:
    module = DropoutModule(0.5)
    module.reseed(2**63 - 1)

    first, second = (draws(module.take(10), 10) for _ in range(2))

    assert [*first.tolist(), *second.tolist()] == split_mix(2**63 - 1, 20)


def test_nearly_everything_can_be_dropped() -> None:
    """A rate that rounds to 1 in 32 bits would not fit into them."""
    module = DropoutModule(1 - 2**-40).train()

    assert module.least == 2**32 - 1
    assert not bool(module(torch.ones(64, 64)).any())


# ---- cross-entropy -----------------------------------------------------------------------------------------------


def both(logits: Tensor, labels: Tensor, smoothing: float) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Losses and gradients of the kernel, and torch's in float64; each sample's loss has a weight of its own."""
    weights = torch.arange(1.0, len(logits) + 1)
    found = []
    for x in (logits.clone(), logits.double()):
        x.requires_grad_()
        if x.dtype == torch.float32:
            losses = native.Crossentropy.apply(x, labels, smoothing)  # type: ignore[no-untyped-call]  # as above
        else:
            losses = F.cross_entropy(x, labels, reduction="none", label_smoothing=smoothing)
        (gradient,) = torch.autograd.grad((losses * weights.to(losses.dtype)).sum(), x)
        found.append((losses.detach().double(), gradient.double()))
    return found[0], found[1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("n", "k"), [(1, 2), (320, 10), (33, 1000)])
def test_mean_and_totals_of_crossentropy_are_those_of_the_samples(n: int, k: int, smoothing: float) -> None:
    draw = torch.Generator().manual_seed(n)
    logits, labels = torch.randn(n, k, generator=draw), torch.randint(0, k, (n,), generator=draw)
    logits = logits.round().requires_grad_()  # so that many are equal
    losses, right = torch.tensor([1.0, 2.0]).double(), torch.tensor([3.0, 4.0]).double()

    mean = native.MeanCrossentropy.apply(logits, labels, smoothing, losses, right)  # type: ignore[no-untyped-call]
    (gradient,) = torch.autograd.grad(3 * mean, logits)

    plain = native.Crossentropy.apply(logits, labels, smoothing)  # type: ignore[no-untyped-call]  # torch's own lack
    (expected,) = torch.autograd.grad(3 * plain.mean(), logits)
    torch.testing.assert_close(mean, plain.mean(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(losses, torch.tensor([1 + plain.double().sum().item(), 2.0 + n]).double())
    assert right.tolist() == [3 + (logits.argmax(1) == labels).sum().item(), 4 + n]


@pytest.mark.parametrize(
    "row", [[1.0, 2, 2], [torch.nan, 1, torch.nan], [1, torch.nan, 2], [-torch.inf] * 3, [0, 0, 1]]
)
@pytest.mark.parametrize("label", range(3))
def test_right_is_whose_label_is_the_argmax(row: list[float], label: int) -> None:
    logits, right = torch.tensor([row], dtype=torch.float32), torch.zeros(2).double()

    native.MeanCrossentropy.apply(logits, torch.tensor([label]), 0.0, None, right)  # type: ignore[no-untyped-call]

    assert right.tolist() == [float(logits.argmax() == label), 1]


def test_totals_stay_when_a_label_is_no_class() -> None:
    losses = torch.zeros(2).double()

    with pytest.raises(IndexError, match="0 to 2"):
        native.MeanCrossentropy.apply(torch.zeros(1, 3), torch.tensor([3]), 0.0, losses, None)  # type: ignore[no-untyped-call]

    assert losses.tolist() == [0, 0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(("n", "k"), [(1, 2), (7, 3), (320, 10), (33, 1000)])
@pytest.mark.parametrize("size", [1.0, 30.0, 1e4])
def test_crossentropy_is_torch_s_in_float64(n: int, k: int, size: float, smoothing: float) -> None:
    draw = torch.Generator().manual_seed(n)
    logits, labels = torch.randn(n, k, generator=draw) * size, torch.randint(0, k, (n,), generator=draw)

    (losses, gradient), (expected, wanted) = both(logits, labels, smoothing)

    # A few roundings of 6e-8, of differences of logits; sums over k classes add to it.
    torch.testing.assert_close(losses, expected, rtol=2e-6, atol=2e-6 * max(1.0, size / 10))
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6 * n)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    "row",
    [
        [torch.nan, 1, 2],
        [1, torch.nan, 2],
        [1, 2, torch.nan],
        [torch.inf, 1, 2],
        [1, torch.inf, torch.inf],
        [-torch.inf, 1, 2],
        [1, 2, -torch.inf],
        [-torch.inf, -torch.inf, -torch.inf],
        [1e38, -1e38, 0],
    ],
    ids=str,
)
def test_what_is_no_number_shows_as_in_torch(row: list[float], smoothing: float) -> None:
    """A class that is ruled out, of logit -inf, used to make the loss NaN."""
    for label in range(3):
        logits, labels = torch.tensor([row, [0.0, 1, 2]]), torch.tensor([label, 1])

        (losses, gradient), (expected, wanted) = both(logits, labels, smoothing)

        torch.testing.assert_close(losses.float(), expected.float(), rtol=1e-6, atol=1e-6, equal_nan=True)
        if bool(expected[0].isfinite()):
            torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-6)
        else:  # whatever it is, the other sample has its own
            torch.testing.assert_close(gradient[1], wanted[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("label", [-1, 3, -100, 2**40])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    loss = SparseCategoricalCrossentropy(from_logits=True)

    with pytest.raises(IndexError, match=r"^a label is none of the 3 classes, 0 to 2\.$"):
        loss(torch.tensor([0, label]), torch.zeros(2, 3))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", [(4,), (4, 1)], ids=str)
def test_labels_of_any_type_and_shape_are_taken(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    labels = torch.tensor([2, 0, 1, 2])
    outputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    column = torch.stack([labels, labels], 1)[:, :1] if len(shape) > 1 else labels  # not contiguous

    losses = SparseCategoricalCrossentropy(from_logits=True)(column.to(dtype), outputs)

    torch.testing.assert_close(losses, F.cross_entropy(outputs, labels, reduction="none"), rtol=1e-6, atol=1e-6)


def test_logits_in_any_memory_are_taken() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 3, 1, 2])

    losses = SparseCategoricalCrossentropy(from_logits=True)(labels, logits.t())

    torch.testing.assert_close(losses, F.cross_entropy(logits.t(), labels, reduction="none"), rtol=1e-6, atol=1e-6)


def test_no_samples_have_no_losses() -> None:
    assert SparseCategoricalCrossentropy(from_logits=True)(torch.zeros(0), torch.zeros(0, 3)).shape == (0,)


def test_threads_do_not_change_the_losses(threads: Callable[[int], None]) -> None:
    logits = torch.randn(3000, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(3000) % 10
    found = []

    for count in (1, 2):
        threads(count)
        found.append(both(logits, labels, 0.1)[0])

    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_the_default_dtype_does_not_matter(dtype: torch.dtype) -> None:
    logits, labels = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 4
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        losses = SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    finally:
        torch.set_default_dtype(before)

    torch.testing.assert_close(losses, F.cross_entropy(logits, labels, reduction="none"), rtol=1e-6, atol=1e-6)


# ---- optimizers --------------------------------------------------------------------------------------------------

OPTIMIZERS: list[tuple[Optimizer, str]] = [
    (SGD(0.05, momentum=0.9), "momentum"),
    (SGD(0.05, momentum=0.9, nesterov=True), "momentum"),
    (SGD(0.05, momentum=0.9, weight_decay=0.1, global_clipnorm=1.0), "momentum"),
    (RMSprop(0.01), "rmsprop"),
    (RMSprop(0.01, rho=0.5, epsilon=0.1, gradient_accumulation_steps=2), "rmsprop"),
    (Adam(0.01), "adam"),
    (Adam(0.01, beta_1=0.5, beta_2=0.9, epsilon=0.1), "adam"),
    (AdamW(0.01), "adam"),
    (Adam(0.01, amsgrad=True), ""),
    (RMSprop(0.01, centered=True), ""),
    (RMSprop(0.01, momentum=0.9), ""),
    (SGD(0.05), ""),
]
SHAPES = [(3, 4), (1,), (0,), (17,), (), (8, 1, 3, 3), (200, 170)]  # together more than 32,768: several threads


def parameters() -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=draw) for shape in SHAPES]


def gradients(step: int) -> list[Tensor]:
    """Those of some parameters are transposed in memory, or every other number of a longer row."""
    draw = torch.Generator().manual_seed(100 + step)
    return [
        torch.randn(*shape[::-1], generator=draw).t()
        if len(shape) == 2
        else torch.randn(*shape, 2, generator=draw)[..., 0]
        for shape in SHAPES
    ]


def optimized(optimizer: Optimizer, steps: int = 20) -> list[Tensor]:
    """Parameters after some steps, and what is remembered of them."""
    weights = parameters()
    slots = optimizer.slots(weights)
    for step in range(steps):
        optimizer.step(weights, gradients(step), slots, rate=float(optimizer.learning_rate), step=step)  # type: ignore[arg-type]  # no schedule
    return [*weights, *(tensor for name in slots for tensor in slots[name])]


@pytest.mark.parametrize("count", [1, 2, 3], ids=lambda n: f"{n} threads")
@pytest.mark.parametrize(("optimizer", "kernel"), OPTIMIZERS, ids=lambda one: str(one))
def test_twenty_steps_are_torch_s(
    optimizer: Optimizer,
    kernel: str,
    count: int,
    kernels: list[str],
    threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads(count)

    found = optimized(optimizer)
    assert set(kernels) == ({kernel} if kernel else set())
    monkeypatch.setattr(native, "library", lambda: None)
    expected = optimized(optimizer)

    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-6, atol=1e-6)  # values of some 1, a few roundings a step


@pytest.mark.parametrize("change", ["channels last", "float64", "half of a row"])
def test_parameters_that_the_kernels_do_not_take_are_torch_s(change: str, kernels: list[str]) -> None:
    weights = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    changed = {
        "channels last": weights.to(memory_format=torch.channels_last),
        "float64": weights.double(),
        "half of a row": weights[..., ::2],
    }[change].clone(memory_format=torch.preserve_format)
    changed = torch.stack([changed, changed], -1)[..., 0] if change == "half of a row" else changed
    expected = changed.contiguous().clone().float()
    optimizer = Adam(0.1)

    for one in (changed, expected):
        optimizer.step([one], [torch.ones_like(one)], optimizer.slots([one]), rate=0.1, step=0)

    assert kernels == ["adam"]  # of the second
    torch.testing.assert_close(changed.float(), expected)


def test_gradients_of_another_type_are_torch_s(kernels: list[str]) -> None:
    weights = [torch.ones(3)]
    optimizer = SGD(0.1, momentum=0.5)

    optimizer.step(weights, [torch.ones(3, dtype=torch.float64)], optimizer.slots(weights), rate=0.1, step=0)

    assert not kernels
    torch.testing.assert_close(weights[0], torch.full((3,), 0.9))


def test_nothing_to_change_is_no_error() -> None:
    assert native.update("adam", ([], [], [], []), 0.1, 0.1, 0.1, 1e-7)


# ---- finding the library -----------------------------------------------------------------------------------------


def test_the_library_is_that_of_the_processor() -> None:
    kernels = native.library()

    assert kernels is not None
    level = torch.backends.cpu.get_cpu_capability().lower()
    assert os.path.basename(kernels._name) in (f"kernels-{level}.so", "kernels-default.so")  # noqa: PTH119  (a str)


def test_without_a_library_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "__file__", "/nowhere/__init__.py")

    assert native.library.__wrapped__() is None


def test_a_level_that_was_not_built_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")

    kernels = native.library.__wrapped__()

    assert kernels is not None
    assert str(kernels._name).endswith("kernels-default.so")
