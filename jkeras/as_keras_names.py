"""The private modules of Keras, and what jkeras has under each name in them."""

import difflib
import functools
import importlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from jkeras.as_keras_inside import EQUIVALENT
from jkeras.core.errors import explain

ROOT = "keras.src"
TABLE = Path(__file__).with_name("keras_src.txt")
# private functions of Keras 2 that Keras 3 keeps for `tf.keras`, by the module of `tf.keras`
LEGACY = {
    "keras.src.legacy.backend": "backend",
    "keras.src.legacy.layers": "layers",
    "keras.src.legacy.losses": "losses",
    "keras.src.legacy.preprocessing.image": "preprocessing.image",
    "keras.src.legacy.preprocessing.sequence": "preprocessing.sequence",
    "keras.src.legacy.preprocessing.text": "preprocessing.text",
}


@functools.cache
def private_modules() -> Mapping[str, Mapping[str, str]]:
    """By the full name of a private module of Keras 3.15: {name in it: where it is found}.

    What is found is "=layers.Dense" for a public name, ">ops.operation" for another place under
    `keras.src`, "" for what is private to the module. `keras_src.txt` has them.
    """
    modules: dict[str, dict[str, str]] = {}
    here: dict[str, str] = {}
    for line in TABLE.read_text().splitlines():
        if line.startswith("keras.src"):
            here = modules[line] = {}
        elif line.startswith(" "):
            here.update(map(_entry, line.split()))
    return modules


def _entry(text: str) -> tuple[str, str]:
    """(name, where it is found) of one entry of the table."""
    for sign in "=>":
        name, found, path = text.partition(sign)
        if found:
            rest = path.endswith(".") * name
            return name, f"{sign}{path}{rest}"
    return text, ""


def find(module: str, name: str) -> Any:
    """What jkeras has for a name in a private module of Keras; where it has nothing, an object that
    says so when it is used, so that a library which only imports the name can be imported.

    Raises:
        AttributeError: Keras has no such name either.

    >>> find("keras.src.layers.core.dense", "Dense").__module__
    'jkeras.layers.dense'
    """
    place = private_modules()[module].get(name)
    if place is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if place.startswith("="):
        value = _public(place[1:])
        if value is not None:
            return value
    if place.startswith(">"):
        return _elsewhere(f"{ROOT}.{place[1:]}")
    equivalent = EQUIVALENT.get(f"{module}.{name}")
    if equivalent is not None:
        return _object(equivalent)
    if module in LEGACY:
        legacy = importlib.import_module("jkeras.keras2.legacy")
        names = legacy.names_of(LEGACY[module])
        if name in names:
            return names[name]
    return lacking(f"{module}.{name}")


def _public(path: str) -> Any:
    """What jkeras has under a public path; None: nothing."""
    *modules, name = path.split(".")
    here = sys.modules["jkeras"]
    for step in modules:
        here = getattr(here, step, None)
    return getattr(here, name, None)


def _elsewhere(path: str) -> Any:
    """What stands in another place under keras.src: a module, or a name in one."""
    if path in private_modules():
        return importlib.import_module(path)
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _object(place: str) -> Any:
    """The object at "jkeras.module:name"."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


class Lacking(type):
    """The class of what jkeras lacks: it can be imported, named in an annotation and asked for by
    `isinstance`, of which nothing is an instance; any other use says what it is.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(_missing(cls))

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("_"):  # what Python and libraries look for in any class
            raise AttributeError(name)
        raise NotImplementedError(f"{_missing(cls)} Asked for: .{name}")

    def __instancecheck__(cls, instance: Any) -> bool:
        return False

    def __subclasscheck__(cls, subclass: Any) -> bool:
        return subclass is cls

    def __repr__(cls) -> str:
        return f"<{cls.__qualname__} of Keras, which jkeras does not have>"


# what operators, conversions and statements ask of a value; `|` stays, for annotations
USES = (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul "
    "rmatmul and rand xor rxor lshift rshift lt le gt ge neg pos abs invert bool int float complex "
    "index fspath len iter next contains getitem setitem delitem enter exit"
).split()


def _use(cls: Lacking, *operands: Any) -> NoReturn:
    """Any of these uses."""
    raise NotImplementedError(_missing(cls))


for name in USES:
    setattr(Lacking, f"__{name}__", _use)


def lacking(path: str) -> Lacking:
    """Stands for a private name of Keras that jkeras has nothing for.

    >>> lacking("keras.src.ops.numpy.Add")
    <keras.src.ops.numpy.Add of Keras, which jkeras does not have>
    """

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(_missing(stands_for))

    name = path.rpartition(".")[2]
    body = {"__qualname__": path, "__init_subclass__": classmethod(__init_subclass__)}
    stands_for = Lacking(name, (), body)
    return stands_for


def _missing(cls: type) -> str:
    """What is said when something lacking is used."""
    module, _, name = cls.__qualname__.rpartition(".")
    public = difflib.get_close_matches(name, dir(sys.modules["jkeras"].layers), 1, 0.9)
    near = ", ".join(f"keras.layers.{name}" for name in public) or "the public modules of Keras"
    return explain(
        cls.__qualname__,
        "a name that jkeras has too; this one is private to Keras",
        f"a use of {name}",
        f"take {near}, or say what stands in for the module: "
        f'jkeras.install_as_keras(private={{"{module}": ...}})',
    )


def names_in(module: str, namesake: types.ModuleType | None) -> list[str]:
    """The names of a private module, with those of its public namesake in jkeras."""
    return sorted({*private_modules().get(module, ()), *getattr(namesake, "__all__", ())})
