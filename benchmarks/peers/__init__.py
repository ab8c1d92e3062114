"""How each peer does the works, written as its users write it.

A peer's file has `fit(work, x, y)`, a model ready to train as a function `run() -> {"loss":,
"accuracy":}`; that trains it for the work's epochs, shuffled, and gives the means over the last
one. `predict(work)` is a new model as a function from rows to their outputs, numpy to numpy.
"""

import collections
import functools
import importlib
import importlib.util

Peer = collections.namedtuple("Peer", "fit predict")

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


def load(name):
    """The functions of a peer."""
    module = importlib.import_module(f"benchmarks.peers.{FILES[name][0]}")
    if name in ("jkeras", "keras"):  # the code is the same
        library = importlib.import_module(name)
        return Peer(
            functools.partial(module.fit, library), functools.partial(module.predict, library)
        )
    return Peer(module.fit, module.predict)
