"""Packed sequences: rows that hold each token once, the loss and the gradients of separate rows,
and iterators that go on where they were.
"""

import json

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.utils import pack_sequences

RANDOM = np.random.default_rng(0)
VOCABULARY, LENGTH = 11, 12
SEQUENCES = [RANDOM.integers(1, VOCABULARY, size) for size in RANDOM.integers(1, LENGTH + 1, 40)]


def segments(batches):
    """The sequences that lie in batches."""
    found = []
    for x, *_ in batches:
        for tokens, ids, positions in zip(x["tokens"], x["segment_ids"], x["positions"]):
            for number in range(1, ids.max(initial=0) + 1):
                np.testing.assert_array_equal(positions[ids == number], range(sum(ids == number)))
                found.append(tokens[ids == number].tolist())
            assert not tokens[ids == 0].any() and not positions[ids == 0].any()
    return found


def as_lists(sequences):
    return sorted(list(map(int, sequence)) for sequence in sequences)


# ---------------------------------------------------------------- rows


@pytest.mark.promise("Lists of tokens can be packed too")
@pytest.mark.promise("Each sequence of a row")
@pytest.mark.promise("`jkeras.utils.TextLines` reads files and")
@pytest.mark.promise("rows | a sequence lies")
@pytest.mark.parametrize("window", [1, 3, 100])
def test_each_sequence_once(window):
    found = segments(pack_sequences(SEQUENCES, LENGTH, batch_size=4, window=window))
    assert sorted(found) == as_lists(SEQUENCES)
    if window == 1:
        assert found == [sequence.tolist() for sequence in SEQUENCES]


@pytest.mark.promise("`jkeras.utils.TextLines` reads files and")
@pytest.mark.promise("rows | a sequence lies")
def test_a_window_saves_rows():
    rows = [
        sum(1 for _ in pack_sequences(SEQUENCES, LENGTH, batch_size=1, window=window))
        for window in (1, 16)
    ]
    tokens = sum(map(len, SEQUENCES))
    assert rows[1] < rows[0] and rows[1] * LENGTH <= 1.15 * tokens


@pytest.mark.promise("The label of a token is")
@pytest.mark.promise("weights | of mean 1 in")
def test_labels_are_the_next_tokens():
    for x, labels, weights in pack_sequences(SEQUENCES, LENGTH, normalize=False):
        ids = x["segment_ids"]
        for row, place in np.ndindex(*ids.shape):
            has_next = (
                ids[row, place] > 0
                and place + 1 < LENGTH
                and ids[row, place + 1] == ids[row, place]
            )
            assert weights[row, place] == has_next
            assert labels[row, place] == (x["tokens"][row, place + 1] if has_next else 0)


@pytest.mark.promise("a sequence longer than a row")
def test_long_sequences():
    long = [range(30), range(3)]
    assert sorted(segments(pack_sequences(long, 12))) == as_lists(
        [range(12), range(12, 24), range(24, 30), range(3)]
    )
    with pytest.raises(ValueError, match="Sequence 0 has 30 tokens, and a row 12"):
        list(pack_sequences(long, 12, longer="error"))


@pytest.mark.promise("the last batch | is filled")
@pytest.mark.promise("weights | of mean 1 in")
def test_the_last_batch():
    batches = list(pack_sequences(SEQUENCES, LENGTH, batch_size=16))
    assert {labels.shape for _, labels, _ in batches} == {(16, LENGTH)}
    rows = [(x["segment_ids"] > 0).any(axis=1).sum() for x, _, _ in batches]
    assert rows[:-1] == [16] * (len(rows) - 1) and 0 < rows[-1] < 16
    np.testing.assert_allclose([weights.mean() for *_, weights in batches], 1, rtol=1e-6)
    whole = list(pack_sequences(SEQUENCES, LENGTH, batch_size=16, drop_remainder=True))
    equal(whole, batches[:-1])


@pytest.mark.parametrize(
    ("sequences", "options", "words"),
    [
        ([[1]], {"length": 0}, "`length` must be a positive integer"),
        ([[1]], {"length": 4, "longer": "cut"}, "longer"),
        (iter([[1]]), {"length": 4, "shuffle": True}, "`shuffle` needs a list"),
        ([[1], ["a"]], {"length": 4}, "Sequence 1 is of <U1"),
        ([[[1]]], {"length": 4}, r"int64\[1, 1\]"),
    ],
)
def test_errors(sequences, options, words):
    with pytest.raises(ValueError, match=words):
        list(pack_sequences(sequences, **options))


@pytest.mark.promise("Lists of tokens can be packed too")
def test_another_order_each_epoch():
    data = pack_sequences(SEQUENCES, LENGTH, shuffle=True, seed=3)
    orders = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append(segments(data))
    assert orders[0] == orders[2] != orders[1] and sorted(orders[1]) == as_lists(SEQUENCES)


# ---------------------------------------------------------------- training


