"""`optimizer.transform` in optax, optax in a chain of ours, and classes written as in Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from jax.experimental.sparse import BCOO

import jkeras
from jkeras.optimizers import SGD, Adafactor, Adam, AdamW
from jkeras.optimizers import LossScaleOptimizer, MultiOptimizer, OptimizerMap
from jkeras.optimizers import transform as links

PARAMS = {"bias": jnp.array([1.0, -2.0]), "kernel": jnp.array([[0.5, 3.0], [1.0, 2.0]])}
GRADS = {"bias": jnp.array([3.0, 4.0]), "kernel": jnp.array([[0.1, -0.2], [2.0, -1.0]])}


def close(mine, theirs, rtol=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), mine, theirs)


def run(transformation, steps=4, params=PARAMS):
    """The parameters after some steps of an optax loop, compiled."""

    @jax.jit
    def step(params, state, scale):
        grads = jax.tree.map(lambda g: g * scale, GRADS)
        updates, state = transformation.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    state = transformation.init(params)
    for i in range(steps):
        params, state = step(params, state, 1.0 + i)
    return params


def test_a_transform_in_a_chain_of_optax():
    mine = optax.chain(optax.clip(1.0), Adam(0.1, epsilon=1e-8).transform)
    assert isinstance(mine, optax.GradientTransformation)
    close(run(mine), run(optax.chain(optax.clip(1.0), optax.adam(0.1))))


def test_a_transform_for_some_parameters_in_optax():
    labels = {"bias": "slow", "kernel": "fast"}

    def both(slow, fast):
        return optax.multi_transform({"slow": slow, "fast": fast}, labels)

    mine = both(SGD(0.01).transform, Adam(0.1, epsilon=1e-8).transform)
    close(run(mine), run(both(optax.sgd(0.01), optax.adam(0.1))))


def test_a_transform_in_multisteps_of_optax():
    mine = optax.MultiSteps(SGD(0.1, momentum=0.9).transform, 2)
    close(run(mine), run(optax.MultiSteps(optax.sgd(0.1, momentum=0.9), 2)))


def test_a_transform_takes_what_optax_passes_on():
    mine = optax.with_extra_args_support(SGD(0.1).transform)
    updates, _ = mine.update(GRADS, mine.init(PARAMS), PARAMS, value=jnp.array(1.0))
    close(updates, jax.tree.map(lambda g: -0.1 * g, GRADS))


def test_a_transform_skips_as_optax_wants():
    mine = optax.apply_if_finite(SGD(0.1).transform, 3)
    broken = jax.tree.map(lambda g: g * jnp.nan, GRADS)
    updates, _ = mine.update(broken, mine.init(PARAMS), PARAMS)
    close(updates, jax.tree.map(jnp.zeros_like, GRADS))


@pytest.mark.promise("It is a chain of links")
def test_the_transform_is_made_of_the_hyper_parameters_as_they_are_now():
    adam = Adam(0.1)
    assert "ema" not in adam.transform.init(PARAMS)
    adam.use_ema = True
    assert "ema" in adam.transform.init(PARAMS)


@pytest.mark.promise("They are pure, too:")
@pytest.mark.promise("And each has a `transform`")
@pytest.mark.parametrize(
    "make",
    [
        lambda: Adam(0.1, clipnorm=0.5, use_ema=True),
        lambda: SGD(0.1, momentum=0.9, gradient_accumulation_steps=2, weight_decay=0.1),
        lambda: LossScaleOptimizer(Adam(0.1), initial_scale=2.0),
        lambda: MultiOptimizer(OptimizerMap(Adam(0.1), {"bias": SGD(0.1)})),
        lambda: jkeras.optimizers.get(optax.adamw(0.1)),
        lambda: Halved(0.1),
    ],
)
def test_every_optimizer_has_one(make):
    """The pair is the pure interface: same state, and updates that are its steps."""
    optimizer = make()
    pair = optimizer.transform
    state = pair.init(PARAMS)
    assert jax.tree.structure(state) == jax.tree.structure(optimizer.init(PARAMS))
    new, after = optimizer.step(GRADS, state, PARAMS)
    updates, same = pair.update(GRADS, state, PARAMS)
    close(optax.apply_updates(PARAMS, updates), new)
    close(same, after)


def test_the_chain_by_hand_is_that_of_the_hyper_parameters():
    """Clipping, decay, accumulation and averages as links around Adam's rule."""
    adam = AdamW(0.1, 0.01, clipnorm=1.0, gradient_accumulation_steps=2, use_ema=True)
    rule = links.decay_weights(links.follow(Adam(0.1)), 0.01)
    inner = links.accumulate(links.chain(links.clip_by_norm(1.0), rule), 2)
    hand = links.scheduled(links.average(inner, 0.99, calls=2), 0.1)
    params, state, other = PARAMS, adam.init(PARAMS), hand.init(PARAMS)
    assert jax.tree.structure(state) == jax.tree.structure(other)
    same = PARAMS
    for _ in range(5):
        params, state = adam.step(GRADS, state, params)
        same, other = hand.step(GRADS, other, same)
    jax.tree.map(np.testing.assert_array_equal, (params, state), (same, other))


