# %% [markdown]
# # MAML: learn to learn from five points
#
# There are weights from which one step of gradient descent on a few points learns a new sine wave;
# they are found by going through that step with `grad` (Finn, Abbeel and Levine, ICML 2017). A
# network that is trained on all waves at once cannot do this, since their mean is nearly zero.
#
# It runs without a network: the program makes its data. Full form: about 40 seconds on a CPU.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers

# %% parameters
STEPS = 15_000

# %% [markdown]
# ## 1. Waves
#
# Amplitude from 0.1 to 5, phase from 0 to π, points from -5 to 5, as in the paper.

# %%
MOST, POINTS, WAVES = 10, 100, 600


def wave(key, points):
    """(x, y), (points, 1) each, of a random wave."""
    keys = jax.random.split(key, 3)
    amplitude = jax.random.uniform(keys[0], minval=0.1, maxval=5.0)
    phase = jax.random.uniform(keys[1], maxval=jnp.pi)
    x = jax.random.uniform(keys[2], (points, 1), minval=-5.0, maxval=5.0)
    return x, amplitude * jnp.sin(x - phase)


# %% [markdown]
# ## 2. A loss behind a step
#
# `model.apply` is pure, so the parameters after a step are an expression of those before, and
# `jax.grad` goes through it. With an inner rate of 0 it is the training on all waves at once.

# %%
model = jkeras.Sequential([layers.Dense(40, "relu"), layers.Dense(40, "relu"), layers.Dense(1)])
optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(1e-3, STEPS))
RATE = 0.01


def error(params, x, y, weights=1.0):
    return (weights * (model.apply(params, {}, x)[0] - y) ** 2).mean()


def adapted(params, x, y, shots, rate=RATE):
    """The params after a step on the first `shots` points."""
    weights = (jnp.arange(len(x)) < shots)[:, None] * len(x) / shots
    grads = jax.grad(error)(params, x, y, weights)
    return jax.tree.map(lambda p, g: p - rate * g, params, grads)


def trained(shots, rate):
    """Params that are good for `shots` points after a step."""

    def of_wave(params, key):
        x, y = wave(key, 2 * MOST)
        return error(adapted(params, x[:MOST], y[:MOST], shots, rate), x[MOST:], y[MOST:])

    def step(carry, key):
        def mean(params):
            return jax.vmap(of_wave, (None, 0))(params, jax.random.split(key, 25)).mean()

        return optimizer.step(jax.grad(mean)(carry[0]), carry[1], carry[0]), None

    params, _ = model.init(jax.random.key(0), jnp.zeros((1, 1)))
    keys = jax.random.split(jax.random.key(1), STEPS)
    return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]


# %% [markdown]
# ## 3. Four trainings in one program

# %%
CASES = {
    "MAML, 5 points": (5, RATE),
    "MAML, 10 points": (10, RATE),
    "all waves at once, 5 points": (5, 0.0),
    "all waves at once, 10 points": (10, 0.0),
}
shots, rates = map(jnp.asarray, zip(*CASES.values()))
params = jax.jit(jax.vmap(trained))(shots, rates)

# %% [markdown]
# ## 4. New waves
#
# The mean error on waves that it has never met, before and after each of ten steps on their points.


# %%
def errors(params, shots):
    """(steps + 1,)"""

    def of_wave(key):
        x, y = wave(key, MOST + POINTS)

        def step(params, _):
            return adapted(params, x[:MOST], y[:MOST], shots), error(params, x[MOST:], y[MOST:])

        return jax.lax.scan(step, params, None, 11)[1]

    return jax.vmap(of_wave)(jax.random.split(jax.random.key(99), WAVES)).mean(0)


found = dict(zip(CASES, np.asarray(jax.jit(jax.vmap(errors))(params, shots))))

# %% [markdown]
# ## 5. One wave, seen

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for number, (name, curve) in enumerate(found.items()):
    left.plot(curve, "-" if number < 2 else "--", color=f"C{number % 2}", label=name)
left.set(yscale="log", xlabel="steps of gradient descent", ylabel="mean squared error")
left.legend(frameon=False, fontsize="small", loc=(0.3, 0.5))
x, y = wave(jax.random.key(7), MOST + POINTS)
order = x[:, 0].argsort()
right.plot(x[order], y[order], color="0.7", linewidth=3, label="a new wave")
right.plot(x[:MOST], y[:MOST], "ko", label="its ten points")
now = jax.tree.map(lambda leaf: leaf[1], params)
for number in range(11):
    if number in (0, 1, 10):
        label = f"after {number} steps"
        right.plot(x[order], model.apply(now, {}, x[order])[0], "--", label=label)
    now = adapted(now, x[:MOST], y[:MOST], MOST)
right.legend(frameon=False, fontsize="small")
plt.show()

# %% [markdown]
# ## 6. Beside what was published
#
# The paper shows curves. The numbers are those of Li et al. (Meta-SGD, 2017, table 1), who ran MAML
# beside their method, with its interval of 95 %.

# %%
for points, published in ((5, "1.13 ± 0.18"), (10, "0.77 ± 0.11")):
    one = found[f"MAML, {points} points"]
    other = found[f"all waves at once, {points} points"]
    print(f"MAML, {points} points, error after a step: {one[1]:.2f} (published: {published})")
    print(f"after ten steps: {one[10]:.2f}, of all waves at once: {other[10]:.2f}")
    print(f"{points} points: so many times as large: {other[10] / one[10]:.1f}")
