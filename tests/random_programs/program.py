"""What a random program is: layers called on each other, and what is done with their model.

All of it is data, so that parts can be taken away, and `source` is the program as a user writes it.
"""

import copy
import dataclasses
from typing import Any


@dataclasses.dataclass
class Call:
    """A call of something of the library: `keras.layers.Dense(units=4)`.

    Attributes:
        name: within the library ("layers.Dense"), or of a method ("model.fit").
        given: the arguments by name; values are plain, texts of the program (`Text`), or calls.
        first: arguments without a name, in front.
    """

    name: str
    given: dict[str, Any] = dataclasses.field(default_factory=dict)
    first: tuple = ()

    def source(self) -> str:
        """The call as a program has it."""
        parts = [source_of(value) for value in self.first]
        parts += [f"{name}={source_of(value)}" for name, value in self.given.items()]
        owner = "" if self.name.startswith(("model.", "Own")) else "keras."
        return f"{owner}{self.name}({', '.join(parts)})"


@dataclasses.dataclass
class Text:
    """An expression of the program, as it stands there."""

    text: str


def source_of(value: Any) -> str:
    """A value as a program has it."""
    match value:
        case Call():
            return value.source()
        case Text():
            return value.text
        case list():
            return f"[{', '.join(map(source_of, value))}]"
        case dict():
            return f"{{{', '.join(f'{key!r}: {source_of(each)}' for key, each in value.items())}}}"
    return repr(value)


@dataclasses.dataclass
class Node:
    """A layer called on what others gave.

    Attributes:
        name: of what it gives.
        layer: that is made there, or the name of a node whose layer is called once more.
        on: names of what it takes.
        listed: whether it takes them as one list.
        more: further arguments of the call.
        trains: whether its `call` has the argument `training`.
    """

    name: str
    layer: Call | str
    on: list[str]
    listed: bool = False
    more: dict[str, Any] = dataclasses.field(default_factory=dict)
    trains: bool = False

    def lines(self) -> list[str]:
        """Those that make the layer, and call it."""
        on = f"[{', '.join(self.on)}]" if self.listed else ", ".join(self.on)
        more = "".join(f", {key}={source_of(value)}" for key, value in self.more.items())
        if isinstance(self.layer, str):
            return [f"{self.name} = {self.layer}_layer({on}{more})"]
        made = f"{self.name}_layer = {self.layer.source()}"
        return [made, f"{self.name} = {self.name}_layer({on}{more})"]


@dataclasses.dataclass
class Program:
    """A whole program.

    Attributes:
        seed: of the library and of the data.
        before: lines that come first (a policy).
        inputs: the inputs' names, and the calls of `keras.Input`.
        data: lines that make the arrays.
        nodes: the layers.
        outputs: names of what the model gives.
        form: "functional", or "subclass" of one input and one output.
        steps: what is done with the model, one after the other; lines of the program each.
    """

    seed: int
    before: list[str]
    inputs: dict[str, Call]
    data: list[str]
    nodes: list[Node]
    outputs: list[str]
    form: str
    steps: list[list[Any]]

    def sections(self) -> list[str]:
        """The program in parts, at whose ends it is compared."""
        head = [f"keras.utils.set_random_seed({self.seed})", *self.before, *self.data]
        steps = ["\n".join(source_of(each) for each in step) for step in self.steps]
        return ["\n".join(head), "\n".join(self.model()), *steps]

    def model(self) -> list[str]:
        """The lines that make the model."""
        if self.form == "subclass":
            return self._subclass()
        lines = [f"{name} = {call.source()}" for name, call in self.inputs.items()]
        for node in self.nodes:
            lines += node.lines()
        inputs, outputs = list(self.inputs), self.outputs
        given = inputs[0] if len(inputs) == 1 else f"[{', '.join(inputs)}]"
        gives = outputs[0] if len(outputs) == 1 else f"[{', '.join(outputs)}]"
        return [*lines, f"model = keras.Model({given}, {gives})"]

    def _subclass(self) -> list[str]:
        made, called = [], []
        for node in self.nodes:
            *layer, call = node.lines()
            made += [f"self.{line}" for line in layer]
            name, _, value = call.partition(" = ")
            value = value[:-1] + ", training=training)" if node.trains else value
            called.append(f"{name} = self.{value}")
        (given,), (gives,) = self.inputs, self.outputs
        lines = ["class Own(keras.Model):", "    def __init__(self):", "        super().__init__()"]
        lines += [f"        {line}" for line in made]
        lines += [f"    def call(self, {given}, training=None):"]
        lines += [f"        {line}" for line in called]
        return [*lines, f"        return {gives}", "model = Own()"]

    def source(self) -> str:
        """The program."""
        head = "import keras\nimport numpy as np\n\n"
        return head + "\n".join(self.sections()) + "\n"

    def copy(self) -> "Program":
        """Another one, to take parts away from."""
        return copy.deepcopy(self)
