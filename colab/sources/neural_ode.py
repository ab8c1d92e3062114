# %% [markdown]
# # Neural differential equations: a network that is a law of motion
#
# The derivative of a state is a network of it, and a solver gives the state at any time. The
# gradient of what follows is the solution of another equation, the adjoint one, which runs
# backwards and keeps nothing of the way (Chen et al., NeurIPS 2018).
#
# It runs without a network or any further package: the solver is the classical method of Runge and
# Kutta with fixed steps, a dozen lines on `lax.scan`. Full form: about 15 seconds on a CPU.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers

# %% parameters
SEEDS, STEPS = 3, 2000

# %% [markdown]
# ## 1. A solver
#
# `field` gives the derivative of a state, which may be any nested structure of arrays.


# %%
def solved(field, first, tick, count):
    """The states at so many times, `first` being that of the first one."""

    def moved(state, slope, by):
        return jax.tree.map(lambda s, k: s + by * k, state, slope)

    def step(state, _):
        one = field(state)
        two = field(moved(state, one, tick / 2))
        three = field(moved(state, two, tick / 2))
        four = field(moved(state, three, tick))
        slope = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, one, two, three, four)
        return moved(state, slope, tick), state

    return jax.lax.scan(step, first, None, count)[1]


# %% [markdown]
# ## 2. A spiral to learn
#
# y' = A y³, as in the demonstration of the paper's authors: ten seconds of one curve.

# %%
POINTS, TICK, PIECE = 1000, 0.01, 20
SPIRAL = jnp.array([[-0.1, 2.0], [-2.0, -0.1]])
begins = jnp.array([[2.0, 0.0], [1.5, 0.0], [0.0, 1.2], [-1.0, 1.0]])
true = solved(lambda y: y**3 @ SPIRAL, begins, TICK, POINTS)  # (times, curves, 2)

# %% [markdown]
# ## 3. A network as the field
#
# It sees pieces of 0.2 seconds of the first curve alone. `optimizer.step` is pure, so the training
# is a `scan`, and seeds are a `vmap` of it.

# %%
cubes, hidden = layers.Lambda(lambda y: y**3), layers.Dense(50, "tanh")
model = jkeras.Sequential([jkeras.Input((2,)), cubes, hidden, layers.Dense(2)])
optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(1e-2, STEPS))


def field(params, y):
    return model.apply(params, {}, y)[0]


def train(key):
    """Params whose solutions follow the pieces."""

    def step(carry, key):
        places = jax.random.randint(key, (32,), 0, POINTS - PIECE)
        wanted = true[places[None] + jnp.arange(PIECE)[:, None], 0]

        def loss(params):
            found = solved(lambda y: field(params, y), wanted[0], TICK, PIECE)
            return jnp.abs(found - wanted).mean()

        return optimizer.step(jax.grad(loss)(carry[0]), carry[1], carry[0]), None

    params, _ = model.init(key, begins)
    keys = jax.random.split(key, STEPS)
    return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]


params = jax.jit(jax.vmap(train))(jax.random.split(jax.random.key(0), SEEDS))

# %% [markdown]
# ## 4. The adjoint equation
#
# How does the distance of the end from the origin depend on the parameters? Once by `grad` through
# all steps of the solver, once by the equation that runs backwards: of the state, of the gradient
# to it and of the gradient to the parameters, which `jax.vjp` gives at each moment.

# %%
UNTIL = 200
one = jax.tree.map(lambda leaf: leaf[0], params)


@jax.jit
def through_the_solver(params):
    def size(params):
        end = solved(lambda y: field(params, y), begins, TICK, UNTIL + 1)[-1]
        return (end**2).sum()

    return jax.grad(size)(params)


@jax.jit
def backwards(params):
    def adjoint(state):
        y, to_y, _ = state
        slope, pull = jax.vjp(field, params, y)
        by_params, by_y = pull(to_y)
        return jax.tree.map(jnp.negative, (-slope, by_y, by_params))

    end = solved(lambda y: field(params, y), begins, TICK, UNTIL + 1)[-1]
    last = end, 2 * end, jax.tree.map(jnp.zeros_like, params)
    states = solved(adjoint, last, -TICK, UNTIL + 1)
    return jax.tree.map(lambda leaf: leaf[-1], states[2])


direct, adjoint = (
    np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradient(one))])
    for gradient in (through_the_solver, backwards)
)
difference = np.abs(direct - adjoint).max() / np.abs(direct).max()

# %% [markdown]
# ## 5. Curves that it was trained on, and not

# %%
solve = jax.jit(jax.vmap(lambda params: solved(lambda y: field(params, y), begins, TICK, POINTS)))
found = np.asarray(solve(params))  # (seeds, times, curves, 2)
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for number, (axis, title) in enumerate(zip(axes, ("trained on", "not trained on"))):
    axis.plot(*true[:, number].T, color="0.7", linewidth=3, label="y' = A y³")
    axis.plot(*found[0, :, number].T, linewidth=1, label="the network")
    axis.set(aspect="equal", title=title)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# ## 6. Beside what was published
#
# The paper gives no numbers for the spiral. Its claims are that the adjoint gradient is the
# gradient, and that the law is learnt, not the curve.

# %%
errors = np.abs(found - true).mean((0, 1, 3))
print(f"relative difference of the adjoint gradient: {difference:.1e} (published: none)")
print(f"mean error on the curve of ten seconds, whose radius is 2: {errors[0]:.3f}")
print(f"mean error on three curves that begin elsewhere: {errors[1:].mean():.3f}")
