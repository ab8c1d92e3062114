# %% [markdown]
# # Lottery tickets: a fifth of the weights is enough
#
# Train a network, cut its smallest weights, set the others back to where they began, and train
# again: a fifth of the weights reach what all of them reach. With new random weights in the same
# places they do not (Frankle and Carbin, ICLR 2019).
#
# It runs without a network: the digits come with jkeras. Full form: about 25 seconds on a CPU.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits
from jkeras.training import init_train_state, make_predict_step, make_train_step

# %% parameters
SEEDS, STEPS = 8, 500

# %% [markdown]
# ## 1. A network of two hidden layers

# %%
(x, y), (x_test, y_test) = digits.load_data()
x, x_test = (jnp.asarray(each.reshape(-1, 64) / 16, "float32") for each in (x, x_test))
y, y_test = jnp.asarray(y, "int32"), jnp.asarray(y_test, "int32")
hidden = [layers.Dense(width, "relu") for width in (150, 75)]
model = jkeras.Sequential([jkeras.Input((64,)), *hidden, layers.Dense(10)])
loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(jkeras.optimizers.Adam(1.2e-3), loss)

# %% [markdown]
# ## 2. Masks
#
# A ticket is a mask of zeros and ones for each kernel. Parameters are nested dicts of arrays, so
# masking them and cutting the smallest ones are a few lines.

# %%
ROUNDS, KEPT = 14, 0.2 ** (1 / 7)  # 20 % are left after 7 rounds, 5 % after 13


def masked(params, masks):
    """The params with the kernels of the ticket; biases stay."""
    kernels = {name: {"kernel": params[name]["kernel"] * mask} for name, mask in masks.items()}
    return {name: values | kernels[name] for name, values in params.items()}


def smaller(masks, params):
    """The masks without the smallest weights of all kernels together."""
    sizes = {name: jnp.abs(params[name]["kernel"]) * mask for name, mask in masks.items()}
    flat = jnp.sort(jnp.concatenate([size.ravel() for size in sizes.values()]))
    left = jnp.round(sum(mask.sum() for mask in masks.values()) * KEPT).astype(int)
    return {name: (size >= flat[-left]).astype("float32") for name, size in sizes.items()}


# %% [markdown]
# ## 3. All rounds of all seeds in one program
#
# In each round the ticket and the same places with new weights are trained side by side (`vmap`),
# the rounds follow each other (`scan`), and seeds are one more `vmap`.

# %%
step, predict = make_train_step(model), make_predict_step(model)


def train(state, masks, key):
    """(params, accuracy on the test digits) of a ticket."""

    def one(state, rows):
        state, _ = step(state, (x[rows], y[rows]))
        return state.replace(params=masked(state.params, masks)), None

    batches = jax.random.randint(key, (STEPS, 60), 0, len(x))
    state, _ = jax.lax.scan(one, state.replace(params=masked(state.params, masks)), batches)
    return state.params, (predict(state, x_test).argmax(-1) == y_test).mean()


def rounds(key):
    """For each round: (share of weights left, accuracy of the ticket, of new weights)."""
    keys = jax.random.split(key, ROUNDS + 1)
    first = init_train_state(model, keys[0])
    masks = {name: jnp.ones_like(values["kernel"]) for name, values in first.params.items()}
    total = sum(mask.size for mask in masks.values())

    def one_round(masks, key):
        both = jax.tree.map(lambda *a: jnp.stack(a), first, init_train_state(model, key))
        params, right = jax.vmap(train, (0, None, None))(both, masks, key)
        share = sum(mask.sum() for mask in masks.values()) / total
        return smaller(masks, jax.tree.map(lambda leaf: leaf[0], params)), (share, *right)

    return jax.lax.scan(one_round, masks, keys[1:])[1]


found = jax.jit(jax.vmap(rounds))(jax.random.split(jax.random.key(0), SEEDS))
share, ticket, new = map(np.asarray, found)

# %% [markdown]
# ## 4. Tickets, and new weights in their places
#
# Lines are means over seeds, bands their standard deviations.

# %%
figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
for right, label in ((ticket, "initial weights (tickets)"), (new, "new random weights")):
    mean, spread = right.mean(0), right.std(0)
    axes.plot(share[0], mean, "o-", markersize=3, label=label)
    axes.fill_between(share[0], mean - spread, mean + spread, alpha=0.2)
axes.set(xscale="log", xlabel="share of weights left", ylabel="accuracy, test digits")
axes.invert_xaxis()
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## 5. Beside what was published
#
# The paper trains on MNIST, so what is compared is the difference from the whole network.

# %%
print(f"accuracy of the whole network: {ticket[:, 0].mean():.3f}")
for at, percent, published in ((7, 20, "0 or more"), (13, 5, "nearly 0")):
    gap, luck = ticket[:, at] - ticket[:, 0], ticket[:, at] - new[:, at]
    print(f"tickets of {percent} % less that: {gap.mean():+.3f} (published: {published})")
    print(f"tickets of {percent} % less new weights: {luck.mean():+.3f} (published: more than 0)")
