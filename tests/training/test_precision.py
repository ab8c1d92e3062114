"""Half precision: what is computed in float32 all the same, and the loss scale that float16
needs.
"""

import contextlib
import itertools
import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.training import init_train_state, make_train_step
from tests.design.tools import assert_same_weights, both, normal, weights_of
from tests.thinning import some_slow

HALF = ("float16", "bfloat16")


@contextlib.contextmanager
def wide_types():
    """Inside, JAX has types of 64 bits; `jax.enable_x64` is a context manager since 0.8 alone."""
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.fixture
def policy(request):
    """The session's dtype policy, of both libraries."""
    for library in (jkeras, keras):
        library.config.set_dtype_policy(request.param)
    yield request.param
    for library in (jkeras, keras):
        library.config.set_dtype_policy("float32")


def with_policy(*names):
    return pytest.mark.parametrize("policy", names, indirect=True)


# ---------------------------------------------------------------- what is float32


def everything():
    """Softmax, normalizations, attention, a recurrent layer, losses and metrics, in one model."""
    x = jkeras.Input((6, 4))
    h = layers.MultiHeadAttention(2, 4)(x, x)
    h = layers.Attention()([h, h])
    for layer in (
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.BatchNormalization(),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.GlobalAveragePooling1D(),
    ):
        h = layer(h)
    model = jkeras.Model(x, layers.Dense(3, "softmax")(layers.Softmax()(layers.Dense(5)(h))))
    model.compile(
        "adam",
        "categorical_crossentropy",
        metrics=["accuracy", "mse", "categorical_crossentropy", "AUC"],
    )
    return model


