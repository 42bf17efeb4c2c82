"""Models of transformers as models of ours: the same answers as the original's, in one line what cannot be read."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.special import log_softmax

from holdfast import load
from holdfast.core import BadFile, BadValue, MissingExtra
from holdfast.layers import Input
from holdfast.models import Model, Pictures
from holdfast.transfer import classifier, hf, load_base
from holdfast.transfer.hf import is_hf, load_hf
from transfer.hf_models import TINY, pictures, save

pytest.importorskip("transformers")

SEVERAL: dict[str, tuple[str, tuple[int, int], dict[str, Any]]] = {  # Any: settings of a configuration
    "resnet, basic, odd sides": ("resnet", (65, 50), {**TINY["resnet"], "depths": [1, 2]}),
    "resnet, bottleneck": (
        "resnet",
        (33, 64),
        {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [2, 1]},
    ),
    "resnet, strides elsewhere": (
        "resnet",
        (64, 64),
        {
            "embedding_size": 8,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "downsample_in_bottleneck": True,
            "downsample_in_first_stage": True,
        },
    ),
    "regnet y": ("regnet", (40, 41), {**TINY["regnet"], "depths": [1, 2]}),
    "regnet x": (
        "regnet",
        (40, 41),
        {**TINY["regnet"], "groups_width": 8, "layer_type": "x", "downsample_in_first_stage": False},
    ),
    "convnext": (
        "convnext",
        (67, 50),
        {"hidden_sizes": [8, 16, 24], "depths": [1, 2, 1], "num_stages": 3, "layer_scale_init_value": 0.3},
    ),
    "convnext, no scale": (
        "convnext",
        (32, 33),
        {**TINY["convnext"], "layer_scale_init_value": 0.0, "patch_size": 2, "layer_norm_eps": 1e-3},
    ),
    "mobilenet v1": ("mobilenet_v1", (65, 64), {"depth_multiplier": 0.25}),
    "mobilenet v1, torch's padding": (
        "mobilenet_v1",
        (65, 64),
        {"depth_multiplier": 0.25, "tf_padding": False, "min_depth": 4, "layer_norm_eps": 1e-5},
    ),
    "mobilenet v2": ("mobilenet_v2", (65, 64), {"depth_multiplier": 0.25}),
    "mobilenet v2, torch's padding": (
        "mobilenet_v2",
        (70, 64),
        {
            "depth_multiplier": 0.3,
            "tf_padding": False,
            "first_layer_is_expansion": False,
            "finegrained_output": False,
            "expand_ratio": 2,
        },
    ),
    "mobilenet v2, dilated": ("mobilenet_v2", (65, 64), {"depth_multiplier": 0.25, "output_stride": 8}),
    "mobilenet v2, dilated, torch's padding": (
        "mobilenet_v2",
        (65, 64),
        {"depth_multiplier": 0.25, "output_stride": 16, "tf_padding": False},
    ),
    "efficientnet": ("efficientnet", (65, 66), TINY["efficientnet"]),
    "efficientnet, square padding, largest": (
        "efficientnet",
        (64, 60),
        {
            **TINY["efficientnet"],
            "depth_coefficient": 1.1,
            "depthwise_padding": [2],
            "pooling_type": "max",
            "in_channels": [32, 16, 24],
            "out_channels": [16, 24, 40],
            "kernel_sizes": [3, 5, 3],
            "strides": [1, 2, 2],
            "num_block_repeats": [1, 2, 1],
            "expand_ratios": [1, 4, 6],
        },
    ),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_a_model_says_what_the_original_says(case: str, tmp_path: Path) -> None:
    kind, size, settings = SEVERAL[case]
    saved = save(tmp_path, kind, size, **settings)
    shown = pictures(size)

    model = load_hf(tmp_path)

    wanted = log_softmax(saved.logits(shown), axis=1)
    found = np.log(model.predict(shown).astype(np.float64))
    # The 1e-5, of the largest: float32 through up to 50 layers here, float64 there.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert np.ptp(wanted, axis=0).max() > 1e-3  # the answers depend on the picture


@pytest.mark.parametrize("kind", TINY)
def test_it_travels_in_a_keras_file(kind: str, tmp_path: Path) -> None:
    saved = save(tmp_path, kind)
    model = load_hf(tmp_path)

    model.save(tmp_path / "model.keras")

    again = load(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(pictures(saved.size)), model.predict(pictures(saved.size)))
    assert again.reads == model.reads


@pytest.mark.parametrize("kind", ["resnet", "convnext"])
def test_without_a_head_it_gives_features(kind: str, tmp_path: Path) -> None:
    saved = save(tmp_path, kind, head=False)
    shown = pictures(saved.size)
    scaled = torch.from_numpy(((shown / 255 - (0.4, 0.5, 0.6)) / (0.2, 0.3, 0.4)).transpose(0, 3, 1, 2))

    model = load_hf(tmp_path)

    with torch.no_grad():
        wanted = saved.model.double().eval()(scaled).pooler_output.flatten(1).numpy()
    np.testing.assert_allclose(model.predict(shown), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert model.classes is None


def test_a_classifier_on_it_trains(tmp_path: Path) -> None:
    save(tmp_path, "resnet")
    shown = pictures((33, 40), 24)
    shown[::2] //= 4
    labels = np.arange(24) % 2

    model = classifier(load_base(tmp_path), 2)

    model.compile(metrics=["accuracy"])
    model.fit(shown, labels, epochs=60, verbose=0)
    assert model.evaluate(shown, labels)[1] > 0.9


@pytest.mark.parametrize("until", ["stem_pool", "stage1_block1_out", "pool"])
def test_it_is_cut_at_a_layer(until: str, tmp_path: Path) -> None:
    save(tmp_path, "resnet")

    base = load_base(tmp_path, until=until)

    assert base.layers[-1].name == until


def test_weights_of_half_precision_are_read(tmp_path: Path) -> None:
    save(tmp_path, "resnet")
    whole = load_hf(tmp_path).predict(pictures((33, 40)))
    tensors = load_file(tmp_path / "model.safetensors")
    halves = {name: one.half() if one.is_floating_point() else one for name, one in tensors.items()}
    save_file(halves, tmp_path / "model.safetensors")

    found = load_hf(tmp_path).predict(pictures((33, 40)))

    np.testing.assert_allclose(found, whole, atol=0.05)  # float16 has 11 bits, the logits reach 10


def test_classes_have_the_names_of_the_labels(tmp_path: Path) -> None:
    save(tmp_path, "resnet", labels=3)
    assert load_hf(tmp_path).classes is None  # LABEL_0, ... are no names

    change(tmp_path, id2label={"0": "crane", "1": "tern", "2": "crane"})

    assert load_hf(tmp_path).classes == ("crane", "tern", "crane (2)")


def test_several_labels_at_once_are_sigmoids(tmp_path: Path) -> None:
    save(tmp_path, "resnet")
    change(tmp_path, problem_type="multi_label_classification")

    assert load_hf(tmp_path).predict(pictures((33, 40))).sum(1).max() > 1.01


# How pictures are prepared


def change(folder: Path, **words: object) -> None:
    """Changes words of a folder's configuration; None takes one out."""
    path = folder / "config.json"
    found = {**json.loads(path.read_text()), **words}
    path.write_text(json.dumps({word: value for word, value in found.items() if value is not None}))


