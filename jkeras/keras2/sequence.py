"""`keras.preprocessing.sequence`: windows of series, pairs of words."""

import random

import numpy as np

import jkeras
from jkeras.utils import pad_sequences

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


def make_sampling_table(size, sampling_factor=1e-5):
    """How likely the word of each rank is sampled, by Zipf's law."""
    gamma = 0.577
    rank = np.arange(size)
    rank[0] = 1
    inverse = rank * (np.log(rank) + gamma) + 0.5 - 1.0 / (12.0 * rank)
    frequency = sampling_factor * inverse
    return np.minimum(1.0, frequency / np.sqrt(frequency))


def skipgrams(
    sequence,
    vocabulary_size,
    window_size=4,
    negative_samples=1.0,
    shuffle=True,
    categorical=False,
    sampling_table=None,
    seed=None,
):
    """(pairs of words, 1 where they stand near each other and 0 where the second one is drawn).

    Python's `random` draws, as in Keras; a `seed` is that of the order alone, and seeds it.

    >>> skipgrams([1, 2], 3, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1]], [1, 1])
    """
    indices = [index for index, word in enumerate(sequence) if word]
    if sampling_table is not None:
        indices = [i for i in indices if sampling_table[sequence[i]] >= random.random()]
    near = _near_pairs(sequence, indices, window_size)
    far = []
    if negative_samples > 0:
        far = _random_pairs(near, int(len(near) * negative_samples), vocabulary_size)
    pairs, labels = near + far, [1] * len(near) + [0] * len(far)
    if categorical:
        labels = [[1 - label, label] for label in labels]
    if shuffle:
        seed = random.randint(0, 10**7) if seed is None else seed
        for values in (pairs, labels):  # both in the same order
            random.seed(seed)
            random.shuffle(values)
    return pairs, labels


def _near_pairs(sequence, indices, window_size):
    """[word, another one of its window] for words at some indices; 0 is no word."""
    pairs = []
    for index in indices:
        window = range(max(0, index - window_size), min(len(sequence), index + window_size + 1))
        pairs += [[sequence[index], sequence[i]] for i in window if i != index and sequence[i]]
    return pairs


def _random_pairs(near, count, vocabulary_size):
    """Pairs of the first words of `near`, in another order, and any words."""
    words = [first for first, _ in near]
    random.shuffle(words)
    return [[words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(count)]


class TimeseriesGenerator(jkeras.utils.Sequence):
    """Batches of (windows of a series, what comes after each). With `shuffle` each batch has
    windows that `np.random` draws, as in Keras.

    Raises:
        ValueError: data and targets have not the same length, or are shorter than a window.

    >>> batches = TimeseriesGenerator(np.arange(5), np.arange(5), length=2, batch_size=8)
    >>> x, y = batches[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1], [1, 2], [2, 3]], [2, 3, 4])
    """

    def __init__(
        self,
        data,
        targets,
        length,
        sampling_rate=1,
        stride=1,
        start_index=0,
        end_index=None,
        shuffle=False,
        reverse=False,
        batch_size=128,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                "TimeseriesGenerator: expected a target for each row of the data. Received: "
                f"{len(data)} rows and {len(targets)} targets."
            )
        self.data, self.targets = np.asarray(data), np.asarray(targets)
        self.length, self.sampling_rate, self.stride = length, sampling_rate, stride
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        self.start_index = start_index + length
        self.end_index = len(self.data) - 1 if end_index is None else end_index
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index` + `length` should not be above `end_index`, since no window would "
                f"be left. Received: {self.start_index} and {self.end_index}"
            )

    def __len__(self):
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index):
        step = self.batch_size * self.stride
        begin = self.start_index + step * index
        ends = np.arange(begin, min(begin + step, self.end_index + 1), self.stride)
        if self.shuffle:  # drawn for each batch, from all
            ends = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        windows = [self.data[end - self.length : end : self.sampling_rate] for end in ends]
        if self.reverse:
            windows = [window[::-1] for window in windows]
        return np.array(windows), self.targets[ends]
