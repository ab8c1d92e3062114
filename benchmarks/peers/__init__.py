"""How each peer does the works, written as its users write it.

A peer's file has `fit(work, x, y)`, a model ready to train as a function `run() -> {"loss":,
"accuracy":}`; that trains it for the work's epochs, shuffled, and gives the means over the last
one. `predict(work)` is a new model as a function from rows to their outputs, numpy to numpy.
Keras and jkeras also have `eager(work)`, calls outside of jit as a function; `build(work)`, a new
model; and `draw(model)`, which waits for its weights.
"""

import functools
import importlib
import importlib.util

# peer: (its file, the packages it needs)
FILES = {
    "jkeras": ("keras_", ["jkeras"]),
    "keras": ("keras_", ["keras"]),
    "jitted": ("jitted", ["optax"]),
    "scanned": ("scanned", ["optax"]),
    "nnx": ("nnx", ["flax", "optax"]),
    "equinox": ("equinox_", ["equinox"]),
    "torch": ("torch_", ["torch"]),
}


def installed():
    """The names of the peers that can run here."""
    return [
        name
        for name, (_, needs) in FILES.items()
        if all(importlib.util.find_spec(n) for n in needs)
    ]


class Bound:
    """A module's functions, each given the library that it is to use."""

    def __init__(self, module, library):
        self.module, self.library = module, library

    def __getattr__(self, name):
        return functools.partial(getattr(self.module, name), self.library)


def load(name):
    """The functions of a peer."""
    module = importlib.import_module(f"benchmarks.peers.{FILES[name][0]}")
    # Of Keras and jkeras the code is the same
    return Bound(module, importlib.import_module(name)) if name in ("jkeras", "keras") else module
