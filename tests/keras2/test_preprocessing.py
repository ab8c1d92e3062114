"""Tokenizers and windows, against Keras's own legacy modules."""

import random
import sys

import numpy as np
import pytest
from keras.src.legacy.preprocessing import sequence as legacy_sequence
from keras.src.legacy.preprocessing import text as legacy_text
from keras.src.legacy.preprocessing.sequence import TimeseriesGenerator as LegacyGenerator

from jkeras.keras2 import sequence, text

# Keras draws a seed by `random.randint(0, 10e6)`
OLD_PYTHON = pytest.mark.skipif(sys.version_info >= (3, 12), reason="Keras fails with TypeError")
TEXTS = ["The cat sat on the mat.", "The dog -- the big dog! -- ran", "a", ""]


@pytest.mark.promise("preprocessing | `Tokenizer`")
@pytest.mark.parametrize(
    "options",
    [{}, {"num_words": 4}, {"oov_token": "?"}, {"char_level": True}, {"lower": False}],
    ids=str,
)
def test_tokenizer(options):
    tokenizers = [library.Tokenizer(**options) for library in (legacy_text, text)]
    for tokenizer in tokenizers:
        tokenizer.fit_on_texts(TEXTS[:3])
    want, got = tokenizers
    assert got.word_index == want.word_index and dict(got.word_counts) == dict(want.word_counts)
    assert got.texts_to_sequences(TEXTS) == want.texts_to_sequences(TEXTS)
    numbers = want.texts_to_sequences(TEXTS)
    assert got.sequences_to_texts(numbers) == want.sequences_to_texts(numbers)
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_allclose(
            got.texts_to_matrix(TEXTS[:3], mode), want.texts_to_matrix(TEXTS[:3], mode)
        )
    again = text.tokenizer_from_json(got.to_json())
    assert again.texts_to_sequences(TEXTS) == numbers
    assert legacy_text.tokenizer_from_json(got.to_json()).texts_to_sequences(TEXTS) == numbers


@pytest.mark.promise("`Tokenizer`, `one_hot`, `skipgrams`")
def test_words_and_hashes():
    assert text.text_to_word_sequence(TEXTS[1]) == legacy_text.text_to_word_sequence(TEXTS[1])
    want = legacy_text.hashing_trick(TEXTS[1], 50, "md5")
    assert text.hashing_trick(TEXTS[1], 50, "md5") == want


@pytest.mark.promise("`Tokenizer`, `one_hot`, `skipgrams`")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"sampling_rate": 2},
        {"reverse": True},
        {"start_index": 2},
        {"end_index": 9, "stride": 3},
        {"shuffle": True},
        {"shuffle": True, "stride": 2, "start_index": 1},
    ],
    ids=str,
)
def test_windows(options):
    data = np.arange(24.0).reshape(12, 2)
    options = {"length": 4, "batch_size": 3, **options}
    want = LegacyGenerator(data, data, **options)
    got = sequence.TimeseriesGenerator(data, data, **options)
    assert len(got) == len(want)
    batches = []
    for generator in (want, got):
        np.random.seed(3)
        batches.append([part for i in range(len(want)) for part in generator[i]])
    for w, g in zip(*batches, strict=True):
        np.testing.assert_array_equal(g, w)


def test_windows_that_cannot_be():
    with pytest.raises(ValueError, match="a target for each row .* 3 rows and 2 targets"):
        sequence.TimeseriesGenerator([1, 2, 3], [1, 2], 1)
    with pytest.raises(ValueError, match="no window would be left"):
        sequence.TimeseriesGenerator([1, 2, 3], [1, 2, 3], 3)


@pytest.mark.promise("`TimeseriesGenerator` and `skipgrams` draw Keras's")
@pytest.mark.filterwarnings("ignore:non-integer arguments:DeprecationWarning")  # by Keras
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=OLD_PYTHON),
        {"seed": 4},
        {"seed": 4, "negative_samples": 0.5, "categorical": True},
        {"seed": 4, "negative_samples": 0, "window_size": 1},
        {"seed": 4, "sampling_table": np.linspace(0, 1, 9), "negative_samples": 2.0},
        {"shuffle": False},
    ],
    ids=lambda options: " ".join(options) or "nothing",
)
def test_skipgrams(options):
    words = [1, 5, 0, 3, 8, 2, 2, 7]
    results = []
    for library in (legacy_sequence, sequence):
        random.seed(5)
        results.append((library.skipgrams(words, 9, **options), random.random()))
    assert results[0] == results[1]


@pytest.mark.promise("preprocessing | `Tokenizer`")
def test_skipgrams_pair_neighbours():
    pairs, labels = sequence.skipgrams([1, 2, 0, 3], 4, 1, negative_samples=1.0, seed=0)
    near = sorted(map(tuple, (p for p, label in zip(pairs, labels) if label)))
    assert near == [(1, 2), (2, 1)] and labels.count(0) == 2
