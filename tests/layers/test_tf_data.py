"""Layers inside `tf.data`, where TensorFlow is installed."""

import random

import keras
import numpy as np
import pytest

import jkeras
from jkeras import Sequential, layers
from jkeras.utils import FeatureSpace

tf = pytest.importorskip("tensorflow")

IMAGES = np.random.default_rng(0).uniform(size=(4, 6, 5, 3)).astype("float32")


def mapped(values, function, batch=None):
    data = tf.data.Dataset.from_tensor_slices(values)
    if batch is not None:
        data = data.batch(batch)
    return data.map(function)


def only(data):
    (value,) = data.as_numpy_iterator()
    return value


def test_the_values_are_those_of_a_call_on_arrays():
    layer = layers.Rescaling(2.0, offset=1.0)
    data = mapped(IMAGES, layer, batch=4)
    np.testing.assert_array_equal(only(data), layer(IMAGES))
    assert data.element_spec == tf.TensorSpec((None, 6, 5, 3), "float32")


def test_what_stands_beside_the_layer_in_a_function_stays():
    layer = layers.CenterCrop(2, 3)
    data = mapped((IMAGES, np.arange(4)), lambda x, y: (layer(x, training=True), y), batch=2)
    assert data.element_spec[0].shape.as_list() == [None, 2, 3, 3]
    assert [y.tolist() for _, y in data.as_numpy_iterator()] == [[0, 1], [2, 3]]


def test_each_element_has_random_numbers_of_its_own():
    layer = layers.RandomBrightness(0.5, value_range=(0, 1), seed=3)
    same = np.full((6, 4, 4, 3), 0.5, "float32")
    data = mapped(same, lambda x: layer(x, training=True))
    first = [x[0, 0, 0] for x in data.as_numpy_iterator()]
    second = [x[0, 0, 0] for x in data.as_numpy_iterator()]
    assert len(set(first + second)) == 12


def test_random_numbers_are_drawn_once_each_by_parallel_calls():
    layer = layers.RandomBrightness(0.5, value_range=(0, 1), seed=3)
    data = tf.data.Dataset.from_tensor_slices(np.full((24, 2, 2, 3), 0.5, "float32"))
    data = data.map(lambda x: layer(x, training=True), num_parallel_calls=8)
    assert len({float(x[0, 0, 0]) for x in data.as_numpy_iterator()}) == 24


def drawn(keras, make):
    """Two passes over a data set that a layer changes, and the next number of Python's `random`."""
    keras.utils.set_random_seed(7)
    layer = make(keras.layers)
    data = mapped(255.0 * IMAGES, lambda x: layer(x, training=True), batch=2)
    passes = [x for _ in range(2) for x in data.as_numpy_iterator()]
    return np.stack(passes), random.random()


@pytest.mark.promise("all other layers draw TensorFlow's numbers, as in Keras")
@pytest.mark.parametrize(
    "make",
    [
        lambda layers: layers.RandomFlip(),
        lambda layers: layers.RandomFlip(seed=3),
        lambda layers: layers.RandomRotation(0.2, seed=4),
        lambda layers: layers.RandomZoom(0.3, seed=5),
        lambda layers: layers.RandomTranslation(0.2, 0.2, seed=2**31 + 5),
        lambda layers: layers.RandomCrop(3, 4, seed=5),
        lambda layers: layers.RandomContrast(0.5, seed=5),
        lambda layers: layers.RandomBrightness(0.3),
        lambda layers: layers.RandomPosterization(4, seed=5),
        lambda layers: layers.RandomErasing(seed=5),
        lambda layers: layers.MixUp(seed=5),
        lambda layers: layers.CutMix(seed=5),
        lambda layers: layers.RandAugment(seed=5),
        lambda layers: layers.Pipeline([layers.RandomFlip(), layers.RandomZoom(0.1)]),
    ],
)
def test_random_layers_draw_what_they_draw_in_keras(make):
    (expected, after), (found, then) = drawn(keras, make), drawn(jkeras, make)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert then == after


