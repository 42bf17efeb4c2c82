"""augment.npz: what Keras's layers make of pictures in training when there is one thing only that they can draw.

"x" is what each is given, (2, 6, 8, 3) from 0 to 255.  Keras on torch mirrors at the middle of the last pixel, where
others mirror at its edge, so that no case depends on it.  With values to 255 its RandomSaturation lets saturations grow
beyond 1, and colours below 0; so that is given values to 1.
"""

from typing import Any

import numpy as np

from .common import Arrays, generator, keras, tensor

MOVES: dict[str, tuple[str, dict[str, Any]]] = {  # name: layer and settings; Any: JSON values
    "translation": (
        "RandomTranslation",
        {"height_factor": [0.3, 0.3], "width_factor": [-0.2, -0.2], "fill_mode": "nearest"},
    ),
    "translation_constant": (
        "RandomTranslation",
        {"height_factor": [-0.4, -0.4], "width_factor": [0.25, 0.25], "fill_mode": "constant", "fill_value": 7.0},
    ),
    "rotation": ("RandomRotation", {"factor": [0.07, 0.07], "fill_mode": "nearest"}),
    "rotation_constant": ("RandomRotation", {"factor": [-0.2, -0.2], "fill_mode": "constant", "fill_value": 9.0}),
    "zoom_out": ("RandomZoom", {"height_factor": [0.3, 0.3], "fill_mode": "nearest"}),
    "zoom_both": (
        "RandomZoom",
        {"height_factor": [-0.4, -0.4], "width_factor": [0.2, 0.2], "fill_mode": "constant"},
    ),
    "brightness": ("RandomBrightness", {"factor": [0.2, 0.2]}),
    "darkness": ("RandomBrightness", {"factor": [-0.3, -0.3]}),
    "saturation": ("RandomSaturation", {"factor": [0.6, 0.6], "value_range": [0.0, 1.0]}),
    "grey": ("RandomSaturation", {"factor": [0.0, 0.0], "value_range": [0.0, 1.0]}),
    "flip": ("RandomFlip", {"mode": "horizontal"}),
    "flip_vertical": ("RandomFlip", {"mode": "vertical"}),
}
CONTRAST, TURNS = 1.3, 0.1  # a factor, and how far hues turn


def make() -> Arrays:
    """Each case's pictures under its name."""
    x = generator("augment").uniform(0, 255, (2, 6, 8, 3)).astype(np.float32)
    found: Arrays = {"x": x}
    for name, (kind, settings) in MOVES.items():
        layer = getattr(keras.layers, kind)(**settings)
        drawn = layer.get_random_transformation(tensor(x))
        if kind == "RandomFlip":
            drawn["flips"] = tensor(np.ones((2, 1, 1, 1), bool))
        scale = np.float32(255 if "value_range" in settings else 1)
        found[name] = layer.transform_images(tensor(x / scale), drawn).numpy() * scale
    contrast, hue = keras.layers.RandomContrast(0.5), keras.layers.RandomHue(0.5)
    found["contrast"] = contrast.transform_images(tensor(x), {"contrast_factor": CONTRAST}).numpy()
    for name, turns in (("hue", TURNS), ("hue_back", -TURNS)):
        found[name] = hue.transform_images(tensor(x), {"factor": tensor(np.full(2, turns, np.float32))}).numpy()
    return found
