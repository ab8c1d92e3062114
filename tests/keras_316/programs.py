"""Small programs whose results Keras 3.15 and 3.16 do not agree about, or that 3.16 alone can run.

Each is a function of the library and gives numbers, texts, lists or dicts of them.
"""

import pathlib

import numpy as np

RECORDED = pathlib.Path(__file__).parent / "recorded.json"
WRITTEN = RECORDED.with_name("written.keras")  # a model
PROGRAMS = {}


def program(function):
    """Decorator: enters a program."""
    PROGRAMS[function.__name__] = function
    return function


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def uniform(shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype("float32")


def plain(x):
    return np.asarray(x).tolist()


def config(thing):
    """A config without what is the same everywhere."""
    return {k: v for k, v in thing.get_config().items() if k not in ("name", "dtype", "trainable")}


# ---------------------------------------------------------------- losses and metrics


@program
def tversky(K):
    y, p = uniform((4, 6)), uniform((4, 6), 1)
    loss = K.losses.Tversky(alpha=0.2, beta=0.7)
    return [plain(loss(y, p)), plain(K.losses.tversky(y, p, alpha=0.3, beta=0.9, axis=1))]


@program
def label_smoothing_along_another_axis(K):
    y = np.eye(3, dtype="float32")[[[0, 1], [2, 0]]].transpose(0, 2, 1)
    p = uniform((2, 3, 2))
    p /= p.sum(1, keepdims=True)
    return [
        plain(K.losses.categorical_crossentropy(y, p, label_smoothing=0.3, axis=1)),
        plain(K.losses.categorical_focal_crossentropy(y, p, label_smoothing=0.3, axis=1)),
        plain(K.losses.CategoricalCrossentropy(label_smoothing=0.2, axis=-2)(y, p)),
    ]


@program
def configs_of_losses(K):
    losses = K.losses
    return [
        config(losses.Huber()),
        config(losses.CosineSimilarity()),
        config(losses.SparseCategoricalCrossentropy()),
    ]


@program
def samples_of_r2(K):
    metric = K.metrics.R2Score(num_regressors=2)
    y, p = random((10, 3)), random((10, 3), 1)
    metric.update_state(y, p)
    counted = [plain(metric.num_samples), plain(metric.result())]
    weights = np.repeat([[1.0], [0.0]], 5, axis=0).astype("float32")
    metric.update_state(y, p, sample_weight=weights)
    return [*counted, plain(metric.num_samples)]


# ---------------------------------------------------------------- layers


@program
def masks_of_recurrent_layers(K):
    layers = K.layers
    made = [
        layers.LSTM(2),
        layers.RNN(layers.GRUCell(2)),
        layers.SimpleRNN(2),
        layers.ConvLSTM1D(2, 2),
        layers.Bidirectional(layers.GRU(2)),
        layers.TimeDistributed(layers.Dense(2)),
    ]
    return [layer.supports_masking for layer in made]


@program
def mask_behind_a_recurrent_layer(K):
    ids = K.Input((3,), dtype="int32")
    table = K.layers.Embedding(5, 2, mask_zero=True, embeddings_initializer="ones")
    x = K.layers.SimpleRNN(2, kernel_initializer="ones", return_sequences=True)(table(ids))
    model = K.Model(ids, K.layers.GlobalAveragePooling1D()(x))
    return plain(model(np.array([[1, 0, 0], [1, 2, 3]])))


@program
def axes_of_layer_normalization(K):
    layer = K.layers.LayerNormalization(axis=[-1, 1])
    layer.build((2, 3, 4))
    layer.gamma.assign(np.arange(1.0, 13.0, dtype="float32").reshape(layer.gamma.shape))
    return [list(layer.axis), list(layer.gamma.shape), plain(layer(random((2, 3, 4))))]


@program
def one_axis_twice(K):
    layer = K.layers.LayerNormalization(axis=[-1, 1])
    try:
        layer.build((2, 3))
    except ValueError:
        return "refused"
    return [list(w.shape) for w in layer.weights]


@program
def config_of_category_encoding(K):
    return config(K.layers.CategoryEncoding(3))


@program
def training_of_a_stateless_call(K):
    class Inner(K.layers.Layer):
        def call(self, x, training=None):
            return x + 1.0 if training else x

    class Outer(K.layers.Layer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, x, training=None):
            return self.inner.stateless_call([], [], x)[0]

    inner = Inner()
    x = K.ops.ones((1, 2))
    inner(x)
    outer = Outer(inner)
    return [plain(outer(x, training=training)) for training in (True, False, None)]


# ---------------------------------------------------------------- weights in few bits


def two_blocks(K):
    ids = K.Input((6,), dtype="int32")
    layers = [K.layers.Embedding(20, 12)]
    layers += [K.layers.Dense(n, activation="relu") for n in (10, 12)]
    model = K.Model(ids, K.Sequential(layers)(ids))
    model.set_weights([random(w.shape, i) for i, w in enumerate(model.weights)])
    return model, {"pre_block_layers": layers[:1], "sequential_blocks": layers[1:]}


def calibrated(K, kind, **options):
    """The weights of two layers in few bits, and what the model gives then."""
    model, structure = two_blocks(K)
    made = getattr(K.quantizers, kind)(
        [np.random.default_rng(i).integers(0, 20, size=(1, 9)) for i in range(4)],
        lambda text: text,
        num_samples=5,
        sequence_length=6,
        quantization_layer_structure=structure,
        **options,
    )
    model.quantize(made.mode, config=made)
    found = []
    for layer in structure["sequential_blocks"]:
        found += [plain(layer.quantized_kernel), plain(layer.kernel_scale)]
    return [*found, plain(model(np.arange(24).reshape(4, 6) % 20))]


@program
def gptq(K):
    return calibrated(K, "GPTQConfig", group_size=4)


@program
def gptq_in_order_of_2_bits(K):
    return calibrated(K, "GPTQConfig", group_size=5, weight_bits=2, activation_order=True)


@program
def gptq_in_batches(K):
    return calibrated(K, "GPTQConfig", group_size=-1, weight_bits=3, calibration_batch_size=2)


@program
def awq(K):
    return calibrated(K, "AWQConfig", group_size=4)


@program
def awq_without_clipping(K):
    return calibrated(K, "AWQConfig", group_size=-1, num_grid_points=7, apply_clip=False)


@program
def awq_with_a_rest(K):
    return calibrated(K, "AWQConfig", group_size=7)


@program
def configs_of_calibration(K):
    quantizers = K.quantizers
    kept = quantizers.GPTQConfig(None, None, quantization_layer_structure={"a": 1})
    return [kept.get_config(), quantizers.AWQConfig(None, None).get_config()]


@program
def report_of_quantize(K):
    x = K.Input((4,), name="in")
    y = K.layers.Dense(4, activation=K.layers.ReLU(name="inside"), name="first")(x)
    y = K.layers.Activation("relu", name="between")(y)
    y = K.layers.Dense(3, name="kept")(y)
    model = K.Model(x, K.Sequential([K.layers.Dense(2, name="nested")], name="net")(y))
    first = model.quantize("int8", filters=lambda layer: layer.name != "kept", verbose=False)
    again = model.quantize("int8", verbose=False)
    return [[list(r.quantized), list(r.skipped)] for r in (first, again)]


@program
def quantization_summary(K):
    model = K.Sequential([K.Input((256,)), K.layers.Dense(128, name="d")], name="net")
    empty = model.quantization_summary(verbose=False).splitlines()[:2]
    model.quantize("int8", verbose=False)
    return [empty, model.quantization_summary(verbose=False).splitlines()[:8]]


# ---------------------------------------------------------------- policies


@program
def policies(K):
    made = [
        K.dtype_policies.get("ternary_from_mixed_bfloat16"),
        K.dtype_policies.get("int4/None_from_float32"),
        K.dtype_policies.Int4DTypePolicy("int4/None", "float32"),
    ]
    return [[type(p).__name__, p.name, p.get_config()] for p in made]


# ---------------------------------------------------------------- what is new, and what was mended


@program
def class_weights_by_text(K):
    model = K.Sequential([K.Input((1,)), K.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 1), "float32"), np.array([[0.0], [1.0], [1.0], [1.0]])
    model.fit(x, y, class_weight={"0": 1.0, "1": 3.0}, batch_size=4, verbose=0)
    return [plain(w) for w in model.get_weights()]


@program
def class_weights_of_no_number(K):
    model = K.Sequential([K.Input((1,)), K.layers.Dense(1)])
    model.compile("sgd", "mse")
    try:
        model.fit(np.ones((2, 1)), np.ones((2, 1)), class_weight={"a": 2.0}, verbose=0)
    except ValueError:
        return "refused"
    return "taken"


@program
def one_weight_for_all_in_fbeta(K):
    metric = K.metrics.FBetaScore(threshold=0.5)
    y, p = uniform((6, 2)) > 0.5, uniform((6, 2), 1)
    metric.update_state(y, p, sample_weight=0.25)
    metric.update_state(y, p, sample_weight=np.arange(6.0).reshape(6, 1))
    return plain(metric.result())


@program
def gradient_of_normalize_at_0(K):
    import jax

    x = np.array([[0.0, 0.0], [3.0, 4.0]], "float32")
    return [
        plain(jax.grad(lambda x: K.ops.sum(K.ops.normalize(x)))(x)),
        plain(jax.grad(lambda x: K.ops.sum(K.ops.normalize(x, axis=0)))(x * 2)),
    ]


@program
def normalize_along_the_first_axis(K):
    return plain(K.utils.normalize(np.arange(6.0).reshape(2, 3), axis=0))


@program
def top_k(K):
    return [plain(x) for x in K.ops.top_k(np.array([2.0, 1.0, 2.0, 0.0]), 3, is_stable=True)]


@program
def masks_in_a_pipeline(K):
    ids = K.Input((3,), dtype="int32")
    table = K.layers.Embedding(4, 2, mask_zero=True, embeddings_initializer="ones")
    pipeline = K.layers.Pipeline([table, K.layers.GlobalAveragePooling1D()])
    return plain(K.Model(ids, pipeline(ids) * 2)(np.array([[1, 0, 0], [1, 2, 3]])))


@program
def graphs_take_no_other_arguments(K):
    x = K.Input((1,))
    found = []
    for model in (K.Model(x, x * 2), K.Sequential([x, K.layers.ReLU()])):
        try:
            found.append(list(model(np.ones((2, 1)), other=1).shape))
        except TypeError:
            found.append("refused")
    return found


@program
def one_shard_of_data(K):
    distribution = K.distribution.DataParallel(K.distribution.DeviceMesh((1,), ["batch"]))
    return distribution.num_data_shards


@program
def names(K):
    def arguments(function):
        import inspect

        return sorted(inspect.signature(function).parameters)

    return [
        arguments(K.ops.top_k),
        arguments(K.quantizers.GPTQConfig),
        arguments(K.quantizers.AWQConfig),
        arguments(K.utils.audio_dataset_from_directory),
        arguments(K.utils.FeatureSpace.adapt),
    ]


@program
def names_of_stored_variables(K):
    layers = K.layers
    made = [
        layers.Dense(2),
        layers.EinsumDense("ab,bc->ac", 2),
        layers.Embedding(3, 2),
        layers.ReversibleEmbedding(3, 2),
        layers.ReversibleEmbedding(3, 2, tie_weights=False),
        layers.TernaryDense(2),
    ]
    for layer in made:
        layer.build((1, 2))
    return [{str(k): v for k, v in layer.variable_serialization_spec.items()} for layer in made]


@program
def ternary(K):
    found = []
    for kind in (K.layers.Dense, K.layers.TernaryDense):
        layer = kind(4)
        layer.build((None, 11))
        layer.set_weights([random(w.shape, i) for i, w in enumerate(layer.weights)])
        layer.quantize("ternary")
        store = {}
        layer.save_own_variables(store)
        found += [
            {key: plain(array) for key, array in store.items()},
            plain(layer(uniform((2, 11)))),
        ]
    return found
