"""The rows of sources that give one batch after another, read once, so that each can have its own
coin.
"""

import contextlib
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.training.data import ArraySource
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch, Source

WHERE = "privacy.DPSGD"


def gathered(source: Source, rows: int | None) -> ArraySource:
    """The rows of a source as arrays in memory; arrays as they are.

    Args:
        rows: how many there are, each once.

    Raises:
        ValueError: the number was not said, or is another one.
    """
    kind = getattr(source, "name", type(source).__name__)
    if isinstance(source, ArraySource):
        if rows not in (None, source.size):
            raise ValueError(explain(WHERE, f"data of rows={rows}", f"{source.size} rows"))
        return source
    if rows is None:
        fix = "pass `x` and `y` as arrays, or say how many rows there are: `DPSGD(rows=…)`"
        wanted = "arrays, whose rows it can sample, or a source of known size"
        raise ValueError(explain(WHERE, wanted, kind, fix))
    batches = _read(source, rows, kind)
    try:
        data = jax.tree_util.tree_map(lambda *parts: np.concatenate(parts), *batches)
    except ValueError as error:
        wanted = f"batches of {kind} that differ in their number of rows alone"
        raise ValueError(explain(WHERE, wanted, str(error))) from None
    return ArraySource(*data, batch_size=size_of(batches[0][0]), shuffle=True)


def _read(source: Source, rows: int, kind: str) -> list[Batch]:
    """The batches of one pass, of so many rows.

    Raises:
        ValueError: they have more or fewer.
    """
    batches, count = [], 0
    with contextlib.closing(source.batches(0, 0)) as passing:
        for batch in passing:
            count += size_of(batch[0])
            if count > rows:
                fix = (
                    "let each row come once in a pass, without `repeat`: of a row that comes more "
                    "often more is revealed than the account says"
                )
                raise ValueError(explain(WHERE, f"{rows} rows of {kind}", f"{count} or more", fix))
            batches.append(jax.tree_util.tree_map(np.array, batch))  # which may be used again
    if count < rows:
        fix = "say how many rows there are: with too many, epsilon would be too small"
        raise ValueError(explain(WHERE, f"{rows} rows of {kind}", f"{count}", fix))
    return batches


def check_rows_said(rows: Any) -> None:
    """Raises ValueError for what is no number of rows."""
    is_whole = isinstance(rows, int) and not isinstance(rows, bool)
    if rows is not None and not (is_whole and rows > 0):
        raise ValueError(explain(WHERE, "rows as an integer above 0", f"rows={rows!r}"))
