"""Pictures of models: model_to_dot, plot_model. Through graphviz where it is installed, else as SVG
drawn here.
"""

import dataclasses
import html
import itertools
import os
import shutil
import subprocess
import typing

from jkeras import tree
from jkeras.core.say import console
from jkeras.core.graph.graph import graph_of, operation_of
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.core.names.registry import public

if typing.TYPE_CHECKING:
    from jkeras.core.graph.op import Operation
    from jkeras.core.layer.contract import Layer
    from jkeras.models.model import Model

HEADER = "#202124"
BODY = "#ffffff"
GAP = 40  # between two boxes
MARGIN = 10
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


@dataclasses.dataclass(eq=False)
class Picture:
    """Boxes and arrows, as the DOT language or as SVG.

    >>> picture = Picture([Box("a", "Input", [], ()), Box("b", "Dense", [], ())], [("a", "b")])
    >>> "Dense" in picture.to_string(), picture.to_svg().startswith("<svg")
    (True, True)
    """

    boxes: list[Box]
    edges: list[tuple[str, str]]
    rankdir: str = "TB"
    dpi: int = 200
    splines: str = "ortho"
    name: str = "model"
    subgraph: bool = False

    def to_string(self) -> str:
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
            for i, name in enumerate(group):
                cluster = "_".join(("cluster", *group[: i + 1]))
                lines.append(f"subgraph {_quoted(cluster)} {{ label={_quoted(name)};style=dashed;")
            boxes = [box for box in self.boxes if box.group == group]
            lines += [f"{_quoted(box.key)} [label=<{_table(box)}>];" for box in boxes]
            lines += ["}"] * len(group)
        lines += [f"{_quoted(a)} -> {_quoted(b)};" for a, b in self.edges]
        return "\n".join([*lines, "}"])

    __str__ = to_string

    # ------------------------------------------------------------ files

    def write(self, path: str, format: str | None = None) -> str:
        """Writes a file: "dot", "svg", or what graphviz makes ("png", "pdf", …).

        Returns:
            The path; without graphviz that of an SVG file beside the one asked for.
        """
        path = os.fsdecode(path)
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

    def to_svg(self) -> str:
        """The picture as SVG: layers in rows by their distance from the inputs."""
        across = self.rankdir in ("LR", "RL")
        sizes = {box.key: _size(box) for box in self.boxes}
        corners, (width, height) = _corners(self._ranks(), sizes, across)
        if self.rankdir == "RL":
            corners = {k: (width - x - sizes[k][0], y) for k, (x, y) in corners.items()}
        if self.rankdir == "BT":
            corners = {k: (x, height - y - sizes[k][1]) for k, (x, y) in corners.items()}
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif" '
            'font-size="13">',
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
        ]
        lines += [_arrow(corners[a], sizes[a], corners[b], sizes[b], across) for a, b in self.edges]
        lines += [_drawn(box, *corners[box.key], *sizes[box.key]) for box in self.boxes]
        return "\n".join([*lines, "</svg>"])

    def _ranks(self) -> list[list[str]]:
        """The boxes' keys in rows: each after all that it depends on."""
        depth = {box.key: 0 for box in self.boxes}
        for _ in self.boxes:  # longest ways; the graph has no cycles
            changed = False
            for a, b in self.edges:
                if depth[b] < depth[a] + 1:
                    depth[b] = depth[a] + 1
                    changed = True
            if not changed:
                break
        rows = [[] for _ in range(max(depth.values(), default=0) + 1)]
        for key, row in depth.items():
            rows[row].append(key)
        return rows


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _table(box: Box) -> str:
    cells = "".join(
        f'<tr><td bgcolor="{COLORS.get(row, BODY)}">{html.escape(row)}</td></tr>'
        for row in box.rows
    )
    return (
        '<table border="0" cellborder="1" cellspacing="0" cellpadding="6">'
        f'<tr><td bgcolor="{HEADER}">'
        f'<font color="white"><b>{html.escape(box.title)}</b></font></td></tr>{cells}</table>'
    )


def _size(box: Box) -> tuple[float, float]:
    text = "/".join(box.group) + " " * bool(box.group) + box.title
    longest = max(map(len, (text, *box.rows)))
    return max(80, 7.5 * longest + 20), 28 + 24 * len(box.rows)