def say(folder: Path, **words: object) -> None:
    """Writes what an image processor says."""
    (folder / "preprocessor_config.json").write_text(json.dumps(words))


def prepared(folder: Path, **words: object) -> Pictures:
    """How pictures are read where the image processor says this."""
    say(folder, **words)
    reads = load_hf(folder).reads
    assert isinstance(reads, Pictures)
    return reads


def test_pictures_are_read_as_the_processor_says(tmp_path: Path) -> None:
    save(tmp_path, "resnet")
    by_convnext = {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875}

    assert prepared(tmp_path, size=48) == Pictures((48, 48), 3)
    assert prepared(tmp_path, size={"height": 40, "width": 50}, resample=3).interpolation == "bicubic"
    assert prepared(tmp_path, size={"shortest_edge": 40}) == Pictures((40, 40), 3, "crop")
    assert prepared(tmp_path, size={"shortest_edge": 40}, **by_convnext) == Pictures((40, 40), 3, "crop")
    older = {"feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875, "resample": 3}
    assert prepared(tmp_path, size=224, **older) == Pictures((224, 224), 3, "crop", "bicubic")
    assert prepared(tmp_path, size={"shortest_edge": 384}, **by_convnext) == Pictures((384, 384), 3, "stretch")
    cropped = prepared(tmp_path, size={"shortest_edge": 50}, do_center_crop=True, crop_size=40, resample=0)
    assert cropped == Pictures((40, 40), 3, "crop", "nearest", antialias=False)


def test_without_a_processor_it_is_the_usual_one(tmp_path: Path) -> None:
    save(tmp_path, "mobilenet_v1")
    (tmp_path / "preprocessor_config.json").unlink()

    model = load_hf(tmp_path)

    assert model.reads == Pictures((224, 224), 3)
    assert model.layers[1].settings()["scale"] == pytest.approx(1 / 127.5)  # type: ignore[attr-defined]  # a Layer
    assert model.layers[1].settings()["offset"] == pytest.approx(-1)  # type: ignore[attr-defined]  # a Layer


PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {  # Any: settings of a processor
    "convnext": ("ConvNext", {}),
    "mobilenet_v1": ("MobileNetV1", {"image_mean": [0.1, 0.2, 0.3], "rescale_factor": 1 / 128}),
    "mobilenet_v2": ("MobileNetV2", {"do_normalize": False}),
    "efficientnet": ("EfficientNet", {}),
    "efficientnet, offset": ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5}),
    "efficientnet, once": ("EfficientNet", {"include_top": False, "image_std": [0.2, 0.3, 0.4]}),
}


