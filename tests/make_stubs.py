"""Stubs beside the modules that give public names: `python -m tests.make_stubs` writes them.

Type checkers read source texts. What `exported(globals())` puts into `__all__` is not in the text,
nor are the arguments of ops that are made from tables. So `layers/__init__.pyi` says that
`Dense` is public and where it stands, and `ops/__init__.pyi` writes each function out. The
constructors of classes are not here: checkers read these from the fields
(`jkeras.core.names.typed`).
`tests/test_stubs.py` fails where a stub is not what this module would write.
"""

import ast
import builtins
import collections.abc
import inspect
import itertools
import pathlib
import re
import sys
import textwrap
import types

import jax

import jkeras
from jkeras.core.weights import types as types_of_all

HEAD = "# Written by `python -m tests.make_stubs`.\n"
PLAIN = (bool, int, float, str, type(None))  # defaults that a stub shows
NAME = re.compile(r"""'[^']*'|"[^"]*"|(?<![.\w])[A-Za-z_]\w*""")  # a text in a `Literal`, or a name
# aliases that have to be known again in objects: what ops, and functions made of ops, take
BY_ALIAS = {
    types_of_all.Operand: "TensorLike",
    types_of_all.Operand | None: "TensorLike | None",
}
BARE = re.compile(r"\b(tuple|list|dict|set|type|PathLike)\b(?!\[)")  # without what is inside
INSIDE = {
    "tuple": "Any, ...",
    "list": "Any",
    "dict": "Any, Any",
    "set": "Any",
    "type": "Any",
    "PathLike": "str",
}
# what annotations may name, and the line that imports it
IMPORTS = {
    **{
        name: f"from {types_of_all.__name__} import {name}" for name in types_of_all.__annotations__
    },
    "KerasTensor": "from jkeras.core.graph.keras_tensor import KerasTensor",
    "Functional": "from jkeras.models.functional import Functional",
    **{name: f"from typing import {name}" for name in ("Any", "Literal", "overload")},
    **{name: f"from collections.abc import {name}" for name in collections.abc.__all__},
    **{name: None for name in vars(builtins)},
    "jax": "import jax",
    "os": "import os",
    "np": "import numpy as np",
}
WIDTH = 100
# whose functions of arrays are ops, or are made of ops
OF_OPS = re.compile(r"jkeras\.(activations|layers|losses|metrics|ops(\.\w+)?)")


def namespaces(module=jkeras):
    """The public modules that need a stub."""
    is_listed = re.search(r"exported\(\s*globals\(\)", inspect.getsource(module))
    if is_listed or module is jkeras.ops.linalg:
        yield module
    for name in module.__all__:
        try:
            inner = getattr(module, name)
        except ImportError:  # what needs a library that is not here
            continue
        if isinstance(inner, types.ModuleType) and hasattr(inner, "__all__"):
            yield from namespaces(inner)


def names_in(text):
    """The names in an annotation, without those that stand behind a dot or in quotes.

    >>> sorted(names_in("jax.Array | Literal['same'] | None"))
    ['Literal', 'None', 'jax']
    """
    return {name for name in NAME.findall(text) if name[0] not in "'\""}


def annotation(hint):
    """A parameter's or a result's annotation as a stub has it; `Any` where it names what a stub
    does not import.

    >>> annotation(int | None), annotation("Axis | None"), annotation(inspect.Parameter.empty)
    ('int | None', 'Axis | None', 'Any')
    """
    if hint is inspect.Parameter.empty:
        return "Any"
    text = hint if isinstance(hint, str) else BY_ALIAS.get(hint, inspect.formatannotation(hint))
    text = text.replace(inspect.formatannotation(jax.Array), "jax.Array")
    text = BARE.sub(lambda match: f"{match[0]}[{INSIDE[match[0]]}]", text)
    return text if names_in(text) <= IMPORTS.keys() else "Any"


