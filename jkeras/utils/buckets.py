"""Sequences of many lengths as batches of few: each length that a step meets is compiled once."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jkeras.core.names.registry import public
from jkeras.utils.batches import PyDataset

DEFAULT_COUNT = 4  # lengths to pad to
STEP = 8  # which these are multiples of


@public("jkeras.utils.bucket_by_length")
def bucket_by_length(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int = 32,
    lengths: Sequence[int] | None = None,
    value: Any = 0,
    mask: bool = False,
    per_step: bool = False,
    shuffle: bool = False,
    seed: int | None = None,
) -> "Buckets":
    """A data set of batches of sequences that are padded at the end to a few lengths.

    A batch has sequences of one bucket, so little is padded, and a model is compiled once for each
    length (twice where a last, smaller batch cannot be filled up). Its results are those of the
    sequences by themselves where the model leaves padding out: by `Embedding(mask_zero=True)` or
    `Masking` with this `value`, or by the mask that is given beside.

    Args:
        x: the sequences: a list of arrays or lists, `(length, ...)` each; or a dict of such, whose
            parts are as long as each other for each sample.
        y: labels, one for each sequence, or None.
        sample_weight: one number for each sequence, or None.
        batch_size: sequences of a batch.
        lengths: what is padded to, such as `[32, 64, 128]`; by default up to 4, from the lengths
            that there are.
        value: of padding in `x`.
        mask: add a mask `(batch, length)`, True where there is data, as a second input: batches are
            `((x, mask), ...)`, or the dict has a key "mask" more.
        per_step: labels are sequences, as long as those of `x`. They are padded too, with sample
            weights `(batch, length)` that are 0 there, and elsewhere let each sequence count as it
            does alone, however far it is padded.
        shuffle: put other sequences together in each epoch. (`fit` has the batches themselves in a
            new order each time.)
        seed: of that.

    Returns:
        A `PyDataset`. Its `order` has the numbers of the sequences as they come:
        `y[dataset.order] = model.predict(dataset)` puts predictions in the order of `x`.
    Raises:
        ValueError: no sequence, parts that do not fit each other, or a sequence that is longer than
            all lengths.

    >>> data = bucket_by_length([[1], [1, 2], [1, 2, 3], [4]], batch_size=2, lengths=[2, 4])
    >>> [batch[0].tolist() for batch in data]
    [[[1, 0], [1, 2]], [[4, 0]], [[1, 2, 3, 0]]]
    """
    parts = x if isinstance(x, dict) else {None: x}
    parts = {name: [np.asarray(sequence) for sequence in part] for name, part in parts.items()}
    counts = _lengths_of(parts)
    _check_count("y", y, len(counts))
    _check_count("sample_weight", sample_weight, len(counts))
    if per_step and y is not None:
        y = [np.asarray(label) for label in y]
        _check_lengths("y", y, counts)
    elif y is not None:
        y = np.asarray(y)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight)
    arrangement = Arrangement(counts, _chosen(counts, lengths), batch_size, shuffle, seed)
    return Buckets(Sequences(parts, y, sample_weight, per_step), arrangement, value, mask)


class Arrangement:
    """Which sequences make a batch, and the length it is padded to.

    Args:
        counts: the length of each sequence.
        lengths: those to pad to, in order.
        shuffle, seed: as of `bucket_by_length`.
    """

    def __init__(
        self,
        counts: np.ndarray,
        lengths: np.ndarray,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
    ) -> None:
        self.counts = counts
        self.lengths = lengths
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._random = np.random.default_rng(seed)
        self.bucket = np.searchsorted(lengths, counts)
        self.arrange()

    def arrange(self) -> None:
        """Puts the sequences together anew."""
        order = np.arange(len(self.counts))
        if self.shuffle:
            order = self._random.permutation(order)
        self.batches = []
        for i in range(len(self.lengths)):
            rows = order[self.bucket[order] == i]
            for start in range(0, len(rows), self.batch_size):
                self.batches.append(rows[start : start + self.batch_size])


class Sequences(NamedTuple):
    """What batches are made of.

    Attributes:
        parts: sequences by name; None: the name of the only ones.
        y: labels of each sequence, or of each of its steps.
        sample_weight: of each sequence, or None.
        per_step: whether labels are those of steps.
    """

    parts: dict[str | None, list[np.ndarray]]
    y: Any
    sample_weight: np.ndarray | None
    per_step: bool


class Buckets(PyDataset):
    """What `bucket_by_length` returns.

    Attributes:
        lengths: those that are padded to.
        num_shapes: how many shapes batches have at most.
    """

    def __init__(
        self, sequences: Sequences, arrangement: Arrangement, value: Any, mask: bool
    ) -> None:
        super().__init__()
        self.parts, self.y, self.sample_weight, self.per_step = sequences
        self.arrangement = arrangement
        self.value = value
        self.mask = mask
        self.lengths = arrangement.lengths.tolist()
        self.num_shapes = 2 * len(self.lengths)  # a last batch of each may be smaller

    @property
    def order(self) -> np.ndarray:
        """The numbers of the sequences, as the batches have them."""
        return np.concatenate(self.arrangement.batches)

    def __len__(self) -> int:
        return len(self.arrangement.batches)

    def __getitem__(self, index: int) -> tuple:
        rows = self.arrangement.batches[index]
        length = self.arrangement.lengths[self.arrangement.bucket[rows[0]]]
        valid = np.arange(length) < self.arrangement.counts[rows][:, None]
        x = self._inputs(rows, length, valid)
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        if self.y is None:
            return (x,)
        if not self.per_step:
            return (x, self.y[rows]) if weights is None else (x, self.y[rows], weights)
        # losses and metrics are means over all steps, padding too
        share = length / np.maximum(self.arrangement.counts[rows], 1)
        of_steps = valid * share[:, None].astype("float32")
        if weights is not None:
            of_steps = of_steps * weights[:, None]
        return x, _padded(self.y, rows, length, 0), of_steps

    def _inputs(self, rows: np.ndarray, length: int, valid: np.ndarray) -> Any:
        parts = {n: _padded(part, rows, length, self.value) for n, part in self.parts.items()}
        if None not in parts:
            return parts | {"mask": valid} if self.mask else parts
        return (parts[None], valid) if self.mask else parts[None]

    def __iter__(self) -> Iterator:
        return (self[i] for i in range(len(self)))

    def on_epoch_end(self) -> None:
        """Puts the sequences of the next epoch together."""
        if self.arrangement.shuffle:
            self.arrangement.arrange()


def _padded(sequences: list[np.ndarray], rows: np.ndarray, length: int, value: Any) -> np.ndarray:
    """The sequences of some rows as one array `(rows, length, ...)`."""
    first = sequences[rows[0]]
    dtype = np.result_type(*(sequences[row].dtype for row in rows))
    batch = np.full((len(rows), length, *first.shape[1:]), value, dtype)
    for i, row in enumerate(rows):
        batch[i, : len(sequences[row])] = sequences[row]
    return batch


def _lengths_of(parts: dict[str | None, list[np.ndarray]]) -> np.ndarray:
    """The length of each sample, which all parts have."""
    counts = None
    for name, part in parts.items():
        if counts is None:
            counts = np.array([len(sequence) for sequence in part], "int64")
        _check_count(f"x[{name!r}]", part, len(counts))
        _check_lengths(f"x[{name!r}]", part, counts)
    if counts is None or not len(counts):
        raise ValueError("There is no sequence in `x`.")
    return counts


def _check_count(name: str, values: Any, expected: int) -> None:
    if values is not None and len(values) != expected:
        raise ValueError(f"`{name}` has {len(values)} entries, and there are {expected} sequences.")


def _check_lengths(name: str, sequences: list[np.ndarray], counts: np.ndarray) -> None:
    for number, (sequence, count) in enumerate(zip(sequences, counts)):
        if len(sequence) != count:
            raise ValueError(
                f"`{name}` is {len(sequence)} long at sample {number}: expected {count} as in the "
                "other parts."
            )


def _chosen(counts: np.ndarray, lengths: Sequence[int] | None) -> np.ndarray:
    """The lengths to pad to, in order.

    Raises:
        ValueError: a sequence is longer than all.
    """
    longest = counts.max()
    if lengths is None:
        shares = np.arange(1, DEFAULT_COUNT + 1) / DEFAULT_COUNT
        lengths = -(-np.quantile(counts, shares, method="higher") // STEP) * STEP
        lengths = np.maximum(lengths, 1)
    lengths = np.unique(np.asarray(lengths, "int64"))
    if lengths[-1] < longest:
        raise ValueError(
            f"A sequence is {longest} long, and the longest of `lengths` is {lengths[-1]}. Cut it, "
            "or add a length."
        )
    return lengths
