"""Token sequences packed into rows of one length: batches for language models without padding."""

import base64
import collections.abc
import typing

import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.names.registry import public
from jkeras.training.data.iterator_state import IteratorState, put_back, state_of


Sequence = typing.Any  # whole numbers, or (whole numbers, mask)


@public("jkeras.utils.pack_sequences")
def pack_sequences(
    sequences: collections.abc.Iterable,
    length: int,
    *,
    batch_size: int = 32,
    window: int = 16,
    longer: str = "split",
    normalize: bool = True,
    drop_remainder: bool = False,
    shuffle: bool = False,
    seed: int = 0,
) -> "PackedSequences | PackedBatches":
    """Batches for next-token prediction in which several sequences share a row.

    A batch is `(x, labels, sample_weight)`, each array `(batch_size, length)`, and `x` a dict of
    `tokens`; `segment_ids`, which number the sequences of a row from 1 on and are 0 for padding;
    and `positions` within the sequence. The label of a token is the next one of its sequence. The
    last of a sequence has none, nor has padding: their labels and weights are 0. With `segment_ids`
    passed to the attention layers, under a causal mask, and `positions` to the embedding of
    positions, a sequence sees nothing of its neighbours: the loss is that of separate rows.

    A sequence may be `(tokens, mask)`, as `ChatTemplate` gives them: then only tokens whose mask is
    1 are learned, as the answers of an assistant. The others are seen; as labels they weigh 0.

    A sequence is put into the first open row that has room for it. Where none has, the oldest open
    row is yielded and a new one begins.

    Args:
        sequences: lists or arrays of whole numbers, or pairs of them and a mask. What starts again
            with each `iter`, as a list or a `TextLines`, makes a data set of many epochs; an
            iterator one that is used up.
        length: of a row.
        batch_size: rows of a batch; the last one is filled up with empty rows, so that all have one
            shape.
        window: how many rows are open at a time; 1 keeps the sequences in order.
        longer: what becomes of a sequence longer than `length`: "split" cuts it into several,
            "error" refuses it.
        normalize: let the weights of a batch have the mean 1, so that a loss is the mean over the
            tokens that have a label; else they are 1 and 0.
        drop_remainder: leave out the last batch where it has empty rows.
        shuffle: take the sequences, which must be a list or the like, in a new order each epoch.
        seed: of that.

    Returns:
        What `fit` takes: an iterable of batches, or for an iterator an iterator. Its iterators have
        `get_state` and `set_state`, so that a checkpoint of `fit` keeps where they are. For that
        the state of the sequences' own iterator is saved if it has one, else how many of them were
        taken.
    Raises:
        ValueError: sizes below 1, an unknown `longer`, `shuffle` of what has no numbers; in the
            batches: a sequence that is too long, or not one of whole numbers.

    >>> data = pack_sequences([[5, 6, 7], [8, 9]], length=6, batch_size=1, normalize=False)
    >>> x, labels, weights = next(iter(data))
    >>> {name: part.tolist() for name, part in x.items()}["segment_ids"]
    [[1, 1, 1, 2, 2, 0]]
    >>> labels.tolist(), weights.tolist()
    ([[6, 7, 0, 9, 0, 0]], [[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]])
    """
    for name, size in (("length", length), ("batch_size", batch_size), ("window", window)):
        if not isinstance(size, int) or size < 1:
            raise ValueError(
                f"pack_sequences: `{name}` must be a positive integer. Received: {size!r}"
            )
    check_choice("longer", longer, ("split", "error"), "pack_sequences")
    if shuffle and not _has_numbers(sequences):
        raise ValueError(
            "pack_sequences: `shuffle` needs a list, or what has `__len__` and `__getitem__`; "
            f"others shuffle themselves, as `TextLines(shuffle=…)`. Received: {type(sequences)}"
        )
    packing = Packing(length, batch_size, window, longer, normalize, drop_remainder)
    if isinstance(sequences, collections.abc.Iterator):
        return PackedBatches(sequences, packing)
    return PackedSequences(sequences, packing, shuffle, seed)


