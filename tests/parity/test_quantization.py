"""Quantization against Keras itself: the same weights, quantized by both."""

import jax
import keras
import numpy as np
import pytest

import jkeras
from tests.thinning import every

MODES = {
    "int8": ("int8", None),
    "int8, floats in": (None, ("Int8QuantizationConfig", dict(activation_quantizer=None))),
    "int4": ("int4", None),
    "int4 in blocks": (None, ("Int4QuantizationConfig", dict(block_size=3))),
    "int4 whole": (None, ("Int4QuantizationConfig", dict(block_size=None))),
    "float8": ("float8", None),
}
LAYERS = {
    "Dense": (dict(units=5, activation="relu"), (4, 7)),
    "Dense, no bias": (dict(units=4, use_bias=False), (2, 3, 6)),
    "EinsumDense": (dict(equation="abc,cd->abd", output_shape=(None, 5), bias_axes="d"), (2, 3, 7)),
    "EinsumDense, heads in": (
        dict(equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
        (2, 3, 7),
    ),
    "EinsumDense, heads out": (
        dict(equation="abcd,cde->abe", output_shape=(None, 5), bias_axes="e"),
        (2, 3, 2, 4),
    ),
    "EinsumDense, turned": (dict(equation="ab,cdb->acd", output_shape=(2, 3)), (4, 7)),
    "Embedding": (dict(input_dim=9, output_dim=7), None),
    "ReversibleEmbedding": (dict(input_dim=9, output_dim=7), None),
    "ReversibleEmbedding, two": (
        dict(input_dim=9, output_dim=7, tie_weights=False, logit_soft_cap=3.0),
        None,
    ),
}


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def made(K, name, dtype="float32", **more):
    """A layer with known weights, and its inputs: for floats, or ids."""
    arguments, shape = LAYERS[name]
    layer = getattr(K.layers, name.split(",")[0])(**arguments, name="it", dtype=dtype, **more)
    x = random(shape) if shape else np.arange(6).reshape(2, 3)
    layer.build(x.shape)
    layer.set_weights([random(w.shape, i) for i, w in enumerate(layer.weights)])
    return layer, x


def quantized(K, name, mode, dtype="float32", **more):
    layer, x = made(K, name, dtype, **more)
    mode, config = MODES[mode]
    layer.quantize(mode, config=config and getattr(K.quantizers, config[0])(**config[1]))
    return layer, x


@pytest.mark.parametrize("mode", ["int8", "int4", "int4 whole"])
@pytest.mark.parametrize("name", every(3, [name for name in LAYERS if "two" not in name]))
def test_the_weight_is_shown_one_integer_an_element(name, mode):
    """However many of them lie in a byte of the variable."""
    (mine, _), (theirs, _) = (quantized(K, name, mode) for K in (jkeras, keras))
    attribute = "embeddings" if "Embedding" in name else "kernel"
    shown, expected = getattr(mine, attribute), getattr(theirs, attribute)
    assert jkeras.backend.standardize_dtype(shown.dtype) == "int8"
    np.testing.assert_array_equal(shown, expected)
    assert getattr(mine, f"_{attribute}").shape == getattr(theirs, f"_{attribute}").shape


def equal_weights(ours, theirs):
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [str(w.dtype) for w in ours.weights] == [str(w.dtype) for w in theirs.weights]
    assert [w.name for w in ours.trainable_weights] == [w.name for w in theirs.trainable_weights]
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=2e-6)


def outputs(layer, x):
    y = [np.asarray(layer(x))]
    if "Reversible" in type(layer).__name__:
        y.append(np.asarray(layer(random((2, 3, 7)), reverse=True)))
    return y