def symbolic(text):
    """An annotation of arrays as that of symbolic tensors.

    >>> symbolic("Sequence[TensorLike] | None"), symbolic("tuple[jax.Array, ...]"), symbolic("int")
    ('Sequence[KerasTensor] | None', 'tuple[KerasTensor, ...]', 'KerasTensor')
    """
    if text == "int":
        return "KerasTensor"  # the size of an array, the number of its axes
    return re.sub(r"TensorLike|jax\.Array", "KerasTensor", text)


def parameter(p, how):
    """One parameter in a stub.

    Args:
        how: from the text of its annotation to what stands in the stub.
    """
    text = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "") + p.name
    text += f": {how(annotation(p.annotation))}"
    if p.default is p.empty:
        return text
    is_plain = isinstance(p.default, PLAIN) and p.default == p.default  # not NaN
    return f"{text} = {repr(p.default) if is_plain else '...'}"


def line_of(name, signature, how, result):
    """A signature in a stub.

    Args:
        how: from a parameter's name to the function that writes its annotation.
        result: the text of what it returns.
    """
    parts, kinds = [], set()
    for p in signature.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not kinds & {p.KEYWORD_ONLY, p.VAR_POSITIONAL}:
            parts.append("*")
        if p.kind is not p.POSITIONAL_ONLY and p.POSITIONAL_ONLY in kinds and "/" not in parts:
            parts.append("/")
        parts.append(parameter(p, how(p.name)))
        kinds.add(p.kind)
    line = f"def {name}({', '.join(parts)}) -> {result}: ..."
    if len(line) <= WIDTH:
        return line
    inner = textwrap.indent("".join(f"{part},\n" for part in parts), "    ")
    return f"def {name}(\n{inner}) -> {result}: ..."


def written_out(name, function):
    """A function in a stub.

    >>> written_out("scale", lambda x, by=2, *, axis: 0)
    'def scale(x: Any, by: Any = 2, *, axis: Any) -> Any: ...'
    """
    signature = inspect.signature(function)
    result = annotation(signature.return_annotation)
    return line_of(name, signature, lambda name: str, result)


def tensors_of(signature):
    """The names of the parameters that are tensors and are required, or of which there may be
    many; of an op one of them at least is.
    """
    return [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and "TensorLike" in annotation(p.annotation)
    ]


def either(text):
    """An annotation of arrays as that of arrays and symbolic tensors."""
    return text.replace("TensorLike", "Operand")


def op_written_out(name, function):
    """An op in a stub: of symbolic tensors it gives such, where one of its tensors is one.

    >>> def scale(x: "TensorLike", by: float = 2) -> "jax.Array": ...
    >>> print(op_written_out("scale", scale))
    @overload
    def scale(x: KerasTensor, by: float = 2) -> KerasTensor: ...
    @overload
    def scale(x: TensorLike, by: float = 2) -> jax.Array: ...
    """
    signature = inspect.signature(function)
    result = annotation(signature.return_annotation)
    tensors = tensors_of(signature)
    if not tensors or symbolic(result) == result:
        return line_of(name, signature, lambda p: either, result)
    lines = []
    for number, symbol in enumerate(tensors):
        arrays = tensors[:number]  # which one before it is symbolic was asked for above
        how = {symbol: symbolic, **dict.fromkeys(arrays, str)}
        line = line_of(name, signature, lambda p, how=how: how.get(p, either), symbolic(result))
        lines.append(line)
    how = dict.fromkeys(tensors, str)
    lines.append(line_of(name, signature, lambda p: how.get(p, either), result))
    return "\n".join(f"@overload\n{line}" for line in lines)


def takes_symbols(module, function):
    """Whether a function gives symbolic tensors of such: an op, or one that is made of ops."""
    if hasattr(function, "op"):
        return True
    of_arrays = "jax.Array" in annotation(inspect.signature(function).return_annotation)
    return of_arrays and OF_OPS.fullmatch(module.__name__) is not None


