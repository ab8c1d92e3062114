"""Attention over sequences with one head: Attention (Luong) and AdditiveAttention (Bahdanau)."""

import typing
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.errors import explain, suggestion
from jkeras.core.layer import Layer, layer
from jkeras.core.record import Any
from jkeras.core.weights.rng import SeedGenerator
from jkeras.initializers import GlorotUniform, Ones
from jkeras.kernel.numbers import is_zero
from jkeras.ops.attention_plain import both, causal_mask
from jkeras.ops.promotion import in_float32
from jkeras.random import dropout
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight
from jkeras.core.weights.types import Structure


class SequenceAttention(Layer, uses_mask=True):
    """Base: softmax over the scores of a query against keys, then the mean of the values under
    these weights.

    Called on `[query, value]` or `[query, value, key]`: (batch, target, depth), (batch, source,
    width), (batch, source, depth) -> (batch, target, width). The mask is `[query mask, value
    mask]`: values that are masked have no weight, targets that are masked get zeros. A subclass
    writes `scores`.
    """

    use_scale: bool = False
    dropout: float = 0.0
    seed: Any = None
    call_context = {"mask": None, "training": False}

    def __post_init__(self) -> None:
        if self.dropout > 0:
            self.seed_generator = SeedGenerator(self.seed)

    def scores(self, w: Mapping[str, Any], query: jax.Array, key: jax.Array) -> jax.Array:
        """The scores (batch, target, source) of queries against keys."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `scores(self, w, query, key)`."
        )

    def _check_lists(
        self, inputs: list[Spec] | list[jax.Array], mask: jax.Array | None = None
    ) -> None:
        for name, argument in {"inputs": inputs, "mask": mask}.items():
            fits = isinstance(argument, list) and 2 <= len(argument) <= 3
            if argument is not None and not fits:
                raise ValueError(
                    f"{self._where} must be called on a list of inputs, and the layer mask must be "
                    "a list too, both of length 2 or 3: [query, value] or [query, value, key]. "
                    f"Received: {name}={argument}"
                )

    def _check_sizes(self, query: jax.Array, value: jax.Array, key: jax.Array) -> None:
        depths = {query.shape[-1], key.shape[-1]} - {1}  # 1 may be broadcast
        batches = {x.shape[:-2] for x in (query, value, key)} - {(), (1,)}
        if len(depths) > 1 or len(batches) > 1 or value.shape[-2] != key.shape[-2]:
            raise ValueError(
                explain(
                    self._where,
                    "a query and a key (by default the value) of one depth, a value and a key of "
                    "one length, and all of one batch size",
                    f"shapes query {query.shape}, value {value.shape}, key {key.shape}",
                    "project them to one depth before, as with `Dense`, or use "
                    "`MultiHeadAttention`, which does",
                )
            )

    def forward(
        self,
        w: Mapping[str, Any],
        inputs: list[jax.Array],
        *,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
        ctx: Context,
    ) -> jax.Array:
        self._check_lists(inputs, ctx.mask)
        query, value, key = (*inputs, inputs[1])[:3]
        self._check_sizes(query, value, key)
        query_mask, value_mask = (ctx.mask or (None, None))[:2]
        scores = self.scores(w, query, key)
        mask = _as_source_mask(value_mask)
        if use_causal_mask:
            mask = both(mask, causal_mask(*scores.shape[-2:]))
        if mask is not None:
            most = 65504.0 if scores.dtype == "float16" else 1e9
            scores = jnp.where(mask, scores, scores - most)
        weights = in_float32(jax.nn.softmax, scores)
        if ctx.training and not is_zero(self.dropout):
            weights = dropout(weights, self.dropout, seed=ctx.key)
        y = jnp.matmul(weights, value)
        if query_mask is not None:
            y = jnp.where(query_mask.astype(bool)[..., None], y, 0)
        if return_attention_scores:
            return y, weights
        return y

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        self._check_lists(inputs, mask)
        if mask is None or mask[0] is None:
            return None
        return ops.convert_to_tensor(mask[0])


def _as_source_mask(mask: jax.Array | None) -> jax.Array | None:
    """The mask of the values as one of scores, (batch, 1, source); None for none."""
    if mask is None:
        return None
    mask = mask.astype(bool)
    if mask.ndim == 2:
        return mask[:, None]
    return mask


@layer("keras.layers")
class Attention(SequenceAttention):
    """softmax(query key^T) value, on `[query, value]` or `[query, value, key]` (Luong et al. 2015,
    arXiv:1508.04025).

    Args:
        seed: of the dropout.
        use_scale: multiply the scores (in mode "concat" the sum of query and key) by a learned
            scalar.
        score_mode: "dot", or "concat": a learned scalar times the sum of tanh(query + key) over the
            depth.
        dropout: the fraction of weights that is dropped in training.
    Call arguments:
        mask: `[query mask, value mask]`; either may be None.
        return_attention_scores: return (output, weights).
        use_causal_mask: target i sees only the sources up to i.
    Raises:
        ValueError: an unknown `score_mode`, inputs or masks that are not lists of two or three, or
            sizes that do not go together.

    >>> import numpy as np
    >>> query, value = np.array([[[9.0, 0.0]]]), np.array([[[9.0, 0.0], [0.0, 9.0]]])
    >>> print(Attention()([query, value]).round(3))  # the key is the value
    [[[9. 0.]]]
    """

    use_scale: bool = False
    score_mode: typing.Literal["dot", "concat"] = "dot"
    dropout: float = 0.0
    seed: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score_mode not in ("dot", "concat"):
            raise ValueError(
                f"{self._where}: Invalid value for argument score_mode. Expected one of "
                f"{{'dot', 'concat'}}. Received: score_mode={self.score_mode}."
                f"{suggestion(self.score_mode, ('dot', 'concat'))}"
            )

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        self._check_lists(inputs)
        has = {"scale": self.use_scale, "concat_score_weight": self.score_mode == "concat"}
        return {
            name: self.weight(name, (), initializer=Ones())
            for name, present in has.items()
            if present
        }

    def scores(self, w: Mapping[str, Any], query: jax.Array, key: jax.Array) -> jax.Array:
        if self.score_mode == "dot":
            scores = jnp.matmul(query, jnp.swapaxes(key, -2, -1))
            if self.use_scale:
                return scores * w["scale"]
            return scores
        pairs = query[..., :, None, :] + key[..., None, :, :]  # (batch, target, source, depth)
        if self.use_scale:
            pairs = w["scale"] * pairs
        return w["concat_score_weight"] * jnp.sum(jnp.tanh(pairs), axis=-1)


@layer("keras.layers", keyword_only="seed")
class AdditiveAttention(SequenceAttention):
    """softmax(sum(scale * tanh(query + key))) value, on `[query, value]` or `[query, value, key]`.

    Bahdanau, Cho and Bengio 2015, arXiv:1409.0473. Called like `Attention`.

    Args:
        seed: of the dropout.
        use_scale: whether the sum over the depth has learned factors.
        dropout: the fraction of weights that is dropped in training.

    >>> import numpy as np
    >>> query, value = np.zeros((1, 1, 2)), np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> print(f"{AdditiveAttention(use_scale=False)([query, value])[0, 0, 0]:.3f}")
    2.134
    """

    use_scale: bool = True
    dropout: float = 0.0
    seed: Any = None

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        self._check_lists(inputs)
        depth = inputs[0].shape[-1]
        if self.use_scale:
            return {"scale": self.weight("scale", (depth,), initializer=GlorotUniform())}
        return {}

    def scores(self, w: Mapping[str, Any], query: jax.Array, key: jax.Array) -> jax.Array:
        # (batch, target, source, depth)
        terms = jnp.tanh(query[..., :, None, :] + key[..., None, :, :])
        if self.use_scale:
            terms = w["scale"] * terms
        return jnp.sum(terms, axis=-1)
