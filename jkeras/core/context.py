"""What a forward pass is given beside weights and inputs: its context, and its children."""

import functools
import typing

import jax

from jkeras.core.call import masks_of


class Context:
    """What a forward pass may look at besides its weights and inputs.

    Attributes:
        training: whether this is a training step.
        frozen: whether the layer's `trainable` is False.
        mask: the mask of the inputs, or None.
        valid_rows: which rows of the batch are real, where some are padding, else None; for
            `kernel.valid_rows.over_valid_rows`.
        key: a random key of this call; another one each time it is read.
        abstract: whether only shapes count.
    """

    __slots__ = ("abstract", "frozen", "layer", "mask", "scope", "training", "valid_rows")

    def __init__(self, scope, layer, training, mask):
        self.scope = scope
        self.layer = layer
        self.training = bool(training)
        self.frozen = not layer._trainable
        self.mask = mask
        self.valid_rows = scope.flow.valid_rows
        self.abstract = scope.flow.abstract

    @property
    def key(self) -> jax.Array:
        """The next random key."""
        return self.scope.next_key(self.layer)


class Children:
    """A composite's children: `sub.query(x)` runs the child `query` on its slice of params, state
    and key.
    """

    def __init__(self, scope, layer, children):
        self._scope = scope
        self._layer = layer
        self._children = children

    def __getattr__(self, name: str) -> typing.Callable:
        child = self._children.get(name)
        if child is None:
            child = getattr(self._layer, name)
        return functools.partial(self.run, child)

    def run(self, child, *args, **kwargs):
        """Runs a child given as an object."""
        return child.run_on(self.scope_of(child), args, kwargs)

    def scope_of(self, child):
        """The slice of a child given as an object."""
        return self._scope.child(self._names[id(child)])

    @functools.cached_property
    def _names(self):
        return {id(child): name for name, child in self._children.items()}

    def mask_of(self, value):
        """The mask that a child left beside its output."""
        return masks_of(value, self._scope.flow.mask_of)

    def set_mask(self, value, mask):
        """Lets a mask travel beside a value that a child will be given."""
        self._scope.flow.set_mask(value, mask)