def equations(jaxpr):
    """All equations of a jaxpr, those of inner ones too."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree_util.tree_leaves(
            list(equation.params.values()), is_leaf=lambda v: hasattr(v, "jaxpr")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


@pytest.mark.promise("compute in float32 inside, whatever the policy")
@pytest.mark.promise("Compute in 16 bits, keep")
@with_policy("mixed_float16", "mixed_bfloat16")
def test_where_a_train_step_computes_in_half_precision(policy):
    model, half = everything(), policy.removeprefix("mixed_")
    state = init_train_state(model, jax.random.key(0))
    batch = np.ones((4, 6, 4), "float32"), np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    step = jax.make_jaxpr(make_train_step(model))(state, batch)
    found = {}
    for equation in equations(step.jaxpr):
        found.setdefault(equation.primitive.name, []).append(equation)
    kinds = {
        name: {str(v.aval.dtype) for e in several for v in e.outvars}
        for name, several in found.items()
    }
    assert half in kinds["dot_general"]
    for name in ("exp", "log", "sqrt", "rsqrt", "reduce_max"):
        assert kinds[name] == {"float32"}, name
    # in half precision only the gradient of what was broadcast: a bias
    for equation in found["reduce_sum"]:
        (x,), (y,) = (v.aval for v in equation.invars), (v.aval for v in equation.outvars)
        assert str(x.dtype) == "float32" or x.shape[x.ndim - y.ndim :] == y.shape and y.ndim >= 1, (
            equation
        )
    for out in jax.eval_shape(make_train_step(model), state, batch):
        assert not any(str(leaf.dtype) in HALF for leaf in jax.tree_util.tree_leaves(out))


@pytest.mark.promise("compute in float32 inside, whatever the policy")
@pytest.mark.parametrize("dtype", HALF)
def test_sums_do_not_overflow_nor_stand_still(dtype):
    classes = 100_000  # more than float16's largest number
    flat = jnp.zeros((1, classes), dtype)
    for function, wanted in (
        (ops.softmax, 1 / classes),
        (ops.log_softmax, -np.log(classes)),
        (layers.Softmax(dtype=dtype), 1 / classes),
        (ops.logsumexp, np.log(classes)),
    ):
        np.testing.assert_allclose(
            np.asarray(function(flat), "float64").ravel()[:3], wanted, rtol=5e-3
        )
    large = jnp.full((1, 4), 300.0, dtype)  # whose squares overflow
    for value in (
        ops.normalize(large),
        layers.UnitNormalization(dtype=dtype)(large),
        ops.normalize(large, order=3) ** 3 * 2,
    ):
        np.testing.assert_allclose(np.asarray(value, "float32"), 0.5, rtol=2e-2)
    many = 3 + jnp.asarray(normal(8192, 1), dtype)
    layer = layers.BatchNormalization(dtype=f"mixed_{dtype}", momentum=0.0)
    layer(many, training=True)
    exact = np.asarray(many, "float64")
    np.testing.assert_allclose(layer.moving_mean.value, exact.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.value, exact.var(0), rtol=1e-4)


@pytest.mark.promise("exponentials and their sum")
@pytest.mark.parametrize("dtype", HALF)
def test_attention_over_many_equal_keys(dtype):
    keys = 70_000
    query, key = jnp.zeros((1, 1, 1), dtype), jnp.zeros((1, keys, 1), dtype)
    for layer in (layers.Attention(dtype=dtype), layers.AdditiveAttention(dtype=dtype)):
        _, weights = layer([query, key], return_attention_scores=True)
        assert weights.dtype == dtype
        np.testing.assert_allclose(np.asarray(weights, "float32")[0, 0, :3], 1 / keys, rtol=2e-2)


@pytest.mark.promise("losses compute in float32 inside, whatever the policy")
@with_policy("mixed_float16", "mixed_bfloat16")
def test_losses_and_metrics_of_large_numbers(policy):
    """The squares, and the sum over 6000 rows, are beyond float16; a mean in bfloat16 would be off
    by a percent.
    """
    model = jkeras.Sequential([jkeras.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mse", "mae"])
    x = np.full((6000, 1), 256.0, "float32")
    found = model.evaluate(x, np.zeros_like(x), batch_size=6000, verbose=0, return_dict=True)
    assert found == {"loss": 65536.0, "mse": 65536.0, "mae": 256.0}
    logits = jkeras.Sequential([jkeras.Input((3,)), layers.Activation("linear")])
    logits.compile("sgd", jkeras.losses.CategoricalCrossentropy(from_logits=True))
    far = np.array([[1000.0, 0.0, -1000.0]], "float32")
    assert logits.evaluate(far, np.array([[0.0, 1.0, 0.0]], "float32"), verbose=0) == 1000.0


@with_policy("mixed_bfloat16")
def test_bfloat16_needs_no_scale(policy):
    mine, theirs = both(classifier)
    x, y = normal(32, 6), np.arange(32) % 3
    for model in (mine, theirs):
        model.compile("adam", "sparse_categorical_crossentropy")
    histories = [
        m.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        for m in (mine, theirs)
    ]
    assert type(mine.optimizer).__name__ == type(theirs.optimizer).__name__ == "Adam"
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-2)
    assert_same_weights(mine, theirs, rtol=1e-2, atol=2e-3)


@with_policy("float64")
def test_float64_from_end_to_end(policy):
    """With floatx at float64 too, losses and learning rates are float64: rounding is far below that
    of float32.

    There is no BatchNormalization in it, whose epsilon is a float32 in Keras; so are the results of
    Keras's metrics.
    """

    def build(k):
        k.config.set_floatx("float64")
        model = k.Sequential([k.Input((6,)), k.layers.Dense(8, "softmax"), k.layers.Dense(1)])
        model.compile(k.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
        return model

    try:
        with wide_types():
            mine, theirs = both(build)
            x, y = normal(24, 6).astype("float64"), normal(24, 1).astype("float64")
            histories = [
                m.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
                for m in (mine, theirs)
            ]
            assert {str(w.dtype) for m in (mine, theirs) for w in weights_of(m)} == {"float64"}
            assert_same_weights(mine, theirs, rtol=1e-11, atol=1e-13)
            p = mine.predict(x, verbose=0)
            assert p.dtype == "float64"
            results = mine.evaluate(x, y, batch_size=24, verbose=0)
            np.testing.assert_allclose(
                results, [np.mean((p - y) ** 2), np.mean(abs(p - y))], rtol=1e-14
            )
    finally:
        for library in (jkeras, keras):
            library.config.set_floatx("float32")
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-7)


# ---------------------------------------------------------------- the loss scale


def classifier(k):
    return k.Sequential(
        [
            k.Input((6,)),
            k.layers.Dense(8, activation="relu"),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def scaled(k, model, **arguments):
    """Compiles with a loss scale that grows after three good steps."""
    inner = k.optimizers.Adam(0.01, **arguments)
    model.compile(
        k.optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=3),
        k.losses.SparseCategoricalCrossentropy(),
    )
    return model


def scale_of(model):
    """(scale, good steps, updates)."""
    optimizer = model.optimizer
    by_name = {v.name: v for v in optimizer.variables}
    return tuple(
        float(np.asarray(v))
        for v in (by_name["dynamic_scale"], by_name["step_counter"], optimizer.iterations)
    )


def batches(infinite):
    """Batches of which those with these numbers make gradients that are not finite."""
    for number in range(10):
        x = normal(8, 6, seed=number)
        yield (
            (np.where(x > 1, 1e6, x).astype("float32") if number in infinite else x),
            np.arange(8) % 3,
        )


@pytest.mark.promise("A step whose gradient is")
@with_policy("mixed_float16")
@pytest.mark.parametrize(
    "arguments",
    some_slow(
        [
            {},
            dict(clipnorm=0.1),
            dict(use_ema=True, ema_momentum=0.5),
            dict(gradient_accumulation_steps=2),
        ],
        dict(gradient_accumulation_steps=2),
    ),
    ids=str,
)
def test_the_scale_as_in_keras_step_by_step(policy, arguments):
    mine, theirs = both(classifier)
    scaled(jkeras, mine, **arguments), scaled(keras, theirs, **arguments)
    scales = []
    for number, batch in enumerate(batches(infinite=(3, 4, 8))):
        before = weights_of(mine)
        for model in (mine, theirs):
            model.train_on_batch(*batch)
        assert scale_of(mine) == scale_of(theirs), number
        scales.append(scale_of(mine)[0])
        if number in (3, 4, 8):
            for a, b in zip(before, weights_of(mine)):
                np.testing.assert_array_equal(a, b)
        assert_same_weights(mine, theirs, rtol=1e-2, atol=1e-3)
    assert scales == [8, 8, 16, 8, 4, 4, 4, 8, 4, 4]


@with_policy("mixed_float16")
def test_the_scale_is_a_leaf_of_the_state(policy):
    model = classifier(jkeras)
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    state = init_train_state(model, jax.random.key(0))
    assert float(state.opt_state["scalars"]["dynamic_scale"]) == 2.0**15
    step, (first, second) = (
        jax.jit(make_train_step(model)),
        itertools.islice(batches(infinite=(1,)), 2),
    )
    state, _ = step(state, first)
    after, _ = step(state, second)
    assert float(after.opt_state["scalars"]["dynamic_scale"]) == 2.0**14
    jax.tree_util.tree_map(np.testing.assert_array_equal, after.params, state.params)


@pytest.mark.promise("`compile` wraps the optimizer")
@with_policy("mixed_float16")
@pytest.mark.parametrize("by_hand", ["none", "auto_scale_loss=False", "compiled twice"])
def test_when_compile_scales(policy, by_hand):
    names = []
    for k in (jkeras, keras):
        model, optimizer = classifier(k), k.optimizers.SGD(0.1)
        model.compile(optimizer, "mse", **(dict(auto_scale_loss=False) if "=" in by_hand else {}))
        if "twice" in by_hand:
            model.compile(model.optimizer, "mse")
        names.append((type(model.optimizer).__name__, model.optimizer.name))
    assert names[0] == names[1]


@pytest.mark.promise("The number is part of the")
@with_policy("mixed_float16")
def test_the_scale_goes_through_a_checkpoint(policy, tmp_path):
    parts = list(batches(infinite=(1, 6)))
    x, y = (np.concatenate(part) for part in zip(*parts))

    class Stop(jkeras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("stopped")

    def run(epochs=4, **arguments):
        jkeras.utils.set_random_seed(3)
        model = scaled(jkeras, classifier(jkeras))
        model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, **arguments)
        return model

    whole = run()
    with pytest.raises(RuntimeError, match="stopped"):
        run(checkpoint=tmp_path, callbacks=[Stop()])
    resumed = run(checkpoint=tmp_path)
    assert scale_of(resumed) == scale_of(whole) != (8.0, 0.0, 40.0)
    for a, b in zip(weights_of(resumed), weights_of(whole)):
        np.testing.assert_array_equal(a, b)


@with_policy("mixed_float16")
def test_what_is_written_over_by_its_gradient_is_not_unscaled(policy):
    """The "gradients" of a float8 layer's scales are their new values."""

    def build(k):
        model = k.Sequential([k.Input((16,)), k.layers.Dense(16)])
        model.layers[-1].quantize("float8")
        model.compile(
            k.optimizers.LossScaleOptimizer(k.optimizers.SGD(0.1), initial_scale=8.0), "mse"
        )
        return model

    mine, theirs = both(build)
    for seed in range(2):
        for model in (mine, theirs):
            model.train_on_batch(normal(16, 16, seed=seed), normal(16, 16, seed=9))
    assert_same_weights(mine, theirs, rtol=2e-2, atol=2e-3)


