"""What layers are: frozen descriptions with Keras's names, fields and defaults, that build plain torch modules."""

from .activation import Activation, ReLU, Softmax
from .conv import Conv2D, ZeroPadding2D
from .dense import Dense
from .dropout import Dropout, RandomModule, SpatialDropout2D
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
from .merge import Add, Concatenate
from .norm import BatchNormalization, LayerNormalization, Normalization, Rescaling
from .pool import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .regularizers import L1, L1L2, L2, ActivityPenalty, Regularizer, get_regularizer
from .reshape import Flatten, Reshape

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Activation",
    "ActivityPenalty",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Call",
    "Concatenate",
    "Constant",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "FromArray",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LecunNormal",
    "LecunUniform",
    "MaxPooling2D",
    "Normalization",
    "Ones",
    "Orthogonal",
    "RandomModule",
    "RandomNormal",
    "RandomUniform",
    "ReLU",
    "Regularizer",
    "Rescaling",
    "Reshape",
    "Shape",
    "Softmax",
    "Source",
    "SpatialDropout2D",
    "Symbol",
    "TruncatedNormal",
    "VarianceScaling",
    "Weight",
    "ZeroPadding2D",
    "Zeros",
    "get_initializer",
    "get_regularizer",
]
