"""Small models of `transformers` with random weights and statistics, saved as it saves them."""

import json
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
TINY: dict[str, dict[str, Any]] = {  # Any: settings of a configuration
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "regnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 4},
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "layer_scale_init_value": 0.3},
    "mobilenet_v1": {"depth_multiplier": 0.25},
    "mobilenet_v2": {"depth_multiplier": 0.25},
    "efficientnet": {
        "width_coefficient": 0.25,
        "depth_coefficient": 1.0,
        "hidden_dim": 320,
        "in_channels": [32, 16],
        "out_channels": [16, 24],
        "kernel_sizes": [3, 5],
        "strides": [1, 2],
        "num_block_repeats": [1, 2],
        "expand_ratios": [1, 4],
    },
}


@dataclass(frozen=True)
class Saved:
    """A folder that `transformers` wrote, and the model in it."""

    folder: Path
    model: Any  # Any: of transformers
    kind: str
    size: tuple[int, int]
    settings: dict[str, Any] = field(default_factory=dict)

    @torch.no_grad()
    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What `transformers` says of pictures (N, H, W, 3), in float64."""
        scaled = (pictures / 255 - MEAN) / STD
        if self.kind == "efficientnet":  # its image processor divides once more
            scaled = scaled / STD
        found = self.model.double().eval()(torch.from_numpy(scaled.transpose(0, 3, 1, 2)))
        logits: NDArray[np.float64] = found.logits.numpy()
        return logits


def save(
    folder: Path, kind: str, size: tuple[int, int] = (33, 40), *, head: bool = True, labels: int = 5, **settings: Any
) -> Saved:
    """Saves a model of a configuration; `head`: with what classifies."""
    transformers: Any = import_module("transformers")  # Any: mypy would take minutes to read it
    transformers.utils.logging.disable_progress_bar()
    settings = settings or TINY[kind]
    config = transformers.AutoConfig.for_model(kind, num_labels=labels, **settings)
    make = transformers.AutoModelForImageClassification if head else transformers.AutoModel
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = make.from_config(config)
        shake(model)
    model.save_pretrained(folder)
    words = {"size": {"height": size[0], "width": size[1]}, "image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(words))
    return Saved(folder, model, kind, size, settings)


@torch.no_grad()
def shake(model: nn.Module) -> None:
    """Gives every weight and statistic a value of its own, of a size at which no layer drowns another."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                module.bias.normal_(0, 0.3)
    for name, weight in model.named_parameters():
        if "layer_scale" in name:
            weight.uniform_(0.1, 1)


def pictures(size: tuple[int, int], count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)
