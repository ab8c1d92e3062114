"""Beside jax_privacy and opacus, where they are installed (extra `privacy`)."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(16, 20)).astype("float32")
Y = RANDOM.integers(0, 3, 16)
LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def model():
    jkeras.utils.set_random_seed(0)
    hidden = layers.Dense(32, activation="tanh", name="hidden")
    return jkeras.Sequential([jkeras.Input((20,)), hidden, layers.Dense(3, name="out")])


def clipped(model):
    def loss(params, x, y):
        return -jax.nn.log_softmax(model.apply(params, {}, x[None])[0][0])[y]

    return loss, *privacy.clipped_grad(loss, 1.0)(model.params, X, Y)


@pytest.mark.filterwarnings("ignore:optax.global_norm:DeprecationWarning")  # its own call
def test_gradients_of_jax_privacy(model):
    jax_privacy = pytest.importorskip("jax_privacy")
    loss, total, _ = clipped(model)
    given = {"l2_clip_norm": 1.0, "batch_argnums": (1, 2), "keep_batch_dim": False}
    theirs = jax_privacy.clipped_grad(loss, **given)(model.params, X, Y)
    for ours, other in zip(*map(jax.tree_util.tree_leaves, (total, theirs))):
        np.testing.assert_allclose(ours, other, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # its inputs have no gradients
def test_norms_of_opacus(model):
    torch = pytest.importorskip("torch")
    opacus = pytest.importorskip("opacus.grad_sample")
    network = torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.Tanh(), torch.nn.Linear(32, 3))
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), model.get_weights()):
            parameter.copy_(torch.tensor(value.T))
    wrapped = opacus.GradSampleModule(network, loss_reduction="sum")
    outputs = wrapped(torch.tensor(X))
    torch.nn.functional.cross_entropy(outputs, torch.tensor(Y), reduction="sum").backward()
    rows = [p.grad_sample.numpy().reshape(len(X), -1) for p in wrapped.parameters()]
    norms = np.sqrt(sum((row**2).sum(1) for row in rows))
    np.testing.assert_allclose(clipped(model)[2], norms, rtol=1e-6)


@pytest.mark.promise("Noise that is correlated")
def test_correlated_noise_of_jax_privacy(model):
    """What a factorized matrix adds to sums of zero, step by step."""
    noise_addition = pytest.importorskip("jax_privacy.noise_addition")
    inverse = jnp.linalg.inv(jnp.eye(6) + 0.5 * jnp.eye(6, k=-1))

    def pair():
        key = jax.random.key(3)
        return noise_addition.matrix_factorization_privatizer(inverse, stddev=1.0, prng_key=key)

    noisy = privacy.DPSGD(clip=1.0, noise=pair(), batch_size=1, sampling="turns", delta=1e-3)
    model.compile(jkeras.optimizers.SGD(1.0), LOSS, privacy=noisy)
    model.fit(X, Y, batch_size=8, verbose=0)  # its state goes through variables
    state = jkeras.training.init_train_state(model, 0)
    step = jax.jit(jkeras.training.make_train_step(model))
    alone = pair()
    own = alone.init(state.params)
    for _ in range(3):
        before = state
        state, _ = step(state, (X, Y), np.zeros(16, bool))
        zeros = jax.tree_util.tree_map(jnp.zeros_like, before.params)
        added, own = alone.update(zeros, own)
        for a, b, c in zip(*map(jax.tree_util.tree_leaves, (before.params, state.params, added))):
            np.testing.assert_allclose(a - b, c, atol=1e-5)


PROGRAM = """
import jkeras

jkeras.install_as_keras()
import keras
import numpy as np
from jax_privacy import keras_api

x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
given = dict(clipping_norm=1.0, batch_size=16, gradient_accumulation_steps=1, train_steps=40)
config = keras_api.DPKerasConfig(epsilon=5.0, delta=1e-3, train_size=64, seed=0, **given)
model = keras_api.make_private(model, config)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
losses = model.fit(x, (x[:, 0] > 0).astype(int), batch_size=16, epochs=8, verbose=0).history["loss"]
assert losses[-1] < losses[0], losses
"""


@pytest.mark.promise("`jax_privacy.keras_api.make_private` runs on")
def test_make_private_of_jax_privacy():
    pytest.importorskip("jax_privacy")
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
