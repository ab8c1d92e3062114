"""Recurrent layers whose products are convolutions: ConvLSTM1D, ConvLSTM2D, ConvLSTM3D."""

import typing
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.names import typed
from jkeras.core.errors import check_choice, explain
from jkeras.core.layer import layer
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.typed import Sizes
from jkeras.layers.base import sizes
from jkeras.layers.recurrent import CellLayer
from jkeras.layers.recurrent_cells import (
    CONSTRAINTS,
    INITIALIZERS,
    RATES,
    REGULARIZERS,
    Cell,
    ForgetBias,
    GateFields,
    gates,
)
from jkeras.core.weights.types import DataFormat
from jkeras.kernel.spec import Spec

WINDOW = (
    "filters kernel_size strides padding data_format dilation_rate activation recurrent_activation "
    "use_bias"
)
ARGUMENTS = (
    f"{WINDOW} {INITIALIZERS} unit_forget_bias {REGULARIZERS} activity_regularizer {CONSTRAINTS} "
    f"{RATES} seed return_sequences return_state go_backwards stateful unroll zero_output_for_mask"
)


class ConvFields(GateFields):
    """The hyper-parameters of a convolutional cell."""

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: typing.Literal["valid", "same"] = "valid"
    data_format: DataFormat | None = None
    dilation_rate: Sizes = 1
    unit_forget_bias: bool = True


