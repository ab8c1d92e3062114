"""Attention with many heads: MultiHeadAttention, GroupQueryAttention."""

import functools
import math
import re
import string
import typing
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.errors import AxisError, ShapeError, explain
from jkeras.core.layer import Composite, layer
from jkeras.core.weights.quantized_policy import DTypePolicyMap
from jkeras.core.record import HIDDEN, Any, Constraint, Initializer, Regularizer
from jkeras.core.names.registry import serialize
from jkeras.core.session.settings import settings
from jkeras.core.names.typed import Sizes, fields
from jkeras.layers.activation import Softmax
from jkeras.kernel.numbers import is_zero
from jkeras.layers.attention_cache import CallerCache
from jkeras.layers.attention_heads import Asked, Heads, heads_last, sizes, with_results
from jkeras.layers.attention_masks import Masks, masks_of
from jkeras.layers.dropout import Dropout
from jkeras.layers.einsum_dense import EinsumDense
from jkeras.layers.multi_head_attention_names import GroupedNames, MultiHeadNames
from jkeras.ops.attention import attention
from jkeras.ops.attention_cached import Cache, empty_cache, extended
from jkeras.ops.attention_plain import Form, both, seen
from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.core.run.context import Children
from jkeras.kernel.spec import Spec
from jkeras.core.weights.types import Function


