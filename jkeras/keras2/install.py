"""`import keras` and `import tensorflow` give Keras 2 as jkeras plays it."""

import atexit
import importlib.abc
import importlib.machinery
import sys

from jkeras.keras2 import layer_attributes, namespace
from jkeras.keras2.notes import Notes

ROOTS = ("keras", "tensorflow")


class Keras2Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of Keras 2 and of the stand-in for TensorFlow.

    Attributes:
        notes: what was translated so far.
    """

    def __init__(self):
        self.notes = Notes()
        self.modules = namespace.modules(self.notes)

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of Keras or TensorFlow; None for all other modules.

        Raises:
            ModuleNotFoundError: neither Keras 2 nor the stand-in has such a module.
        """
        if name.partition(".")[0] not in ROOTS:
            return None
        if name not in self.modules:
            raise ModuleNotFoundError(
                f"No module named {name!r} in Keras 2 as jkeras plays it (keras2=True).", name=name
            )
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        """The module, which is made already."""
        return self.modules[spec.name]

    def exec_module(self, module):
        """Nothing: the module is filled."""


def install():
    """Puts the finder in front of all others, once; returns it."""
    finder = next((f for f in sys.meta_path if isinstance(f, Keras2Finder)), None)
    if finder is None:
        finder = Keras2Finder()
        layer_attributes.install()
        sys.meta_path.insert(0, finder)
        atexit.register(finder.notes.warn)
    return finder
