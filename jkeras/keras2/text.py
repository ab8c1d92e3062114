"""`keras.preprocessing.text`: words and their numbers."""

import collections
import hashlib
import json
from typing import Any

import numpy as np

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(text: str, filters: str = FILTERS, lower: bool = True, split: str = " "):
    """The words of a text.

    >>> text_to_word_sequence("Cats, and DOGS!")
    ['cats', 'and', 'dogs']
    """
    if lower:
        text = text.lower()
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
):
    """Numbers from 1 to n - 1 for the words of a text, by a hash: Python's own, "md5" or a
    function.

    >>> hashing_trick("a b a", 10, "md5")
    [2, 5, 2]
    """
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":

        def hash_function(word):
            return int(hashlib.md5(word.encode()).hexdigest(), 16)

    words = text_to_word_sequence(text, filters, lower, split)
    return [hash_function(word) % (n - 1) + 1 for word in words]


def one_hot(text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " "):
    """Numbers for the words of a text, by Python's own hash."""
    return hashing_trick(text, n, hash, filters, lower, split)


class Tokenizer:
    """Numbers for words, the most frequent first, from 1 on.

    Args:
        num_words: numbers from here on are left out of sequences.
        filters: characters that count as separators.
        lower: whether words are taken in lower case.
        split: the separator.
        char_level: whether characters are taken for words.
        oov_token: what stands for unknown words; its number is 1.

    >>> tokenizer = Tokenizer(oov_token="?")
    >>> tokenizer.fit_on_texts(["the cat", "the dog"])
    >>> tokenizer.texts_to_sequences(["the bird"])
    [[2, 1]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        document_count: int = 0,
        nb_words=None,
        **kwargs,
    ):
        self.num_words = nb_words if num_words is None else num_words
        self.filters, self.lower, self.split = filters, lower, split
        self.char_level, self.oov_token = char_level, oov_token
        self.document_count = document_count
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.index_docs = collections.defaultdict(int)
        self.word_index, self.index_word = {}, {}

    def _words(self, text: str):
        if isinstance(text, (list, tuple)):
            return [word.lower() for word in text] if self.lower else list(text)
        if self.char_level:
            return list(text.lower() if self.lower else text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Any):
        """Counts words and numbers them."""
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ranked = sorted(self.word_counts.items(), key=lambda pair: pair[1], reverse=True)
        names = [word for word, _ in ranked]
        if self.oov_token is not None:
            names.insert(0, self.oov_token)
        self.word_index = {word: number for number, word in enumerate(names, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        self.index_docs.update((self.word_index[w], n) for w, n in self.word_docs.items())

    def fit_on_sequences(self, sequences: Any):
        """Counts in how many sequences a number stands."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts: Any):
        """The numbers of the words of texts."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Any):
        """The numbers of the words, text by text."""
        unknown = self.word_index.get(self.oov_token)
        for text in texts:
            numbers = []
            for word in self._words(text):
                number = self.word_index.get(word)
                is_rare = bool(self.num_words) and (number or 0) >= self.num_words
                if number is None or is_rare:
                    number = unknown
                if number is not None:
                    numbers.append(number)
            yield numbers

    def sequences_to_texts(self, sequences: Any):
        """The words of numbers, joined by spaces."""
        unknown = self.index_word.get(self.word_index.get(self.oov_token))
        texts = []
        for sequence in sequences:
            words = [self.index_word.get(number, unknown) for number in sequence]
            texts.append(" ".join(word for word in words if word is not None))
        return texts

    def texts_to_matrix(self, texts: Any, mode: str = "binary"):
        """(texts, words) of what `mode` says."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Any, mode: str = "binary"):
        """(sequences, words): whether a number is there ("binary"), "count", "freq" or "tfidf"."""
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences):
            counts = collections.Counter(n for n in sequence if n < width)
            for number, count in counts.items():
                row[number] = self._entry(mode, number, count, len(sequence))
        return matrix

    def _entry(self, mode: str, number, count, length):
        if mode == "binary":
            return 1
        if mode == "count":
            return count
        if mode == "freq":
            return count / length
        if mode == "tfidf":
            documents = self.document_count / (1 + self.index_docs.get(number, 0))
            return (1 + np.log(count)) * np.log(1 + documents)
        raise ValueError(f"Unknown vectorization mode: {mode!r}")

    def get_config(self):
        """Everything, as texts and numbers."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **kwargs):
        """Everything as JSON; read by `tokenizer_from_json`."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string):
    """The tokenizer of a JSON text."""
    config = json.loads(json_string)["config"]
    tables = {
        name: json.loads(config.pop(name))
        for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
    }
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts.update(tables["word_counts"])
    tokenizer.word_docs.update(tables["word_docs"])
    tokenizer.index_docs.update((int(k), v) for k, v in tables["index_docs"].items())
    tokenizer.index_word = {int(k): v for k, v in tables["index_word"].items()}
    tokenizer.word_index = tables["word_index"]
    return tokenizer
