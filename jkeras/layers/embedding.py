"""Lookup tables: Embedding, ReversibleEmbedding."""

import typing
import warnings
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import ops
from jkeras.core.names import typed
from jkeras.core.graph.keras_tensor import KerasTensor, is_symbolic
from jkeras.core.errors import explain, violated
from jkeras.core.graph.host_numbers import Ids
from jkeras.core.layer import layer
from jkeras.core.graph.sparse import dense
from jkeras.core.record import HIDDEN, OF_BASE, Any, Constraint, Initializer, Regularizer
from jkeras.core.names.typed import fields
from jkeras.kernel import low_rank
from jkeras.layers.stored_names import stored_names
from jkeras.layers.lora import AdaptedWeight, LoraLayer
from jkeras.layers.quantized import Quantization
from jkeras.quantizers.coding import Coding
from jkeras.quantizers.configs import QuantizationConfig
from jkeras.quantizers.quantizers import AbsMaxQuantizer
from jkeras.core.weights.types import DType, OwnWeight, Sizes, Structure
from jkeras.core.run.context import Context
from jkeras.kernel.beside import note_head
from jkeras.kernel.spec import Weight
from jkeras.core.run.call import Call

TABLE = (
    "input_dim, output_dim, {}embeddings_initializer, embeddings_regularizer, "
    "embeddings_constraint, mask_zero, "
)
REST = "weights, lora_rank, lora_alpha, quantization_config"


