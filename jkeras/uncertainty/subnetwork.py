"""A part of a network's numbers that is uncertain, all others being certain."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.uncertainty.curvature import flat, unflat

WHERE = "uncertainty.Subnetwork"
WAYS = ("variance", "magnitude")
STRUCTURES = ("full", "diag", "last_layer")


@dataclasses.dataclass(frozen=True)
class Subnetwork:
    """Which numbers of a network `laplace(subnetwork=…)` takes as uncertain, with the whole matrix
    of these (Daxberger et al. 2021, arXiv:2010.14689).

    Args:
        size: how many numbers.
        by: "variance": those that are least certain by the diagonal structure; "magnitude": the
            largest ones.

    Raises:
        ValueError: no numbers, another way to choose them.

    >>> Subnetwork(100)
    Subnetwork(size=100, by='variance')
    """

    size: int
    by: str = "variance"

    def __post_init__(self) -> None:
        check_choice("by", self.by, WAYS, WHERE)
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise ValueError(explain(WHERE, "a `size` of 1 or more", repr(self.size)))

    def indices(self, uncertain: Any, curvature_of: Callable) -> jax.Array:
        """The places of the chosen numbers in `flat(uncertain)`, in order.

        Args:
            curvature_of: gives the diagonal of the curvature, (parameters,).
        """
        numbers = flat(uncertain)
        if self.size > len(numbers):
            wanted = f"a `size` of at most {len(numbers):,}, the numbers that there are"
            raise ValueError(explain(WHERE, wanted, f"{self.size:,}"))
        if self.by == "magnitude":
            scores = jnp.abs(numbers)
        else:
            scores = -curvature_of()
        _, chosen = jax.lax.top_k(scores, self.size)
        return jnp.sort(chosen)


@dataclasses.dataclass(frozen=True)
class Within:
    """A function of the values of a model as one of a part of its numbers.

    Args:
        function: `(uncertain, fixed, state, x) -> outputs`.
    """

    function: Callable

    @property
    def from_logits(self) -> Any:
        """As of the function."""
        return getattr(self.function, "from_logits", None)

    def __call__(self, chosen: jax.Array, fixed: dict, state: Any, x: Any) -> jax.Array:
        return self.function(self.whole(chosen, fixed), fixed["fixed"], state, x)

    def whole(self, chosen: jax.Array, fixed: dict) -> Any:
        """The tree with the chosen numbers in their places."""
        like = fixed["uncertain"]
        numbers = flat(like).at[fixed["indices"]].set(chosen)
        return jax.tree_util.tree_map(
            lambda new, old: new.astype(old.dtype), unflat(numbers, like), like
        )


def chosen_of(subnetwork: Subnetwork, uncertain: Any, fixed: Any, curvature_of: Callable) -> tuple:
    """(the chosen numbers, all that is certain) as `Within` takes them."""
    indices = subnetwork.indices(uncertain, curvature_of)
    rest = {"uncertain": uncertain, "fixed": fixed, "indices": indices}
    return flat(uncertain)[indices], rest


def check_structure(structure: str) -> None:
    """Raises ValueError where a structure does not go with a part of the numbers."""
    if structure not in STRUCTURES:
        wanted = f"a structure of {', '.join(STRUCTURES)} for a subnetwork"
        fix = "take 'full': a part of a weight has no Kronecker factors"
        raise ValueError(explain(WHERE, wanted, repr(structure), fix))


__all__ = ["Subnetwork"]
