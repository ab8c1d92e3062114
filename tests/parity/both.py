"""Both libraries side by side: the same thing made by each, and what they give compared."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np

import jkeras
from tests.parity.case import Part

LIBRARIES = (jkeras, keras)
TOLERANCE = dict(rtol=2e-5, atol=2e-6)
GRADIENTS = dict(rtol=1e-4, atol=1e-5)
BFLOAT16 = dict(rtol=2e-2, atol=2e-2)


def find(library, path):
    """`find(keras, "losses.Huber")`."""
    for name in path.split("."):
        library = getattr(library, name)
    return library


def clear():
    """Automatic names start again in both, and both draw the same default seeds."""
    for library in LIBRARIES:
        library.utils.clear_session(free_memory=False)
        library.utils.set_random_seed(7)


def make(library, value):
    """A value of a table for one library: `Part`s become layers."""
    if isinstance(value, Part):
        return getattr(library.layers, value.layer)(
            **{k: make(library, v) for k, v in value.kwargs.items()}
        )
    if isinstance(value, list):
        return [make(library, v) for v in value]
    return value


def plain(value):
    """A config as JSON text, without the difference of the libraries' names."""

    def default(x):
        return x.tolist() if hasattr(x, "tolist") else str(x)

    return json.dumps(value, sort_keys=True, default=default).replace("jkeras", "keras")


def is_float(x):
    """Whether x is an array of floats."""
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)


def fill(weights, seed=0):
    """New values for a list of weights, of their shapes and dtypes; positive, since some are
    variances.
    """
    rng = np.random.default_rng(seed)
    return [
        (0.2 + rng.random(w.shape)).astype(w.dtype) * 0.5 if is_float(w) else w for w in weights
    ]


def table(thing):
    """Name, shape, dtype and trainability of each weight, in order."""
    trainable = {id(w) for w in thing.trainable_weights}
    return [(w.name, tuple(w.shape), str(w.dtype), id(w) in trainable) for w in thing.weights]


def numbers(x):
    """An array as numpy; half precision as float32."""
    if hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    x = np.asarray(x.value if hasattr(x, "assign") else x)
    return x.astype("float32") if x.dtype in (jnp.bfloat16, np.float16) else x


def agree(mine, theirs, what="", rtol=2e-5, atol=2e-6, dtypes=True):
    """Asserts that two structures of arrays have the same form, shapes, dtypes and, nearly,
    numbers.
    """
    a, b = jax.tree_util.tree_leaves(mine), jax.tree_util.tree_leaves(theirs)
    assert len(a) == len(b), f"{what}: {len(a)} arrays, Keras gives {len(b)}"
    for i, (x, y) in enumerate(zip(a, b)):
        where = f"{what} [{i}]"
        if dtypes and hasattr(x, "dtype") and hasattr(y, "dtype"):
            assert str(x.dtype) == str(y.dtype), f"{where}: dtype {x.dtype}, Keras gives {y.dtype}"
        x, y = numbers(x), numbers(y)
        assert x.shape == y.shape, f"{where}: shape {x.shape}, Keras gives {y.shape}"
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=where)


def weighted_sum(outputs):
    """A scalar of all float outputs in which every element has another weight."""
    return sum(
        (
            jnp.sum(
                y.astype("float32") * jnp.cos(jnp.arange(y.size, dtype="float32").reshape(y.shape))
            )
            for y in jax.tree_util.tree_leaves(outputs)
            if is_float(y)
        ),
        jnp.zeros(()),
    )
