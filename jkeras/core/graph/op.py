"""Ops: functions of arrays that also work on symbolic tensors and variables."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras.core.errors import GraphCallError
from jkeras.core.graph.graph import Node
from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import (
    KerasTensor,
    any_symbolic,
    flatten,
    is_symbolic,
    map_tensors,
)
from jkeras.core.names.registry import LEAVES, Thing, _named, load_the_rest, public, serialize
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import auto_name
from jkeras.core.graph.sparse import SparseForm, any_sparse, is_sparse


# arguments by class that came with Keras 3.16, whose defaults do what 3.15 does
OF_316 = {"TopK": ("is_stable",)}


class Operation:
    """An op with its fixed arguments, as a node in a graph."""

    def __init__(self, op: "Op", name: str | None = None, config: Mapping[str, Any] | None = None):
        self.op, self.config = op, config or {}
        self.name = name or auto_name(op.class_name)
        self.trainable = False

    def __call__(self, *args, **kwargs):
        if not any_symbolic(args, kwargs):
            return self.op.run(args, {**kwargs, **self.config})
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def __getstate__(self):
        """Without nodes, as of layers: the graph that is copied has them."""
        return {**vars(self), "_inbound_nodes": []}

    def compute_output_spec(self, *args, **kwargs):
        """The outputs as KerasTensors without history."""
        tensors = [v for v in flatten((args, kwargs)) if hasattr(v, "shape")]
        flags = [is_sparse(v) or getattr(v, "sparse", False) for v in tensors]
        if not any(flags):
            return self._dense_spec(args, kwargs)
        args, kwargs = map_tensors(lambda t: KerasTensor(t.shape, t.dtype), (args, kwargs))
        outputs = self._dense_spec(args, kwargs)
        form = self.op.sparse_form
        if form is None or not form.stays_sparse(flags, self.config):
            return outputs
        return map_tensors(lambda t: KerasTensor(t.shape, t.dtype, sparse=True), outputs)

    def _dense_spec(self, args: Sequence[Any], kwargs: Mapping[str, Any]):
        try:
            _check_known(self.op.known, args)
            if self.op.spec is not None:
                return self.op.spec(*args, **kwargs, **self.config)
            return infer(
                lambda arguments: self.op.function(*arguments[0], **arguments[1], **self.config),
                (args, kwargs),
            )
        # JAX takes a text in place of an axis for the name of one, which is a NameError
        except (TypeError, ValueError, LookupError, ArithmeticError, NameError) as error:
            tensors = ", ".join(
                f"{t.shape} {t.dtype}" for t in flatten((args, kwargs)) if is_symbolic(t)
            )
            raise GraphCallError(
                f"{self.op.class_name} cannot be applied to {tensors}: {error}"
            ) from error

    def get_config(self):
        """The name and the fixed arguments, as far as the Keras that is followed has them."""
        unknown = () if is_316() else OF_316.get(self.op.class_name, ())
        fixed = {k: serialize(v) for k, v in self.config.items() if k not in unknown}
        return {"name": self.name, **fixed}


class Declared(NamedTuple):
    """What the declaration of an op says of its arguments and results, as `op` takes it."""

    inputs: int | None
    spec: Callable[..., Any] | None
    keywords: Sequence[str]
    find_sparse: Callable[[Callable], SparseForm | None] | None
    resolve: Mapping[str, Callable[[Any], Any]] | None


class Op:
    """What the graph knows of an op: its function, its name in files, which arguments are tensors.

    Serves as the "class" of its nodes when a config is read.
    """

    known = 0  # how many of the last sizes of a tensor have to be known

    def __init__(
        self,
        function: Callable[..., Any],
        module: str,
        class_name: str | None,
        declared: Declared,
    ) -> None:
        self.function, self.module = function, module
        self._inputs, self.spec, self.keywords, self._find_sparse, resolve = declared
        self._resolve = resolve or {}
        self.class_name = class_name or "".join(
            word.capitalize() for word in function.__name__.split("_")
        )
        _named[f"{module}.{self.class_name}"] = self

    def __reduce__(self):
        return op_of_name, (f"{self.module}.{self.class_name}",)

    @functools.cached_property
    def signature(self):
        """The function's signature; looked at on first use, since there are hundreds of ops."""
        return inspect.signature(self.function)

    @functools.cached_property
    def inputs(self):
        """How many leading arguments are tensors."""
        required = sum(p.default is p.empty for p in self.signature.parameters.values())
        return max(1, required) if self._inputs is None else self._inputs

    @functools.cached_property
    def sparse_form(self):
        """What the op does with sparse arrays, a `SparseForm`; None: what its function does."""
        if self._find_sparse is None:
            return None
        return self._find_sparse(self.function)

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]):
        """The function of arrays, sparse ones too."""
        if any_sparse(args) or any_sparse(kwargs.values()):
            return self._run_sparse(args, kwargs)
        return self.function(*args, **kwargs)

    def _run_sparse(self, args: Sequence[Any], kwargs: Mapping[str, Any]):
        if self._find_sparse is None:  # the function knows sparse arrays itself
            return self.function(*args, **kwargs)
        if self.sparse_form is None:
            raise TypeError(
                f"`{self.function.__name__}` is not defined for sparse arrays. Give it a dense "
                "one: `x.todense()`."
            )
        return self.sparse_form.compute(*args, **kwargs)

    def from_config(self, config: Mapping[str, Any] | None):
        """The node that a config describes."""
        config = dict(config)
        name = config.pop("name", None)
        config_of_op = {k: v for k, v in config.items() if k in self.signature.parameters}
        return Operation(self, name, config_of_op)

    def record(self, args: Sequence[Any], kwargs: Mapping[str, Any]):
        """Adds a node for a symbolic call and gives its outputs."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        names = list(self.signature.parameters)
        arguments = dict(bound.arguments)
        for name in self._resolve.keys() & arguments.keys():
            arguments[name] = self._resolve[name](arguments[name])
        if self.signature.parameters[names[0]].kind is inspect.Parameter.VAR_POSITIONAL:
            return Operation(self, config={k: arguments[k] for k in names[1:]})(
                *arguments[names[0]]
            )
        call = [arguments.pop(n) for n in names[: self.inputs]]
        while call[-1] is None and self.signature.parameters[names[len(call) - 1]].default is None:
            call.pop()
        named = {n: arguments.pop(n) for n in self.keywords}
        return Operation(self, config=arguments)(*call, **named)


def knows_last(count: int) -> Callable[[Thing], Thing]:
    """Decorator of an op: so many of the last sizes of a tensor have to be known, as in Keras."""

    def decorate(wrapper: Thing) -> Thing:
        wrapper.op.known = count
        return wrapper

    return decorate


def _check_known(count: int, tensors: Any) -> None:
    """Raises ValueError where one of the last sizes is unknown."""
    if not count:
        return
    sizes = "last dimension"
    if count > 1:
        sizes = f"last {count} dimensions"
    for tensor in flatten(tensors):
        if None in tensor.shape[-count:]:
            received = f"input.shape={tensor.shape}"
            raise ValueError(f"Input should have its {sizes} fully-defined. Received: {received}")


def op(
    module: str,
    *names: str,
    inputs: int | None = None,
    class_name: str | None = None,
    spec: Callable[..., Any] | None = None,
    keywords: Sequence[str] = (),
    find_sparse: Callable[[Callable], SparseForm | None] | None = None,
    resolve: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Callable[[Thing], Thing]:
    """Decorator: a function of arrays that also works on KerasTensors and Variables.

    Args:
        module: Keras's module of the op in files, such as "keras.src.ops.numpy".
        names: public names, "keras.ops.mean".
        inputs: how many leading arguments are tensors; by default those without a default value.
        class_name: Keras's class of the op in files, by default the function's name in camel case.
        spec: a function of the same arguments that gives the KerasTensors of the result, where the
            shape cannot be traced: sizes that depend on values, unknown sizes beside
            static ones.
        keywords: further arguments that Keras gives to the call by name, and so keeps out of the
            config.
        find_sparse: from the function to the `SparseForm` of the op, or None; asked when
            the first sparse array comes.
        resolve: {argument: function of its value}, for arguments that a graph, and a
            file of it, holds as they are now, whatever the settings are where it runs.
    """

    declared = Declared(inputs, spec, keywords, find_sparse, resolve)

    def decorate(function: Thing) -> Thing:
        description = Op(function, module, class_name, declared)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not kwargs and len(args) == 1 and isinstance(args[0], jax.Array):
                return function(args[0])
            is_plain = _are_plain(args)
            if is_plain and kwargs:
                is_plain = _are_plain(kwargs.values())
            if is_plain:
                return function(*args, **kwargs)
            if any_symbolic(*args, *kwargs.values()):
                return description.record(args, kwargs)
            return description.run(
                [_unwrap(v) for v in args], {k: _unwrap(v) for k, v in kwargs.items()}
            )

        wrapper.op = description
        return public(*names)(wrapper) if names else wrapper

    return decorate


MODULES = ("core", "einops", "image", "linalg", "math", "nn", "numpy")


def op_of_class(class_name: str):
    """The op that Keras has as a class of this name in one of the modules of `keras.ops`, or None.

    >>> op_of_class("TrueDivide").module
    'keras.src.ops.numpy'
    """
    names = (f"keras.src.ops.{module}.{class_name}" for module in MODULES)
    return next((_named[name] for name in names if name in _named), None)


def op_of_name(name: str) -> "Op":
    """The op that has a name in files, such as a pickle has it.

    >>> op_of_name("keras.src.ops.numpy.Add").class_name
    'Add'
    """
    if name not in _named:
        load_the_rest()
    return _named[name]


PLAIN = (jax.Array, np.ndarray, np.generic, bool, int, float, complex, str, type(None))


def _are_plain(values: Any):
    """Whether values are at a glance neither symbolic nor variables, nor structures of these."""
    for value in values:
        if isinstance(value, PLAIN):
            continue
        is_axes = type(value) in (tuple, list)  # or sizes, strides, ...
        if not is_axes or not LEAVES.issuperset(map(type, value)):
            return False
    return True


def _unwrap(x: Any):
    """Variables by their value; also one level into lists and tuples."""
    if hasattr(x, "own_value"):
        return x.value
    if type(x) in (list, tuple) and any(hasattr(v, "own_value") for v in x):
        return type(x)(_unwrap(v) for v in x)
    return x
