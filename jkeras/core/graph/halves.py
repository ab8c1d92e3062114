"""The two halves of a functional model with an encoder: what follows from the encoder's inputs
alone, which is computed once for a text, and the rest, which is computed for each token.
"""

import typing
from collections.abc import Callable

from jkeras.core.graph import graph, keras_tensor
from jkeras.core.graph.graph import Node
from jkeras.core.graph.keras_tensor import KerasTensor

ENCODER = "encoder_"  # what the names of its inputs begin with


class Halves(typing.NamedTuple):
    """The graph of a model in two.

    Attributes:
        source: {name: input} of the encoder.
        memory: what the second half takes of the first one.
        others: {name: input} of the second half.
        first, second: the nodes of each.
        outputs: of the model, in their structure.
    """

    source: dict[str, KerasTensor]
    memory: list[KerasTensor]
    others: dict[str, KerasTensor]
    first: list[Node]
    second: list[Node]
    outputs: typing.Any


class ForEncoder(typing.NamedTuple):
    """Inputs of a model of which only the first half is to run: what it gives is `Encoded`.

    Attributes:
        values: of `Halves.source`, in its order.
    """

    values: list


class Encoded(typing.NamedTuple):
    """What the first half gives.

    Attributes:
        values: of `Halves.memory`.
        masks: that travel beside them, or None.
    """

    values: tuple
    masks: tuple


class ForDecoder(typing.NamedTuple):
    """Inputs of a model of which only the second half is to run.

    Attributes:
        encoded: what the first half gave.
        values: of `Halves.others`, in its order.
    """

    encoded: Encoded
    values: list


def inputs_by_name(model: typing.Any) -> dict[str, KerasTensor]:
    """The inputs of a functional model with several, by the keys of their dict, else by their
    names.
    """
    _, inputs, _ = graph.graph_of(model)
    flat = keras_tensor.flatten(inputs)
    if isinstance(inputs, dict) and len(inputs) == len(flat):
        return dict(zip(sorted(inputs), flat))  # in the order in which a dict is flat
    return {graph.operation_of(tensor).name: tensor for tensor in flat}


def halves_of(model: typing.Any) -> Halves | None:
    """The halves of a model; None where it has no graph, or no input of an encoder.

    >>> import jkeras
    >>> x = jkeras.Input((None, 4), name="encoder_features")
    >>> y = jkeras.Input((None, 4), name="decoder_features")
    >>> encoded = jkeras.layers.Dense(4, name="encoder")(x)
    >>> model = jkeras.Model([x, y], jkeras.layers.Attention()([y, encoded]))
    >>> halves = halves_of(model)
    >>> [node.operation.name for node in halves.first], len(halves.memory)
    (['encoder'], 1)
    """
    found = graph.graph_of(model)
    if found is None:
        return None
    inputs = inputs_by_name(model)
    source = {name: tensor for name, tensor in inputs.items() if name.startswith(ENCODER)}
    if not source:
        return None
    others = {name: tensor for name, tensor in inputs.items() if name not in source}
    later: set[Node] = set()  # what gives no rows, and so is no part of a text
    rows = {tensor.shape[:1] for tensor in source.values()}
    while True:
        first, second, memory = _cut(found, list(source.values()), later)
        without = {graph.node_of(t) for t in memory if t.shape[:1] not in rows}
        if not without:
            return Halves(source, memory, others, first, second, found.outputs)
        later |= without


def _cut(
    found: graph.Graph, source: list[KerasTensor], later: set[Node]
) -> tuple[list[Node], list[Node], list[KerasTensor]]:
    """(nodes of the first half, nodes of the second, what that takes of the first).

    Args:
        later: nodes of the second in any case.
    """
    known, first, second = set(source), [], []
    for node in found.nodes:
        if node.is_input:
            continue
        if node not in later and known.issuperset(node.input_tensors):
            first.append(node)
            known.update(node.output_tensors)
        else:
            second.append(node)
    needed = [t for node in second for t in node.input_tensors]
    needed += keras_tensor.flatten(found.outputs)
    return first, second, list(dict.fromkeys(t for t in needed if t in known))


def run_half(
    model: typing.Any,
    x: ForEncoder | ForDecoder,
    call: Callable[..., typing.Any],
    masks: typing.Any,
) -> typing.Any:
    """What a half of a model gives.

    Args:
        call: runs an operation, as of `graph.run`.
        masks: has `mask_of` and `set_mask`, of what travels beside values.
    """
    halves = halves_of(model)
    if isinstance(x, ForEncoder):
        inputs = list(halves.source.values())
        values = graph.run(halves.first, inputs, halves.memory, x.values, call)
        return Encoded(tuple(values), tuple(masks.mask_of(value) for value in values))
    for value, mask in zip(x.encoded.values, x.encoded.masks):
        if mask is not None:
            masks.set_mask(value, mask)
    inputs = [*halves.memory, *halves.others.values()]
    outputs = graph.run(halves.second, inputs, halves.outputs, [*x.encoded.values, *x.values], call)
    if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
        return outputs[0]
    return outputs
