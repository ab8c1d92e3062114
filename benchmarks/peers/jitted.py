"""A hand-written loop over a jitted step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers.plain import forward, make_step, start


def fit(work, x, y):
    optimizer = optax.adam(1e-3)
    step = jax.jit(make_step(work, optimizer), donate_argnums=0)
    params, stats = start(work)
    state = params, stats, optimizer.init(params)
    rng = np.random.default_rng(0)

    def run():
        nonlocal state
        for _ in range(work.epochs):
            order = rng.permutation(len(x)) if work.shuffle else np.arange(len(x))
            now = *state, jnp.zeros(2)
            batches = [order[i : i + work.batch] for i in range(0, len(x), work.batch)]
            for rows in batches:
                now = step(now, x[rows], y[rows])
            state, sums = now[:3], now[3]
        return dict(zip(("loss", "accuracy"), map(float, np.asarray(sums) / len(batches))))

    return run


def predict(work):
    params, stats = start(work)
    function = jax.jit(lambda params, x: forward(work, params, stats, x)[0])
    return lambda x: np.asarray(function(params, x))