def is_annotated(function):
    """Whether a function says the types of all its arguments and of its result."""
    signature = inspect.signature(function)
    hints = [p.annotation for p in signature.parameters.values()]
    return signature.empty not in (*hints, signature.return_annotation)


def is_in_text(function):
    """Whether a checker finds a function under its name where it stands, that is, whether it is not
    made from a row of a table.
    """
    return inspect.unwrap(function).__code__.co_name == function.__name__


def imported(module, own, name):
    """What imports a thing that has its `own` name in a module, for all who import it from here.

    >>> print(imported("os.path", "join", "join"))
    from os.path import join as join
    >>> print(imported("os.path", "join", "joined"))
    from os.path import join as _joined
    joined = _joined
    """
    if own == name:
        return f"from {module} import {own} as {name}"
    return f"from {module} import {own} as _{name}\n{name} = _{name}"


def entry(module, name):
    """What the stub of a module says of one of its names."""
    thing = getattr(module, name)
    if isinstance(thing, types.ModuleType):
        package, _, own = thing.__name__.rpartition(".")
        return imported(package, own, name)
    home = sys.modules.get(getattr(thing, "__module__", None))
    own = getattr(thing, "__name__", name)
    is_there = home is not module and getattr(home, own, None) is thing
    if inspect.isclass(thing) and is_there:
        return imported(home.__name__, own, name)
    if not inspect.isfunction(thing):
        return f"{name}: Any"
    is_op = takes_symbols(module, thing)
    if is_there and is_annotated(thing) and is_in_text(thing) and not is_op:
        return imported(home.__name__, own, name)
    for other in (jkeras.ops, jkeras.losses):  # written out once
        if other is not module and getattr(other, name, None) is thing:
            return imported(other.__name__, name, name)
    return op_written_out(name, thing) if is_op else written_out(name, thing)


def imports_of(definitions):
    """The lines that import what the annotations of a stub name.

    >>> imports_of(["def f(x: Sequence[Any]) -> jax.Array: ..."])
    ['from collections.abc import Sequence', 'from typing import Any', 'import jax']
    >>> imports_of(["Sequence = _Sequence", "x: Any"])
    ['from typing import Any']
    """
    names = [n for text in definitions for n in ast.walk(ast.parse(text)) if type(n) is ast.Name]
    read, own = ({n.id for n in names if type(n.ctx) is how} for how in (ast.Load, ast.Store))
    lines = sorted({IMPORTS.get(name) for name in read - own} - {None})
    by_module = itertools.groupby(lines, lambda line: line.rpartition(" ")[0])
    return [import_of(head, [line.split()[-1] for line in group]) for head, group in by_module]


def import_of(head, names):
    """The statement that begins with `head` and imports names.

    >>> import_of("from typing import", ["Any", "Literal"])
    'from typing import Any, Literal'
    """
    line = f"{head} {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{head} (", *(f"    {name}," for name in names), ")"])


def split_imports(text):
    """An entry's import, where it has one, and the rest."""
    if not text.startswith("from "):
        return [text]
    return text.split("\n")


def stub(module):
    """The text of a module's stub."""
    entries = [entry(module, name) for name in sorted(module.__all__)]
    lines = [line for one in entries for line in split_imports(one)]
    imports = [line for line in lines if line.startswith("from ")]
    others = [line for line in lines if not line.startswith("from ")]
    if module is jkeras:
        others.insert(0, "__version__: str")
    lines = [*imports_of(others), *sorted(imports), "", *others]
    return HEAD + "\n".join(lines).rstrip() + "\n"


def place(module):
    """The file of a module's stub."""
    return pathlib.Path(module.__file__).with_suffix(".pyi")


def main():
    """Writes all stubs."""
    for module in namespaces():
        place(module).write_text(stub(module))


if __name__ == "__main__":
    main()
