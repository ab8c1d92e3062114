# %% [markdown]
# # Research: what pure functions make easy
#
# Ensembles, a gradient for each sample, and learning to learn. Each is a few lines of JAX around a
# model of jkeras, since a model is a pure function and a training step is one, too.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = (jnp.asarray(x[..., None] / 16, "float32") for x in (x_train, x_test))
y_train, y_test = jnp.asarray(y_train, "int32"), jnp.asarray(y_test, "int32")
loss_of_logits = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% parameters
MEMBERS, ENSEMBLE_STEPS = 16, 600
MAML_STEPS = 3000

# %% [markdown]
# ## 1. Sixteen learning rates in one training
#
# The learning rate is a leaf of the optimizer's state. So members of an ensemble may differ in it,
# and a search over rates is one compiled `vmap` over one `scan`.

# %%
model = jkeras.Sequential(
    [jkeras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10)]
)
model.compile("adam", loss_of_logits, metrics=["accuracy"])
step = jkeras.training.make_train_step(model)
rates = jnp.geomspace(1e-4, 1e-1, MEMBERS)
batches = np.random.default_rng(0).integers(0, len(x_train), (ENSEMBLE_STEPS, 64))


def train(key, rate):
    state = jkeras.training.init_train_state(model, key)
    state = state._replace(opt_state={**state.opt_state, "learning_rate": rate})
    return jax.lax.scan(
        lambda state, rows: step(state, (x_train[rows], y_train[rows])), state, batches
    )


states, logs = jax.jit(jax.vmap(train))(jax.random.split(jax.random.key(0), MEMBERS), rates)
# (member, image, class)
logits = jax.vmap(lambda params: model.apply(params, {}, x_test)[0])(states.params)
accuracies = (logits.argmax(-1) == y_test).mean(axis=1)

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.plot(rates, accuracies, marker="o")
axes.set(
    xscale="log",
    xlabel="learning rate",
    ylabel="test accuracy",
    title=f"{MEMBERS} trainings at once",
)
plt.show()
print(f"best: {accuracies.max():.3f} at a rate of {rates[accuracies.argmax()]:.2g}")

# %% [markdown]
# ## 2. What an ensemble knows that one model does not
#
# Members that were trained well agree on digits and disagree on what is none, here pixels in random
# order. One model alone is often sure of itself on both.

# %%
good = accuracies > accuracies.max() - 0.03
members = jax.tree.map(lambda leaf: leaf[good], states.params)
shuffled = jax.random.permutation(
    jax.random.key(1), x_test.reshape(len(x_test), 64), axis=1, independent=True
)


def entropy(chances):
    return -(chances * jnp.log(chances + 1e-9)).sum(-1)


def disagreement(images):
    """The part of the predictive entropy that comes from different opinions, in nats."""
    chances = jax.nn.softmax(jax.vmap(lambda params: model.apply(params, {}, images)[0])(members))
    return entropy(chances.mean(0)) - entropy(chances).mean(0)


on_digits, on_noise = disagreement(x_test), disagreement(shuffled.reshape(x_test.shape))
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
bins = np.linspace(0, float(on_noise.max()), 40)
axes.hist(on_digits, bins, alpha=0.6, label="digits", density=True)
axes.hist(on_noise, bins, alpha=0.6, label="shuffled pixels", density=True)
axes.set(xlabel="disagreement of the members", yscale="log")
axes.legend()
plt.show()
print(
    f"{int(good.sum())} members; median disagreement: {jnp.median(on_digits):.4f} on digits, "
    f"{jnp.median(on_noise):.4f} on shuffled pixels"
)

# %% [markdown]
# ## 3. A gradient for each sample
#
# `vmap` of `grad` gives as many gradients as images, not their mean. Their norms say which images a
# trained model still pulls at: the odd ones, and those whose label may be wrong.

# %%
best = jax.tree.map(lambda leaf: leaf[accuracies.argmax()], states.params)


def loss(params, image, label):
    logits, _ = model.apply(params, {}, image[None])
    return loss_of_logits(label[None], logits)


def norm(tree):
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


gradient_norms = jax.jit(jax.vmap(lambda image, label: norm(jax.grad(loss)(best, image, label))))
norms = gradient_norms(x_test, y_test)
order = jnp.argsort(-norms)
print(f"gradient norms: median {jnp.median(norms):.2g}, largest {norms.max():.2g}")
print("eight hardest images of the test data:")
guesses = model.apply(best, {}, x_test)[0].argmax(-1)
jkeras.visualization.plot_image_gallery(
    x_test[order[:8]],
    y_true=y_test[order[:8]],
    y_pred=guesses[order[:8]],
    label_map={i: str(i) for i in range(10)},
    cols=8,
    value_range=(0, 1),
    scale=1.3,
)

