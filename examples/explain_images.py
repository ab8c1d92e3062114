"""Grad-CAM of a network that was built on a trained one: where in the image the digit is.

The digits lie anywhere in larger, noisy images. A trunk learns the digits 0 to 4; in a model of
one's own, under a new head, it is trained on for 5 to 9. Nobody tells the model where a digit is.
`explain` asks it: maps at the trunk's last convolution, by the path "trunk/seen", and attributions
of the pixels. Each is measured by how much of it lies within the quarter of the image where the
digit is; with random weights a map knows less of that. Run it with
`python examples/explain_images.py`.
"""

import numpy as np

import jkeras
from jkeras import explain, layers
from jkeras.datasets import digits

SIZE = 16
SIDE = 8  # of a digit


def placed(images, seed):
    """Each image somewhere in a larger one, under noise; and where: booleans."""
    rng = np.random.default_rng(seed)
    canvas = 0.15 * rng.normal(size=(len(images), SIZE, SIZE, 1)).astype("float32")
    where = np.zeros(canvas.shape[:3], bool)
    for image, target, place in zip(images, canvas, where):
        row, column = rng.integers(0, SIZE - SIDE + 1, 2)
        target[row : row + SIDE, column : column + SIDE, 0] += image / 16
        place[row : row + SIDE, column : column + SIDE] = True
    return canvas, where


def make_trunk():
    """Images to features."""
    return jkeras.Sequential(
        [
            jkeras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="seen"),
            layers.GlobalAveragePooling2D(),
        ],
        name="trunk",
    )


def train(trunk, images, labels, epochs):
    """A classifier of five classes on a trunk."""
    model = jkeras.Sequential([jkeras.Input((SIZE, SIZE, 1)), trunk, layers.Dense(5, name="head")])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(images, labels, epochs=epochs, verbose=0)
    return model


def share_within(maps, where):
    """How much of each map lies where the digit is, on average."""
    maps = np.abs(maps.reshape(len(maps), SIZE, SIZE, -1)).sum(-1)
    totals = maps.sum((1, 2))
    return float(np.mean((maps * where).sum((1, 2))[totals > 0] / totals[totals > 0]))


def main(epochs=25, count=100):
    """Prints and returns the share of each method's attributions where the digit is."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    images, where = placed(x, seed=0)
    trunk = make_trunk()
    train(trunk, images[y < 5], y[y < 5], epochs)
    model = train(trunk, images[y >= 5], y[y >= 5] - 5, epochs)

    chosen = y_test >= 5
    images, where = placed(x_test[chosen], seed=1)
    labels = y_test[chosen] - 5
    accuracy = model.evaluate(images, labels, verbose=0)[1]
    images, labels, where = images[:count], labels[:count], where[:count]
    size = (SIZE, SIZE)
    maps = explain.grad_cam(model, images, labels, at="trunk/seen", size=size)
    params, state = model.init(1, images[:1])  # a model that has learned nothing
    random = explain.grad_cam(
        model, images, labels, at="trunk/seen", size=size, params=params, state=state
    )
    shares = {
        "Grad-CAM": share_within(maps, where),
        "integrated gradients": share_within(
            explain.integrated_gradients(model, images, labels), where
        ),
        "occlusion": share_within(
            explain.occlusion(model, images, labels, window=(4, 4), strides=(2, 2)), where
        ),
        "Grad-CAM, random weights": share_within(np.asarray(random), where),
        "by chance": float(where.mean()),
    }
    print(f"test accuracy: {accuracy:.4f}; of each map so much lies on the digit:")
    print(", ".join(f"{name}: {share:.2f}" for name, share in shares.items()))
    return shares


if __name__ == "__main__":
    main()
