"""Runs: one execution of a layer tree, eager, traced or abstract, as Keras-style code sees it.

A `Run` is a forward pass (`kernel.scope.Flow`) that also knows the value of every variable while a
root layer is executed. Code that reads `self.kernel` and calls child layers as functions finds it
through the kernel's `ContextVar`, so each thread has its own. Built-in layers are handed their
weights and do not ask: by path from a `Scope`, or, where the objects themselves have the arrays,
from an `ObjectScope`, which answers what a `Scope` answers.
"""

import jax
import jax.numpy as jnp

from jkeras.core.names import naming
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.errors import NotBuiltError, RandomKeyError, StateWriteError
from jkeras.core.weights.paths import named_variables, shared_paths, walk
from jkeras.core.system.traces import marker
from jkeras.core.system.traces import trace_state
from jkeras.kernel.scope import Flow, Scope, current_flow


def current():
    """The run that is going on in this thread, or None."""
    return current_flow()


class Run(Flow):
    """One execution of `root`, as Keras-style code sees it: where the values of variables are, and
    which layer is called.

    Values are found, in this order, in `values`, at the variable's path in `params` and `state`, in
    the variable itself.

    Args:
        values: arrays by variable, a `ByVariable`.
        params: a nested dict of arrays by the paths below the root, as `state` of `Flow`.
        abstract: nothing is computed, layers that are not built are built on the way.
        declared: a dict that is filled with what weights there are.
        is_built: whether the root is built for the inputs, as in a training; see `Flow`.
        of_flow: as of `Flow`. Without `rng` seed generators count.
    Attributes:
        children_type: how the children of composites are run, a subclass of `context.Children`;
            None: as these say.
        counting: whether seed generators whose state the run has count, though there is a key: it
            is for what is drawn without one.
        unsaid: takes the layers that the root calls without saying `training`; None: they are not
            asked for.
    """

    children_type = None
    counting = False
    unsaid = None

    def __init__(
        self,
        root=None,
        values=None,
        *,
        params=None,
        abstract=False,
        declared=None,
        is_built=False,
        **of_flow,
    ):
        shared = None
        if params is not None and root._children:
            shared = shared_paths(root)
        super().__init__(params, shared=shared, **of_flow)
        self.root = root
        self.values = values
        self.declared = declared
        self.is_built = is_built
        self.abstract = abstract or declared is not None
        # the root is run as Keras's `stateless_call` does: nothing is cast, no activity penalty
        self.bare = False
        self.copies = {}  # of layers that may write on themselves, see `copies`
        self._places = None
        self._module_paths = None
        eager = values is None and params is None and not self.abstract
        self.level = None if eager else marker()()

    def fork(self):
        """A run of its own inside this one."""
        inner = super().fork()
        if self.values is not None:
            inner.values = ByVariable(self.values)
        inner.level = trace_state()
        return inner

    @property
    def is_eager(self):
        """Whether variables are read and written themselves."""
        return self.values is None and self.params is None and not self.abstract

    # ------------------------------------------------------------ variables

    def read(self, variable):
        """The variable's value in this run."""
        value = self.value_of(variable)
        if value is not None:
            return value
        if self.abstract:
            return jnp.zeros(variable.shape, variable.own_dtype)
        return variable.own_value()

    def value_of(self, variable):
        """The value that the run itself has for a variable; None where it has none."""
        value = None
        if self.values is not None:
            value = self.values.find(variable)
        if value is None and self.params is not None:
            path = self.places.find(variable)
            if path is not None:
                value = self.value_at(path)
        return value

    def holds(self, variable):
        """Whether the run has a value of its own for a variable."""
        return self.value_of(variable) is not None

    def write(self, variable, value):
        """Sets the variable's value in this run."""
        if self.abstract:
            return
        if self.is_eager:
            own_write(variable, value)
        elif self.holds(variable):
            if trace_state() != self.level:
                raise StateWriteError(
                    f"Variable '{variable.path}' was assigned inside an inner jax transformation "
                    "(scan, cond, grad, vmap or checkpoint), from where the new value cannot come "
                    "out. Carry the value through the loop: use `y, state = layer.apply(params, "
                    "state, x)` inside it, with `state` in the carry."
                )
            self.assign(variable, value)
        elif isinstance(value, jax.core.Tracer):
            raise StateWriteError(
                f"Variable '{variable.path}' was assigned while {_describe(self.root)} is traced, "
                "but it does not belong to it. Set its owner as an attribute of the layer or model "
                "that uses it."
            )
        else:
            own_write(variable, value)

    def assign(self, variable, value):
        """Sets the value of a variable that the run holds."""
        if self.values is not None and self.values.has(variable):
            self.values.set(variable, value)
        else:
            self.put({self.places.find(variable): value})

    @property
    def places(self):
        """The canonical path below the root of each variable."""
        if self._places is None:
            self._find_paths()
        return self._places

    def _find_paths(self):
        self._places = ByVariable()
        self._module_paths = {}
        if self.root is not None:
            self.adopt(self.root, ())

    def place(self, variable, path):
        """Lets a variable that is not of the root have a path in its trees."""
        self.places.set(variable, path)

    def forward(self, *args, **kwargs):
        """The outputs of the root, as Keras's steps ask for them: by its `call`."""
        return self.root.run_on(Scope(self), args, kwargs, bare=True)

    def adopt(self, module, prefix):
        """Lets a module that stands for another one have its path, and all below it theirs."""
        if self._places is None:
            self._find_paths()
        for path, submodule in walk(module, prefix):
            self._module_paths[id(submodule)] = self.canonical(path)
        for path, variable in named_variables(module):
            self._places.set(variable, self.canonical((*prefix, *path)))

    def add_loss(self, layer, value):
        """Takes a loss that a layer adds."""
        inner = isinstance(value, jax.core.Tracer) if self.is_eager else trace_state() != self.level
        if inner:
            raise StateWriteError(
                f"{_describe(layer)} called `add_loss` inside an inner jax transformation (scan, "
                "cond, grad, vmap or checkpoint), from where the loss cannot come out. Use `y, "
                'state = layer.apply(params, state, x)` inside it, return `state["losses"]`, and '
                "add their sum outside."
            )
        self.losses.append((layer, value))

    # ------------------------------------------------------------ random keys

    def sample_key(self, generator):
        """The next key of a seed generator from the run's own key; None where the generator counts
        for itself.
        """
        counts = self.is_eager or self._counts(generator)
        if counts and self.has_no_say:
            return None
        return self.next_key(self.path_of(generator))

    @property
    def has_no_say(self):
        """Whether a generator that counts does so here, rather than to follow from the key."""
        return self.rng is None or self.counting

    def _counts(self, generator):
        """Whether the run carries the count of a seed generator, as Keras's contract has it."""
        return self.holds(generator.state)

    def next_key(self, path, layer=None):
        """The next random key of a path: from the seed generator of the layer where the run has no
        key but carries the count.
        """
        if layer is not None and self.has_no_say and self._counts(layer.seed_generator):
            return layer.seed_generator.next()
        return super().next_key(path)

    def no_key(self, path):
        """The error for random numbers in a run without a key."""
        return RandomKeyError(
            f"{_describe(self.root)}: '{path}' draws random numbers, and `apply` was given no key. "
            "Pass `rng=jax.random.key(0)`, another key for each step."
        )

    def path_of(self, module):
        """The canonical path of a module below the root, as a text."""
        path = self.place_of(module)
        return getattr(module, "name", "") if path is None else "/".join(path)

    def place_of(self, module):
        """The canonical path of a module below the root; None where it is not there."""
        if self._module_paths is None:
            self._find_paths()
        return self._module_paths.get(id(module))

    # ------------------------------------------------------------ layers

    def call(self, layer, args, kwargs, bare=False):
        """Runs one layer on its variables, as they are in this run."""
        if self.unsaid is not None and len(self.stack) == 1 and len(args) < 2:
            if kwargs.get("training") is None:
                self.unsaid.append(layer)
        return layer.run_on(ObjectScope(self, layer), args, kwargs, bare)

    def build(self, layer, call):
        """Builds a layer met for the first time."""
        self.build_now(layer, call)
        if not self.is_eager and not self.abstract and layer.weights:
            layer.built = False
            raise NotBuiltError(
                f"{_describe(layer)} is used inside {_describe(self.root)} but was not built with "
                "it, so it has no weights here. Make it an attribute of the layer that calls it, "
                "and call `init` (or the model once) on an input that reaches it."
            )

    def build_now(self, layer, call):
        """Builds a layer with real arrays. Nothing is cast meanwhile, also where the layer around
        casts: what `build` reads of a weight, its `dtype` too, is as it is stored.
        """
        stack, self.stack = self.stack, [(layer, None) for layer, _ in self.stack]
        try:
            with jax.ensure_compile_time_eval():
                layer.build_for(call)
        finally:
            self.stack = stack

    def cast_type(self):
        """The dtype that variables are cast to where they are read now, or None."""
        return self.stack[-1][1] if self.stack else None


