"""Models that begin with texts: the layers that look at texts run on the host, before the compiled
rest.
"""

import typing
from collections.abc import Callable

import jax
import numpy as np

from jkeras.core.graph import graph, keras_tensor

if typing.TYPE_CHECKING:
    from jkeras.core.graph.graph import Node
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.model import Model
    from jkeras.training.types import Structure


class Prepared(typing.NamedTuple):
    """What the layers that run on the host made of the inputs of a model: the rest begins there.

    Attributes:
        values: one array, or a list of them.
    """

    values: typing.Any


def prepared(model: "Model", x: "Structure") -> "Structure":
    """Inputs of a model, `Prepared` where there are texts among them."""
    parts = None
    if has_texts(x):
        parts = split(model)
    if parts is None:
        return x
    prepare, _ = parts
    return Prepared(prepare(x))


def run_rest(model: "Model", x: Prepared, call: Callable[..., typing.Any]) -> "Structure":
    """The outputs of a model for `Prepared` inputs.

    Args:
        call: runs an operation, as of `graph.run`.
    """
    _, rest = split(model)
    if graph.graph_of(rest) is not None:
        return rest.run_graph(keras_tensor.flatten(x.values), call)
    outputs = x.values
    for layer in rest.layers:
        outputs = call(layer, (outputs,), {})
    return outputs


def has_texts(x: "Structure") -> bool:
    """Whether there are texts among the arrays of a structure.

    >>> has_texts({"a": np.array(["x"])}), has_texts([np.ones(2)])
    (True, False)
    """
    if type(x) is np.ndarray and x.dtype.kind in "fiub":
        return False  # without a look at an element
    if not isinstance(x, (str, list, tuple, dict)) and not hasattr(x, "__array__"):
        return False  # a generator or data set
    keras_tensor.refuse_cycles(x)
    leaves = jax.tree_util.tree_leaves(x)
    return any(map(_is_text, leaves))


def _is_text(x: typing.Any) -> bool:
    """Whether x, or the first element of an array, is a text."""
    if isinstance(x, np.ndarray) and x.size:
        x = x.flat[0]
    return isinstance(x, (str, bytes))


def split(model: "Model") -> "tuple[Callable[..., typing.Any], Model] | None":
    """(prepare, rest) of a model that takes texts: `model(x)` is `rest(prepare(x))`.

    `prepare` runs the layers on the host and gives the inputs of `rest`, a model of the same
    layers, and so weights. None for a model without a graph, or which has no such layers,
    or gives texts.
    """
    key = tuple(map(id, model.layers))
    cached_key, parts = getattr(model, "_host_split", (None, None))
    if cached_key == key:
        return parts
    functional = getattr(model, "_functional", None) or model
    if graph.graph_of(functional) is not None:
        parts = _split_graph(functional)
    elif hasattr(model, "_all_layers"):
        parts = _split_list(model)
    else:
        parts = None
    model.set_untracked(_host_split=(key, parts))
    return parts


def _split_graph(model: "Model") -> "tuple[Callable[..., typing.Any], Model] | None":
    nodes, *ends = graph.graph_of(model)
    inputs, outputs = map(keras_tensor.flatten, ends)
    host_nodes, others = _by_device(nodes)
    needed = [t for node in others for t in node.input_tensors] + outputs
    cut = _cut(host_nodes, needed, inputs)
    if not host_nodes or any(t.dtype == "string" for t in cut):
        return None

    def prepare(x: "Structure") -> list:
        if has_texts(x):
            values = _in_order(model, inputs, x)
        else:
            values = model._standardize_inputs(x)
        return graph.run(
            host_nodes,
            inputs,
            cut,
            values,
            lambda operation, args, kwargs: operation(*args, **kwargs),
        )

    return prepare, model.graph_class(cut, ends[1])


def _cut(
    host_nodes: "list[Node]", needed: "list[KerasTensor]", inputs: "list[KerasTensor]"
) -> "list[KerasTensor]":
    """The tensors that the rest needs of the inputs and of the nodes that run first, each once."""
    on_host = {*inputs, *(t for node in host_nodes for t in node.output_tensors)}
    return list(dict.fromkeys(t for t in needed if t in on_host))


def _by_device(nodes: "list[Node]") -> "tuple[list[Node], list[Node]]":
    """(nodes that run on the host, all others but inputs)."""
    hosted, host_nodes, others = set(), [], []
    for node in nodes:
        tensors = node.input_tensors
        if not tensors:
            continue
        takes_hosted = all(t in hosted for t in tensors)
        on_host = takes_hosted and getattr(node.operation, "runs_on_host", False)
        if on_host or any(t.dtype == "string" for t in tensors):
            host_nodes.append(node)
            hosted.update(node.output_tensors)
        else:
            others.append(node)
    return host_nodes, others


def _in_order(model: "Model", inputs: "list[KerasTensor]", x: "Structure") -> list:
    """The values of the graph's inputs, texts as they are."""
    if isinstance(x, dict):
        values = [x[graph.operation_of(t).name] for t in inputs]
    else:
        several = isinstance(x, (list, tuple)) and not isinstance(x[0], (str, bytes))
        values = list(x) if several else [x]
    values = [np.asarray(v) if not hasattr(v, "dtype") else v for v in values]
    return [v[:, None] if v.ndim == len(t.shape) - 1 else v for v, t in zip(values, inputs)]


def _split_list(model: "Model") -> "tuple[Callable[..., typing.Any], Model] | None":
    layers = model.layers
    count = next(
        (i for i, layer in enumerate(layers) if not getattr(layer, "runs_on_host", False)),
        len(layers),
    )

    def prepare(x: typing.Any) -> typing.Any:
        for layer in layers[:count]:
            x = layer(x)
        return x

    if 0 < count < len(layers):
        return prepare, model.without_first(count)
    return None
