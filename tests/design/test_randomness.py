"""Random layers: every draw has a key of its own, which follows from `rng`, the path and the number
of the call.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers
from jkeras.core.errors import RandomKeyError
from jkeras.kernel.keys import key_of_path
from jkeras.training import init_train_state, make_train_step
from tests.design.tools import real_keras

ONES = np.ones((4, 1000), "float32")


class Twice(layers.Layer):
    """One dropout layer called twice."""

    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.drop = layers.Dropout(rate)

    def call(self, x, training=None):
        return jnp.stack([self.drop(x, training=training), self.drop(x, training=training)])


def kept(y):
    return np.asarray(y) != 0


def check_two_independent(y, rate=0.5):
    a, b = kept(y[0]), kept(y[1])
    assert abs(a.mean() - (1 - rate)) < 0.04 and abs(b.mean() - (1 - rate)) < 0.04
    # independent, so neither equal nor opposite
    assert abs((a & b).mean() - (1 - rate) ** 2) < 0.04
    np.testing.assert_allclose(np.asarray(y)[kept(y)], 1 / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_a_layer_called_twice_gets_two_keys_and_one_rng_gives_one_output(jit):
    layer = Twice()
    params, state = layer.init(jax.random.key(0), ONES)
    run = lambda key: layer.apply(params, state, ONES, training=True, rng=key)[0]  # noqa: E731
    run = jax.jit(run) if jit else run
    y = run(jax.random.key(1))
    check_two_independent(y)
    np.testing.assert_array_equal(y, run(jax.random.key(1)))
    assert (kept(y) != kept(run(jax.random.key(2)))).mean() > 0.4


def test_two_calls_in_a_graph_get_two_keys():
    inputs, drop = Input((1000,)), layers.Dropout(0.5)
    model = Model(inputs, [drop(inputs), drop(inputs)])
    y, _ = model.apply({}, {}, ONES, training=True, rng=jax.random.key(1))
    check_two_independent(y)
    check_two_independent(model(ONES, training=True))


def test_eager_calls_differ_and_follow_the_seed():
    drop, again = layers.Dropout(0.5, seed=3), layers.Dropout(0.5, seed=3)
    a, b = drop(ONES, training=True), drop(ONES, training=True)
    check_two_independent(jnp.stack([a, b]))
    np.testing.assert_array_equal(a, again(ONES, training=True))
    np.testing.assert_array_equal(drop(ONES), ONES)


@pytest.mark.promise("in `fit` as where a model is called by hand")
@pytest.mark.promise("And a program with a seed has Keras's history")
def test_keras_draws_the_same_numbers_from_a_seed():
    keras = real_keras()
    x = ONES[:, :50]
    for make in (
        lambda k: k.layers.Dropout(0.4, seed=7),
        lambda k: k.layers.GaussianNoise(0.5, seed=7),
    ):
        mine, theirs = make(jkeras), make(keras)
        for _ in range(2):
            np.testing.assert_allclose(mine(x, training=True), theirs(x, training=True), rtol=1e-6)


@pytest.mark.promise("Each layer derives a key of its own from it and")
@pytest.mark.promise("Each layer derives a key of its own from it, by")
def test_layers_at_different_places_get_different_keys():
    model = Sequential(
        [Input((1000,)), layers.Dropout(0.5, name="a"), layers.Dropout(0.5, name="b")]
    )
    y, _ = model.apply({}, {}, ONES, training=True, rng=jax.random.key(0))
    assert abs(kept(y).mean() - 0.25) < 0.04


def test_paths_are_separated():
    key = jax.random.key(0)
    numbers = {
        tuple(np.asarray(jax.random.key_data(key_of_path(key, path, index))))
        for path, index in (
            ("ab/c", 0),
            ("a/bc", 0),
            ("abc", 0),
            ("a/b/c", 0),
            ("ab/c", 1),
            ("ab/c1", 0),
            ("ab/c#1", 0),
            ("", 0),
        )
    }
    assert len(numbers) == 8

    def parts(outer, inner):
        class Inner(layers.Layer):
            def __init__(self):
                super().__init__()
                setattr(self, inner, layers.Dropout(0.5))

            def call(self, x, training=None):
                return getattr(self, inner)(x, training=training)

        class Outer(layers.Layer):
            def __init__(self):
                super().__init__()
                setattr(self, outer, Inner())

            def call(self, x, training=None):
                return getattr(self, outer)(x, training=training)

        return Outer().apply({}, {}, ONES, training=True, rng=key)[0]

    assert (kept(parts("a", "bc")) != kept(parts("ab", "c"))).mean() > 0.4
    np.testing.assert_array_equal(parts("a", "bc"), parts("a", "bc"))


@pytest.mark.promise("Keras's names are counted")
@pytest.mark.promise("the same code gives the same keys, whatever was made before it")
@pytest.mark.parametrize("kind", ["subclass", "sequential", "functional"])
def test_keys_do_not_depend_on_how_many_layers_there_were_before(kind):
    """Made twice in one process, a model draws the same numbers and has the same parameters from
    the same key.
    """

    def output():
        if kind == "subclass":
            model = Twice()
        elif kind == "sequential":
            model = Sequential([Input((1000,)), layers.Dense(2), layers.Dropout(0.5)])
        else:
            inputs = Input((1000,))
            model = Model(inputs, layers.Dropout(0.5)(layers.Dense(2)(inputs)))
        params, state = model.init(jax.random.key(0), ONES)
        return params, model.apply(params, state, ONES, training=True, rng=jax.random.key(4))[0]

    (first, a), (second, b) = output(), output()
    assert jax.tree_util.tree_structure(first) == jax.tree_util.tree_structure(second)
    np.testing.assert_array_equal(a, b)


def drawn_by_the_last(*parts):
    """What the last layer draws in training, and what it begins with."""
    model = Sequential([Input((64,)), *parts, layers.Dense(3), layers.Dropout(0.5)])
    params, state = model.init(jax.random.key(0), ONES[:, :64])
    y, _ = model.apply(params, state, 1 + ONES[:, :64], training=True, rng=jax.random.key(1))
    return kept(y), list(params.values())[-1]["kernel"]


@pytest.mark.promise("Names of layers that you")
@pytest.mark.promise("The path consists of names")
@pytest.mark.promise("changes nothing of what the others draw")
@pytest.mark.promise("One of the same class **in front** does")
@pytest.mark.promise("The same holds for what `init` gives to each layer")
def test_layers_in_front_and_what_is_drawn():
    """Keys follow paths, that is names: a layer of another class changes nothing, one of the same
    class in front does, unless the name is given.
    """
    mask, kernel = drawn_by_the_last()
    other_mask, other_kernel = drawn_by_the_last(layers.Flatten(), layers.ReLU())
    assert (mask == other_mask).all() and (kernel == other_kernel).all()
    other_mask, _ = drawn_by_the_last(layers.Dropout(1e-9))
    assert (mask != other_mask).any()
    _, other_kernel = drawn_by_the_last(layers.Dense(64))
    assert (kernel != other_kernel).any()
    first = kept(masks_of_a_name())
    np.testing.assert_array_equal(first, kept(masks_of_a_name(layers.Dropout(1e-9))))


def masks_of_a_name(*parts):
    model = Sequential([Input((1000,)), *parts, layers.Dropout(0.5, name="drop")])
    return model.apply({}, {}, ONES, training=True, rng=jax.random.key(1))[0]


@pytest.mark.promise("The two functions look")
@pytest.mark.promise("`training=True` needs `rng`")
def test_training_without_a_key_is_explained():
    model = Sequential([Input((1000,)), layers.Dropout(0.5, name="drop")])
    with pytest.raises(RandomKeyError, match="drop.*rng=jax.random.key"):
        model.apply({}, {}, ONES, training=True)
    np.testing.assert_array_equal(model.apply({}, {}, ONES, training=False)[0], ONES)
    np.testing.assert_array_equal(model.apply({}, {}, ONES)[0], ONES)


def test_random_numbers_without_a_seed_under_jit_are_explained():
    """A ValueError, as in Keras."""
    with pytest.raises(RandomKeyError, match="seed.*jax.jit"):
        jax.jit(lambda: jkeras.random.normal((2,)))()
    seeded = jax.jit(lambda key: jkeras.random.normal((2,), seed=key))
    key = jax.random.key(1)
    np.testing.assert_array_equal(seeded(key), jkeras.random.normal((2,), seed=key))


def test_vmap_over_keys():
    drop = layers.Dropout(0.5)
    keys = jax.random.split(jax.random.key(0), 3)
    run = lambda key: drop.apply({}, {}, ONES, training=True, rng=key)[0]  # noqa: E731
    together = jax.vmap(run)(keys)
    for i in range(3):
        np.testing.assert_array_equal(together[i], run(keys[i]))


@pytest.mark.promise("`rng` | the key from which")
def test_every_training_step_draws_anew():
    model = Sequential(
        [Input((1000,)), layers.Dropout(0.5), layers.Dense(1, kernel_initializer="ones")]
    )
    model.compile(jkeras.optimizers.SGD(0.0), lambda y, p: jnp.mean(p, -1))
    state = init_train_state(model, jax.random.key(0))
    step = jax.jit(make_train_step(model))
    losses = []
    for _ in range(4):
        state = state._replace(metrics=jax.tree_util.tree_map(jnp.zeros_like, state.metrics))
        state, logs = step(state, (ONES, ONES[:, :1]))
        losses.append(float(logs["loss"]))
    assert len(set(losses)) == 4 and all(abs(v - 1000) < 100 for v in losses)


@pytest.mark.promise("layers in training, and those that draw always")
def test_fit_draws_anew_at_each_step_and_repeats_from_a_seed():
    def losses():
        jkeras.utils.set_random_seed(11)
        model = Sequential([Input((50,)), layers.Dropout(0.5), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model.fit(ONES[:, :50], ONES[:, :1], epochs=4, batch_size=2, verbose=0).history[
            "loss"
        ]

    first = losses()
    assert len(set(first)) == 4
    np.testing.assert_array_equal(first, losses())


def test_seed_generator_state_in_stateless_call_as_in_keras():
    keras = real_keras()
    x = ONES[:, :20]
    found = []
    for k in (jkeras, keras):
        model = k.Sequential([k.Input((20,)), k.layers.Dropout(0.5, seed=5)])
        values = [np.asarray(v.value) for v in model.non_trainable_variables]
        assert [tuple(v) for v in values] == [(5, 0)]
        first, after = model.stateless_call([], values, x, training=True)
        second, last = model.stateless_call([], after, x, training=True)
        again, _ = model.stateless_call([], values, x, training=True)
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, second)
        idle, same = model.stateless_call([], values, x, training=False)
        np.testing.assert_array_equal(idle, x)
        found.append(
            [
                np.asarray(v)
                for v in (first, after[0], second, last[0], same[0], model.variables[0].value)
            ]
        )
    for mine, theirs in zip(*found):
        np.testing.assert_array_equal(mine, theirs)


def test_stateless_call_under_jit_and_scan_carries_the_seed():
    model = Sequential([Input((1000,)), layers.Dropout(0.5, seed=5)])
    values = [v.value for v in model.non_trainable_variables]

    def body(values, _):
        y, values = model.stateless_call([], values, ONES, training=True)
        return values, y

    values, ys = jax.lax.scan(body, values, None, length=2)
    check_two_independent(ys)
    assert int(values[0][1]) == 2


def test_random_layers_of_a_users_own():
    class Noise(layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = jkeras.random.SeedGenerator(3)

        def call(self, x, training=None):
            return x + jkeras.random.normal(x.shape, seed=self.generator) if training else x

    layer = Noise()
    a, _ = layer.apply({}, {}, ONES, training=True, rng=jax.random.key(0))
    b, _ = jax.jit(lambda k: layer.apply({}, {}, ONES, training=True, rng=k))(jax.random.key(0))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    noise = np.asarray(a) - 1
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    assert not np.array_equal(layer(ONES, training=True), layer(ONES, training=True))


def drawn(shape, dtype=None):
    """An initializer that is a function, and draws without a seed."""
    return jkeras.random.normal(shape, dtype=dtype) + jkeras.random.uniform(shape, dtype=dtype)


class Drawn(jkeras.initializers.Initializer):
    """The same as a class without `sample`."""

    def __call__(self, shape, dtype=None):
        return drawn(shape, dtype)


@pytest.mark.promise("An initializer that is")
@pytest.mark.parametrize("initializer", [drawn, Drawn()])
def test_first_values_drawn_without_a_seed_follow_from_the_key(initializer):
    def kernel(key, layer=None):
        layer = layer or jkeras.layers.Dense(3, kernel_initializer=initializer)
        return layer.init(key, jnp.ones((2, 4)))[0]["kernel"]

    first = kernel(jax.random.key(0))
    np.testing.assert_array_equal(first, kernel(jax.random.key(0)))
    np.testing.assert_allclose(first, jax.jit(kernel)(jax.random.key(0)), rtol=1e-6)
    several = jax.vmap(kernel)(jax.random.split(jax.random.key(1), 3))
    assert len(np.unique(np.append(several, first))) == 4 * first.size
    model = jkeras.Sequential(
        [jkeras.layers.Dense(4, kernel_initializer=initializer, name=name) for name in "ab"]
    )
    params, _ = model.init(jax.random.key(0), jnp.ones((2, 4)))
    assert not np.array_equal(params["a"]["kernel"], params["b"]["kernel"])


@pytest.mark.promise("The two functions look")
def test_init_does_not_move_the_global_generator():
    values = []
    for draws in (False, True):
        jkeras.utils.set_random_seed(1)
        if draws:
            jkeras.layers.Dense(3, kernel_initializer=drawn).init(0, jnp.ones((2, 4)))
        values.append(jkeras.layers.Dense(3, kernel_initializer=drawn)(jnp.ones((2, 4))))
    np.testing.assert_array_equal(*values)
