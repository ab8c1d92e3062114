"""Small models that every Keras from 2.3 on can build; runs under Python 3.7 and up, with `k` as
the library.

A builder that uses what a version does not have raises AttributeError or TypeError there, and is
left out.
"""

import math
import zlib

import numpy as np

CASES = {}  # name: (builder, arguments of `compile` as a function of k, or None)


def case(compiled=None):
    def register(function):
        CASES[function.__name__] = function, compiled
        return function

    return register


def values(shape, start=0.0):
    """Numbers between -1 and 1, the same everywhere."""
    return np.sin(np.arange(int(np.prod(shape))) * 0.7 + start).reshape(shape).astype("float32")


def data(shape, dtype, name, rows=4):
    """An array for an input: numbers, indices for inputs whose name begins with "ids", or texts for
    "words".
    """
    if name.startswith("words"):
        texts = ["red", "green", "blue", "red green"] * 2
        return np.array(texts[: rows * shape[1]], dtype=object).reshape(rows, shape[1])
    x = values((rows,) + tuple(size or 5 for size in shape[1:]), len(name))
    return np.abs(x * 5).astype("int32") if name.startswith("ids") else x.astype(dtype)


def fill(model):
    """Sets all weights to known values; those of BatchNormalization stay near what they begin
    with.
    """
    new = []
    for i, old in enumerate(model.get_weights()):
        scale = 0.5 / math.sqrt(max(1, old.shape[0])) if old.ndim > 1 else 0.1
        new.append(
            old + (scale * values(old.shape, i)).astype(old.dtype) if old.dtype.kind == "f" else old
        )
    model.set_weights(new)


def checksum(weight):
    """Of an array's values, whatever kind of integers it has."""
    weight = np.asarray(weight)
    return zlib.crc32(
        np.ascontiguousarray(
            weight.astype("int32") if weight.dtype.kind in "iu" else weight
        ).tobytes()
    )


def simple(k, loss="mse", optimizer=None, **more):
    return dict(optimizer=optimizer or k.optimizers.SGD(0.05), loss=loss, **more)


# ---------------------------------------------------------------- containers


@case(lambda k: simple(k, optimizer=k.optimizers.SGD(0.05, momentum=0.9), metrics=["mae"]))
def sequential(k):
    return k.models.Sequential(
        [
            k.layers.Dense(5, activation="relu", input_shape=(6,), name="first"),
            k.layers.Dropout(0.0),
            k.layers.Dense(
                4, kernel_regularizer=k.regularizers.l2(0.01), kernel_constraint="max_norm"
            ),
            k.layers.Activation("tanh"),
            k.layers.Dense(3),
        ]
    )


@case(lambda k: simple(k, optimizer="adam", metrics=["accuracy"]))
def fixed_batch(k):
    return k.models.Sequential(
        [
            k.layers.Dense(
                5, batch_input_shape=(2, 6), use_bias=False, kernel_initializer="he_normal"
            ),
            k.layers.BatchNormalization(momentum=0.9, epsilon=1e-4, scale=False),
            k.layers.Dense(3, activation="softmax", bias_initializer=k.initializers.Constant(0.2)),
        ]
    )


@case(
    lambda k: simple(
        k,
        loss={"left": "mse", "right": "mae"},
        optimizer="rmsprop",
        loss_weights={"left": 0.3, "right": 2.0},
        metrics={"left": ["mae"], "right": ["mse"]},
    )
)
def branches(k):
    """Several inputs and outputs, a shared layer, arguments of a call."""
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((4,), name="b")
    shared = k.layers.Dense(4, activation="tanh", name="shared")
    x, y = shared(a), shared(b)
    both = k.layers.Concatenate(axis=-1)([x, y])
    mixed = k.layers.Add()(
        [
            x,
            y,
            k.layers.Multiply()([x, y]),
            k.layers.Maximum()([x, y]),
            k.layers.Average()([x, y]),
            k.layers.Subtract()([x, y]),
            k.layers.Minimum()([x, y]),
        ]
    )
    dots = k.layers.Dot(axes=1, normalize=True)([x, y])
    right = k.layers.Concatenate()([k.layers.Dropout(0.0)(mixed), dots])
    return k.models.Model(
        [a, b],
        [k.layers.Dense(2, name="left")(both), k.layers.Dense(3, name="right")(right)],
        name="branches",
    )


