"""TextLines: the texts of files as sequences of tokens."""

import collections.abc
import copy
import hashlib
import os
import typing

import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.names.registry import public
from jkeras.core.system.tokenizers import encoder_of
from jkeras.utils.packing import is_masked
from jkeras.utils.text_files import KINDS, START, Position, TextReader, files_of

Tokens = np.ndarray | tuple[np.ndarray, np.ndarray]  # with a mask of those that are learned
BLOCK = 256  # texts that are read at once where they are not shuffled
GROUP = 64  # texts that a tokenizer takes at once


@public("jkeras.utils.TextLines")
class TextLines:
    """The texts of files, read when they are needed, as sequences of tokens, one after another.

    `pack_sequences` makes batches of them. An iterator tells by `get_state` where it is: in which
    file, at which byte. So a training with `fit(checkpoint=…)` goes on there at once, and nothing
    is read or tokenized again but the texts of one block.

    Args:
        files: a path, a pattern such as "texts/**/*.txt", or a list of them; in UTF-8, also packed
            by gzip (".gz").
        tokenizer: what makes numbers of a text: a `tokenizers.Tokenizer`, a
            `sentencepiece.SentencePieceProcessor`, another object with a method `encode`, or a
            function; it may give `(tokens, mask)`, as `ChatTemplate.line` does.
        by: what a text is: a "line", a "paragraph" (lines up to an empty one) or a "file". Texts of
            nothing but white space are passed over.
        shuffle: mix so many neighbouring texts, which are read as a block, and the order of the
            files, anew each epoch; None: as they come.
        seed: of that.
        end: a token that is put behind each text, such as that of the end of a document.
        repeat: begin again where the texts end, without an end; for `steps_per_epoch`.
        errors: what becomes of bytes that are no UTF-8: "strict", "replace" or "ignore".

    Attributes:
        files: the paths.
    Raises:
        FileNotFoundError: a path or pattern that no file has.
        ValueError: wrong arguments; while reading: bytes that are no UTF-8.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "text.txt"
    >>> _ = path.write_bytes(b"ab\\r\\n\\nc")
    >>> [tokens.tolist() for tokens in TextLines(path, lambda text: list(text.encode()), end=0)]
    [[97, 98, 0], [99, 0]]
    """

    def __init__(
        self,
        files: typing.Any,
        tokenizer: typing.Any,
        *,
        by: str = "line",
        shuffle: int | None = None,
        seed: int = 0,
        end: int | None = None,
        repeat: bool = False,
        errors: str = "strict",
    ) -> None:
        check_choice("by", by, KINDS, "TextLines")
        check_choice("errors", errors, ("strict", "replace", "ignore"), "TextLines")
        is_count = isinstance(shuffle, int) and shuffle >= 1
        if shuffle is not None and not is_count:
            raise ValueError(
                "TextLines: expected `shuffle` to be the number of texts that are mixed, or None. "
                f"Received: {shuffle!r}"
            )
        self.files = files_of(files)
        self.encode = encoder_of(tokenizer)
        self.by = by
        self.shuffle = shuffle
        self.seed = seed
        self.end = end
        self.repeat = repeat
        self.errors = errors
        self.part = (1, 0)
        self.epoch = 0

    def shard(self, num: int, index: int) -> "TextLines":
        """Of every `num` texts the one that is `index`-th, counted from 0: those of one process,
        say. Each part is read by itself; only its own texts are tokenized.

        Raises:
            ValueError: no part of that number.
        """
        if not 0 <= index < num:
            raise ValueError(
                f"TextLines: expected a part from 0 to {num - 1} of {num}. Received: index={index}"
            )
        part = copy.copy(self)
        part.part = (self.part[0] * num, self.part[1] + self.part[0] * index)
        return part

    def set_epoch(self, epoch: int) -> None:
        """Tells the number of the epoch, from which the order follows."""
        self.epoch = epoch

    def __iter__(self) -> "TextTokens":
        return TextTokens(self, self.epoch)

    @property
    def options(self) -> dict[str, str]:
        """In words, what the order of the texts follows from: states fit where it is the same."""
        names = [[os.path.basename(path), os.path.getsize(path)] for path in self.files]
        digest = hashlib.sha256(repr(names).encode()).hexdigest()[:12]
        num, index = self.part
        return {
            "files": f"{len(names)} files from {names[0][0]} to {names[-1][0]} ({digest})",
            "order": f"by {self.by}, shuffle {self.shuffle}, seed {self.seed}, repeat "
            f"{self.repeat}, part {index} of {num}",
        }


