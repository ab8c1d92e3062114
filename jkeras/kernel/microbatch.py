"""A batch computed in pieces: the share of each piece in the loss of the whole batch."""

import jax.numpy as jnp

from jkeras.kernel.scope import current_flow


class Shares:
    """Of one piece: numerators of means are divided by the denominators of the whole batch.

    These are found first, by running all pieces with `totals=None`: masks and weights decide on
        them, not parameters.

    Args:
        pieces: how many there are.
        totals: the denominators of the whole batch, in the order in which they are asked for.
        rows: number of real rows of the whole batch.

    >>> counting = Shares(2)
    >>> _ = counting.mean(6.0, 3)
    >>> [float(v) for v in counting.found], float(Shares(2, totals=[4.0]).mean(6.0, 3))
    ([3.0], 1.5)
    """

    def __init__(self, pieces, totals=None, rows=None):
        self.pieces, self.totals, self.rows, self.found = pieces, totals, rows, []

    def mean(self, numerator, denominator):
        """This piece's part of a mean."""
        self.found.append(jnp.asarray(denominator, "float32"))
        if self.totals is None:
            return numerator
        numerator = jnp.asarray(numerator)
        total = jnp.asarray(self.totals[len(self.found) - 1], numerator.dtype)
        return jnp.where(total == 0, 0, numerator / jnp.where(total == 0, 1, total))


def shares():
    """The `Shares` of the piece that is being computed, or None."""
    flow = current_flow()
    return None if flow is None else flow.microbatch


def evenly(value):
    """A piece's part of something that each piece has as a whole, such as a penalty on weights."""
    piece = shares()
    return value if piece is None else value / piece.pieces
