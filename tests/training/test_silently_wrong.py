"""What Keras trains on without a word and is nearly always a mistake: an error where the result
means nothing, else a warning.
"""

import functools
import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras

X, Y = np.ones((8, 4), "float32"), np.zeros(8, "int32")


ENDS = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}


def fit(loss="sparse_categorical_crossentropy", x=X, y=Y, units=3, metrics=None, **options):
    end = ENDS.get(loss) if isinstance(loss, str) else None
    head = jkeras.layers.Dense(units, end, name="out")
    model = jkeras.Sequential([jkeras.Input((4,)), head])
    model.compile("sgd", loss, metrics=metrics)
    weights = model.get_weights()
    try:
        return model.fit(x, y, verbose=0, **options)
    except ValueError:
        for a, b in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
        raise


@pytest.mark.promise("`ValueError` that names the label")
@pytest.mark.parametrize(
    "labels, shown",
    [([0, 1, np.nan, 2] * 2, "nan"), ([0, 1.5] * 4, "1.5"), ([0, 3] * 4, "3"), ([0, -1] * 4, "-1")],
    ids=["nan", "fraction", "too large", "negative"],
)
@pytest.mark.parametrize("array", [np.array, jnp.array], ids=["numpy", "jax"])
def test_labels_that_are_no_classes(labels, shown, array):
    with pytest.raises(ValueError, match=f"must be classes in .* the label {shown}"):
        fit(y=array(labels))


def batches_of(x, y):
    while True:
        yield jnp.array(x), jnp.array(y)


@pytest.mark.promise("`ValueError` that names the label, from all kinds of data")
def test_labels_of_jax_from_a_generator():
    with pytest.raises(ValueError, match="must be classes in .* the label 7"):
        fit(x=batches_of(X, np.array([0, 7] * 4)), y=None, steps_per_epoch=2)
    fit(x=batches_of(X, np.array([0, 2] * 4)), y=None, steps_per_epoch=2)


sparse = jkeras.losses.sparse_categorical_crossentropy


class Own(jkeras.losses.Loss):
    def __init__(self):
        super().__init__()
        self.inner = jkeras.losses.SparseCategoricalCrossentropy(ignore_class=-1)

    def call(self, y_true, y_pred):
        return 2 * self.inner(y_true, y_pred)


WRAPPED = {
    "lambda": lambda y, p: sparse(y, p, from_logits=True),
    "partial": functools.partial(sparse, from_logits=True),
    "cast": lambda y, p: jkeras.ops.sparse_categorical_crossentropy(y, jkeras.ops.softmax(p)),
    "class": Own(),
}


@pytest.mark.promise("`ValueError` that names the label, from all kinds of data")
@pytest.mark.promise("labels outside of the classes, also")
@pytest.mark.parametrize("name", WRAPPED)
def test_labels_of_a_loss_that_hands_them_on(name):
    ignored = -1 if name == "class" else 0
    fit(WRAPPED[name], y=np.array([0, 2, ignored, 1] * 2))
    with pytest.raises(ValueError, match="must be classes in .* the label 3"):
        fit(WRAPPED[name], y=np.array([0, 3] * 4))


def test_labels_that_a_loss_changes():
    """From 1 on, which is right: nobody knows what they are to be."""
    fit(lambda y, p: sparse(y - 1, p, from_logits=True), y=np.array([1, 3] * 4))


LOSSES = ("mse", "mae", "huber", "cosine_similarity")


@pytest.mark.promise("which `mse` and its like broadcast, as in Keras")
@pytest.mark.promise("broadcast labels of shape (n, 3) against predictions (n, 1), silently")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape, units", [((8, 3), 1), ((8, 1), 2)])
def test_labels_of_another_shape(loss, shape, units):
    """As in Keras they are broadcast, if they can be, and here not without a word."""
    with pytest.warns(UserWarning, match=r"The labels of output 'out': expected one number for"):
        fit(loss, y=np.zeros(shape, "float32"), units=units)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(8, 3), (8,), (8, 2, 3)])
def test_labels_that_cannot_be_compared(loss, shape):
    with pytest.raises(ValueError, match="The labels of output 'out'.*which cannot be compared"):
        fit(loss, y=np.zeros(shape, "float32"), units=2)


