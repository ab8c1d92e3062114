"""A siamese network learns when two images show the same digit, and never which.

Two inputs go through one encoder, whose weights are shared because it is one layer called twice.
The contrastive loss (Hadsell, Chopra and LeCun, 2006) pulls codes of equal digits together and
pushes others apart. It is asked about pairs of images that it has not seen; distances between plain
pixels are the baseline. Run it with `python examples/siamese.py`.
"""

import numpy as np

import jkeras
from jkeras import layers, ops
from jkeras.datasets import digits

MARGIN = 1.0


def contrastive(same, distance):
    """The squared distance of a pair that is the same, else the square of what it lacks to the
    margin.
    """
    return ops.mean(
        same * distance**2 + (1 - same) * ops.maximum(MARGIN - distance, 0) ** 2, axis=-1
    )


def build_model():
    """(the encoder, a model from two images to the distance of their codes)."""
    encoder = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(32),
            layers.UnitNormalization(),
        ],
        name="encoder",
    )
    left, right = jkeras.Input((8, 8, 1)), jkeras.Input((8, 8, 1))
    apart = encoder(left) - encoder(right)
    distance = ops.sqrt(ops.sum(apart**2, axis=-1, keepdims=True) + 1e-9)
    return encoder, jkeras.Model([left, right], distance)


def pairs(images, labels, count, seed):
    """Two lists of images, and for each pair 1 if both show the same digit; half of them do."""
    rng = np.random.default_rng(seed)
    members = {digit: np.flatnonzero(labels == digit) for digit in np.unique(labels)}
    left = rng.integers(0, len(labels), count)
    same = np.arange(count) % 2
    other = [rng.choice([d for d in members if d != labels[i]]) for i in left]
    right = [rng.choice(members[labels[i] if s else o]) for i, s, o in zip(left, same, other)]
    return [images[left], images[right]], same.astype("float32")[:, None]


def separation(distance, same):
    """The chance that a pair of equal digits is nearer than a pair of others: the area under the
    ROC curve.
    """
    return float(np.mean(distance[same == 1][:, None] < distance[same == 0][None]))


def main(epochs=15, count=6000):
    """Trains; prints and returns how well distances separate pairs of unseen images."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = (part[..., None].astype("float32") / 16 for part in (x, x_test))
    _, model = build_model()
    model.compile(jkeras.optimizers.Adam(1e-3), contrastive)
    model.fit(*pairs(x, y, count, seed=0), batch_size=64, epochs=epochs, verbose=0)

    (left, right), same = pairs(x_test, y_test, 1000, seed=1)
    distances = {
        "pixels": np.sqrt(((left - right) ** 2).sum((1, 2, 3))),
        "codes": model.predict([left, right], verbose=0)[:, 0],
    }
    found = {name: separation(distance, same[:, 0]) for name, distance in distances.items()}
    print(
        "equal pairs are nearer than others, by",
        ", by ".join(f"{name}: {p:.4f}" for name, p in found.items()),
    )
    return found


if __name__ == "__main__":
    main()
