"""Layers around another layer: Wrapper, TimeDistributed, Bidirectional."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jkeras.core.names import registry
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.run.call import target_of
from jkeras.core.errors import check_choice
from jkeras.core.session.keras_version import is_316
from jkeras.core.layer import Composite, Layer, StatefulLayer, layer
from jkeras.core.weights.paths import own_variables, walk
from jkeras.core.weights.rng import SeedGenerator
from jkeras.layers.base import Value
from jkeras.layers.recurrent_step import StateShapes
from jkeras.core.run.context import Children, Context
from jkeras.core.weights.types import Structure


def mask_argument(child, mask: jax.Array | None) -> dict[str, Any]:
    """The keyword argument that hands a mask to a child, if the child looks at masks."""
    return {"mask": mask} if mask is not None and "mask" in target_of(type(child)).context else {}


@layer("keras.layers")
class Wrapper(Composite):
    """Base of layers that hold another layer as `self.layer` and build it with themselves.

    Args:
        layer: the layer inside.
    Raises:
        ValueError: `layer` is no layer.

    >>> import jkeras
    >>> class Twice(Wrapper):
    ...     def call(self, x):
    ...         return self.layer(self.layer(x))
    >>> print(Twice(jkeras.layers.Rescaling(3.0))(jnp.ones((1, 2))))
    [[9. 9.]]
    """

    layer: Value()

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer):
            raise ValueError(
                f"{self._where}: expected a layer object as `layer`. Received: {self.layer!r} "
                f"(of type {type(self.layer).__name__})"
            )

    def build(self, input_shape: tuple[int, ...] | None = None) -> None:
        """Builds the layer inside for the shape."""
        if not self.layer.built:
            self.layer.build(input_shape)


Wrapper.native_builds = (Layer.build, Wrapper.build)


@layer("keras.layers")
class TimeDistributed(Wrapper, announces_compute_dtype=True):
    """Applies one layer to every step of the second axis: (batch, time, ...) -> (batch, time, ...).

    All steps run at once. Only layers that change their own state or draw random numbers on the way
    (batch normalization and dropout in training) go through the steps one after the other. As in
    Keras the layer computes in the dtype of this one, and its own activity regularizer does not
    count.

    Args:
        layer: the layer that is applied, built for the shape of one step.
    Raises:
        ValueError: `layer` is no layer, an input without a time axis, or a mask that does not fit
            it.

    >>> import jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> print(TimeDistributed(layer)(jnp.array([[[1.0, 2.0], [3.0, 4.0]]]))[0])
    [[3.]
     [7.]]
    """

    supports_masking = True  # not in Keras 3.16
    call_context = {"training": None, "mask": None}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.supports_masking = not is_316()

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Builds the layer inside for one step."""
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise ValueError(
                f"{self._where}: expected an input of at least 3 dimensions (batch, time, ...). "
                f"Received: input_shape={input_shape}"
            )
        super().build((input_shape[0], *input_shape[2:]))

    def forward(
        self, w: Mapping[str, Any], sub: Children, inputs: jax.Array, *, ctx: Context
    ) -> jax.Array:
        mask = ctx.mask
        # a mask with fewer axes has a shorter shape
        if mask is not None and mask.shape[:2] != inputs.shape[:2]:
            raise ValueError(
                f"{self._where}: The `mask` passed to the `TimeDistributed` layer has a shape that "
                f"does not begin with {tuple(inputs.shape[:2])}, the input's batch size and number "
                f"of steps. Received: shape {tuple(mask.shape)}"
            )
        masks = mask_argument(self.layer, mask)

        def is_stepwise() -> bool:
            return _goes_step_by_step(sub.built(self.layer, inputs[:, 0]), ctx.training)

        if ctx.abstract or not is_stepwise():
            return sub.run_on_slices(self.layer, inputs, masks, axis=1, training=ctx.training)
        outputs = [
            sub.run_bare(self.layer, inputs[:, i], **{name: m[:, i] for name, m in masks.items()})
            for i in range(inputs.shape[1])
        ]
        return jax.tree_util.tree_map(lambda *steps: jnp.stack(steps, axis=1), *outputs)


TimeDistributed.native_builds = (Layer.build, TimeDistributed.build)


def _goes_step_by_step(child, training: bool) -> bool:
    """Whether a step of a built layer changes what the next one sees: state that is written, or
    keys that are counted.
    """
    for _, module in walk(child):
        if isinstance(module, SeedGenerator):
            changes = training
        elif any(not v.learnable for v in own_variables(module).values()):
            changes = training or not isinstance(module, StatefulLayer)
        else:
            changes = False
        if changes:
            return True
    return False


MERGES = {
    "concat": lambda a, b: jnp.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
    None: lambda a, b: (a, b),
}


