"""Vocabularies: StringLookup and IntegerLookup turn tokens into numbers and back."""

import collections
import os
import re
from collections.abc import Iterator, MutableMapping

import jax
import numpy as np

from jkeras.core.graph.host_numbers import refuse_masked
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.errors import explain, readable, violated
from jkeras.core.layer import layer
from jkeras.core.record import Any, Kind, base_record
from jkeras.core.names.registry import refuse_untrusted
from jkeras.core.session.settings import floatx
from jkeras.layers.encoding import as_salt, hashed
from jkeras.layers.adapting import shown
from jkeras.layers.base import refuse_others
from jkeras.layers.host import HostLayer, check_output_mode, encoded, read_lines, texts_alone
from jkeras.core.weights.types import OutputMode, Structure

BROKEN = re.compile("[\n\r\0]")
LOOKUP_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
DROPPED = -2  # the number of a mask token where it is left out of rows


class Listed(Kind):
    """A field whose arrays are written to configs as lists."""

    def write(self, value: Any) -> Any:
        if value is None:
            return None
        if hasattr(value, "tolist"):
            return value.tolist()
        return list(value)


@base_record(
    "keras.src.layers.preprocessing.index_lookup",
    arguments="max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary, "
    "idf_weights, invert, output_mode, sparse, pad_to_max_tokens, oov_method, salt, name",
)
class IndexLookup(HostLayer):
    """Base of the lookup layers: a table from tokens to numbers.

    The numbers are, in order: 0 for the mask token (with `output_mode="int"` and a mask token),
    then `num_oov_indices` for tokens that are not in the vocabulary, then the tokens of the
    vocabulary.

    Args:
        max_tokens: size of the vocabulary, the numbers above included.
        num_oov_indices: with 0, an unknown token is an error; with more than 1 unknown tokens are
            hashed.
        mask_token: the token for "nothing here".
        oov_token: what `invert` gives for unknown numbers.
        vocabulary: the tokens, or the name of a file with one in each line; else `adapt` learns
            them.
        idf_weights: for "tf_idf": a weight for each token of the vocabulary.
        invert: from numbers to tokens.
        output_mode: "int"; or rows as `CategoryEncoding` makes them: "one_hot", "multi_hot",
            "count", or "tf_idf", counts times weights.
        pad_to_max_tokens: rows are `max_tokens` long even if the vocabulary is smaller.
        sparse: only False.
        oov_method, salt: "floormod" or "farmhash" for whole numbers; the key of the hash.
    """

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: Any = None
    oov_token: Any = None
    vocabulary: Listed() = None
    idf_weights: Listed() = None
    invert: bool = False
    output_mode: OutputMode = "int"
    sparse: bool = False
    pad_to_max_tokens: bool = False
    oov_method: str = "floormod"
    salt: Any = None
    vocabulary_dtype: str = "int64"
    encoding = "utf-8"  # of bytes

    def _base_init(
        self,
        vocabulary_size=None,
        has_input_vocabulary=None,
        trainable: bool = True,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        # a lookup has no weights and computes in whole numbers: the two change nothing
        refuse_others(type(self), kwargs, ("name",))
        super()._base_init(**kwargs)
        self.set_untracked(
            _frozen_size=vocabulary_size,
            _has_input_vocabulary=has_input_vocabulary,
            _tokens=np.array([]),
            _table={},
            _weights=None,
        )
        self.reset_state()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(
            self.output_mode, self.output_mode
        )
        check_output_mode(self, LOOKUP_MODES)
        self._check_arguments()
        self.salt = as_salt(self.salt, self._where)
        vocabulary, weights = self.vocabulary, self.idf_weights
        has = self._has_input_vocabulary
        if has is None:
            has = vocabulary is not None
        self._has_input_vocabulary = has
        if self.output_mode == "tf_idf" and has and weights is None:
            raise ValueError(
                explain(
                    self._where,
                    "`idf_weights` beside `vocabulary` for `output_mode='tf_idf'`",
                    "none",
                )
            )
        if isinstance(vocabulary, (str, os.PathLike)):
            self.vocabulary = None  # a file's tokens belong to the saved model, its name does not
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, weights)

    def _check_arguments(self) -> None:
        for wrong, rule, received in (
            (
                self.max_tokens is not None and self.max_tokens <= 1,
                "If set, `max_tokens` must be greater than 1",
                f"max_tokens={self.max_tokens}",
            ),
            (
                self.pad_to_max_tokens and self.max_tokens is None,
                "If pad_to_max_tokens is True, must set `max_tokens`",
                "max_tokens=None",
            ),
            (
                self.num_oov_indices < 0,
                "`num_oov_indices` must be greater than or equal to 0",
                f"num_oov_indices={self.num_oov_indices}",
            ),
            (
                self.oov_method not in ("floormod", "farmhash"),
                "`oov_method` must be 'floormod' or 'farmhash'",
                f"oov_method={self.oov_method!r}",
            ),
            (
                self.invert and self.output_mode != "int",
                "`output_mode` must be `'int'` when `invert` is true",
                f"output_mode={self.output_mode!r}",
            ),
            (
                self.idf_weights is not None and self.output_mode != "tf_idf",
                "`idf_weights` should only be set if `output_mode` is `'tf_idf'`",
                f"output_mode={self.output_mode!r}",
            ),
            (
                self.salt is not None and self._of_numbers and self.oov_method != "farmhash",
                "`salt` should only be set if `oov_method` is 'farmhash'",
                f"oov_method={self.oov_method!r}",
            ),
        ):
            if wrong:
                raise ValueError(violated(self._where, rule, received))

    # those of the tokens; the policy is the default one, as in Keras
    dtype = compute_dtype = variable_dtype = input_dtype = property(
        lambda self: self.vocabulary_dtype, doc="The dtype of the tokens: 'string' or 'int64'."
    )
    _of_numbers = property(lambda self: self.vocabulary_dtype != "string")
    _numpy_dtype = property(lambda self: {"string": object}.get(self.vocabulary_dtype, "int64"))
    _first_oov = property(
        lambda self: int(self.mask_token is not None and self.output_mode == "int")
    )
    _first_token = property(lambda self: self._first_oov + self.num_oov_indices)

    def _as_tokens(self, data: Any, also: tuple[Any, ...] = ()) -> np.ndarray:
        """Data as an array of tokens.

        Args:
            also: types of which a text is made too.
        """
        if self._of_numbers:
            return self._as_numbers(data)
        return texts_alone(data, self.encoding, self._where, also)

    def _as_numbers(self, data: list[Any] | np.ndarray) -> np.ndarray:
        """Data as whole numbers; those of floats are cut off, as in Keras."""
        array = np.asarray(data)
        most = 2.0**63 if array.dtype.kind == "f" else 2**63 - 1
        # NaN and infinity too
        if array.dtype.kind in "uf" and not (np.abs(array) <= most).all():
            raise ValueError(
                explain(
                    self._where,
                    "whole numbers of 64 bits",
                    "NaN, infinity or larger ones among them",
                )
            )
        try:
            return array.astype("int64")
        except (TypeError, ValueError, OverflowError) as error:  # None, texts that are no numbers
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                explain(self._where, "whole numbers", f"others ({readable(error, 200)})")
            ) from None

    def _special_tokens(self) -> list[int] | list[str]:
        """The tokens in front of those of the vocabulary."""
        return [self.mask_token] * self._first_oov + [self.oov_token] * self.num_oov_indices

    # ------------------------------------------------------------ the vocabulary

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their numbers, a list.

        Args:
            include_special_tokens: with the mask token and those for unknown tokens.
        """
        tokens = self._tokens.tolist()
        if include_special_tokens:
            return self._special_tokens() + tokens
        return tokens

    def vocabulary_size(self) -> int:
        """The number of tokens, those for masks and unknown tokens included."""
        return len(self._tokens) + self._first_token

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Sets the vocabulary, and for "tf_idf" the weights.

        Args:
            vocabulary: tokens without repetition, or the name of a text file with one in each line;
                the special tokens may stand in front.
            idf_weights: one for each token.

        Raises:
            ValueError: an empty vocabulary, repeated or misplaced tokens, more than `max_tokens`,
                or weights that do not go with it.
        """
        self._check_has_weights(idf_weights)
        from_file = isinstance(vocabulary, (str, os.PathLike))
        if from_file:
            refuse_untrusted(
                f"the file {os.fsdecode(vocabulary)!r} of this machine, as the vocabulary of "
                f"{self._where}",
                "Save the model with the tokens in it.",
            )
            vocabulary = self._read(vocabulary)
        entries = self._as_tokens(vocabulary, also=(int,))
        if not from_file:
            self._check_specials_once(entries.tolist())
        self._take(entries, idf_weights, from_file)

    def _check_has_weights(self, idf_weights: Any) -> None:
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ValueError(
                explain(
                    self._where,
                    "`idf_weights` for `output_mode='tf_idf'`, and only then",
                    f"output_mode={self.output_mode!r} and idf_weights={idf_weights}",
                )
            )

    def _check_specials_once(self, entries: list[int] | list[str]) -> None:
        special = self._special_tokens()
        if special and entries[: len(special)] == special:
            again = [token for token in entries[len(special) :] if token in set(special)]
            if again:
                self._refuse_repeated(again)

    def _take(self, entries: np.ndarray, idf_weights: Any, from_file: bool = False) -> None:
        """Makes tokens, special ones perhaps in front, the vocabulary."""
        if entries.size == 0:
            raise ValueError(
                explain(self._where, "a vocabulary of at least one token", "an empty one")
            )
        special = self._special_tokens()
        # in a file each line is a token
        has_special = not from_file and entries[: len(special)].tolist() == special
        start = len(special) * has_special
        tokens = entries[start:]
        self._check_unrepeated(tokens.tolist())
        if not from_file:
            self._check_special(tokens, special)
        self._check_size(tokens)
        self._set_tokens(tokens)
        if self.output_mode == "tf_idf":
            weights = np.asarray(idf_weights, floatx())
            if weights.shape != entries.shape:
                raise ValueError(
                    explain(
                        self._where,
                        f"`idf_weights` of shape {entries.shape}, that of the vocabulary",
                        f"shape {weights.shape}",
                    )
                )
            self._check_finite(weights)
            front = weights[:start]
            if not has_special:
                front = np.mean(weights)
            self._set_weights(weights[start:], front)

    def _check_finite(self, weights: Any) -> None:
        if not np.isfinite(weights).all():
            raise ValueError(
                explain(self._where, "finite `idf_weights`", "NaN or infinity among them")
            )

    def _read(self, path: Any) -> Any:
        if not os.path.isfile(path):
            raise ValueError(
                f"{self._where}: Vocabulary file {os.fsdecode(path)} does not exist. It is a text "
                "file with one token in each line."
            )
        if self.output_mode == "tf_idf":
            raise ValueError(
                explain(
                    self._where,
                    "a text file with one token in each line, and not 'tf_idf'",
                    f"{path!r} with output_mode={self.output_mode!r}",
                )
            )
        text = read_lines(path, getattr(self, "encoding", "utf-8"), self._where)
        return self._lines(text.removesuffix("\n")) if text else []

    def _lines(self, text: str) -> Any:
        """The lines of a vocabulary. Lines that repeat are refused before anything is made of them,
        since a file may have very many; special tokens may.
        """
        special = self._special_tokens()
        if "" not in special and "\n\n\n" in text:
            self._refuse_repeated([""])
        lines = text.split("\n")  # `splitlines` would split at other signs, too
        if len(lines) - len(set(lines)) > len(special):
            self._check_unrepeated(lines)
        return lines

    def _check_unrepeated(self, tokens: list[int] | list[str]) -> None:
        if len(set(tokens)) != len(tokens):
            counts = collections.Counter(tokens)
            self._refuse_repeated([token for token, count in counts.items() if count > 1])

    def _refuse_repeated(self, tokens: Any) -> None:
        raise ValueError(
            violated(
                self._where,
                "The passed vocabulary has at least one repeated term",
                f"several times: {tokens}",
            )
        )

    def _check_special(self, tokens: np.ndarray, special: list[int] | list[str]) -> None:
        for name, kind, token, matters in (
            ("mask_token", "mask", self.mask_token, True),
            ("oov_token", "OOV", self.oov_token, self.invert),
        ):
            if matters and token is not None and token in tokens.tolist():
                raise ValueError(
                    violated(
                        self._where,
                        f"Found reserved {kind} token at unexpected location in `vocabulary`. "
                        f"Special tokens stand at its start, in the order {special}, or are left "
                        "out",
                        f"{name}={token!r} at another place",
                    )
                )

    def _check_size(self, tokens: np.ndarray) -> None:
        size = len(tokens) + self._first_token
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                explain(self._where, f"at most max_tokens={self.max_tokens} tokens", f"{size}")
            )

    def _set_tokens(self, tokens: np.ndarray) -> None:
        size = len(tokens) + self._first_token
        rows = self.output_mode != "int" and not self.pad_to_max_tokens
        if rows and self._frozen_size not in (None, size) and len(self._tokens):
            raise RuntimeError(
                f"{self._where}: the size of the vocabulary cannot change from "
                f"{self._frozen_size} to {size}, since the rows would get another length. Use "
                "`pad_to_max_tokens=True`."
            )
        self.set_untracked(
            _tokens=tokens,
            _frozen_size=size,
            _table={token: i for i, token in enumerate(tokens.tolist(), self._first_token)},
        )

    def _set_weights(self, weights: Any, front) -> None:
        front = np.broadcast_to(front, (self._first_token,))
        back = []
        if self.pad_to_max_tokens:
            back = np.zeros(self.max_tokens - self._first_token - len(weights))
        self._weights = np.concatenate([front, weights, back]).astype(floatx())

    # ------------------------------------------------------------ learning it

    def adapt(self, data: Any, steps: Any = None) -> None:
        """Learns the vocabulary: the tokens of `data` by how often they are there, then in reverse
        order.

        Args:
            data: an array or list of tokens, or an iterable of batches.
            steps: number of batches to look at.
        """
        self.reset_state()
        for batch in shown(batches_of(data, self._where, steps), data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the tokens of a batch; each row is a document, for "tf_idf"."""
        if self._has_input_vocabulary:
            raise ValueError(
                f"Cannot adapt layer '{self.name}': its vocabulary is static: it was given, by "
                "`vocabulary=` or by `set_vocabulary()`."
            )
        rows = data
        if not isinstance(data, Ragged):
            rows = np.atleast_1d(self._as_tokens(data))
            if rows.ndim == 1:
                rows = rows[None]
        for row in rows:
            tokens = row.ravel().tolist()
            self._counts.update(tokens)
            self._documents.update(set(tokens))
        self._document_count += len(rows)

    def finalize_state(self) -> None:
        """Makes the vocabulary from what was counted."""
        for token in (self.mask_token, self.oov_token):
            self._counts.pop(token, None)
        if self._has_input_vocabulary or not self._counts:
            self._frozen_size = self.vocabulary_size()
            return
        ordered = sorted(self._counts, key=lambda token: (self._counts[token], token), reverse=True)
        if self.max_tokens:
            ordered = ordered[: self.max_tokens - self._first_token]
        self._set_tokens(np.array(ordered, self._numpy_dtype))
        if self.output_mode == "tf_idf":
            documents = np.array([self._documents[token] for token in ordered])
            weights = np.log(1 + self._document_count / (1 + documents)).astype(floatx())
            self._set_weights(weights, weights.mean())
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets what was counted."""
        self.set_untracked(
            _counts=collections.Counter(), _documents=collections.Counter(), _document_count=0
        )

    # ------------------------------------------------------------ looking up

    def rows(self, indices: jax.Array | np.ndarray) -> jax.Array | np.ndarray:
        if self.output_mode == "int":
            return indices
        depth = self._depth()
        if self.output_mode != "tf_idf":
            return encoded(indices, self.output_mode, depth, "int32")
        if self._weights is None:
            raise ValueError(
                explain(
                    self._where, "`idf_weights`", "none yet", "call `adapt` or `set_vocabulary`"
                )
            )
        return encoded(indices, "count", depth, floatx()) * self._weights

    def _size_of_rows(self) -> Any:
        """The length of rows, None where the vocabulary is unknown."""
        if self.pad_to_max_tokens:
            return self.max_tokens
        return self._frozen_size

    def _depth(self) -> Any:
        depth = self._size_of_rows()
        if depth is None:
            raise RuntimeError(
                f"With `output_mode={self.output_mode}` the output is as wide as the "
                "vocabulary, of which there is none yet. Give a `vocabulary`, call `adapt` on "
                "data, or set `pad_to_max_tokens=True`."
            )
        return depth

    def indices(self, inputs: Any) -> np.ndarray:
        if self.invert:
            return self._tokens_of(np.asarray(inputs))
        tokens = self._as_tokens(inputs)
        flat = tokens.ravel().tolist()
        unknown = -1
        if self.num_oov_indices == 1:
            unknown = self._first_oov
        indices = np.array([self._table.get(token, unknown) for token in flat], "int32").reshape(
            tokens.shape
        )
        is_oov = indices == -1
        if self.num_oov_indices > 1 and is_oov.any():
            indices[is_oov] = self._buckets(tokens[is_oov]) + self._first_oov
            is_oov = np.zeros_like(is_oov)
        if self.mask_token is not None:
            masked = tokens == self.mask_token
            indices[masked] = 0
            if self.output_mode != "int":
                indices[masked] = DROPPED
            is_oov &= ~masked
        if is_oov.any():
            raise ValueError(
                f"{self._where}: {tokens[is_oov].tolist()} are OOV, not in the vocabulary, and "
                "with `num_oov_indices=0` nothing stands for what is not. Set `num_oov_indices=1`."
            )
        return indices

    def _buckets(self, tokens: Any) -> Any:
        if self._of_numbers and self.oov_method == "floormod":
            return tokens % self.num_oov_indices
        return hashed(tokens, self.num_oov_indices, self.salt)

    def _tokens_of(self, indices: np.ndarray) -> np.ndarray:
        table = np.full(self.vocabulary_size() + 1, self.oov_token, self._numpy_dtype)
        table[self._first_token : -1] = self._tokens
        if self._first_oov:
            table[0] = self.mask_token
        rows = np.where((indices >= 0) & (indices < len(table)), indices, -1).astype(int)
        return table[rows.ravel()].reshape(rows.shape)

    def compute_output_spec(self, inputs: Any) -> Structure:
        shape = tuple(inputs.shape)
        if self.output_mode == "int":
            dtype = "int64"
            if self.invert:
                dtype = self.vocabulary_dtype
            return KerasTensor(shape, dtype)
        is_column = len(shape) > 1 and shape[-1] == 1
        if is_column or self.output_mode != "one_hot":
            shape = shape[:-1]
        return KerasTensor((*shape, self._size_of_rows()), floatx())

    # ------------------------------------------------------------ files

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "vocabulary_size": self._frozen_size}

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Writes the weights of "tf_idf"."""
        if self.output_mode == "tf_idf":
            store["idf_weights"] = self._weights

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Reads the weights of "tf_idf"."""
        if self.output_mode == "tf_idf":
            weights = np.asarray(store["idf_weights"])
            self._check_finite(weights)
            self._weights = weights

    def save_assets(self, dir_path: str) -> None:
        """Writes the vocabulary that was learnt to "vocabulary.txt"."""
        if self.vocabulary is None:
            self._check_lines(self._tokens.tolist())
            with open(os.path.join(dir_path, "vocabulary.txt"), "w", encoding="utf-8") as file:
                file.write("\n".join(map(str, self.get_vocabulary())))

    def _check_lines(self, tokens: Any) -> None:
        """Raises ValueError for tokens that a file of lines would give back as others."""
        broken = [t for t in tokens if isinstance(t, str) and BROKEN.search(t)]
        if broken:
            raise ValueError(
                explain(
                    self._where,
                    "tokens without an end of a line or NUL in them, to be saved as lines",
                    readable(repr(broken[0]), 100),
                    "replace these signs before `adapt`, or pass the `vocabulary`, which is then "
                    "in the config",
                )
            )

    def load_assets(self, dir_path: str) -> None:
        """Reads "vocabulary.txt"."""
        if self.vocabulary is not None:
            return
        path = os.path.join(dir_path, "vocabulary.txt")
        text = read_lines(path, "utf-8", self._where).rstrip("\n")
        lines = self._lines(text) if text else []
        weights = self._weights
        if weights is not None:
            weights = weights[: len(lines)]
        self._check_has_weights(weights)
        self._take(self._as_tokens(lines), weights)


