"""The forms that jkeras chooses where XLA's default loses, beside the plain forms.

    python -m benchmarks.kernels [ROUNDS] [--quick]

What is called "jkeras" is the public function, so it is whatever form is chosen on the platform at
hand. The first form of each experiment is what the others are compared with. Prints one experiment
a line, as JSON.
"""

import json
import statistics
import sys
import time

from benchmarks.worker import settle

if __name__ == "__main__":
    settle()

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

import jkeras
from jkeras.ops import recurrent
from jkeras.ops.kernels import outside_loops

ROUND_S = 0.02  # a fast form is called again and again until a round takes about this long


def draw(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), "float32")


def with_gradient(function, *which):
    """Forward and the gradient of the sum of squares by some arguments."""

    def loss(*args):
        y = function(*args)
        return jnp.sum(y * y)

    return jax.value_and_grad(loss, which)


def pool_plain(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def conv_plain(x, kernel, groups=1, padding="SAME"):
    return lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def conv_ours(x, kernel, padding="same"):
    return jkeras.ops.conv(x, kernel, padding=padding)


def twice(function):
    """Two steps of gradient descent on a kernel, in one `lax.scan`."""
    step = with_gradient(function, 1)
    return lambda x, kernel: lax.scan(
        lambda k, _: (k - 1e-6 * step(x, k)[1][0], None), kernel, None, 2
    )[0]


# ---------------------------------------------------------------- the experiments: title -> (small,
# large) -> forms


def pooling(gradient, shape):
    forms = {"reduce_window": pool_plain, "jkeras": lambda x: jkeras.ops.max_pool(x, 2)}
    if gradient:
        forms = {name: with_gradient(f, 0) for name, f in forms.items()}
    return forms, (draw(*shape),)


def convolution(shape, filters, padding="SAME", wrap=lambda f: with_gradient(f, 0, 1), size=3):
    ours = lambda x, k: conv_ours(x, k, padding.lower())
    forms = {"lax": wrap(lambda x, k: conv_plain(x, k, padding=padding)), "jkeras": wrap(ours)}
    if wrap is not twice and size > 1:
        forms["jkeras, as in fit"] = outside_loops(wrap(ours))
    return forms, (draw(*shape), draw(size, size, shape[-1], filters) / 10)


def dense(shape, units):
    layer = jkeras.layers.Dense(units, use_bias=False)
    layer.build(shape)
    forms = {
        "matmul": jnp.matmul,
        "jkeras": lambda x, kernel: layer.apply({"kernel": kernel}, {}, x)[0],
    }
    return {name: with_gradient(f, 0, 1) for name, f in forms.items()}, (
        draw(*shape),
        draw(shape[-1], units) / 10,
    )


def gelu(*shape):
    forms = {
        "jax.nn": lambda x: jax.nn.gelu(x, approximate=False),
        "jkeras": lambda x: jkeras.ops.gelu(x, approximate=False),
    }
    return {name: with_gradient(f, 0) for name, f in forms.items()}, (draw(*shape),)


def depthwise(shape):
    forms = {
        "grouped": lambda x, k: conv_plain(x, k.reshape(3, 3, 1, -1), shape[-1]),
        "jkeras": lambda x, k: jkeras.ops.depthwise_conv(x, k, padding="same"),
    }
    return {name: with_gradient(f, 0, 1) for name, f in forms.items()}, (
        draw(*shape),
        draw(3, 3, shape[-1], 1),
    )


def lstm(time_, batch, units):
    def run(hoist):
        def layer(x, kernel, recurrent_kernel):
            def step(z, states, t):
                h, c = states
                i, f, g, o = jnp.split(z + h @ recurrent_kernel, 4, -1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = jax.nn.sigmoid(o) * jnp.tanh(c)
                return h, (h, c)

            start = jnp.zeros((batch, units))
            whole = recurrent.Step(lambda x: x @ kernel, step, hoist)
            return recurrent.scan(whole, x, (start, start))[0]

        return with_gradient(layer, 1, 2)

    kernel = draw(units, 4 * units) / 10
    return {
        "projected before the loop": run(True),
        "in the loop": run(False),
        "jkeras": run(None),
    }, (draw(time_, batch, units), kernel, kernel)


def attention(batch, length):
    def einsum(q, k, v):
        scores = jnp.einsum("bthd,bshd->bhts", q, k) / q.shape[-1] ** 0.5
        return jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores), v)

    forms = {
        "einsum": einsum,
        "jax.nn": jax.nn.dot_product_attention,
        "jkeras": jkeras.ops.dot_product_attention,
    }
    return {name: with_gradient(f, 0, 1, 2) for name, f in forms.items()}, (
        draw(batch, length, 4, 32),
    ) * 3


def embedding(rows, ids):
    layer = jkeras.layers.Embedding(rows, 64)
    layer.build()
    forms = {
        "one-hot": lambda table, ids: jax.nn.one_hot(ids, rows) @ table,
        "jkeras": lambda table, ids: layer.apply({"embeddings": table}, {}, ids)[0],
    }
    return {name: with_gradient(f, 0) for name, f in forms.items()}, (
        draw(rows, 64),
        np.random.default_rng(0).integers(0, rows, ids, dtype="int32"),
    )


def crossentropy(batch, classes):
    def probabilities(logits, y):
        p = jnp.clip(jax.nn.softmax(logits), 1e-7, 1 - 1e-7)
        return -(jax.nn.one_hot(y, classes) * jnp.log(p)).sum(-1)

    forms = {
        "softmax, clip, log, one-hot": probabilities,
        "picked logit (optax)": optax.softmax_cross_entropy_with_integer_labels,
        "jkeras": lambda x, y: jkeras.ops.sparse_categorical_crossentropy(y, x, from_logits=True),
    }
    return {name: with_gradient(f, 0) for name, f in forms.items()}, (
        draw(batch, classes),
        np.random.default_rng(0).integers(0, classes, batch, dtype="int32"),
    )


