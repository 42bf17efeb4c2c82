"""What layers are: frozen descriptions with Keras's names, fields and defaults, that build plain torch modules."""

from .activation import Activation, ReLU, Softmax
from .activations import activations
from .conv import Conv2D, ZeroPadding2D
from .dense import Dense
from .dropout import Dropout, RandomModule, SpatialDropout2D
from .initializers import FromArray, Initializer, get_initializer, initializers
from .input import Input, InputLayer
from .layer import Call, Layer, Shape, Source, Symbol, Weight
from .merge import Add, Concatenate
from .norm import BatchNormalization, LayerNormalization, Normalization, Rescaling
from .pool import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .regularizers import L1, L1L2, L2, ActivityPenalty, Regularizer, get_regularizer, regularizers
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
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "FromArray",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Initializer",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "MaxPooling2D",
    "Normalization",
    "RandomModule",
    "ReLU",
    "Regularizer",
    "Rescaling",
    "Reshape",
    "Shape",
    "Softmax",
    "Source",
    "SpatialDropout2D",
    "Symbol",
    "Weight",
    "ZeroPadding2D",
    "activations",
    "get_initializer",
    "get_regularizer",
    "initializers",
    "regularizers",
]
