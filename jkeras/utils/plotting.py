"""Pictures of models: model_to_dot, plot_model. Through graphviz where it is installed, else as SVG
drawn here.
"""

import html
import os
import shutil
import subprocess
import typing

from jkeras import tree
from jkeras.core.graph import is_symbolic
from jkeras.core.registry import public

HEADER, BODY = "#202124", "#ffffff"
COLORS = {"Trainable": "#1e7e34", "Non-trainable": "#a52a2a"}


class Box(typing.NamedTuple):
    """One layer in a picture."""

    key: str
    title: str
    rows: list  # the lines below the title
    group: tuple  # the names of the nested models around it


class Options(typing.NamedTuple):
    """What is shown of each layer."""

    shapes: bool
    dtype: bool
    names: bool
    activations: bool
    trainable: bool
    nested: bool


class Picture:
    """Boxes and arrows, as the DOT language or as SVG.

    >>> picture = Picture([Box("a", "Input", [], ()), Box("b", "Dense", [], ())], [("a", "b")])
    >>> "Dense" in picture.to_string(), picture.to_svg().startswith("<svg")
    (True, True)
    """

    def __init__(
        self, boxes, edges, rankdir="TB", dpi=200, splines="ortho", name="model", subgraph=False
    ):
        self.boxes = boxes
        self.edges = edges
        self.rankdir = rankdir
        self.dpi = dpi
        self.splines = splines
        self.name, self.subgraph = name, subgraph

    def to_string(self):
        """The picture in the DOT language of graphviz."""
        if self.subgraph:
            lines = [
                f"subgraph {_quoted('cluster_' + self.name)} {{",
                f"style=dashed; label={_quoted(self.name)};",
            ]
        else:
            lines = [
                f"digraph {_quoted(self.name)} {{",
                f"rankdir={self.rankdir}; dpi={self.dpi}; splines={self.splines}; "
                "concentrate=true; node [shape=plain, fontname=Helvetica];",
            ]
        for group in sorted({box.group for box in self.boxes}):
            opened = [
                f"subgraph {_quoted('_'.join(('cluster', *group[: i + 1])))} {{ "
                f"label={_quoted(name)};style=dashed;"
                for i, name in enumerate(group)
            ]
            lines += [
                *opened,
                *(
                    f"{_quoted(box.key)} [label=<{_table(box)}>];"
                    for box in self.boxes
                    if box.group == group
                ),
                *"}" * len(group),
            ]
        lines += [f"{_quoted(a)} -> {_quoted(b)};" for a, b in self.edges]
        return "\n".join([*lines, "}"])

    __str__ = to_string

    # ------------------------------------------------------------ files

    def write(self, path, format=None):
        """Writes a file: "dot", "svg", or what graphviz makes ("png", "pdf", …).

        Returns:
            The path; without graphviz that of an SVG file beside the one asked for.
        """
        path = os.fspath(path)
        format = format or os.path.splitext(path)[1][1:] or "png"
        if format in ("dot", "raw"):
            content = self.to_string().encode()
        elif shutil.which("dot"):
            content = subprocess.run(
                ["dot", f"-T{format}"],
                input=self.to_string().encode(),
                check=True,
                capture_output=True,
            ).stdout
        else:
            content = self.to_svg().encode()
            if format != "svg":
                path = os.path.splitext(path)[0] + ".svg"
        with open(path, "wb") as file:
            file.write(content)
        return path

    # ------------------------------------------------------------ SVG

    def to_svg(self):
        """The picture as SVG: layers in rows by their distance from the inputs."""
        across = self.rankdir in ("LR", "RL")
        sizes = {box.key: _size(box) for box in self.boxes}
        places, (width, height) = _places(self._ranks(), sizes, across)
        if self.rankdir in ("BT", "RL"):
            places = {
                k: (width - x - sizes[k][0], y) if across else (x, height - y - sizes[k][1])
                for k, (x, y) in places.items()
            }
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif" font-size="13">',
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
        ]
        parts += [_arrow(places[a], sizes[a], places[b], sizes[b], across) for a, b in self.edges]
        parts += [_drawn(box, *places[box.key], *sizes[box.key]) for box in self.boxes]
        return "\n".join([*parts, "</svg>"])

    def _ranks(self):
        """The boxes' keys in rows: each after all that it depends on."""
        depth = {box.key: 0 for box in self.boxes}
        for _ in self.boxes:  # longest ways; the graph has no cycles
            changed = False
            for a, b in self.edges:
                if depth[b] < depth[a] + 1:
                    depth[b], changed = depth[a] + 1, True
            if not changed:
                break
        rows = [[] for _ in range(max(depth.values(), default=0) + 1)]
        for key, row in depth.items():
            rows[row].append(key)
        return rows


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _table(box):
    cells = "".join(
        f'<tr><td bgcolor="{COLORS.get(row, BODY)}">{html.escape(row)}</td></tr>'
        for row in box.rows
    )
    return (
        f'<table border="0" cellborder="1" cellspacing="0" cellpadding="6"><tr><td bgcolor="{HEADER}">'
        f'<font color="white"><b>{html.escape(box.title)}</b></font></td></tr>{cells}</table>'
    )


