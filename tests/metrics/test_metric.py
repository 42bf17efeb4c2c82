"""What holds for every metric: adding up, starting again, weights, refusals."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from holdfast import metrics
from holdfast.core import BadShape, BadValue, NotReady, UnknownName
from holdfast.core.seeds import generator
from holdfast.metrics import ConfusionMatrix, F1Score, Metric, TopKCategoricalAccuracy

CLASSIFYING: list[Metric] = [
    *map(
        metrics.get, ("accuracy", "sparse_categorical_accuracy", "log_loss", "precision", "recall", "f1_score", "auc")
    ),
    TopKCategoricalAccuracy(2),
    F1Score("micro"),
    F1Score("weighted"),
    F1Score(None),
    ConfusionMatrix(),
]
REGRESSING = [metrics.get("mse"), metrics.get("mae"), metrics.get("binary_accuracy")]


def batch(samples: int = 40, classes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Targets (N,), probabilities (N, K) and weights (N,)."""
    random = generator(0, "metrics")
    predictions = torch.rand(samples, classes, generator=random, dtype=torch.float64).pow(2).add(1e-3)
    targets = torch.randint(classes, (samples,), generator=random)
    weights = torch.rand(samples, generator=random, dtype=torch.float64)
    return targets, predictions / predictions.sum(1, keepdim=True), weights


def value(metric: Metric, targets: Tensor, predictions: Tensor, weights: Tensor | None = None) -> Tensor:
    """What a fresh copy of `metric` makes of one batch."""
    fresh = metric.copy()
    fresh.update(targets, predictions, weights)
    return fresh.compute()


@pytest.mark.parametrize("metric", CLASSIFYING, ids=repr)
def test_batches_add_up_to_the_whole(metric: Metric) -> None:
    targets, predictions, weights = batch()
    parts = metric.copy()

    for part in (slice(0, 7), slice(7, 39), slice(39, 40)):
        parts.update(targets[part], predictions[part], weights[part])

    torch.testing.assert_close(parts.compute(), value(metric, targets, predictions, weights))


@pytest.mark.parametrize("metric", CLASSIFYING, ids=repr)
def test_a_whole_weight_counts_as_that_many_samples(metric: Metric) -> None:
    targets, predictions, _ = batch()
    times = torch.arange(len(targets)) % 3

    weighted = value(metric, targets, predictions, times)

    repeated = value(metric, targets.repeat_interleave(times), predictions.repeat_interleave(times, 0))
    torch.testing.assert_close(weighted, repeated)


@pytest.mark.parametrize("metric", CLASSIFYING, ids=repr)
def test_class_indices_columns_of_them_and_one_hot_targets_say_the_same(metric: Metric) -> None:
    targets, predictions, weights = batch()
    expected = value(metric, targets, predictions, weights)

    column = value(metric, targets[:, None], predictions, weights[:, None])
    one_hot = value(metric, functional.one_hot(targets).float(), predictions, weights)

    torch.testing.assert_close(column, expected)
    torch.testing.assert_close(one_hot, expected)


