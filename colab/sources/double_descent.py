# %% [markdown]
# # Double descent: too many parameters are better than just enough
#
# A model with as many parameters as examples fits every wrong label and is at its worst; with many
# more it is better than any smaller one (Belkin et al., PNAS 2019). Label noise makes the peak high
# (Nakkiran et al., ICLR 2020).
#
# It runs without a network: the digits come with jkeras. Full form: about 20 seconds on a CPU.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from jkeras import layers
from jkeras.datasets import digits

# %% parameters
EXAMPLES, SEEDS = 200, 10

# %% [markdown]
# ## 1. A few digits, a tenth of them with a wrong label
#
# Each seed has examples and wrong labels of its own. The test digits are all of the test split, and
# their labels are right.

# %%
NOISE, CLASSES = 0.1, 10
(x_all, y_all), (x_test, y_test) = digits.load_data()
x_all, x_test = (x.reshape(-1, 64) / np.float32(16) for x in (x_all, x_test))


def examples(seed):
    """Rows (examples, 64) and their labels."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(x_all))[:EXAMPLES]
    wrong = random.random(EXAMPLES) < NOISE
    other = (y_all[rows] + random.integers(1, CLASSES, EXAMPLES)) % CLASSES
    return x_all[rows], np.where(wrong, other, y_all[rows])


x, y = (np.stack(arrays) for arrays in zip(*map(examples, range(SEEDS))))

# %% [markdown]
# ## 2. Random features
#
# A `Dense` layer that is never trained gives the features. `init` and `apply` are pure functions,
# so one `vmap` makes a layer for each seed. A narrower layer is the first features of the widest.

# %%
RATIOS = np.unique(np.r_[np.geomspace(0.05, 16, 22), np.linspace(0.7, 1.5, 9)])
WIDTHS = np.round(EXAMPLES * RATIOS).astype(int)
dense = layers.Dense(int(WIDTHS[-1]), "relu", kernel_initializer="he_normal")


def features_of(key, x):
    params, state = dense.init(key, x)
    return dense.apply(params, state, x)[0], dense.apply(params, state, x_test)[0]


keys = jax.random.split(jax.random.key(0), SEEDS)
features, features_test = jax.jit(jax.vmap(features_of))(keys, jnp.asarray(x))
print("features", features.shape, "of test digits", features_test.shape)

# %% [markdown]
# ## 3. Least squares at each width
#
# The linear map of least squared error to one-hot labels; where several fit, the one of least norm.
# It is a combination of the examples, so inner products of features are all that it takes. Near the
# peak the equations are all but singular: NumPy solves them in double precision.


# %%
def errors(features, labels, features_test, width):
    """(training error, test error) of the first `width` features."""
    features, features_test = features[:, :width], features_test[:, :width]
    products = features @ features.T
    combination = np.linalg.pinv(products, 1e-13, hermitian=True) @ np.eye(CLASSES)[labels]
    says, says_test = (
        (each @ combination).argmax(-1) for each in (products, features_test @ features.T)
    )
    return np.mean(says != labels), np.mean(says_test != y_test)


rows = list(zip(np.asarray(features, "float64"), y, np.asarray(features_test, "float64")))
found = np.array([[errors(*row, width) for width in WIDTHS] for row in rows])
train, test = np.moveaxis(found.mean(0), -1, 0)

# %% [markdown]
# ## 4. Down, up, and down again

# %%
figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
axes.axvline(1, color="0.8")
for seed in found[..., 1]:
    axes.plot(RATIOS, seed, color="C0", alpha=0.2, linewidth=0.8)
axes.plot(RATIOS, test, "o-", markersize=3, label="test digits")
axes.plot(RATIOS, train, label="training digits")
axes.set(xscale="log", xlabel="features for each example", ylabel="error")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## 5. Beside what was published
#
# The papers show curves of other data, so what is compared is where the peak is and which side of
# it is the better one.

# %%
fewer = found[:, WIDTHS < 0.8 * EXAMPLES, 1].min(1).mean()
print(f"features for each example at the peak: {RATIOS[test.argmax()]:.2f} (published: 1)")
print(f"test error at the peak: {test.max():.3f}")
print(f"best test error of fewer features: {fewer:.3f}")
print(f"test error of 16 features for each example: {test[-1]:.3f} (published: less than that)")
print(f"it is less by: {fewer - test[-1]:.3f}")
print(f"training error then: {train[-1]:.3f} (published: 0)")