def test_optax_inside_a_chain_of_ours_trains_a_model():
    chain = links.chain(links.clip_by_global_norm(1.0), links.from_optax(optax.sgd(0.1)))
    model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    model.compile(chain, "mse")
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    before = model.evaluate(x, x[:, :1], verbose=0)
    model.fit(x, x[:, :1], epochs=3, verbose=0)
    assert model.evaluate(x, x[:, :1], verbose=0) < before


# ---------------------------------------------------------------- classes written as in Keras


class Halved(Adam):
    """A step along half the gradient."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * 0.5, variable, learning_rate)


class Doubled(SGD):
    """All gradients doubled, by `apply`."""

    def apply(self, grads, trainable_variables=None):
        super().apply([2 * g for g in grads], trainable_variables)


@pytest.mark.parametrize("common", [{}, {"clipvalue": 0.5}, {"gradient_accumulation_steps": 2}])
def test_an_update_step_of_a_subclass_is_a_link(common):
    close(run(Halved(0.1, **common).transform), run(scaled_adam(0.5, **common)))


def scaled_adam(factor, clipvalue=None, gradient_accumulation_steps=None):
    """The same as a chain by hand: the link inside clipping and accumulation."""
    half = links.stateless(lambda grads: jax.tree.map(lambda g: factor * g, grads))
    link = links.chain(half, links.follow(Adam(0.1)))
    if clipvalue:
        link = links.chain(links.clip_by_value(clipvalue), link)
    if gradient_accumulation_steps:
        link = links.accumulate(link, gradient_accumulation_steps)
    return links.scheduled(link, 0.1)


def test_an_apply_of_a_subclass_is_around_the_chain():
    close(
        run(Doubled(0.1, clipvalue=1.0).transform),
        run(optax.chain(optax.scale(2.0), optax.clip(1.0), optax.sgd(0.1))),
    )


class Surrounded(Adam):
    """Variables of its own before and after those of Adam."""

    def build(self, variables):
        if not self.built:
            self.early = self.add_variable((2,), name="early")
            super().build(variables)
            self.late = self.add_variable((), name="late")

    def update_step(self, gradient, variable, learning_rate):
        self.early.assign_add(jnp.ones(2))
        self.late.assign_add(1.0)
        super().update_step(gradient, variable, learning_rate)


def test_variables_of_a_subclass_may_stand_before_the_slots():
    optimizer = Surrounded(0.1)
    kernel, bias = jkeras.Variable(PARAMS["kernel"]), jkeras.Variable(PARAMS["bias"])
    plain = Adam(0.1)
    others = [jkeras.Variable(v.value) for v in (kernel, bias)]
    for _ in range(3):
        grads = [GRADS["kernel"], GRADS["bias"]]
        optimizer.apply(grads, [kernel, bias])
        plain.apply(grads, others)
    assert [v.name for v in optimizer.variables][2::5] == ["early", "late"]
    np.testing.assert_array_equal(optimizer.early.value, [6.0, 6.0])
    assert float(optimizer.late.value) == 6.0
    close([kernel.value, bias.value], [v.value for v in others])


def test_variables_in_another_order_than_the_tree():
    """The optimizer's variables are the kernel, then the bias; the tree sorts its keys."""
    kernel = jkeras.Variable(PARAMS["kernel"], name="kernel")
    bias = jkeras.Variable(PARAMS["bias"], name="bias")
    tree = {"bias": bias, "kernel": kernel}
    for optimizer in (Halved(0.1), Doubled(0.1)):
        optimizer.build([kernel, bias])
        new, state = optimizer.step(GRADS, optimizer.init(PARAMS, tree), PARAMS, tree)
        flat = optimizer.stateless_apply(
            [v.value for v in optimizer.variables],
            [GRADS["kernel"], GRADS["bias"]],
            [kernel.value, bias.value],
        )
        close(new, {"kernel": flat[0][0], "bias": flat[0][1]})
        close(optimizer.state_to_variables(state, [("kernel",), ("bias",)]), flat[1])


