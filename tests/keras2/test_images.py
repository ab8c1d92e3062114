"""`keras.preprocessing.image` beside Keras's own legacy module: the same images, the same numbers
drawn from `np.random`, the same files.
"""

import copy
import itertools
import os
import pickle
import signal
import warnings

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing import image as legacy

import jkeras
from jkeras.keras2 import image

# by Keras, which looks for SciPy's function where it was
pytestmark = pytest.mark.filterwarnings("ignore:.*scipy.ndimage.interpolation:DeprecationWarning")
BOTH = (legacy, image)
PROMISE = pytest.mark.promise("`Tokenizer`, `one_hot`, `skipgrams`")
IMAGES = np.random.default_rng(0).uniform(0, 255, (10, 9, 7, 3)).astype("float32")
LABELS = np.tile(np.arange(2), 5)
CHANGES = [
    {"rotation_range": 40},
    {"width_shift_range": 0.3, "height_shift_range": 0.2},
    {"width_shift_range": 2, "height_shift_range": [1, 2, 3]},
    {"width_shift_range": 2.0, "height_shift_range": [0.1, 0.2]},
    {"shear_range": 20, "fill_mode": "reflect"},
    {"zoom_range": 0.4, "fill_mode": "wrap"},
    {"zoom_range": [0.5, 0.9], "fill_mode": "constant", "cval": 7.0, "interpolation_order": 0},
    {"brightness_range": (0.3, 1.7)},
    {"channel_shift_range": 60.0},
    {"horizontal_flip": True, "vertical_flip": True},
    {"rotation_range": 10, "zoom_range": 0.1, "horizontal_flip": True, "rescale": 1 / 255},
    {"samplewise_center": True, "samplewise_std_normalization": True},
    {"preprocessing_function": lambda x: x[::-1] * 2, "dtype": "float64"},
    {},
]
FITTED = [
    {"featurewise_center": True},
    {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 0.1},
    {"zca_whitening": True, "featurewise_center": True, "zca_epsilon": 1e-3},
]


def drawn(make, seed=3):
    """What a function of a library returns, for both, and that both leave `np.random` alike."""
    results, states = [], []
    for library in BOTH:
        np.random.seed(seed)
        results.append(make(library))
        states.append(np.random.random())
    assert states[0] == states[1]
    return results


def assert_same(batches):
    """Batches of Keras and ours have the same values and types."""
    want, got = (list(itertools.chain.from_iterable(map(parts, library))) for library in batches)
    assert len(want) == len(got)
    for w, g in zip(want, got):
        assert w.dtype == g.dtype and w.shape == g.shape
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-4)


def parts(batch):
    """The arrays of a batch, whose inputs or labels may be several."""
    if isinstance(batch, np.ndarray):
        return [batch]
    return list(itertools.chain.from_iterable(map(parts, batch)))


@PROMISE
@pytest.mark.promise("the order and the changes of an `ImageDataGenerator`")
@pytest.mark.promise("give Keras's images, by the same numbers of `np.random`")
@pytest.mark.parametrize("seed", [None, 11])
@pytest.mark.parametrize("options", CHANGES, ids=lambda options: " ".join(options) or "nothing")
def test_batches_of_arrays(options, seed):
    def batches(library):
        flow = library.ImageDataGenerator(**options).flow(IMAGES, LABELS, 4, seed=seed)
        passed = list(itertools.islice(flow, 4))
        flow.reset()
        by_number = [flow[i] for i in (2, 0)]
        flow.on_epoch_end()
        return [*passed, *by_number, flow[1], (np.array([len(flow), flow.total_batches_seen]),)]

    assert_same(drawn(batches))


@PROMISE
@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("options", FITTED, ids=str)
def test_statistics_of_the_data(options, augment):
    def batches(library):
        generator = library.ImageDataGenerator(horizontal_flip=True, rotation_range=5, **options)
        generator.fit(IMAGES[:, :4, :4], augment=augment, rounds=2, seed=5)
        return next(generator.flow(IMAGES[:, :4, :4], batch_size=10))

    assert_same([[batch] for batch in drawn(batches)])