@layer(
    "keras.src.layers.rnn.conv_lstm",
    arguments=f"rank {WINDOW} {INITIALIZERS} unit_forget_bias {REGULARIZERS} {CONSTRAINTS} "
    f"{RATES} seed",
)
class ConvLSTMCell(ConvFields, Cell, convolves=True):
    """One step of an LSTM over images: the gates are convolutions of the input and of the state h.

    The convolution of the input has strides, padding and dilation; that of the state keeps its
    size.
    """

    rank: int
    implementation = 1  # one dropout mask for each gate
    _gate_count = 4
    _hoist = True  # one large convolution; inside a loop its gradient is slow on a CPU
    _splits = False  # convolutions take one step, or vmap

    def __post_init__(self) -> None:
        self.seed_generator = SeedGenerator(self.seed)
        self._settle()
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, sizes(getattr(self, name), self.rank, name, self._where))
        self.padding = self.padding.lower()
        self.data_format = standardize_data_format(self.data_format)
        check_choice("padding", self.padding, ("valid", "same"), self._where)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self._where}: Specifying `strides > 1` is not compatible with `dilation_rate > "
                f"1`: one of them must be 1. Received: strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}"
            )

    @property
    def units(self) -> int:
        """The number of filters."""
        return self.filters

    @property
    def state_size(self) -> list[int]:
        """The numbers of channels of h and c."""
        return [self.filters, self.filters]

    @property
    def _axis(self) -> int:
        if self.data_format == "channels_first":
            return 1
        return -1

    @property
    def _bias_initializer(self) -> Any:
        if self.unit_forget_bias:
            return ForgetBias(self.bias_initializer)
        return self.bias_initializer

    def _input_size(self, x: Spec) -> int:
        if None in x.shape[1:]:
            raise ValueError(
                explain(
                    self._where,
                    "images of known size",
                    f"shape {x.shape}",
                    "give the whole shape to `Input(shape=…)`",
                )
            )
        return x.shape[self._axis]

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"_image_shape": x.shape[1:]}

    def _kernel_shape(self, size: int) -> tuple[int, ...]:
        return (*self.kernel_size, size, 4 * self.filters)

    def get_initial_state(self, batch_size: int | None = None) -> Any:
        """Zeros for h and c."""
        return self._zeros((batch_size, *self._image_shape))

    def states_for(self, x: jax.Array) -> list[jax.Array]:
        """The initial states for the input of one step, whose images have a size."""
        return self._zeros(x.shape)

    def _zeros(self, input_shape: tuple[int, ...]) -> list[jax.Array]:
        kernel = (*self.kernel_size, input_shape[self._axis], self.filters)
        inputs = [jax.ShapeDtypeStruct(s, self.compute_dtype) for s in (input_shape, kernel)]
        shape = jax.eval_shape(self._slide, *inputs).shape
        return [jnp.zeros(shape, self.compute_dtype)] * 2

    def _slide(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return ops.conv(x, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def project(
        self, w: Mapping[str, Any], x: jax.Array, masks: Sequence[jax.Array | None]
    ) -> jax.Array:
        if x.ndim > self.rank + 2:  # all steps: (time, batch, ...)
            return jax.vmap(lambda step: self.project(w, step, masks))(x)
        z = gates(x, w["kernel"], masks, self._slide, self._axis)
        if not self.use_bias:
            return z
        return z + (w["bias"] if self._axis == -1 else w["bias"].reshape(-1, *[1] * self.rank))

    def recur(
        self, w: Mapping[str, Any], z: jax.Array, h: jax.Array, masks: Sequence[jax.Array | None]
    ) -> jax.Array:
        def slide(h: jax.Array, kernel: jax.Array) -> jax.Array:
            return ops.conv(h, kernel, 1, "same", self.data_format)

        return z + gates(h, w["recurrent_kernel"], masks, slide, self._axis)

    def advance(
        self,
        w: Mapping[str, Any],
        z: jax.Array,
        states: tuple[jax.Array, ...],
        masks: Sequence[jax.Array | None],
    ) -> tuple[Any, ...]:
        _, c = states
        i, f, candidate, o = jnp.split(z, 4, axis=self._axis)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(
            candidate
        )
        h = self.recurrent_activation(o) * self.activation(c)
        return h, (h, c)


class ConvLSTM(ConvFields, CellLayer, convolves=True):
    """Base of the three layers."""

    _cell_class, _cell_name = ConvLSTMCell, "conv_lstm_cell"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            filters: int,
            kernel_size: typed.Sizes,
            strides: typed.Sizes = 1,
            padding: typing.Literal["valid", "same"] = "valid",
            data_format: DataFormat | None = None,
            dilation_rate: typed.Sizes = 1,
            activation: typed.Named = "tanh",
            recurrent_activation: typed.Named = "sigmoid",
            use_bias: bool = True,
            kernel_initializer: typed.Named = "glorot_uniform",
            recurrent_initializer: typed.Named = "orthogonal",
            bias_initializer: typed.Named = "zeros",
            unit_forget_bias: bool = True,
            kernel_regularizer: typed.Regularization = None,
            recurrent_regularizer: typed.Regularization = None,
            bias_regularizer: typed.Regularization = None,
            activity_regularizer: typed.Regularization = None,
            kernel_constraint: typed.Named = None,
            recurrent_constraint: typed.Named = None,
            bias_constraint: typed.Named = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: typing.Any = None,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            *,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    @property
    def _input_ndim(self) -> int:
        return self.rank + 3


@layer("keras.layers", arguments=ARGUMENTS, keyword_only="unroll zero_output_for_mask", init=False)
class ConvLSTM1D(ConvLSTM):
    """LSTM over sequences of lines: (batch, time, size, channels) -> (batch, size', filters).

    As `LSTM`, with convolutions instead of the matrix products: that of the input as in `Conv1D`,
    that of the state without strides and with "same" padding. With
    `return_state` h and c follow the output, (batch, size', filters) each.

    Args:
        The same as for `LSTM`: activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, unit_forget_bias, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed,
            return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask.
        filters: the number of channels of the states and of the output.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the input,
            as for `Conv1D`, without "causal"; "channels_first" is (batch, time, channels, size).
    Raises:
        ValueError: images of unknown size, or strides and dilation_rate that are both larger than
            1.

    >>> layer = ConvLSTM1D(2, 3, return_state=True)
    >>> [v.shape for v in layer(jnp.ones((1, 4, 8, 3)))]  # the output, h and c
    [(1, 6, 2), (1, 6, 2), (1, 6, 2)]

    Shi et al., 2015, arXiv:1506.04214.
    """

    rank = 1


@layer("keras.layers", arguments=ARGUMENTS, keyword_only="unroll zero_output_for_mask", init=False)
class ConvLSTM2D(ConvLSTM):
    """LSTM over sequences of images: (batch, time, rows, cols, channels) -> (batch, rows', cols',
    filters).

    With `return_sequences` the output has a time axis too.

    Args:
        The same as for `ConvLSTM1D`: filters, recurrent_activation, recurrent_initializer,
            recurrent_regularizer, recurrent_constraint, unit_forget_bias, dropout,
            recurrent_dropout, seed, activation, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint, return_sequences, return_state, go_backwards, stateful, unroll,
            zero_output_for_mask.
        kernel_size, strides, padding, data_format, dilation_rate: as for `ConvLSTM1D`, with one
            size for each of two axes; "channels_first" is (batch, time, channels, rows, cols).
    Raises:
        ValueError: as for `ConvLSTM1D`.

    >>> ConvLSTM2D(2, 3, padding="same", return_sequences=True)(jnp.ones((1, 4, 5, 5, 3))).shape
    (1, 4, 5, 5, 2)
    """

    rank = 2


@layer("keras.layers", arguments=ARGUMENTS, keyword_only="unroll zero_output_for_mask", init=False)
class ConvLSTM3D(ConvLSTM):
    """LSTM over sequences of volumes: (batch, time, depth, rows, cols, channels) -> (batch, depth',
    rows', cols', filters).

    Args:
        The same as for `ConvLSTM1D`: filters, recurrent_activation, recurrent_initializer,
            recurrent_regularizer, recurrent_constraint, unit_forget_bias, dropout,
            recurrent_dropout, seed, activation, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint, return_sequences, return_state, go_backwards, stateful, unroll,
            zero_output_for_mask.
        kernel_size, strides, padding, data_format, dilation_rate: as for `ConvLSTM1D`, with one
            size for each of three axes; "channels_first" is
            (batch, time, channels, depth, rows, cols).
    Raises:
        ValueError: as for `ConvLSTM1D`.

    >>> ConvLSTM3D(2, 2)(jnp.ones((1, 2, 3, 3, 3, 1))).shape
    (1, 2, 2, 2, 2)
    """

    rank = 3