def _size(box):
    text = "/".join(box.group) + " " * bool(box.group) + box.title
    return max(80, 7.5 * max(map(len, (text, *box.rows))) + 20), 28 + 24 * len(box.rows)


def _places(rows, sizes, across):
    """Where each box stands (left, top), rows centred, and the size of the whole."""
    gap, margin = 40, 10
    length = [sum(sizes[k][across] for k in row) + gap * (len(row) - 1) for row in rows]
    thick = [max(sizes[k][not across] for k in row) for row in rows]
    places, far = {}, margin
    for row, total, depth in zip(rows, length, thick):
        near = margin + (max(length) - total) / 2
        for key in row:
            places[key] = (far, near) if across else (near, far)
            near += sizes[key][across] + gap
        far += depth + gap
    whole = (max(length, default=0) + 2 * margin, far - gap + margin)
    return places, whole[::-1] if across else whole


def _arrow(start, start_size, end, end_size, across):
    (x0, y0), (w0, h0), (x1, y1), (w1, h1) = start, start_size, end, end_size
    if across:
        x0, y0, x1, y1 = (
            (x0 + w0, y0 + h0 / 2, x1, y1 + h1 / 2)
            if x0 < x1
            else (x0, y0 + h0 / 2, x1 + w1, y1 + h1 / 2)
        )
        bend = f"{(x0 + x1) / 2} {y0} {(x0 + x1) / 2} {y1}"
    else:
        x0, y0, x1, y1 = (
            (x0 + w0 / 2, y0 + h0, x1 + w1 / 2, y1)
            if y0 < y1
            else (x0 + w0 / 2, y0, x1 + w1 / 2, y1 + h1)
        )
        bend = f"{x0} {(y0 + y1) / 2} {x1} {(y0 + y1) / 2}"
    return f'<path d="M{x0} {y0}C{bend} {x1} {y1}" fill="none" stroke="#555" marker-end="url(#arrow)"/>'


def _drawn(box, x, y, width, height):
    title = "/".join((*box.group, box.title))
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{BODY}" stroke="{HEADER}"/>',
        f'<rect x="{x}" y="{y}" width="{width}" height="28" fill="{HEADER}"/>',
        f'<text x="{x + width / 2}" y="{y + 19}" fill="white" font-weight="bold" text-anchor="middle">'
        f"{html.escape(title)}</text>",
    ]
    for i, row in enumerate(box.rows):
        top = y + 28 + 24 * i
        parts += [
            f'<rect x="{x}" y="{top}" width="{width}" height="24" fill="{COLORS.get(row, BODY)}" '
            f'stroke="{HEADER}"/>',
            f'<text x="{x + width / 2}" y="{top + 17}" fill="{"white" if row in COLORS else HEADER}" '
            f'text-anchor="middle">{html.escape(row)}</text>',
        ]
    return "".join(parts)


# ---------------------------------------------------------------- models


