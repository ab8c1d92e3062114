"""Recurrent layers: RNN, which runs any cell over time, and SimpleRNN, GRU and LSTM, which bring
their own.
"""

import functools
import operator
import typing
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp

from jkeras.core.graph import inference
from jkeras.core.names import registry, typed
from jkeras.kernel.scope import is_abstract
from jkeras.core.session.keras_version import is_316
from jkeras.core.errors import explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Composite, Layer, layer
from jkeras.core.weights.module import Module
from jkeras.core.record import Regularizer
from jkeras.core.names.typed import fields
from jkeras.core.weights.variable import Variable
from jkeras.kernel.spec import Weight
from jkeras.layers.base import Value
from jkeras.layers.recurrent_cells import (
    CONSTRAINTS,
    GATES,
    INITIALIZERS,
    RATES,
    REGULARIZERS,
    Cell,
    CellFields,
    GateFields,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
)
from jkeras.layers.recurrent_step import (
    StateShapes,
    as_list,
    bind,
    build_cell,
    check_cell,
    gives_its_states,
    initial_states,
    is_native_cell,
    is_nested,
)
from jkeras.ops.recurrent import Way, scan
from jkeras.core.run.context import Context
from jkeras.core.run.context import Children
from jkeras.core.weights.types import Structure

FLOW = "return_sequences return_state go_backwards stateful unroll"


class Memory(Module):
    """The states that a stateful layer keeps between calls. They are part of its `state`, not of
    its weights.
    """

    def __init__(self, states: list[jax.Array], dtype: str) -> None:
        leaves, self.structure = jax.tree_util.tree_flatten(states)
        self.rnn_state = [
            Variable(v, dtype=dtype, trainable=False, name="rnn_state") for v in leaves
        ]

    @property
    def states(self) -> list[Variable]:
        """The variables, in the structure of the cell's states."""
        return jax.tree_util.tree_unflatten(self.structure, list(self.rnn_state))


def named_states(states: list[jax.Array]) -> dict[str, Any]:
    """States by the names that a `Memory` has for them."""
    leaves = jax.tree_util.tree_leaves(states)
    return {f"rnn_state_{i}": value for i, value in enumerate(leaves)}


