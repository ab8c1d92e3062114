"""Attention: from which tokens of the input those of the output take what they have."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.run.tapping import run_tapped
from jkeras.core.weights.paths import walk
from jkeras.explain.running import as_array, attribute
from jkeras.explain.score import Scored, Structure, no_score
from jkeras.explain.several import of_members
from jkeras.layers import GroupQueryAttention, MultiHeadAttention
from jkeras.models.transformers.attention import SelfAttention

if TYPE_CHECKING:
    from jkeras.core.layer.contract import Layer


@of_members
def attention_rollout(
    model: Any, x: Structure, *, at: list | None = None, residual: float = 0.5, **options: Any
) -> jax.Array:
    """The attention of all layers in one matrix: the product of their weights, the mean over heads,
    each mixed with what goes past the layer (Abnar and Zuidema 2020, arXiv:2005.00928).

    The weights are taken from within the layers, which need not return them.

    Args:
        model: a layer or model.
        x: inputs, rows along the first axis.
        at: the attention layers, or their paths, first to last, "attention#0" of one that is called
            more than once; by default all of `model`, in the order in which they
            stand in it.
        residual: the share that goes past each layer.
        options: `batch_size`, `params` and `state`, as for `saliency`.

    Returns:
        (rows, tokens, tokens): how much of each token of the input is in each of the output; the
        rows of a matrix add up to 1.

    Raises:
        ValueError: no attention layer; one that attends to others than its own tokens.

    >>> import jkeras, numpy as np
    >>> x = jkeras.Input((5, 8))
    >>> model = jkeras.Model(x, jkeras.layers.MultiHeadAttention(2, 4)(x, x))
    >>> attention_rollout(model, np.ones((3, 5, 8))).sum(-1).round(4)[0].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if at is None:
        kinds = MultiHeadAttention, GroupQueryAttention, SelfAttention
        at = ["/".join(path) for path, layer in walk(model) if isinstance(layer, kinds)]
    if not at:
        raise ValueError(explain("attention_rollout", "attention layers in the model", "none"))
    at = tuple(_softmax_of(location) for location in at)
    options = {"locations": at, "residual": residual, "differentiates": False, **options}
    return attribute(_rollout, model, as_array(x), no_score, **options)


def _softmax_of(location: Any) -> "str | Layer":
    if not isinstance(location, str):
        return location._softmax
    name, mark, call = location.partition("#")
    return f"{name}/_softmax{mark}{call}"


def _rollout(score: Scored, at_once: int, locations: tuple, residual: float) -> jax.Array:
    model, x = score.score.model, score.rows["x"]
    values = score.params, score.state
    taps = run_tapped(model, *values, (x,), {}, list(locations), (), training=False)[2]
    seen = taps.results()
    whole = None
    for location in locations:
        taps.check_single(location)
        weights = seen[location]
        tokens = weights.shape[-1]
        if weights.shape[-2] != tokens or weights.ndim != 4:
            wanted = "layers that attend to their own tokens, along one axis"
            received = f"weights of shape {weights.shape}"
            raise ValueError(explain(f"attention_rollout at {location!r}", wanted, received))
        mixed = (1 - residual) * weights.astype("float32").mean(1) + residual * jnp.eye(tokens)
        mixed = mixed / mixed.sum(-1, keepdims=True)
        whole = mixed if whole is None else jnp.matmul(mixed, whole, precision="highest")
    return whole


__all__ = ["attention_rollout"]
