# %% [markdown]
# # Explain and protect
#
# One small network of digits: why it names an image so, what misleads it, and how to train it so
# that no image of the training data shows.

# %%
import secrets

import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import explain, layers, privacy, robust
from jkeras.datasets import digits

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = (np.float32(x[..., None] / 16) for x in (x_train, x_test))  # (images, 8, 8, 1)

# %% parameters
EPOCHS = 20
HARD_EPOCHS = 12
PRIVATE_EPOCHS = 60

# %% [markdown]
# ## A network
#
# Its last layer gives logits: explanations are of these, since a probability of nearly 1 hardly
# changes with anything.


# %%
loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


def trained(epochs, rate, *parts, **options):
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((8, 8, 1)), *parts, layers.Dense(10)])
    model.compile(jkeras.optimizers.Adam(rate), loss, metrics=["accuracy"], **options)
    model.fit(x_train, y_train, epochs=epochs, verbose=0)
    return model


def accuracy(model, images):
    return model.evaluate(images, y_test, verbose=0)[1]


model = trained(
    EPOCHS,
    5e-3,
    layers.Conv2D(32, 3, padding="same", activation="relu"),
    layers.Conv2D(64, 3, padding="same", activation="relu", name="conv"),
    layers.GlobalAveragePooling2D(),
)
print(f"test accuracy: {accuracy(model, x_test):.4f}")

# %% [markdown]
# ## Where it looks
#
# Grad-CAM weighs the channels of a layer by how the score of a class depends on them. It fits a
# network that ends with an average over places, as this one does: before a `Flatten` a channel
# speaks for a class in one place and against it in another, and the map may be empty.

# %%
shown = [int(np.argmax(y_test == digit)) for digit in (0, 3, 4, 6, 8)]
images, labels = x_test[shown], y_test[shown]
maps = explain.grad_cam(model, images, labels, at="conv")
print(f"the lowest peak of a map: {maps.max(axis=(1, 2)).min():.2f}")
figure = explain.show(images, maps, "overlay", labels=labels, title="Grad-CAM")

# %% [markdown]
# ## What each pixel adds
#
# Integrated gradients share the score out among the pixels: what they get adds up to the difference
# of the image's score from that of a black one. Red speaks for the digit, blue against it.

# %%
shares, delta = explain.integrated_gradients(model, images, labels, return_delta=True)
figure = explain.show(images, shares, "signed", labels=labels, title="integrated gradients")
print(f"the largest miss of a sum: {np.abs(delta).max():.3f}")

# %% [markdown]
# The other way round: what speaks for a 9, in an image of a 4?

# %%
four = np.repeat(x_test[y_test == 4][:1], 2, axis=0)
both = explain.integrated_gradients(model, four, np.array([4, 9]))
figure = explain.show(four, both, "signed", labels=["for a 4", "for a 9"])

# %% [markdown]
# ## Mislead it
#
# An attack moves each pixel by at most a tenth of its range, in the direction in which the loss
# grows. A human still reads the digits. The network is a dense one from here on, for speed.

# %%
BOUNDS = (0.0, 1.0)


def attacked(model):
    return robust.pgd(model, x_test, y_test, epsilon=0.1, steps=10, bounds=BOUNDS)


def dense(**options):
    hidden = layers.Flatten(), layers.Dense(64, activation="relu")
    return trained(HARD_EPOCHS, 1e-3, *hidden, **options)


plain = dense()
moved = attacked(plain)
print(f"accuracy: {accuracy(plain, x_test):.4f}, under attack: {accuracy(plain, moved):.4f}")
wrong = plain.predict(moved, verbose=0).argmax(-1)
chosen = np.flatnonzero(wrong != y_test)[:8]
jkeras.visualization.plot_image_gallery(
    moved[chosen],
    y_true=y_test[chosen],
    y_pred=wrong[chosen],
    label_map={digit: str(digit) for digit in range(10)},
    cols=8,
    value_range=BOUNDS,
    scale=1.3,
)

# %% [markdown]
# ## Harden it
#
# Each step of `fit` trains on what the attack makes of its batch: one argument of `compile`.

# %%
hardened = dense(adversarial=robust.PGD(epsilon=0.1, steps=5, bounds=BOUNDS))
print(f"hardened: {accuracy(hardened, x_test):.4f}")
print(f"hardened, under attack: {accuracy(hardened, attacked(hardened)):.4f}")

# %% [markdown]
# It withstands this attack more often, which is no proof for others: `robust.randomized_smoothing`
# gives one.
#
# ## Keep the data private
#
# With `privacy` each image adds a gradient of a bounded length, and noise hides it. `epsilon` is
# what the training may reveal of any image, and `fit` finds the noise that it takes. Every epoch
# spends some of it.
#
# The seed is one that nobody knows: with it the noise could be taken off.

# %%
parts = layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10)
private = jkeras.Sequential([jkeras.Input((8, 8, 1)), *parts])
private.compile(
    jkeras.optimizers.Adam(1e-2),
    loss,
    metrics=["accuracy"],
    privacy=privacy.DPSGD(clip=1.0, epsilon=3.0, delta=1e-4),
)
history = private.fit(
    x_train,
    y_train,
    batch_size=512,
    epochs=PRIVATE_EPOCHS,
    seed=secrets.randbits(32),
    validation_data=(x_test, y_test),
    verbose=0,
).history

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(history["epsilon"])
left.set(xlabel="epoch", ylabel="epsilon spent")
right.plot(history["epsilon"], history["val_accuracy"])
right.axhline(accuracy(plain, x_test), color="gray", linestyle="--", label="without privacy")
right.set(xlabel="epsilon spent", ylabel="test accuracy")
right.legend()
plt.show()
print(f"private: {accuracy(private, x_test):.4f}, epsilon {history['epsilon'][-1]:.2f}")

# %% [markdown]
# What that says, and on what it hangs. The curve above is of test images, which the guarantee is
# not about; the losses of training images would have to stay with you.

# %%
print(private.privacy_spent().assumptions)

# %% [markdown]
# ## A bound from the other side
#
# An attack on members: eight models are trained on random halves of 400 images, in one `vmap`,
# and it guesses for each image which of them had it. A quarter of the labels are wrong, since a
# model knows these by heart only. 0.5 is as good as chance.

# %%
rng = np.random.default_rng(0)
few, noisy = x_train[:400].reshape(400, 64), y_train[:400].copy()
wrong = rng.uniform(size=400) < 0.25
noisy[wrong] = (noisy[wrong] + rng.integers(1, 10, wrong.sum())) % 10
for name, option in [("plain", None), ("private", privacy.DPSGD(noise_multiplier=2.0, delta=1e-4))]:
    jkeras.utils.set_random_seed(0)
    small = jkeras.Sequential([jkeras.Input((64,)), layers.Dense(64, "relu"), layers.Dense(10)])
    small.compile(jkeras.optimizers.Adam(1e-2), loss, privacy=option)
    train = privacy.audit.trainer(small, steps=200, batch_size=50)
    found = privacy.audit.lira(train, few, noisy, models=8, delta=1e-4)
    print(f"{name}: area under the curve {found.auc:.2f}, epsilon at least {found.epsilon:.2f}")
