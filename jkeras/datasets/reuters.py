"""News of Reuters, by topic."""

import numpy as np

from jkeras.core.names.registry import public
from jkeras.datasets.plain_pickle import load_npz
from jkeras.datasets.published import fetched
from jkeras.datasets.texts import as_array, marked, shorter, shuffled, within, word_index

TOPICS = (
    "cocoa",
    "grain",
    "veg-oil",
    "earn",
    "acq",
    "wheat",
    "copper",
    "housing",
    "money-supply",
    "coffee",
    "sugar",
    "trade",
    "reserves",
    "ship",
    "cotton",
    "carcass",
    "crude",
    "nat-gas",
    "cpi",
    "money-fx",
    "interest",
    "gnp",
    "meal-feed",
    "alum",
    "oilseed",
    "gold",
    "tin",
    "strategic-metal",
    "livestock",
    "retail",
    "ipi",
    "iron-steel",
    "rubber",
    "heat",
    "jobs",
    "lei",
    "bop",
    "zinc",
    "orange",
    "pet-chem",
    "dlr",
    "gas",
    "silver",
    "wpi",
    "hog",
    "lead",
)


@public("keras.datasets.reuters.load_data")
def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """11,228 news of 1987 as lists of numbers of words, and the topic of each, of 46; downloaded
    once, 2 MB.

    Args:
        path: the file's name in the folder "datasets" of the cache.
        num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: as of `imdb.load_data`.
        test_split: which part of the texts is the test data.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of int, and int64 arrays of the
        topics' numbers, whose names are those of `get_label_names`; of the shapes (8982,) and
        (2246,) if `maxlen` leaves out none.

    Raises:
        ValueError: `maxlen` leaves no text, or `test_split` is no part.
        OSError: it cannot be downloaded; the message says where to put the file.

    Source: D. D. Lewis, "Reuters-21578, Distribution 1.0" (1997), https://doi.org/10.24432/C52G6M;
    Reuters and Carnegie Group leave it free for research.

    >>> (x_train, y_train), _ = load_data(num_words=1000, test_split=0.1)  # doctest: +SKIP
    >>> get_label_names()[y_train[0]]  # doctest: +SKIP
    'earn'
    """
    if not 0 <= test_split <= 1:
        raise ValueError(f"`test_split` must be from 0 to 1. Received: test_split={test_split}")
    arrays = load_npz(fetched("reuters.npz", path))
    x, y = shuffled(np.random.RandomState(seed), arrays["x"], arrays["y"])
    x, y = shorter(marked(x, start_char, index_from), y, maxlen)
    x = as_array(within(x, num_words, skip_top, oov_char))
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])


@public("keras.datasets.reuters.get_word_index")
def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The rank by frequency of each word in the news, from 1; its number in a text is higher by
    `index_from`.

    Args:
        path: the file's name in the folder "datasets" of the cache.

    Returns:
        dict from words to int.

    Raises:
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> words = {number + 3: word for word, number in get_word_index().items()}  # doctest: +SKIP
    """
    return word_index("reuters_word_index.json", path)


@public("keras.datasets.reuters.get_label_names")
def get_label_names() -> tuple[str, ...]:
    """The names of the 46 topics, in the order of their numbers.

    >>> get_label_names()[:3]
    ('cocoa', 'grain', 'veg-oil')
    """
    return TOPICS
