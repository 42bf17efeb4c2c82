"""What layers are: frozen descriptions with Keras's names, fields and defaults, that build plain torch modules."""

from .activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from .constraints import Constraint, MaxNorm, NonNeg, UnitNorm, get_constraint
from .conv import Conv2D, ZeroPadding2D
from .dense import Dense
from .dropout import Dropout, RandomModule, SpatialDropout2D
from .embedding import Embedding
from .initializers import (
    Constant,
    FromArray,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
    get_initializer,
)
from .input import Input, InputLayer
from .layer import Call, Layer, Shape, Source, Symbol, Weight
from .merge import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from .noise import AlphaDropout, GaussianDropout, GaussianNoise
from .norm import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    UnitNormalization,
)
from .pool import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .regularizers import L1, L1L2, L2, ActivityPenalty, Regularizer, get_regularizer
from .reshape import Flatten, Permute, RepeatVector, Reshape
from .resize import CenterCrop, Resizing
from .spectrogram import MelSpectrogram
from .torch_layer import Torch

__all__ = [
    "ELU",
    "L1",
    "L1L2",
    "L2",
    "Activation",
    "ActivityPenalty",
    "Add",
    "AlphaDropout",
    "Average",
    "AveragePooling2D",
    "BatchNormalization",
    "Call",
    "CenterCrop",
    "Concatenate",
    "Constant",
    "Constraint",
    "Conv2D",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "FromArray",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "GlorotNormal",
    "GlorotUniform",
    "GroupNormalization",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "LecunNormal",
    "LecunUniform",
    "MaxNorm",
    "MaxPooling2D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "Multiply",
    "NonNeg",
    "Normalization",
    "Ones",
    "Orthogonal",
    "PReLU",
    "Permute",
    "RandomModule",
    "RandomNormal",
    "RandomUniform",
    "ReLU",
    "Regularizer",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "Shape",
    "Softmax",
    "Source",
    "SpatialDropout2D",
    "Subtract",
    "Symbol",
    "Torch",
    "TruncatedNormal",
    "UnitNorm",
    "UnitNormalization",
    "VarianceScaling",
    "Weight",
    "ZeroPadding2D",
    "Zeros",
    "get_constraint",
    "get_initializer",
    "get_regularizer",
]
