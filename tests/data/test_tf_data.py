"""`tf.data.Dataset` beside arrays and beside Keras. TensorFlow takes seconds to import: all of it
is in this file.
"""

import keras
import numpy as np
import pytest

import jkeras
from jkeras.training.data import make_source
from tests.data.kinds import BATCH, CLASSES, W, X, Y, batches
from tests.data.test_beside_keras import assert_same, new_models, of_both

tf = pytest.importorskip("tensorflow")

KINDS = {
    "sliced": lambda parts: tf.data.Dataset.from_tensor_slices(parts).batch(BATCH),
    "shuffled": lambda parts: (
        tf.data.Dataset.from_tensor_slices(parts).shuffle(11, 3, False).batch(BATCH).prefetch(1)
    ),
    "generated": lambda parts: tf.data.Dataset.from_generator(
        lambda: iter(batches(parts)),
        output_signature=tuple(tf.TensorSpec((None, *p.shape[1:])) for p in parts),
    ),
}


@pytest.fixture(scope="module")
def models():
    return new_models()


@pytest.mark.parametrize("weights", [None, "samples", "classes"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_epochs(kind, weights, models):
    parts = (X, Y, W) if weights == "samples" else (X, Y)
    assert_same(
        of_both(
            models,
            lambda: {"x": KINDS[kind](parts)},
            epochs=2,
            class_weight=CLASSES if weights == "classes" else None,
        )
    )


@pytest.mark.parametrize(
    "repeats, steps, epochs", [(1, 1, 2), (1, 2, 3), (1, 4, 2), (None, 2, 2), (2, 6, 1)]
)
@pytest.mark.parametrize("kind", ["sliced", "generated"])
def test_steps_per_epoch(kind, repeats, steps, epochs, models):
    """Also of a data set without an end, where steps must be given."""
    results = of_both(
        models,
        lambda: {"x": KINDS[kind]((X, Y)).repeat(repeats)},
        steps_per_epoch=steps,
        epochs=epochs,
    )
    assert_same(results)
    assert (results[0][2] > 0) == (results[1][2] > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_predict(kind, models):
    for one, other in zip(
        models[0].evaluate(KINDS[kind]((X, Y)), verbose=0), models[1].evaluate(X, Y, verbose=0)
    ):
        np.testing.assert_allclose(one, other, 1e-5)
    if kind != "shuffled":
        np.testing.assert_allclose(
            models[0].predict(KINDS[kind]((X, Y)), verbose=0), models[0].predict(X, verbose=0), 1e-5
        )


@pytest.mark.parametrize("kind, count", [("sliced", 3), ("shuffled", 3), ("generated", None)])
def test_length_and_position(kind, count):
    source = make_source(KINDS[kind]((X, Y)))
    whole = list(source.batches(0, 1))
    assert source.num_batches == count and source.resumable and len(whole) == 3
    for skip in range(4):
        for mine, other in zip(source.batches(0, 1, skip=skip), whole[skip:], strict=True):
            np.testing.assert_array_equal(mine[0], other[0])
    assert make_source(KINDS[kind]((X, Y)).repeat()).num_batches is None


def test_another_order_each_epoch():
    """The data set shuffles; every row comes once."""
    source = make_source(tf.data.Dataset.range(11).shuffle(11, seed=1).batch(BATCH))
    orders = [
        np.concatenate([x for x, *_ in source.batches(0, epoch)]).tolist() for epoch in range(3)
    ]
    assert (
        all(sorted(order) == list(range(11)) for order in orders)
        and len(set(map(tuple, orders))) == 3
    )


def test_sparse_and_ragged_become_dense(models):
    """Tensors as batches and as arrays: sparse ones are filled with zeros, ragged ones at the end
    of their rows.
    """
    rows = np.where(np.arange(4) < np.arange(11)[:, None] % 5, X, 0).astype("float32")
    ragged = tf.RaggedTensor.from_tensor(rows, lengths=np.minimum(np.arange(11) % 5, 4))
    for tensor in (tf.sparse.from_dense(rows), ragged, tf.constant(rows)):
        np.testing.assert_allclose(
            models[0].predict(tensor, verbose=0), models[0].predict(rows, verbose=0), 1e-6
        )
        dataset = tf.data.Dataset.from_tensor_slices((tensor, Y)).batch(BATCH)
        for (x, _, _), (expected, _) in zip(make_source(dataset).batches(), batches((rows, Y))):
            np.testing.assert_array_equal(x, expected[:, : x.shape[1]])
            assert not expected[:, x.shape[1] :].any()
    sparse = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(rows), Y)).batch(BATCH)
    assert_same(of_both(models, lambda: {"x": sparse}))


def test_named_inputs():
    """Batches of dicts, for inputs and outputs by name."""
    dataset = tf.data.Dataset.from_tensor_slices(({"a": X[:, :1], "b": X[:, 1:]}, {"p": Y})).batch(
        BATCH
    )
    results = []
    for library in (jkeras, keras):
        inputs = {"a": library.Input((1,), name="a"), "b": library.Input((3,), name="b")}
        joined = library.layers.Concatenate()(list(inputs.values()))
        model = library.Model(
            inputs, {"p": library.layers.Dense(1, kernel_initializer="ones", name="p")(joined)}
        )
        model.compile("sgd", {"p": "mse"})
        history = model.fit(dataset, epochs=2, verbose=0).history["loss"]
        results.append((history, model.predict(dataset, verbose=0)["p"]))
    for mine, theirs in zip(*results):
        np.testing.assert_allclose(mine, theirs, 1e-5)


def test_errors_keep_their_cause(models):
    def spoil(x, y):
        with tf.control_dependencies([tf.debugging.assert_less(x, 1e3, message="spoiled")]):
            return tf.identity(x), y

    spoiled = X.copy()
    spoiled[5] = 1e6
    with pytest.raises(tf.errors.InvalidArgumentError, match="spoiled") as error:
        models[0].fit(KINDS["sliced"]((spoiled, Y)).map(spoil), verbose=0)
    assert "in batch 1 of" in error.value.__notes__[0]


def test_parts_beside(models):
    for model in models:
        with pytest.raises(ValueError, match="y.*should not be passed"):
            model.fit(KINDS["sliced"]((X, Y)), Y, verbose=0)


@pytest.mark.promise("and a torch `DataLoader` of a dataset work like any other")
def test_from_a_data_set_of_hugging_face(models):
    """`to_tf_dataset` gives one like any other."""
    rows = pytest.importorskip("datasets").Dataset.from_dict({"x": X.tolist(), "y": Y.tolist()})
    dataset = rows.to_tf_dataset(batch_size=BATCH, columns="x", label_cols="y", shuffle=False)
    mine, other = (
        of_both(models[:1], lambda data=data: {"x": data}, epochs=2)[0]
        for data in (dataset, KINDS["sliced"]((X, Y)))
    )
    np.testing.assert_allclose(mine[0]["loss"], other[0]["loss"], 1e-5)


def test_a_part_for_each_process():
    """Of each batch a process gets its share, as from Keras."""

    def layout(library):
        class OfTwo(library.distribution.DataParallel):
            num_model_replicas = 2

        made = OfTwo(devices=["cpu:0"])
        made.__dict__.update(
            {"num_processes": 2}
            if library is jkeras
            else {"_num_processes": 2, "_is_multi_process": True}
        )
        return made

    rows = tf.data.Dataset.range(12)
    parts = [
        [
            batch.numpy().tolist()
            for batch in layout(library).distribute_dataset(rows.batch(4, True))
        ]
        for library in (jkeras, keras)
    ]
    assert parts[0] == parts[1] == [[0, 1], [4, 5], [8, 9]]
    for dataset in (rows.batch(3, True), rows, rows.batch(4)):
        for library in (jkeras, keras) if dataset.element_spec.shape.rank != 1 else (jkeras,):
            with pytest.raises(ValueError):
                layout(library).distribute_dataset(dataset)
