"""Convolution and pooling layers, run by both libraries."""

from tests.parity.case import Case

FIRST = dict(data_format="channels_first")

CASES = [
    Case(
        "Conv1D",
        dict(filters=4, kernel_size=3, padding="causal", dilation_rate=2),
        inputs=[(2, 8, 3)],
    ),
    Case(
        "Conv1D", dict(filters=6, kernel_size=3, groups=3, strides=2, **FIRST), inputs=[(2, 3, 9)]
    ),
    Case("Conv2D", dict(filters=3, kernel_size=2), inputs=[(2, 5, 5, 3)]),
    Case(
        "Conv2D",
        dict(
            filters=4,
            kernel_size=(5, 3),
            strides=(2, 1),
            padding="same",
            activation="gelu",
            kernel_regularizer="l2",
            activity_regularizer="l1",
        ),
        inputs=[(2, 9, 7, 2)],
    ),
    Case(
        "Conv2D",
        dict(filters=4, kernel_size=3, padding="same", use_bias=False, dtype="mixed_bfloat16"),
        inputs=[(2, 6, 6, 2)],
    ),
    Case(
        "Conv2D", dict(filters=4, kernel_size=3, lora_rank=2, lora_alpha=3), inputs=[(2, 6, 6, 2)]
    ),
    Case(
        "Conv3D",
        dict(filters=2, kernel_size=(1, 2, 3), padding="same", **FIRST),
        inputs=[(2, 3, 4, 5, 6)],
    ),
    Case(
        "Conv1DTranspose",
        dict(filters=2, kernel_size=4, strides=3, output_padding=2),
        inputs=[(2, 5, 3)],
    ),
    Case(
        "Conv2DTranspose",
        dict(filters=3, kernel_size=(3, 2), strides=2, padding="same", **FIRST),
        inputs=[(2, 3, 4, 5)],
    ),
    Case(
        "Conv2DTranspose",
        dict(filters=3, kernel_size=3, dilation_rate=2, padding="same"),
        inputs=[(2, 5, 4, 2)],
    ),
    Case(
        "Conv3DTranspose",
        dict(filters=2, kernel_size=2, strides=(2, 1, 2), output_padding=(1, 0, 0)),
        inputs=[(1, 3, 4, 3, 2)],
    ),
    Case(
        "DepthwiseConv1D",
        dict(kernel_size=3, strides=2, depth_multiplier=2, **FIRST),
        inputs=[(2, 3, 9)],
    ),
    Case(
        "DepthwiseConv2D",
        dict(kernel_size=(3, 2), dilation_rate=(2, 1), padding="same", activation="relu"),
        inputs=[(2, 7, 6, 4)],
    ),
    Case(
        "DepthwiseConv2D",
        dict(kernel_size=8, strides=3, padding="same", depth_multiplier=2),
        inputs=[(1, 9, 8, 3)],
    ),
    Case(
        "SeparableConv1D",
        dict(filters=4, kernel_size=3, padding="same", depth_multiplier=2),
        inputs=[(2, 8, 3)],
    ),
    Case(
        "SeparableConv2D",
        dict(filters=4, kernel_size=3, strides=2, pointwise_regularizer="l1", **FIRST),
        inputs=[(2, 3, 8, 7)],
    ),
    Case("MaxPooling1D", dict(pool_size=20, strides=5, padding="same"), inputs=[(2, 33, 3)]),
    Case(
        "MaxPooling2D",
        dict(pool_size=(3, 2), strides=(1, 3), padding="same", **FIRST),
        inputs=[(2, 3, 8, 7)],
    ),
    Case("MaxPooling3D", dict(pool_size=2), inputs=[(2, 4, 5, 6, 3)]),
    Case("AveragePooling1D", dict(pool_size=2, strides=1), inputs=[(2, 6, 3)]),
    Case("AveragePooling2D", dict(pool_size=3, strides=2, padding="same"), inputs=[(2, 8, 7, 3)]),
    Case("GlobalAveragePooling1D", dict(keepdims=True, **FIRST), inputs=[(2, 6, 3)]),
    Case("GlobalMaxPooling3D", {}, inputs=[(2, 3, 4, 5, 3)]),
    Case("AdaptiveAveragePooling2D", dict(output_size=(3, 2)), inputs=[(2, 7, 5, 3)]),
    Case("AdaptiveMaxPooling3D", dict(output_size=2, **FIRST), inputs=[(2, 3, 5, 4, 7)]),
]