@case(lambda k: simple(k))
def nested(k):
    """A graph and a sequence inside a graph, the inner graph called twice."""
    x = inside = k.layers.Input((4,), name="inside")
    x = k.layers.Dense(4, activation="relu")(x)
    inner = k.models.Model(inside, [x, k.layers.Dense(4)(x)], name="inner")
    block = k.models.Sequential(
        [k.layers.Dense(3, input_shape=(4,)), k.layers.BatchNormalization()], name="block"
    )
    outer = k.layers.Input((4,), name="outer")
    first, second = inner(outer)
    third, _ = inner(second)
    return k.models.Model(outer, block(k.layers.Add()([first, third])), name="nest")


@case(lambda k: simple(k))
def sequence_of_models(k):
    inner = k.models.Sequential([k.layers.Dense(4, input_shape=(3,)), k.layers.LeakyReLU(0.2)])
    x = k.layers.Input((4,))
    graph = k.models.Model(x, k.layers.Dense(2)(x))
    return k.models.Sequential([inner, graph, k.layers.Dense(2)])


@case(lambda k: simple(k))
def frozen(k):
    x = k.layers.Input((4,), name="x")
    layer = k.layers.Dense(4, name="kept")
    y = k.layers.BatchNormalization(name="bn")(layer(x))
    layer.trainable = False
    return k.models.Model(x, k.layers.Dense(2, name="out")(y))


# ---------------------------------------------------------------- convolutions, pooling, shapes


@case(lambda k: simple(k))
def images(k):
    x = start = k.layers.Input((8, 8, 3), name="image")
    x = k.layers.ZeroPadding2D(((1, 0), (0, 1)))(x)
    x = k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = k.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = k.layers.BatchNormalization(axis=-1)(x)
    x = k.layers.SeparableConv2D(4, 2, depth_multiplier=2, padding="same")(x)
    x = k.layers.MaxPooling2D(2, padding="same")(x)
    x = k.layers.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1)(x)
    x = k.layers.UpSampling2D(2, interpolation="nearest")(x)
    x = k.layers.Cropping2D(1)(x)
    x = k.layers.AveragePooling2D(2)(x)
    flat = k.layers.Flatten()(x)
    return k.models.Model(
        start,
        k.layers.Concatenate()(
            [flat, k.layers.GlobalAveragePooling2D()(x), k.layers.GlobalMaxPooling2D()(x)]
        ),
    )


@case()
def kept_dimensions(k):
    x = k.layers.Input((4, 4, 3))
    y = k.layers.Conv2D(4, 3, groups=1, dilation_rate=2, padding="same")(x)
    y = k.layers.UpSampling2D(2, interpolation="bilinear")(y)
    return k.models.Model(
        x,
        [
            k.layers.GlobalAveragePooling2D(keepdims=True)(y),
            k.layers.GlobalMaxPooling2D(keepdims=True)(y),
        ],
    )


@case()
def one_dimension(k):
    x = start = k.layers.Input((12, 3), name="series")
    x = k.layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="elu")(x)
    x = k.layers.SeparableConv1D(3, 2)(x)
    x = k.layers.ZeroPadding1D(1)(x)
    x = k.layers.MaxPooling1D(2)(x)
    x = k.layers.UpSampling1D(2)(x)
    x = k.layers.Cropping1D((1, 0))(x)
    x = k.layers.AveragePooling1D(2)(x)
    x = k.layers.Permute((2, 1))(x)
    x = k.layers.Reshape((-1, 3))(x)
    return k.models.Model(
        start, [k.layers.GlobalMaxPooling1D()(x), k.layers.RepeatVector(2)(k.layers.Flatten()(x))]
    )


