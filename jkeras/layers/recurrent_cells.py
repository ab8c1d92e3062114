"""Recurrent cells, which compute one time step: SimpleRNNCell, GRUCell, LSTMCell,
StackedRNNCells.
"""

import dataclasses
import functools
import typing
from collections.abc import Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import ops, random
from jkeras.core.errors import explain
from jkeras.core.names import typed
from jkeras.core.names.family import families
from jkeras.core.layer import Composite, Layer, layer
from jkeras.core.record import Activation, Any, Constraint, FamilyKind, Regularizer
from jkeras.core.weights.rng import SeedGenerator
from jkeras.kernel.numbers import is_zero
from jkeras.kernel.spec import sample
from jkeras.layers.base import Value, activated
from jkeras.layers.recurrent_step import (
    Step,
    as_list,
    bind,
    build_cell,
    check_cell,
    initial_states,
    is_native_cell,
    is_nested,
    keeping_costly,
    narrowed,
    output_size,
    widened,
)
from jkeras.ops.kernels_dot import contract_last
from jkeras.ops import recurrent_kernels
from jkeras.ops.recurrent_fused import Fused
from jkeras.ops.recurrent_split import Split
from jkeras.core.weights.types import OwnWeight
from jkeras.core.run.context import Context
from jkeras.core.run.context import Children
from jkeras.kernel.spec import Spec
from jkeras.kernel.spec import Weight
from jkeras.core.weights.types import Function, Structure


class LateInitializer(FamilyKind):
    """An initializer that the cell looks up itself: default seeds are drawn in Keras's order
    then.
    """

    def read(self, value: Any) -> Any:
        return value


class Cells(Value):
    """A list of cells, as objects or as configs."""

    def read(self, value: Any) -> Any:
        return [Value.read(self, cell) for cell in value]


INITIALIZER, CELLS = LateInitializer("initializers"), Cells()

# Constructor arguments in Keras's order, shared by the cells and the layers made of them.
INITIALIZERS = "kernel_initializer recurrent_initializer bias_initializer"
REGULARIZERS = "kernel_regularizer recurrent_regularizer bias_regularizer"
CONSTRAINTS = "kernel_constraint recurrent_constraint bias_constraint"
RATES = "dropout recurrent_dropout"
GATES = "units activation recurrent_activation use_bias"


