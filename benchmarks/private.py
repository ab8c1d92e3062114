"""An epoch of `fit` with `compile(privacy=)` beside a hand-written step that clips the gradient of
each row and adds noise.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jkeras
from benchmarks.others import Experiment
from benchmarks.peers import keras_, plain
from benchmarks.work import Work

CLIP, NOISE = 1.0, 1.0


def make_step(work, optimizer):
    """`step((params, moments, key), x, y)` -> the same, one step on."""

    def loss(params, x, y):
        logits = plain.forward(work, params, {}, x[None])[0][0]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y)

    def private(key, grad):
        noise = NOISE * CLIP * jax.random.normal(key, grad.shape)
        return (grad + noise) / work.batch

    def step(state, x, y):
        params, moments, key = state
        grads = jax.vmap(jax.grad(loss), (None, 0, 0))(params, x, y)
        norms = jax.vmap(optax.global_norm)(grads)
        factors = jnp.minimum(1.0, CLIP / norms)
        grads = jax.tree.map(lambda g: jnp.tensordot(factors, g, 1), grads)
        leaves, treedef = jax.tree.flatten(grads)
        key, *keys = jax.random.split(key, len(leaves) + 1)
        grads = treedef.unflatten(map(private, keys, leaves))
        updates, moments = optimizer.update(grads, moments)
        return optax.apply_updates(params, updates), moments, key

    return jax.jit(step, donate_argnums=0)


def by_hand(work, x, y):
    """An epoch of the hand-written step, as a function."""
    optimizer = optax.adam(1e-3)
    step, rng = make_step(work, optimizer), np.random.default_rng(0)
    params, _ = plain.start(work)
    state = params, optimizer.init(params), jax.random.key(0)

    def run():
        nonlocal state
        for rows in rng.permutation(len(x)).reshape(-1, work.batch):
            state = step(state, x[rows], y[rows])
        jax.block_until_ready(state)

    return run


def ours(work, x, y):
    """An epoch of `fit`, as a function."""
    model = keras_.network(jkeras, work)
    privacy = jkeras.privacy.DPSGD(clip=CLIP, noise_multiplier=NOISE, delta=1e-5, sampling="turns")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(1e-3), loss, privacy=privacy)
    return lambda: model.fit(x, y, batch_size=work.batch, epochs=1, verbose=0)


def experiments(quick):
    sizes = [(16, 64)] if quick else [(64, 128), (512, 128)]
    for units, batch in sizes:
        work = Work(
            f"private{units}", "", "mlp", (64,), units=(units, units), batch=batch, steps=20
        )
        x, y = work.data()
        forms = {"by hand": by_hand(work, x, y), "jkeras": ours(work, x, y)}
        title = f"DP-SGD, a step (64-{units}-{units}-10, batch {batch})"
        yield Experiment(work.name, title, forms, count=work.steps)