class Packing(typing.NamedTuple):
    """How sequences are packed; see `pack_sequences`."""

    length: int
    batch_size: int
    window: int
    longer: str
    normalize: bool
    drop_remainder: bool


class PackedSequences:
    """What `pack_sequences` returns for sequences that start again: an iterable of batches.

    Attributes:
        sequences: as given.
        packing: `Packing`.
    """

    def __init__(
        self, sequences: collections.abc.Iterable, packing: Packing, shuffle: bool, seed: int
    ) -> None:
        self.sequences = sequences
        self.packing = packing
        self.shuffle = shuffle
        self.seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tells the number of the epoch, from which the order follows."""
        self._epoch = epoch
        if hasattr(self.sequences, "set_epoch"):
            self.sequences.set_epoch(epoch)

    def __iter__(self) -> "PackedBatches":
        if not _has_numbers(self.sequences):
            return PackedBatches(iter(self.sequences), self.packing)
        order = np.arange(len(self.sequences))
        if self.shuffle:
            order = np.random.default_rng((self.seed, self._epoch)).permutation(order)
        return PackedBatches(Numbered(self.sequences, order), self.packing)


class PackedBatches(collections.abc.Iterator):
    """The batches of packed sequences, once; it tells where it is by `get_state`."""

    def __init__(self, sequences: collections.abc.Iterator, packing: Packing) -> None:
        self.packing = packing
        self._sequences = sequences if state_of(sequences) is not None else Counted(sequences)
        self._taken = 0  # sequences
        self._ended = False
        self._rows = OpenRows(packing.length, packing.window)
        self._full = []  # rows for the next batches

    def __next__(self) -> tuple[dict, np.ndarray, np.ndarray]:
        size = self.packing.batch_size
        while len(self._full) < size and not self._ended:
            self._take()
        is_dropped = len(self._full) < size and self.packing.drop_remainder
        if not self._full or is_dropped:
            raise StopIteration
        rows, self._full = self._full[:size], self._full[size:]
        return batch_of(rows, self.packing)

    def _take(self) -> None:
        """Puts another sequence into the rows."""
        try:
            sequence = next(self._sequences)
        except StopIteration:
            self._ended = True
            self._full += self._rows.rest()
            return
        for piece in self._pieces(sequence):
            self._full += self._rows.add(piece)
        self._taken += 1

    def _pieces(self, sequence: Sequence) -> list[np.ndarray]:
        """The parts of a sequence that fit a row, each (2, tokens): what they are, and whether they
        are learned.

        Raises:
            ValueError: it is too long, or not one of whole numbers.
        """
        mask = None
        if is_masked(sequence):
            sequence, mask = sequence
        tokens = np.asarray(sequence)
        if not tokens.size:
            return []
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(
                f"Expected sequences of whole numbers. Sequence {self._taken} is of "
                f"{tokens.dtype}{list(tokens.shape)}: turn texts into numbers by a tokenizer first."
            )
        if tokens.min() < 0 or tokens.max() >= 2**31:
            raise ValueError(
                f"Expected tokens from 0 on, below 2**31. Sequence {self._taken} has tokens from "
                f"{tokens.min()} to {tokens.max()}."
            )
        length = self.packing.length
        if self.packing.longer == "error" and len(tokens) > length:
            raise ValueError(
                f"Sequence {self._taken} has {len(tokens)} tokens, and a row {length}. Cut it, "
                "make the rows longer, or pass `longer='split'`."
            )
        tokens = np.stack([tokens, self._learned(tokens, mask)]).astype("int32")
        return [tokens[:, at : at + length] for at in range(0, tokens.shape[1], length)]

    def _learned(self, tokens: np.ndarray, mask: typing.Any) -> np.ndarray:
        """1 for tokens that are learned.

        Raises:
            ValueError: the mask is not one 0 or 1 for each token.
        """
        if mask is None:
            return np.ones_like(tokens)
        mask = np.asarray(mask)
        if mask.shape != tokens.shape or not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"Expected a mask of a 0 or 1 for each of {len(tokens)} tokens. The one of "
                f"sequence {self._taken} is of {mask.dtype}{list(mask.shape)}."
            )
        return mask

    def get_state(self) -> dict:
        """Where it is: JSON data, which has the tokens of the rows that are not yielded yet."""
        return {
            "packing": str(self.packing),
            "sequences": list(state_of(self._sequences)),
            "taken": self._taken,
            "ended": self._ended,
            "open": [row.as_text() for row in self._rows.rows],
            "full": [row.as_text() for row in self._full],
        }

    def set_state(self, state: dict) -> None:
        """Goes to where a state was taken.

        Raises:
            ValueError: it is of other sequences, or of another packing.
        """
        if state["packing"] != str(self.packing):
            raise ValueError(f"expected the state of {self.packing}; it is of {state['packing']}")
        put_back(self._sequences, IteratorState(*state["sequences"]))
        self._taken, self._ended = state["taken"], state["ended"]
        self._rows.rows = [Row.of_text(row) for row in state["open"]]
        self._full = [Row.of_text(row) for row in state["full"]]

    def close(self) -> None:
        """Closes the iterator of the sequences, if it can be."""
        if hasattr(self._sequences, "close"):
            self._sequences.close()


def is_masked(sequence: Sequence) -> bool:
    """Whether a sequence is a pair of tokens and a mask.

    >>> is_masked((5, 6)), is_masked(([5, 6], [0, 1]))
    (False, True)
    """
    return isinstance(sequence, tuple) and len(sequence) == 2 and np.ndim(sequence[0]) == 1


# ---------------------------------------------------------------- rows


class Row:
    """Sequences, or parts of them, that share a row: each (2, tokens), what they are and whether
    they are learned.

    >>> Row([np.ones((2, 3)), np.ones((2, 2))]).used
    5
    """

    def __init__(self, pieces: collections.abc.Iterable[np.ndarray] = ()) -> None:
        self.pieces = list(pieces)
        self.used = sum(self.counts)

    @property
    def counts(self) -> list[int]:
        """How many tokens each piece has."""
        return [piece.shape[1] for piece in self.pieces]

    def add(self, piece: np.ndarray) -> None:
        """Puts a piece behind the others."""
        self.pieces.append(piece)
        self.used += piece.shape[1]

    def as_text(self) -> list:
        """The row as JSON data; in base 64 the tokens take half of what a list of them does. Bits
        say which are learned, where not all are.
        """
        tokens, learned = np.concatenate(self.pieces, axis=1)
        text = [self.counts, base64.b64encode(tokens.astype("<i4").tobytes()).decode()]
        if learned.all():
            return text
        return [*text, base64.b64encode(np.packbits(learned.astype(bool)).tobytes()).decode()]

    @classmethod
    def of_text(cls, text: list) -> "Row":
        """The row that `as_text` gave."""
        counts, tokens, *bits = text
        tokens = np.frombuffer(base64.b64decode(tokens), "<i4").astype("int32")
        learned = np.ones_like(tokens)
        if bits:
            packed = np.frombuffer(base64.b64decode(bits[0]), "uint8")
            learned = np.unpackbits(packed, count=len(tokens)).astype("int32")
        return cls(np.split(np.stack([tokens, learned]), np.cumsum(counts)[:-1], axis=1))


class OpenRows:
    """Rows with room left, the oldest first.

    >>> rows = OpenRows(length=4, window=2)
    >>> [len(rows.add(np.ones((2, size)))) for size in (3, 2, 2, 3)]
    [0, 0, 1, 0]
    >>> [row.used for row in rows.rest()]
    [3, 3]
    """

    def __init__(self, length: int, window: int) -> None:
        self.length = length
        self.window = window
        self.rows = []

    def add(self, piece: np.ndarray) -> list[Row]:
        """Puts a piece into the first row that has room; the rows that are closed by that."""
        closed = []
        most = self.length - piece.shape[1]
        index = next((i for i, row in enumerate(self.rows) if row.used <= most), None)
        if index is None:
            if len(self.rows) == self.window:
                closed.append(self.rows.pop(0))
            index = len(self.rows)
            self.rows.append(Row())
        self.rows[index].add(piece)
        if self.rows[index].used == self.length:
            closed.append(self.rows.pop(index))
        return closed

    def rest(self) -> list[Row]:
        """All rows, which are closed."""
        rows, self.rows = self.rows, []
        return rows


def batch_of(rows: list[Row], packing: Packing) -> tuple[dict, np.ndarray, np.ndarray]:
    """(x, labels, sample_weight) of rows; a smaller batch is filled up with empty rows."""
    shape = packing.batch_size, packing.length
    x = {name: np.zeros(shape, "int32") for name in ("tokens", "segment_ids", "positions")}
    learned = np.zeros(shape, bool)
    for number, row in enumerate(rows):
        counts = row.counts
        starts = np.cumsum(counts) - counts
        pieces = np.concatenate(row.pieces, axis=1)
        x["tokens"][number, : row.used], learned[number, : row.used] = pieces
        x["segment_ids"][number, : row.used] = np.repeat(np.arange(1, len(counts) + 1), counts)
        x["positions"][number, : row.used] = np.arange(row.used) - np.repeat(starts, counts)
    ids = x["segment_ids"]
    has_next = np.zeros(ids.shape, bool)
    has_next[:, :-1] = (ids[:, 1:] == ids[:, :-1]) & (ids[:, :-1] > 0)
    labels = np.where(has_next, np.roll(x["tokens"], -1, axis=1), 0)
    weights = (has_next & np.roll(learned, -1, axis=1)).astype("float32")
    if packing.normalize:
        weights *= weights.size / max(weights.sum(), 1)
    return x, labels, weights


# ---------------------------------------------------------------- where sequences are


class Numbered(collections.abc.Iterator):
    """Sequences that have numbers, in an order; it tells how far it is."""

    def __init__(self, sequences: collections.abc.Sequence, order: np.ndarray) -> None:
        self.sequences = sequences
        self.order = order
        self._at = 0

    def __next__(self) -> np.ndarray:
        if self._at >= len(self.order):
            raise StopIteration
        self._at += 1
        return self.sequences[int(self.order[self._at - 1])]

    def get_state(self) -> dict:
        """How many sequences were taken, and of how many."""
        return {"at": self._at, "sequences": f"{len(self.order)} sequences"}

    def set_state(self, state: dict) -> None:
        """Goes to where a state was taken.

        Raises:
            ValueError: there are not as many sequences as then.
        """
        if state["sequences"] != self.get_state()["sequences"]:
            raise ValueError(f"expected {len(self.order)} sequences, not {state['sequences']}")
        self._at = state["at"]


class Counted(collections.abc.Iterator):
    """An iterator without a state, of which it is counted how many items it gave."""

    def __init__(self, iterator: collections.abc.Iterator) -> None:
        self.iterator = iterator
        self._at = 0

    def __next__(self) -> np.ndarray:
        item = next(self.iterator)
        self._at += 1
        return item

    def get_state(self) -> dict:
        """How many items were taken."""
        return {"at": self._at}

    def set_state(self, state: dict) -> None:
        """Passes over as many items as were taken when the state was.

        Raises:
            ValueError: there are not as many.
        """
        while self._at < state["at"]:
            if next(self, self) is self:
                raise ValueError(f"there are only {self._at} sequences; {state['at']} were taken")


def _has_numbers(sequences: typing.Any) -> bool:
    return hasattr(sequences, "__getitem__") and hasattr(sequences, "__len__")