@typed.fields
class CellFields:
    """The hyper-parameters of a cell, which the layer that is made of it has too."""

    units: int
    activation: Activation = "tanh"
    use_bias: bool = True
    kernel_initializer: INITIALIZER = "glorot_uniform"
    recurrent_initializer: INITIALIZER = "orthogonal"
    bias_initializer: INITIALIZER = "zeros"
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: Any = None
    _unwritten = ("implementation", "use_cudnn")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data, without those that change no number."""
        return {k: v for k, v in super().get_config().items() if k not in self._unwritten}


class GateFields(CellFields):
    """Those of cells with gates."""

    recurrent_activation: Activation = "sigmoid"
    implementation: int = 2


def gates(
    x: jax.Array,
    kernel: jax.Array,
    masks: tuple[jax.Array, ...] | None,
    product: Function = contract_last,
    axis: int = -1,
) -> jax.Array:
    """`product(x, kernel)` with dropout masks on x: none, one, or one for each of the gates side by
    side in the kernel.

    Args:
        axis: the axis of the product along which the gates are.
    """
    if masks is None or len(masks) == 1:
        return product(x if masks is None else x * masks[0], kernel)
    gate_kernels = jnp.split(kernel, len(masks), axis=-1)
    products = [product(x * mask, block) for mask, block in zip(masks, gate_kernels)]
    return jnp.concatenate(products, axis=axis)


class Cell(CellFields, Layer):
    """Base of the cells: a subclass says how the input is projected and how the states advance."""

    call_context = {"training": False}
    implementation = 1
    _gate_count = 1
    _splits = True  # whether `project` and `recur` run on all steps at once, with time leading
    _hoist = None  # whether the input is projected before the loop; None: by platform

    if typing.TYPE_CHECKING:
        kernel = OwnWeight()
        recurrent_kernel = OwnWeight()
        bias = OwnWeight()

    def _settle(self) -> None:
        """Checks the fields, brings them into range, and looks up the initializers."""
        if not isinstance(self.units, int) or self.units <= 0:
            raise ValueError(
                f"{self._where}: expected a positive integer for `units`. Received: "
                f"units={self.units!r}"
            )
        self.dropout = min(1.0, max(0.0, self.dropout))
        self.recurrent_dropout = min(1.0, max(0.0, self.recurrent_dropout))
        for name in INITIALIZERS.split():
            setattr(self, name, families["initializers"].get(getattr(self, name)))

    @property
    def state_size(self) -> int:
        """The size of the state, or a list of sizes."""
        return self.units

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """Zeros for each state."""
        states, dtype = [], self.compute_dtype
        for size in as_list(self.state_size):
            states.append(jnp.zeros((batch_size, size), dtype))
        return states

    def states_for(self, x: jax.Array) -> list[jax.Array]:
        """The initial states for the input of one step."""
        return self.get_initial_state(batch_size=x.shape[0])

    def is_native(self) -> bool:
        """Whether the cell runs on values by path."""
        for child in tuple(self._children.values()):  # noqa: SIM110 - a generator costs a call
            if isinstance(child, Layer):
                return False
        return super().is_native()

    def weight_specs(self, x: Spec, *states: Spec) -> dict[str, Weight]:
        recurrent = self.weight(
            "recurrent_kernel",
            self._kernel_shape(self.units),
            initializer=self.recurrent_initializer,
        )
        specs = {
            "kernel": self.weight("kernel", self._kernel_shape(self._input_size(x))),
            "recurrent_kernel": recurrent.replace(
                regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint
            ),
        }
        if self.use_bias:
            specs["bias"] = self.weight(
                "bias", self._bias_shape, initializer=self._bias_initializer
            )
        return specs

    def _input_size(self, x: Spec) -> int:
        return x.shape[-1]

    def _kernel_shape(self, size: int) -> tuple[int, ...]:
        return (size, self.units * self._gate_count)

    @property
    def _bias_shape(self) -> tuple[int, ...]:
        return (self.units * self._gate_count,)

    @property
    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def project(
        self, w: Mapping[str, Any], x: jax.Array, masks: tuple[jax.Array, ...] | None
    ) -> jax.Array:
        """What a step needs of its input: x times the kernel.

        Raises:
            ValueError: an input of another size than the kernel's.
        """
        if x.shape[-1] != w["kernel"].shape[0]:
            wanted = f"{w['kernel'].shape[0]} features in the last axis of a step"
            raise ValueError(explain(self._where, wanted, f"a step of shape {x.shape}"))
        return gates(x, w["kernel"], masks)

    def recur(
        self, w: Mapping[str, Any], z: jax.Array, h: jax.Array, masks: Sequence[jax.Array | None]
    ) -> jax.Array:
        """What a step needs of its projected input and of the first state: their sum, with h times
        the recurrent kernel.
        """
        return z + gates(h, w["recurrent_kernel"], masks)

    def advance(
        self,
        w: Mapping[str, Any],
        z: jax.Array,
        states: Structure,
        masks: Sequence[jax.Array | None],
    ) -> jax.Array:
        """Output and new states of a step, from what `recur` gives and a tuple of states."""
        raise NotImplementedError

    def forward(
        self, w: Mapping[str, Any], inputs: jax.Array, states: list[jax.Array], *, ctx: Context
    ) -> Structure:
        nested = is_nested(states)
        states = tuple(as_list(states))
        x_masks, h_masks = self._masks(inputs, states[0], ctx) if ctx.training else (None, None)
        z = self.recur(w, self.project(w, inputs, x_masks), states[0], h_masks)
        y, states = self.advance(w, z, states, h_masks)
        return y, (list(states) if nested else states[0])

    def bind(
        self, w: Mapping[str, Any], x: jax.Array, states: list[jax.Array], *, ctx: Context
    ) -> Step:
        """See `recurrent_step.bind`."""
        x_masks = h_masks = None
        if ctx.training:
            x_masks, h_masks = self._masks(x, jax.tree_util.tree_leaves(states)[0], ctx)
        else:  # Keras draws the masks all the same
            rates = (not is_zero(self.dropout)) + (not is_zero(self.recurrent_dropout))
            if rates:
                ctx.skip_keys(self._mask_count * rates, x)

        wide = w
        if w["recurrent_kernel"].dtype.itemsize < 4:
            wide = widened(w)

        def project(x: jax.Array) -> jax.Array:
            own = w
            if wide is not w:
                own = narrowed(wide, w)
            return self.project(own, self._convert(x), x_masks)

        def advance(z: jax.Array, states: list[jax.Array], t: jax.Array) -> tuple[Any, ...]:
            own = w
            if wide is not w:
                own = narrowed(wide, w)
            states = tuple(as_list(states))
            return self.advance(own, self.recur(own, z, states[0], h_masks), states, h_masks)

        kept, last_part = keeping_costly(advance, self._advance)
        split = fused = None
        if self._splits:
            weights = w, x_masks, h_masks
            split = Split(weights, self._combined_width, self._combine, last_part)
        if kept is advance:  # not on a CPU, which has no kernels either
            fused = self._fused(w, x_masks, h_masks)
        return Step(project, kept, self._hoist, split, gives_state=True, fused=fused)

    def _fused(
        self, w: Mapping[str, Any], x_masks: Sequence[Any] | None, h_masks: Sequence[Any] | None
    ) -> Fused | None:
        """The loop over the step as a fused kernel may have it."""
        return None

    @property
    def _combined_width(self) -> int:
        """How many elements `recur` gives for a row."""
        return self._gate_count * self.units

    def _combine(
        self, weights: Any, x: jax.Array, h: jax.Array
    ) -> tuple[jax.Array, ...] | jax.Array:
        w, x_masks, h_masks = weights
        return self.recur(w, self.project(w, self._convert(x), x_masks), h, h_masks)

    def _advance(
        self, weights: Any, z: tuple[jax.Array, ...] | jax.Array, states: list[jax.Array]
    ) -> tuple[Any, ...]:
        w, _, h_masks = weights
        return self.advance(w, z, tuple(states), h_masks)

    # ------------------------------------------------------------ dropout: the same masks in all
    # steps of a call

    @property
    def _mask_count(self) -> int:
        return self._gate_count if self.implementation == 1 else 1

    def _masks(self, x: jax.Array, h: jax.Array, ctx: Context) -> tuple[Any, ...]:
        """The masks of the input and of the state, each a tuple or None."""
        return self._masks_like(x, self.dropout, ctx), self._masks_like(
            h, self.recurrent_dropout, ctx
        )

    def _masks_like(self, x: jax.Array, rate: float, ctx: Context) -> tuple[jax.Array, ...] | None:
        if is_zero(rate):
            return None
        if is_zero(1.0 - rate):
            return (jnp.zeros_like(x),) * self._mask_count
        ones = jnp.ones_like(x)
        return tuple(random.dropout(ones, rate, seed=ctx.key) for _ in range(self._mask_count))

    def reset_dropout_mask(self) -> None:
        """Does nothing: dropout masks belong to one call."""

    def reset_recurrent_dropout_mask(self) -> None:
        """Does nothing: dropout masks belong to one call."""


@layer(
    "keras.layers",
    arguments=f"units activation use_bias {INITIALIZERS} {REGULARIZERS} {CONSTRAINTS} {RATES} seed",
)
class SimpleRNNCell(Cell):
    """One step of a fully connected recurrent net: `h' = activation(x @ kernel + bias + h @
    recurrent_kernel)`.

    Called on (batch, in) and the state or a list with it, returns the output (batch, units) and the
    new state.

    Args:
        The same as for `Dense`, for the kernel of the input, that of the state, and the bias:
            kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint.
        units: size of the state and of the output.
        activation: function of the sum.
        use_bias: whether a vector is added.
        dropout, recurrent_dropout: the share of the input's and of the state's entries that are 0
            in training, brought into [0, 1]. An `RNN` uses the same ones in all steps of a call.
        seed: integer, for dropout.
    Raises:
        ValueError: `units` that is no positive integer.

    >>> cell = SimpleRNNCell(2, "linear", True, "ones", "identity")
    >>> y, states = cell(jnp.ones((1, 3)), [jnp.array([[0.0, 10.0]])])
    >>> print(y, len(states))
    [[ 3. 13.]] 1
    """

    def __post_init__(self) -> None:
        self.seed_generator = SeedGenerator(self.seed)
        self._settle()

    def project(
        self, w: Mapping[str, Any], x: jax.Array, masks: Sequence[jax.Array | None]
    ) -> jax.Array:
        z = super().project(w, x, masks)
        return z + w["bias"] if self.use_bias else z

    def advance(
        self,
        w: Mapping[str, Any],
        z: jax.Array,
        states: tuple[jax.Array, ...],
        masks: Sequence[jax.Array | None],
    ) -> tuple[Any, ...]:
        h = activated(self, z)
        return h, (h,)


class GatedCell(GateFields, Cell):
    """Base of cells with gates."""

    def __post_init__(self) -> None:
        self._settle()
        if self.recurrent_dropout != 0.0:
            self.implementation = 1
        self.seed_generator = SeedGenerator(self.seed)

    def _fused(
        self, w: Mapping[str, Any], x_masks: Sequence[Any] | None, h_masks: Sequence[Any] | None
    ) -> Fused | None:
        if h_masks is not None or not self._is_usual(w):
            return None
        cell, bias = self._of_kernels(w)
        if cell is None:
            return None
        drop = None
        if x_masks is None or len(x_masks) == 1:
            drop = functools.partial(self._dropped, masks=x_masks)
        return Fused(cell, w["recurrent_kernel"], bias, w["kernel"], drop)

    def _is_usual(self, w: Mapping[str, Any]) -> bool:
        """Whether the cell computes what kernels do, on arrays."""
        if type(self) not in (LSTMCell, GRUCell):
            return False
        if self.activation is not ops.tanh or self.recurrent_activation is not ops.sigmoid:
            return False
        return all(isinstance(w[name], jax.Array) for name in ("kernel", "recurrent_kernel"))

    def _dropped(self, x: jax.Array, masks: Sequence[jax.Array] | None) -> jax.Array:
        """Inputs of all steps after dropout, for products with the whole kernel."""
        x = self._convert(x)
        return x if masks is None else x * masks[0]

    def _of_kernels(self, w: Mapping[str, Any]) -> tuple[recurrent_kernels.Cell | None, Any]:
        """(the cell as kernels have it, the bias of the product with the state, or None)."""
        raise NotImplementedError


@layer(
    "keras.layers",
    keyword_only="implementation",
    arguments=f"{GATES} {INITIALIZERS} {REGULARIZERS} {CONSTRAINTS} {RATES} reset_after seed "
    "implementation",
)
class GRUCell(GatedCell):
    """One step of a gated recurrent unit. With update gate u and reset gate r, `h' = u * h + (1 -
    u) * candidate`.

    Called on (batch, in) and [h], returns h' and [h']. The kernels are (in, 3 * units) and
    (units, 3 * units), with u, r and the candidate side by side.

    Args:
        The same as for `SimpleRNNCell`: use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            seed.
        units: size of the states and of the output.
        activation: function of the candidate.
        recurrent_activation: function of the gates.
        reset_after: whether the reset gate acts after the product with the recurrent kernel (as on
            GPUs; the bias is (2, 3 * units) then) or on the state before it.
        implementation: 1 draws one dropout mask for each gate, 2 one for all.
    Raises:
        ValueError: `units` that is no positive integer.

    >>> cell = GRUCell(2, "linear", kernel_initializer="ones")
    >>> y, states = cell(jnp.ones((1, 3)), [jnp.zeros((1, 2))])
    >>> print(y.round(3), len(states))  # (1 - sigmoid(3)) * 3
    [[0.142 0.142]] 1

    Cho et al., 2014, arXiv:1406.1078.
    """

    reset_after: bool = True
    _gate_count = 3

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
            kernel_constraint: typed.Named = None,
            recurrent_constraint: typed.Named = None,
            bias_constraint: typed.Named = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            reset_after: bool = True,
            seed: typing.Any = None,
            *,
            implementation: int = 2,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    @property
    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _of_kernels(self, w: Mapping[str, Any]) -> tuple[recurrent_kernels.Cell | None, Any]:
        if not self.reset_after:
            return None, None
        return recurrent_kernels.GRU, w["bias"][1] if self.use_bias else None

    def project(
        self, w: Mapping[str, Any], x: jax.Array, masks: Sequence[jax.Array | None]
    ) -> jax.Array:
        z = super().project(w, x, masks)
        if not self.use_bias:
            return z
        return z + (w["bias"][0] if self.reset_after else w["bias"])

    def recur(
        self, w: Mapping[str, Any], z: jax.Array, h: jax.Array, masks: Sequence[jax.Array | None]
    ) -> tuple[jax.Array, ...]:
        """What the two gates need, and what the candidate needs: of the input, and, with
        `reset_after`, of the state.
        """
        kernel, gated = w["recurrent_kernel"], 2 * self.units
        if self.reset_after:
            inner = gates(h, kernel, masks)
            inner = inner + w["bias"][1] if self.use_bias else inner
        else:
            inner = gates(h, kernel[:, :gated], masks and masks[:2])
        candidate = (z[..., gated:], inner[..., gated:]) if self.reset_after else (z[..., gated:],)
        return (z[..., :gated] + inner[..., :gated], *candidate)

    @property
    def _combined_width(self) -> int:
        return (4 if self.reset_after else 3) * self.units

    def advance(
        self,
        w: Mapping[str, Any],
        z: tuple[jax.Array, ...],
        states: tuple[jax.Array, ...],
        masks: Sequence[jax.Array | None],
    ) -> tuple[Any, ...]:
        (h,), (gated, candidate, *inner) = states, z
        update, reset = jnp.split(self.recurrent_activation(gated), 2, axis=-1)
        if self.reset_after:
            inner = reset * inner[0]
        else:
            kernel = w["recurrent_kernel"][:, 2 * self.units :]
            inner = gates(reset * h, kernel, masks and masks[2:])
        h = update * h + (1 - update) * self.activation(candidate + inner)
        return h, (h,)


@layer(
    "keras.layers",
    keyword_only="implementation",
    arguments=(
        f"{GATES} {INITIALIZERS} unit_forget_bias {REGULARIZERS} {CONSTRAINTS} {RATES} seed "
        "implementation"
    ),
)
class LSTMCell(GatedCell):
    """One step of a long short-term memory, with gates i, f, o: `c' = f * c + i * candidate`, `h' =
    o * tanh(c')`.

    Called on (batch, in) and the states [h, c], returns h' and [h', c'].

    The kernels are (in, 4 * units) and (units, 4 * units), with i, f, the candidate and o side by
    side.

    Args:
        The same as for `SimpleRNNCell`: use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            seed.
        units: size of the states and of the output.
        activation: function of the candidate and of c'.
        recurrent_activation: function of the gates.
        unit_forget_bias: whether the bias of the forget gate begins at 1, which helps to remember
            early in training.
        implementation: 1 draws one dropout mask for each gate, 2 one for all.
    Raises:
        ValueError: `units` that is no positive integer.

    >>> cell = LSTMCell(1, kernel_initializer="zeros")
    >>> y, (h, c) = cell(jnp.ones((1, 3)), [jnp.zeros((1, 1)), jnp.ones((1, 1))])
    >>> print(c.round(3))  # sigmoid(1) of it stays
    [[0.731]]

    Hochreiter and Schmidhuber, 1997, Long short-term memory, doi:10.1162/neco.1997.9.8.1735.
    """

    unit_forget_bias: bool = True
    _gate_count = 4

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
            kernel_constraint: typed.Named = None,
            recurrent_constraint: typed.Named = None,
            bias_constraint: typed.Named = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: typing.Any = None,
            *,
            implementation: int = 2,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    @property
    def state_size(self) -> list[int]:
        """The sizes of h and c."""
        return [self.units, self.units]

    @property
    def _bias_initializer(self) -> Any:
        return ForgetBias(self.bias_initializer) if self.unit_forget_bias else self.bias_initializer

    def _of_kernels(self, w: Mapping[str, Any]) -> tuple[recurrent_kernels.Cell | None, Any]:
        return recurrent_kernels.LSTM, w.get("bias")

    def recur(
        self, w: Mapping[str, Any], z: jax.Array, h: jax.Array, masks: Sequence[jax.Array | None]
    ) -> jax.Array:
        z = z + gates(h, w["recurrent_kernel"], masks)
        return z + w["bias"] if self.use_bias else z

    def advance(
        self,
        w: Mapping[str, Any],
        z: jax.Array,
        states: tuple[jax.Array, ...],
        masks: Sequence[jax.Array | None],
    ) -> tuple[Any, ...]:
        _, c = states
        i, f, candidate, o = jnp.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(
            candidate
        )
        h = self.recurrent_activation(o) * self.activation(c)
        return h, (h, c)


@dataclasses.dataclass(frozen=True)
class ForgetBias:
    """Initializer of the bias of four gates: ones for the second, the forget gate, another
    initializer elsewhere.
    """

    others: typing.Callable

    def sample(self, key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
        """The array from a key."""
        keys = jax.random.split(key)
        return self._joined(lambda i, n: sample(self.others, keys[i], (n,), dtype), shape, dtype)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return self._joined(lambda i, n: jnp.asarray(self.others((n,), dtype=dtype)), shape, dtype)

    @property
    def by_numpy(self) -> Function:
        """`(shape, dtype) -> array of numpy`, where the others can be made so; else None."""
        others = getattr(self.others, "by_numpy", None)
        if others is None:
            return None
        return lambda shape, dtype: self._joined(
            lambda i, n: others((n,), dtype), shape, dtype, library=np
        )

    @staticmethod
    def _joined(
        make: Function, shape: tuple[int, ...], dtype: Any, library=jnp
    ) -> np.ndarray | jax.Array:
        units = shape[0] // 4
        ones = library.ones((units,), dtype)
        return library.concatenate([make(0, units), ones, make(1, 2 * units)])


@layer("keras.layers")
class StackedRNNCells(Composite):
    """Cells on top of each other as one cell; the states are a list with those of each cell.

    Args:
        cells: list of cells, the lowest first.

    >>> import jkeras
    >>> cells = StackedRNNCells([LSTMCell(4), GRUCell(2)])
    >>> jkeras.layers.RNN(cells)(jnp.ones((2, 3, 5))).shape
    (2, 2)
    """

    cells: CELLS
    call_context = {"training": False}

    def __post_init__(self) -> None:
        for cell in self.cells:
            check_cell(cell, self._where)

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[list[Any]]:
        """The initial states of the cells."""
        return [_as_cell_has_them(cell, initial_states(cell, batch_size)) for cell in self.cells]

    def states_for(self, x: jax.Array) -> list[list[Any]]:
        """The initial states for the input of one step."""
        return [cell.states_for(x) for cell, x in self._with_inputs(x)]

    def is_native(self) -> bool:
        """Whether the cells run on values by path."""
        return super().is_native() and all(is_native_cell(cell) for cell in self.cells)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Builds each cell for the output of the one below it."""
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def forward(
        self, w: Mapping[str, Any], sub: Children, inputs: Any, states: Structure, *, ctx: Context
    ) -> Structure:
        step = self.bind(w, sub, inputs, states, ctx=ctx)
        z = inputs if step.project is None else step.project(inputs)
        y, states = step.advance(z, states, 0)
        return y, (states[0] if len(states) == 1 else states)

    def _with_inputs(self, x: jax.Array) -> Iterator[Any]:
        """(cell, what its input in one step is like) for each cell."""
        for cell in self.cells:
            yield cell, x
            x = jnp.ones((x.shape[0], output_size(cell)), x.dtype)

    def bind(
        self,
        w: Mapping[str, Any],
        sub: Children,
        x: jax.Array,
        states: list[list[Any]],
        *,
        ctx: Context,
    ) -> Step:
        """See `recurrent_step.bind`."""
        steps = [
            bind(cell, sub, x, state, ctx.training)
            for (cell, x), state in zip(self._with_inputs(x), states)
        ]

        def advance(z: jax.Array, states: list[list[Any]], t: jax.Array) -> tuple[Any, ...]:
            new = []
            for i, (step, state) in enumerate(zip(steps, states)):
                if i > 0 and step.project is not None:
                    z = step.project(z)
                z, after = step.advance(z, state, t)
                after = list(as_list(after))
                new.append(after if is_nested(state) else after[0])
            return z, new

        gives_state = steps[-1].gives_state
        return Step(steps[0].project, advance, steps[0].hoist, gives_state=gives_state)


def _as_cell_has_them(cell: Layer, states: list[jax.Array]) -> list[jax.Array]:
    """A list of states, or the one array where a cell without `get_initial_state` has one state."""
    is_single = isinstance(cell.state_size, int) and not hasattr(cell, "get_initial_state")
    return states[0] if is_single else states


StackedRNNCells.native_builds = (Layer.build, StackedRNNCells.build)
