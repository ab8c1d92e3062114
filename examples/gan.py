"""A conditional GAN of digits: two networks against each other, each with an optimizer of its own.

Goodfellow et al. (2014), with the asked digit given to both networks (Mirza and Osindero, 2014).
The critic learns to tell real images from made ones, the generator to be taken for real. A model
with several optimizers writes two methods: `init_opt_state` makes their states, and
`pure_train_step` is a function from one `TrainState` to the next, in which a gradient is taken for
each network. Everything else of `fit` stays. Run it with `python examples/gan.py`.

Judged by the nearest real image: how many images show the digit that was asked for, and how many
different real ones they come near to.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

NOISE = 24


def network(inputs, outputs, activation=None):
    """Two hidden layers between a vector beside a digit's one-hot code, and another vector."""
    return jkeras.Sequential(
        [
            jkeras.Input((inputs + 10,)),
            layers.Dense(192),
            layers.LeakyReLU(0.2),
            layers.Dense(192),
            layers.LeakyReLU(0.2),
            layers.Dense(outputs, activation=activation),
        ]
    )


class GAN(jkeras.Model):
    """Digits (batch,) -> images (batch, 64) in [-1, 1]."""

    def __init__(self):
        super().__init__()
        self.critic, self.generator = network(64, 1), network(NOISE, 64, "tanh")
        self.optimizers = {
            name: jkeras.optimizers.Adam(rate, beta_1=0.5)
            for name, rate in (("critic", 4e-4), ("generator", 2e-4))
        }

    def call(self, digit, noise):
        return self.generator(jkeras.ops.concatenate([noise, jax.nn.one_hot(digit, 10)], axis=-1))

    def init_opt_state(self, params):
        return {name: optimizer.init(params[name]) for name, optimizer in self.optimizers.items()}

    def judge(self, params, image, digit):
        """How real the critic takes images to be: logits."""
        return self.critic.apply(
            params, {}, jnp.concatenate([image, jax.nn.one_hot(digit, 10)], axis=-1)
        )[0]

    def make(self, params, noise, digit):
        """The generator's images."""
        return self.generator.apply(
            params, {}, jnp.concatenate([noise, jax.nn.one_hot(digit, 10)], axis=-1)
        )[0]

    def pure_train_step(self, state, batch):
        image, digit = batch[:2]
        noise = jax.random.normal(jax.random.fold_in(state.rng, state.step), (len(image), NOISE))
        params, opt_state = dict(state.params), dict(state.opt_state)

        def critic_loss(critic):
            real = self.judge(critic, image, digit)
            made = self.judge(critic, self.make(params["generator"], noise, digit), digit)
            return jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(made))

        def generator_loss(generator):
            return jnp.mean(
                jax.nn.softplus(
                    -self.judge(params["critic"], self.make(generator, noise, digit), digit)
                )
            )

        logs = {}
        for name, loss in (("critic", critic_loss), ("generator", generator_loss)):
            logs[f"{name}_loss"], grads = jax.value_and_grad(loss)(params[name])
            params[name], opt_state[name] = self.optimizers[name].step(
                grads, opt_state[name], params[name]
            )
        return state._replace(step=state.step + 1, params=params, opt_state=opt_state), logs


def judged(made, asked, images, labels):
    """(share of made images whose nearest real one shows the asked digit, number of different
    nearest ones).
    """
    distances = ((made[:, None] - images[None]) ** 2).sum(-1)  # (made, images)
    nearest = distances.argmin(1)
    return float(np.mean(labels[nearest] == asked)), len(set(nearest.tolist()))


def main(epochs=300, count=300):
    """Trains; prints and returns what `judged` finds for so many images."""
    jkeras.utils.set_random_seed(0)
    (x, y), _ = digits.load_data()
    x, y = (x.reshape(len(x), 64) / 8 - 1).astype("float32"), y.astype("int32")
    asked = np.arange(count).astype("int32") % 10
    noise = np.random.default_rng(1).normal(size=(count, NOISE)).astype("float32")
    gan = GAN()
    gan(asked, noise)
    gan.compile()
    gan.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    right, different = judged(np.asarray(gan(asked, noise)), asked, x, y)
    print(
        f"{right:.3f} of the images show the asked digit; they are nearest to {different} real "
        f"ones of {count} tries"
    )
    return right, different


if __name__ == "__main__":
    main()