@registry.public("keras.layers.Bidirectional")
class Bidirectional(StateShapes, Composite, uses_mask=True, announces_compute_dtype=True):
    """Runs a recurrent layer forwards and a copy of it backwards, and merges the two outputs.

    Args:
        layer: an `RNN`, `LSTM`, `GRU`, `SimpleRNN`, or another layer with the attributes
            `go_backwards`, `return_sequences`, `return_state` and `stateful`. It is copied; only
            its config counts.
        merge_mode: "concat" (the last axis doubles), "sum", "mul", "ave", or None for both outputs.
        weights: arrays for both directions, forward ones first; set when the layer is built.
        backward_layer: the layer that runs backwards, if it is another one.
    Raises:
        ValueError: layers that are none, run in the same direction or do not agree in other
            arguments, or an unknown `merge_mode`.
    With `return_state` the states follow the output, forward ones first. `initial_state` has the
    same order.

    >>> import jkeras
    >>> ones = {"kernel_initializer": "ones", "recurrent_initializer": "ones"}
    >>> layer = jkeras.layers.SimpleRNN(1, "linear", return_sequences=True, **ones)
    >>> print(Bidirectional(layer)(jnp.array([[[1.0], [2.0], [3.0]]]))[0])
    [[1. 6.]
     [3. 5.]
     [6. 3.]]

    Schuster and Paliwal, 1997, Bidirectional recurrent neural networks, doi:10.1109/78.650093.
    """

    supports_masking = True  # not in Keras 3.16
    call_context = {"mask": None, "training": None}

    def __init__(
        self,
        layer: Layer | dict[str, Any],
        merge_mode: Literal["concat", "sum", "mul", "ave"] | None = "concat",
        weights: Sequence[Any] | None = None,
        backward_layer: Layer | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        layer, backward_layer = Value().read(layer), Value().read(backward_layer)
        for name, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, Layer) and not (name == "backward_layer" and value is None):
                raise ValueError(
                    f"Bidirectional: expected a layer object as `{name}`. Received: {value!r}"
                )
        check_choice("merge_mode", merge_mode, MERGES, "Bidirectional")
        super().__init__(**kwargs)
        self.supports_masking = not is_316()
        self.forward_layer = _twin(layer, "forward_")
        self.backward_layer = (
            _twin(layer, "backward_", go_backwards=True)
            if backward_layer is None
            else backward_layer
        )
        self._check_directions()
        for direction in (self.forward_layer, self.backward_layer):
            if getattr(direction, "zero_output_for_mask", None) is not None:
                direction.zero_output_for_mask = direction.return_sequences
        self.merge_mode, self._first_weights = merge_mode, weights
        self.stateful, self.return_sequences = layer.stateful, layer.return_sequences
        self.return_state, self.input_spec = layer.return_state, layer.input_spec

    def _check_directions(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"{self._where}: forward and backward layer must run in different directions. "
                f"Received: go_backwards={forward.go_backwards} on both. Give `backward_layer` "
                "go_backwards=True."
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(
                    f"{self._where}: forward and backward layer must agree on `{name}`. Received: "
                    f"{getattr(forward, name)} and {getattr(backward, name)}."
                )

    def build(self, sequences_shape: tuple[int, ...], initial_state_shape=None) -> None:
        """Builds both directions."""
        for direction in (self.forward_layer, self.backward_layer):
            if not direction.built:
                direction.build(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def forward(
        self,
        w: Mapping[str, Any],
        sub: Children,
        sequences: jax.Array,
        initial_state=None,
        *,
        ctx: Context,
    ) -> jax.Array:
        forward, backward = self._halves(initial_state)
        mask = mask_argument(self.forward_layer, ctx.mask)
        y, *states = _as_list(sub.forward_layer(sequences, **forward, **mask), self.return_state)
        y_back, *states_back = _as_list(
            sub.backward_layer(sequences, **backward, **mask), self.return_state
        )
        y, y_back = y.astype(self.compute_dtype), y_back.astype(self.compute_dtype)
        if self.return_sequences:
            y_back = jnp.flip(y_back, axis=1)
        output = MERGES[self.merge_mode](y, y_back)
        if not self.return_state:
            return output
        return (*(output if self.merge_mode is None else (output,)), *states, *states_back)

    @staticmethod
    def _halves(initial_state) -> tuple[dict[str, Any], ...]:
        if initial_state is None:
            return {}, {}
        half = len(initial_state) // 2
        return {"initial_state": initial_state[:half]}, {"initial_state": initial_state[half:]}

    def compute_output_spec(self, sequences: Any, *args: Any, **kwargs: Any) -> Structure:
        """The outputs' shapes and dtypes. Keras takes both directions to be as wide as the forward
        one.
        """
        outputs = super().compute_output_spec(sequences, *args, **kwargs)
        if self.merge_mode != "concat":
            return outputs
        output, *states = _as_list(outputs, self.return_state)
        forward = _as_list(self.forward_layer.compute_output_spec(sequences), self.return_state)[0]
        output = KerasTensor((*output.shape[:-1], 2 * forward.shape[-1]), output.dtype)
        return (output, *states) if self.return_state else output

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Structure:
        mask = previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        mask = mask if self.return_sequences else None
        return mask if self.merge_mode else (mask, mask)

    @property
    def states(self) -> Any:
        """The states that stateful directions keep, forward ones first; None without any."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Sets the carried states to zero.

        Raises:
            AttributeError: if the layer is not stateful.
        """
        if not self.stateful:
            raise AttributeError(f"{self._where}: `reset_state` needs a layer with stateful=True.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": registry.serialize(self.forward_layer),
            "backward_layer": registry.serialize(self.backward_layer),
        }


Bidirectional.native_builds = (Layer.build, Bidirectional.build)


def _as_list(outputs: jax.Array, several: bool) -> list[jax.Array]:
    return list(outputs) if several else [outputs]


def _twin(layer: Layer, prefix: str, **changes: Any) -> Any:
    """A fresh layer of the same config, with another name; classes of the user's need not be
    registered for it.
    """
    own = {
        type(module).__name__: type(module)
        for _, module in walk(layer)
        if registry.public_name(type(module)) is None
    }
    name = prefix + layer.name.removeprefix(prefix)
    with registry.CustomObjectScope(own):
        config = registry.serialize(layer)
        twin = type(layer).from_config({**config["config"], "name": name, **changes})
        if config.get("build_config") and not twin.built:
            twin.build_from_config(config["build_config"])
    if hasattr(layer, "use_cudnn"):  # which no config holds
        twin.use_cudnn = layer.use_cudnn
    return twin