def equal_outputs(ours, theirs, x, tolerance=1e-5):
    for a, b in zip(outputs(ours, x), outputs(theirs, x)):
        np.testing.assert_allclose(
            a.astype("float32"), b.astype("float32"), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("name", every(3, ["Dense", "EinsumDense, heads in", "Embedding"]))
def test_int4_of_weights_of_one_sign(name):
    """The zeros that fill up the one block count among its numbers."""
    layers = []
    for library in (jkeras, keras):
        layer, x = made(library, name)
        layer.set_weights([np.abs(w) + 1 for w in layer.get_weights()])
        layer.quantize("int4")
        layers.append(layer)
    equal_weights(*layers)
    equal_outputs(*layers, x)


CASES = [
    (name, mode) for name in LAYERS for mode in MODES if "Embedding" not in name or mode != "float8"
]


@pytest.mark.parametrize("name, mode", every(8, CASES, slow=2))
def test_as_keras(name, mode):
    (ours, x), (theirs, _) = quantized(jkeras, name, mode), quantized(keras, name, mode)
    equal_weights(ours, theirs)
    equal_outputs(ours, theirs, x)
    assert ours.get_config() == theirs.get_config()
    assert ours.dtype_policy.name == theirs.dtype_policy.name
    configs_and_variables_travel(ours, theirs, x)


def configs_and_variables_travel(ours, theirs, x):
    """A layer of either library comes from the other's config and stored variables."""
    copies = []
    for source, cls in ((ours, type(theirs)), (theirs, type(ours)), (ours, type(ours))):
        store = {}
        source.save_own_variables(store)
        copy = cls.from_config(source.get_config())
        copy.build(x.shape)
        copy.load_own_variables({k: np.asarray(v) for k, v in store.items()})
        equal_outputs(copy, source, x)
        copies.append(copy)
    theirs_again, ours_again, _ = copies
    assert [w.name for w in ours_again.weights] == [w.name for w in theirs_again.weights]


LORA = [
    (name, mode)
    for name, mode in CASES
    if mode != "float8"
    and name
    in ("Dense", "EinsumDense", "EinsumDense, heads in", "Embedding", "ReversibleEmbedding")
]


@pytest.mark.promise("`Dense`, `EinsumDense`, `Embedding`")
@pytest.mark.parametrize("name, mode", every(6, LORA, slow=2))
def test_lora_on_quantized(name, mode):
    layers = []
    for K in (jkeras, keras):
        layer, x = quantized(K, name, mode)
        layer.enable_lora(2)
        layer.set_weights(
            [
                random(w.shape, i) if "lora" in w.name else np.asarray(w)
                for i, w in enumerate(layer.weights)
            ]
        )
        layers.append(layer)
    ours, theirs = layers
    equal_weights(ours, theirs)
    np.testing.assert_allclose(np.asarray(ours(x)), np.asarray(theirs(x)), rtol=1e-5, atol=1e-5)
    stores = {}, {}
    ours.save_own_variables(stores[0])
    theirs.save_own_variables(stores[1])
    assert stores[0].keys() == stores[1].keys()
    for key, value in stores[0].items():
        np.testing.assert_allclose(value, np.asarray(stores[1][key]), rtol=1e-4)


@pytest.mark.parametrize("mode", every(3, MODES))
@pytest.mark.parametrize(
    "name", every(3, ["EinsumDense, heads in", "Dense", "EinsumDense, turned"])
)
def test_gradients_of_inputs(name, mode):
    (ours, x), (theirs, _) = quantized(jkeras, name, mode), quantized(keras, name, mode)
    a, b = (jax.grad(lambda x, layer=layer: (layer(x) ** 2).sum())(x) for layer in (ours, theirs))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", every(3, ["int8", "int4", "float8"]))
@pytest.mark.parametrize("name", ["Dense", "EinsumDense, heads in", "Embedding"])
def test_mixed_policy(name, mode):
    if (name, mode) == ("Embedding", "float8"):
        return
    (ours, x), (theirs, _) = (quantized(K, name, mode, "mixed_bfloat16") for K in (jkeras, keras))
    equal_weights(ours, theirs)
    equal_outputs(ours, theirs, x, 2e-2)
    assert str(ours(x).dtype) == "bfloat16"


def test_float8_gradients_are_the_next_scales():
    (ours, x), (theirs, _) = (
        quantized(jkeras, "Dense", "float8"),
        quantized(keras, "Dense", "float8"),
    )

    def loss(values):
        return (theirs.stateless_call(values, [], x, training=True)[0] ** 2).sum()

    expected = jax.grad(loss)([w.value for w in theirs.trainable_variables])

    def ours_loss(params):
        return (ours.apply(params, ours.state, x, training=True)[0] ** 2).sum()

    found = jax.grad(ours_loss)(ours.params)
    for weight, value in zip(theirs.trainable_variables, expected):
        np.testing.assert_allclose(found[weight.name], value, rtol=1e-5, err_msg=weight.name)


@pytest.mark.promise('`"float8"` is for')
def test_float8_trains_as_in_keras():
    x, y = random((8, 6)), random((8, 3), 1)
    trained = []
    for K in (jkeras, keras):
        model = K.Sequential(
            [K.Input((6,)), K.layers.Dense(4, activation="relu"), K.layers.Dense(3)]
        )
        model.set_weights([random(w.shape, i) for i, w in enumerate(model.weights)])
        model.quantize("float8", filters="dense")
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        trained.append(model)
    ours, theirs = trained
    for a, b in zip(ours.weights, theirs.weights):
        np.testing.assert_allclose(
            np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5, err_msg=a.path
        )
    assert [v.path for v in ours.optimizer.variables] == [
        v.path for v in theirs.optimizer.variables
    ]


def model_of(K):
    ids = K.Input((6,), dtype="int32")
    x = K.layers.Embedding(10, 8, name="table")(ids)
    x = K.layers.EinsumDense("abc,cde->abde", (6, 2, 4), bias_axes="de", name="heads")(x)
    x = K.layers.Flatten(name="flat")(x)
    model = K.Model(ids, K.layers.Dense(3, name="head")(x), name="net")
    model.set_weights([random(w.shape, i) for i, w in enumerate(model.weights)])
    return model


@pytest.mark.parametrize("mode", every(2, ["int4", "int8"]))
def test_files_travel_both_ways(mode, tmp_path):
    ids = np.arange(24).reshape(4, 6) % 10
    ours, theirs = model_of(jkeras), model_of(keras)
    for model in (ours, theirs):
        with pytest.warns(UserWarning, match="does not have a `quantize` method"):
            model.quantize(mode)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    expected = theirs.predict(ids, verbose=0)
    np.testing.assert_allclose(ours.predict(ids, verbose=0), expected, rtol=1e-5, atol=1e-5)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for K, name in ((keras, "ours"), (jkeras, "theirs"), (jkeras, "ours")):
        loaded = K.saving.load_model(tmp_path / f"{name}.keras")
        np.testing.assert_allclose(loaded.predict(ids, verbose=0), expected, rtol=1e-5, atol=1e-5)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    zeros = [np.zeros_like(w) for w in theirs.get_weights()]
    for model, name in ((ours, "theirs"), (theirs, "ours")):
        values = model.get_weights()
        model.set_weights(zeros)
        model.load_weights(tmp_path / f"{name}.weights.h5")
        for a, b in zip(model.get_weights(), values):
            np.testing.assert_allclose(a, b, rtol=2e-6)


@pytest.mark.parametrize(
    "filters", ["head$", ["table", "heads"], lambda layer: layer.name == "table"]
)
def test_filters(filters):
    models = model_of(jkeras), model_of(keras)
    for model in models:
        model.quantize("int8", filters=filters)
    ours, theirs = models
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]


