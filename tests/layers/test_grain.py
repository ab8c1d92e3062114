"""Layers in Grain's pipelines, where Grain is installed: elements are arrays of numpy."""

import numpy as np
import pytest

from jkeras import layers

grain = pytest.importorskip("grain")

IMAGES = np.random.default_rng(0).uniform(size=(4, 6, 5, 3)).astype("float32")


def test_a_layer_as_a_map():
    data = grain.MapDataset.source(IMAGES).batch(2).map(layers.Rescaling(2.0))
    np.testing.assert_array_equal(np.concatenate(list(data)), IMAGES * 2)


def test_each_element_has_random_numbers_of_its_own():
    layer = layers.RandomBrightness(0.5, value_range=(0, 1))
    same = np.full((6, 4, 4, 3), 0.5, "float32")
    data = grain.MapDataset.source(same).map(lambda x: layer(x, training=True))
    assert len({float(x[0, 0, 0]) for x in data.to_iter_dataset()}) == 6


def test_texts():
    layer = layers.StringLookup(vocabulary=["a", "b"])
    data = grain.MapDataset.source(["b", "?", "a"]).map(lambda text: layer([text]))
    assert [x.tolist() for x in data] == [[2], [0], [1]]


def test_a_dict_of_images_and_boxes():
    layer = layers.Resizing(3, 2, bounding_box_format="rel_xyxy")
    element = {
        "images": IMAGES[0],
        "bounding_boxes": {"boxes": np.array([[0.0, 0.0, 0.5, 1.0]]), "labels": np.array([7])},
    }
    (found,) = grain.MapDataset.source([element]).map(layer)
    assert found["images"].shape == (3, 2, 3)
    np.testing.assert_allclose(found["bounding_boxes"]["boxes"], [[0.0, 0.0, 0.5, 1.0]])
