"""The public names of jkeras with their arguments: `python -m tests.policy.public_names` records
them in public_names.txt, once for each release.

A line has a name and its arguments: `units activation=None *args dtype= **kwargs`. A default that
is no plain value is left out behind the `=`; what follows a lone `*` is given by name.
"""

import inspect
import pathlib
import types
from collections.abc import Iterator

import jkeras

TABLE = pathlib.Path(__file__).parent / "public_names.txt"
PLAIN = (bool, int, float, str, type(None))
NAMED = inspect.Parameter.KEYWORD_ONLY
MARKS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def public() -> Iterator[tuple[str, object]]:
    """(name, what it is) of all below `jkeras`, and of the methods that a class has itself."""
    yield from _below(jkeras, "jkeras", set())


def _below(module: types.ModuleType, path: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    seen.add(id(module))
    for name in sorted(getattr(module, "__all__", ())):
        try:
            value = getattr(module, name)
        except ImportError:  # what needs a library that is not here
            continue
        if not isinstance(value, types.ModuleType):
            yield f"{path}.{name}", value
            yield from _methods(value, f"{path}.{name}")
        elif id(value) not in seen:
            yield from _below(value, f"{path}.{name}", seen)


def _methods(value: object, path: str) -> Iterator[tuple[str, object]]:
    if not inspect.isclass(value) or not value.__module__.startswith("jkeras"):
        return
    for name, method in sorted(vars(value).items()):
        function = getattr(method, "__func__", method)
        if not name.startswith("_") and inspect.isfunction(function):
            yield f"{path}.{name}", function


def arguments(value: object) -> str | None:
    """The arguments of what can be called; None: it is a value, or does not say."""
    if not callable(value):
        return None
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    words = []
    for each in parameters:
        if each.kind is NAMED and not {"*", *MARKS.values()} & {word[:1] for word in words}:
            words.append("*")
        words.append(_word(each))
    return " ".join(words)


def _word(parameter: inspect.Parameter) -> str:
    mark = MARKS.get(parameter.kind, "")
    if mark or parameter.default is parameter.empty:
        return f"{mark}{parameter.name}"
    default = parameter.default
    shown = repr(default).replace(" ", "\\u20") if isinstance(default, PLAIN) else ""
    return f"{parameter.name}={shown}"


def lines() -> Iterator[str]:
    """Of the table."""
    for name, value in public():
        found = arguments(value)
        yield name if found is None else f"{name} ({found})"


def recorded() -> dict[str, str | None]:
    """{name: its arguments} of the last release."""
    found = {}
    for line in TABLE.read_text().splitlines():
        name, is_called, words = line.partition(" (")
        found[name] = words.removesuffix(")") if is_called else None
    return found


if __name__ == "__main__":
    TABLE.write_text("".join(f"{line}\n" for line in sorted(set(lines()))))