class TextTokens(collections.abc.Iterator):
    """The sequences of tokens of a `TextLines`, from its start, or from where a state was taken.

    The texts of a block are in memory. The order of a block follows from the seed, the epoch and
    its number, so that a state needs no more than where the block begins.
    """

    def __init__(self, source: TextLines, epoch: int) -> None:
        self.source = source
        self._options = source.options  # the files are looked at once
        self._start(epoch)

    def _start(self, epoch: int, position: Position = START, number: int = 0) -> None:
        """Begins with a block of an epoch."""
        source = self.source
        self._epoch = epoch
        self._is_barren = True  # has yielded nothing in this epoch
        paths = source.files
        if source.shuffle is not None:
            paths = np.random.default_rng((source.seed, epoch)).permutation(paths).tolist()
        self._reader = TextReader(paths, source.by, source.errors, position)
        self._open_block(number)

    def _open_block(self, number: int) -> None:
        """Reads a block, and goes to its start."""
        source = self.source
        size = source.shuffle or BLOCK
        self._number, self._position = number, self._reader.position
        self._taken = 0  # of the texts of the block
        texts = self._reader.read(size)
        self._is_last = len(texts) < size
        order = np.arange(len(texts))
        if source.shuffle is not None:
            random = np.random.default_rng((source.seed, self._epoch, number))
            order = random.permutation(order)
        num, index = source.part
        first = (index - number * size) % num  # parts are of all texts, not of those of a block
        self._texts = [texts[i] for i in order[first::num]]
        self._tokens = {}  # of some of these

    def __next__(self) -> Tokens:
        while True:
            while self._taken < len(self._texts):
                tokens = self._tokens_of(self._taken)
                self._taken += 1
                if np.size(tokens):
                    self._is_barren = False
                    return tokens
            self._go_on()

    def _go_on(self) -> None:
        """Goes to the next block, or the next epoch.

        Raises:
            StopIteration: there is none, or nothing would ever come.
        """
        if not self._is_last:
            self._open_block(self._number + 1)
        elif self.source.repeat and not self._is_barren:
            self._start(self._epoch + 1)
        else:
            self.close()
            raise StopIteration

    def _tokens_of(self, index: int) -> Tokens:
        """The tokens of a text of the block; with a mask, where the tokenizer gives one."""
        if index not in self._tokens:
            group = self._texts[index : index + GROUP]
            self._tokens = dict(enumerate(self.source.encode(group), index))
        tokens, mask = self._tokens.pop(index), None
        if is_masked(tokens):
            tokens, mask = map(np.asarray, tokens)
        tokens = np.asarray(tokens)
        if self.source.end is not None and len(tokens):
            tokens = np.append(tokens, self.source.end)
            mask = None if mask is None else np.append(mask, 0)
        return tokens if mask is None else (tokens, mask)

    def get_state(self) -> dict:
        """Where it is: JSON data, as large for any number of texts."""
        return self._options | {
            "epoch": self._epoch,
            "block": self._number,
            "place": list(self._position),
            "taken": self._taken,
        }

    def set_state(self, state: dict) -> None:
        """Goes to where a state was taken.

        Raises:
            ValueError: it is of other files, or of another order.
        """
        for name, words in self._options.items():
            if state[name] != words:
                raise ValueError(f"the state is of {state[name]}; expected {words}")
        self.close()
        self._start(state["epoch"], Position(*state["place"]), state["block"])
        self._taken, self._is_barren = state["taken"], False

    def close(self) -> None:
        """Closes the file that is open."""
        self._reader.close()