@fields
class HeadedAttention(
    Composite, uses_mask=True, announces_compute_dtype=True, is_batchwise=True, uncast=("cache",)
):
    """Base: projects query, key and value to heads, attends in each, projects the heads to the
    output.

    Children are named as Keras names them, since files are written by these names. A subclass sets
    `_head_counts` (of the query; of key and value) and `_head_sizes` (of query and key; of the
    value).
    """

    dropout: float = 0.0
    use_bias: bool = True
    sliding_window: int | None = None
    flash_attention: HIDDEN = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    use_gate: bool = False
    seed: Any = None
    supports_masking = True
    call_context = {"training": None}
    _dense_names = {}
    _masks_travel = False  # whether a query's mask is the one that travels with it, and ends here
    _attends_itself = False  # whether a subclass has a `_compute_attention` of its own

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "_compute_attention" in vars(cls):
            cls._attends_itself = True
            kwargs["is_native"] = False  # it finds its children on the layer: it runs on objects
        super().__init_subclass__(**kwargs)

    def _check_shared(self) -> None:
        """Checks the arguments that both layers have, and takes `flash_attention` out of the
        config.
        """
        check_size(self._where, "sliding_window", self.sliding_window, optional=True)
        self._flash_attention = self.flash_attention or settings.flash_attention
        if self._flash_attention is None:
            self._flash_attention = self.flash_attention
        self.flash_attention = None
        if self._flash_attention and self.dropout > 0.0:
            raise ValueError(
                f"{self._where}: Dropout is not supported when flash attention is enabled. "
                f"Received: dropout={self.dropout}. To fix it: set dropout=0.0 or leave "
                "`flash_attention` out."
            )

    def _written_policy(self) -> Any:
        """The policy that a config has: a map where projections are stored in few bits."""
        in_few_bits = {
            ".*" + re.escape(child.name): child.dtype_policy
            for child in self._children.values()
            if child.quantization_mode is not None
        }
        if not in_few_bits or isinstance(self.dtype_policy, DTypePolicyMap):
            return self.dtype_policy
        return DTypePolicyMap(self.dtype_policy, in_few_bits)

    # ------------------------------------------------------------ children

    def children(
        self, query: jax.Array, value: Spec, key: jax.Array | None = None
    ) -> dict[str, Layer]:
        if key is None:
            key = value
        if value.shape[1:-1] != key.shape[1:-1]:
            raise ValueError(
                f"{self._where}: the shapes of value and key must be equal but for the last "
                f"axis. Received: value shape {value.shape} and key shape {key.shape}"
            )
        (heads, groups), (key_size, value_size) = self._head_counts, self._head_sizes
        names = self._dense_names
        projections = {
            names["query"]: self._projection("query", query.ndim - 1, 1, (heads, key_size)),
            names["key"]: self._projection("key", key.ndim - 1, 1, (groups, key_size)),
        }
        if self.use_gate:
            projections[names["gate"]] = self._projection(
                "gate", query.ndim - 1, 1, (heads, value_size), "sigmoid"
            )
        return projections | {
            names["value"]: self._projection("value", value.ndim - 1, 1, (groups, value_size)),
            "_softmax": Softmax(dtype=self.dtype_policy),
            "_dropout_layer": Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy),
            names["output"]: self._make_output_dense(
                query.shape, self._get_common_kwargs_for_sublayer(), "attention_output"
            ),
        }

    def _make_output_dense(
        self, query_shape: tuple[int, ...], common_kwargs: dict[str, Any], name: str | None = None
    ) -> Any:
        """The projection of the heads to the output; subclasses may have their own, as in Keras."""
        sizes = self._outputsizes(query_shape)
        return self._einsum_dense(len(query_shape) - 1, 2, sizes, name=name, **common_kwargs)

    def _projection(
        self, name: str, free: int, bound: float, sizes: tuple[int, ...], activation=None
    ) -> Any:
        """A projection with the initializers, penalties and constraints of the layer."""
        common = self._get_common_kwargs_for_sublayer()
        return self._einsum_dense(free, bound, sizes, name=name, activation=activation, **common)

    def _einsum_dense(
        self, free: int, bound: float, sizes: tuple[int, ...], **arguments: Any
    ) -> Any:
        """An EinsumDense that keeps `free` axes, sums over the `bound` ones after them and ends in
        axes of `sizes`.
        """
        letters = string.ascii_lowercase
        inputs, outputs = letters[: free + bound], letters[free + bound : free + bound + len(sizes)]
        return EinsumDense(
            f"{inputs},{inputs[free:]}{outputs}->{inputs[:free]}{outputs}",
            output_shape=(None,) * (free - 1) + tuple(sizes),
            bias_axes=outputs if self.use_bias else None,
            **arguments,
        )

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        """The arguments of every projection; subclasses may have their own, as in Keras."""
        return {
            "kernel_initializer": another(self.kernel_initializer),
            "bias_initializer": another(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "activity_regularizer": self._projection_penalty(),
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
        }

    def _projection_penalty(self) -> Any:
        return self.activity_regularizer

    def _outputsizes(self, query_shape: tuple[int, ...]) -> tuple[int, ...]:
        return query_shape[-1:]

    def _attended_axes(self, rank: int) -> tuple[int, ...]:
        """The axes that are attended over, of an input with `rank` axes."""
        return (1,)

    def init_cache(self, batch: int, max_length: int, dtype: typing.Any = None) -> Cache:
        """An empty cache for calls with `cache=`: `{"key", "value"}`, each (batch, heads of keys,
        length, size).

        Args:
            batch: the number of rows.
            max_length: of a text. With a sliding window the cache is no longer than the window,
                and serves texts of any length.
            dtype: by default the compute dtype.

        >>> layer = GroupedQueryAttention(8, num_query_heads=4, num_key_value_heads=2)
        >>> layer.init_cache(1, 16)["key"].shape
        (1, 2, 16, 8)
        """
        length = max_length
        if self.sliding_window is not None:
            length = min(length, self.sliding_window)
        dtype = self.compute_dtype if dtype is None else dtype
        return empty_cache(batch, self._head_counts[1], length, *self._head_sizes, dtype)

    # ------------------------------------------------------------ the forward pass

    def forward(
        self,
        w: Mapping[str, Any],
        sub: Children,
        query: jax.Array,
        value: jax.Array,
        key: jax.Array | None = None,
        query_mask: jax.Array | None = None,
        value_mask: jax.Array | None = None,
        key_mask: jax.Array | None = None,
        attention_mask: jax.Array | None = None,
        *,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
        segment_ids: Any = None,
        cache: Any = None,
        position: Any = None,
        ctx: Context,
    ) -> jax.Array:
        if key is None:
            key = value
        self._check_ranks(query, value, key)
        if return_attention_scores:
            self._check_scores()
        if self._masks_travel:
            query_mask = ctx.mask
            # as in Keras: whatever shares these inputs and runs later sees no mask
            sub.drop_masks(query, value, key)
        masks = masks_of(query_mask, value_mask, key_mask, attention_mask, segment_ids)
        asked = Asked(use_causal_mask, return_attention_scores, cache, position)
        return self._run_heads(sub, ctx, (query, value, key), masks, asked)

    def _run_heads(
        self,
        sub: Children,
        ctx: Context,
        inputs: tuple[jax.Array, ...],
        masks: Masks,
        asked: Asked,
    ) -> jax.Array:
        """The output under `Masks` of what each query may see; behind it the weights where they are
        asked for, and the cache where there is one.

        Args:
            inputs: query, value, key.
        """
        query, value, key = inputs
        if asked.cache is None:
            writer = ctx.cache()
        else:
            writer = CallerCache(self._where, self.sliding_window, asked.cache, asked.position)
        if writer is not None and writer.is_memory(key, value):
            return self._run_on_memory(sub, ctx, inputs, masks, (writer, asked))
        names = self._dense_names
        gate = sub.run_named(names["gate"], query) if self.use_gate else None
        heads = Heads(
            sub.run_named(names["query"], query),
            sub.run_named(names["key"], key),
            sub.run_named(names["value"], value),
        )
        axes = self._attended_axes(query.ndim)
        masks = masks._replace(targets=sizes(query, axes), sources=sizes(key, axes))
        if masks.segments is not None:
            masks.check_segments(self._where)
        if writer is not None:
            self._check_cached(writer, masks, inputs, asked)
        y, weights = self._attend_heads(sub, ctx, heads, masks, writer, asked)
        if gate is not None:
            y = y * gate
        if ctx.scope.flow.observer is not None:
            outputs = [self._observed_output(sub, ctx, y)]
        else:
            outputs = [sub.run_named(names["output"], y)]
        if asked.return_attention_scores:
            outputs.append(weights)
        if asked.cache is not None:
            outputs.append(writer.cache)
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def _run_on_memory(
        self,
        sub: Children,
        ctx: Context,
        inputs: tuple[jax.Array, ...],
        masks: Masks,
        given: tuple[Any, Asked],
    ) -> jax.Array:
        """The output of attention to what an encoder gives, in a pass on new tokens: keys and
        values are those of the pass before.

        Args:
            given: a `generation.decoding.LayerCache`, and what is asked for.
        """
        (query, value, key), (writer, asked) = inputs, given
        self._check_memory(writer, query, masks, asked)
        names = self._dense_names

        def project() -> tuple[jax.Array, ...]:
            keys = sub.run_named(names["key"], key), sub.run_named(names["value"], value)
            return tuple(jnp.swapaxes(x, 1, 2) for x in keys)

        gate = sub.run_named(names["gate"], query) if self.use_gate else None
        heads = sub.run_named(names["query"], query)
        keys, values = (jnp.swapaxes(x, 1, 2) for x in writer.of_memory(project))
        masks = masks.over(query.shape[1:2], keys.shape[1:2])
        y, _ = self._attend_heads(sub, ctx, Heads(heads, keys, values), masks, None, asked)
        if gate is not None:
            y = y * gate
        if ctx.scope.flow.observer is not None:
            return self._observed_output(sub, ctx, y)
        return sub.run_named(names["output"], y)

    def _check_memory(self, writer: Any, query: jax.Array, masks: Masks, asked: Asked) -> None:
        """Refuses what attention to what an encoder gives does not have."""
        has_place = self.sliding_window is not None or masks.segments is not None
        wants = asked.use_causal_mask, asked.return_attention_scores
        if any((*wants, has_place, self._attends_itself)):
            writer.refuse("a causal mask, a window, segments or scores of what an encoder gives")
        if query.ndim != 3 or self._attended_axes(query.ndim) != (1,):
            writer.refuse(f"an input of shape {query.shape}")

    def _attend_heads(
        self,
        sub: Children,
        ctx: Context,
        heads: Heads,
        masks: Masks,
        writer: Any,
        asked: Asked,
    ) -> tuple[jax.Array, jax.Array | None]:
        """(output, weights or None) of projections.

        Args:
            writer: of the cache; None: there is none.
        """
        needs_weights = asked.return_attention_scores
        if ctx.scope.flow.observer is not None:
            heads = heads.placed(ctx)
            needs_weights |= sub.is_tapped("_softmax") or ctx.asks_for("scores", "pattern")
        if writer is not None:
            return self._attend_cached(sub, writer, heads, needs_weights, ctx.training)
        form = Form(self._scale, asked.use_causal_mask, self.sliding_window)
        if self._attends_itself:
            mask = masks.combined(form)
            return self._attend_by_subclass(
                *heads, mask, ctx.training, asked.return_attention_scores
            )
        return self._attend(sub, heads, masks, form, needs_weights, ctx.training)

    def _observed_output(self, sub: Children, ctx: Context, heads: jax.Array) -> jax.Array:
        """The output, with what was changed of what heads give and add to it."""
        name = self._dense_names["output"]
        heads = ctx.place("heads", heads)
        project = functools.partial(sub.run_unobserved, name)
        return with_results(ctx, project, heads, sub.run_named(name, heads))

    def _attend(
        self,
        sub: Children,
        heads: Heads,
        masks: Masks,
        form: Any,
        needs_weights: bool,
        training: bool,
    ) -> tuple[jax.Array | None, ...]:
        """(output, weights or None) of projections.

        Args:
            training: None: as the layer is called, which is unknown here.
        """
        shape = heads.query.shape
        axes = self._attended_axes(len(shape) - 1)
        attend = self._attention_function(len(shape), needs_weights, training)
        y, weights = attend(sub, heads.first(axes), masks, form, training)
        if weights is not None:
            weights = weights.reshape(*weights.shape[:-2], *masks.targets, *masks.sources)
        return heads_last(y, axes, shape), weights

    def _attend_projected(
        self,
        heads: Heads,
        attention_mask: jax.Array | None,
        training: bool | None,
        needs_weights: bool,
        use_causal_mask: bool,
    ) -> Any:
        """The same, outside of `forward`, on the children as they are on the layer. No window: it
        is in the mask.
        """
        axes = self._attended_axes(heads.query.ndim - 1)
        masks = masks_of(None, None, None, attention_mask)
        masks = masks.over(sizes(heads.query, axes), sizes(heads.key, axes))
        form = Form(self._scale, use_causal_mask)
        return self._attend(self, heads, masks, form, needs_weights, training)

    def _check_cached(
        self, writer: Any, masks: Sequence[jax.Array | None], inputs: Any, asked: Asked
    ) -> None:
        """Refuses what cannot be computed for new positions alone."""
        query, _, key = inputs
        segments = masks[3]
        if segments is not None and writer.is_one_text(segments):
            segments = None
        if any(mask is not None for mask in (*masks[:3], segments)):
            writer.refuse("masks or segments")
        if query.ndim != 3 or self._attended_axes(query.ndim) != (1,):
            writer.refuse(f"an input of shape {query.shape}")
        if query.shape[1] != key.shape[1]:
            writer.refuse(f"queries of length {query.shape[1]}, keys of length {key.shape[1]}")
        if self._attends_itself:
            writer.refuse("a `_compute_attention` of a subclass's own")
        if asked.cache is None:
            self._check_pass(writer, asked)

    def _check_pass(self, writer: Any, asked: Asked) -> None:
        """Refuses what a pass that writes text would give otherwise without a cache."""
        if not asked.use_causal_mask:
            writer.refuse("no `use_causal_mask=True`")
        if asked.return_attention_scores:
            writer.refuse("scores that are looked at")

    def _attend_cached(
        self,
        sub: Children,
        writer: Any,
        heads: Heads,
        needs_weights: bool,
        training: bool | None,
    ) -> Any:
        """(output, weights or None) of new positions over those before and themselves.

        Args:
            writer: `CallerCache` or `generation.decoding.LayerCache`.
        """
        shape = heads.query.shape
        query, key, value = heads.first((1,))
        window = self.sliding_window
        cache, sources = extended(*writer.before(key, value), window)
        writer.keep(cache)
        masks, form = Masks(sources.mask, None, None), Form(self._scale)
        if sources.mask is None:
            form = Form(self._scale, is_causal=True, window=window)
        masks = masks.over(query.shape[2:3], sources.key.shape[2:3])
        attend = self._attention_function(query.ndim, needs_weights, training)
        seen_heads = Heads(query, sources.key, sources.value)
        y, weights = attend(sub, seen_heads, masks, form, training)
        return heads_last(y, (1,), shape), weights

    def _check_ranks(self, query: jax.Array, value: jax.Array, key: jax.Array | None) -> None:
        if not query.ndim == value.ndim == key.ndim >= 3:
            raise ShapeError(
                explain(
                    self._where,
                    "query, value and key with the same number of axes, at least 3",
                    f"shapes {query.shape}, {value.shape} and {key.shape}",
                )
            )

    def _check_scores(self) -> None:
        """Raises ValueError where flash attention does not have the weights."""
        if self._flash_attention:
            raise ValueError(
                f"{self._where}: Returning attention scores is not supported when flash attention "
                "is enabled. Please disable flash attention to access attention scores."
            )

    def _attention_function(self, rank: int, needs_weights: bool, training: bool) -> Function:
        """The method that attends: without weights, where nothing asks for them.

        Args:
            rank: the number of axes of the projected query.
            training: None: unknown.
        """
        drops = training is not False and not is_zero(self.dropout)
        if drops or needs_weights or rank != 4:
            return self._attend_explicitly
        return self._attend_fused

    def _attend_fused(
        self,
        sub: Children,
        heads: Heads,
        masks: Masks,
        form: Any,
        training: bool,
    ) -> tuple[jax.Array | None, ...]:
        """(output, None): the weights are not there as a whole."""
        mask, segments = masks.apart(heads.query.shape[0])
        y = attention(
            heads,
            form,
            mask=mask,
            segments=segments,
            implementation="xla" if self._flash_attention is False else "auto",
        )
        if mask is None and segments is None:
            return y, None
        if not is_zero(self.dropout):  # Keras attends by the weights then, out of training too
            given = masks.whole(heads.query.ndim)
            sizes = heads.query.shape[-2], heads.key.shape[-2]
            sees = both(given, seen(form, None, *sizes)).any(axis=-1, keepdims=True)
            y = jnp.where(sees, y, jnp.zeros((), y.dtype))
        return y, None

    def _attend_explicitly(
        self,
        sub: Children,
        heads: Heads,
        masks: Masks,
        form: Any,
        training: bool | None,
    ) -> Any:
        """(output, weights), by way of the weights in the compute dtype, some of them dropped in
        training.
        """
        query, key, value = heads
        mask = both(masks.whole(query.ndim), seen(form, None, query.shape[-2], key.shape[-2]))
        repeats = query.shape[-3] // key.shape[-3]
        if repeats > 1:
            key, value = (jnp.repeat(x, repeats, axis=-3) for x in (key, value))
        scores = jnp.matmul(query * jnp.asarray(form.scale, query.dtype), jnp.swapaxes(key, -1, -2))
        is_observed = getattr(sub, "observer", None) is not None
        if is_observed:
            scores = sub.place("scores", scores)
        weights = sub._softmax(scores, mask=mask)
        if is_observed:
            weights = sub.place("pattern", weights)
        dropped = weights
        if not is_zero(self.dropout):
            dropped = sub._dropout_layer(weights, training=training)
        return jnp.matmul(dropped, value), weights


# ---------------------------------------------------------------- arguments and shapes


def check_size(where: str, name: str, value: int | None, optional: bool = False) -> None:
    """Raises ValueError unless a value is a positive integer, or None where that is allowed."""
    expected = "a positive integer"
    if optional:
        expected += " or None"
        if value is None:
            return
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"{where}: expected {expected} for argument `{name}`. Received: {name}={value}"
        )