def _corners(
    rows: list[list[str]], sizes: dict[str, tuple[float, float]], across: bool
) -> tuple[dict[str, tuple[float, float]], tuple[float, ...]]:
    """Where each box stands (left, top), rows centred, and the size of the whole."""
    lengths = [sum(sizes[k][across] for k in row) + GAP * (len(row) - 1) for row in rows]
    depths = [max(sizes[k][not across] for k in row) for row in rows]
    corners = {}
    far = MARGIN
    for row, length, depth in zip(rows, lengths, depths):
        near = MARGIN + (max(lengths) - length) / 2
        for key in row:
            corners[key] = (near, far)
            near += sizes[key][across] + GAP
        far += depth + GAP
    total_size = (max(lengths, default=0) + 2 * MARGIN, far - GAP + MARGIN)
    if not across:
        return corners, total_size
    return {key: corner[::-1] for key, corner in corners.items()}, total_size[::-1]


def _arrow(
    start: tuple[float, float],
    start_size: tuple[float, float],
    end: tuple[float, float],
    end_size: tuple[float, float],
    across: bool,
) -> str:
    x0, y0 = start
    x1, y1 = end
    if across:
        if x0 < x1:
            x0 += start_size[0]
        else:
            x1 += end_size[0]
        y0 += start_size[1] / 2
        y1 += end_size[1] / 2
        middle = (x0 + x1) / 2
        bend = f"{middle} {y0} {middle} {y1}"
    else:
        if y0 < y1:
            y0 += start_size[1]
        else:
            y1 += end_size[1]
        x0 += start_size[0] / 2
        x1 += end_size[0] / 2
        middle = (y0 + y1) / 2
        bend = f"{x0} {middle} {x1} {middle}"
    return (
        f'<path d="M{x0} {y0}C{bend} {x1} {y1}" fill="none" stroke="#555" '
        'marker-end="url(#arrow)"/>'
    )


def _drawn(box: Box, x: typing.Any, y: float, width: float, height: float) -> str:
    title = "/".join((*box.group, box.title))
    center = x + width / 2
    text = (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{BODY}" '
        f'stroke="{HEADER}"/>'
        f'<rect x="{x}" y="{y}" width="{width}" height="28" fill="{HEADER}"/>'
        f'<text x="{center}" y="{y + 19}" fill="white" font-weight="bold" text-anchor="middle">'
        f"{html.escape(title)}</text>"
    )
    for i, row in enumerate(box.rows):
        top = y + 28 + 24 * i
        color = "white" if row in COLORS else HEADER
        text += (
            f'<rect x="{x}" y="{top}" width="{width}" height="24" fill="{COLORS.get(row, BODY)}" '
            f'stroke="{HEADER}"/>'
            f'<text x="{center}" y="{top + 17}" fill="{color}" text-anchor="middle">'
            f"{html.escape(row)}</text>"
        )
    return text


# ---------------------------------------------------------------- models


@public("keras.utils.model_to_dot")
def model_to_dot(
    model: "Model",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: typing.Any,
) -> Picture:
    """A model as a `Picture`, whose `to_string()` is in the DOT language of graphviz.

    Args:
        model: a built model.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what each
            box says.
        rankdir: "TB" downwards, "LR" to the right, "BT", "RL".
        expand_nested: show the layers of nested models.
        dpi, splines: for graphviz.
        subgraph: as a part of another picture.

    Returns:
        a `Picture`, which `write` writes to a file.

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
    boxes = {}
    edges = {}
    _collect(model, (), options, boxes, edges)
    return Picture(list(boxes.values()), list(edges), rankdir, dpi, splines, model.name, subgraph)


class _Graph(typing.NamedTuple):
    """What a model consists of: layers, steps from one to another, those where it begins and
    ends.
    """

    layers: list
    steps: list
    inputs: list
    outputs: list


def _is_graph(layer: "Layer | Operation") -> bool:
    return hasattr(layer, "_all_layers") or graph_of(layer) is not None


def _graph(model: "Model") -> _Graph:
    """The graph of a model; a layer, or a model without one, is a graph of itself."""
    if hasattr(model, "_all_layers"):  # Sequential
        layers = model.layers
        return _Graph(layers, list(zip(layers, layers[1:])), layers[:1], layers[-1:])
    graph = graph_of(model)
    if graph is None:
        return _Graph([model], [], [model], [model])
    keys = {_key(operation) for operation in model.operations}
    steps = [
        (parent.operation, node.operation)
        for node in graph.nodes
        for parent in node.parent_nodes
        if {_key(node.operation), _key(parent.operation)} <= keys
    ]
    inputs = list(map(operation_of, model.inputs))
    outputs = list(map(operation_of, model.outputs))
    return _Graph(model.operations, steps, inputs, outputs)


def _key(layer: "Layer | Operation") -> str:
    return str(id(layer))


def _collect(
    model: "Model",
    group: tuple[str, ...],
    options: Options,
    boxes: dict[str, Box],
    edges: dict[tuple[str, str], None],
) -> tuple[list[str], list[str]]:
    """Adds a model's boxes and edges; returns the keys of its first and last boxes."""
    graph = _graph(model)
    starts = {}
    ends = {}
    for layer in graph.layers:
        key = _key(layer)
        if layer is not model and options.nested and _is_graph(layer):
            inner_group = (*group, layer.name)
            starts[key], ends[key] = _collect(layer, inner_group, options, boxes, edges)
        else:
            boxes.setdefault(key, _box(layer, key, group, options))
            starts[key] = ends[key] = [key]
    for a, b in graph.steps:
        for edge in itertools.product(ends[_key(a)], starts[_key(b)]):
            edges[edge] = None
    return _keys_of(graph.inputs, starts), _keys_of(graph.outputs, ends)


