# %% [markdown]
# # jkeras in five minutes
#
# Keras's names, arguments and numbers; underneath, pure functions on JAX.

# %% [markdown]
# ## Handwritten digits
#
# The images (8 by 8 pixels, values 0 to 16) come with the package.

# %%
import jkeras
from jkeras import layers
from jkeras.datasets import digits

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train[..., None], x_test[..., None]  # (images, 8, 8, 1)
names = {digit: str(digit) for digit in range(10)}
jkeras.visualization.plot_image_gallery(
    x_train[:16], y_true=y_train[:16], label_map=names, cols=8, value_range=(0, 16), scale=1
)

# %% [markdown]
# ## A model

# %%
jkeras.utils.set_random_seed(0)
model = jkeras.Sequential(
    [
        jkeras.Input((8, 8, 1)),
        layers.Rescaling(1 / 16),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

# %% [markdown]
# ## Train it
#
# `LivePlot` draws while the model learns. Twelve epochs take some seconds; about 0.98 of the test
# images are named right.

# %% parameters
EPOCHS = 12

# %%
history = model.fit(
    x_train,
    y_train,
    epochs=EPOCHS,
    validation_split=0.1,
    verbose=2,
    callbacks=[jkeras.callbacks.LivePlot()],
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy: {accuracy:.4f}")

# %% [markdown]
# ## Look at the mistakes

# %%
guesses = model.predict(x_test, verbose=0).argmax(axis=-1)
wrong = (guesses != y_test).nonzero()[0][:8]
jkeras.visualization.plot_image_gallery(
    x_test[wrong],
    y_true=y_test[wrong],
    y_pred=guesses[wrong],
    label_map=names,
    cols=8,
    value_range=(0, 16),
    scale=1.3,
)

# %% [markdown]
# ## The same model as two pure functions
#
# `init` makes the arrays, `apply` uses them. Nothing is hidden, so `jit`, `grad` and `vmap` are
# JAX's own.

# %%
import jax
import jax.numpy as jnp

params, state = model.init(jax.random.key(1), x_train[:1])
predict = jax.jit(lambda params, x: model.apply(params, state, x, training=False)[0])
print(jax.tree.map(jnp.shape, params))
print(predict(params, x_test[:4]).shape)

# %% [markdown]
# ## Eight trainings in one `vmap`
#
# A `TrainState` is everything that a training changes, and a training step a function of it. Eight
# of them stacked are an ensemble; `lax.scan` takes the steps, and each member sees other batches.
# Together they do about as well as the best of them.

# %%
import numpy as np

small = jkeras.Sequential(
    [
        jkeras.Input((8, 8, 1)),
        layers.Rescaling(1 / 16),
        layers.Flatten(),
        layers.Dense(64, "relu"),
        layers.Dense(10, "softmax"),
    ]
)
small.compile(jkeras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
step = jkeras.training.make_train_step(small)
x, y = jnp.asarray(x_train), jnp.asarray(y_train)


def train(key, batches):
    start = jkeras.training.init_train_state(small, key)
    return jax.lax.scan(lambda state, rows: step(state, (x[rows], y[rows])), start, batches)[0]


batches = np.random.default_rng(0).integers(0, len(x), (8, 40 * EPOCHS, 32))  # (member, step, row)
states = jax.jit(jax.vmap(train))(jax.random.split(jax.random.key(0), 8), batches)
# (member, image, class)
votes = jax.vmap(lambda params: small.apply(params, {}, x_test)[0])(states.params)
print("alone:   ", *(f"{(vote.argmax(-1) == y_test).mean():.3f}" for vote in votes))
print(f"together: {(votes.mean(axis=0).argmax(-1) == y_test).mean():.3f}")

# %% [markdown]
# ## Stop and go on
#
# With `checkpoint=` the whole training is saved after each epoch. The same call goes on from there,
# after a crash as well, and ends with the same bits as if it had never stopped.

# %%
import tempfile

folder = tempfile.mkdtemp()
model.fit(x_train, y_train, epochs=1, checkpoint=folder, verbose=2)
history = model.fit(x_train, y_train, epochs=2, checkpoint=folder, verbose=2)

# %% [markdown]
# ## Keep it
#
# Keras opens this file as well.

# %%
model.save("digits.keras")
again = jkeras.saving.load_model("digits.keras")
print(
    "the same predictions:",
    np.array_equal(model.predict(x_test, verbose=0), again.predict(x_test, verbose=0)),
)
