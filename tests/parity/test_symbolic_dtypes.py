"""Shapes and dtypes of symbolic results, of every function of `ops` on each pair of dtypes.

Keras is the oracle where it agrees with itself: where its symbolic dtype is not the one that it
computes, the one that it computes counts.
"""

import inspect
import itertools

import keras
import numpy as np
import pytest

import jkeras
from tests.thinning import in_turn

DTYPES = ("bool", "uint8", "int32", "float16", "bfloat16", "float32")
SHAPE = (3, 3)
# the second argument is a number
TAKES_NUMBER = (
    "celu elu hard_shrink leaky_relu lstsq matrix_rank nan_to_num pinv psnr soft_shrink squareplus "
    "threshold"
).split()
OTHERWISE = {
    "where": "of one argument: as many vectors as it has axes, which Keras's symbols do not say",
}


def functions():
    """The names of all functions of `keras.ops` that can be called on one or two tensors."""
    public = {name: value for name, value in vars(keras.ops).items() if name[0] != "_"}
    names = [name for name, value in public.items() if inspect.isfunction(value)]
    return sorted(set(names) - set(OTHERWISE))


def results(library, name, make, dtypes):
    """[(shape, dtype)] of what a function gives; None: it raises."""
    try:
        outputs = getattr(library.ops, name)(*[make(library, dtype) for dtype in dtypes])
    except Exception:
        return None
    leaves = library.tree.flatten(outputs)
    return [
        (tuple(leaf.shape), library.backend.standardize_dtype(leaf.dtype))
        for leaf in leaves
        if hasattr(leaf, "dtype")
    ]


def symbol(library, dtype):
    return library.KerasTensor(SHAPE, dtype=dtype)


def array(library, dtype):
    return library.ops.cast(np.eye(*SHAPE) + 1, dtype)


@pytest.mark.parametrize("name", in_turn(functions(), 2))
def test_symbols_have_the_dtype_of_what_is_computed(name):
    pairs = [] if name in TAKES_NUMBER else list(itertools.product(DTYPES, repeat=2))
    for dtypes in [(dtype,) for dtype in DTYPES] + pairs:
        expected = results(keras, name, symbol, dtypes)
        found = results(jkeras, name, symbol, dtypes)
        if expected is None or found == expected:
            continue
        computed = results(keras, name, array, dtypes)
        assert computed is None or found in (computed, None), (dtypes, expected, computed)
        if found is None:  # Keras computes what it gives no right symbol for
            assert computed != expected, (dtypes, expected)
