"""`summary()`: a model as a table of layers, shapes and counts."""

import re

from jkeras.core.graph import is_symbolic, node_of
from jkeras.core.weight import size_of


def count_params(weights):
    """The number of scalars in a list of weights."""
    return sum(size_of(w.shape) for w in weights)


def readable_memory(weights):
    """The size of a list of weights as text, such as "4.50 KB"."""
    size = sum(size_of(w.shape) * dtype_size(w.dtype) for w in weights)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024 or unit == "TB":
            return f"{size:.2f} {unit}"
        size /= 1024
    return None


def dtype_size(dtype):
    """Bytes of one element.

    >>> dtype_size("bfloat16"), dtype_size("float32")
    (2, 4)
    """
    import jax.numpy as jnp

    return jnp.dtype(dtype).itemsize


def format_shape(layer):
    """The shape of a layer's output as text."""
    nodes = layer.__dict__.get("_inbound_nodes", [])
    if nodes:
        tensors = nodes[-1].output_tensors
        shapes = [str(tuple(t.shape)) for t in tensors]
        return shapes[0] if len(shapes) == 1 else ", ".join(shapes)
    return "?" if layer.built else "? (unbuilt)"


def _connections(layer, relevant):
    """ "conv[0][0]" for each input of a layer in a graph."""
    return ", ".join(f"{t._keras_history[0].name}[{t._keras_history[1]}][{t._keras_history[2]}]"
                     for node in layer._inbound_nodes if id(node) in relevant
                     for t in node.input_tensors if is_symbolic(t) and node_of(t))


def _is_path(model):
    """Whether a graph has one path, so that a column of connections would say nothing."""
    nodes = getattr(model, "_nodes", None)
    return nodes is None or all(len(n.input_tensors) <= 1 for n in nodes) and len(
        {id(t) for n in nodes for t in n.input_tensors}) == sum(len(n.input_tensors) for n in nodes)


def print_summary(model, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                  layer_range=None):
    """Prints the table; `Model.summary` describes the arguments."""
    import io

    from rich.console import Console
    from rich.table import Table

    table = Table(width=line_length, show_lines=True)
    connected = not _is_path(model)
    for title in ("Layer (type)", "Output Shape"):
        table.add_column(title)
    table.add_column("Param #", justify="right")
    if connected:
        table.add_column("Connected to")
    if show_trainable:
        table.add_column("Trainable", justify="center")
    for row in _rows(model, expand_nested, show_trainable, connected, layer_range):
        table.add_row(*row)
    buffer = io.StringIO()
    console = Console(file=buffer, width=line_length or _width(print_fn), force_terminal=False, highlight=False)
    console.print(f'Model: "{model.name}"', markup=False)
    console.print(table)
    for line in totals(model):
        console.print(line, markup=False)
    text = buffer.getvalue().rstrip("\n")
    (print_fn or print)(text)


def _width(print_fn):
    import shutil

    return max(80, min(shutil.get_terminal_size().columns, 120)) if print_fn is None else 100


def _rows(model, expand_nested, show_trainable, connected, layer_range):
    relevant = {id(n) for n in getattr(model, "_nodes", ())}
    layers = _in_range(model.layers, layer_range)

    def rows(layers, depth):
        for layer in layers:
            prefix = "└ " * bool(depth) + "  " * max(depth - 1, 0)
            row = [f"{prefix}{layer.name} ({type(layer).__name__})", format_shape(layer),
                   f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"]
            if connected:
                row.append("" if depth else _connections(layer, relevant) or "-")
            if show_trainable:
                row.append("-" if not layer.weights else "Y" if layer.trainable else "N")
            from rich.markup import escape

            yield [escape(cell) for cell in row]
            if expand_nested and hasattr(layer, "layers"):
                yield from rows(layer.layers, depth + 1)
    return rows(layers, 0)


def _in_range(layers, layer_range):
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(v, str) for v in layer_range):
        raise ValueError(f"layer_range must contain two strings, the first and the last name. Received: {layer_range}")
    first, last = ([i for i, layer in enumerate(layers) if re.fullmatch(pattern, layer.name)]
                   for pattern in layer_range)
    if not first or not last:
        raise ValueError(f"Passed layer_names do not match the layer names in the model. Received: {layer_range}; "
                         f"layers: {[layer.name for layer in layers]}")
    return layers[min(first):max(last) + 1]


def totals(model):
    """The lines below the table."""
    if not model.built:
        return ["Total params: 0 (unbuilt)", "Trainable params: 0", "Non-trainable params: 0"]
    trainable, fixed = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    slots = list(optimizer.variables) if optimizer is not None and getattr(optimizer, "built", False) else []
    lines = [(" Total", [*trainable, *fixed, *slots]), (" Trainable", trainable), (" Non-trainable", fixed)]
    if slots:
        lines.append((" Optimizer", slots))
    return [f"{label} params: {count_params(weights):,} ({readable_memory(weights)})" for label, weights in lines]
