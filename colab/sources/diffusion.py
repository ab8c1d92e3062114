# %% [markdown]
# # Diffusion: digits out of noise
#
# A network that removes a little noise, applied a hundred times to nothing but noise, draws images
# (Ho, Jain and Abbeel, NeurIPS 2020). Told which digit is wanted, it draws that one; noise is added
# by the cosine schedule (Nichol and Dhariwal, ICML 2021).
#
# It runs without a network: the digits come with jkeras. Full form: about a minute on a CPU.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

# %% parameters
STEPS, EPOCHS = 5000, 40

# %% [markdown]
# ## 1. A network that finds the noise
#
# Residual blocks; each is told the time and the digit.

# %%
(x, y), (x_test, y_test) = digits.load_data()
x, x_test = (np.float32(each.reshape(-1, 64) / 8 - 1) for each in (x, x_test))
TIMES, WIDTH = 100, 256
image = jkeras.Input((64,))
time = jkeras.Input((), dtype="int32")
digit = jkeras.Input((), dtype="int32")
told = layers.Embedding(TIMES, WIDTH)(time) + layers.Embedding(10, WIDTH)(digit)
told = layers.Dense(WIDTH, "silu")(told)
h = layers.Dense(WIDTH)(image)
for _ in range(3):
    block = layers.LayerNormalization()(h) + layers.Dense(WIDTH)(told)
    h = h + layers.Dense(WIDTH)(layers.Dense(WIDTH, "silu")(block))
model = jkeras.Model([image, time, digit], layers.Dense(64, kernel_initializer="zeros")(h))

# %% [markdown]
# ## 2. Training
#
# `KEPT` is the share of an image's variance that is left at each time. The whole training is one
# `scan`; what is used afterwards is the moving average of the parameters.

# %%
wave = np.cos((np.arange(TIMES + 1) / TIMES + 0.008) / 1.008 * np.pi / 2) ** 2
KEPT = jnp.asarray(np.clip(wave[1:] / wave[0], 1e-4, 1.0), "float32")
images, labels = jnp.asarray(x), jnp.asarray(y, "int32")
optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(2e-3, STEPS))


def loss(params, key):
    keys = jax.random.split(key, 3)
    rows = jax.random.randint(keys[0], (128,), 0, len(images))
    time = jax.random.randint(keys[1], (128,), 0, TIMES)
    noise = jax.random.normal(keys[2], (128, 64))
    kept = KEPT[time][:, None]
    noisy = jnp.sqrt(kept) * images[rows] + jnp.sqrt(1 - kept) * noise
    found, _ = model.apply(params, {}, [noisy, time, labels[rows]])
    return ((found - noise) ** 2).mean()


def step(carry, key):
    params, average, opt_state = carry
    params, opt_state = optimizer.step(jax.grad(loss)(params, key), opt_state, params)
    average = jax.tree.map(lambda a, p: 0.995 * a + 0.005 * p, average, params)
    return (params, average, opt_state), None


params, _ = model.init(jax.random.key(0), [images[:1], labels[:1], labels[:1]])
keys = jax.random.split(jax.random.key(1), STEPS)
train = jax.jit(lambda carry: jax.lax.scan(step, carry, keys)[0])
_, average, _ = train((params, params, optimizer.init(params)))

# %% [markdown]
# ## 3. Drawing
#
# From noise, one time after the other: the image that the network believes in, mixed with the one
# at hand, and a little new noise.


# %%
def draw(asked, key):
    """(times, count, 64): images of the digits asked for, from noise to the end."""
    before = jnp.concatenate([jnp.ones(1), KEPT[:-1]])  # what is left one time earlier

    def earlier(x, given):
        time, key = given
        kept, less = KEPT[time], before[time]
        noise, _ = model.apply(average, {}, [x, jnp.full(len(asked), time), asked])
        image = jnp.clip((x - jnp.sqrt(1 - kept) * noise) / jnp.sqrt(kept), -1, 1)
        beta = 1 - kept / less
        mean = jnp.sqrt(less) * beta * image + jnp.sqrt(1 - beta) * (1 - less) * x
        spread = jnp.sqrt(beta * (1 - less) / (1 - kept))
        x = mean / (1 - kept) + spread * jax.random.normal(key, x.shape)
        return x, x

    first, rest = jax.random.split(key)
    given = jnp.arange(TIMES)[::-1], jax.random.split(rest, TIMES)
    return jax.lax.scan(earlier, jax.random.normal(first, (len(asked), 64)), given)[1]


made = np.asarray(jax.jit(draw)(jnp.asarray(y_test, "int32"), jax.random.key(2)))

# %% [markdown]
# ## 4. A judge
#
# A classifier that has seen real digits alone reads the drawn ones. The Fréchet distance in the
# features of its last hidden layer says how far two sets of images are from each other (Heusel et
# al., NeurIPS 2017).

# %%
jkeras.utils.set_random_seed(0)
hidden = [layers.Dense(128, "relu"), layers.Dense(32, "relu", name="features")]
judge = jkeras.Sequential([jkeras.Input((64,)), *hidden, layers.Dense(10, "softmax")])
judge.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
judge.fit(x, y, epochs=EPOCHS, verbose=0)
features = jkeras.Model(judge.inputs, judge.get_layer("features").output)


def distance(images):
    """From the training digits."""
    one, other = (np.float64(features.predict(each, verbose=0)) for each in (images, x))
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()
    return ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * roots


# %% [markdown]
# ## 5. From noise to digits
#
# A column for each digit; a row for each time.

# %%
order = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
times = [0, 40, 60, 75, 85, 99]
figure, axes = plt.subplots(len(times), 10, figsize=(6.4, 4), layout="constrained")
for row, time in zip(axes, times):
    for axis, image in zip(row, made[time, order]):
        axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=-1, vmax=1)
        axis.axis("off")
plt.show()

# %% [markdown]
# ## 6. Beside what was published
#
# Ho et al. draw photographs (CIFAR-10: a distance of 3.17, by another judge). So what is compared
# is the distance of as many real digits that the training has not seen.

# %%
shuffled = np.random.default_rng(0).permuted(x_test, axis=1)
right = [judge.evaluate(images, y_test, verbose=0)[1] for images in (x_test, made[-1])]
print(f"accuracy of the judge: test digits {right[0]:.3f}, drawn ones {right[1]:.3f}")
print(f"distance of test digits: {distance(x_test):.2f}")
print(f"distance of drawn digits: {distance(made[-1]):.2f} (published: near to that)")
print(f"distance of test digits with shuffled pixels: {distance(shuffled):.1f}")
