"""Conductance: what passes through a layer in the middle, of the difference from a baseline."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.explain import baselines
from jkeras.explain.running import as_array, attribute, floats_of
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import at_each, of_members


@at_each
@of_members
def conductance(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    at: Any,
    baseline: Structure = None,
    steps: int = 50,
    **options: Any,
) -> jax.Array:
    """What each unit of a layer hands on of the difference of a score from that of a baseline: the
    integral along the line between them of the score's gradient by the unit, over the unit's own
    changes (Dhamdhere et al. 2018, arXiv:1805.12233).

    Args:
        model, x, target, options: as for `saliency`.
        at: path of the layer, as of `Layer.tap`; or a list of them, for a dict by these.
        baseline: of the inputs, as of `integrated_gradients`.
        steps: into how many the line is divided, at Gauss and Legendre's points. What lies before
            the first and behind the last of them is left out: about 0.1 % of the line at 50 steps.

    Returns:
        As the output of the layer.

    Raises:
        ValueError: as for `saliency`.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([
    ...     jkeras.layers.Dense(2, name="hidden", kernel_initializer="ones"),
    ...     jkeras.layers.Dense(1, kernel_initializer="ones"),
    ... ])
    >>> conductance(model, np.array([[1.0, 2.0]]), at="hidden").round(1).tolist()
    [[3.0, 3.0]]
    """
    x = floats_of(as_array(x))  # the line goes through what lies between two inputs
    nodes, _ = np.polynomial.legendre.leggauss(steps + 1)
    arrays, shared = baselines.split(baseline, x)
    shared["points"] = (1 + nodes).astype("float32") / 2
    return attribute(_conductance, model, x, target, arrays, shared, at=at, **options)


def _conductance(score: Scored, at_once: int, points: jax.Array, baseline: Structure) -> Structure:
    x = score.rows["x"]
    begin = baselines.filled(baseline, x)

    def at_point(point: jax.Array) -> tuple[Structure, Structure]:
        on_line = jax.tree_util.tree_map(lambda b, v: b + point * (v - b), begin, x)
        moved = score.moved(on_line)
        return moved.start, moved.gradient(moved.start)

    def add_step(carried: Any, point: Any) -> Any:
        total, before, gradient = carried
        activations, next_gradient = at_point(point)
        added = jax.tree_util.tree_map(
            lambda t, g, a, b: t + g * (a - b), total, gradient, activations, before
        )
        return (added, activations, next_gradient), None

    first = at_point(points[0])
    total = jax.tree_util.tree_map(jnp.zeros_like, first[0])
    return jax.lax.scan(add_step, (total, *first), points[1:])[0][0]


__all__ = ["conductance"]
