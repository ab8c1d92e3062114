"""Links around a training step, each alone and together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.training import init_train_state, make_train_step

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(10, 3)).astype("float32"), RNG.normal(size=(10, 1)).astype("float32")


def model_with(steps=None, **compiled):
    jkeras.utils.set_random_seed(0)
    hidden = layers.Dense(4, activation="tanh", name="hidden")
    model = jkeras.Sequential([jkeras.Input((3,)), hidden, layers.Dense(1, name="out")])
    model.compile("sgd", "mse", steps=steps, **compiled)
    return model


def zeroed(step):
    """Takes batches of zeros."""
    return lambda state, batch: step(state, (0 * batch[0], batch[1]))


def halved(step):
    """Halves what a step changes."""

    def linked(state, batch):
        new, logs = step(state, batch)
        params = jax.tree.map(lambda a, b: (a + b) / 2, state.params, new.params)
        return new.replace(params=params), logs | {"whole": logs["loss"]}

    return linked


def trained(model, **options):
    history = model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, **options).history
    return history, model.get_weights()


@pytest.mark.promise("`compile(steps=[...])` takes links")
def test_a_link_is_what_is_done_by_hand():
    """SGD of half the learning rate; the last batch, a smaller one, too."""
    history, weights = trained(model_with([halved]))
    other = model_with()
    other.optimizer.learning_rate = 0.005
    expected, others = trained(other)
    assert history["whole"] == history["loss"] and "whole" not in expected
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    for mine, theirs in zip(weights, others, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.promise("the first one is innermost")
def test_the_first_link_is_innermost():
    seen = []

    def named(name):
        def link(step):
            def linked(state, batch):
                seen.append(name)
                return step(state, batch)

            return linked

        return link

    model = model_with([named("inner"), named("outer")])
    make_train_step(model)(init_train_state(model), (X, Y))
    assert seen == ["outer", "inner"]


def test_a_batch_that_is_changed_before_the_step():
    history, _ = trained(model_with([zeroed]))
    model = model_with()
    expected = model.fit(0 * X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)


@pytest.mark.parametrize("options", [{"steps_per_execution": 2}, {"microbatches": 2}, {}])
def test_in_every_way_of_training(options):
    """Several steps in a dispatch, microbatches, a step by hand; the optimizer runs once a step."""
    _, weights = trained(model_with([halved], **options))
    model = model_with([halved])
    step, state = jax.jit(make_train_step(model)), init_train_state(model)
    for _ in range(3):
        for first in (0, 4, 8):
            state, _ = step(state, (X[first : first + 4], Y[first : first + 4]))
    assert int(state.step) == 9
    by_hand = jax.tree.leaves(state.params)  # by name: bias, kernel
    for mine, theirs in zip(weights, [by_hand[i] for i in (1, 0, 3, 2)], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.promise("what `nonfinite=` leaves out is seen around them all")
def test_what_a_link_brings_in_is_left_out():
    def broken(step):
        def linked(state, batch):
            new, logs = step(state, batch)
            params = jax.tree.map(lambda v: jnp.where(new.step == 3, jnp.nan, v), new.params)
            return new.replace(params=params), logs

        return linked

    with pytest.warns(UserWarning, match="1 of 3 steps of epoch 1"):
        _, weights = trained(model_with([broken], nonfinite="skip"))
    assert all(np.isfinite(value).all() for value in weights)


@pytest.mark.promise("`make_train_step` and ensembles have the links, too")
def test_members_of_an_ensemble_have_it():
    model, plain = model_with([halved]), model_with()
    for one in (model, plain):
        one.fit(X, Y, batch_size=5, shuffle=False, ensemble=2, seed=1, verbose=0)
    assert not np.allclose(model.predict(X, verbose=0), plain.predict(X, verbose=0), atol=1e-4)


def test_many_equal_layers_are_not_stacked_under_a_link():
    def shapes(step):
        def linked(state, batch):
            names.append(sorted(state.params))
            return step(state, batch)

        return linked

    names = []
    hidden = [layers.Dense(3, activation="tanh", name=f"d{i}") for i in range(70)]
    model = jkeras.Sequential([jkeras.Input((3,)), *hidden])
    model.compile("sgd", "mse", steps=[shapes])
    model.fit(X, X, batch_size=10, verbose=0)
    assert names[0] == sorted(f"d{i}" for i in range(70))


def gives(result):
    return lambda step: lambda state, batch: result(*step(state, batch))


def doubled(state, logs):
    return state.replace(params=jax.tree.map(lambda v: jnp.stack([v, v]), state.params)), logs


def narrowed(state, logs):
    return state.replace(params=jax.tree.map(lambda v: v.astype("bfloat16"), state.params)), logs


@pytest.mark.promise("A link that gives a state of another structure, shape or dtype")
@pytest.mark.parametrize(
    "links, message",
    [
        (halved, "`steps` to be a list of functions"),
        (["halved"], "`steps` to be a list of functions"),
        ([lambda step: None], r"<lambda>.*expected a step.*None"),
        ([gives(lambda state, logs: state)], r"\(state, logs\).*TrainState"),
        ([gives(lambda state, logs: (state.params, logs))], r"\(state, logs\)"),
        ([gives(lambda state, logs: (state, logs["loss"]))], "logs as a dict"),
        ([gives(lambda state, logs: (state.replace(params={}), logs))], "of the structure"),
        ([gives(doubled)], r"float32\[4\] at `state.params\['hidden'\]\['bias'\]`.*\[2, 4\]"),
        ([gives(narrowed)], r"expected float32\[4\].*received bfloat16\[4\]"),
    ],
)
def test_wrong_links(links, message):
    with pytest.raises(ValueError, match=message):
        trained(model_with(links))


def test_privacy_takes_none():
    privacy = jkeras.privacy.DPSGD(clip=1.0, noise_multiplier=1.0, batch_size=5)
    with pytest.raises(ValueError, match="a training step of jkeras"):
        model_with([halved], privacy=privacy)
