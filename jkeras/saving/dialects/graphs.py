"""Graphs as Keras 2 and tf.keras wrote them, as Keras 3 does.

There a call is a list of references `[layer, call, output, arguments]`, one for each tensor of the
first argument. Models in models count one call more than was made: the first is their own graph's.
"""

from collections.abc import Iterator
from typing import Any

from jkeras.core.graph.op import Op, op_of_class
from jkeras.saving.paths import values_of
from jkeras.saving.types import Config

RECURRENT = (
    "RNN",
    "SimpleRNN",
    "LSTM",
    "GRU",
    "Bidirectional",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
)


def modern_graph(config: Config) -> dict[str, Any]:
    """The config of a model; the same one where it is no graph of Keras 2.

    >>> x = {"class_name": "InputLayer", "config": {}, "name": "x", "inbound_nodes": []}
    >>> relu = {"class_name": "ReLU", "config": {}, "name": "r"}
    >>> relu["inbound_nodes"] = [[["x", 0, 0, {}]]]
    >>> ends = {"input_layers": [["x", 0, 0]], "output_layers": [["r", 0, 0]]}
    >>> new = modern_graph({"layers": [x, relu], **ends})
    >>> new["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"]
    ['x', 0, 0]
    """
    layers = config.get("layers")
    if (
        "input_layers" not in config
        or not isinstance(layers, list)
        or not any(map(_is_old, layers))
    ):
        return config
    shifts = {entry["name"]: int("layers" in entry["config"]) for entry in layers}
    # as graphs in graphs have in Keras 3
    ends = {
        entry["name"]: shift and int("input_layers" not in entry["config"])
        for entry, shift in zip(layers, shifts.values())
    }
    return {
        **config,
        "layers": [_entry(entry, shifts) for entry in layers],
        **{key: _moved(config[key], ends) for key in ("input_layers", "output_layers")},
    }


def _is_old(entry: Config) -> bool:
    return any(isinstance(node, list) for node in entry.get("inbound_nodes", ()))


def _entry(entry: Config, shifts: dict[str, int]) -> dict[str, Any]:
    inner = dict(entry["config"])
    more = {}
    if entry["class_name"] in ("Attention", "AdditiveAttention") and inner.pop("causal", False):
        more["use_causal_mask"] = True
    nodes = [_node(node, entry, more, shifts) for node in entry["inbound_nodes"]]
    # the calls build it
    entry = {key: value for key, value in entry.items() if key != "build_config"}
    return {**entry, "config": inner, "inbound_nodes": nodes}


def _node(node: Any, entry: Config, more: Config, shifts: dict[str, int]) -> Any:
    """One call, in the form of Keras 3."""
    if not isinstance(node, list):
        return node
    references = [node] if _is_reference(node, shifts) else node
    arguments = {**_call_arguments(references, shifts), **more}
    kwargs = {key: _tensors(value, shifts) for key, value in arguments.items()}
    inputs = _tensors(references, shifts)
    if isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    if entry["class_name"] in RECURRENT and isinstance(inputs, list):
        kwargs["initial_state"] = inputs[1:]
        inputs = inputs[0]
    return {"args": [inputs], "kwargs": kwargs}


def _call_arguments(references: Any, shifts: dict[str, int]) -> Config:
    """The arguments of a call, which one of its references has."""
    for reference in _references(references, shifts):
        if len(reference) > 3 and reference[3]:
            return reference[3]
    return {}


def _is_reference(value: Any, shifts: dict[str, int]) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in shifts
        and (all(isinstance(number, int) for number in value[1:3]))
    )


def _references(value: Any, shifts: dict[str, int]) -> Iterator[list]:
    """All references in a structure."""
    if _is_reference(value, shifts):
        yield value
    elif isinstance(value, (list, dict)):
        for item in values_of(value):
            yield from _references(item, shifts)


def _tensors(value: Any, shifts: dict[str, int]) -> Any:
    """A structure with references to tensors where it had those of Keras 2."""
    if _is_reference(value, shifts):
        name, call, output = value[:3]
        return {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": (),
                "dtype": None,
                "keras_history": [name, call - shifts[name], output],
            },
        }
    if isinstance(value, list):
        return [_tensors(item, shifts) for item in value]
    if isinstance(value, dict):
        return {key: _tensors(item, shifts) for key, item in value.items()}
    return value


def _moved(value: Any, shifts: dict[str, int]) -> Any:
    """The references to inputs or outputs."""
    if _is_reference(value, shifts):
        return [value[0], value[1] - shifts[value[0]], *value[2:]]
    if isinstance(value, dict):
        return {key: _moved(item, shifts) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, shifts) for item in value]
    return value


def op_of_node(entry: Config) -> Op | None:
    """The op that an entry of a graph stands for, where the entry names no module, as in `.h5`
    files; None for a layer.

    Layers have classes of the same names, `Add` for one, and other arguments.

    >>> op_of_node({"class_name": "Add", "config": {"name": "a"}, "inbound_nodes": []}).module
    'keras.src.ops.numpy'
    >>> layer = {"name": "a", "trainable": True, "dtype": "float32"}
    >>> op_of_node({"class_name": "Add", "config": layer, "inbound_nodes": []})
    """
    if "inbound_nodes" not in entry or entry.get("module") is not None:
        return None
    op = op_of_class(entry["class_name"])
    if op is None or entry["config"].keys() - op.signature.parameters.keys() - {"name"}:
        return None
    return op
