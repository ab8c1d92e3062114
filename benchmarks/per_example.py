"""Gradients of each row of a batch by itself, beside `jax.vmap` of `jax.grad` by hand."""

import jax
import optax

import jkeras
from benchmarks.others import Experiment
from benchmarks.peers import keras_, plain
from benchmarks.works import WORKS


def by_hand(work):
    """`grads(params, x, y)` of the hand-written network."""

    def loss(params, stats, x, y):
        logits = plain.forward(work, params, stats, x[None])[0][0]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y)

    return jax.jit(jax.vmap(jax.grad(loss), (None, None, 0, 0)))


def ours(work):
    """`grads(state, (x, y))` of a model, and its state."""
    model = keras_.network(jkeras, work)
    model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    grads = jkeras.training.per_example_grad(model)
    return jax.jit(grads), jkeras.training.init_train_state(model)


def both(work, x, y):
    """The gradients by hand and by jkeras, as functions."""
    plain_grads, values = by_hand(work), plain.start(work)
    grads, state = ours(work)
    return {
        "vmap of grad": lambda: jax.block_until_ready(plain_grads(*values, x, y)),
        "jkeras": lambda: jax.block_until_ready(grads(state, (x, y))),
    }


def experiments(quick):
    for name in ("tiny",) if quick else ("mlp", "cnn"):
        work = WORKS[name]
        x, y = (values[:32] for values in work.data())
        title = f"gradients of each of 32 rows, {name}"
        yield Experiment(f"per_example {name}", title, both(work, x, y))
