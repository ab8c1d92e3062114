"""Batches with padding: which rows are real, for whatever brings the rows of a batch together.

A batch that is filled up to the size of the others goes through the compiled step of the others.
Its run knows which rows are real, and the few places that sum or average over rows (losses, batch
statistics) leave out the rest.
"""

import jax
import jax.numpy as jnp

from jkeras.kernel.scope import current_flow

NAME = "over_real_rows"  # by which a reading of the jaxpr knows these places


class NotRows(ValueError):
    """An array whose first axis is not the batch: which parts of it are padding is not known."""


def real_rows():
    """Which rows of the batch are real in the run that is going on, booleans (batch,); None: all of
    them.
    """
    flow = current_flow()
    return None if flow is None else flow.valid_rows


def over_real_rows(function, rows, *arrays):
    """`function(rows, *arrays)`, which brings the rows of arrays (batch, …) together and leaves out
    what is not real.

    Raises:
        NotRows: an array has another first axis.
    """
    for array in arrays:
        if array.ndim == 0 or array.shape[0] != rows.shape[0]:
            raise NotRows(
                f"An array of shape {array.shape} does not have the {rows.shape[0]} rows of the "
                "batch."
            )

    def over_real_rows(rows, *arrays):
        return function(rows, *arrays)

    return jax.jit(over_real_rows)(rows, *arrays)


def beside(rows, array):
    """The rows with axes of size 1, to be broadcast with an array (batch, …)."""
    return rows.reshape(rows.shape + (1,) * (array.ndim - 1))


def count(size):
    """The number of real rows of a batch of so many.

    >>> count(32)
    32
    """
    rows = real_rows()
    if rows is None:
        return size
    if rows.shape[0] != size:
        raise NotRows(f"A batch of {size} rows, but {rows.shape[0]} are known.")
    return over_real_rows(lambda rows: jnp.sum(rows.astype("int32")), rows)
