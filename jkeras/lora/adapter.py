"""`Adapter`: the low-rank changes of a model's kernels, as one value."""

import dataclasses
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from jkeras.kernel.low_rank import Change


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Adapter:
    """Low-rank changes of kernels: `w + alpha / rank * a @ b`, a pytree of the matrices.

    `jax.grad` differentiates in it, `jax.vmap` maps over adapters that `jax.tree.map(jnp.stack, …)`
    put into one.

    Args:
        matrices: `{path: {"a": (blocks…, inputs…, rank), "b": (blocks…, rank, outputs…)}}`, with
            paths such as "dense/kernel".
        alpha: scale of the products, which is divided by the rank; None: the rank.

    >>> adapter = Adapter({"dense/kernel": {"a": jnp.ones((3, 2)), "b": jnp.ones((2, 5))}})
    >>> adapter.ranks, adapter.nbytes
    ({'dense/kernel': 2}, 64)
    """

    matrices: dict[str, dict[str, jax.Array]]
    alpha: float | None = dataclasses.field(default=None, metadata={"static": True})

    @property
    def ranks(self) -> dict[str, int]:
        """The rank of each change, by path."""
        return {path: int(pair["a"].shape[-1]) for path, pair in self.matrices.items()}

    @property
    def nbytes(self) -> int:
        """How many bytes the matrices take; of arrays or of their shapes."""
        leaves = jax.tree_util.tree_leaves(self.matrices)
        return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)

    def changes(self) -> Iterator[tuple[tuple[str, ...], Change]]:
        """(path, `Change`) of each kernel."""
        for path, pair in self.matrices.items():
            rank = pair["a"].shape[-1]
            alpha = jnp.asarray(rank if self.alpha is None else self.alpha, "float32")
            yield tuple(path.split("/")), Change(pair["a"], pair["b"], alpha)