@PROMISE
@pytest.mark.parametrize("options", CHANGES[:3] + CHANGES[8:10], ids=str)
def test_channels_first(options):
    images = np.moveaxis(IMAGES, -1, 1)
    generators = {"data_format": "channels_first", **options}
    assert_same(drawn(lambda lib: list(lib.ImageDataGenerator(**generators).flow(images)[0])))


@PROMISE
@pytest.mark.parametrize(
    "change",
    [
        ("random_rotation", 30),
        ("random_shift", 0.2, 0.4),
        ("random_shear", 25),
        ("random_zoom", (0.6, 1.4)),
        ("random_zoom", (1, 1)),
        ("random_channel_shift", 50.0, 2),
        ("random_brightness", (0.2, 2.0)),
        ("apply_channel_shift", -20.0),
        ("apply_brightness_shift", 1.5, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("scale", [1.0, 1e-2, -3.0])
def test_one_image(change, scale):
    name, *arguments = change
    moves = name in ("random_rotation", "random_shift", "random_shear", "random_zoom")
    x = IMAGES[0] * scale
    last = {"row_axis": 0, "col_axis": 1, "channel_axis": 2} if moves else {}
    assert_same(drawn(lambda lib: [getattr(lib, name)(x.copy(), *arguments, **last)]))
    by_place = (0, 1, 2, "constant", 3.0, 0) if moves else ()
    assert_same(drawn(lambda lib: [getattr(lib, name)(x.copy(), *arguments, *by_place)]))


@PROMISE
@pytest.mark.parametrize("subset", ["training", "validation"])
def test_a_part_is_held_out(subset):
    def batches(library):
        generator = library.ImageDataGenerator(validation_split=0.4, horizontal_flip=True)
        return list(itertools.islice(generator.flow((IMAGES, LABELS), LABELS, subset=subset), 2))

    assert_same(drawn(batches))


@pytest.mark.promise("with `subset=` each image has its own weight")
def test_weights_go_with_their_images():
    """Keras leaves the weights of all images beside the images of a part."""
    x = np.arange(8.0).reshape(8, 1, 1, 1)
    generator = image.ImageDataGenerator(validation_split=0.25)
    for subset, rows in (("training", range(2, 8)), ("validation", range(2))):
        flow = generator.flow(x, np.zeros(8), sample_weight=np.arange(8.0), subset=subset)
        images, _, weights = next(flow)
        assert images.ravel().tolist() == weights.tolist() and set(weights) == set(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two classes of pictures, one of which has a folder in it, and a file of text."""
    root = tmp_path_factory.mktemp("pictures")
    for i, name in enumerate(["a/0.png", "a/1.bmp", "a/2.png", "b/0.png", "b/in/1.png", "b/2.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(root / name, IMAGES[i], scale=False)
    (root / "a" / "notes.txt").write_text("no picture")
    return root


@PROMISE
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_mode": "sparse", "color_mode": "grayscale", "seed": 4},
        {"class_mode": "binary", "classes": ["b", "a"], "shuffle": False},
        {"class_mode": "input", "color_mode": "rgba", "keep_aspect_ratio": True},
        {"class_mode": None, "interpolation": "bilinear", "subset": "training"},
        {"subset": "validation"},
    ],
    ids=str,
)
def test_batches_of_folders(folder, options, capsys):
    def batches(library):
        generator = library.ImageDataGenerator(rotation_range=20, validation_split=0.34)
        flow = generator.flow_from_directory(folder, target_size=(6, 8), batch_size=4, **options)
        files = (np.array(flow.filenames), flow.classes, np.array(flow.samples))
        assert flow.image_shape == flow[0][0].shape[1:] or options.get("class_mode", 0) is None
        return [next(flow), next(flow), flow[0], files]

    want, got = drawn(batches)
    for w, g in zip(want.pop(), got.pop()):
        np.testing.assert_array_equal(g, w)
    assert_same([want, got])


def tables():
    """Tables of pictures, each with the arguments that read it."""
    pandas = pytest.importorskip("pandas")
    names = ["a/0.png", "a/1.bmp", "nothing.png", "b/0.png", "b/2.png", "a/notes.txt"]
    columns = {
        "filename": names,
        "class": list("xyxyxx"),
        "several": [["x"], ["x", "y"], ["z"], ["y"], ["z", "x"], ["y"]],
        "one": np.arange(6.0),
        "two": np.arange(6),
    }
    table = pandas.DataFrame(columns)
    return {
        "categorical": (table, {}),
        "lists": (table, {"y_col": "several"}),
        "some classes": (table, {"y_col": "several", "classes": ["y", "x"]}),
        "binary": (table, {"class_mode": "binary", "weight_col": "one"}),
        "sparse": (table, {"class_mode": "sparse", "subset": "training"}),
        "raw": (table, {"class_mode": "raw", "y_col": ["one", "two"]}),
        "multi_output": (table, {"class_mode": "multi_output", "y_col": ["one", "two"]}),
        "input": (table, {"class_mode": "input", "subset": "validation"}),
        "none": (table[:2], {"class_mode": None, "validate_filenames": False}),
    }


@PROMISE
@pytest.mark.parametrize(
    "name", ["categorical", "lists", "some classes", "binary", "sparse", "raw"]
)
def test_batches_of_tables(folder, name):
    _compare_tables(folder, name)


@PROMISE
@pytest.mark.parametrize("name", ["multi_output", "input", "none"])
def test_batches_of_tables_without_classes(folder, name):
    _compare_tables(folder, name)


def _compare_tables(folder, name):
    table, options = tables()[name]

    def batches(library):
        generator = library.ImageDataGenerator(shear_range=20, validation_split=0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the rows that have no picture
            flow = generator.flow_from_dataframe(
                table, folder, target_size=(6, 8), batch_size=3, **options
            )
        return [next(flow), next(flow), flow[0], (np.array(flow.samples),)]

    assert_same(drawn(batches))


@PROMISE
def test_images_are_written(folder, tmp_path):
    def names(library):
        into = tmp_path / library.__name__
        into.mkdir()
        generator = library.ImageDataGenerator(horizontal_flip=True)
        next(generator.flow(IMAGES, batch_size=3, save_to_dir=into, save_prefix="x"))
        next(generator.flow_from_directory(folder, batch_size=2, save_to_dir=str(into)))
        return {file.name: file.read_bytes() for file in into.iterdir()}

    want, got = drawn(names)
    assert want == got and len(got) == 5


@PROMISE
def test_training_has_kerass_history():
    def history(library):
        of = keras if library is legacy else jkeras
        of.utils.set_random_seed(1)
        model = of.Sequential([of.Input((9, 7, 3)), of.layers.Flatten(), of.layers.Dense(2)])
        model.compile("sgd", of.losses.SparseCategoricalCrossentropy(from_logits=True))
        generator = library.ImageDataGenerator(
            rotation_range=20, width_shift_range=0.2, horizontal_flip=True, rescale=1e-3
        )
        train = generator.flow(IMAGES, LABELS, batch_size=4)
        held_out = generator.flow(IMAGES[:4], LABELS[:4], batch_size=2, seed=3)
        fit = model.fit(train, validation_data=held_out, epochs=3, verbose=0)
        return fit.history | {"evaluate": model.evaluate(train, verbose=0)}

    want, got = drawn(history)
    assert want.keys() == got.keys()
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, err_msg=name)


class Stops(jkeras.callbacks.Callback):
    """Ends a training after some batches, as Ctrl-C does."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def trained(folder, steps, callbacks=(), seed=7):
    """(weights, losses, what numpy draws then) of a training on changed images with checkpoints."""
    jkeras.utils.set_random_seed(5)
    layers = [jkeras.layers.Flatten(), jkeras.layers.Dropout(0.2), jkeras.layers.Dense(2)]
    model = jkeras.Sequential([jkeras.Input((9, 7, 3)), *layers])
    model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    generator = image.ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1e-3)
    history = model.fit(
        generator.flow(IMAGES, LABELS, batch_size=4),
        validation_data=generator.flow(IMAGES[:4], LABELS[:4], batch_size=2, seed=seed),
        steps_per_epoch=steps,
        epochs=3,
        verbose=0,
        callbacks=list(callbacks),
        checkpoint=jkeras.saving.Checkpointer(folder, every=2),
    ).history
    return model.get_weights(), history, np.random.random()


@pytest.mark.promise("unless it tells where it is by the methods of the next paragraph")
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize("steps, batches", [(None, 4), (None, 6), (2, 3), (2, 5)])
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(tmp_path, steps, batches):
    weights, history, drawn = trained(tmp_path / "whole", steps)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", steps, [Stops(batches)])
    again, history_again, drawn_again = trained(tmp_path / "stopped", steps)
    assert history_again == history and drawn_again == drawn
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)


class IsTerminated(jkeras.callbacks.Callback):
    """Gets SIGTERM in the middle of a validation."""

    left = 3

    def on_test_batch_begin(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("seed", [None, 7])
def test_a_validation_that_was_cut_off_begins_again(tmp_path, seed):
    weights, history, drawn = trained(tmp_path / "whole", None, seed=seed)
    with pytest.raises(SystemExit):
        trained(tmp_path / "cut", None, [IsTerminated()], seed=seed)
    again, history_again, drawn_again = trained(tmp_path / "cut", None, seed=seed)
    assert history_again == history and drawn_again == drawn
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda flow: pickle.loads(pickle.dumps(flow))])
def test_a_copy_goes_on_where_the_first_one_was(copied):
    flow = image.ImageDataGenerator(horizontal_flip=True).flow(IMAGES, batch_size=3, seed=2)
    next(flow)
    again = copied(flow)
    fresh = image.ImageDataGenerator(horizontal_flip=True).flow(IMAGES, batch_size=3, seed=2)
    fresh.set_state(flow.get_state())
    for _ in range(4):
        expected = next(flow)
        np.testing.assert_array_equal(next(again), expected)
        np.testing.assert_array_equal(next(fresh), expected)


def test_a_state_of_other_images_is_refused():
    flow = image.ImageDataGenerator().flow(IMAGES)
    next(flow)
    with pytest.raises(ValueError, match="the order is of 10 images; there are 4"):
        image.ImageDataGenerator().flow(IMAGES[:4]).set_state(flow.get_state())


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: image.ImageDataGenerator(zoom_range=(1, 2, 3)), "`zoom_range`"),
        (lambda: image.ImageDataGenerator(brightness_range=1.0), "`brightness_range`"),
        (lambda: image.ImageDataGenerator(validation_split=1.5), "strictly between 0 and 1"),
        (lambda: image.ImageDataGenerator(data_format="last"), "`data_format`"),
        (lambda: image.ImageDataGenerator().fit(IMAGES[0]), "rank 4"),
        (lambda: image.ImageDataGenerator().flow(IMAGES[0]), "rank 4"),
        (lambda: image.ImageDataGenerator().flow(IMAGES, LABELS[1:]), "same length"),
        (lambda: image.ImageDataGenerator().flow(IMAGES, subset="test"), "subset"),
        (lambda: image.ImageDataGenerator().flow(IMAGES)[1], "There is no batch 1"),
        (lambda: image.apply_affine_transform(IMAGES[0], 3, channel_axis=1), "channel_axis"),
    ],
)
def test_wrong_use(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


def test_implied_normalizations_are_said():
    with pytest.warns(UserWarning, match="`zca_whitening`, which overrides .*`featurewise_center`"):
        generator = image.ImageDataGenerator(zca_whitening=True)
    assert generator.featurewise_center
    with pytest.warns(UserWarning, match="hasn't been fit"):
        next(generator.flow(IMAGES))
