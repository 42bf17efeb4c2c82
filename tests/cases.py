"""The one table of layers: what every general test walks, and what the golden script builds in real Keras.

Plain data: it imports neither holdfast nor Keras, and names, settings and shapes mean the same in both.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One layer with its settings and the shapes it is called on.

    Args:
        name: unique; the id of the test and the key in its golden file.
        layer: the class, the same in both worlds.
        settings: its keyword arguments, JSON values only, the same in both worlds.
        shapes: one input shape for each input, channels-last, without the batch axis.
        random: its training output is random (dropout).
    """

    name: str
    layer: str
    settings: dict[str, Any]  # Any: JSON values
    shapes: tuple[tuple[int, ...], ...]
    random: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def own(self) -> bool:
        """Whether Keras on torch has no such layer; its golden numbers are then NumPy's, see golden/make_own.py."""
        return self in OWN


def case(name: str, layer: str, *shapes: tuple[int, ...], random: bool = False, **settings: Any) -> Case:  # Any: JSON
    """A case in one line: its name, the class, the input shapes, then the settings."""
    return Case(name, layer, settings, shapes, random)


ACTIVATIONS = (
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "swish",
    "sigmoid",
    "tanh",
    "softmax",
    "softplus",
    "softsign",
    "exponential",
    "hard_sigmoid",
)

L1 = {"class_name": "L1", "config": {"l1": 0.02}}
L2 = {"class_name": "L2", "config": {"l2": 0.03}}
L1L2 = {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.02}}
SCALED = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}}

DENSE = (
    case("dense", "Dense", (5,), units=4),
    case("dense_rank3", "Dense", (3, 4, 5), units=2),
    case("dense_no_bias", "Dense", (5,), units=4, use_bias=False),
    *(case(f"dense_{name}", "Dense", (5,), units=4, activation=name) for name in ACTIVATIONS),
    case("dense_rank3_softmax", "Dense", (3, 2, 5), units=4, activation="softmax"),
    case("dense_kernel_regularizer", "Dense", (5,), units=4, kernel_regularizer=L2),
    case("dense_bias_regularizer", "Dense", (5,), units=4, bias_regularizer=L1),
    case("dense_activity_regularizer", "Dense", (5,), units=4, activation="tanh", activity_regularizer=L1L2),
    case("dense_named_regularizers", "Dense", (5,), units=4, kernel_regularizer="l1", bias_regularizer="l2"),
    case("dense_initializers", "Dense", (5,), units=4, kernel_initializer=SCALED, bias_initializer="ones"),
    case("dense_frozen", "Dense", (5,), units=4, activation="tanh", trainable=False),
)

