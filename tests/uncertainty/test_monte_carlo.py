"""Samples of dropout: noise alone is that of training, in whatever the model is made of."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers, uncertainty
from jkeras.core.weights import frame

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def normalization():
    """Batch normalization by statistics that no batch of these tests has."""
    layer = layers.BatchNormalization(momentum=0.5)
    layer.build((None, 3))
    layer.set_weights([[1.0, 2.0, 3.0], [0.5, 0.0, 0.0], [3.0, -2.0, 1.0], [4.0, 2.0, 0.3]])
    return layer


class Block(layers.Layer):
    """A layer in Keras's style that hands `training` on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.normalization = normalization()
        self.dropout = layers.Dropout(0.5)

    def build(self, shape):
        self.built = True

    def call(self, x, training=False):
        return self.dropout(self.normalization(x, training=training), training=training)


def plain():
    return jkeras.Sequential([jkeras.Input((3,)), normalization(), layers.Dropout(0.5)])


def nested():
    inputs = jkeras.Input((3,))
    return jkeras.Model(inputs, plain()(inputs))


def subclassed():
    return jkeras.Sequential([jkeras.Input((3,)), Block()])


def stack():
    block = jkeras.Sequential(
        [jkeras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5)]
    )
    return jkeras.Sequential([jkeras.Input((3,)), layers.Stack(block, 1)])


def by_time():
    inner = jkeras.Sequential([jkeras.Input((3,)), normalization(), layers.Dropout(0.5)])
    return jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Reshape((1, 3)),
            layers.TimeDistributed(inner),
            layers.Flatten(),
        ]
    )


@pytest.mark.promise("`mc_dropout` takes such")
@pytest.mark.parametrize("make", [plain, nested, subclassed, stack, by_time])
def test_dropout_is_on_and_batch_normalization_is_not(make):
    """Each number is 0 or twice what the model says without dropout."""
    model = make()
    wanted = 2 * np.asarray(model(X, training=False))
    before = jax.tree_util.tree_map(np.array, model.state)
    drawn = uncertainty.mc_dropout(model, X, samples=8, rng=0).samples
    is_off = drawn == 0
    assert 0.3 < is_off.mean() < 0.7
    np.testing.assert_allclose(drawn, np.where(is_off, 0, wanted), rtol=1e-5)
    jax.tree_util.tree_map(np.testing.assert_array_equal, model.state, before)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (layers.LSTM(4, dropout=0.5), (6, 3)),
        (layers.GRU(4, recurrent_dropout=0.5), (6, 3)),
        (layers.SpatialDropout1D(0.5), (6, 3)),
        (layers.GaussianNoise(0.5), (3,)),
        (layers.AlphaDropout(0.5), (3,)),
    ],
)
def test_other_noise_is_on(layer, shape):
    model = jkeras.Sequential([jkeras.Input(shape), layer])
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype("float32")
    assert uncertainty.mc_dropout(model, x, samples=4, rng=0).std.max() > 0


def test_dropout_in_attention_is_on():
    inputs = jkeras.Input((6, 4))
    model = jkeras.Model(inputs, layers.MultiHeadAttention(2, 4, dropout=0.5)(inputs, inputs))
    x = np.random.default_rng(1).normal(size=(2, 6, 4)).astype("float32")
    assert uncertainty.mc_dropout(model, x, samples=4, rng=0).std.max() > 0


@pytest.mark.promise("`mc_dropout` takes such")
def test_augmentation_and_power_iterations_are_off():
    images = np.random.default_rng(1).uniform(size=(2, 6, 6, 3)).astype("float32")
    normalized = layers.SpectralNormalization(layers.Dense(4), power_iterations=3)
    model = jkeras.Sequential(
        [
            jkeras.Input((6, 6, 3)),
            layers.RandomFlip(),
            layers.RandomRotation(0.5),
            normalized,
        ]
    )
    with pytest.raises(ValueError, match="a model with dropout, received one that says the same"):
        uncertainty.mc_dropout(model, images, samples=4, rng=0)
    found = uncertainty.mc_dropout(model, images, samples=1, rng=0)
    np.testing.assert_allclose(found.mean, model(images, training=False), rtol=1e-5, atol=1e-6)


def test_a_part_without_training_stays_so():
    inputs = jkeras.Input((3,))
    base = plain()(inputs, training=False)
    model = jkeras.Model(inputs, [base, layers.Dropout(0.5)(inputs)])
    quiet, noisy = uncertainty.mc_dropout(model, X, 4, rng=0).std
    assert (quiet == 0).all() and (noisy > 0).any()


def test_training_itself_is_as_before():
    """The choice is one of a pass, and ends with it."""
    model = plain()
    uncertainty.mc_dropout(model, X, samples=2, rng=0)
    assert frame.current() is None
    _, state = model.apply(model.params, model.state, X, training=True, rng=1)
    moved = state["batch_normalization"]["moving_mean"]
    np.testing.assert_allclose(moved, 0.5 * np.array([3.0, -2.0, 1.0]) + 0.5 * X.mean(0), rtol=1e-5)


def test_the_mean_of_n_samples_spreads_as_one_over_the_root_of_n():
    model = jkeras.Sequential([jkeras.Input((50,)), layers.Dropout(0.5), layers.Dense(1)])
    x = np.ones((1, 50), "float32")
    spreads = []
    for samples in (10, 160):
        means = [uncertainty.mc_dropout(model, x, samples, rng=i).mean.item() for i in range(150)]
        spreads.append(np.std(means))
    # the ratio of two standard deviations of 150 numbers each: a relative error of 0.08
    assert abs(spreads[0] / spreads[1] / 4 - 1) < 0.3
    std = uncertainty.mc_dropout(model, x, 4000, rng=0, batch_size=500).std.item()
    weights = np.asarray(model.layers[-1].kernel)
    np.testing.assert_allclose(std, np.sqrt((weights**2).sum()), rtol=0.05)


def test_the_same_key_gives_the_same_samples_and_rows_have_their_own():
    model = plain()
    x = np.repeat(X[:1], 40, axis=0)  # two batches
    first, second = (uncertainty.mc_dropout(model, x, 3, rng=7).samples for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first[:, :32] != first[:, :1]).any() and (first[:, 32:] != first[:, :8]).any()
    assert (uncertainty.mc_dropout(model, x, 3, rng=8).samples != first).any()


@pytest.mark.promise("`mc_dropout` takes such")
def test_as_a_pure_function_and_compiled_once():
    traces = []

    class Counted(layers.Dropout):
        def disturb(self, inputs, key):
            traces.append(inputs.shape)
            return super().disturb(inputs, key)

    model = jkeras.Sequential([jkeras.Input((3,)), Counted(0.5), layers.Dense(2)])
    found = [uncertainty.mc_dropout(model, X, 6, rng=i) for i in range(3)]
    assert len(traces) == 1
    run = jax.jit(lambda params, x: uncertainty.mc_dropout(model, x, 6, rng=1, params=params))
    pure = run(model.params, X)
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), tuple(pure), tuple(found[1])
    )


def test_structures_of_outputs():
    inputs = jkeras.Input((3,))
    dropped = layers.Dropout(0.5)(inputs)
    model = jkeras.Model(inputs, {"a": layers.Dense(2)(dropped), "b": inputs * 2})
    found = uncertainty.mc_dropout(model, X, 4, rng=0)
    assert found.samples["a"].shape == (4, 5, 2) and found.std["a"].max() > 0
    np.testing.assert_allclose(found.mean["b"], 2 * X, rtol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="1 sample or more, received samples=0"):
        uncertainty.mc_dropout(plain(), X, 0)