@pytest.mark.parametrize("metric", CLASSIFYING, ids=repr)
def test_totals_are_one_float64_tensor_without_a_gradient_and_restore_the_metric(metric: Metric) -> None:
    targets, predictions, _ = batch()
    first, second = metric.copy(), metric.copy()
    first.update(targets, predictions.float().requires_grad_())

    assert first.totals is not None
    second.totals = first.totals.clone()
    second.update(targets, predictions)

    assert first.totals.dtype == torch.float64
    assert not first.totals.requires_grad
    torch.testing.assert_close(
        second.compute(), value(metric, targets.repeat(2), predictions.repeat(2, 1)), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("metric", CLASSIFYING, ids=repr)
def test_reset_forgets_and_copy_begins_anew(metric: Metric) -> None:
    targets, predictions, _ = batch()
    used = metric.copy()
    used.update(targets, predictions)
    kept = used.totals

    fresh = used.copy()
    used.reset()

    for empty in (used, fresh):
        assert empty.totals is None
        with pytest.raises(NotReady, match=f"^{metric.name}: nothing to compute yet; call update first.$"):
            empty.compute()
    assert kept is not None
    assert kept.sum() > 0


@pytest.mark.parametrize("metric", [*CLASSIFYING, *REGRESSING], ids=repr)
def test_targets_that_do_not_fit_are_refused_by_name(metric: Metric) -> None:
    targets, predictions, weights = batch()

    with pytest.raises(BadShape, match=f"^{metric.name}: 39 targets for 40 predictions.$"):
        metric.copy().update(targets[1:], predictions)
    with pytest.raises(BadShape, match=f"^{metric.name}: 39 weights for 40 samples.$"):
        metric.copy().update(targets, predictions, weights[1:])
    with pytest.raises(BadShape, match=rf"^{metric.name}: targets have shape \(40, 3\), predictions \(40(, 4)?\); "):
        metric.copy().update(torch.zeros(40, 3), predictions)


@pytest.mark.parametrize("metric", [*CLASSIFYING, metrics.Mean()], ids=repr)
def test_nothing_waits_for_the_device(metric: Metric) -> None:
    """Tensors on `meta` have no values, so whatever read one back would fail."""
    targets, predictions, weights = (tensor.to("meta") for tensor in batch())
    used = metric.copy()

    if isinstance(used, metrics.Mean):
        used.update(predictions, weights)
    else:
        used.update(targets, predictions)
        used.update(targets, predictions, weights)

    assert used.compute().device.type == "meta"


@pytest.mark.parametrize("metric", CLASSIFYING, ids=repr)
def test_a_value_stays_as_it_was_when_more_samples_come(metric: Metric) -> None:
    targets, predictions, _ = batch()
    used = metric.copy()
    used.update(targets, predictions)
    early = used.compute()
    kept = early.clone()

    used.update(targets, predictions)

    assert torch.equal(early, kept)


def test_counting_goes_on_beyond_what_float32_can_count() -> None:
    metric = metrics.get("accuracy")
    metric.totals = torch.tensor([2.0**24, 2.0**24], dtype=torch.float64)

    metric.update(torch.tensor([0]), torch.tensor([[0.2, 0.8]]))

    assert metric.totals.tolist() == [2**24, 2**24 + 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_predictions_are_summed_in_full(dtype: torch.dtype) -> None:
    metric = metrics.get("log_loss")

    metric.update(torch.zeros(3000, dtype=torch.int64), torch.tensor([[0.5, 0.5]], dtype=dtype).expand(3000, 2))

    torch.testing.assert_close(metric.compute().item(), 0.6931471805599453, rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("accuracy", "Accuracy"),
        ("acc", "Accuracy"),
        ("categoricalAccuracy", "CategoricalAccuracy"),
        ("SparseCategoricalAccuracy", "SparseCategoricalAccuracy"),
        ("AUC", "AUC"),
        ("F1Score", "F1Score"),
        ("mse", "MeanSquaredError"),
        ("meanAbsoluteError", "MeanAbsoluteError"),
        ("categoricalCrossentropy", "LogLoss"),
        ("sparse_top_k_categorical_accuracy", "TopKCategoricalAccuracy"),
    ],
)
def test_names_are_known_in_the_spelling_of_keras_and_tfjs_and_are_the_key_in_logs(word: str, kind: str) -> None:
    metric = metrics.get(word)

    assert type(metric).__name__ == kind
    assert metric.name == word


def test_a_metric_passes_as_itself() -> None:
    metric = metrics.Precision(0.9, name="sure")

    assert metrics.get(metric) is metric
    assert metric.copy().thresholds == 0.9
    assert repr(metric) == "Precision(name='sure')"


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(UnknownName, match=r"^unknown metric 'acuracy'; did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(BadValue, match=r"^metrics: 3 is neither a name nor a Metric; known names: accuracy, "):
        metrics.get(3)  # type: ignore[arg-type]  # what a user might write
