"""Layers and what their arguments may be: what random programs are made of."""

from typing import NamedTuple

from tests.random_programs.program import Call

ACTIVATIONS = (
    ["relu", "tanh", "sigmoid", "gelu", "elu", "selu", "softplus", "softsign", "silu", "mish"]
    + ["exponential", "hard_sigmoid", "hard_silu", "leaky_relu", "relu6", "log_softmax", "celu"]
    + ["glu", "softmax", "linear", "squareplus", "tanh_shrink", "soft_shrink", "sparse_plus"]
    + ["hard_tanh", "hard_shrink", "log_sigmoid", "threshold", "sparse_sigmoid"]
)
SAFE = ["relu", "tanh", "sigmoid", "gelu", "elu", "silu", "linear", None]
KERNELS = [
    "he_normal",
    "lecun_uniform",
    "orthogonal",
    "glorot_normal",
    "ones",
    "random_normal",
    Call("initializers.VarianceScaling", {"scale": 0.5, "mode": "fan_avg"}),
    Call("initializers.TruncatedNormal", {"stddev": 0.2, "seed": 5}),
    Call("initializers.RandomUniform", {"minval": -0.3, "maxval": 0.3}),
    Call("initializers.HeUniform", {"seed": 11}),
]
BIASES = ["zeros", "ones", "random_normal", Call("initializers.Constant", {"value": 0.1})]
REGULARIZERS = [
    "l2",
    "l1",
    "l1_l2",
    Call("regularizers.L2", {"l2": 0.03}),
    Call("regularizers.L1L2", {"l1": 0.001, "l2": 0.02}),
    Call("regularizers.OrthogonalRegularizer", {"factor": 0.01}),
]
PLAIN_REGULARIZERS = REGULARIZERS[:-1]
CONSTRAINTS = [
    "non_neg",
    "unit_norm",
    Call("constraints.MaxNorm", {"max_value": 0.7, "axis": 0}),
    Call("constraints.MinMaxNorm", {"min_value": 0.2, "max_value": 0.9, "rate": 0.5}),
]
SEEDS = [None, 7, 1337]
RATES = [0.1, 0.3, 0.5]
BOTH = [True, False]
UNITS = [1, 3, 4, 6]


class Choice(NamedTuple):
    """A layer: arguments that it is given, and those that it may be given."""

    name: str
    needs: dict = {}
    may: dict = {}


