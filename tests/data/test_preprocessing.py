"""Preprocessing as a part of a model: adapted once and saved with it, and off where nothing is
trained.
"""

import numpy as np
import pytest

import jkeras
from jkeras import layers

ROWS = np.random.default_rng(0).normal(50, 10, (16, 4)).astype("float32")
IMAGES = np.random.default_rng(1).integers(0, 256, (8, 8, 8, 3)).astype("uint8")


@pytest.mark.promise("so that a saved model takes raw rows")
def test_what_was_adapted_is_saved(tmp_path):
    scale = layers.Normalization()
    scale.adapt(ROWS)
    model = jkeras.Sequential([jkeras.Input((4,)), scale, layers.Dense(1)])
    scaled = model.layers[0](ROWS)
    np.testing.assert_allclose(np.mean(scaled, axis=0), 0, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = jkeras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(ROWS, verbose=0), model.predict(ROWS, verbose=0))


@pytest.mark.promise("`evaluate` and `predict` see the images as they are")
@pytest.mark.promise("change each image in each step of a training")
def test_images_change_in_training_alone():
    changes = [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.2),
        layers.RandomZoom(0.2),
        layers.RandomTranslation(0.2, 0.2),
        layers.RandomContrast(0.5),
        layers.RandAugment(value_range=(0, 255)),
    ]
    for layer in changes:
        model = jkeras.Sequential([jkeras.Input((8, 8, 3)), layer])
        model.compile("sgd", "mse")
        np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), IMAGES)
        assert model.evaluate(IMAGES, IMAGES.astype("float32"), verbose=0) == 0
        first, second = (np.asarray(model(IMAGES, training=True)) for _ in range(2))
        assert not np.array_equal(first, second), layer
        assert not np.array_equal(first, IMAGES), layer


@pytest.mark.promise("`fit` with `class_weight` and `sample_weight` raises")
def test_one_kind_of_weights():
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.arange(16) % 2
    both = dict(class_weight={0: 1.0, 1: 3.0}, sample_weight=np.where(labels == 1, 3.0, 1.0))
    with pytest.raises(ValueError, match="at the same time"):
        model.fit(ROWS, labels, verbose=0, **both)
    losses = []
    for name, weights in both.items():
        model.set_weights([np.ones((4, 2)), np.zeros(2)])
        history = model.fit(ROWS, labels, batch_size=16, verbose=0, **{name: weights})
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
