"""Image classifiers of Hugging Face's `transformers`, from their folder or their name, as models of our layers.

A folder is a stranger's: of it a configuration and a safetensors file are read, and nothing is run.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core import BadFile, MissingExtra, need
from ..layers import Input, Normalization, Rescaling, Symbol
from ..models import BaseModel, Pictures
from ..models.reading import one_line, read_json, regular, told
from .convnext import convnext
from .efficientnet import efficientnet
from .mobilenet import mobilenet_v1, mobilenet_v2
from .net import Config, Net
from .resnet import regnet, resnet

KIND = "image classifier of transformers"
CONFIG, WEIGHTS, PICTURES = "config.json", "model.safetensors", "preprocessor_config.json"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
UNNAMED = re.compile(r"LABEL_\d+")  # what `transformers` calls classes without names
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "bilinear")  # Pillow's numbers
LARGEST_WEIGHTS = 4 * 2**30  # bytes; the largest of these architectures has 1.4 GB
WARPED = 384  # from this side on ConvNextImageProcessor stretches pictures, and crops none
IMAGENET: Config = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALVES: Config = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
NETS: dict[str, Callable[[Net, Symbol, Config], Symbol]] = {
    "convnext": convnext,
    "efficientnet": efficientnet,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "regnet": regnet,
    "resnet": resnet,
}
USUAL: dict[str, Config] = {  # how `transformers` prepares pictures for each when nothing is said
    **dict.fromkeys(("convnext", "regnet", "resnet"), IMAGENET),
    **dict.fromkeys(("mobilenet_v1", "mobilenet_v2"), HALVES),
    "efficientnet": {**HALVES, "include_top": True, "resample": 3},
}


def is_hf(path: Path | str) -> bool:
    """Whether this is a folder with a configuration of `transformers`."""
    try:
        return "model_type" in read_json(Path(path) / CONFIG)
    except (OSError, ValueError, RecursionError):
        return False


def is_hub_name(name: str) -> bool:
    """Whether this may be a name such as "microsoft/resnet-18", and no mistyped path, of which nobody is asked."""
    place = Path(name)
    local = place.parent.is_dir() or place.suffix.lower() in (".json", ".keras", ".h5", ".hdf5")
    return HUB_NAME.fullmatch(name) is not None and not local


def load_hf(path_or_name: Path | str) -> BaseModel:
    """A model of `transformers` as one of our layers, with its head, that takes bytes of pictures, 0..255.

    Args:
        path_or_name: a folder with config.json and model.safetensors, and preprocessor_config.json if there is one;
            or a name at huggingface.co, which is fetched by `huggingface_hub` into its own cache.

    Raises:
        BadFile: no such folder or name, another architecture, tensors that do not fit it, or a damaged file.
        MissingExtra: a name, and `huggingface_hub` is not installed.
    """
    folder = Path(path_or_name)
    if not folder.exists() and is_hub_name(str(path_or_name)):
        folder = fetched(str(path_or_name))
    with told(path_or_name, KIND):
        config = read_json(folder / CONFIG)
        words = read_json(folder / PICTURES) if (folder / PICTURES).is_file() else {}
        if not (folder / WEIGHTS).is_file():
            raise BadFile(f"has no {WEIGHTS}; other files of weights may hold code and are not read.")
        return converted(config, words, read_safetensors(folder / WEIGHTS))


def fetched(name: str) -> Path:
    """The folder of a model of huggingface.co on this machine; what is missing is fetched.

    Raises:
        BadFile: there is no such model, or no network.
        MissingExtra: `huggingface_hub` is not installed.
    """
    try:
        hub = need("huggingface_hub", extra="hub")
    except MissingExtra as error:
        raise MissingExtra(f"{name}: is no folder here, and to fetch it from huggingface.co {error}") from error
    download, exists = hub.hf_hub_download, hub.file_exists  # which sets the level of its messages, so it comes first
    words = logging.getLogger("huggingface_hub")
    level = words.level
    words.setLevel(logging.ERROR)  # or it would say of each break that it broke
    try:
        found = [Path(download(name, file)) for file in (CONFIG, WEIGHTS)]
        if exists(name, PICTURES):
            download(name, PICTURES)
    except Exception as error:  # whatever its HTTP library raises
        reason = one_line(str(error.__cause__ or error)).partition(". ")[0].rstrip(".")
        raise BadFile(
            f"{name}: is no folder here, and cannot be fetched from huggingface.co ({reason}); check the name and the "
            "network."
        ) from error
    finally:
        words.setLevel(level)
    return found[0].parent


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names; it is checked that they are what the file has room for.

    Raises:
        BadFile: damaged.
    """
    from safetensors import SafetensorError, safe_open

    with regular(path) as file:  # no pipe, no device
        if os.fstat(file.fileno()).st_size > LARGEST_WEIGHTS:
            raise BadFile(f"its {path.name} is larger than {LARGEST_WEIGHTS >> 30} GiB.")
    try:
        with safe_open(path, framework="pt") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118  (no dict)
    except SafetensorError as error:
        raise BadFile(f"its {path.name} is damaged: {error}") from error


