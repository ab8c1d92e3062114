"""The networks in plain JAX, for both hand-written loops: functions of a dict of arrays, XLA's
default forms.
"""

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.nn import gelu, relu


class Weights:
    """Weights by name: made at the first run of a network, given from then on; `stats` are
    BatchNorm's averages.
    """

    def __init__(self, params=None, stats=None):
        self.params = {} if params is None else params
        self.stats = stats or {}
        self.new = params is None

    def __call__(self, name, *shape, make=None):
        if self.new:
            make = make or jax.nn.initializers.glorot_uniform()
            self.params[name] = make(jax.random.key(len(self.params)), shape)
        return self.params[name]

    def laid(self, x):
        """What goes from block to block, as it lies over devices."""
        return x


ones, zeros = jax.nn.initializers.ones, jax.nn.initializers.zeros


def dense(w, name, x, units):
    return x @ w(f"{name}/kernel", x.shape[-1], units) + w(f"{name}/bias", units, make=zeros)


def convolution(w, name, x, filters, size=3, strides=1, padding="SAME", groups=1):
    kernel = w(f"{name}/kernel", size, size, x.shape[-1] // groups, filters)
    return lax.conv_general_dilated(
        x,
        kernel,
        (strides, strides),
        padding,
        feature_group_count=groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def bias(w, name, x):
    return x + w(f"{name}/bias", x.shape[-1], make=zeros)


def layer_norm(w, name, x):
    x = (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-3)
    return x * w(f"{name}/scale", x.shape[-1], make=ones) + w(
        f"{name}/shift", x.shape[-1], make=zeros
    )


def batch_norm(w, name, x):
    """In training: normalizes by the batch and moves the averages."""
    mean, var, size = x.mean((0, 1, 2)), x.var((0, 1, 2)), x.shape[-1]
    old = w.stats.get(name, (jnp.zeros(size), jnp.ones(size)))
    w.stats = w.stats | {name: tuple(0.99 * a + 0.01 * b for a, b in zip(old, (mean, var)))}
    x = (x - mean) * lax.rsqrt(var + 1e-3)
    return x * w(f"{name}/scale", size, make=ones) + w(f"{name}/shift", size, make=zeros)


# ---------------------------------------------------------------- the networks, up to the last
# layer


def cnn(w, x, work):
    x = relu(bias(w, "a", convolution(w, "a", x, 32, padding="VALID")))
    x = relu(bias(w, "b", convolution(w, "b", x, 64, padding="VALID")))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.reshape(x.shape[0], -1)


def separable(w, x, work):
    x = relu(bias(w, "a", convolution(w, "a", x, 32)))
    for i, filters in enumerate((32, 64)):
        x = convolution(w, f"depthwise{i}", x, x.shape[-1], groups=x.shape[-1])
        x = relu(bias(w, f"point{i}", convolution(w, f"point{i}", x, filters, 1)))
    return x.mean((1, 2))


def resnet(w, x, work):
    def normed(name, x, filters, size=3, strides=1):
        return batch_norm(w, name, convolution(w, name, x, filters, size, strides))

    x = relu(normed("stem", x, 16))
    for i, (filters, strides) in enumerate(((16, 1), (32, 2), (64, 2))):
        y = relu(normed(f"{i}a", x, filters, strides=strides))
        y = normed(f"{i}b", y, filters)
        if strides > 1:
            x = normed(f"{i}c", x, filters, 1, strides)
        x = relu(x + y)
    return x.mean((1, 2))


def lstm(w, x, work):
    x = w("embedding", work.vocabulary, 64)[x]
    kernel = w("kernel", 64, 256)
    recurrent = w("recurrent", 64, 256)
    shift = w("shift", 256, make=zeros)

    def step(carry, x):
        h, c = carry
        i, f, g, o = jnp.split(x @ kernel + h @ recurrent + shift, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((x.shape[0], 64), x.dtype)
    return lax.scan(step, (start, start), x.swapaxes(0, 1), unroll=work.unroll)[0][0]


def transformer(w, x, work):
    for i in range(2):
        y = layer_norm(w, f"{i}norm", x)
        q, k, v = (dense(w, f"{i}{name}", y, 128).reshape(*y.shape[:2], 4, 32) for name in "qkv")
        y = jax.nn.dot_product_attention(q, k, v).reshape(x.shape)
        x = x + dense(w, f"{i}out", y, 128)
        y = gelu(dense(w, f"{i}up", layer_norm(w, f"{i}norm2", x), 512), approximate=False)
        x = x + dense(w, f"{i}down", y, 128)
    return x.mean(1)


def mlp(w, x, work):
    for i, units in enumerate(work.units):
        x = relu(dense(w, f"hidden{i}", x, units))
    return x


# ---------------------------------------------------------------- training


def _logits(w, x, work):
    from benchmarks.peers import large_plain  # which takes the layers above

    network = getattr(large_plain, work.network, None) or globals()[work.network]
    return dense(w, "last", network(w, x, work), work.classes)


def forward(work, params, stats, x, weights=Weights):
    """(logits, new averages)."""
    w = weights(params, stats)
    return _logits(w, x, work), w.stats


def start(work):
    """(weights, averages)."""
    w, x = Weights(), jnp.zeros((1, *work.shape), "float32" if work.vocabulary is None else "int32")
    _logits(w, x, work)
    return w.params, w.stats


def make_step(work, optimizer, compute="float32", weights=Weights):
    """`step((params, averages, optimizer's state, sums of loss and accuracy), x, y)` -> the same,
    one step on.

    Args:
        compute: the type in which the network computes.
        weights: `Weights`, or what says how they lie over devices.
    """

    def cast(x):
        return x.astype(compute) if jnp.issubdtype(x.dtype, jnp.floating) else x

    def loss_of(params, stats, x, y):
        params, x = jax.tree_util.tree_map(cast, (params, x))
        logits, stats = forward(work, params, stats, x, weights)
        logits = logits.astype("float32")
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        return loss, (stats, jnp.mean(logits.argmax(-1) == y))

    def step(state, x, y):
        params, stats, moments, sums = state
        (loss, (stats, right)), grads = jax.value_and_grad(loss_of, has_aux=True)(
            params, stats, x, y
        )
        updates, moments = optimizer.update(grads, moments)
        return optax.apply_updates(params, updates), stats, moments, sums + jnp.stack([loss, right])

    return step