CONV2D = (
    case("conv2d", "Conv2D", (7, 6, 2), filters=3, kernel_size=3),
    case("conv2d_1x1", "Conv2D", (4, 3, 2), filters=3, kernel_size=1),
    case("conv2d_same", "Conv2D", (7, 6, 2), filters=3, kernel_size=3, padding="same"),
    case("conv2d_same_kernel2", "Conv2D", (5, 6, 2), filters=3, kernel_size=2, padding="same"),
    case("conv2d_same_kernel4", "Conv2D", (5, 6, 2), filters=2, kernel_size=4, padding="same"),
    case("conv2d_stride2_odd", "Conv2D", (7, 7, 2), filters=3, kernel_size=3, strides=2),
    case("conv2d_stride2_even", "Conv2D", (8, 8, 2), filters=3, kernel_size=3, strides=2),
    case("conv2d_same_stride2_odd", "Conv2D", (7, 7, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    case("conv2d_same_stride2_even", "Conv2D", (8, 8, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    case("conv2d_same_stride2_mixed", "Conv2D", (7, 8, 1), filters=2, kernel_size=5, strides=2, padding="same"),
    case("conv2d_same_stride2_1x1", "Conv2D", (6, 5, 2), filters=3, kernel_size=1, strides=2, padding="same"),
    case("conv2d_same_stride3", "Conv2D", (8, 7, 1), filters=2, kernel_size=4, strides=3, padding="same"),
    case("conv2d_stride_pair", "Conv2D", (7, 6, 2), filters=3, kernel_size=3, strides=[2, 1], padding="same"),
    case("conv2d_dilation2", "Conv2D", (7, 8, 2), filters=3, kernel_size=3, dilation_rate=2),
    case("conv2d_same_dilation2", "Conv2D", (7, 6, 2), filters=3, kernel_size=3, dilation_rate=2, padding="same"),
    case("conv2d_dilation_pair", "Conv2D", (7, 5, 1), filters=2, kernel_size=2, dilation_rate=[3, 1]),
    case("conv2d_groups", "Conv2D", (5, 5, 4), filters=6, kernel_size=3, groups=2),
    case("conv2d_depthwise_groups", "Conv2D", (5, 5, 3), filters=6, kernel_size=3, groups=3, padding="same"),
    case("conv2d_no_bias", "Conv2D", (5, 6, 2), filters=3, kernel_size=3, use_bias=False),
    case("conv2d_relu", "Conv2D", (5, 6, 2), filters=3, kernel_size=3, activation="relu"),
    case("conv2d_softmax", "Conv2D", (5, 4, 2), filters=3, kernel_size=3, activation="softmax"),
    case("conv2d_non_square", "Conv2D", (6, 6, 2), filters=3, kernel_size=[3, 2]),
    case("conv2d_same_non_square", "Conv2D", (6, 5, 2), filters=3, kernel_size=[1, 4], padding="same"),
    case("conv2d_kernel_regularizer", "Conv2D", (5, 5, 2), filters=3, kernel_size=3, kernel_regularizer=L1L2),
    case("conv2d_bias_regularizer", "Conv2D", (5, 5, 2), filters=3, kernel_size=3, bias_regularizer=L2),
    case("conv2d_activity_regularizer", "Conv2D", (5, 5, 2), filters=3, kernel_size=3, activity_regularizer=L2),
    case("conv2d_initializers", "Conv2D", (5, 5, 2), filters=3, kernel_size=3, kernel_initializer="he_normal"),
)

POOLING = (
    case("max_pooling2d", "MaxPooling2D", (6, 6, 2)),
    case("max_pooling2d_odd", "MaxPooling2D", (7, 5, 2)),
    case("max_pooling2d_same_odd", "MaxPooling2D", (7, 5, 2), padding="same"),
    case("max_pooling2d_same_stride2", "MaxPooling2D", (6, 7, 2), pool_size=3, strides=2, padding="same"),
    case("max_pooling2d_overlapping", "MaxPooling2D", (6, 7, 2), pool_size=[3, 2], strides=[1, 2]),
    case("max_pooling2d_same_stride1", "MaxPooling2D", (4, 5, 2), pool_size=2, strides=1, padding="same"),
    case("average_pooling2d", "AveragePooling2D", (6, 6, 2), pool_size=2),
    case("average_pooling2d_odd", "AveragePooling2D", (7, 5, 2), pool_size=2),
    case("average_pooling2d_same_odd", "AveragePooling2D", (7, 5, 2), pool_size=2, padding="same"),
    case("average_pooling2d_same_stride2", "AveragePooling2D", (5, 7, 2), pool_size=3, strides=2, padding="same"),
    case("average_pooling2d_overlapping", "AveragePooling2D", (6, 7, 2), pool_size=[3, 2], strides=[1, 2]),
    case("average_pooling2d_same_stride1", "AveragePooling2D", (4, 5, 2), pool_size=2, strides=1, padding="same"),
    case("global_average_pooling2d", "GlobalAveragePooling2D", (4, 5, 3)),
    case("global_average_pooling2d_keepdims", "GlobalAveragePooling2D", (4, 5, 3), keepdims=True),
    case("global_max_pooling2d", "GlobalMaxPooling2D", (4, 5, 3)),
    case("global_max_pooling2d_keepdims", "GlobalMaxPooling2D", (4, 5, 3), keepdims=True),
)

SHAPES = (
    case("flatten", "Flatten", (3, 4, 2)),
    case("flatten_rank1", "Flatten", (5,)),
    case("reshape_rank3_to_rank1", "Reshape", (3, 4, 2), target_shape=[24]),
    case("reshape_rank1_to_rank3", "Reshape", (12,), target_shape=[2, 3, 2]),
    case("reshape_rank3_to_rank3", "Reshape", (3, 4, 2), target_shape=[4, 2, 3]),
    case("reshape_rank3_to_rank2", "Reshape", (3, 4, 2), target_shape=[6, 4]),
    case("reshape_unknown", "Reshape", (3, 4, 2), target_shape=[-1, 2, 2]),
    case("reshape_unknown_rank1", "Reshape", (3, 4, 2), target_shape=[-1]),
    case("zero_padding2d", "ZeroPadding2D", (3, 4, 2)),
    case("zero_padding2d_int", "ZeroPadding2D", (3, 4, 2), padding=2),
    case("zero_padding2d_pair", "ZeroPadding2D", (3, 4, 2), padding=[1, 2]),
    case("zero_padding2d_pairs", "ZeroPadding2D", (3, 4, 2), padding=[[1, 2], [0, 3]]),
)

RANDOM = (
    case("dropout", "Dropout", (12,), rate=0.4, random=True),
    case("dropout_rank3", "Dropout", (4, 4, 3), rate=0.4, random=True),
    case("spatial_dropout2d", "SpatialDropout2D", (3, 4, 6), rate=0.4, random=True),
)

ELEMENTWISE = (
    *(case(f"activation_{name}", "Activation", (12,), activation=name) for name in ACTIVATIONS),
    case("activation_rank3", "Activation", (3, 4, 2), activation="gelu"),
    case("activation_rank3_softmax", "Activation", (3, 4, 3), activation="softmax"),
    case("relu", "ReLU", (12,)),
    case("relu_rank3", "ReLU", (3, 4, 2)),
    case("relu_max_value", "ReLU", (12,), max_value=2.5),
    case("relu_negative_slope", "ReLU", (12,), negative_slope=0.1),
    case("relu_threshold", "ReLU", (12,), threshold=1.5),
    case("relu_all", "ReLU", (12,), max_value=4.0, negative_slope=0.2, threshold=1.0),
    case("softmax", "Softmax", (7,)),
    case("softmax_rank3", "Softmax", (3, 4, 5)),
    case("softmax_axis1", "Softmax", (3, 4, 2), axis=1),
    case("softmax_axis2", "Softmax", (3, 4, 2), axis=-2),
    case("rescaling", "Rescaling", (4, 4, 3), scale=0.00392156862745098),
    case("rescaling_offset", "Rescaling", (5,), scale=2.0, offset=-1.0),
)

NORMALIZATION = (
    case("batch_normalization", "BatchNormalization", (5,)),
    case("batch_normalization_rank3", "BatchNormalization", (4, 3, 2)),
    case("batch_normalization_no_center", "BatchNormalization", (4, 3, 2), center=False),
    case("batch_normalization_no_scale", "BatchNormalization", (4, 3, 2), scale=False),
    case("batch_normalization_bare", "BatchNormalization", (5,), center=False, scale=False),
    case("batch_normalization_momentum", "BatchNormalization", (4, 3, 2), momentum=0.8),
    case("batch_normalization_epsilon", "BatchNormalization", (5,), epsilon=0.1),
    case("batch_normalization_frozen", "BatchNormalization", (4, 3, 2), trainable=False),
    case("layer_normalization", "LayerNormalization", (6,)),
    case("layer_normalization_rank3", "LayerNormalization", (3, 4, 5)),
    case("layer_normalization_no_center", "LayerNormalization", (3, 2, 5), center=False),
    case("layer_normalization_no_scale", "LayerNormalization", (6,), scale=False),
    case("layer_normalization_epsilon", "LayerNormalization", (6,), epsilon=0.1),
    case("normalization", "Normalization", (3,), mean=[0.5, -1.0, 2.0], variance=[0.25, 4.0, 1.5]),
    case("normalization_rank3", "Normalization", (4, 3, 2), mean=[0.5, -1.0], variance=[0.25, 4.0]),
    case("normalization_scalar", "Normalization", (4, 3, 2), axis=None, mean=0.3, variance=2.0),
)

MERGING = (
    case("add", "Add", (5,), (5,)),
    case("add_rank3", "Add", (3, 4, 2), (3, 4, 2), (3, 4, 2)),
    case("concatenate", "Concatenate", (4,), (3,)),
    case("concatenate_rank3", "Concatenate", (3, 4, 2), (3, 4, 1), (3, 4, 3)),
    case("concatenate_height", "Concatenate", (3, 4, 2), (2, 4, 2), axis=1),
    case("concatenate_width", "Concatenate", (3, 4, 2), (3, 1, 2), axis=2),
)

MAX_NORM = {"class_name": "MaxNorm", "config": {"max_value": 0.6, "axis": 0}}
OF_FILTERS = {"class_name": "UnitNorm", "config": {"axis": [0, 1, 2]}}

MORE = (
    case("leaky_re_lu", "LeakyReLU", (12,)),
    case("leaky_re_lu_slope", "LeakyReLU", (3, 4, 2), negative_slope=0.1),
    case("elu", "ELU", (12,)),
    case("elu_alpha", "ELU", (3, 4, 2), alpha=0.5),
    case("p_re_lu", "PReLU", (7,)),
    case("p_re_lu_rank2", "PReLU", (3, 4), alpha_regularizer=L2),
    case("p_re_lu_rank3", "PReLU", (3, 4, 2), alpha_initializer="ones"),
    case("p_re_lu_channels", "PReLU", (3, 4, 2), shared_axes=[1, 2]),
    case("p_re_lu_columns", "PReLU", (3, 4, 2), shared_axes=[1, 3]),
    case("p_re_lu_one", "PReLU", (3, 4, 2), shared_axes=[1, 2, 3]),
    case("p_re_lu_constraint", "PReLU", (7,), alpha_constraint="non_neg"),
    case("add_gate", "Add", (3, 4, 2), (2,)),
    case("subtract", "Subtract", (5,), (5,)),
    case("subtract_rank3", "Subtract", (3, 4, 2), (3, 1, 2)),
    case("multiply", "Multiply", (5,), (5,), (5,)),
    case("multiply_gate", "Multiply", (3, 4, 2), (2,)),
    case("multiply_gate_rank3", "Multiply", (3, 4, 2), (1, 1, 2)),
    case("multiply_ranks", "Multiply", (4, 2), (3, 4, 2)),
    case("average", "Average", (5,), (5,), (5,)),
    case("average_rank3", "Average", (3, 4, 2), (3, 4, 2)),
    case("maximum", "Maximum", (5,), (5,)),
    case("maximum_rank3", "Maximum", (3, 4, 2), (3, 4, 2), (3, 4, 2)),
    case("minimum", "Minimum", (5,), (5,)),
    case("minimum_rank2", "Minimum", (4, 3), (4, 3)),
    case("dot", "Dot", (5,), (5,), axes=1),
    case("dot_cosine", "Dot", (5,), (5,), axes=-1, normalize=True),
    case("dot_rank2", "Dot", (3, 5), (10, 3), axes=[1, 2]),
    case("dot_rank2_negative", "Dot", (3, 5), (4, 5), axes=-1),
    case("dot_ranks", "Dot", (4,), (3, 4), axes=[1, 2]),
    case("dot_ranks_cosine", "Dot", (3, 4), (4,), axes=[2, 1], normalize=True),
    case("dot_rank3", "Dot", (2, 3, 4), (3, 5), axes=[2, 1]),
    case("dot_rank3_rank3", "Dot", (2, 3, 4), (4, 2, 2), axes=[3, 1]),
    case("permute", "Permute", (3, 4), dims=[2, 1]),
    case("permute_rank1", "Permute", (3,), dims=[1]),
    case("permute_rank3", "Permute", (3, 4, 2), dims=[3, 1, 2]),
    case("permute_rank3_turned", "Permute", (3, 4, 2), dims=[2, 1, 3]),
    case("repeat_vector", "RepeatVector", (5,), n=3),
    case("group_normalization", "GroupNormalization", (6,), groups=3),
    case("group_normalization_rank2", "GroupNormalization", (5, 4), groups=2),
    case("group_normalization_rank3", "GroupNormalization", (3, 4, 6), groups=2),
    case("group_normalization_one", "GroupNormalization", (3, 4, 2), groups=1, epsilon=0.1),
    case("group_normalization_instance", "GroupNormalization", (3, 4, 2), groups=-1, center=False),
    case("group_normalization_no_scale", "GroupNormalization", (3, 4, 4), groups=2, scale=False),
    case("unit_normalization", "UnitNormalization", (5,)),
    case("unit_normalization_rank3", "UnitNormalization", (3, 4, 2)),
    case("unit_normalization_axis1", "UnitNormalization", (3, 4, 2), axis=1),
    case("unit_normalization_axes", "UnitNormalization", (3, 4, 2), axis=[1, 2, -1]),
    case("gaussian_noise", "GaussianNoise", (12,), stddev=0.3, random=True),
    case("gaussian_dropout", "GaussianDropout", (4, 4, 3), rate=0.4, random=True),
    case("alpha_dropout", "AlphaDropout", (12,), rate=0.4, random=True),
    case("embedding", "Embedding", (3,), input_dim=7, output_dim=4),
    case("embedding_rank2", "Embedding", (3, 2), input_dim=5, output_dim=4, embeddings_regularizer=L1),
    case("embedding_constraint", "Embedding", (3,), input_dim=5, output_dim=2, embeddings_constraint=MAX_NORM),
    case("embedding_activity_regularizer", "Embedding", (3,), input_dim=5, output_dim=2, activity_regularizer=L2),
    case("resizing", "Resizing", (4, 6, 2), height=7, width=3),
    case("resizing_nearest", "Resizing", (4, 6, 2), height=7, width=3, interpolation="nearest"),
    case("resizing_bicubic", "Resizing", (5, 4, 1), height=8, width=6, interpolation="bicubic"),
    case("resizing_antialias", "Resizing", (9, 8, 2), height=4, width=3, antialias=True),
    case("resizing_crop", "Resizing", (6, 9, 2), height=4, width=4, crop_to_aspect_ratio=True),
    case("resizing_pad", "Resizing", (4, 8, 2), height=6, width=6, pad_to_aspect_ratio=True, fill_value=0.5),
    case("resizing_pad_odd", "Resizing", (8, 5, 1), height=6, width=6, pad_to_aspect_ratio=True),
    case("center_crop", "CenterCrop", (7, 6, 2), height=4, width=3),
    case("center_crop_larger", "CenterCrop", (5, 4, 2), height=6, width=3),
    case("mel_spectrogram", "MelSpectrogram", (100,), fft_length=32, sequence_stride=16, num_mel_bins=5),
    case(
        "mel_spectrogram_settings",
        "MelSpectrogram",
        (80,),
        fft_length=32,
        sequence_stride=10,
        sequence_length=20,
        window="hamming",
        sampling_rate=8000,
        num_mel_bins=4,
        min_freq=300.0,
        max_freq=3000.0,
        top_db=200.0,
        mag_exp=1.0,
        min_power=1e-6,
        ref_power=0.5,
    ),
    case(
        "mel_spectrogram_plain",
        "MelSpectrogram",
        (70,),
        fft_length=24,
        sequence_stride=12,
        window=None,
        num_mel_bins=4,
        power_to_db=False,
    ),
    case("dense_max_norm", "Dense", (5,), units=4, kernel_constraint=MAX_NORM),
    case("dense_non_neg", "Dense", (5,), units=4, kernel_constraint="non_neg", bias_constraint="non_neg"),
    case("dense_unit_norm", "Dense", (5,), units=4, kernel_constraint="unit_norm"),
    case("conv2d_unit_norm", "Conv2D", (5, 5, 2), filters=3, kernel_size=3, kernel_constraint=OF_FILTERS),
    case("batch_normalization_max_norm", "BatchNormalization", (5,), gamma_constraint=MAX_NORM),
)

CONVOLUTIONS = (
    case("conv1d", "Conv1D", (9, 2), filters=3, kernel_size=3),
    case("conv1d_same", "Conv1D", (9, 2), filters=3, kernel_size=4, padding="same"),
    case("conv1d_same_stride2_odd", "Conv1D", (9, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    case("conv1d_same_stride2_even", "Conv1D", (8, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    case("conv1d_same_stride3", "Conv1D", (8, 2), filters=3, kernel_size=4, strides=3, padding="same"),
    case("conv1d_same_dilation3", "Conv1D", (9, 2), filters=3, kernel_size=2, dilation_rate=3, padding="same"),
    case("conv1d_causal", "Conv1D", (9, 2), filters=3, kernel_size=3, padding="causal"),
    case("conv1d_causal_stride2", "Conv1D", (8, 2), filters=3, kernel_size=3, strides=2, padding="causal"),
    case("conv1d_causal_dilation2", "Conv1D", (9, 2), filters=3, kernel_size=3, dilation_rate=2, padding="causal"),
    case("conv1d_dilation2", "Conv1D", (9, 2), filters=3, kernel_size=[3], dilation_rate=[2]),
    case("conv1d_groups", "Conv1D", (7, 4), filters=6, kernel_size=3, groups=2),
    case("conv1d_no_bias_relu", "Conv1D", (7, 2), filters=3, kernel_size=3, use_bias=False, activation="relu"),
    case("conv1d_softmax", "Conv1D", (6, 2), filters=3, kernel_size=3, activation="softmax"),
    case(
        "conv1d_regularizers",
        "Conv1D",
        (7, 2),
        filters=3,
        kernel_size=3,
        kernel_regularizer=L1L2,
        bias_regularizer=L2,
        activity_regularizer=L1,
    ),
    case("conv1d_constraint", "Conv1D", (7, 2), filters=3, kernel_size=3, kernel_constraint="non_neg"),
    case("conv3d", "Conv3D", (5, 4, 6, 2), filters=3, kernel_size=3),
    case("conv3d_same", "Conv3D", (4, 3, 5, 2), filters=2, kernel_size=[2, 3, 4], padding="same"),
    case("conv3d_same_stride2", "Conv3D", (5, 4, 6, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    case("conv3d_strides", "Conv3D", (5, 4, 6, 1), filters=2, kernel_size=2, strides=[2, 1, 3]),
    case("conv3d_same_dilation", "Conv3D", (5, 4, 6, 1), filters=2, kernel_size=2, dilation_rate=2, padding="same"),
    case("conv3d_dilations", "Conv3D", (5, 4, 6, 1), filters=2, kernel_size=2, dilation_rate=[1, 3, 2]),
    case("conv3d_groups", "Conv3D", (3, 4, 3, 4), filters=6, kernel_size=2, groups=2, activation="tanh"),
    case("conv3d_no_bias", "Conv3D", (3, 4, 3, 2), filters=3, kernel_size=[1, 2, 1], use_bias=False),
    case("conv3d_kernel_regularizer", "Conv3D", (3, 4, 3, 2), filters=3, kernel_size=2, kernel_regularizer=L2),
    case("depthwise_conv1d", "DepthwiseConv1D", (9, 3), kernel_size=3),
    case("depthwise_conv1d_multiplier", "DepthwiseConv1D", (9, 3), kernel_size=3, depth_multiplier=2, activation="elu"),
    case("depthwise_conv1d_same_stride2", "DepthwiseConv1D", (8, 3), kernel_size=3, strides=2, padding="same"),
    case("depthwise_conv1d_dilation2", "DepthwiseConv1D", (9, 3), kernel_size=3, dilation_rate=2, padding="same"),
    case("depthwise_conv2d", "DepthwiseConv2D", (6, 5, 3), kernel_size=3),
    case("depthwise_conv2d_multiplier", "DepthwiseConv2D", (6, 5, 3), kernel_size=[3, 2], depth_multiplier=3),
    case("depthwise_conv2d_one_channel", "DepthwiseConv2D", (6, 5, 1), kernel_size=3, depth_multiplier=2),
    case("depthwise_conv2d_same_stride2", "DepthwiseConv2D", (8, 7, 2), kernel_size=3, strides=2, padding="same"),
    case("depthwise_conv2d_dilation", "DepthwiseConv2D", (7, 6, 2), kernel_size=2, dilation_rate=[2, 3]),
    case(
        "depthwise_conv2d_stride_and_dilation",
        "DepthwiseConv2D",
        (8, 9, 2),
        kernel_size=3,
        strides=2,
        dilation_rate=2,
        padding="same",
    ),
    case(
        "depthwise_conv2d_settings",
        "DepthwiseConv2D",
        (5, 5, 2),
        kernel_size=3,
        depth_multiplier=2,
        use_bias=False,
        depthwise_regularizer=L2,
        depthwise_initializer="he_normal",
        activity_regularizer=L1,
    ),
    case(
        "depthwise_conv2d_constraint",
        "DepthwiseConv2D",
        (5, 5, 3),
        kernel_size=3,
        depth_multiplier=2,
        depthwise_constraint={"class_name": "MaxNorm", "config": {"max_value": 0.6, "axis": [0, 1]}},
    ),
    case("separable_conv1d", "SeparableConv1D", (9, 3), filters=4, kernel_size=3),
    case(
        "separable_conv1d_same_stride2",
        "SeparableConv1D",
        (8, 3),
        filters=4,
        kernel_size=3,
        strides=2,
        padding="same",
        depth_multiplier=2,
        activation="relu",
    ),
    case("separable_conv2d", "SeparableConv2D", (6, 5, 3), filters=4, kernel_size=3),
    case("separable_conv2d_same", "SeparableConv2D", (6, 5, 2), filters=3, kernel_size=[2, 3], padding="same"),
    case("separable_conv2d_multiplier", "SeparableConv2D", (6, 5, 2), filters=3, kernel_size=3, depth_multiplier=2),
    case("separable_conv2d_dilation2", "SeparableConv2D", (6, 7, 2), filters=3, kernel_size=2, dilation_rate=2),
    case("separable_conv2d_stride2", "SeparableConv2D", (7, 8, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    case("separable_conv2d_no_bias", "SeparableConv2D", (5, 5, 2), filters=3, kernel_size=3, use_bias=False),
    case(
        "separable_conv2d_settings",
        "SeparableConv2D",
        (5, 5, 2),
        filters=3,
        kernel_size=3,
        depth_multiplier=2,
        depthwise_regularizer=L2,
        pointwise_regularizer=L1,
        bias_regularizer=L2,
        pointwise_constraint="non_neg",
        pointwise_initializer="lecun_normal",
    ),
)

TRANSPOSES = (
    case("conv1d_transpose", "Conv1DTranspose", (5, 2), filters=3, kernel_size=3),
    case("conv1d_transpose_stride2", "Conv1DTranspose", (5, 2), filters=3, kernel_size=3, strides=2),
    case("conv1d_transpose_wide_stride", "Conv1DTranspose", (4, 2), filters=3, kernel_size=2, strides=4),
    case(
        "conv1d_transpose_same_stride2", "Conv1DTranspose", (5, 2), filters=3, kernel_size=3, strides=2, padding="same"
    ),
    case(
        "conv1d_transpose_same_kernel4", "Conv1DTranspose", (5, 2), filters=3, kernel_size=4, strides=2, padding="same"
    ),
    case(
        "conv1d_transpose_same_kernel5", "Conv1DTranspose", (5, 2), filters=3, kernel_size=5, strides=3, padding="same"
    ),
    case(
        "conv1d_transpose_same_kernel1", "Conv1DTranspose", (5, 2), filters=3, kernel_size=1, strides=3, padding="same"
    ),
    case("conv1d_transpose_dilation2", "Conv1DTranspose", (5, 2), filters=3, kernel_size=3, dilation_rate=2),
    case(
        "conv1d_transpose_same_dilation2",
        "Conv1DTranspose",
        (5, 2),
        filters=3,
        kernel_size=2,
        dilation_rate=2,
        padding="same",
        activation="relu",
    ),
    *(
        case(
            f"conv1d_transpose_{padding}_output_padding{extra}_kernel{kernel}",
            "Conv1DTranspose",
            (4, 2),
            filters=2,
            kernel_size=kernel,
            strides=3,
            padding=padding,
            output_padding=extra,
        )
        for padding in ("valid", "same")
        for extra in (0, 1, 2)
        for kernel in (2, 3)
    ),
    case("conv2d_transpose", "Conv2DTranspose", (4, 3, 2), filters=3, kernel_size=3),
    case(
        "conv2d_transpose_same_stride2",
        "Conv2DTranspose",
        (4, 3, 2),
        filters=3,
        kernel_size=3,
        strides=2,
        padding="same",
    ),
    case("conv2d_transpose_stride_pair", "Conv2DTranspose", (4, 3, 2), filters=3, kernel_size=[3, 2], strides=[1, 3]),
    case("conv2d_transpose_dilation", "Conv2DTranspose", (4, 3, 2), filters=3, kernel_size=2, dilation_rate=[2, 1]),
    case(
        "conv2d_transpose_output_padding",
        "Conv2DTranspose",
        (4, 3, 2),
        filters=3,
        kernel_size=3,
        strides=[2, 3],
        padding="same",
        output_padding=[1, 0],
    ),
    case("conv2d_transpose_no_bias", "Conv2DTranspose", (4, 3, 2), filters=3, kernel_size=3, use_bias=False),
    case(
        "conv2d_transpose_settings",
        "Conv2DTranspose",
        (4, 3, 2),
        filters=3,
        kernel_size=3,
        activation="tanh",
        kernel_regularizer=L1L2,
        activity_regularizer=L2,
        bias_constraint="non_neg",
    ),
    case("conv3d_transpose", "Conv3DTranspose", (2, 3, 2, 2), filters=2, kernel_size=2),
    case(
        "conv3d_transpose_same_stride2",
        "Conv3DTranspose",
        (2, 3, 2, 1),
        filters=2,
        kernel_size=3,
        strides=2,
        padding="same",
    ),
    case(
        "conv3d_transpose_mixed",
        "Conv3DTranspose",
        (2, 3, 2, 1),
        filters=2,
        kernel_size=[2, 3, 1],
        strides=[2, 3, 2],
        padding="same",
        output_padding=[0, 2, 1],
        activation="relu",
    ),
)

SPACE = (
    case("max_pooling1d", "MaxPooling1D", (8, 2)),
    case("max_pooling1d_same", "MaxPooling1D", (7, 2), pool_size=3, strides=2, padding="same"),
    case("max_pooling1d_same_odd", "MaxPooling1D", (8, 2), pool_size=3, padding="same"),
    case("max_pooling1d_overlapping", "MaxPooling1D", (7, 2), pool_size=3, strides=1),
    case("max_pooling3d", "MaxPooling3D", (4, 5, 6, 2)),
    case("max_pooling3d_same", "MaxPooling3D", (3, 5, 4, 2), padding="same"),
    case("max_pooling3d_mixed", "MaxPooling3D", (4, 5, 6, 2), pool_size=[1, 2, 3], strides=[2, 1, 2], padding="same"),
    case("average_pooling1d", "AveragePooling1D", (8, 2), pool_size=2),
    case("average_pooling1d_same", "AveragePooling1D", (7, 2), pool_size=3, strides=2, padding="same"),
    case("average_pooling1d_same_odd", "AveragePooling1D", (7, 2), pool_size=2, padding="same"),
    case("average_pooling3d", "AveragePooling3D", (4, 5, 6, 2), pool_size=2),
    case("average_pooling3d_same", "AveragePooling3D", (3, 5, 4, 2), pool_size=2, padding="same"),
    case(
        "average_pooling3d_mixed",
        "AveragePooling3D",
        (4, 5, 7, 2),
        pool_size=[1, 3, 3],
        strides=[2, 1, 2],
        padding="same",
    ),
    case("global_average_pooling1d", "GlobalAveragePooling1D", (7, 3)),
    case("global_average_pooling1d_keepdims", "GlobalAveragePooling1D", (7, 3), keepdims=True),
    case("global_average_pooling3d", "GlobalAveragePooling3D", (2, 3, 4, 3)),
    case("global_average_pooling3d_keepdims", "GlobalAveragePooling3D", (2, 3, 4, 3), keepdims=True),
    case("global_max_pooling1d", "GlobalMaxPooling1D", (7, 3)),
    case("global_max_pooling1d_keepdims", "GlobalMaxPooling1D", (7, 3), keepdims=True),
    case("global_max_pooling3d", "GlobalMaxPooling3D", (2, 3, 4, 3)),
    case("global_max_pooling3d_keepdims", "GlobalMaxPooling3D", (2, 3, 4, 3), keepdims=True),
    case("up_sampling1d", "UpSampling1D", (4, 2)),
    case("up_sampling1d_3", "UpSampling1D", (4, 2), size=3),
    case("up_sampling2d", "UpSampling2D", (3, 4, 2)),
    case("up_sampling2d_pair", "UpSampling2D", (3, 4, 2), size=[1, 3]),
    case("up_sampling2d_bilinear", "UpSampling2D", (3, 4, 2), size=[2, 3], interpolation="bilinear"),
    case("up_sampling2d_bicubic", "UpSampling2D", (4, 3, 2), size=2, interpolation="bicubic"),
    case("up_sampling3d", "UpSampling3D", (2, 3, 2, 2)),
    case("up_sampling3d_sizes", "UpSampling3D", (2, 3, 2, 2), size=[1, 2, 3]),
    case("zero_padding1d", "ZeroPadding1D", (4, 2)),
    case("zero_padding1d_pair", "ZeroPadding1D", (4, 2), padding=[2, 0]),
    case("zero_padding3d", "ZeroPadding3D", (2, 3, 2, 2)),
    case("zero_padding3d_sizes", "ZeroPadding3D", (2, 3, 2, 2), padding=[0, 2, 1]),
    case("zero_padding3d_pairs", "ZeroPadding3D", (2, 3, 2, 2), padding=[[0, 2], [1, 0], [3, 1]]),
    case("cropping1d", "Cropping1D", (5, 2)),
    case("cropping1d_pair", "Cropping1D", (5, 2), cropping=[0, 3]),
    case("cropping2d", "Cropping2D", (5, 4, 2)),
    case("cropping2d_one", "Cropping2D", (5, 4, 2), cropping=1),
    case("cropping2d_pairs", "Cropping2D", (5, 6, 2), cropping=[[1, 2], [0, 3]]),
    case("cropping3d", "Cropping3D", (3, 4, 5, 2)),
    case("cropping3d_sizes", "Cropping3D", (3, 4, 5, 2), cropping=[0, 1, 2]),
    case("cropping3d_pairs", "Cropping3D", (3, 4, 5, 2), cropping=[[0, 1], [2, 0], [1, 3]]),
    case("spatial_dropout1d", "SpatialDropout1D", (5, 6), rate=0.4, random=True),
    case("spatial_dropout3d", "SpatialDropout3D", (2, 3, 2, 6), rate=0.4, random=True),
)

AUGMENTING = (  # outside training, where these numbers are from, all of them hand their input on
    case("random_flip", "RandomFlip", (4, 5, 3), random=True),
    case("random_flip_horizontal", "RandomFlip", (4, 5, 1), mode="horizontal", seed=3, random=True),
    case(
        "random_translation", "RandomTranslation", (4, 5, 3), height_factor=0.2, width_factor=[-0.3, 0.1], random=True
    ),
    case(
        "random_translation_constant",
        "RandomTranslation",
        (4, 5, 2),
        height_factor=0.2,
        width_factor=0.2,
        fill_mode="constant",
        interpolation="nearest",
        fill_value=0.5,
        random=True,
    ),
    case("random_crop", "RandomCrop", (4, 5, 3), height=4, width=5, random=True),
    case("random_rotation", "RandomRotation", (4, 5, 3), factor=0.1, fill_mode="wrap", random=True),
    case("random_zoom", "RandomZoom", (4, 5, 3), height_factor=0.2, random=True),
    case("random_zoom_both", "RandomZoom", (4, 5, 1), height_factor=[-0.2, -0.1], width_factor=0.3, random=True),
    case("random_brightness", "RandomBrightness", (4, 5, 3), factor=0.2, value_range=[0.0, 1.0], random=True),
    case("random_contrast", "RandomContrast", (4, 5, 3), factor=[0.2, 0.4], random=True),
    case("random_saturation", "RandomSaturation", (4, 5, 3), factor=[0.3, 0.7], random=True),
    case("random_hue", "RandomHue", (4, 5, 3), factor=0.1, random=True),
    case(
        "random_color_jitter",
        "RandomColorJitter",
        (4, 5, 3),
        value_range=[0.0, 1.0],
        brightness_factor=0.1,
        contrast_factor=[0.1, 0.2],
        saturation_factor=[0.4, 0.6],
        hue_factor=[0.0, 0.1],
        random=True,
    ),
    case("random_erasing", "RandomErasing", (4, 5, 3), factor=0.5, scale=[0.1, 0.2], fill_value=0.5, random=True),
    case("rand_augment", "RandAugment", (4, 5, 3), num_ops=3, factor=0.3, random=True),
    case("mix_up", "MixUp", (4, 5, 3), alpha=0.4, random=True),
    case("cut_mix", "CutMix", (4, 5, 3), factor=[0.5, 1.0], random=True),
)

KERNEL = [[0.5, 1.0], [-0.25, 2.0], [0.75, -1.5], [0.125, 0.0]]
MEANS = [0.5, -0.5, 1.0, -1.0, 2.0, 0.25, -0.25, 0.5, 0.5]
VARIANCES = [0.25, 0.5, 1.0, 2.0, 4.0, 1.0, 2.0, 0.25, 0.5]

OWN = (  # of holdfast alone; Keras on torch fails where the axis is 1
    case("layer_normalization_steps", "LayerNormalization", (5, 3), axis=1, center=False, scale=False, epsilon=0.01),
    case("trivial_augment", "TrivialAugment", (4, 5, 3), interpolation="nearest", random=True),
    case("random_swap", "RandomSwap", (6,), rate=0.2, random=True),
    case("random_time_shift", "RandomTimeShift", (9, 2), factor=0.3, random=True),
    case("random_noise", "RandomNoise", (12,), snr_db=[0.0, 20.0], random=True),
    case("random_gain", "RandomGain", (9, 2), gain_db=3.0, random=True),
    case("spec_augment", "SpecAugment", (6, 9), frequency_masks=2, frequency_axis=2, random=True),
    case("spec_augment_sound", "SpecAugment", (40,), time_width=0.3, random=True),
    case("log_mel_spectrogram", "LogMelSpectrogram", (100,), fft_length=32, sequence_stride=16, num_mel_bins=5),
    case(
        "log_mel_spectrogram_settings",
        "LogMelSpectrogram",
        (80,),
        fft_length=32,
        sequence_stride=10,
        sequence_length=20,
        window="hamming",
        sampling_rate=8000,
        num_mel_bins=4,
        min_freq=300.0,
        max_freq=3000.0,
        min_power=1e-6,
        top_db=None,
        relative=True,
    ),
    case("series_normalization", "SeriesNormalization", (9, 2)),
    case("series_normalization_masked", "SeriesNormalization", (9, 3), masked=True, epsilon=0.1),
    case("statistical_features", "Statistics", (21, 2)),
    case("statistical_features_sound", "Statistics", (40,), bands=3, pieces=0, quantiles=[0.1, 0.9]),
    case("statistical_features_masked", "Statistics", (24, 3), masked=True, pieces=2),
    case("statistics_picture", "Statistics", (6, 5, 3), quantiles=[0.25, 0.75]),
    case("statistics_adapted", "Statistics", (21,), pieces=1, bands=2, quantiles=[], mean=MEANS, variance=VARIANCES),
    case("pca", "PCA", (4,), components=2, kernel=KERNEL, bias=[0.5, -1.0], explained=[0.7, 0.2]),
    case("pca_share", "PCA", (4,), components=0.9, whiten=True, kernel=KERNEL, bias=[0.0, 0.25]),
    case("select_features", "SelectFeatures", (6,), k=3, chosen=[0, 2, 5]),
    case("select_features_by_trees", "SelectFeatures", (6,), k=1, score="trees", chosen=[4]),
)

FILES: dict[str, tuple[Case, ...]] = {  # the golden files, each with its cases
    "layers": (*DENSE, *CONV2D, *POOLING, *SHAPES, *RANDOM, *ELEMENTWISE, *NORMALIZATION, *MERGING),
    "layers_more": MORE,
    "layers_spatial": (*CONVOLUTIONS, *TRANSPOSES, *SPACE),
    "layers_augment": AUGMENTING,
    "layers_own": OWN,
}
CASES: tuple[Case, ...] = tuple(case for cases in FILES.values() for case in cases)
