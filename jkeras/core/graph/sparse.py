"""Which arrays are sparse: those of `jax.experimental.sparse`, which is loaded when one is made."""

import sys
import typing


def is_sparse(x) -> bool:
    """Whether x is a sparse array of JAX; there is none as long as their module is not loaded.

    >>> import jax
    >>> from jax.experimental.sparse import BCOO
    >>> is_sparse(BCOO.fromdense(jax.numpy.eye(2))), is_sparse(jax.numpy.eye(2))
    (True, False)
    """
    module = sys.modules.get("jax.experimental.sparse")
    return module is not None and isinstance(x, module.JAXSparse)


def any_sparse(values) -> bool:
    """Whether one of the values is a sparse array, or a list or tuple in which one stands."""
    for value in values:
        if is_sparse(value):
            return True
        if isinstance(value, (list, tuple)) and any(map(is_sparse, value)):
            return True
    return False


def dense(x):
    """A sparse array with its zeros written out; all else as it is.

    >>> import jax
    >>> from jax.experimental.sparse import BCOO
    >>> print(dense(BCOO.fromdense(jax.numpy.eye(2))))
    [[1. 0.]
     [0. 1.]]
    """
    if is_sparse(x):
        return x.todense()
    return x


def sparse_stand_in(x):
    """A sparse array instead of a dense one: what a symbolic tensor with `sparse=True` is
    while shapes are traced.
    """
    from jax.experimental.sparse import BCOO  # takes long to import

    return BCOO.fromdense(x, nse=1)


class SparseForm(typing.NamedTuple):
    """What an op does with sparse arrays.

    Args:
        compute: takes the op's arguments, of which one at least is sparse.
        stays_sparse: from a boolean for each tensor, whether it is sparse, and the op's fixed
            arguments to that of the result.
    """

    compute: typing.Callable
    stays_sparse: typing.Callable
