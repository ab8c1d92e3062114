"""The bounds of a variational autoencoder are in order, and tighter with more samples.

Kingma and Welling (2014) maximize a lower bound of the likelihood of images, by a sample of the
code of each. Burda, Grosse and Salakhutdinov (2016): the mean weight of k samples bounds it more
closely the larger k is, and a network that is trained on the bound of several gives unseen images
a larger likelihood. Here both are trained on binarized digits, several seeds in one program each,
and once on layers of Keras, with its initial weights, by the same program.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, over

SEEDS, STEPS, BATCH, RATE, CODES, WIDTH = 5, 3000, 100, 2e-3, 8, 128
SAMPLES, TRAINED = (1, 5, 50, 500), (1, 5)
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def images() -> tuple[np.ndarray, np.ndarray]:
    """Training and test digits (rows, 64), each pixel 1 with its shade as chance."""
    from jkeras.datasets import digits

    random, ((x, _), (x_test, _)) = np.random.default_rng(0), digits.load_data()
    binary = lambda x: np.float32(random.random((len(x), 64)) < x.reshape(-1, 64) / 16)
    return binary(x), binary(x_test)


def networks(library: Any) -> tuple:
    """(encoder: image -> mean and log-variance of its code; decoder: code -> logits)."""
    dense = library.layers.Dense
    image, code = library.Input((64,)), library.Input((CODES,))
    hidden = dense(WIDTH, "tanh")(image)
    encoder = library.Model(image, [dense(CODES)(hidden), dense(CODES)(hidden)])
    return encoder, library.Model(code, dense(64)(dense(WIDTH, "tanh")(code)))


def log_weights(apply: Any, params: Any, x: Any, key: Any, samples: int) -> Any:
    """log p(x, z) / q(z | x) of sampled codes z, (samples, rows), in nats."""
    mean, log_variance = apply[0](params[0], x)
    noise = jax.random.normal(key, (samples, *mean.shape))
    z = mean + jnp.exp(log_variance / 2) * noise
    logits = apply[1](params[1], z.reshape(-1, CODES)).reshape(samples, *x.shape)
    likelihood = (x * logits - jax.nn.softplus(logits)).sum(-1)
    prior = -(z**2 / 2 + HALF_LOG_2PI).sum(-1)
    return likelihood + prior + (noise**2 / 2 + log_variance / 2 + HALF_LOG_2PI).sum(-1)


def bound(weights: Any, samples: int) -> Any:
    """Mean bound of so many samples, from the logarithms of at least as many weights."""
    groups = weights[: len(weights) // samples * samples].reshape(-1, samples, weights.shape[1])
    return (jax.nn.logsumexp(groups, axis=1) - jnp.log(samples)).mean()


def trained(apply: Any, params: Any, x: Any, samples: int, key: Any) -> Any:
    """Params that make the bound of so many samples large."""
    import jkeras

    optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(RATE, STEPS))

    def step(carry, key):
        keys = jax.random.split(key)
        rows = x[jax.random.randint(keys[0], (BATCH,), 0, len(x))]
        loss = lambda params: -bound(log_weights(apply, params, rows, keys[1], samples), samples)
        return optimizer.step(jax.grad(loss)(carry[0]), carry[1], carry[0]), None

    keys = jax.random.split(key, STEPS)
    return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]


def of_jkeras(key: Any) -> tuple:
    """(functions of params and input, params) of both networks."""
    import jkeras

    nets = networks(jkeras)
    apply = [lambda params, x, net=net: net.apply(params, {}, x)[0] for net in nets]
    inputs = [jnp.zeros((1, net.input_shape[1])) for net in nets]
    return apply, [net.init(key, x)[0] for net, key, x in zip(nets, jax.random.split(key), inputs)]


def of_keras(key: Any) -> tuple:
    """The same, of layers and initial weights of Keras."""
    import keras

    keras.utils.set_random_seed(0)
    nets = networks(keras)
    apply = [lambda params, x, net=net: net.stateless_call(params, [], x)[0] for net in nets]
    return apply, [[variable.value for variable in net.trainable_variables] for net in nets]


def measure() -> tuple[list[Row], dict]:
    x, x_test = map(jnp.asarray, images())
    keys = jax.random.split(jax.random.key(0), SEEDS)

    def bounds(of_library, samples, key):
        apply, params = of_library(key)
        params = trained(apply, params, x, samples, jax.random.fold_in(key, 1))
        weights = log_weights(apply, params, x_test, jax.random.key(1), SAMPLES[-1])
        return jnp.stack([bound(weights, samples) for samples in SAMPLES])

    of_all = lambda k: jax.jit(jax.vmap(functools.partial(bounds, of_jkeras, k)))(keys)
    keras = jax.jit(functools.partial(bounds, of_keras, TRAINED[0]))(keys[0])
    found = [np.asarray(of_all(samples)) for samples in TRAINED]
    one, several = found  # (seeds, bounds) each
    rows = []
    for place, samples in enumerate(SAMPLES):
        of = f"bound of {samples} samples, nats"
        rows.append(over(of, one[:, place], published="larger with more", keras=keras[place]))
    closer = np.diff(one).min(0)
    for place, least in enumerate((0.05, 0.02, 0.002)):
        of = f"least gain of {SAMPLES[place + 1]} samples over {SAMPLES[place]}, nats"
        rows.append(Row(of, closer[place], published="more than 0", least=least))
    better = several[:, -1] - one[:, -1]
    rows.append(over("gain of training on the bound of 5 samples, nats", better, least=0.05))
    means = {"one": one.mean(0), "several": several.mean(0), "keras": np.asarray(keras)}
    return rows, {name: np.round(each, 4).tolist() for name, each in means.items()}


def draw(figure: Any, data: dict) -> None:
    """The bounds over the number of samples."""
    axes = figure.subplots()
    labels = "trained on the bound of 1 sample", "trained on that of 5", "Keras, 1 sample"
    for values, label, line in zip(data.values(), labels, ("o-", "o-", "--")):
        axes.plot(SAMPLES, values, line, label=label)
    axes.set(xscale="log", xlabel="samples", ylabel="bound of log p of test digits, nats")
    axes.legend(frameon=False)


RECORD = Record(
    group="papers",
    title="The bounds of a variational autoencoder are in order",
    about="Evidence lower bounds of 1 to 500 samples on binarized digits, of networks trained on "
    "that of 1 and on that of 5, five seeds in one program each.",
    packages=(),
    licence="digits: CC BY 4.0",
    source="Kingma and Welling, ICLR 2014; Burda et al., ICLR 2016: MNIST 86.76 and 85.54 nats",
    measure=measure,
    minutes=1,
    needs=("keras",),
    draw=draw,
)
