"""Files of models with what is less common, from each library into the other: the same predictions
and weights.
"""

import warnings

import keras
import numpy as np
import pytest

import jkeras

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype("float32")


def scaled(k):
    """A registered layer with a weight and an inner layer."""

    @k.saving.register_keras_serializable("both_ways", "Scaled")
    class Scaled(k.layers.Layer):
        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.units, self.inner = units, k.layers.Dense(units)

        def build(self, shape):
            self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")
            self.inner.build(shape)

        def call(self, x):
            return self.inner(x * self.factor)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Scaled


REGISTERED = {k: scaled(k) for k in (keras, jkeras)}


def custom(k):
    return k.Sequential([k.Input((6,)), REGISTERED[k](3, name="own"), k.layers.Dense(2)])


def half(policy):
    def build(k):
        return k.Sequential(
            [
                k.Input((6,)),
                k.layers.Dense(4, dtype=policy, activation="relu"),
                k.layers.LayerNormalization(dtype=policy),
                k.layers.Dense(2, dtype="float32"),
            ]
        )

    build.__name__ = policy
    return build


def int8(k):
    model = k.Sequential([k.Input((6,)), k.layers.Dense(4, activation="relu"), k.layers.Dense(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers that have nothing to quantize
        model.quantize("int8")
    return model


def low_rank(k):
    model = k.Sequential([k.Input((6,)), k.layers.Dense(4), k.layers.Dense(2)])
    model.layers[0].enable_lora(2)
    return model


def subclassed(k):
    @k.saving.register_keras_serializable("both_ways", f"Net{k.__name__}")
    class Net(k.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.parts = [k.layers.Dense(4), {"out": k.layers.Dense(2)}]

        def call(self, x):
            return self.parts[1]["out"](self.parts[0](x))

    model = Net()
    model(X)
    return model


def recurrent(k):
    x = k.Input((3, 2), name="x")
    y, h, c = k.layers.LSTM(3, return_sequences=True, return_state=True)(x)
    y = k.layers.Bidirectional(k.layers.GRU(2, return_sequences=True))(y, mask=None)
    return k.Model(
        x,
        [k.layers.LSTM(3)(y, initial_state=[h, c]), k.layers.TimeDistributed(k.layers.Dense(2))(y)],
    )


WHOLE = [
    custom,
    half("mixed_float16"),
    half("mixed_bfloat16"),
    half("bfloat16"),
    int8,
    low_rank,
    recurrent,
]
BOTH = pytest.mark.parametrize(
    "writer, reader", [(jkeras, keras), (keras, jkeras)], ids=["to-keras", "from-keras"]
)


def prepared(k, builder):
    """A model with other weights than those it begins with."""
    model = builder(k)
    model.set_weights(
        [
            w
            if w.dtype.kind == "i"
            else (w + 0.1 * np.cos(np.arange(w.size)).reshape(w.shape)).astype(w.dtype)
            for w in model.get_weights()
        ]
    )
    return model


def predictions(model):
    x = X.reshape(4, 3, 2) if len(getattr(model, "input_shape", X.shape)) == 3 else X
    found = model.predict(x, verbose=0)
    return found if isinstance(found, list) else [found]


def assert_same(a, b, exact):
    for ours, theirs in zip(predictions(a), predictions(b), strict=True):
        np.testing.assert_allclose(
            ours.astype("float32"),
            theirs.astype("float32"),
            **(dict(rtol=1e-5, atol=1e-5) if exact else dict(rtol=2e-2, atol=2e-2)),
        )
    # whose product is in the kernel of a file
    if "lora_kernel_a" not in {w.name for w in a.weights}:
        for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


ATTENTION = {
    "MultiHeadAttention": dict(num_heads=2, key_dim=4),
    "GroupQueryAttention": dict(num_query_heads=4, num_key_value_heads=2, head_dim=4),
}


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
@pytest.mark.parametrize("reader", [jkeras, keras])
@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("name", ATTENTION)
def test_projections_in_few_bits(tmp_path, name, mode, reader):
    """What Keras itself writes of such a layer neither reads: its config says nothing of them."""
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
    inputs = jkeras.Input((5, 8))
    attended = getattr(jkeras.layers, name)(**ATTENTION[name])(inputs, inputs)
    model = jkeras.Model(inputs, jkeras.layers.Dense(3)(attended))
    model.quantize(mode, filters="query|output")
    model.save(tmp_path / "model.keras")
    loaded = reader.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@BOTH
@pytest.mark.parametrize("builder", WHOLE, ids=lambda b: b.__name__)
def test_whole_models(tmp_path, writer, reader, builder):
    model = prepared(writer, builder)
    model.save(tmp_path / "model.keras")
    assert_same(
        model, reader.saving.load_model(tmp_path / "model.keras"), "float16" not in builder.__name__
    )


@pytest.mark.promise("`.weights.h5` | yes | yes")
@pytest.mark.promise("`.weights.json` and shards")
@BOTH
@pytest.mark.parametrize("builder", [*WHOLE, subclassed], ids=lambda b: b.__name__)
@pytest.mark.parametrize("ending", [".weights.h5", ".weights.json"])
def test_weights(tmp_path, writer, reader, builder, ending):
    """In one file, and spread over files of a few hundred bytes."""
    model, path = prepared(writer, builder), tmp_path / f"model{ending}"
    model.save_weights(
        path, **({} if ending == ".weights.h5" else dict(max_shard_size=400 / 2**30))
    )
    other = builder(reader)
    other.load_weights(path)
    assert_same(model, other, "float16" not in builder.__name__)
    assert (
        ending == ".weights.h5"
        or len(list(tmp_path.glob("*.h5"))) > 1
        or sum(w.nbytes for w in model.get_weights()) < 400
    )


def trained(k, optimizer):
    model = k.Sequential(
        [
            k.Input((6,)),
            k.layers.Dense(4, activation="tanh"),
            k.layers.BatchNormalization(),
            k.layers.Dense(2),
        ]
    )
    model.set_weights(
        [w + 0.1 * np.cos(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()]
    )
    model.compile(optimizer(k.optimizers), "mse", metrics=["mae"])
    model.fit(X, X[:, :2], epochs=1, batch_size=2, shuffle=False, verbose=0)
    return model


OPTIMIZERS = {
    "nadam": lambda o: o.Nadam(0.02),
    "amsgrad": lambda o: o.Adam(0.02, amsgrad=True),
    "rmsprop": lambda o: o.RMSprop(0.01, momentum=0.5, centered=True),
    "ftrl": lambda o: o.Ftrl(0.05),
    "schedule": lambda o: o.SGD(o.schedules.CosineDecay(0.1, 10), momentum=0.9),
    "lion": lambda o: o.Lion(0.01),
    "scaled": lambda o: o.LossScaleOptimizer(o.Adam(0.02), initial_scale=8.0),
    "accumulating": lambda o: o.AdamW(0.02, gradient_accumulation_steps=2),
}


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_goes_on(tmp_path, writer, reader, optimizer):
    model = trained(writer, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras: a scale of a loss is set twice
        model.save(tmp_path / "model.keras")
        read = reader.saving.load_model(tmp_path / "model.keras")
    ours, theirs = (
        m.fit(X, X[:, :2], epochs=2, batch_size=2, shuffle=False, verbose=0).history
        for m in (model, read)
    )
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


STRUCTURES = {
    "bare": lambda name, x: x,
    "list": lambda name, x: [x],
    "tuple": lambda name, x: (x,),
    "dict": lambda name, x: {name: x},
}


@pytest.mark.parametrize("outputs", STRUCTURES)
@pytest.mark.parametrize("inputs", STRUCTURES)
def test_a_structure_of_one_tensor_stays_what_it_is(inputs, outputs, tmp_path):
    def read(k):
        x = k.Input((3,), name="x")
        y = k.layers.Dense(2, name="y")(x)
        model = k.Model(STRUCTURES[inputs]("x", x), STRUCTURES[outputs]("y", y))
        model.save(tmp_path / "model.keras")
        return [
            (type(one.input).__name__.split(".")[-1], type(one.output).__name__)
            for one in (
                model,
                type(model).from_config(model.get_config()),
                k.models.load_model(tmp_path / "model.keras"),
                k.models.clone_model(model),
            )
        ]

    assert read(jkeras) == read(keras)
