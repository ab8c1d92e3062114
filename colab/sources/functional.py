# %% [markdown]
# # jkeras for JAX users
#
# Every layer is a record of hyper-parameters and two pure functions. Parameters are nested dicts
# that you hold. This notebook uses nothing else: no `compile`, no `fit`, until the last two
# sections.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

import jkeras
from jkeras import layers

# %% [markdown]
# ## 1. `init` and `apply`
#
# `init` takes a key and an input, or only its shape. `apply` returns the output and the new state.

# %%
dense = layers.Dense(3, activation="tanh")
params, state = dense.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
y, state = dense.apply(params, state, jnp.ones((4, 2)))
print(jax.tree.map(jnp.shape, params), y.shape)

# %% [markdown]
# ## 2. Composition
#
# A model is a layer, so it has the same two functions. Its keys are the names in its graph, never a
# global counter.

# %%
model = jkeras.Sequential(
    [
        layers.Dense(32, "gelu", name="first"),
        layers.BatchNormalization(name="norm"),
        layers.Dropout(0.1, name="drop"),
        layers.Dense(32, "gelu", name="second"),
        layers.Dense(1, name="score"),
    ]
)
init, apply = model.pair()
params, state = init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
print("params:", jax.tree.map(jnp.shape, params))
print("state: ", jax.tree.map(jnp.shape, state))

# %% [markdown]
# ## 3. State comes out, keys go in
#
# Moving averages are in the state that `apply` returns. Dropout derives its key from the one that
# you pass, by the layer's path: the same key gives the same mask, wherever and however often you
# call.

# %%
x = jax.random.normal(jax.random.key(1), (8, 2))
first, new_state = apply(params, state, x, training=True, rng=jax.random.key(2))
second, _ = apply(params, state, x, training=True, rng=jax.random.key(2))
print("same key, same output:", bool((first == second).all()))
moved = [float(abs(each["norm"]["moving_mean"]).max()) for each in (state, new_state)]
print(
    "moving mean: {:.4f} in the old state, which is as it was, {:.4f} in the new one".format(*moved)
)

# %% [markdown]
# ## 4. A training loop of your own
#
# Two moons, optax, `lax.scan`. The whole training is one compiled function. About 0.97 of new
# points are told right; the moons overlap.

# %% parameters
STEPS = 1500


# %%
def moons(key, count):
    """Points of two interleaved half circles, and which of the two each is from."""
    side, angle, noise = jax.random.split(key, 3)
    label = jax.random.bernoulli(side, shape=(count,)).astype("float32")
    angle = jnp.pi * jax.random.uniform(angle, (count,))
    upper = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    points = jnp.where(label[:, None] == 1, jnp.array([1.0, 0.5]) - upper, upper)
    return points + 0.2 * jax.random.normal(noise, (count, 2)), label


def loss(params, state, x, y, key):
    logits, state = apply(params, state, x, training=True, rng=key)
    return optax.sigmoid_binary_cross_entropy(logits[:, 0], y).mean(), state


optimizer = optax.adamw(3e-3)


def step(carry, key):
    params, state, opt_state = carry
    data, dropout = jax.random.split(key)
    (value, state), grads = jax.value_and_grad(loss, has_aux=True)(
        params, state, *moons(data, 64), dropout
    )
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return (optax.apply_updates(params, updates), state, opt_state), value


@jax.jit
def train(key):
    first, rest = jax.random.split(key)
    params, state = init(first, jax.ShapeDtypeStruct((1, 2), "float32"))
    return jax.lax.scan(
        step, (params, state, optimizer.init(params)), jax.random.split(rest, STEPS)
    )


(params, state, _), losses = train(jax.random.key(0))
x_test, y_test = moons(jax.random.key(99), 2000)
accuracy = ((apply(params, state, x_test, training=False)[0][:, 0] > 0) == y_test).mean()
print(f"loss {losses[:20].mean():.3f} -> {losses[-100:].mean():.3f}, test accuracy: {accuracy:.4f}")

# %% [markdown]
# ## 5. Five seeds are one `vmap`
#
# The function above is pure, so nothing has to be rewritten. Where the five disagree, nobody has
# seen data.

