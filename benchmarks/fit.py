"""A training step and a prediction of one row, beside a hand-written JAX loop and Keras: medians of interleaved rounds.

    python benchmarks/fit.py            # jkeras and JAX
    python benchmarks/fit.py --keras    # real Keras too (the `benchmark` extra)

A tiny MLP (32-32-10, batch 32, Adam, accuracy), where what counts is the cost of a dispatch.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jkeras

ROWS, BATCH, EPOCHS, ROUNDS = 3200, 32, 4, 7
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(ROWS, 32)).astype("float32"), RNG.integers(0, 10, ROWS).astype("int32")


def network(library):
    """The compiled model of a library."""
    model = library.Sequential([library.Input((32,)), library.layers.Dense(32, activation="relu"),
                                library.layers.Dense(10)])
    model.compile(library.optimizers.Adam(1e-3), library.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"])
    return model


def per_step(model, **kwargs):
    """`fit`, as a function of nothing."""
    return lambda: model.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, verbose=0, **kwargs)


def by_hand():
    """The same training as a loop of a jitted step."""
    params = {"a": jnp.zeros((32, 32)), "b": jnp.zeros(32), "c": jnp.zeros((32, 10)), "d": jnp.zeros(10)}
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(params, state, x, y):
        def loss_of(p):
            logits = jax.nn.relu(x @ p["a"] + p["b"]) @ p["c"] + p["d"]
            right = jnp.mean(logits.argmax(-1) == y)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), right
        (loss, right), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, loss, right

    def run():
        p, state = params, optimizer.init(params)
        for _ in range(EPOCHS):
            order = RNG.permutation(ROWS)
            for i in range(0, ROWS, BATCH):
                p, state, *logs = step(p, state, X[order[i:i + BATCH]], Y[order[i:i + BATCH]])
        jax.block_until_ready(logs)
    return run


def main():
    """Prints milliseconds, and each row relative to the hand-written loop."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keras", action="store_true", help="measure real Keras too")
    libraries = [jkeras]
    if parser.parse_args().keras:
        import keras

        libraries.append(keras)
    steps, work = EPOCHS * ROWS // BATCH, {"hand-written loop, step": by_hand()}
    for library in libraries:
        model, name = network(library), library.__name__
        looking = library.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        work[f"{name} fit, step"] = per_step(model)
        work[f"{name} fit with a callback on batches, step"] = per_step(model, callbacks=[looking])
        work[f"{name} predict, one row"] = lambda model=model: [model.predict(X[:1], verbose=0) for _ in range(50)]
        work[f"{name} train_on_batch"] = lambda model=model: [model.train_on_batch(X[:32], Y[:32]) for _ in range(50)]
    times = {name: [] for name in work}
    for function in work.values():
        function()
    for _ in range(ROUNDS):
        for name, function in work.items():
            begin = time.perf_counter()
            function()
            times[name].append((time.perf_counter() - begin) * 1e3 / (steps if "step" in name else 50))
    base = statistics.median(times["hand-written loop, step"])
    for name, values in times.items():
        print(f"{name:45} {statistics.median(values):8.3f} ms  {statistics.median(values) / base:6.2f}")


if __name__ == "__main__":
    main()