def test_a_subclass_built_for_a_model_asks_for_its_variables():
    optimizer = Halved(0.1)
    optimizer.build([jkeras.Variable(PARAMS["kernel"]), jkeras.Variable(PARAMS["bias"])])
    state = optimizer.init(PARAMS)
    with pytest.raises(ValueError, match="variables="):
        optimizer.step(GRADS, state, PARAMS)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_sparse_rows_are_the_dense_gradient(name):
    """Of a BCOO array, whose rows may come twice; variables stand for their values."""
    dense = np.zeros((5, 2), "float32")
    dense[[0, 3]] = [[1.0, -2.0], [4.0, 6.0]]
    rows = jnp.array([[1.0, -2.0], [3.0, 2.0], [1.0, 4.0]])
    sparse = BCOO((rows, jnp.array([[0], [3], [3]])), shape=(5, 2))
    results = []
    for gradient in (dense, sparse):
        optimizer = getattr(jkeras.optimizers, name)(0.1)
        variable = jkeras.Variable(np.ones((5, 2), "float32"))
        optimizer.build([variable])
        (value,), _ = optimizer.stateless_apply(optimizer.variables, [gradient], [variable])
        optimizer.apply([gradient], [variable])
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-6)
        results.append(value)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_step_that_only_overwrites(wrapped):
    """As in Keras, the optimizer counts no step then."""
    results = []
    for library in (jkeras, keras):
        optimizer = library.optimizers.SGD(0.5)
        if wrapped:
            optimizer = library.optimizers.LossScaleOptimizer(optimizer)
        variable = library.Variable([1.0, 2.0])
        variable.overwrite_with_gradient = True
        optimizer.build([variable])
        values, state = optimizer.stateless_apply(
            [v.value for v in optimizer.variables], [jnp.array([6.0, 7.0])], [variable.value]
        )
        inner = optimizer.inner_optimizer if wrapped else optimizer
        at = [v is inner.iterations for v in optimizer.variables].index(True)
        results.append((np.asarray(values[0]).tolist(), int(state[at])))
    assert results[0] == results[1]


def test_a_loss_scale_is_not_applied_twice():
    """One around several optimizers takes theirs away."""
    inner = SGD(0.1), SGD(0.1)
    several = MultiOptimizer(OptimizerMap(inner[0], {".*bias": inner[1]}), loss_scale_factor=5.0)
    assert [o.loss_scale_factor for o in inner] == [5.0, 5.0]
    optimizer = LossScaleOptimizer(several, initial_scale=10.0)
    assert [o.loss_scale_factor for o in (several, *inner)] == [None, None, None]
    variables = [jkeras.Variable(jnp.full(2, 2.0), name=name) for name in ("kernel", "bias")]
    optimizer.build(variables)
    optimizer.apply([jnp.full(2, 10.0)] * 2, variables)
    for variable in variables:
        np.testing.assert_allclose(variable, [1.9, 1.9], rtol=1e-6)


def test_accumulation_overwrites_in_its_last_step_alone():
    """As in Keras, by the last of the "gradients"."""
    values = []
    for library in (keras, jkeras):
        overwritten, moved = (library.Variable(np.ones(2, "float32")) for _ in range(2))
        overwritten.overwrite_with_gradient = True
        optimizer = library.optimizers.SGD(1.0, gradient_accumulation_steps=2)
        seen = []
        for number in (2.0, 4.0, 8.0):
            gradient = library.ops.full((2,), number)
            optimizer.apply_gradients([(gradient, overwritten), (gradient, moved)])
            seen.append((np.array(overwritten)[0], np.array(moved)[0]))
        values.append(seen)
    assert values[1] == values[0] == [(1.0, 1.0), (4.0, -2.0), (4.0, -2.0)]


def test_adafactor_keeps_weights_that_no_gradient_reaches():
    optimizer, params = Adafactor(0.1), {"w": jnp.ones((3, 3))}
    grads = {"w": jnp.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])}
    params, _ = optimizer.step(grads, optimizer.init(params), params)
    is_kept = np.asarray(params["w"]) == 1
    np.testing.assert_array_equal(is_kept, np.asarray(grads["w"]) == 0)
    assert np.isfinite(params["w"]).all()
