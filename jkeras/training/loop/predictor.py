"""Predictions on the values that a model's variables hold now, compiled for few sizes of a
batch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import numpy as np

from jkeras.core.errors import RandomKeyError
from jkeras.core.graph.host_numbers import Ids, InputTypes, fits_as_it_is, of_one, warn_of_ids
from jkeras.core.weights.module import Parts
from jkeras.core.weights.paths import named_variables
from jkeras.core.weights.rng import as_key
from jkeras.core.session.settings import settings
from jkeras.core.weights.variable import values_of
from jkeras.kernel import apply as kernel
from jkeras.kernel import tree
from jkeras.programs.batch_independence import are_independent
from jkeras.training.step import keras_contract
from jkeras.training.data import placement, sizes
from jkeras.training.data.arrays import as_array
from jkeras.training.step.overrides import overrides
from jkeras.training.loop.program import MOST_SHAPES, Program, Untraced, cached, program_of
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


NO_PREDICTOR = None, None  # what a model keeps where there is none: (made for what, predictor)
# (kind, bytes) of the dtypes of real numbers that a device may have in fewer bits
OF_MORE_BITS = frozenset((kind, size) for kind in "iuf" for size in range(5, 33))


def predict_at_once(model: "Trainer", x: Structure, batch_size: int | None) -> Structure:
    """The outputs for an array of few rows, straight from the compiled function; None where that
    does not do.

    It does where numpy's array is what the function takes, one batch, and no callback looks.
    """
    made_for, predictor = model.__dict__.get("_predictor", NO_PREDICTOR)
    if made_for != (Parts.changes, settings.distribution):
        return None
    if type(x) is not np.ndarray or not x.ndim or not 0 < len(x) <= (batch_size or 32):
        return None
    if (x.dtype.kind, x.dtype.itemsize) in OF_MORE_BITS:
        x = _of_fewer_bits(x, model.types_of_inputs())
    if predictor.ids is not None:
        warn_of_ids(x, "x", predictor.ids)
    run = predictor.traced.get((x.shape, x.dtype))
    if run is not None:
        y = predictor.again(run, x)
    elif model.built and _may_go_as_it_is(model, x.dtype):
        y = predictor.first(x)
    else:
        return None
    if isinstance(y, jax.Array):
        return placement.own_array(y)
    return jax.tree_util.tree_map(placement.own_array, y)


def _of_fewer_bits(x: np.ndarray, types: InputTypes | None) -> np.ndarray:
    """Numbers of 64 bits in the dtype that a device has for them."""
    x = as_array(x, "x", of_one(types))
    dtype = jax.dtypes.canonicalize_dtype(x.dtype)
    return x if x.dtype == dtype else x.astype(dtype)


def _may_go_as_it_is(model: "Trainer", dtype: np.dtype) -> bool:
    """Whether a model can take arrays of a dtype without a look at their numbers."""
    types = model.types_of_inputs()
    return fits_as_it_is(dtype, None if types is None else types.at(0))


class Predictor:
    """`x -> y` of a built model; state that the forward pass changes is stored in the model."""

    def __init__(self, model: "Trainer") -> None:
        self.model = model
        named = list(named_variables(model))
        self.paths = [path for path, _ in named]
        self.variables = [variable for _, variable in named]
        # what a stateful RNN remembers is not among a model's variables, and is not carried on
        own = set(map(id, model.variables))
        self.carried = [i for i, v in enumerate(self.variables) if id(v) in own and not v.learnable]
        self.key = tuple(map(id, self.variables))
        types = model.types_of_inputs()
        first = None if types is None else types.at(0)
        self.ids = first if isinstance(first, Ids) else None  # which numbers an input takes
        self.samples = False  # whether a batch gets a key: for the few models that use it
        self.function = self._program("predict")
        # by shape and dtype: jitted functions of arrays that are run as they are
        self.traced: dict[tuple, Callable] = {}

    def _program(self, kind: str) -> Program:
        forward = self._forward
        if overrides(self.model, "predict_step"):
            forward = self._of_predict_step
        return program_of(self.model, kind, self.key, lambda: forward)

    def again(self, run: Callable, x: np.ndarray) -> Structure:
        """The outputs for an array on the host by a function of `traced`."""
        try:
            return self._keep_state(*run(self.values(), x))
        except Untraced:  # for weights of another dtype or device
            self.traced.clear()
        return self.first(x)

    def first(self, x: np.ndarray) -> Structure:
        """The outputs for an array on the host, for whose shape there is no function in `traced`;
        then there is, if it is run as it is.
        """
        y = self(x)
        if self._runs_as_it_is(x):
            run = self.function.traced(self.values(), x)
            if run is not None:
                if len(self.traced) >= MOST_SHAPES:
                    self.traced.clear()
                self.traced[x.shape, x.dtype] = run
        return y

    def _runs_as_it_is(self, x: np.ndarray) -> bool:
        """Whether an array is itself the batch that the program takes."""
        if self.samples or settings.distribution is not None:
            return False
        return sizes.bucket(len(x)) <= len(x) or not self._keeps_rows_apart(x)

    def __call__(self, x: Structure, size: int | None = None) -> Structure:
        """The outputs for a batch that lies on the host."""
        try:
            return self._predict(x, size)
        except RandomKeyError:
            if self.samples or overrides(self.model, "predict_step"):
                raise
        # a layer without a generator of its own, such as a Lambda: from the session's, as in Keras
        self.samples = True
        self.function = self._program("predict with keys")
        return self._predict(x, size)

    def _predict(self, x: Structure, size: int | None) -> Structure:
        """The outputs for a batch.

        It is run with `size` rows, or those of its `sizes.bucket`, if more rows change
        nothing for those that are there.
        """
        count = sizes.size_of(x)
        size = size or sizes.bucket(count)
        if size <= count or placement.in_parts() or not self._keeps_rows_apart(x):
            return self._run(x)
        try:
            y = self._run(sizes.padded(x, size))
        except (TypeError, ValueError):
            return self._run(x)  # so that the message has the original shape
        return jax.tree_util.tree_map(lambda v: placement.to_host(v)[:count], y)

    def _keeps_rows_apart(self, x: Structure) -> bool:
        if self.samples or not self.model.jit_compile:
            return False
        return cached(
            self.model,
            "rows",
            self.key,
            lambda: are_independent(self.function.function, self.values(), batch=x),
        )

    def _run(self, x: Structure) -> Structure:
        keys = (as_key(None),) if self.samples else ()
        return self._keep_state(*self.function(self.values(), placement.place(x), *keys))

    def _keep_state(self, y: Structure, new: dict[int, jax.Array]) -> Structure:
        """The outputs; the state that they changed is stored in the variables, by their numbers."""
        for i, value in new.items():
            self.variables[i].store(value)
        return y

    def values(self) -> list[jax.Array]:
        """The arrays of the variables."""
        return values_of(self.variables)

    def _forward(
        self, values: list[jax.Array], x: Structure, rng: jax.Array | None = None
    ) -> tuple[Structure, dict[int, jax.Array]]:
        named = list(zip(self.paths, self.variables, values))
        params = tree.unflatten((path, a) for path, v, a in named if v.learnable)
        state = tree.unflatten((path, a) for path, v, a in named if not v.learnable)
        y, state = kernel.apply(
            self.model, params, state, (x,), {}, bare=True, rng=rng, training=False, is_built=True
        )
        changed = {i: tree.get(state, self.paths[i]) for i in self.carried}
        return y, {i: value for i, value in changed.items() if value is not values[i]}

    def _of_predict_step(
        self, values: list[jax.Array], x: Structure
    ) -> tuple[Structure, dict[int, jax.Array]]:
        """The same by the user's `predict_step`, as Keras on JAX calls it."""
        return keras_contract.predict_step(self.model, self.variables, values, x), {}


def predictor_of(model: "Trainer") -> Predictor:
    """The `Predictor` of a built model; the last one where no module changed its parts since."""
    now = Parts.changes, settings.distribution
    made_for, predictor = model.__dict__.get("_predictor", NO_PREDICTOR)
    if made_for != now or predictor.model is not model:
        predictor = model.new_predictor()
        model.__dict__["_predictor"] = now, predictor
    return predictor
