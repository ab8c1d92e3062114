"""What the data sets of texts share: texts are lists of numbers of words, the most frequent word
first.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jkeras.datasets.published import fetched


def shuffled(random: np.random.RandomState, *arrays: Any) -> list[np.ndarray]:
    """Arrays in one new order of their rows."""
    order = np.arange(len(arrays[0]))
    random.shuffle(order)
    return [array[order] for array in arrays]


def marked(
    texts: Iterable[Sequence[int]], start_char: int | None, index_from: int
) -> list[list[int]]:
    """Texts as lists, with numbers moved up, and the mark of their beginning."""
    begin = [] if start_char is None else [start_char]
    return [begin + [word + (index_from or 0) for word in text] for text in texts]


def shorter(
    texts: list[list[int]], labels: np.ndarray, maxlen: int | None
) -> tuple[list[list[int]], np.ndarray]:
    """The texts that are shorter than `maxlen`, and their labels; all without a `maxlen`.

    Raises:
        ValueError: there is none.
    """
    if not maxlen:
        return texts, labels
    rows = [i for i, text in enumerate(texts) if len(text) < maxlen]
    if not rows:
        raise ValueError(f"No text is shorter than maxlen={maxlen}: increase it.")
    return [texts[i] for i in rows], labels[rows]


def within(
    texts: list[list[int]], num_words: int | None, skip_top: int, oov_char: int | None
) -> list[list[int]]:
    """Texts without the words that are too rare or too frequent."""
    num_words = num_words or max(max(text) for text in texts)

    def is_common(word: int) -> bool:
        return skip_top <= word < num_words

    if oov_char is None:
        return [list(filter(is_common, text)) for text in texts]
    return [[word if is_common(word) else oov_char for word in text] for text in texts]


def as_array(texts: list[list[int]]) -> np.ndarray:
    """An array of lists, also where all have one length."""
    array = np.empty(len(texts), object)
    for i, text in enumerate(texts):
        array[i] = text
    return array


def word_index(file: str, path: str) -> dict[str, int]:
    """{word: its rank by frequency, from 1} of a published file."""
    with open(fetched(file, path), encoding="utf8") as content:
        return json.load(content)
