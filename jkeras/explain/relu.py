"""Gradients that treat relu in their own way: guided backpropagation and deconvolution."""

from typing import TYPE_CHECKING, Any
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.explain.cam import grad_cam
from jkeras.explain.running import as_array, attribute
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import at_each, of_members
from jkeras.programs.calls import inner_jaxprs
from jkeras.programs.tape import Entry, Tape, gradient
from jkeras.programs.walk import is_literal, operations

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr


@of_members
def guided_backprop(model: Any, x: Structure, target: Target = None, **options: Any) -> Structure:
    """The gradient of a score, where relu hands on only what is positive, of its inputs and of its
    gradients (Springenberg et al. 2014, arXiv:1412.6806). Sharp pictures; they say little about
    what the model has learned (Adebayo et al. 2018, arXiv:1810.03292).

    Every relu counts: of `ReLU` and `Activation` layers, of `activation="relu"`, of `ops.relu` and
    `jax.nn.relu` in code of your own.

    Args:
        model, x, target, options: as for `saliency`.

    Returns:
        As `x`.

    Raises:
        ValueError: there is no relu in the model, or one within a loop.

    >>> import jax, jax.numpy as jnp
    >>> score = lambda x: jax.nn.relu(x) @ jnp.array([[1.0], [-2.0], [3.0]])
    >>> guided_backprop(score, [[5.0, 5.0, -5.0]]).tolist()
    [[1.0, 0.0, 0.0]]
    """
    return attribute(_guided, model, as_array(x), target, **options)


@of_members
def deconvnet(model: Any, x: Structure, target: Target = None, **options: Any) -> Structure:
    """The gradient of a score, where relu hands on what is positive of its gradient, whatever its
    input (Zeiler and Fergus 2014, arXiv:1311.2901).

    Args:
        model, x, target, options: as for `saliency`.

    Returns:
        As `x`.

    Raises:
        ValueError: as for `guided_backprop`.

    >>> import jax, jax.numpy as jnp
    >>> score = lambda x: jax.nn.relu(x) @ jnp.array([[1.0], [-2.0], [3.0]])
    >>> deconvnet(score, [[5.0, 5.0, -5.0]]).tolist()
    [[1.0, 0.0, 3.0]]
    """
    return attribute(_deconvolved, model, as_array(x), target, **options)


@at_each
@of_members
def guided_grad_cam(
    model: Any, x: jax.Array, target: Target = None, *, at: Any, **options: Any
) -> jax.Array:
    """Guided backpropagation times the map of `grad_cam`, brought to the size of the input by
    nearest neighbours (Selvaraju et al. 2017, arXiv:1610.02391).

    Args:
        model, target, options: as for `grad_cam`.
        x: images, channels along the last axis, or the first where `data_format` says so.
        at: path of the layer that the map is of.

    Returns:
        As `x`.

    Raises:
        ValueError: as for `guided_backprop` and `grad_cam`.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([
    ...     jkeras.layers.Conv2D(1, 1, activation="relu", kernel_initializer="ones", name="conv"),
    ...     jkeras.layers.GlobalAveragePooling2D(),
    ... ])
    >>> x = np.array([[1.0, -1.0], [2.0, 0.0]]).reshape(1, 2, 2, 1)
    >>> print(guided_grad_cam(model, x, at="conv")[0, :, :, 0].round(2))
    [[0.06 0.  ]
     [0.12 0.  ]]
    """
    data_format = options.pop("data_format", None)
    if not jax.tree_util.all_leaves([x]):
        received = f"{jax.tree_util.tree_structure(x)}"
        advice = "multiply `guided_backprop` of the images with the map of `grad_cam`"
        raise ValueError(explain("guided_grad_cam", "one array of images", received, advice))
    maps = grad_cam(model, x, target, at=at, data_format=data_format, **options)
    guided = guided_backprop(model, x, target, **options)
    channels = 1 if data_format == "channels_first" else -1
    sizes = guided.shape[:channels] + guided.shape[channels:][1:]
    resized = jax.image.resize(maps, sizes, "nearest")
    product = guided * jnp.expand_dims(resized, channels)
    return product if isinstance(guided, jax.Array) else np.array(product)


def _guided(score: Scored, at_once: int) -> Structure:
    return _by_rule(score, lambda x, g: jnp.where((x > 0) & (g > 0), g, 0))


def _deconvolved(score: Scored, at_once: int) -> Structure:
    return _by_rule(score, lambda x, g: jnp.where(g > 0, g, 0))


def _by_rule(score: Scored, of_relu: Callable[..., Any]) -> Any:
    """The gradient with another one for relu.

    Args:
        of_relu: (input of relu, gradient by its output) -> gradient by its input.
    """
    entries = []

    def rule(tape: Tape, entry: Entry, coming: list) -> list:
        if is_relu(tape, entry):
            entries.append(entry)
            x = tape.inputs(entry)[entry.active.index(True)]
            return [of_relu(x, coming[0])]
        if any(_has_relu(inner) for inner in inner_jaxprs(entry.params)):
            where = f"{score.score.where}"
            raise ValueError(
                explain(where, "relus that run once", f"one within `{entry.primitive.name}`")
            )
        return gradient(tape, entry, coming)

    tape = Tape(score, score.start)
    result = tape.backwards(rule, jnp.ones_like(tape.values[tape.output]))
    if not entries:
        where = score.score.where
        advice = "use `saliency`, which is the same without relu"
        raise ValueError(explain(where, "a model with relu", "one without", advice))
    return result


def is_relu(tape: Tape, entry: Entry) -> bool:
    """Whether a primitive is relu: the maximum of something and zero."""
    if entry.primitive.name != "max" or sum(entry.active) != 1:
        return False
    return any(tape.is_zero(i) for i, a in zip(entry.inputs, entry.active) if not a)


def _has_relu(jaxpr: "Jaxpr") -> bool:
    """Whether a jaxpr has what may be a relu."""
    return any(
        eqn.primitive.name == "max" and any(map(_is_zero, eqn.invars))
        for eqn in operations(jaxpr.eqns)
    )


def _is_zero(variable: Any) -> bool:
    return is_literal(variable) and not jnp.ndim(variable.val) and variable.val == 0


__all__ = ["deconvnet", "guided_backprop", "guided_grad_cam"]
