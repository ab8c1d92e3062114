"""Which layer an operation of a traced forward pass belongs to."""

from typing import Any

import jax

from jkeras.kernel.observer import Observer
from jkeras.programs.walk import is_literal, makers


class Trail(Observer):
    """Remembers what each layer gives, in order.

    Attributes:
        outputs: (layer in words, the arrays that it gave).
        paths: of the layers.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[str, Any]] = []
        self.paths: list[tuple[str, ...]] = []

    def through(self, layer: Any, scope: Any, inputs: tuple[tuple, dict], outputs: Any) -> Any:
        """Remembers a layer's outputs."""
        path = scope.path_of(layer)
        if path is not None:
            label = f"layer '{'/'.join(path) or layer.name}' ({type(layer).__name__})"
            self.outputs.append((label, jax.tree_util.tree_leaves(outputs)))
            self.paths.append(path)
        return outputs

    def arrays(self) -> list:
        """What a traced function returns first, for `layer_at`."""
        return [values for _, values in self.outputs]

    def layer_at(self, jaxpr: Any, place: int) -> str | None:
        """The layer that an operation belongs to: the first one that ends after it.

        Args:
            jaxpr: of a function that returns `arrays()` first.
            place: the number of the operation in it.
        """
        made = makers(jaxpr)
        outputs = iter(jaxpr.outvars)
        ends = []
        for label, values in self.outputs:
            found = [next(outputs) for _ in values]
            places = [made.get(v, -1) for v in found if not is_literal(v)]
            ends.append((max(places, default=-1), label))
        after = [(end, i, label) for i, (end, label) in enumerate(ends) if end >= place]
        return min(after)[2] if after else None