def language_model(rate=0.1):
    jkeras.utils.set_random_seed(0)
    tokens, ids, positions = (
        jkeras.Input((LENGTH,), dtype="int32", name=name)
        for name in ("tokens", "segment_ids", "positions")
    )
    x = layers.Embedding(VOCABULARY, 8)(tokens) + layers.Embedding(LENGTH, 8)(positions)
    for attention in (layers.MultiHeadAttention(2, 4), layers.GroupQueryAttention(4, 2, 1)):
        x = x + attention(x, x, segment_ids=ids, use_causal_mask=True)
        x = x + layers.Dense(8, "tanh")(layers.LayerNormalization()(x))
    model = jkeras.Model([tokens, ids, positions], layers.Dense(VOCABULARY)(x))
    model.compile(
        jkeras.optimizers.SGD(rate), jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


def separate_rows(sequences):
    """A batch with one sequence in each row."""
    shape = len(sequences), LENGTH
    x = {name: np.zeros(shape, "int32") for name in ("tokens", "segment_ids", "positions")}
    labels, weights = np.zeros(shape, "int32"), np.zeros(shape, "float32")
    for row, sequence in enumerate(sequences):
        size = len(sequence)
        x["tokens"][row, :size] = sequence
        x["segment_ids"][row, :size] = 1
        x["positions"][row, :size] = range(size)
        labels[row, : size - 1] = sequence[1:]
        weights[row, : size - 1] = 1
    return x, labels, weights / weights.mean()


@pytest.mark.promise("Each sequence of a row")
@pytest.mark.promise("`jkeras.utils.pack_sequences` puts short")
@pytest.mark.promise("loss and gradients are those of separate rows")
def test_loss_and_gradients_are_those_of_separate_rows():
    """The weights after a step of SGD differ from those before by the gradients."""
    (packed,) = pack_sequences(SEQUENCES, LENGTH, batch_size=64)
    losses, weights = [], []
    for x, labels, sample_weight in (packed, separate_rows(SEQUENCES)):
        model = language_model(rate=1.0)
        losses.append(model.train_on_batch(x, labels, sample_weight))
        weights.append(model.get_weights())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for packed_weight, weight in zip(*weights, strict=True):
        np.testing.assert_allclose(packed_weight, weight, rtol=1e-5, atol=1e-5)


@pytest.mark.promise("a sequence sees nothing of its neighbours")
def test_neighbours_are_not_seen():
    """A model that ignores segments gives other numbers, so that the test above can fail."""
    ((x, _, _),) = pack_sequences(SEQUENCES, LENGTH, batch_size=64)
    model = language_model()
    others = x | {"segment_ids": np.ones_like(x["segment_ids"])}
    assert not np.allclose(model.predict(x, verbose=0), model.predict(others, verbose=0), atol=1e-3)


def test_fit():
    data = pack_sequences(SEQUENCES, LENGTH, batch_size=4, shuffle=True)
    history = language_model().fit(data, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


# ---------------------------------------------------------------- going on


class Starting:
    """An iterable without numbers that starts again."""

    def __iter__(self):
        return iter(SEQUENCES)


SOURCES = {
    "list": lambda: SEQUENCES,
    "iterable": Starting,
    "generator": lambda: (sequence for sequence in SEQUENCES),
}


def equal(batches, others):
    assert len(batches) == len(others)
    for (x, *rest), (x_other, *rest_other) in zip(batches, others):
        for name in x:
            np.testing.assert_array_equal(x[name], x_other[name])
        for part, other in zip(rest, rest_other):
            np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_state_is_all(source):
    def iterator():
        return iter(pack_sequences(source(), 8, batch_size=2, window=3))

    whole = list(iterator())
    for taken in range(len(whole) + 1):
        first, second = iterator(), iterator()
        for _ in range(taken):
            next(first)
        second.set_state(json.loads(json.dumps(first.get_state())))
        equal(list(second), whole[taken:])


def test_a_state_that_does_not_fit():
    state = iter(pack_sequences(SEQUENCES, LENGTH)).get_state()
    with pytest.raises(ValueError, match="window=16.*window=2|window=2.*window=16"):
        iter(pack_sequences(SEQUENCES, LENGTH, window=2)).set_state(state)
    with pytest.raises(ValueError, match="40 sequences"):
        iter(pack_sequences(SEQUENCES[:9], LENGTH)).set_state(state)


class Stop(jkeras.callbacks.Callback):
    """Ends a training in the middle of an epoch, as an error does."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        self.step -= 1
        if self.step == 0:
            raise KeyboardInterrupt


def test_a_training_goes_on(tmp_path):
    def fit(*callbacks, folder=None):
        data = pack_sequences(SEQUENCES, LENGTH, batch_size=4, shuffle=True)
        model = language_model()
        checkpoint = folder and jkeras.saving.Checkpointer(folder, every=1)
        model.fit(data, epochs=3, verbose=0, callbacks=list(callbacks), checkpoint=checkpoint)
        return model.get_weights()

    expected = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(Stop(8), folder=tmp_path)
    for found, weight in zip(fit(folder=tmp_path), expected, strict=True):
        np.testing.assert_array_equal(found, weight)
