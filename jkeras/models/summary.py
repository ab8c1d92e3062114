"""`summary()`: a model as a table of layers, shapes and counts."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax

from jkeras.callbacks.progress import screen
from jkeras.core.say import console
from jkeras.core.run.building import is_shape
from jkeras.core.graph.graph import Node, graph_of, history_of, node_of, nodes_of
from jkeras.core.layer import Layer
from jkeras.core.graph.op import Operation
from jkeras.core.session.settings import is_interactive_logging_enabled
from jkeras.kernel.spec import size_of
from jkeras.models.text_table import table_of

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.model import Model

# width, ends of columns, titles
PATH = (88, (0.45, 0.80, 1.0), ("Layer (type)", "Output Shape", "Param #"))
GRAPH = (108, (0.3, 0.56, 0.74, 1.0), (*PATH[2], "Connected to"))
NARROWEST = 4  # characters of a column
JUSTIFY = {"Param #": "right", "Trainable": "center"}


def count_params(weights: Iterable[Any]) -> int:
    """The number of scalars in a list of weights."""
    return sum(size_of(w.shape) for w in weights)


def readable_memory(weights: Iterable[Any]) -> str:
    """The size of a list of weights as text, such as "4.50 KB"."""
    size = sum(size_of(w.shape) * dtype_size(w.dtype) for w in weights)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def dtype_size(dtype: str) -> int:
    """Bytes of one element.

    >>> dtype_size("bfloat16"), dtype_size("float32")
    (2, 4)
    """
    return jax.numpy.dtype(dtype).itemsize


def format_shape(layer: Any) -> str:
    """The shape of a layer's output as text: of its last call in a graph, else what follows from
    its own inputs.
    """
    nodes = getattr(layer, "_inbound_nodes", None)
    built_for = getattr(layer, "_build_shapes", None)
    by_user = (
        not isinstance(layer, Operation)
        and layer.is_lifted()
        and (type(layer).compute_output_shape is Layer.compute_output_shape)
    )
    if nodes:
        shapes = [t.shape for t in nodes[-1].output_tensors]
    elif not built_for or by_user:
        return "?"
    else:
        try:
            shapes = _shapes_when_built_for(layer, built_for)
        except NotImplementedError:
            return "?"
    texts = jax.tree_util.tree_map(
        lambda s: f"({', '.join(map(str, s))})", shapes, is_leaf=_is_shape
    )
    flat = jax.tree_util.tree_leaves(texts)
    if len(flat) == 1:
        return flat[0]
    return str(texts).replace("'", "")


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and is_shape(value)


def _shapes_when_built_for(layer: Any, shapes: Any) -> Any:
    if hasattr(layer, "output_shape"):
        return layer.output_shape
    return layer.compute_output_shape(**shapes)


def _connections(layer: Any, relevant: set[Node]) -> str:
    """ "conv[0][0]" for each input of a layer in a graph."""
    tensors = [
        tensor for node in nodes_of(layer) if node in relevant for tensor in node.input_tensors
    ]
    return ", ".join(map(_origin, tensors)) or "-"


def _origin(tensor: "KerasTensor") -> str:
    operation, node, position = history_of(tensor)
    return f"{operation.name}[{node}][{position}]"


def _is_path(nodes: list[Node]) -> bool:
    """Whether a graph is one path without a layer used twice, so that a column of connections would
    say nothing.
    """
    follows = all(
        len(b.input_tensors) == 1 and node_of(b.input_tensors[0]) is a
        for a, b in zip(nodes, nodes[1:])
    )
    return follows and len({n.operation for n in nodes}) == len(nodes)


def print_summary(
    model: "Model",
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Prints the table; `Model.summary` describes the arguments."""
    graph = graph_of(model)
    connected = graph is not None and not _is_path(graph.nodes)
    default, ends, titles = PATH
    relevant = None
    if connected:
        default, ends, titles = GRAPH
        relevant = set(graph.nodes)
    ends = list(positions or ends)
    if show_trainable:
        default = default + 12
        ends = [*(0.9 * end for end in ends), 1.0]
        titles = (*titles, "Trainable")
    width = line_length or _width_of_terminal(ends, default)
    widths = _widths(ends, width)[: len(titles)]
    layers = _in_range(getattr(model, "operations", model.layers), layer_range)
    rows = list(_rows(layers, expand_nested, show_trainable, relevant))
    justify = [JUSTIFY.get(title, "left") for title in titles]
    _show(
        lambda bold: [
            bold(f'Model: "{model.name}"'),
            *table_of(titles, rows, widths, width, justify, bold),
            *totals(model, bold),
        ],
        print_fn,
    )


