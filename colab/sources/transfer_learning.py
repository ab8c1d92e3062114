# %% [markdown]
# # Transfer learning
#
# A network that learned one task well knows half of the next. First with a small network of our
# own, which takes seconds anywhere; then with VGG16 and its ImageNet weights, which wants a GPU.

# %%
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers

# %% parameters
EPOCHS = 20  # of each part of the transfer
DATA = "cifar10"  # of the second part, 170 MB to download; "digits" downloads nothing
WEIGHTS = "imagenet"  # 59 MB to download; None: random weights
ROWS, LARGE_EPOCHS = 10_000, 4  # of the second part

# %% [markdown]
# ## 1. Much data for one task, little for another
#
# There are 1,438 upright digits. Of mirrored ones, as from a scanner that holds its pages the wrong
# way round, we are given two of each.

# %%
(x, y), (x_test, y_test) = jkeras.datasets.digits.load_data()
x, x_test = x[..., None] / np.float32(16), x_test[..., None] / np.float32(16)
two_of_each = np.concatenate([np.where(y == digit)[0][:2] for digit in range(10)])
few = x[two_of_each, :, ::-1], y[two_of_each]
held_out = x_test[:, :, ::-1], y_test
jkeras.visualization.plot_image_gallery(
    few[0],
    y_true=few[1],
    label_map={i: str(i) for i in range(10)},
    cols=10,
    value_range=(0, 1),
    scale=0.9,
)


# %% [markdown]
# ## 2. A body and a head
#
# The body is a model of its own, so that another head can stand on it.


# %%
def body():
    return jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
        ],
        name="body",
    )


def with_head(body, rate):
    model = jkeras.Sequential([body, layers.Dense(10, name="head")])
    compiled(model, rate)
    return model


def compiled(model, rate):
    model.compile(
        jkeras.optimizers.Adam(rate),
        jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


jkeras.utils.set_random_seed(0)
trained = body()
first = with_head(trained, 1e-3)
first.fit(x, y, epochs=10, verbose=0)
for name, data in (("upright", (x_test, y_test)), ("mirrored", held_out)):
    print(f"accuracy on {name} digits: {first.evaluate(*data, verbose=0)[1]:.3f}")

# %% [markdown]
# ## 3. Freeze the body, train the head
#
# With `trainable = False` the body has neither gradients nor optimizer state: `params` of the
# training holds the head alone.

# %%
trained.trainable = False
model = with_head(trained, 3e-3)
history = model.fit(*few, epochs=EPOCHS, validation_data=held_out, batch_size=8, verbose=0)
frozen = history.history["val_accuracy"]
state = jkeras.training.init_train_state(model)
print("trained:", sorted(state.params), "- frozen:", sorted(state.frozen))

# %% [markdown]
# ## 4. Unfreeze, and go on with a small rate
#
# Compiling again makes a new optimizer; the weights stay.

# %%
trained.trainable = True
compiled(model, 3e-4)
history = model.fit(*few, epochs=EPOCHS, validation_data=held_out, batch_size=8, verbose=0)
tuned = history.history["val_accuracy"]

# %% [markdown]
# ## 5. Was it worth it?
#
# The same network, from random weights, on the same twenty images and for as many epochs. We found
# 0.88 of the unseen images right after the transfer, and 0.82 from scratch.

# %%
scratch = with_head(body(), 1e-3)
history = scratch.fit(*few, epochs=2 * EPOCHS, validation_data=held_out, batch_size=8, verbose=0)
alone = history.history["val_accuracy"]

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.plot(range(1, 2 * EPOCHS + 1), frozen + tuned, label="transferred")
axes.plot(range(1, 2 * EPOCHS + 1), alone, label="from scratch")
axes.axvline(EPOCHS + 0.5, color="gray", linestyle=":", label="unfrozen here")
axes.set(xlabel="epoch", ylabel="accuracy on unseen images")
axes.legend()
plt.show()
print(f"head alone: {frozen[-1]:.3f}, tuned: {tuned[-1]:.3f}, from scratch: {alone[-1]:.3f}")

# %% [markdown]
# ## 6. The same with ImageNet
#
# VGG16 was trained on 1.3 million photographs. Its pixels have to come as they did then, which
# `preprocess_input` sees to; augmentation runs inside the model, in training only. Layers named
# `block5…` stay trainable later.
#
# Where there is no network, the digits stand in for photographs and random weights for those of
# ImageNet: every cell runs, and what the last ones print says nothing about transfer.


# %%
def photographs(data):
    """Images of three channels, values 0 to 255, with labels of ten classes; then those to test."""
    for images, labels in data:
        images = images[:ROWS]
        if images.ndim == 3:  # digits, gray
            images = np.repeat(images[..., None] * 15.0, 3, axis=-1)
        yield np.asarray(images, "float32"), labels[:ROWS].reshape(-1)


def body_of_vgg(size, weights):
    return jkeras.applications.VGG16(
        include_top=False, weights=weights, input_shape=(size, size, 3), pooling="avg"
    )


def or_else(download, instead):
    """What a function downloads, and what stands in for it without a network."""
    try:
        return download()
    except OSError as error:
        print(f"{error}\nWithout it: what comes with jkeras stands in.")
        return instead()


digits = jkeras.datasets.digits.load_data
data = digits() if DATA == "digits" else or_else(jkeras.datasets.cifar10.load_data, digits)
(photos, photo_labels), (photos_test, photo_labels_test) = photographs(data)
are_digits = photos.shape[1] == 8
SIZE = 32 if are_digits else 64

inputs = jkeras.Input(photos.shape[1:])
h = layers.Resizing(SIZE, SIZE)(inputs)
h = h if are_digits else layers.RandomFlip("horizontal")(h)
h = jkeras.applications.vgg16.preprocess_input(h)
vgg = or_else(lambda: body_of_vgg(SIZE, WEIGHTS), lambda: body_of_vgg(SIZE, None))
vgg.trainable = False
large = jkeras.Model(inputs, layers.Dense(10)(layers.Dropout(0.3)(vgg(h))))
compiled(large, 1e-3)
moving = sum(w.size for w in large.trainable_weights)
print(f"{large.count_params():,} weights, of which are trained: {moving:,}")

# %% [markdown]
# First the head, then the last block with it. In `fit` the frozen part is only run forward.

# %%
head = large.fit(
    photos,
    photo_labels,
    batch_size=128,
    epochs=LARGE_EPOCHS,
    verbose=2,
    validation_data=(photos_test, photo_labels_test),
)
vgg.trainable = True
for layer in vgg.layers:
    layer.trainable = layer.name.startswith("block5")
compiled(large, 1e-5)
block = large.fit(
    photos,
    photo_labels,
    batch_size=128,
    epochs=LARGE_EPOCHS,
    verbose=2,
    validation_data=(photos_test, photo_labels_test),
)
for name, part in (("head alone", head), ("with the last block", block)):
    print(f"{name}: {part.history['val_accuracy'][-1]:.3f}")
