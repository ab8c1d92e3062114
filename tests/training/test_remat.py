"""Rematerialization: the same numbers, and what is kept between the forward and the backward pass
is really less.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.design.tools import assert_trees_close, normal
from tests.thinning import some_slow

DEPTH, WIDTH, ROWS = 3, 16, 64


def network(k, scope):
    """Dense layers, each of which keeps its input and what its activation needs."""
    with scope:
        hidden = [k.layers.Dense(WIDTH, activation="silu", name=f"d{i}") for i in range(DEPTH)]
        return k.Sequential([k.Input((WIDTH,)), *hidden, k.layers.Dense(1, name="head")])


def forward(model):
    """The loss as a function of the parameters."""
    x, y = normal(ROWS, WIDTH), normal(ROWS, 1, seed=1)

    def loss(params):
        return jnp.mean(
            (model.apply(params, model.state, x, training=True, rng=jax.random.key(0))[0] - y) ** 2
        )

    return loss


def kept(function, *arguments):
    """How many numbers the forward pass leaves for the gradient, arguments apart."""
    _, pull = jax.vjp(function, *arguments)
    given = {id(leaf) for leaf in jax.tree_util.tree_leaves(arguments)}
    return sum(leaf.size for leaf in jax.tree_util.tree_leaves(pull) if id(leaf) not in given)


def checkpoints(function, *arguments):
    """How many parts of the gradient are computed again."""
    # "remat", or "RematTraced" as it is to be written
    return str(jax.make_jaxpr(jax.grad(function))(*arguments)).lower().count("remat")


PLAIN = jkeras.RematScope(mode=None)
SCOPES = {  # name: (arguments, is a layer like `i` computed again?)
    "full": (dict(mode="full"), DEPTH + 1),
    "activations": (dict(mode="activations"), DEPTH + 1),
    "larger": (dict(mode="larger_than", output_size_threshold=ROWS), DEPTH),
    "none is larger": (dict(mode="larger_than", output_size_threshold=ROWS * WIDTH), 0),
    "by name": (dict(mode="list_of_layers", layer_names=["d0", "d2"]), 2),
    "dots": (dict(mode="full", policy="dots_saveable"), DEPTH + 1),
    "policy": (
        dict(mode="full", policy=jax.checkpoint_policies.dots_with_no_batch_dims_saveable),
        DEPTH + 1,
    ),
}


@pytest.mark.parametrize(
    "name", some_slow(SCOPES, "full", "activations", "none is larger", "by name")
)
def test_the_same_numbers_from_less(name):
    arguments, count = SCOPES[name]
    plain, model = network(jkeras, PLAIN), network(jkeras, jkeras.RematScope(**arguments))
    loss, params = forward(plain), plain.params
    again = forward(model)
    assert_trees_close(
        jax.jit(jax.value_and_grad(loss))(params),
        jax.jit(jax.value_and_grad(again))(params),
        rtol=1e-5,
    )
    assert checkpoints(loss, params) == 0
    assert (checkpoints(again, params) > 0) == (count > 0)
    if count:
        assert kept(again, params) < kept(loss, params)
    else:
        assert kept(again, params) == kept(loss, params)


def test_how_much_each_way_keeps():
    """A dense layer with a silu keeps its input, and of the silu several arrays."""

    def of(**arguments):
        model = network(jkeras, jkeras.RematScope(**arguments))
        return kept(forward(model), model.params)

    nothing, full, dots = of(mode=None), of(mode="full"), of(mode="full", policy="dots_saveable")
    activations, some = of(mode="activations"), of(mode="list_of_layers", layer_names=["d1"])
    layer = ROWS * WIDTH
    assert full < dots < nothing and full < activations < nothing and full < some < nothing
    assert dots - full >= DEPTH * layer  # what comes out of the products


@pytest.mark.parametrize("name", some_slow(SCOPES, "dots"))
def test_through_fit_as_without(name):
    x, y = normal(40, WIDTH), normal(40, 1, seed=1)
    histories = []
    for scope in (PLAIN, jkeras.RematScope(**SCOPES[name][0])):
        jkeras.utils.set_random_seed(1)
        model = network(jkeras, scope)
        model.compile("adam", "mse")
        histories.append(model.fit(x, y, batch_size=16, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)


@pytest.mark.promise("activations of a deep model")
def test_the_compiled_step_needs_less_memory():
    def needed(scope):
        with scope:
            parts = [layers.Dense(64, activation="silu") for _ in range(12)]
        model = jkeras.Sequential([jkeras.Input((64,)), *parts])
        x = jnp.ones((2048, 64))

        def loss(params):
            return jnp.sum(model.apply(params, model.state, x, training=True)[0])

        compiled = jax.jit(jax.grad(loss)).lower(model.params).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert needed(jkeras.RematScope()) < 0.7 * needed(PLAIN)


@pytest.mark.parametrize(
    "policy", [None, "dots_saveable", jax.checkpoint_policies.nothing_saveable]
)
def test_remat_of_a_function(policy):
    def f(w, x):
        return jnp.sum(jax.nn.gelu(jax.nn.gelu(x @ w) @ w))

    w, x = jnp.asarray(normal(WIDTH, WIDTH)), jnp.asarray(normal(ROWS, WIDTH))
    again = jkeras.remat(f, policy=policy)
    np.testing.assert_allclose(jax.grad(again)(w, x), jax.grad(f)(w, x), rtol=1e-5)
    np.testing.assert_allclose(jax.grad(again)(w, x), jax.grad(keras.remat(f))(w, x), rtol=1e-5)
    assert (kept(again, w, x) == 0) == (policy != "dots_saveable")
    assert kept(again, w, x) < kept(f, w, x)


def test_a_policy_that_is_none():
    for make in (
        lambda: jkeras.RematScope(policy="dots"),
        lambda: jkeras.remat(lambda x: x, policy="dots"),
        lambda: layers.Stack(layers.Dense(4), 2, remat="dots"),
        lambda: jkeras.RematScope(policy="save_only_these_names"),
    ):
        with pytest.raises(
            ValueError, match="`policy` must be .*dots_saveable.*Received: policy='"
        ):
            make()


@pytest.mark.promise("`Stack(remat=True)` keeps one of each block")
@pytest.mark.parametrize("remat", some_slow([True, "dots_saveable"], True))
def test_stack(remat):
    def build(remat):
        block = jkeras.Sequential(
            [jkeras.Input((WIDTH,)), layers.Dense(32, activation="silu"), layers.Dense(WIDTH)]
        )
        stack = layers.Stack(block, 4, remat=remat)
        return jkeras.Sequential([jkeras.Input((WIDTH,)), stack, layers.Dense(1)])

    plain, model = build(False), build(remat)
    loss, again, params = forward(plain), forward(model), plain.params
    assert_trees_close(
        jax.jit(jax.value_and_grad(loss))(params),
        jax.jit(jax.value_and_grad(again))(params),
        rtol=1e-5,
    )
    assert kept(again, params) < kept(loss, params)
    if remat is True:
        assert kept(again, params) < kept(forward(build("dots_saveable")), params)
    clone = layers.Stack.from_config(model.layers[0].get_config())
    assert clone.remat == remat


def test_dropout_draws_the_same_again():
    """The second computation must drop what the first did: else the gradient is that of another
    function.
    """

    def build(scope):
        with scope:
            return jkeras.Sequential(
                [
                    jkeras.Input((WIDTH,)),
                    layers.Dense(WIDTH, activation="silu", name="a"),
                    layers.Dropout(0.5, name="drop"),
                    layers.Dense(1, name="b"),
                ]
            )

    found = []
    for scope in (PLAIN, jkeras.RematScope()):
        model = build(scope)
        params = found[0][0] if found else model.params

        def loss(params, model=model):
            return jnp.sum(
                model.apply(
                    params, model.state, normal(8, WIDTH), training=True, rng=jax.random.key(3)
                )[0]
            )

        found.append((params, jax.jit(jax.value_and_grad(loss))(params)))
    assert_trees_close(found[0][1], found[1][1], rtol=1e-5)


# ---------------------------------------------------------------- compile(remat=...)


def blocks(name):
    """Models of several kinds, and how many parts of each are computed again."""
    block = lambda: jkeras.Sequential([layers.Dense(WIDTH, "silu"), layers.Dense(WIDTH)])  # noqa: E731
    kinds = {
        "plain layers": lambda: [layers.Dense(WIDTH, "silu"), layers.Dense(WIDTH)],
        "models in it": lambda: [block(), layers.Dense(WIDTH), block()],
        "models in models": lambda: [jkeras.Sequential([block(), block()]), block()],
        "layers of layers": lambda: [layers.Bidirectional(layers.LSTM(WIDTH // 2))],
        "stack": lambda: [layers.Stack(block(), 3)],
    }
    shape = (4, WIDTH) if name == "layers of layers" else (WIDTH,)
    return jkeras.Sequential([jkeras.Input(shape), *kinds[name]()])


def trained(name, **options):
    jkeras.utils.set_random_seed(0)
    model = blocks(name)
    model.compile("sgd", "mse", **options)
    x = normal(8, *model.input_shape[1:])
    return model, model.fit(x, normal(8, WIDTH, seed=1), epochs=2, verbose=0).history["loss"]


def step_of(model):
    state = jkeras.training.init_train_state(model, 0)
    x, y = normal(8, *model.input_shape[1:]), normal(8, WIDTH)
    return str(jax.make_jaxpr(jkeras.training.make_train_step(model))(state, (x, y)))


@pytest.mark.parametrize("remat", [True, "dots_saveable"])
@pytest.mark.parametrize(
    "name, parts",
    [
        ("plain layers", 2),
        ("models in it", 2),
        ("models in models", 3),
        ("layers of layers", 1),
        ("stack", 1),
    ],
)
def test_compile_computes_blocks_again(name, parts, remat):
    plain, losses = trained(name)
    model, again = trained(name, remat=remat)
    np.testing.assert_allclose(again, losses, rtol=1e-5)
    for one, other in zip(model.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    own = step_of(plain).lower().count("remat")  # what layers do by themselves
    assert step_of(model).lower().count("remat") >= own + parts


def test_compile_without_a_word_leaves_layers_as_they_were_made():
    with jkeras.RematScope("full"):
        model = blocks("plain layers")
    model.compile("sgd", "mse")
    assert all(layer.remat_scope for layer in model.layers)
    model.compile("sgd", "mse", remat=False)
    assert not any(layer.remat_scope for layer in model.layers)
    own = step_of(trained("plain layers")[0]).lower().count("remat")
    assert step_of(model).lower().count("remat") == own


def test_compile_again_takes_effect_after_a_training():
    model, _ = trained("stack")
    assert model.layers[0].remat is False
    x, y = normal(8, WIDTH), normal(8, WIDTH, seed=1)
    model.compile("sgd", "mse", remat="dots_saveable")
    model.fit(x, y, verbose=0)
    assert model.layers[0].remat == "dots_saveable"
    assert step_of(model).lower().count("remat") > step_of(trained("stack")[0]).lower().count(
        "remat"
    )


@pytest.mark.parametrize("remat", ["never_seen", 3, "save_only_these_names"])
def test_compile_refuses_what_is_no_policy(remat):
    with pytest.raises(ValueError, match="policy"):
        blocks("plain layers").compile("sgd", "mse", remat=remat)


def test_compile_refuses_a_model_without_layers():
    class Late(jkeras.Model):
        def build(self, shape):
            self.dense = layers.Dense(2)
            self.dense.build(shape)

        def call(self, x):
            return self.dense(x)

    model = Late()
    with pytest.raises(ValueError, match="received none. To fix it: build it"):
        model.compile("sgd", "mse", remat=True)
    model.compile("sgd", "mse", remat=False)
    model(np.ones((2, 3)))
    model.compile("sgd", "mse", remat=True)
    assert model.dense.remat_scope is not None