@pytest.mark.promise("the optimizer's moments have the dtype of the weights, as in Keras")
@with_policy("bfloat16", "float16", "mixed_bfloat16")
def test_the_dtypes_of_moments_are_keras_s(policy):
    """Under "bfloat16" they have few bits, and so have the steps: the same losses."""
    results = []
    for k in (jkeras, keras):
        model = k.Sequential([k.Input((4,)), k.layers.Dense(3)])
        model.set_weights([np.linspace(-1, 1, 12).reshape(4, 3), np.zeros(3)])
        model.compile("adam", "mse")
        data = normal(32, 4), np.zeros((32, 3))
        losses = model.fit(*data, epochs=3, verbose=0, shuffle=False).history["loss"]
        results.append((losses, [str(v.dtype) for v in model.optimizer.variables]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-3)
    assert results[0][1] == results[1][1]
    assert ("bfloat16" in results[0][1]) == (policy == "bfloat16")


def test_a_file_says_the_optimizer_that_was_given_as_keras_s(tmp_path):
    """The scale is put around it again when the file is read, whatever the policy is then."""
    configs = []
    for library in (jkeras, keras):
        library.mixed_precision.set_dtype_policy("mixed_float16")
        try:
            model = library.Sequential([library.Input((2,)), library.layers.Dense(1)])
            model.compile("adam", "mse")
            model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        finally:
            library.mixed_precision.set_dtype_policy("float32")
        configs.append(model.get_compile_config())
        if library is jkeras:
            path = tmp_path / "model.keras"
            model.save(path)
            again = jkeras.models.load_model(path)
            assert type(again.optimizer).__name__ == "LossScaleOptimizer"
            for one, other in zip(again.optimizer.variables, model.optimizer.variables):
                np.testing.assert_array_equal(one.value, other.value)
    mine, theirs = (json.loads(json.dumps(config, default=str)) for config in configs)
    assert mine == theirs
    assert "LossScale" not in json.dumps(mine)


@pytest.mark.promise("one by one they stop at 2\\*\\*24 = 16,777,216")
def test_counts_of_metrics_stop_where_those_of_keras_do():
    for k in (jkeras, keras):
        metric = k.metrics.Mean()
        metric.update_state([0.0])
        metric.count.assign(2.0**24 - 1)
        for _ in range(3):
            metric.update_state([0.0])
        assert float(metric.count) == 2**24 and str(metric.count.dtype) == "float32"
        metric.update_state(np.zeros(1000))  # a batch of many
        assert float(metric.count) == 2**24 + 1000


def test_the_scale_can_be_read_as_in_keras():
    found = []
    for library in (jkeras, keras):
        inner = library.optimizers.SGD(0.01)
        optimizer = library.optimizers.LossScaleOptimizer(
            inner, initial_scale=8, dynamic_growth_steps=2
        )
        for name in ("dynamic_scale", "step_counter"):
            with pytest.raises(AttributeError):
                getattr(optimizer, name)
        model = library.Sequential([library.Input((2,)), library.layers.Dense(1)])
        model.compile(optimizer, "mse")
        model.fit(np.ones((10, 2)), np.ones((10, 1)), batch_size=2, verbose=0)
        variables = optimizer.dynamic_scale, optimizer.step_counter
        found.append([(v.path, float(np.asarray(v))) for v in variables])
    assert found[0] == found[1]
    assert found[0][0][1] == 32.0
