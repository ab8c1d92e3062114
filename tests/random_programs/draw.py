"""Draws random programs: layers by the rank of what they take, shapes asked of Keras."""

import inspect
from typing import Any

import keras
import numpy as np

from tests.random_programs import layers, training
from tests.random_programs.program import Call, Node, Program

POLICIES = [None] * 8 + ["mixed_bfloat16", "bfloat16", "float16", "mixed_float16"]
INVALID = 0.02  # share of the layers that Keras refuses and that stay, so that errors are compared


class Drawing:
    """The model that is being drawn: its nodes, and the symbolic tensors of Keras beside them."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.inputs: dict[str, Call] = {}
        self.nodes: list[Node] = []
        self.tensors: dict[str, Any] = {}
        self.layers: dict[str, Any] = {}

    def add_input(self, shape: tuple, dtype: str) -> str:
        """An input of the model."""
        name = f"x{len(self.inputs)}"
        given = {"shape": shape} | ({} if dtype == "float32" else {"dtype": dtype})
        self.inputs[name] = Call("Input", given | {"name": f"in_{name}"})
        self.tensors[name] = keras.Input(shape, dtype=dtype)
        return name

    def add(
        self, layer: Call | str, on: list[str], listed: bool = False, **more: Any
    ) -> str | None:
        """A node, where Keras takes it; its name."""
        name = f"h{len(self.nodes)}"
        try:
            self.tensors[name] = self._called(name, layer, on, listed, more)
        except Exception:  # whatever Keras says
            if self.rng.random() < INVALID:
                self.nodes.append(Node(name, layer, on, listed, more))
                raise Invalid from None
            return None
        trains = "training" in inspect.signature(self.layers[name].call).parameters
        self.nodes.append(Node(name, layer, on, listed, more, trains))
        return name

    def _called(self, name: str, layer: Call | str, on: list[str], listed: bool, more: dict) -> Any:
        if isinstance(layer, str):
            made = self.layers[layer]
        else:
            made = eval(layer.source(), {"keras": keras, "np": np})
        tensors = [self.tensors[each] for each in on]
        given = made(tensors, **more) if listed else made(*tensors, **more)
        if not hasattr(given, "shape") or 0 in given.shape:
            raise ValueError("one tensor with elements is wanted")
        self.layers[name] = made
        return given

    def shape(self, name: str) -> tuple:
        """Of what a node gives, without the batch."""
        return tuple(self.tensors[name].shape[1:])

    def is_int(self, name: str) -> bool:
        """Whether a node gives integers."""
        return "int" in str(self.tensors[name].dtype)


class Invalid(Exception):
    """A layer that Keras refuses was drawn: the program ends there."""


def program(seed: int) -> Program:
    """The program of a seed."""
    rng = np.random.default_rng(seed)
    drawing = Drawing(rng)
    policy = POLICIES[rng.integers(len(POLICIES))]
    before = [f"keras.config.set_dtype_policy({policy!r})"] if policy else []
    try:
        outputs = layers.network(drawing)
    except Invalid:
        last = drawing.nodes[-1].name
        inputs = drawing.inputs
        return Program(seed, before, inputs, [], drawing.nodes, [last], "functional", [])
    linear = len(drawing.inputs) == len(outputs) == 1
    form = "subclass" if linear and rng.random() < 0.2 else "functional"
    data, steps = training.drawn(drawing, outputs, form)
    return Program(seed, before, drawing.inputs, data, drawing.nodes, outputs, form, steps)