@layer("keras.layers")
class RNN(StateShapes, Composite, uses_mask=True, announces_compute_dtype=True, is_batchwise=True):
    """Runs a cell over the second axis: (batch, time, ...) -> (batch, units), or (batch, time,
    units).

    Args:
        cell: a cell, or a list of cells to stack. A cell of yours is a layer with `call(self,
            inputs, states)`, which returns the output and the new states, and with `state_size`: an
            integer, or a list with one for each state. It may define `output_size` and
            `get_initial_state(batch_size)`.
        return_sequences: the outputs of all steps instead of the last one.
        return_state: the last states follow the output.
        go_backwards: from the end to the beginning; the outputs are in that order too.
        stateful: begin where the last call ended, until `reset_state()`. The batch size must be
            known and stay.
        unroll: a Python loop instead of a compiled one.
        zero_output_for_mask: the output of masked steps is zero, not the one before.
    Called with `initial_state=[...]` it begins with these states. Masked steps are passed over.

    >>> import jkeras
    >>> cell = jkeras.layers.SimpleRNNCell(1, "linear", True, "ones", "ones")
    >>> layer = RNN(cell, return_sequences=True)
    >>> print(layer(jnp.array([[[1.0], [2.0], [3.0]]])).ravel())
    [1. 3. 6.]
    """

    cell: Value()
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False
    supports_masking = True  # not in Keras 3.16
    call_context = {"mask": None, "training": False}
    memory = None
    has_cudnn = False  # whether JAX has the cell of cuDNN's

    def __post_init__(self) -> None:
        self.supports_masking = not is_316()
        if isinstance(self.cell, (list, tuple)):
            self.cell = StackedRNNCells(self.cell)
        check_cell(self.cell, self._where)
        if not isinstance(self.cell.state_size, (int, list, tuple)):
            raise ValueError(
                f"{self._where}: expected the cell's `state_size` to be an integer or a list of "
                f"integers. Received: {self.cell.state_size!r}"
            )
        lowest = self.cell.cells[0] if isinstance(self.cell, StackedRNNCells) else self.cell
        if isinstance(lowest, Cell):  # cells of others take steps of any rank
            self.input_spec = InputSpec(min_ndim=3)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cell's states, as a list."""
        size = self.cell.state_size
        return list(size) if is_nested(size) else [size]

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Builds the cell, and makes the states that a stateful layer keeps."""
        batch = sequences_shape[0]
        build_cell(self.cell, (batch, *sequences_shape[2:]))
        if self.stateful:
            is_stand_in = is_abstract() and batch in inference.UNKNOWN
            if batch is None or is_stand_in:
                raise ValueError(
                    f"{self._where}: stateful=True needs a batch size that is known. Received: "
                    f"sequences of shape {tuple(sequences_shape)}. Give `Input(batch_shape=...)`."
                )
            self.memory = Memory(self.get_initial_state(batch), self.variable_dtype)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """A new layer from its config; a subclass's constructor gets the cell as an object."""
        if isinstance(config.get("cell"), dict):
            config = {**config, "cell": registry.deserialize(config["cell"], custom_objects)}
        return super().from_config(config)

    def is_native(self) -> bool:
        """Whether the layer runs on values by path: its cell does, and makes the initial states."""
        is_native = _makes_no_states(type(self)) and super().is_native()
        return is_native and is_native_cell(self.cell)

    def forward(
        self,
        w: Mapping[str, Any],
        sub: Children,
        sequences: jax.Array,
        initial_state: Any = None,
        *,
        ctx: Context,
    ) -> Structure:
        x = sequences[:, 0]  # of one step
        carried = {}
        if self.stateful or self.memory is not None:
            carried = self._carried(sub, x)
        states = self._first_states(x, carried, initial_state, ctx)
        step = bind(self.cell, sub, x, states, ctx.training)
        mask = ctx.mask
        if mask is not None and is_nested(mask):
            mask = mask[0]
        if mask is not None:
            mask = jnp.swapaxes(mask, 0, 1)
        unrolls = self.unroll and not ctx.abstract
        fused = getattr(self, "use_cudnn", "auto")
        way = Way(self.go_backwards, unrolls, self.zero_output_for_mask, fused, self)
        watch = None
        if ctx.scope.flow.observer is not None:
            watch = ctx.steps(step.gives_state)
        outputs, states = scan(step, jnp.swapaxes(sequences, 0, 1), states, mask, way, watch)
        y = jnp.swapaxes(outputs, 0, 1) if self.return_sequences else outputs[-1]
        dtype = self.compute_dtype
        y, states = jax.tree_util.tree_map(operator.methodcaller("astype", dtype), (y, states))
        if carried:
            sub.keep("memory", named_states(states))
        return (y, *states) if self.return_state else y

    def _initial_states(self, x: jax.Array) -> list[jax.Array] | list[list[Any]]:
        """The states to begin with, as a list, for the input of one step."""
        if _makes_no_states(type(self)) and gives_its_states(self.cell):
            return self.cell.states_for(x)
        return self.get_initial_state(x.shape[0])

    def _carried(self, sub: Children, x: jax.Array) -> dict[str, Any] | None:
        """The states that are carried between calls, by name."""

        def specs() -> dict[str, Any]:
            states = named_states(self._initial_states(x))
            dtype = self.variable_dtype
            return {k: Weight(v.shape, "zeros", dtype, trainable=False) for k, v in states.items()}

        return sub.kept("memory", specs)

    def _first_states(
        self, x: jax.Array, carried: dict[str, Any], initial_state: Any, ctx: Context
    ) -> list[jax.Array] | list[list[Any]]:
        """The states to begin with, as a list, in the cell's dtype."""
        states = initial_state
        is_of_cell = _makes_no_states(type(self)) and gives_its_states(self.cell)
        if states is None and carried and not ctx.abstract:
            states = self._states_of(carried, x)
        elif states is None and is_of_cell:
            return list(self.cell.states_for(x))
        elif states is None:
            states = self.get_initial_state(x.shape[0])
        states = list(as_list(states))
        if initial_state is not None:
            self._check_complete(states)
        dtype = getattr(self.cell, "compute_dtype", None) or self.compute_dtype
        return jax.tree_util.tree_map(functools.partial(jnp.asarray, dtype=dtype), states)

    def _check_complete(self, states: list[Any]) -> None:
        """Raises ValueError where an `initial_state` that is given is not one for the cell."""
        if len(states) != len(self.state_size) or any(state is None for state in states):
            raise ValueError(
                explain(
                    self._where,
                    f"`initial_state` with {len(self.state_size)} arrays, of the sizes "
                    f"{self.state_size}",
                    f"{len(states)}: {states}",
                )
            )

    def _states_of(self, carried: dict[str, Any], x: jax.Array) -> list[jax.Array]:
        """The carried states as the cell has them."""
        leaves = [carried[f"rnn_state_{i}"] for i in range(len(carried))]
        size = leaves[0].shape[0]
        if size != x.shape[0]:
            raise ValueError(
                f"{self._where}: a stateful layer expects the batch size of its states, "
                f"{size}. Received: a batch of {x.shape[0]}. Drop the last, smaller batch, or pad "
                "it."
            )
        if self.memory is None:
            structure = jax.tree_util.tree_structure(self._initial_states(x))
        else:
            structure = self.memory.structure
        return jax.tree_util.tree_unflatten(structure, leaves)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Structure:
        mask = previous_mask if self.return_sequences else None
        if mask is not None and is_nested(mask):
            mask = mask[0]
        return [mask] + [None] * len(self.state_size) if self.return_state else mask

    def get_initial_state(self, batch_size: int) -> list[jax.Array] | list[list[Any]]:
        """The states to begin with, as a list: the cell's own, else zeros."""
        return initial_states(self.cell, batch_size)

    @property
    def states(self) -> list[Variable]:
        """The states that a stateful layer keeps, as variables; None if it keeps none."""
        return None if self.memory is None else self.memory.states

    def reset_state(self) -> None:
        """Sets the carried states to zero."""
        for variable in () if self.memory is None else self.memory.rnn_state:
            variable.assign(jnp.zeros(variable.shape, variable.dtype))

    reset_states = reset_state