@case()
def one_dimension_more(k):
    x = start = k.layers.Input((6, 3), name="series")
    x = k.layers.Conv1DTranspose(4, 3, strides=2)(x)
    x = k.layers.DepthwiseConv1D(2)(x)
    return k.models.Model(start, k.layers.GlobalAveragePooling1D(keepdims=True)(x))


@case()
def volumes(k):
    x = start = k.layers.Input((4, 4, 4, 2))
    x = k.layers.Conv3D(3, 2, padding="same")(x)
    x = k.layers.Conv3DTranspose(2, 2)(x)
    x = k.layers.MaxPooling3D(2)(k.layers.ZeroPadding3D(1)(k.layers.Cropping3D(1)(x)))
    return k.models.Model(start, k.layers.GlobalAveragePooling3D()(k.layers.UpSampling3D(2)(x)))


# ---------------------------------------------------------------- normalization, activations


@case()
def normalizations(k):
    x = k.layers.Input((4, 6), name="x")
    y = k.layers.LayerNormalization(axis=[1, 2], epsilon=1e-5)(
        k.layers.BatchNormalization(axis=1)(x)
    )
    return k.models.Model(x, k.layers.LayerNormalization(center=False)(y))


@case()
def newer_normalizations(k):
    x = k.layers.Input((4, 6), name="x")
    return k.models.Model(x, k.layers.UnitNormalization()(k.layers.GroupNormalization(3)(x)))


@case(lambda k: simple(k))
def activations(k):
    x = k.layers.Input((6,), name="x")
    y = k.layers.Dense(6, activation=k.activations.elu)(x)
    parts = [
        k.layers.ReLU(max_value=0.6, negative_slope=0.1, threshold=0.05)(y),
        k.layers.LeakyReLU(alpha=0.15)(y),
        k.layers.PReLU()(y),
        k.layers.ThresholdedReLU(theta=0.1)(y),
        k.layers.ELU(0.7)(y),
        k.layers.Softmax(axis=-1)(y),
    ]
    parts += [
        k.layers.Activation(name)(y)
        for name in (
            "sigmoid",
            "softplus",
            "softsign",
            "selu",
            "exponential",
            "linear",
            "softmax",
            "relu",
        )
    ]
    return k.models.Model(x, k.layers.Concatenate()(parts))


@case()
def newer_activations(k):
    x = k.layers.Input((6,), name="x")
    return k.models.Model(
        x,
        k.layers.Concatenate()(
            [
                k.layers.Dense(4, activation=k.activations.gelu)(x),
                k.layers.Dense(4, activation="swish")(x),
            ]
        ),
    )


@case()
def initializers(k):
    i = k.initializers
    x = k.layers.Input((4,), name="x")
    y = x
    for one in (
        i.VarianceScaling(2.0, "fan_out", "normal", seed=3),
        i.VarianceScaling(1.0, "fan_avg", "uniform"),
        i.Orthogonal(gain=0.5),
        i.Identity(0.5),
        i.RandomNormal(0.1, 0.2),
        i.RandomUniform(-1, 1),
        i.TruncatedNormal(stddev=0.3),
        i.Zeros(),
        i.Ones(),
        "lecun_uniform",
        "glorot_normal",
        "he_uniform",
        i.he_normal(),
        i.lecun_normal(seed=2),
    ):
        y = k.layers.Dense(
            4,
            kernel_initializer=one,
            kernel_regularizer=k.regularizers.l1_l2(0.01, 0.02),
            bias_regularizer="l2",
            activity_regularizer=k.regularizers.l1(0.001),
            kernel_constraint=k.constraints.MinMaxNorm(0.1, 2.0),
            bias_constraint="non_neg",
        )(y)
    return k.models.Model(x, y)


@case()
def noise(k):
    x = k.layers.Input((4, 3), name="x")
    y = k.layers.SpatialDropout1D(0.2)(
        k.layers.GaussianNoise(0.1)(k.layers.GaussianDropout(0.1)(x))
    )
    return k.models.Model(
        x, k.layers.ActivityRegularization(0.1, 0.1)(k.layers.AlphaDropout(0.1)(y))
    )