def another(initializer: Any) -> Any:
    """A copy of an initializer that draws its own values where it has no seed."""
    if hasattr(initializer, "clone"):
        return initializer.clone()
    return initializer


# ---------------------------------------------------------------- the layers


@layer(
    "keras.layers",
    arguments="num_heads, key_dim, value_dim, dropout, use_bias, output_shape, attention_axes, "
    "sliding_window, flash_attention, kernel_initializer, bias_initializer, "
    "kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, "
    "bias_constraint, use_gate, seed",
)
class MultiHeadAttention(MultiHeadNames, HeadedAttention):
    """Each head's softmax(query key^T / sqrt(key_dim)) value, projected to the output (Vaswani et
    al. 2017).

    (batch, target, features), (batch, source, …) -> (batch, target, features). arXiv:1706.03762;
    with `use_gate`: arXiv:2505.06708.

    Args:
        The same as for `Dense`, for each projection: kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint.
        num_heads: the number of heads.
        value_dim: size of a head of the value, by default `key_dim`.
        dropout: the share of attention weights that is dropped in training.
        key_dim: size of a head of query and key; `value_dim` that of the value, by default the
            same.
        output_shape: size or sizes of the output's last axes, by default the query's last.
        attention_axes: the axes attended over, by default all between batch and features.
        sliding_window: see only sources that are less than this many positions away.
        flash_attention: by default a fused kernel attends where the platform has one for the
            call; True: the layer is to have neither dropout nor scores to return, which no kernel
            has; False: no kernel, which is for derivatives in forward mode.
        activity_regularizer: penalty on the projections.
        use_gate: multiply the heads by a sigmoid of a projection of the query.
        seed: of the dropout.
        use_bias: whether the projections add a vector.
    Call arguments:
        query, value, key: the key is the value by default.
        attention_mask: (batch, target, source), True where a target may look.
        query_mask: without effect, as in Keras; the mask that travels with the query counts.
        value_mask, key_mask: (batch, source), by default those that travel with the inputs.
        return_attention_scores: return (output, weights of the heads).
        use_causal_mask: target i sees only the sources up to i.
        segment_ids: whole numbers (batch, time) from 0 on, or a pair of them for query and key: a
            target sees only sources with its own number. Fused kernels take them, and no mask of
            target times source is made. `jkeras.utils.pack_sequences` gives such.
        cache: keys and values of the positions before, of `init_cache`. Attention is causal then,
            of the query to itself, and what is returned ends in the cache with the new positions:
            (output, cache). Scores are over the slots of the cache.
        position: how many positions there are before, a number or one for each row; None: none.
    Raises:
        ValueError: sizes that are not positive, value and key of different length, `segment_ids`
            that do not fit them, or a cache that does not.

    >>> import numpy as np
    >>> layer, x = MultiHeadAttention(num_heads=2, key_dim=3), np.ones((1, 3, 6))
    >>> y, scores = layer(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> y.shape, scores.shape
    ((1, 3, 6), (1, 2, 3, 3))
    >>> print(scores[0, 0].round(1)[:2])  # all sources are alike, later ones are not seen
    [[1.  0.  0. ]
     [0.5 0.5 0. ]]
    """

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    output_shape: Sizes | None = None
    attention_axes: Sizes | None = None
    _masks_travel = True
    _dense_names = {name: f"{name}_dense" for name in ("query", "key", "value", "output")} | {
        "gate": "_gate_dense"
    }

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            num_heads: int,
            key_dim: int,
            value_dim: int | None = None,
            dropout: float = 0.0,
            use_bias: bool = True,
            output_shape: typed.Sizes | None = None,
            attention_axes: typed.Sizes | None = None,
            sliding_window: int | None = None,
            flash_attention: typing.Any = None,
            kernel_initializer: typed.Named = "glorot_uniform",
            bias_initializer: typed.Named = "zeros",
            kernel_regularizer: typed.Regularization = None,
            bias_regularizer: typed.Regularization = None,
            activity_regularizer: typed.Regularization = None,
            kernel_constraint: typed.Named = None,
            bias_constraint: typed.Named = None,
            use_gate: bool = False,
            seed: typing.Any = None,
            *,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    def __post_init__(self) -> None:
        check_size(self._where, "num_heads", self.num_heads)
        check_size(self._where, "key_dim", self.key_dim)
        check_size(self._where, "value_dim", self.value_dim, optional=True)
        self.value_dim = self.value_dim or self.key_dim
        self._check_shared()
        self._head_counts = (self.num_heads, self.num_heads)
        self._head_sizes = (self.key_dim, self.value_dim)
        self._scale = 1.0 / math.sqrt(self.key_dim)
        if self.output_shape:
            self.output_shape = self._sequence("output_shape")
        if self.attention_axes is not None:
            self.attention_axes = self._sequence("attention_axes")
        # the penalty is on the projections alone, so it must not stay where the layer's own would
        # be
        self._penalty, self.activity_regularizer = self.activity_regularizer, None

    def _sequence(self, name: str) -> Any:
        value = getattr(self, name)
        if not isinstance(value, (int, list, tuple)):
            raise ValueError(
                f"{self._where}: Invalid `{name}`: expected an int, list or tuple. Received: "
                f"{name}={value!r}"
            )
        if isinstance(value, int):
            return (value,)
        return tuple(value)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"activity_regularizer": serialize(self._penalty)}

    def attributes_when_built(
        self, query: jax.Array, value: Spec, key: jax.Array | None = None
    ) -> dict[str, Any]:
        return {"attention_axes": self._attended_axes(query.ndim)}

    def _projection_penalty(self) -> Any:
        return self._penalty

    def _outputsizes(self, query_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.output_shape or query_shape[-1:]

    def _attended_axes(self, rank: int) -> tuple[int, ...]:
        axes = self.attention_axes
        if axes is None:
            return tuple(range(1, rank - 1))
        if axes and not -rank <= min(axes) <= max(axes) < rank:
            raise AxisError(
                explain(
                    self._where,
                    f"`attention_axes` of an input with {rank} axes",
                    f"attention_axes={self.attention_axes}",
                )
            )
        return tuple([axis % rank for axis in axes])


@layer(
    "keras.layers",
    name="GroupQueryAttention",
    arguments="head_dim, num_query_heads, num_key_value_heads, dropout, use_bias, "
    "sliding_window, flash_attention, kernel_initializer, bias_initializer, "
    "kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, "
    "bias_constraint, use_gate, seed",
)
class GroupedQueryAttention(GroupedNames, HeadedAttention):
    """Attention where several heads of the query share one of key and value (Ainslie et al. 2023,
    arXiv:2305.13245).

    (batch, target, features), (batch, source, …) -> (batch, target, features). Called like
    `MultiHeadAttention`; an explicit `query_mask` counts here.

    Args:
        The same as for `MultiHeadAttention`: use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint.
        num_key_value_heads: the number of heads of key and value.
        dropout, seed: the share of attention weights that is dropped in training; from which
            integer this follows.
        head_dim: size of a head.
        num_query_heads: a multiple of `num_key_value_heads`, which is the number of groups.
        sliding_window, flash_attention, use_gate: as in `MultiHeadAttention`.
    Raises:
        ValueError: the groups do not divide the heads.

    >>> import numpy as np
    >>> layer = GroupedQueryAttention(3, num_query_heads=4, num_key_value_heads=2)
    >>> layer(np.ones((1, 4, 6)), np.ones((1, 5, 6))).shape
    (1, 4, 6)
    """

    head_dim: int
    num_query_heads: int
    num_key_value_heads: int
    _dense_names = {name: f"_{name}_dense" for name in ("query", "key", "gate", "value", "output")}

    def __post_init__(self) -> None:
        check_size(self._where, "head_dim", self.head_dim)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"{self._where}: expected `num_query_heads` to be a multiple of "
                f"`num_key_value_heads`. Received: num_query_heads={self.num_query_heads}, "
                f"num_key_value_heads={self.num_key_value_heads}"
            )
        self._check_shared()
        self._head_counts = (self.num_query_heads, self.num_key_value_heads)
        self._head_sizes = (self.head_dim, self.head_dim)
        self._scale = 1.0 / math.sqrt(self.head_dim)
