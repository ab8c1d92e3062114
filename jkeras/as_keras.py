"""`import keras` gives jkeras: programs and libraries that were written for Keras run on it as they
are.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

from jkeras.as_keras_inside import leads_to_taken, taken_from
from jkeras.core.errors import explain
from jkeras.core.session.keras_version import followed_release

PRIVATE = (
    "The modules under keras.src are Keras's own code. Those that have a public namesake, as "
    "keras.src.layers has, give its public names; this one has none. Import the public name "
    "(`from keras import layers`); where that is another library's line, give what stands in for "
    "the module: `jkeras.install_as_keras(private={%r: ...})`."
)


class KerasDistribution(importlib.metadata.Distribution):
    """What `importlib.metadata.version("keras")` looks at."""

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: keras\nVersion: {followed_release()}\n"
        return None

    def locate_file(self, path: Any) -> NoReturn:
        raise FileNotFoundError(f"keras is played by jkeras here and has no file {path}")


class KerasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `keras` and its modules: the public ones of jkeras, and stand-ins for private ones,
    those given here and those that some libraries take names from.

    Args:
        private: dict from the name of a private module to what stands in for it.
    """

    def __init__(self) -> None:
        self.private = {}

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module of Keras; None for all other modules.

        Raises:
            ModuleNotFoundError: Keras has no such public module. None would let the next finder
                look for a file of that name in jkeras's folders, and load it a second time.
        """
        if name != "keras" and not name.startswith("keras."):
            return None
        if not self.lacks(name):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        reason = ""
        if name.startswith("keras.src"):
            reason = f" {PRIVATE % name}"
        raise ModuleNotFoundError(f"No module named {name!r}.{reason}", name=name)

    def lacks(self, name: str) -> bool:
        """Whether there is no such module."""
        is_there = name == "keras" or self.leads_to_private(name) or self.module(name)
        return not is_there and not taken_from(name)

    def leads_to_private(self, name: str) -> bool:
        """Whether a module is there only to hold ones that have a stand-in."""
        if any(private.startswith(f"{name}.") for private in self.private):
            return True
        return leads_to_taken(name)

    def module(self, name: str) -> Any:
        """What is bound to the full name of a module below `keras`; None if there is no such
        module.
        """
        if name in self.private:
            return self.private[name]
        module = sys.modules["jkeras"]
        for step in name.replace("keras.src", "keras", 1).split(".")[1:]:
            if step not in getattr(module, "__all__", ()):
                return None
            module = getattr(module, step)
        if isinstance(module, types.ModuleType):
            return module
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fills `keras` and what is private; puts jkeras's own module in the place of any other, as
        modules may.
        """
        name = module.__name__
        stand_in = self.module(name)
        if name == "keras":
            fill(module)
        elif name in self.private or not name.startswith("keras.src"):
            sys.modules[name] = stand_in
        else:  # no module of jkeras: what stands in becomes attributes of it
            vars(module).update(public_names(stand_in), __getattr__=further_in(self, name))

    def find_distributions(self, context: Any) -> list[KerasDistribution]:
        """The distribution "keras", as `importlib.metadata` asks for it."""
        if context.name == "keras":
            return [KerasDistribution()]
        return []


def fill(module: types.ModuleType) -> None:
    """Gives the module `keras` the public names of jkeras, and the version of Keras."""
    package = sys.modules["jkeras"]
    public = {name: getattr(package, name) for name in package.__all__}
    vars(module).update(
        public,
        version=followed_release,
        __all__=list(public),
        __doc__=package.__doc__,
        __getattr__=further,
    )


def further(name: str) -> Any:
    """What `keras` has without an import of it, as Keras does: its private modules, and the version
    that is followed.
    """
    if name == "src":
        return importlib.import_module("keras.src")
    if name == "__version__":  # what libraries compare
        return followed_release()
    raise AttributeError(f"module 'keras' has no attribute {name!r}")


def further_in(finder: KerasFinder, module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a private module: what libraries take from it, each as soon as it is
    imported, and its modules without an import of them.
    """

    def further(name: str) -> Any:
        names = taken_from(module)
        if name in names:
            return names[name]
        inner = f"{module}.{name}"
        if name.startswith("__") or finder.lacks(inner):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return importlib.import_module(inner)

    return further


def public_names(module: Any) -> dict[str, Any]:
    """The public names of a module of jkeras, without modules: these are imported by their name."""
    unlisted = [name for name in dir(module) if not name.startswith("_")]
    public = {name: getattr(module, name) for name in getattr(module, "__all__", unlisted)}
    return {name: v for name, v in public.items() if not isinstance(v, types.ModuleType)}


def install_as_keras(private: dict[str, Any] | None = None, keras2: bool = False) -> None:
    """Makes `import keras` give jkeras from now on in this process, so that a library written for
    Keras 3 runs on it.

    `keras.layers`, `keras.ops` and all other public modules are then jkeras's, the same objects;
    `keras.__version__` is the version of Keras whose names these are, "3.15.1". Of Keras's private
    modules those are there that have a public namesake, `keras.src.layers` say, with its names. A
    second call changes nothing but may add to `private`. `python -m jkeras run script.py` does this
    for a program whose source you leave alone.

    Args:
        private: dict from the name of another module under `keras.src` that some library imports,
            though it is private, to what stands in for it: a module, or anything that has the
            attributes asked for.
        keras2: play Keras 2 instead, for programs that Keras 3 refuses: old names, arguments and
            modules, the functions of the old backend, and `tensorflow.keras` on a stand-in for
            TensorFlow. One warning at the end says what was translated.
    Raises:
        ImportError: Keras itself has been imported already: half of the process would hold its
            classes.

    Example:
        import jkeras

        jkeras.install_as_keras()
        import keras  # this is jkeras, as in every library that is imported from here on
    """
    finder = next((f for f in sys.meta_path if isinstance(f, KerasFinder)), None)
    if finder is None:
        _check_not_loaded("keras")
    if keras2:
        _install_keras2(private)
        return
    if finder is None:
        finder = KerasFinder()
        sys.meta_path.insert(0, finder)
    finder.private.update(private or {})
    for name in private or ():
        # so that `keras.src.utils` is there for who only says `import keras`
        importlib.import_module(name)


def _install_keras2(private: dict[str, Any] | None) -> None:
    """`import keras` and `import tensorflow` give Keras 2 as jkeras plays it."""
    if private:
        raise ValueError(
            explain(
                "install_as_keras", "no `private` modules of Keras 3 together with keras2", private
            )
        )
    _check_not_loaded("tensorflow")
    # by its name: it is a program on top of jkeras, of which nothing here knows more
    importlib.import_module("jkeras.keras2.install").install()


def _check_not_loaded(name: str) -> None:
    """Raises where a library of that name has been imported already, and is not jkeras's."""
    module = sys.modules.get(name)
    is_ours = type(getattr(getattr(module, "__spec__", None), "loader", None)).__module__
    if module is None or is_ours.startswith("jkeras."):
        return
    raise ImportError(
        explain(
            "install_as_keras",
            f"to run before the first import of {name}",
            f"a process that has loaded it from {getattr(module, '__file__', None)}",
            "make it the first lines of the program, or run it with `python -m jkeras run`",
        )
    )
