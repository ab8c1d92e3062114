"""Trainings of one shape as one program: splits of data, folds of a cross-validation, seeds."""

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.training import TrainState, init_train_state, make_train_step


def keys_of(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def folds(rows: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of training (count, …) and of test (count, rows // count), in a random order.

    All folds have as many rows, so that they are one array: where `rows` is no multiple of
    `count`, the last few of the order are in no fold's test, and in each training.
    """
    order = np.random.default_rng(seed).permutation(rows)
    size = rows // count
    parts = order[: size * count].reshape(count, size)
    train = [np.setdiff1d(order, part, assume_unique=True) for part in parts]
    return np.stack(train), parts


def trained(model, x, y, epochs, batch, keys) -> TrainState:
    """The states of a compiled model for each split, (splits, …), by one program.

    Args:
        x, y: (splits, rows, …), or (rows, …) for all of them. Of each epoch, in a random order,
            the last rows that are no whole batch are left out.
        keys: (splits,), for the first weights, the orders and all other random numbers.
    """
    step = make_train_step(model)
    axis = 0 if y.ndim == 2 else None
    rows = x.shape[0 if axis is None else 1]
    steps = rows // batch

    def one_epoch(state, key, x, y):
        order = jax.random.permutation(key, rows)[: steps * batch].reshape(steps, batch)
        body = lambda state, rows: (step(state, (x[rows], y[rows, None]))[0], None)  # noqa: E731
        return jax.lax.scan(body, state, order)[0]

    def one_split(state, key, x, y):
        body = lambda state, key: (one_epoch(state, key, x, y), None)  # noqa: E731
        return jax.lax.scan(body, state, jax.random.split(key, epochs))[0]

    states = [init_train_state(model, key) for key in keys]
    states = jax.tree_util.tree_map(lambda *v: jnp.stack(v), *states)
    return jax.jit(jax.vmap(one_split, (0, 0, axis, axis)))(states, keys, x, y)


def predicted(model, states: TrainState, x) -> np.ndarray:
    """Outputs (splits, rows, …) of what `trained` gives, for x (splits, rows, …)."""
    one = lambda params, state, x: model.apply(params, state, x)[0]  # noqa: E731
    return np.asarray(jax.jit(jax.vmap(one))(states.params, states.state, x))
