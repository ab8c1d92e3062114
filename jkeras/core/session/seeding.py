"""What `set_random_seed` does to other libraries, so that their orders and draws are what they are
under Keras: also to those that a program imports later.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from jkeras.core.session.host_random import untouched
from jkeras.core.system.loaded import loaded_tensorflow


def import_what_draws() -> None:
    """Imports what draws from Python's `random` when it is imported, and moves nothing. Keras does
    so when it is imported itself; scikit-learn and others may do so later.

    >>> import random
    >>> before = random.getstate()
    >>> import_what_draws()
    >>> random.getstate() == before
    True
    """
    with contextlib.suppress(ImportError), untouched():
        importlib.import_module("rich.style")


def seed_tensorflow(seed_now: Callable[[], int | None]) -> None:
    """Seeds TensorFlow, whose data sets have orders: here if it is there, else as soon as it is.

    Args:
        seed_now: gives the seed that holds when TensorFlow is imported.
    """
    tensorflow = loaded_tensorflow()
    if tensorflow is not None:
        tensorflow.random.set_seed(seed_now())
    elif not any(isinstance(finder, TensorFlowToCome) for finder in sys.meta_path):
        sys.meta_path.insert(0, TensorFlowToCome(seed_now))


class TensorFlowToCome(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as the other finders do, and seeds it at the end of its import. To import it
    for its seed, as Keras does, would take seconds in programs that have no use for it.
    """

    def __init__(self, seed_now: Callable[[], int | None]) -> None:
        self.seed_now = seed_now

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of TensorFlow; None for all other modules."""
        if name != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            self._seed_after(spec.loader)
        return spec

    def _seed_after(self, loader: importlib.abc.Loader) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if loaded_tensorflow() is not None:
                seed_tensorflow(self.seed_now)

        loader.exec_module = exec_module