# %% [markdown]
# ## 4. Clipped and noisy: a private step
#
# DP-SGD (Abadi et al., 2016) clips each sample's gradient before they are added up, and adds noise.
# With gradients for each sample that is the definition written down. This is one step, to show the
# form: a privacy budget needs accounting, too.


# %%
def private_gradients(params, images, labels, key, clip=1.0, noise=1.0):
    grads = jax.vmap(jax.grad(loss), (None, 0, 0))(params, images, labels)
    scale = jnp.minimum(1.0, clip / (jax.vmap(norm)(grads) + 1e-12))
    leaves, treedef = jax.tree.flatten(
        jax.tree.map(lambda leaf: jnp.tensordot(scale, leaf, 1), grads)
    )
    keys = jax.random.split(key, len(leaves))
    noisy = [
        leaf + noise * clip * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys)
    ]
    return jax.tree.unflatten(treedef, [leaf / len(images) for leaf in noisy])


start, _ = model.init(jax.random.key(3), x_train[:1])
one = private_gradients(start, x_train[:256], y_train[:256], jax.random.key(4), noise=0.0)
print(f"norm of the mean of 256 clipped gradients: {norm(one):.3f}, at most 1")

# %% [markdown]
# ## 5. Learning to learn
#
# MAML (Finn, Abbeel and Levine, 2017) looks for a start from which one gradient step on ten points
# is enough. Its gradient goes through that step: `grad` inside `grad`. The tasks are sine waves of
# random height and phase. One step on ten points then takes the error from about 2.7 to 0.65.

# %%
wave_model = jkeras.Sequential(
    [layers.Dense(40, "relu"), layers.Dense(40, "relu"), layers.Dense(1)]
)
params, _ = wave_model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 1), "float32"))
SHOTS, INNER_RATE = 10, 0.02


def task(key):
    """Ten points to learn from, ten to be judged on, and the wave."""
    height, phase, places = jax.random.split(key, 3)
    height = jax.random.uniform(height, minval=0.1, maxval=5.0)
    phase = jax.random.uniform(phase, maxval=jnp.pi)

    def wave(x):
        return height * jnp.sin(x + phase)

    x = jax.random.uniform(places, (2 * SHOTS, 1), minval=-5.0, maxval=5.0)
    return (x[:SHOTS], wave(x[:SHOTS])), (x[SHOTS:], wave(x[SHOTS:])), wave


def error(params, points):
    x, y = points
    return jnp.mean((wave_model.apply(params, {}, x)[0] - y) ** 2)


def adapt(params, points):
    return jax.tree.map(lambda p, g: p - INNER_RATE * g, params, jax.grad(error)(params, points))


def error_after_adapting(params, key):
    support, query, _ = task(key)
    return error(adapt(params, support), query)


optimizer = jkeras.optimizers.Adam(1e-3)


def outer_step(carry, key):
    params, opt_state = carry
    keys = jax.random.split(key, 16)
    value, grads = jax.value_and_grad(
        lambda p: jax.vmap(error_after_adapting, (None, 0))(p, keys).mean()
    )(params)
    params, opt_state = optimizer.step(grads, opt_state, params)
    return (params, opt_state), value


keys = jax.random.split(jax.random.key(1), MAML_STEPS)
meta_train = jax.jit(lambda p: jax.lax.scan(outer_step, (p, optimizer.init(p)), keys))
(learned, _), errors = meta_train(params)
new = jax.random.split(jax.random.key(2), 200)
before = jax.vmap(lambda key: error(learned, task(key)[1]))(new).mean()
after = jax.vmap(lambda key: error_after_adapting(learned, key))(new).mean()
print(f"error on 200 new waves: {before:.3f} before one step, {after:.3f} after it")

# %% [markdown]
# ## 6. One step, seen
#
# A wave that it has never met, the ten points it is shown, and the curve after 0, 1 and 5 steps on
# them.

# %%
support, _, wave = task(jax.random.key(7))
line = jnp.linspace(-5, 5, 200)[:, None]
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.plot(line, wave(line), color="black", label="the wave")
axes.scatter(*support, color="black", zorder=3)
now = learned
for number in range(6):
    if number in (0, 1, 5):
        curve = wave_model.apply(now, {}, line)[0]
        axes.plot(line, curve, linestyle="--", label=f"after {number} steps")
    now = adapt(now, support)
axes.legend()
plt.show()
