"""`keras.preprocessing.sequence`: windows of series, pairs of words."""

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

    >>> skipgrams([1, 2], 3, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1]], [1, 1])
    """
    random = np.random.default_rng(seed)
    indices = [index for index, word in enumerate(sequence) if word]
    if sampling_table is not None:
        indices = [i for i in indices if sampling_table[sequence[i]] >= random.random()]
    near = _near_pairs(sequence, indices, window_size)
    far = _random_pairs(near, int(len(near) * negative_samples), vocabulary_size, random)
    pairs, labels = near + far, [1] * len(near) + [0] * len(far)
    if categorical:
        labels = [[1 - label, label] for label in labels]
    if shuffle:
        order = random.permutation(len(pairs))
        pairs, labels = [pairs[i] for i in order], [labels[i] for i in order]
    return pairs, labels


def _near_pairs(sequence, indices, window_size):
    """[word, another one of its window] for words at some indices; 0 is no word."""
    pairs = []
    for index in indices:
        window = range(max(0, index - window_size), min(len(sequence), index + window_size + 1))
        pairs += [[sequence[index], sequence[i]] for i in window if i != index and sequence[i]]
    return pairs


def _random_pairs(near, count, vocabulary_size, random):
    """Pairs of the first words of `near`, in another order, and any words."""
    if not near:
        return []
    words = random.permutation([first for first, _ in near])
    others = random.integers(1, vocabulary_size, count)
    return [[int(words[i % len(words)]), int(other)] for i, other in enumerate(others)]


class TimeseriesGenerator(jkeras.utils.Sequence):
    """Batches of (windows of a series, what comes after each).

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
    ):
        super().__init__()
        self.data, self.targets = np.asarray(data), np.asarray(targets)
        self.length, self.sampling_rate = length, sampling_rate
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        last = len(self.data) - 1 if end_index is None else end_index
        self.ends = np.arange(start_index + length, last + 1, stride)

    def __len__(self):
        return -(-len(self.ends) // self.batch_size)

    def __getitem__(self, index):
        ends = self.ends[index * self.batch_size : (index + 1) * self.batch_size]
        if self.shuffle:
            ends = np.random.default_rng().choice(self.ends, len(ends))
        windows = [self.data[end - self.length : end : self.sampling_rate] for end in ends]
        if self.reverse:
            windows = [window[::-1] for window in windows]
        return np.stack(windows), self.targets[ends]
