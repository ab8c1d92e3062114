"""Errors that name the layer of an operation which a method has no rule for."""

import contextlib
from collections.abc import Iterator
from typing import Any

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.explain.score import Scored, Structure
from jkeras.kernel import apply as kernel
from jkeras.programs.trail import Trail
from jkeras.programs.walk import Unreadable, trace


@contextlib.contextmanager
def refusing_unknown(score: Scored) -> Iterator[None]:
    """A `with` block in which an operation without a rule is an error that names its layer.

    Raises:
        ValueError: there is one.
    """
    try:
        yield
    except Unreadable as error:
        layer = _layer_at(score, error.place)
        received = f"`{error.name}` in {layer}" if layer else f"`{error.name}`"
        advice = "use a method by gradients, such as `integrated_gradients`"
        known = "operations that it has a rule for"
        raise ValueError(explain(score.score.where, known, received, advice)) from None


def _layer_at(score: Scored, place: int) -> str | None:
    """The layer that an operation belongs to: the first one that ends after it."""
    model = score.score.model
    if not isinstance(model, Layer):
        return None
    trail = Trail()

    def run(x: Structure) -> Any:
        options = {"training": False, "observer": trail}
        y, _ = kernel.apply(model, score.params, score.state, (x,), {}, **options)
        return trail.arrays(), y

    closed, _ = trace(run, score.rows["x"])
    return trail.layer_at(closed.jaxpr, place)
