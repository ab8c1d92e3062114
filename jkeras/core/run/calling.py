"""`layer(x)`: on symbolic tensors, inside a run that is going on, or by hand."""

import typing

import jax

from jkeras.core.run import eager, symbolic, tensorflow_graph
from jkeras.core.graph.keras_tensor import KerasTensor, any_symbolic
from jkeras.core.weights.types import Symbolic
from jkeras.core.run.tracebacks import leave_out_own_frames, not_initialized
from jkeras.kernel.scope import current_flow


@typing.overload
def call_layer(
    self: typing.Any, inputs: Symbolic, /, *args: typing.Any, **kwargs: typing.Any
) -> KerasTensor: ...
@typing.overload
def call_layer(self: typing.Any, *args: typing.Any, **kwargs: typing.Any) -> jax.Array: ...
def call_layer(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
    """The outputs of a layer; an error is shown without the frames of jkeras."""
    if "_scope" not in vars(self):
        raise not_initialized(self)
    try:
        if any_symbolic(args, kwargs):
            return symbolic.symbolic_call(self, args, kwargs)
        run = current_flow()
        if run is not None:
            return run.call(self, args, kwargs)
        is_of_array = len(args) == 1 and not kwargs and isinstance(args[0], jax.Array)
        if not is_of_array and tensorflow_graph.holds_tensors_of_graph(args, kwargs):
            return tensorflow_graph.call_layer(self, args, kwargs)
        return eager.call_eagerly(self, args, kwargs)
    except Exception as error:
        leave_out_own_frames(error)
        raise
