"""Concepts: whether a direction among a layer's outputs, such as "striped", raises a score."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.explain import baselines
from jkeras.explain.running import attribute
from jkeras.explain.score import Scored, Structure, Target, no_score
from jkeras.explain.several import at_each, of_members


@at_each
@of_members
def tcav(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    at: Any,
    concept: Structure = None,
    random: Structure = None,
    normal: Any = None,
    **options: Any,
) -> float:
    """The share of rows whose score rises in the direction of a concept, among the outputs of a
    layer (Kim et al. 2018, arXiv:1711.11279). Of a concept that has nothing to do with the score it
    is about a half; compare with that of several random ones.

    Args:
        model, x, target, options: as for `saliency`.
        at: path of the layer, as of `Layer.tap`; or a list of them, for a dict by these.
        concept, random: inputs that show the concept, and others; the direction is the normal of
            the linear classifier that tells the layer's outputs for them apart.
        normal: the direction itself, in their place; of several places a dict by these.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: as for `saliency`.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([
    ...     jkeras.layers.Dense(2, name="hidden", kernel_initializer="identity"),
    ...     jkeras.layers.Dense(1, kernel_initializer="ones"),
    ... ])
    >>> tcav(model, np.ones((4, 2)), at="hidden", normal=[1.0, 0.0])
    1.0
    """
    if normal is None:
        if concept is None or random is None:
            wanted = "`concept` and `random`, rows of inputs, or `normal`"
            raise ValueError(explain("tcav", wanted, "none of them"))
        normal = concept_direction(model, concept, random, at=at, **options)
    if isinstance(normal, dict):
        normal = normal[at]
    shared = {"normal": jnp.asarray(normal)}
    rises = attribute(_directional_derivatives, model, x, target, {}, shared, at=at, **options)
    return float(np.mean(np.asarray(rises) > 0))


@at_each
def concept_direction(
    model: Any, concept: Structure, random: Structure, *, at: Any, **options: Any
) -> np.ndarray:
    """The normal of a linear classifier, by ridge regression, between the outputs of a layer for
    rows that show a concept and for others; of length 1, in the shape of the layer's output.

    Args:
        model: a layer or model.
        concept, random: inputs that show the concept, and others; rows along the first axis.
        at: path of the layer, as of `Layer.tap`; or a list of them, for a dict by these.
        options: `batch_size`, `params` and `state`, as for `saliency`.

    Returns:
        an array of the shape of the layer's output for a row.

    >>> import numpy as np, jkeras
    >>> layer = jkeras.Sequential([jkeras.layers.Identity(name="all")])
    >>> striped, others = np.array([[2.0, 1.0], [2.0, -1.0]]), np.array([[0.0, 1.0], [0.0, -1.0]])
    >>> concept_direction(layer, striped, others, at="all").round(3).tolist()
    [1.0, 0.0]
    """
    outputs = [
        np.asarray(attribute(_activations, model, x, no_score, at=at, **options))
        for x in (concept, random)
    ]
    rows = np.concatenate(outputs).reshape(len(outputs[0]) + len(outputs[1]), -1).astype(float)
    signs = np.repeat([1.0, -1.0], [len(outputs[0]), len(outputs[1])])
    rows -= rows.mean(0)
    signs -= signs.mean()
    kernel = rows @ rows.T
    ridge = 1e-3 * np.trace(kernel) / len(rows) + np.finfo(float).tiny
    normal = rows.T @ np.linalg.solve(kernel + ridge * np.eye(len(rows)), signs)
    normal /= np.linalg.norm(normal)
    return normal.reshape(outputs[0].shape[1:]).astype("float32")


def _activations(score: Scored, at_once: int) -> Structure:
    return score.start


def _directional_derivatives(score: Scored, at_once: int, normal: jax.Array) -> jax.Array:
    baselines.check_rows("tcav of a `normal`", normal[None], score.start)
    gradient = score.gradient(score.start)
    return (gradient * normal).reshape(len(gradient), -1).sum(1)


__all__ = ["concept_direction", "tcav"]