def test_a_compiled_predict_sees_the_new_weights():
    model, ids = model_of(jkeras), np.arange(6)[None]
    before = model.predict(ids, verbose=0)
    model.quantize("int4", filters="head|table")
    after = model.predict(ids, verbose=0)
    assert 0 < np.abs(after - before).max() < 2.0


@pytest.mark.parametrize(
    "name, mode", [("Dense", mode) for mode in MODES] + [("Embedding", "int4")]
)
def test_pure(name, mode):
    layer, x = quantized(jkeras, name, mode)
    params, state = layer.params, layer.state
    expected = np.asarray(layer(x))

    def run(params, state, x):
        return layer.apply(params, state, x)[0]

    np.testing.assert_allclose(jax.jit(run)(params, state, x), expected, rtol=1e-5, atol=1e-6)
    one_by_one = jax.vmap(lambda x: run(params, state, x[None])[0])(x)
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-5, atol=1e-5)
    _, again = layer.init(jax.random.key(0), x)
    assert jax.tree_util.tree_structure(again) == jax.tree_util.tree_structure(state)
    for a, b in zip(jax.tree_util.tree_leaves(again), jax.tree_util.tree_leaves(state)):
        np.testing.assert_array_equal(a, b)


def test_dots_stand_for_batch_axes():  # Keras 3.15.1 itself fails here
    layers = []
    for equation, shape in (("...b,bc->...c", (5,)), ("xyb,bc->xyc", (3, 5))):
        layer = jkeras.layers.EinsumDense(equation, shape)
        layer.build((2, 3, 7))
        layer.set_weights([random((7, 5))])
        layer.quantize("int8")
        layers.append(layer)
    x = random((2, 3, 7), 1)
    np.testing.assert_array_equal(layers[0](x), layers[1](x))


class MyDense(jkeras.layers.Dense):
    pass


