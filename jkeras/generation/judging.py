"""Which models can be run on new tokens alone: attention has a cache, and all else gives each
position from this position alone.
"""

import copy
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.graph.graph import graph_of
from jkeras.core.graph.keras_tensor import KerasTensor, map_tensors
from jkeras.core.layer import Layer
from jkeras.core.layer.equality import value_key
from jkeras.core.run.tracebacks import is_built_in, is_built_in_class
from jkeras.core.weights.paths import walk
from jkeras.generation.decoding import Decoding, Uncached
from jkeras.programs.positionwise import is_positionwise
from jkeras.kernel import apply as kernel
from jkeras.kernel.observer import Observer
from jkeras.kernel.scope import Path

LENGTH = 2  # of the texts that are looked at


def check_cached(model: Any, params: Any, state: Any, batch: int) -> None:
    """Raises `Uncached` where a model cannot be run on new tokens alone, with what it has in the
    way: attention that is not causal, a layer or operation that may look at other positions.
    """
    answers: dict[Hashable, bool] = {}
    for _, module in walk(model):
        _check_operations(module, answers)
    judge = Judge((batch, LENGTH))

    def run(params: Any, state: Any, tokens: jax.Array) -> Any:
        decoding = Decoding(LENGTH, None, None)
        inputs, passing = decoding.inputs(model, tokens), {"observer": judge, "cache": decoding}
        return kernel.apply(model, params, state, (inputs,), {}, training=False, **passing)[0]

    y = jax.eval_shape(run, params, state, jax.ShapeDtypeStruct(judge.shape, "int32"))
    if judge.suspects:
        raise next(iter(judge.suspects.values()))
    if jnp.shape(y)[:2] != judge.shape:
        raise Uncached(f"tokens of shape {judge.shape} give outputs of shape {jnp.shape(y)}")