def _keys_of(layers: "list[Layer | Operation]", boxes: dict[str, list[str]]) -> list[str]:
    """The keys of the boxes that stand for layers."""
    return [key for layer in layers for key in boxes[_key(layer)]]


def _box(layer: "Layer | Operation", key: str, group: tuple[str, ...], options: Options) -> Box:
    title = type(layer).__name__
    if hasattr(layer, "op"):
        title = layer.op.class_name
    if options.names:
        title = f"{layer.name} ({title})"
    rows = []
    activation = getattr(layer, "activation", None)
    if options.activations and activation is not None:
        name = getattr(activation, "__name__", None) or getattr(activation, "name", activation)
        rows.append(f"Activation: {name}")
    rows += _rows_of_tensors(layer, options)
    if options.trainable and getattr(layer, "weights", None):
        rows.append("Trainable" if layer.trainable else "Non-trainable")
    return Box(key, title, rows, group)


def _rows_of_tensors(layer: "Layer | Operation", options: Options) -> list[str]:
    """What is said of a layer's inputs and outputs, as of its first call."""
    rows = []
    outputs = None
    nodes = vars(layer).get("_inbound_nodes")
    if nodes:
        outputs = nodes[0].outputs
        if options.shapes and not nodes[0].is_input:
            rows.append(f"Input shape: {_described(nodes[0].args, 'shape')}")
    if options.shapes:
        rows.append(f"Output shape: {_described(outputs, 'shape')}")
    if options.dtype:
        rows.append(f"Output dtype: {_described(outputs, 'dtype')}")
    return rows


def _described(structure: typing.Any, what: str) -> str:
    values = [str(getattr(v, what)) for v in tree.flatten(structure) if is_symbolic(v)]
    return ", ".join(values) or "?"


@public("keras.utils.plot_model")
def plot_model(
    model: "Model",
    to_file: str | bytes | str | os.PathLike = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: typing.Any,
) -> typing.Any:
    """Draws a model into a file, and shows it in a notebook.

    Where the `dot` program of graphviz is not installed, an SVG file is written instead, under the
    same name with the ending ".svg".

    Args:
        to_file: path of the file; its ending says in which form.
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi,
            show_layer_activations, show_trainable, splines: as for `model_to_dot`.

    Returns:
        An image that notebooks show, where IPython is installed; else None.

    Raises:
        ValueError: the model is not built.

    >>> import os, tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = plot_model(model, f"{folder}/model.svg", show_shapes=True)
    ...     os.listdir(folder)
    ['model.svg']
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
    asked = os.fsdecode(to_file)
    if not os.path.splitext(asked)[1]:
        asked = f"{asked}.png"
    written = picture.write(asked)
    if written != asked:
        console.say(
            f"graphviz is not installed, so the picture is in {written} instead of {asked}."
        )
    try:
        from IPython import display
    except ImportError:
        return None
    if written.endswith(".svg"):
        return display.SVG(filename=written)
    if not written.endswith((".png", ".jpg", ".jpeg", ".gif", ".webp")):
        return None  # notebooks show no others
    return display.Image(filename=written)
