"""A diffusion model of digits: a network that removes a little noise, a hundred times, until a
digit is left.

Denoising diffusion (Ho, Jain and Abbeel, 2020) with the cosine schedule (Nichol and Dhariwal,
2021), told which digit is wanted. Pure functions: one jitted loop (`lax.scan`) is the training,
another one draws. Run it with `python examples/ddpm.py`.

Judged by the nearest real image: how many drawn ones show the digit that was asked for, and how far
they are from it compared with images that the training has not seen.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

TIMES = 100
WIDTH = 256


def network():
    """(noisy images, times, digits) -> noise: residual blocks, each told the time and the digit."""
    image = jkeras.Input((64,))
    time = jkeras.Input((), dtype="int32")
    digit = jkeras.Input((), dtype="int32")
    told = layers.Add()([layers.Embedding(TIMES, WIDTH)(time), layers.Embedding(10, WIDTH)(digit)])
    told = layers.Dense(WIDTH, activation="silu")(told)
    x = layers.Dense(WIDTH)(image)
    for _ in range(3):
        h = layers.Add()([layers.LayerNormalization()(x), layers.Dense(WIDTH)(told)])
        h = layers.Dense(WIDTH, activation="silu")(h)
        x = layers.Add()([x, layers.Dense(WIDTH)(h)])
    return jkeras.Model([image, time, digit], layers.Dense(64, kernel_initializer="zeros")(x))


def kept_signal():
    """(times,): the share of the image's variance that is left at each time."""
    wave = np.cos((np.arange(TIMES + 1) / TIMES + 0.008) / 1.008 * np.pi / 2) ** 2
    return jnp.asarray(np.clip(wave[1:] / wave[0], 1e-4, 1.0), "float32")


def noisy(image, noise, kept):
    """An image (…, 64) with so much of it kept, and noise for the rest."""
    return jnp.sqrt(kept)[:, None] * image + jnp.sqrt(1 - kept)[:, None] * noise


def train(model, images, labels, steps, batch_size=128, seed=0):
    """The model's averaged parameters and its state, after training."""
    shapes = [jax.ShapeDtypeStruct((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    params, state = model.init(jax.random.key(seed), shapes)
    optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(2e-3, steps))
    kept = kept_signal()

    def loss(params, image, time, digit, noise):
        found, _ = model.apply(
            params, state, [noisy(image, noise, kept[time]), time, digit], training=True
        )
        return jnp.mean((found - noise) ** 2)

    def step(carry, key):
        params, average, opt_state = carry
        keys = jax.random.split(key, 3)
        rows = jax.random.randint(keys[0], (batch_size,), 0, len(images))
        time = jax.random.randint(keys[1], (batch_size,), 0, TIMES)
        noise = jax.random.normal(keys[2], (batch_size, 64))
        value, grads = jax.value_and_grad(loss)(params, images[rows], time, labels[rows], noise)
        params, opt_state = optimizer.step(grads, opt_state, params)
        average = jax.tree.map(lambda a, p: 0.995 * a + 0.005 * p, average, params)
        return (params, average, opt_state), value

    keys = jax.random.split(jax.random.key(seed + 1), steps)
    (_, average, _), losses = jax.jit(lambda carry: jax.lax.scan(step, carry, keys))(
        (params, params, optimizer.init(params))
    )
    return average, state, losses


def draw(model, params, state, asked, key):
    """Images (count, 64) of the digits asked for."""
    kept = kept_signal()
    before = jnp.concatenate([jnp.ones(1), kept[:-1]])  # what is left one time earlier

    def earlier(x, step):
        time, key = step
        found, _ = model.apply(
            params, state, [x, jnp.full(len(asked), time), asked], training=False
        )
        image = jnp.clip((x - jnp.sqrt(1 - kept[time]) * found) / jnp.sqrt(kept[time]), -1, 1)
        beta = 1 - kept[time] / before[time]
        mean = (
            jnp.sqrt(before[time]) * beta * image + jnp.sqrt(1 - beta) * (1 - before[time]) * x
        ) / (1 - kept[time])
        spread = jnp.sqrt(beta * (1 - before[time]) / (1 - kept[time]))
        return mean + spread * jax.random.normal(key, x.shape), None

    first, rest = jax.random.split(key)
    steps = jnp.arange(TIMES)[::-1], jax.random.split(rest, TIMES)
    return jax.lax.scan(earlier, jax.random.normal(first, (len(asked), 64)), steps)[0]


def nearest(made, images):
    """(number, distance) of the nearest of some images to each made one."""
    distances = np.sqrt(((np.asarray(made)[:, None] - images[None]) ** 2).sum(-1))  # (made, images)
    return distances.argmin(1), distances.min(1)


def main(steps=6000, count=300):
    """Trains and draws; prints and returns the share of right digits and the ratio of distances."""
    (x, y), (x_test, _) = digits.load_data()
    x, x_test = (np.asarray(part.reshape(len(part), 64) / 8 - 1, "float32") for part in (x, x_test))
    model = network()
    params, state, losses = train(model, jnp.asarray(x), jnp.asarray(y, "int32"), steps)
    asked = jnp.arange(count) % 10
    made = jax.jit(lambda params: draw(model, params, state, asked, jax.random.key(2)))(params)
    numbers, distances = nearest(made, x)
    right = float(np.mean(y[numbers] == np.asarray(asked)))
    ratio = float(np.mean(distances) / np.mean(nearest(x_test, x)[1]))
    print(
        f"loss {losses[-200:].mean():.4f}; {right:.3f} of the images show the asked digit, and "
        f"they are {ratio:.2f} times as far from the real ones as unseen digits are"
    )
    return right, ratio


if __name__ == "__main__":
    main()
