"""`compile(nonfinite=…)`: a step that would bring NaN or infinity in is left out, whatever the loss
said.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (X[:, :1] * 2 + 1).astype("float32")
BATCH, BAD = 4, 5  # the poisoned step is the sixth of eight


def poisoned(kind):
    """(x, y) with one batch that is not finite, by itself or in its gradient alone."""
    x, y = X.copy(), Y.copy()
    if kind == "nan in x":
        x[BAD * BATCH + 1, 2] = np.nan
    elif kind == "inf in y":
        y[BAD * BATCH] = np.inf
    else:
        x[BAD * BATCH, 0] = 0.0  # where the loss below is finite, and its slope is not
        y[BAD * BATCH] = -7.0
    return x, y


def rooted(y_true, y_pred):
    """A finite loss whose gradient is infinite where the label says so."""
    marked, value = y_true[..., 0] == -7.0, y_pred[..., 0]
    nothing = jnp.where(marked, value - jax.lax.stop_gradient(value), 1.0)
    return jnp.where(marked, jnp.sqrt(nothing), jnp.mean((y_true - y_pred) ** 2, axis=-1))


def trained(policy, x, y, epochs=1, steps=None, optimizer="adam", **options):
    jkeras.utils.set_random_seed(1)
    model = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)]
    )
    model.compile(optimizer, rooted, metrics=["mae"], nonfinite=policy, **options)
    size = (steps or 8) * BATCH
    fit = lambda: model.fit(
        x[:size], y[:size], batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0
    )  # noqa: E731
    return model, fit


def numbers(model):
    return [np.asarray(v) for v in model.weights + model.optimizer.variables]


KINDS = ("nan in x", "inf in y", "gradient")


@pytest.mark.parametrize("kind", KINDS)
def test_what_happens_without_a_policy(kind):
    model, fit = trained(None, *poisoned(kind))
    with pytest.warns(UserWarning, match="the loss of epoch 1 is NaN"):
        fit()
    assert not all(np.isfinite(v).all() for v in numbers(model))


@pytest.mark.promise("In each case the model")
@pytest.mark.promise('`compile(nonfinite="raise")` names the step')
@pytest.mark.promise("the model stays as it was")
@pytest.mark.promise("the first step that would bring NaN or infinity into the model")
@pytest.mark.promise("ends at the step that would bring it in")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["raise", "stop"])
def test_the_model_is_what_it_was_before_the_step(policy, kind):
    model, fit = trained(policy, *poisoned(kind), epochs=3)
    if policy == "raise":
        with pytest.raises(FloatingPointError, match=f"step {BAD} of epoch 1"):
            fit()
    else:
        with pytest.warns(UserWarning, match=f"step {BAD} of epoch 1"):
            assert fit().epoch == [0]
    before, fit = trained(policy, *poisoned(kind), steps=BAD)
    fit()
    for mine, wanted in zip(numbers(model), numbers(before), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-6, atol=1e-7)
    assert np.isfinite(model.predict(X, verbose=0)).all()


@pytest.mark.promise('"skip" leaves the step out and continues')
@pytest.mark.parametrize("kind", KINDS)
def test_skipping_goes_on_without_the_step(kind):
    x, y = poisoned(kind)
    model, fit = trained("skip", x, y)
    with pytest.warns(UserWarning, match="1 of 8 steps of epoch 1"):
        history = fit().history
    assert np.isfinite(history["loss"]).all() and int(model.optimizer.iterations) == 7
    rows = np.r_[0 : BAD * BATCH, (BAD + 1) * BATCH : 32]
    other, fit = trained(None, x[rows], y[rows], steps=7)
    fit()
    for mine, wanted in zip(numbers(model), numbers(other), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)


def test_with_a_loss_scale_the_scale_learns():
    """In float16 infinite gradients are usual: the optimizer leaves such updates out itself, and
    lowers its scale.
    """
    model, fit = trained(
        "raise",
        X,
        Y,
        epochs=2,
        optimizer=jkeras.optimizers.LossScaleOptimizer("sgd", initial_scale=2.0**127),
    )
    fit()
    (scale,) = [v.value for v in model.optimizer._variables if v.name.endswith("dynamic_scale")]
    assert 0 < float(scale) < 2.0**127
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_policy_that_is_none():
    with pytest.raises(ValueError, match="nonfinite.*'ignore'"):
        jkeras.Sequential([layers.Dense(1)]).compile(nonfinite="ignore")


def test_a_step_of_ones_own():
    class Own(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, state, data):
            return super().train_step(state, data)

    jkeras.utils.set_random_seed(0)
    model = Own()
    model.build((None, 4))
    model.compile("sgd", "mse", nonfinite="raise")
    x, y = poisoned("nan in x")
    with pytest.raises(FloatingPointError):
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def watching(batch, logs):
    """A callback that looks at each batch has it dispatched alone."""


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_logs_are_those_of_the_steps_that_count(kind, alone):
    """Also where the step left out is the last one."""
    x, y = poisoned(kind)
    rows = np.r_[(BAD + 1) * BATCH : 32, 0 : (BAD + 1) * BATCH]
    callbacks = [jkeras.callbacks.LambdaCallback(on_train_batch_end=watching)] if alone else []
    histories = []
    for policy, used in (("skip", rows), (None, rows[:-BATCH])):
        model, _ = trained(policy, x, y)
        fit = lambda model, used: (
            model.fit(
                x[used],
                y[used],
                batch_size=BATCH,
                shuffle=False,
                verbose=0,  # noqa: E731
                callbacks=callbacks,
            ).history
        )
        if policy is None:
            histories.append(fit(model, used))
            continue
        with pytest.warns(UserWarning, match="1 of 8 steps of epoch 1") as said:
            histories.append(fit(model, used))
        assert said[0].filename == __file__
    for name in histories[1]:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_batch(kind):
    x, y = poisoned(kind)
    bad = slice(BAD * BATCH, (BAD + 1) * BATCH)
    for policy in ("raise", "stop", "skip"):
        model, _ = trained(policy, x, y)
        model.train_on_batch(x[:BATCH], y[:BATCH])
        before = numbers(model)
        with (
            pytest.raises(FloatingPointError, match="the batch")
            if policy == "raise"
            else pytest.warns(UserWarning, match="the batch")
        ):
            model.train_on_batch(x[bad], y[bad])
        for mine, wanted in zip(numbers(model), before, strict=True):
            np.testing.assert_array_equal(mine, wanted)
        assert np.isfinite(model.train_on_batch(x[:BATCH], y[:BATCH])).all()
