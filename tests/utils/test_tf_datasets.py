"""Data sets as those of `tf.data`, where TensorFlow is installed: beside Keras, whose order they
have.
"""

import wave

import keras
import numpy as np
import pytest

import jkeras

tf = pytest.importorskip("tensorflow")

BOTH = (keras.utils, jkeras.utils)


def arrays(dataset):
    """The batches as lists of arrays of numpy."""
    return [
        [np.asarray(part).tolist() for part in tf.nest.flatten(batch)]
        for batch in dataset.as_numpy_iterator()
    ]


def assert_same(make):
    """Both packages make the same: kinds of elements, and two epochs."""
    theirs, ours = map(make, BOTH)
    assert isinstance(ours, tf.data.Dataset)
    assert tf.nest.map_structure(str, ours.element_spec) == tf.nest.map_structure(
        str, theirs.element_spec
    )
    for _ in range(2):
        assert arrays(ours) == arrays(theirs)
    return ours


@pytest.fixture
def texts(tmp_path):
    for k, name in enumerate(["cat", "dog"]):
        (tmp_path / name).mkdir()
        for i in range(12):
            (tmp_path / name / f"{i}.txt").write_bytes(f"{k}{i} héllo\r\n".encode())
    return tmp_path


@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_texts(texts, batch_size):
    options = dict(batch_size=batch_size, seed=4, max_length=6)
    made = assert_same(lambda utils: utils.text_dataset_from_directory(texts, **options))
    assert made.class_names == ["cat", "dog"] and int(made.cardinality()) == len(made)


@pytest.mark.promise("`timeseries_dataset_from_array` and `split_dataset`")
@pytest.mark.parametrize("label_mode", [None, "binary", "categorical"])
def test_labels(texts, label_mode):
    options = dict(label_mode=label_mode, shuffle=False)
    assert_same(lambda utils: utils.text_dataset_from_directory(texts, **options))


@pytest.mark.parametrize("part", [0, 1])
def test_training_and_validation(texts, part):
    options = dict(validation_split=0.25, subset="both", seed=2, batch_size=4)
    assert_same(lambda utils: utils.text_dataset_from_directory(texts, **options)[part])


@pytest.mark.parametrize("targets", [None, np.arange(30)])
def test_windows(targets):
    options = dict(sequence_length=5, batch_size=2, shuffle=True, seed=8, sampling_rate=2)
    x = np.arange(60.0).reshape(30, 2)
    theirs, ours = (utils.timeseries_dataset_from_array(x, targets, **options) for utils in BOTH)
    for _ in range(2):
        assert arrays(ours) == arrays(theirs)
    first = tf.nest.flatten(ours.element_spec)[0]
    assert first == tf.TensorSpec((None, 5, 2), "float64")


def test_the_seed_of_the_program_counts():
    def make(package):
        package.utils.set_random_seed(11)
        return package.utils.timeseries_dataset_from_array(
            np.arange(30), None, 3, batch_size=1, shuffle=True, seed=1
        )

    assert arrays(make(keras)) == arrays(make(jkeras))


def test_images(tmp_path):
    pytest.importorskip("PIL")
    (tmp_path / "a").mkdir()
    jkeras.utils.save_img(tmp_path / "a" / "x.png", np.full((6, 9, 3), 40), scale=False)
    for data_format, shape in (("channels_last", (4, 3, 1)), ("channels_first", (1, 4, 3))):
        made = jkeras.utils.image_dataset_from_directory(
            tmp_path, image_size=(4, 3), color_mode="grayscale", data_format=data_format
        )
        assert made.file_paths == [str(tmp_path / "a" / "x.png")]
        assert made.element_spec[0] == tf.TensorSpec((None, *shape), "float32")
        rescaled = made.map(lambda x, y: (jkeras.layers.Rescaling(0.5)(x), y))
        np.testing.assert_allclose(next(iter(rescaled))[0], np.full((1, *shape), 20), rtol=1e-5)


def test_pixels_of_a_jpeg(tmp_path):
    """They are TensorFlow's, as in Keras: another decoder gives other ones."""
    pytest.importorskip("PIL")
    (tmp_path / "a").mkdir()
    noise = np.random.RandomState(0).randint(0, 256, (3, 20, 24, 3))
    for i, image in enumerate(noise):
        jkeras.utils.save_img(tmp_path / "a" / f"{i}.jpg", image, scale=False)
    theirs, ours = (
        next(iter(utils.image_dataset_from_directory(tmp_path, image_size=(8, 8), shuffle=False)))
        for utils in BOTH
    )
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)


def _write_sounds(folder):
    (folder / "a").mkdir()
    for i in range(3):
        with wave.open(str(folder / "a" / f"{i}.wav"), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.arange(2 * (5 + i), dtype="<i2").tobytes())


@pytest.mark.parametrize("options", [{}, {"output_sequence_length": 6}, {"ragged": True}])
def test_sounds(tmp_path, options):
    _write_sounds(tmp_path)
    theirs, ours = (
        utils.audio_dataset_from_directory(tmp_path, batch_size=2, shuffle=False, **options)
        for utils in BOTH
    )
    for (x, y), (x_keras, y_keras) in zip(ours, theirs, strict=True):
        assert x.shape == x_keras.shape and type(x) is type(x_keras)
        if options.get("ragged"):
            x, x_keras = x.to_tensor(), x_keras.to_tensor()
        np.testing.assert_array_equal(x, x_keras)
        np.testing.assert_array_equal(y, y_keras)
    if options.get("output_sequence_length"):
        assert ours.element_spec[0].shape.as_list() == [None, 6, None]


# ---------------------------------------------------------------- halves

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)
SLICES = tf.data.Dataset.from_tensor_slices


@pytest.mark.promise("`image_dataset_from_directory` and its")
@pytest.mark.promise("`timeseries_dataset_from_array` and `split_dataset`")
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        X,
        (X, Y),
        SLICES((X, Y)),
        SLICES({"x": X, "y": Y}),
        SLICES((X, Y)).batch(3),
        SLICES((X, Y)).batch(5, drop_remainder=True),
    ],
)
def test_halves_are_those_of_keras(data, shuffle):
    for part in range(2):
        options = dict(left_size=0.7, shuffle=shuffle, seed=3)
        theirs, ours = (utils.split_dataset(data, **options)[part] for utils in BOTH)
        assert arrays(ours) == arrays(theirs) and len(ours) == len(theirs)
        assert ours.element_spec == theirs.element_spec


def test_halves_of_batches_that_are_prefetched():
    left, right = jkeras.utils.split_dataset(SLICES(X).batch(4).prefetch(1), right_size=3)
    assert [len(x) for x in left] == [4, 3] and [len(x) for x in right] == [3]


def test_halves_of_torch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    left, right = jkeras.utils.split_dataset(data, left_size=4)
    assert isinstance(left, torch.utils.data.Dataset) and (len(left), len(right)) == (4, 6)
    batch = next(iter(torch.utils.data.DataLoader(right, batch_size=2)))
    assert batch[0].tolist() == X[4:6].tolist() and batch[1].tolist() == [4, 5]
    for source in ((X, Y), SLICES((X, Y))):
        left, _ = jkeras.utils.split_dataset(source, left_size=4, preferred_backend="torch")
        assert [[v.tolist() for v in pair] for pair in left] == [
            [x.tolist(), y] for x, y in zip(X[:4], range(4))
        ]
    left, _ = jkeras.utils.split_dataset(data, left_size=2, preferred_backend="tensorflow")
    assert arrays(left) == [[[0.0, 1.0], 0], [[2.0, 3.0], 1]]
