"""Counts of what runs: jkeras's own calls for one forward pass, and the way from `fit` to the loss.

They are taken of the `jkeras` that Python imports.
"""

import itertools
import pathlib
import sys
import tempfile
import typing

import jax
import jax.numpy as jnp
import numpy as np

import jkeras

PACKAGE = pathlib.Path(jkeras.__file__).parent
WIDTH = 5


class Calls(typing.NamedTuple):
    """How often functions of jkeras are called, and in how many of its files they are."""

    calls: int
    files: int


def own_path(frame) -> str | None:
    """Where a frame's code lies below the package; None of code of others."""
    path = pathlib.Path(frame.f_code.co_filename)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else None


def own_calls(function) -> Calls:
    """The calls of Python functions as `sys.setprofile` reports them.

    Each resumption of a generator is one; so is a comprehension before Python 3.12.
    """
    paths = []

    def note(frame, event, _):
        if event == "call":
            paths.append(own_path(frame))

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    own = [path for path in paths if path is not None]
    return Calls(len(own), len(set(own)))


def dense():
    return jkeras.layers.Dense(3)


def three():
    """Layers of three kinds: one with an activation, one with state, one plain."""
    layers = [
        jkeras.layers.Dense(3, activation="relu"),
        jkeras.layers.BatchNormalization(),
        jkeras.layers.Dense(3),
    ]
    return jkeras.Sequential(layers)


# {what a row of the table says: (a layer, inputs)}
OF_APPLY = {
    "Dense": lambda: (dense(), (jnp.ones((2, WIDTH)),)),
    "Dense in bfloat16": lambda: (
        jkeras.layers.Dense(3, dtype="mixed_bfloat16"),
        (jnp.ones((2, WIDTH)),),
    ),
    "Dense with a penalty": lambda: (
        jkeras.layers.Dense(3, activity_regularizer="l2"),
        (jnp.ones((2, WIDTH)),),
    ),
    "Sequential, three layers": lambda: (three(), (jnp.ones((2, WIDTH)),)),
    "LayerNormalization": lambda: (
        jkeras.layers.LayerNormalization(),
        (jnp.ones((2, WIDTH)),),
    ),
    "Conv2D": lambda: (jkeras.layers.Conv2D(3, 2), (jnp.ones((2, 4, 4, 1)),)),
    "MultiHeadAttention": lambda: (
        jkeras.layers.MultiHeadAttention(2, 3),
        (jnp.ones((2, 4, WIDTH)), jnp.ones((2, 4, WIDTH))),
    ),
    "LSTM": lambda: (jkeras.layers.LSTM(3), (jnp.ones((2, 4, WIDTH)),)),
}


def calls_of_apply(layer, inputs) -> Calls:
    """Of the second `apply`, when nothing is left to be built."""
    params, state = layer.init(jax.random.key(0), *inputs)
    layer.apply(params, state, *inputs)
    return own_calls(lambda: layer.apply(params, state, *inputs))


def calls_of_object(layer) -> Calls:
    """Of the second `layer(x)`."""
    x = jnp.ones((2, WIDTH))
    layer(x)
    return own_calls(lambda: layer(x))


def calls_of_methods() -> dict[str, Calls]:
    """Of the second call of what users call, on a compiled model of three layers."""
    model = three()
    model.compile("sgd", "mse")
    x, y = np.ones((8, WIDTH), "float32"), np.ones((8, 3), "float32")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.keras"
        methods = {
            "fit": lambda: model.fit(x, y, batch_size=2, verbose=0),
            "predict": lambda: model.predict(x[:1], verbose=0),
            "save": lambda: model.save(path),
            "load_model": lambda: jkeras.saving.load_model(path),
        }
        return {name: _second(method) for name, method in methods.items()}


def _second(method) -> Calls:
    method()
    return own_calls(method)


# ---------------------------------------------------------------- from `fit` to the loss


class Way(typing.NamedTuple):
    """Frames of jkeras between `fit` and the loss, both counted.

    Attributes:
        frames: as "file function", down to the function that is differentiated.
        to_call: how many there are down to the call of the loss that the model is compiled with.
    """

    frames: list[str]
    to_call: int


def own_stack() -> list:
    """Frames of jkeras that are running, outermost first."""
    frame, frames = sys._getframe(1), []
    while frame is not None:
        if own_path(frame) is not None:
            frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def way_to_the_loss() -> Way:
    """Trains a tiny model with a loss and an activation that note what runs around them.

    The function that is differentiated is the innermost one that runs both: it calls the model,
    then the loss. What is traced before it looks at shapes alone.
    """
    stacks = {}

    def activation(x):
        stacks["forward"] = own_stack()
        return x

    def loss(y_true, y_pred):
        stacks["loss"] = own_stack()
        return jkeras.ops.mean((y_true - y_pred) ** 2, -1)

    model = jkeras.Sequential([jkeras.layers.Dense(1, activation=activation)])
    model.compile("sgd", loss)
    x = np.ones((8, WIDTH), "float32")
    model.fit(x, np.ones((8, 1), "float32"), batch_size=4, verbose=0)
    around = [id(frame) for frame in stacks["forward"]]
    frames = [frame for frame in stacks["loss"] if id(frame) in around]
    return Way(
        [f"{own_path(frame)} {frame.f_code.co_name}" for frame in frames], len(stacks["loss"])
    )


def returns_to(frames, places) -> int:
    """How often the way comes back to a file that it has left, whichever of its places it has."""
    files = [path for path, _ in itertools.groupby(frame.partition(" ")[0] for frame in frames)]
    return max(sum(map(files.count, places)) - 1, 0)
