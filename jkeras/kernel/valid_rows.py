"""Batches with padding: which rows are valid, for whatever brings the rows of a batch together.

A batch that is filled up to the size of the others goes through the compiled step of the others.
Its forward pass knows which rows are valid, and the few places that sum or average over rows
(losses, batch statistics) leave out the rest.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.kernel.scope import current_flow

NAME = "over_valid_rows"  # by which a reading of the jaxpr knows these places
ROW_BY_ROW = "row_by_row"  # likewise what looks at each row by itself, in a way it cannot read


class NotBatchFirst(ValueError):
    """An array whose first axis is not the batch: which parts of it are padding is not known."""


def current_valid_rows() -> jax.Array | None:
    """Which rows of the batch are valid in the forward pass that is going on, booleans (batch,);
    None: all of them.
    """
    flow = current_flow()
    return None if flow is None else flow.valid_rows


def over_valid_rows(
    function: Callable[..., jax.Array], valid_rows: jax.Array, *arrays: jax.Array
) -> jax.Array:
    """`function(valid_rows, *arrays)`, which brings the rows of arrays (batch, …) together and
    leaves out what is not valid.

    Raises:
        NotBatchFirst: an array has another first axis.
    """
    for array in arrays:
        if array.ndim == 0 or array.shape[0] != valid_rows.shape[0]:
            raise NotBatchFirst(
                f"An array of shape {array.shape} does not have the {valid_rows.shape[0]} rows of "
                "the batch."
            )

    def over_valid_rows(valid_rows, *arrays):
        return function(valid_rows, *arrays)

    return jax.jit(over_valid_rows)(valid_rows, *arrays)


def row_by_row(function: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """`function(*arrays)`, of which a reading of the jaxpr sees nothing, as of a callback, and
    which looks at each row of arrays (batch, …) by itself.
    """

    def row_by_row(*arrays):
        return function(*arrays)

    return jax.jit(row_by_row)(*arrays)


def expand_like(valid_rows: jax.Array, array: jax.Array) -> jax.Array:
    """The booleans with axes of size 1, to be broadcast with an array (batch, …)."""
    return valid_rows.reshape(valid_rows.shape + (1,) * (array.ndim - 1))


def count_valid_rows(size: int) -> int | jax.Array:
    """The number of valid rows of a batch of so many.

    >>> count_valid_rows(32)
    32
    """
    valid_rows = current_valid_rows()
    if valid_rows is None:
        return size
    if valid_rows.shape[0] != size:
        raise NotBatchFirst(f"A batch of {size} rows, but {valid_rows.shape[0]} are known.")
    return over_valid_rows(lambda valid: jnp.sum(valid.astype("int32")), valid_rows)
