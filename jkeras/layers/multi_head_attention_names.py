"""Names inside Keras's attention layers that subclasses use, keras-hub's among them: what is
projected, how it attends, and the parts of `build`.
"""

import string
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.layers.activation import Softmax
from jkeras.layers.attention_heads import Heads
from jkeras.layers.attention_masks import masks_of
from jkeras.layers.dropout import Dropout
from jkeras.ops.attention_plain import Form, causal_mask


class AttentionNames:
    """Mixin: what both attention layers have inside in Keras.

    A class sets `_keras_names`: the names of attributes in Keras, each with its name here, under
    which it is read and set.
    """

    _keras_names = {}

    def __getattr__(self, name: str) -> Any:
        if name in self._keras_names:
            return getattr(self, self._keras_names[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(self._keras_names.get(name, name), value)

    def _layout(self) -> Any:
        """(number of axes of the projected query, which of them are attended over)."""
        rank = len(self._query_dense.equation.split("->")[1])
        return rank, self._attended_axes(rank - 1)

    def _masked_softmax(self, attention_scores, attention_mask: jax.Array | None = None) -> Any:
        """Weights (batch, heads, *targets, *sources) from scores, under a mask
        (batch, *targets, *sources).
        """
        scores = jnp.asarray(attention_scores)
        count = len(self._layout()[1])
        shape = scores.shape
        flat = (*shape[:-count], -1)
        if attention_mask is not None:
            mask = jnp.asarray(attention_mask)
            ones = (1,) * (scores.ndim - mask.ndim)
            mask = mask.reshape(*mask.shape[: -2 * count], *ones, *mask.shape[-2 * count :])
            attention_mask = mask.reshape(*mask.shape[:-count], -1)
        return self._softmax(scores.reshape(flat), mask=attention_mask).reshape(shape)

    def _compute_causal_mask(self, query: jax.Array, value: Any = None) -> Any:
        """(1, target, source): True up to the target itself."""
        sources = query if value is None else value
        return causal_mask(query.shape[1], sources.shape[1])[None]

    def _compute_attention_mask(
        self,
        query: jax.Array,
        value: Any,
        query_mask: jax.Array | None = None,
        value_mask: jax.Array | None = None,
        key_mask: jax.Array | None = None,
        attention_mask: jax.Array | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """(batch, target, source) of all that forbids a target to look at a source, or None."""
        masks = masks_of(query_mask, value_mask, key_mask, attention_mask)
        masks = masks.over(query.shape[1:2], value.shape[1:2])
        return masks.combined(Form(self._scale, use_causal_mask, self.sliding_window))


class MultiHeadNames(AttentionNames):
    """Mixin: the names inside Keras's `MultiHeadAttention`."""

    _keras_names = {
        f"_{name}": name
        for name in (
            "num_heads",
            "key_dim",
            "value_dim",
            "dropout",
            "use_bias",
            "use_gate",
            "output_shape",
            "attention_axes",
            "sliding_window",
            "kernel_initializer",
            "bias_initializer",
            "kernel_regularizer",
            "bias_regularizer",
            "kernel_constraint",
            "bias_constraint",
            "query_dense",
            "key_dense",
            "value_dense",
            "output_dense",
        )
    } | {"_activity_regularizer": "_penalty", "_inverse_sqrt_key_dim": "_scale"}

    @property
    def _dot_product_equation(self) -> Any:
        """Of einsum: key, query -> scores."""
        return equations(*self._layout())[0]

    @property
    def _combine_equation(self) -> Any:
        """Of einsum: scores, value -> output of the heads."""
        return equations(*self._layout())[1]

    def _attend_by_subclass(
        self,
        query: jax.Array,
        key: jax.Array,
        value: Any,
        mask: jax.Array | None,
        training: bool | None,
        return_attention_scores: bool,
    ) -> Any:
        """What a subclass's own `_compute_attention` gives, called as Keras calls it."""
        return self._compute_attention(query, key, value, mask, training, return_attention_scores)

    def _build_attention(self, rank: int) -> None:
        """Makes what attends to projections with `rank` axes: for a `build` of a subclass's own."""
        self.attention_axes = self._attended_axes(rank - 1)
        self._softmax = Softmax(dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)

    def _compute_attention(
        self,
        query: jax.Array,
        key: jax.Array,
        value: Any,
        attention_mask: jax.Array | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """(output of the heads, weights or None) of projections (batch, …, heads, size). Where a
        subclass has its own, `call` runs that.
        """
        if return_attention_scores:
            self._check_scores()
        heads = Heads(query, key, value)
        return self._attend_projected(
            heads, attention_mask, training, return_attention_scores, use_causal_mask
        )


class GroupedNames(AttentionNames):
    """Mixin: the names inside Keras's `GroupQueryAttention`."""

    _keras_names = {"_inverse_sqrt_head_dim": "_scale"}
    _dot_product_equation = "btnh,bsnh->bnts"  # query, key: the other order than with many heads
    _combine_equation = "bnts,bsnh->btnh"  # weights, value

    def _attend_by_subclass(
        self,
        query: jax.Array,
        key: jax.Array,
        value: Any,
        mask: jax.Array | None,
        training: bool | None,
        return_attention_scores: bool,
    ) -> Any:
        """What a subclass's own `_compute_attention` gives, called as Keras calls it."""
        key, value = (jnp.repeat(x, query.shape[2] // x.shape[2], axis=2) for x in (key, value))
        return self._compute_attention(query, key, value, attention_mask=mask, training=training)

    def _compute_attention(
        self,
        query: jax.Array,
        key: jax.Array,
        value: Any,
        attention_mask: jax.Array | None = None,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """(output of the heads, weights) of projections (batch, time, heads, size). Where a
        subclass has its own, `call` runs that, with key and value for each head of the query.
        """
        heads = Heads(query, key, value)
        return self._attend_projected(heads, attention_mask, training, True, use_causal_mask)


def equations(rank: int, axes: tuple[int, ...]) -> tuple[str, ...]:
    """The einsum equations of attention over some axes of projections (batch, …, heads, size):
    (key, query -> scores; scores, value -> output).

    >>> equations(4, (1,))
    ('aecd,abcd->acbe', 'acbe,aecf->abcf')
    """
    letters = string.ascii_lowercase
    query = letters[:rank]
    fresh = iter(letters[rank:])
    key = [next(fresh) if axis in axes else query[axis] for axis in range(rank)]
    size = next(fresh)
    lead = [query[axis] for axis in range(rank - 1) if axis not in axes]
    scores = "".join([*lead, *(query[a] for a in axes), *(key[a] for a in axes)])
    dot_product = f"{''.join(key)},{query}->{scores}"
    combine = f"{scores},{''.join(key[:-1])}{size}->{query[:-1]}{size}"
    return dot_product, combine
