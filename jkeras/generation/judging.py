"""Which models can be run on new tokens alone: attention has a cache, and all else gives each
position from this position alone.
"""

import copy
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.graph.graph import graph_of
from jkeras.core.graph.halves import halves_of
from jkeras.core.graph.keras_tensor import KerasTensor, map_tensors
from jkeras.core.layer import Layer
from jkeras.core.layer.equality import value_key
from jkeras.core.run.tracebacks import is_built_in, is_built_in_class
from jkeras.core.weights.paths import walk
from jkeras.generation.decoding import Decoding, Uncached
from jkeras.generation.memory import Memory
from jkeras.generation.source import check_no_encoder
from jkeras.programs.positionwise import is_positionwise
from jkeras.kernel import apply as kernel
from jkeras.kernel.observer import Observer
from jkeras.kernel.scope import Path

LENGTH = 2  # of the texts that are looked at


def check_cached(
    model: Any, params: Any, state: Any, batch: int, memory: Memory | None = None
) -> None:
    """Raises `Uncached` where a model cannot be run on new tokens alone, with what it has in the
    way: attention that is not causal, a layer or operation that may look at other positions.

    Args:
        memory: what an encoder gives, by its shapes.
    """
    if memory is None:
        check_no_encoder("a cache", model)
    elif halves_of(model) is None:
        raise Uncached("a model that is no graph has no encoder that could run alone")
    answers: dict[Hashable, bool] = {}
    for module in _modules_of(model):
        _check_operations(module, answers)
    length = _length_beside(memory)
    judge = Judge((batch, length))

    def run(params: Any, state: Any, memory: Memory | None, tokens: jax.Array) -> Any:
        decoding = Decoding(length, None, None, memory)
        inputs, passing = decoding.inputs(model, tokens), {"observer": judge, "cache": decoding}
        return kernel.apply(model, params, state, (inputs,), {}, training=False, **passing)[0]

    tokens = jax.ShapeDtypeStruct(judge.shape, "int32")
    try:
        y = jax.eval_shape(run, params, state, memory, tokens)
    except (TypeError, ValueError) as error:
        if memory is None or isinstance(error, Uncached):
            raise
        reason = f"a text has another length than what the encoder gives ({error})"
        raise Uncached(reason) from error
    if judge.suspects:
        raise next(iter(judge.suspects.values()))
    if jnp.shape(y)[:2] != judge.shape:
        raise Uncached(f"tokens of shape {judge.shape} give outputs of shape {jnp.shape(y)}")


def _length_beside(memory: Memory | None) -> int:
    """The length of the texts that are looked at: none that what an encoder gives has, too."""
    if memory is None:
        return LENGTH
    sizes = [size for x in jax.tree_util.tree_leaves(memory) for size in x.shape]
    return next(n for n in range(LENGTH, LENGTH + len(sizes) + 1) if n not in sizes)


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


def _modules_of(model: Any) -> Iterator[Any]:
    """What runs for new tokens: the model, or its half behind an encoder, and all that is in it."""
    halves = halves_of(model)
    if halves is None:
        yield from (module for _, module in walk(model))
        return
    yield model
    for node in halves.second:
        if isinstance(node.operation, Layer):
            yield from (module for _, module in walk(node.operation))


def _check_operations(module: Any, answers: dict[Hashable, bool]) -> None:
    """Raises `Uncached` for operations of a functional model that may bring positions together.

    Args:
        answers: of operations and inputs as values; gets more.
    """
    graph, halves = graph_of(module), halves_of(module)
    nodes, memory = () if graph is None else graph.nodes, frozenset()
    if halves is not None:
        nodes, memory = halves.second, frozenset(halves.memory)

    def given(tensor: KerasTensor) -> Any:
        return _as_memory(tensor) if tensor in memory else _as_text(tensor)

    for node in nodes:
        operation = node.operation
        if isinstance(operation, Layer) or node.is_input:
            continue
        inputs = map_tensors(given, (node.args, node.kwargs))
        config = repr(getattr(operation, "config", None))
        are_memory = tuple(tensor in memory for tensor in node.input_tensors)
        key = getattr(operation, "op", operation), config, _forms(inputs), are_memory
        texts = [tensor for tensor in node.input_tensors if tensor not in memory]
        if key not in answers:
            answers[key] = _operation_is_positionwise(node, texts, inputs)
        if not answers[key]:
            raise Uncached(f"the operation `{operation.name}` may look at others")


def _operation_is_positionwise(
    node: Any, texts: list[KerasTensor], inputs: tuple[tuple, dict]
) -> bool:
    """Whether the operation of a node gives each position from this position alone."""
    if not all(len(t.shape) > 1 and t.shape[1] is None for t in texts):
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


def _as_memory(tensor: KerasTensor) -> jax.Array:
    """What an encoder gives, of another length than texts."""
    sizes = [LENGTH, *(LENGTH + 1 if size is None else size for size in tensor.shape[1:])]
    return jnp.zeros(sizes, tensor.dtype)


def _as_text(tensor: KerasTensor) -> jax.ShapeDtypeStruct:
    sizes = [LENGTH if size is None else size for size in tensor.shape]
    return jax.ShapeDtypeStruct(sizes, tensor.dtype)