def accuracy(batch, classes):
    forms = {
        "argmax": lambda x, y: (jnp.argmax(x, -1) == y).astype("float32"),
        "jkeras": lambda x, y: jkeras.metrics.sparse_categorical_accuracy(y, x),
    }
    return forms, (
        draw(batch, classes),
        np.random.default_rng(0).integers(0, classes, batch, dtype="int32"),
    )


def dropout(times, *shape):
    """Several in one program, as in a model."""

    def in_turn(drop):
        def run(x, key):
            for i in range(times):
                x = drop(x, jax.random.fold_in(key, i))
            return x

        return run

    forms = {
        "jax.random": lambda x, key: jnp.where(jax.random.bernoulli(key, 0.9, x.shape), x / 0.9, 0),
        "jkeras": lambda x, key: jkeras.random.dropout(x, 0.1, seed=key),
    }
    return {name: in_turn(f) for name, f in forms.items()}, (draw(*shape), jax.random.key(0))


def adam(count, *shape):
    def of_optax(transform):
        def update(params, grads):
            updates, state = transform.update(grads, transform.init(params))
            return optax.apply_updates(params, updates), state

        return update

    ours = jkeras.optimizers.Adam(1e-3)
    forms = {
        "optax, tree": of_optax(optax.adam(1e-3)),
        "optax, flat": of_optax(optax.flatten(optax.adam(1e-3))),
        "jkeras": lambda params, grads: ours.step(grads, ours.init(params), params),
    }
    params = {f"w{i:03d}": draw(*shape) for i in range(count)}
    return forms, (params, params)


EXPERIMENTS = {
    "max pooling 2x2, 64x24x24x64, forward": lambda n: pooling(False, (64 // n, 24, 24, 64)),
    "max pooling 2x2, 64x24x24x64, forward and gradient": lambda n: pooling(
        True, (64 // n, 24, 24, 64)
    ),
    "convolution 3x3, 64x26x26x32 -> 64, forward and gradients": lambda n: convolution(
        (64 // n, 26, 26, 32), 64, "VALID"
    ),
    "convolution 3x3, 32x32x32x16 -> 16, forward and gradients": lambda n: convolution(
        (32 // n, 32, 32, 16), 16
    ),
    "convolution 3x3, 16x18x18x16 -> 16, two steps in a scan": lambda n: convolution(
        (16 // n, 18, 18, 16), 16, wrap=twice
    ),
    "convolution 1x1, 32x32x32x32 -> 64, forward and gradients": lambda n: convolution(
        (32 // n, 32, 32, 32), 64, size=1
    ),
    "depthwise 3x3, 32x24x24x32, forward and gradients": lambda n: depthwise((32 // n, 24, 24, 32)),
    "Dense 512 on 32x64x128, forward and gradients": lambda n: dense((32 // n, 64, 128), 512),
    "Dense 128 on 32x64x512, forward and gradients": lambda n: dense((32 // n, 64, 512), 128),
    "Dense 10 on 128x512, forward and gradients": lambda n: dense((128 // n, 512), 10),
    "exact GELU, 32x64x512, forward and gradient": lambda n: gelu(32 // n, 64, 512),
    "LSTM 64, 32x80, forward and weight gradients": lambda n: lstm(80 // n, 32, 64),
    "attention 32x64, 4 heads of 32, forward and gradients": lambda n: attention(32 // n, 64),
    "attention 2x512, 4 heads of 32, forward and gradients": lambda n: attention(2, 512 // n),
    "embedding 5000x64, 32x80 ids, forward and gradient": lambda n: embedding(
        5000 // n, (32, 80 // n)
    ),
    "cross-entropy of logits 128x10000, value and gradient": lambda n: crossentropy(
        128, 10_000 // n
    ),
    "accuracy of 128x1000 scores": lambda n: accuracy(128 // n, 1000),
    "six dropouts, 32x64x512": lambda n: dropout(6, 32 // n, 64, 512),
    "Adam, 200 leaves of 64": lambda n: adam(200 // n, 64),
    "Adam, 6 leaves of 512x512": lambda n: adam(6, 512 // n, 512),
}


def measure(forms, args, rounds):
    """{form: {"first_s":, "rounds": [ms of CPU time, ...]}}."""
    functions, repeats, found = {name: jax.jit(f) for name, f in forms.items()}, {}, {}
    for name, function in functions.items():
        first = seconds(function, args, 1)
        repeats[name] = max(1, int(ROUND_S / max(seconds(function, args, 1), 1e-6)))
        found[name] = {"first_s": first, "rounds": []}
    for _ in range(rounds):
        for name, function in functions.items():
            found[name]["rounds"].append(
                seconds(function, args, repeats[name]) * 1e3 / repeats[name]
            )
    return found


def seconds(function, args, times):
    """Processor seconds of so many calls."""
    begin = time.process_time()
    for _ in range(times):
        jax.block_until_ready(function(*args))
    return time.process_time() - begin


def main(rounds, quick):
    for title, make in EXPERIMENTS.items():
        found = measure(*make(8 if quick else 1), rounds)
        print(json.dumps({"title": title, "forms": found}), flush=True)
        if sys.stderr.isatty():
            medians = {name: statistics.median(f["rounds"]) for name, f in found.items()}
            print(title, {name: round(ms, 3) for name, ms in medians.items()}, file=sys.stderr)


if __name__ == "__main__":
    main(int(next((a for a in sys.argv[1:] if a.isdigit()), 5)), "--quick" in sys.argv)