WEIGHTS = {
    "use_bias": BOTH,
    "kernel_initializer": KERNELS,
    "bias_initializer": BIASES,
    "kernel_regularizer": PLAIN_REGULARIZERS,
    "bias_regularizer": PLAIN_REGULARIZERS,
    "activity_regularizer": PLAIN_REGULARIZERS,
    "kernel_constraint": CONSTRAINTS,
    "bias_constraint": ["non_neg"],
    "trainable": [False],
    "dtype": ["float32", "mixed_bfloat16"],
}
NORMS = {
    "gamma_initializer": ["ones", Call("initializers.Constant", {"value": 0.5})],
    "beta_initializer": ["zeros", "random_normal"],
    "gamma_regularizer": PLAIN_REGULARIZERS,
    "beta_constraint": ["non_neg"],
    "epsilon": [1e-3, 1e-5, 0.1],
}
OF_BATCH = Choice(
    "layers.BatchNormalization",
    {},
    NORMS
    | {
        "momentum": [0.9, 0.5],
        "center": BOTH,
        "scale": BOTH,
        "trainable": [False],
        "moving_mean_initializer": ["zeros", "ones"],
        "renorm": [True],
    },
)
OF_LAYER = Choice("layers.LayerNormalization", {}, NORMS | {"center": BOTH, "scale": BOTH})
ANY_RANK = [
    OF_BATCH,
    OF_BATCH,
    OF_LAYER,
    Choice("layers.RMSNormalization", {}, {"epsilon": [1e-6, 0.1], "axis": [-1, 1]}),
    Choice("layers.UnitNormalization", {}, {"axis": [-1, 1]}),
    Choice("layers.Activation", {"activation": ACTIVATIONS}),
    Choice("layers.Activation", {"activation": ACTIVATIONS}),
    Choice("layers.LeakyReLU", {}, {"negative_slope": [0.1, 0.5]}),
    Choice("layers.PReLU", {}, {"alpha_initializer": ["zeros", "ones"], "shared_axes": [[1]]}),
    Choice("layers.ELU", {}, {"alpha": [0.3]}),
    Choice("layers.Softmax", {}, {"axis": [-1, 1]}),
    Choice(
        "layers.ReLU", {}, {"max_value": [1.0, 6.0], "negative_slope": [0.1], "threshold": [0.2]}
    ),
    Choice("layers.Dropout", {"rate": RATES}, {"seed": SEEDS, "noise_shape": [(None, 1)]}),
    Choice("layers.Dropout", {"rate": RATES}),
    Choice("layers.GaussianNoise", {"stddev": [0.05, 0.2]}, {"seed": SEEDS}),
    Choice("layers.GaussianDropout", {"rate": [0.1, 0.2]}, {"seed": SEEDS}),
    Choice("layers.AlphaDropout", {"rate": [0.1, 0.2]}, {"seed": SEEDS}),
    Choice("layers.ActivityRegularization", {}, {"l1": [0.01], "l2": [0.02]}),
    Choice("layers.Rescaling", {"scale": [0.5, 2.0]}, {"offset": [0.1]}),
    Choice("layers.Identity"),
    Choice("layers.Dense", {"units": UNITS}, WEIGHTS | {"activation": ACTIVATIONS}),
    Choice("layers.Dense", {"units": UNITS}, {"activation": SAFE}),
    Choice("layers.Flatten"),
    Choice("layers.Normalization", {"mean": [0.5], "variance": [2.0]}, {"invert": BOTH}),
]
CONVOLUTION = WEIGHTS | {
    "padding": ["same", "valid"],
    "activation": SAFE,
    "strides": [1, 2],
    "dilation_rate": [1, 2],
}
DEPTHWISE = {key: value for key, value in CONVOLUTION.items() if "kernel_" not in key} | {
    "depth_multiplier": [1, 2]
}
TRANSPOSED = CONVOLUTION | {"output_padding": [None, 0, 1]}
POOLING = {"pool_size": [2, 3], "strides": [1, 2, None], "padding": ["same", "valid"]}
RECURRENT = {
    "return_sequences": BOTH,
    "go_backwards": BOTH,
    "dropout": [0.2],
    "recurrent_dropout": [0.3],
    "stateful": [False],
    "unroll": BOTH,
    "activation": ["relu", "tanh", "sigmoid"],
    "kernel_initializer": KERNELS,
    "recurrent_initializer": ["orthogonal", "glorot_uniform"],
    "recurrent_regularizer": PLAIN_REGULARIZERS,
    "recurrent_constraint": CONSTRAINTS,
    "use_bias": BOTH,
    "bias_initializer": BIASES,
    "activity_regularizer": PLAIN_REGULARIZERS,
    "seed": SEEDS,
    "dtype": ["float32"],
}
GATED = RECURRENT | {"recurrent_activation": ["sigmoid", "hard_sigmoid", "tanh"]}
CELLS = [
    Call("layers.LSTMCell", {"units": 3}),
    Call("layers.GRUCell", {"units": 4, "reset_after": False}),
    Call("layers.SimpleRNNCell", {"units": 3, "dropout": 0.2}),
    [Call("layers.GRUCell", {"units": 3}), Call("layers.LSTMCell", {"units": 2})],
]
INSIDE = [  # layers for wrappers
    Call("layers.LSTM", {"units": 3, "return_sequences": True}),
    Call("layers.GRU", {"units": 2}),
    Call("layers.SimpleRNN", {"units": 3, "dropout": 0.1}),
    Call("layers.LSTM", {"units": 2, "unit_forget_bias": False}),
]
BY_RANK = {
    2: [
        Choice("layers.RepeatVector", {"n": [3, 4]}),
        Choice("layers.Reshape", {"target_shape": [(-1, 1), (-1, 2), (2, -1)]}),
        Choice(
            "layers.EinsumDense",
            {"equation": ["ab,bc->ac"], "output_shape": [4]},
            {"bias_axes": ["c"], "activation": SAFE, "kernel_initializer": KERNELS},
        ),
        Choice(
            "layers.SpectralNormalization",
            {"layer": [Call("layers.Dense", {"units": 4})]},
            {"power_iterations": [1, 2]},
        ),
        Choice("layers.GroupNormalization", {"groups": [1, 2, -1]}, {"epsilon": [0.01]}),
    ],
    3: [
        Choice("layers.Conv1D", {"filters": [2, 4], "kernel_size": [1, 2, 3]}, CONVOLUTION),
        Choice(
            "layers.Conv1D",
            {"filters": [4], "kernel_size": [3]},
            {"padding": ["causal"], "groups": [2], "dilation_rate": [2]},
        ),
        Choice("layers.SeparableConv1D", {"filters": [3], "kernel_size": [2, 3]}, DEPTHWISE),
        Choice("layers.DepthwiseConv1D", {"kernel_size": [2, 3]}, DEPTHWISE),
        Choice("layers.Conv1DTranspose", {"filters": [3], "kernel_size": [2, 3]}, TRANSPOSED),
        Choice("layers.MaxPooling1D", {}, POOLING),
        Choice("layers.AveragePooling1D", {}, POOLING),
        Choice("layers.GlobalAveragePooling1D", {}, {"keepdims": BOTH}),
        Choice("layers.GlobalMaxPooling1D", {}, {"keepdims": BOTH}),
        Choice("layers.AdaptiveAveragePooling1D", {"output_size": [2, 3]}),
        Choice("layers.LSTM", {"units": UNITS}, GATED | {"unit_forget_bias": BOTH}),
        Choice("layers.GRU", {"units": UNITS}, GATED | {"reset_after": BOTH}),
        Choice("layers.SimpleRNN", {"units": UNITS}, RECURRENT),
        Choice("layers.RNN", {"cell": CELLS}, {"return_sequences": BOTH, "go_backwards": BOTH}),
        Choice(
            "layers.Bidirectional",
            {"layer": INSIDE},
            {"merge_mode": ["sum", "mul", "ave", "concat"]},
        ),
        Choice(
            "layers.TimeDistributed",
            {
                "layer": [
                    Call("layers.Dense", {"units": 3, "activation": "relu"}),
                    Call("layers.BatchNormalization"),
                    Call("layers.Dropout", {"rate": 0.3}),
                ]
            },
        ),
        Choice("layers.SpatialDropout1D", {"rate": RATES}, {"seed": SEEDS}),
        Choice("layers.UpSampling1D", {"size": [2]}),
        Choice("layers.ZeroPadding1D", {"padding": [1, (0, 2)]}),
        Choice("layers.Cropping1D", {"cropping": [1, (0, 1)]}),
        Choice("layers.Permute", {"dims": [(2, 1)]}),
        Choice("layers.Masking", {"mask_value": [0.0]}),
        Choice(
            "layers.GroupNormalization", {"groups": [1, 2, -1]}, {"epsilon": [0.01], "axis": [1]}
        ),
        Choice(
            "layers.EinsumDense",
            {"equation": ["abc,cd->abd"], "output_shape": [(None, 4)]},
            {"bias_axes": ["d"], "activation": SAFE},
        ),
    ],
    4: [
        Choice("layers.Conv2D", {"filters": [2, 4], "kernel_size": [1, 2, 3, (3, 1)]}, CONVOLUTION),
        Choice("layers.SeparableConv2D", {"filters": [3], "kernel_size": [2, 3]}, DEPTHWISE),
        Choice("layers.DepthwiseConv2D", {"kernel_size": [2, 3, (1, 2)]}, DEPTHWISE),
        Choice("layers.Conv2DTranspose", {"filters": [3], "kernel_size": [2, 3]}, TRANSPOSED),
        Choice("layers.MaxPooling2D", {}, POOLING),
        Choice("layers.AveragePooling2D", {}, POOLING),
        Choice("layers.GlobalAveragePooling2D", {}, {"keepdims": BOTH}),
        Choice("layers.GlobalMaxPooling2D", {}, {"keepdims": BOTH}),
        Choice("layers.AdaptiveMaxPooling2D", {"output_size": [2, (3, 2)]}),
        Choice("layers.SpatialDropout2D", {"rate": RATES}, {"seed": SEEDS}),
        Choice(
            "layers.UpSampling2D", {"size": [2, (1, 2)]}, {"interpolation": ["nearest", "bilinear"]}
        ),
        Choice("layers.ZeroPadding2D", {"padding": [1, (0, 1), ((1, 0), (0, 1))]}),
        Choice("layers.Cropping2D", {"cropping": [1, ((1, 0), (0, 1))]}),
        Choice(
            "layers.Resizing",
            {"height": [5], "width": [4, 6]},
            {
                "interpolation": ["bilinear", "nearest", "bicubic", "lanczos3"],
                "crop_to_aspect_ratio": BOTH,
                "pad_to_aspect_ratio": BOTH,
            },
        ),
        Choice("layers.CenterCrop", {"height": [3], "width": [4, 8]}),
        Choice(
            "layers.RandomFlip",
            {},
            {"mode": ["horizontal", "vertical", "horizontal_and_vertical"], "seed": SEEDS},
        ),
        Choice(
            "layers.RandomTranslation",
            {"height_factor": [0.2], "width_factor": [0.3]},
            {"fill_mode": ["constant", "nearest", "wrap", "reflect"], "seed": SEEDS},
        ),
        Choice(
            "layers.RandomRotation", {"factor": [0.1]}, {"interpolation": ["nearest", "bilinear"]}
        ),
        Choice("layers.RandomZoom", {"height_factor": [0.2]}, {"width_factor": [0.1]}),
        Choice("layers.RandomContrast", {"factor": [0.3]}, {"value_range": [(0, 1)]}),
        Choice("layers.RandomBrightness", {"factor": [0.1]}, {"value_range": [(0, 1)]}),
        Choice("layers.RandomCrop", {"height": [4], "width": [4]}),
        Choice("layers.Permute", {"dims": [(2, 1, 3), (3, 1, 2)]}),
        Choice("layers.Reshape", {"target_shape": [(-1, 2), (2, -1), (-1,)]}),
        Choice(
            "layers.TimeDistributed",
            {
                "layer": [
                    Call("layers.Conv1D", {"filters": 2, "kernel_size": 2}),
                    Call("layers.LSTM", {"units": 2}),
                    Call("layers.GlobalMaxPooling1D"),
                ]
            },
        ),
        Choice(
            "layers.ConvLSTM1D",
            {"filters": [2], "kernel_size": [2, 3]},
            {"padding": ["same", "valid"], "return_sequences": BOTH, "dropout": [0.2]},
        ),
        Choice("layers.GroupNormalization", {"groups": [1, 2, -1]}, {"epsilon": [0.01]}),
        Choice(
            "layers.MaxNumBoundingBoxes", {"max_number": [2]}
        ),  # refused for what is no dictionary
    ],
    5: [
        Choice("layers.Conv3D", {"filters": [2], "kernel_size": [1, 2]}, CONVOLUTION),
        Choice("layers.AveragePooling3D", {}, POOLING),
        Choice("layers.MaxPooling3D", {}, POOLING),
        Choice("layers.GlobalAveragePooling3D"),
        Choice("layers.GlobalMaxPooling3D"),
        Choice("layers.UpSampling3D", {"size": [2]}),
        Choice("layers.ZeroPadding3D", {"padding": [1]}),
        Choice("layers.Cropping3D", {"cropping": [1]}),
        Choice("layers.SpatialDropout3D", {"rate": RATES}),
        Choice(
            "layers.ConvLSTM2D",
            {"filters": [2], "kernel_size": [2]},
            {"return_sequences": BOTH, "recurrent_dropout": [0.2], "go_backwards": BOTH},
        ),
        Choice(
            "layers.TimeDistributed",
            {"layer": [Call("layers.Conv2D", {"filters": 2, "kernel_size": 2})]},
        ),
    ],
}
OF_TOKENS = [
    Choice(
        "layers.Embedding",
        {"input_dim": [10], "output_dim": [3, 4]},
        {
            "mask_zero": BOTH,
            "embeddings_initializer": KERNELS[:3],
            "embeddings_regularizer": PLAIN_REGULARIZERS,
            "embeddings_constraint": CONSTRAINTS,
        },
    ),
    Choice("layers.Embedding", {"input_dim": [10], "output_dim": [4], "mask_zero": [True]}),
    Choice(
        "layers.CategoryEncoding",
        {"num_tokens": [10], "output_mode": ["multi_hot", "count", "one_hot"]},
    ),
    Choice(
        "layers.IntegerLookup",
        {"vocabulary": [[1, 2, 5, 7]], "output_mode": ["int", "multi_hot", "count"]},
        {"num_oov_indices": [0, 1, 2], "mask_token": [0]},
    ),
    Choice("layers.Hashing", {"num_bins": [5]}, {"salt": [3], "output_mode": ["one_hot", "count"]}),
]
MERGES = [
    Choice(f"layers.{name}")
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
] + [
    Choice("layers.Concatenate", {}, {"axis": [-1, 1]}),
    Choice("layers.Concatenate"),
    Choice("layers.Dot", {"axes": [-1, 1, (1, 2)]}, {"normalize": BOTH}),
]
ATTENTIONS = [
    Choice(
        "layers.MultiHeadAttention",
        {"num_heads": [1, 2], "key_dim": [2, 3]},
        {
            "value_dim": [4],
            "dropout": [0.2],
            "use_bias": BOTH,
            "output_shape": [5],
            "kernel_initializer": KERNELS[:4],
            "kernel_regularizer": PLAIN_REGULARIZERS,
            "seed": SEEDS,
        },
    ),
    Choice(
        "layers.GroupQueryAttention",
        {"head_dim": [2], "num_query_heads": [4], "num_key_value_heads": [2]},
        {"dropout": [0.1], "use_bias": BOTH},
    ),
]
LISTED_ATTENTIONS = [
    Choice(
        "layers.Attention",
        {},
        {"use_scale": BOTH, "score_mode": ["dot", "concat"], "dropout": [0.2], "seed": SEEDS},
    ),
    Choice("layers.AdditiveAttention", {}, {"use_scale": BOTH, "dropout": [0.1]}),
]
HEADS = [None, None, "softplus", "sigmoid", "sigmoid", "softmax", "softmax", "softmax"]
