# %% [markdown]
# # Circuits: find the induction heads of a model
#
# A small transformer is trained on texts that repeat themselves. It learns to look for what came
# behind a token before: an induction circuit of two heads (Olsson et al. 2022, arXiv:2209.11895).
# Patching finds these heads without knowing of them.

# %%
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import explain, layers

# %% parameters
VOCABULARY, LENGTH, STEPS = 24, 24, 2500

# %% [markdown]
# ## 1. A model of two layers of attention
#
# Each text is a few random tokens, over and over, so all but the first ones can be known, if one
# looks. How many they are differs from text to text, so how far to look back does, too. The
# residual stream is a sum: each layer adds to it what its heads give.

# %%
WIDTH, HEADS = 64, 4
jkeras.utils.set_random_seed(0)
rng = np.random.default_rng(0)


def texts(count, periods):
    """Texts, and how many tokens each of them repeats."""
    period = rng.choice(periods, count)
    first = np.argsort(rng.random((count, VOCABULARY)), axis=1)
    return np.take_along_axis(first, np.arange(LENGTH) % period[:, None], axis=1), period


tokens = jkeras.Input((LENGTH - 1,), dtype="int32")
words = layers.Embedding(VOCABULARY, WIDTH, name="words")(tokens)
h = words + layers.Embedding(LENGTH, WIDTH, name="positions")(jkeras.ops.arange(LENGTH - 1))
for i in range(2):
    normed = layers.LayerNormalization(name=f"norm_{i}")(h)
    mha = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name=f"mha_{i}")
    h = layers.Add(name=f"block_{i}")([h, mha(normed, normed, use_causal_mask=True)])
h = layers.LayerNormalization(name="norm")(h)
model = jkeras.Model(tokens, layers.Dense(VOCABULARY, name="head")(h))

loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(jkeras.optimizers.Adam(2e-3), loss, weighted_metrics=["accuracy"])
x, period = texts(64 * STEPS, range(6, 14))
counts = np.arange(LENGTH - 1) >= period[:, None] - 1  # what can be known
history = model.fit(x[:, :-1], x[:, 1:], sample_weight=counts, batch_size=64, verbose=2)
PERIOD = 10
test, _ = texts(256, [PERIOD])
says = model.predict(test[:, :-1], verbose=0).argmax(-1)
accuracy = (says == test[:, 1:])[:, PERIOD:].mean()
print(f"accuracy on what can be known: {accuracy:.3f}")

# %% [markdown]
# ## 2. What there is to look at

# %%
print(explain.places(model, test[:1, :-1], "mha_*/*"))

# %% [markdown]
# ## 3. Which heads make the difference?
#
# In the corrupted texts a token is another one where it comes first, so what comes behind it the
# next time can no longer be known. Each head at each position is put back, one by one, in one
# `vmap`.

# %%
few = test[:16]
at = PERIOD + 5  # where the token comes again
corrupted = few.copy()
spare = np.array([np.setdiff1d(np.arange(VOCABULARY), row)[0] for row in few])
corrupted[:, at - PERIOD] = spare  # it was never there now
wanted = jnp.asarray(few[:, at + 1])


def score(logits):
    last = logits[:, at]
    right = jnp.take_along_axis(last, wanted[:, None], axis=1)[:, 0]
    return (right - last.mean(-1)).mean()


found = explain.activation_patching(
    model, few[:, :-1], corrupted[:, :-1], "mha_*/heads", score, batch_size=32
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for axis, path, effect in zip(axes, found.places, np.asarray(found.recovered)):
    image = axis.imshow(effect.T, cmap="coolwarm", vmin=-1, vmax=1, aspect="auto")
    axis.set(title=path, xlabel="position", ylabel="head")
figure.colorbar(image, ax=axes)
plt.show()

# %% [markdown]
# ## 4. Do they look as induction heads do?
#
# An induction head looks from a token to what came behind it before, `PERIOD - 1` positions back;
# the head that it needs looks one position back.

# %%
pattern = explain.activations(model, few[:, :-1], "mha_*/pattern")
induction, before = {}, {}
for path, weights in pattern.items():
    steps = np.arange(PERIOD, LENGTH - 1)
    induction[path] = weights[:, :, steps, steps - PERIOD + 1].mean((0, 2))
    first = np.arange(1, PERIOD)
    before[path] = weights[:, :, first, first - 1].mean((0, 2))
    print(path, "induction", induction[path].round(2), "before", before[path].round(2))
layer, head = np.unravel_index(np.argmax(list(induction.values())), (2, HEADS))
print(f"induction head: layer {layer}, head {head}")

# %% [markdown]
# ## 5. How do they act together?
#
# Path patching: what do the heads of layer 0 send to the queries, the keys and the values of
# layer 1?

# %%
for name in ("queries", "keys", "values"):
    path = "mha_0/heads", f"mha_1/{name}"
    through = explain.path_patching(
        model, few[:, :-1], corrupted[:, :-1], path, score, frozen="mha_*/heads", axes=[2]
    )
    print(f"{name:8}", np.asarray(through.recovered)[0].round(2))

# %% [markdown]
# Without the head that it found, the model no longer knows what comes next:

# %%
heads = explain.ablation(model, few[:, :-1], "mha_*/heads", score, axes=[2])
print("score", float(heads.before).__round__(2))
print("without each head", np.asarray(heads.scores).round(2).tolist())