# ---------------------------------------------------------------- recurrent layers


@case(lambda k: simple(k, optimizer=k.optimizers.Adam(0.01)))
def lstm(k):
    return k.models.Sequential(
        [
            k.layers.Embedding(6, 4, mask_zero=True, input_length=5, name="ids"),
            k.layers.LSTM(3, return_sequences=True, unit_forget_bias=False),
            k.layers.LSTM(3, go_backwards=True),
            k.layers.Dense(2),
        ]
    )


@case(lambda k: simple(k))
def gru(k):
    x = k.layers.Input((5, 3), name="x")
    y = k.layers.GRU(4, return_sequences=True, reset_after=False, name="before")(x)
    y = k.layers.GRU(4, reset_after=True, return_sequences=True, name="after")(y)
    y, state = k.layers.GRU(3, return_state=True, name="stateful")(y)
    return k.models.Model(x, [y, k.layers.SimpleRNN(3)(x), k.layers.Dense(2)(state)])


@case()
def gru_after(k):
    x = k.layers.Input((5, 3), name="x")
    return k.models.Model(x, k.layers.GRU(4, reset_after=True, use_bias=True, name="g")(x))


@case(lambda k: simple(k))
def both_directions(k):
    x = k.layers.Input((5, 3), name="x")
    y = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), merge_mode="concat")(x)
    y = k.layers.Bidirectional(
        k.layers.GRU(2, return_sequences=True, reset_after=False), merge_mode="sum"
    )(y)
    y = k.layers.TimeDistributed(k.layers.Dense(3, activation="relu"))(y)
    y = k.layers.TimeDistributed(
        k.models.Sequential([k.layers.Dense(2, input_shape=(3,)), k.layers.Dense(2)])
    )(y)
    return k.models.Model(x, k.layers.Bidirectional(k.layers.SimpleRNN(2), merge_mode="ave")(y))


@case()
def cells(k):
    x = k.layers.Input((5, 3), name="x")
    y = k.layers.RNN(
        [k.layers.LSTMCell(3), k.layers.GRUCell(2, reset_after=True)], return_sequences=True
    )(x)
    y = k.layers.RNN(
        k.layers.StackedRNNCells([k.layers.SimpleRNNCell(2), k.layers.SimpleRNNCell(3)])
    )(y)
    return k.models.Model(x, y)


@case()
def stateful(k):
    return k.models.Sequential(
        [
            k.layers.LSTM(3, stateful=True, batch_input_shape=(2, 5, 3), return_sequences=True),
            k.layers.GRU(2, stateful=True, reset_after=False),
        ]
    )


@case()
def initial_state(k):
    """States as inputs of a call, as a decoder has them."""
    x, y = k.layers.Input((5, 3), name="x"), k.layers.Input((4, 3), name="y")
    _, h, c = k.layers.LSTM(3, return_state=True, name="encoder")(x)
    return k.models.Model(
        [x, y], k.layers.LSTM(3, return_sequences=True, name="decoder")(y, initial_state=[h, c])
    )


@case()
def conv_lstm(k):
    x = k.layers.Input((3, 5, 5, 2), name="x")
    return k.models.Model(
        x,
        k.layers.ConvLSTM2D(
            2, 3, return_sequences=False, padding="same", recurrent_activation="sigmoid"
        )(x),
    )


@case()
def masking(k):
    x = k.layers.Input((5, 3), name="x")
    return k.models.Model(x, k.layers.LSTM(3)(k.layers.Masking(0.0)(x)))


@case()
def cudnn(k):
    """Layers that exist for GPUs; on other machines they can be built, but not run."""
    k = getattr(k, "compat_v1", k)
    x = k.layers.Input((5, 3), name="x")
    y = k.layers.CuDNNLSTM(4, return_sequences=True)(x)
    y = k.layers.Bidirectional(k.layers.CuDNNGRU(3, return_sequences=True))(y)
    return k.models.Model(x, k.layers.CuDNNGRU(2)(y))