@functools.cache
def _makes_no_states(cls: type[RNN]) -> bool:
    """Whether the initial states of a class's layers are those of the cell."""
    return cls.get_initial_state is RNN.get_initial_state


RNN.native_builds = (Layer.build, RNN.build)


@fields
class CellLayer(RNN):
    """Base of the layers with a cell of their own, which gets all fields that both have."""

    activity_regularizer: Regularizer = None
    _input_ndim = 3

    def __post_init__(self) -> None:
        self.supports_masking = not is_316()
        names = [field.name for field in self._cell_class._fields]
        self.cell = self._cell_class(
            **{name: getattr(self, name) for name in names},
            name=self._cell_name,
            dtype=self.dtype_policy,
            trainable=self.trainable,
        )
        for name in names:
            setattr(self, name, getattr(self.cell, name))
        self.input_spec = InputSpec(ndim=self._input_ndim)


@fields
class GatedLayer(GateFields, CellLayer):
    """Base of GRU and LSTM."""

    use_cudnn: bool | str = "auto"

    def __post_init__(self) -> None:
        if self.use_cudnn not in ("auto", True, False):
            raise ValueError(
                f"{self._where}: expected `use_cudnn` to be 'auto', True or False. "
                f"Received: use_cudnn={self.use_cudnn!r}"
            )
        super().__post_init__()


@layer(
    "keras.layers",
    keyword_only="zero_output_for_mask",
    arguments=(
        f"units activation use_bias {INITIALIZERS} {REGULARIZERS} activity_regularizer "
        f"{CONSTRAINTS} {RATES} {FLOW} seed zero_output_for_mask"
    ),
)
class SimpleRNN(CellFields, CellLayer):
    """Fully connected recurrent layer: (batch, time, in) -> (batch, units), or (batch, time,
    units).

    `h' = activation(x @ kernel + bias + h @ recurrent_kernel)` at each step; with `return_state`
    h, (batch, units), follows the output.

    Args:
        The same as for `SimpleRNNCell`: units, activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
            recurrent_dropout, seed.
        The same as for `RNN`: return_sequences, return_state, go_backwards, stateful, unroll,
            zero_output_for_mask.
        activity_regularizer: taken and left out, as in Keras.
    Raises:
        ValueError: `units` that is no positive integer.

    >>> layer = SimpleRNN(1, "linear", kernel_initializer="ones", recurrent_initializer="ones")
    >>> print(layer(jnp.array([[[1.0], [2.0], [3.0]]])))  # the sum over time
    [[6.]]
    """

    _cell_class, _cell_name, _unwritten = SimpleRNNCell, "simple_rnn_cell", ("seed",)

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: typed.Named = "tanh",
            use_bias: bool = True,
            kernel_initializer: typed.Named = "glorot_uniform",
            recurrent_initializer: typed.Named = "orthogonal",
            bias_initializer: typed.Named = "zeros",
            kernel_regularizer: typed.Regularization = None,
            recurrent_regularizer: typed.Regularization = None,
            bias_regularizer: typed.Regularization = None,
            activity_regularizer: typed.Regularization = None,
            kernel_constraint: typed.Named = None,
            recurrent_constraint: typed.Named = None,
            bias_constraint: typed.Named = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            seed: typing.Any = None,
            *,
            zero_output_for_mask: bool = False,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activity_regularizer = None  # Keras takes this argument and leaves it out


