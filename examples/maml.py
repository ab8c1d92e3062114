"""Meta-learning: weights from which a few steps on ten points of a new wave are enough (MAML).

Finn, Abbeel and Levine (2017), on their sine waves. A layer is a pair of pure functions, so "the
loss after a step of gradient descent" is an expression that `jax.grad` differentiates, and a batch
of tasks is a `vmap`. The same network trained on all waves together, then adapted the same way, is
the baseline. Run it with `python examples/maml.py`.
"""

import jax
import jax.numpy as jnp

import jkeras
from jkeras import layers

SHOTS, TASKS, RATE = 10, 25, 0.01


def wave(key):
    """Points (x, y) to adapt to and points to be judged on, of one wave."""
    keys = jax.random.split(key, 3)
    amplitude = jax.random.uniform(keys[0], minval=0.1, maxval=5.0)
    phase = jax.random.uniform(keys[1], maxval=jnp.pi)
    x = jax.random.uniform(keys[2], (2 * SHOTS, 1), minval=-5.0, maxval=5.0)
    y = amplitude * jnp.sin(x + phase)
    return (x[:SHOTS], y[:SHOTS]), (x[SHOTS:], y[SHOTS:])


def make_losses():
    """(initial weights, loss(weights, points), loss after adapting in so many steps (weights, task,
    steps)).
    """
    network = jkeras.Sequential(
        [layers.Dense(40, "relu"), layers.Dense(40, "relu"), layers.Dense(1)]
    )
    params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 1), "float32"))

    def loss(params, points):
        x, y = points
        return jnp.mean((network.apply(params, state, x)[0] - y) ** 2)

    def adapted_loss(params, task, steps):
        support, query = task
        for _ in range(steps):
            grads = jax.grad(loss)(params, support)
            params = jax.tree.map(lambda p, g: p - RATE * g, params, grads)
        return loss(params, query)

    return params, loss, adapted_loss


def train(params, objective, steps):
    """Weights that make the mean objective of tasks small; `objective(params, task)`."""
    optimizer = jkeras.optimizers.Adam(1e-3)

    def step(carry, key):
        params, opt_state = carry
        tasks = jax.vmap(wave)(jax.random.split(key, TASKS))
        grads = jax.grad(lambda params: jax.vmap(objective, (None, 0))(params, tasks).mean())(
            params
        )
        return optimizer.step(grads, opt_state, params), None

    keys = jax.random.split(jax.random.key(1), steps)
    return jax.jit(lambda params: jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0])(
        params
    )


def main(steps=8000, adaptation=5):
    """Trains both ways; prints and returns their errors on new waves before and after
    adaptation.
    """
    first, loss, adapted_loss = make_losses()
    tasks = jax.vmap(wave)(jax.random.split(jax.random.key(2), 500))
    objectives = {
        "all waves at once": lambda params, task: loss(params, task[1]),
        "MAML": lambda params, task: adapted_loss(params, task, 1),
    }
    found = {}
    for name, objective in objectives.items():
        params = train(first, objective, steps)
        found[name] = [
            float(
                jax.vmap(lambda task, n=n, params=params: adapted_loss(params, task, n))(
                    tasks
                ).mean()
            )
            for n in (0, 1, adaptation)
        ]
        print(
            f"{name}: error on new waves {found[name][0]:.3f}, after one step "
            f"{found[name][1]:.3f}, after {adaptation} steps {found[name][2]:.3f}"
        )
    return found


if __name__ == "__main__":
    main()