def plain_of_cudnn(k):
    """What `cudnn` is, of layers that run everywhere."""
    x = k.layers.Input((5, 3), name="x")
    y = k.layers.LSTM(4, return_sequences=True, recurrent_activation="sigmoid")(x)
    y = k.layers.Bidirectional(
        k.layers.GRU(3, return_sequences=True, reset_after=True, recurrent_activation="sigmoid")
    )(y)
    return k.models.Model(x, k.layers.GRU(2, reset_after=True, recurrent_activation="sigmoid")(y))


# ---------------------------------------------------------------- attention


@case()
def attention(k):
    q, v = k.layers.Input((3, 4), name="q"), k.layers.Input((5, 4), name="v")
    return k.models.Model(
        [q, v], [k.layers.Attention(use_scale=True)([q, v]), k.layers.AdditiveAttention()([q, v])]
    )


@case()
def multi_head(k):
    q, v = k.layers.Input((3, 4), name="q"), k.layers.Input((5, 4), name="v")
    y = k.layers.MultiHeadAttention(2, 3, value_dim=2, output_shape=(5,), name="one")(q, v)
    z, scores = k.layers.MultiHeadAttention(2, 3, use_bias=False, name="two")(
        query=q, value=v, key=v, return_attention_scores=True
    )
    return k.models.Model([q, v], [y, z, scores])


@case()
def einsum(k):
    make = getattr(k.layers, "EinsumDense", None) or k.layers.experimental.EinsumDense
    x = k.layers.Input((3, 4), name="x")
    return k.models.Model(x, make("abc,cd->abd", output_shape=(None, 5), bias_axes="d")(x))


# ---------------------------------------------------------------- preprocessing


def preprocessing(k, name):
    return getattr(k.layers, name, None) or getattr(k.layers.experimental.preprocessing, name)


@case()
def numbers(k):
    x = k.layers.Input((4,), name="x")
    make = preprocessing(k, "Normalization")
    try:
        known = make(axis=-1, mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 4.0])
    except TypeError:
        known = preprocessing(k, "Rescaling")(2.0)
    return k.models.Model(x, preprocessing(k, "Rescaling")(0.5, offset=-1.0)(known(x)))


@case()
def adapted(k):
    layer = preprocessing(k, "Normalization")(axis=-1)
    layer.adapt(values((8, 4)))
    x = k.layers.Input((4,), name="x")
    return k.models.Model(x, k.layers.Dense(2)(layer(x)))


@case()
def bins(k):
    x = k.layers.Input((4,), name="x")
    cut = preprocessing(k, "Discretization")(bin_boundaries=[-0.5, 0.0, 0.5])
    one_hot = preprocessing(k, "CategoryEncoding")(num_tokens=4, output_mode="multi_hot")
    return k.models.Model(x, one_hot(cut(x)))


@case()
def pictures(k):
    x = k.layers.Input((8, 8, 3), name="x")
    y = preprocessing(k, "CenterCrop")(6, 6)(preprocessing(k, "Resizing")(10, 10)(x))
    y = preprocessing(k, "RandomContrast")(0.2)(preprocessing(k, "RandomFlip")("horizontal")(y))
    y = preprocessing(k, "RandomZoom")(0.1)(preprocessing(k, "RandomRotation")(0.1)(y))
    return k.models.Model(x, preprocessing(k, "RandomTranslation")(0.1, 0.1)(y))


@case()
def lookups(k):
    x = k.layers.Input((2,), dtype="int64", name="ids")
    words = k.layers.Input((2,), dtype="string", name="words")
    numbers = preprocessing(k, "IntegerLookup")(vocabulary=[3, 1, 4])(x)
    strings = preprocessing(k, "StringLookup")(
        vocabulary=["red", "green"], num_oov_indices=1, output_mode="multi_hot"
    )
    return k.models.Model([x, words], [k.layers.Embedding(6, 2)(numbers), strings(words)])


@case()
def text(k):
    words = k.layers.Input((1,), dtype="string", name="words")
    make = preprocessing(k, "TextVectorization")
    return k.models.Model(words, make(vocabulary=["red", "green"], output_sequence_length=3)(words))


