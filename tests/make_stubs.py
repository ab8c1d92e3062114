"""Stubs beside the modules that give public names: `python -m tests.make_stubs` writes them.

Type checkers read source texts. What `exported(globals())` puts into `__all__` is not in the text,
nor are the arguments of ops that are made from tables. So `layers/__init__.pyi` says that
`Dense` is public and where it stands, and `ops/__init__.pyi` writes each function out. The
constructors of classes are not here: checkers read these from the fields
(`jkeras.core.names.typed`).
`tests/test_stubs.py` fails where a stub is not what this module would write.
"""

import inspect
import pathlib
import re
import sys
import textwrap
import types

import jkeras

HEAD = "# Written by `python -m tests.make_stubs`.\nfrom typing import Any\n"
PLAIN = (bool, int, float, str, type(None))  # defaults that a stub shows
# annotations that mean the same in every file
BUILTIN = re.compile(r"(?:str|int|float|bool|None|tuple|list|dict)(?: \| (?:\w+))*")
WIDTH = 100


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


def annotation(hint):
    """A parameter's annotation as a stub has it.

    >>> annotation(int | None), annotation(inspect.Parameter.empty)
    ('int | None', 'Any')
    """
    text = inspect.formatannotation(hint)
    return text if BUILTIN.fullmatch(text) else "Any"


def parameter(p):
    """One parameter in a stub."""
    text = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "") + p.name
    text += f": {annotation(p.annotation)}"
    if p.default is p.empty:
        return text
    is_plain = isinstance(p.default, PLAIN) and p.default == p.default  # not NaN
    return f"{text} = {repr(p.default) if is_plain else '...'}"


def written_out(name, function):
    """A function in a stub.

    >>> written_out("scale", lambda x, by=2, *, axis: 0)
    'def scale(x: Any, by: Any = 2, *, axis: Any) -> Any: ...'
    """
    parts, kinds = [], set()
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not kinds & {p.KEYWORD_ONLY, p.VAR_POSITIONAL}:
            parts.append("*")
        if p.kind is not p.POSITIONAL_ONLY and p.POSITIONAL_ONLY in kinds and "/" not in parts:
            parts.append("/")
        parts.append(parameter(p))
        kinds.add(p.kind)
    line = f"def {name}({', '.join(parts)}) -> Any: ..."
    if len(line) <= WIDTH:
        return line
    inner = textwrap.indent("".join(f"{part},\n" for part in parts), "    ")
    return f"def {name}(\n{inner}) -> Any: ..."


def is_annotated(function):
    """Whether a function says the types of all its arguments and of its result."""
    signature = inspect.signature(function)
    hints = [p.annotation for p in signature.parameters.values()]
    return signature.empty not in (*hints, signature.return_annotation)


def entry(module, name):
    """What the stub of a module says of one of its names."""
    thing = getattr(module, name)
    if isinstance(thing, types.ModuleType):
        package, _, own = thing.__name__.rpartition(".")
        return f"from {package} import {own} as {name}"
    home = sys.modules.get(getattr(thing, "__module__", None))
    own = getattr(thing, "__name__", name)
    is_there = home is not module and getattr(home, own, None) is thing
    if inspect.isclass(thing) and is_there:
        return f"from {home.__name__} import {own} as {name}"
    if not inspect.isfunction(thing):
        return f"{name}: Any"
    if is_there and is_annotated(thing) and not hasattr(thing, "op"):
        return f"from {home.__name__} import {own} as {name}"
    return written_out(name, thing)


def stub(module):
    """The text of a module's stub."""
    entries = [entry(module, name) for name in sorted(module.__all__)]
    imports = sorted(line for line in entries if line.startswith("from "))
    others = [line for line in entries if not line.startswith("from ")]
    version = ["__version__: str"] if module is jkeras else []
    return "\n".join([HEAD + "\n".join(imports), "", *version, *others]).rstrip() + "\n"


def place(module):
    """The file of a module's stub."""
    return pathlib.Path(module.__file__).with_suffix(".pyi")


def main():
    """Writes all stubs."""
    for module in namespaces():
        place(module).write_text(stub(module))


if __name__ == "__main__":
    main()