@public("keras.utils.model_to_dot")
def model_to_dot(
    model,
    show_shapes=False,
    show_dtype=False,
    show_layer_names=True,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    subgraph=False,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """A model as a `Picture`, whose `to_string()` is in the DOT language of graphviz.

    Args:
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what each
            box says.
        rankdir: "TB" downwards, "LR" to the right, "BT", "RL".
        expand_nested: show the layers of nested models.
        dpi, splines: for graphviz.
        subgraph: as a part of another picture.

    Raises:
        ValueError: the model is not built.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> "Dense" in model_to_dot(model).to_string()
    True
    """
    if not model.built:
        raise ValueError(
            f"The model '{model.name}' is not built. Call it on data, or give its shape with "
            "`Input`."
        )
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
    options = Options(
        show_shapes,
        show_dtype,
        show_layer_names,
        show_layer_activations,
        show_trainable,
        expand_nested,
    )
    boxes, edges = {}, {}
    _collect(model, (), options, boxes, edges)
    return Picture(list(boxes.values()), list(edges), rankdir, dpi, splines, model.name, subgraph)


def _collect(model, group, options, boxes, edges):
    """Adds a model's boxes and edges; returns the keys of its first and last boxes."""
    if hasattr(model, "_all_layers"):  # Sequential
        layers = model.layers
        steps = list(zip(layers, layers[1:]))
        first, last = layers[:1], layers[-1:]
    elif hasattr(model, "_nodes"):
        layers = model.operations
        steps = [
            (parent.operation, node.operation)
            for node in model._nodes
            for parent in node.parent_nodes
            if any(node.operation is o for o in layers)
            and any(parent.operation is o for o in layers)
        ]
        first = [t._keras_history[0] for t in model.inputs]
        last = [t._keras_history[0] for t in model.outputs]
    else:
        layers, steps, first, last = [model], [], [model], [model]
    ends = {}
    for layer in layers:
        if (
            layer is not model
            and options.nested
            and (hasattr(layer, "_all_layers") or hasattr(layer, "_nodes"))
        ):
            ends[id(layer)] = _collect(layer, (*group, layer.name), options, boxes, edges)
        else:
            key = str(id(layer))
            boxes.setdefault(key, _box(layer, key, group, options))
            ends[id(layer)] = [key], [key]
    for a, b in steps:
        edges.update({(start, end): None for start in ends[id(a)][1] for end in ends[id(b)][0]})
    return [k for o in first for k in ends[id(o)][0]], [k for o in last for k in ends[id(o)][1]]


def _box(layer, key, group, options):
    name = type(layer).__name__ if not hasattr(layer, "op") else layer.op.class_name
    rows = []
    activation = getattr(layer, "activation", None)
    if options.activations and activation is not None:
        rows.append(
            "Activation: "
            f"{getattr(activation, '__name__', None) or getattr(activation, 'name', activation)}"
        )
    nodes = layer.__dict__.get("_inbound_nodes")
    inputs, outputs = (nodes[0].args, nodes[0].outputs) if nodes else (None, None)
    if options.shapes:
        if nodes and not nodes[0].is_input:
            rows.append(f"Input shape: {_described(inputs, 'shape')}")
        rows.append(f"Output shape: {_described(outputs, 'shape')}")
    if options.dtype:
        rows.append(f"Output dtype: {_described(outputs, 'dtype')}")
    if options.trainable and getattr(layer, "weights", None):
        rows.append("Trainable" if layer.trainable else "Non-trainable")
    return Box(key, f"{layer.name} ({name})" if options.names else name, rows, group)


def _described(structure, what):
    found = [str(getattr(v, what)) for v in tree.flatten(structure) if is_symbolic(v)]
    return ", ".join(found) or "?"


@public("keras.utils.plot_model")
def plot_model(
    model,
    to_file="model.png",
    show_shapes=False,
    show_dtype=False,
    show_layer_names=False,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """Draws a model into a file, and shows it in a notebook.

    Where the `dot` program of graphviz is not installed, an SVG file is written instead, under the
    same name with the ending ".svg".

    Args: those of `model_to_dot`.

    Returns:
        An image that notebooks show, where IPython is installed; else None.
    """
    picture = model_to_dot(
        model,
        show_shapes,
        show_dtype,
        show_layer_names,
        rankdir,
        expand_nested,
        dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
        **kwargs,
    )
    asked = str(to_file) if os.path.splitext(str(to_file))[1] else f"{to_file}.png"
    written = picture.write(asked)
    if written != asked:
        print(f"graphviz is not installed, so the picture is in {written} instead of {asked}.")
    try:
        from IPython import display
    except ImportError:
        return None
    if written.endswith(".svg"):
        return display.SVG(filename=written)
    return None if written.endswith(".pdf") else display.Image(filename=written)