def _show(
    lines_of: Callable[[Callable[[str], str]], Iterable[str]], print_fn: Callable[[str], Any] | None
) -> None:
    """Prints the lines of a function that takes one which makes a text stand out."""
    if print_fn is not None:
        print_fn(_joined(lines_of(str)))
    elif not is_interactive_logging_enabled():
        console.write(_joined(lines_of(str)))
    else:
        shown_on = screen()
        shown_on.table(_joined(lines_of(shown_on.bold)))


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _width_of_terminal(ends: Sequence[float], most: int) -> int:
    """The width of a table for the terminal; of a narrow one, which breaks the lines, the least
    width that columns take.
    """
    width = min(most, shutil.get_terminal_size().columns - 4)
    wide_enough = (w for w in range(width, most) if min(_columns(ends, w)) >= NARROWEST)
    return next(wide_enough, width)


def _columns(ends: Sequence[float], width: int) -> list[int]:
    stops = [int(end * width) for end in ends]
    return [stop - start for start, stop in zip([0, *stops], stops)]


def _widths(ends: Sequence[float], width: int) -> list[int]:
    """The widths of columns that end at fractions of the table's width."""
    widths = _columns(ends, width)
    if min(widths) < NARROWEST:
        raise ValueError(
            f"Insufficient console width to print summary: the columns of a line of {width} "
            f"characters are {widths} wide and need {NARROWEST} at least. Pass a larger "
            "`line_length`."
        )
    return widths


def _rows(
    layers: Iterable[Any],
    expand_nested: bool,
    show_trainable: bool,
    relevant: set[Node] | None,
    depth: int = 0,
) -> Iterator[list[str]]:
    """The cells of each layer or op; `relevant`: the graph's nodes, None without a column of
    connections.
    """
    prefix = ""
    if depth:
        prefix = f"{'   ' * depth}└ "
    for layer in layers:
        name = f"{prefix}{layer.name} ({_class_name(layer)})"
        row = [name, format_shape(layer), _number_of_weights(layer)]
        if relevant is not None:
            row.append(_connections(layer, relevant))
        if show_trainable:
            row.append(_trainable_mark(layer))
        yield row
        if expand_nested:
            yield from _rows(
                getattr(layer, "layers", ()), expand_nested, show_trainable, relevant, depth + 1
            )


def _class_name(layer: Any) -> str:
    if isinstance(layer, Operation):
        return layer.op.class_name
    return type(layer).__name__


def _number_of_weights(layer: Any) -> str:
    if isinstance(layer, Operation):
        return "0"
    if not layer.built:
        return "0 (unbuilt)"
    return f"{layer.count_params():,}"


def _trainable_mark(layer: Any) -> str:
    if isinstance(layer, Operation) or not layer.weights:
        return "-"
    return "Y" if layer.trainable else "N"


def _indices(layers: Sequence[Any], pattern: str) -> list[int]:
    """The numbers of the layers whose names begin so."""
    return [i for i, layer in enumerate(layers) if re.match(pattern, layer.name)]


def _in_range(layers: Sequence[Any], layer_range: Sequence[str] | None) -> Sequence[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(v, str) for v in layer_range):
        raise ValueError(
            "layer_range must contain two strings, the first and the last name. Received: "
            f"{layer_range}"
        )
    starts, ends = (_indices(layers, pattern) for pattern in layer_range)
    if not starts or not ends:
        raise ValueError(
            f"`layer_range`: no layers of the model have such names. Received: {layer_range}; "
            f"layers: {[layer.name for layer in layers]}"
        )
    if min(starts) > max(ends):
        starts, ends = ends, starts
    return layers[min(starts) : max(ends) + 1]


def totals(model: "Model", bold: Callable[[str], str] = str) -> list[str]:
    """The lines below the table; `bold` makes a text stand out."""
    trainable, fixed = model.trainable_weights, model.non_trainable_weights
    slots = []
    if getattr(model.optimizer, "built", False):
        slots = list(model.optimizer.variables)
    groups = {"Total": [*trainable, *fixed, *slots], "Trainable": trainable, "Non-trainable": fixed}
    if slots:
        groups["Optimizer"] = slots
    lines = [
        f"{bold(f' {label} params: ')}{count_params(weights):,} ({readable_memory(weights)})"
        for label, weights in groups.items()
    ]
    members = getattr(model, "ensemble_members", None)
    if members is not None:
        lines.append(f"{bold(' Members: ')}{members.size}, each with these params")
    return lines