def converted(config: Config, words: Config, tensors: Mapping[str, Tensor]) -> BaseModel:
    """The model of a configuration and of what torch calls a state dict.

    Args:
        config: of `transformers`.
        words: of its image processor.
        tensors: by name, with or without the name of the model in front.

    Raises:
        BadFile: an unknown architecture, or tensors that do not fit it.
    """
    kind = config.get("model_type")
    if kind not in NETS:
        raise BadFile(f"its model_type is {kind!r}; those that are read are {', '.join(NETS)}.")
    net = Net({name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items()})
    channels = config.get("num_channels", 3)
    words = {**USUAL[kind], **words}
    reads, entry = _reads(config, words, channels)
    x = NETS[kind](net, _scaled(entry, words), config)
    head = next((place for place in ("classifier", "classifier.1") if net.has(f"{place}.weight")), None)
    if head:
        several = config.get("problem_type") == "multi_label_classification"
        x = net.dense(x, head, "classifier", "sigmoid" if several else "softmax")
    model = net.model(entry, x, kind)
    model.reads = reads
    model.classes = _classes(config, x.shape[-1]) if head else None
    return model


def _reads(config: Config, words: Config, channels: int) -> tuple[Pictures | None, Symbol]:
    """How files become its input, as near as we read them, and that input."""
    size, crop = words.get("size"), words.get("crop_size") if words.get("do_center_crop") else None
    size = size if size is not None else config.get("image_size", 224)
    sides = _sides(crop if crop is not None else size)
    cropped = crop is not None or (isinstance(size, Mapping) and "shortest_edge" in size)
    by_convnext = "convnext" in str(words.get("image_processor_type", words.get("feature_extractor_type", ""))).lower()
    if by_convnext and (crop is not None or isinstance(size, (int, Mapping))):
        cropped = min(sides) < WARPED
    number = words.get("resample", 2)
    method = RESAMPLE[number] if isinstance(number, int) and 0 <= number < len(RESAMPLE) else "bilinear"
    entry = Input((*sides, channels))
    if channels not in (1, 3):
        return None, entry
    return Pictures(
        sides, channels, "crop" if cropped else "stretch", interpolation=method, antialias=method != "nearest"
    ), entry


def _sides(size: Any) -> tuple[int, int]:  # Any: what json.loads gives
    """(H, W) of a number, a pair, {"height": ..., "width": ...} or {"shortest_edge": ...}."""
    if isinstance(size, Mapping):
        size = size["shortest_edge"] if "shortest_edge" in size else (size["height"], size["width"])
    pair = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and 0 < side <= 2**14 for side in pair):
        raise BadFile(f"its pictures are to have the size {size!r}; two sides of 1 to {2**14:,} pixels are needed.")
    return pair


def _scaled(x: Symbol, words: Config) -> Symbol:
    """Bytes, 0..255, as the image processor scales them: one layer, for all channels or for each."""
    factor = float(words.get("rescale_factor", 1 / 255)) if words.get("do_rescale", True) else 1.0
    offset = -1.0 if words.get("rescale_offset") else 0.0
    means, deviations = [0.0], [1.0]
    if words.get("do_normalize", True):
        means, deviations = _list(words["image_mean"]), _list(words["image_std"])
    again = _list(words["image_std"]) if words.get("include_top") else [1.0]
    numbers = [means, deviations, again]
    if any(len(some) not in (1, x.shape[-1]) for some in numbers):
        raise BadFile(f"its image_mean and image_std must have {x.shape[-1]} numbers, one for each channel.")
    wide = [some * x.shape[-1] if len(some) == 1 else some for some in numbers]
    slopes = [factor / one / other for one, other in zip(wide[1], wide[2], strict=True)]
    shifts = [(offset - mean) / one / other for mean, one, other in zip(*wide, strict=True)]
    if len({*zip(slopes, shifts, strict=True)}) == 1:
        return Rescaling(slopes[0], shifts[0], name="scaling")(x)
    mean = [-shift / slope for slope, shift in zip(slopes, shifts, strict=True)]
    return Normalization(mean=mean, variance=[1 / slope**2 for slope in slopes], name="scaling")(x)


def _list(value: Any) -> list[float]:  # Any: what json.loads gives
    return [float(one) for one in value] if isinstance(value, (list, tuple)) else [float(value)]


def _classes(config: Config, count: int) -> tuple[str, ...] | None:
    """The names of the classes, each once: ImageNet has two called "crane".  None where it has none."""
    names = config.get("id2label")
    if not isinstance(names, Mapping) or set(names) != {str(number) for number in range(count)}:
        return None
    words = [str(names[str(number)]) for number in range(count)]
    if all(UNNAMED.fullmatch(word) for word in words):
        return None
    return tuple(f"{word} ({number})" if word in words[:number] else word for number, word in enumerate(words))
