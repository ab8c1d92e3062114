"""A model that ends in a softmax is trained from its logits, to the same numbers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras

from jkeras.core.weights import frame
from jkeras.core.weights.by_variable import ByVariable
from jkeras.kernel.beside import logits_beside
from jkeras.core.session.settings import epsilon
from jkeras.losses import crossentropy
from jkeras.ops import kernels
from tests.thinning import every

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5)).astype("float32")
Y = RNG.integers(0, 4, 12)
ENDS = {
    "dense": lambda k: [k.layers.Dense(4, activation="softmax")],
    "activation": lambda k: [k.layers.Dense(4), k.layers.Activation("softmax")],
    "layer": lambda k: [k.layers.Dense(4), k.layers.Softmax()],
    "sigmoid": lambda k: [k.layers.Dense(4, activation="sigmoid")],
    "after it": lambda k: [k.layers.Dense(4, activation="softmax"), k.layers.Rescaling(0.5, 0.1)],
}


def model(k, end, loss):
    net = k.Sequential([k.Input((5,)), k.layers.Dense(6, activation="tanh"), *ENDS[end](k)])
    net.compile(k.optimizers.SGD(0.5), loss(k))
    return net


LOSSES = {
    "sparse": (lambda k: "sparse_categorical_crossentropy", Y),
    "ignored": (lambda k: k.losses.SparseCategoricalCrossentropy(ignore_class=1), Y),
    "one-hot": (lambda k: "categorical_crossentropy", np.eye(4, dtype="float32")[Y]),
    "smoothed": (
        lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.1),
        np.eye(4, dtype="float32")[Y],
    ),
}


@pytest.mark.parametrize("loss", every(2, LOSSES))
@pytest.mark.parametrize("end", ENDS)
def test_trained_as_by_keras(end, loss):
    make, y = LOSSES[loss]
    theirs, ours = model(keras, end, make), model(jkeras, end, make)
    ours.set_weights(theirs.get_weights())
    histories = [
        net.fit(X, y, epochs=4, batch_size=4, shuffle=False, verbose=0).history["loss"]
        for net in (theirs, ours)
    ]
    np.testing.assert_allclose(histories[1], histories[0], rtol=2e-5)
    for mine, wanted in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(mine, wanted, rtol=2e-4, atol=2e-6)


def beside(loss, logits, y):
    """The value and gradient of a loss of a softmax, once known to be one and once as mere
    probabilities.
    """

    def known(logits):
        with frame.Run(values=ByVariable()):
            return jnp.sum(loss(y, jkeras.ops.softmax(logits)))

    return jax.value_and_grad(known)(logits), jax.value_and_grad(
        lambda x: jnp.sum(loss(y, jax.nn.softmax(x)))
    )(logits)


@pytest.mark.parametrize(
    "loss, y",
    [
        (jkeras.losses.sparse_categorical_crossentropy, Y),
        (jkeras.losses.categorical_crossentropy, np.eye(4, dtype="float32")[Y]),
    ],
)
def test_probabilities_near_0_and_1_are_kept_off_them(loss, y):
    fused, plain = beside(loss, jnp.asarray(40 * RNG.normal(size=(12, 4)), "float32"), y)
    np.testing.assert_allclose(fused[0], plain[0], rtol=1e-4)
    assert float(fused[0]) <= -12 * np.log(epsilon()) + 1e-3 and np.isfinite(fused[1]).all()
    np.testing.assert_allclose(fused[1], plain[1], atol=1e-3)


@pytest.mark.parametrize("end", ENDS)
def test_the_loss_finds_the_logits(end, monkeypatch):
    found = []

    def noted(probabilities, axis):
        found.append(logits_beside(probabilities, axis))
        return found[-1]

    monkeypatch.setattr(crossentropy, "logits_beside", noted)
    model(jkeras, end, LOSSES["sparse"][0]).fit(X, Y, verbose=0)
    assert found and all(
        (logits is not None) == (end in ("dense", "activation", "layer")) for logits in found
    )


def test_labels_of_no_class_give_no_loss():
    values = jkeras.losses.sparse_categorical_crossentropy(
        jnp.array([-1, 4, 1]), jnp.ones((3, 4)) / 4
    )
    np.testing.assert_allclose(values, [0, 0, np.log(4)], rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_picked(axis):
    x = jnp.asarray(RNG.normal(size=(3, 4, 5)), "float32")
    shape = list(x.shape)
    size = shape.pop(axis)
    places = jnp.asarray(RNG.integers(0, size, shape))
    wanted = np.take_along_axis(np.asarray(x), np.expand_dims(places, axis), axis).squeeze(axis)
    for form in (kernels.picked_by_gather, kernels.picked_by_comparison):
        np.testing.assert_array_equal(form(x, places, axis), wanted)
        gradient = jax.grad(lambda x, form=form: form(x, places, axis).sum())(x)
        np.testing.assert_array_equal(gradient, jax.nn.one_hot(places, size, axis=axis))
