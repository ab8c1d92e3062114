"""Segmentation with a U-Net: which pixels belong to a disc, which to a square, in noisy drawings.

The drawings and their masks are made by the program; a square may lie over a disc. The net goes
down to a quarter of the size and up again, and hands what it saw on the way down across
(Ronneberger et al., 2015). The measure is the mean over classes of intersection over union; calling
every pixel background is the baseline. Run it with `python examples/unet_segmentation.py`.
"""

import numpy as np

import jkeras
from jkeras import layers

SIZE = 32
CLASSES = 3  # background, disc, square


def drawings(count, seed):
    """Images (count, size, size, 1) and masks (count, size, size)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = np.zeros((count, SIZE, SIZE, 1), "float32")
    masks = np.zeros((count, SIZE, SIZE), "int32")
    for image, mask in zip(images, masks):
        for shape in (1, 2):
            row, column = rng.integers(4, SIZE - 4, 2)
            half = rng.integers(4, 8)
            down, across = np.abs(rows - row), np.abs(columns - column)
            inside = (
                down**2 + across**2 <= half**2
                if shape == 1
                else np.maximum(down, across) <= half * 0.9
            )
            mask[inside] = shape
            image[inside, 0] = rng.uniform(0.5, 1.0)
    return images + 0.3 * rng.normal(size=images.shape).astype("float32"), masks


def convolve(x, filters):
    """Two convolutions, each normalized."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def build_model(filters=(8, 16, 32)):
    """Images to the logits of each pixel's class; sizes are halved between numbers of filters."""
    image = jkeras.Input((SIZE, SIZE, 1))
    x, seen = image, []
    for number in filters[:-1]:
        seen.append(convolve(x, number))
        x = layers.MaxPooling2D(2)(seen[-1])
    x = convolve(x, filters[-1])
    for number, across in zip(filters[-2::-1], reversed(seen)):
        x = layers.Conv2DTranspose(number, 2, strides=2)(x)
        x = convolve(layers.Concatenate()([x, across]), number)
    return jkeras.Model(image, layers.Conv2D(CLASSES, 1)(x))


def main(epochs=20, count=512):
    """Trains; prints and returns the mean intersection over union on new drawings, and that of the
    baseline.
    """
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = drawings(count, 0), drawings(128, 1)
    model = build_model()
    overlap = jkeras.metrics.MeanIoU(CLASSES, sparse_y_pred=False, name="overlap")
    schedule = jkeras.optimizers.schedules.CosineDecay(1e-2, epochs * -(-count // 32))
    model.compile(
        jkeras.optimizers.Adam(schedule),
        jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[overlap],
    )
    model.fit(x, y, epochs=epochs, verbose=2)
    found = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["overlap"]
    nothing = jkeras.metrics.MeanIoU(CLASSES)
    nothing.update_state(y_test, np.zeros_like(y_test))
    print(
        f"mean intersection over union: {found:.4f}, background only: {float(nothing.result()):.4f}"
    )
    return found, float(nothing.result())


if __name__ == "__main__":
    main()
