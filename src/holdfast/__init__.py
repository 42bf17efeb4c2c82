"""holdfast: train convolutional classifiers fast, and believe the score.

Names and sub-packages are imported when first used, so that `import holdfast` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        callbacks,
        core,
        data,
        evaluate,
        export,
        features,
        layers,
        metrics,
        models,
        runs,
        sklearn,
        training,
        transfer,
        tune,
    )
    from .layers import Input
    from .models import Model, Sequential, convnet, dense_twin, load
    from .runs import (
        CrossValidation,
        Run,
        compare_runs,
        cross_validate,
        dimensions,
        export_run,
        learning_curve,
        pays,
        pretrain,
        resume,
        review_labels,
        train,
    )
    from .runs import evaluate as evaluate_run
    from .tune import Search
    from .tune.search import resume_search, search

__version__ = "0.1.0"

_NAMES = {
    "CrossValidation": ("runs", "CrossValidation"),
    "Input": ("layers", "Input"),
    "Model": ("models", "Model"),
    "Run": ("runs", "Run"),
    "Search": ("tune", "Search"),
    "Sequential": ("models", "Sequential"),
    "compare_runs": ("runs", "compare_runs"),
    "convnet": ("models", "convnet"),
    "cross_validate": ("runs", "cross_validate"),
    "dense_twin": ("models", "dense_twin"),
    "dimensions": ("runs", "dimensions"),
    "evaluate_run": ("runs", "evaluate"),
    "export_run": ("runs", "export_run"),
    "learning_curve": ("runs", "learning_curve"),
    "load": ("models", "load"),
    "pays": ("runs", "pays"),
    "pretrain": ("runs", "pretrain"),
    "resume": ("runs", "resume"),
    "resume_search": ("tune", "resume_search"),
    "review_labels": ("runs", "review_labels"),
    "search": ("tune", "search"),
    "train": ("runs", "train"),
}
_PACKAGES = (
    "callbacks",
    "core",
    "data",
    "evaluate",
    "export",
    "features",
    "layers",
    "metrics",
    "models",
    "runs",
    "sklearn",
    "training",
    "transfer",
    "tune",
)

__all__ = [
    "CrossValidation",
    "Input",
    "Model",
    "Run",
    "Search",
    "Sequential",
    "callbacks",
    "compare_runs",
    "convnet",
    "core",
    "cross_validate",
    "data",
    "dense_twin",
    "dimensions",
    "evaluate",
    "evaluate_run",
    "export",
    "export_run",
    "features",
    "layers",
    "learning_curve",
    "load",
    "metrics",
    "models",
    "pays",
    "pretrain",
    "resume",
    "resume_search",
    "review_labels",
    "runs",
    "search",
    "sklearn",
    "train",
    "training",
    "transfer",
    "tune",
]


def __getattr__(name: str) -> Any:  # Any: whatever the name stands for
    if name in _PACKAGES:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        package, original = _NAMES[name]
        value = globals()[name] = getattr(import_module(f".{package}", __name__), original)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