@pytest.mark.parametrize("shape, units", [((8,), 1), ((8, 1), 1), ((8, 2), 2), ((8, 2, 1), 2)])
def test_labels_of_the_same_shape_up_to_an_axis(shape, units):
    fit("mse", y=np.zeros(shape, "float32"), units=units)


def test_series_with_one_label_each():
    model = jkeras.Sequential([jkeras.Input((5, 2)), jkeras.layers.GRU(1, return_sequences=True)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"shape \(None, 1\), which is broadcast"):
        model.fit(np.ones((8, 5, 2)), np.zeros((8, 1)), verbose=0)


def test_labels_that_do_not_count_may_be_anything():
    y = np.array([0, np.nan, 1.5, 7] * 2, "float32")
    history = fit(y=y, sample_weight=np.array([1, 0, 0, 0] * 2, "float32"))
    assert np.isfinite(history.history["loss"]).all()


def test_none_among_the_numbers():
    x = X.astype(object)
    x[3, 2] = None
    with pytest.raises(ValueError, match="`x` has dtype object and holds None in 1 of 32 places"):
        fit(x=x)


@pytest.mark.parametrize("fraction", [1.5, 1.0, -0.5])
def test_a_split_that_is_no_fraction(fraction):
    with pytest.raises(ValueError, match="`validation_split` must be between 0 and 1"):
        fit(validation_split=fraction)


@pytest.mark.parametrize("size", [-1, 2.5])
def test_a_batch_of_no_rows(size):
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        fit(batch_size=size)


def test_a_batch_size_of_zero():
    with pytest.warns(UserWarning, match="`batch_size=0` is taken for no batch size"):
        fit(batch_size=0)


def test_a_loss_that_there_is_not():
    model = jkeras.Sequential([jkeras.layers.Dense(1)])
    for loss in ("mze", ["mse", "mze"], {"out": "mze"}):
        with pytest.raises(ValueError, match="mze"):
            model.compile("sgd", loss)
    model.compile("sgd", "crossentropy")


def test_two_losses_for_one_output():
    with pytest.warns(UserWarning, match="`loss` is a list of 2 and the model has one output"):
        fit(["mse", "mae"], y=np.zeros((8, 3)))


def test_metrics_of_another_name():
    with pytest.warns(UserWarning, match="the keys .'nope'., and the model's only output"):
        fit("mse", y=np.zeros((8, 3)), metrics={"nope": "mae"})
    fit("mse", y=np.zeros((8, 3)), metrics={"out": "mae"})


def test_weights_of_classes_for_a_regression():
    with pytest.warns(UserWarning, match="`class_weight` is for classes"):
        fit("mse", y=np.linspace(0, 1, 8)[:, None], units=1, class_weight={0: 1.0, 1: 2.0})


def test_weights_of_classes_for_labels_of_places():
    """Of pixels: (n, height, width) is no one-hot; with an axis of 1 each pixel has its weight."""
    model = jkeras.Sequential(
        [jkeras.Input((2, 3, 1)), jkeras.layers.Conv2D(2, 1, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.ones((4, 2, 3, 1))
    y = np.arange(24).reshape(4, 2, 3) % 2
    weights = {0: 1.0, 1: 3.0}
    with pytest.raises(ValueError, match=r"`class_weight` .* \(4, 2, 3\).*`y\[\.\.\., None\]`"):
        model.fit(x, y, class_weight=weights, verbose=0)
    expected = model.evaluate(x, y[..., None], sample_weight=1 + 2.0 * y, verbose=0)
    logs = model.fit(x, y[..., None], class_weight=weights, verbose=0, shuffle=False).history
    np.testing.assert_allclose(logs["loss"], [expected], rtol=1e-5)


def test_weights_of_several_classes_a_row():
    """As Keras: the class of the largest counts, and a word about it."""
    y = np.array([[1, 1, 0], [0, 1, 1]] * 4)
    with pytest.warns(UserWarning, match="for one-hot, as Keras does"):
        fit("mse", y=y, class_weight={0: 1.0, 1: 1.0, 2: 1.0})


def test_a_label_below_zero():
    with pytest.warns(UserWarning, match="the label -1 is below 0"):
        jkeras.utils.to_categorical([-1, 0], 3)


@pytest.mark.parametrize("key", [9, -4, (0, 5), (slice(None), 3), (..., 7)])
def test_an_index_beyond_the_end(key):
    x = np.arange(6.0).reshape(2, 3) if isinstance(key, tuple) else np.arange(3.0)
    with pytest.raises(IndexError, match="out of bounds"):
        jkeras.ops.get_item(x, key)


@pytest.mark.parametrize("key", [-1, 1, (1, 2), (..., -1), (None, 0), slice(5, 9), [1, 0], ()])
def test_an_index_within(key):
    x = np.arange(6.0).reshape(2, 3)
    expected = x[tuple(key) if isinstance(key, list) else key]
    np.testing.assert_array_equal(jkeras.ops.get_item(x, key), expected)


def test_paths_of_checkpoints_that_are_no_folder(tmp_path):
    with pytest.raises(ValueError, match="Expected the path of a folder"):
        fit(checkpoint="")
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(NotADirectoryError, match="is no folder: checkpoints are kept in one"):
        fit(checkpoint=path)
    assert path.read_text() == "mine"


class Forgetful(jkeras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index < 2:
            return X, np.zeros((8, 3))


def forgetful():
    for index in range(4):
        yield Forgetful()[index]


@pytest.mark.parametrize("make", [Forgetful, forgetful], ids=lambda make: make.__name__)
def test_a_batch_that_is_none(make):
    """It used to end the epoch."""
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(3)])
    model.compile("sgd", "mse")
    options = {"shuffle": False} if make is Forgetful else {}
    with pytest.raises(ValueError, match="The batch is None: expected arrays"):
        model.fit(make(), verbose=0, **options)
    assert int(model.optimizer.iterations) <= 2
    assert np.isfinite(model.predict(X, verbose=0)).all()


@pytest.mark.parametrize("work", ["fit", "predict", "train_on_batch"])
def test_complex_inputs(work):
    model = jkeras.Sequential([jkeras.Input((4,), name="waves"), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    waves = X * (1 + 2j)
    arguments = {"fit": (waves, Y), "train_on_batch": (waves, Y), "predict": (waves,)}[work]
    with pytest.warns(UserWarning, match="'waves'.*imaginary parts are left out") as caught:
        getattr(model, work)(*arguments)
    assert all("jnp.real" not in str(warning.message) for warning in caught)
    np.testing.assert_array_equal(model.predict(waves.real), model.predict(X))


def test_a_graph_of_complex_numbers_keeps_them():
    x = jkeras.Input((4,), dtype="complex64")
    model = jkeras.Model(x, jkeras.ops.imag(x))
    np.testing.assert_array_equal(model.predict((X * 2j).astype("complex64"), verbose=0), 2 * X)


@pytest.mark.parametrize("cls", [jkeras.layers.Embedding, jkeras.layers.ReversibleEmbedding])
def test_a_table_of_more_rows_than_ids_can_count(cls):
    with pytest.raises(ValueError, match=r"at most 2\*\*31 rows.*input_dim=8589934593"):
        cls(2**33 + 1, 2)


@pytest.mark.parametrize(
    "weights, said",
    [
        ({0: 1.0, -1: 2.0}, "has the classes .-1., which no label is"),
        ({0: 1.0, 0.5: 2.0}, "has the classes .0.5., which no label is"),
        ({0: 1.0, 3: 2.0}, "has the classes .3., which no label is.* from 0 to 2"),
    ],
    ids=["negative", "fraction", "too large"],
)
def test_weights_of_unknown_classes(weights, said):
    with pytest.warns(UserWarning, match=said):
        fit(class_weight=weights)


STRANGE = {
    "binary_crossentropy": (
        [[0.0], [5.0]],
        "numbers from 0 to 1, and is given labels from 0.0 to 5.0.*number two classes 0 and 1",
    ),
    "poisson": ([[2.0], [-1.0]], "numbers from 0 to inf, and is given labels from -1.0 to 2.0"),
    "categorical_crossentropy": ([[0.0, 1.0], [1.0, 1.0]], "a row that adds up to 2"),
}


@pytest.mark.promise("labels outside of [0, 1] for")
@pytest.mark.filterwarnings("ignore:.* is NaN")  # the log of outputs below 0
@pytest.mark.parametrize("loss", STRANGE)
@pytest.mark.parametrize("kind", ["arrays", "generator"])
def test_labels_that_a_loss_takes_for_something_else(loss, kind):
    rows, said = STRANGE[loss]
    y = np.array(rows * 4, "float32")
    options = {"x": batches_of(X, y), "y": None, "steps_per_epoch": 2}
    if kind == "arrays":
        options = {"y": y}
    with pytest.warns(UserWarning, match=said):
        fit(loss, units=y.shape[1], **options)
    if kind == "arrays":  # what does not count may be anything
        fit(loss, y=y, units=y.shape[1], sample_weight=np.array([1.0, 0.0] * 4))


@pytest.mark.filterwarnings("ignore:.* is NaN")  # the log of outputs below 0
@pytest.mark.parametrize("loss", STRANGE)
def test_labels_that_are_right(loss):
    y = np.random.default_rng(0).dirichlet(np.ones(3), 8).astype("float16")
    fit(loss, y=y)


@pytest.mark.promise("a class that `class_weight` does not have")
def test_a_class_without_a_weight():
    with pytest.warns(UserWarning, match="no weight for the class 2, which counts 1: it has .0, 1"):
        fit(y=np.array([0, 1, 2, 1] * 2), class_weight={0: 1.0, 1: 2.0})


@pytest.mark.promise("warning after the epoch, with the position of NaN")
@pytest.mark.parametrize("part", ["x", "y", "rate", "generator"])
def test_a_loss_that_is_nan(part):
    x, y, options = X.copy(), np.zeros((8, 3), "float32"), {"epochs": 3, "batch_size": 4}
    said = r"the loss of epoch 1 is NaN.*nonfinite='raise'"
    if part == "rate":
        x, said = x * 1e30, r"the loss of epoch [12] is (NaN|infinite).*nonfinite='raise'"
    elif part == "generator":
        x = batches_of(np.full_like(x, np.nan), y)
        y, options = None, {"steps_per_epoch": 2}
    else:
        array = {"x": x, "y": y}[part]
        array[5, 2] = np.nan
        said = rf"the loss of epoch 1 is NaN.*`{part}` holds NaN 1 time, first in row 5: column 2 "
    with pytest.warns(UserWarning, match=said) as caught:
        fit("mse", x=x, y=y, **options)
    assert len(caught) == 1


@pytest.mark.parametrize("value, word", [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_loss_of_the_validation_that_is_nan(value, word):
    x = X.copy()
    x[3, 1] = x[6, 1] = x[3, 0] = value
    said = rf"the validation in epoch 1 .*{word} 3 times, first in row 3: column 0 .*, column 1 "
    with pytest.warns(UserWarning, match=said) as caught:
        fit("mse", y=np.zeros((8, 3)), validation_data=(x, np.zeros((8, 3))), epochs=2)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_a_loss_that_is_nan_and_somebody_sees_to_it():
    y = np.full((8, 3), np.nan)
    fit("mse", y=y, callbacks=[jkeras.callbacks.TerminateOnNaN()])


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e-9, 1e-4, 1.0])
def test_the_cosine_of_a_vector_of_zeros(scale):
    """The values of Keras; a gradient that is a number where Keras's is NaN."""
    y, p = np.array([[1.0, 2.0, 2.0]], "float32"), np.array([[2.0, 0.0, 1.0]], "float32") * scale
    losses = [k.losses.cosine_similarity(jnp.array(y), jnp.array(p)) for k in (jkeras, keras)]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    gradients = [
        jax.grad(lambda p, k=k: k.losses.cosine_similarity(jnp.array(y), p)[0])(jnp.array(p))
        for k in (jkeras, keras)
    ]
    assert np.isfinite(gradients[0]).all()
    if np.isfinite(gradients[1]).all():
        np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6 / max(scale, 1e-7))


def test_data_without_an_end(monkeypatch):
    monkeypatch.setattr("jkeras.training.loop.fitting.MANY", 50)
    batches = ((X, np.zeros((8, 3), "float32")) for _ in range(120))
    with pytest.warns(UserWarning, match="Epoch 1 has 50 batches so far.*steps_per_epoch") as told:
        fit("mse", x=batches, y=None)
    assert len(told) == 1


def test_bins_of_nan():
    with pytest.raises(ValueError, match="`adapt`: expected numbers.*NaN in 1 of 3 places"):
        jkeras.layers.Discretization(num_bins=2).adapt(np.array([1.0, np.nan, 2.0]))


def test_windows_that_there_are_not():
    make = jkeras.utils.timeseries_dataset_from_array
    with pytest.raises(ValueError, match="`sequence_length` must be 1 or more"):
        make(np.arange(6), None, -2, format="grain")
    with pytest.warns(UserWarning, match="there is no window, as 9 steps"):
        make(np.arange(6), None, 9, format="grain")


def test_tokens_below_zero():
    with pytest.raises(ValueError, match="tokens from 0 on.*Sequence 0 has tokens from -5 to 3"):
        list(jkeras.utils.pack_sequences([[-5, 3, 2]], 8))


def test_weights_of_more_classes_than_one_hot_labels_have():
    with pytest.warns(UserWarning, match="has the classes .3.,.* from 0 to 2"):
        fit("categorical_crossentropy", y=np.eye(3)[Y], class_weight={0: 1.0, 3: 2.0})


@pytest.mark.parametrize("see", ["__call__", "predict", "fit"])
def test_whole_numbers_seen_first(see):
    """A model that is built on whole numbers does not cut floats to them later."""
    model = jkeras.Sequential([jkeras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    whole = np.zeros((2, 1), "int64")
    getattr(model, see)(*([whole, whole] if see == "fit" else [whole]))
    np.testing.assert_array_equal(model.predict(np.array([[0.5]]), verbose=0), [[0.5]])


def missing_labels(value, kind):
    """What a training gives where labels that weigh nothing are `value`."""
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential(
        [jkeras.Input((3, 2)), jkeras.layers.Masking(), jkeras.layers.Dense(2)]
    )
    # the metrics of a training have no mask, as in Keras on JAX
    model.compile("sgd", "mse", weighted_metrics=None if kind == "mask" else ["mae"])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3, 2)), rng.normal(size=(8, 3, 2))
    weights = np.ones((8, 3))
    if kind == "rows":
        weights[2], y[2] = 0, value
    elif kind == "steps":
        weights[:2, 1], y[:2, 1] = 0, value
    else:
        x[3, 1:], y[3, 1:] = 0, value
    logs = model.fit(x, y, sample_weight=weights, batch_size=5, epochs=2, verbose=0).history
    scores = model.evaluate(x, y, sample_weight=weights, batch_size=5, verbose=0)
    return logs, scores, model.get_weights()


@pytest.mark.promise("or where a mask is False, may be NaN")
@pytest.mark.parametrize("kind", ["rows", "steps", "mask"])
def test_labels_of_weight_0_may_be_missing(kind):
    """0 times NaN is NaN: they count nothing all the same."""
    expected, actual = (missing_labels(value, kind) for value in (5.0, np.nan))
    jax.tree_util.tree_map(np.testing.assert_array_equal, actual, expected)
    assert np.isfinite(actual[1]).all()


def test_labels_of_weight_0_in_losses_and_metrics():
    y, predicted = np.array([[np.nan], [2.0]]), np.array([[0.0], [0.0]])
    for weights in (np.array([0, 1]), np.array([[0], [1]]), np.array([[False], [True]])):
        assert float(jkeras.losses.MeanSquaredError()(y, predicted, weights)) == 2.0
        metric = jkeras.metrics.MeanSquaredError()
        metric.update_state(y, predicted, weights)
        assert float(metric.result()) == 4.0
    assert np.isnan(jkeras.losses.MeanSquaredError()(y, predicted, np.array([1, 0])))
    assert np.isnan(jkeras.losses.MeanSquaredError()(y, predicted, np.ones((3, 1))[:2]))


def test_labels_that_are_broadcast_are_told_once():
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, np.zeros((8, 3)), batch_size=3, validation_split=0.3, epochs=2, verbose=0)
    (one,) = caught
    assert "shape (None, 1)" in str(one.message) and "shape (None, 3)" in str(one.message)
    assert one.filename == __file__


ACCURACIES = {  # metric, loss, labels, the label that is named
    "a regression": ("accuracy", "mse", np.linspace(0, 3, 8)[:, None], "0.428571"),
    "counts": ("acc", "mae", np.arange(8)[:, None], "2"),
    "smoothed labels": ("accuracy", "binary_crossentropy", np.full((8, 1), 0.05), "0.05"),
    "a hinge": (jkeras.metrics.BinaryAccuracy(), "hinge", np.full((8, 1), -1), "-1"),
    "several numbers": ("accuracy", "mse", np.linspace(-1, 1, 16).reshape(8, 2), "-1"),
}


def evaluate(loss, metric, y):
    units = 3 if y.ndim == 1 else y.shape[1]
    head = jkeras.layers.Dense(units, ENDS.get(loss))
    model = jkeras.Sequential([jkeras.Input((4,)), head])
    model.compile("sgd", loss, metrics=[metric], run_eagerly=True)
    for _ in range(2):
        model.evaluate(X, y, verbose=0)


@pytest.mark.promise("an accuracy of labels that are no classes")
@pytest.mark.parametrize(
    "name, kind",
    [("a regression", "jax"), ("a regression", "generator"), *((n, "arrays") for n in ACCURACIES)],
)
def test_an_accuracy_of_what_is_no_class(name, kind):
    metric, loss, y, shown = ACCURACIES[name]
    with pytest.warns(UserWarning, match=f"they hold {shown}. .*`metrics=.'mae'.`") as caught:
        if kind == "arrays":
            evaluate(loss, metric, y)
        elif kind == "jax":
            fit(loss, y=jnp.array(y), units=1, metrics=[metric], epochs=2, validation_split=0.5)
        else:
            fit(loss, batches_of(X, y), None, units=1, metrics=[metric], steps_per_epoch=2)
    assert len(caught) == 1


CLASSES = {  # metric, loss, labels
    "of two": ("accuracy", "mse", (np.arange(8) % 2)[:, None]),
    "booleans": ("accuracy", "mse", (np.arange(8) > 3)[:, None]),
    "one-hot": ("accuracy", "mse", np.eye(2)[np.arange(8) % 2]),
    "whole numbers": ("accuracy", "sparse_categorical_crossentropy", np.arange(8) % 3),
    "soft": ("accuracy", "categorical_crossentropy", np.full((8, 2), 0.5)),
    "a regression by its distance": ("mae", "mse", np.linspace(0, 3, 8)[:, None]),
    "a function of one's own": (lambda y, p: y - p, "mse", np.linspace(0, 3, 8)[:, None]),
}


@pytest.mark.parametrize("name", CLASSES)
def test_an_accuracy_of_classes(name):
    metric, loss, y = CLASSES[name]
    evaluate(loss, metric, y)


@pytest.mark.promise("an error that names `train_step`")
@pytest.mark.parametrize("name", ["train", "test", "predict"])
def test_methods_that_nobody_calls(name):
    method = f"make_{name}_function"
    cls = type("Mine", (jkeras.Sequential,), {method: lambda self, force=False: None})
    with pytest.raises(NotImplementedError, match=f"`{name}_step` to be written.*`{method}`"):
        cls([jkeras.layers.Dense(1)]).compile("sgd", "mse")


@pytest.mark.promise("a layer with `supports_jit = False` lets `fit` run without compiling")
@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_a_layer_that_cannot_be_compiled(jit_compile, recwarn):
    class Counts(jkeras.layers.Layer):
        def __init__(self):
            super().__init__(name="counts")
            self.supports_jit = False
            self.calls = 0

        def call(self, x):
            self.calls += 1
            return x

    model = jkeras.Sequential([jkeras.Input((4,)), Counts(), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=jit_compile)
    calls = model.layers[0].calls
    model.fit(X, X[:, :1], batch_size=2, epochs=2, verbose=0)
    said = [w for w in recwarn if "['counts']" in str(w.message)]
    assert len(said) == (jit_compile == "auto")
    assert (model.layers[0].calls - calls >= 8) == (jit_compile is False)
