"""Gradient accumulation by the optimizer: k small batches make one update, that of the large
batch.
"""

import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.design.tools import assert_same_history, assert_same_weights, both, normal, weights_of
from tests.thinning import some_slow

STEPS, SIZE = 3, 4
ROWS = 4 * STEPS * SIZE  # four updates an epoch


def network(k):
    return k.Sequential(
        [
            k.Input((5,)),
            k.layers.Dense(6, activation="tanh"),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def data(rows=ROWS):
    weight = np.random.default_rng(4).uniform(0.2, 2, rows).astype("float32")
    return normal(rows, 5), np.arange(rows) % 3, weight


def decaying(k):
    return k.optimizers.schedules.ExponentialDecay(0.3, 2, 0.5, staircase=True)


OPTIMIZERS = {
    "momentum": lambda k, **more: k.optimizers.SGD(0.1, momentum=0.9, nesterov=True, **more),
    "adam": lambda k, **more: k.optimizers.Adam(0.02, **more),
    "decay": lambda k, **more: k.optimizers.AdamW(0.02, weight_decay=0.1, **more),
    "clipnorm": lambda k, **more: k.optimizers.SGD(0.5, clipnorm=0.05, **more),
    "global_clipnorm": lambda k, **more: k.optimizers.SGD(0.5, global_clipnorm=0.05, **more),
    "clipvalue": lambda k, **more: k.optimizers.SGD(0.5, clipvalue=0.01, **more),
}
AVERAGED = {
    "ema": lambda k, **more: k.optimizers.SGD(0.3, use_ema=True, ema_momentum=0.8, **more),
    "ema overwrites": lambda k, **more: k.optimizers.SGD(
        0.3, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2, **more
    ),
    "schedule": lambda k, **more: k.optimizers.SGD(decaying(k), momentum=0.5, **more),
}


def trained(model, optimizer, size, weighted=False, rows=ROWS, epochs=2, **arguments):
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, y, weight = data(rows)
    model.fit(
        x,
        y,
        batch_size=size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        sample_weight=weight if weighted else None,
        **arguments,
    )
    return model


@pytest.mark.parametrize("weighted", some_slow([False, True], True))
@pytest.mark.parametrize("name", some_slow(OPTIMIZERS, "momentum", "adam", "global_clipnorm"))
def test_small_batches_are_the_large_one(name, weighted):
    large, small = network(jkeras), network(jkeras)
    small.set_weights(large.get_weights())
    first = weights_of(small)
    trained(large, OPTIMIZERS[name](jkeras), STEPS * SIZE, weighted)
    trained(small, OPTIMIZERS[name](jkeras, gradient_accumulation_steps=STEPS), SIZE, weighted)
    assert_same_weights(small, large, rtol=1e-4, atol=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(first, weights_of(small)))
    assert int(small.optimizer.iterations) == int(large.optimizer.iterations) == 8


@pytest.mark.promise("as in Keras, updates once in four batches")
@pytest.mark.parametrize("weighted", some_slow([False, True], False))
@pytest.mark.parametrize(
    "name", some_slow({**OPTIMIZERS, **AVERAGED}, "decay", "ema overwrites", "schedule")
)
def test_through_fit_as_keras(name, weighted):
    """Ten batches and a smaller one an epoch: the sums go on over the end of the epoch."""
    mine, theirs = both(network)
    for k, model in ((jkeras, mine), (keras, theirs)):
        trained(
            model,
            {**OPTIMIZERS, **AVERAGED}[name](k, gradient_accumulation_steps=STEPS),
            SIZE,
            weighted,
            rows=10 * SIZE + 1,
        )
    assert_same_weights(mine, theirs, rtol=1e-4, atol=1e-5)
    assert_same_history(mine.history, theirs.history, rtol=1e-4)
    assert int(mine.optimizer.iterations) == int(theirs.optimizer.iterations) == 7
    np.testing.assert_allclose(
        np.asarray(mine.optimizer.learning_rate),
        np.asarray(theirs.optimizer.learning_rate),
        rtol=1e-6,
    )
    for a, b in zip(mine.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(
            np.asarray(a), np.asarray(b), rtol=1e-3, atol=1e-5, err_msg=a.name
        )


def test_between_updates_nothing_moves():
    model, (x, y, _) = network(jkeras), data()
    model.compile(
        jkeras.optimizers.Adam(0.1, gradient_accumulation_steps=STEPS),
        "sparse_categorical_crossentropy",
    )
    moved = []
    for start in range(0, ROWS, SIZE):
        before = weights_of(model)
        model.train_on_batch(x[start : start + SIZE], y[start : start + SIZE])
        moved.append(any((a != b).any() for a, b in zip(before, weights_of(model))))
    assert moved == [False, False, True] * 4


def sentences(k):
    return k.Sequential(
        [
            k.Input((6,), dtype="int32"),
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def test_masks_of_different_counts_as_keras_which_is_not_the_large_batch():
    """Each batch is divided by its own count of steps that are not masked, and the update takes the
    mean of these.
    """
    x = np.random.default_rng(0).integers(1, 9, (8, 6))
    x[:4, 2:] = 0
    y = np.random.default_rng(1).integers(0, 3, (8, 6))

    def once(k, model, size, **more):
        model.compile(k.optimizers.SGD(0.5, **more), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=size, shuffle=False, verbose=0)
        return model

    mine, theirs = both(sentences)
    large = sentences(jkeras)
    large.set_weights(mine.get_weights())
    (
        once(jkeras, mine, 4, gradient_accumulation_steps=2),
        once(keras, theirs, 4, gradient_accumulation_steps=2),
    )
    once(jkeras, large, 8)
    assert_same_weights(mine, theirs)
    assert max(np.abs(a - b).max() for a, b in zip(weights_of(mine), weights_of(large))) > 1e-3


def test_a_resumed_training_keeps_the_sums(tmp_path):
    class Stop(jkeras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("stopped")

    def run(**arguments):
        jkeras.utils.set_random_seed(2)
        return trained(
            network(jkeras),
            jkeras.optimizers.Adam(0.1, gradient_accumulation_steps=STEPS),
            SIZE,
            rows=10 * SIZE,
            epochs=3,
            **arguments,
        )

    whole = run()
    with pytest.raises(RuntimeError, match="stopped"):
        run(checkpoint=tmp_path, callbacks=[Stop()])
    for a, b in zip(weights_of(run(checkpoint=tmp_path)), weights_of(whole)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow  # tests/parity/test_training.py has most of it
@pytest.mark.parametrize(
    "arguments",
    [
        dict(use_ema=True, ema_momentum=0.7),
        dict(use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3),
        dict(clipnorm=0.02),
        dict(global_clipnorm=0.02),
        dict(clipvalue=0.003),
    ],
    ids=str,
)
def test_averages_and_clipping_through_fit_as_keras(arguments):
    """During `fit`, which validates, and what `evaluate` sees after it."""
    mine, theirs = both(network)
    x, y, _ = data()
    seen = []
    for k, model in ((jkeras, mine), (keras, theirs)):
        model.compile(
            k.optimizers.Adam(0.05, **arguments),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        model.fit(
            x, y, batch_size=7, epochs=2, shuffle=False, verbose=0, validation_data=(x[:10], y[:10])
        )
        seen.append(model.evaluate(x, y, verbose=0))
    np.testing.assert_allclose(*seen, rtol=1e-4)
    assert_same_weights(mine, theirs, rtol=2e-4, atol=2e-5)
    assert_same_history(mine.history, theirs.history, rtol=2e-4)


def test_averages_go_on_in_a_second_fit():
    """Keras 3.15 breaks off there: weights and averages are one buffer. The averages start from
    where they were.
    """
    mine, (x, y, _) = network(jkeras), data(8)
    mine.compile(
        jkeras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5),
        "sparse_categorical_crossentropy",
    )
    plain = network(jkeras)
    plain.set_weights(mine.get_weights())
    plain.compile(jkeras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    average = None
    for _ in range(2):
        mine.fit(x, y, batch_size=8, verbose=0)
        plain.fit(x, y, batch_size=8, verbose=0)
        now = weights_of(plain)
        average = now if average is None else [(a + w) / 2 for a, w in zip(average, now)]
        for a, b in zip(weights_of(mine), average):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        plain.set_weights(average)


@pytest.mark.slow
def test_batch_statistics_follow_the_small_batches():
    """BatchNormalization sees the batches one by one: its statistics move once for each, as in
    Keras.
    """

    def build(k):
        return k.Sequential(
            [k.Input((5,)), k.layers.BatchNormalization(momentum=0.5), k.layers.Dense(3, "softmax")]
        )

    mine, theirs = both(build)
    for k, model in ((jkeras, mine), (keras, theirs)):
        trained(
            model,
            k.optimizers.SGD(0.1, gradient_accumulation_steps=STEPS),
            SIZE,
            rows=10 * SIZE + 1,
        )
    assert_same_weights(mine, theirs, rtol=1e-4, atol=1e-5)
    assert isinstance(mine.layers[0], layers.BatchNormalization)
