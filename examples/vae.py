"""A variational autoencoder of digits: a code for each image, and images from codes (Kingma and
Welling, 2014).

The encoder gives a normal distribution for each image, `Sampling` draws from it and adds its
divergence from the prior to the loss, the decoder gives the chance of ink in each pixel. The bound
on how well unseen images are described is set beside that of the mean image, which knows nothing of
any image. Run it with `python examples/vae.py`.
"""

import numpy as np

import jkeras
from jkeras import layers, ops
from jkeras.datasets import digits

CODES = 8


class Sampling(layers.Layer):
    """A draw from N(mean, exp(log_variance)), whose divergence from N(0, 1) joins the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = jkeras.random.SeedGenerator(0)

    def call(self, mean, log_variance):
        divergence = 0.5 * ops.sum(ops.exp(log_variance) + mean**2 - 1 - log_variance, axis=-1)
        self.add_loss(ops.mean(divergence))
        return mean + ops.exp(log_variance / 2) * jkeras.random.normal(
            ops.shape(mean), seed=self.seeds
        )


def build():
    """(encoder, decoder, both together): models over shared layers."""
    image = jkeras.Input((64,))
    h = layers.Dense(256, activation="relu")(image)
    mean = layers.Dense(CODES, name="mean")(h)
    log_variance = layers.Dense(CODES, name="log_variance")(h)
    encoder = jkeras.Model(image, [mean, log_variance], name="encoder")
    decoder = jkeras.Sequential(
        [jkeras.Input((CODES,)), layers.Dense(256, activation="relu"), layers.Dense(64)],
        name="decoder",
    )
    return encoder, decoder, jkeras.Model(image, decoder(Sampling()(*encoder(image))), name="vae")


def nats(image, logits):
    """Cross-entropy of an image's pixels in [0, 1], summed: nats for each image."""
    return ops.sum(ops.softplus(logits) - image * logits, axis=-1)


def show(images):
    """Images (count, 64) beside each other, in characters."""
    shades = np.array(list(" .:-=+*#%@"))
    pixels = shades[np.clip(images * 10, 0, 9).astype(int)].reshape(-1, 8, 8)
    for row in range(8):
        print("  ".join("".join(pixel * 2 for pixel in image[row]) for image in pixels))


def main(epochs=100):
    """Trains, draws five new images; prints and returns the bounds in nats for each unseen
    image.
    """
    jkeras.utils.set_random_seed(0)
    (x, _), (x_test, _) = digits.load_data()
    x, x_test = x.reshape(-1, 64) / np.float32(16), x_test.reshape(-1, 64) / np.float32(16)
    encoder, decoder, vae = build()
    vae.compile(jkeras.optimizers.Adam(2e-3), nats)
    vae.fit(x, x, epochs=epochs, verbose=0)

    codes = np.random.default_rng(0).normal(size=(5, CODES)).astype("float32")
    show(np.asarray(ops.sigmoid(decoder.predict(codes, verbose=0))))
    average = np.clip(x.mean(0), 1e-3, 1 - 1e-3)
    bounds = {
        "mean image": float(np.mean(nats(x_test, np.log(average / (1 - average))))),
        "VAE": vae.evaluate(x_test, x_test, verbose=0),
    }
    print(
        "nats for each unseen image,",
        ", ".join(f"{name}: {bound:.2f}" for name, bound in bounds.items()),
    )
    return bounds


if __name__ == "__main__":
    main()
