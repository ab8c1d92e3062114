"""TextVectorization: texts as the numbers of their words."""

import re
import string
from collections.abc import MutableMapping
from typing import Any

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.errors import check_choice, explain, violated
from jkeras.core.layer import layer
from jkeras.core.session.settings import floatx
from jkeras.core.names.typed import Sizes
from jkeras.layers.adapting import shown
from jkeras.layers.base import Value
from jkeras.layers.host import HostLayer, check_output_mode, texts, texts_alone
from jkeras.layers.lookup import LOOKUP_MODES, Listed, Ragged, StringLookup, batches_of
from jkeras.core.weights.types import OutputMode, Structure

# as TensorFlow: letters of ASCII only
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
STRIP = str.maketrans("", "", string.punctuation)
TABLES = {"lower": LOWER, "strip_punctuation": STRIP, "lower_and_strip_punctuation": LOWER | STRIP}
WORD = re.compile(r"[^ \t\n\r\f\v]+")
SPLITS = {"whitespace": WORD.findall, "character": list}


@layer(
    "keras.layers",
    arguments="max_tokens, standardize, split, ngrams, output_mode, output_sequence_length, "
    "pad_to_max_tokens, vocabulary, idf_weights, sparse, ragged, encoding, name",
)
class TextVectorization(HostLayer):
    """Texts as the numbers of their words in a vocabulary: (batch,) or (batch, 1) -> (batch,
    words).

    A text is made uniform, split, put together to n-grams, and looked up: 0 fills up short texts, 1
    is for words that are not in the vocabulary.

    Args:
        max_tokens: size of the vocabulary, these two included.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a
            function from an array of texts to one.
        split: "whitespace", "character", None, or a function from an array of texts to lists of
            words.
        ngrams: also put up to so many words together; a tuple says which numbers of words.
        output_mode: "int", or a row for each text: "multi_hot", "count", "tf_idf".
        output_sequence_length: cut and fill up all texts to this length.
        pad_to_max_tokens, vocabulary, idf_weights: see `IndexLookup`.
        sparse, ragged: only False.
        encoding: of bytes.
    Raises:
        ValueError: arguments that do not go together, or texts of another shape.

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["red wine", "red bread", "bread and red salt"])
    >>> layer([["red salt, red milk"], ["bread"]]).tolist()
    [[2, 5, 2, 1], [3, 0, 0, 0]]
    """

    max_tokens: int | None = None
    standardize: Value() = "lower_and_strip_punctuation"
    split: Value() = "whitespace"
    ngrams: Sizes | None = None
    output_mode: OutputMode = "int"
    output_sequence_length: int | None = None
    pad_to_max_tokens: bool = False
    vocabulary: Listed() = None
    idf_weights: Listed() = None
    sparse: bool = False
    ragged: bool = False
    encoding: str = "utf-8"

    # those of the texts; the policy may be another, as in Keras
    dtype = compute_dtype = variable_dtype = input_dtype = property(
        lambda self: "string", doc="The dtype of the texts."
    )

    def _base_init(self, vocabulary_size=None, has_input_vocabulary=None, **kwargs: Any) -> None:
        super()._base_init(**kwargs)
        arguments = {
            "vocabulary_size": vocabulary_size,
            "has_input_vocabulary": has_input_vocabulary,
        }
        self.set_untracked(_of_lookup=arguments)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.ngrams, list):
            self.ngrams = tuple(self.ngrams)
        self.output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(
            self.output_mode, self.output_mode
        )
        check_output_mode(self, LOOKUP_MODES)
        self._check_arguments()
        self._lookup_layer = StringLookup(
            max_tokens=self.max_tokens,
            vocabulary=self.vocabulary,
            idf_weights=self.idf_weights,
            mask_token="",
            pad_to_max_tokens=self.pad_to_max_tokens,
            output_mode=self.output_mode,
            encoding=self.encoding,
            **self._of_lookup,
        )
        self.vocabulary = self._lookup_layer.vocabulary
        self._has_input_vocabulary = self._lookup_layer._has_input_vocabulary

    def _check_arguments(self) -> None:
        ngrams, length = self.ngrams, self.output_sequence_length
        for name, choices in (("standardize", TABLES), ("split", SPLITS)):
            if not callable(getattr(self, name)):
                check_choice(name, getattr(self, name), (*choices, None), self._where)
        if length is not None and self.output_mode != "int":
            raise ValueError(
                violated(
                    self._where,
                    "`output_sequence_length` must not be set if `output_mode` is not 'int'",
                    f"output_sequence_length={length!r} and output_mode={self.output_mode!r}",
                )
            )
        for wrong, expected, received in (
            (
                not _are_sizes(ngrams),
                "`ngrams` to be None, an integer or a tuple of them",
                f"ngrams={ngrams!r}",
            ),
            (
                not isinstance(length, (int, type(None))),
                "`output_sequence_length` to be None or an integer",
                f"output_sequence_length={length!r}",
            ),
            (self.ragged, "ragged=False", "ragged=True"),
        ):
            if wrong:
                raise ValueError(explain(self._where, expected, received))

    # ------------------------------------------------------------ words

    def words(self, inputs: np.ndarray | list[list[Any]]) -> Ragged:
        """The words of texts: `Ragged`, or an array where they are not split."""
        array = texts_alone(inputs, self.encoding, self._where)
        if callable(self.standardize):
            array = texts(self.standardize(array.astype(str)))
        elif self.standardize is not None:
            array = texts(
                [text.translate(TABLES[self.standardize]) for text in array.ravel()]
            ).reshape(array.shape)
        if self.split is not None:
            if array.ndim > 1:
                if array.shape[-1] != 1:
                    raise ValueError(
                        explain(
                            self._where,
                            "texts of shape (batch,) or (batch, 1) to split",
                            f"shape {array.shape}",
                        )
                    )
                array = array[..., 0]
            if callable(self.split):
                split = _rows_of(self.split(np.atleast_1d(array).astype(str)))
            else:
                split = map(SPLITS[self.split], np.atleast_1d(array))
            array = Ragged(texts(list(row)) for row in split)
        if self.ngrams is None:
            return array
        return self._joined(array)

    def _joined(self, rows) -> Any:
        """The n-grams of each row of words; of texts that are not split along their only axis."""
        sizes = self.ngrams

        def joined(row) -> Any:
            those = sizes
            if isinstance(sizes, int):
                those = range(1, min(sizes, len(row)) + 1)
            return texts([" ".join(row[i : i + n]) for n in those for i in range(len(row) - n + 1)])

        if isinstance(rows, Ragged) or rows.ndim > 1:
            return Ragged(map(joined, rows))
        return joined(np.atleast_1d(rows))

    def indices(self, inputs: list[list[Any]]) -> np.ndarray:
        lookup, words, length = self._lookup_layer, self.words(inputs), self.output_sequence_length
        if not isinstance(words, Ragged):
            indices = lookup.indices(words)
        else:
            sizes = np.array([len(row) for row in words], int)
            shortest, filling = 1, -1
            if self.output_mode == "int":
                shortest, filling = 0, 0
            indices = np.full((len(words), int(sizes.max(initial=shortest))), filling, "int32")
            indices[np.arange(indices.shape[1]) < sizes[:, None]] = lookup.indices(
                np.concatenate([texts([]), *words])
            )
        if length is not None:
            cut = indices[..., :length]
            indices = np.pad(cut, [(0, 0)] * (cut.ndim - 1) + [(0, length - cut.shape[-1])])
        if np.ndim(inputs) == 0 and isinstance(words, Ragged):
            return indices[0]
        return indices

    def rows(self, indices: jax.Array) -> jax.Array:
        return self._lookup_layer.rows(indices)

    def compute_output_spec(self, inputs: Any) -> Structure:
        if self.output_mode == "int":
            return KerasTensor((*inputs.shape[:1], self.output_sequence_length), "int64")
        shape = tuple(inputs.shape)
        if self.split is not None:
            shape = (*shape[:1], None)
        elif len(shape) < 2:
            shape = (*shape, 1)
        return KerasTensor(
            self._lookup_layer.compute_output_spec(KerasTensor(shape)).shape, floatx()
        )

    # ------------------------------------------------------------ the vocabulary

    def adapt(self, data: Any, batch_size: Any = None, steps: Any = None) -> None:
        """Learns the vocabulary: the words of `data`, the most frequent ones first.

        Args:
            data: an array or list of texts, or an iterable of batches of texts.
            batch_size: ignored.
            steps: number of batches to look at.
        """
        self.reset_state()
        for batch in shown(batches_of(data, self._where, steps), data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the words of a batch of texts."""
        self._lookup_layer.update_state(self.words(data))

    def finalize_state(self) -> None:
        """Makes the vocabulary from what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forgets what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> Any:
        """The words in the order of their numbers, a list."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> Any:
        """The number of words, those for filling up and for unknown words included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights=None) -> None:
        """Sets the vocabulary, and for "tf_idf" the weights; see `IndexLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size()}

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Writes the weights of "tf_idf"."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Reads the weights of "tf_idf"."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Writes the vocabulary that was learnt to "vocabulary.txt"."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Reads "vocabulary.txt"."""
        self._lookup_layer.load_assets(dir_path)


def _rows_of(split) -> Any:
    """The lists of words that a function of the user's gave, perhaps as a tensor of TensorFlow."""
    if hasattr(split, "to_list"):  # ragged
        return split.to_list()
    if hasattr(split, "numpy"):
        return split.numpy()
    return split


def _are_sizes(ngrams) -> bool:
    """Whether `ngrams` is None, one integer or several."""
    if isinstance(ngrams, tuple):
        return all(isinstance(n, int) for n in ngrams)
    return ngrams is None or isinstance(ngrams, int)