@layer(
    "keras.layers",
    keyword_only="zero_output_for_mask implementation",
    arguments=(
        f"{GATES} {INITIALIZERS} {REGULARIZERS} activity_regularizer {CONSTRAINTS} {RATES} seed "
        f"{FLOW} reset_after use_cudnn zero_output_for_mask implementation"
    ),
)
class GRU(GatedLayer):
    """Gated recurrent unit: (batch, time, in) -> (batch, units), or (batch, time, units).

    The step is that of `GRUCell`; with `return_state` h, (batch, units), follows the output.

    Args:
        The same as for `GRUCell`: units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed, implementation.
        The same as for `RNN`: return_sequences, return_state, go_backwards, stateful, unroll,
            zero_output_for_mask.
        activity_regularizer: function of the output, whose value, divided by the batch size, is
            added to the loss.
        reset_after: whether the reset gate acts after the product with the recurrent kernel.
        use_cudnn: False: XLA compiles the loop on a TPU, too, where it is one kernel of Pallas
            else. JAX has no GRU of cuDNN's.
    Raises:
        ValueError: `units` that is no positive integer, or an unknown `use_cudnn`.

    >>> layer = GRU(4, return_sequences=True, return_state=True)
    >>> y, h = layer(jnp.ones((2, 3, 5)))
    >>> y.shape, bool((y[:, -1] == h).all())
    ((2, 3, 4), True)

    Cho et al., 2014, arXiv:1406.1078.
    """

    reset_after: bool = True
    _cell_class, _cell_name = GRUCell, "gru_cell"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: typed.Named = "tanh",
            recurrent_activation: typed.Named = "sigmoid",
            use_bias: bool = True,
            kernel_initializer: typed.Named = "glorot_uniform",
            recurrent_initializer: typed.Named = "orthogonal",
            bias_initializer: typed.Named = "zeros",
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
            unroll: bool = False,
            reset_after: bool = True,
            use_cudnn: bool | str = "auto",
            *,
            zero_output_for_mask: bool = False,
            implementation: int = 2,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...


@layer(
    "keras.layers",
    keyword_only="zero_output_for_mask implementation",
    arguments=(
        f"{GATES} {INITIALIZERS} unit_forget_bias {REGULARIZERS} activity_regularizer "
        f"{CONSTRAINTS} {RATES} seed {FLOW} use_cudnn zero_output_for_mask implementation"
    ),
)
class LSTM(GatedLayer):
    """Long short-term memory: (batch, time, in) -> (batch, units), or (batch, time, units).

    The step is that of `LSTMCell`; with `return_state` h and c, (batch, units) each, follow the
    output.

    Args:
        The same as for `LSTMCell`: units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed, implementation.
        The same as for `RNN`: return_sequences, return_state, go_backwards, stateful, unroll,
            zero_output_for_mask.
        activity_regularizer: function of the output, whose value, divided by the batch size, is
            added to the loss.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        use_cudnn: "auto": one kernel runs the loop where it can: cuDNN's on NVIDIA's GPUs, in
            float32, with tanh, sigmoid and a bias, without masks, `unroll` and `recurrent_dropout`;
            Pallas's on TPUs, with masks, too. True: it has to. False: XLA compiles the loop, which
            alone can be differentiated forwards.

    Raises:
        ValueError: `use_cudnn=True`, and no kernel takes the loop.

    >>> y, h, c = LSTM(4, return_sequences=True, return_state=True)(jnp.ones((2, 3, 5)))
    >>> y.shape, bool((y[:, -1] == h).all()), c.shape
    ((2, 3, 4), True, (2, 4))

    Hochreiter and Schmidhuber, 1997, Long short-term memory.
    """

    unit_forget_bias: bool = True
    _cell_class, _cell_name, has_cudnn = LSTMCell, "lstm_cell", True

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            units: int,
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
            unroll: bool = False,
            use_cudnn: bool | str = "auto",
            *,
            zero_output_for_mask: bool = False,
            implementation: int = 2,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...