@pytest.mark.parametrize("case", PROCESSORS)
def test_pixels_are_scaled_as_by_the_processor(case: str, tmp_path: Path) -> None:
    from importlib import import_module

    kind = case.partition(",")[0]
    save(tmp_path, kind, (36, 36))
    name, settings = PROCESSORS[case]
    module = import_module(f"transformers.models.{kind}.image_processing_pil_{kind}")
    processor = getattr(module, f"{name}ImageProcessorPil")(do_resize=False, do_center_crop=False, **settings)
    processor.size = {"height": 36, "width": 36}
    processor.save_pretrained(tmp_path)
    shown = pictures((36, 36), 2)

    model = load_hf(tmp_path)

    wanted = np.stack(processor(list(shown), return_tensors="np")["pixel_values"]).transpose(0, 2, 3, 1)
    first = model.layers[1]
    entry = Input((36, 36, 3))
    scaled = Model(entry, first(entry)).predict(shown)  # type: ignore[operator]  # a Layer
    np.testing.assert_allclose(scaled, wanted, rtol=1e-5, atol=1e-6)


# What cannot be read


def test_a_folder_is_known_by_its_configuration(tmp_path: Path) -> None:
    save(tmp_path / "model", "resnet")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"layers": 3}')
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.json").write_text("[" * 5000)

    assert is_hf(tmp_path / "model")
    assert not any(map(is_hf, (tmp_path, tmp_path / "other", tmp_path / "text", tmp_path / "nowhere")))


def rewrite(folder: Path, function: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Changes the tensors of a folder."""
    tensors = load_file(folder / "model.safetensors")
    function(tensors)
    save_file(tensors, folder / "model.safetensors")


STEM = "resnet.embedder.embedder.convolution.weight"
NORM = "resnet.embedder.embedder.normalization.running_var"
WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "another architecture": (
        lambda folder: change(folder, model_type="vit"),
        "its model_type is 'vit'; those that are read are convnext, efficientnet, mobilenet_v1",
    ),
    "no architecture": (lambda folder: change(folder, model_type=None), "its model_type is None"),
    "a tensor is missing": (
        lambda folder: rewrite(folder, lambda tensors: tensors.pop(STEM)),
        "has no tensor 'embedder.embedder.convolution.weight', which its configuration asks for",
    ),
    "deeper than its tensors": (
        lambda folder: change(folder, depths=[10**9, 1]),
        "has no tensor 'encoder.stages.0.layers.1.layer.0.convolution.weight'",
    ),
    "less deep than its tensors": (
        lambda folder: change(folder, depths=[0, 1]),
        "tensors that its configuration does not ask for, e.g. 'encoder.stages.0",
    ),
    "no shortcut": (
        lambda folder: rewrite(
            folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if "shortcut" in name]
        ),
        "has no tensor 'encoder.stages.1.layers.0.shortcut.convolution.weight'",
    ),
    "a tensor of another rank": (
        lambda folder: rewrite(folder, lambda tensors: tensors.update({STEM: torch.zeros(8, 3)})),
        "'embedder.embedder.convolution.weight' is (8, 3) of float32; 4 axes of floating-point numbers are needed",
    ),
    "a kernel for other channels": (
        lambda folder: rewrite(folder, lambda tensors: tensors.update({STEM: torch.zeros(8, 2, 7, 7)})),
        "'embedder.embedder.convolution.weight' is (8, 2, 7, 7) of float32; its input has 3 channels",
    ),
    "a kernel for no channels": (
        lambda folder: rewrite(folder, lambda tensors: tensors.update({STEM: torch.zeros(8, 0, 7, 7)})),
        "is (8, 0, 7, 7) of float32; its input has 3 channels",
    ),
    "statistics of other channels": (
        lambda folder: rewrite(folder, lambda tensors: tensors.update({NORM: torch.ones(9)})),
        "'embedder.embedder.normalization.running_var' has 9 numbers; its input has 8 channels",
    ),
    "whole numbers": (
        lambda folder: rewrite(folder, lambda tensors: tensors.update({NORM: torch.ones(8, dtype=torch.int64)})),
        "is (8,) of int64; 1 axes of floating-point numbers are needed",
    ),
    "NaN": (
        lambda folder: rewrite(folder, lambda tensors: tensors.update({NORM: torch.full((8,), torch.nan)})),
        "holds NaN or infinite numbers",
    ),
    "damaged weights": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100),
        "its model.safetensors is damaged",
    ),
    "cut off weights": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-8]),
        "its model.safetensors is damaged",
    ),
    "pickled weights alone": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        "has no model.safetensors; other files of weights may hold code and are not read",
    ),
    "no text": (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"), "or a damaged one"),
    "an unknown activation": (
        lambda folder: change(folder, hidden_act="rely"),
        "its hidden_act 'rely' is none that is read; those are gelu, linear, relu",
    ),
    "an activation below zero": (
        lambda folder: change(folder, hidden_act="gelu"),
        "its hidden_act 'gelu' can be negative in front of the pooling",
    ),
    "a huge picture": (
        lambda folder: say(folder, size=10**9),
        "its pictures are to have the size 1000000000; two sides of 1 to 16,384 pixels are needed",
    ),
    "a mean too many": (
        lambda folder: say(folder, size=40, image_mean=[0.5, 0.5]),
        "its image_mean and image_std must have 3 numbers, one for each channel",
    ),
    "no deviation": (lambda folder: say(folder, size=40, image_std=0), "or a damaged one"),
    "depths that are none": (lambda folder: change(folder, depths="many"), "or a damaged one"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case: str, tmp_path: Path) -> None:
    save(tmp_path, "resnet")
    spoil, wanted = WRONG[case]

    spoil(tmp_path)
    with pytest.raises(BadFile) as told:
        load_hf(tmp_path)

    text = str(told.value)
    assert text.startswith(str(tmp_path))
    assert wanted in text
    assert text.isprintable()


def test_no_memory_is_taken_that_the_file_does_not_fill(tmp_path: Path) -> None:
    save(tmp_path, "efficientnet")
    reduce = "efficientnet.encoder.blocks.0.squeeze_excite.reduce.weight"
    rewrite(tmp_path, lambda tensors: tensors.update({reduce: torch.zeros(2**20, 1, 1, 1)}))  # 4 MiB that ask for more

    with pytest.raises(BadValue, match=r"filters=8 must be a multiple of groups=524288"):
        load_hf(tmp_path)


def test_more_than_any_of_them_weighs_is_not_read(tmp_path: Path) -> None:
    save(tmp_path, "resnet")
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(2**33)  # takes no room on the disk

    with pytest.raises(BadFile, match=r"its model\.safetensors is larger than 4 GiB"):
        load_hf(tmp_path)


# Names at huggingface.co


def test_a_name_is_fetched_by_the_hubs_own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "resnet")
    asked: list[tuple[str, str]] = []

    def download(name: str, file: str) -> str:
        asked.append((name, file))
        return str(tmp_path / file)

    fake = SimpleNamespace(hf_hub_download=download, file_exists=lambda name, file: True)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)

    model = load_base("microsoft/resnet-18")

    assert model.inputs[0].shape == (33, 40, 3)
    assert [file for _, file in asked] == ["config.json", "model.safetensors", "preprocessor_config.json"]


def test_a_name_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    with pytest.raises(MissingExtra, match=r"^microsoft/resnet-18: is no folder .* pip install 'holdfast\[hub\]'"):
        load_hf("microsoft/resnet-18")


def test_a_name_without_a_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(BadFile, match=r"^nobody/nothing: is no folder here, and cannot be fetched .*; check") as told:
        load_hf("nobody/nothing")

    assert str(told.value).isprintable()


@pytest.mark.parametrize("word", ["resnet18", "a/b/c", "../resnet", "/tmp/x", "https://x/y", "mobilenet/model.json"])
def test_other_words_are_no_names_there(word: str) -> None:
    assert not hf.is_hub_name(word)


def test_nobody_is_asked_for_a_mistyped_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hf, "fetched", lambda name: pytest.fail(f"{name} was asked for"))

    with pytest.raises(BadFile, match=r"^base 'runs/photos-099': no such file or folder, and no name of a base"):
        load_base("runs/photos-099")


def test_every_architecture_has_a_small_one() -> None:
    assert set(TINY) == set(hf.NETS)
