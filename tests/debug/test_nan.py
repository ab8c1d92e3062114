"""`fit(debug="nan")`: the layer, the direction, the row and the step where NaN began."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.debug.nan import NotFiniteError

X = np.random.default_rng(0).uniform(0.5, 1, size=(60, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Log(layers.Layer):
    def call(self, x):
        return jnp.log(x)


class Root(layers.Layer):
    def call(self, x):
        return jnp.sqrt(x)


def model_of(*hidden, cls=jkeras.Sequential, optimizer="adam", loss="mse", **compiled):
    jkeras.utils.set_random_seed(1)
    model = cls([jkeras.Input((3,)), *hidden, layers.Dense(1, name="out")], name="net")
    model.compile(optimizer, loss, **compiled)
    return model


def with_value(row, value, data=X):
    changed = data.copy()
    changed[row, 0] = value
    return changed


def found(model, x=X, y=Y, **options):
    """The error of a training, which left the weights as they were before its step."""
    before = int(model.optimizer.iterations)
    with pytest.raises(NotFiniteError) as caught:
        model.fit(x, y, batch_size=10, shuffle=False, verbose=0, debug="nan", **options)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    step = int(str(caught.value).split("at step ")[1].split()[0])
    assert int(model.optimizer.iterations) == before + step
    return caught.value


@pytest.mark.promise("the error says that")
def test_numbers_that_are_finite_when_they_are_run_again():
    numbers = itertools.chain([1.0, 1.0, np.nan], itertools.repeat(1.0))

    class Unsteady(layers.Layer):
        def call(self, x):
            shape = jax.ShapeDtypeStruct((), "float32")
            return x * jax.pure_callback(lambda: np.float32(next(numbers)), shape)

    model = model_of(Unsteady(), run_eagerly=True)
    assert "Run again operation by operation, the step gave finite numbers" in str(found(model))


WAYS = {
    "as fit likes": {},
    "one step in a dispatch": {"steps": [lambda step: step]},
    "eagerly": {"run_eagerly": True},
    "nonfinite raises": {"nonfinite": "raise"},
    "nonfinite skips": {"nonfinite": "skip"},
    "microbatches": {"microbatches": 2},
}


@pytest.mark.promise("with `debug` the first one raises, whichever it is")
@pytest.mark.promise("says which layer gave the first number that is not finite")
@pytest.mark.parametrize("compiled", WAYS.values(), ids=WAYS)
def test_the_forward_pass_of_a_layer(compiled):
    error = found(model_of(Log(name="log"), **compiled), with_value(37, 0.0))
    assert error.layer.endswith("/log' (Log)")
    assert not error.is_backward
    assert error.rows == (7,)
    text = str(error)
    assert "infinity came first in layer 'net/log' (Log), by `log`, in row 7" in text
    assert "at step 3 of epoch 1" in text
    nan = found(model_of(Log(name="log"), **compiled), with_value(21, -1.0))
    assert "NaN came first in layer 'net/log' (Log), by `log`, in row 1 of" in str(nan)


@pytest.mark.promise("in its forward pass or in its gradient")
@pytest.mark.parametrize("compiled", WAYS.values(), ids=WAYS)
def test_the_gradient_of_a_layer(compiled):
    # sqrt(0) is 0, and its slope is infinite
    hidden = layers.Dense(3, name="hidden", kernel_initializer="ones", use_bias=False)
    error = found(
        model_of(hidden, Root(name="root"), **compiled), X * (np.arange(60) != 44)[:, None]
    )
    assert error.is_backward
    assert error.layer.endswith("/root' (Root)")
    assert error.rows == (4,)
    assert "at step 4 of epoch 1" in str(error)
    assert "came first in the gradient of layer 'net/root' (Root)" in str(error)


def test_data_that_is_not_finite_is_named():
    error = found(model_of(layers.Dense(2)), with_value(51, np.nan))
    assert "NaN is in `x`, which the step was given, in row 1 of the 10" in str(error)
    assert error.layer is None
    error = found(model_of(layers.Dense(2)), X, with_value(51, np.inf, Y))
    assert "infinity is in `y`" in str(error)


def test_the_loss_and_the_update():
    def loss(y, p):
        return jnp.mean(jnp.log(y - 3 + 0 * p), -1)

    error = found(model_of(loss=loss), X, np.where(np.arange(60)[:, None] == 17, 3.0, 4.0))
    assert "in the loss, by `log`, in row 7" in str(error)
    huge = model_of(optimizer=jkeras.optimizers.SGD(1e38))
    assert "in the update of the weights, by `mul`" in str(found(huge, X * 100, Y * 1e3))


def test_a_step_of_ones_own():
    class Own(jkeras.Sequential):
        def train_step(self, state, data):
            return super().train_step(state, data)

    error = found(model_of(Log(name="log"), cls=Own), with_value(37, 0.0))
    assert error.layer.endswith("/log' (Log)")
    assert error.rows == (7,)


def test_loops_and_branches():
    class Steps(layers.Layer):
        def call(self, x):
            x = ops.fori_loop(0, 2, lambda i, v: jnp.log(v), x)
            return ops.cond(ops.sum(x) > 1e9, lambda: x, lambda: 2 * x)

    error = found(model_of(Steps(name="steps")), with_value(37, 1.0, X + 1))
    assert error.layer.endswith("/steps' (Steps)")
    sequences = np.repeat(with_value(37, 0.0)[:, None], 4, 1)
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential(
        [jkeras.Input((4, 3)), layers.TimeDistributed(Log(name="log")), layers.LSTM(1)]
    )
    model.compile("adam", "mse")
    error = found(model, sequences, Y)
    assert "(Log)" in error.layer
    assert error.rows == (7,)


@pytest.mark.promise("The infinity of a mask, as `where(mask, scores, -inf)`")
def test_the_infinity_of_a_mask_is_no_beginning():
    class Masked(layers.Layer):
        def call(self, x):
            scores = jnp.where(x > 0, x, -jnp.inf)
            return jnp.exp(scores) / jnp.exp(scores).sum(-1, keepdims=True)

    class Softmax(layers.Layer):
        def call(self, x):
            scores = jnp.where(x > 0, x, -jnp.inf)
            scores = scores - scores.max(-1, keepdims=True)
            return jnp.exp(scores)

    model = model_of(Masked(name="masked"))
    model.fit(with_value(3, -1.0), Y, verbose=0, debug="nan")
    nothing = X.copy()
    nothing[37] = -1
    error = found(model_of(Softmax(name="softmax")), nothing)
    assert "NaN came first in layer 'net/softmax' (Softmax), by `sub`, in row 7" in str(error)


@pytest.mark.promise("Steps that a loss scale leaves out are none")
def test_a_loss_scale_may_overflow():
    scaled = jkeras.optimizers.LossScaleOptimizer("sgd", initial_scale=1e38)
    model = model_of(layers.Dense(2), optimizer=scaled)
    model.fit(X, Y, verbose=0, debug="nan")
    assert float(scaled.scale_loss(1.0)) < 1e38
    scaled = jkeras.optimizers.LossScaleOptimizer("sgd", initial_scale=2.0)
    assert "(Log)" in found(model_of(Log(), optimizer=scaled), with_value(37, 0.0)).layer


def test_half_precision():
    jkeras.utils.set_random_seed(0)
    hidden = layers.Dense(2, dtype="mixed_float16", name="half", kernel_initializer="ones")
    error = found(model_of(hidden), with_value(37, 3e5))
    assert "half" in error.layer
    assert error.rows == (7,)


@pytest.mark.promise('`train_on_batch(debug="nan")` does so for its batch')
def test_train_on_batch():
    model = model_of(Log(name="log"))
    model.train_on_batch(X, Y, debug="nan")
    before = model.get_weights()
    with pytest.raises(NotFiniteError, match="'net/log'.*row 37 of the 60"):
        model.train_on_batch(with_value(37, 0.0), Y, debug="nan")
    for mine, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, wanted)


@pytest.mark.promise("a training, bitwise identical to one without")
def test_a_fine_training_is_the_same():
    histories, weights = [], []
    for options in {}, {"debug": "nan"}:
        jkeras.utils.set_random_seed(0)
        model = model_of(layers.Dense(4, "tanh", name="a"), layers.Dropout(0.5, name="b"))
        history = model.fit(X, Y, batch_size=16, epochs=3, seed=1, verbose=0, **options)
        histories.append(history.history)
        weights.append(model.get_weights())
    assert histories[0] == histories[1]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_with_dropout_is_the_same_again():
    class Rare(layers.Layer):
        def call(self, x):
            return jnp.log(jnp.where(x == 0, 1, x))  # of what dropout left

    model = model_of(layers.Dropout(0.5), Rare(name="rare"))
    error = found(model, with_value(37, -1.0), seed=0, epochs=20)
    assert error.layer.endswith("(Rare)")
    assert error.rows == (7,)


@pytest.mark.promise("It is refused for ensembles, and with `privacy`")
def test_what_is_refused():
    with pytest.raises(ValueError, match="debug"):
        model_of().fit(X, Y, verbose=0, debug="inf")
    private = jkeras.privacy.DPSGD(noise_multiplier=1.0, delta=1e-3)
    with pytest.raises(ValueError, match="no `debug` with `privacy`"):
        model_of(privacy=private).fit(X, Y, verbose=0, debug="nan")
    model = model_of()
    model.fit(X, Y, ensemble=2, verbose=0)
    with pytest.raises(ValueError, match="ensemble"):
        model.fit(X, Y, verbose=0, debug="nan")
