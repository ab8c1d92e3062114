"""The table of Keras's private modules, `jkeras/keras_src.txt`: `python -m tests.make_keras_names`.

It holds names only: the modules under `keras.src` of the Keras that is installed, what can be
imported from each, and under which public name the same object is found.
"""

import ast
import importlib
import importlib.util
import inspect
import os
import pathlib
import sys
import textwrap
import types

os.environ["KERAS_BACKEND"] = "jax"

TABLE = pathlib.Path(__file__).parent.parent / "jkeras" / "keras_src.txt"
HEAD = """\
# Written by `python -m tests.make_keras_names` from Keras {version} on JAX: names alone.
# After a module's name come those in it: `name=public.path` where Keras gives the same object
# publicly, `name>place` where it stands in another module of keras.src (a module, or a name in
# one), and a bare name where it is private to this module. A path that ends in a dot ends in the
# name.
"""
# what each module of the backend is in public: its functions take the same arguments there
FUNCTIONS = {"nn": "ops.nn", "linalg": "ops.linalg", "image": "ops.image", "random": "random"}


def root() -> pathlib.Path:
    """The folder of Keras."""
    return pathlib.Path(importlib.util.find_spec("keras").origin).parent


def module_names() -> list[str]:
    """The modules of keras.src that are no tests, without "keras.src."; "" is keras.src."""
    paths = sorted((root() / "src").rglob("*.py"))
    names = [
        path.relative_to(root() / "src").with_suffix("").parts
        for path in paths
        if not path.stem.endswith("_test")
    ]
    return sorted(".".join(name for name in parts if name != "__init__") for parts in names)


def public_paths() -> dict[int, str]:
    """{id of an object: its public path}, the shortest one."""
    import keras

    found, waiting = {}, [(keras, "")]
    while waiting:
        module, at = waiting.pop(0)
        for name, value in sorted(vars(module).items()):
            path = f"{at}{name}"
            if isinstance(value, types.ModuleType):
                is_public = value.__name__ == f"keras.{path}"
                if is_public and not name.startswith("_") and name != "src":
                    waiting.append((value, f"{path}."))
            elif not name.startswith("_") and (inspect.isclass(value) or callable(value)):
                found.setdefault(id(value), path)
    return found


def entry(module: str, name: str, value: object, public: dict[int, str], own: dict) -> str | None:
    """The entry of one name of a module; None: it comes from outside of Keras.

    Args:
        module: its name, without "keras.src.".
        own: what its source binds, as `names_in_source` gives it.
    """
    if isinstance(value, types.ModuleType):
        inside = value.__name__.removeprefix("keras.src.")
        return f"{name}>{shortened(inside, name)}" if inside != value.__name__ else None
    is_named = inspect.isclass(value) or inspect.isfunction(value)
    if id(value) in public and is_named:
        return f"{name}={shortened(public[id(value)], name)}"
    if not is_named:
        return f"{name}{own[name]}" if name in own else of_star(name, value, own)
    home = getattr(value, "__module__", None) or ""
    if not home.startswith("keras."):
        return None
    namesake = of_backend(name, value)
    if namesake is not None:
        return f"{name}={shortened(namesake, name)}"
    stands_in = getattr(sys.modules.get(home), value.__name__, None)
    if home.startswith("keras.src.") and stands_in is value and home != f"keras.src.{module}":
        inside = f"{home.removeprefix('keras.src.')}.{value.__name__}"
        return f"{name}>{shortened(inside, name)}"
    return name


def shortened(path: str, name: str) -> str:
    """A path without its last part, where that is a name: "layers." for Dense."""
    return path.removesuffix(name) if path.endswith(f".{name}") else path


def of_star(name: str, value: object, own: dict) -> str | None:
    """The entry of what comes by `from module import *`."""
    for module in own["*"]:
        if getattr(sys.modules.get(f"keras.src.{module}"), name, None) is value:
            return f"{name}>{module}." if value is not None else None
    return None


def of_backend(name: str, value: object) -> str | None:
    """The public function that does what one of the backend does, with its arguments."""
    import keras

    if not value.__module__.startswith("keras.src.backend.jax.") or name.startswith("_"):
        return None
    where = FUNCTIONS.get(value.__module__.rpartition(".")[2], "ops")
    there = keras
    for part in where.split("."):
        there = getattr(there, part)
    public = getattr(there, name, None)
    if not inspect.isfunction(public) or not inspect.isfunction(value):
        return None
    taken = inspect.signature(public).parameters
    return f"{where}.{name}" if set(inspect.signature(value).parameters) <= set(taken) else None


def names_in_source(name: str) -> dict[str, str]:
    """What a module's source binds at its top level: {name: ">place" of what it imports, or ""}."""
    folder = root() / "src" / name.replace(".", "/")
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    bound = {"*": []}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.col_offset == 0:
            bound[node.name] = ""
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not node.col_offset:
            bound[node.id] = ""
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras.src."):
            inside = node.module.removeprefix("keras.src.")
            if node.names[0].name == "*":
                bound["*"].append(inside)
                continue
            bound |= {a.asname or a.name: f">{inside}.{a.name}" for a in node.names}
    return bound


def modules() -> dict[str, dict]:
    """{name of a module: its names and what they are}, without those that cannot be imported. Each
    is looked at before those below it are imported, which may take a name of its own.
    """
    found = {}
    for name in module_names():
        try:
            module = importlib.import_module(f"keras.src.{name}".rstrip("."))
        except ImportError:
            continue
        found[name] = {key: value for key, value in vars(module).items() if key[:2] != "__"}
    return found


def table() -> str:
    """The text of the table."""
    import keras

    found, public = modules(), public_paths()
    lines = [HEAD.format(version=keras.__version__)]
    for name in module_names():
        own = names_in_source(name)
        entries = [entry(name, *pair, public, own) for pair in sorted(found.get(name, {}).items())]
        if name not in found:  # of another backend: what its source binds
            entries = sorted(key + shortened(own[key], key) for key in own if key != "*")
        text = " ".join(filter(None, entries))
        options = {"break_long_words": False, "break_on_hyphens": False}
        lines.append(f"keras.src.{name}".rstrip("."))
        lines += textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="  ", **options)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table())
