"""Class activation maps: where in an image a layer in the middle sees what decides."""

from typing import TYPE_CHECKING, Any
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.session.settings import settings
from jkeras.explain.running import attribute
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import at_each, of_members

if TYPE_CHECKING:
    from jkeras.core.layer.contract import Layer

EPSILON = 1e-6  # lest a channel without any activation divide by zero


@at_each
@of_members
def grad_cam(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    at: str,
    size: tuple[int, ...] | None = None,
    data_format: str | None = None,
    **options: Any,
) -> jax.Array:
    """A map of where the output of a layer speaks for a score: its channels, each weighted by the
    mean of the score's gradient over it (Selvaraju et al. 2017, arXiv:1610.02391).

    Args:
        model, x, target, options: as for `saliency`.
        at: path of the layer, as of `Layer.tap`: "base/conv". Any layer that gives channels over
            places, in a model in the model too. Or a list of them, for a dict by these.
        size: to which the map is resized, bilinearly; by default it has the layer's places.
        data_format: "channels_last" or "channels_first", by default that of `jkeras.config`.

    Returns:
        (rows, *places), zero or more.

    Raises:
        ValueError: as for `saliency`.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([
    ...     jkeras.layers.Conv2D(1, 2, kernel_initializer="ones", name="conv"),
    ...     jkeras.layers.GlobalAveragePooling2D(),
    ... ])
    >>> x = np.zeros((1, 4, 4, 1), "float32")
    >>> x[0, 0, 0] = 9.0  # a bright corner
    >>> print(grad_cam(model, x, at="conv")[0])
    [[1. 0. 0.]
     [0. 0. 0.]
     [0. 0. 0.]]
    """
    options = _map_options(at, size, data_format, options)
    return attribute(_grad_cam, model, x, target, **options)


@at_each
@of_members
def grad_cam_plus_plus(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    at: str,
    size: tuple[int, ...] | None = None,
    data_format: str | None = None,
    **options: Any,
) -> jax.Array:
    """As `grad_cam`, with weights that let each place count by itself, so that several objects of a
    class are all found (Chattopadhyay et al. 2018, arXiv:1710.11063).

    Args:
        model, x, target, at, size, data_format, options: as for `grad_cam`.

    Returns:
        (rows, *places), zero or more.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([
    ...     jkeras.layers.Conv1D(1, 2, kernel_initializer="ones", name="conv"),
    ...     jkeras.layers.GlobalAveragePooling1D(),
    ... ])
    >>> x = np.array([[[0.0], [0.0], [1.0], [0.0], [0.0]]])
    >>> (grad_cam_plus_plus(model, x, at="conv") > 0).tolist()
    [[False, True, True, False]]
    """
    options = _map_options(at, size, data_format, options)
    return attribute(_grad_cam_plus_plus, model, x, target, **options)


def _map_options(
    at: "str | Layer | Sequence[str | Layer] | None",
    size: tuple[int, ...] | None,
    data_format: str | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The options of a map for `attribute`."""
    is_first = (data_format or settings.image_data_format) == "channels_first"
    size = None if size is None else tuple(size)
    return {**options, "at": at, "size": size, "is_first": is_first}


def _grad_cam(
    score: Scored, at_once: int, size: tuple[int, ...] | None, is_first: bool
) -> jax.Array:
    activations, gradient = _channels_last(score, is_first)
    weights = gradient.mean(_spatial_axes(gradient), keepdims=True)
    return _resized(_with_a_part(score, (weights * activations).sum(-1), gradient), size)


def _grad_cam_plus_plus(
    score: Scored, at_once: int, size: tuple[int, ...] | None, is_first: bool
) -> jax.Array:
    activations, gradient = _channels_last(score, is_first)
    spatial = _spatial_axes(gradient)
    square, cube = gradient**2, gradient**3
    of_channel = activations.sum(spatial, keepdims=True)
    alpha = square / (2 * square + of_channel * cube + EPSILON)
    alpha = jnp.where(gradient != 0, alpha, 0)
    weights = (jax.nn.relu(gradient) * alpha).sum(spatial, keepdims=True)
    return _resized(_with_a_part(score, (weights * activations).sum(-1), gradient), size)


def _with_a_part(score: Scored, maps: jax.Array, gradient: jax.Array) -> jax.Array:
    """What speaks for a score in maps; zero at padding that the model does not look at. The weights
    of channels are those of all places, so that what lies at such a place would show.
    """
    maps = jax.nn.relu(maps)
    if score.mask is None or score.mask.shape != maps.shape:
        return maps
    return jnp.where(score.mask | (gradient != 0).any(-1), maps, 0)


def _channels_last(score: Scored, is_first: bool) -> tuple[jax.Array, jax.Array]:
    """(activations, gradient by them), with the channels along the last axis."""
    if not isinstance(score.start, jax.Array) or score.start.ndim < 3:
        shapes = jax.tree_util.tree_map(jnp.shape, score.start)
        where = f"map at {score.score.at!r}"
        raise ValueError(explain(where, "a layer that gives channels over places", f"{shapes}"))
    gradient = score.gradient(score.start)
    if is_first:
        return jnp.moveaxis(score.start, 1, -1), jnp.moveaxis(gradient, 1, -1)
    return score.start, gradient


def _spatial_axes(array: jax.Array) -> tuple[int, ...]:
    return tuple(range(1, array.ndim - 1))


def _resized(maps: jax.Array, size: Any) -> jax.Array:
    if size is None:
        return maps
    return jax.image.resize(maps, (len(maps), *size), "bilinear")


__all__ = ["grad_cam", "grad_cam_plus_plus"]
