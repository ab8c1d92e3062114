"""Tokenizers, windows and changed images, against Keras's own legacy modules."""

import numpy as np
import pytest
from keras.src.legacy.preprocessing import text as legacy_text
from keras.src.legacy.preprocessing.sequence import TimeseriesGenerator as LegacyGenerator

from jkeras.keras2 import image, sequence, text

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
    ],
    ids=str,
)
def test_windows(options):
    data = np.arange(24.0).reshape(12, 2)
    options = {"length": 4, "batch_size": 3, **options}
    want = LegacyGenerator(data, data, **options)
    got = sequence.TimeseriesGenerator(data, data, **options)
    assert len(got) == len(want)
    for i in range(len(want)):
        for w, g in zip(want[i], got[i]):
            np.testing.assert_array_equal(g, w)


@pytest.mark.promise("preprocessing | `Tokenizer`")
def test_skipgrams_pair_neighbours():
    pairs, labels = sequence.skipgrams([1, 2, 0, 3], 4, 1, negative_samples=1.0, seed=0)
    near = sorted(map(tuple, (p for p, label in zip(pairs, labels) if label)))
    assert near == [(1, 2), (2, 1)] and labels.count(0) == 2


@pytest.mark.promise("`Tokenizer`, `one_hot`, `skipgrams`")
def test_flips_and_rescaling():
    x = np.arange(8.0).reshape(1, 2, 4, 1)
    both = set()
    batches = image.ImageDataGenerator(horizontal_flip=True, rescale=0.5).flow(x, seed=0)
    for _ in range(12):
        both.add(tuple(next(batches)[0, 0, :, 0]))
    assert both == {(0.0, 0.5, 1.0, 1.5), (1.5, 1.0, 0.5, 0.0)}


def test_rotation_by_a_right_angle_moves_pixels():
    x = np.arange(9.0).reshape(3, 3, 1)
    places = np.stack(np.meshgrid(np.arange(3), np.arange(3), indexing="ij"), -1) - 1
    quarter = places @ np.array([[0, -1], [1, 0]]) + 1
    turned = image._sampled(x, quarter.astype(float), "nearest", 0)
    np.testing.assert_allclose(turned[..., 0], np.rot90(x[..., 0]))


def test_shifts_fill_by_the_edge_or_a_constant():
    x = np.ones((1, 4, 4, 1))
    for mode, least in (("nearest", 1.0), ("constant", 0.0)):
        generator = image.ImageDataGenerator(height_shift_range=[2], fill_mode=mode)
        assert next(generator.flow(x, seed=0)).min() == least


def test_means_and_whitening_are_those_of_the_data():
    x = np.random.default_rng(0).normal(3.0, 2.0, (50, 2, 2, 1))
    generator = image.ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True
    )
    generator.fit(x)
    y = next(generator.flow(x, batch_size=50))
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-3)
    whitening = image.ImageDataGenerator(zca_whitening=True)
    whitening.fit(x)
    flat = next(whitening.flow(x, batch_size=50)).reshape(50, 4)
    np.testing.assert_allclose(flat.T @ flat / 50, np.eye(4), atol=1e-2)


@pytest.mark.promise("`Tokenizer`, `one_hot`, `skipgrams`")
def test_a_part_is_held_out():
    generator = image.ImageDataGenerator(validation_split=0.25)
    x, y = np.zeros((8, 2, 2, 1)), np.arange(8)
    parts = [generator.flow(x, y, subset=name) for name in ("training", "validation")]
    assert [part.n for part in parts] == [6, 2]
    assert set(next(parts[0])[1]) | set(next(parts[1])[1]) == set(range(8))
