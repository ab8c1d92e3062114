"""Runs: one execution of a layer tree, eager, traced or abstract, and the only ambient state of the
library.

A run knows the value of every variable while a root layer is executed. Built-in layers are handed
their weights by it. Keras-style code, which reads `self.kernel` and calls child layers as
functions, finds the run through a `ContextVar`, so each thread has its own.
"""

import collections
import contextvars

import jax
import jax.numpy as jnp

from jkeras.core.errors import NotBuiltError, RandomKeyError, StateWriteError
from jkeras.core.traces import trace_state as _trace

_current = contextvars.ContextVar("jkeras_run", default=None)
_scope = contextvars.ContextVar("jkeras_scope", default=())


def current():
    """The run that is going on in this thread, or None."""
    return _current.get()


class Run:
    """One execution of `root`.

    Args:
        values: `{id(variable): array}`, the values to run on; None: eagerly, on the variables' own
            values.
        rng: a key from which every draw follows by its path; None: seed generators count.
        abstract: nothing is computed, layers that are not built are built on the way.
        rows: which rows of the batch are real, booleans (batch,), where some are padding; see
            `core.rows`.
        shares: of a piece of a batch; see `core.shares`.
    """

    def __init__(
        self,
        root=None,
        values=None,
        rng=None,
        training=None,
        abstract=False,
        rows=None,
        shares=None,
    ):
        self.root = root
        self.values = values
        self.rng = rng
        self.training = training
        self.abstract = abstract
        self.rows, self.shares = rows, shares
        # the root is run as Keras's `stateless_call` does: nothing is cast, no activity penalty
        self.bare = False
        self.losses = []  # (layer, value), in the order they were added
        self.masks = {}  # id(array) -> (array, mask)
        self.logits = {}  # id(probabilities) -> (probabilities, logits, axis)
        self.stack = []  # (layer, dtype that variables are cast to)
        self._draws = collections.Counter()
        self._paths = None
        self._where = None if values is None and not abstract else _trace()

    def __enter__(self):
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc):
        _current.reset(self._token)

    # ------------------------------------------------------------ variables

    def read(self, variable):
        """The variable's value in this run."""
        if self.values is not None and id(variable) in self.values:
            return self.values[id(variable)]
        if self.abstract:
            return jnp.zeros(variable.shape, variable.own_dtype)
        return variable.own_value()

    def write(self, variable, value):
        """Sets the variable's value in this run."""
        if self.abstract:
            return
        if self.values is None:
            own_write(variable, value)
        elif id(variable) in self.values:
            if _trace() != self._where:
                raise StateWriteError(
                    f"Variable '{variable.path}' was assigned inside an inner jax transformation "
                    "(scan, cond, grad, vmap or checkpoint), from where the new value cannot "
                    "come out. Carry the value through the loop: use `y, state = "
                    "layer.apply(params, state, x)` inside it, with `state` in the carry."
                )
            self.values[id(variable)] = value
        elif isinstance(value, jax.core.Tracer):
            raise StateWriteError(
                f"Variable '{variable.path}' was assigned while {_describe(self.root)} is traced, "
                "but it does not belong to it. Set its owner as an attribute of the layer or "
                "model that uses it."
            )
        else:
            own_write(variable, value)

    def add_loss(self, layer, value):
        """Takes a loss that a layer adds."""
        inner = (
            _trace() != self._where
            if self._where is not None
            else isinstance(value, jax.core.Tracer)
        )
        if inner:
            raise StateWriteError(
                f"{_describe(layer)} called `add_loss` inside an inner jax transformation (scan, cond, grad, vmap or "
                "checkpoint), from where the loss cannot come out. Use `y, state = layer.apply(params, state, x)` "
                'inside it, return `state["losses"]`, and add their sum outside.'
            )
        self.losses.append((layer, value))

    # ------------------------------------------------------------ random keys

    def draw(self, generator):
        """The next key of a seed generator from the run's own key; None where the generator counts
        for itself.
        """
        if self.abstract:
            return jnp.zeros((2,), "uint32")
        if self.rng is not None:
            path = self.path_of(generator)
            from jkeras.core.rng import key_of_path

            self._draws[path] += 1
            return key_of_path(self.rng, path, self._draws[path] - 1)
        if self.values is not None and id(generator.state) not in self.values:
            raise RandomKeyError(
                f"{_describe(self.root)}: '{self.path_of(generator)}' draws random numbers, and "
                "`apply` was given no key. Pass `rng=jax.random.key(0)`, another key for each step."
            )
        return None

    def path_of(self, module):
        """The canonical path of a module below the root."""
        if self._paths is None or id(module) not in self._paths:
            from jkeras.core.module import walk

            self._paths = (
                {} if self.root is None else {id(m): "/".join(p) for p, m in walk(self.root)}
            )
            self._paths.setdefault(id(module), getattr(module, "name", ""))
        return self._paths[id(module)]

    # ------------------------------------------------------------ layers

    def call(self, layer, args, kwargs, bare=False):
        """Runs one layer on its slice of the values: inputs cast, built where that is allowed,
        masks passed on.

        Args:
            bare: runs it as Keras's `layer.call` does: in the dtype of the layer around, without
                activity penalty.
        """
        bare = bare or self.bare and not self.stack
        call = layer._bind(args, kwargs, cast=not bare)
        layer._check_input(call)
        if not layer.built:
            self.build(layer, call)
            layer._check_input(call)  # now the layer knows more of its input
        training = call.training(self.training)
        call.populate(self, training)
        outer, self.training = self.training, training
        self.stack.append((layer, self.cast_type() if bare else self._cast_type(layer)))
        try:
            with building(layer):
                outputs = layer._compute(self, call)
            if layer.activity_regularizer is not None and not bare:
                self._activity_losses(layer, outputs)
        finally:
            self.stack.pop()
            self.training = outer
        layer._pass_masks(self, call, outputs)
        return outputs

    def build(self, layer, call):
        """Builds a layer met for the first time."""
        traced = self.values is not None and not self.abstract
        with jax.ensure_compile_time_eval():
            layer._build_for(call)
        if traced and layer.weights:
            layer.built = False
            raise NotBuiltError(
                f"{_describe(layer)} is used inside {_describe(self.root)} but was not built with "
                "it, so it has no weights here. Make it an attribute of the layer that calls it, "
                "and call `init` (or the model once) on an input that reaches it."
            )

    def cast_type(self):
        """The dtype that variables are cast to where they are read now, or None."""
        return self.stack[-1][1] if self.stack else None

    def _cast_type(self, layer):
        if not layer.autocast or not layer._computes_in_float:
            return None
        mixed = layer.compute_dtype != layer.variable_dtype or any(dtype for _, dtype in self.stack)
        return layer.compute_dtype if mixed else None

    def _activity_losses(self, layer, outputs):
        for output in jax.tree_util.tree_leaves(outputs):
            loss = layer.activity_regularizer(output)
            self.add_loss(
                layer, loss / output.shape[0] if output.ndim and output.shape[0] else loss
            )

    # ------------------------------------------------------------ masks

    def mask_of(self, array):
        """The mask that travels beside an array, or None."""
        found = self.masks.get(id(array))
        return found[1] if found is not None else getattr(array, "_keras_mask", None)

    def set_mask(self, array, mask):
        """Lets a mask travel beside an array."""
        self.masks[id(array)] = (array, mask)