WRONG = {
    "not built": (lambda K: K.layers.Dense(2).quantize("int8"), ValueError),
    "mode": (lambda K: made(K, "Dense")[0].quantize("int7"), ValueError),
    "nothing": (lambda K: made(K, "Dense")[0].quantize(), ValueError),
    "config": (lambda K: made(K, "Dense")[0].quantize("int8", config={}), ValueError),
    "contradiction": (
        lambda K: made(K, "Dense")[0].quantize(
            "int8", config=K.quantizers.Int4QuantizationConfig()
        ),
        ValueError,
    ),
    "twice": (lambda K: quantized(K, "Dense", "int8")[0].quantize("int8"), ValueError),
    "float16": (lambda K: made(K, "Dense", "float16")[0].quantize("int8"), ValueError),
    "layer": (lambda K: made(K, "Embedding")[0].quantize("float8"), NotImplementedError),
    "gptq without config": (lambda K: made(K, "Dense")[0].quantize("gptq"), ValueError),
    "filters": (lambda K: model_of(K).quantize("int8", filters=3), ValueError),
    "policy name": (lambda K: K.dtype_policies.get("int8_float32"), ValueError),
    "policy mode": (lambda K: K.dtype_policies.QuantizedDTypePolicy("int2", "float32"), ValueError),
    "policy int8 in float16": (lambda K: K.dtype_policies.get("int8_from_float16"), ValueError),
    "policy block": (lambda K: K.dtype_policies.Int4DTypePolicy("int4/0", "float32"), ValueError),
    "policy history": (
        lambda K: K.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", 1.5),
        TypeError,
    ),
    "policy map": (lambda K: K.dtype_policies.DTypePolicyMap(policy_map=3), TypeError),
    "policy map in a map": (
        lambda K: K.dtype_policies.DTypePolicyMap(K.dtype_policies.DTypePolicyMap()),
        ValueError,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name):
    call, error = WRONG[name]
    for K in (jkeras, keras):
        with pytest.raises(error):
            call(K)


def test_subclasses_are_asked_for():
    layer = MyDense(2)
    layer.build((None, 3))
    with pytest.raises(NotImplementedError, match="type_check"):
        layer.quantize("int8")
    layer.quantize("int8", type_check=False)
    assert layer.quantization_mode == "int8"


def test_a_policy_quantizes():
    for K in (jkeras, keras):
        layer, _ = made(K, "Dense")
        layer.dtype_policy = "int8_from_float32"
        assert [w.name for w in layer.weights] == ["bias", "kernel", "kernel_scale"]


POLICIES = [
    "int8_from_float32",
    "int4_from_mixed_bfloat16",
    "int4/64_from_float32",
    "float8_from_mixed_float16",
    "gptq/4/-1_from_float32",
    "awq/4/32_from_bfloat16",
    "mixed_bfloat16",
]


@pytest.mark.parametrize("name", POLICIES)
def test_policies(name):
    ours, theirs = jkeras.dtype_policies.get(name), keras.dtype_policies.get(name)
    for attribute in ("name", "compute_dtype", "variable_dtype", "quantization_mode"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert jkeras.dtype_policies.serialize(ours) == keras.dtype_policies.serialize(theirs)
    assert jkeras.dtype_policies.deserialize(keras.dtype_policies.serialize(theirs)) == ours
    assert repr(ours) == repr(theirs)


def test_policies_by_path():
    def net(K):
        by_path = K.dtype_policies.DTypePolicyMap("float32")
        by_path["mha/query"] = K.dtype_policies.get("int8_from_float32")
        by_path["mha/(key|value)"] = K.dtype_policies.get("bfloat16")
        x = K.Input((5, 8))
        layer = K.layers.MultiHeadAttention(2, 4, dtype=by_path, name="mha")
        return K.Model(x, layer(x, x), name="net"), layer

    (ours, mine), (theirs, its) = net(jkeras), net(keras)
    assert [(w.path, str(w.dtype)) for w in ours.weights] == [
        (w.path, str(w.dtype)) for w in theirs.weights
    ]
    assert mine.get_config()["dtype"] == its.get_config()["dtype"]


@pytest.mark.promise("They are for prediction")
def test_lora_trains_on_an_integer_kernel():
    x, y = random((8, 6)), random((8, 3), 1)
    trained = []
    for K in (jkeras, keras):
        model = K.Sequential(
            [K.Input((6,)), K.layers.Dense(4, activation="tanh"), K.layers.Dense(3)]
        )
        model.set_weights([random(w.shape, i) for i, w in enumerate(model.weights)])
        model.layers[0].enable_lora(2)
        model.quantize("int8", filters="dense")
        model.layers[1].enable_lora(2)
        for i, w in enumerate(w for w in model.weights if "lora" in w.name):
            w.assign(random(w.shape, i))
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        trained.append(model)
    ours, theirs = trained
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.promise("a quarter of the memory with")
@pytest.mark.parametrize("mode, share", [("int8", 4), ("int4", 8)])
def test_kernels_take_a_quarter_and_an_eighth(mode, share):
    layer = jkeras.layers.Dense(64, use_bias=False)
    layer.build((None, 128))
    before = sum(w.nbytes for w in layer.get_weights())
    layer.quantize(mode)
    sizes = sorted(w.nbytes for w in layer.get_weights())
    assert sizes[-1] == before / share
    assert sum(sizes[:-1]) < before / 20  # scales


def test_a_layer_is_called_by_keras_name_of_that_step():
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    outputs = []
    for library in (keras, jkeras):
        layer = library.layers.Dense(3)
        layer.build((None, 4))
        layer.set_weights([np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3), np.ones(3)])
        with pytest.raises(NotImplementedError, match="Invalid quantization mode"):
            layer.quantized_call(x)
        layer.quantize("int8")
        outputs.append(np.asarray(layer.quantized_call(x)))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-5, atol=1e-6)
