"""`import keras` and `import tensorflow` give Keras 2 as jkeras plays it."""

import atexit
import importlib.abc
import importlib.machinery
import sys

from jkeras.keras2 import beside_tensorflow, layer_attributes, namespace
from jkeras.keras2.notes import Notes

ROOTS = ("keras", "tensorflow")
OLD_KERAS = "tensorflow.python.keras"


class Keras2Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of Keras 2 and of the stand-in for TensorFlow.

    Attributes:
        notes: what was translated so far.
        tensorflow: the spec of TensorFlow itself, where it is installed.
    """

    def __init__(self):
        self.notes = Notes()
        self.modules = namespace.modules(self.notes)
        self.tensorflow = beside_tensorflow.find_tensorflow()
        if self.tensorflow is not None:
            self._put_beside_tensorflow()

    def _put_beside_tensorflow(self):
        """Leaves TensorFlow its own modules, but for `tf.keras` and the root, which has both."""
        self.modules = {
            name: module
            for name, module in self.modules.items()
            if is_keras(name) or name == "tensorflow"
        }
        stand_in = self.modules["tensorflow"]
        self.modules["tensorflow"] = beside_tensorflow.Beside("tensorflow", stand_in)

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of Keras or TensorFlow; None for all other modules.

        Raises:
            ModuleNotFoundError: neither Keras 2 nor the stand-in has such a module.
        """
        if name.partition(".")[0] not in ROOTS:
            return None
        is_theirs = not is_keras(name) or self.is_loading(name)
        if self.tensorflow is not None and is_theirs and name != "tensorflow":
            return None
        if name not in self.modules:
            raise ModuleNotFoundError(
                f"No module named {name!r} in Keras 2 as jkeras plays it (keras2=True).", name=name
            )
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def is_loading(self, name):
        """Whether TensorFlow itself asks for a module of the old Keras that it has."""
        module = self.modules["tensorflow"]
        return name.startswith(OLD_KERAS) and not hasattr(module, "__wrapped__")

    def create_module(self, spec):
        """The module, which is made already."""
        return self.modules[spec.name]

    def exec_module(self, module):
        """Loads TensorFlow, where it is installed; all other modules are filled."""
        if isinstance(module, beside_tensorflow.Beside):
            beside_tensorflow.load(module, self.tensorflow)
            # what it has of an old Keras itself it has taken by now; programs mean ours
            old = {name: m for name, m in self.modules.items() if name.startswith(OLD_KERAS)}
            sys.modules.update(old)


def is_keras(name):
    """Whether a module is one of Keras, by whichever name."""
    return f"{name}.".startswith(("keras.", "tensorflow.keras.", f"{OLD_KERAS}."))


def install():
    """Puts the finder in front of all others, once; returns it."""
    finder = next((f for f in sys.meta_path if isinstance(f, Keras2Finder)), None)
    if finder is None:
        finder = Keras2Finder()
        layer_attributes.install()
        sys.meta_path.insert(0, finder)
        atexit.register(finder.notes.warn)
    return finder