class Ragged(list):
    """Rows of tokens of different lengths: a list of arrays."""


def batches_of(data: Any, where: str, steps: int | None = None) -> Iterator[Any]:
    """The batches of an iterable, or an array or list as one batch of single tokens or texts.

    Raises:
        TypeError: a single value, a text or a dict, whose letters or keys are not meant.
    """
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__iter__"):
        raise TypeError(
            explain(
                f"{where}: `adapt`",
                "an array or list of tokens, or an iterable of batches of them",
                f"{readable(repr(data), 100)} (of type {type(data).__name__})",
            )
        )
    refuse_masked(data, "data")
    if isinstance(data, (list, tuple)) or hasattr(data, "__array__"):
        array = data
        if not hasattr(data, "ndim"):
            array = np.array(data, dtype=object)
        if array.ndim == 1:
            array = array[:, None]
        yield array
        return
    for i, batch in enumerate(data):
        if i == steps:
            return
        if isinstance(batch, tuple):
            batch = batch[0]
        yield batch


@layer(
    "keras.layers",
    arguments="max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, "
    "invert, output_mode, pad_to_max_tokens, sparse, encoding, name, salt",
)
class StringLookup(IndexLookup):
    """Texts as their numbers in a vocabulary, or back.

    Args:
        max_tokens: size of the vocabulary, the numbers of the mask and of unknown tokens included;
            None: no limit.
        num_oov_indices: how many numbers there are for unknown texts; with 0 one is an error, with
            more than 1 they are hashed.
        mask_token: the one for "nothing here", which has the number 0; None: no such.
        oov_token: what `invert` gives for unknown numbers.
        vocabulary: the known texts, or the name of a file with one in each line; else `adapt`
            learns them.
        idf_weights: for "tf_idf": a weight for each entry of the vocabulary.
        invert: from numbers to texts.
        output_mode: "int"; or rows as `CategoryEncoding` makes them: "one_hot", "multi_hot",
            "count", or "tf_idf", counts times weights.
        pad_to_max_tokens: rows are `max_tokens` long even if the vocabulary is smaller.
        sparse: only False.
        encoding: of bytes.
        salt: key of the hash of unknown texts, with `num_oov_indices` above 1.
    Raises:
        ValueError: arguments that do not go together; when called, an unknown text with
            `num_oov_indices=0`.

    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer([["b", "a", "?"]]).tolist(), layer.get_vocabulary()
    ([[2, 1, 0]], ['[UNK]', 'a', 'b'])
    >>> StringLookup(vocabulary=["a", "b"], invert=True)([2, 7]).tolist()
    ['b', '[UNK]']
    """

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: Any = None
    oov_token: Any = "[UNK]"
    vocabulary: Any = None
    idf_weights: Any = None
    invert: bool = False
    output_mode: OutputMode = "int"
    pad_to_max_tokens: bool = False
    sparse: bool = False
    encoding: str = "utf-8"
    salt: Any = None
    vocabulary_dtype = "string"

    def _base_init(self, oov_method: str = "floormod", **kwargs: Any) -> None:
        super()._base_init(**kwargs)
        self.oov_method = oov_method  # changes nothing for texts, but configs have it

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method}


