"""Marks in a program at what each layer gives, and at the gradient of it: they tell to which layer
an operation between them belongs.
"""

import functools
from typing import Any

import jax
from jax.ad_checkpoint import checkpoint_name

from jkeras.core.errors import place_of
from jkeras.kernel.observer import Observer

FORWARD, BACKWARD = "jkeras forward: ", "jkeras backward: "
PRIMITIVE = "name"  # of a mark in a program


class Marks(Observer):
    """Marks the outputs of all layers of a pass."""

    def through(self, layer: Any, scope: Any, inputs: tuple[tuple, dict], outputs: Any) -> Any:
        """The outputs as they are, marked, with their masks beside them."""
        leaves, treedef = jax.tree_util.tree_flatten(outputs)
        marked = []
        for leaf in leaves:
            new = leaf
            if isinstance(leaf, jax.Array) and jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact):
                new = _mark(place_of(layer), leaf)
                mask = scope.flow.mask_of(leaf)
                if mask is not None:
                    scope.flow.set_mask(new, mask)
            marked.append(new)
        return treedef.unflatten(marked)

    def fork(self) -> "Marks":
        """Itself: nothing is kept."""
        return self


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _mark(label: str, array: jax.Array) -> jax.Array:
    return checkpoint_name(array, FORWARD + label)


def _marked(label: str, array: jax.Array) -> tuple[jax.Array, None]:
    return checkpoint_name(array, FORWARD + label), None


def _mark_gradient(label: str, _: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (checkpoint_name(gradient, BACKWARD + label),)


_mark.defvjp(_marked, _mark_gradient)