# ---------------------------------------------------------------- dtypes


@case(lambda k: simple(k, optimizer=k.optimizers.SGD(0.05, momentum=0.5)))
def mixed(k):
    try:
        policy = k.mixed_precision.Policy("mixed_float16")
    except AttributeError:
        policy = k.mixed_precision.experimental.Policy("mixed_float16")
    return k.models.Sequential(
        [k.layers.Dense(4, dtype=policy, input_shape=(6,)), k.layers.Dense(2, dtype="float32")]
    )


# ---------------------------------------------------------------- compiled in other ways


def small(k):
    return k.models.Sequential(
        [
            k.layers.Dense(3, activation="tanh", input_shape=(4,), name="a"),
            k.layers.BatchNormalization(name="bn"),
            k.layers.Dense(2, activation="sigmoid", name="b"),
        ]
    )


def optimized(name, make, legacy=True, **more):
    """A case with the model `small` and an optimizer; with the legacy one too, where a library has
    both.
    """

    def compiled(old):
        def arguments(k):
            space = k.optimizers.legacy if old else k.optimizers
            return simple(k, optimizer=make(space), **more)

        return arguments

    CASES[f"opt_{name}"] = small, compiled(False)
    if legacy:
        CASES[f"opt_{name}_legacy"] = small, compiled(True)


optimized("sgd", lambda o: o.SGD(0.05))
optimized("nesterov", lambda o: o.SGD(0.05, momentum=0.8, nesterov=True))
optimized("sgd_lr", lambda o: o.SGD(lr=0.05, momentum=0.5, decay=0.1))
optimized("adam", lambda o: o.Adam(0.02, beta_1=0.8))
optimized("adam_decay", lambda o: o.Adam(0.02, decay=0.2, clipnorm=0.5))
optimized("amsgrad", lambda o: o.Adam(0.02, amsgrad=True))
optimized("rmsprop", lambda o: o.RMSprop(0.01, rho=0.8))
optimized("rmsprop_more", lambda o: o.RMSprop(0.01, momentum=0.5, centered=True))
optimized("adagrad", lambda o: o.Adagrad(0.05))
optimized("adadelta", lambda o: o.Adadelta(0.5))
optimized("adamax", lambda o: o.Adamax(0.02))
optimized("nadam", lambda o: o.Nadam(0.02))
optimized("ftrl", lambda o: o.Ftrl(0.02))
optimized(
    "schedule",
    lambda o: o.SGD(o.schedules.ExponentialDecay(0.1, 1, 0.5), momentum=0.9),
    legacy=False,
)
optimized("clip", lambda o: o.SGD(0.05, clipvalue=0.01))
optimized("adamw", lambda o: o.AdamW(0.02, weight_decay=0.1), legacy=False)
optimized("ema", lambda o: o.Adam(0.02, use_ema=True, ema_momentum=0.9), legacy=False)
optimized("lion", lambda o: o.Lion(0.02), legacy=False)


def objects(k):
    return simple(
        k, loss=k.losses.Huber(delta=0.5), metrics=[k.metrics.MeanAbsoluteError(name="far"), "mse"]
    )


def probabilities(k):
    return simple(
        k,
        loss=k.losses.BinaryCrossentropy(label_smoothing=0.1),
        metrics=["mse", k.metrics.AUC(num_thresholds=20, name="area"), k.metrics.Precision(0.4)],
        weighted_metrics=[k.metrics.BinaryAccuracy(threshold=0.3)],
    )


CASES["loss_objects"], CASES["loss_probabilities"] = (small, objects), (small, probabilities)
CASES["loss_function"] = (
    small,
    lambda k: simple(k, loss=k.losses.mean_absolute_error, metrics=[k.metrics.mean_squared_error]),
)
CASES["loss_list"] = (
    branches,
    lambda k: simple(
        k,
        loss=["mse", k.losses.MeanAbsoluteError()],
        metrics=[["mae"], ["mse", "mae"]],
        loss_weights=[1.0, 0.5],
    ),
)
