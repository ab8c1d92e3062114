"""`import keras` gives jkeras: programs and libraries that were written for Keras run on it as they
are.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
import types
from typing import Any, NoReturn

from jkeras.as_keras_names import find, names_in, private_modules
from jkeras.core.errors import explain
from jkeras.core.session.keras_version import followed_release
from jkeras.core.session.seeding import import_what_draws

UNKNOWN = (
    "Keras 3.15 has no such private module. Where another library asks for it, give what stands in "
    "for it: `jkeras.install_as_keras(private={%r: ...})`."
)
# what TensorFlow takes `tf.keras` from, and its name there
TF_KERAS = ("keras._tf_keras.keras", "tensorflow.keras")
OF_TF_KERAS = (  # its modules that have more than those of `keras`
    *("", "backend", "layers", "losses", "metrics", "preprocessing", "preprocessing.image"),
    *("preprocessing.sequence", "preprocessing.text"),
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
    """Finds `keras` and its modules: the public ones of jkeras, those of `tf.keras`, and private
    ones, with what jkeras has under the names in them or what is given here.

    Attributes:
        private: dict from the name of a private module to what stands in for it.
    """

    def __init__(self) -> None:
        self.private: dict[str, Any] = {}

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module of Keras; None for all other modules.

        Raises:
            ModuleNotFoundError: Keras has no such module. None would let the next finder
                look for a file of that name in jkeras's folders, and load it a second time.
        """
        if not is_of(name, "keras") and not is_of(name, "tensorflow.keras"):
            return None
        if not self.lacks(name):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        reason = f" {UNKNOWN % name}" if is_of(name, "keras.src") else ""
        raise ModuleNotFoundError(f"No module named {name!r}.{reason}", name=name)

    def lacks(self, name: str) -> bool:
        """Whether there is no such module."""
        if name in ("keras", "keras._tf_keras") or self.leads_to_private(name):
            return False
        if self.module(name) is not None:
            return False
        if is_of(name, "keras.src"):
            return name not in private_modules()
        return in_tf_keras(name) not in OF_TF_KERAS

    def leads_to_private(self, name: str) -> bool:
        """Whether a module is there only to hold ones that have a stand-in."""
        return any(private.startswith(f"{name}.") for private in self.private)

    def module(self, name: str) -> Any:
        """What is bound to the full name of a module below `keras`; None if there is no such
        module.
        """
        if name in self.private:
            return self.private[name]
        inside = in_tf_keras(name)
        if inside is None:
            inside = name.replace("keras.src", "keras", 1).partition(".")[2]
        module = sys.modules["jkeras"]
        for step in filter(None, inside.split(".")):
            if step not in getattr(module, "__all__", ()):
                return None
            module = getattr(module, step)
        if isinstance(module, types.ModuleType):
            return module
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fills `keras`, `tf.keras` and what is private; puts jkeras's own module in the place of
        any other, as modules may.
        """
        name = module.__name__
        stand_in = self.module(name)
        inside = in_tf_keras(name)
        if name == "keras":
            fill(module)
        elif name in self.private:
            sys.modules[name] = stand_in
        elif is_of(name, "keras.src"):
            as_private(module, stand_in, self)
        elif inside in OF_TF_KERAS:
            as_tf_keras(module, inside, self)
        elif stand_in is not None:
            sys.modules[name] = stand_in

    def find_distributions(self, context: Any) -> list[KerasDistribution]:
        """The distribution "keras", as `importlib.metadata` asks for it."""
        if context.name == "keras":
            return [KerasDistribution()]
        return []


def is_of(name: str, package: str) -> bool:
    """Whether a module is a package or below it."""
    return name == package or name.startswith(f"{package}.")


def in_tf_keras(name: str) -> str | None:
    """What a module of `tf.keras` is called there; None for all others.

    >>> in_tf_keras("tensorflow.keras.layers"), in_tf_keras("keras.layers")
    ('layers', None)
    """
    for root in TF_KERAS:
        if is_of(name, root):
            return name.removeprefix(root).removeprefix(".")
    return None


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
    if name in ("src", "_tf_keras"):
        return importlib.import_module(f"keras.{name}")
    if name == "__version__":  # what libraries compare
        return followed_release()
    raise AttributeError(f"module 'keras' has no attribute {name!r}")


def as_private(
    module: types.ModuleType, namesake: types.ModuleType | None, finder: KerasFinder
) -> None:
    """Gives a private module its names, each looked up when it is asked for: another module, what
    `find` says of it, or what the public module of its name has.
    """
    path = module.__name__

    def further(name: str) -> Any:
        if name == "__all__":
            return [public for public in names_in(path, namesake) if not public.startswith("_")]
        if name.startswith("__"):
            raise AttributeError(f"module {path!r} has no attribute {name!r}")
        inner = f"{path}.{name}"
        known = private_modules()
        if inner in finder.private or finder.leads_to_private(inner):
            return importlib.import_module(inner)
        if name in known.get(path, ()):  # first: `backend.numpy` is that of JAX's backend
            return find(path, name)
        if inner in known:
            return importlib.import_module(inner)
        if namesake is None or name not in public_names(namesake):
            raise AttributeError(f"module {path!r} has no attribute {name!r}")
        return getattr(namesake, name)

    vars(module).update(__getattr__=further, __dir__=lambda: names_in(path, namesake))


def as_tf_keras(module: types.ModuleType, inside: str, finder: KerasFinder) -> None:
    """Fills a module of `tf.keras` that is another one than that of `keras`: it has what `keras`
    has, the same objects, and the names of Keras 2 that Keras 3 keeps there.
    """
    path = module.__name__
    today = finder.module(f"keras.{inside}") if inside else importlib.import_module("keras")

    def further(name: str) -> Any:
        if name == "__version__" and not inside:
            return followed_release()
        if name.startswith("__"):
            raise AttributeError(f"module {path!r} has no attribute {name!r}")
        if not finder.lacks(f"{path}.{name}"):
            return importlib.import_module(f"{path}.{name}")
        if hasattr(today, name):
            return getattr(today, name)
        names = legacy_names(inside)
        if name not in names:
            raise AttributeError(f"module {path!r} has no attribute {name!r}")
        return names[name]

    names = getattr(today, "__all__", ()) or sorted(legacy_names(inside))
    vars(module).update(
        __getattr__=further,
        __all__=list(names),
        __dir__=lambda: sorted({*names, *legacy_names(inside)}),
    )


def legacy_names(inside: str) -> dict[str, Any]:
    """What a module of `tf.keras` has beyond that of `keras`, by name."""
    # by its name: it is a program on top of jkeras
    return importlib.import_module("jkeras.keras2.legacy").names_of(inside)


def public_names(module: Any) -> dict[str, Any]:
    """The public names of a module of jkeras, without modules: these are imported by their name."""
    unlisted = [name for name in dir(module) if not name.startswith("_")]
    public = {name: getattr(module, name) for name in getattr(module, "__all__", unlisted)}
    return {name: v for name, v in public.items() if not isinstance(v, types.ModuleType)}


def install_as_keras(private: dict[str, Any] | None = None, keras2: bool = False) -> None:
    """Makes `import keras` give jkeras from now on in this process, so that a library written for
    Keras 3 runs on it.

    `keras.layers`, `keras.ops` and all other public modules are then jkeras's, the same objects;
    `keras.__version__` is the version of Keras whose names these are, "3.15.1". Where TensorFlow is
    installed, `tf.keras` is jkeras too. Of Keras's private modules, `keras.src...`, all are there,
    with what jkeras has under their names; what it has not says so when it is used. A
    second call changes nothing but may add to `private`. `python -m jkeras run script.py` does this
    for a program whose source you leave alone.

    Args:
        private: dict from the name of a private module of Keras to what stands in for it: a module,
            or anything that has the attributes asked for.
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
        import_what_draws()
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
