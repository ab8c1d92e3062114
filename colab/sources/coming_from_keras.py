# %% [markdown]
# # Coming from Keras
#
# Change the import, keep the program. Names, arguments, defaults, numbers and files are those of
# Keras 3.15. This notebook walks through the ways people write Keras, and ends with what is
# different and why.

# %% [markdown]
# ## 1. Only the import changes
#
# Everything below this line could be a program for Keras.

# %%
import numpy as np

import jkeras as keras
from jkeras import layers

keras.utils.set_random_seed(1)
# 8 by 8 pixels, values 0 to 16
(x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
x_train, x_test = x_train[..., None] / np.float32(16), x_test[..., None] / np.float32(16)

# %% parameters
EPOCHS = 15

# %% [markdown]
# ## 2. Functional models, callbacks, curves
#
# About 0.98 of the test images are named right after 15 epochs.

# %%
inputs = keras.Input((8, 8, 1))
x = layers.Conv2D(32, 3, activation="relu", padding="same")(inputs)
x = layers.BatchNormalization()(x)
shortcut = x
x = layers.Conv2D(32, 3, activation="relu", padding="same")(x)
x = layers.add([x, shortcut])
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(10, activation="softmax")(x)
model = keras.Model(inputs, outputs)

model.compile(keras.optimizers.AdamW(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train,
    y_train,
    epochs=EPOCHS,
    validation_split=0.1,
    verbose=0,
    callbacks=[
        keras.callbacks.ReduceLROnPlateau(patience=3),
        keras.callbacks.EarlyStopping(patience=6),
    ],
)
results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
print({name: round(value, 4) for name, value in results.items()})

# %%
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axes, name in ((left, "loss"), (right, "accuracy")):
    axes.plot(history.history[name], label="training")
    axes.plot(history.history[f"val_{name}"], label="validation")
    axes.set(title=name, xlabel="epoch")
    axes.legend()
plt.show()

# %% [markdown]
# ## 3. Which digit is taken for which

# %%
guesses = model.predict(x_test, verbose=0).argmax(axis=-1)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, guesses), 1)

figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
axes.imshow(confusion, cmap="Blues")
for (true, guess), count in np.ndenumerate(confusion):
    if count:
        color = "white" if count > 20 else "black"
        axes.text(guess, true, count, ha="center", va="center", color=color)
axes.set(xlabel="predicted", ylabel="true", xticks=range(10), yticks=range(10))
plt.show()

# %% [markdown]
# ## 4. Layers and models of your own
#
# `build`, `add_weight` and `call`, as always. The weights can be used like arrays.


# %%
@keras.saving.register_keras_serializable()
class Scaled(layers.Layer):
    """A dense layer whose outputs are multiplied by learned factors."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="he_normal")
        self.factors = self.add_weight(shape=(self.units,), initializer="ones")

    def call(self, inputs):
        return keras.ops.relu(inputs @ self.kernel) * self.factors

    def get_config(self):
        return {**super().get_config(), "units": self.units}


custom = keras.Sequential([layers.Flatten(), Scaled(64), layers.Dense(10)])
custom.compile(
    "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
custom.fit(x_train, y_train, epochs=3, verbose=2)
print([(weight.path, weight.shape) for weight in custom.trainable_weights])

# %% [markdown]
# ## 5. Files go both ways
#
# A `.keras` file that is written here opens in Keras, and one that Keras wrote opens here; so do
# `.weights.h5` and the `.h5` files of older versions. Where Keras is installed, as on Colab, this
# cell lets it judge.

# %%
model.save("digits.keras")
ours = model.predict(x_test, verbose=0)
try:
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    from keras.models import load_model
except ImportError:
    print("Keras is not installed here.")
else:
    theirs = load_model("digits.keras").predict(x_test, verbose=0)
    difference = abs(ours - theirs).max()
    print(f"largest difference between Keras's predictions and ours: {difference:.1e}")

# %% [markdown]
# ## 6. What is different: the model is also a value
#
# Keras keeps weights in objects. Here the objects are a view, and what computes is a pure function
# of nested dicts. So what Keras has no word for is a line of JAX, such as how far each pixel of an
# image moves the answer (bright: far).

# %%
import jax
import jax.numpy as jnp


def score(image, digit):
    return jnp.log(model.apply(model.params, model.state, image[None], training=False)[0][0, digit])


saliency = jax.vmap(jax.grad(score))(jnp.asarray(x_test[:8]), jnp.asarray(guesses[:8]))
brightness = abs(saliency) / abs(saliency).max(axis=(1, 2, 3), keepdims=True)
pictures = np.concatenate([x_test[:8], brightness])
keras.visualization.plot_image_gallery(pictures, cols=8, value_range=(0, 1), scale=1.1)

# %% [markdown]
# ## 7. What is different: a training step is a function
#
# In Keras, a `train_step` of your own juggles four lists of variables; that contract works here
# too. Shorter: take the finished step and write around it. This one trains on each batch and on a
# noisy copy of it.

# %%
noisy = keras.models.clone_model(model)
noisy.compile(keras.optimizers.AdamW(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
step = keras.training.make_train_step(noisy)
state = keras.training.init_train_state(noisy, jax.random.key(0))


@jax.jit
def noisy_step(state, x, y):
    noise = 0.1 * jax.random.normal(jax.random.fold_in(state.rng, state.step), x.shape)
    return step(state, (jnp.concatenate([x, x + noise]), jnp.concatenate([y, y])))


rows = np.random.default_rng(0)
for _ in range(EPOCHS):
    for chosen in rows.permutation(len(x_train))[:1408].reshape(-1, 32):
        state, logs = noisy_step(state, x_train[chosen], y_train[chosen])
noisy.load_train_state(state)  # back under the view that you know
print(noisy.evaluate(x_test, y_test, verbose=0, return_dict=True))

# %% [markdown]
# ## 8. What is different: errors say what to do

# %%
for mistake in (
    lambda: layers.Dense(10, activation="rellu"),
    lambda: model.predict(np.zeros((2, 9, 9)), verbose=0),
    lambda: model.fit(x_train, y_train + 5, verbose=0),
):
    try:
        mistake()
    except Exception as error:
        print(f"{type(error).__name__}: {error}\n")

# %% [markdown]
# ## 9. The rest of the list
#
# | Keras | jkeras | because |
# |---|---|---|
# | three backends | JAX only | one backend compiles as a whole, and differentiates everything |
# | `steps_per_execution=1` | as many steps as fill 50 ms | small models wait for Python |
# | a smaller last batch compiles again | filled up, if that changes nothing | compiling is slow |
# | `optimizer=` of Keras | optax's too: `compile(optax.adamw(3e-4), …)` | people have them |
# | a setting lets a file's lambda run | `load_model(…, safe_mode=False)` | settings stay on |
# | `TorchModuleWrapper`, `TFSMLayer` | refused | they cannot run inside a compiled JAX program |
#
# `docs/gaps.md` names all that is missing, and `colab/functional.ipynb` shows the functions below.