class Judge(Observer):
    """Finds the layers of a pass that may look at other positions.

    Args:
        shape: (batch, time) of the tokens.

    Attributes:
        root: the path of what runs, in the model.
        suspects: {path: the error for the layer there}; it is cleared where a layer around it
            gives each position from this position alone.
        answers: {layer and inputs as values: whether it does}, since models have equal layers.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.root: Path = ()
        self.suspects: dict[Path, Uncached] = {}
        self.answers: dict[Hashable, bool] = {}

    def through(self, layer: Any, scope: Any, inputs: tuple[tuple, dict], outputs: Any) -> Any:
        """Looks at a layer that ran."""
        cache = scope.flow.cache
        path = scope.path_of(layer)
        if path is None:  # a layer that its model does not have
            path = (f"<{layer.name}>",)
        if path in cache.attention:  # what it does with other positions is in its cache
            self._clear((*self.root, *path))
            return outputs
        if declares_cache(layer):
            return outputs
        cached = [tuple(filter(None, name.split("/"))) for name in cache.new]
        has_attention = any(below[: len(path)] == path for below in cached)
        if not has_attention and self._looks_at_none(layer, scope, inputs):
            self._clear((*self.root, *path))
        else:
            self.suspects.setdefault((*self.root, *path), _suspect(layer, has_attention))
        return outputs

    def _clear(self, path):
        for below in [p for p in self.suspects if p[: len(path)] == path]:
            del self.suspects[below]

    def _looks_at_none(self, layer, scope, inputs):
        """Whether a layer gives each position from this position alone."""

        def run(args: tuple, kwargs: dict) -> Any:
            inner = scope.alone()
            inner.flow.observer = inner.flow.cache = None
            with inner.flow:
                return layer.run_on(inner, args, kwargs)

        key = value_key(layer), *map(_forms, (scope.weights(), inputs))
        if key not in self.answers:
            is_text = lambda x: x.shape[:2] == self.shape  # noqa: E731
            self.answers[key] = _is_positionwise(run, inputs, is_text)
        return self.answers[key]

    # ------------------------------------------------------------ loops and transformations

    def inside(self, path: Path) -> "Judge":
        """What looks at the blocks of a loop."""
        inner = copy.copy(self)
        inner.root = (*self.root, *path)
        return inner

    def changes(self, count: int, shape_of: Any) -> dict:
        """Nothing is changed in blocks."""
        return {}

    def run(
        self,
        layer: Any,
        values: tuple[dict, dict],
        x: Any,
        changes: dict,
        kwargs: dict,
        **options: Any,
    ) -> tuple[Any, Any, dict]:
        """One block, looked at: `(y, state, {})`."""
        y, state = kernel.apply(layer, *values, (x,), kwargs, observer=self, **options)
        return y, state, {}

    def keep(self, seen: dict) -> None:
        """Nothing comes out of the blocks."""

    def fork(self) -> "Judge":
        """What looks at a pass within a transformation: what it finds are no arrays."""
        return self


def _suspect(layer, has_attention):
    """The error for a layer that may look at other positions."""
    reason = f"the layer '{layer.name}' ({type(layer).__name__}) may look at others"
    if not has_attention or is_built_in(layer):
        return Uncached(reason)
    return Uncached(reason, "set `supports_cache = True` on its class if only attention in it does")


def declares_cache(layer: Any) -> bool:
    """Whether a layer says by `supports_cache = True` that of what it does itself, without the
    layers in it, only attention looks at other positions. A class of the user's does not inherit
    that from one of ours, of which it may have changed anything.
    """
    if not getattr(layer, "supports_cache", False):
        return False
    owner = next((cls for cls in type(layer).__mro__ if "supports_cache" in vars(cls)), None)
    return owner is None or is_built_in(layer) or not is_built_in_class(owner)


# ---------------------------------------------------------------- operations of functional models


def _check_operations(module: Any, answers: dict[Hashable, bool]) -> None:
    """Raises `Uncached` for operations of a functional model that may bring positions together.

    Args:
        answers: of operations and inputs as values; gets more.
    """
    graph = graph_of(module)
    for node in () if graph is None else graph.nodes:
        operation = node.operation
        if isinstance(operation, Layer) or node.is_input:
            continue
        inputs = map_tensors(_as_text, (node.args, node.kwargs))
        config = repr(getattr(operation, "config", None))
        key = getattr(operation, "op", operation), config, _forms(inputs)
        if key not in answers:
            answers[key] = _operation_is_positionwise(node, inputs)
        if not answers[key]:
            raise Uncached(f"the operation `{operation.name}` may look at others")


def _operation_is_positionwise(node, inputs: tuple[tuple, dict]) -> bool:
    """Whether the operation of a node gives each position from this position alone."""
    tensors = node.input_tensors
    if not all(len(t.shape) > 1 and t.shape[1] is None for t in tensors):
        return False
    run = lambda args, kwargs: node.operation(*args, **kwargs)  # noqa: E731
    return _is_positionwise(run, inputs, lambda x: isinstance(x, jax.ShapeDtypeStruct))


def _is_positionwise(run: Callable, inputs: tuple[tuple, dict], is_text: Callable) -> bool:
    """Whether a call gives each position from this position of its inputs alone.

    Args:
        run: `(args, kwargs) -> outputs`.
        is_text: whether an array among the inputs has positions.
    """
    leaves, treedef = jax.tree_util.tree_flatten(inputs)
    are_texts = [hasattr(x, "dtype") and is_text(x) for x in leaves]

    def of_texts(*texts: jax.Array) -> Any:
        remaining = iter(texts)
        filled = [next(remaining) if each else x for each, x in zip(are_texts, leaves)]
        return run(*jax.tree_util.tree_unflatten(treedef, filled))

    texts = [x for each, x in zip(are_texts, leaves) if each]
    return bool(texts) and is_positionwise(of_texts, *texts)


def _forms(values: Any) -> Hashable:
    """Values as far as a program depends on them: arrays by their shapes and dtypes."""
    leaves, treedef = jax.tree_util.tree_flatten(values)
    is_array = [hasattr(x, "dtype") and hasattr(x, "shape") for x in leaves]
    forms = [(x.shape, str(x.dtype)) if each else repr(x) for each, x in zip(is_array, leaves)]
    return treedef, tuple(forms)


def _as_text(tensor: KerasTensor) -> jax.ShapeDtypeStruct:
    sizes = [LENGTH if size is None else size for size in tensor.shape]
    return jax.ShapeDtypeStruct(sizes, tensor.dtype)
