"""SWAG: its moments beside numpy, its samples beside the closed form, its callback beside an
uninterrupted training.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, uncertainty
from jkeras.uncertainty import swag

RANDOM = np.random.default_rng(0)
STEPS, RANK = 7, 3
SEEN = {
    "a": np.float32(100 + RANDOM.normal(size=(STEPS, 2, 2))),  # far from 0, as it may be
    "b": {"c": np.float32(0.1 * RANDOM.normal(size=(STEPS, 3)))},
}
TEMPLATE = jax.tree_util.tree_map(lambda v: v[0], SEEN)


def gathered(rank=RANK):
    state = swag.init(TEMPLATE, rank)
    return jax.lax.scan(lambda state, params: (swag.update(state, params), None), state, SEEN)[0]


def numbers(params, axes=0):
    leaves = [np.float64(leaf) for leaf in jax.tree_util.tree_leaves(params)]
    return np.concatenate([v.reshape(*v.shape[:axes], -1) for v in leaves], axis=-1)


@pytest.mark.promise("SWAG takes them at the")
def test_moments_are_those_of_what_was_seen():
    state = jax.jit(gathered)()
    seen = numbers(SEEN, 1)
    assert int(state.count) == STEPS
    np.testing.assert_allclose(numbers(state.mean), seen.mean(0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(numbers(state.variance), seen.var(0), rtol=1e-4)
    wanted = np.stack([seen[i] - seen[: i + 1].mean(0) for i in range(STEPS)])
    kept = numbers(state.deviations, 1)
    places = [i % RANK for i in range(STEPS - RANK, STEPS)]
    np.testing.assert_allclose(kept[places], wanted[-RANK:], atol=3e-5)


@pytest.mark.parametrize("rank", [0, 3])
def test_samples_have_the_covariance_of_the_paper(rank):
    count, scale = 40_000, 0.7
    state = gathered(rank)
    keys = jax.random.split(jax.random.key(0), count)
    draws = jax.jit(jax.vmap(lambda key: swag.sample(state, key, scale)))(keys)
    changes = numbers(draws, 1) - numbers(state.mean)
    diagonal = np.diag(numbers(state.variance))
    covariance = scale * diagonal
    if rank:
        deviations = numbers(state.deviations, 1)
        covariance = scale / 2 * (diagonal + deviations.T @ deviations / (rank - 1))
    variances = np.diag(covariance)
    errors = np.sqrt(np.outer(variances, variances) + covariance**2) / math.sqrt(count)
    # float32 moves numbers near 100 by up to 4e-6
    assert (np.abs(changes.T @ changes / count - covariance) < 5 * errors + 1e-5).all()
    assert (np.abs(changes.mean(0)) < 5 * np.sqrt(variances / count) + 1e-5).all()


def test_before_all_deviations_are_there():
    state = swag.init({"w": jnp.zeros(2)}, 5)
    for values in ([1.0, 2.0], [3.0, 2.0]):
        state = swag.update(state, {"w": jnp.array(values)})
    np.testing.assert_allclose(state.deviations["w"][:2], [[0, 0], [1, 0]])
    np.testing.assert_array_equal(state.deviations["w"][2:], 0)
    assert float(swag.sample(state, jax.random.key(0))["w"][1]) == 2.0


@pytest.mark.parametrize("rank", [-1, 1])
def test_ranks_that_mean_nothing(rank):
    with pytest.raises(ValueError, match=f"rank of 0, or of 2 or more.*rank={rank}"):
        swag.init(TEMPLATE, rank)


# ---------------------------------------------------------------- batch normalization


@pytest.mark.promise("`predict(x, rng=0, x_train=x)`")
def test_statistics_are_those_of_the_rows():
    model = jkeras.Sequential(
        [jkeras.Input((3,)), layers.Dense(2), layers.BatchNormalization(momentum=0.9)]
    )
    x = np.float32(5 + RANDOM.normal(size=(10, 3)))
    inside = x @ model.get_weights()[0]
    whole = uncertainty.batch_statistics(model, model.params, model.state, x)
    (found,) = whole.values()
    np.testing.assert_allclose(found["moving_mean"], inside.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found["moving_variance"], inside.var(0), rtol=1e-4)

    (found,) = uncertainty.batch_statistics(
        model, model.params, model.state, x, batch_size=4
    ).values()
    parts = [inside[:4], inside[4:8], inside[8:]]
    variance = sum(len(part) * part.var(0) for part in parts) / 10
    np.testing.assert_allclose(found["moving_mean"], inside.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found["moving_variance"], variance, rtol=1e-4)


# ---------------------------------------------------------------- the callback


def network():
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Dense(4, "relu"),
            layers.BatchNormalization(),
            layers.Dense(2, "softmax"),
        ]
    )
    model.compile(jkeras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


X, Y = np.float32(RANDOM.normal(size=(32, 3))), RANDOM.integers(0, 2, 32)


class Remember(jkeras.callbacks.Callback):
    """Keeps the params of each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(jax.tree_util.tree_map(np.asarray, self.model.params))


@pytest.mark.promise("SWAG takes them at the")
@pytest.mark.promise("`predict(x, rng=0, x_train=x)`")
def test_a_fit_gathers_its_epochs():
    model, remember = network(), Remember()
    callback = uncertainty.SWAG(start_epoch=1, every=2, rank=2)
    model.fit(X, Y, epochs=7, batch_size=16, verbose=0, callbacks=[remember, callback])
    assert int(callback.state.count) == 3
    for found, *seen in zip(
        *map(jax.tree_util.tree_leaves, (callback.state.mean, *remember.seen[1::2]))
    ):
        np.testing.assert_allclose(found, np.mean(seen, 0), rtol=1e-6, atol=1e-7)

    found = callback.predict(X, samples=3, rng=0, x_train=X, batch_size=16)
    assert found.shape == (3, 32, 2)
    key = jax.random.split(jax.random.key(0), 3)[1]
    params = swag.sample(callback.state, key)
    state = uncertainty.batch_statistics(model, params, model.state, X, batch_size=16, rng=key)
    wanted, _ = model.apply(params, state, X, training=False)
    np.testing.assert_allclose(found[1], wanted, rtol=1e-5)
    old, _ = model.apply(params, model.state, X, training=False)
    np.testing.assert_allclose(callback.predict(X, samples=3, rng=0)[1], old, rtol=1e-5)


@pytest.mark.promise("A checkpoint of `fit(checkpoint=)`")
def test_a_checkpoint_keeps_what_was_gathered(tmp_path):
    options = {"batch_size": 16, "verbose": 0}
    whole = uncertainty.SWAG(rank=2)
    network().fit(X, Y, epochs=4, callbacks=[whole], **options)

    network().fit(
        X, Y, epochs=2, callbacks=[uncertainty.SWAG(rank=2)], checkpoint=tmp_path, **options
    )
    resumed = uncertainty.SWAG(rank=2)
    network().fit(X, Y, epochs=4, callbacks=[resumed], checkpoint=tmp_path, **options)
    jax.tree_util.tree_map(np.testing.assert_array_equal, resumed.state, whole.state)


def test_another_fit_begins_anew():
    model, callback = network(), uncertainty.SWAG(rank=2)
    for _ in range(2):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
        assert int(callback.state.count) == 2


def test_nothing_gathered_is_explained():
    callback = uncertainty.SWAG(start_epoch=5)
    network().fit(X, Y, epochs=1, verbose=0, callbacks=[callback])
    with pytest.raises(ValueError, match="none yet.*epoch 5"):
        callback.predict(X, rng=0)
    with pytest.raises(ValueError, match="every=0"):
        uncertainty.SWAG(every=0)