@fields
class _Table(LoraLayer, announces_compute_dtype=True, is_batchwise=True, takes_ids=True):
    """The trainable table and its lookup."""

    input_dim: int
    output_dim: int
    embeddings_initializer: Initializer = "uniform"
    embeddings_regularizer: Regularizer = None
    embeddings_constraint: Constraint = None
    mask_zero: bool = False
    weights: OF_BASE
    lora_rank: HIDDEN = None
    lora_alpha: HIDDEN = None
    quantization_config: Quantization = None
    activity_regularizer: Regularizer = None
    _adapted, _beside = "embeddings", ()
    embeddings = AdaptedWeight()
    _keeps_alpha = False
    quantization_modes = ("int8", "int4")
    adapts_integers = ("embeddings",)

    def _base_init(
        self, weights: Any = None, input_length: int | None = None, **kwargs: Any
    ) -> None:
        super()._base_init(**kwargs)
        if input_length is not None:
            warnings.warn("Argument `input_length` is deprecated. Just remove it.", stacklevel=4)
        if isinstance(weights, list) and len(weights) == 1:
            weights = weights[0]
        self.set_untracked(_first_table=weights)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("input_dim", "output_dim"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
                raise ValueError(
                    violated(
                        self._where, f"`{name}` must be a positive integer", f"{name}={size!r}"
                    )
                )
        if self.input_dim > 2**31 and not jax.config.jax_enable_x64:
            raise ValueError(
                explain(
                    self._where,
                    "at most 2**31 rows, as ids are of int32 (`jax_enable_x64` makes them int64)",
                    f"input_dim={self.input_dim}",
                )
            )
        self.supports_masking = bool(self.mask_zero)
        # ids stay as they are; the rows are cast when they have been looked up
        self.autocast = False
        if self._first_table is not None:
            shape = np.shape(self._first_table)
            if shape != (self.input_dim, self.output_dim):
                raise ValueError(
                    explain(
                        self._where,
                        f"`weights` of shape {(self.input_dim, self.output_dim)}",
                        f"shape {shape}",
                    )
                )
            self.build()

    def weight_specs(self, inputs: Any = None) -> dict[str, Weight]:
        table, initializer = self._first_table, None
        if table is not None:

            def initializer(shape: Sizes, dtype: Any = None) -> Any:
                return jnp.asarray(table, dtype=dtype)

        return {
            "embeddings": self.weight(
                "embeddings", (self.input_dim, self.output_dim), initializer=initializer
            )
        }

    def _ids(self, cls) -> Ids:
        """The numbers that are rows; None: a subclass may make others of them first."""
        is_own = self.is_lifted() or type(self).forward is not cls.forward
        return None if is_own else Ids(self.input_dim)

    def _look_up(self, w: Mapping[str, Any], ids: jax.Array) -> jax.Array:
        """The rows of the table for `ids`; an id that a sparse array leaves out is 0."""
        ids = dense(ids)
        if ids.dtype == "uint32":
            ids = jnp.minimum(ids, 2**31 - 1)  # which is no row, as what lies beyond
        if ids.dtype not in ("int32", "int64"):
            ids = ids.astype("int32")
        if "embeddings_scale" not in w:
            return jnp.take(self.adapted(w), ids, axis=0).astype(self.compute_dtype)
        parts = {
            k: v if k == "g_idx" else jnp.take(v, ids, axis=0)
            for k, v in self.parts("embeddings", w).items()
        }
        rows = self._codings["embeddings"].decode(parts, self.compute_dtype)
        if "lora_embeddings_a" in w:
            rows += self._delta(w, jnp.take(w["lora_embeddings_a"], ids, axis=0))
        change = low_rank.beside(w, "embeddings")
        if change is not None:
            rows += jnp.take(change.a, ids, axis=0) @ change.scaled_b
        return rows.astype(self.compute_dtype)

    def codings(self, bits: int, block: int) -> dict[str, Any]:
        """A row shares a scale, or each of its blocks."""
        return {"embeddings": Coding(bits, -1, -1, self.output_dim, block)}

    def _mask_of_ids(self, ids: jax.Array) -> Any:
        """Where an id is not the padding 0; None without `mask_zero`."""
        if self.mask_zero:
            return ops.not_equal(dense(ids), 0)
        return None


@layer(
    "keras.layers",
    arguments=f"{TABLE.format('')}{REST}, activity_regularizer",
    keyword_only="activity_regularizer",
)
class Embedding(_Table):
    """Vectors for integer ids, the rows of a trainable table: (...) -> (..., output_dim).

    Args:
        The same as for `Dense`, for the table: embeddings_initializer, embeddings_regularizer,
            embeddings_constraint, activity_regularizer, quantization_config.
        input_dim: the number of rows; ids are in [0, input_dim).
        output_dim: size of a vector.
        mask_zero: whether id 0 is padding, which layers further on leave out.
        weights: array (input_dim, output_dim), or a list of it: the table to start from.
        lora_rank, lora_alpha: if set, the table is frozen and a low-rank addition is trained; see
            `enable_lora`.
    Raises:
        ValueError: sizes that are not positive, more than 2**31 rows, or `weights` of another
            shape.

    >>> import numpy as np
    >>> print(Embedding(3, 2, weights=np.array([[0.0, 1], [2, 3], [4, 5]]))(np.array([2, 0])))
    [[4. 5.]
     [0. 1.]]
    """

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            input_dim: int,
            output_dim: int,
            embeddings_initializer: typed.Named = "uniform",
            embeddings_regularizer: typed.Regularization = None,
            embeddings_constraint: typed.Named = None,
            mask_zero: bool = False,
            weights: typing.Any = None,
            lora_rank: typing.Any = None,
            lora_alpha: typing.Any = None,
            quantization_config: typing.Any = None,
            *,
            activity_regularizer: typed.Regularization = None,
            input_length: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    @property
    def type_of_numbers(self) -> Ids:
        return self._ids(Embedding)

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        return (*x.shape, self.output_dim)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return self._look_up(w, inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        return self._mask_of_ids(inputs)


@layer(
    "keras.layers",
    keyword_only=f"{REST}, activity_regularizer",
    arguments=f"{TABLE.format('tie_weights, ')}reverse_dtype, logit_soft_cap, {REST}, "
    "activity_regularizer",
)
class ReversibleEmbedding(_Table):
    """Vectors for ids, and with `reverse=True` scores of all ids for vectors: (..., output_dim) ->
    (..., input_dim).

    Args:
        The same as for `Embedding`: input_dim, output_dim, embeddings_initializer,
            embeddings_regularizer, embeddings_constraint, mask_zero, weights, lora_rank,
            lora_alpha, activity_regularizer, quantization_config.
        tie_weights: whether the way back uses the same table (transposed) or a table of its own.
        reverse_dtype: dtype of the way back.
        logit_soft_cap: c in `c * tanh(scores / c)`, which bounds the scores.
    Raises:
        ValueError: sizes that are not positive, more than 2**31 rows, or `weights` of another
            shape.

    >>> import numpy as np
    >>> embedding = ReversibleEmbedding(3, 3, weights=np.eye(3))
    >>> vectors = embedding(np.array([2, 0]))
    >>> print(embedding(vectors, reverse=True))  # the product with each row of the table
    [[0. 0. 1.]
     [1. 0. 0.]]
    """

    tie_weights: bool = True
    reverse_dtype: Any = None
    logit_soft_cap: float | None = None

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            input_dim: int,
            output_dim: int,
            tie_weights: bool = True,
            embeddings_initializer: typed.Named = "uniform",
            embeddings_regularizer: typed.Regularization = None,
            embeddings_constraint: typed.Named = None,
            mask_zero: bool = False,
            reverse_dtype: typing.Any = None,
            logit_soft_cap: float | None = None,
            *,
            weights: typing.Any = None,
            lora_rank: typing.Any = None,
            lora_alpha: typing.Any = None,
            quantization_config: typing.Any = None,
            activity_regularizer: typed.Regularization = None,
            input_length: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    if typing.TYPE_CHECKING:
        reverse_embeddings = OwnWeight()

    def weight_specs(self, inputs: Any = None) -> dict[str, Weight]:
        specs = super().weight_specs(inputs)
        if not self.tie_weights:
            specs["reverse_embeddings"] = self.weight(
                "reverse_embeddings",
                (self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )
        return specs

    def type_of_call(self, inputs: Any, reverse: bool = False) -> Any:
        return None if reverse else self._ids(ReversibleEmbedding)

    def forward(
        self, w: Mapping[str, Any], inputs: jax.Array, *, reverse: bool = False, ctx: Context
    ) -> jax.Array:
        if not reverse:
            return self._look_up(w, inputs)
        logits = self._capped(w, inputs)
        if ctx.scope.flow.loss_chunks > 1 and "embeddings_scale" not in w:
            note_head(ctx.scope.flow, logits, inputs, dict(w), self._capped)
        return logits

    def _capped(self, w: Mapping[str, Any], vectors: jax.Array) -> jax.Array:
        """The scores of all ids, bounded."""
        logits = self._score(w, vectors)
        if self.logit_soft_cap is None:
            return logits
        return jnp.tanh(logits / self.logit_soft_cap) * self.logit_soft_cap

    def _score(self, w: Mapping[str, Any], vectors: jax.Array) -> jax.Array:
        if "embeddings_scale" in w:
            if self.tie_weights:
                scores = self.quantized_product(vectors, w, _times_rows, "embeddings")
                change = low_rank.beside(w, "embeddings")
                if change is None:
                    return scores
                return scores + (vectors @ change.scaled_b.T @ change.a.T).astype(scores.dtype)
            return self.quantized_product(vectors, w, jnp.matmul, "reverse_embeddings")
        if self.tie_weights:
            kernel = self.adapted(w).T  # (output_dim, input_dim)
        else:
            kernel = w["reverse_embeddings"]
        if self.reverse_dtype is not None:
            vectors, kernel = vectors.astype(self.reverse_dtype), kernel.astype(self.reverse_dtype)
        return vectors @ kernel

    # ------------------------------------------------------------ in few bits

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """The names of the variables by mode, in the order of files; None: without a mode."""
        known = super().variable_serialization_spec
        if self.tie_weights:
            return known
        back = stored_names("reverse_embeddings", (), self.quantization_modes)
        return {
            mode: [*names, *(name for name in back[mode] if name != "g_idx")]
            for mode, names in known.items()
        }

    @property
    def quantized_weights(self) -> Any:
        """The names of the weights that integers stand for."""
        if self.tie_weights:
            return ("embeddings",)
        return ("embeddings", "reverse_embeddings")

    def codings(self, bits: int, block: int) -> dict[str, Any]:
        """The table of the way back has its scales along the other axis."""
        return {
            **super().codings(bits, block),
            "reverse_embeddings": Coding(bits, 0, 0, self.output_dim, block),
        }

    def _part_dtype(self, key: str, array: jax.Array) -> Any:
        # Keras keeps these as floats
        if key == "reverse_embeddings_zero":
            return None
        return array.dtype

    @property
    def activation_quantizer(self) -> Any:
        """What rounds the vectors whose scores are asked for."""
        return QuantizationConfig.activation_quantizer_or_default(
            self.quantization_config, AbsMaxQuantizer()
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        return None  # it depends on the direction: see below

    def pass_masks(self, run: Any, call: Call, outputs: jax.Array) -> None:
        forth = self.mask_zero and not call.arguments.get("reverse")
        if forth and not is_symbolic(outputs):
            run.set_mask(outputs, self._mask_of_ids(call.first))


def _times_rows(x: jax.Array, table: jax.Array, preferred_element_type: DType | None = None) -> Any:
    return jnp.matmul(x, table.T, preferred_element_type=preferred_element_type)
