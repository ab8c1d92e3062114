"""Errors that name the layer of an operation which a method has no rule for."""

from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.core.run.trail import Trail
from jkeras.explain.score import Scored
from jkeras.explain.tape import Entry
from jkeras.kernel import apply as kernel
from jkeras.ops.kernels import traced_for

if TYPE_CHECKING:
    from jkeras.training.types import Structure


def no_rule(
    score: Scored, entry: Entry, known: str = "operations that it has a rule for"
) -> Exception:
    """The error for an operation."""
    where = score.score.where
    layer = _layer_of(score, entry)
    received = f"`{entry.primitive.name}` in {layer}" if layer else f"`{entry.primitive.name}`"
    advice = "use a method by gradients, such as `integrated_gradients`"
    return ValueError(explain(where, known, received, advice))


def _layer_of(score: Scored, entry: Entry) -> str | None:
    """The layer that an operation belongs to: the first one that ends after it."""
    model = score.score.model
    if not isinstance(model, Layer):
        return None
    trail = Trail()

    def run(x: "Structure") -> Any:
        options = {"training": False, "observer": trail}
        y, _ = kernel.apply(model, score.params, score.state, (x,), {}, **options)
        return trail.arrays(), y

    with traced_for("plain"):
        jaxpr = jax.make_jaxpr(run)(score.rows["x"]).jaxpr
    return trail.layer_at(jaxpr, entry.place)
