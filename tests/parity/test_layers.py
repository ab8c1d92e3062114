"""Every layer of the tables `cases_*.py`, in both libraries: weights, numbers, state, gradients,
configs, shapes.
"""

import importlib
import pathlib
import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jkeras.kernel.masks_on import mask_on
from tests.parity.both import (
    BFLOAT16,
    GRADIENTS,
    LIBRARIES,
    TOLERANCE,
    agree,
    clear,
    fill,
    find,
    is_float,
    make,
    plain,
    table,
    weighted_sum,
)
from tests.thinning import every

FAMILIES = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("cases_*.py"))


def rows():
    """All cases, each with an id that says what is tested; of each layer all but the first one are
    slow.
    """
    seen = set()
    for family in FAMILIES:
        for i, case in enumerate(importlib.import_module(f"tests.parity.{family}").CASES):
            marks = [pytest.mark.slow] if case.layer in seen else []
            seen.add(case.layer)
            label = f"{family.removeprefix('cases_')}-{i}-{case.layer}"
            yield pytest.param(case, id=label, marks=marks)


def is_shape(value):
    return isinstance(value, tuple)


def map_shapes(function, shapes):
    return jax.tree_util.tree_map(function, shapes, is_leaf=is_shape)


def arrays_of(case):
    """The inputs of a case."""
    rng = np.random.default_rng(3)

    def array(shape):
        return (
            rng.integers(0, case.ints, shape)
            if case.ints
            else rng.normal(size=shape).astype("float32")
        )

    return map_shapes(array, list(case.inputs))


def symbol_of(library):
    """Makes a symbolic tensor like an array."""
    return lambda x: library.Input(batch_shape=x.shape, dtype=str(x.dtype))


def masks_of(outputs):
    """The mask of each output; that of attention scores may lack axes of size 1."""
    outputs = jax.tree_util.tree_leaves(outputs)
    # Keras sets it on the array, jkeras beside it
    masks = [getattr(y, "_keras_mask", mask_on(y)) for y in outputs]
    return [
        m
        if m is None or m.shape[0] == y.shape[0]
        else m.reshape((1,) * (y.ndim - m.ndim) + m.shape)
        for m, y in zip(masks, outputs)
    ]


class Run:
    """One library's layer of a case, and all that is compared of it."""

    def __init__(self, library, case, inputs):
        more = {} if case.dtype == "float32" else {"dtype": case.dtype}
        self.layer = find(library.layers, case.layer)(
            **{k: make(library, v) for k, v in case.kwargs.items()}, **more
        )
        self.inputs = inputs
        self.kwargs = {k: np.array(v) if isinstance(v, list) else v for k, v in case.call.items()}
        if case.training is not None:
            self.kwargs["training"] = case.training
        with warnings.catch_warnings():
            if library is keras:
                warnings.simplefilter("ignore")
            # builds it without compiling an operation
            self.layer(*jax.tree_util.tree_map(symbol_of(library), inputs), **self.kwargs)

    def gradients(self):
        """(outputs, their masks, state after, gradients by weights and float inputs), in one
        compiled call.
        """
        layer, leaves = self.layer, jax.tree_util.tree_leaves(self.inputs)
        treedef = jax.tree_util.tree_structure(self.inputs)
        fixed = [v.value for v in layer.non_trainable_variables]

        def loss(weights, floats):
            floats = iter(floats)
            inputs = jax.tree_util.tree_unflatten(
                treedef, [next(floats) if is_float(x) else x for x in leaves]
            )
            outputs, state = layer.stateless_call(weights, fixed, *inputs, **self.kwargs)
            return weighted_sum(outputs), (outputs, masks_of(outputs), state)

        weights = [v.value for v in layer.trainable_variables]
        floats = [jnp.asarray(x) for x in leaves if is_float(x)]
        (_, aux), gradients = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(
            weights, floats
        )
        return *aux, gradients


@pytest.mark.promise("whole trainings equal real Keras on JAX")
@pytest.mark.filterwarnings("ignore:.*rms_scaling")
@pytest.mark.parametrize("case", every(3, rows(), slow=2))
def test_layer(case):
    inputs = arrays_of(case)
    made = []
    for library in LIBRARIES:
        clear()
        made.append(Run(library, case, inputs))
    mine, theirs = made
    half = "16" in case.dtype or "16" in str(case.kwargs.get("dtype", ""))
    values, slopes = (BFLOAT16, BFLOAT16) if half else (TOLERANCE, GRADIENTS)

    assert table(mine.layer) == table(theirs.layer)
    assert [w.path for w in mine.layer.weights] == [w.path for w in theirs.layer.weights]
    agree(mine.layer.get_weights(), theirs.layer.get_weights(), "initial weights", **values)
    assert plain(mine.layer.get_config()) == plain(theirs.layer.get_config())
    if not case.layer.endswith(("Cell", "Cells")):  # Keras's cells have no such method
        assert plain(mine.layer.compute_output_shape(*case.inputs)) == plain(
            theirs.layer.compute_output_shape(*case.inputs)
        )

    # the same weights and the same state of the seed generators
    new = fill(mine.layer.get_weights())
    for run in made:
        run.layer.set_weights(new)
    for a, b in zip(mine.layer.non_trainable_variables, theirs.layer.non_trainable_variables):
        assert tuple(a.shape) == tuple(b.shape)
        a.assign(np.asarray(b.value))
    outputs, masks, state, gradients = theirs.gradients()
    my_outputs, my_masks, my_state, my_gradients = mine.gradients()
    # that the eager call of any layer is the compiled one is asked in tests/common
    if half or mine.layer.non_trainable_variables:
        # in half precision a call also casts
        plain_call = theirs.layer(*inputs, **theirs.kwargs) if half else outputs
        agree(mine.layer(*inputs, **mine.kwargs), plain_call, "output", **values)
    agree([m is None for m in my_masks], [m is None for m in masks], "which outputs have masks")
    agree(my_masks, masks, "masks")
    agree(my_outputs, outputs, "compiled output", **values)
    agree(my_state, state, "state after the call", **values)
    agree(
        [v.value for v in mine.layer.non_trainable_variables],
        state,
        "own state after the call",
        **values,
    )
    if case.gradient:
        agree(my_gradients, gradients, "gradients", **slopes)
    if any("activity" in name.lower() for name in (case.layer, *case.kwargs)):
        for run in made:  # its losses come with a call
            run.layer(*inputs, **run.kwargs)
    agree(mine.layer.losses, theirs.layer.losses, "losses", **values)
