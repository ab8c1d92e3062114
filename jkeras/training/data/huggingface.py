"""Data sets of Hugging Face: tables whose columns are the parts of a batch."""

import collections.abc
import typing

from jkeras.training.data.iterable_source import IterableSource
from jkeras.training.data.source import Batch, DataTypes

LABELS = ("label", "labels", "target", "targets")  # names that a column of labels may have


def kind_of(value: typing.Any) -> str | None:
    """ "Dataset", "IterableDataset", "DatasetDict" … of the library `datasets`, or None."""
    for parent in type(value).__mro__:
        if parent.__module__.split(".")[0] == "datasets" and parent.__name__.endswith(
            ("Dataset", "DatasetDict")
        ):
            return parent.__name__
    return None


def parts(
    columns: collections.abc.Mapping[str, typing.Any], names: collections.abc.Iterable[str]
) -> Batch:
    """(x, y, sample_weight) from a mapping of columns.

    The columns "y" and "sample_weight" are these; x is the column "x", or a dict of all others.

    Raises:
        ValueError: a column of labels under another name, or columns beside "x".
    """
    names = list(names)
    inputs = [name for name in names if name not in ("y", "sample_weight")]
    _check_columns(names, inputs)
    if "x" in inputs:
        x = columns["x"]
    else:
        x = {name: columns[name] for name in inputs}
    y = columns["y"] if "y" in names else None
    sample_weight = columns["sample_weight"] if "sample_weight" in names else None
    return x, y, sample_weight


def _check_columns(names, inputs):
    """Raises ValueError for columns of which it is not clear what they are."""
    for name in inputs:
        if name in LABELS and "y" not in names:
            raise ValueError(
                f"The data set has the columns {names}: expected the labels in a column 'y', and "
                "the inputs in 'x' or in columns by the names of the model's inputs. Call "
                f"`.rename_column({name!r}, 'y')`; to predict, `.remove_columns({name!r})`."
            )
    if "x" in inputs and len(inputs) > 1:
        others = [name for name in inputs if name != "x"]
        raise ValueError(
            f"The data set has the columns {names}: expected nothing beside 'x', 'y' and "
            f"'sample_weight'. Call `.remove_columns({others})`."
        )


def table_parts(dataset: typing.Any) -> Batch:
    """(x, y, sample_weight) of a `Dataset`: columns that are read batch by batch."""
    arrays = dataset.with_format("numpy")
    return parts({name: arrays[name] for name in arrays.column_names}, arrays.column_names)


class Streamed:
    """The batches of an `IterableDataset`, again for each epoch."""

    def __init__(self, dataset: typing.Any, batch_size: int) -> None:
        self.dataset = dataset.with_format("numpy")
        self.batch_size = batch_size

    def __iter__(self) -> collections.abc.Iterator[Batch]:
        return (parts(rows, rows) for rows in self.dataset.iter(self.batch_size))

    def set_epoch(self, epoch: int) -> None:
        """Where the data set shuffles, the order follows from the epoch."""
        self.dataset.set_epoch(epoch)


def streamed(
    dataset: typing.Any, batch_size: int | None, types: DataTypes | None = None
) -> IterableSource:
    """The source of an `IterableDataset`."""
    return IterableSource(Streamed(dataset, batch_size or 32), type(dataset).__name__, types)