# %%
(many, states, _), _ = jax.jit(jax.vmap(train))(jax.random.split(jax.random.key(5), 5))
side = jnp.linspace(-2.5, 3.5, 120)
grid = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)
logits = jax.vmap(lambda p, s: apply(p, s, grid, training=False)[0])(many, states)
chances = jax.nn.sigmoid(logits)[..., 0]

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, values, title, colors in (
    (axes[0], chances.mean(0), "mean of five", "RdBu"),
    (axes[1], chances.std(0), "their spread", "viridis"),
):
    shown = ax.contourf(side, side, values.reshape(120, 120), 20, cmap=colors)
    ax.scatter(
        *x_test[:200].T, c=y_test[:200], cmap="RdBu", s=8, edgecolors="black", linewidths=0.3
    )
    ax.set_title(title)
    figure.colorbar(shown, ax=ax)
plt.show()

# %% [markdown]
# ## 6. Every transform
#
# The largest eigenvalue of the loss's Hessian, by power iteration with Hessian-vector products:
# `jvp` of `grad`.


# %%
def flat_loss(params):
    logits, _ = apply(params, state, x_test, training=False)
    return optax.sigmoid_binary_cross_entropy(logits[:, 0], y_test).mean()


@jax.jit
def sharpness(params, iterations=30):
    def body(vector, _):
        product = jax.jvp(jax.grad(flat_loss), (params,), (vector,))[1]
        size = optax.tree.norm(product)
        return jax.tree.map(lambda leaf: leaf / size, product), size

    start = jax.tree.map(jnp.ones_like, params)
    return jax.lax.scan(body, start, length=iterations)[1][-1]


print(f"largest eigenvalue of the Hessian: {sharpness(params):.3f}")

# %% [markdown]
# ## 7. Losses, metrics and optimizers are pure as well
#
# Optimizers have `init` and `step`, and their rates are leaves of the state: another rate compiles
# nothing.

# %%
adam = jkeras.optimizers.Adam(1e-3)
opt_state = adam.init(params)
jitted = jax.jit(adam.step)
for rate in (1e-3, 1e-2):
    opt_state = {**opt_state, "learning_rate": jnp.asarray(rate)}
    moved, _ = jitted(jax.grad(flat_loss)(params), opt_state, params)
    change = optax.tree.norm(jax.tree.map(jnp.subtract, moved, params))
    print(f"rate {rate:g}: moved by {change:.4f}; compiled {jitted._cache_size()} time")

# %% [markdown]
# ## 8. Other people's functions inside
#
# A function of JAX with its own parameters is a layer, and takes part in `init` and `apply`.
# `FlaxLayer` and `EquinoxLayer` do the same with modules.


# %%
def fourier(params, inputs):
    angles = inputs @ params["frequencies"]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def frequencies(rng, inputs):
    return {"frequencies": jax.random.normal(rng, (inputs.shape[-1], 16))}


mixed = jkeras.Sequential(
    [layers.JaxLayer(fourier, frequencies, name="fourier"), layers.Dense(1, name="score")]
)
mixed_params, _ = mixed.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
print(jax.tree.map(jnp.shape, mixed_params))

# %% [markdown]
# ## 9. The step that `fit` takes
#
# After `compile`, the step is a function too: `(TrainState, batch) -> (TrainState, logs)`. Masks,
# metrics, mixed precision, frozen layers and constraints are in it.

# %%
model.compile(
    optimizer,
    jkeras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[jkeras.metrics.BinaryAccuracy(threshold=0.0)],
)
train_state = jkeras.training.init_train_state(
    model, jax.random.key(0), moons(jax.random.key(0), 64)
)
pure_step = jkeras.training.make_train_step(model)
keys = jax.random.split(jax.random.key(1), STEPS)
train_state, logs = jax.jit(
    lambda start: jax.lax.scan(lambda state, key: pure_step(state, moons(key, 64)), start, keys)
)(train_state)
print({name: round(float(values[-1]), 4) for name, values in logs.items()})

# %% [markdown]
# ## 10. Back to Keras's view, and to a file
#
# `load_train_state` puts the arrays under the objects. A `Checkpointer` saves any pytree, and
# checks what it reads.

# %%
import tempfile

model.load_train_state(train_state)
print(model.evaluate(x_test, y_test, verbose=0, return_dict=True))

with jkeras.saving.Checkpointer(tempfile.mkdtemp()) as checkpoints:
    checkpoints.save(train_state, {"remark": "two moons"})
    again, extra = checkpoints.restore(train_state)
same = jax.tree.map(lambda a, b: bool((a == b).all()), train_state, again)
print(extra, "- all equal:", all(jax.tree.leaves(same)))