# ---------------------------------------------------------------- what travels beside probabilities


def note_logits(probabilities, logits, axis):
    """Lets a loss of this run know of what probabilities are the softmax."""
    run = _current.get()
    if run is not None and isinstance(axis, int):
        run.logits[id(probabilities)] = probabilities, logits, axis % logits.ndim


def logits_beside(probabilities, axis):
    """The logits whose softmax along an axis these probabilities are, if the run knows; else
    None.
    """
    run = _current.get()
    found = None if run is None else run.logits.get(id(probabilities))
    return found[1] if found is not None and found[2] == axis % probabilities.ndim else None


def _describe(layer):
    return f"{type(layer).__name__} '{getattr(layer, 'name', '')}'"


def own_write(variable, value):
    """Stores a value in the variable itself; a tracer would leak, so it is refused."""
    if isinstance(value, jax.core.Tracer):
        raise StateWriteError(
            f"Variable '{variable.path}' was assigned a traced value outside `apply`, as in a "
            "function of yours under jax.jit, jax.grad or jax.lax.scan. Use the pure form there, "
            "with the state in the carry: `y, state = layer.apply(params, state, x)`; of a "
            "metric `state = metric.update(state, y_true, y_pred)`."
        )
    variable._value = variable.placed(value)


# ---------------------------------------------------------------- what variables and generators ask


def read(variable):
    """A variable's value: the run's, else its own."""
    run = _current.get()
    return variable.own_value() if run is None else run.read(variable)


def write(variable, value):
    """Sets a variable's value: in the run, else its own."""
    run = _current.get()
    return own_write(variable, value) if run is None else run.write(variable, value)


def draw(generator):
    """A seed generator's next key, where the run decides it."""
    run = _current.get()
    return None if run is None else run.draw(generator)


def autocast_dtype():
    """The dtype that variables are cast to where they are read now, or None."""
    run = _current.get()
    return None if run is None else run.cast_type()


class building:
    """Inside this block `layer` is being built or called: new variables and layers take its
    path.
    """

    def __init__(self, layer):
        self.layer = layer

    def __enter__(self):
        self.token = _scope.set((*_scope.get(), self.layer))

    def __exit__(self, *exc):
        _scope.reset(self.token)


def scope_path():
    """The path of the innermost layer that is being built or called: "net/hidden"."""
    stack = _scope.get()
    return stack[-1].path if stack else ""
