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


def trained(model, x, y, epochs, batch, keys, together=True) -> TrainState:
    """The states of a compiled model for each split, (splits, …), by one program.

    Args:
        x, y: (splits, rows, …), or (rows, …) for all of them. Of each epoch, in a random order,
            the last rows that are no whole batch are left out.
        keys: (splits,), for the first weights, the orders and all other random numbers.
        together: splits side by side; one after the other is faster for convolutions on a CPU.
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
    if together:
        return jax.jit(jax.vmap(one_split, (0, 0, axis, axis)))(states, keys, x, y)
    return jax.jit(in_turn(one_split, axis))(states, keys, x, y)


def in_turn(one_split, axis):
    """The function of all splits that takes one after the other."""

    def all_of(states, keys, x, y):
        if axis is None:
            return jax.lax.map(lambda each: one_split(*each, x, y), (states, keys))
        return jax.lax.map(lambda each: one_split(*each), (states, keys, x, y))

    return all_of


def predicted(model, states: TrainState, x, shared=False) -> np.ndarray:
    """Outputs (splits, rows, …) of what `trained` gives.

    Args:
        x: (splits, rows, …), or (rows, …) that are `shared` by all of them.
    """
    one = lambda params, state, x: model.apply(params, state, x)[0]  # noqa: E731
    every = jax.vmap(one, (0, 0, None if shared else 0))
    return np.asarray(jax.jit(every)(states.params, states.state, x))
