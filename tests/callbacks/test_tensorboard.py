"""TensorBoard's files, read back by TensorBoard's own reader; which tags and steps Keras with
TensorFlow writes.
"""

import gzip
import io
import json
import os

import jax
import numpy as np
import optax
import pytest

import jkeras
from jkeras import callbacks, layers
from jkeras.callbacks import event_file

ROWS = np.random.default_rng(0)
X = ROWS.normal(size=(16, 6, 6, 3)).astype("float32")
Y = X.sum((1, 2, 3))[:, None]
FLAT = X[:, 0, :2, :2].reshape(16, 4)


def convolutions():
    model = jkeras.Sequential(
        [
            jkeras.Input((6, 6, 3)),
            layers.Conv2D(4, 3),
            layers.Conv2D(1, 3),
            layers.Flatten(),
            layers.Dense(3),
            layers.Dense(1),
        ]
    )
    model.compile(jkeras.optimizers.SGD(0.001), "mse", metrics=["mae"])
    return model


def small(optimizer=None):
    model = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(1)]
    )
    model.compile(optimizer or jkeras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def read(folder):
    """{tag: (plugin, {step: array})} of the event files in a folder."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    util = pytest.importorskip("tensorboard.util.tensor_util")
    found = accumulators.EventAccumulator(str(folder), size_guidance={accumulators.TENSORS: 0})
    found.Reload()
    return {
        tag: (
            found.SummaryMetadata(tag).plugin_data.plugin_name,
            {e.step: util.make_ndarray(e.tensor_proto) for e in found.Tensors(tag)},
        )
        for tag in found.Tags()["tensors"]
    }


# What Keras 3.15.1 on TensorFlow 2.21 wrote for this model, in 2 epochs of 4 batches with
# `update_freq=2`.
EPOCHS, BATCHES = [0, 1], [2, 4, 6, 8]
SCALARS = {
    **dict.fromkeys(
        ["epoch_loss", "epoch_mae", "epoch_learning_rate", "epoch_steps_per_second"], EPOCHS
    ),
    **dict.fromkeys(["batch_loss", "batch_mae", "batch_steps_per_second"], BATCHES),
}
VALIDATION = {
    **dict.fromkeys(["epoch_loss", "epoch_mae"], EPOCHS),
    **dict.fromkeys(["evaluation_loss_vs_iterations", "evaluation_mae_vs_iterations"], [4, 8]),
}
WEIGHTS = [
    f"sequential/{layer}/{weight}"
    for layer in ("conv2d", "conv2d_1", "dense", "dense_1")
    for weight in ("kernel", "bias")
]
NO_IMAGE = ["sequential/conv2d_1/bias", "sequential/dense_1/bias"]  # one number
SIZES = {
    "sequential/conv2d/kernel": (3, 3, 3),
    "sequential/conv2d/bias": (4, 1, 1),
    "sequential/conv2d_1/kernel": (3, 3, 3),
    "sequential/dense/kernel": (4, 3, 1),
    "sequential/dense/bias": (3, 1, 1),
    "sequential/dense_1/kernel": (3, 1, 1),
}  # width, height, pictures


@pytest.mark.promise("`TensorBoard` | files for TensorBoard")
@pytest.mark.promise("The files are TensorFlow")
@pytest.mark.promise("`epoch_…` by epochs, `batch_…`")
def test_what_is_written(tmp_path):
    model = convolutions()
    board = callbacks.TensorBoard(
        tmp_path, histogram_freq=1, write_images=True, update_freq=2, write_steps_per_second=True
    )
    history = model.fit(
        X, Y, batch_size=4, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[board]
    ).history
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    kinds = {
        "scalars": SCALARS,
        "histograms": dict.fromkeys([f"{w}/histogram" for w in WEIGHTS], EPOCHS),
        "images": dict.fromkeys([f"{w}/image" for w in WEIGHTS if w not in NO_IMAGE], EPOCHS),
    }
    for plugin, wanted in kinds.items():
        assert {
            tag: list(steps) for tag, (kind, steps) in train.items() if kind == plugin
        } == wanted
    assert {tag: list(steps) for tag, (_, steps) in validation.items()} == VALIDATION
    for name in ("loss", "mae"):
        np.testing.assert_allclose(
            list(train[f"epoch_{name}"][1].values()), history[name], rtol=1e-6
        )
        for tag in (f"epoch_{name}", f"evaluation_{name}_vs_iterations"):
            np.testing.assert_allclose(
                list(validation[tag][1].values()), history[f"val_{name}"], rtol=1e-6
            )
        np.testing.assert_allclose(train[f"batch_{name}"][1][8], history[name][1], rtol=1e-6)
    assert train["epoch_learning_rate"][1][1] == np.float32(0.001)
    graph = train["keras"]
    assert (
        graph[0] == "graph_keras_model"
        and json.loads(graph[1][0].item())["class_name"] == "Sequential"
    )
    for weight in model.weights:
        rows = train[f"{weight.path}/histogram"][1][1]
        counts, edges = np.histogram(weight.value, 30)
        assert rows.shape == (30, 3) and rows[:, 2].sum() == weight.size
        if weight.size > 1:
            np.testing.assert_array_equal(rows[:, 2], counts)
            np.testing.assert_allclose(rows[:, 1], edges[1:], atol=1e-6)


@pytest.mark.promise("Two things are more useful")
@pytest.mark.promise("`TensorBoard` scales pictures")
def test_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    model = convolutions()
    model.fit(
        X,
        Y,
        verbose=0,
        callbacks=[callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)],
    )
    train = read(tmp_path / "train")
    for name, (width, height, count) in SIZES.items():
        texts = train[f"{name}/image"][1][0]
        assert [int(t) for t in texts[:2]] == [width, height] and len(texts) == 2 + count
        assert image.open(io.BytesIO(texts[2])).size == (width, height)
    pixels = np.asarray(
        image.open(io.BytesIO(train["sequential/dense/kernel/image"][1][0][2])), "float32"
    )
    kernel = np.asarray(model.layers[3].kernel.value).T
    np.testing.assert_allclose(pixels, (kernel - kernel.min()) / np.ptp(kernel) * 255, atol=1)


# Rows 0 and 29, and their number of values, that `tf.summary.histogram` wrote.
HISTOGRAMS = [
    (np.ones((3, 4)), [1, 1, 0], [1, 1, 12]),
    (np.array(2.5), [2.5, 2.5, 0], [2.5, 2.5, 1]),
    (np.zeros(0), [0, 0, 0], [0, 0, 0]),
    (np.array([1.0, 2, 4]), [1, 1.1, 1], [3.9, 4, 1]),
]


@pytest.mark.parametrize("values, first, last", HISTOGRAMS, ids=["equal", "one", "none", "three"])
def test_histograms(values, first, last, tmp_path):
    file = event_file.EventFile(tmp_path)
    file.write(0, [event_file.histogram("h", values)])
    file.flush()
    rows = read(tmp_path)["h"][1][0]
    np.testing.assert_allclose(rows[[0, -1]], [first, last], rtol=1e-12)


def test_frequencies_and_a_second_training(tmp_path):
    board, model = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_graph=False), small()
    model.fit(FLAT, Y, epochs=3, verbose=0, callbacks=[board])
    model.fit(FLAT, Y, epochs=5, initial_epoch=3, verbose=0, callbacks=[board])
    model.evaluate(FLAT, Y, verbose=0, callbacks=[board])
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert (
        list(train["epoch_loss"][1]) == [0, 1, 2, 3, 4]
        and "keras" not in train
        and "batch_loss" not in train
    )
    assert list(train["sequential/dense/kernel/histogram"][1]) == [0, 2, 4]
    assert (
        list(validation["evaluation_loss_vs_iterations"][1]) == [5]
        and "epoch_loss" not in validation
    )
    assert not [tag for tag in train if tag.endswith("image") or "per_second" in tag]


def test_rates_that_are_hidden_or_many(tmp_path):
    multi = jkeras.optimizers.MultiOptimizer(
        jkeras.optimizers.OptimizerMap(
            jkeras.optimizers.SGD(0.5, name="a"), {".*bias": jkeras.optimizers.SGD(0.25, name="b")}
        )
    )
    for name, optimizer in (("hidden", optax.sgd(0.1)), ("many", multi)):
        small(optimizer).fit(FLAT, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path / name)])
    assert not [tag for tag in read(tmp_path / "hidden" / "train") if "rate" in tag]
    many = read(tmp_path / "many" / "train")
    assert (
        many["epoch_learning_rate_a"][1][0] == 0.5 and many["epoch_learning_rate_b"][1][0] == 0.25
    )


def embedding():
    model = jkeras.Sequential(
        [
            jkeras.Input((2,)),
            layers.Embedding(5, 3, name="words"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    return model


@pytest.mark.promise("Two things are more useful")
def test_projector(tmp_path):
    projector = pytest.importorskip("tensorboard.plugins.projector")
    text_format = pytest.importorskip("google.protobuf.text_format")
    model, x, y = embedding(), np.array([[0, 1], [2, 4]]), np.ones((2, 1))
    board = callbacks.TensorBoard(
        tmp_path, embeddings_freq=1, embeddings_metadata={"words": "words.txt"}
    )
    model.fit(x, y, epochs=2, verbose=0, callbacks=[board])
    config = text_format.Parse(
        (tmp_path / "projector_config.pbtxt").read_text(), projector.ProjectorConfig()
    )
    assert [(e.metadata_path, e.tensor_path) for e in config.embeddings] == [
        ("words.txt", "words.tsv")
    ]
    np.testing.assert_allclose(
        np.loadtxt(tmp_path / "words.tsv"), model.layers[0].embeddings.value, rtol=1e-5
    )
    fresh = embedding()
    fresh.load_weights(tmp_path / "train" / "keras_embedding.ckpt-1.weights.h5")
    np.testing.assert_array_equal(fresh.get_weights()[0], model.get_weights()[0])
    with pytest.raises(ValueError, match="nope"):
        model.fit(
            x,
            y,
            verbose=0,
            callbacks=[
                callbacks.TensorBoard(
                    tmp_path, embeddings_freq=1, embeddings_metadata={"nope": "a"}
                )
            ],
        )


WRONG = [
    dict(profile_batch=-1),
    dict(profile_batch="a"),
    dict(profile_batch=(3, 2)),
    dict(profile_batch=(1, 2, 3)),
    dict(profile_batch=1.5),
    dict(profile_batch="5,3"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_wrong_batches_to_profile(arguments, tmp_path):
    with pytest.raises(ValueError, match="profile_batch"):
        callbacks.TensorBoard(tmp_path, **arguments)


def test_wrong_update_freq(tmp_path):
    with pytest.raises(ValueError, match="update_freq"):
        callbacks.TensorBoard(tmp_path, update_freq="x")


def test_looks_at_batches_only_where_it_must(tmp_path):
    plain = [callbacks.TensorBoard(tmp_path), callbacks.TensorBoard(tmp_path, histogram_freq=1)]
    looking = [
        callbacks.TensorBoard(tmp_path, update_freq="batch"),
        callbacks.TensorBoard(tmp_path, profile_batch="2,3"),
    ]
    assert [b.every_batch for b in plain + looking] == [False, False, True, True]


# ---------------------------------------------------------------- the profiler


def steps_of(folder):
    """The numbers of the training steps that a trace shows."""
    (path,) = folder.rglob("*.trace.json.gz")
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    return sorted(
        {int(e["args"]["step_num"]) for e in events if e.get("name") == "train" and "args" in e}
    )


def trace(folder, callback, **fit):
    small().fit(FLAT, Y, batch_size=4, verbose=0, callbacks=[callback], **fit)
    return steps_of(folder)


def test_tensorboard_profiles_batches(tmp_path):
    assert trace(tmp_path / "train", callbacks.TensorBoard(tmp_path, profile_batch=(2, 3))) == [
        2,
        3,
    ]


@pytest.mark.promise("`ProfilerTrace` | what JAX's profiler sees")
def test_profiler_trace(tmp_path):
    """Whole dispatches from `start_step` on; here each epoch has four steps."""
    profile = callbacks.ProfilerTrace(tmp_path / "a", start_step=4, steps=5)
    found = trace(tmp_path / "a", profile, epochs=5)
    # a dispatch begins there, of as many steps as suit
    assert found[0] in (4, 5) and found[-1] in range(5, 10)
    with pytest.warns(UserWarning, match="4 steps"):
        small().fit(
            FLAT, Y, batch_size=4, verbose=0, callbacks=[callbacks.ProfilerTrace(tmp_path / "b")]
        )
    assert not os.path.exists(tmp_path / "b")
    for arguments in (dict(start_step=0), dict(steps=0)):
        with pytest.raises(ValueError, match="counts steps from 1"):
            callbacks.ProfilerTrace(tmp_path, **arguments)


def test_a_profiler_at_work_is_left_alone(tmp_path):
    with jax.profiler.trace(tmp_path / "mine"), pytest.warns(UserWarning, match="no profile"):
        small().fit(
            FLAT,
            Y,
            batch_size=4,
            verbose=0,
            callbacks=[callbacks.TensorBoard(tmp_path, profile_batch=1)],
        )
    assert steps_of(tmp_path / "mine") == []