@layer(
    "keras.layers",
    arguments="max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, vocabulary_dtype, "
    "idf_weights, invert, output_mode, sparse, pad_to_max_tokens, oov_method, salt, name",
)
class IntegerLookup(IndexLookup):
    """Whole numbers as their indices in a vocabulary, or back.

    Args:
        max_tokens: size of the vocabulary, the numbers of the mask and of unknown tokens included;
            None: no limit.
        num_oov_indices: how many numbers there are for unknown numbers; with 0 one is an error,
            with more than 1 they are hashed.
        mask_token: the one for "nothing here", which has the number 0; None: no such.
        oov_token: what `invert` gives for unknown numbers.
        vocabulary: the known numbers, or the name of a file with one in each line; else `adapt`
            learns them.
        idf_weights: for "tf_idf": a weight for each entry of the vocabulary.
        invert: from numbers to what they stand for.
        output_mode: "int"; or rows as `CategoryEncoding` makes them: "one_hot", "multi_hot",
            "count", or "tf_idf", counts times weights.
        pad_to_max_tokens: rows are `max_tokens` long even if the vocabulary is smaller.
        sparse: only False.
        vocabulary_dtype: only "int64".
        oov_method: how unknown numbers are spread over `num_oov_indices`: "floormod" or "farmhash".
        salt: key of the hash.
    Raises:
        ValueError: arguments that do not go together; when called, an unknown number with
            `num_oov_indices=0`.

    >>> IntegerLookup(vocabulary=[12, 36, 1138])(np.array([36, 12, 7])).tolist()
    [2, 1, 0]
    """

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: Any = None
    oov_token: Any = -1
    vocabulary: Any = None
    vocabulary_dtype: str = "int64"
    idf_weights: Any = None
    invert: bool = False
    output_mode: OutputMode = "int"
    sparse: bool = False
    pad_to_max_tokens: bool = False
    oov_method: str = "floormod"
    salt: Any = None

    def __post_init__(self) -> None:
        if self.vocabulary_dtype != "int64":
            raise ValueError(
                explain(self._where, "vocabulary_dtype='int64'", f"{self.vocabulary_dtype!r}")
            )
        if isinstance(self.vocabulary, (list, tuple)):
            self.vocabulary = [int(token) for token in self.vocabulary]
        super().__post_init__()
