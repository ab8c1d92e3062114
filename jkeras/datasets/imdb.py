"""Reviews of films, for or against."""

import numpy as np

from jkeras.core.names.registry import public
from jkeras.datasets.plain_pickle import load_npz
from jkeras.datasets.published import fetched
from jkeras.datasets.texts import as_array, marked, shorter, shuffled, within, word_index


@public("keras.datasets.imdb.load_data")
def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """50,000 reviews of films on IMDB as lists of numbers of words, and whether each is good;
    downloaded once, 17 MB.

    A word has the number of its rank by frequency, moved up by `index_from`. Number 0 is left to
    padding.

    Args:
        path: the file's name in the folder "datasets" of the cache.
        num_words: words with this number or a higher one are left out; by default the highest of
            all is this number, so that the rarest word is left out, as in Keras.
        skip_top: words with a lower number are left out.
        maxlen: texts of this length or longer are left out.
        seed: of the order.
        start_char: the number that each text begins with; None: it begins with its first word.
        oov_char: stands where a word was left out; None: nothing stands there.
        index_from: how far the numbers are moved up.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of int, and int64 arrays of 1 for a
        good review and 0 for a bad one; all of the shape (25000,) if `maxlen` leaves out none.

    Raises:
        ValueError: `maxlen` leaves no text.
        OSError: it cannot be downloaded; the message says where to put the file.

    Source: A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis" (2011),
    https://ai.stanford.edu/~amaas/data/sentiment; no licence is stated there.

    >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=10000)  # doctest: +SKIP
    >>> x_train[0][:5], int(y_train[0])  # doctest: +SKIP
    ([1, 14, 22, 16, 43], 1)
    """
    arrays = load_npz(fetched("imdb.npz", path))
    random = np.random.RandomState(seed)

    def texts(split: str) -> tuple[list, np.ndarray]:
        x, y = shuffled(random, arrays[f"x_{split}"], arrays[f"y_{split}"])
        return shorter(marked(x, start_char, index_from), y, maxlen)

    x_train, y_train = texts("train")
    x_test, y_test = texts("test")
    x = within(x_train + x_test, num_words, skip_top, oov_char)
    return (as_array(x[: len(x_train)]), y_train), (as_array(x[len(x_train) :]), y_test)


@public("keras.datasets.imdb.get_word_index")
def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The rank by frequency of each word in the reviews, from 1; its number in a text is higher by
    `index_from`.

    Args:
        path: the file's name in the folder "datasets" of the cache.

    Returns:
        dict from words to int.

    Raises:
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> words = {number + 3: word for word, number in get_word_index().items()}  # doctest: +SKIP
    >>> " ".join(words.get(number, "?") for number in (14, 22, 16, 43, 530))  # doctest: +SKIP
    'this film was just brilliant'
    """
    return word_index("imdb_word_index.json", path)