class ObjectScope(Scope):
    """A layer's slice of a run in which the objects have the values: its weights are those of its
    variables, its children are objects, what is not built is built on the way.
    """

    __slots__ = ("_around", "layer")
    is_of_objects = True
    is_built = True

    def __init__(self, run, layer):
        self.flow = run
        self.layer = layer

    def path_of(self, layer):
        """The canonical path of the layer; None where it is not below the root."""
        return self.flow.place_of(layer)

    def enter(self, layer, call):
        """Begins a layer's part of the run: it is built where it is not."""
        layer.check_input(call, layer.input_spec)
        if not layer.built:
            self.flow.build(layer, call)
            layer.check_input(call, layer.input_spec)  # now the layer knows more of its input
        self._around = naming.enter(layer)

    def leave(self):
        """Ends it."""
        naming.leave(self._around)

    def child(self, name):
        """The slice of the child of this name."""
        return ObjectScope(self.flow, self.layer._children[name])

    def weights(self):
        """The layer's own weights by name, as they are now."""
        return {name: self.flow.read(variable) for name, variable in tuple(self.layer._own.items())}

    def update(self, changed):
        """Sets new values of own weights, in the dtype that they have."""
        for name, value in changed.items():
            variable = self.layer._own[name]
            self.flow.write(variable, value.astype(variable.own_dtype))

    def next_key(self, layer):
        """The next key of the layer's seed generator."""
        return layer.seed_generator.next()

    def values_below(self):
        """The values that the run has for variables of the layer and of all below it: those that a
        gradient may reach, and the others.
        """
        held = [v for _, v in named_variables(self.layer) if self.flow.holds(v)]
        params = [(v, self.flow.read(v)) for v in held if v.learnable]
        return params, [(v, self.flow.read(v)) for v in held if not v.learnable]

    def on(self, values):
        """The same slice in a run of its own, on other values: (variable, array) pairs."""
        inner = self.flow.fork()
        inner.values = (inner.values or ByVariable()).updated(ByVariable(values))
        return type(self)(inner, self.layer)

    def alone(self):
        """The same slice in a run of its own, whose changes are not seen outside."""
        return self.on([(v, self.flow.read(v)) for _, v in named_variables(self.layer)])

    def take(self, values):
        """Sets values: (variable, array) pairs."""
        for variable, value in values:
            self.flow.assign(variable, value)


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
    if variable.guard is not None:
        variable.guard(variable)
    variable.held = variable.placed(value)


# ---------------------------------------------------------------- what variables and generators ask


def read(variable):
    """A variable's value: the run's, else its own."""
    run = current_flow()
    return variable.own_value() if run is None else run.read(variable)


def write(variable, value):
    """Sets a variable's value: in the run, else its own."""
    run = current_flow()
    return own_write(variable, value) if run is None else run.write(variable, value)


def sample_key(generator):
    """A seed generator's next key, where the run decides it."""
    run = current_flow()
    return None if run is None else run.sample_key(generator)


def autocast_dtype():
    """The dtype that variables are cast to where they are read now, or None."""
    run = current_flow()
    return None if run is None else run.cast_type()