def losses(keras, prefetched):
    """Of a training whose data two layers change, from which TensorFlow makes batches ahead."""
    keras.utils.set_random_seed(5)
    flip, rotate = keras.layers.RandomFlip(seed=1), keras.layers.RandomRotation(0.1)
    stack = [keras.Input((6, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential(stack)
    model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensor_slices((np.tile(IMAGES, (3, 1, 1, 1)), np.arange(12.0) / 12))
    data = data.batch(2).map(lambda x, y: (rotate(flip(x)), y))
    if prefetched:
        data = data.prefetch(prefetched)
    return model.fit(data, epochs=2, verbose=0).history["loss"]


@pytest.mark.promise("TensorFlow, from the layer's seed and a count of its own")
@pytest.mark.parametrize("prefetched", [0, 2])
def test_a_training_on_what_layers_change_in_a_map(prefetched):
    np.testing.assert_allclose(losses(jkeras, prefetched), losses(keras, prefetched), rtol=1e-4)


@pytest.mark.parametrize("library", [keras, jkeras])
def test_boxes_alone_in_a_graph(library):
    layer = library.layers.RandomFlip("horizontal", seed=3, bounding_box_format="xyxy")
    boxes = {"boxes": np.array([[[1.0, 2.0, 3.0, 4.0]]]), "labels": np.array([[1]])}
    flipped = {"flips": np.array([[True]]), "input_shape": (1, 6, 5, 3)}
    data = mapped(boxes, lambda x: layer.transform_bounding_boxes(x, flipped, training=True))
    np.testing.assert_allclose(only(data)["boxes"], [[2.0, 2.0, 4.0, 4.0]])


def test_images_alone_in_a_graph():
    layer = layers.RandomBrightness(0.5, value_range=(0, 1))
    images = mapped(IMAGES, lambda x: layer.transform_images(x, None, training=False), 4)
    np.testing.assert_allclose(only(images), IMAGES)


def test_a_layer_that_rests_moves_on_as_in_keras():
    images = np.arange(8.0, dtype="float32").reshape(2, 2, 2, 1)

    def mixed(keras):
        layer = keras.layers.MixUp(seed=3)
        resting, mixing = (mapped(images, lambda x, t=t: layer(x, training=t), 2) for t in (0, 1))
        return [only(data) for data in (resting, mixing, mixing)]

    np.testing.assert_allclose(mixed(jkeras), mixed(keras), atol=1e-5)


def test_draws_in_a_graph_leave_the_generator_of_calls_by_hand_where_it_was():
    used, fresh = (layers.RandomFlip(seed=5) for _ in range(2))
    list(mapped(IMAGES, lambda x: used(x, training=True)))
    np.testing.assert_array_equal(used(IMAGES, training=True), fresh(IMAGES, training=True))


@pytest.mark.parametrize(
    ("layer", "values", "dtype"),
    [
        (layers.StringLookup(vocabulary=["a", "b"]), ["b", "?"], "int64"),
        (layers.StringLookup(vocabulary=["a"], output_mode="one_hot"), ["a", "?"], "float32"),
        (layers.IntegerLookup(vocabulary=[7, 9]), [9, 1], "int64"),
        (layers.Hashing(3), ["A", "E"], "int64"),
        (layers.TextVectorization(vocabulary=["x", "y"]), ["x y x", "y"], "int64"),
        (layers.CategoryEncoding(3), [[0, 1], [2, 2]], "float32"),
        (layers.Discretization([0.0, 1.0]), [-1.0, 5.0], "int32"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_texts_and_categories(layer, values, dtype):
    data = mapped(values, layer, batch=2)
    np.testing.assert_array_equal(only(data), layer(np.array(values)))
    assert data.element_spec.dtype == dtype


def test_numbers_become_texts():
    layer = layers.StringLookup(vocabulary=["a", "é"], invert=True)
    data = mapped([2, 1], layer, batch=2)
    assert data.element_spec == tf.TensorSpec((None,), "string")
    assert [text.decode() for text in only(data)] == ["é", "a"]


def test_several_features_are_crossed():
    layer = layers.HashedCrossing(5)
    texts, numbers = np.array(["A", "B"]), np.array([101, 101])
    data = mapped((texts, numbers), lambda *features: layer(features), batch=2)
    assert only(data).tolist() == layer((texts, numbers)).tolist()


def test_a_dict_of_images_and_ragged_boxes():
    layer = layers.RandomFlip("horizontal", bounding_box_format="xyxy", seed=1)
    boxes = tf.ragged.constant([[[0, 0, 2, 2]], [[0, 0, 1, 1], [1, 1, 3, 3]]], ragged_rank=1)
    element = {
        "images": IMAGES[:2],
        "bounding_boxes": {
            "boxes": tf.cast(boxes, "float32"),
            "labels": tf.ragged.constant([[1], [2, 3]]),
        },
    }
    data = tf.data.Dataset.from_tensors(element).map(lambda x: layer(x, training=True))
    assert data.element_spec["images"].shape == (2, 6, 5, 3)
    found = only(data)["bounding_boxes"]
    assert found["boxes"].shape == (2, 2, 4)
    assert found["labels"].tolist() == [[1, -1], [2, 3]]


def test_boxes_of_integers_become_floats():
    boxes = {"boxes": np.array([[[2, 1, 4, 3]]]), "labels": np.array([[1]])}
    layer = layers.RandAugment(seed=42, bounding_box_format="xyxy")
    data = mapped({"images": IMAGES[:1], "bounding_boxes": boxes}, layer)
    assert only(data)["bounding_boxes"]["boxes"].dtype == "float32"


def test_unknown_sizes_become_known():
    layer = layers.Resizing(3, 2)
    data = tf.data.Dataset.from_generator(
        lambda: iter(IMAGES), output_signature=tf.TensorSpec((None, None, 3), "float32")
    ).map(layer)
    assert data.element_spec.shape == (3, 2, 3)
    assert next(data.as_numpy_iterator()).shape == (3, 2, 3)


def test_a_tensor_of_unknown_rank_is_explained():
    data = tf.data.Dataset.from_generator(
        lambda: iter(IMAGES), output_signature=tf.TensorSpec(None, "float32")
    )
    with pytest.raises(ValueError, match="set_shape"):
        data.map(layers.Rescaling(2.0))


@pytest.mark.parametrize("composite", [Sequential, layers.Pipeline])
def test_layers_one_after_the_other(composite):
    steps = composite([layers.CenterCrop(2, 2), layers.Rescaling(0.5)])
    data = mapped(IMAGES, lambda x: steps(x, training=True), batch=4)
    assert data.element_spec.shape.as_list() == [None, 2, 2, 3]
    np.testing.assert_array_equal(only(data), steps(IMAGES))


def test_learnt_statistics():
    layer = layers.Normalization()
    layer.adapt(IMAGES)
    np.testing.assert_array_equal(only(mapped(IMAGES, layer, batch=4)), layer(IMAGES))


def test_tensors_outside_of_a_graph():
    assert layers.StringLookup(vocabulary=["a"])(tf.constant(["a", "?"])).tolist() == [1, 0]
    np.testing.assert_array_equal(layers.Rescaling(2.0)(tf.constant(IMAGES)), IMAGES * 2)


def test_a_feature_space_before_and_after_batching():
    values = {"number": [1.0, 2.0, 3.0], "text": ["a", "b", "a"]}
    space = FeatureSpace({"number": "float_normalized", "text": "string_categorical"})
    space.adapt(tf.data.Dataset.from_tensor_slices(values))
    wanted = np.asarray(space(values))
    single = mapped(values, space)
    assert single.element_spec.shape == wanted.shape[1:]
    np.testing.assert_allclose(np.stack(list(single.as_numpy_iterator())), wanted, rtol=1e-6)
    np.testing.assert_allclose(only(mapped(values, space, batch=3)), wanted, rtol=1e-6)
