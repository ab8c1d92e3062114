"""Errors that name the layer of an operation which a method has no rule for."""

from typing import Any

import jax

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.explain.score import Scored
from jkeras.explain.tape import Entry, plain_forms
from jkeras.kernel import apply as kernel


def no_rule(
    score: Scored, entry: Entry, known: str = "operations that it has a rule for"
) -> Exception:
    """The error for an operation."""
    where = score.score.where
    layer = _layer_of(score, entry)
    received = f"`{entry.primitive.name}` in {layer}" if layer else f"`{entry.primitive.name}`"
    advice = "use a method by gradients, such as `integrated_gradients`"
    return ValueError(explain(where, known, received, advice))


class _Trail:
    """Stands for taps: remembers what each layer gives, in order."""

    def __init__(self) -> None:
        self.outputs: list[tuple[str, Any]] = []

    def through(self, layer: Any, scope: Any, outputs: Any) -> Any:
        """Remembers a layer's outputs."""
        path = scope.path_of(layer)
        if path is not None:
            label = f"layer '{'/'.join(path) or layer.name}' ({type(layer).__name__})"
            self.outputs.append((label, jax.tree_util.tree_leaves(outputs)))
        return outputs

    def asks_for(self, path: tuple) -> bool:
        """Nothing that a layer would compute otherwise is asked for."""
        return False

    def inside(self, path: tuple) -> None:
        """Nothing is asked for in blocks."""

    def changes_below(self, path: tuple, axis: int) -> dict:
        """Nothing is changed."""
        return {}

    def fork(self) -> "_Trail":
        """What runs in a transformation is not looked at."""
        return _Trail()

    def take(self) -> None:
        """Nothing comes out of it."""

    def join(self, inner: "_Trail", seen: None) -> None:
        """Nothing comes out of it."""


def _layer_of(score, entry):
    """The layer that an operation belongs to: the first one that ends after it."""
    model = score.score.model
    if not isinstance(model, Layer):
        return None
    trail = _Trail()

    def run(x):
        options = {"training": False, "taps": trail}
        y, _ = kernel.apply(model, score.params, score.state, (x,), {}, **options)
        return [values for _, values in trail.outputs], y

    with plain_forms():
        jaxpr = jax.make_jaxpr(run)(score.rows["x"]).jaxpr
    made = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.outvars}
    outputs = iter(jaxpr.outvars)
    ends = []
    for label, values in trail.outputs:
        found = [next(outputs) for _ in values]
        places = [made.get(v, -1) for v in found if not hasattr(v, "val")]
        ends.append((max(places, default=-1), label))
    after = [(place, i, label) for i, (place, label) in enumerate(ends) if place >= entry.place]
    return min(after)[2] if after else None
